// SPDX-License-Identifier: Apache-2.0
// Which loops a host sends. Every cable has elected observers among the live hosts, four where
// there are as many (monitors.h), so loops over the own elected cables make rounds that cover the
// fabric together. The share of a host is a few hundred loops in a fabric of any size.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose.h"
#include "model/rng.h"

#define ROUNDS 4            // companions of an elected link
#define OTHER_COMPANIONS 3  // of any other
#define DETOURS 2           // to a switch above the own leaf, each way
#define OTHER_LINKS_MAX 512 // in larger fabrics others probe those

struct shelf {
    const struct fabric *fabric;
    struct walk_finder finder;
    bool *avoid; // by directed link; all false but while detours are looked for
    struct locate_loop_spec *specs;
    struct diagnose_loop *loops;
    uint32_t count, capacity;
};

static bool make_room(struct shelf *shelf) {
    if (shelf->count < shelf->capacity) {
        return true;
    }
    uint32_t capacity = shelf->capacity == 0 ? 128 : 2 * shelf->capacity;
    struct locate_loop_spec *specs = realloc(shelf->specs, capacity * sizeof *specs);
    if (specs == NULL) {
        return false;
    }
    shelf->specs = specs;
    struct diagnose_loop *loops = realloc(shelf->loops, capacity * sizeof *loops);
    if (loops == NULL) {
        return false;
    }
    shelf->loops = loops;
    shelf->capacity = capacity;
    return true;
}

static bool is_there(const struct shelf *shelf, const struct walk *walk) {
    for (uint32_t i = 0; i < shelf->count; i++) {
        const struct walk *other = &shelf->specs[i].walk;
        if (other->link_count == walk->link_count &&
            memcmp(other->links, walk->links, walk->link_count * sizeof walk->links[0]) == 0) {
            return true;
        }
    }
    return false;
}

// Loops that are there already, and those that no SIDs lead round, are left out.
static int put(struct shelf *shelf, const struct walk *walk, uint32_t port, uint32_t round) {
    struct diagnose_loop loop = {.port = port};
    if (fabric_walk_sids(shelf->fabric, walk->links, walk->link_count, &loop.sids) != 0 ||
        is_there(shelf, walk)) {
        return 0;
    }
    if (!make_room(shelf)) {
        return -ENOMEM;
    }
    shelf->specs[shelf->count] = (struct locate_loop_spec){*walk, round};
    shelf->loops[shelf->count++] = loop;
    return 0;
}

static int put_through(struct shelf *shelf, const struct diagnose_watch *watch, uint32_t port,
                       link_id through, bool both, uint32_t companion, uint32_t round) {
    struct walk walk;
    struct walk_request request = {.port = watch->own_ports[port],
                                   .through = through,
                                   .both = both,
                                   .salt = hash_pair(hash_pair(through.i, watch->own_ports[port].i),
                                                     companion)};
    return walk_find(&shelf->finder, &request, &walk) ? put(shelf, &walk, port, round) : 0;
}

static int put_rounds(struct shelf *shelf, const struct diagnose_watch *watch) {
    int rc = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < 2 * watch->count && rc == 0; i++) {
            link_id through = link_of(watch->cables[i / 2], i % 2 != 0);
            rc = put_through(shelf, watch, watch->ports[i / 2], through, false, round, round);
        }
    }
    return rc;
}

static int put_hairpins(struct shelf *shelf, const struct diagnose_watch *watch) {
    int rc = 0;
    for (uint32_t i = 0; i < watch->count && rc == 0; i++) {
        rc = put_through(shelf, watch, watch->ports[i], link_of(watch->cables[i], false), true, 0,
                         LOCATE_ON_DEMAND);
    }
    for (uint32_t port = 0; port < watch->own_port_count && rc == 0; port++) {
        link_id up = link_of(shelf->fabric->ports[watch->own_ports[port].i].cable, false);
        struct walk walk = {.link_count = 2, .links = {up, link_opposite(up)}};
        rc = put(shelf, &walk, port, LOCATE_ON_DEMAND);
    }
    return rc;
}

// What tells the other links of the rounds' loops apart: rounds of their own.
static int put_others(struct shelf *shelf, const struct diagnose_watch *watch) {
    const struct fabric *fabric = shelf->fabric;
    int rc = 0;
    for (uint32_t k = 0; k < OTHER_COMPANIONS; k++) {
        for (uint32_t i = 0; i < fabric_link_count(fabric) && rc == 0; i++) {
            if (fabric_link_is_internal(fabric, (link_id){i})) {
                rc = put_through(shelf, watch, k % watch->own_port_count, (link_id){i}, false,
                                 ROUNDS + k, ROUNDS + k);
            }
        }
    }
    return rc;
}

static bool is_small(const struct fabric *fabric) {
    uint32_t links = 0;
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        links += fabric_link_is_internal(fabric, (link_id){i});
    }
    return links <= OTHER_LINKS_MAX;
}

// ---- detours

// Whether the watched cables have an end at the switch.
static bool is_watched(const struct fabric *fabric, const struct diagnose_watch *watch,
                       node_id node) {
    bool found = false;
    for (uint32_t i = 0; i < watch->count; i++) {
        const struct fabric_cable *cable = &fabric->cables[watch->cables[i].i];
        found = found || cable->a.i == node.i || cable->b.i == node.i;
    }
    return found;
}

static int put_detour(struct shelf *shelf, const struct diagnose_watch *watch, uint32_t port,
                      link_id through) {
    struct walk walk;
    struct walk_request request = {.port = watch->own_ports[port],
                                   .through = through,
                                   .avoid = shelf->avoid,
                                   .salt = hash_pair(through.i, watch->own_ports[port].i)};
    return walk_find(&shelf->finder, &request, &walk) ? put(shelf, &walk, port, LOCATE_ON_DEMAND)
                                                      : 0;
}

// To a switch above the own leaf and back over cables of other leaves: without such loops a dead
// switch looks like the own cable to it.
static int put_detours_to(struct shelf *shelf, const struct diagnose_watch *watch, uint32_t port,
                          node_id upper) {
    const struct fabric *fabric = shelf->fabric;
    const struct fabric_node *node = &fabric->nodes[upper.i];
    node_id leaf = fabric->ports[watch->own_ports[port].i].leaf;
    for (uint32_t i = 0; i < node->adjacency_count; i++) {
        const struct fabric_adjacency *next = &fabric->adjacencies[node->first_adjacency + i];
        shelf->avoid[next->link.i] = shelf->avoid[link_opposite(next->link).i] =
            next->peer.i == leaf.i;
    }
    uint32_t start =
        (uint32_t)(hash_pair(upper.i, watch->own_ports[port].i) % node->adjacency_count);
    int rc = 0;
    for (uint32_t i = 0, made = 0; i < node->adjacency_count && made < DETOURS && rc == 0; i++) {
        const struct fabric_adjacency *next =
            &fabric->adjacencies[node->first_adjacency + (start + i) % node->adjacency_count];
        if (next->peer.i != leaf.i && fabric->nodes[next->peer.i].tier < node->tier) {
            rc = put_detour(shelf, watch, port, next->link);
            rc = rc == 0 ? put_detour(shelf, watch, port, link_opposite(next->link)) : rc;
            made++;
        }
    }
    for (uint32_t i = 0; i < node->adjacency_count; i++) {
        link_id link = fabric->adjacencies[node->first_adjacency + i].link;
        shelf->avoid[link.i] = shelf->avoid[link_opposite(link).i] = false;
    }
    return rc;
}

static int put_detours(struct shelf *shelf, const struct diagnose_watch *watch, bool small) {
    const struct fabric *fabric = shelf->fabric;
    int rc = 0;
    for (uint32_t port = 0; port < watch->own_port_count; port++) {
        const struct fabric_node *leaf =
            &fabric->nodes[fabric->ports[watch->own_ports[port].i].leaf.i];
        for (uint32_t i = 0; i < leaf->adjacency_count && rc == 0; i++) {
            node_id upper = fabric->adjacencies[leaf->first_adjacency + i].peer;
            if (fabric->nodes[upper.i].tier > leaf->tier &&
                (small || is_watched(fabric, watch, upper))) {
                rc = put_detours_to(shelf, watch, port, upper);
            }
        }
    }
    return rc;
}

int diagnose_make_loops(const struct fabric *fabric, const struct diagnose_watch *watch,
                        struct locate_loop_spec **specs, struct diagnose_loop **loops,
                        uint32_t *count) {
    struct shelf shelf = {.fabric = fabric};
    shelf.avoid = calloc(fabric_link_count(fabric), sizeof *shelf.avoid);
    int rc = shelf.avoid == NULL ? -ENOMEM : walk_finder_init(&shelf.finder, fabric);
    if (rc != 0) {
        free(shelf.avoid);
        return rc;
    }
    bool small = is_small(fabric);
    rc = put_rounds(&shelf, watch);
    rc = rc == 0 && small ? put_others(&shelf, watch) : rc;
    rc = rc == 0 ? put_hairpins(&shelf, watch) : rc;
    rc = rc == 0 ? put_detours(&shelf, watch, small) : rc;
    free(shelf.avoid);
    walk_finder_fini(&shelf.finder);
    if (rc != 0) {
        free(shelf.specs);
        free(shelf.loops);
        return rc;
    }
    *specs = shelf.specs;
    *loops = shelf.loops;
    *count = shelf.count;
    return 0;
}
