// SPDX-License-Identifier: Apache-2.0
// The safety valve: when too much would go down at once, it is probably the observers. A link that
// would be avoided as lossy counts as one that would go down.
//
// Counted are the links that the shared view took down within the last second together with those
// that it would take down now, without those of the one switch that has most of them: a switch may
// die. When in one tier more than a quarter of all links is left, the valve shuts: the shared view
// takes no further link down. Own observations go on moving own flows, links go on coming up,
// operators' orders go on counting. It opens when the evidence has fallen below the quarter, or has
// stood for ten seconds: then it counts as it is, so that agents with equal facts believe the same
// again. An agent that has just joined, or taken up another fabric file, has no good view to keep:
// its valve stays open until it has settled.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/time.h"
#include "state.h"

#define BURST_NS NS_PER_S
#define STAND_NS (10 * NS_PER_S)
#define SETTLE_NS (3 * NS_PER_S)
#define BURST_SHARE 4 // one part in this many of a tier

int valve_init(struct valve *valve, const struct fabric *fabric) {
    *valve = (struct valve){0};
    valve->down_at_ns = calloc(fabric_link_count(fabric), sizeof *valve->down_at_ns);
    valve->held = calloc(fabric_link_count(fabric), sizeof *valve->held);
    valve->burst = calloc(fabric->node_count, sizeof *valve->burst);
    if (valve->down_at_ns == NULL || valve->held == NULL || valve->burst == NULL) {
        valve_fini(valve);
        return -ENOMEM;
    }
    return 0;
}

void valve_fini(struct valve *valve) {
    free(valve->down_at_ns);
    free(valve->held);
    free(valve->burst);
    *valve = (struct valve){0};
}

static unsigned tier_of(const struct fabric *fabric, link_id link) {
    return fabric->nodes[fabric->cables[link_cable(link).i].a.i].tier;
}

// ---- the burst

static bool is_out(const struct link_belief *belief) {
    return belief->down || belief->avoided;
}

// Links that would be down by the evidence and were up a second ago; while the valve is shut: a
// second before it shut.
static bool is_in_burst(const struct engine *engine, const struct link_belief *before,
                        uint32_t link) {
    const struct valve *valve = &engine->valve;
    uint64_t until_ns = valve->shut ? valve->shut_at_ns : engine->now_ns;
    uint64_t at_ns = valve->down_at_ns[link];
    return is_out(&engine->beliefs[link]) &&
           (!is_out(&before[link]) || (at_ns != 0 && at_ns + BURST_NS > until_ns));
}

// The switch with most links of the burst.
static node_id worst_switch(struct engine *engine, const struct link_belief *before) {
    const struct fabric *fabric = engine->fabric;
    uint32_t *burst = engine->valve.burst;
    memset(burst, 0, fabric->node_count * sizeof *burst);
    node_id worst = {0};
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        if (is_in_burst(engine, before, i)) {
            burst[fabric_link_from(fabric, (link_id){i}).i]++;
            burst[fabric_link_to(fabric, (link_id){i}).i]++;
        }
    }
    for (uint32_t i = fabric->host_count; i < fabric->node_count; i++) {
        worst.i = burst[i] > burst[worst.i] ? i : worst.i;
    }
    return worst;
}

static bool is_too_much(struct engine *engine, const struct link_belief *before) {
    const struct fabric *fabric = engine->fabric;
    node_id worst = worst_switch(engine, before);
    uint32_t links[TIERS_MAX] = {0}, burst[TIERS_MAX] = {0};
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        unsigned tier = tier_of(fabric, (link_id){i});
        bool explained = fabric_link_from(fabric, (link_id){i}).i == worst.i ||
                         fabric_link_to(fabric, (link_id){i}).i == worst.i;
        links[tier]++;
        burst[tier] += !explained && is_in_burst(engine, before, i);
    }
    bool too_much = false;
    for (unsigned tier = 0; tier < TIERS_MAX; tier++) {
        too_much = too_much || BURST_SHARE * burst[tier] > links[tier];
    }
    return too_much;
}

// ---- shut and open

static void set_shut(struct engine *engine, bool shut, uint32_t count, const char *why) {
    struct valve *valve = &engine->valve;
    if (shut == valve->shut) {
        return;
    }
    valve->shut = shut;
    valve->shut_at_ns = engine->now_ns;
    if (shut) {
        engine_note(engine, NOTE_ALARM, "safety_valve", engine->config.host,
                    "%u more links would go down at once: probably the observers are at fault; "
                    "they stay up for all until fewer do or 10 s have passed",
                    count);
    } else {
        engine_note(engine, NOTE_WARNING, "safety_valve_open", engine->config.host, "%s", why);
    }
}

// What goes down now; with `hold` it does not.
static void pass_links(struct engine *engine, const struct link_belief *before, bool hold,
                       bool counts) {
    struct valve *valve = &engine->valve;
    for (uint32_t i = 0; i < fabric_link_count(engine->fabric); i++) {
        struct link_belief *belief = &engine->beliefs[i];
        valve->held[i] = hold && is_out(belief) && !is_out(&before[i]);
        belief->down = belief->down && !valve->held[i];
        belief->avoided = belief->avoided && !valve->held[i];
        if (!is_out(belief)) {
            valve->down_at_ns[i] = 0;
        } else if (!is_out(&before[i])) {
            valve->down_at_ns[i] = counts ? engine->now_ns : 0;
        }
    }
}

static uint32_t count_pending(const struct engine *engine, const struct link_belief *before) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < fabric_link_count(engine->fabric); i++) {
        count += is_out(&engine->beliefs[i]) && !is_out(&before[i]);
    }
    return count;
}

static bool is_settled(struct engine *engine) {
    struct valve *valve = &engine->valve;
    if (valve->armed_at_ns == 0 && gossip_joined(engine->gossip)) {
        valve->armed_at_ns = engine->now_ns + SETTLE_NS;
    }
    return valve->armed_at_ns != 0 && engine->now_ns >= valve->armed_at_ns;
}

void valve_pass(struct engine *engine, const struct link_belief *before) {
    struct valve *valve = &engine->valve;
    uint32_t pending = count_pending(engine, before);
    valve->held_count = 0;
    if (!is_settled(engine)) {
        pass_links(engine, before, false, false);
    } else if (pending == 0 || !is_too_much(engine, before)) {
        set_shut(engine, false, pending, "fewer links would go down: the evidence counts again");
        pass_links(engine, before, false, true);
    } else if (valve->shut && engine->now_ns - valve->shut_at_ns >= STAND_NS) {
        set_shut(engine, false, pending, "the evidence has stood for 10 s: it counts as it is");
        pass_links(engine, before, false, false);
    } else {
        set_shut(engine, true, pending, "");
        pass_links(engine, before, true, true);
        valve->held_count = pending;
    }
}

uint64_t valve_deadline_ns(const struct engine *engine) {
    return engine->valve.shut ? engine->valve.shut_at_ns + STAND_NS : NEVER_NS;
}
