// SPDX-License-Identifier: Apache-2.0
// Fleets whose hosts have several ports, in rails and in planes, in virtual time: every flow is
// steered, none is lost for long when a link of its plane is cut, and all return when it heals.
// SEED= draws other links.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "fabric_fixture.h"
#include "fleet/fleet.h"
#include "model/rng.h"
#include "model/time.h"

#define STEP_NS (NS_PER_MS / 2)
#define REROUTE_LIMIT_NS (25 * NS_PER_MS)
#define CUTS 6

static uint64_t seed;

static const struct fabric_clos_desc rail = {.kind = "rail-optimized",
                                             .rails = 3,
                                             .groups = 2,
                                             .hosts_per_group = 2,
                                             .spines = 3,
                                             .host_bps = 400000000000,
                                             .fabric_bps = 400000000000};
static const struct fabric_clos_desc one_group = {.kind = "rail-optimized",
                                                  .rails = 2,
                                                  .groups = 1,
                                                  .hosts_per_group = 4,
                                                  .spines = 3,
                                                  .host_bps = 400000000000,
                                                  .fabric_bps = 400000000000};
static const struct fabric_clos_desc dual_plane = {.kind = "dual-plane",
                                                   .leaves = 3,
                                                   .spines = 3,
                                                   .hosts_per_leaf = 2,
                                                   .host_bps = 200000000000,
                                                   .fabric_bps = 400000000000};

static struct fleet *open_with_job(const struct fabric_clos_desc *clos, enum collective_type type) {
    struct fabric *fabric = fixture_clos(clos);
    struct fleet_options options = {.probe_interval_ns = 3 * NS_PER_MS, .seed = 1};
    struct error error = {0};
    struct fleet *fleet = fleet_open(fabric, &options, &error);
    fabric_close(fabric);
    if (fleet == NULL) {
        fail_msg("%s", error.text);
    }
    fleet_run(fleet, 2 * NS_PER_S);
    struct job job = {.name = "demo", .all_ranks = true, .collective_count = 1};
    job.collectives[0] = (struct collective){.type = type, .bytes = 64 << 20, .seed = seed};
    if (fleet_submit(fleet, 1, &job, &error) != 0) {
        fail_msg("%s", error.text);
    }
    fleet_run(fleet, 500 * NS_PER_MS);
    return fleet;
}

struct tally {
    unsigned delivered, cut, astray, plain;
};

static void tally_flow(const struct fleet *fleet, port_id src, port_id dst, struct tally *tally) {
    uint8_t way[RULE_BUCKETS];
    static struct fleet_trip trips[RULE_PATHS_MAX];
    bool sprayed;
    uint32_t count = fleet_follow(fleet, src, dst, way, trips, &sprayed);
    tally->plain += count == 0;
    for (uint32_t i = 0; i < count; i++) {
        tally->delivered += trips[i].end == DELIVERED;
        tally->cut += trips[i].end == LOST_ON_CUT;
        tally->astray += trips[i].end == LOST_ASTRAY;
    }
}

// All flows of an AlltoAll between ports that share a plane but neither host nor leaf.
static struct tally tally_all(const struct fleet *fleet) {
    const struct fabric *fabric = fleet_fabric(fleet);
    struct tally tally = {0};
    for (uint32_t src = 0; src < fabric->port_count; src++) {
        for (uint32_t dst = 0; dst < fabric->port_count; dst++) {
            const struct fabric_port *from = &fabric->ports[src], *to = &fabric->ports[dst];
            bool crosses = from->host.i != to->host.i && from->leaf.i != to->leaf.i;
            if (crosses && fabric_port_plane(fabric, (port_id){src}) ==
                               fabric_port_plane(fabric, (port_id){dst})) {
                tally_flow(fleet, (port_id){src}, (port_id){dst}, &tally);
            }
        }
    }
    return tally;
}

static void expect_all_delivered(const struct fleet *fleet, const char *when) {
    struct tally tally = tally_all(fleet);
    if (tally.cut + tally.astray + tally.plain > 0 || tally.delivered == 0) {
        fail_msg("%s: %u delivered, %u lost on a cut, %u astray, %u plain", when, tally.delivered,
                 tally.cut, tally.astray, tally.plain);
    }
}

static link_id random_link(struct rng *rng, const struct fabric *fabric) {
    for (;;) {
        link_id link = {(uint32_t)rng_below(rng, fabric_link_count(fabric))};
        if (fabric_link_is_internal(fabric, link)) {
            return link;
        }
    }
}

static void expect_beliefs(struct fleet *fleet, link_id cut) {
    const struct fabric *fabric = fleet_fabric(fleet);
    for (uint32_t host = 0; host < fleet_count(fleet); host++) {
        for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
            struct engine_link link;
            engine_link_at(fleet_engine(fleet, host), (link_id){i}, &link);
            bool is_cut = cut.i != ID_NONE && (i == cut.i || i == link_opposite(cut).i);
            if (link.belief.down != is_cut || link.belief.observer_count == 0) {
                char name[LINK_NAME_SIZE];
                if (!fabric_link_is_internal(fabric, (link_id){i}) && !link.belief.down) {
                    continue;
                }
                fabric_format_link(fabric, (link_id){i}, name);
                fail_msg("h%u believes %s is %s (%u of %u votes)", host, name,
                         link.belief.down ? "down" : "up", link.belief.down_votes,
                         link.belief.observer_count);
            }
        }
    }
}

static void cut_and_heal(struct fleet *fleet, link_id link) {
    fleet_cut(fleet, link, true);
    fleet_cut(fleet, link_opposite(link), true);
    uint64_t start = fleet_now_ns(fleet);
    while (tally_all(fleet).cut > 0) {
        fleet_run(fleet, STEP_NS);
        if (fleet_now_ns(fleet) - start > REROUTE_LIMIT_NS) {
            char name[LINK_NAME_SIZE];
            fabric_format_link(fleet_fabric(fleet), link, name);
            fail_msg("flows over %s are still lost after %u ms", name,
                     (unsigned)(REROUTE_LIMIT_NS / NS_PER_MS));
        }
    }
    fleet_run(fleet, NS_PER_S);
    expect_all_delivered(fleet, "cut");
    expect_beliefs(fleet, link);
    fleet_cut(fleet, link, false);
    fleet_cut(fleet, link_opposite(link), false);
    fleet_run(fleet, 10 * NS_PER_S); // upwards is damped
    expect_all_delivered(fleet, "healed");
    expect_beliefs(fleet, (link_id){ID_NONE});
}

static void cut_links(const struct fabric_clos_desc *clos) {
    struct fleet *fleet = open_with_job(clos, COLLECTIVE_ALLTOALL);
    struct rng rng;
    rng_init(&rng, seed);
    expect_all_delivered(fleet, "healthy");
    expect_beliefs(fleet, (link_id){ID_NONE});
    for (unsigned i = 0; i < CUTS; i++) {
        cut_and_heal(fleet, random_link(&rng, fleet_fabric(fleet)));
    }
    fleet_close(fleet);
}

static void rails_reroute_around_a_cut_link(void **state) {
    (void)state;
    cut_links(&rail);
}

static void rails_of_one_group_reroute_around_a_cut_link(void **state) {
    (void)state;
    cut_links(&one_group);
}

static void planes_reroute_around_a_cut_link(void **state) {
    (void)state;
    cut_links(&dual_plane);
}

// What rank h0.0 has for h2.1 leaves by h0.1, in plane 1; nothing else is steered.
static void a_pair_across_planes_leaves_by_the_port_in_the_others_plane(void **state) {
    (void)state;
    struct fleet *fleet = open_with_job(&dual_plane, COLLECTIVE_RING);
    const struct fabric *fabric = fleet_fabric(fleet);
    struct job_pair pair = {0, 5};
    struct job job = {.name = "demo", .all_ranks = true, .collective_count = 1};
    job.collectives[0] = (struct collective){.type = COLLECTIVE_PAIRS,
                                             .bytes = 1 << 20,
                                             .pairs = &pair,
                                             .pair_count = 1};
    struct error error = {0};
    assert_int_equal(fleet_submit(fleet, 1, &job, &error), 0);
    fleet_run(fleet, 500 * NS_PER_MS);
    for (uint32_t src = 0; src < fabric->port_count; src++) {
        for (uint32_t dst = 0; dst < fabric->port_count; dst++) {
            struct tally tally = {0};
            tally_flow(fleet, (port_id){src}, (port_id){dst}, &tally);
            bool wanted = src == 1 && dst == 5; // h0.1, h2.1
            assert_int_equal(tally.plain, !wanted);
            assert_int_equal(tally.delivered > 0, wanted);
        }
    }
    fleet_close(fleet);
}

static void expect_demand(void *context, const struct demand *demand) {
    const struct fleet *fleet = context;
    const struct fabric *fabric = fleet_fabric(fleet);
    struct tally tally = {0};
    if (fabric->ports[demand->src.i].leaf.i != fabric->ports[demand->dst.i].leaf.i) {
        tally_flow(fleet, demand->src, demand->dst, &tally);
        assert_true(tally.delivered > 0);
        assert_int_equal(tally.cut + tally.astray + tally.plain, 0);
    }
}

static void the_trees_of_a_job_are_steered_on_rails_and_planes(void **state) {
    (void)state;
    const struct fabric_clos_desc *const fabrics[] = {&rail, &dual_plane};
    for (size_t i = 0; i < 2; i++) {
        struct fleet *fleet = open_with_job(fabrics[i], COLLECTIVE_TREE);
        const struct fabric *fabric = fleet_fabric(fleet);
        struct job job = {.name = "demo", .all_ranks = true, .collective_count = 1};
        job.collectives[0] = (struct collective){.type = COLLECTIVE_TREE, .bytes = 64 << 20};
        port_id ranks[64];
        assert_true(fabric->port_count <= 64);
        job_resolve(&job, fabric, ranks);
        for (uint32_t rank = 0; rank < fabric->port_count; rank++) {
            job_demands(&job, fabric, ranks, fabric->port_count, rank, NULL, expect_demand, fleet);
        }
        fleet_close(fleet);
    }
}

static void a_job_too_large_to_pass_on_is_refused_with_a_sentence(void **state) {
    (void)state;
    static struct job_pair pairs[JOB_PAIRS_MAX];
    struct fleet *fleet = open_with_job(&dual_plane, COLLECTIVE_RING);
    struct job job = {.name = "large", .all_ranks = true, .collective_count = 2};
    for (uint32_t i = 0; i < JOB_PAIRS_MAX; i++) {
        pairs[i] = (struct job_pair){i % 8, (i + 1) % 8};
    }
    job.collectives[0] = (struct collective){.type = COLLECTIVE_PAIRS,
                                             .bytes = 1,
                                             .pairs = pairs,
                                             .pair_count = JOB_PAIRS_MAX};
    job.collectives[1] = job.collectives[0];
    struct error error = {0};
    assert_int_equal(fleet_submit(fleet, 1, &job, &error), -EMSGSIZE);
    assert_string_equal(error.text,
                        "job large: its lists (ranks, pairs, matrix, weights) take more "
                        "than the 262144 bytes that agents pass on");
    // Nor one whose weights are for other ranks than the fabric has.
    uint32_t weights[3] = {1, 1, 1};
    job.collective_count = 1;
    job.collectives[0] = (struct collective){.type = COLLECTIVE_ALLTOALLV,
                                             .bytes = 1,
                                             .weights = weights,
                                             .weight_count = 3};
    assert_int_equal(fleet_submit(fleet, 1, &job, &error), -EINVAL);
    assert_string_equal(error.text,
                        "large: collective 0: weights for 3 ranks, fixture has 12 ports");
    fleet_close(fleet);
}

int main(void) {
    const char *text = getenv("SEED");
    seed = text != NULL ? strtoull(text, NULL, 0) : 1;
    printf("SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rails_reroute_around_a_cut_link),
        cmocka_unit_test(rails_of_one_group_reroute_around_a_cut_link),
        cmocka_unit_test(planes_reroute_around_a_cut_link),
        cmocka_unit_test(a_pair_across_planes_leaves_by_the_port_in_the_others_plane),
        cmocka_unit_test(the_trees_of_a_job_are_steered_on_rails_and_planes),
        cmocka_unit_test(a_job_too_large_to_pass_on_is_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
