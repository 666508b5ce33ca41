// SPDX-License-Identifier: Apache-2.0
// How often paths are probed for marks: seldom while nothing hints at congestion, for each probe
// costs the host a wake-up.
#include "congestion.h"

#define SPACING_SHARE 20 // of the interval: between two probes of a path in a trial
#define SPACING_MIN_NS (50 * NS_PER_US)
#define QUIET_PROBES 50 // of a path in a quiet time
// A fabric under load marks a little all the time. That is no reason to probe fast all the time:
// each haste that led to no move doubles the rest after it.
#define FAST_NS (200 * NS_PER_MS)
#define REST_MIN_NS (200 * NS_PER_MS)
#define REST_MAX_NS (10 * NS_PER_S)

uint64_t pace_spacing_ns(const struct ecn_policy *policy) {
    uint64_t spacing = policy->interval_ns / SPACING_SHARE;
    return spacing > SPACING_MIN_NS ? spacing : SPACING_MIN_NS;
}

static enum pace pace_of(const struct congestion_loop *loop, uint64_t now_ns,
                         const struct ecn_policy *policy) {
    if (loop->trial_until_ns >= now_ns) {
        return PACE_TRIAL;
    }
    if (loop->users == 0) {
        return PACE_NONE;
    }
    if (loop->fast_until_ns > now_ns) {
        return PACE_FAST;
    }
    if (loop->away_users > 0) {
        return PACE_WATCHED;
    }
    return policy->idle_interval_ns != 0 ? PACE_IDLE : PACE_NONE;
}

// Flows come home after a time without marks, so there must be probes in it.
static uint64_t watched_interval_ns(const struct ecn_policy *policy) {
    uint64_t interval = policy->quiet_ns / QUIET_PROBES, idle = policy->idle_interval_ns;
    interval = idle != 0 && idle < interval ? idle : interval;
    return interval > policy->interval_ns ? interval : policy->interval_ns;
}

void pace_count(const struct congestion *congestion, uint64_t now_ns,
                const struct ecn_policy *policy, struct paces *out) {
    const uint64_t intervals[PACES] = {[PACE_IDLE] = policy->idle_interval_ns,
                                       [PACE_WATCHED] = watched_interval_ns(policy),
                                       [PACE_FAST] = policy->interval_ns,
                                       [PACE_TRIAL] = pace_spacing_ns(policy)};
    uint32_t counts[PACES] = {0};
    for (uint32_t i = 0; i < congestion->loop_count; i++) {
        counts[pace_of(&congestion->loops[i], now_ns, policy)]++;
    }
    for (unsigned i = 0; i < PACES; i++) {
        uint32_t times = (counts[i] + CONGESTION_BUDGET - 1) / CONGESTION_BUDGET;
        out->period_ns[i] = intervals[i] * (times > 0 && i != PACE_TRIAL ? times : 1);
    }
}

static void open_window(struct congestion_loop *loop, uint64_t now_ns, uint64_t rest_ns) {
    loop->rest_ns = rest_ns;
    loop->fast_until_ns = now_ns + FAST_NS;
    loop->next_at_ns = now_ns;
}

bool pace_hasten(struct congestion_loop *loop, uint64_t now_ns) {
    uint64_t rested_at_ns = loop->fast_until_ns + loop->rest_ns;
    if (now_ns < rested_at_ns) {
        return false;
    }
    bool again = loop->rest_ns != 0 && now_ns - rested_at_ns < loop->rest_ns + FAST_NS;
    uint64_t rest = again ? 2 * loop->rest_ns : REST_MIN_NS;
    open_window(loop, now_ns, rest < REST_MAX_NS ? rest : REST_MAX_NS);
    return true;
}

void pace_watch_closely(struct congestion_loop *loop, uint64_t now_ns) {
    open_window(loop, now_ns, 0);
}

void pace_send_due(struct congestion *congestion, uint64_t now_ns,
                   const struct ecn_policy *policy) {
    struct paces paces;
    pace_count(congestion, now_ns, policy, &paces);
    for (uint32_t i = 0; i < congestion->loop_count; i++) {
        struct congestion_loop *loop = &congestion->loops[i];
        enum pace pace = pace_of(loop, now_ns, policy);
        if (pace == PACE_NONE || loop->next_at_ns > now_ns) {
            continue;
        }
        loop_send(congestion, i, now_ns, policy);
        bool first = loop->next_at_ns == 0 && pace != PACE_TRIAL; // spread over the period
        uint64_t period = paces.period_ns[pace];
        uint64_t step = first ? period * i / congestion->loop_count : period;
        loop->next_at_ns =
            (first || loop->next_at_ns + step <= now_ns ? now_ns : loop->next_at_ns) + step;
    }
}

uint64_t pace_deadline_ns(const struct congestion *congestion, uint64_t now_ns,
                          const struct ecn_policy *policy) {
    uint64_t deadline = NEVER_NS;
    for (uint32_t i = 0; i < congestion->loop_count; i++) {
        const struct congestion_loop *loop = &congestion->loops[i];
        bool active = pace_of(loop, now_ns, policy) != PACE_NONE;
        deadline = active && loop->next_at_ns < deadline ? loop->next_at_ns : deadline;
    }
    for (uint32_t i = 0; congestion->trial_count > 0 && i < congestion->way_count; i++) {
        uint64_t end = congestion->ways[i].trial_to_ns;
        deadline = end != 0 && end < deadline ? end : deadline;
    }
    return deadline;
}
