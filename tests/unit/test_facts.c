// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "gossip/facts.h"
#include "gossip/gossip.h"

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

static void what_localization_found_comes_behind_what_older_members_know(void **state) {
    (void)state;
    struct link_report found = report, out = {0};
    found.fault = LINK_FAULT_LOSSY;
    found.avoid = true;
    found.fault_ppm = 12000;
    found.excess_ns = 7;
    found.tested = 250;
    found.missed = 3;
    uint8_t plain[128];
    ssize_t before = link_report_encode(&report, plain, sizeof plain);
    ssize_t size = link_report_encode(&found, bytes, sizeof bytes);
    assert_int_equal(bytes[0], 0x9d); // an array of thirteen, of which seven are as before
    assert_memory_equal(bytes + 1, plain + 1, (size_t)before - 1);
    assert_int_equal(link_report_decode(bytes, (size_t)size, &out), 0);
    assert_int_equal(out.fault, LINK_FAULT_LOSSY);
    assert_true(out.avoid && out.fault_ppm == 12000 && out.excess_ns == 7);
    assert_true(out.tested == 250 && out.missed == 3);
    found.fault = LINK_FAULT_SUSPECT; // which nobody avoids
    size = link_report_encode(&found, bytes, sizeof bytes);
    assert_int_equal(link_report_decode(bytes, (size_t)size, &out), -EPROTO);
    found.avoid = false;
    found.missed = 251; // of 250
    size = link_report_encode(&found, bytes, sizeof bytes);
    assert_int_equal(link_report_decode(bytes, (size_t)size, &out), -EPROTO);
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

static void matrices_weights_and_reservations_come_back(void **state) {
    (void)state;
    uint64_t matrix[4] = {0, UINT64_C(1) << 61, 3, 0};
    uint32_t weights[2] = {7, UINT32_MAX};
    struct job out, job = {.name = "demo",
                           .all_ranks = true,
                           .reserved_bps = 25000000000,
                           .collective_count = 3};
    job.collectives[0] =
        (struct collective){.type = COLLECTIVE_ALLTOALLV, .matrix = matrix, .matrix_ranks = 2};
    job.collectives[1] = (struct collective){.type = COLLECTIVE_ALLTOALLV,
                                             .bytes = 9,
                                             .weights = weights,
                                             .weight_count = 2};
    job.collectives[2] = (struct collective){.type = COLLECTIVE_TREE, .bytes = 11};
    ssize_t size = job_encode(&job, bytes, sizeof bytes);
    assert_int_equal(job_decode(bytes, (size_t)size, &out), 0);
    assert_int_equal(out.reserved_bps, 25000000000);
    assert_int_equal(out.collectives[0].matrix_ranks, 2);
    assert_memory_equal(out.collectives[0].matrix, matrix, sizeof matrix);
    assert_int_equal(out.collectives[1].weight_count, 2);
    assert_memory_equal(out.collectives[1].weights, weights, sizeof weights);
    assert_int_equal(out.collectives[2].type, COLLECTIVE_TREE);
    job_fini(&out);
    for (size_t cut = 0; cut < (size_t)size; cut++) {
        assert_int_equal(job_decode(bytes, cut, &out), -EPROTO);
    }
}

// What an agent of before AlltoAllv wrote and reads: [1, "a", 3, "", true, [],
// [[ring, 5, 0, []]], false].
static void records_without_new_fields_are_as_before_them(void **state) {
    (void)state;
    static const uint8_t old[] = {0x98, 1,    0xa1, 'a', 3, 0xa0, 0xc3, 0x90,
                                  0x91, 0x94, 1,    5,   0, 0x90, 0xc2};
    struct job job;
    assert_int_equal(job_decode(old, sizeof old, &job), 0);
    assert_int_equal(job.collectives[0].type, COLLECTIVE_RING);
    assert_int_equal(job.reserved_bps, 0);
    assert_int_equal(job_encode(&job, bytes, sizeof bytes), sizeof old);
    assert_memory_equal(bytes, old, sizeof old);
    job_fini(&job);
}

static void bad_lists_are_refused_whole(void **state) {
    (void)state;
    // [1, "a", 3, "", true, [], [[alltoallv, bytes, 0, [], matrix, weights]], false, reserved]
    static const struct {
        uint8_t bytes[40], size;
    } bad[] = {
        // no matrix, no weights
        {{0x98, 1, 0xa1, 'a', 3, 0xa0, 0xc3, 0x90, 0x91, 0x94, 4, 5, 0, 0x90, 0xc2}, 15},
        {{0x98, 1, 0xa1, 'a', 3, 0xa0, 0xc3, 0x90, 0x91, 0x96, 4, 5, 0, 0x90, 0x90, 0x90, 0xc2},
         17},
        // three numbers are no square
        {{0x98, 1, 0xa1, 'a',  3,    0xa0, 0xc3, 0x90, 0x91, 0x96,
          4,    0, 0,    0x90, 0x93, 1,    2,    3,    0x90, 0xc2},
         20},
        // a negative number
        {{0x98, 1, 0xa1, 'a',  3, 0xa0, 0xc3, 0x90, 0x91, 0x96, 4,
          0,    0, 0x90, 0x94, 0, 0xff, 1,    0,    0x90, 0xc2},
         21},
        // a matrix that claims 2^32 - 1 numbers
        {{0x98, 1, 0xa1, 'a',  3,    0xa0, 0xc3, 0x90, 0x91, 0x96, 4,
          0,    0, 0x90, 0xdd, 0xff, 0xff, 0xff, 0xff, 0x90, 0xc2},
         21},
        // weights that are all 0
        {{0x98, 1, 0xa1, 'a', 3, 0xa0, 0xc3, 0x90, 0x91, 0x96, 4, 5, 0, 0x90, 0x90, 0x92, 0, 0,
          0xc2},
         19},
        // a type that nobody knows
        {{0x98, 1, 0xa1, 'a', 3, 0xa0, 0xc3, 0x90, 0x91, 0x94, 6, 5, 0, 0x90, 0xc2}, 15},
        // a reservation that is no number
        {{0x99, 1, 0xa1, 'a', 3, 0xa0, 0xc3, 0x90, 0x91, 0x94, 1, 5, 0, 0x90, 0xc2, 0xa0}, 16},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct job job = {.rank_count = 77};
        if (job_decode(bad[i].bytes, bad[i].size, &job) != -EPROTO) {
            fail_msg("record %zu was taken", i);
        }
        assert_int_equal(job.rank_count, 77); // untouched
    }
}

static void a_matrix_beyond_what_gossip_carries_is_emsgsize(void **state) {
    (void)state;
    static uint64_t matrix[256 * 256];
    static uint8_t value[GOSSIP_VALUE_MAX];
    struct job job = {.name = "demo", .all_ranks = true, .collective_count = 1};
    job.collectives[0] =
        (struct collective){.type = COLLECTIVE_ALLTOALLV, .matrix = matrix, .matrix_ranks = 256};
    for (size_t i = 0; i < 256 * 256; i++) {
        matrix[i] = 40000; // three bytes each
    }
    assert_true(job_encode(&job, value, sizeof value) > 0);
    for (size_t i = 0; i < 256 * 256; i++) {
        matrix[i] = 1 << 20; // five
    }
    assert_int_equal(job_encode(&job, value, sizeof value), -EMSGSIZE);
}

static void a_rank_of_a_pod_comes_back_and_reads_as_a_binding_to_older_agents(void **state) {
    (void)state;
    struct pod_rank rank = {.job = "ml/llama",
                            .run = "0b6c",
                            .created_s = 1790000000,
                            .rank = 3,
                            .rank_count = 4,
                            .port = "h3.1",
                            .algorithm = "ecmp",
                            .collective = COLLECTIVE_RING,
                            .bytes = 64 << 20};
    struct pod_rank again;
    struct rank_binding older;
    ssize_t size = pod_rank_encode(&rank, bytes, sizeof bytes);
    assert_int_equal(pod_rank_decode(bytes, (size_t)size, &again), 0);
    assert_string_equal(again.job, "ml/llama");
    assert_string_equal(again.run, "0b6c");
    assert_string_equal(again.port, "h3.1");
    assert_string_equal(again.algorithm, "ecmp");
    assert_int_equal(again.created_s, 1790000000);
    assert_int_equal(again.rank, 3);
    assert_int_equal(again.rank_count, 4);
    assert_int_equal(again.collective, COLLECTIVE_RING);
    assert_int_equal(again.bytes, 64 << 20);
    assert_int_equal(rank_binding_decode(bytes, (size_t)size, &older), 0);
    assert_string_equal(older.job, "ml/llama");
    assert_int_equal(older.rank, 3);
}

static void ranks_of_pods_that_make_no_sense_are_refused(void **state) {
    (void)state;
    const struct pod_rank good = {.job = "ml/llama",
                                  .rank = 3,
                                  .rank_count = 4,
                                  .port = "h3",
                                  .collective = COLLECTIVE_RING,
                                  .bytes = 1};
    struct pod_rank bad[6] = {good, good, good, good, good, good};
    bad[0].rank = 4; // of four
    bad[1].bytes = 0;
    bad[2].bytes = JOB_BYTES_MAX + 1;
    bad[3].collective = COLLECTIVE_PAIRS; // needs more than a size
    bad[4].rank_count = JOB_RANKS_MAX + 1;
    bad[5].job[0] = '\0';
    struct pod_rank out = {.rank = 77};
    ssize_t size = pod_rank_encode(&good, bytes, sizeof bytes);
    assert_int_equal(pod_rank_decode(bytes, (size_t)size, &out), 0);
    out.rank = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size = pod_rank_encode(&bad[i], bytes, sizeof bytes);
        if (pod_rank_decode(bytes, (size_t)size, &out) != -EPROTO) {
            fail_msg("record %zu was taken", i);
        }
        assert_int_equal(out.rank, 77); // untouched
    }
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

static void loads_come_back_as_they_went_and_are_small(void **state) {
    (void)state;
    struct host_load load = {.sent_bps = INT64_MAX, .flow_count = UINT32_MAX, .ecn_ppm = 1000000};
    struct host_load out = {0};
    ssize_t size = host_load_encode(&load, bytes, sizeof bytes);
    assert_in_range(size, 1, GOSSIP_LOAD_SIZE);
    assert_int_equal(host_load_decode(bytes, (size_t)size, &out), 0);
    assert_true(out.sent_bps == INT64_MAX);
    assert_int_equal(out.flow_count, UINT32_MAX);
    assert_int_equal(out.ecn_ppm, 1000000);
    out.flow_count = 7;
    for (ssize_t cut = 0; cut < size; cut++) {
        assert_int_equal(host_load_decode(bytes, (size_t)cut, &out), -EPROTO);
    }
    load.ecn_ppm = 1000001;
    size = host_load_encode(&load, bytes, sizeof bytes);
    assert_int_equal(host_load_decode(bytes, (size_t)size, &out), -EPROTO);
    load = (struct host_load){.sent_bps = (uint64_t)INT64_MAX + 1};
    size = host_load_encode(&load, bytes, sizeof bytes);
    assert_int_equal(host_load_decode(bytes, (size_t)size, &out), -EPROTO);
    assert_int_equal(out.flow_count, 7);
}

static const struct host_load busy = {
    .sent_bps = INT64_MAX,
    .flow_count = UINT32_MAX,
    .ecn_ppm = 1000000,
    .job_count = 2,
    .jobs = {{UINT32_MAX, 7, {0, 1, 2047, 2048, 4095, 400000000000, HOST_PACE_NONE}},
             {7, 1, {UINT64_MAX - 1}}}};

static void paces_of_ranks_come_back_nearly_as_they_went(void **state) {
    (void)state;
    struct host_load out = {0};
    ssize_t size = host_load_encode(&busy, bytes, sizeof bytes);
    assert_in_range(size, 1, GOSSIP_LOAD_SIZE); // at its largest
    assert_int_equal(host_load_decode(bytes, (size_t)size, &out), 0);
    assert_int_equal(out.job_count, 2);
    assert_int_equal(out.jobs[0].job, UINT32_MAX);
    assert_int_equal(out.jobs[0].rank_count, 7);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(out.jobs[0].pace_bps[i], busy.jobs[0].pace_bps[i]);
    }
    assert_in_range(out.jobs[0].pace_bps[5], 399800000000, 400000000000);
    assert_true(out.jobs[0].pace_bps[6] == HOST_PACE_NONE);
    assert_in_range(out.jobs[1].pace_bps[0], 4000000000000,
                    HOST_PACE_NONE - 1); // the most there is
    for (size_t cut = 0; cut < (size_t)size; cut++) {
        assert_int_equal(host_load_decode(bytes, cut, &out), -EPROTO);
    }
}

static void more_paces_than_there_may_be_are_refused(void **state) {
    (void)state;
    struct host_load load = busy, out = {.flow_count = 99};
    load.jobs[1].rank_count = 2; // nine in all
    assert_int_equal(host_load_encode(&load, bytes, sizeof bytes), -EMSGSIZE);
    load.job_count = 3;
    assert_int_equal(host_load_encode(&load, bytes, sizeof bytes), -EMSGSIZE);
    const uint8_t nine[] = {0x95, 1, 0, 0, 0, 0x92, 0x92, 1, 0x98, 0, 0,
                            0,    0, 0, 0, 0, 0,    0x92, 2, 0x91, 0};
    const uint8_t three[] = {0x95, 1, 0, 0, 0, 0x93, 0x92, 1, 0x90, 0x92, 2, 0x90, 0x92, 3, 0x90};
    assert_int_equal(host_load_decode(nine, sizeof nine, &out), -EPROTO);
    assert_int_equal(host_load_decode(three, sizeof three, &out), -EPROTO);
    assert_int_equal(out.flow_count, 99);
}

static void host_facts_come_back_as_they_went(void **state) {
    (void)state;
    struct host_facts facts = {.count = 0}, out = {.count = 99};
    assert_true(host_facts_add(&facts, HOST_KERNEL, HOST_WIDE, "6.1.0"));
    assert_true(host_facts_add(&facts, HOST_MTU, 0, "9000"));
    assert_true(host_facts_add(&facts, HOST_MTU, 15, "9000"));
    assert_true(host_facts_add(&facts, HOST_MTU, 1, "1500"));
    ssize_t size = host_facts_encode(&facts, bytes, sizeof bytes);
    assert_true(size > 0);
    for (size_t cut = 0; cut < (size_t)size; cut++) {
        assert_int_equal(host_facts_decode(bytes, cut, &out), -EPROTO);
        assert_int_equal(out.count, 99);
    }
    assert_int_equal(host_facts_decode(bytes, (size_t)size, &out), 0);
    assert_int_equal(out.count, 3);
    assert_string_equal(host_facts_find(&out, HOST_MTU, 15), "9000");
    assert_string_equal(host_facts_find(&out, HOST_MTU, 1), "1500");
    assert_string_equal(host_facts_find(&out, HOST_KERNEL, HOST_WIDE), "6.1.0");
    assert_null(host_facts_find(&out, HOST_MTU, 2));
}

static void host_facts_that_contradict_themselves_are_refused(void **state) {
    (void)state;
    struct host_facts out = {.count = 99};
    //                         [1, [[HOST_MTU, port 0, "9"], [HOST_MTU, ports 0 and 1, "8"]]]
    const uint8_t twice[] = {0x92, 1,    0x92,     0x93, HOST_MTU, 1,  0xa1,
                             '9',  0x93, HOST_MTU, 3,    0xa1,     '8'};
    const uint8_t none[] = {0x92, 1, 0x91, 0x93, HOST_MTU, 0, 0xa1, '9'};
    const uint8_t wide[] = {0x92, 1, 0x91, 0x93, HOST_KERNEL, 1, 0xa1, '9'};
    const uint8_t newer[] = {0x92, 1, 0x91, 0x94, HOST_SETTINGS, 1, 0xa1, '9', 0xc0};
    assert_int_equal(host_facts_decode(twice, sizeof twice, &out), -EPROTO);
    assert_int_equal(host_facts_decode(none, sizeof none, &out), -EPROTO);
    assert_int_equal(host_facts_decode(wide, sizeof wide, &out), -EPROTO);
    assert_int_equal(out.count, 99);
    assert_int_equal(host_facts_decode(newer, sizeof newer, &out), 0); // of a newer release
    assert_int_equal(out.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(member_facts_come_back_as_they_went),
        cmocka_unit_test(a_cut_value_is_refused_at_every_length_and_leaves_the_output_alone),
        cmocka_unit_test(a_buffer_too_small_by_one_byte_is_emsgsize),
        cmocka_unit_test(link_reports_come_back_as_they_went),
        cmocka_unit_test(what_localization_found_comes_behind_what_older_members_know),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(another_version_of_the_form_is_refused_and_more_elements_are_ignored),
        cmocka_unit_test(jobs_come_back_with_ranks_and_pairs),
        cmocka_unit_test(a_job_that_breaks_its_own_limits_is_refused),
        cmocka_unit_test(matrices_weights_and_reservations_come_back),
        cmocka_unit_test(records_without_new_fields_are_as_before_them),
        cmocka_unit_test(bad_lists_are_refused_whole),
        cmocka_unit_test(a_matrix_beyond_what_gossip_carries_is_emsgsize),
        cmocka_unit_test(a_rank_of_a_pod_comes_back_and_reads_as_a_binding_to_older_agents),
        cmocka_unit_test(ranks_of_pods_that_make_no_sense_are_refused),
        cmocka_unit_test(bindings_and_orders_come_back_as_they_went),
        cmocka_unit_test(loads_come_back_as_they_went_and_are_small),
        cmocka_unit_test(paces_of_ranks_come_back_nearly_as_they_went),
        cmocka_unit_test(more_paces_than_there_may_be_are_refused),
        cmocka_unit_test(host_facts_come_back_as_they_went),
        cmocka_unit_test(host_facts_that_contradict_themselves_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
