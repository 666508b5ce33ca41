// SPDX-License-Identifier: Apache-2.0
// Iterative scaling with inequalities (the entropic projection of Bregman 1967; for equalities
// known as Sinkhorn's or Kruithof's): a link that carries more than the aim allows has its factor
// scaled down, one that has room has its factor let up to 1 again; up links first, then down links
// with what that changed. Three things make it fast:
//
//   * the aim is a little below the goal. A leaf whose uplinks must all be full to reach the goal
//     is approached slowly from the side of inequalities; below the goal it is an equality for all
//     of its links, which scaling meets at once.
//   * steps are longer than the ratio asks for (over-relaxation).
//   * where the goal cannot be reached, the factors' logarithms are prices that prove it (the dual
//     of the linear program); the goal is raised to what they prove.
#include "waterfill_solve.h"

#include <float.h>
#include <string.h>

#if defined(__FAST_MATH__)
#error "plans must be equal on every machine: no -ffast-math"
#endif
_Static_assert(FLT_EVAL_METHOD == 0, "plans must be equal on every machine: no wider arithmetic");

#define TOLERANCE 2e-4
#define FACTOR_MIN 1e-50 // four of them and two squared ratios of rates are still a normal number

// ---- rows of numbers

double water_dot(const double *a, const double *b, uint32_t stride) {
    double lanes[WATER_LANES] = {0};
    for (uint32_t i = 0; i < stride; i += WATER_LANES) {
        for (uint32_t k = 0; k < WATER_LANES; k++) {
            lanes[k] += a[i + k] * b[i + k];
        }
    }
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
           ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

static void add_scaled(double *restrict sum, double scale, const double *restrict row,
                       uint32_t stride) {
    for (uint32_t i = 0; i < stride; i += WATER_LANES) {
        for (uint32_t k = 0; k < WATER_LANES; k++) {
            sum[i + k] += scale * row[i + k];
        }
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

// Column factors from `value` of a cable's factor, and `none` where no cable can be used.
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

#define STEP 1.25

// What a link's factor is multiplied by: about ratio to the power of -STEP between a half and two,
// in proportion beyond.
static double step(double ratio) {
    double near = ratio > 2 ? 2 : ratio < 0.5 ? 0.5 : ratio;
    double power = ((1 + STEP) + (1 - STEP) * near) / ((1 - STEP) + (1 + STEP) * near);
    return power * near / ratio;
}

static double within(double value, double low, double high) {
    return value < low ? low : value > high ? high : value;
}

static void scale_links(struct waterfill *water, enum water_way way, uint32_t hop, double aim) {
    for (uint32_t i = 0; i < water->cable_count; i++) {
        struct water_cable *cable = &water->cables[i];
        if (cable->hop == hop) {
            double factor =
                cable->load[way] > 0
                    ? cable->factor[way] * step(cable->load[way] / (aim * cable->rate[way]))
                    : 1;
            cable->factor[way] = within(factor, FACTOR_MIN, 1);
        }
    }
    water_update_columns(water, way);
}

// Where the solution has no room to move within, factors fall for ever, slower and slower. Squaring
// them all goes on by as much as was gone.
static void square_links(struct waterfill *water) {
    for (uint32_t i = 0; i < water->cable_count; i++) {
        for (unsigned way = 0; way < 2; way++) {
            double factor = water->cables[i].factor[way];
            water->cables[i].factor[way] = within(factor * factor, FACTOR_MIN, 1);
        }
    }
    water_update_columns(water, WATER_UP);
    water_update_columns(water, WATER_DOWN);
}

// ---- the bound that factors prove

// -ln(factor), to about 1e-6: any prices prove a bound, these need only be good.
static double price_of(double factor) {
    uint64_t bits;
    memcpy(&bits, &factor, sizeof bits);
    double exponent = (double)(bits >> 52) - 1023;
    bits = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1023) << 52;
    double mantissa;
    memcpy(&mantissa, &bits, sizeof mantissa);
    double z = (mantissa - 1) / (mantissa + 1), zz = z * z;
    double ln = 2 * z * (1 + zz * (1.0 / 3 + zz * (1.0 / 5 + zz * (1.0 / 7 + zz / 9))));
    double price = -(exponent * 0.6931471805599453 + ln);
    return price > 0 ? price : 0;
}

#define PRICE_NONE 1e100

// Writes prices where the factors of columns are.
static void price_columns(struct waterfill *water, struct water_space *space, enum water_way way) {
    for (uint32_t row = 0; row < water->row_count; row++) {
        const struct water_route *routes = &space->routes[(size_t)row * space->column_count];
        const double *start = &space->start[way][(size_t)row * space->stride];
        double *price = &space->factor[way][(size_t)row * space->stride];
        for (uint32_t i = 0; i < space->stride; i++) {
            price[i] = start[i] > 0 ? 0 : PRICE_NONE;
        }
        for (uint32_t i = 0; i < space->column_count; i++) {
            for (uint32_t hop = 0; hop < water->hop_count && routes[i].cables[hop] != ID_NONE;
                 hop++) {
                price[i] += price_of(water->cables[routes[i].cables[hop]].factor[way]);
            }
        }
    }
}

static double least_sum(const double *a, const double *b, uint32_t stride) {
    double least[WATER_LANES];
    for (uint32_t k = 0; k < WATER_LANES; k++) {
        least[k] = 2 * PRICE_NONE;
    }
    for (uint32_t i = 0; i < stride; i += WATER_LANES) {
        for (uint32_t k = 0; k < WATER_LANES; k++) {
            double sum = a[i + k] + b[i + k];
            least[k] = sum < least[k] ? sum : least[k];
        }
    }
    for (uint32_t k = 1; k < WATER_LANES; k++) {
        least[0] = least[k] < least[0] ? least[k] : least[0];
    }
    return least[0];
}

// What all demands pay at least when each takes its cheapest column.
static double least_cost(struct waterfill *water, struct water_space *space) {
    price_columns(water, space, WATER_UP);
    price_columns(water, space, WATER_DOWN);
    double cost = 0;
    for (uint32_t a = 0; a < water->row_count; a++) {
        const double *demand = &water->demand[WATER_UP][(size_t)a * water->row_count];
        const double *up = &space->factor[WATER_UP][(size_t)a * space->stride];
        for (uint32_t b = 0; b < water->row_count; b++) {
            if (demand[b] > 0 && water_space_joins(water, space, a, b)) {
                const double *down = &space->factor[WATER_DOWN][(size_t)b * space->stride];
                cost += water->count[a] * demand[b] * least_sum(up, down, space->stride);
            }
        }
    }
    return cost;
}

// Weak duality: in time T links take in at most T x rate x price, demands pay at least their
// cheapest columns; so no plan drains faster than the quotient.
static double proven_s(struct waterfill *water) {
    double cost = 0, income = 0;
    for (unsigned which = 0; which < 2; which++) {
        if (water->spaces[which].column_count > 0) {
            cost += least_cost(water, &water->spaces[which]);
        }
    }
    for (uint32_t i = 0; i < water->cable_count; i++) {
        const struct water_cable *cable = &water->cables[i];
        double count = cable->hop == 0 ? water->count[cable->row] : 1;
        income += count * (cable->rate[0] * price_of(cable->factor[0]) +
                           cable->rate[1] * price_of(cable->factor[1]));
    }
    water_update_columns(water, WATER_UP);
    water_update_columns(water, WATER_DOWN);
    return income > 0 ? cost / income : 0;
}

// ---- the rounds

struct progress {
    double goal, best;
    uint32_t round;
};

static void keep_best(struct waterfill *water, double reached, struct progress *progress) {
    progress->best = reached;
    for (uint32_t i = 0; i < water->cable_count; i++) {
        water->best[2 * (size_t)i] = water->cables[i].factor[0];
        water->best[2 * (size_t)i + 1] = water->cables[i].factor[1];
    }
}

static void use_best(struct waterfill *water) {
    for (uint32_t i = 0; i < water->cable_count; i++) {
        water->cables[i].factor[0] = water->best[2 * (size_t)i];
        water->cables[i].factor[1] = water->best[2 * (size_t)i + 1];
    }
    water_update_columns(water, WATER_UP);
    water_update_columns(water, WATER_DOWN);
}

static double aim_below(uint32_t round) {
    return round < 12 ? 0.02 : round < 24 ? 0.01 : round < 48 ? 0.003 : 0.001;
}

// True when the loads are good enough. Leaves the loads of up links measured.
static bool judge(struct waterfill *water, struct progress *progress) {
    double enough = progress->goal * (1 + TOLERANCE);
    double most = measure(water, WATER_UP);
    if (most < progress->best && (most <= enough || progress->round >= 8)) {
        double down = measure(water, WATER_DOWN);
        most = down > most ? down : most;
        if (most < progress->best) {
            keep_best(water, most, progress);
        }
    }
    return progress->best <= enough;
}

static void advance(struct waterfill *water, const struct progress *progress) {
    double aim = progress->goal * (1 - aim_below(progress->round));
    for (uint32_t hop = 0; hop < water->hop_count; hop++) {
        if (hop > 0) {
            measure(water, WATER_UP);
        }
        scale_links(water, WATER_UP, hop, aim);
    }
    for (uint32_t hop = 0; hop < water->hop_count; hop++) {
        measure(water, WATER_DOWN);
        scale_links(water, WATER_DOWN, hop, aim);
    }
}

void water_solve(struct waterfill *water, struct waterfill_result *result) {
    struct progress progress = {.goal = result->goal_s, .best = DBL_MAX};
    const uint32_t rounds_max = 2000;
    while (progress.goal > 0 && !judge(water, &progress) && progress.round < rounds_max) {
        if (progress.round % 8 == 7) {
            double proven = proven_s(water);
            progress.goal = proven > progress.goal ? proven : progress.goal;
        }
        if (progress.round % 64 == 63) {
            square_links(water);
            measure(water, WATER_UP);
        }
        advance(water, &progress);
        progress.round++;
    }
    if (progress.goal > 0) {
        use_best(water);
        result->goal_s = progress.goal;
        result->reached_s = progress.best;
    }
    result->rounds = progress.round;
}
