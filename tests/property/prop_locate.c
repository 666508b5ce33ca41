// SPDX-License-Identifier: Apache-2.0
// Localization on random fabrics of two tiers: a single fault is named with its direction and
// nothing else is; without a fault nothing is; a prober that does not run now and then, and loses
// all that it sent meanwhile, blames nobody. SEED= reruns one run.
#include "cmocka_all.h"

#include <stdlib.h>

#include "fabric_fixture.h"
#include "locate.h"
#include "locate_loops.h"
#include "model/time.h"

#define RUNS 60
#define TWO_RUNS 400U
#define TWO_TO_53 9007199254740992.0
#define BACKGROUND 1e-5
#define HEALTHY_PROBES 100000

static uint64_t base_seed(void) {
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20261121;
    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

struct bed {
    struct fabric *fabric;
    struct locate_loops loops;
    struct locate *locate;
    struct rng rng;
    uint32_t bad, also_bad; // directed links between switches
    double loss;
};

static struct bed open_bed(uint64_t seed) {
    struct bed bed = {.bad = ID_NONE, .also_bad = ID_NONE};
    rng_init(&bed.rng, seed);
    uint32_t leaves = 3 + (uint32_t)rng_below(&bed.rng, 6);
    uint32_t spines = 3 + (uint32_t)rng_below(&bed.rng, 6);
    uint32_t hosts = 2 + (uint32_t)rng_below(&bed.rng, 4);
    uint32_t cables = 1 + (uint32_t)rng_below(&bed.rng, 2);
    bed.fabric = fixture_leaf_spine(leaves, spines, hosts, cables, 1);
    assert_int_equal(locate_loops_make(&bed.loops, bed.fabric, 30, (port_id){ID_NONE}), 0);
    assert_int_equal(locate_open(&bed.locate, bed.fabric, bed.loops.specs, bed.loops.count, 10), 0);
    return bed;
}

static void close_bed(struct bed *bed) {
    locate_close(bed->locate);
    locate_loops_free(&bed->loops);
    fabric_close(bed->fabric);
}

static uint32_t some_link(struct bed *bed) {
    link_id link;
    do {
        link.i = (uint32_t)rng_below(&bed->rng, fabric_link_count(bed->fabric));
    } while (!fabric_link_is_internal(bed->fabric, link));
    return link.i;
}

static bool is_lost(struct bed *bed, uint32_t loop) {
    const struct walk *walk = &bed->loops.specs[loop].walk;
    double kept = 1;
    for (unsigned i = 0; i < walk->link_count; i++) {
        uint32_t link = walk->links[i].i;
        kept *= 1 - (link == bed->bad || link == bed->also_bad ? bed->loss : BACKGROUND);
    }
    return (double)(rng_next(&bed->rng) >> 11) / TWO_TO_53 >= kept;
}

static bool run(struct bed *bed, uint32_t probes, struct locate_verdict *verdict) {
    for (uint32_t i = 0; i < probes; i++) {
        uint32_t loop;
        assert_int_equal(locate_choose(bed->locate, &bed->rng, 1, &loop), 1);
        locate_result(bed->locate,
                      &(struct locate_result){.loop = loop, .lost = is_lost(bed, loop)});
        if (locate_take(bed->locate, verdict)) {
            return true;
        }
    }
    return false;
}

static void a_single_fault_is_named_with_its_direction(void **state) {
    (void)state;
    static const double losses[] = {1, 0.3, 0.1, 0.03, 0.01};
    uint64_t seed = base_seed();
    for (uint32_t i = 0; i < RUNS; i++) {
        struct bed bed = open_bed(hash_pair(seed, i));
        struct locate_verdict verdict;
        assert_false(run(&bed, 2000, &verdict)); // well at first
        bed.bad = some_link(&bed);
        bed.loss = losses[i % 5];
        assert_true(run(&bed, 200000, &verdict));
        if (verdict.fault != (bed.loss < 1 ? LOCATE_LOSSY : LOCATE_DOWN) ||
            verdict.what.place != LOCATE_LINK || verdict.what.link.i != bed.bad) {
            fail_msg("run %u: %s %s %u, not %u (loss %g)", i, locate_fault_name(verdict.fault),
                     locate_place_name(verdict.what.place), verdict.what.link.i, bed.bad, bed.loss);
        }
        assert_false(run(&bed, 2000, &verdict));
        close_bed(&bed);
    }
}

// Whether two links that broke at one moment are named, and nothing else is.
static bool are_both_named(struct bed *bed) {
    struct locate_verdict verdict;
    uint32_t expected = bed->also_bad == bed->bad ? 1 : 2;
    for (uint32_t i = 0; i < expected; i++) {
        if (!run(bed, 20000, &verdict) || verdict.what.place != LOCATE_LINK ||
            verdict.fault != LOCATE_DOWN ||
            (verdict.what.link.i != bed->bad && verdict.what.link.i != bed->also_bad)) {
            return false;
        }
    }
    return !run(bed, 2000, &verdict);
}

// A cut cable, or any two. In fabrics as small as these the two may, by chance, explain between
// them all that a third lost: seldom enough.
static void two_cut_links_are_two_links(void **state) {
    (void)state;
    uint64_t seed = base_seed();
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < TWO_RUNS; i++) {
        struct bed bed = open_bed(hash_pair(seed, i));
        bed.bad = some_link(&bed);
        bed.also_bad = i % 2 == 0 ? link_opposite((link_id){bed.bad}).i : some_link(&bed);
        bed.loss = 1;
        wrong += !are_both_named(&bed);
        close_bed(&bed);
    }
    printf("two cut links: %u of %u wrong\n", wrong, TWO_RUNS);
    assert_true(80 * wrong <= TWO_RUNS);
}

static void without_a_fault_there_is_no_verdict(void **state) {
    (void)state;
    uint64_t seed = base_seed();
    for (uint32_t i = 0; i < RUNS / 4; i++) {
        struct bed bed = open_bed(hash_pair(seed, i));
        struct locate_verdict verdict;
        if (run(&bed, HEALTHY_PROBES, &verdict)) {
            fail_msg("run %u: %s %s", i, locate_fault_name(verdict.fault),
                     locate_place_name(verdict.what.place));
        }
        close_bed(&bed);
    }
}

// Every 500 probes one host stops for 40. Of what it sent meanwhile up to five probes are judged
// lost before it sees how late it is; the others are void.
static void stop_and_go(struct bed *bed, struct locate_verdict *verdict, uint32_t *discarded) {
    port_id stopped = {ID_NONE};
    uint64_t now_ns = NS_PER_S, since_ns = 0;
    uint32_t judged = 0;
    for (uint32_t n = 0; n < 20000; n++, now_ns += 100 * NS_PER_US) {
        if (n % 500 == 0) {
            stopped.i = (uint32_t)rng_below(&bed->rng, bed->fabric->port_count);
            since_ns = now_ns;
            judged = 0;
        }
        uint32_t loop;
        assert_int_equal(locate_choose(bed->locate, &bed->rng, 1, &loop), 1);
        bool lost = n % 500 < 40 && bed->loops.specs[loop].walk.links[0].i ==
                                        link_of(bed->fabric->ports[stopped.i].cable, false).i;
        judged += lost;
        if (!lost || judged <= 5) {
            locate_result(bed->locate, &(struct locate_result){.loop = loop,
                                                               .lost = lost,
                                                               .due_at_ns = now_ns,
                                                               .sent_at_ns = now_ns});
        }
        if (n % 500 == 39) {
            locate_discard(bed->locate, stopped, since_ns);
            *discarded += judged;
        }
        if (locate_take(bed->locate, verdict)) {
            fail_msg("%s %s after %u probes", locate_fault_name(verdict->fault),
                     locate_place_name(verdict->what.place), n);
        }
    }
}

static void a_prober_that_stops_blames_nobody(void **state) {
    (void)state;
    uint64_t seed = base_seed();
    for (uint32_t i = 0; i < RUNS / 4; i++) {
        struct bed bed = open_bed(hash_pair(seed, i));
        struct locate_verdict verdict;
        uint32_t discarded = 0;
        stop_and_go(&bed, &verdict, &discarded);
        assert_true(discarded > 100);
        // Nobody is under suspicion at the end: the losses were taken back.
        for (uint32_t link = 0; link < fabric_link_count(bed.fabric); link++) {
            locate_explain(bed.locate, (link_id){link}, &verdict);
            assert_int_equal(verdict.lost, 0);
        }
        close_bed(&bed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_fault_is_named_with_its_direction),
        cmocka_unit_test(two_cut_links_are_two_links),
        cmocka_unit_test(without_a_fault_there_is_no_verdict),
        cmocka_unit_test(a_prober_that_stops_blames_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
