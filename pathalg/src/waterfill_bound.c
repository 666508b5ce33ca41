// SPDX-License-Identifier: Apache-2.0
// What the factors prove (weak duality): let links have prices. In time T links can take in at most
// T x rate x price, summed up; demands pay at least what their cheapest columns cost. So no plan
// drains faster than cost / income. Any prices prove something; the logarithms of factors that
// scaling drives down prove how far the goal is out of reach.
#include <string.h>

#include "waterfill_solve.h"

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
                price[i] += water->cables[routes[i].cables[hop]].price[way];
            }
        }
    }
}

static double least_sum(const double *a, const double *b, uint32_t stride) {
    double least[WATER_LANES];
    for (size_t k = 0; k < WATER_LANES; k++) {
        least[k] = 2 * PRICE_NONE;
    }
    for (size_t i = 0; i < stride; i += WATER_LANES) {
        for (size_t k = 0; k < WATER_LANES; k++) {
            double sum = a[i + k] + b[i + k];
            least[k] = sum < least[k] ? sum : least[k];
        }
    }
    for (size_t k = 1; k < WATER_LANES; k++) {
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

// Of the factors, or of how they fell since `before`; what rose has no price.
static void price_links(struct waterfill *water, const double *before) {
    for (uint32_t i = 0; i < water->cable_count; i++) {
        struct water_cable *cable = &water->cables[i];
        for (unsigned way = 0; way < 2; way++) {
            double price = price_of(cable->factor[way]);
            price -= before != NULL ? price_of(before[2 * (size_t)i + way]) : 0;
            cable->price[way] = price > 0 ? price : 0;
        }
    }
}

double water_proven_s(struct waterfill *water, const double *before) {
    double cost = 0, income = 0;
    price_links(water, before);
    for (unsigned which = 0; which < 2; which++) {
        if (water->spaces[which].column_count > 0) {
            cost += least_cost(water, &water->spaces[which]);
        }
    }
    for (uint32_t i = 0; i < water->cable_count; i++) {
        const struct water_cable *cable = &water->cables[i];
        double count = cable->hop == 0 ? water->count[cable->row] : 1;
        income += count * (cable->rate[0] * cable->price[0] + cable->rate[1] * cable->price[1]);
    }
    water_update_columns(water, WATER_UP);
    water_update_columns(water, WATER_DOWN);
    return income > 0 ? cost / income : 0;
}
