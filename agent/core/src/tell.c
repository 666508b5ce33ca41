// SPDX-License-Identifier: Apache-2.0
// Own changed facts, written into the own origin of the gossip core.
#include <assert.h>
#include <string.h>

#include "state.h"

#define LOSS_WORTH_TELLING_PPM 1000

static bool decap_ready(const struct engine *engine) {
    bool ready = !engine->leaving;
    for (uint32_t i = 0; i < engine->own_port_count; i++) {
        ready = ready && engine->router.nic_holds[i];
    }
    return ready;
}

static void tell_member(struct engine *engine) {
    const struct fabric *active = engine->fabric;
    const struct fabric *held = engine->held != NULL ? engine->held : active;
    struct member_facts facts = {.fabric_generation = active->generation,
                                 .held_generation = held->generation,
                                 .plan_version = plans_own_version(engine),
                                 .protocol_version = GOSSIP_PROTOCOL_VERSION,
                                 .decap_ready = decap_ready(engine),
                                 .build = SRV6_VERSION};
    memcpy(facts.fabric_digest, active->digest, sizeof facts.fabric_digest);
    memcpy(facts.held_digest, held->digest, sizeof facts.held_digest);
    memcpy(facts.nic_driver, engine->config.nic_driver, sizeof facts.nic_driver);
    uint8_t bytes[512];
    ssize_t size = member_facts_encode(&facts, bytes, sizeof bytes);
    assert(size > 0);
    gossip_put(engine->gossip, engine->now_ns, GOSSIP_TABLE_MEMBER, "", bytes, (size_t)size);
    struct host_view *self = &engine->hosts[engine->self.i];
    self->facts = facts;
    self->has_facts = true;
}

static void withdraw(struct engine *engine, link_id link) {
    struct told_link *told = &engine->told[link.i];
    char name[LINK_NAME_SIZE];
    if (told->published) {
        fabric_format_link(engine->fabric, link, name);
        gossip_delete(engine->gossip, engine->now_ns, GOSSIP_TABLE_LINK, name);
        learn_own_report(engine, link, NULL);
        *told = (struct told_link){0};
    }
}

static struct link_report make_report(const struct engine *engine, link_id link) {
    const struct probed_link *probed = &engine->prober.links[link.i];
    bool down = probed->state == PROBE_DOWN || probed->state == PROBE_HELD;
    struct probe_totals recent = prober_recent(&engine->prober, link);
    struct link_report report = {.verdict = probed->monitored && down ? LINK_DOWN : LINK_UP,
                                 .capacity_ppm = capacity_link_ppm(&engine->capacity, link),
                                 .loss_ppm = recent.sent == 0
                                                 ? 0
                                                 : (uint32_t)(recent.lost * 1000000 / recent.sent),
                                 .delay_ns = probed->rtt_ns,
                                 .probe_count = probed->sent};
    diagnosis_describe(engine, link, &report);
    return report;
}

// Told with a verdict, a loss would be said of the link for as long as the verdict lasts.
static bool is_past(const struct told_link *told, const struct link_report *report) {
    return told->loss_ppm >= LOSS_WORTH_TELLING_PPM && report->loss_ppm < told->loss_ppm / 2;
}

static bool is_told(const struct told_link *told, const struct link_report *report) {
    return told->published && told->verdict == report->verdict && told->fault == report->fault &&
           told->avoid == report->avoid && told->missed == report->missed &&
           told->capacity_ppm == report->capacity_ppm && !is_past(told, report);
}

// Of links that are not watched here only what localization found or suspects is told.
static void tell_link(struct engine *engine, link_id link) {
    const struct probed_link *probed = &engine->prober.links[link.i];
    struct told_link *told = &engine->told[link.i];
    bool judged =
        probed->state == PROBE_GOOD || probed->state == PROBE_DOWN || probed->state == PROBE_HELD;
    if (!probed->monitored && !told->published && engine->diagnose.finding_count == 0 &&
        engine->diagnose.suspicion_count == 0) {
        return;
    }
    struct link_report report = make_report(engine, link);
    if (!probed->monitored && report.fault == LINK_FAULT_NONE) {
        withdraw(engine, link);
        return;
    }
    // A link under suspicion by the prober keeps its last published verdict.
    if (probed->monitored && !judged) {
        report.verdict = told->verdict;
    }
    if (is_told(told, &report) || (probed->monitored && !judged && !told->published)) {
        return;
    }
    uint8_t bytes[128];
    ssize_t size = link_report_encode(&report, bytes, sizeof bytes);
    assert(size > 0);
    char name[LINK_NAME_SIZE];
    fabric_format_link(engine->fabric, link, name);
    if (gossip_put(engine->gossip, engine->now_ns, GOSSIP_TABLE_LINK, name, bytes, (size_t)size) ==
        0) {
        *told = (struct told_link){true,          report.verdict,      report.fault,   report.avoid,
                                   report.missed, report.capacity_ppm, report.loss_ppm};
        learn_own_report(engine, link, &report);
    }
}

void tell(struct engine *engine) {
    loads_tell(engine);
    if (engine->facts_changed) {
        engine->facts_changed = false;
        tell_member(engine);
    }
    if (engine->own_verdict_changed || engine->suspicions_changed) {
        engine->suspicions_changed = false;
        for (uint32_t i = 0; i < fabric_link_count(engine->fabric); i++) {
            tell_link(engine, (link_id){i});
        }
    }
}
