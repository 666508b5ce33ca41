// SPDX-License-Identifier: Apache-2.0
#include "trend.h"

#include <math.h>

#define EXPLAINED_MIN 0.6
#define STUDENT                                                                                    \
    2.1 // quantile 97.5 % of Student's distribution with 18 degrees of freedom, the least

bool trend_fit(const double *times, const double *values, uint32_t count, struct trend *out) {
    double time = 0, value = 0, tt = 0, tv = 0, vv = 0;
    if (count < TREND_POINTS_MIN) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        time += times[i] / count;
        value += values[i] / count;
    }
    for (uint32_t i = 0; i < count; i++) {
        tt += (times[i] - time) * (times[i] - time);
        tv += (times[i] - time) * (values[i] - value);
        vv += (values[i] - value) * (values[i] - value);
    }
    if (!(tt > 0)) {
        return false;
    }
    double slope = tv / tt;
    double rest = vv - slope * tv; // squares that the line does not explain
    rest = rest > 0 ? rest : 0;
    double variance = rest / (count - 2), tail = times[count - 1] - time;
    *out = (struct trend){.slope = slope,
                          .error = sqrt(variance / tt),
                          .level = value + slope * tail,
                          .level_error = sqrt(variance * (1.0 / count + tail * tail / tt)),
                          .explained = vv > 0 ? 1 - rest / vv : 0};
    return true;
}

bool trend_forecast(const struct trend *trend, double limit, double horizon, struct forecast *out) {
    double slowest = trend->slope - STUDENT * trend->error;
    double fastest = trend->slope + STUDENT * trend->error;
    double way = limit - trend->level, doubt = STUDENT * trend->level_error;
    double least = way > doubt ? way - doubt : 0;
    if (!(slowest > 0) || trend->explained < EXPLAINED_MIN || way <= 0 ||
        way / trend->slope > horizon) {
        return false;
    }
    *out = (struct forecast){way / trend->slope, least / fastest, (way + doubt) / slowest};
    return true;
}
