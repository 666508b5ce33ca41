// SPDX-License-Identifier: Apache-2.0
// Iterative scaling with inequalities (the entropic projection of Bregman 1967; with equalities it
// is known as Kruithof's or Sinkhorn's): a link that carries more than the aim allows has its
// factor scaled down, one that has room has its factor let up towards 1 again; up links first, then
// down links with what that changed. Three things make it fast:
//
//   aim     It is a little below the goal. A leaf all of whose uplinks must be full to reach the
//           goal is approached slowly from the side of inequalities; below the goal all of them
//           are equalities, which scaling meets at once.
//   steps   They are longer than the ratio asks for (over-relaxation).
//   prices  Where the goal seems out of reach, factors are read as prices, which prove how far
//           (waterfill_bound.c); the goal is raised to that, and the aim goes between it and what
//           is reached.
#include "waterfill_solve.h"

#include <float.h>
#include <string.h>

#if defined(__FAST_MATH__)
#error "plans must be equal on every machine: no -ffast-math"
#endif
_Static_assert(FLT_EVAL_METHOD == 0, "plans must be equal on every machine: no wider arithmetic");

// A factor of a far column and its counterpart multiply four of them and four ratios of rates; that
// and its inverse are still normal numbers.
#define FACTOR_MIN 1e-50
#define FACTOR_MAX 1.0
#define FACTOR_SQUARED_MIN 1e-24
#define ROUNDS_UNJUDGED 8 // before, down links are looked at only when up links are good enough
#define ROUNDS_EASY 48    // from then on the goal is taken to be hard to reach, or out of reach
#define ROUNDS_FAR 128    // every so many, factors are taken far along their way

// ---- rows of numbers

// Two numbers a machine adds or multiplies at once; a compiler without such a machine does it one
// by one, with the same result.
typedef double pair __attribute__((vector_size(16), aligned(8), may_alias));
_Static_assert(WATER_LANES == 8, "four pairs");

double water_dot(const double *a, const double *b, uint32_t stride) {
    pair sums[4] = {{0, 0}, {0, 0}, {0, 0}, {0, 0}};
    const pair *x = (const pair *)a, *y = (const pair *)b;
    for (const double *end = a + stride; (const double *)x < end; x += 4, y += 4) {
        sums[0] += x[0] * y[0];
        sums[1] += x[1] * y[1];
        sums[2] += x[2] * y[2];
        sums[3] += x[3] * y[3];
    }
    pair sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    return sum[0] + sum[1];
}

static void add_scaled(double *restrict sum, double scale, const double *restrict row,
                       uint32_t stride) {
    pair *to = (pair *)sum;
    const pair *from = (const pair *)row, scales = {scale, scale};
    for (const double *end = row + stride; (const double *)from < end; to += 4, from += 4) {
        to[0] += scales * from[0];
        to[1] += scales * from[1];
        to[2] += scales * from[2];
        to[3] += scales * from[3];
    }
}

// ---- loads

void water_row_loads(const struct waterfill *water, const struct water_space *space,
                     enum water_way way, uint32_t row) {
    uint32_t stride = space->stride;
    const double *own = &space->factor[way][(size_t)row * stride];
    const double *others = space->factor[1 - way];
    const double *demand = &water->demand[way][(size_t)row * water->row_count];
    memset(water->sums, 0, stride * sizeof water->sums[0]);
    for (uint32_t i = 0; i < water->row_count; i++) {
        if (demand[i] > 0 && water_space_joins(water, space, row, i)) {
            const double *other = &others[(size_t)i * stride];
            add_scaled(water->sums, demand[i] / water_dot(own, other, stride), other, stride);
        }
    }
    for (uint32_t i = 0; i < stride; i++) {
        water->sums[i] *= own[i];
    }
}

static void add_space_loads(struct waterfill *water, const struct water_space *space,
                            enum water_way way) {
    for (uint32_t row = 0; space->column_count > 0 && row < water->row_count; row++) {
        water_row_loads(water, space, way, row);
        const struct water_route *routes = &space->routes[(size_t)row * space->column_count];
        for (uint32_t i = 0; i < space->column_count; i++) {
            for (uint32_t hop = 0; hop < water->hop_count && routes[i].cables[hop] != ID_NONE;
                 hop++) {
                water->cables[routes[i].cables[hop]].load[way] += water->sums[i];
            }
        }
    }
}

// Loads of all links of one way; returns what the most loaded takes to drain.
static double measure(struct waterfill *water, enum water_way way) {
    for (uint32_t i = 0; i < water->cable_count; i++) {
        water->cables[i].load[way] = 0;
    }
    add_space_loads(water, &water->spaces[0], way);
    add_space_loads(water, &water->spaces[1], way);
    double most = 0;
    for (uint32_t i = 0; i < water->cable_count; i++) {
        const struct water_cable *cable = &water->cables[i];
        if (cable->load[way] > most * cable->rate[way]) {
            most = cable->load[way] / cable->rate[way];
        }
    }
    return most;
}

// ---- factors

void water_update_columns(struct waterfill *water, enum water_way way) {
    for (unsigned which = 0; which < 2; which++) {
        const struct water_space *space = &water->spaces[which];
        for (uint32_t row = 0; space->column_count > 0 && row < water->row_count; row++) {
            const struct water_route *routes = &space->routes[(size_t)row * space->column_count];
            const double *start = &space->start[way][(size_t)row * space->stride];
            double *factor = &space->factor[way][(size_t)row * space->stride];
            for (uint32_t i = 0; i < space->stride; i++) {
                factor[i] = start[i];
            }
            for (uint32_t i = 0; i < space->column_count; i++) {
                for (uint32_t hop = 0; hop < water->hop_count && routes[i].cables[hop] != ID_NONE;
                     hop++) {
                    factor[i] *= water->cables[routes[i].cables[hop]].factor[way];
                }
            }
        }
    }
}

// What a link's factor is multiplied by: about ratio to the power of -`power` between a half and
// two, in proportion beyond.
static double step(double ratio, double power) {
    double near = ratio > 2 ? 2 : ratio < 0.5 ? 0.5 : ratio;
    double scale = ((1 + power) + (1 - power) * near) / ((1 - power) + (1 + power) * near);
    return scale * near / ratio;
}

static double within(double value, double low, double high) {
    return value < low ? low : value > high ? high : value;
}

struct pace {
    double aim; // how long a link may take to drain
    double power;
};

static void scale_links(struct waterfill *water, enum water_way way, uint32_t hop,
                        const struct pace *pace) {
    for (uint32_t i = 0; i < water->cable_count; i++) {
        struct water_cable *cable = &water->cables[i];
        if (cable->hop == hop) {
            double load = cable->load[way], room = pace->aim * cable->rate[way];
            double factor =
                load > 0 ? cable->factor[way] * step(load / room, pace->power) : FACTOR_MAX;
            cable->factor[way] = within(factor, FACTOR_MIN, FACTOR_MAX);
        }
    }
    water_update_columns(water, way);
}

// ---- the rounds

struct progress {
    double cut, goal, best;
    uint32_t round, round_max;
    double gap; // when factors were last taken far
    bool strayed;
};

static void save_factors(const struct waterfill *water, double *factors) {
    for (uint32_t i = 0; i < water->cable_count; i++) {
        factors[2 * (size_t)i] = water->cables[i].factor[0];
        factors[2 * (size_t)i + 1] = water->cables[i].factor[1];
    }
}

static void load_factors(struct waterfill *water, const double *factors) {
    for (uint32_t i = 0; i < water->cable_count; i++) {
        water->cables[i].factor[0] = factors[2 * (size_t)i];
        water->cables[i].factor[1] = factors[2 * (size_t)i + 1];
    }
    water_update_columns(water, WATER_UP);
    water_update_columns(water, WATER_DOWN);
}

// Factors of links that the solution leaves empty fall for ever, slower and slower. Squaring all
// goes on by as much as was gone, unless some are near the end of numbers.
static void square_factors(struct waterfill *water) {
    for (uint32_t i = 0; i < water->cable_count; i++) {
        const struct water_cable *cable = &water->cables[i];
        if (cable->factor[0] < FACTOR_SQUARED_MIN || cable->factor[1] < FACTOR_SQUARED_MIN) {
            return;
        }
    }
    for (uint32_t i = 0; i < water->cable_count; i++) {
        struct water_cable *cable = &water->cables[i];
        cable->factor[0] *= cable->factor[0];
        cable->factor[1] *= cable->factor[1];
    }
    water_update_columns(water, WATER_UP);
    water_update_columns(water, WATER_DOWN);
}

static double tolerance_of(uint32_t round) {
    return round < 200 ? 2e-4 : round < 500 ? 5e-4 : 9e-4;
}

// True when the loads are good enough. Leaves the loads of up links measured.
static bool judge(struct waterfill *water, struct progress *progress) {
    double enough = progress->goal * (1 + tolerance_of(progress->round));
    double most = measure(water, WATER_UP);
    if (most < progress->best && (most <= enough || progress->round >= ROUNDS_UNJUDGED)) {
        double down = measure(water, WATER_DOWN);
        most = down > most ? down : most;
        if (most < progress->best) {
            progress->best = most;
            save_factors(water, water->best);
        }
    }
    return progress->best <= enough;
}

static void raise_goal(struct waterfill *water, struct progress *progress, const double *before) {
    double proven = water_proven_s(water, before);
    progress->goal = proven > progress->goal ? proven : progress->goal;
}

// Goes far as long as it pays; when it did not, goes back to what was best and never again.
static void go_far(struct waterfill *water, struct progress *progress) {
    double gap = progress->best - progress->goal;
    if (progress->strayed) {
        return;
    }
    progress->strayed = progress->gap > 0 && gap > progress->gap * 0.9;
    progress->gap = gap;
    if (progress->strayed) {
        load_factors(water, water->best);
    } else {
        square_factors(water);
    }
    measure(water, WATER_UP);
}

// Every few rounds: is the goal out of reach?
static void reconsider(struct waterfill *water, struct progress *progress) {
    raise_goal(water, progress, NULL);
    if (progress->round > ROUNDS_EASY) {
        raise_goal(water, progress, water->before);
    }
    if (progress->round % ROUNDS_FAR == ROUNDS_FAR - 1) {
        go_far(water, progress);
    }
    save_factors(water, water->before);
}

static struct pace choose_pace(const struct progress *progress) {
    uint32_t round = progress->round;
    if (round >= ROUNDS_EASY) {
        // Between what is proven and what is reached: one of them will move. Near the one it is
        // the other that moves more, so the place changes.
        double part = round / 256 % 2 == 0 ? 0.1 : 0.3;
        return (struct pace){progress->goal + part * (progress->best - progress->goal), 1.6};
    }
    double below = round < 12 ? 0.02 : round < 24 ? 0.01 : 0.003;
    return (struct pace){progress->goal * (1 - below), round < 12 ? 1.25 : 1.6};
}

// The loads of up links are measured.
static void advance(struct waterfill *water, const struct progress *progress) {
    struct pace pace = choose_pace(progress);
    for (unsigned way = 0; way < 2; way++) {
        for (uint32_t hop = 0; hop < water->hop_count; hop++) {
            if (way == WATER_DOWN || hop > 0) {
                measure(water, way);
            }
            scale_links(water, way, hop, &pace);
        }
    }
}

// Rounds cost time in proportion to pairs and columns; what is dense needs few.
static uint32_t rounds_allowed(const struct waterfill *water) {
    double pairs = 0;
    for (size_t i = 0; i < (size_t)water->row_count * water->row_count; i++) {
        pairs += water->demand[WATER_UP][i] > 0;
    }
    double columns = water->spaces[0].stride + water->spaces[1].stride;
    double rounds = 1e9 / (pairs * columns + 1);
    return rounds < 64 ? 64 : rounds > 2000 ? 2000 : (uint32_t)rounds;
}

void water_solve(struct waterfill *water, struct waterfill_result *result) {
    struct progress progress = {
        .cut = result->goal_s,
        .goal = result->goal_s,
        .best = DBL_MAX,
        .round_max = rounds_allowed(water),
    };
    if (!(progress.cut > 0)) {
        return; // nothing is sent
    }
    while (!judge(water, &progress) && progress.round < progress.round_max) {
        if (progress.round % 8 == 7) {
            reconsider(water, &progress);
        }
        advance(water, &progress);
        progress.round++;
    }
    load_factors(water, water->best);
    result->goal_s = progress.goal;
    result->reached_s = progress.best;
    result->rounds = progress.round;
}
