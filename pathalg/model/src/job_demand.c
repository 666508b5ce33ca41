// SPDX-License-Identifier: Apache-2.0
// A job on a fabric: its ranks' ports and what each sends.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/job.h"
#include "model/rng.h"

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

// ---- maps: permutation and ring

struct seat {
    uint64_t leaf_key; // sorts the leaves: shuffled for a permutation
    uint64_t key;      // sorts the ranks of a leaf
    uint32_t leaf, rank;
};

static int compare_seats(const void *left, const void *right) {
    const struct seat *a = left, *b = right;
    if (a->leaf_key != b->leaf_key) {
        return a->leaf_key < b->leaf_key ? -1 : 1;
    }
    if (a->leaf != b->leaf) {
        return a->leaf < b->leaf ? -1 : 1;
    }
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

// The resolved ranks, leaf by leaf. Returns how many.
static uint32_t seat_ranks(const struct fabric *fabric, const port_id *ranks, uint32_t rank_count,
                           const struct collective *collective, struct seat *seats) {
    bool shuffled = collective->type == COLLECTIVE_PERMUTATION;
    uint32_t count = 0;
    for (uint32_t i = 0; i < rank_count; i++) {
        if (ranks[i].i == ID_NONE) {
            continue;
        }
        uint32_t leaf = fabric->ports[ranks[i].i].leaf.i;
        seats[count++] = (struct seat){
            .leaf_key = shuffled ? hash_pair(collective->seed, leaf) : leaf,
            .key = shuffled ? hash_pair(~collective->seed, i) : i,
            .leaf = leaf,
            .rank = i,
        };
    }
    qsort(seats, count, sizeof seats[0], compare_seats);
    return count;
}

struct leaf_sizes {
    uint32_t leaves, largest, smallest;
    uint32_t largest_start; // seat
};

static struct leaf_sizes measure_leaves(const struct seat *seats, uint32_t count) {
    struct leaf_sizes sizes = {.smallest = UINT32_MAX};
    for (uint32_t start = 0, end; start < count; start = end) {
        for (end = start; end < count && seats[end].leaf == seats[start].leaf; end++) {
        }
        uint32_t size = end - start;
        sizes.leaves++;
        sizes.smallest = size < sizes.smallest ? size : sizes.smallest;
        if (size > sizes.largest) {
            sizes.largest = size;
            sizes.largest_start = start;
        }
    }
    return sizes;
}

// Leaves of one size: the k-th ranks of all leaves form a layer, and each layer turns by its own
// number of leaves, so that a leaf's traffic spreads over many.
static void map_layers(const struct seat *seats, uint32_t count, const struct leaf_sizes *sizes,
                       struct rng *rng, uint32_t *destination_rank) {
    for (uint32_t layer = 0; layer < sizes->largest; layer++) {
        uint32_t turn = 1 + (uint32_t)rng_below(rng, sizes->leaves - 1);
        for (uint32_t i = layer; i < count; i += sizes->largest) {
            uint32_t to = (uint32_t)(((uint64_t)i + (uint64_t)turn * sizes->largest) % count);
            destination_rank[seats[i].rank] = seats[to].rank;
        }
    }
}

// Leaves of different sizes: everyone moves on by one number of seats, at least the largest leaf
// and at most the rest, so that all leave their leaf. Where one leaf has more than half of the
// ranks, as many as can do.
static void map_turn(const struct seat *seats, uint32_t count, const struct leaf_sizes *sizes,
                     struct rng *rng, uint32_t *destination_rank) {
    uint32_t rest = count - sizes->largest;
    uint32_t turn = rest;
    if (rest >= sizes->largest) {
        turn = sizes->largest + (uint32_t)rng_below(rng, rest - sizes->largest + 1);
    } else if (rest == 0) {
        turn = 1 + (uint32_t)rng_below(rng, count - 1);
    }
    for (uint32_t i = 0; i < count; i++) {
        destination_rank[seats[i].rank] = seats[((uint64_t)i + turn) % count].rank;
    }
}

static void map_permutation(const struct seat *seats, uint32_t count, uint64_t seed,
                            uint32_t *destination_rank) {
    struct leaf_sizes sizes = measure_leaves(seats, count);
    struct rng rng;
    rng_init(&rng, seed);
    if (sizes.leaves > 1 && sizes.smallest == sizes.largest) {
        map_layers(seats, count, &sizes, &rng, destination_rank);
    } else {
        map_turn(seats, count, &sizes, &rng, destination_rank);
    }
}

// The seats, beginning with the largest leaf, are dealt to the even places of the ring and then to
// the odd ones: neighbours on the ring are half the seats apart, which no leaf of at most half the
// ranks spans.
static void map_ring(const struct seat *seats, uint32_t count, uint32_t *destination_rank) {
    struct leaf_sizes sizes = measure_leaves(seats, count);
    uint32_t evens = (count + 1) / 2;
    for (uint32_t place = 0; place < count; place++) {
        uint32_t next = (place + 1) % count;
        uint32_t from = place % 2 == 0 ? place / 2 : evens + place / 2;
        uint32_t to = next % 2 == 0 ? next / 2 : evens + next / 2;
        destination_rank[seats[(from + sizes.largest_start) % count].rank] =
            seats[(to + sizes.largest_start) % count].rank;
    }
}

int job_permutation(const struct job *job, uint32_t collective, const struct fabric *fabric,
                    const port_id *ranks, uint32_t rank_count, uint32_t *destination_rank) {
    if (collective >= job->collective_count ||
        !collective_has_map(job->collectives[collective].type)) {
        return -EINVAL;
    }
    const struct collective *c = &job->collectives[collective];
    struct seat *seats = malloc(((size_t)rank_count + 1) * sizeof *seats);
    if (seats == NULL) {
        return -ENOMEM;
    }
    uint32_t count = seat_ranks(fabric, ranks, rank_count, c, seats);
    for (uint32_t i = 0; i < rank_count; i++) {
        destination_rank[i] = ID_NONE;
    }
    if (count > 1 && c->type == COLLECTIVE_RING) {
        map_ring(seats, count, destination_rank);
    } else if (count > 1) {
        map_permutation(seats, count, c->seed, destination_rank);
    }
    free(seats);
    return 0;
}

// ---- demands

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
