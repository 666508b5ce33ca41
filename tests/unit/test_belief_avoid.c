// SPDX-License-Identifier: Apache-2.0
// Lossy links: who makes them so for all, and which of them are avoided. Nobody may be cut off by
// that, in any state of the fabric. Seeded: SEED=n.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_all.h"
#include "fabric_fixture.h"
#include "model/belief.h"
#include "model/rng.h"

#define LEAVES 4
#define SPINES 3
#define LINKS_MAX 128

static struct rng rng;

static struct link_evidence says_lossy(uint32_t host, uint32_t ppm, bool avoid) {
    return (struct link_evidence){.link = {0},
                                  .observer = {host},
                                  .report = {.capacity_ppm = CAPACITY_FULL_PPM,
                                             .fault = ppm > 0 ? LINK_FAULT_LOSSY : LINK_FAULT_NONE,
                                             .avoid = avoid,
                                             .fault_ppm = ppm}};
}

// Hosts 0, 1 and 4 (of another leaf) are elected for the first link between switches.
static struct link_belief believe(struct link_evidence a, struct link_evidence b,
                                  struct link_evidence c) {
    struct fabric *fabric = fixture_leaf_spine(2, 2, 4, 1, 1);
    struct link_evidence evidence[] = {a, b, c};
    struct link_belief beliefs[LINKS_MAX] = {0};
    struct cable_observers observers[LINKS_MAX / 2] = {0};
    struct observer_sight sights[8];
    uint32_t link = 0;
    while (!fabric_link_is_internal(fabric, (link_id){link})) {
        link++;
    }
    observers[link / 2] = (struct cable_observers){.hosts = {{0}, {1}, {4}}, .count = 3};
    for (unsigned i = 0; i < 3; i++) {
        evidence[i].link.i = link;
    }
    belief_compute(&(struct belief_input){fabric, observers, evidence, 3, sights}, beliefs);
    fabric_close(fabric);
    return beliefs[link];
}

static void two_observers_of_different_racks_make_a_link_lossy(void **state) {
    (void)state;
    struct link_belief belief =
        believe(says_lossy(0, 9000, true), says_lossy(1, 0, false), says_lossy(4, 5000, true));
    assert_true(belief.lossy && !belief.down);
    assert_int_equal(belief.lossy_votes, 2);
    assert_int_equal(belief.loss_ppm, 5000); // both saw that much
}

static void one_observer_or_one_rack_does_not(void **state) {
    (void)state;
    assert_false(
        believe(says_lossy(0, 9000, true), says_lossy(1, 0, false), says_lossy(4, 0, false)).lossy);
    assert_false(
        believe(says_lossy(0, 9000, true), says_lossy(1, 9000, true), says_lossy(4, 0, false))
            .lossy);
    assert_false(
        believe(says_lossy(0, 900, false), says_lossy(1, 0, false), says_lossy(4, 900, false))
            .lossy); // named, but too little to keep off
}

// ---- avoiding

static bool usable(const struct link_belief *belief, bool with_lossy) {
    return !belief->down && !belief->drained && (with_lossy || !belief->avoided);
}

static link_id up_link(const struct fabric *fabric, unsigned leaf, unsigned spine) {
    char name[LINK_NAME_SIZE];
    link_id link;
    snprintf(name, sizeof name, "leaf%u>spine%u", leaf, spine);
    assert_true(fabric_find_link(fabric, name, &link));
    return link;
}

static bool reaches(const struct fabric *fabric, const struct link_belief *beliefs, unsigned from,
                    unsigned to, bool with_lossy) {
    for (unsigned spine = 0; spine < SPINES; spine++) {
        link_id up = up_link(fabric, from, spine);
        link_id down = link_opposite(up_link(fabric, to, spine));
        if (usable(&beliefs[up.i], with_lossy) && usable(&beliefs[down.i], with_lossy)) {
            return true;
        }
    }
    return false;
}

static void nobody_is_cut_off_and_all_else_is_avoided(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(LEAVES, SPINES, 1, 1, 1);
    unsigned avoided = 0, kept = 0;
    for (unsigned trial = 0; trial < 2000; trial++) {
        struct link_belief beliefs[LINKS_MAX] = {0};
        for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
            beliefs[i].down = rng_below(&rng, 8) == 0;
            beliefs[i].drained = rng_below(&rng, 12) == 0;
            beliefs[i].lossy =
                fabric_link_is_internal(fabric, (link_id){i}) && rng_below(&rng, 3) == 0;
            beliefs[i].loss_ppm = beliefs[i].lossy ? 1000 + (uint32_t)rng_below(&rng, 9000) : 0;
        }
        assert_int_equal(belief_avoid(fabric, beliefs), 0);
        for (unsigned from = 0; from < LEAVES; from++) {
            for (unsigned to = 0; to < LEAVES; to++) {
                assert_int_equal(from != to && reaches(fabric, beliefs, from, to, true),
                                 from != to && reaches(fabric, beliefs, from, to, false));
            }
        }
        for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
            assert_true(!beliefs[i].avoided || beliefs[i].lossy);
            avoided += beliefs[i].avoided;
            kept += beliefs[i].lossy && usable(&beliefs[i], false);
        }
    }
    assert_true(avoided > 1000 && kept > 100);
    fabric_close(fabric);
}

static void of_two_that_cannot_both_go_the_worse_one_goes(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(2, 2, 1, 1, 1);
    for (unsigned worse = 0; worse < 2; worse++) {
        struct link_belief beliefs[LINKS_MAX] = {0};
        for (unsigned spine = 0; spine < 2; spine++) {
            uint32_t link = up_link(fabric, 0, spine).i;
            beliefs[link].lossy = true;
            beliefs[link].loss_ppm = spine == worse ? 20000 : 10000;
        }
        assert_int_equal(belief_avoid(fabric, beliefs), 0);
        assert_true(beliefs[up_link(fabric, 0, worse).i].avoided);
        assert_false(beliefs[up_link(fabric, 0, 1 - worse).i].avoided);
        assert_int_equal(belief_rate_bps(fabric, &beliefs[up_link(fabric, 0, worse).i],
                                         up_link(fabric, 0, worse)),
                         0);
    }
    fabric_close(fabric);
}

int main(void) {
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : 1;
    printf("seed %" PRIu64 "\n", seed);
    rng_init(&rng, seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_observers_of_different_racks_make_a_link_lossy),
        cmocka_unit_test(one_observer_or_one_rack_does_not),
        cmocka_unit_test(nobody_is_cut_off_and_all_else_is_avoided),
        cmocka_unit_test(of_two_that_cannot_both_go_the_worse_one_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
