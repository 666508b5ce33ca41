// SPDX-License-Identifier: Apache-2.0
#include "run_adaptive.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pathalg/candidates.h"

#define WEIGHT_FULL 1000 // of a path whose least link carries what the fastest of the fabric does

struct adaptive_paths {
    port_id src;
    node_id leaf;
    struct adaptive_set set;
    struct flow_path paths[ADAPTIVE_PATHS_MAX]; // the last link is that of the flow at hand
    uint16_t count;
};

// ---- the paths there are

static link_id arrival(const struct fabric *fabric, port_id dst) {
    return link_of(fabric->ports[dst.i].cable, true);
}

// What the sender's agent believes of them; without an agent, they are as they were.
static void weigh_paths(const struct run_adaptive *adaptive, const struct adaptive_paths *paths,
                        uint16_t *weights) {
    const struct fabric *fabric = adaptive->flows->fabric;
    struct engine *engine = fleet_engine(adaptive->fleet, fabric->ports[paths->src.i].host.i);
    if (engine == NULL) {
        return;
    }
    for (uint32_t i = 0; i < paths->count; i++) {
        double least = 1;
        for (unsigned k = 1; k + 1 < paths->paths[i].link_count; k++) {
            link_id link = paths->paths[i].links[k];
            struct engine_link view;
            engine_link_at(engine, link, &view);
            double nominal = (double)fabric->cables[link_cable(link).i].rate_bps;
            least = fmin(least, (double)belief_rate_bps(fabric, &view.belief, link) / nominal);
        }
        weights[i] = (uint16_t)ceil(WEIGHT_FULL * least);
    }
}

static void find_paths(struct run_adaptive *adaptive, const struct flow *flow,
                       const struct adaptive_config *config, struct adaptive_paths *out) {
    struct flows *flows = adaptive->flows;
    uint16_t weights[ADAPTIVE_PATHS_MAX];
    *out =
        (struct adaptive_paths){.src = flow->src, .leaf = flows->fabric->ports[flow->dst.i].leaf};
    uint32_t count = candidates_find(flows->fabric, NULL, flow->src, flow->dst, flows->candidates,
                                     ADAPTIVE_PATHS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        out->paths[i] = flows_path(&flows->candidates[i]);
        weights[i] = WEIGHT_FULL;
    }
    out->count = (uint16_t)count;
    if (count > 0) {
        weigh_paths(adaptive, out, weights);
        adaptive_set_init(&out->set, config, weights, count);
    }
}

// Flows are sorted by source port; those of one port to one leaf share a set.
static uint32_t find_set(struct run_adaptive *adaptive, const struct flow *flow,
                         const struct adaptive_config *config) {
    node_id leaf = adaptive->flows->fabric->ports[flow->dst.i].leaf;
    for (uint32_t i = adaptive->set_count; i > 0; i--) {
        const struct adaptive_paths *paths = &adaptive->sets[i - 1];
        if (paths->src.i != flow->src.i) {
            break;
        }
        if (paths->leaf.i == leaf.i) {
            return i - 1;
        }
    }
    find_paths(adaptive, flow, config, &adaptive->sets[adaptive->set_count]);
    return adaptive->set_count++;
}

static uint32_t path_in_use(const struct adaptive_paths *paths, const struct flow *flow) {
    for (uint32_t i = 0; flow->part_count > 0 && i < paths->count; i++) {
        const struct flow_path *path = &paths->paths[i], *used = &flow->parts[0].path;
        if (path->link_count == used->link_count &&
            memcmp(path->links, used->links, (path->link_count - 1U) * sizeof path->links[0]) ==
                0) {
            return i;
        }
    }
    return 0;
}

// ---- what flows see

static bool is_under_way(const struct flow *flow) {
    return !flow->ended && flow->live_count > 0;
}

static double flow_wish(const struct run_adaptive *adaptive, const struct flow *flow) {
    const struct flows *flows = adaptive->flows;
    const struct fabric *fabric = flows->fabric;
    link_id out = link_of(fabric->ports[flow->src.i].cable, false);
    link_id in = arrival(fabric, flow->dst);
    return fmin((double)flows->rate_bps[out.i] / adaptive->sending[flow->src.i],
                (double)flows->rate_bps[in.i] / adaptive->receiving[flow->dst.i]);
}

// By port how many flows, by link what they wish for and what is left: of all jobs.
static void look_around(struct run_adaptive *adaptive) {
    struct flows *flows = adaptive->flows;
    const struct fabric *fabric = flows->fabric;
    memset(adaptive->sending, 0, fabric->port_count * sizeof adaptive->sending[0]);
    memset(adaptive->receiving, 0, fabric->port_count * sizeof adaptive->receiving[0]);
    memset(adaptive->wish_bps, 0, flows_link_count(fabric) * sizeof adaptive->wish_bps[0]);
    memset(adaptive->left_bytes, 0, flows_link_count(fabric) * sizeof adaptive->left_bytes[0]);
    for (uint32_t i = 0; i < flows->count; i++) {
        if (is_under_way(&flows->list[i])) {
            adaptive->sending[flows->list[i].src.i]++;
            adaptive->receiving[flows->list[i].dst.i]++;
        }
    }
    for (uint32_t i = 0; i < flows->count; i++) {
        const struct flow *flow = &flows->list[i];
        double wish = is_under_way(flow) ? flow_wish(adaptive, flow) / flow->live_count : 0;
        for (uint32_t p = 0; p < flow->part_count; p++) {
            const struct flow_part *part = &flow->parts[p];
            double left = part->live ? fluid_left_bytes(flows->fluid, part->id) : 0;
            for (unsigned k = 0; part->live && k < part->path.link_count; k++) {
                adaptive->wish_bps[part->path.links[k].i] += wish;
                adaptive->left_bytes[part->path.links[k].i] += left;
            }
        }
    }
}

static struct adaptive_round see(const struct run_adaptive *adaptive, const struct flow *flow) {
    const struct flow_path *path = &flow->parts[0].path;
    double unmarked = 1;
    struct adaptive_round round = {.now_ns = adaptive->next_at_ns};
    for (unsigned k = 0; k < path->link_count; k++) {
        double rate = (double)adaptive->flows->rate_bps[path->links[k].i];
        double wish = adaptive->wish_bps[path->links[k].i];
        unmarked *= wish > rate ? rate / wish : 1;
        round.lost = round.lost || rate == 0;
    }
    round.marked_ppm = (uint32_t)lround((1 - unmarked) * 1e6);
    return round;
}

// ---- how good it is

// Seconds for what is left over the links of a node in one direction, were it spread at will.
static double node_time_s(const struct run_adaptive *adaptive, uint32_t node, bool out, bool up) {
    const struct fabric *fabric = adaptive->flows->fabric;
    const struct fabric_node *at = &fabric->nodes[node];
    double bytes = 0, rate = 0;
    for (uint32_t i = 0; i < at->adjacency_count; i++) {
        const struct fabric_adjacency *adjacency = &fabric->adjacencies[at->first_adjacency + i];
        if ((fabric->nodes[adjacency->peer.i].tier > at->tier) == up) {
            link_id link = out ? adjacency->link : link_opposite(adjacency->link);
            bytes += adaptive->left_bytes[link.i];
            rate += (double)adaptive->flows->rate_bps[link.i];
        }
    }
    return rate > 0 ? 8 * bytes / rate : 0;
}

static double find_ratio(const struct run_adaptive *adaptive) {
    const struct fabric *fabric = adaptive->flows->fabric;
    double bound_s = 0, load_s = 0;
    for (uint32_t i = 0; i < fabric->node_count; i++) {
        if (fabric->nodes[i].tier <= 1) { // a host's ports share its data; a leaf is a cut
            bound_s = fmax(bound_s, node_time_s(adaptive, i, true, true));
            bound_s = fmax(bound_s, node_time_s(adaptive, i, false, true));
        }
    }
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        double rate = (double)adaptive->flows->rate_bps[i];
        if (rate > 0) {
            load_s = fmax(load_s, 8 * adaptive->left_bytes[i] / rate);
        }
    }
    return bound_s > 0 ? load_s / bound_s : 1;
}

static void judge(struct run_adaptive *adaptive) {
    look_around(adaptive);
    adaptive->ratio = find_ratio(adaptive);
    if (adaptive->near_after == ID_NONE && adaptive->ratio <= ADAPTIVE_NEAR) {
        adaptive->near_after = adaptive->rounds;
    }
}

// ---- rounds

static bool step_flow(struct run_adaptive *adaptive, uint32_t index) {
    struct flow *flow = &adaptive->flows->list[adaptive->first_flow + index];
    if (!is_under_way(flow) || adaptive->set_of[index] == ID_NONE) {
        return false;
    }
    struct adaptive_paths *paths = &adaptive->sets[adaptive->set_of[index]];
    struct adaptive_round round = see(adaptive, flow);
    if (!adaptive_step(&adaptive->qps[index], &paths->set, &round, &adaptive->rng)) {
        return false;
    }
    struct flow_path path = paths->paths[adaptive->qps[index].path];
    struct flows_moved moved = {0};
    const uint64_t all = UINT64_MAX;
    path.links[path.link_count - 1] = arrival(adaptive->flows->fabric, flow->dst);
    flows_place(adaptive->flows, flow, &all, &path, 1, &moved);
    adaptive->moves++;
    return true;
}

bool adaptive_round(struct run_adaptive *adaptive, uint64_t now_ns) {
    bool any = false;
    while (adaptive->next_at_ns <= now_ns) {
        judge(adaptive);
        for (uint32_t i = 0; i < adaptive->set_count; i++) {
            weigh_paths(adaptive, &adaptive->sets[i], adaptive->sets[i].set.weights);
        }
        for (uint32_t i = 0; i < adaptive->flow_count; i++) {
            any = step_flow(adaptive, i) || any;
        }
        adaptive->rounds++;
        adaptive->next_at_ns += adaptive->round_ns;
    }
    return any;
}

// ---- beginning and end

static int allocate(struct run_adaptive *adaptive) {
    const struct fabric *fabric = adaptive->flows->fabric;
    size_t flows = (size_t)adaptive->flow_count + 1, links = flows_link_count(fabric);
    adaptive->qps = calloc(flows, sizeof adaptive->qps[0]);
    adaptive->set_of = calloc(flows, sizeof adaptive->set_of[0]);
    adaptive->sets = calloc(flows, sizeof adaptive->sets[0]);
    adaptive->wish_bps = calloc(links, sizeof adaptive->wish_bps[0]);
    adaptive->left_bytes = calloc(links, sizeof adaptive->left_bytes[0]);
    adaptive->sending = calloc(fabric->port_count + 1U, sizeof adaptive->sending[0]);
    adaptive->receiving = calloc(fabric->port_count + 1U, sizeof adaptive->receiving[0]);
    bool whole = adaptive->qps != NULL && adaptive->set_of != NULL && adaptive->sets != NULL &&
                 adaptive->wish_bps != NULL && adaptive->left_bytes != NULL &&
                 adaptive->sending != NULL && adaptive->receiving != NULL;
    return whole ? 0 : -ENOMEM;
}

static void begin_flow(struct run_adaptive *adaptive, uint32_t index,
                       const struct adaptive_config *config) {
    struct flow *flow = &adaptive->flows->list[adaptive->first_flow + index];
    adaptive->set_of[index] = ID_NONE;
    if (!flow->cross_leaf) {
        return;
    }
    uint32_t set = find_set(adaptive, flow, config);
    if (adaptive->sets[set].count == 0) {
        return;
    }
    flow->own_paths = true;
    adaptive->set_of[index] = set;
    adaptive_init(&adaptive->qps[index], &adaptive->sets[set].set,
                  path_in_use(&adaptive->sets[set], flow), adaptive->next_at_ns);
}

int adaptive_open(struct flows *flows, struct fleet *fleet, uint32_t first_flow, uint64_t round_ns,
                  uint64_t seed, struct run_adaptive **out) {
    struct run_adaptive *adaptive = calloc(1, sizeof *adaptive);
    if (adaptive == NULL) {
        return -ENOMEM;
    }
    adaptive->flows = flows;
    adaptive->fleet = fleet;
    adaptive->first_flow = first_flow;
    adaptive->flow_count = flows->count - first_flow;
    adaptive->round_ns = round_ns;
    adaptive->near_after = ID_NONE;
    adaptive->next_at_ns = fluid_now_ns(flows->fluid);
    rng_init(&adaptive->rng, seed);
    if (allocate(adaptive) != 0) {
        adaptive_close(adaptive);
        return -ENOMEM;
    }
    struct adaptive_config config = adaptive_config_of(round_ns);
    for (uint32_t i = 0; i < adaptive->flow_count; i++) {
        begin_flow(adaptive, i, &config);
    }
    judge(adaptive);
    adaptive->next_at_ns += round_ns;
    *out = adaptive;
    return 0;
}

void adaptive_close(struct run_adaptive *adaptive) {
    if (adaptive == NULL) {
        return;
    }
    free(adaptive->qps);
    free(adaptive->set_of);
    free(adaptive->sets);
    free(adaptive->wish_bps);
    free(adaptive->left_bytes);
    free(adaptive->sending);
    free(adaptive->receiving);
    free(adaptive);
}
