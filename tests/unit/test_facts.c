// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "gossip/facts.h"

static uint8_t bytes[4096];

static const struct member_facts member = {.fabric_generation = 3,
                                           .fabric_digest = {1, 2, 3},
                                           .held_generation = 4,
                                           .held_digest = {4, 5, 6},
                                           .plan_version = 7,
                                           .protocol_version = 1,
                                           .decap_ready = true,
                                           .nic_driver = "ebpf",
                                           .build = "0.1.0"};

static void member_facts_come_back_as_they_went(void **state) {
    (void)state;
    struct member_facts out = {0};
    ssize_t size = member_facts_encode(&member, bytes, sizeof bytes);
    assert_true(size > 0);
    assert_int_equal(member_facts_decode(bytes, (size_t)size, &out), 0);
    assert_memory_equal(out.fabric_digest, member.fabric_digest, 32);
    assert_memory_equal(out.held_digest, member.held_digest, 32);
    assert_int_equal(out.fabric_generation, 3);
    assert_int_equal(out.held_generation, 4);
    assert_int_equal(out.plan_version, 7);
    assert_true(out.decap_ready);
    assert_string_equal(out.nic_driver, "ebpf");
    assert_string_equal(out.build, "0.1.0");
}

static void a_cut_value_is_refused_at_every_length_and_leaves_the_output_alone(void **state) {
    (void)state;
    ssize_t size = member_facts_encode(&member, bytes, sizeof bytes);
    for (size_t cut = 0; cut < (size_t)size; cut++) {
        struct member_facts out = {.plan_version = 99};
        assert_int_equal(member_facts_decode(bytes, cut, &out), -EPROTO);
        assert_int_equal(out.plan_version, 99);
    }
}

static void a_buffer_too_small_by_one_byte_is_emsgsize(void **state) {
    (void)state;
    ssize_t size = member_facts_encode(&member, bytes, sizeof bytes);
    assert_int_equal(member_facts_encode(&member, bytes, (size_t)size - 1), -EMSGSIZE);
    assert_int_equal(member_facts_encode(&member, bytes, (size_t)size), size);
}

static const struct link_report report = {.verdict = LINK_DOWN,
                                          .capacity_ppm = 500000,
                                          .loss_ppm = 1000000,
                                          .delay_ns = 12345678901,
                                          .ecn_ppm = 1,
                                          .probe_count = UINT64_MAX};

static void link_reports_come_back_as_they_went(void **state) {
    (void)state;
    struct link_report out = {0};
    ssize_t size = link_report_encode(&report, bytes, sizeof bytes);
    assert_int_equal(link_report_decode(bytes, (size_t)size, &out), 0);
    assert_int_equal(out.verdict, LINK_DOWN);
    assert_int_equal(out.capacity_ppm, 500000);
    assert_int_equal(out.loss_ppm, 1000000);
    assert_int_equal(out.delay_ns, 12345678901);
    assert_int_equal(out.ecn_ppm, 1);
    assert_true(out.probe_count == UINT64_MAX);
}

static void values_out_of_range_are_refused(void **state) {
    (void)state;
    struct link_report out;
    struct link_report wrong = report;
    wrong.capacity_ppm = CAPACITY_FULL_PPM + 1;
    ssize_t size = link_report_encode(&wrong, bytes, sizeof bytes);
    assert_int_equal(link_report_decode(bytes, (size_t)size, &out), -EPROTO);
    wrong.capacity_ppm = CAPACITY_FULL_PPM;
    size = link_report_encode(&wrong, bytes, sizeof bytes);
    assert_int_equal(link_report_decode(bytes, (size_t)size, &out), 0);
    wrong.verdict = (enum link_verdict)(LINK_DOWN + 1);
    size = link_report_encode(&wrong, bytes, sizeof bytes);
    assert_int_equal(link_report_decode(bytes, (size_t)size, &out), -EPROTO);
}

static void another_version_of_the_form_is_refused_and_more_elements_are_ignored(void **state) {
    (void)state;
    struct link_report out;
    ssize_t size = link_report_encode(&report, bytes, sizeof bytes);
    assert_int_equal(bytes[0], 0x97); // an array of seven
    assert_int_equal(bytes[1], 1);    // the version
    bytes[1] = 2;
    assert_int_equal(link_report_decode(bytes, (size_t)size, &out), -EPROTO);
    bytes[1] = 1;
    bytes[0] = 0x98;
    bytes[size] = 0xc0;
    assert_int_equal(link_report_decode(bytes, (size_t)size + 1, &out), 0);
    assert_int_equal(link_report_decode(bytes, (size_t)size, &out), -EPROTO);
}

static void jobs_come_back_with_ranks_and_pairs(void **state) {
    (void)state;
    char ranks[3][NAME_SIZE] = {"h0", "h1.0", "h2"};
    struct job_pair pairs[2] = {{0, 2}, {1, 0}};
    struct job job = {.name = "demo",
                      .generation = 9,
                      .algorithm = "ecmp",
                      .rank_count = 3,
                      .ranks = ranks,
                      .collective_count = 2};
    job.collectives[0] = (struct collective){.type = COLLECTIVE_ALLTOALL, .bytes = 64 << 20};
    job.collectives[1] =
        (struct collective){.type = COLLECTIVE_PAIRS, .bytes = 5, .pair_count = 2, .pairs = pairs};
    ssize_t size = job_encode(&job, bytes, sizeof bytes);
    assert_true(size > 0);
    struct job out;
    assert_int_equal(job_decode(bytes, (size_t)size, &out), 0);
    assert_string_equal(out.name, "demo");
    assert_int_equal(out.generation, 9);
    assert_string_equal(out.algorithm, "ecmp");
    assert_int_equal(out.rank_count, 3);
    assert_string_equal(out.ranks[1], "h1.0");
    assert_int_equal(out.collective_count, 2);
    assert_int_equal(out.collectives[0].bytes, 64 << 20);
    assert_int_equal(out.collectives[1].pairs[1].src_rank, 1);
    job_fini(&out);
    for (size_t cut = 0; cut < (size_t)size; cut++) {
        assert_int_equal(job_decode(bytes, cut, &out), -EPROTO);
    }
}

static void a_job_that_breaks_its_own_limits_is_refused(void **state) {
    (void)state;
    char ranks[2][NAME_SIZE] = {"h0", "h0"};
    struct job job = {.name = "demo", .rank_count = 2, .ranks = ranks, .collective_count = 1};
    job.collectives[0] = (struct collective){.type = COLLECTIVE_RING, .bytes = 1};
    struct job out;
    ssize_t size = job_encode(&job, bytes, sizeof bytes);
    assert_int_equal(job_decode(bytes, (size_t)size, &out), -EPROTO);
    ranks[1][1] = '1';
    size = job_encode(&job, bytes, sizeof bytes);
    assert_int_equal(job_decode(bytes, (size_t)size, &out), 0);
    job_fini(&out);
}

static void bindings_and_orders_come_back_as_they_went(void **state) {
    (void)state;
    struct rank_binding binding = {"demo", 2, 7, "h7.1"};
    struct rank_binding bound;
    ssize_t size = rank_binding_encode(&binding, bytes, sizeof bytes);
    assert_int_equal(rank_binding_decode(bytes, (size_t)size, &bound), 0);
    assert_string_equal(bound.job, "demo");
    assert_string_equal(bound.port, "h7.1");
    assert_int_equal(bound.rank, 7);
    assert_int_equal(bound.job_generation, 2);
    struct drain_order order = {DRAIN_NODE, true, 250000, 11};
    struct drain_order given;
    size = drain_order_encode(&order, bytes, sizeof bytes);
    assert_int_equal(drain_order_decode(bytes, (size_t)size, &given), 0);
    assert_int_equal(given.kind, DRAIN_NODE);
    assert_true(given.active);
    assert_int_equal(given.capacity_ppm, 250000);
    assert_int_equal(given.stamp, 11);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(member_facts_come_back_as_they_went),
        cmocka_unit_test(a_cut_value_is_refused_at_every_length_and_leaves_the_output_alone),
        cmocka_unit_test(a_buffer_too_small_by_one_byte_is_emsgsize),
        cmocka_unit_test(link_reports_come_back_as_they_went),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(another_version_of_the_form_is_refused_and_more_elements_are_ignored),
        cmocka_unit_test(jobs_come_back_with_ranks_and_pairs),
        cmocka_unit_test(a_job_that_breaks_its_own_limits_is_refused),
        cmocka_unit_test(bindings_and_orders_come_back_as_they_went),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
