// SPDX-License-Identifier: Apache-2.0
// Jobs: the file reader, the checks, and what each rank sends.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fabric_fixture.h"
#include "model_yaml/job_file.h"

#define RANKS_MAX 64

static struct job parse_good(const char *text) {
    struct job job;
    assert_int_equal(job_file_parse("j", text, strlen(text), complain_aloud, NULL, &job), 0);
    assert_int_equal(job_check(&job, NULL), 0);
    return job;
}

static void expect(const char *text, const char *const *errors) {
    struct collected got = {0};
    struct job job;
    assert_int_equal(job_file_parse("j", text, strlen(text), collect, &got, &job), -EINVAL);
    unsigned i = 0;
    for (; errors[i] != NULL && i < got.count; i++) {
        assert_string_equal(got.text[i], errors[i]);
    }
    if (i < got.count || errors[i] != NULL) {
        fail_msg("%u errors, then %s", got.count, i < got.count ? got.text[i] : errors[i]);
    }
}
#define EXPECT(text, ...) expect(text, (const char *const[]){__VA_ARGS__, NULL})

static void every_error_of_a_job_has_its_line(void **state) {
    (void)state;
    EXPECT("version: 2\njob: x\nranks:\n  - h0\n  - h1\n  - h0\ncollectives:\n"
           "  - {type: pairs, bytes: 1, pairs: [[0, 1], [1, 1], [2, 3]]}\n"
           "  - {type: ring, bytes: 0, pairs: [[0, 1]]}\n  - {type: pairs, bytes: 12 MiB}\n",
           "j:1: version 2: this program reads version 1", "j:6: ranks[2]: h0: listed twice",
           "j:8: collectives[0].pairs[1]: [1, 1]: to itself",
           "j:8: collectives[0].pairs[2]: [2, 3]: ranks are below 3",
           "j:9: collectives[1].bytes: 0: a size above 0 such as 64MiB expected",
           "j:9: collectives[1]: ring: takes no pairs",
           "j:10: collectives[2].bytes: 12 MiB: a size above 0 such as 64MiB expected",
           "j:10: collectives[2]: pairs: needs pairs");
    EXPECT("version: 1\njob: x\nranks: some\ncollectives: [{type: ring, bytes: 1}]\n",
           "j:3: ranks: some: all or a list of ports expected");
    EXPECT("version: 1\njob: x\nranks: all\ncollectives: []\n",
           "j:4: collectives: 0 entries: at least 1 expected");
}

#define THREE "version: 1\njob: x\nranks: [h0, h1, h2]\n"

static void every_error_of_a_matrix_has_its_line(void **state) {
    (void)state;
    EXPECT(THREE "collectives:\n"
                 "  - type: alltoallv\n"
                 "    matrix:\n"
                 "      - [0, 1MiB, -5]\n"
                 "      - [1, 2]\n"
                 "      - 7\n"
                 "  - {type: alltoallv, matrix: [[0, [1]], [18446744073709551616, 1.5]]}\n"
                 "  - {type: alltoallv, matrix: 5}\n"
                 "  - {type: alltoallv, matrix: []}\n",
           "j:7: collectives[0].matrix[0][2]: -5: a size of 0 or more such as 64MiB expected",
           "j:8: collectives[0].matrix[1]: 2 sizes in a matrix of 3 rows",
           "j:9: collectives[0].matrix[2]: a list of sizes expected",
           "j:10: collectives[1].matrix[0][1]: a list: a size of 0 or more such as 64MiB expected",
           "j:10: collectives[1].matrix[1][0]: 18446744073709551616: a size of 0 or more such as "
           "64MiB expected",
           "j:10: collectives[1].matrix[1][1]: 1.5: a size of 0 or more such as 64MiB expected",
           "j:10: collectives[1].matrix: 2 rows, the job has 3 ranks",
           "j:11: collectives[2].matrix: a list of 1 to 1024 rows expected (1048576 sizes)",
           "j:11: collectives[2]: key bytes is missing",
           "j:11: collectives[2]: alltoallv: needs a matrix or weights",
           "j:12: collectives[3].matrix: a list of 1 to 1024 rows expected (1048576 sizes)",
           "j:12: collectives[3]: key bytes is missing",
           "j:12: collectives[3]: alltoallv: needs a matrix or weights");
}

static void a_matrix_has_at_most_1024_rows(void **state) {
    (void)state;
    size_t used = 0, size = 1 << 16;
    char *text = malloc(size);
    assert_non_null(text);
    used += (size_t)snprintf(text, size, "%s",
                             "version: 1\njob: x\nranks: all\ncollectives:\n"
                             "  - {type: alltoallv, matrix: [");
    for (int i = 0; i < 1025; i++) {
        used += (size_t)snprintf(text + used, size - used, "[0],");
    }
    snprintf(text + used, size - used, "]}\n");
    EXPECT(text, "j:5: collectives[0].matrix: a list of 1 to 1024 rows expected (1048576 sizes)",
           "j:5: collectives[0]: key bytes is missing",
           "j:5: collectives[0]: alltoallv: needs a matrix or weights");
    free(text);
}

static void lists_are_checked_against_their_type_and_the_ranks(void **state) {
    (void)state;
    EXPECT(THREE "collectives: [{type: alltoallv, bytes: 1, weights: [1, -2, 3]}]\n",
           "j:4: collectives[0].weights[1]: -2: a whole number from 0 to 4294967295 expected");
    EXPECT(THREE "reserve_gbps: -3\ncollectives:\n"
                 "  - {type: alltoallv, bytes: 64MiB, weights: [1, 2]}\n"
                 "  - {type: alltoallv, bytes: 3}\n"
                 "  - {type: tree, bytes: 4, weights: [1, 2, 3]}\n"
                 "  - {type: alltoallv, bytes: 3, matrix: [[0, 1, 2], [1, 2, 3], [0, 0, 0]]}\n"
                 "  - {type: alltoallv, bytes: 3, matrix: [[0]], weights: [1, 2, 3]}\n",
           "j:4: reserve_gbps -3: 0 to 1e+06 for each rank",
           "j:6: collectives[0].weights: 2 weights, the job has 3 ranks",
           "j:7: collectives[1]: alltoallv: needs a matrix or weights",
           "j:8: collectives[2]: tree: takes no weights",
           "j:9: collectives[3]: alltoallv: takes no bytes with a matrix",
           "j:10: collectives[4]: alltoallv: needs a matrix or weights, not both",
           "j:10: collectives[4]: alltoallv: takes no bytes with a matrix",
           "j:10: collectives[4].matrix: 1 rows, the job has 3 ranks");
    EXPECT(THREE "reserve_gbps: 1000000.1\ncollectives: [{type: tree, bytes: 1}]\n",
           "j:4: reserve_gbps 1e+06: 0 to 1e+06 for each rank");
}

static void zeros_and_sums_have_their_line(void **state) {
    (void)state;
    EXPECT(THREE "collectives:\n"
                 "  - {type: alltoallv, bytes: 2, weights: [0, 0, 0]}\n"
                 "  - {type: ring, bytes: 4194304TiB}\n"
                 "  - {type: alltoallv, bytes: 1048576TiB, weights: [4, 1, 0]}\n"
                 "  - {type: alltoallv, matrix: [[1, 0, 0], [0, 1, 0], [0, 0, 0]]}\n"
                 "  - {type: alltoallv, matrix: [[0, 4194303TiB, 0], [4194303TiB, 1, 0], "
                 "[0, 0, 0]]}\n",
           "j:5: x: collective 0: weights: all are 0",
           "j:6: x: collective 1: all ranks together send above 2^62 bytes",
           "j:7: x: collective 2: bytes times the sum of weights, 1152921504606846976 x 5: above "
           "2^62",
           "j:8: x: collective 3: matrix: nobody sends anything",
           "j:9: x: collective 4: all ranks together send above 2^62 bytes");
}

static void matrices_weights_and_reservations_are_read(void **state) {
    (void)state;
    struct job job =
        parse_good(THREE "reserve_gbps: 0.5\ncollectives:\n"
                         "  - {type: alltoallv, matrix: [[9, 1KiB, 2], [3, 0, 4], [5, 6, 0]]}\n"
                         "  - {type: alltoallv, bytes: 64MiB, weights: [7, 0, 1]}\n"
                         "  - {type: tree, bytes: 3}\n");
    assert_int_equal(job.reserved_bps, 500000000);
    assert_int_equal(job.collectives[0].matrix_ranks, 3);
    assert_int_equal(job.collectives[0].matrix[1], 1024);
    assert_int_equal(job.collectives[0].matrix[5], 4);
    assert_int_equal(job.collectives[1].weight_count, 3);
    assert_int_equal(job.collectives[1].weights[0], 7);
    assert_int_equal(job.collectives[2].type, COLLECTIVE_TREE);
    job_fini(&job);
}

static void sizes_are_read_with_their_units(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"1", 1},
                {"64MiB", 67108864},
                {"1GiB", 1073741824},
                {"3KB", 3000},
                {"2KiB", 2048},
                {"5MB", 5000000},
                {"1TiB", UINT64_C(1) << 40},
                {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {"",           "MiB",  "-1",    "1.5MiB",
                                      "1 MiB",      "1mib", "1MiBs", "18446744073709551616",
                                      "16777216TiB"};
    uint64_t bytes;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(bytes_text_parse(good[i].text, &bytes));
        assert_int_equal(bytes, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (bytes_text_parse(bad[i], &bytes)) {
            fail_msg("%s was taken", bad[i]);
        }
    }
}

static void the_example_jobs_load(void **state) {
    (void)state;
    static const char *const files[] = {"alltoall-64MiB", "alltoall-1GiB", "ring",
                                        "permutation",    "lab-alltoall",  "moe",
                                        "tree",           "lab-matrix",    "reserved"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[512];
        struct job job;
        snprintf(path, sizeof path, TESTS_DIR "/jobs/%s.yaml", files[i]);
        assert_int_equal(job_file_load(path, complain_aloud, NULL, &job), 0);
        assert_string_equal(job.name, files[i]);
        assert_true(job.all_ranks);
        job_fini(&job);
    }
}

struct sent {
    unsigned count;
    struct demand demands[RANKS_MAX];
};

static void on_demand(void *context, const struct demand *demand) {
    struct sent *sent = context;
    assert_true(sent->count < RANKS_MAX);
    sent->demands[sent->count++] = *demand;
}

static void an_alltoall_sends_a_share_to_every_other_rank(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(2, 2, 2, 1, 1);
    struct job job = parse_good("version: 1\njob: x\nranks: [h3, h0, nobody]\n"
                                "collectives: [{type: alltoall, bytes: 100}]\n");
    port_id ranks[3];
    struct sent sent = {0};
    assert_int_equal(job_rank_count(&job, fabric), 3);
    job_resolve(&job, fabric, ranks);
    assert_int_equal(ranks[2].i, ID_NONE);
    job_demands(&job, fabric, ranks, 3, 0, NULL, on_demand, &sent);
    assert_int_equal(sent.count, 1); // neither itself nor nobody
    assert_int_equal(sent.demands[0].src.i, 3);
    assert_int_equal(sent.demands[0].dst.i, 0);
    assert_int_equal(sent.demands[0].bytes, 33);
    job_demands(&job, fabric, ranks, 3, 2, NULL, on_demand, &sent);
    assert_int_equal(sent.count, 1);
    job.collectives[0].bytes = 2; // less than a byte for each
    job_demands(&job, fabric, ranks, 3, 0, NULL, on_demand, &sent);
    assert_int_equal(sent.count, 1);
    job_fini(&job);
    fabric_close(fabric);
}

static void pairs_send_in_their_order_and_bytes_each(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(2, 2, 2, 1, 1);
    struct job job =
        parse_good("version: 1\njob: x\nranks: all\nalgorithm: ecmp\n"
                   "collectives: [{type: pairs, bytes: 7KB, pairs: [[1, 3], [0, 1], [1, 0]]}]\n");
    port_id ranks[4];
    struct sent sent = {0};
    assert_string_equal(job.algorithm, "ecmp");
    job_resolve(&job, fabric, ranks);
    job_demands(&job, fabric, ranks, 4, 1, NULL, on_demand, &sent);
    assert_int_equal(sent.count, 2);
    assert_int_equal(sent.demands[0].dst.i, 3);
    assert_int_equal(sent.demands[1].dst.i, 0);
    assert_int_equal(sent.demands[1].bytes, 7000);
    struct job copy;
    assert_int_equal(job_copy(&job, &copy), 0);
    job_fini(&job);
    assert_int_equal(copy.collectives[0].pairs[2].src_rank, 1);
    job_fini(&copy);
    fabric_close(fabric);
}

static void a_copy_has_its_own_ranks(void **state) {
    (void)state;
    struct job copy, job = parse_good("version: 1\njob: x\nranks: [h3, h0.1]\n"
                                      "collectives: [{type: ring, bytes: 8}]\n");
    assert_int_equal(job_copy(&job, &copy), 0);
    job_fini(&job);
    assert_int_equal(copy.rank_count, 2);
    assert_non_null(copy.ranks);
    assert_string_equal(copy.ranks[1], "h0.1");
    job_fini(&copy);
}

static void only_rings_and_permutations_have_a_map(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(2, 2, 2, 1, 1);
    struct job job = parse_good("version: 1\njob: x\nranks: all\n"
                                "collectives: [{type: alltoall, bytes: 8}]\n");
    port_id ranks[4];
    uint32_t map[4];
    job_resolve(&job, fabric, ranks);
    assert_int_equal(job_permutation(&job, 0, fabric, ranks, 4, map), -EINVAL);
    assert_int_equal(job_permutation(&job, 1, fabric, ranks, 4, map), -EINVAL);
    job.collectives[0].type = COLLECTIVE_RING;
    const port_id alone[] = {{ID_NONE}, {2}};
    assert_int_equal(job_permutation(&job, 0, fabric, alone, 2, map), 0);
    assert_int_equal(map[0], ID_NONE);
    assert_int_equal(map[1], ID_NONE);
    job_fini(&job);
    fabric_close(fabric);
}

static void job_check_refuses_what_no_file_can_say(void **state) {
    (void)state;
    struct job job;
    struct error error;
    job_init(&job);
    assert_int_equal(job_check(&job, &error), -EINVAL);
    snprintf(job.name, sizeof job.name, "x");
    job.all_ranks = true;
    job.collective_count = JOB_COLLECTIVES_MAX + 1;
    assert_int_equal(job_check(&job, &error), -EINVAL);
    assert_string_equal(error.text, "x: 17 collectives: 1 to 16");
    job.collective_count = 1;
    job.collectives[0] = (struct collective){.type = COLLECTIVE_RING};
    assert_int_equal(job_check(&job, &error), -EINVAL);
    assert_string_equal(error.text, "x: collective 0: bytes: must be above 0");
    job.collectives[0].bytes = 1;
    assert_int_equal(job_check(&job, &error), 0);
    job.all_ranks = false;
    assert_int_equal(job_check(&job, &error), -EINVAL);
    assert_string_equal(error.text, "x: 0 ranks: 1 to 65536");
    memset(job.name, 'x', sizeof job.name);
    assert_int_equal(job_check(&job, &error), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_of_a_job_has_its_line),
        cmocka_unit_test(every_error_of_a_matrix_has_its_line),
        cmocka_unit_test(a_matrix_has_at_most_1024_rows),
        cmocka_unit_test(lists_are_checked_against_their_type_and_the_ranks),
        cmocka_unit_test(zeros_and_sums_have_their_line),
        cmocka_unit_test(matrices_weights_and_reservations_are_read),
        cmocka_unit_test(sizes_are_read_with_their_units),
        cmocka_unit_test(the_example_jobs_load),
        cmocka_unit_test(an_alltoall_sends_a_share_to_every_other_rank),
        cmocka_unit_test(pairs_send_in_their_order_and_bytes_each),
        cmocka_unit_test(a_copy_has_its_own_ranks),
        cmocka_unit_test(only_rings_and_permutations_have_a_map),
        cmocka_unit_test(job_check_refuses_what_no_file_can_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
