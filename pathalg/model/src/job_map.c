// SPDX-License-Identifier: Apache-2.0
// Rank maps of permutations and rings.
//
// Ranks are seated by their host's home: the leaf of its first port. On a fabric of single ports
// that is the rank's leaf; of a host with several ports all ranks have one home, so that leaving
// the home means leaving the host, whatever rail or plane the rank is in. Where all ranks have the
// same home, hosts take the place of leaves.
#include <errno.h>
#include <stdlib.h>

#include "model/job.h"
#include "model/rng.h"

struct seat {
    uint32_t plane;    // 0 where planes are not told apart
    uint64_t leaf_key; // sorts the homes: shuffled for a permutation
    uint64_t key;      // sorts the ranks of a home
    uint32_t leaf, rank;
};

static int compare_u64(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

static int compare_seats(const void *left, const void *right) {
    const struct seat *a = left, *b = right;
    int order = compare_u64(a->plane, b->plane);
    order = order != 0 ? order : compare_u64(a->leaf_key, b->leaf_key);
    order = order != 0 ? order : compare_u64(a->leaf, b->leaf);
    order = order != 0 ? order : compare_u64(a->key, b->key);
    return order != 0 ? order : compare_u64(a->rank, b->rank);
}

struct ranks {
    const struct fabric *fabric;
    const port_id *ports;
    uint32_t count;
};

static uint32_t home_of(const struct fabric *fabric, port_id port) {
    return fabric->ports[fabric->nodes[fabric->ports[port.i].host.i].first_port].leaf.i;
}

// Whether all ranks have one home, of hosts with several ports.
static bool homes_are_one(const struct ranks *ranks) {
    uint32_t home = ID_NONE;
    bool several = false;
    for (uint32_t i = 0; i < ranks->count; i++) {
        if (ranks->ports[i].i == ID_NONE) {
            continue;
        }
        uint32_t next = home_of(ranks->fabric, ranks->ports[i]);
        if (home != ID_NONE && next != home) {
            return false;
        }
        home = next;
        several =
            several ||
            ranks->fabric->nodes[ranks->fabric->ports[ranks->ports[i].i].host.i].port_count > 1;
    }
    return several;
}

// The resolved ranks, home by home. Returns how many.
static uint32_t seat_ranks(const struct ranks *ranks, const struct collective *collective,
                           struct seat *seats) {
    bool shuffled = collective->type == COLLECTIVE_PERMUTATION;
    bool by_host = homes_are_one(ranks);
    uint32_t count = 0;
    for (uint32_t i = 0; i < ranks->count; i++) {
        port_id port = ranks->ports[i];
        if (port.i == ID_NONE) {
            continue;
        }
        uint32_t leaf =
            by_host ? ranks->fabric->ports[port.i].host.i : home_of(ranks->fabric, port);
        seats[count++] = (struct seat){
            .plane = shuffled ? fabric_port_plane(ranks->fabric, port) : 0,
            .leaf_key = shuffled ? hash_pair(collective->seed, leaf) : leaf,
            .key = shuffled ? hash_pair(~collective->seed, i) : i,
            .leaf = leaf,
            .rank = i,
        };
    }
    qsort(seats, count, sizeof seats[0], compare_seats);
    return count;
}

static uint32_t plane_end(const struct seat *seats, uint32_t count, uint32_t start) {
    uint32_t end = start;
    while (end < count && seats[end].plane == seats[start].plane) {
        end++;
    }
    return end;
}

// A rank alone in its plane has nobody there: then planes are not told apart.
static void join_lone_planes(struct seat *seats, uint32_t count) {
    bool lone = false;
    for (uint32_t start = 0, end; start < count; start = end) {
        end = plane_end(seats, count, start);
        lone = lone || end - start == 1;
    }
    if (lone) {
        for (uint32_t i = 0; i < count; i++) {
            seats[i].plane = 0;
        }
        qsort(seats, count, sizeof seats[0], compare_seats);
    }
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

// Each plane is permuted by itself, so that its traffic stays in it.
static void map_permutation(struct seat *seats, uint32_t count, uint64_t seed,
                            uint32_t *destination_rank) {
    struct rng rng;
    rng_init(&rng, seed);
    join_lone_planes(seats, count);
    for (uint32_t start = 0, end; start < count; start = end) {
        end = plane_end(seats, count, start);
        struct leaf_sizes sizes = measure_leaves(seats + start, end - start);
        if (sizes.leaves > 1 && sizes.smallest == sizes.largest) {
            map_layers(seats + start, end - start, &sizes, &rng, destination_rank);
        } else {
            map_turn(seats + start, end - start, &sizes, &rng, destination_rank);
        }
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
    struct ranks all = {fabric, ranks, rank_count};
    uint32_t count = seat_ranks(&all, c, seats);
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
