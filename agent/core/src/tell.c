// SPDX-License-Identifier: Apache-2.0
// Own changed facts, written into the own origin of the gossip core.
#include <assert.h>
#include <string.h>

#include "state.h"

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

static void tell_link(struct engine *engine, link_id link) {
    const struct probed_link *probed = &engine->prober.links[link.i];
    struct told_link *told = &engine->told[link.i];
    char name[LINK_NAME_SIZE];
    bool judged =
        probed->state == PROBE_GOOD || probed->state == PROBE_DOWN || probed->state == PROBE_HELD;
    if (!probed->monitored) {
        if (told->published) {
            fabric_format_link(engine->fabric, link, name);
            gossip_delete(engine->gossip, engine->now_ns, GOSSIP_TABLE_LINK, name);
            learn_own_report(engine, link, NULL);
            told->published = false;
        }
        return;
    }
    // A link under suspicion keeps its last published verdict.
    enum link_verdict verdict = probed->state == PROBE_GOOD ? LINK_UP : LINK_DOWN;
    if (!judged || (told->published && told->verdict == verdict)) {
        return;
    }
    struct link_report report = {.verdict = verdict,
                                 .capacity_ppm = CAPACITY_FULL_PPM,
                                 .loss_ppm = probed->sent == 0 ? 0
                                                               : (uint32_t)(probed->lost * 1000000 /
                                                                            probed->sent),
                                 .delay_ns = probed->rtt_ns,
                                 .probe_count = probed->sent};
    uint8_t bytes[128];
    ssize_t size = link_report_encode(&report, bytes, sizeof bytes);
    assert(size > 0);
    fabric_format_link(engine->fabric, link, name);
    if (gossip_put(engine->gossip, engine->now_ns, GOSSIP_TABLE_LINK, name, bytes, (size_t)size) ==
        0) {
        *told = (struct told_link){true, verdict};
        learn_own_report(engine, link, &report);
    }
}

void tell(struct engine *engine) {
    loads_tell(engine);
    if (engine->facts_changed) {
        engine->facts_changed = false;
        tell_member(engine);
    }
    if (engine->own_verdict_changed) {
        for (uint32_t i = 0; i < fabric_link_count(engine->fabric); i++) {
            tell_link(engine, (link_id){i});
        }
    }
}
