// SPDX-License-Identifier: Apache-2.0
// Scenario files: what they say, and everything that is wrong with one, with its line.
#include "cmocka_all.h"

#include <errno.h>

#include "fabric_fixture.h"
#include "model/time.h"
#include "scenario.h"

// ---- files: one fabric, 2 leaves x 2 spines with 2 hosts each, and jobs named after their files

static int load_fabric(void *context, const char *file, fabric_complain_fn *complain,
                       void *complain_context, struct fabric **out) {
    (void)context;
    if (strcmp(file, "small") == 0) {
        *out = fixture_leaf_spine(2, 2, 2, 1, 1);
        return 0;
    }
    struct error error;
    error_set(&error, -ENOENT, "%s: No such file or directory", file);
    complain(complain_context, &error);
    return -ENOENT;
}

static int load_job(void *context, const char *file, fabric_complain_fn *complain,
                    void *complain_context, struct job *out) {
    (void)context;
    (void)complain;
    (void)complain_context;
    job_init(out);
    snprintf(out->name, sizeof out->name, "%s", file);
    out->all_ranks = strcmp(file, "far") != 0;
    if (!out->all_ranks) {
        out->ranks = calloc(2, sizeof out->ranks[0]);
        assert_non_null(out->ranks);
        out->rank_count = 2;
        snprintf(out->ranks[0], NAME_SIZE, "h0");
        snprintf(out->ranks[1], NAME_SIZE, "h77");
    }
    out->collective_count = 1;
    out->collectives[0] = (struct collective){.type = COLLECTIVE_RING, .bytes = 1};
    return 0;
}

static const struct scenario_files files = {load_fabric, load_job, NULL};

#define HEAD "version: 1\nfabric: small\nuntil: 10s\n"

static struct scenario *parse_good(const char *text) {
    struct scenario *scenario = calloc(1, sizeof *scenario);
    assert_non_null(scenario);
    assert_int_equal(scenario_parse("s", text, strlen(text), &files, complain_aloud, NULL,
                                    scenario),
                     0);
    return scenario;
}

static void close_scenario(struct scenario *scenario) {
    scenario_fini(scenario);
    free(scenario);
}

static void expect(const char *text, const char *const *errors) {
    struct collected got = {0};
    struct scenario *scenario = calloc(1, sizeof *scenario);
    assert_non_null(scenario);
    assert_int_equal(scenario_parse("s", text, strlen(text), &files, collect, &got, scenario),
                     -EINVAL);
    unsigned i = 0;
    for (; errors[i] != NULL && i < got.count; i++) {
        const char *star = strchr(errors[i], '*'); // the rest is the business of others
        if (star != NULL) {
            got.text[i][star - errors[i]] = '*';
            got.text[i][star - errors[i] + 1] = '\0';
        }
        assert_string_equal(got.text[i], errors[i]);
    }
    if (i < got.count || errors[i] != NULL) {
        fail_msg("%u errors, then %s", got.count, i < got.count ? got.text[i] : errors[i]);
    }
    free(scenario);
}
#define EXPECT(text, ...) expect(text, (const char *const[]){__VA_ARGS__, NULL})

static void assert_event(const struct scenario *scenario, uint32_t index, enum scenario_verb verb,
                         uint64_t at_ms) {
    if (index >= scenario->event_count || scenario->events[index].verb != verb ||
        scenario->events[index].at_ns != at_ms * NS_PER_MS) {
        fail_msg("event %u is no %s at %u ms", index, scenario_verb_name(verb), (unsigned)at_ms);
    }
}

// ---- what is read

static void what_is_not_said_is_as_usual(void **state) {
    (void)state;
    struct scenario *scenario = parse_good(HEAD);
    assert_int_equal(scenario->seed, 1);
    assert_int_equal(scenario->until_ns, 10 * NS_PER_S);
    assert_int_equal(scenario->probe_interval_ns, SCENARIO_PROBE_INTERVAL_NS);
    assert_int_equal(scenario->adaptive_round_ns, SCENARIO_ADAPTIVE_ROUND_NS);
    assert_string_equal(scenario->algorithm, "");
    assert_int_equal(scenario->event_count + scenario->job_count, 0);
    close_scenario(scenario);
}

static void everything_that_is_said_is_read(void **state) {
    (void)state;
    struct scenario *scenario =
        parse_good(HEAD "seed: 18446744073709551615\nalgorithm: ecmp\nprobe_interval: 1ms\n"
                        "adaptive_round: 10us\nfail: [\"leaf0>spine0=0.5\", leaf1-spine1]\n"
                        "jobs:\n  - {file: a, at: 1s, lead: 0ms, remove: 2s, algorithm: ethereal}\n"
                        "  - {file: b, at: 0ms}\n");
    assert_true(scenario->seed == UINT64_MAX);
    assert_string_equal(scenario->algorithm, "ecmp");
    assert_int_equal(scenario->probe_interval_ns, NS_PER_MS);
    assert_int_equal(scenario->adaptive_round_ns, 10 * NS_PER_US);
    link_id half, whole, dead;
    assert_true(fabric_find_link(scenario->fabric, "leaf0>spine0", &half));
    assert_true(fabric_find_link(scenario->fabric, "spine0>leaf0", &whole));
    assert_true(fabric_find_link(scenario->fabric, "spine1>leaf1", &dead));
    assert_int_equal(scenario->initial[half.i].capacity_ppm, CAPACITY_FULL_PPM / 2);
    assert_int_equal(scenario->initial[whole.i].capacity_ppm, CAPACITY_FULL_PPM);
    assert_true(scenario->initial[dead.i].down);
    assert_int_equal(scenario->job_count, 2);
    assert_int_equal(scenario->jobs[0].at_ns, NS_PER_S);
    assert_int_equal(scenario->jobs[0].lead_ns, 0);
    assert_int_equal(scenario->jobs[0].remove_at_ns, 2 * NS_PER_S);
    assert_string_equal(scenario->jobs[0].job.algorithm, "ethereal");
    assert_int_equal(scenario->jobs[1].lead_ns, SCENARIO_LEAD_NS);
    assert_true(scenario->jobs[1].remove_at_ns == NEVER_NS);
    close_scenario(scenario);
}

static void events_come_in_order_of_time_with_what_undoes_them(void **state) {
    (void)state;
    struct scenario *scenario = parse_good(HEAD "events:\n"
                                                "  - {at: 2s, slow: spine0-leaf0, capacity: 0.25}\n"
                                                "  - {at: 1s, cut: leaf0-spine0, for: 500ms}\n"
                                                "  - {at: 1s, kill: h3, for: 2s}\n"
                                                "  - {at: 1s, drain: spine1, for: 1s}\n"
                                                "  - {at: 1s, stale: {share: 0.5}, for: 100ms}\n"
                                                "  - {at: 5s, partition: [\"h0,h2-h3\"], for: 1s}\n"
                                                "  - {at: 9s, pause: h1, for: 1s}\n");
    assert_int_equal(scenario->event_count, 12);
    assert_event(scenario, 0, VERB_CUT, 1000);
    assert_event(scenario, 1, VERB_KILL, 1000);
    assert_event(scenario, 2, VERB_DRAIN, 1000);
    assert_event(scenario, 3, VERB_STALE, 1000);
    assert_event(scenario, 4, VERB_HEAR, 1100);
    assert_event(scenario, 5, VERB_HEAL, 1500);
    assert_event(scenario, 6, VERB_SLOW, 2000);
    assert_event(scenario, 7, VERB_UNDRAIN, 2000);
    assert_event(scenario, 8, VERB_START, 3000);
    assert_event(scenario, 9, VERB_PARTITION, 5000);
    assert_event(scenario, 10, VERB_REJOIN, 6000);
    assert_event(scenario, 11, VERB_PAUSE, 9000);
    assert_int_equal(scenario->events[6].capacity_ppm, CAPACITY_FULL_PPM / 4);
    assert_int_equal(scenario->events[3].share_ppm, CAPACITY_FULL_PPM / 2);
    assert_int_equal(scenario->events[11].for_ns, NS_PER_S);
    assert_int_equal(scenario->events[1].node.i, 3);
    const uint32_t groups[] = {1, 0, 1, 1};
    assert_memory_equal(scenario->events[9].groups, groups, sizeof groups);
    close_scenario(scenario);
}

// ---- what is wrong

static void every_error_has_its_line(void **state) {
    (void)state;
    EXPECT("version: 3\nfabric: small\nuntil: -1s\nalgorithm: best\nprobe_interval: 1us\n"
           "fail: [leaf0-spine7, leaf0-spine0=2]\n"
           "jobs: [{file: a, at: 2h}]\n",
           "s:1: version 3: this program reads version 1",
           "s:3: until: -1s: a time such as 1500ms or 2s expected, at most an hour",
           "s:4: algorithm: best: unknown; known are *", "s:5: probe_interval: at least 10us",
           "s:6: fail: the fabric has no link leaf0-spine7",
           "s:6: fail: 2 is no fraction of capacity from 0 to 1",
           "s:7: at: 2h: a time such as 1500ms or 2s expected, at most an hour");
}

static void a_scenario_has_a_length(void **state) {
    (void)state;
    EXPECT("version: 1\nfabric: small\nuntil: 0s\n", "s:3: until: a time above 0 expected");
}

static void an_unknown_file_is_told(void **state) {
    (void)state;
    EXPECT("version: 1\nfabric: large\nuntil: 1s\nevents: [{at: 1s, cut: x}]\n",
           "large: No such file or directory");
}

static void jobs_must_fit_the_time_and_the_fabric(void **state) {
    (void)state;
    EXPECT(HEAD "jobs:\n  - {file: a, at: 11s}\n  - {file: a, at: 1s, remove: 1s, lead: 2s}\n"
                "  - {file: far, at: 1s, algorithm: worst, remove: 20s}\n",
           "s:5: at: it is after the end of the scenario", "s:6: lead: at most 1s",
           "s:6: remove: not after the job begins", "s:6: two jobs are named a",
           "s:7: remove: it is after the end of the scenario",
           "s:7: job far: rank 1 is h77, which the fabric has not",
           "s:7: algorithm: worst: unknown; known are *");
}

static void an_event_is_one_thing_about_something_that_exists(void **state) {
    (void)state;
    EXPECT(HEAD "events:\n"
                "  - {at: 1s}\n"
                "  - {at: 1s, cut: leaf0-spine0, heal: leaf0-spine0}\n"
                "  - {at: 1s, cut: leaf0-spine7}\n"
                "  - {at: 1s, kill: leaf0}\n"
                "  - {at: 1s, drain: nothing}\n"
                "  - {at: 1s, rejoin: some}\n"
                "  - {at: 1s, partition: [h0-h9, \"h3-h1\"]}\n"
                "  - {at: 1s, partition: [h0-h1, h1]}\n"
                "  - {at: 1s, partition: [h0-h3]}\n",
           "s:5: an event says one thing, this one nothing",
           "s:6: an event says one thing, this one several",
           "s:7: cut: the fabric has no link leaf0-spine7",
           "s:8: kill: the fabric has no host leaf0",
           "s:9: drain: the fabric has no link or node nothing", "s:10: rejoin: some: all expected",
           "s:11: partition: h0-h9: a host, a range such as h0-h3, or several with commas expected",
           "s:11: partition: h3-h1: a host, a range such as h0-h3, or several with commas expected",
           "s:11: partition: all hosts are in one group", "s:12: partition: h1 is in two groups",
           "s:13: partition: all hosts are in one group");
}

static void an_event_takes_what_it_needs_and_no_more(void **state) {
    (void)state;
    EXPECT(HEAD "events:\n"
                "  - {at: 1s, slow: leaf0-spine0}\n"
                "  - {at: 1s, cut: leaf0-spine0, capacity: 0.5}\n"
                "  - {at: 1s, link_set: leaf0-spine0, capacity: 1.5}\n"
                "  - {at: 1s, pause: h0}\n"
                "  - {at: 1s, heal: leaf0-spine0, for: 1s}\n"
                "  - {at: 1s, stale: {share: 0}, for: 0ms}\n"
                "  - {at: 11s, kill: h0}\n"
                "  - {at: 9s, kill: h1, for: 2s}\n"
                "  - {at: soon, kill: h2}\n",
           "s:5: slow needs capacity", "s:6: cut takes no capacity",
           "s:7: capacity 1.5: at least 0, at most 1", "s:8: pause needs for",
           "s:9: heal takes no for", "s:10: for: a span above 0 expected",
           "s:10: share 0: above 0, at most 1", "s:11: kill: it is after the end of the scenario",
           "s:12: kill: what undoes it is after the end of the scenario",
           "s:13: at: soon: a time such as 1500ms or 2s expected, at most an hour");
}

static void events_must_not_contradict_each_other(void **state) {
    (void)state;
    EXPECT(HEAD "fail: [leaf1-spine1]\nevents:\n"
                "  - {at: 1s, cut: leaf0-spine0}\n"
                "  - {at: 2s, slow: spine0>leaf0, capacity: 0.5}\n"
                "  - {at: 1s, heal: leaf0-spine1}\n"
                "  - {at: 1s, cut: leaf1-spine1}\n"
                "  - {at: 1s, start: h0}\n"
                "  - {at: 1s, kill: h1}\n"
                "  - {at: 2s, pause: h1, for: 1s}\n"
                "  - {at: 1s, drain: spine0}\n"
                "  - {at: 2s, drain: spine0}\n"
                "  - {at: 2s, undrain: leaf0-spine0}\n"
                "  - {at: 2s, rejoin: all}\n"
                "  - {at: 1s, stale: {share: 0.5}, for: 1s}\n"
                "  - {at: 1500ms, stale: {share: 0.5}, for: 1s}\n"
                "  - {at: 1s, pause: h3, for: 1s}\n"
                "  - {at: 1999ms, pause: h3, for: 1s}\n",
           "s:7: slow spine0>leaf0: is broken already, heal it first (line 6)",
           "s:8: heal leaf0-spine1: is neither cut nor slow then",
           "s:9: cut leaf1-spine1: is broken already, heal it first",
           "s:10: start h0: runs already", "s:12: pause h1: is dead already (line 11)",
           "s:14: drain spine0: is drained already (line 13)",
           "s:15: undrain leaf0-spine0: is not drained then",
           "s:16: rejoin all: there is no partition then",
           "s:18: stale 0.5 of the hosts: another one is in force (line 17)",
           "s:20: pause h3: is paused already");
}

static void unknown_keys_and_wrong_types_are_told(void **state) {
    (void)state;
    EXPECT("version: 1\nfabric: small\nuntil: 1s\nevents:\n  - {at: 1s, smash: h0}\n"
           "jobs:\n  - {at: 1s}\nseed: -1\n",
           "s:5: events[0]: unknown key smash", "s:7: jobs[0]: key file is missing",
           "s:8: seed: -1: a whole number from 0 to 18446744073709551615 expected");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_is_as_usual),
        cmocka_unit_test(everything_that_is_said_is_read),
        cmocka_unit_test(events_come_in_order_of_time_with_what_undoes_them),
        cmocka_unit_test(every_error_has_its_line),
        cmocka_unit_test(a_scenario_has_a_length),
        cmocka_unit_test(an_unknown_file_is_told),
        cmocka_unit_test(jobs_must_fit_the_time_and_the_fabric),
        cmocka_unit_test(an_event_is_one_thing_about_something_that_exists),
        cmocka_unit_test(an_event_takes_what_it_needs_and_no_more),
        cmocka_unit_test(events_must_not_contradict_each_other),
        cmocka_unit_test(unknown_keys_and_wrong_types_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
