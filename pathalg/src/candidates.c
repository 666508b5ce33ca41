// SPDX-License-Identifier: Apache-2.0
// Enumeration follows the Clos structure: up one tier, and straight down if the switch there
// reaches the destination leaf; only if no such path is live, up two tiers and down two. That gives
// the shortest paths of leaf-spine fabrics, of one pod, and between pods, with one piece of code.
#include "pathalg/candidates.h"

#include "enumerate.h"
#include "live.h"

struct walk {
    const struct fabric *fabric;
    const struct link_belief *beliefs;
    node_id dst_leaf;
    link_id last;
    struct path path; // the prefix that has been walked
    path_visit_fn *visit;
    void *context;
    uint32_t count;
};

static const struct fabric_adjacency *adjacencies_of(const struct walk *walk, node_id node,
                                                     uint32_t *count) {
    const struct fabric_node *at = &walk->fabric->nodes[node.i];
    *count = at->adjacency_count;
    return &walk->fabric->adjacencies[at->first_adjacency];
}

static bool walk_push(struct walk *walk, link_id link) {
    if (!link_is_live(walk->fabric, walk->beliefs, link)) {
        return false;
    }
    walk->path.links[walk->path.link_count++] = link;
    return true;
}

static void walk_pop(struct walk *walk) {
    walk->path.link_count--;
}

// From a switch above the destination leaf straight down to the port: one path per parallel cable.
static void walk_down(struct walk *walk, node_id from) {
    uint32_t count = 0;
    const struct fabric_adjacency *down =
        fabric_find_adjacency(walk->fabric, from, walk->dst_leaf, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (!walk_push(walk, down[i].link)) {
            continue;
        }
        struct path whole = walk->path;
        whole.links[whole.link_count++] = walk->last;
        walk->visit(walk->context, walk->count++, &whole);
        walk_pop(walk);
    }
}

// From a core down to the destination pod: a pod's aggs serve only its own leaves. It cannot be
// back at the agg that it came from: this is walked only when no agg joins the two leaves.
static void walk_down_pod(struct walk *walk, node_id core) {
    uint32_t count = 0;
    const struct fabric_adjacency *down = adjacencies_of(walk, core, &count);
    uint32_t pod = walk->fabric->nodes[walk->dst_leaf.i].pod;
    for (uint32_t i = 0; i < count; i++) {
        const struct fabric_node *peer = &walk->fabric->nodes[down[i].peer.i];
        if (peer->tier == 2 && peer->pod == pod && walk_push(walk, down[i].link)) {
            walk_down(walk, down[i].peer);
            walk_pop(walk);
        }
    }
}

static void walk_over_cores(struct walk *walk, node_id agg) {
    uint32_t count = 0;
    const struct fabric_adjacency *up = adjacencies_of(walk, agg, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (walk->fabric->nodes[up[i].peer.i].tier == 3 && walk_push(walk, up[i].link)) {
            walk_down_pod(walk, up[i].peer);
            walk_pop(walk);
        }
    }
}

static void walk_up(struct walk *walk, node_id leaf, void (*next)(struct walk *, node_id)) {
    uint32_t count = 0;
    const struct fabric_adjacency *up = adjacencies_of(walk, leaf, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (walk->fabric->nodes[up[i].peer.i].tier == 2 && walk_push(walk, up[i].link)) {
            next(walk, up[i].peer);
            walk_pop(walk);
        }
    }
}

uint32_t candidates_enumerate(const struct fabric *fabric, const struct link_belief *beliefs,
                              port_id src, port_id dst, path_visit_fn *visit, void *context) {
    node_id src_leaf = fabric->ports[src.i].leaf;
    struct walk walk = {
        .fabric = fabric,
        .beliefs = beliefs,
        .dst_leaf = fabric->ports[dst.i].leaf,
        .last = port_downlink(fabric, dst),
        .visit = visit,
        .context = context,
    };
    if (!link_is_live(fabric, beliefs, walk.last) || !walk_push(&walk, port_uplink(fabric, src))) {
        return 0;
    }
    if (src_leaf.i == walk.dst_leaf.i) {
        walk.path.links[walk.path.link_count++] = walk.last;
        visit(context, walk.count++, &walk.path);
        return walk.count;
    }
    walk_up(&walk, src_leaf, walk_down);
    if (walk.count == 0) {
        walk_up(&walk, src_leaf, walk_over_cores);
    }
    return walk.count;
}

struct fill {
    struct path *paths;
    uint32_t max;
    uint32_t total;
    uint32_t filled;
};

static void visit_nothing(void *context, uint32_t ordinal, const struct path *path) {
    (void)context, (void)ordinal, (void)path;
}

// Takes `max` of `total` paths, evenly spaced, so that a subset still covers all first hops.
static void visit_fill(void *context, uint32_t ordinal, const struct path *path) {
    struct fill *fill = context;
    uint64_t slot = (uint64_t)ordinal * fill->max / fill->total;
    uint64_t next = ((uint64_t)ordinal + 1) * fill->max / fill->total;
    if (fill->total <= fill->max || slot != next) {
        fill->paths[fill->filled++] = *path;
    }
}

uint32_t candidates_find(const struct fabric *fabric, const struct link_belief *beliefs,
                         port_id src, port_id dst, struct path *paths, uint32_t max) {
    uint32_t total = candidates_enumerate(fabric, beliefs, src, dst, visit_nothing, NULL);
    if (paths != NULL && total > 0 && max > 0) {
        struct fill fill = {.paths = paths, .max = max, .total = total};
        candidates_enumerate(fabric, beliefs, src, dst, visit_fill, &fill);
    }
    return total;
}
