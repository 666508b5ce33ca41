// SPDX-License-Identifier: Apache-2.0
#include "traffic.h"

#include <errno.h>
#include <stdlib.h>

#include "reach.h"

static uint64_t *numbers(size_t count) {
    return calloc(count + 1, sizeof(uint64_t));
}

static bool allocate(struct traffic *traffic) {
    const struct fabric *fabric = traffic->fabric;
    size_t pairs = (size_t)traffic->leaf_count * traffic->leaf_count;
    traffic->rate_bps = numbers(fabric_link_count(fabric));
    traffic->leaves = calloc((size_t)traffic->leaf_count + 1, sizeof traffic->leaves[0]);
    traffic->leaf_index = calloc((size_t)fabric->node_count + 1, sizeof traffic->leaf_index[0]);
    traffic->paths = numbers(pairs);
    traffic->bytes = numbers(pairs);
    traffic->sent = numbers(fabric->port_count);
    traffic->received = numbers(fabric->port_count);
    return traffic->rate_bps != NULL && traffic->leaves != NULL && traffic->leaf_index != NULL &&
           traffic->paths != NULL && traffic->bytes != NULL && traffic->sent != NULL &&
           traffic->received != NULL;
}

static uint32_t count_leaves(const struct fabric *fabric) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < fabric->node_count; i++) {
        count += fabric->nodes[i].kind == NODE_LEAF;
    }
    return count;
}

static void number_leaves(struct traffic *traffic) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < traffic->fabric->node_count; i++) {
        traffic->leaf_index[i] = ID_NONE;
        if (traffic->fabric->nodes[i].kind == NODE_LEAF) {
            traffic->leaf_index[i] = count;
            traffic->leaves[count++] = (node_id){i};
        }
    }
}

static void find_rates(struct traffic *traffic, const struct link_belief *beliefs) {
    for (uint32_t i = 0; i < fabric_link_count(traffic->fabric); i++) {
        link_id link = {i};
        traffic->rate_bps[i] = beliefs != NULL ? belief_rate_bps(traffic->fabric, &beliefs[i], link)
                                               : fabric_link_rate_bps(traffic->fabric, link);
    }
}

static bool sends(const struct traffic *traffic, uint32_t leaf, node_id host) {
    if (host.i == ID_NONE) {
        return true;
    }
    const struct fabric *fabric = traffic->fabric;
    const struct fabric_node *node = &fabric->nodes[host.i];
    for (uint32_t i = 0; i < node->port_count; i++) {
        if (fabric->ports[node->first_port + i].leaf.i == traffic->leaves[leaf].i) {
            return true;
        }
    }
    return false;
}

static int count_paths(struct traffic *traffic, node_id host) {
    struct reach reach;
    int rc = reach_init(&reach, traffic->fabric, traffic->rate_bps);
    if (rc != 0) {
        return rc;
    }
    uint32_t count = traffic->leaf_count;
    for (uint32_t to = 0; to < count; to++) {
        reach_aim(&reach, traffic->leaves[to]);
        for (uint32_t from = 0; from < count; from++) {
            bool over = false;
            if (from != to && sends(traffic, from, host)) {
                traffic->paths[(size_t)from * count + to] =
                    reach_paths(&reach, traffic->leaves[from], &over);
            }
        }
        traffic->paths[(size_t)to * count + to] = 1;
    }
    reach_fini(&reach);
    return 0;
}

static void on_demand(void *context, const struct demand *demand) {
    struct traffic *traffic = context;
    const struct fabric_port *src = &traffic->fabric->ports[demand->src.i];
    const struct fabric_port *dst = &traffic->fabric->ports[demand->dst.i];
    size_t pair = (size_t)traffic->leaf_index[src->leaf.i] * traffic->leaf_count +
                  traffic->leaf_index[dst->leaf.i];
    traffic->demand_count++;
    if (traffic->paths[pair] == 0 || traffic->rate_bps[link_of(src->cable, false).i] == 0 ||
        traffic->rate_bps[link_of(dst->cable, true).i] == 0) {
        traffic->unreachable_count++;
        return;
    }
    traffic->sent[demand->src.i] += demand->bytes;
    traffic->received[demand->dst.i] += demand->bytes;
    if (src->leaf.i != dst->leaf.i) {
        traffic->bytes[pair] += demand->bytes;
    }
}

static void collect(struct traffic *traffic, const struct plan_job *job, node_id host) {
    for (uint32_t rank = 0; rank < job->rank_count; rank++) {
        uint32_t port = job->ranks[rank].i;
        if (port != ID_NONE &&
            (host.i == ID_NONE || traffic->fabric->ports[port].host.i == host.i)) {
            job_demands(job->job, traffic->fabric, job->ranks, job->rank_count, rank,
                        job->permutations, on_demand, traffic);
        }
    }
}

int traffic_open(const struct plan_input *input, node_id host, struct traffic **out) {
    struct traffic *traffic = calloc(1, sizeof *traffic);
    if (traffic == NULL) {
        return -ENOMEM;
    }
    traffic->fabric = input->fabric;
    traffic->leaf_count = count_leaves(input->fabric);
    int rc = -ENOMEM;
    if (allocate(traffic)) {
        number_leaves(traffic);
        find_rates(traffic, input->beliefs);
        rc = count_paths(traffic, host);
    }
    if (rc != 0) {
        traffic_close(traffic);
        return rc;
    }
    for (uint32_t i = 0; i < input->job_count; i++) {
        collect(traffic, &input->jobs[i], host);
    }
    *out = traffic;
    return 0;
}

void traffic_close(struct traffic *traffic) {
    if (traffic != NULL) {
        free(traffic->rate_bps);
        free(traffic->leaves);
        free(traffic->leaf_index);
        free(traffic->paths);
        free(traffic->bytes);
        free(traffic->sent);
        free(traffic->received);
        free(traffic);
    }
}

// ---- bounds

// A leaf, or all leaves and aggs of its pod.
struct group {
    const struct fabric_node *leaf;
    bool pod;
};

// What leaves and enters a group, and what its links could carry.
struct cut {
    double bytes[2], rate_bps[2];
};

static double larger(double a, double b) {
    return a > b ? a : b;
}

static bool belongs(const struct group *group, const struct fabric_node *node) {
    return node == group->leaf || (group->pod && node->pod == group->leaf->pod &&
                                   (node->kind == NODE_LEAF || node->kind == NODE_AGG));
}

static void add_uplinks(const struct traffic *traffic, const struct group *group,
                        const struct fabric_node *node, struct cut *cut) {
    const struct fabric *fabric = traffic->fabric;
    for (uint32_t i = 0; i < node->adjacency_count; i++) {
        const struct fabric_adjacency *up = &fabric->adjacencies[node->first_adjacency + i];
        const struct fabric_node *peer = &fabric->nodes[up->peer.i];
        if (peer->tier > node->tier && !belongs(group, peer)) {
            cut->rate_bps[0] += (double)traffic->rate_bps[up->link.i];
            cut->rate_bps[1] += (double)traffic->rate_bps[link_opposite(up->link).i];
        }
    }
}

static void add_bytes(const struct traffic *traffic, const struct group *group, uint32_t leaf,
                      struct cut *cut) {
    uint32_t count = traffic->leaf_count;
    for (uint32_t other = 0; other < count; other++) {
        if (!belongs(group, &traffic->fabric->nodes[traffic->leaves[other].i])) {
            cut->bytes[0] += (double)traffic->bytes[(size_t)leaf * count + other];
            cut->bytes[1] += (double)traffic->bytes[(size_t)other * count + leaf];
        }
    }
}

static double group_cut_s(const struct traffic *traffic, const struct group *group) {
    const struct fabric *fabric = traffic->fabric;
    struct cut cut = {0};
    for (uint32_t i = fabric->host_count; i < fabric->node_count; i++) {
        const struct fabric_node *node = &fabric->nodes[i];
        if (belongs(group, node)) {
            add_uplinks(traffic, group, node, &cut);
            if (node->kind == NODE_LEAF) {
                add_bytes(traffic, group, traffic->leaf_index[i], &cut);
            }
        }
    }
    double most = 0;
    for (unsigned way = 0; way < 2; way++) {
        if (cut.bytes[way] > 0) { // then something is live: what is unreachable was left out
            most = larger(most, cut.bytes[way] * 8 / cut.rate_bps[way]);
        }
    }
    return most;
}

static bool is_first_of_pod(const struct traffic *traffic, uint32_t leaf) {
    const struct fabric_node *nodes = traffic->fabric->nodes;
    for (uint32_t i = 0; i < leaf; i++) {
        if (nodes[traffic->leaves[i].i].pod == nodes[traffic->leaves[leaf].i].pod) {
            return false;
        }
    }
    return true;
}

double traffic_cut_s(const struct traffic *traffic) {
    double most = 0;
    for (uint32_t leaf = 0; leaf < traffic->leaf_count; leaf++) {
        struct group group = {.leaf = &traffic->fabric->nodes[traffic->leaves[leaf].i]};
        most = larger(most, group_cut_s(traffic, &group));
        if (is_first_of_pod(traffic, leaf)) {
            group.pod = true;
            most = larger(most, group_cut_s(traffic, &group));
        }
    }
    return most;
}

double traffic_nic_s(const struct traffic *traffic) {
    const struct fabric *fabric = traffic->fabric;
    double most = 0;
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        cable_id cable = fabric->ports[i].cable;
        const uint64_t bytes[2] = {traffic->sent[i], traffic->received[i]};
        for (unsigned way = 0; way < 2; way++) {
            if (bytes[way] > 0) {
                double rate_bps = (double)traffic->rate_bps[link_of(cable, way == 1).i];
                most = larger(most, (double)bytes[way] * 8 / rate_bps);
            }
        }
    }
    return most;
}
