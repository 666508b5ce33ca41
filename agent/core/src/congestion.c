// SPDX-License-Identifier: Apache-2.0
// Which ways leave their homes, and when they return. The state graph is drawn in congestion.h.
#include "congestion.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"

#define TRIAL_PATIENCE 4 // times its length until a trial without enough answers is given up
// Trials that lead nowhere come less and less often: so often at least when there was nowhere to
// go, and when the path turned out not to be hot.
#define WAIT_MAX_NS NS_PER_S
#define WAIT_COOL_MAX_NS (200 * NS_PER_MS)
// Where flows get CNPs all the time, for marks where no path of theirs can help (on the way into a
// host that many send to), trials begin seldom: of one way, and of all.
#define CNP_WAIT_MIN_NS (20 * NS_PER_MS)
#define CNP_WAIT_MAX_NS (10 * NS_PER_S)
#define CNP_TRIAL_GAP_NS (50 * NS_PER_MS)    // between two in the long run
#define CNP_TRIALS 16                        // at once
#define FRESH_PERIODS (4 * CONGESTION_BACKS) // without an answer: nothing is known of a way back

int congestion_init(struct congestion *congestion, const struct fabric *fabric, uint64_t seed) {
    *congestion = (struct congestion){.fabric = fabric,
                                      .seed = seed,
                                      .head_token = CONGESTION_TOKEN,
                                      .next_token = CONGESTION_TOKEN,
                                      .deadline_ns = NEVER_NS};
    congestion->down = calloc(fabric_link_count(fabric), sizeof *congestion->down);
    congestion->avoid = calloc(fabric_link_count(fabric), sizeof *congestion->avoid);
    congestion->outstanding = calloc(CONGESTION_OUTSTANDING, sizeof *congestion->outstanding);
    if (congestion->down == NULL || congestion->avoid == NULL || congestion->outstanding == NULL ||
        walk_finder_init(&congestion->finder, fabric) != 0) {
        congestion_fini(congestion);
        return -ENOMEM;
    }
    return 0;
}

void congestion_fini(struct congestion *congestion) {
    walk_finder_fini(&congestion->finder);
    free(congestion->down);
    free(congestion->avoid);
    free(congestion->ways);
    free(congestion->loops);
    free(congestion->outstanding);
    free(congestion->out);
    *congestion = (struct congestion){0};
}

void congestion_begin(struct congestion *congestion) {
    congestion->out_count = 0;
}

// ---- times

static uint64_t trial_length_ns(const struct ecn_policy *policy) {
    return pace_spacing_ns(policy) * policy->probes;
}

static uint64_t draw(const struct congestion *congestion, struct congestion_way *way,
                     uint64_t bound) {
    uint64_t salt = hash_pair(hash_pair(way->src.i, way->dst.i), way->loops[0]);
    return hash_pair(congestion->seed ^ salt, way->draws++) % (bound + 1);
}

// ---- ways

static uint32_t loop_in_use(const struct congestion_way *way) {
    return way->loops[way->away ? 1 : 0];
}

// ---- moves

static bool may_move(const struct congestion *congestion, const struct congestion_way *way,
                     uint64_t now_ns) {
    uint64_t oldest = congestion->ways[way->pair].moved_at_ns[0];
    return oldest == 0 || now_ns - oldest >= CONGESTION_MOVES_SPAN_NS;
}

// It returns only when it could leave again at once: home may be hot as soon as flows are back.
static bool may_return(const struct congestion *congestion, const struct congestion_way *way,
                       uint64_t now_ns) {
    uint64_t latest = congestion->ways[way->pair].moved_at_ns[CONGESTION_MOVES_MAX - 1];
    uint64_t drawn_ns = way->quiet_ns - way->hold_ns; // else those that left together return so
    return latest == 0 || now_ns - latest >= CONGESTION_MOVES_SPAN_NS + drawn_ns;
}

static void find_cause(const struct congestion *congestion, struct congestion_way *way,
                       uint64_t now_ns) {
    way->cause = way->home.links[1];
    way->causes = 0;
    way->cause_ppm = 0;
    for (unsigned i = 1; i + 1U < way->home.link_count; i++) {
        uint32_t ppm = 0;
        bool known = congestion_link_ppm(congestion, way->home.links[i], now_ns, &ppm);
        if (known && ppm > way->cause_ppm) {
            way->cause = way->home.links[i];
            way->causes = 0;
            way->cause_ppm = ppm;
        }
        if (known && ppm == way->cause_ppm) {
            way->causes |= (uint8_t)(1U << i);
        }
    }
}

// The one place where a way changes sides.
static void move(struct congestion *congestion, struct congestion_way *way, uint64_t now_ns,
                 const struct ecn_policy *policy) {
    uint64_t *moved = congestion->ways[way->pair].moved_at_ns;
    memmove(moved, moved + 1, (CONGESTION_MOVES_MAX - 1) * sizeof *moved);
    moved[CONGESTION_MOVES_MAX - 1] = now_ns;
    congestion->moves++;
    way->cnp_wait_ns = way->cnp_wait_until_ns = 0;
    way->away = !way->away;
    if (way->away) {
        bool again = way->home_at_ns != 0 && now_ns - way->home_at_ns < policy->quiet_max_ns;
        uint64_t doubled = 2 * way->hold_ns;
        way->hold_ns = again ? doubled : policy->quiet_ns;
        way->hold_ns = way->hold_ns < policy->quiet_max_ns ? way->hold_ns : policy->quiet_max_ns;
        way->quiet_ns = way->hold_ns + draw(congestion, way, way->hold_ns / 2);
        way->left_at_ns = now_ns;
        find_cause(congestion, way, now_ns);
    } else {
        way->home_at_ns = now_ns;
    }
    congestion_count_users(congestion);
    pace_watch_closely(&congestion->loops[loop_in_use(way)], now_ns);
}

void congestion_send_home(struct congestion *congestion, uint32_t index, uint64_t now_ns) {
    struct congestion_way *way = &congestion->ways[index];
    if (way->away) {
        way->away = false;
        way->home_at_ns = now_ns;
        way->wait_until_ns = now_ns + WAIT_MAX_NS;
        congestion_count_users(congestion);
    }
}

// ---- trials

struct tally {
    uint32_t answered[CONGESTION_BACKS], marked[CONGESTION_BACKS];
    uint32_t answered_all, lost_all;
    uint64_t last_sent_at_ns;
    bool last_marked;
};

static void tally_loop(const struct congestion_loop *loop, uint64_t from_ns, struct tally *out) {
    *out = (struct tally){0};
    uint32_t kept =
        loop->sample_count < CONGESTION_SAMPLES ? loop->sample_count : CONGESTION_SAMPLES;
    for (uint32_t i = 0; i < kept; i++) {
        const struct ce_sample *sample = &loop->samples[i];
        if (sample->sent_at_ns < from_ns) {
            continue;
        }
        if (sample->outcome == CE_LOST) {
            out->lost_all++;
            continue;
        }
        bool marked = sample->outcome == CE_MARKED;
        out->answered_all++;
        out->answered[sample->back]++;
        out->marked[sample->back] += marked;
        if (sample->sent_at_ns >= out->last_sent_at_ns) {
            out->last_sent_at_ns = sample->sent_at_ns;
            out->last_marked = marked;
        }
    }
}

// Over each way back that answered, `percent` of the probes or more came back marked.
static bool marked_by_all(const struct tally *tally, uint32_t percent) {
    bool marked = tally->answered_all > 0;
    for (unsigned back = 0; back < CONGESTION_BACKS; back++) {
        marked = marked && 100 * tally->marked[back] >= percent * tally->answered[back];
    }
    return marked;
}

static uint32_t marked_of_all(const struct tally *tally) {
    uint32_t marked = 0;
    for (unsigned back = 0; back < CONGESTION_BACKS; back++) {
        marked += tally->marked[back];
    }
    return marked;
}

// Nothing was lost, and over one way back at least hardly any came back marked: those that did over
// the other met the marks there.
static bool is_cool(const struct tally *tally, const struct ecn_policy *policy) {
    bool cool = false;
    for (unsigned back = 0; back < CONGESTION_BACKS; back++) {
        cool = cool ||
               (2 * CONGESTION_BACKS * tally->answered[back] >= policy->probes &&
                2 * 100 * tally->marked[back] < policy->threshold_percent * tally->answered[back]);
    }
    return cool && tally->lost_all == 0;
}

static void begin_trial(struct congestion *congestion, struct congestion_way *way, uint64_t from_ns,
                        uint64_t now_ns, const struct ecn_policy *policy) {
    uint64_t length = trial_length_ns(policy);
    way->trial_from_ns = from_ns;
    way->trial_to_ns = now_ns + length + draw(congestion, way, policy->interval_ns);
    way->by_cnp = false;
    congestion->trial_count++;
    for (unsigned i = 0; i < 2; i++) {
        struct congestion_loop *loop = &congestion->loops[way->loops[i]];
        if (loop->trial_until_ns < now_ns) {
            loop->next_at_ns = now_ns;
        }
        loop->trial_until_ns =
            way->trial_to_ns > loop->trial_until_ns ? way->trial_to_ns : loop->trial_until_ns;
    }
}

// The next wait after a trial that led nowhere; a trial long after the last one begins anew.
static uint64_t longer_wait_ns(const struct congestion_way *way, uint64_t most_ns,
                               const struct ecn_policy *policy) {
    bool again = way->wait_ns != 0 && way->trial_from_ns < way->wait_until_ns + WAIT_MAX_NS;
    uint64_t wait = again ? 2 * way->wait_ns : policy->interval_ns;
    return wait < most_ns ? wait : most_ns;
}

static void end_trial(struct congestion *congestion, struct congestion_way *way, uint64_t now_ns,
                      uint64_t wait_ns) {
    way->trial_from_ns = way->trial_to_ns = 0;
    way->wait_ns = wait_ns;
    way->wait_until_ns = now_ns + wait_ns;
    congestion->trial_count--;
}

// What began the trial was not the path's fault, or is over.
static void wait_for_cnps(struct congestion_way *way, uint64_t now_ns) {
    if (!way->by_cnp) {
        return;
    }
    bool again = way->cnp_wait_ns != 0 &&
                 way->trial_from_ns < way->cnp_wait_until_ns + way->cnp_wait_ns + CNP_WAIT_MIN_NS;
    uint64_t wait = again ? 2 * way->cnp_wait_ns : CNP_WAIT_MIN_NS;
    way->cnp_wait_ns = wait < CNP_WAIT_MAX_NS ? wait : CNP_WAIT_MAX_NS;
    way->cnp_wait_until_ns = now_ns + way->cnp_wait_ns;
}

static bool judge_trial(struct congestion *congestion, struct congestion_way *way, uint64_t now_ns,
                        const struct ecn_policy *policy) {
    struct tally here, there;
    tally_loop(&congestion->loops[loop_in_use(way)], way->trial_from_ns, &here);
    tally_loop(&congestion->loops[way->loops[way->away ? 0 : 1]], way->trial_from_ns, &there);
    uint64_t length = trial_length_ns(policy);
    if (here.answered_all < policy->probes) {
        if (now_ns - way->trial_from_ns < TRIAL_PATIENCE * length + policy->interval_ns) {
            way->trial_to_ns = now_ns + pace_spacing_ns(policy);
            for (unsigned i = 0; i < 2; i++) {
                congestion->loops[way->loops[i]].trial_until_ns = way->trial_to_ns;
            }
        } else {
            end_trial(congestion, way, now_ns, policy->interval_ns);
        }
        return false;
    }
    if (!marked_by_all(&here, policy->threshold_percent) || !here.last_marked) {
        wait_for_cnps(way, now_ns);
        end_trial(congestion, way, now_ns, longer_wait_ns(way, WAIT_COOL_MAX_NS, policy));
        return false;
    }
    if (!is_cool(&there, policy) || !may_move(congestion, way, now_ns)) {
        end_trial(congestion, way, now_ns, longer_wait_ns(way, WAIT_MAX_NS, policy));
        return false;
    }
    end_trial(congestion, way, now_ns, 0);
    move(congestion, way, now_ns, policy);
    if (way->away) { // what was decided by, not what older probes make of it
        way->cause_ppm = (uint32_t)(UINT64_C(1000000) * marked_of_all(&here) / here.answered_all);
    }
    return true;
}

static bool judge_trials(struct congestion *congestion, uint64_t now_ns,
                         const struct ecn_policy *policy) {
    bool moved = false;
    for (uint32_t i = 0; congestion->trial_count > 0 && i < congestion->way_count; i++) {
        struct congestion_way *way = &congestion->ways[i];
        if (way->trial_to_ns != 0 && now_ns >= way->trial_to_ns) {
            moved = judge_trial(congestion, way, now_ns, policy) || moved;
        }
    }
    return moved;
}

// ---- the way home

// Since when home is without marks: over the way back that is clean for the longest time.
static bool quiet_since(const struct congestion_loop *home, uint64_t now_ns, uint64_t fresh_ns,
                        uint64_t *since_ns) {
    bool known = false;
    for (unsigned back = 0; back < CONGESTION_BACKS; back++) {
        if (home->answered_at_ns[back] == 0 || now_ns - home->answered_at_ns[back] > fresh_ns) {
            continue;
        }
        uint64_t marked = home->marked_at_ns[back];
        if (home->answered_at_ns[back] == marked) {
            continue; // its last word is a mark, however long ago
        }
        *since_ns = known && *since_ns < marked ? *since_ns : marked;
        known = true;
    }
    return known;
}

static bool return_quiet(struct congestion *congestion, uint64_t now_ns,
                         const struct ecn_policy *policy) {
    bool moved = false;
    struct paces paces;
    pace_count(congestion, now_ns, policy, &paces);
    uint64_t fresh_ns = FRESH_PERIODS * paces.period_ns[PACE_WATCHED];
    for (uint32_t i = 0; congestion->away_count > 0 && i < congestion->way_count; i++) {
        struct congestion_way *way = &congestion->ways[i];
        uint64_t since;
        if (!way->away || way->trial_to_ns != 0 || now_ns - way->left_at_ns < way->quiet_ns ||
            !quiet_since(&congestion->loops[way->loops[0]], now_ns, fresh_ns, &since) ||
            now_ns - since < way->quiet_ns || !may_return(congestion, way, now_ns)) {
            continue;
        }
        move(congestion, way, now_ns, policy);
        moved = true;
    }
    return moved;
}

// ---- time

bool congestion_tick(struct congestion *congestion, uint64_t now_ns,
                     const struct ecn_policy *policy) {
    if (now_ns < congestion->deadline_ns) {
        return false;
    }
    loops_expire(congestion, now_ns);
    bool moved = judge_trials(congestion, now_ns, policy);
    moved = return_quiet(congestion, now_ns, policy) || moved;
    pace_send_due(congestion, now_ns, policy);
    congestion->deadline_ns = pace_deadline_ns(congestion, now_ns, policy);
    return moved;
}

void congestion_returned(struct congestion *congestion, uint64_t now_ns,
                         const struct engine_probe_result *result,
                         const struct ecn_policy *policy) {
    uint64_t sent_at_ns;
    int64_t loop = loops_take(congestion, now_ns, result, &sent_at_ns);
    if (loop < 0 || !result->ce) {
        return;
    }
    bool began = pace_hasten(&congestion->loops[loop], now_ns);
    for (uint32_t i = 0; i < congestion->way_count; i++) {
        struct congestion_way *way = &congestion->ways[i];
        if (loop_in_use(way) == loop && way->trial_to_ns == 0 && now_ns >= way->wait_until_ns &&
            may_move(congestion, way, now_ns)) {
            begin_trial(congestion, way, sent_at_ns, now_ns, policy);
            began = true;
        }
    }
    if (began) {
        pace_send_due(congestion, now_ns, policy);
        congestion->deadline_ns = pace_deadline_ns(congestion, now_ns, policy);
    }
}

// ---- CNPs

// A trial costs nothing more where the path is in one already.
static bool may_begin_by_cnp(struct congestion *congestion, const struct congestion_loop *loop,
                             uint64_t now_ns) {
    uint64_t paid_at_ns = congestion->cnp_trials_at_ns;
    if (loop->trial_until_ns >= now_ns) {
        return true;
    }
    if (paid_at_ns > now_ns + (CNP_TRIALS - 1) * CNP_TRIAL_GAP_NS) {
        return false;
    }
    congestion->cnp_trials_at_ns = (paid_at_ns > now_ns ? paid_at_ns : now_ns) + CNP_TRIAL_GAP_NS;
    return true;
}

void congestion_hint(struct congestion *congestion, uint32_t index, uint64_t now_ns,
                     const struct ecn_policy *policy) {
    struct congestion_way *way = &congestion->ways[index];
    struct congestion_loop *loop = &congestion->loops[loop_in_use(way)];
    if (pace_hasten(loop, now_ns)) {
        congestion->deadline_ns = now_ns;
    }
    if (way->trial_to_ns != 0 || now_ns < way->wait_until_ns || now_ns < way->cnp_wait_until_ns ||
        !may_move(congestion, way, now_ns) || !may_begin_by_cnp(congestion, loop, now_ns)) {
        return;
    }
    begin_trial(congestion, way, now_ns, now_ns, policy);
    way->by_cnp = true;
    congestion->deadline_ns = now_ns;
}

void congestion_hint_port(struct congestion *congestion, uint32_t port, uint64_t now_ns) {
    for (uint32_t i = 0; i < congestion->way_count; i++) {
        const struct congestion_way *way = &congestion->ways[i];
        if (way->port == port && pace_hasten(&congestion->loops[loop_in_use(way)], now_ns)) {
            congestion->deadline_ns = now_ns;
        }
    }
}
