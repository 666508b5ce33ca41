// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pathalg/adaptive.h"

#define RTT UINT64_C(10000)

// One QP (or two) on a set of 4 paths, in virtual rounds.
struct bed {
    struct adaptive_set set;
    struct adaptive qp;
    struct rng rng;
    uint64_t now_ns;
};

static void bed_init(struct bed *bed, uint16_t weight) {
    const struct adaptive_config config = adaptive_config_of(RTT);
    const uint16_t weights[4] = {weight, weight, weight, weight};
    *bed = (struct bed){0};
    rng_init(&bed->rng, 1);
    adaptive_set_init(&bed->set, &config, weights, 4);
    adaptive_init(&bed->qp, &bed->set, 0, 0);
}

static bool round_of(struct bed *bed, struct adaptive *qp, uint32_t marked_ppm, bool lost) {
    const struct adaptive_round round = {.now_ns = bed->now_ns,
                                         .marked_ppm = marked_ppm,
                                         .lost = lost};
    return adaptive_step(qp, &bed->set, &round, &bed->rng);
}

// Rounds until the QP moved, at most 1000.
static uint32_t rounds_until_move(struct bed *bed, uint32_t marked_ppm) {
    for (uint32_t i = 1; i <= 1000; i++) {
        bed->now_ns += RTT;
        if (round_of(bed, &bed->qp, marked_ppm, false)) {
            return i;
        }
    }
    return 1000;
}

static void keeps_a_path_that_is_not_marked(void **state) {
    (void)state;
    struct bed bed;
    bed_init(&bed, 1);
    assert_int_equal(rounds_until_move(&bed, 0), 1000);
    assert_int_equal(rounds_until_move(&bed, bed.set.config.marked_ppm), 1000);
    assert_int_equal(bed.qp.path, 0);
}

static void leaves_after_residence_and_patience(void **state) {
    (void)state;
    struct bed bed;
    bed_init(&bed, 1);
    bed.set.config.residence_ns = bed.qp.residence_ns = 4 * RTT;
    // Marked wholly: the dice always say move. Round 4 is the last of settling, 5 to 8 are four
    // congested ones.
    for (uint32_t i = 1; i <= 8; i++) {
        bed.now_ns += RTT;
        assert_false(round_of(&bed, &bed.qp, 1000000, false));
        assert_int_equal(bed.qp.state, i <= 3   ? ADAPTIVE_SETTLING
                                       : i <= 4 ? ADAPTIVE_STEADY
                                                : ADAPTIVE_RESTLESS);
    }
    bed.now_ns += RTT;
    assert_true(round_of(&bed, &bed.qp, 1000000, false));
    assert_int_not_equal(bed.qp.path, 0);
    assert_int_equal(bed.qp.state, ADAPTIVE_SETTLING);
}

static void a_round_that_is_not_congested_starts_patience_anew(void **state) {
    (void)state;
    struct bed bed;
    bed_init(&bed, 1);
    for (uint32_t i = 0; i < 500; i++) {
        bed.now_ns += RTT;
        assert_false(round_of(&bed, &bed.qp, i % 5 == 0 ? 0 : 1000000, false));
    }
}

static void stays_longer_after_each_move_and_relaxes_with_time(void **state) {
    (void)state;
    struct bed bed;
    bed_init(&bed, 1);
    uint32_t last = 0;
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t rounds = rounds_until_move(&bed, 1000000);
        assert_true(rounds > last);
        last = rounds;
    }
    assert_int_equal(bed.qp.residence_ns, 128 * RTT);
    rounds_until_move(&bed, 1000000);
    rounds_until_move(&bed, 1000000);
    assert_int_equal(bed.qp.residence_ns, bed.set.config.residence_max_ns);
    for (uint32_t i = 0; i < 2100; i++) {
        bed.now_ns += RTT;
        round_of(&bed, &bed.qp, 0, false);
    }
    assert_int_equal(bed.qp.residence_ns, bed.set.config.residence_ns);
}

// ---- loss and death

static void a_loss_moves_at_once_and_retires_the_path(void **state) {
    (void)state;
    struct bed bed;
    bed_init(&bed, 1);
    assert_true(round_of(&bed, &bed.qp, 0, true)); // still settling
    assert_int_not_equal(bed.qp.path, 0);
    for (uint32_t i = 0; i < 90; i++) {
        struct adaptive other;
        adaptive_init(&other, &bed.set, 1 + i % 3, bed.now_ns);
        bed.now_ns += RTT;
        bed.set.retired_until_ns[1 + i % 3] = 0;
        round_of(&bed, &other, 0, true);
        assert_int_not_equal(other.path, 0);
        bed.set.retired_until_ns[1 + i % 3] = 0;
    }
}

static void a_retired_path_returns_on_time(void **state) {
    (void)state;
    struct bed bed;
    bed_init(&bed, 0);
    bed.set.weights[0] = bed.set.weights[1] = 1;
    assert_true(round_of(&bed, &bed.qp, 0, true));
    assert_int_equal(bed.qp.path, 1);
    bed.now_ns = bed.set.config.retire_ns - 1;
    assert_false(round_of(&bed, &bed.qp, 0, true)); // nowhere to go
    bed.now_ns++;
    assert_true(round_of(&bed, &bed.qp, 0, true));
    assert_int_equal(bed.qp.path, 0);
}

static void never_takes_a_dead_path(void **state) {
    (void)state;
    struct bed bed;
    bed_init(&bed, 1);
    struct adaptive calm;
    adaptive_init(&calm, &bed.set, 2, 0);
    round_of(&bed, &calm, 0, false); // calm, and then it died
    bed.set.weights[2] = 0;
    for (uint32_t i = 0; i < 500; i++) {
        bed.now_ns += RTT;
        round_of(&bed, &bed.qp, 0, i % 2 == 0);
        assert_int_not_equal(bed.qp.path, 2);
    }
}

static void leaves_a_path_that_died(void **state) {
    (void)state;
    struct bed bed;
    bed_init(&bed, 1);
    bed.set.weights[0] = 0;
    assert_true(round_of(&bed, &bed.qp, 0, false));
    assert_int_not_equal(bed.qp.path, 0);
    // Better one that lost packets than one that is dead; and no way at all is no reason to move.
    bed_init(&bed, 0);
    bed.set.weights[3] = 1;
    bed.set.retired_until_ns[3] = UINT64_MAX;
    assert_true(round_of(&bed, &bed.qp, 0, false));
    assert_int_equal(bed.qp.path, 3);
    bed.set.weights[3] = 0;
    assert_false(round_of(&bed, &bed.qp, 0, false));
}

// ---- where to

static void recycles_the_path_that_was_calm_last_and_once(void **state) {
    (void)state;
    struct bed bed;
    bed_init(&bed, 1);
    struct adaptive calm;
    adaptive_init(&calm, &bed.set, 2, 0);
    assert_false(round_of(&bed, &calm, 0, false));
    bed.set.weights[1] = bed.set.weights[3] = 1000; // a draw would hardly take path 2
    assert_true(round_of(&bed, &bed.qp, 0, true));
    assert_int_equal(bed.qp.path, 2);
    assert_int_equal(bed.set.calm_count, 0);
}

static void forgets_what_was_calm_long_ago_or_is_congested_since(void **state) {
    (void)state;
    struct bed bed;
    bed_init(&bed, 1);
    bed.set.weights[1] = bed.set.weights[3] = 60000;
    struct adaptive calm;
    adaptive_init(&calm, &bed.set, 2, 0);
    round_of(&bed, &calm, 0, false);
    bed.now_ns = bed.set.config.calm_ns + 1;
    assert_true(round_of(&bed, &bed.qp, 0, true));
    assert_int_not_equal(bed.qp.path, 2);
    round_of(&bed, &calm, 0, false);
    assert_int_equal(bed.set.calm_paths[bed.set.calm_count - 1], 2);
    round_of(&bed, &calm, 1000000, false);
    for (uint32_t i = 0; i < bed.set.calm_count; i++) {
        assert_int_not_equal(bed.set.calm_paths[i], 2);
    }
}

static void draws_in_proportion_to_capacity(void **state) {
    (void)state;
    struct bed bed;
    bed_init(&bed, 1);
    bed.set.weights[1] = 3;
    uint32_t counts[4] = {0};
    for (uint32_t i = 0; i < 5000; i++) {
        struct adaptive qp;
        adaptive_init(&qp, &bed.set, 0, bed.now_ns);
        assert_true(round_of(&bed, &qp, 0, true));
        counts[qp.path]++;
    }
    assert_int_equal(counts[0], 0);
    assert_in_range(counts[1], 2800, 3200);
    assert_in_range(counts[2], 850, 1150);
}

// ---- closed loop: an AlltoAll of whole flows on 8 x 8 with one half link

#define LEAVES 8
#define HOSTS 16
#define QPS (LEAVES * HOSTS * LEAVES * HOSTS)

struct loop {
    struct adaptive_set sets[LEAVES * HOSTS * LEAVES];
    struct adaptive qps[QPS];              // by source leaf, source, destination leaf, destination
    double up[LEAVES][8], down[LEAVES][8]; // QPs on a link for each unit of its capacity
    struct rng rng;
    uint32_t packets; // a round of which a QP sees the marks; 0: it sees the exact share
    uint32_t moves;   // of the last round
    uint64_t now_ns;
};

static uint32_t source_leaf(uint32_t qp) {
    return qp / (HOSTS * LEAVES * HOSTS);
}
static uint32_t destination_leaf(uint32_t qp) {
    return qp / HOSTS % LEAVES;
}

static struct loop *loop_open(uint64_t seed) {
    static const uint16_t weights[8] = {1, 1, 1, 1, 1, 1, 1, 1}; // nobody knows of the half link
    const struct adaptive_config config = adaptive_config_of(RTT);
    struct loop *loop = calloc(1, sizeof *loop);
    assert_non_null(loop);
    rng_init(&loop->rng, seed);
    for (uint32_t i = 0; i < QPS; i++) {
        if (i % HOSTS == 0) {
            adaptive_set_init(&loop->sets[i / HOSTS], &config, weights, 8);
        }
        uint32_t path = (uint32_t)rng_below(&loop->rng, 8);
        adaptive_init(&loop->qps[i], &loop->sets[i / HOSTS], path, 0);
    }
    return loop;
}

// The most loaded link against the optimum: 16 x 112 QPs of a leaf over 7.5 links.
static double loop_ratio(struct loop *loop) {
    memset(loop->up, 0, sizeof loop->up);
    memset(loop->down, 0, sizeof loop->down);
    for (uint32_t i = 0; i < QPS; i++) {
        if (source_leaf(i) != destination_leaf(i)) {
            loop->up[source_leaf(i)][loop->qps[i].path]++;
            loop->down[destination_leaf(i)][loop->qps[i].path]++;
        }
    }
    loop->up[0][0] *= 2;
    loop->down[0][0] *= 2;
    double worst = 0;
    for (uint32_t i = 0; i < 64; i++) {
        double up = loop->up[i / 8][i % 8];
        double down = loop->down[i / 8][i % 8];
        worst = up > worst ? up : worst;
        worst = down > worst ? down : worst;
    }
    return worst / (HOSTS * HOSTS * (LEAVES - 1) / 7.5);
}

// A link passes what it can and marks the rest. A host sends at the rate of its link: 112 QPs.
static double unmarked_by(double qps) {
    double load = qps / 112;
    return load > 1 ? 1 / load : 1;
}

static uint32_t marked_ppm(struct loop *loop, uint32_t qp) {
    uint32_t path = loop->qps[qp].path;
    double unmarked = unmarked_by(loop->up[source_leaf(qp)][path]) *
                      unmarked_by(loop->down[destination_leaf(qp)][path]);
    uint32_t exact = (uint32_t)((1 - unmarked) * 1000000);
    uint32_t marks = 0;
    for (uint32_t i = 0; i < loop->packets; i++) {
        marks += rng_below(&loop->rng, 1000000) < exact;
    }
    return loop->packets == 0 ? exact : marks * (1000000 / loop->packets);
}

static void loop_round(struct loop *loop) {
    loop->now_ns += RTT;
    loop->moves = 0;
    for (uint32_t i = 0; i < QPS; i++) {
        if (source_leaf(i) != destination_leaf(i)) {
            const struct adaptive_round round = {.now_ns = loop->now_ns,
                                                 .marked_ppm = marked_ppm(loop, i)};
            loop->moves += adaptive_step(&loop->qps[i], &loop->sets[i / HOSTS], &round, &loop->rng);
        }
    }
}

static void comes_close_to_the_optimum_and_rests_there(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct loop *loop = loop_open(seed);
        double first = loop_ratio(loop);
        assert_true(first > 1.7);
        uint32_t last_above = 0;
        uint32_t last_move = 0;
        double ratio = first;
        for (uint32_t round = 1; round <= 200; round++) {
            loop_round(loop);
            ratio = loop_ratio(loop);
            last_above = ratio > 1.2 ? round : last_above;
            last_move = loop->moves > 0 ? round : last_move;
        }
        printf("seed %" PRIu64 ": %.3f at first; within 1.2 after %" PRIu32
               " rounds; %.3f after 200; last move in round %" PRIu32 "\n",
               seed, first, last_above + 1, ratio, last_move);
        assert_true(last_above < 20);
        assert_true(last_move < 100);
        assert_true(ratio <= 1.1);
        free(loop);
    }
}

static void hardly_moves_for_noise_alone(void **state) {
    (void)state;
    struct loop *loop = loop_open(4);
    loop->packets = 64;
    uint32_t moves = 0;
    for (uint32_t round = 1; round <= 200; round++) {
        double ratio = loop_ratio(loop);
        assert_true(round < 20 || ratio <= 1.2);
        loop_round(loop);
        moves += round > 100 ? loop->moves : 0;
    }
    printf("64 packets a round: %" PRIu32 " of %d QPs move a round\n", moves / 100, QPS * 7 / 8);
    assert_true(moves / 100 < QPS / 200);
    free(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_a_path_that_is_not_marked),
        cmocka_unit_test(leaves_after_residence_and_patience),
        cmocka_unit_test(a_round_that_is_not_congested_starts_patience_anew),
        cmocka_unit_test(stays_longer_after_each_move_and_relaxes_with_time),
        cmocka_unit_test(a_loss_moves_at_once_and_retires_the_path),
        cmocka_unit_test(a_retired_path_returns_on_time),
        cmocka_unit_test(never_takes_a_dead_path),
        cmocka_unit_test(leaves_a_path_that_died),
        cmocka_unit_test(recycles_the_path_that_was_calm_last_and_once),
        cmocka_unit_test(forgets_what_was_calm_long_ago_or_is_congested_since),
        cmocka_unit_test(draws_in_proportion_to_capacity),
        cmocka_unit_test(comes_close_to_the_optimum_and_rests_there),
        cmocka_unit_test(hardly_moves_for_noise_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
