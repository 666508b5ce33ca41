// SPDX-License-Identifier: Apache-2.0
// A straight line through measurements, and when it reaches a limit. Pure.
//
// Least squares. A forecast is made only where the line explains the measurements and rises beyond
// doubt; it comes with the instants that the confidence intervals (95 %) of its slope and
// its level allow together. The
// caller thins what it measured (means over a while): neighbours in time are alike, and many of
// them look like more evidence than they are.
#ifndef AGENT_CORE_TREND_H
#define AGENT_CORE_TREND_H

#include <stdbool.h>
#include <stdint.h>

#define TREND_POINTS_MIN 20

struct trend {
    double slope;       // per unit of time
    double error;       // of the slope: its standard error
    double level;       // of the line at the last measurement
    double level_error; // likewise
    double explained;   // r squared
};

// False: too few points, or all at one instant. Times rise.
bool trend_fit(const double *times, const double *values, uint32_t count, struct trend *out);

struct forecast {
    double after, earliest, latest; // units of time from the last measurement; latest may be
                                    // HUGE_VAL
};
// False: it is not rising for sure, the line does not fit, it is there already, or it will be more
// than `horizon` until then.
bool trend_forecast(const struct trend *trend, double limit, double horizon, struct forecast *out);

#endif
