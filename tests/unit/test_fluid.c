// SPDX-License-Identifier: Apache-2.0
// fluid.h: times that can be worked out by hand.
#include "cmocka_all.h"

#include <string.h>

#include "fluid.h"

#define GBIT UINT64_C(1000000000)
#define LEAVES 8U
#define SPINES 8U
#define HOSTS_PER_LEAF 16U
#define HOSTS (LEAVES * HOSTS_PER_LEAF)
#define RATE (400 * GBIT)

struct ends {
    uint64_t tags[8], at_ns[8];
    uint32_t count;
    uint64_t last_ns;
};

static void note_end(void *context, uint64_t tag, uint64_t done_at_ns) {
    struct ends *ends = context;
    if (ends->count < 8) {
        ends->tags[ends->count] = tag;
        ends->at_ns[ends->count] = done_at_ns;
    }
    ends->count++;
    ends->last_ns = done_at_ns;
}

static fluid_id add(struct fluid *fluid, uint32_t first, uint32_t second, uint64_t bytes,
                    uint64_t tag) {
    link_id links[2] = {{first}, {second}};
    fluid_id id;
    assert_int_equal(fluid_add(fluid, links, 2, bytes, tag, &id), 0);
    return id;
}

static struct fluid *three_links(void) {
    struct fluid *fluid = fluid_open(3);
    assert_non_null(fluid);
    for (uint32_t i = 0; i < 3; i++) {
        fluid_set_rate(fluid, (link_id){i}, 8 * GBIT); // a byte a nanosecond
    }
    return fluid;
}

static struct ends run(struct fluid *fluid) {
    struct ends ends = {.count = 0};
    for (uint64_t next; (next = fluid_next_at_ns(fluid)) != NEVER_NS;) {
        fluid_advance(fluid, next, note_end, &ends);
    }
    return ends;
}

static void a_part_alone_takes_the_whole_link(void **state) {
    (void)state;
    struct fluid *fluid = three_links();
    add(fluid, 0, 1, 1000, 7);
    assert_int_equal(fluid_next_at_ns(fluid), 1000);
    struct ends ends = {.count = 0};
    fluid_advance(fluid, 999, note_end, &ends);
    assert_int_equal(ends.count, 0);
    fluid_advance(fluid, 1000, note_end, &ends);
    assert_int_equal(ends.count, 1);
    assert_int_equal(ends.tags[0], 7);
    assert_int_equal(ends.at_ns[0], 1000);
    assert_int_equal(fluid_link_bytes(fluid, (link_id){0}), 1000);
    assert_int_equal(fluid_link_bytes(fluid, (link_id){2}), 0);
    assert_int_equal(fluid_part_count(fluid), 0);
    fluid_close(fluid);
}

// One over links 0 and 1, one over 1 and 2, both meet on 1; the third has what is left of 0.
static void what_one_cannot_use_others_get(void **state) {
    (void)state;
    struct fluid *fluid = three_links();
    fluid_set_rate(fluid, (link_id){1}, 2 * GBIT);
    fluid_id a = add(fluid, 0, 1, 1000, 0), b = add(fluid, 1, 2, 1000, 1);
    link_id only[] = {{0}};
    fluid_id c;
    assert_int_equal(fluid_add(fluid, only, 1, 1000, 2, &c), 0);
    assert_true(fluid_rate_bps(fluid, a) == 1e9);
    assert_true(fluid_rate_bps(fluid, b) == 1e9);
    assert_true(fluid_rate_bps(fluid, c) == 7e9);
    assert_int_equal(fluid_bottleneck(fluid, a).i, 1);
    assert_int_equal(fluid_bottleneck(fluid, c).i, 0);
    assert_true(fluid_link_load_bps(fluid, (link_id){0}) == 8e9);
    fluid_close(fluid);
}

static void a_weight_is_so_many_parts(void **state) {
    (void)state;
    struct fluid *fluid = three_links();
    fluid_id a = add(fluid, 0, 1, 3000, 0), b = add(fluid, 0, 2, 1000, 1);
    fluid_weigh(fluid, a, 3);
    assert_true(fluid_rate_bps(fluid, a) == 6e9);
    assert_true(fluid_rate_bps(fluid, b) == 2e9);
    struct ends ends = run(fluid);
    assert_int_equal(ends.at_ns[0], 4000);
    assert_int_equal(ends.at_ns[1], 4000);
    fluid_close(fluid);
}

static void a_cut_link_stalls_and_a_move_frees(void **state) {
    (void)state;
    struct fluid *fluid = three_links();
    fluid_id a = add(fluid, 0, 1, 1000, 0);
    fluid_advance(fluid, 400, NULL, NULL);
    fluid_set_rate(fluid, (link_id){1}, 0);
    assert_true(fluid_next_at_ns(fluid) == NEVER_NS);
    assert_true(fluid_rate_bps(fluid, a) == 0);
    fluid_advance(fluid, 5000, NULL, NULL);
    assert_float_equal(fluid_left_bytes(fluid, a), 600, 1e-6);
    fluid_move(fluid, a, (link_id[]){{0}, {2}}, 2);
    assert_int_equal(fluid_next_at_ns(fluid), 5600);
    struct ends ends = run(fluid);
    assert_int_equal(ends.last_ns, 5600);
    assert_int_equal(fluid_link_bytes(fluid, (link_id){0}), 1000);
    assert_int_equal(fluid_link_bytes(fluid, (link_id){1}), 400);
    assert_int_equal(fluid_link_bytes(fluid, (link_id){2}), 600);
    fluid_close(fluid);
}

static void a_removed_part_leaves_its_share(void **state) {
    (void)state;
    struct fluid *fluid = three_links();
    fluid_id a = add(fluid, 0, 1, 1000, 0), b = add(fluid, 0, 2, 1000, 1);
    fluid_advance(fluid, 1000, NULL, NULL);
    assert_float_equal(fluid_remove(fluid, b), 500, 1e-6);
    assert_true(fluid_rate_bps(fluid, a) == 8e9);
    assert_int_equal(run(fluid).last_ns, 1500);
    fluid_close(fluid);
}

static void nothing_to_carry_is_there_at_once(void **state) {
    (void)state;
    struct fluid *fluid = three_links();
    add(fluid, 0, 1, 0, 5);
    assert_int_equal(fluid_next_at_ns(fluid), 0);
    struct ends ends = run(fluid);
    assert_int_equal(ends.count, 1);
    assert_int_equal(ends.last_ns, 0);
    fluid_close(fluid);
}

// The first ends at 2,000,000: what it leaves is given to the other 200 later, not 199, and before
// that the end of the other is not early.
static void slack_is_of_the_age_and_makes_nobody_early(void **state) {
    (void)state;
    struct fluid *fluid = three_links();
    add(fluid, 0, 1, 1000000, 0);
    fluid_id b = add(fluid, 0, 2, 2000000, 1);
    struct ends ends = {.count = 0};
    fluid_advance(fluid, 2000199, note_end, &ends);
    assert_int_equal(ends.at_ns[0], 2000000);
    assert_true(fluid_rate_bps(fluid, b) == 4e9);
    fluid_advance(fluid, 2000200, note_end, &ends);
    assert_true(fluid_rate_bps(fluid, b) == 8e9);
    assert_int_equal(run(fluid).last_ns, 3000100);
    fluid_close(fluid);
}

// ---- AlltoAll over 8 leaves x 8 spines, spread evenly (facts: closed forms)

static link_id host_up(uint32_t host) {
    return (link_id){host};
}
static link_id host_down(uint32_t host) {
    return (link_id){HOSTS + host};
}
static link_id leaf_up(uint32_t leaf, uint32_t spine) {
    return (link_id){2 * HOSTS + leaf * SPINES + spine};
}
static link_id leaf_down(uint32_t leaf, uint32_t spine) {
    return (link_id){2 * HOSTS + LEAVES * SPINES + leaf * SPINES + spine};
}

static void add_flow(struct fluid *fluid, uint32_t src, uint32_t dst, uint64_t bytes) {
    uint32_t from = src / HOSTS_PER_LEAF, to = dst / HOSTS_PER_LEAF, spine = (src + dst) % SPINES;
    link_id near[2] = {host_up(src), host_down(dst)};
    link_id far[4] = {host_up(src), leaf_up(from, spine), leaf_down(to, spine), host_down(dst)};
    fluid_id id;
    assert_int_equal(fluid_add(fluid, from == to ? near : far, from == to ? 2 : 4, bytes, src, &id),
                     0);
}

static uint64_t alltoall_ns(uint64_t bytes, uint64_t fabric_bps, uint64_t slow_bps) {
    struct fluid *fluid = fluid_open(2 * HOSTS + 2 * LEAVES * SPINES);
    assert_non_null(fluid);
    for (uint32_t i = 0; i < 2 * HOSTS + 2 * LEAVES * SPINES; i++) {
        fluid_set_rate(fluid, (link_id){i}, i < 2 * HOSTS ? RATE : fabric_bps);
    }
    fluid_set_rate(fluid, leaf_up(0, 0), slow_bps);
    fluid_set_rate(fluid, leaf_down(0, 0), slow_bps);
    for (uint32_t src = 0; src < HOSTS; src++) {
        for (uint32_t i = 1; i < HOSTS; i++) {
            add_flow(fluid, src, (src + i) % HOSTS, bytes / HOSTS);
        }
    }
    struct ends ends = run(fluid);
    assert_int_equal(ends.count, HOSTS * (HOSTS - 1));
    fluid_close(fluid);
    return ends.last_ns;
}

static void assert_about(uint64_t found_ns, double want_s) {
    double want_ns = want_s * 1e9;
    if ((double)found_ns < want_ns || (double)found_ns > want_ns * (1 + 2 * FLUID_SLACK)) {
        fail_msg("%.0f ns, not %.0f", (double)found_ns, want_ns);
    }
}

static double fabric_s(uint64_t bytes, uint64_t fabric_bps) {
    double out = 8.0 * HOSTS_PER_LEAF * (HOSTS - HOSTS_PER_LEAF) * (double)(bytes / HOSTS);
    return out / (SPINES * (double)fabric_bps);
}

static void an_even_alltoall_takes_as_long_as_nic_or_fabric(void **state) {
    (void)state;
    const uint64_t bytes = UINT64_C(64) << 20;
    double nic_s = 8.0 * (HOSTS - 1) * (double)(bytes / HOSTS) / (double)RATE;
    assert_about(alltoall_ns(bytes, RATE, RATE), fabric_s(bytes, RATE));
    assert_about(alltoall_ns(bytes, 4 * RATE, 4 * RATE), nic_s);
}

static void half_a_link_doubles_an_even_alltoall(void **state) {
    (void)state;
    const uint64_t bytes = UINT64_C(64) << 20;
    assert_about(alltoall_ns(bytes, RATE, RATE / 2), 2 * fabric_s(bytes, RATE));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_alone_takes_the_whole_link),
        cmocka_unit_test(what_one_cannot_use_others_get),
        cmocka_unit_test(a_weight_is_so_many_parts),
        cmocka_unit_test(a_cut_link_stalls_and_a_move_frees),
        cmocka_unit_test(a_removed_part_leaves_its_share),
        cmocka_unit_test(nothing_to_carry_is_there_at_once),
        cmocka_unit_test(slack_is_of_the_age_and_makes_nobody_early),
        cmocka_unit_test(an_even_alltoall_takes_as_long_as_nic_or_fabric),
        cmocka_unit_test(half_a_link_doubles_an_even_alltoall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
