// SPDX-License-Identifier: Apache-2.0
// The engine's side of diagnose.h: when it gets loops, what becomes of its verdicts, and what peers
// hear of them.
#include <stdio.h>
#include <string.h>

#include "model/rng.h"
#include "state.h"

#define SETTLE_NS NS_PER_S // elections follow each other while members come and go

// ---- loops

static uint64_t hash_election(const struct engine *engine) {
    uint64_t hash = hash_bytes(engine->elected, engine->elected_count * sizeof engine->elected[0],
                               engine->elected_count);
    return hash_bytes(engine->elected_ports,
                      engine->elected_count * sizeof engine->elected_ports[0], hash);
}

void diagnosis_watch(struct engine *engine) {
    if (engine->loops_due_at_ns == NEVER_NS && hash_election(engine) != engine->watched) {
        engine->loops_due_at_ns =
            engine->now_ns + (engine->diagnose.locate != NULL ? SETTLE_NS : 0);
    }
}

static void set_loops(struct engine *engine) {
    const struct diagnose_watch watch = {.own_ports = engine->own_ports,
                                         .own_port_count = engine->own_port_count,
                                         .cables = engine->elected,
                                         .ports = engine->elected_ports,
                                         .count = engine->elected_count};
    if (diagnose_set_loops(&engine->diagnose, &watch, engine->now_ns) == 0) {
        engine->watched = hash_election(engine);
        engine->loops_due_at_ns = NEVER_NS;
    } else { // no memory: the old ones stay meanwhile
        engine->loops_due_at_ns = engine->now_ns + SETTLE_NS;
    }
}

// ---- verdicts

static void format_subject(const struct engine *engine, const struct locate_suspect_name *what,
                           char text[LINK_NAME_SIZE]) {
    const struct fabric *fabric = engine->fabric;
    if (what->link.i == ID_NONE) {
        snprintf(text, LINK_NAME_SIZE, "%s", fabric->nodes[what->node.i].name);
        return;
    }
    fabric_format_link(fabric, what->link, text);
    if (what->place == LOCATE_HOST) { // of its cable: the host's end
        for (uint32_t i = 0; i < engine->own_port_count; i++) {
            if (link_of(fabric->ports[engine->own_ports[i].i].cable, false).i == what->link.i) {
                fabric_format_port(fabric, engine->own_ports[i], text);
            }
        }
    }
}

static const char *note_kind(const struct locate_verdict *verdict) {
    static const char *const places[] = {[LOCATE_HOST] = "nic_suspect",
                                         [LOCATE_LEAF] = "leaf_suspect",
                                         [LOCATE_SPINE] = "spine_suspect",
                                         [LOCATE_UNKNOWN] = "loss_unknown"};
    switch (verdict->fault) {
    case LOCATE_WELL:
        return "link_well";
    case LOCATE_SLOW:
        return "link_slow";
    case LOCATE_DOWN:
        return verdict->what.place == LOCATE_LINK ? "link_dead" : places[verdict->what.place];
    case LOCATE_LOSSY:
        break;
    }
    return verdict->what.place == LOCATE_LINK ? "link_lossy" : places[verdict->what.place];
}

// Who else it may be, after the first.
static void format_tied(const struct engine *engine, const struct locate_verdict *verdict,
                        char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 1; i < verdict->tied_count && i < LOCATE_TIED_MAX; i++) {
        char name[LINK_NAME_SIZE];
        format_subject(engine, &verdict->tied[i], name);
        int length =
            snprintf(text + used, size - used, "%s%s", i == 1 ? ", or it is " : ", ", name);
        if (length < 0 || (size_t)length >= size - used) {
            text[used] = '\0';
            return;
        }
        used += (size_t)length;
    }
}

// Half of the leaf's cables or more are dead or lossy by what others say.
static bool leaf_is_bad(const struct engine *engine, node_id leaf) {
    const struct fabric *fabric = engine->fabric;
    const struct fabric_node *node = &fabric->nodes[leaf.i];
    uint32_t cables = 0, bad = 0;
    for (uint32_t i = 0; i < node->adjacency_count; i++) {
        link_id up = fabric->adjacencies[node->first_adjacency + i].link;
        const struct link_belief *out = &engine->beliefs[up.i];
        const struct link_belief *in = &engine->beliefs[link_opposite(up).i];
        if (fabric_link_is_internal(fabric, up)) {
            cables++;
            bad += out->down || out->lossy || in->down || in->lossy;
        }
    }
    return 2 * bad >= cables && bad > 0;
}

// All loops of a port cross its NIC and its leaf. Which of them it is, others know: they see the
// leaf's cables.
static void tell_nic_from_leaf(const struct engine *engine, struct locate_verdict *verdict) {
    const struct locate_suspect_name *nic = NULL, *leaf = NULL;
    for (uint32_t i = 0; i < verdict->tied_count && i < LOCATE_TIED_MAX; i++) {
        nic = verdict->tied[i].place == LOCATE_HOST ? &verdict->tied[i] : nic;
        leaf = verdict->tied[i].place == LOCATE_LEAF ? &verdict->tied[i] : leaf;
    }
    if (verdict->tied_count == 2 && nic != NULL && leaf != NULL) {
        verdict->what = leaf_is_bad(engine, leaf->node) ? *leaf : *nic;
        verdict->tied_count = 0;
    }
}

static void note_verdict(void *context, struct locate_verdict *verdict) {
    struct engine *engine = context;
    tell_nic_from_leaf(engine, verdict);
    char subject[LINK_NAME_SIZE], tied[80];
    format_subject(engine, &verdict->what, subject);
    format_tied(engine, verdict, tied, sizeof tied);
    const char *kind = note_kind(verdict);
    if (verdict->fault == LOCATE_WELL) {
        engine_note(engine, NOTE_INFO, kind, subject, "%s is well again: it %s no more", subject,
                    verdict->was == LOCATE_SLOW ? "delays" : "loses");
    } else if (verdict->fault == LOCATE_SLOW) {
        engine_note(engine, NOTE_WARNING, kind, subject,
                    "%s takes %llu us longer than the links around it%s", subject,
                    (unsigned long long)(verdict->excess_ns / NS_PER_US), tied);
    } else {
        engine_note(engine, NOTE_WARNING, kind, subject,
                    "%s loses %s: %u of %u probes over it (confidence %u.%u %%)%s", subject,
                    verdict->fault == LOCATE_DOWN ? "all" : "some", verdict->lost, verdict->sent,
                    verdict->confidence_ppm / 10000, verdict->confidence_ppm / 1000 % 10, tied);
    }
}

void diagnosis_work(struct engine *engine) {
    struct diagnose *diagnose = &engine->diagnose;
    const struct diagnosis_policy *policy = &engine->config.diagnosis;
    if (policy->probes_per_second == 0) {
        if (diagnose->locate != NULL) {
            diagnose_stop(diagnose);
            engine->watched = 0;
        }
    } else {
        if (engine->now_ns >= engine->loops_due_at_ns) {
            set_loops(engine);
        }
        diagnose_tick(diagnose, engine->now_ns, policy, note_verdict, engine);
    }
    engine->own_verdict_changed = engine->own_verdict_changed || diagnose->changed;
    engine->suspicions_changed = engine->suspicions_changed || diagnose->suspicions_changed;
    diagnose->changed = diagnose->suspicions_changed = false;
}

uint64_t diagnosis_deadline_ns(const struct engine *engine) {
    if (engine->config.diagnosis.probes_per_second == 0) {
        return NEVER_NS;
    }
    return engine->diagnose.deadline_ns < engine->loops_due_at_ns ? engine->diagnose.deadline_ns
                                                                  : engine->loops_due_at_ns;
}

// ---- what peers hear, and say

static bool is_avoidable(const struct engine *engine, const struct diagnose_finding *finding) {
    return diagnose_is_loss(finding) &&
           (finding->verdict.fault == LOCATE_DOWN ||
            finding->verdict.loss_ppm >= engine->config.diagnosis.avoid_ppm);
}

void diagnosis_describe(const struct engine *engine, link_id link, struct link_report *report) {
    const struct diagnose_finding *finding = diagnose_find(&engine->diagnose, link, engine->now_ns);
    if (finding != NULL) {
        const struct locate_verdict *verdict = &finding->verdict;
        bool loss = diagnose_is_loss(finding);
        report->fault = loss ? LINK_FAULT_LOSSY : LINK_FAULT_SLOW;
        report->avoid = is_avoidable(engine, finding);
        report->fault_ppm = verdict->loss_ppm;
        report->excess_ns = verdict->excess_ns;
        report->tested = loss ? verdict->sent : 0;
        report->missed = loss ? verdict->lost : 0;
        return;
    }
    for (uint32_t i = 0; i < engine->diagnose.suspicion_count; i++) {
        const struct locate_suspicion *suspicion = &engine->diagnose.suspicions[i];
        if (suspicion->link.i == link.i) {
            report->fault = LINK_FAULT_SUSPECT;
            report->tested = suspicion->sent;
            report->missed = suspicion->lost;
        }
    }
}

bool diagnosis_avoids(const struct engine *engine, link_id link, bool *dead) {
    const struct diagnose_finding *finding = diagnose_find(&engine->diagnose, link, engine->now_ns);
    *dead = finding != NULL && finding->verdict.fault == LOCATE_DOWN;
    return finding != NULL && is_avoidable(engine, finding);
}

void diagnosis_hear(struct engine *engine, link_id link, node_id peer,
                    const struct link_report *before, const struct link_report *now) {
    bool continued = before != NULL && before->missed > 0 && now->missed >= before->missed &&
                     now->tested >= before->tested;
    uint32_t lost = now->missed - (continued ? before->missed : 0);
    uint32_t sent = now->tested - (continued ? before->tested : 0);
    if (lost > 0) {
        diagnose_hear(&engine->diagnose, link, peer.i, sent, lost);
    }
}

// ---- accessors

bool engine_diagnoses(const struct engine *engine) {
    return engine->config.diagnosis.probes_per_second > 0;
}

uint32_t engine_suspicion_count(const struct engine *engine) {
    return engine->diagnose.suspicion_count;
}

link_id engine_suspicion_at(const struct engine *engine, uint32_t index) {
    return engine->diagnose.suspicions[index].link;
}

uint32_t engine_finding_count(const struct engine *engine) {
    return engine->diagnose.finding_count;
}

static enum link_fault_place place_of(const struct locate_verdict *verdict) {
    static const enum link_fault_place places[] = {[LOCATE_LINK] = PLACE_LINK,
                                                   [LOCATE_HOST] = PLACE_NIC,
                                                   [LOCATE_LEAF] = PLACE_LEAF,
                                                   [LOCATE_SPINE] = PLACE_SPINE,
                                                   [LOCATE_UNKNOWN] = PLACE_UNKNOWN};
    return places[verdict->what.place];
}

void engine_finding_at(const struct engine *engine, uint32_t index, struct engine_finding *out) {
    const struct diagnose_finding *finding = &engine->diagnose.findings[index];
    const struct locate_verdict *verdict = &finding->verdict;
    *out = (struct engine_finding){.place = place_of(verdict),
                                   .down = verdict->fault == LOCATE_DOWN,
                                   .slow = verdict->fault == LOCATE_SLOW,
                                   .sent = verdict->sent,
                                   .lost = verdict->lost,
                                   .loss_ppm = verdict->loss_ppm,
                                   .confidence_ppm = verdict->confidence_ppm,
                                   .excess_ns = verdict->excess_ns,
                                   .since_ns = finding->since_ns,
                                   .over = finding->over_at_ns != 0};
    format_subject(engine, &verdict->what, out->subject);
}
