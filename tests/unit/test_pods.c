// SPDX-License-Identifier: Apache-2.0
// Annotations of pods -> ranks on ports.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "pods.h"

// A pod with what most of these tests need; patches replace values by "path.to.key".
static json_t *make_pod(const char *name, unsigned rank) {
    json_error_t error;
    char index[16];
    snprintf(index, sizeof(index), "%u", rank);
    json_t *pod = json_pack_ex(
        &error, 0,
        "{s:{s:s,s:s,s:s,s:s,s:{s:s,s:s,s:s,s:s,s:s},s:[{s:s,s:b,s:s}]},s:{s:b},s:{s:s}}",
        "metadata", "namespace", "ml", "name", name, "uid", name, "creationTimestamp",
        "2026-11-21T21:15:43Z", "annotations", "srv6-steer/job", "llama", "srv6-steer/ranks", "8",
        "srv6-steer/collective", "alltoall", "srv6-steer/bytes", "64MiB",
        "batch.kubernetes.io/job-completion-index", index, "ownerReferences", "kind", "Job",
        "controller", 1, "uid", "owner-1", "spec", "hostNetwork", 1, "status", "phase", "Running");
    if (pod == NULL) {
        fail_msg("%s", error.text);
    }
    return pod;
}

static json_t *part(json_t *pod, const char *name) {
    json_t *metadata = json_object_get(pod, "metadata");
    json_t *found = json_object_get(metadata, name);
    return found != NULL ? found : json_object_get(pod, name);
}

static void annotate(json_t *pod, const char *key, const char *value) {
    char whole[96];
    snprintf(whole, sizeof(whole), "srv6-steer/%s", key);
    if (value == NULL) {
        json_object_del(part(pod, "annotations"), whole);
    } else {
        json_object_set_new(part(pod, "annotations"), whole, json_string(value));
    }
}

static void set_phase(json_t *pod, const char *phase) {
    json_object_set_new(part(pod, "status"), "phase", json_string(phase));
}

static void created(json_t *pod, const char *when) {
    json_object_set_new(json_object_get(pod, "metadata"), "creationTimestamp", json_string(when));
}

// ---- one pod

static struct pod read_good(json_t *pod) {
    struct pod out;
    struct error error = {0};
    if (pod_read(pod, &out, &error) != 0) {
        fail_msg("refused: %s", error.text);
    }
    json_decref(pod);
    return out;
}

static void refused(json_t *pod, const char *reason) {
    struct pod out;
    struct error error = {0};
    assert_int_equal(pod_read(pod, &out, &error), -EINVAL);
    if (strstr(error.text, reason) == NULL || strstr(error.text, "ml/w-3") == NULL) {
        fail_msg("'%s' expected of ml/w-3, got: %s", reason, error.text);
    }
    json_decref(pod);
}

static json_t *with(const char *key, const char *value) {
    json_t *pod = make_pod("w-3", 3);
    annotate(pod, key, value);
    return pod;
}

static void an_indexed_job_gives_the_rank_and_its_owner_the_run(void **state) {
    (void)state;
    struct pod pod = read_good(make_pod("w-3", 3));
    assert_string_equal(pod.name, "ml/w-3");
    assert_string_equal(pod.rank.job, "ml/llama");
    assert_string_equal(pod.rank.run, "owner-1");
    assert_int_equal(pod.rank.rank, 3);
    assert_int_equal(pod.rank.rank_count, 8);
    assert_int_equal(pod.rank.collective, COLLECTIVE_ALLTOALL);
    assert_int_equal(pod.rank.bytes, 64 << 20);
    assert_int_equal(pod.rank.created_s, 1795295743); // date -u -d ... +%s
    assert_false(pod.ports_given);
}

static void own_annotations_win_over_those_of_others(void **state) {
    (void)state;
    json_t *pod = with("rank", "5");
    annotate(pod, "run", "trial-7");
    annotate(pod, "algorithm", "ecmp");
    struct pod out = read_good(pod);
    assert_int_equal(out.rank.rank, 5);
    assert_string_equal(out.rank.run, "trial-7");
    assert_string_equal(out.rank.algorithm, "ecmp");
}

static void a_jobset_is_one_run_though_its_jobs_are_many(void **state) {
    (void)state;
    json_t *pod = make_pod("w-3", 3);
    json_object_set_new(json_object_get(pod, "metadata"), "labels",
                        json_pack("{s:s}", "jobset.sigs.k8s.io/jobset-uid", "set-1"));
    assert_string_equal(read_good(pod).rank.run, "set-1");
}

static void a_stateful_set_gives_the_rank_by_a_label(void **state) {
    (void)state;
    json_t *pod = make_pod("w-3", 3);
    json_object_del(part(pod, "annotations"), "batch.kubernetes.io/job-completion-index");
    json_object_set_new(json_object_get(pod, "metadata"), "labels",
                        json_pack("{s:s}", "apps.kubernetes.io/pod-index", "6"));
    assert_int_equal(read_good(pod).rank.rank, 6);
}

static void without_ranks_the_size_of_the_job_is_unknown(void **state) {
    (void)state;
    assert_int_equal(read_good(with("ranks", NULL)).rank.rank_count, 0);
}

static void pods_that_ended_or_say_nothing_are_no_ranks(void **state) {
    (void)state;
    static const char *const phases[] = {"Succeeded", "Failed"};
    struct pod out;
    struct error error;
    for (size_t i = 0; i < 2; i++) {
        json_t *pod = make_pod("w-3", 3);
        set_phase(pod, phases[i]);
        assert_int_equal(pod_read(pod, &out, &error), -ENOENT);
        json_decref(pod);
    }
    json_t *pod = make_pod("w-3", 3);
    json_object_clear(part(pod, "annotations"));
    assert_int_equal(pod_read(pod, &out, &error), -ENOENT);
    json_decref(pod);
    static const char *const counting[] = {"Pending", "Running", "Unknown"};
    for (size_t i = 0; i < 3; i++) {
        pod = make_pod("w-3", 3);
        set_phase(pod, counting[i]);
        (void)read_good(pod);
    }
}

static void what_is_wrong_is_said_with_the_pod_and_the_annotation(void **state) {
    (void)state;
    static const struct {
        const char *key, *value, *reason;
    } wrong[] = {
        {"job", NULL, "srv6-steer/job: missing"},
        {"job", "a/b", "srv6-steer/job: 'a/b' is not"},
        {"job", "", "srv6-steer/job"},
        {"job", "-x", "srv6-steer/job"},
        {"job", "sixty-one-characters-which-with-the-namespace-are-too-many-xx", "63 characters"},
        {"rank", "-1", "srv6-steer/rank: '-1' is not a number of 0 to 65535"},
        {"rank", "65536", "srv6-steer/rank"},
        {"rank", "03", "srv6-steer/rank"},
        {"rank", "3 ", "srv6-steer/rank"},
        {"rank", "", "srv6-steer/rank"},
        {"rank", "8", "its rank is 8, and the job has 8"},
        {"ranks", "0", "srv6-steer/ranks"},
        {"ranks", "65537", "srv6-steer/ranks"},
        {"ranks", "99999999999999999999", "srv6-steer/ranks"},
        {"collective", NULL, "srv6-steer/collective: missing"},
        {"collective", "pairs", "one of alltoall, ring, tree"},
        {"collective", "AllToAll", "one of alltoall, ring, tree"},
        {"bytes", NULL, "srv6-steer/bytes: missing"},
        {"bytes", "0", "srv6-steer/bytes"},
        {"bytes", "64 MiB", "srv6-steer/bytes"},
        {"bytes", "5000000TiB", "srv6-steer/bytes"},
        {"algorithm", "best", "srv6-steer/algorithm: 'best' is not one that this agent knows"},
        {"ports", "", "srv6-steer/ports"},
        {"ports", "1,0", "srv6-steer/ports"},
        {"ports", "0,0", "srv6-steer/ports"},
        {"ports", "0,", "srv6-steer/ports"},
        {"ports", "32", "srv6-steer/ports"},
        {"run", "two words", "srv6-steer/run"},
        {"rnak", "3", "srv6-steer/rnak: no such annotation"},
        {"job", "x\033[2J\n", "'x?[2J?' is not"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        refused(with(wrong[i].key, wrong[i].value), wrong[i].reason);
    }
    json_t *pod = make_pod("w-3", 3);
    json_object_del(part(pod, "annotations"), "batch.kubernetes.io/job-completion-index");
    refused(pod, "srv6-steer/rank: missing");
    pod = make_pod("w-3", 3);
    json_object_set_new(part(pod, "spec"), "hostNetwork", json_false());
    refused(pod, "no hostNetwork");
    pod = make_pod("w-3", 3);
    created(pod, "yesterday");
    refused(pod, "no time of creation");
}

static void a_pod_with_a_device_of_its_own_names_the_port(void **state) {
    (void)state;
    json_t *pod = with("ports", "0,2");
    json_object_set_new(part(pod, "spec"), "hostNetwork", json_false());
    struct pod out = read_good(pod);
    assert_true(out.ports_given);
    assert_int_equal(out.ports, 5);
}

static void times_are_those_of_the_calendar(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t s;
    } times[] = {{"1970-01-01T00:00:00Z", 0},
                 {"2000-02-29T12:00:00Z", 951825600},
                 {"2000-03-01T00:00:00Z", 951868800},
                 {"2026-12-31T23:59:59Z", 1798761599},
                 {"2100-03-01T00:00:00Z", 4107542400}};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        json_t *pod = make_pod("w-3", 3);
        created(pod, times[i].text);
        assert_int_equal(read_good(pod).rank.created_s, times[i].s);
    }
}

// ---- all pods of a node

static const char ports[8][NAME_SIZE] = {"h3.0", "h3.1", "h3.2", "h3.3",
                                         "h3.4", "h3.5", "h3.6", "h3.7"};
static char told[8][ERROR_TEXT_SIZE];
static unsigned told_count;

static void on_refused(void *context, const char *pod, const struct error *error) {
    (void)context;
    assert_non_null(strstr(error->text, pod));
    memcpy(told[told_count++ % 8], error->text, sizeof(error->text));
}

static struct pod_set *open_set(void) {
    told_count = 0;
    return pod_set_open(NULL, 0, on_refused, NULL);
}

static void take(struct pod_set *set, json_t *pod) {
    pod_set_take(set, pod, false);
    json_decref(pod);
}

// "rank@port rank@port ..."
static const char *placed(struct pod_set *set, uint32_t port_count) {
    static char text[2048];
    struct pod_rank *ranks = NULL;
    uint32_t count = 0;
    assert_int_equal(pod_set_ranks(set, ports, port_count, &ranks, &count), 0);
    text[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof(text) - length, "%s%u@%s", i > 0 ? " " : "", ranks[i].rank,
                 ranks[i].port);
    }
    free(ranks);
    return text;
}

static void a_pod_alone_has_all_ports_and_several_share_them_by_rank(void **state) {
    (void)state;
    struct pod_set *set = open_set();
    take(set, make_pod("a", 5));
    assert_string_equal(placed(set, 2), "5@h3.0 5@h3.1");
    take(set, make_pod("b", 2));
    assert_string_equal(placed(set, 2), "2@h3.0 5@h3.1");
    assert_string_equal(placed(set, 4), "2@h3.0 2@h3.1 5@h3.2 5@h3.3");
    take(set, make_pod("c", 3));
    assert_string_equal(placed(set, 1), "2@h3.0 3@h3.0 5@h3.0");
    assert_string_equal(placed(set, 2), "2@h3.0 3@h3.0 5@h3.1");
    assert_int_equal(told_count, 0);
    pod_set_close(set);
}

static void eight_pods_on_eight_ports_have_one_each(void **state) {
    (void)state;
    struct pod_set *set = open_set();
    for (unsigned i = 8; i-- > 0;) {
        char name[8];
        snprintf(name, sizeof(name), "w-%u", i);
        take(set, make_pod(name, i));
    }
    assert_string_equal(placed(set, 8), "0@h3.0 1@h3.1 2@h3.2 3@h3.3 4@h3.4 5@h3.5 6@h3.6 7@h3.7");
    pod_set_close(set);
}

static void of_two_pods_of_a_rank_the_newer_one_counts(void **state) {
    (void)state;
    struct pod_set *set = open_set();
    json_t *newer = make_pod("newer", 3);
    created(newer, "2026-11-21T21:15:44Z");
    annotate(newer, "ports", "1");
    take(set, newer);
    take(set, make_pod("older", 3));
    assert_string_equal(placed(set, 2), "3@h3.1");
    pod_set_close(set);
}

static void a_new_list_ends_what_it_does_not_name(void **state) {
    (void)state;
    struct pod_set *set = open_set();
    take(set, make_pod("a", 1));
    take(set, make_pod("b", 2));
    pod_set_begin(set);
    take(set, make_pod("b", 2));
    assert_string_equal(placed(set, 2), "1@h3.0 2@h3.1"); // until the list has ended
    pod_set_end(set);
    assert_string_equal(placed(set, 1), "2@h3.0");
    pod_set_close(set);
}

static void pods_go_when_they_end_or_are_deleted(void **state) {
    (void)state;
    struct pod_set *set = open_set();
    take(set, make_pod("a", 1));
    take(set, make_pod("b", 2));
    json_t *ended = make_pod("a", 1);
    set_phase(ended, "Succeeded");
    take(set, ended);
    assert_string_equal(placed(set, 1), "2@h3.0");
    json_t *deleted = make_pod("b", 2);
    pod_set_take(set, deleted, true);
    json_decref(deleted);
    assert_string_equal(placed(set, 1), "");
    pod_set_close(set);
}

static void a_refusal_is_told_once_and_takes_no_other_pod_with_it(void **state) {
    (void)state;
    struct pod_set *set = open_set();
    take(set, make_pod("a", 1));
    for (unsigned i = 0; i < 3; i++) {
        json_t *bad = make_pod("b", 2);
        annotate(bad, "bytes", "much");
        take(set, bad);
        assert_string_equal(placed(set, 1), "1@h3.0");
    }
    assert_int_equal(told_count, 1);
    assert_int_equal(pod_set_refused(set), 1);
    json_t *worse = make_pod("b", 2);
    annotate(worse, "bytes", "more");
    take(set, worse);
    assert_int_equal(told_count, 2);
    take(set, make_pod("b", 2)); // mended
    assert_string_equal(placed(set, 1), "1@h3.0 2@h3.0");
    assert_int_equal(pod_set_refused(set), 0);
    pod_set_close(set);
}

static void a_port_that_the_host_lacks_is_refused(void **state) {
    (void)state;
    struct pod_set *set = open_set();
    json_t *pod = make_pod("a", 1);
    annotate(pod, "ports", "1,2");
    take(set, pod);
    assert_string_equal(placed(set, 2), "");
    assert_string_equal(placed(set, 2), "");
    assert_int_equal(told_count, 1);
    assert_non_null(strstr(told[0], "place 2: this host has 2 ports"));
    assert_string_equal(placed(set, 3), "1@h3.1 1@h3.2");
    pod_set_close(set);
}

static void namespaces_can_be_limited(void **state) {
    (void)state;
    static const char names[2][JOB_NAME_SIZE] = {"prod", "m"};
    told_count = 0;
    struct pod_set *set = pod_set_open(names, 2, on_refused, NULL);
    take(set, make_pod("a", 1));
    assert_string_equal(placed(set, 1), "");
    json_t *pod = make_pod("b", 2);
    json_object_set_new(json_object_get(pod, "metadata"), "namespace", json_string("prod"));
    take(set, pod);
    assert_string_equal(placed(set, 1), "2@h3.0");
    pod_set_close(set);
}

static void more_than_there_is_room_for_is_refused(void **state) {
    (void)state;
    struct pod_set *set = open_set();
    for (unsigned i = 0; i <= PODS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "w-%u", i);
        json_t *pod = make_pod(name, i);
        annotate(pod, "ranks", NULL);
        take(set, pod);
    }
    assert_int_equal(told_count, 1);
    struct pod_rank *ranks = NULL;
    uint32_t count = 0;
    assert_int_equal(pod_set_ranks(set, ports, 1, &ranks, &count), 0);
    assert_int_equal(count, PODS_MAX);
    free(ranks);
    pod_set_close(set);
}

// ---- what is remembered

static void ranks_come_back_from_the_file(void **state) {
    (void)state;
    struct pod_set *set = open_set();
    struct pod_rank *ranks = NULL, *again = NULL;
    uint32_t count = 0, again_count = 0;
    struct error error;
    take(set, make_pod("a", 1));
    assert_int_equal(pod_set_ranks(set, ports, 2, &ranks, &count), 0);
    json_t *json = pod_ranks_json(ranks, count);
    assert_int_equal(pod_ranks_from_json(json, &again, &again_count, &error), 0);
    assert_int_equal(again_count, 2);
    assert_memory_equal(again, ranks, 2 * sizeof(*ranks));
    free(again);
    json_object_set_new(json_array_get(json_object_get(json, "ranks"), 1), "rank",
                        json_integer(8)); // of 8
    assert_int_equal(pod_ranks_from_json(json, &again, &again_count, &error), -EINVAL);
    assert_non_null(strstr(error.text, "rank 1 of the list"));
    json_object_set_new(json, "version", json_integer(2));
    assert_int_equal(pod_ranks_from_json(json, &again, &again_count, &error), -EINVAL);
    assert_int_equal(pod_ranks_from_json(NULL, &again, &again_count, &error), -EINVAL);
    json_decref(json);
    free(ranks);
    pod_set_close(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_indexed_job_gives_the_rank_and_its_owner_the_run),
        cmocka_unit_test(own_annotations_win_over_those_of_others),
        cmocka_unit_test(a_jobset_is_one_run_though_its_jobs_are_many),
        cmocka_unit_test(a_stateful_set_gives_the_rank_by_a_label),
        cmocka_unit_test(without_ranks_the_size_of_the_job_is_unknown),
        cmocka_unit_test(pods_that_ended_or_say_nothing_are_no_ranks),
        cmocka_unit_test(what_is_wrong_is_said_with_the_pod_and_the_annotation),
        cmocka_unit_test(a_pod_with_a_device_of_its_own_names_the_port),
        cmocka_unit_test(times_are_those_of_the_calendar),
        cmocka_unit_test(a_pod_alone_has_all_ports_and_several_share_them_by_rank),
        cmocka_unit_test(eight_pods_on_eight_ports_have_one_each),
        cmocka_unit_test(of_two_pods_of_a_rank_the_newer_one_counts),
        cmocka_unit_test(a_new_list_ends_what_it_does_not_name),
        cmocka_unit_test(pods_go_when_they_end_or_are_deleted),
        cmocka_unit_test(a_refusal_is_told_once_and_takes_no_other_pod_with_it),
        cmocka_unit_test(a_port_that_the_host_lacks_is_refused),
        cmocka_unit_test(namespaces_can_be_limited),
        cmocka_unit_test(more_than_there_is_room_for_is_refused),
        cmocka_unit_test(ranks_come_back_from_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
