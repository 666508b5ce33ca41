// SPDX-License-Identifier: Apache-2.0
// fluid.h under random parts, moves, cuts and times: what max-min fairness promises holds at every
// moment, and no byte is lost. The seed is printed; SEED=... reruns it.
#include "cmocka_all.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fluid.h"
#include "model/rng.h"

#define ROUNDS 300
#define STEPS 60
#define LINKS_MAX 40
#define PARTS_MAX 2000
#define NEAR 1e-9

static uint64_t base_seed;

// The test's own account of what was asked for.
struct known {
    bool live, weighed;
    fluid_id id;
    link_id links[FLUID_PATH_MAX];
    unsigned link_count;
    uint64_t bytes;
    double weight;
};

struct world {
    struct rng rng;
    struct fluid *fluid;
    uint32_t link_count;
    uint64_t rate_bps[LINKS_MAX];
    struct known parts[PARTS_MAX];
    uint32_t part_count, done_count;
    double sent_bytes; // times the links of the path
    bool moved;
    uint64_t last_ns;
};

static uint32_t below(struct world *world, uint32_t bound) {
    return (uint32_t)rng_below(&world->rng, bound);
}

static void random_path(struct world *world, struct known *part) {
    part->link_count = 0;
    unsigned count =
        1 + below(world, FLUID_PATH_MAX < world->link_count ? FLUID_PATH_MAX : world->link_count);
    while (part->link_count < count) {
        uint32_t link = below(world, world->link_count);
        bool used = false;
        for (unsigned i = 0; i < part->link_count; i++) {
            used = used || part->links[i].i == link;
        }
        if (!used) {
            part->links[part->link_count++].i = link;
        }
    }
}

static void set_rate(struct world *world, uint32_t link) {
    static const uint64_t rates[] = {0, 1000000000, 2000000000, 400000000000, 3333333333};
    world->rate_bps[link] = rates[below(world, 5)];
    fluid_set_rate(world->fluid, (link_id){link}, world->rate_bps[link]);
}

static void add_part(struct world *world) {
    if (world->part_count == PARTS_MAX) {
        return;
    }
    struct known *part = &world->parts[world->part_count];
    *part = (struct known){.live = true, .bytes = rng_below(&world->rng, 1 << 20), .weight = 1};
    random_path(world, part);
    assert_int_equal(fluid_add(world->fluid, part->links, part->link_count, part->bytes,
                               world->part_count, &part->id),
                     0);
    if (below(world, 3) == 0) {
        part->weight = (1 + below(world, 64)) / 64.0;
        fluid_weigh(world->fluid, part->id, part->weight);
    }
    world->part_count++;
}

static struct known *any_live(struct world *world) {
    if (world->part_count == 0) {
        return NULL;
    }
    struct known *part = &world->parts[below(world, world->part_count)];
    return part->live ? part : NULL;
}

static void move_part(struct world *world, struct known *part) {
    random_path(world, part);
    world->moved = true;
    fluid_move(world->fluid, part->id, part->links, part->link_count);
}

static void note_end(void *context, uint64_t tag, uint64_t done_at_ns) {
    struct world *world = context;
    struct known *part = &world->parts[tag];
    assert_true(part->live);
    assert_true(done_at_ns >= world->last_ns);
    assert_true(done_at_ns <= fluid_now_ns(world->fluid));
    world->last_ns = done_at_ns;
    part->live = false;
    world->done_count++;
    world->sent_bytes += (double)part->bytes * part->link_count;
}

// No link beyond its rate, the loads are the sums of the rates, and each part has a full link on
// which nobody gets more for his weight.
static void assert_max_min(struct world *world) {
    double load[LINKS_MAX] = {0}, most[LINKS_MAX] = {0};
    for (uint32_t i = 0; i < world->part_count; i++) {
        struct known *part = &world->parts[i];
        double rate = part->live ? fluid_rate_bps(world->fluid, part->id) : 0;
        for (unsigned k = 0; part->live && k < part->link_count; k++) {
            uint32_t link = part->links[k].i;
            load[link] += rate;
            most[link] = fmax(most[link], rate / part->weight);
        }
    }
    for (uint32_t i = 0; i < world->link_count; i++) {
        assert_true(load[i] <= (double)world->rate_bps[i] * (1 + NEAR));
        double told = fluid_link_load_bps(world->fluid, (link_id){i});
        assert_true(fabs(told - load[i]) <= NEAR * (1 + load[i]));
    }
    for (uint32_t i = 0; i < world->part_count; i++) {
        struct known *part = &world->parts[i];
        bool found = !part->live;
        for (unsigned k = 0; part->live && k < part->link_count; k++) {
            uint32_t link = part->links[k].i;
            bool full = load[link] >= (double)world->rate_bps[link] * (1 - NEAR);
            double own = fluid_rate_bps(world->fluid, part->id) / part->weight;
            bool bottleneck = full && own >= most[link] * (1 - NEAR);
            found = found || bottleneck;
            assert_true(bottleneck || fluid_bottleneck(world->fluid, part->id).i != link);
        }
        assert_true(found);
    }
}

static void step(struct world *world) {
    struct known *part = any_live(world);
    switch (below(world, 6)) {
    case 0:
    case 1:
        for (uint32_t i = below(world, 20); i > 0; i--) {
            add_part(world);
        }
        break;
    case 2:
        set_rate(world, below(world, world->link_count));
        break;
    case 3:
        if (part != NULL) {
            move_part(world, part);
        }
        break;
    case 4:
        if (part != NULL && below(world, 4) == 0) {
            double left = fluid_remove(world->fluid, part->id);
            assert_true(left >= 0 && left <= (double)part->bytes + NEAR);
            world->moved = true;
            part->live = false;
            world->done_count++;
        }
        break;
    default:
        fluid_advance(world->fluid, fluid_now_ns(world->fluid) + below(world, 2000000), note_end,
                      world);
    }
    // What just ended is handed on later; a change makes it now.
    uint64_t rate = world->rate_bps[0];
    fluid_set_rate(world->fluid, (link_id){0}, rate + 1);
    fluid_set_rate(world->fluid, (link_id){0}, rate);
    assert_max_min(world);
}

static void drain(struct world *world) {
    for (uint32_t i = 0; i < world->link_count; i++) {
        world->rate_bps[i] = 1000000000 * (1 + (uint64_t)below(world, 4));
        fluid_set_rate(world->fluid, (link_id){i}, world->rate_bps[i]);
    }
    for (uint64_t next; (next = fluid_next_at_ns(world->fluid)) != NEVER_NS;) {
        fluid_advance(world->fluid, next, note_end, world);
    }
    assert_int_equal(fluid_part_count(world->fluid), 0);
    assert_int_equal(world->done_count, world->part_count);
}

static void assert_bytes(struct world *world) {
    double carried = 0;
    for (uint32_t i = 0; i < world->link_count; i++) {
        carried += (double)fluid_link_bytes(world->fluid, (link_id){i});
    }
    if (!world->moved) {
        assert_true(fabs(carried - world->sent_bytes) <= 1 + world->link_count);
    }
}

static void shares_are_fair_and_bytes_arrive(void **state) {
    (void)state;
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        *world = (struct world){.link_count = 0};
        rng_init(&world->rng, hash_pair(base_seed, round));
        world->link_count = 1 + below(world, LINKS_MAX);
        world->fluid = fluid_open(world->link_count);
        assert_non_null(world->fluid);
        for (uint32_t i = 0; i < world->link_count; i++) {
            set_rate(world, i);
        }
        bool still = round % 2 == 0; // nothing moves or goes: every byte is on the links in the end
        for (uint32_t i = 0; i < STEPS; i++) {
            if (!still) {
                step(world);
            } else {
                add_part(world);
                fluid_advance(world->fluid, fluid_now_ns(world->fluid) + below(world, 200000),
                              note_end, world);
            }
        }
        drain(world);
        assert_bytes(world);
        fluid_close(world->fluid);
    }
    free(world);
}

// With the slack, a run is as long as one in which all that is free is handed on at once, up to
// the slack.
static uint64_t finish_ns(uint64_t seed, bool at_once) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    rng_init(&world->rng, seed);
    world->link_count = 20;
    world->fluid = fluid_open(world->link_count);
    assert_non_null(world->fluid);
    for (uint32_t i = 0; i < 200; i++) {
        add_part(world);
    }
    for (uint32_t i = 0; i < world->link_count; i++) {
        fluid_set_rate(world->fluid, (link_id){i}, 1000000000);
    }
    for (uint64_t next; (next = fluid_next_at_ns(world->fluid)) != NEVER_NS;) {
        fluid_advance(world->fluid, next, note_end, world);
        if (at_once) {
            fluid_set_rate(world->fluid, (link_id){0}, 1000000001);
            fluid_set_rate(world->fluid, (link_id){0}, 1000000000);
        }
    }
    uint64_t last_ns = world->last_ns;
    fluid_close(world->fluid);
    free(world);
    return last_ns;
}

static void slack_costs_little(void **state) {
    (void)state;
    for (uint32_t round = 0; round < ROUNDS / 4; round++) {
        uint64_t seed = hash_pair(base_seed, round);
        double exact = (double)finish_ns(seed, true), found = (double)finish_ns(seed, false);
        assert_true(found <= exact * (1 + 10 * FLUID_SLACK));
        assert_true(found >= exact * (1 - 10 * FLUID_SLACK));
    }
}

int main(void) {
    const char *given = getenv("SEED");
    base_seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("SEED=%" PRIu64 "\n", base_seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_fair_and_bytes_arrive),
        cmocka_unit_test(slack_costs_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
