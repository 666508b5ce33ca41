// SPDX-License-Identifier: Apache-2.0
// Jobs as the control socket carries them: what is read, and the sentence for what is not.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"

#include <cmocka.h>

#define RING "{\"type\":\"ring\",\"bytes\":1048576}"

static int read_job(const char *text, struct job *job, struct error *error) {
    json_error_t problem;
    json_t *from = json_loads(text, 0, &problem);
    if (from == NULL) {
        fail_msg("%s: %s", text, problem.text);
    }
    int rc = job_from_json(from, job, error);
    json_decref(from);
    return rc;
}

static void expect_refusal(const char *text, const char *sentence) {
    struct job job;
    struct error error = {0};
    memset(&job, 0x5a, sizeof(job));
    int rc = read_job(text, &job, &error);
    if (rc != -EINVAL || strncmp(error.text, sentence, strlen(sentence)) != 0) {
        fail_msg("%s: %d, \"%s\"", text, rc, error.text);
    }
    assert_int_equal((unsigned char)job.name[0], 0x5a); // untouched
}

static void a_job_is_read_whole(void **state) {
    (void)state;
    struct job job;
    struct error error = {0};
    int rc = read_job("{\"job\":\"a\",\"algorithm\":\"spray\",\"generation\":4,"
                      "\"ranks\":[\"h3\",\"h1.1\"],\"collectives\":["
                      "{\"type\":\"permutation\",\"bytes\":9,\"seed\":5},"
                      "{\"type\":\"pairs\",\"bytes\":7,\"pairs\":[[0,1],[1,0]]}]}",
                      &job, &error);
    assert_int_equal(rc, 0);
    assert_string_equal(job.name, "a");
    assert_string_equal(job.algorithm, "spray");
    assert_int_equal(job.generation, 4);
    assert_false(job.all_ranks);
    assert_int_equal(job.rank_count, 2);
    assert_string_equal(job.ranks[1], "h1.1");
    assert_int_equal(job.collective_count, 2);
    assert_int_equal(job.collectives[0].type, COLLECTIVE_PERMUTATION);
    assert_int_equal(job.collectives[0].seed, 5);
    assert_int_equal(job.collectives[1].pair_count, 2);
    assert_int_equal(job.collectives[1].pairs[1].src_rank, 1);
    job_fini(&job);
}

static void an_algorithm_may_be_left_to_the_agent(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"job\":\"a\",\"ranks\":\"all\",\"collectives\":[" RING "]}",
        "{\"job\":\"a\",\"algorithm\":null,\"ranks\":\"all\",\"collectives\":[" RING "]}",
        "{\"job\":\"a\",\"algorithm\":\"\",\"ranks\":\"all\",\"collectives\":[" RING "]}"};
    for (size_t i = 0; i < 3; i++) {
        struct job job;
        assert_int_equal(read_job(texts[i], &job, NULL), 0);
        assert_string_equal(job.algorithm, "");
        assert_true(job.all_ranks);
        job_fini(&job);
    }
}

static void names_are_texts_that_fit(void **state) {
    (void)state;
    char text[512], name[JOB_NAME_SIZE + 1] = "";
    struct job job;
    memset(name, 'x', JOB_NAME_SIZE - 1);
    static const char format[] = "{\"job\":\"%s\",\"ranks\":\"all\",\"collectives\":[" RING "]}";
    snprintf(text, sizeof(text), format, name);
    assert_int_equal(read_job(text, &job, NULL), 0);
    job_fini(&job);
    name[JOB_NAME_SIZE - 1] = 'x';
    snprintf(text, sizeof(text), format, name);
    expect_refusal(text, "job: job: a name of 1 to 63 characters expected");
    expect_refusal("{\"job\":\"\",\"ranks\":\"all\",\"collectives\":[" RING "]}",
                   "job: job: a name of 1 to 63 characters expected");
    expect_refusal("{\"ranks\":\"all\",\"collectives\":[" RING "]}",
                   "job: job: a name of 1 to 63 characters expected");
    expect_refusal("{\"job\":7,\"ranks\":\"all\",\"collectives\":[" RING "]}",
                   "job: job: a name of 1 to 63 characters expected");
    expect_refusal("{\"job\":\"a\",\"algorithm\":7,\"ranks\":\"all\",\"collectives\":[" RING "]}",
                   "job: algorithm: a name of 1 to ");
}

static void ranks_are_all_or_a_list_of_ports(void **state) {
    (void)state;
    expect_refusal("{\"job\":\"a\",\"collectives\":[" RING "]}",
                   "job: ranks: \"all\" or a list of 1 to ");
    expect_refusal("{\"job\":\"a\",\"ranks\":\"none\",\"collectives\":[" RING "]}",
                   "job: ranks: \"all\" or a list of 1 to ");
    expect_refusal("{\"job\":\"a\",\"ranks\":[],\"collectives\":[" RING "]}",
                   "job: ranks: \"all\" or a list of 1 to ");
    expect_refusal("{\"job\":\"a\",\"ranks\":{\"0\":\"h0\"},\"collectives\":[" RING "]}",
                   "job: ranks: \"all\" or a list of 1 to ");
    expect_refusal("{\"job\":\"a\",\"ranks\":[\"h0\",null],\"collectives\":[" RING "]}",
                   "job: ranks: a name of 1 to ");
}

static void collectives_have_a_type_and_bytes(void **state) {
    (void)state;
#define WITH(collectives)                                                                          \
    "{\"job\":\"a\",\"ranks\":[\"h0\",\"h1\"],\"collectives\":" collectives "}"
    expect_refusal("{\"job\":\"a\",\"ranks\":\"all\"}", "job: collectives: a list of 1 to ");
    expect_refusal(WITH("[]"), "job: collectives: a list of 1 to ");
    expect_refusal(WITH("{}"), "job: collectives: a list of 1 to ");
    expect_refusal(WITH("[7]"), "job: collectives: unknown type (none)");
    expect_refusal(WITH("[{\"type\":\"gossip\",\"bytes\":1}]"),
                   "job: collectives: unknown type gossip");
    expect_refusal(WITH("[{\"type\":\"ring\"}]"),
                   "job: collectives: bytes: a number above 0 expected");
    expect_refusal(WITH("[{\"type\":\"ring\",\"bytes\":0}]"),
                   "job: collectives: bytes: a number above 0 expected");
    expect_refusal(WITH("[{\"type\":\"ring\",\"bytes\":1.5}]"),
                   "job: collectives: bytes: a number above 0 expected");
    expect_refusal(WITH("[{\"type\":\"ring\",\"bytes\":1,\"seed\":\"x\"}]"),
                   "job: collectives: seed: a number expected");
    expect_refusal(WITH("[{\"type\":\"pairs\",\"bytes\":1,\"pairs\":{}}]"),
                   "job: pairs: a list of up to ");
    expect_refusal(WITH("[{\"type\":\"pairs\",\"bytes\":1,\"pairs\":[[0]]}]"),
                   "job: pairs: [sending rank, receiving rank] expected");
    expect_refusal(WITH("[{\"type\":\"pairs\",\"bytes\":1,\"pairs\":[[0,-1]]}]"),
                   "job: pairs: [sending rank, receiving rank] expected");
    expect_refusal(WITH("[{\"type\":\"pairs\",\"bytes\":1,\"pairs\":[[0,4294967296]]}]"),
                   "job: pairs: [sending rank, receiving rank] expected");
    expect_refusal(WITH("[{\"type\":\"pairs\",\"bytes\":1,\"pairs\":[[0,2]]}]"), ""); // job_check
}

static void an_alltoallv_has_a_matrix_or_weights(void **state) {
    (void)state;
    struct job job;
    struct error error = {0};
    assert_int_equal(read_job(WITH("[{\"type\":\"alltoallv\",\"matrix\":[[0,7],[8,0]]},"
                                   "{\"type\":\"alltoallv\",\"bytes\":9,\"weights\":[1,3]},"
                                   "{\"type\":\"tree\",\"bytes\":5}]"),
                              &job, &error),
                     0);
    assert_int_equal(job.collectives[0].matrix_ranks, 2);
    assert_int_equal(job.collectives[0].matrix[1], 7);
    assert_int_equal(job.collectives[0].matrix[2], 8);
    assert_int_equal(job.collectives[1].weight_count, 2);
    assert_int_equal(job.collectives[1].weights[1], 3);
    assert_int_equal(job.collectives[2].type, COLLECTIVE_TREE);
    job_fini(&job);
#define ALLTOALLV(keys) WITH("[{\"type\":\"alltoallv\"," keys "}]")
    expect_refusal(ALLTOALLV("\"matrix\":7"), "job: matrix: a list of rows of up to ");
    expect_refusal(ALLTOALLV("\"matrix\":[]"), "job: matrix: a list of rows of up to ");
    expect_refusal(ALLTOALLV("\"matrix\":[[0,1],[1]]"),
                   "job: matrix: row 1: a list of 2 sizes expected");
    expect_refusal(ALLTOALLV("\"matrix\":[[0,1],7]"),
                   "job: matrix: row 1: a list of 2 sizes expected");
    expect_refusal(ALLTOALLV("\"matrix\":[[0,-1],[1,0]]"),
                   "job: matrix: row 0, column 1: a size of 0 to 2^62 expected");
    expect_refusal(ALLTOALLV("\"matrix\":[[0,1.5],[1,0]]"),
                   "job: matrix: row 0, column 1: a size of 0 to 2^62 expected");
    expect_refusal(ALLTOALLV("\"matrix\":[[0,4611686018427387905],[1,0]]"),
                   "job: matrix: row 0, column 1: a size of 0 to 2^62 expected");
    expect_refusal(ALLTOALLV("\"matrix\":[[0,4611686018427387904],[1,0]]"),
                   "a: collective 0: all ranks together send above 2^62 bytes");
    expect_refusal(ALLTOALLV("\"bytes\":3,\"matrix\":[[0,1],[1,0]]"),
                   "a: collective 0: bytes: not with a matrix");
    expect_refusal(ALLTOALLV("\"bytes\":3"), "a: collective 0: alltoallv needs a matrix");
    expect_refusal(ALLTOALLV("\"weights\":[1,1]"),
                   "job: collectives: bytes: a number above 0 expected");
    expect_refusal(ALLTOALLV("\"bytes\":3,\"weights\":[1,-1]"),
                   "job: weights: 1: a number of 0 to 4294967295 expected");
    expect_refusal(ALLTOALLV("\"bytes\":3,\"weights\":{}"), "job: weights: a list of 1 to ");
    expect_refusal(ALLTOALLV("\"bytes\":3,\"weights\":[1]"),
                   "a: collective 0: 1 weights, the job has 2 ranks");
}

static void a_reservation_is_a_rate(void **state) {
    (void)state;
    struct job job;
#define RESERVED(rate)                                                                             \
    "{\"job\":\"a\",\"reserve_bps\":" rate ",\"ranks\":\"all\",\"collectives\":[" RING "]}"
    assert_int_equal(read_job(RESERVED("25000000000"), &job, NULL), 0);
    assert_int_equal(job.reserved_bps, 25000000000);
    job_fini(&job);
    expect_refusal(RESERVED("-1"), "job: reserve_bps: a rate of 0 to ");
    expect_refusal(RESERVED("\"25G\""), "job: reserve_bps: a rate of 0 to ");
    expect_refusal(RESERVED("1000000000000001"), "job: reserve_bps: a rate of 0 to ");
}

static void a_generation_is_a_number_that_is_not_negative(void **state) {
    (void)state;
    expect_refusal("{\"job\":\"a\",\"generation\":-1,\"ranks\":\"all\",\"collectives\":[" RING "]}",
                   "job: generation: a number expected");
    expect_refusal("{\"job\":\"a\",\"generation\":\"2\",\"ranks\":\"all\",\"collectives\":[" RING
                   "]}",
                   "job: generation: a number expected");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_read_whole),
        cmocka_unit_test(an_algorithm_may_be_left_to_the_agent),
        cmocka_unit_test(names_are_texts_that_fit),
        cmocka_unit_test(ranks_are_all_or_a_list_of_ports),
        cmocka_unit_test(collectives_have_a_type_and_bytes),
        cmocka_unit_test(an_alltoallv_has_a_matrix_or_weights),
        cmocka_unit_test(a_reservation_is_a_rate),
        cmocka_unit_test(a_generation_is_a_number_that_is_not_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
