// SPDX-License-Identifier: Apache-2.0
// Marked probes move own flows off hot links. Pure.
//
// A way is a slot of a rule: what one own port sends to one other over one planned path (home),
// with the backup that was planned with it. Probes of the flows' own traffic class, ECN-capable, go
// round the links of the path in use. They come back to this host over links that are not the
// path's: each path is probed over two ways back, and is hot only when probes of both are marked.
//
// How often a path in use is probed (congestion_pace.c):
//
//     a trial                      every spacing, a small part of the interval
//     for a while after a hint     every interval
//     its way is away              so often that a quiet time sees many probes
//     else                         every idle interval, if there is one
//
//             a hint                 K probes, most of them marked and so the last; backup is cool
//   HOME ------------------> trial ------------------------------------------------------> AWAY
//    ^  ^--- otherwise --------'                                                             |
//    |  home answers without a mark for the quiet time (doubles when the way leaves again    |
//    '- soon), and it could leave again; or a trial finds the backup hot and home cool ------'
//
// A hint is a marked probe, or a CNP for one of the flows (congestion_cnps.c): somebody received a
// packet of ours that was marked, on whatever link. Nothing moves but by the probes of a trial,
// which say whether it was one of the path's.
//
// In a trial both paths are probed in quick succession, for a time drawn from an interval. Of many
// hosts that see the same hot link those whose trials end first leave it; the others find their
// last probe unmarked and stay. Nobody tells anybody.
//
// What one port sends to another moves at most twice in any minute. Losses decide nothing here: the
// prober's verdicts do, and the caller sends a way home whose backup is down
// (congestion_send_home).
//
// Ownership: borrows the fabric; everything else is its own. Errors: -ENOMEM.
#ifndef AGENT_CORE_CONGESTION_H
#define AGENT_CORE_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_core/engine.h"
#include "model/time.h"
#include "pathalg/plan.h"
#include "walk.h"

#define CONGESTION_TOKEN (UINT64_C(1) << 63) // in all tokens of these probes, and in no others
#define CONGESTION_MOVES_MAX 2
#define CONGESTION_MOVES_SPAN_NS (60 * NS_PER_S)
#define CONGESTION_BACKS 2    // ways back of a path
#define CONGESTION_SAMPLES 64 // kept of a path
#define CONGESTION_OUTSTANDING 4096
// Paths of one pace that are probed in one of its intervals; with more of them it grows.
#define CONGESTION_BUDGET 8

// Probes that came back lately, in units of 1/65536; the older, the less they weigh.
struct ce_rate {
    uint64_t seen, marked;
    uint64_t at_ns;
};

enum ce_outcome { CE_LOST, CE_CLEAN, CE_MARKED };

struct ce_sample {
    uint64_t sent_at_ns;
    uint8_t back; // which way back
    uint8_t outcome;
};

// The links between switches of a path, from one own port: probed once for all ways that have them.
struct congestion_loop {
    uint32_t port;
    uint8_t way_count;
    link_id way[PATH_LINKS_MAX];
    bool built;         // the walks, when they are first needed
    uint8_t back_count; // of which there are walks
    struct walk walks[CONGESTION_BACKS];
    struct sid_list sids[CONGESTION_BACKS];
    struct ce_rate rates[CONGESTION_BACKS];
    uint64_t marked_at_ns[CONGESTION_BACKS], answered_at_ns[CONGESTION_BACKS]; // last
    uint32_t users; // ways whose path in use this is, and that would return to it
    uint32_t away_users;
    uint32_t turn;
    uint64_t next_at_ns, trial_until_ns;
    uint64_t fast_until_ns, rest_ns; // probed every interval; after that, not again so soon
    struct ce_sample samples[CONGESTION_SAMPLES]; // a ring
    uint32_t sample_count;                        // ever
};

struct congestion_way {
    // The caller's:
    port_id src, dst;
    uint32_t port; // own port index of src
    struct path home, backup;
    // Private:
    uint32_t loops[2]; // of home, of the backup
    uint32_t pair;     // first way from src to dst: has the moves of all of them
    bool away;
    // While away: the hottest link of home when it was left, the first of those that no probe tells
    // apart; which those are, as bits in the order of home; and how many of the probes were marked.
    link_id cause;
    uint8_t causes;
    uint32_t cause_ppm;
    uint64_t trial_from_ns, trial_to_ns;     // 0: none
    uint64_t wait_ns, wait_until_ns;         // until the next trial, when the last one led nowhere
    uint64_t cnp_wait_ns, cnp_wait_until_ns; // likewise, for one that a CNP begins
    bool by_cnp;                             // the last trial was begun by one
    uint64_t left_at_ns, home_at_ns;         // 0: never
    uint64_t hold_ns, quiet_ns;              // quiet time; drawn from it for this stay away
    uint64_t moved_at_ns[CONGESTION_MOVES_MAX]; // 0: never
    uint32_t draws;
};

struct congestion_probe {
    uint64_t token; // 0: free
    uint64_t sent_at_ns, due_at_ns;
    uint32_t loop;
    uint8_t back;
};

struct congestion {
    const struct fabric *fabric; // borrowed
    uint64_t seed;
    struct walk_finder finder;
    bool *down, *avoid; // by directed link: not to be used back; scratch
    struct congestion_way *ways;
    uint32_t way_count, away_count, trial_count;
    struct congestion_loop *loops;
    uint32_t loop_count;
    struct congestion_probe *outstanding;
    uint64_t head_token, next_token;
    uint64_t cnp_trials_at_ns; // when all those begun by CNPs are paid for
    uint64_t deadline_ns;
    struct engine_probe *out; // to send in this step
    uint32_t out_count, out_capacity;
    uint64_t sent, marked, moves;
};

int congestion_init(struct congestion *congestion, const struct fabric *fabric, uint64_t seed);
void congestion_fini(struct congestion *congestion);
// The ways of a new plan, sorted by (src, dst), with the caller's fields set; takes the array.
// `down`: one per directed link. What was known of a way or a path that stays is kept. On failure
// the old ones stay, and the array is the caller's.
int congestion_set_ways(struct congestion *congestion, struct congestion_way *ways, uint32_t count,
                        const bool *down, uint64_t now_ns);
void congestion_begin(struct congestion *congestion); // forgets the probes of the last step
// Returns whether a way has moved.
bool congestion_tick(struct congestion *congestion, uint64_t now_ns,
                     const struct ecn_policy *policy);
void congestion_returned(struct congestion *congestion, uint64_t now_ns,
                         const struct engine_probe_result *result, const struct ecn_policy *policy);
// CNPs came for a way's flows. Trials of many ways at once begin one after the other; the caller
// ticks at once when it has told all.
void congestion_hint(struct congestion *congestion, uint32_t way, uint64_t now_ns,
                     const struct ecn_policy *policy);
// CNPs came for any of the flows of an own port.
void congestion_hint_port(struct congestion *congestion, uint32_t port, uint64_t now_ns);
void congestion_unsent(struct congestion *congestion, uint64_t token);
// The way's backup is down: home, whatever it is like. Not a move by this module's account.
void congestion_send_home(struct congestion *congestion, uint32_t way, uint64_t now_ns);
// The share of marks on a link: no more than on any of the rounds that crossed it lately. False:
// none did.
bool congestion_link_ppm(const struct congestion *congestion, link_id link, uint64_t now_ns,
                         uint32_t *ppm);

// ---- between congestion*.c
enum pace { PACE_NONE, PACE_IDLE, PACE_WATCHED, PACE_FAST, PACE_TRIAL, PACES };
struct paces {
    uint64_t period_ns[PACES]; // between two probes of a path
};
uint64_t pace_spacing_ns(const struct ecn_policy *policy); // in a trial
void pace_count(const struct congestion *congestion, uint64_t now_ns,
                const struct ecn_policy *policy, struct paces *out);
// Something hints at congestion: every interval for a while, unless that was so lately and led to
// nothing. Returns whether the next probe may be due earlier than it was.
bool pace_hasten(struct congestion_loop *loop, uint64_t now_ns);
void pace_watch_closely(struct congestion_loop *loop, uint64_t now_ns); // likewise, in any case
void pace_send_due(struct congestion *congestion, uint64_t now_ns, const struct ecn_policy *policy);
uint64_t pace_deadline_ns(const struct congestion *congestion, uint64_t now_ns,
                          const struct ecn_policy *policy);
// After a way has moved, or others are there: which loops are in use.
void congestion_count_users(struct congestion *congestion);
void loops_build(struct congestion *congestion, struct congestion_loop *loop, uint32_t index);
bool loop_send(struct congestion *congestion, uint32_t index, uint64_t now_ns,
               const struct ecn_policy *policy);
void loops_expire(struct congestion *congestion, uint64_t now_ns);
// Takes a probe's answer; -1: unknown or late. Else the loop's index.
int64_t loops_take(struct congestion *congestion, uint64_t now_ns,
                   const struct engine_probe_result *result, uint64_t *sent_at_ns);
// Builds the loops of the ways, keeping those of `before` that stay.
int loops_of_ways(struct congestion *congestion, struct congestion_way *ways, uint32_t count,
                  struct congestion_loop **out, uint32_t *out_count);

#endif
