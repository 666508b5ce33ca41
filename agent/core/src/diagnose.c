// SPDX-License-Identifier: Apache-2.0
#include "diagnose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Losses per million on a link that is well: bit errors that FEC leaves, and what hosts drop.
#define BACKGROUND_PPM 10
#define WARM_NS (2 * NS_PER_S)
#define HOLD_NS (10 * NS_PER_S)
#define HOLD_MAX_NS (600 * NS_PER_S)

int diagnose_init(struct diagnose *diagnose, const struct fabric *fabric, uint64_t seed,
                  uint64_t now_ns) {
    *diagnose = (struct diagnose){.fabric = fabric,
                                  .head_token = DIAGNOSE_TOKEN,
                                  .next_token = DIAGNOSE_TOKEN,
                                  .warm_until_ns = now_ns + WARM_NS,
                                  .deadline_ns = NEVER_NS};
    rng_init(&diagnose->rng, hash_pair(seed, DIAGNOSE_TOKEN));
    diagnose->outstanding = calloc(DIAGNOSE_OUTSTANDING, sizeof *diagnose->outstanding);
    return diagnose->outstanding == NULL ? -ENOMEM : 0;
}

void diagnose_fini(struct diagnose *diagnose) {
    locate_close(diagnose->locate);
    free(diagnose->loops);
    free(diagnose->outstanding);
    free(diagnose->out);
    *diagnose = (struct diagnose){0};
}

void diagnose_begin(struct diagnose *diagnose) {
    diagnose->out_count = 0;
}

// ---- probes under way

static struct diagnose_probe *slot_of(const struct diagnose *diagnose, uint64_t token) {
    return &diagnose->outstanding[token % DIAGNOSE_OUTSTANDING];
}

static void void_outstanding(struct diagnose *diagnose) {
    memset(diagnose->outstanding, 0, DIAGNOSE_OUTSTANDING * sizeof *diagnose->outstanding);
    diagnose->head_token = diagnose->next_token;
}

static bool reserve_out(struct diagnose *diagnose) {
    if (diagnose->out_count < diagnose->out_capacity) {
        return true;
    }
    uint32_t capacity = diagnose->out_capacity == 0 ? 16 : 2 * diagnose->out_capacity;
    struct engine_probe *out = realloc(diagnose->out, capacity * sizeof *out);
    if (out == NULL) {
        return false;
    }
    diagnose->out = out;
    diagnose->out_capacity = capacity;
    return true;
}

static void send(struct diagnose *diagnose, uint64_t now_ns,
                 const struct diagnosis_policy *policy) {
    uint32_t loop;
    if (diagnose->next_token - diagnose->head_token >= DIAGNOSE_OUTSTANDING ||
        !reserve_out(diagnose) || locate_choose(diagnose->locate, &diagnose->rng, 1, &loop) == 0) {
        return;
    }
    uint64_t token = diagnose->next_token++;
    *slot_of(diagnose, token) = (struct diagnose_probe){token, now_ns, loop, false};
    diagnose->out[diagnose->out_count++] =
        (struct engine_probe){.token = token,
                              .port = diagnose->loops[loop].port,
                              .traffic_class = policy->traffic_class,
                              .sids = diagnose->loops[loop].sids};
    diagnose->sent++;
}

// ---- loops

int diagnose_set_loops(struct diagnose *diagnose, const struct diagnose_watch *watch,
                       uint64_t now_ns) {
    struct locate_loop_spec *specs;
    struct diagnose_loop *loops;
    uint32_t count;
    struct locate *locate;
    int rc = diagnose_make_loops(diagnose->fabric, watch, &specs, &loops, &count);
    if (rc != 0) {
        return rc;
    }
    rc = locate_open(&locate, diagnose->fabric, specs, count, BACKGROUND_PPM);
    free(specs);
    if (rc != 0) {
        free(loops);
        return rc;
    }
    if (diagnose->locate != NULL) {
        locate_inherit(locate, diagnose->locate);
        locate_close(diagnose->locate);
        free(diagnose->loops);
    }
    void_outstanding(diagnose);
    diagnose->locate = locate;
    diagnose->loops = loops;
    diagnose->loop_count = count;
    diagnose->own_port_count = watch->own_port_count;
    memcpy(diagnose->own_ports, watch->own_ports,
           watch->own_port_count * sizeof diagnose->own_ports[0]);
    diagnose->suspicions_changed = diagnose->suspicions_changed || diagnose->suspicion_count > 0;
    diagnose->suspicion_count = 0;
    for (uint32_t i = diagnose->finding_count; i > 0; i--) {
        struct diagnose_finding *finding = &diagnose->findings[i - 1];
        if (finding->over_at_ns == 0 &&
            !locate_is_faulty(locate, &finding->key, finding->verdict.fault == LOCATE_SLOW)) {
            finding->over_at_ns = now_ns; // others watch it now
            diagnose->changed = true;
        }
    }
    if (diagnose->next_at_ns == 0) {
        diagnose->next_at_ns = now_ns + rng_below(&diagnose->rng, 10 * NS_PER_MS);
    }
    diagnose->deadline_ns = diagnose->next_at_ns;
    return 0;
}

void diagnose_stop(struct diagnose *diagnose) {
    locate_close(diagnose->locate);
    free(diagnose->loops);
    diagnose->locate = NULL;
    diagnose->loops = NULL;
    diagnose->loop_count = 0;
    void_outstanding(diagnose);
    diagnose->changed = diagnose->changed || diagnose->finding_count > 0;
    diagnose->suspicions_changed = diagnose->suspicions_changed || diagnose->suspicion_count > 0;
    diagnose->finding_count = diagnose->suspicion_count = 0;
    diagnose->next_at_ns = 0;
    diagnose->deadline_ns = NEVER_NS;
}

// ---- findings

bool diagnose_is_loss(const struct diagnose_finding *finding) {
    return finding->verdict.fault != LOCATE_SLOW;
}

static bool in_force(const struct diagnose_finding *finding, uint64_t now_ns) {
    return finding->over_at_ns == 0 || now_ns - finding->over_at_ns < finding->hold_ns;
}

static struct diagnose_finding *find_finding(struct diagnose *diagnose,
                                             const struct locate_verdict *verdict) {
    bool slow = (verdict->fault == LOCATE_WELL ? verdict->was : verdict->fault) == LOCATE_SLOW;
    for (uint32_t i = 0; i < diagnose->finding_count; i++) {
        struct diagnose_finding *finding = &diagnose->findings[i];
        if (finding->key.link.i == verdict->what.link.i &&
            finding->key.node.i == verdict->what.node.i &&
            (finding->verdict.fault == LOCATE_SLOW) == slow) {
            return finding;
        }
    }
    return NULL;
}

// A place for a new one: where many are well again, the one that is so longest goes.
static struct diagnose_finding *place_finding(struct diagnose *diagnose) {
    if (diagnose->finding_count < DIAGNOSE_FINDINGS_MAX) {
        return &diagnose->findings[diagnose->finding_count++];
    }
    struct diagnose_finding *oldest = NULL;
    for (uint32_t i = 0; i < diagnose->finding_count; i++) {
        struct diagnose_finding *finding = &diagnose->findings[i];
        if (finding->over_at_ns != 0 &&
            (oldest == NULL || finding->over_at_ns < oldest->over_at_ns)) {
            oldest = finding;
        }
    }
    return oldest;
}

static void end_finding(struct diagnose *diagnose, struct diagnose_finding *finding,
                        uint64_t now_ns) {
    if (finding != NULL && finding->over_at_ns == 0) {
        finding->over_at_ns = now_ns;
        diagnose->changed = true;
    }
}

static uint64_t hold_of(const struct diagnose_finding *before, uint64_t now_ns) {
    if (before == NULL) {
        return HOLD_NS;
    }
    bool again = before->over_at_ns != 0 && now_ns - before->over_at_ns < HOLD_MAX_NS;
    uint64_t hold_ns = again ? 2 * before->hold_ns : before->hold_ns;
    return hold_ns < HOLD_MAX_NS ? hold_ns : HOLD_MAX_NS;
}

static void take_verdict(struct diagnose *diagnose, uint64_t now_ns, struct locate_verdict *verdict,
                         diagnose_verdict_fn *tell, void *context) {
    struct diagnose_finding *finding = find_finding(diagnose, verdict);
    if (verdict->fault == LOCATE_WELL) {
        end_finding(diagnose, finding, now_ns);
        verdict->what = finding != NULL ? finding->verdict.what : verdict->what;
        tell(context, verdict);
        return;
    }
    struct locate_suspect_name key = verdict->what;
    uint64_t hold_ns = hold_of(finding, now_ns);
    tell(context, verdict);
    finding = finding != NULL ? finding : place_finding(diagnose);
    if (finding != NULL) {
        *finding = (struct diagnose_finding){.verdict = *verdict,
                                             .key = key,
                                             .since_ns = now_ns,
                                             .hold_ns = hold_ns};
        diagnose->changed = true;
    }
}

// Those that have been well for long are forgotten; those whose hold time ends now are told.
static void end_findings(struct diagnose *diagnose, uint64_t now_ns) {
    for (uint32_t i = diagnose->finding_count; i > 0; i--) {
        struct diagnose_finding *finding = &diagnose->findings[i - 1];
        if (finding->over_at_ns == 0) {
            continue;
        }
        if (!finding->released && !in_force(finding, now_ns)) {
            finding->released = true;
            diagnose->changed = true;
        }
        if (now_ns - finding->over_at_ns >= finding->hold_ns + HOLD_MAX_NS) {
            *finding = diagnose->findings[--diagnose->finding_count];
        }
    }
}

const struct diagnose_finding *diagnose_find(const struct diagnose *diagnose, link_id link,
                                             uint64_t now_ns) {
    const struct diagnose_finding *best = NULL;
    if (diagnose->finding_count == 0) {
        return NULL;
    }
    node_id from = fabric_link_from(diagnose->fabric, link);
    node_id to = fabric_link_to(diagnose->fabric, link);
    for (uint32_t i = 0; i < diagnose->finding_count; i++) {
        const struct diagnose_finding *finding = &diagnose->findings[i];
        const struct locate_suspect_name *what = &finding->verdict.what;
        bool here = what->place == LOCATE_LEAF || what->place == LOCATE_SPINE
                        ? what->node.i == from.i || what->node.i == to.i
                        : what->place == LOCATE_LINK && what->link.i == link.i;
        if (here && in_force(finding, now_ns) &&
            (best == NULL || (!diagnose_is_loss(best) && diagnose_is_loss(finding)))) {
            best = finding;
        }
    }
    return best;
}

// ---- suspicions

// Hints are of weak loss: while a link may be dead every host finds out sooner than it is told, and
// would be misled by what others suspect meanwhile.
static uint32_t weak_suspicions(const struct diagnose *diagnose, struct locate_suspicion *out) {
    uint32_t count = locate_suspicions(diagnose->locate, out, DIAGNOSE_SUSPICIONS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (2 * out[i].lost > out[i].sent) {
            return 0;
        }
    }
    return count;
}

static void look_at_suspicions(struct diagnose *diagnose, uint64_t now_ns) {
    if (now_ns - diagnose->suspicions_at_ns < DIAGNOSE_TELL_NS) {
        return;
    }
    struct locate_suspicion now[DIAGNOSE_SUSPICIONS_MAX];
    uint32_t count = weak_suspicions(diagnose, now);
    bool same = count == diagnose->suspicion_count;
    for (uint32_t i = 0; same && i < count; i++) { // answers alone are no news
        same = now[i].link.i == diagnose->suspicions[i].link.i &&
               now[i].lost == diagnose->suspicions[i].lost;
    }
    if (!same) {
        memcpy(diagnose->suspicions, now, count * sizeof now[0]);
        diagnose->suspicion_count = count;
        diagnose->suspicions_changed = true;
        diagnose->suspicions_at_ns = now_ns;
    }
}

void diagnose_hear(struct diagnose *diagnose, link_id link, uint32_t peer, uint32_t sent,
                   uint32_t lost) {
    if (diagnose->locate != NULL) {
        locate_hint(diagnose->locate, link, peer, sent, lost);
        if (!locate_is_calm(diagnose->locate) && diagnose->next_at_ns < diagnose->deadline_ns) {
            diagnose->deadline_ns = diagnose->next_at_ns;
        }
    }
}

// ---- results

static void count(struct diagnose *diagnose, const struct diagnose_probe *probe, bool lost,
                  uint64_t sent_at_ns, uint64_t delay_ns) {
    const struct locate_result result = {.loop = probe->loop,
                                         .lost = lost,
                                         .due_at_ns = probe->sent_at_ns,
                                         .sent_at_ns = sent_at_ns,
                                         .delay_ns = delay_ns};
    locate_result(diagnose->locate, &result);
}

void diagnose_returned(struct diagnose *diagnose, uint64_t now_ns,
                       const struct engine_probe_result *result) {
    struct diagnose_probe *slot = slot_of(diagnose, result->token);
    if (slot->token != result->token || diagnose->locate == NULL) {
        return; // void
    }
    const struct diagnose_probe probe = *slot;
    slot->token = 0;
    if (probe.overdue) {
        locate_discard(diagnose->locate, diagnose->own_ports[diagnose->loops[probe.loop].port],
                       probe.sent_at_ns);
        diagnose->late_windows++;
        return;
    }
    uint64_t sent = result->sent_at_ns != 0 ? result->sent_at_ns : probe.sent_at_ns;
    uint64_t received = result->received_at_ns != 0 ? result->received_at_ns : now_ns;
    count(diagnose, &probe, false, sent, received > sent ? received - sent : 0);
}

void diagnose_unsent(struct diagnose *diagnose, uint64_t token) {
    struct diagnose_probe *slot = slot_of(diagnose, token);
    if (slot->token == token) {
        slot->token = 0;
    }
}

static void expire(struct diagnose *diagnose, uint64_t now_ns) {
    while (diagnose->head_token < diagnose->next_token) {
        struct diagnose_probe *slot = slot_of(diagnose, diagnose->head_token);
        if (slot->token == diagnose->head_token && !slot->overdue) {
            if (now_ns - slot->sent_at_ns < DIAGNOSE_TIMEOUT_NS) {
                return;
            }
            slot->overdue = true; // its answer may still come
            if (now_ns >= diagnose->warm_until_ns) {
                diagnose->lost++;
                count(diagnose, slot, true, slot->sent_at_ns, 0);
            }
        }
        diagnose->head_token++;
    }
}

// ---- time

static void discard_late(struct diagnose *diagnose, uint64_t now_ns) {
    if (now_ns < diagnose->deadline_ns || now_ns - diagnose->deadline_ns <= DIAGNOSE_LATE_NS) {
        return;
    }
    uint64_t since_ns =
        diagnose->next_at_ns < diagnose->deadline_ns ? diagnose->next_at_ns : diagnose->deadline_ns;
    for (uint32_t i = 0; i < diagnose->own_port_count; i++) {
        locate_discard(diagnose->locate, diagnose->own_ports[i], since_ns - DIAGNOSE_TIMEOUT_NS);
    }
    void_outstanding(diagnose);
    diagnose->late_windows++;
    diagnose->next_at_ns = now_ns;
}

static void send_due(struct diagnose *diagnose, uint64_t now_ns,
                     const struct diagnosis_policy *policy) {
    uint64_t interval_ns = NS_PER_S / policy->probes_per_second;
    for (unsigned i = 0; i < DIAGNOSE_BATCH && diagnose->next_at_ns <= now_ns; i++) {
        send(diagnose, now_ns, policy);
        diagnose->next_at_ns += interval_ns;
    }
    if (diagnose->next_at_ns <= now_ns) {
        diagnose->next_at_ns = now_ns + interval_ns;
    }
    // A repeat is a probe that leaves earlier than its turn.
    if (locate_has_repeats(diagnose->locate) && now_ns >= diagnose->repeat_at_ns) {
        send(diagnose, now_ns, policy);
        diagnose->next_at_ns += interval_ns;
        diagnose->repeat_at_ns = now_ns + DIAGNOSE_REPEAT_NS;
    }
}

static uint64_t next_deadline_ns(const struct diagnose *diagnose,
                                 const struct diagnosis_policy *policy) {
    uint64_t deadline_ns = diagnose->next_at_ns;
    if (locate_is_calm(diagnose->locate)) {
        uint64_t fill_ns = (DIAGNOSE_BATCH - 1) * (NS_PER_S / policy->probes_per_second);
        deadline_ns += fill_ns < DIAGNOSE_CALM_NS ? fill_ns : DIAGNOSE_CALM_NS;
    }
    if (locate_has_repeats(diagnose->locate) && diagnose->repeat_at_ns < deadline_ns) {
        deadline_ns = diagnose->repeat_at_ns;
    }
    if (diagnose->head_token < diagnose->next_token) {
        const struct diagnose_probe *oldest = slot_of(diagnose, diagnose->head_token);
        uint64_t overdue_ns = oldest->sent_at_ns + DIAGNOSE_TIMEOUT_NS;
        if (oldest->token != 0 && !oldest->overdue && overdue_ns < deadline_ns) {
            deadline_ns = overdue_ns; // a loss is looked into at once
        }
    }
    return deadline_ns;
}

void diagnose_tick(struct diagnose *diagnose, uint64_t now_ns,
                   const struct diagnosis_policy *policy, diagnose_verdict_fn *verdict,
                   void *context) {
    if (diagnose->locate == NULL ||
        (now_ns < diagnose->deadline_ns && now_ns < diagnose->next_at_ns)) {
        return;
    }
    discard_late(diagnose, now_ns);
    expire(diagnose, now_ns);
    send_due(diagnose, now_ns, policy);
    struct locate_verdict found;
    while (locate_take(diagnose->locate, &found)) {
        take_verdict(diagnose, now_ns, &found, verdict, context);
    }
    end_findings(diagnose, now_ns);
    look_at_suspicions(diagnose, now_ns);
    diagnose->deadline_ns = next_deadline_ns(diagnose, policy);
}
