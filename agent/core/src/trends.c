// SPDX-License-Identifier: Apache-2.0
// Once a second: what this host knows of links goes into their history; now and then: which of them
// will soon be full. Forecasts are for people; no route depends on them.
//
// What can be foreseen from one host: that its own sends fill its own uplink, and that probes over
// a link are marked more and more often. The load that others put on a link is not known here.
#include <stdio.h>

#include "model/time.h"
#include "state.h"
#include "trend.h"

#define LOOK_NS (30 * NS_PER_S)
#define BIN_S 10
#define BINS 60     // ten minutes
#define BINS_MIN 30 // with a measurement
#define HORIZON_S 3600.0
#define FULL_SHARE 0.95
#define SAY_AGAIN_NS (600 * NS_PER_S)
#define BITS_PER_KBIT 1000.0

void trends_count(struct engine *engine, const struct path *path, uint64_t bytes) {
    for (unsigned i = 0; i < path->link_count; i++) {
        history_count(&engine->history, engine->now_ns, path->links[i], bytes);
    }
}

// Own uplinks first: places are few.
static void note_use(struct engine *engine) {
    const struct plan *plan = &engine->router.plan;
    for (uint32_t i = 0; i < engine->own_port_count && plan->flow_count > 0; i++) {
        link_id up = link_of(engine->fabric->ports[engine->own_ports[i].i].cable, false);
        up = fabric_link_from(engine->fabric, up).i == engine->self.i ? up : link_opposite(up);
        history_count(&engine->history, engine->now_ns, up, 0);
    }
    for (uint32_t f = 0; f < plan->flow_count; f++) {
        for (uint32_t p = 0; p < plan->flows[f].part_count; p++) {
            const struct steer_part *part = &engine->router.parts[plan->flows[f].first_part + p];
            if (part->choice != PART_PLAIN) {
                trends_count(engine, &part->path, 0);
            }
        }
    }
}

static void put(struct engine *engine, link_id link) {
    const struct probed_link *probed = &engine->prober.links[link.i];
    struct history_reading reading = {.sent = probed->sent,
                                      .lost = probed->lost,
                                      .rtt_ns = probed->rtt_ns};
    reading.marks_known =
        congestion_link_ppm(&engine->congestion, link, engine->now_ns, &reading.marked_ppm);
    history_put(&engine->history, engine->now_ns, link, &reading);
}

// ---- forecasts

struct bins {
    double times[BINS], rates[BINS], marks[BINS]; // seconds, kbit/s, shares
    double rate_times[BINS];
    uint32_t count, rate_count;
};

static void collect(const struct engine *engine, const struct history_series *series,
                    struct bins *out) {
    out->count = out->rate_count = 0;
    for (uint32_t i = 0; i < BINS; i++) {
        uint64_t ago_s = (uint64_t)(BINS - i) * BIN_S;
        struct history_sample bin = history_at(series, engine->now_ns, ago_s, BIN_S);
        if ((bin.known & HISTORY_MARKED) != 0) {
            out->times[out->count] = -(double)ago_s;
            out->marks[out->count++] = bin.marked / (double)UINT16_MAX;
        }
        if ((bin.known & HISTORY_RATE) != 0) {
            out->rate_times[out->rate_count] = -(double)ago_s;
            out->rates[out->rate_count++] = bin.rate_kbps;
        }
    }
}

static uint64_t to_ns(double seconds) {
    return seconds < HORIZON_S * 1000 ? (uint64_t)(seconds * (double)NS_PER_S) : NEVER_NS;
}

static bool foresee(const double *times, const double *values, uint32_t count, double limit,
                    double whole, struct engine_forecast *out) {
    struct trend trend;
    struct forecast forecast;
    if (count < BINS_MIN || !trend_fit(times, values, count, &trend) ||
        !trend_forecast(&trend, limit, HORIZON_S, &forecast)) {
        return false;
    }
    out->share = trend.level / whole;
    out->in_ns = to_ns(forecast.after);
    out->earliest_ns = to_ns(forecast.earliest);
    out->latest_ns = to_ns(forecast.latest);
    return true;
}

bool engine_forecast(const struct engine *engine, link_id link, struct engine_forecast *out) {
    const struct history_series *series = history_find(&engine->history, link);
    const struct ecn_policy *ecn = &engine->config.ecn;
    struct engine_forecast found = {.kind = FORECAST_RATE};
    struct bins bins;
    bool rising = false;
    if (series == NULL) {
        return false;
    }
    collect(engine, series, &bins);
    if (fabric_link_from(engine->fabric, link).i == engine->self.i) {
        double rate = (double)belief_rate_bps(engine->fabric, &engine->beliefs[link.i], link);
        double whole = rate / BITS_PER_KBIT;
        rising = rate > 0 && foresee(bins.rate_times, bins.rates, bins.rate_count,
                                     FULL_SHARE * whole, whole, &found);
    }
    if (!rising && ecn->interval_ns != 0) {
        found.kind = FORECAST_MARKS;
        rising =
            foresee(bins.times, bins.marks, bins.count, ecn->threshold_percent / 100.0, 1, &found);
    }
    if (rising) {
        *out = found;
    }
    return rising;
}

static void warn(struct engine *engine, struct history_series *series) {
    char name[LINK_NAME_SIZE], latest[32] = "";
    bool said = series->warned_at_ns != 0 && engine->now_ns - series->warned_at_ns < SAY_AGAIN_NS;
    series->filling = engine_forecast(engine, series->link, &series->forecast);
    if (said || !series->filling) {
        return;
    }
    const struct engine_forecast found = series->forecast;
    series->warned_at_ns = engine->now_ns;
    fabric_format_link(engine->fabric, series->link, name);
    uint64_t minute = 60 * NS_PER_S;
    if (found.latest_ns != NEVER_NS) {
        snprintf(latest, sizeof latest, " to %llu",
                 (unsigned long long)((found.latest_ns + minute - 1) / minute));
    }
    engine_note(engine, NOTE_WARNING, "link_saturating", name,
                found.kind == FORECAST_RATE
                    ? "own sends are %.0f %% of its rate and grow: full in about %llu min (%llu%s)"
                    : "%.0f %% of the probes over it are marked, and more and more: flows leave it "
                      "in about %llu min (%llu%s)",
                found.share * 100, (unsigned long long)((found.in_ns + minute / 2) / minute),
                (unsigned long long)(found.earliest_ns / minute), latest);
}

void trends_work(struct engine *engine) {
    struct history *history = &engine->history;
    if (history->series_max == 0) {
        return;
    }
    note_use(engine);
    for (uint32_t i = 0; i < history->link_count; i++) {
        const struct history_series *series = history_find(history, (link_id){i});
        if (engine->prober.links[i].monitored || (series != NULL && series->used)) {
            put(engine, (link_id){i});
        }
    }
    if (engine->now_ns < engine->forecast_at_ns) {
        return;
    }
    engine->forecast_at_ns = engine->now_ns + LOOK_NS;
    for (uint32_t i = 0; i < history->series_count; i++) {
        warn(engine, history->series[i]);
    }
}

// ---- accessors

uint32_t engine_history_count(const struct engine *engine) {
    return engine->history.series_count;
}

link_id engine_history_link(const struct engine *engine, uint32_t index) {
    return engine->history.series[index]->link;
}

bool engine_last_forecast(const struct engine *engine, uint32_t index,
                          struct engine_forecast *out) {
    const struct history_series *series = engine->history.series[index];
    if (series->filling) {
        *out = series->forecast;
    }
    return series->filling;
}

uint64_t engine_history_size(const struct engine *engine, uint64_t *omitted) {
    *omitted = engine->history.omitted;
    return history_size(&engine->history);
}

bool engine_history_at(const struct engine *engine, link_id link, uint64_t ago_ns, uint64_t step_ns,
                       struct engine_history_point *out) {
    const struct history_series *series = history_find(&engine->history, link);
    if (series == NULL) {
        return false;
    }
    struct history_sample fold =
        history_at(series, engine->now_ns, ago_ns / NS_PER_S, step_ns / NS_PER_S);
    *out = (struct engine_history_point){.rate_known = (fold.known & HISTORY_RATE) != 0,
                                         .rtt_known = (fold.known & HISTORY_RTT) != 0,
                                         .marks_known = (fold.known & HISTORY_MARKED) != 0,
                                         .rate_bps = fold.rate_kbps * UINT64_C(1000),
                                         .rtt_ns = fold.rtt_ns,
                                         .sent = fold.sent,
                                         .lost = fold.lost,
                                         .marked_ppm = (uint32_t)(fold.marked * UINT64_C(1000000) /
                                                                  UINT16_MAX)};
    return true;
}
