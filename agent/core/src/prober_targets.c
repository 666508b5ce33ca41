// SPDX-License-Identifier: Apache-2.0
// What is probed: the elected cables and the four loops over each.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "model/time.h"
#include "prober.h"

#define BURST_PROBES 16

static void build_loop(struct walk_finder *finder, const struct walk_request *request,
                       enum loop_kind kind, struct loop *loop) {
    bool found = kind == LOOP_PREFIX ? walk_find_prefix(finder, request, &loop->walk)
                                     : walk_find(finder, request, &loop->walk);
    loop->valid = found && fabric_walk_sids(finder->fabric, loop->walk.links, loop->walk.link_count,
                                            &loop->sids) == 0;
}

static bool same_walk(const struct loop *a, const struct loop *b) {
    return a->valid == b->valid && a->walk.link_count == b->walk.link_count &&
           memcmp(a->walk.links, b->walk.links, a->walk.link_count * sizeof a->walk.links[0]) == 0;
}

// Chooses the four walks. A loop of `before` (NULL: none) whose walk stays keeps what was measured
// on it.
static void build_target(struct walk_finder *finder, struct probe_target *target, port_id port,
                         const bool *avoid, const struct probe_target *before, uint64_t now_ns) {
    for (enum loop_kind kind = LOOP_PING; kind < LOOP_KINDS; kind++) {
        struct walk_request request = {.port = port,
                                       .through = link_of(target->cable, kind == LOOP_REVERSE),
                                       .both = kind == LOOP_PING || kind == LOOP_PREFIX,
                                       .avoid = avoid,
                                       .salt = hash_pair(target->cable.i, port.i)};
        struct loop *loop = &target->loops[kind];
        *loop = (struct loop){.since_ns = now_ns};
        build_loop(finder, &request, kind, loop);
        if (before != NULL && same_walk(&before->loops[kind], loop)) {
            *loop = before->loops[kind];
        }
    }
}

static const struct probe_target *find_target(const struct prober *prober, cable_id cable,
                                              uint32_t port) {
    for (uint32_t i = 0; i < prober->target_count; i++) {
        if (prober->targets[i].cable.i == cable.i && prober->targets[i].port == port) {
            return &prober->targets[i];
        }
    }
    return NULL;
}

static bool same_list(const struct prober *prober, const cable_id *cables, const uint32_t *ports,
                      uint32_t count) {
    bool same = prober->target_count == count;
    for (uint32_t i = 0; same && i < count; i++) {
        same = prober->targets[i].cable.i == cables[i].i && prober->targets[i].port == ports[i];
    }
    return same;
}

// Targets are spread over the interval in bursts: one wake-up sends many probes, and a burst of
// this size is small against any queue. The instants are those of the prober, whenever a target
// came: who joins later leaves with the others.
static uint64_t first_at_ns(const struct prober *prober, uint32_t index, uint32_t count,
                            uint64_t now_ns, uint64_t interval_ns) {
    uint32_t bursts = (count + BURST_PROBES - 1) / BURST_PROBES;
    uint64_t phase_ns = interval_ns * (index / BURST_PROBES) / bursts;
    uint64_t behind_ns = (now_ns - prober->grid_at_ns + interval_ns - phase_ns) % interval_ns;
    return behind_ns == 0 ? now_ns : now_ns + interval_ns - behind_ns;
}

static void mark_monitored(struct prober *prober) {
    for (uint32_t i = 0; i < fabric_link_count(prober->fabric); i++) {
        prober->links[i].monitored = false;
    }
    for (uint32_t i = 0; i < prober->target_count; i++) {
        prober->links[link_of(prober->targets[i].cable, false).i].monitored = true;
        prober->links[link_of(prober->targets[i].cable, true).i].monitored = true;
    }
}

int prober_set_targets(struct prober *prober, const cable_id *cables, const uint32_t *ports,
                       const port_id *own_ports, uint32_t count, const bool *avoid, uint64_t now_ns,
                       uint64_t interval_ns) {
    struct walk_finder finder;
    struct probe_target *targets = calloc(count > 0 ? count : 1, sizeof *targets);
    uint64_t next_ns = NEVER_NS;
    int rc = targets == NULL ? -ENOMEM : walk_finder_init(&finder, prober->fabric);
    if (rc != 0) {
        free(targets);
        return rc;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct probe_target *before = find_target(prober, cables[i], ports[i]);
        targets[i] =
            before != NULL ? *before : (struct probe_target){.cable = cables[i], .port = ports[i]};
        uint64_t first_ns = first_at_ns(prober, i, count, now_ns, interval_ns);
        if (first_ns < targets[i].next_at_ns ||
            (first_ns - targets[i].next_at_ns) % interval_ns != 0) { // else it is due already
            targets[i].next_at_ns = first_ns;
        }
        next_ns = targets[i].next_at_ns < next_ns ? targets[i].next_at_ns : next_ns;
        build_target(&finder, &targets[i], own_ports[ports[i]], avoid, before, now_ns);
    }
    walk_finder_fini(&finder);
    if (!same_list(prober, cables, ports, count)) {
        prober->epoch++;
    }
    free(prober->targets);
    prober->targets = targets;
    prober->target_count = count;
    mark_monitored(prober);
    prober->deadline_ns = next_ns < prober->deadline_ns ? next_ns : prober->deadline_ns;
    return 0;
}
