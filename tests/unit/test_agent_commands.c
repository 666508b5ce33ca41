// SPDX-License-Identifier: Apache-2.0
// The control socket's commands that change something, and every command with arguments that make
// no sense.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_bed.h"
#include "model/rng.h"
#include "model/time.h"

#include <cmocka.h>

#define FAILED 1
#define USAGE 2
#define REFUSED 7

static struct agent_bed *bed;

static int set_up(void **state) {
    (void)state;
    bed = agent_bed_open();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    agent_bed_close(bed);
    return 0;
}

static void expect_done(const char *command, const char *arguments, const char *key,
                        const char *value) {
    struct control_refusal refusal;
    json_t *answer = agent_bed_ask(bed, command, arguments, &refusal);
    if (answer == NULL) {
        fail_msg("%s %s: exit %d, %s", command, arguments, refusal.exit_code, refusal.text);
    }
    assert_string_equal(json_string_value(json_object_get(answer, key)), value);
    json_decref(answer);
}

static void expect_refusal(const char *command, const char *arguments, int exit_code,
                           const char *sentence) {
    struct control_refusal refusal;
    json_t *answer = agent_bed_ask(bed, command, arguments, &refusal);
    if (answer != NULL || refusal.exit_code != exit_code ||
        strncmp(refusal.text, sentence, strlen(sentence)) != 0) {
        fail_msg("%s %s: exit %d, \"%s\"", command, arguments, refusal.exit_code, refusal.text);
    }
}

static struct link_belief belief_of(uint32_t host, const char *name) {
    struct engine_link link;
    link_id id;
    assert_true(fabric_find_link(fleet_fabric(bed->sim), name, &id));
    engine_link_at(fleet_engine(bed->sim, host), id, &link);
    return link.belief;
}

static void a_drained_link_is_avoided_by_all_until_it_is_given_back(void **state) {
    (void)state;
    expect_done("drain", "{\"name\":\"leaf0-spine0\",\"kind\":\"link\",\"active\":true}", "name",
                "leaf0-spine0");
    agent_bed_run(bed, 100 * NS_PER_MS);
    assert_true(belief_of(5, "leaf0>spine0").drained);
    assert_true(belief_of(5, "spine0>leaf0").drained);
    assert_false(belief_of(5, "leaf1>spine0").drained);
    expect_done("drain", "{\"name\":\"leaf0-spine0\",\"kind\":\"link\",\"active\":false}", "name",
                "leaf0-spine0");
    agent_bed_run(bed, 100 * NS_PER_MS);
    assert_false(belief_of(5, "leaf0>spine0").drained);
}

static void one_direction_may_be_drained_alone(void **state) {
    (void)state;
    expect_done("drain", "{\"name\":\"leaf0>spine0\",\"kind\":\"link\",\"active\":true}", "name",
                "leaf0>spine0");
    agent_bed_run(bed, 100 * NS_PER_MS);
    assert_true(belief_of(5, "leaf0>spine0").drained);
    assert_false(belief_of(5, "spine0>leaf0").drained);
}

static void capacity_is_told_to_all_and_full_capacity_ends_the_order(void **state) {
    (void)state;
    expect_done("capacity", "{\"link\":\"leaf1>spine2\",\"capacity\":0.25}", "link",
                "leaf1>spine2");
    agent_bed_run(bed, 100 * NS_PER_MS);
    assert_int_equal(belief_of(6, "leaf1>spine2").capacity_ppm, 250000);
    expect_done("capacity", "{\"link\":\"leaf1>spine2\",\"capacity\":1}", "link", "leaf1>spine2");
    agent_bed_run(bed, 100 * NS_PER_MS);
    assert_int_equal(belief_of(6, "leaf1>spine2").capacity_ppm, CAPACITY_FULL_PPM);
}

static void drain_leaf0_but_one(void) {
    char arguments[96];
    for (unsigned spine = 0; spine < 3; spine++) {
        snprintf(arguments, sizeof(arguments),
                 "{\"name\":\"leaf0-spine%u\",\"kind\":\"link\",\"active\":true}", spine);
        json_t *answer = agent_bed_ask(bed, "drain", arguments, &(struct control_refusal){0});
        assert_non_null(answer);
        json_decref(answer);
    }
}

static void the_last_live_link_of_a_leaf_is_only_taken_by_force(void **state) {
    (void)state;
    static const char sentence[] = "leaf0 would lose its last live link: its hosts would be cut "
                                   "off; say force to do it nevertheless";
    drain_leaf0_but_one();
    expect_refusal("drain", "{\"name\":\"leaf0-spine3\",\"kind\":\"link\",\"active\":true}",
                   REFUSED, sentence);
    expect_refusal("drain", "{\"name\":\"spine3>leaf0\",\"kind\":\"link\",\"active\":true}",
                   REFUSED, sentence);
    expect_refusal("drain", "{\"name\":\"spine3\",\"kind\":\"node\",\"active\":true}", REFUSED,
                   sentence);
    expect_refusal("capacity", "{\"link\":\"leaf0-spine3\",\"capacity\":0}", REFUSED, sentence);
    expect_refusal("drain",
                   "{\"name\":\"spine3\",\"kind\":\"node\",\"active\":true,\"force\":\"yes\"}",
                   REFUSED, sentence);
    expect_done("capacity", "{\"link\":\"leaf0-spine3\",\"capacity\":0.1}", "link", "leaf0-spine3");
    expect_done("drain", "{\"name\":\"spine0\",\"kind\":\"node\",\"active\":true}", "name",
                "spine0"); // takes nothing from leaf0 that it still has
    expect_done("drain",
                "{\"name\":\"leaf0-spine3\",\"kind\":\"link\",\"active\":true,\"force\":true}",
                "name", "leaf0-spine3");
}

static void a_dead_link_does_not_count_as_a_way_out(void **state) {
    (void)state;
    for (unsigned spine = 0; spine < 3; spine++) {
        char link[32];
        snprintf(link, sizeof(link), "leaf0>spine%u", spine);
        agent_bed_cut(bed, link, true);
    }
    agent_bed_run(bed, 300 * NS_PER_MS);
    expect_refusal("drain", "{\"name\":\"leaf0-spine3\",\"kind\":\"link\",\"active\":true}",
                   REFUSED, "leaf0 would lose its last live link");
}

static void a_leaf_itself_may_be_drained(void **state) {
    (void)state;
    expect_done("drain", "{\"name\":\"leaf2\",\"kind\":\"node\",\"active\":true}", "name", "leaf2");
}

static void unknown_names_are_refused(void **state) {
    (void)state;
    expect_refusal("drain", "{\"name\":\"leaf9-spine0\",\"kind\":\"link\",\"active\":true}", FAILED,
                   "no link leaf9-spine0 in this fabric");
    expect_refusal("drain", "{\"name\":\"spine9\",\"kind\":\"node\",\"active\":false}", FAILED,
                   "no node spine9 in this fabric");
    expect_refusal("capacity", "{\"link\":\"spine0\",\"capacity\":1}", FAILED,
                   "no link spine0 in this fabric");
    expect_refusal("job_remove", "{\"job\":\"other\"}", FAILED, "");
    expect_refusal("halt", "{}", USAGE, "unknown command halt: is the agent older than the tool?");
}

static void arguments_of_wrong_types_are_a_matter_of_usage(void **state) {
    (void)state;
    expect_refusal("drain", NULL, USAGE, "name: a text expected");
    expect_refusal("drain", "{\"name\":7}", USAGE, "name: a text expected");
    expect_refusal("drain", "{\"name\":\"spine0\"}", USAGE, "kind: a text expected");
    expect_refusal("drain", "{\"name\":\"spine0\",\"kind\":\"node\",\"active\":1}", USAGE,
                   "drain: kind \"link\" or \"node\" and active true or false expected");
    expect_refusal("drain", "{\"name\":\"spine0\",\"kind\":\"rack\",\"active\":true}", USAGE,
                   "drain: kind \"link\" or \"node\"");
    expect_refusal("capacity", "{\"capacity\":1}", USAGE, "link: a text expected");
    expect_refusal("capacity", "{\"link\":\"leaf0-spine0\",\"capacity\":1.01}", USAGE,
                   "capacity: a share from 0 to 1 expected");
    expect_refusal("capacity", "{\"link\":\"leaf0-spine0\",\"capacity\":-0.01}", USAGE,
                   "capacity: a share from 0 to 1 expected");
    expect_refusal("capacity", "{\"link\":\"leaf0-spine0\",\"capacity\":\"1\"}", USAGE,
                   "capacity: a share from 0 to 1 expected");
    expect_refusal("job_remove", "{\"job\":\"\"}", USAGE, "job: a text expected");
}

#define RING "{\"type\":\"ring\",\"bytes\":1048576}"

static void a_job_is_known_to_all_and_removed_from_all(void **state) {
    (void)state;
    struct control_refusal refusal;
    json_t *answer = agent_bed_ask(
        bed, "job_submit",
        "{\"job\":{\"job\":\"second\",\"ranks\":[\"h0\",\"h5\"],\"collectives\":[" RING "]}}",
        &refusal);
    assert_non_null(answer);
    assert_string_equal(json_string_value(json_object_get(answer, "job")), "second");
    assert_true(json_integer_value(json_object_get(answer, "generation")) >= 1);
    json_decref(answer);
    agent_bed_run(bed, 200 * NS_PER_MS);
    assert_int_equal(engine_job_count(fleet_engine(bed->sim, 7)), 2);
    expect_done("job_remove", "{\"job\":\"second\"}", "job", "second");
    agent_bed_run(bed, 200 * NS_PER_MS);
    assert_int_equal(engine_job_count(fleet_engine(bed->sim, 7)), 1);
}

static void submitting_again_raises_the_generation(void **state) {
    (void)state;
    static const char again[] =
        "{\"job\":{\"job\":\"demo\",\"ranks\":\"all\",\"collectives\":[" RING "]}}";
    json_int_t last = 0;
    for (unsigned i = 0; i < 3; i++) {
        json_t *answer = agent_bed_ask(bed, "job_submit", again, &(struct control_refusal){0, ""});
        assert_non_null(answer);
        json_int_t generation = json_integer_value(json_object_get(answer, "generation"));
        assert_true(generation > last);
        last = generation;
        json_decref(answer);
        agent_bed_run(bed, 50 * NS_PER_MS);
    }
}

static void jobs_that_cannot_be_are_refused_and_change_nothing(void **state) {
    (void)state;
    static const struct {
        const char *arguments, *sentence;
    } bad[] = {
        {"{}", "job: an object expected"},
        {"{\"job\":[]}", "job: an object expected"},
        {"{\"job\":{\"job\":\"x\",\"ranks\":\"all\",\"algorithm\":\"magic\",\"collectives\":[" RING
         "]}}",
         "job: unknown algorithm magic: one of "},
        {"{\"job\":{\"job\":\"x\",\"ranks\":\"all\"}}", "job: collectives: a list of 1 to "},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_refusal("job_submit", bad[i].arguments, FAILED, bad[i].sentence);
    }
    assert_int_equal(engine_job_count(bed->agent.engine), 1);
    assert_int_equal(bed->step_count, 0);
}

// ---- nonsense

static const char *const names[] = {
    "h0",
    "h0>h5",
    "h0>h5/17",
    "leaf0",
    "leaf0>spine0",
    "leaf0-spine0",
    "spine1",
    "",
    ">",
    "/",
    ">/",
    "h0>/1",
    "all",
    "link",
    "node",
    "demo",
    "h0.0",
    "h0.1>h1",
    "leaf0-spine0.0",
    "\xc3\xa9",
    "-1",
    "%s%n%d",
    "ethereal",
    "alltoall",
    "h9999999999999999999999999999999",
};

static json_t *random_scalar(struct rng *rng) {
    static char huge[1 << 16];
    switch (rng_below(rng, 9)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(rng_below(rng, 2));
    case 2:
        return json_integer((json_int_t)rng_below(rng, 4) - 1);
    case 3:
        return json_integer(rng_below(rng, 2) ? INT64_MAX : INT64_MIN);
    case 4:
        return json_real((double)rng_below(rng, 1000) / 500 - 0.5);
    case 5:
        return json_real(rng_below(rng, 2) ? 1e308 : -1e-308);
    case 6:
        memset(huge, 'h', sizeof(huge) - 1);
        return json_string(huge + rng_below(rng, sizeof(huge) - 1));
    default:
        return json_string(names[rng_below(rng, sizeof(names) / sizeof(names[0]))]);
    }
}

static json_t *random_value(struct rng *rng) {
    json_t *value = random_scalar(rng);
    uint64_t wrap = rng_below(rng, 10);
    for (uint64_t depth = 0; wrap < 4 && depth <= rng_below(rng, 3); depth++) {
        value = wrap < 2 ? json_pack("[o, o]", value, random_scalar(rng))
                         : json_pack("{s:o, s:o}", "job", value, "type", random_scalar(rng));
    }
    return value;
}

static json_t *random_job(struct rng *rng) {
    static const char *const keys[] = {"job", "ranks", "algorithm", "generation", "collectives"};
    static const char *const inner[] = {"type", "bytes", "seed", "pairs"};
    json_t *job = json_loads("{\"job\":\"x\",\"ranks\":\"all\",\"collectives\":[{\"type\":"
                             "\"pairs\",\"bytes\":1,\"pairs\":[[0,1]]}]}",
                             0, NULL);
    json_t *collective = json_array_get(json_object_get(job, "collectives"), 0);
    json_object_set_new(collective, inner[rng_below(rng, 4)], random_value(rng));
    for (uint64_t i = rng_below(rng, 3); i > 0; i--) {
        json_object_set_new(job, keys[rng_below(rng, 5)], random_value(rng));
    }
    return job;
}

static json_t *random_arguments(struct rng *rng) {
    static const char *const keys[] = {"flow", "src",    "dst",      "why",   "job", "name",
                                       "kind", "active", "capacity", "force", "link"};
    json_t *arguments = json_object();
    for (uint64_t i = rng_below(rng, 5); i > 0; i--) {
        json_object_set_new(arguments, keys[rng_below(rng, 11)], random_value(rng));
    }
    if (rng_below(rng, 3) == 0) {
        json_object_set_new(arguments, "job", random_job(rng));
    }
    return arguments;
}

static void arguments_without_sense_get_an_answer_or_a_sentence(void **state) {
    (void)state;
    static const char *const commands[] = {"status",   "members",    "links",      "jobs",
                                           "flows",    "rules",      "paths",      "why",
                                           "trace",    "job_submit", "job_remove", "drain",
                                           "capacity", "nonsense"};
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20261121;
    struct rng rng;
    rng_init(&rng, seed);
    printf("SEED=%llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < 4000; i++) {
        struct control_refusal refusal = {0, ""};
        json_t *arguments = random_arguments(&rng);
        const char *command = commands[rng_below(&rng, 14)];
        json_t *answer = agent_answer(&bed->agent, command, arguments, &refusal);
        if (answer == NULL) {
            assert_in_range(refusal.exit_code, FAILED, REFUSED);
            assert_string_not_equal(refusal.text, "");
        } else {
            assert_int_equal(refusal.exit_code, 0);
            assert_true(json_is_object(answer));
        }
        json_decref(answer);
        json_decref(arguments);
        if (i % 200 == 0) {
            agent_bed_run(bed, 5 * NS_PER_MS);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_drained_link_is_avoided_by_all_until_it_is_given_back,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_direction_may_be_drained_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(capacity_is_told_to_all_and_full_capacity_ends_the_order,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_live_link_of_a_leaf_is_only_taken_by_force, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_dead_link_does_not_count_as_a_way_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_leaf_itself_may_be_drained, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_names_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(arguments_of_wrong_types_are_a_matter_of_usage, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_job_is_known_to_all_and_removed_from_all, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(submitting_again_raises_the_generation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(jobs_that_cannot_be_are_refused_and_change_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(arguments_without_sense_get_an_answer_or_a_sentence, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
