// SPDX-License-Identifier: Apache-2.0
// The prober: loop probes over elected links, and this host's own verdict on each of them. Pure.
//
// A loop is a walk from an own port through the fabric and back to the same port. For each elected
// cable there are four:
//
//   PING     crosses the cable in both directions:     h > leaf > spine > leaf > h
//   FORWARD  crosses it from end a to end b only       (returns another way)
//   REVERSE  crosses it from end b to end a only
//   PREFIX   PING without the cable: proves that the rest of the way is well
//
// PING is sent every interval. Its first loss sends all four at once; so a one-way fault is told
// from a cut cable, and a fault nearer to the prober from one of the cable.
//
//            first loss                threshold losses in a row, PREFIX answered since the first
//   GOOD ----------------> SUSPECT ----------------------------------------------------------> DOWN
//    ^  ^--- an answer -------'                                                              |   ^
//    |                                                                            an answer  v   |
//    a loss
//    '------------------------- no loss for hold time (doubles with each flap) ----------- HELD -'
//
// DOWN is never damped; HELD is published as down. A loss on a loop that contains a link known to
// be down says nothing about the loop's other links. When the step came late (the agent was not
// scheduled), probes under way are void: they count neither as sent nor as lost.
#ifndef AGENT_CORE_PROBER_H
#define AGENT_CORE_PROBER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_core/engine.h"
#include "model/time.h"
#include "walk.h"

// A link that stayed up that long is forgiven its earlier flaps.
#define FLAPS_FORGIVEN_AFTER_NS (300 * NS_PER_S)

enum loop_kind { LOOP_PING, LOOP_FORWARD, LOOP_REVERSE, LOOP_PREFIX, LOOP_KINDS };

struct loop {
    bool valid;
    struct walk walk;
    struct sid_list sids;
    uint64_t rtt_ns, rtt_var_ns; // smoothed as in RFC 6298
    uint64_t last_good_sent_at_ns;
    uint64_t since_ns; // when the walk was chosen: answers to older probes say nothing of it
};

struct probe_target {
    cable_id cable;
    uint32_t port; // own port the loops leave from
    struct loop loops[LOOP_KINDS];
    uint64_t next_at_ns;
    uint64_t confirm_at_ns; // of the last burst of all four
    uint32_t turn;          // which directional loop comes next while something is wrong
};

// Losses are those of the present span and of the one before.
#define PROBE_SPAN_NS (30 * NS_PER_S)

struct probe_totals {
    uint64_t sent, lost;
};

// What the own probes say of one directed link.
struct probed_link {
    enum probe_state state;
    uint32_t loss_run; // losses in a row over this link, not exonerated
    uint64_t first_loss_sent_at_ns, last_good_sent_at_ns;
    uint64_t sent, lost;                 // ever
    struct probe_totals earlier, recent; // when the last span and the present one began
    uint64_t rtt_ns;
    uint64_t changed_at_ns, held_until_ns, hold_ns, stable_since_ns;
    bool monitored;
};

struct outstanding_probe {
    uint64_t token; // 0: free
    uint64_t sent_at_ns, due_at_ns;
    uint32_t target;
    uint8_t loop;
    uint32_t epoch; // of the target list
};

#define OUTSTANDING_MAX 16384 // power of two

struct prober {
    const struct fabric *fabric; // borrowed
    struct probe_target *targets;
    uint32_t target_count;
    uint32_t epoch;            // changes with the target list; answers to older probes are dropped
    struct probed_link *links; // one per directed link
    struct outstanding_probe *outstanding;
    uint64_t head_token, next_token; // [head, next) are under way
    uint64_t grid_at_ns; // targets are probed at fixed instants after this one, many at once
    uint64_t last_tick_at_ns, deadline_ns;
    uint64_t span_at_ns, earlier_span_at_ns; // when they began
    bool span_ended;                         // since the caller cleared it
    struct engine_probe *out;                // probes to send in this step
    uint32_t out_count, out_capacity;
};

struct probe_policy {
    uint64_t interval_ns, timeout_ns, up_hold_ns, up_hold_max_ns;
    uint32_t loss_threshold;
};

// A verdict that changed in this step, for judge and tell.
typedef void prober_verdict_fn(void *context, link_id link, enum probe_state from,
                               enum probe_state to);

int prober_init(struct prober *prober, const struct fabric *fabric, uint64_t now_ns);
void prober_fini(struct prober *prober);
// Replaces the targets. Evidence on links that stay is kept. `cables` and `ports` have `count`
// entries. `avoid`: directed links that loops should not use where another way exists (known down),
// one per link; NULL: none.
int prober_set_targets(struct prober *prober, const cable_id *cables, const uint32_t *ports,
                       const port_id *own_ports, uint32_t count, const bool *avoid, uint64_t now_ns,
                       uint64_t interval_ns);
void prober_begin(struct prober *prober); // forgets the probes of the last step
// Probes of others that leave with this step's. Without memory they stay behind.
void prober_append(struct prober *prober, const struct engine_probe *probes, uint32_t count);
void prober_tick(struct prober *prober, uint64_t now_ns, const struct probe_policy *policy,
                 struct engine_stats *stats, prober_verdict_fn *verdict, void *context);
void prober_returned(struct prober *prober, uint64_t now_ns,
                     const struct engine_probe_result *result, const struct probe_policy *policy,
                     struct engine_stats *stats, prober_verdict_fn *verdict, void *context);
void prober_unsent(struct prober *prober, uint64_t token);
// Over a link, in the last one to two spans.
struct probe_totals prober_recent(const struct prober *prober, link_id link);

#endif
