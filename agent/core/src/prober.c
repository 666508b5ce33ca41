// SPDX-License-Identifier: Apache-2.0
#include "prober.h"

#include <errno.h>
#include <stdlib.h>

#include "model/time.h"
#include "prober_judge.h"

// A step that comes this many intervals after its deadline finds probes whose windows nobody
// watched.
#define LATE_INTERVALS 3
// RFC 6298 with a wider margin: a false "down" costs a needless move, a late one a few
// milliseconds.
#define RTT_VAR_WEIGHT 8
#define TIMEOUT_MAX_NS (50 * NS_PER_MS)
// Network control (DSCP CS6): a probe must not wait behind the data whose path it judges.
#define PROBE_TRAFFIC_CLASS 0xc0

int prober_init(struct prober *prober, const struct fabric *fabric, uint64_t now_ns) {
    *prober = (struct prober){.fabric = fabric,
                              .grid_at_ns = now_ns,
                              .last_tick_at_ns = now_ns,
                              .span_at_ns = now_ns,
                              .earlier_span_at_ns = now_ns,
                              .deadline_ns = NEVER_NS,
                              .head_token = 1,
                              .next_token = 1};
    prober->links = calloc(fabric_link_count(fabric), sizeof *prober->links);
    prober->outstanding = calloc(OUTSTANDING_MAX, sizeof *prober->outstanding);
    if (prober->links == NULL || prober->outstanding == NULL) {
        prober_fini(prober);
        return -ENOMEM;
    }
    return 0;
}

void prober_fini(struct prober *prober) {
    free(prober->targets);
    free(prober->links);
    free(prober->outstanding);
    free(prober->out);
    *prober = (struct prober){0};
}

void prober_begin(struct prober *prober) {
    prober->out_count = 0;
}

// ---- sending

static uint64_t loop_timeout_ns(const struct loop *loop, const struct probe_policy *policy) {
    uint64_t timeout = loop->rtt_ns + RTT_VAR_WEIGHT * loop->rtt_var_ns;
    if (timeout < policy->timeout_ns) {
        return policy->timeout_ns;
    }
    return timeout < TIMEOUT_MAX_NS ? timeout : TIMEOUT_MAX_NS;
}

static bool reserve_out(struct prober *prober) {
    if (prober->out_count < prober->out_capacity) {
        return true;
    }
    uint32_t capacity = prober->out_capacity == 0 ? 64 : 2 * prober->out_capacity;
    struct engine_probe *out = realloc(prober->out, capacity * sizeof *out);
    if (out == NULL) {
        return false;
    }
    prober->out = out;
    prober->out_capacity = capacity;
    return true;
}

void prober_append(struct prober *prober, const struct engine_probe *probes, uint32_t count) {
    for (uint32_t i = 0; i < count && reserve_out(prober); i++) {
        prober->out[prober->out_count++] = probes[i];
    }
}

static struct outstanding_probe *slot_of(const struct prober *prober, uint64_t token) {
    return &prober->outstanding[token % OUTSTANDING_MAX];
}

static void send_loop(struct prober *prober, uint32_t index, enum loop_kind kind, uint64_t now_ns,
                      const struct probe_policy *policy, struct engine_stats *stats) {
    struct probe_target *target = &prober->targets[index];
    struct loop *loop = &target->loops[kind];
    if (!loop->valid || prober->next_token - prober->head_token >= OUTSTANDING_MAX ||
        !reserve_out(prober)) {
        return;
    }
    uint64_t token = prober->next_token++;
    *slot_of(prober, token) =
        (struct outstanding_probe){.token = token,
                                   .sent_at_ns = now_ns,
                                   .due_at_ns = now_ns + loop_timeout_ns(loop, policy),
                                   .target = index,
                                   .loop = (uint8_t)kind,
                                   .epoch = prober->epoch};
    prober->out[prober->out_count++] = (struct engine_probe){.token = token,
                                                             .port = target->port,
                                                             .traffic_class = PROBE_TRAFFIC_CLASS,
                                                             .sids = loop->sids};
    for (unsigned i = 0; i < loop->walk.link_count; i++) {
        prober->links[loop->walk.links[i].i].sent++;
    }
    stats->probes_sent++;
}

static bool target_in_trouble(const struct prober *prober, const struct probe_target *target) {
    for (unsigned reverse = 0; reverse < 2; reverse++) {
        const struct probed_link *link = &prober->links[link_of(target->cable, reverse != 0).i];
        if (link->state == PROBE_SUSPECT || probed_link_is_bad(link)) {
            return true;
        }
    }
    return false;
}

static void send_due(struct prober *prober, uint64_t now_ns, const struct probe_policy *policy,
                     struct engine_stats *stats) {
    static const enum loop_kind turns[] = {LOOP_FORWARD, LOOP_REVERSE, LOOP_PREFIX};
    for (uint32_t i = 0; i < prober->target_count; i++) {
        struct probe_target *target = &prober->targets[i];
        if (target->next_at_ns > now_ns) {
            continue;
        }
        send_loop(prober, i, LOOP_PING, now_ns, policy, stats);
        if (target_in_trouble(prober, target)) {
            send_loop(prober, i, turns[target->turn++ % 3], now_ns, policy, stats);
        }
        // Who fell behind keeps the rhythm, in which many leave at once, and catches up nothing.
        uint64_t missed = (now_ns - target->next_at_ns) / policy->interval_ns;
        target->next_at_ns += (missed + 1) * policy->interval_ns;
    }
}

static void send_confirmation(struct prober *prober, uint32_t index, uint64_t now_ns,
                              const struct probe_policy *policy, struct engine_stats *stats) {
    struct probe_target *target = &prober->targets[index];
    if (target->confirm_at_ns != 0 && now_ns - target->confirm_at_ns < policy->interval_ns) {
        return;
    }
    target->confirm_at_ns = now_ns;
    for (enum loop_kind kind = LOOP_PING; kind < LOOP_KINDS; kind++) {
        send_loop(prober, index, kind, now_ns, policy, stats);
    }
}

// ---- answers and losses

static void probe_lost(const struct judgement *judgement, const struct outstanding_probe *probe) {
    struct prober *prober = judgement->prober;
    const struct probe_target *target = &prober->targets[probe->target];
    const struct loop *loop = &target->loops[probe->loop];
    judgement->stats->probes_lost++;
    bool explained = judge_loss_is_explained(prober, loop);
    for (unsigned i = 0; i < loop->walk.link_count; i++) {
        link_id id = loop->walk.links[i];
        if (!explained || probed_link_is_bad(&prober->links[id.i])) {
            judge_lost(judgement, id, probe->sent_at_ns);
        }
    }
    if (target_in_trouble(prober, target)) {
        send_confirmation(prober, probe->target, judgement->now_ns, judgement->policy,
                          judgement->stats);
    }
    judge_target(judgement, target);
}

static void update_rtt(struct loop *loop, uint64_t rtt_ns) {
    if (loop->rtt_ns == 0) {
        loop->rtt_ns = rtt_ns;
        loop->rtt_var_ns = rtt_ns / 2;
        return;
    }
    uint64_t error = rtt_ns > loop->rtt_ns ? rtt_ns - loop->rtt_ns : loop->rtt_ns - rtt_ns;
    loop->rtt_var_ns = (3 * loop->rtt_var_ns + error) / 4;
    loop->rtt_ns = (7 * loop->rtt_ns + rtt_ns) / 8;
}

static uint64_t next_target_at_ns(const struct prober *prober) {
    uint64_t next_at_ns = NEVER_NS;
    for (uint32_t i = 0; i < prober->target_count; i++) {
        uint64_t at_ns = prober->targets[i].next_at_ns;
        next_at_ns = at_ns < next_at_ns ? at_ns : next_at_ns;
    }
    return next_at_ns;
}

static void advance_head(struct prober *prober) {
    while (prober->head_token < prober->next_token &&
           slot_of(prober, prober->head_token)->token == 0) {
        prober->head_token++;
    }
}

// A probe is answered, or was never sent. When no other is under way there is no timeout to wake up
// for.
static void retire(struct prober *prober, struct outstanding_probe *slot) {
    slot->token = 0;
    advance_head(prober);
    if (prober->head_token == prober->next_token) {
        prober->deadline_ns = next_target_at_ns(prober);
    }
}

// Whether a probe still speaks of the walk that its loop has now.
static bool is_current(const struct prober *prober, const struct outstanding_probe *probe) {
    return probe->epoch == prober->epoch &&
           prober->targets[probe->target].loops[probe->loop].since_ns <= probe->sent_at_ns;
}

void prober_returned(struct prober *prober, uint64_t now_ns,
                     const struct engine_probe_result *result, const struct probe_policy *policy,
                     struct engine_stats *stats, prober_verdict_fn *verdict, void *context) {
    struct outstanding_probe *slot = slot_of(prober, result->token);
    if (result->token == 0 || slot->token != result->token) {
        stats->probes_unknown++; // late or doubled
        return;
    }
    const struct outstanding_probe probe = *slot;
    retire(prober, slot);
    if (!is_current(prober, &probe)) {
        stats->probes_void++;
        return;
    }
    stats->probes_returned++;
    struct probe_target *target = &prober->targets[probe.target];
    struct loop *loop = &target->loops[probe.loop];
    uint64_t sent = result->sent_at_ns != 0 ? result->sent_at_ns : probe.sent_at_ns;
    uint64_t received = result->received_at_ns != 0 ? result->received_at_ns : now_ns;
    update_rtt(loop, received > sent ? received - sent : 0);
    if (probe.sent_at_ns > loop->last_good_sent_at_ns) {
        loop->last_good_sent_at_ns = probe.sent_at_ns;
    }
    struct judgement judgement = {prober, now_ns, policy, stats, verdict, context};
    for (unsigned i = 0; i < loop->walk.link_count; i++) {
        judge_good(&judgement, loop->walk.links[i], probe.sent_at_ns);
    }
    if (probe.loop == LOOP_PING) {
        prober->links[link_of(target->cable, false).i].rtt_ns = loop->rtt_ns;
        prober->links[link_of(target->cable, true).i].rtt_ns = loop->rtt_ns;
    }
    judge_target(&judgement, target); // the prefix may have been the missing piece
}

void prober_unsent(struct prober *prober, uint64_t token) {
    struct outstanding_probe *slot = slot_of(prober, token);
    if (token != 0 && slot->token == token) {
        retire(prober, slot);
    }
}

// ---- time

static void void_outstanding(struct prober *prober, struct engine_stats *stats) {
    for (uint64_t token = prober->head_token; token < prober->next_token; token++) {
        struct outstanding_probe *slot = slot_of(prober, token);
        if (slot->token != 0) {
            slot->token = 0;
            stats->probes_void++;
        }
    }
    prober->head_token = prober->next_token;
    stats->late_windows++;
}

static void expire(const struct judgement *judgement) {
    struct prober *prober = judgement->prober;
    uint64_t end = prober->next_token; // probes sent while judging are not due yet
    for (uint64_t token = prober->head_token; token < end; token++) {
        struct outstanding_probe *slot = slot_of(prober, token);
        if (slot->token == 0 || slot->due_at_ns > judgement->now_ns) {
            continue;
        }
        const struct outstanding_probe probe = *slot;
        slot->token = 0;
        if (is_current(prober, &probe)) {
            probe_lost(judgement, &probe);
        }
    }
    advance_head(prober);
}

static void release_held(const struct judgement *judgement) {
    struct prober *prober = judgement->prober;
    for (uint32_t i = 0; i < prober->target_count; i++) {
        for (unsigned reverse = 0; reverse < 2; reverse++) {
            link_id id = link_of(prober->targets[i].cable, reverse != 0);
            struct probed_link *link = &prober->links[id.i];
            if (link->state == PROBE_HELD && judgement->now_ns >= link->held_until_ns &&
                link->last_good_sent_at_ns + 4 * judgement->policy->interval_ns >
                    judgement->now_ns) {
                judge_set_state(judgement, id, PROBE_GOOD);
            }
        }
    }
}

static uint64_t next_deadline_ns(const struct prober *prober) {
    uint64_t deadline = next_target_at_ns(prober);
    for (uint64_t token = prober->head_token; token < prober->next_token; token++) {
        const struct outstanding_probe *slot = slot_of(prober, token);
        if (slot->token != 0 && slot->due_at_ns < deadline) {
            deadline = slot->due_at_ns;
        }
    }
    return deadline;
}

static void begin_span(struct prober *prober, uint64_t now_ns) {
    for (uint32_t i = 0; i < fabric_link_count(prober->fabric); i++) {
        struct probed_link *link = &prober->links[i];
        link->earlier = link->recent;
        link->recent = (struct probe_totals){link->sent, link->lost};
    }
    prober->earlier_span_at_ns = prober->span_at_ns;
    prober->span_at_ns = now_ns;
    prober->span_ended = true;
}

struct probe_totals prober_recent(const struct prober *prober, link_id link) {
    const struct probed_link *probed = &prober->links[link.i];
    return (struct probe_totals){probed->sent - probed->earlier.sent,
                                 probed->lost - probed->earlier.lost};
}

void prober_tick(struct prober *prober, uint64_t now_ns, const struct probe_policy *policy,
                 struct engine_stats *stats, prober_verdict_fn *verdict, void *context) {
    if (now_ns < prober->deadline_ns) {
        return;
    }
    struct judgement judgement = {prober, now_ns, policy, stats, verdict, context};
    if (now_ns - prober->deadline_ns > LATE_INTERVALS * policy->interval_ns) {
        void_outstanding(prober, stats);
    }
    if (now_ns - prober->span_at_ns >= PROBE_SPAN_NS) {
        begin_span(prober, now_ns);
    }
    expire(&judgement);
    release_held(&judgement);
    send_due(prober, now_ns, policy, stats);
    prober->last_tick_at_ns = now_ns;
    prober->deadline_ns = next_deadline_ns(prober);
}
