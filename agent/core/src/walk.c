// SPDX-License-Identifier: Apache-2.0
#include "walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"

int walk_finder_init(struct walk_finder *finder, const struct fabric *fabric) {
    *finder = (struct walk_finder){.fabric = fabric};
    finder->via = calloc(fabric->node_count, sizeof *finder->via);
    finder->queue = calloc(fabric->node_count, sizeof *finder->queue);
    finder->seen = calloc(fabric->node_count, sizeof *finder->seen);
    if (finder->via == NULL || finder->queue == NULL || finder->seen == NULL) {
        walk_finder_fini(finder);
        return -ENOMEM;
    }
    return 0;
}

void walk_finder_fini(struct walk_finder *finder) {
    free(finder->via);
    free(finder->queue);
    free(finder->seen);
    *finder = (struct walk_finder){0};
}

struct search {
    node_id from, to;
    link_id forbidden; // i == ID_NONE: none
    const bool *avoid;
    uint64_t salt;
};

static bool may_use(const struct walk_finder *finder, const struct search *search, link_id link) {
    return link.i != search->forbidden.i && fabric_link_is_internal(finder->fabric, link) &&
           (search->avoid == NULL || !search->avoid[link.i]);
}

// Breadth first; neighbours are tried from a salted start so that equal ways are shared out.
static bool search_run(struct walk_finder *finder, const struct search *search) {
    const struct fabric *fabric = finder->fabric;
    memset(finder->seen, 0, fabric->node_count);
    uint32_t head = 0, tail = 0;
    finder->queue[tail++] = search->from.i;
    finder->seen[search->from.i] = 1;
    while (head < tail && !finder->seen[search->to.i]) {
        uint32_t node = finder->queue[head++];
        uint32_t count = fabric->nodes[node].adjacency_count;
        uint32_t start = count == 0 ? 0 : (uint32_t)(hash_pair(search->salt, node) % count);
        for (uint32_t i = 0; i < count; i++) {
            const struct fabric_adjacency *next =
                &fabric->adjacencies[fabric->nodes[node].first_adjacency + (start + i) % count];
            if (!finder->seen[next->peer.i] && may_use(finder, search, next->link)) {
                finder->seen[next->peer.i] = 1;
                finder->via[next->peer.i] = next->link;
                finder->queue[tail++] = next->peer.i;
            }
        }
    }
    return finder->seen[search->to.i] != 0;
}

// Appends the way found to the walk.
static bool search_append(const struct walk_finder *finder, const struct search *search,
                          struct walk *walk) {
    link_id reversed[WALK_LINKS_MAX];
    unsigned count = 0;
    for (node_id node = search->to; node.i != search->from.i;
         node = fabric_link_from(finder->fabric, finder->via[node.i])) {
        if (count == WALK_LINKS_MAX) {
            return false;
        }
        reversed[count++] = finder->via[node.i];
    }
    if (walk->link_count + count > WALK_LINKS_MAX) {
        return false;
    }
    while (count > 0) {
        walk->links[walk->link_count++] = reversed[--count];
    }
    return true;
}

static bool find_way(struct walk_finder *finder, struct search search, struct walk *walk) {
    if (search_run(finder, &search)) {
        return search_append(finder, &search, walk);
    }
    search.avoid = NULL;
    return search_run(finder, &search) && search_append(finder, &search, walk);
}

static bool append(struct walk *walk, link_id link) {
    if (walk->link_count == WALK_LINKS_MAX) {
        return false;
    }
    walk->links[walk->link_count++] = link;
    return true;
}

// The way from the leaf to the nearer end of the cable, as links; *crossing is the direction that
// leaves this end.
static bool find_approach(struct walk_finder *finder, const struct walk_request *request,
                          struct walk *way, link_id *crossing) {
    const struct fabric *fabric = finder->fabric;
    const struct fabric_port *port = &fabric->ports[request->port.i];
    struct walk best = {0};
    bool found = false;
    for (unsigned reverse = 0; reverse < 2; reverse++) {
        link_id link = reverse != 0 ? link_opposite(request->through) : request->through;
        struct walk candidate = {0};
        struct search search = {.from = port->leaf,
                                .to = fabric_link_from(fabric, link),
                                .forbidden = link_opposite(link),
                                .avoid = request->avoid,
                                .salt = request->salt};
        if (find_way(finder, search, &candidate) &&
            (!found || candidate.link_count < best.link_count)) {
            best = candidate;
            *crossing = link;
            found = true;
        }
    }
    *way = best;
    return found;
}

// host > leaf, `way` there, optionally over the cable and back, the same way home, leaf > host.
static bool there_and_back(const struct fabric *fabric, const struct walk_request *request,
                           const struct walk *way, const link_id *crossing, struct walk *out) {
    link_id up = link_of(fabric->ports[request->port.i].cable, false);
    struct walk walk = {0};
    bool fits = append(&walk, up);
    for (unsigned i = 0; i < way->link_count; i++) {
        fits = fits && append(&walk, way->links[i]);
    }
    if (crossing != NULL) {
        fits = fits && append(&walk, *crossing) && append(&walk, link_opposite(*crossing));
    }
    for (unsigned i = way->link_count; i > 0; i--) {
        fits = fits && append(&walk, link_opposite(way->links[i - 1]));
    }
    fits = fits && append(&walk, link_opposite(up));
    if (fits) {
        *out = walk;
    }
    return fits;
}

bool walk_find_prefix(struct walk_finder *finder, const struct walk_request *request,
                      struct walk *out) {
    struct walk way;
    link_id crossing;
    return find_approach(finder, request, &way, &crossing) &&
           there_and_back(finder->fabric, request, &way, NULL, out);
}

static bool find_one_way(struct walk_finder *finder, const struct walk_request *request,
                         struct walk *out) {
    const struct fabric *fabric = finder->fabric;
    const struct fabric_port *port = &fabric->ports[request->port.i];
    link_id up = link_of(port->cable, false);
    struct search there = {.from = port->leaf,
                           .to = fabric_link_from(fabric, request->through),
                           .forbidden = link_opposite(request->through),
                           .avoid = request->avoid,
                           .salt = request->salt};
    struct search back = there;
    back.from = fabric_link_to(fabric, request->through);
    back.to = port->leaf;
    struct walk walk = {0};
    bool found = append(&walk, up) && find_way(finder, there, &walk) &&
                 append(&walk, request->through) && find_way(finder, back, &walk) &&
                 append(&walk, link_opposite(up));
    if (found) {
        *out = walk;
    }
    return found;
}

bool walk_find(struct walk_finder *finder, const struct walk_request *request, struct walk *out) {
    if (!request->both) {
        return find_one_way(finder, request, out);
    }
    struct walk way;
    link_id crossing;
    return find_approach(finder, request, &way, &crossing) &&
           there_and_back(finder->fabric, request, &way, &crossing, out);
}

bool walk_find_round(struct walk_finder *finder, const struct walk_round *round, struct walk *out) {
    const struct fabric *fabric = finder->fabric;
    const struct fabric_port *port = &fabric->ports[round->port.i];
    link_id up = link_of(port->cable, false), last = round->way[round->way_count - 1];
    struct search back = {.from = fabric_link_to(fabric, last),
                          .to = port->leaf,
                          .forbidden = link_opposite(last),
                          .avoid = round->avoid,
                          .salt = round->salt};
    struct walk walk = {0};
    bool fits = append(&walk, up);
    for (unsigned i = 0; i < round->way_count; i++) {
        fits = fits && append(&walk, round->way[i]);
    }
    struct walk there = walk;
    bool found = fits && find_way(finder, back, &walk);
    if (fits && !found) {
        walk = there;
        back.forbidden.i = ID_NONE;
        found = find_way(finder, back, &walk);
    }
    found = found && append(&walk, link_opposite(up));
    if (found) {
        *out = walk;
    }
    return found;
}
