// SPDX-License-Identifier: Apache-2.0
// Flows of a run that are divided and moved at random while they are on their way: every byte
// leaves its sender and reaches its receiver once, whatever paths it takes in between. The seed is
// printed; SEED=... reruns it.
#include "cmocka_all.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fleet_fixture.h"
#include "model/rng.h"
#include "model/time.h"
#include "pathalg/candidates.h"
#include "run_flows.h"

#define ROUNDS 40
#define STEPS 60
#define PATHS 4
#define RATE_BPS 8000000000 // a byte a nanosecond

static uint64_t base_seed;

static const struct fleet_shape shape = {.clos_kind = "leaf-spine",
                                         .leaves = 3,
                                         .spines = PATHS,
                                         .hosts_per_leaf = 2,
                                         .cables = 1,
                                         .probe_interval_ns = 3 * NS_PER_MS,
                                         .seed = 1};

struct bed {
    struct rng rng;
    struct fleet *fleet;
    struct fluid *fluid;
    struct flows flows;
    double moved_bytes, bytes;
};

static void open_bed(struct bed *bed, uint64_t seed) {
    rng_init(&bed->rng, seed);
    bed->fleet = fleet_fixture_open(&shape);
    const struct fabric *fabric = fleet_fabric(bed->fleet);
    bed->fluid = fluid_open(flows_link_count(fabric));
    assert_non_null(bed->fluid);
    assert_int_equal(flows_init(&bed->flows, bed->fleet, bed->fluid, 1), 0);
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        flows_set_rate(&bed->flows, (link_id){i}, RATE_BPS);
    }
    for (uint32_t src = 0; src < fabric->port_count; src++) {
        for (uint32_t dst = 0; dst < fabric->port_count; dst++) {
            uint64_t bytes = rng_below(&bed->rng, 1000000) + 1;
            if (src != dst) {
                flows_add(&bed->flows, 0, (port_id){src}, (port_id){dst}, bytes);
                bed->bytes += (double)bytes;
            }
        }
    }
}

static void close_bed(struct bed *bed) {
    flows_fini(&bed->flows);
    fluid_close(bed->fluid);
    fleet_close(bed->fleet);
}

// Deals the buckets out over some of the paths.
static void place(struct bed *bed, struct flow *flow) {
    struct path candidates[PATHS];
    struct flow_path paths[PATHS];
    uint64_t buckets[PATHS] = {0};
    uint32_t count =
        candidates_find(fleet_fabric(bed->fleet), NULL, flow->src, flow->dst, candidates, PATHS);
    uint32_t used = 1 + (uint32_t)rng_below(&bed->rng, count);
    uint32_t first = (uint32_t)rng_below(&bed->rng, count);
    for (uint32_t i = 0; i < used; i++) {
        paths[i] = flows_path(&candidates[(first + i) % count]);
    }
    for (unsigned bucket = 0; bucket < RULE_BUCKETS; bucket++) {
        buckets[rng_below(&bed->rng, used)] |= UINT64_C(1) << bucket;
    }
    struct flows_moved moved = {0};
    flows_place(&bed->flows, flow, buckets, paths, used, &moved);
    assert_true(moved.bytes >= 0 && moved.bytes <= (double)flow->bytes + 1);
    bed->moved_bytes += moved.bytes;
}

static void assert_bytes(struct bed *bed) {
    const struct fabric *fabric = fleet_fabric(bed->fleet);
    for (uint32_t port = 0; port < fabric->port_count; port++) {
        double sent = 0, received = 0;
        for (uint32_t i = 0; i < bed->flows.count; i++) {
            const struct flow *flow = &bed->flows.list[i];
            sent += flow->src.i == port ? (double)flow->bytes : 0;
            received += flow->dst.i == port ? (double)flow->bytes : 0;
        }
        // Bytes are whole each time that they are put on paths.
        link_id out = link_of(fabric->ports[port].cable, false);
        double slack = STEPS * PATHS * bed->flows.count;
        double out_bytes = (double)fluid_link_bytes(bed->fluid, out);
        double in_bytes = (double)fluid_link_bytes(bed->fluid, link_opposite(out));
        if (fabs(out_bytes - sent) > slack || fabs(in_bytes - received) > slack) {
            fail_msg("port %u: %.0f of %.0f bytes sent, %.0f of %.0f received", port, out_bytes,
                     sent, in_bytes, received);
        }
    }
}

static void every_byte_arrives_once_however_it_is_moved(void **state) {
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct bed bed = {0};
        open_bed(&bed, hash_pair(base_seed, round));
        for (uint32_t i = 0; i < bed.flows.count; i++) {
            place(&bed, &bed.flows.list[i]);
        }
        for (uint32_t step = 0; step < STEPS; step++) {
            uint64_t now_ns = fluid_now_ns(bed.fluid) + rng_below(&bed.rng, 100000);
            flows_advance(&bed.flows, now_ns);
            struct flow *flow = &bed.flows.list[rng_below(&bed.rng, bed.flows.count)];
            if (!flow->ended) {
                place(&bed, flow);
            }
        }
        flows_advance(&bed.flows, fluid_now_ns(bed.fluid) + NS_PER_S);
        assert_int_equal(bed.flows.jobs[0].live_count, 0);
        assert_true(bed.moved_bytes > 0);
        assert_bytes(&bed);
        close_bed(&bed);
    }
}

int main(void) {
    const char *given = getenv("SEED");
    base_seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("SEED=%" PRIu64 "\n", base_seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_arrives_once_however_it_is_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
