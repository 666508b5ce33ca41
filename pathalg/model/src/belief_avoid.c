// SPDX-License-Identifier: Apache-2.0
// Which lossy links are left out of use, and which must stay although they lose packets.
//
// A leaf reaches another by links that lead up and then by links that lead down. Without a link
// that leads up, only leaves below its lower end can be cut off from others; without one that leads
// down, only others from leaves below its lower end. So it is enough to look from those leaves,
// there against the direction of the links.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/belief.h"

struct survey {
    const struct fabric *fabric;
    struct link_belief *beliefs;
    uint32_t *queue;
    uint8_t *seen;   // by node: bits of enum phase
    uint32_t *below; // leaves below the end of a link
};

enum phase { GOES_UP = 1, GOES_DOWN = 2 };

static bool is_usable(const struct survey *survey, link_id link, link_id without) {
    const struct link_belief *belief = &survey->beliefs[link.i];
    return link.i != without.i && fabric_link_is_internal(survey->fabric, link) && !belief->down &&
           !belief->drained && !belief->avoided;
}

// Puts the neighbours of a node in a direction at the end of the queue; returns the new end.
static uint32_t spread(struct survey *survey, uint32_t node, enum phase phase, bool against,
                       link_id without, uint32_t tail) {
    const struct fabric *fabric = survey->fabric;
    const struct fabric_node *here = &fabric->nodes[node];
    for (uint32_t i = 0; i < here->adjacency_count; i++) {
        const struct fabric_adjacency *next = &fabric->adjacencies[here->first_adjacency + i];
        bool up = fabric->nodes[next->peer.i].tier > here->tier;
        link_id link = against ? link_opposite(next->link) : next->link;
        if (up == (phase == GOES_UP) && (survey->seen[next->peer.i] & phase) == 0 &&
            is_usable(survey, link, without)) {
            survey->seen[next->peer.i] = (uint8_t)(survey->seen[next->peer.i] | phase);
            survey->queue[tail++] = next->peer.i;
        }
    }
    return tail;
}

// How many leaves are reached from a leaf (`against`: reach it).
static uint32_t count_reached(struct survey *survey, uint32_t leaf, bool against, link_id without) {
    memset(survey->seen, 0, survey->fabric->node_count);
    uint32_t head = 0, tail = 0, reached = 0;
    survey->queue[tail++] = leaf;
    survey->seen[leaf] = GOES_UP;
    while (head < tail) {
        tail = spread(survey, survey->queue[head++], GOES_UP, against, without, tail);
    }
    uint32_t tops = tail;
    for (head = 0; head < tail; head++) {
        uint32_t node = survey->queue[head];
        bool came_down = head >= tops;
        reached += came_down && survey->fabric->nodes[node].kind == NODE_LEAF;
        tail = spread(survey, node, GOES_DOWN, against, without, tail);
    }
    return reached;
}

// The leaves at or below a switch, by any cable. Sets survey->below.
static uint32_t find_below(struct survey *survey, uint32_t node) {
    const struct fabric *fabric = survey->fabric;
    memset(survey->seen, 0, fabric->node_count);
    uint32_t head = 0, tail = 0, count = 0;
    survey->queue[tail++] = node;
    while (head < tail) {
        uint32_t next = survey->queue[head++];
        const struct fabric_node *here = &fabric->nodes[next];
        if (here->kind == NODE_LEAF) {
            survey->below[count++] = next;
            continue;
        }
        for (uint32_t i = 0; i < here->adjacency_count; i++) {
            uint32_t peer = fabric->adjacencies[here->first_adjacency + i].peer.i;
            if (fabric->nodes[peer].tier < here->tier && survey->seen[peer] == 0) {
                survey->seen[peer] = GOES_DOWN;
                survey->queue[tail++] = peer;
            }
        }
    }
    return count;
}

static bool may_be_avoided(struct survey *survey, link_id link) {
    const struct fabric *fabric = survey->fabric;
    node_id from = fabric_link_from(fabric, link), to = fabric_link_to(fabric, link);
    bool up = fabric->nodes[to.i].tier > fabric->nodes[from.i].tier;
    uint32_t count = find_below(survey, up ? from.i : to.i);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t leaf = survey->below[i];
        if (count_reached(survey, leaf, !up, link) !=
            count_reached(survey, leaf, !up, (link_id){ID_NONE})) {
            return false;
        }
    }
    return true;
}

// The worst first, then by number.
static uint32_t pick_worst(const struct survey *survey, link_id *links) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < fabric_link_count(survey->fabric); i++) {
        const struct link_belief *belief = &survey->beliefs[i];
        if (!belief->lossy || belief->down || belief->drained) {
            continue;
        }
        uint32_t place = count;
        while (place > 0 && survey->beliefs[links[place - 1].i].loss_ppm < belief->loss_ppm) {
            place--;
        }
        if (place == BELIEF_AVOID_MAX) {
            continue;
        }
        count += count < BELIEF_AVOID_MAX;
        memmove(&links[place + 1], &links[place], (count - place - 1) * sizeof *links);
        links[place].i = i;
    }
    return count;
}

int belief_avoid(const struct fabric *fabric, struct link_belief *beliefs) {
    struct survey survey = {.fabric = fabric, .beliefs = beliefs};
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        beliefs[i].avoided = false;
    }
    link_id links[BELIEF_AVOID_MAX];
    uint32_t count = pick_worst(&survey, links);
    if (count == 0) {
        return 0;
    }
    // A node is in the queue once for each phase.
    survey.queue = calloc(2 * (size_t)fabric->node_count, sizeof *survey.queue);
    survey.seen = calloc(fabric->node_count, sizeof *survey.seen);
    survey.below = calloc(fabric->node_count, sizeof *survey.below);
    bool have = survey.queue != NULL && survey.seen != NULL && survey.below != NULL;
    for (uint32_t i = 0; have && i < count; i++) {
        beliefs[links[i].i].avoided = may_be_avoided(&survey, links[i]);
    }
    free(survey.queue);
    free(survey.seen);
    free(survey.below);
    return have ? 0 : -ENOMEM;
}
