// SPDX-License-Identifier: Apache-2.0
// history: what this host saw of links over time, and which will soon be full; how fast the ranks
// of a job send.
#include <string.h>

#include "agent.h"
#include "model/time.h"

#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define POINTS_DEFAULT 120
#define POINTS_MAX 3600
#define SINCE_DEFAULT_NS (600 * NS_PER_S)
#define SINCE_MAX_NS (86400 * NS_PER_S)
#define HOUR_NS (3600 * NS_PER_S)
#define NOW_NS (10 * NS_PER_S) // what is "now" in the list of all links

static json_t *integer(uint64_t value) {
    return json_integer((json_int_t)value);
}

static json_t *known_integer(bool known, uint64_t value) {
    return known ? integer(value) : json_null();
}

static void set_point(json_t *object, const struct engine_history_point *point) {
    json_object_set_new(object, "rate_bps", known_integer(point->rate_known, point->rate_bps));
    json_object_set_new(object, "rtt_ns", known_integer(point->rtt_known, point->rtt_ns));
    json_object_set_new(object, "probes_sent", integer(point->sent));
    json_object_set_new(object, "probes_lost", integer(point->lost));
    uint64_t loss = point->sent > 0 ? point->lost * UINT64_C(1000000) / point->sent : 0;
    json_object_set_new(object, "loss_ppm", known_integer(point->sent > 0, loss));
    json_object_set_new(object, "ecn_ppm", known_integer(point->marks_known, point->marked_ppm));
}

static json_t *forecast_json(const struct agent *agent, link_id link) {
    struct engine_forecast forecast;
    if (!engine_forecast(agent->engine, link, &forecast)) {
        return json_null();
    }
    return json_pack("{s:s, s:f, s:o, s:o, s:o}", "of",
                     forecast.kind == FORECAST_RATE ? "rate" : "ecn", "share", forecast.share,
                     "full_in_ns", integer(forecast.in_ns), "earliest_ns",
                     integer(forecast.earliest_ns), "latest_ns",
                     known_integer(forecast.latest_ns != NEVER_NS, forecast.latest_ns));
}

// The shortest usual step with which so many points suffice.
static uint64_t choose_step(uint64_t since_ns, uint64_t points) {
    static const uint64_t steps[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600};
    size_t i = since_ns > HOUR_NS ? 6 : 0; // older than an hour there are minutes only
    while (i + 1 < sizeof steps / sizeof steps[0] && since_ns / (steps[i] * NS_PER_S) > points) {
        i++;
    }
    return steps[i] * NS_PER_S;
}

static json_t *link_json(const struct agent *agent, link_id link, uint64_t since_ns,
                         uint64_t points) {
    uint64_t step_ns = choose_step(since_ns, points);
    json_t *list = json_array();
    for (uint64_t ago_ns = since_ns / step_ns * step_ns; ago_ns >= step_ns; ago_ns -= step_ns) {
        struct engine_history_point point;
        if (engine_history_at(agent->engine, link, ago_ns, step_ns, &point)) {
            json_t *one = json_pack("{s:o}", "ago_ns", integer(ago_ns));
            set_point(one, &point);
            json_array_append_new(list, one);
        }
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "link",
                     link_name_json(engine_fabric(agent->engine), link), "step_ns",
                     integer(step_ns), "forecast", forecast_json(agent, link), "points", list);
}

// Both directions of a cable, or those cables, of which there is a history.
static json_t *named_json(const struct agent *agent, const char *name, uint64_t since_ns,
                          uint64_t points, struct control_refusal *refusal) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    struct engine_history_point any;
    link_id link;
    cable_id first = {0};
    uint32_t count = 0;
    json_t *list = json_array();
    if (fabric_find_link(fabric, name, &link)) {
        json_array_append_new(list, link_json(agent, link, since_ns, points));
    } else if (!fabric_find_cables(fabric, name, &first, &count)) {
        json_decref(list);
        return refuse(refusal, EXIT_FAILED, "no link %.80s in this fabric", name);
    }
    for (uint32_t i = 0; i < 2 * count; i++) {
        link = link_of((cable_id){first.i + i / 2}, i % 2 != 0);
        if (engine_history_at(agent->engine, link, NS_PER_S, NS_PER_S, &any)) {
            json_array_append_new(list, link_json(agent, link, since_ns, points));
        }
    }
    return list;
}

static json_t *summary_json(const struct agent *agent, link_id link, uint64_t since_ns) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    struct engine_history_point now, mean;
    struct engine_link state;
    json_t *one = json_pack("{s:o}", "link", link_name_json(fabric, link));
    engine_link_at(agent->engine, link, &state);
    if (engine_history_at(agent->engine, link, NOW_NS, NOW_NS, &now) &&
        engine_history_at(agent->engine, link, since_ns, since_ns, &mean)) {
        set_point(one, &now);
        json_t *object = json_object();
        set_point(object, &mean);
        json_object_set_new(one, "mean", object);
    }
    json_object_set_new(one, "capacity_bps", integer(belief_rate_bps(fabric, &state.belief, link)));
    json_object_set_new(one, "forecast", forecast_json(agent, link));
    return one;
}

static bool number_of(json_t *arguments, const char *key, uint64_t fallback, uint64_t max,
                      uint64_t *out) {
    json_t *value = json_object_get(arguments, key);
    *out = fallback;
    if (value == NULL) {
        return true;
    }
    json_int_t number = json_integer_value(value);
    *out = number > 0 ? (uint64_t)number : 0;
    return json_is_integer(value) && number > 0 && (uint64_t)number <= max;
}

json_t *view_history(struct agent *agent, json_t *arguments, struct control_refusal *refusal) {
    json_t *link = json_object_get(arguments, "link");
    uint64_t since_ns, points, omitted;
    if (!number_of(arguments, "since_ns", SINCE_DEFAULT_NS, SINCE_MAX_NS, &since_ns) ||
        !number_of(arguments, "points", POINTS_DEFAULT, POINTS_MAX, &points)) {
        return refuse(refusal, EXIT_USAGE, "history: a time up to a day and up to %d points",
                      POINTS_MAX);
    }
    since_ns = since_ns < NOW_NS ? NOW_NS : since_ns;
    if (json_is_string(link)) {
        json_t *list = named_json(agent, json_string_value(link), since_ns, points, refusal);
        return list != NULL ? json_pack("{s:o}", "links", list) : NULL;
    }
    json_t *list = json_array();
    for (uint32_t i = 0; i < engine_history_count(agent->engine); i++) {
        json_array_append_new(list,
                              summary_json(agent, engine_history_link(agent->engine, i), since_ns));
    }
    uint64_t size = engine_history_size(agent->engine, &omitted);
    return json_pack("{s:o, s:o, s:o, s:b}", "series", list, "since_ns", integer(since_ns),
                     "memory_bytes", integer(size), "omitted", omitted > 0);
}

// ---- ranks

json_t *pace_json(const struct agent *agent, uint32_t job) {
    struct engine_pace pace;
    engine_pace_at(agent->engine, job, &pace);
    if (pace.measured == 0) {
        return json_null();
    }
    json_t *slow = json_array();
    for (uint32_t i = 0; i < pace.slow_count && i < ENGINE_SLOW_MAX; i++) {
        char port[NAME_SIZE + 4];
        fabric_format_port(engine_fabric(agent->engine), pace.slow[i].port, port);
        json_array_append_new(slow,
                              json_pack("{s:o, s:s, s:o, s:o}", "rank", integer(pace.slow[i].rank),
                                        "port", port, "pace_bps", integer(pace.slow[i].pace_bps),
                                        "for_ns", integer(pace.slow[i].for_ns)));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "ranks_measured", integer(pace.measured), "median_bps",
                     integer(pace.median_bps), "slow_count", integer(pace.slow_count), "slow",
                     slow);
}
