// SPDX-License-Identifier: Apache-2.0
// The driver mlx5 open over an emulated card, and packets through it. Vport 1 sends; nic_rules.h
// makes the rules: paths are small numbers.
#ifndef TESTS_MLX5_BENCH_H
#define TESTS_MLX5_BENCH_H

#include "nic_rules.h"

#include "card_bed.h"
#include "fakecx_bed.h"
#include "nicdrv_mlx5/mlx5.h"

#define MLX5_UPLINK 0xffff
#define PATH_UNTOUCHED (-1) // no rule
#define PATH_SLOW (-2)      // counted, to the kernel
#define PATH_PLAIN (-3)     // counted, to the uplink as it is

struct bench {
    struct nic *nic;
    struct rule_set wanted;
    struct error error;
};

static inline struct nic_options bench_options(void) {
    return (struct nic_options){.device = "lo",
                                .eswitch = {.vport = 1,
                                            .vport_mac = {2, 0, 0, 0, 0, 1},
                                            .gateway_mac = {2, 0, 0, 0, 0, 2}}};
}

static inline int bench_setup(void **state) {
    static struct bench bench;
    struct nic_options options = bench_options();
    bench = (struct bench){0};
    fakecx_bed_fault(NULL);
    rule_set_init(&bench.wanted);
    if (nic_driver_mlx5_direct.open(&options, &bench.nic, &bench.error) != 0) {
        print_error("%s\n", bench.error.text);
        return -1;
    }
    *state = &bench;
    return 0;
}

// Nothing may be left.
static inline int bench_teardown(void **state) {
    struct bench *bench = *state;
    nic_close(bench->nic, true);
    rule_set_fini(&bench->wanted);
    assert_int_equal(fakecx_count(NULL), 0);
    assert_int_equal(fakecx_icm_bytes(), 0);
    card_bed_expect_empty();
    return 0;
}

static inline void bench_clear(struct bench *bench) {
    rule_set_clear(&bench->wanted);
}

static inline void bench_apply(struct bench *bench) {
    seal(&bench->wanted);
    if (nic_apply(bench->nic, &bench->wanted, &bench->error) != 0) {
        fail_msg("%s", bench->error.text);
    }
    assert_true(rule_set_equal(&bench->wanted, &bench->nic->applied));
}

// ---- packets

static inline struct rule_match match_to_ipv4(uint8_t destination) {
    struct rule_match match = {.key_kind = RULE_KEY_DEFAULT};
    memcpy(match.destination, (uint8_t[16]){[10] = 0xff, 0xff, 10, 0, 0, destination}, 16);
    return match;
}

static inline struct card_flow flow_to(uint8_t destination, uint16_t sport) {
    struct card_flow flow = {.traffic_class = 0x02, .sport = sport, .dport = 4791, .qp = 5};
    memcpy(flow.destination, match_to(destination, RULE_KEY_DEFAULT, 0).destination, 16);
    return flow;
}

static inline struct card_flow flow_to_ipv4(uint8_t destination, uint16_t sport) {
    struct card_flow flow = flow_to(destination, sport);
    memcpy(flow.destination, match_to_ipv4(destination).destination, 16);
    return flow;
}

// The path that the packet took, or PATH_*.
static inline int path_from(struct card_flow flow, uint16_t vport) {
    struct card_frame frame;
    const uint8_t *out;
    size_t size;
    card_frame_build(&flow, &frame);
    size_t before = frame.size;
    struct softcx_result result = card_bed_send(&frame, vport, &out, &size);
    if (result.verdict == VERDICT_SLOW) {
        return result.steered ? PATH_SLOW : PATH_UNTOUCHED;
    }
    assert_int_equal(result.verdict, VERDICT_VPORT);
    assert_int_equal(result.vport, MLX5_UPLINK);
    return size == before ? PATH_PLAIN : out[14 + 24 + 5];
}

static inline int path_of(struct card_flow flow) {
    return path_from(flow, 1);
}

static inline void send_packets(struct card_flow flow, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        assert_true(path_of(flow) > 0);
    }
}

// ---- counters

struct count {
    uint64_t packets, bytes;
};

struct count_search {
    const struct bench *bench;
    struct rule_match match;
    int path;
    struct count found;
    unsigned times;
};

static inline void find_count(void *context, const struct nic_counter *counter) {
    struct count_search *search = context;
    const struct rule_set *set = &search->bench->nic->applied;
    uint32_t rule = rule_set_find(set, &search->match);
    uint32_t encap = set->rules[rule].encap[counter->path];
    if (rule_match_compare(&counter->match, &search->match) == 0 &&
        set->encaps[encap].sids.sids[0].bytes[5] == search->path) {
        search->found = (struct count){counter->packets, counter->bytes};
        search->times++;
    }
}

// Of the default rule to this destination, over this path.
static inline struct count count_of(const struct bench *bench, uint8_t destination, int path) {
    struct count_search search = {bench, match_to(destination, RULE_KEY_DEFAULT, 0), path, {0}, 0};
    assert_int_equal(bench->nic->driver->counters(bench->nic, find_count, &search), 0);
    assert_int_equal(search.times, 1);
    return search.found;
}

#endif
