// SPDX-License-Identifier: Apache-2.0
#include "pathalg/adaptive.h"

#include <assert.h>
#include <string.h>

#define PPM 1000000U
#define TYPICAL_SHIFT 5 // a round counts for 1/32 of the moving average

enum verdict { CALM, NEUTRAL, CONGESTED, BROKEN };

struct adaptive_config adaptive_config_of(uint64_t rtt_ns) {
    return (struct adaptive_config){
        .marked_ppm = 50000,
        .margin_ppm = 70000,
        .patience = 5,
        .residence_ns = 4 * rtt_ns,
        .residence_max_ns = 256 * rtt_ns,
        .calm_ns = 2 * rtt_ns,
        .retire_ns = 100 * rtt_ns,
    };
}

void adaptive_set_init(struct adaptive_set *set, const struct adaptive_config *config,
                       const uint16_t *weights, uint32_t path_count) {
    assert(path_count >= 1 && path_count <= ADAPTIVE_PATHS_MAX);
    *set = (struct adaptive_set){.config = *config, .path_count = path_count};
    memcpy(set->weights, weights, path_count * sizeof weights[0]);
}

void adaptive_init(struct adaptive *qp, const struct adaptive_set *set, uint32_t path,
                   uint64_t now_ns) {
    assert(path < set->path_count);
    *qp = (struct adaptive){
        .state = ADAPTIVE_SETTLING,
        .path = path,
        .since_ns = now_ns,
        .residence_ns = set->config.residence_ns,
    };
}

// ---- what a round says

static uint64_t unmarked(uint32_t marked_ppm) {
    return marked_ppm < PPM ? PPM - marked_ppm : 0;
}

static enum verdict judge(const struct adaptive *qp, const struct adaptive_set *set,
                          const struct adaptive_round *round) {
    if (round->lost || set->weights[qp->path] == 0) {
        return BROKEN;
    }
    uint64_t marked = round->marked_ppm;
    if (marked <= set->config.marked_ppm) {
        return CALM;
    }
    uint64_t bound = unmarked(set->typical_ppm) * (PPM - set->config.margin_ppm) / PPM;
    return unmarked(round->marked_ppm) < bound ? CONGESTED
           : marked < set->typical_ppm         ? CALM
                                               : NEUTRAL;
}

static void remember_calm(struct adaptive_set *set, uint32_t path, uint64_t now_ns) {
    if (set->calm_count == ADAPTIVE_CALM_MAX) {
        set->calm_count--;
        memmove(&set->calm_paths[0], &set->calm_paths[1],
                set->calm_count * sizeof set->calm_paths[0]);
        memmove(&set->calm_at_ns[0], &set->calm_at_ns[1],
                set->calm_count * sizeof set->calm_at_ns[0]);
    }
    set->calm_paths[set->calm_count] = (uint16_t)path;
    set->calm_at_ns[set->calm_count++] = now_ns;
}

static void forget_calm(struct adaptive_set *set, uint32_t path) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < set->calm_count; i++) {
        if (set->calm_paths[i] != path) {
            set->calm_paths[kept] = set->calm_paths[i];
            set->calm_at_ns[kept++] = set->calm_at_ns[i];
        }
    }
    set->calm_count = kept;
}

static void learn(struct adaptive_set *set, uint32_t path, enum verdict verdict,
                  const struct adaptive_round *round) {
    if (verdict != BROKEN) {
        int64_t error = (int64_t)round->marked_ppm - (int64_t)set->typical_ppm;
        int64_t step = error / (1 << TYPICAL_SHIFT);
        set->typical_ppm = (uint32_t)((int64_t)set->typical_ppm + step);
    }
    if (verdict == CALM) {
        remember_calm(set, path, round->now_ns);
    } else if (verdict == CONGESTED || verdict == BROKEN) {
        forget_calm(set, path);
    }
    if (round->lost) {
        set->retired_until_ns[path] = round->now_ns + set->config.retire_ns;
    }
}

// ---- where to go

static bool is_open(const struct adaptive_set *set, uint32_t path, uint64_t now_ns) {
    return set->weights[path] > 0 && now_ns >= set->retired_until_ns[path];
}

// Takes the newest observation of a calm path other than the own one.
static bool take_calm(struct adaptive_set *set, uint32_t own, uint64_t now_ns, uint32_t *path) {
    for (uint32_t i = set->calm_count; i > 0; i--) {
        uint32_t found = set->calm_paths[i - 1];
        bool fresh = now_ns - set->calm_at_ns[i - 1] <= set->config.calm_ns;
        if (fresh && found != own && is_open(set, found, now_ns)) {
            uint32_t rest = set->calm_count - i;
            memmove(&set->calm_paths[i - 1], &set->calm_paths[i], rest * sizeof set->calm_paths[0]);
            memmove(&set->calm_at_ns[i - 1], &set->calm_at_ns[i], rest * sizeof set->calm_at_ns[0]);
            set->calm_count--;
            *path = found;
            return true;
        }
    }
    return false;
}

// In proportion to the weights of the other paths; retired ones only when asked for.
static bool draw(const struct adaptive_set *set, uint32_t own, uint64_t now_ns, bool retired_too,
                 struct rng *rng, uint32_t *path) {
    uint64_t sum = 0;
    uint64_t weights[ADAPTIVE_PATHS_MAX];
    for (uint32_t i = 0; i < set->path_count; i++) {
        bool wanted = i != own && (retired_too || is_open(set, i, now_ns));
        weights[i] = wanted ? set->weights[i] : 0;
        sum += weights[i];
    }
    if (sum == 0) {
        return false;
    }
    uint64_t left = rng_below(rng, sum);
    uint32_t at = 0;
    while (left >= weights[at]) {
        left -= weights[at++];
    }
    *path = at;
    return true;
}

static bool choose(struct adaptive_set *set, uint32_t own, uint64_t now_ns, struct rng *rng,
                   uint32_t *path) {
    return take_calm(set, own, now_ns, path) || draw(set, own, now_ns, false, rng, path) ||
           (set->weights[own] == 0 && draw(set, own, now_ns, true, rng, path));
}

// ---- steps

static bool move(struct adaptive *qp, struct adaptive_set *set, uint64_t now_ns, struct rng *rng) {
    uint32_t path = qp->path;
    if (!choose(set, qp->path, now_ns, rng, &path)) {
        return false;
    }
    uint64_t doubled = 2 * qp->residence_ns;
    *qp = (struct adaptive){
        .state = ADAPTIVE_SETTLING,
        .path = path,
        .since_ns = now_ns,
        .residence_ns =
            doubled < set->config.residence_max_ns ? doubled : set->config.residence_max_ns,
    };
    return true;
}

// Only as many leave as are too many: where a link marks what exceeds its capacity, the unmarked
// share is capacity / load.
static bool dice_say_move(const struct adaptive_set *set, const struct adaptive_round *round,
                          struct rng *rng) {
    uint64_t typical = unmarked(set->typical_ppm);
    return typical > 0 && rng_below(rng, typical) >= unmarked(round->marked_ppm);
}

// The residence halves each time that the QP has stayed four times as long.
static void relax(struct adaptive *qp, const struct adaptive_set *set, uint64_t now_ns) {
    if (qp->residence_ns > set->config.residence_ns &&
        now_ns - qp->since_ns >= 4 * qp->residence_ns) {
        qp->residence_ns /= 2;
        qp->since_ns = now_ns;
    }
}

static enum adaptive_state next_state(const struct adaptive *qp, enum verdict verdict,
                                      uint64_t now_ns) {
    switch (qp->state) {
    case ADAPTIVE_SETTLING:
        return now_ns - qp->since_ns >= qp->residence_ns ? ADAPTIVE_STEADY : ADAPTIVE_SETTLING;
    case ADAPTIVE_STEADY:
    case ADAPTIVE_RESTLESS:
        return verdict == CONGESTED ? ADAPTIVE_RESTLESS : ADAPTIVE_STEADY;
    }
    return qp->state;
}

bool adaptive_step(struct adaptive *qp, struct adaptive_set *set,
                   const struct adaptive_round *round, struct rng *rng) {
    enum verdict verdict = judge(qp, set, round);
    learn(set, qp->path, verdict, round);
    if (verdict == BROKEN) {
        return move(qp, set, round->now_ns, rng);
    }
    qp->state = next_state(qp, verdict, round->now_ns);
    if (qp->state != ADAPTIVE_RESTLESS) {
        qp->congested_rounds = 0;
        relax(qp, set, round->now_ns);
        return false;
    }
    qp->congested_rounds++;
    return qp->congested_rounds >= set->config.patience && dice_say_move(set, round, rng) &&
           move(qp, set, round->now_ns, rng);
}
