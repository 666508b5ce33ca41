// SPDX-License-Identifier: Apache-2.0
// A job on a fabric: its ranks' ports and what each sends.
#include <assert.h>
#include <string.h>

#include "model/job.h"

uint32_t job_rank_count(const struct job *job, const struct fabric *fabric) {
    return job->all_ranks ? fabric->port_count : job->rank_count;
}

void job_resolve(const struct job *job, const struct fabric *fabric, port_id *ranks) {
    uint32_t count = job_rank_count(job, fabric);
    for (uint32_t i = 0; i < count; i++) {
        ranks[i].i = i;
        if (!job->all_ranks && !fabric_find_port(fabric, job->ranks[i], &ranks[i])) {
            ranks[i].i = ID_NONE;
        }
    }
}

struct sender {
    const struct fabric *fabric;
    const port_id *ranks;
    uint32_t rank_count, src_rank;
    demand_fn *each;
    void *context;
};

// Where the planes part, the ports of a host share the load of another plane by their numbers.
bool job_sender(const struct fabric *fabric, port_id src, port_id dst, port_id *out) {
    const struct fabric_port *from = &fabric->ports[src.i];
    if (from->host.i == fabric->ports[dst.i].host.i) {
        return false;
    }
    uint32_t own = fabric_port_plane(fabric, src), wanted = fabric_port_plane(fabric, dst);
    if (own == wanted) {
        *out = src;
        return true;
    }
    const struct fabric_node *host = &fabric->nodes[from->host.i];
    uint32_t place = 0, count = 0;
    for (uint32_t i = host->first_port; i < host->first_port + host->port_count; i++) {
        place += i < src.i && fabric_port_plane(fabric, (port_id){i}) == own;
        count += fabric_port_plane(fabric, (port_id){i}) == wanted;
    }
    if (count == 0) {
        return false;
    }
    uint32_t port = host->first_port;
    for (uint32_t left = place % count;; port++) {
        if (fabric_port_plane(fabric, (port_id){port}) == wanted && left-- == 0) {
            break;
        }
    }
    out->i = port;
    return true;
}

static void send(const struct sender *sender, uint32_t dst_rank, uint64_t bytes) {
    if (dst_rank >= sender->rank_count || dst_rank == sender->src_rank || bytes == 0 ||
        sender->ranks[dst_rank].i == ID_NONE) {
        return;
    }
    struct demand demand = {.dst = sender->ranks[dst_rank], .bytes = bytes};
    if (job_sender(sender->fabric, sender->ranks[sender->src_rank], demand.dst, &demand.src)) {
        sender->each(sender->context, &demand);
    }
}

static void send_to_all(const struct sender *sender, const struct collective *collective) {
    uint64_t sum = collective_weight_sum(collective);
    for (uint32_t i = 0; i < sender->rank_count; i++) {
        send(sender, i,
             collective_pair_bytes(collective, sender->rank_count, sum, sender->src_rank, i));
    }
}

// A neighbour takes from each tree in which it is one: a parent what is reduced, a child what is
// broadcast, which is as much.
static void send_trees(const struct sender *sender, const struct collective *collective) {
    enum { NEIGHBOURS = 6 };
    uint32_t neighbours[NEIGHBOURS];
    for (unsigned tree = 0; tree < 2; tree++) {
        struct tree_place place = collective_tree_place(sender->rank_count, sender->src_rank, tree);
        neighbours[3 * tree] = place.parent;
        neighbours[3 * tree + 1] = place.child[0];
        neighbours[3 * tree + 2] = place.child[1];
    }
    for (uint32_t last = ID_NONE;;) {
        uint32_t next = ID_NONE; // the lowest above the last
        uint64_t bytes = 0;
        for (unsigned i = 0; i < NEIGHBOURS; i++) {
            if (neighbours[i] < next && (last == ID_NONE || neighbours[i] > last)) {
                next = neighbours[i];
                bytes = 0;
            }
            bool taken = neighbours[i] == next;
            bytes += taken ? collective->bytes / 2 + (i < 3 ? collective->bytes % 2 : 0) : 0;
        }
        if (next == ID_NONE) {
            return;
        }
        send(sender, next, bytes);
        last = next;
    }
}

static void send_collective(const struct sender *sender, const struct collective *collective,
                            const uint32_t *map) {
    switch (collective->type) {
    case COLLECTIVE_ALLTOALL:
    case COLLECTIVE_ALLTOALLV:
        send_to_all(sender, collective);
        break;
    case COLLECTIVE_RING:
    case COLLECTIVE_PERMUTATION:
        assert(map != NULL);
        send(sender, map[sender->src_rank], collective->bytes);
        break;
    case COLLECTIVE_PAIRS:
        for (uint32_t i = 0; i < collective->pair_count; i++) {
            if (collective->pairs[i].src_rank == sender->src_rank) {
                send(sender, collective->pairs[i].dst_rank, collective->bytes);
            }
        }
        break;
    case COLLECTIVE_TREE:
        send_trees(sender, collective);
        break;
    }
}

void job_demands(const struct job *job, const struct fabric *fabric, const port_id *ranks,
                 uint32_t rank_count, uint32_t src_rank, const uint32_t *const *permutations,
                 demand_fn *each, void *context) {
    if (src_rank >= rank_count || ranks[src_rank].i == ID_NONE) {
        return;
    }
    struct sender sender = {
        .fabric = fabric,
        .ranks = ranks,
        .rank_count = rank_count,
        .src_rank = src_rank,
        .each = each,
        .context = context,
    };
    for (uint32_t i = 0; i < job->collective_count; i++) {
        const uint32_t *map = permutations != NULL ? permutations[i] : NULL;
        send_collective(&sender, &job->collectives[i], map);
    }
}
