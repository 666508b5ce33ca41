// SPDX-License-Identifier: Apache-2.0
// What the scheme is measured against: probes whose paths are not chosen by what was seen, with the
// same likelihoods and the whole history since the fault. Links between switches only; the first
// whose score is high and far enough ahead of all others is named.
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "locate_trial.h"

#define RATES 7
#define ACCEPT 14.0
#define AHEAD 7.0
#define LINKS_MAX 8

static const double rates[RATES] = {0.999999, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001};

struct path {
    uint32_t count;
    link_id links[LINKS_MAX];
};

struct history {
    const struct trial *trial;
    uint64_t *sent, *lost; // by link, or by cable (both entries alike) for hairpins
    double gain[RATES], cost[RATES];
    uint32_t cursor;
};

// ---- where probes go

static link_id link_between(const struct fabric *fabric, node_id from, node_id to) {
    uint32_t count = 0;
    return fabric_find_adjacency(fabric, from, to, &count)->link;
}

static node_id some_spine(const struct fabric *fabric, node_id leaf, struct rng *rng) {
    const struct fabric_node *node = &fabric->nodes[leaf.i];
    for (;;) {
        uint32_t i = (uint32_t)rng_below(rng, node->adjacency_count);
        node_id peer = fabric->adjacencies[node->first_adjacency + i].peer;
        if (fabric->nodes[peer.i].kind == NODE_SPINE) {
            return peer;
        }
    }
}

// There over one spine and back over another, as two hashes pick them.
static void pick_ping(const struct fabric *fabric, struct rng *rng, struct path *path) {
    const struct fabric_port *a = &fabric->ports[rng_below(rng, fabric->port_count)];
    const struct fabric_port *b;
    do {
        b = &fabric->ports[rng_below(rng, fabric->port_count)];
    } while (b->leaf.i == a->leaf.i);
    node_id there = some_spine(fabric, a->leaf, rng), back = some_spine(fabric, b->leaf, rng);
    *path = (struct path){8,
                          {link_of(a->cable, false), link_between(fabric, a->leaf, there),
                           link_between(fabric, there, b->leaf), link_of(b->cable, true),
                           link_of(b->cable, false), link_between(fabric, b->leaf, back),
                           link_between(fabric, back, a->leaf), link_of(a->cable, true)}};
}

static void pick_hairpin(struct history *history, struct rng *rng, struct path *path) {
    const struct fabric *fabric = history->trial->world->fabric;
    link_id link;
    do {
        link = link_of((cable_id){history->cursor++ % fabric->cable_count}, false);
    } while (!fabric_link_is_internal(fabric, link));
    node_id leaf = fabric_link_from(fabric, link);
    const struct fabric_port *port;
    do {
        port = &fabric->ports[rng_below(rng, fabric->port_count)];
    } while (port->leaf.i != leaf.i);
    *path = (struct path){4,
                          {link_of(port->cable, false), link, link_opposite(link),
                           link_of(port->cable, true)}};
}

// ---- what their outcomes say

static double score(const struct history *history, uint32_t link) {
    double best = 0, answers = (double)(history->sent[link] - history->lost[link]);
    for (unsigned i = 0; i < RATES; i++) {
        double value = (double)history->lost[link] * history->gain[i] - answers * history->cost[i];
        best = value > best ? value : best;
    }
    return best;
}

static bool is_same(const struct history *history, uint32_t a, uint32_t b) {
    return history->trial->scheme == TRIAL_HAIRPIN ? a / 2 == b / 2 : a == b;
}

static bool is_ahead(const struct history *history, uint32_t link) {
    const struct fabric *fabric = history->trial->world->fabric;
    double best = score(history, link);
    for (uint32_t i = 0; best > ACCEPT && i < fabric_link_count(fabric); i++) {
        if (!is_same(history, i, link) && fabric_link_is_internal(fabric, (link_id){i}) &&
            best - score(history, i) < AHEAD) {
            return false;
        }
    }
    return best > ACCEPT;
}

// The link that is named now; ID_NONE: none yet.
static uint32_t judge(const struct history *history) {
    const struct fabric *fabric = history->trial->world->fabric;
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        if (history->lost[i] > 0 && fabric_link_is_internal(fabric, (link_id){i}) &&
            is_ahead(history, i)) {
            return i;
        }
    }
    return ID_NONE;
}

static void count(struct history *history, const struct path *path, bool lost) {
    const struct fabric *fabric = history->trial->world->fabric;
    for (uint32_t i = 0; i < path->count; i++) {
        if (fabric_link_is_internal(fabric, path->links[i])) {
            history->sent[path->links[i].i]++;
            history->lost[path->links[i].i] += lost;
        }
    }
}

// Hairpins cannot tell directions apart: the cable is enough.
static void settle(const struct history *history, uint32_t link, uint64_t sent,
                   struct trial_outcome *outcome) {
    const struct world_fault *fault = &history->trial->world->faults[0];
    if (history->trial->world->fault_count == 1 && is_same(history, link, fault->link.i)) {
        outcome->located = true;
        outcome->probes = sent;
        return;
    }
    bool all = history->lost[link] == history->sent[link];
    outcome->false_down += all;
    outcome->false_other += !all;
}

static int history_open(struct history *history, const struct trial *trial) {
    uint32_t links = fabric_link_count(trial->world->fabric);
    double chance = (trial->scheme == TRIAL_HAIRPIN ? 4 : 8) * WORLD_BACKGROUND;
    *history = (struct history){.trial = trial,
                                .sent = calloc(links, sizeof *history->sent),
                                .lost = calloc(links, sizeof *history->lost)};
    for (unsigned i = 0; i < RATES; i++) {
        history->gain[i] = log(fmin(1, rates[i] + chance) / chance);
        history->cost[i] = -log1p(-rates[i]);
    }
    return history->sent != NULL && history->lost != NULL ? 0 : -ENOMEM;
}

static void run(struct history *history, struct rng *rng, struct trial_outcome *outcome) {
    const struct trial *trial = history->trial;
    uint32_t named = ID_NONE;
    for (uint64_t sent = 1; sent <= trial->cap && named == ID_NONE; sent++) {
        struct path path;
        if (trial->scheme == TRIAL_HAIRPIN) {
            pick_hairpin(history, rng, &path);
        } else {
            pick_ping(trial->world->fabric, rng, &path);
        }
        uint64_t delay_ns;
        bool lost = !world_probe(trial->world, path.links, path.count, rng, &delay_ns);
        count(history, &path, lost);
        // Answers put the others back: they are looked at, too, but not after each.
        named = lost || sent % 16 == 0 ? judge(history) : ID_NONE;
        if (named != ID_NONE) {
            settle(history, named, sent, outcome);
        }
    }
}

int trial_run_baseline(const struct trial *trial, struct rng *rng, struct trial_outcome *outcome) {
    struct history history;
    *outcome = (struct trial_outcome){.probes = trial->cap};
    int rc = history_open(&history, trial);
    if (rc == 0) {
        history.cursor = (uint32_t)rng_below(rng, trial->world->fabric->cable_count);
        run(&history, rng, outcome);
        outcome->right = (outcome->located || trial->world->fault_count == 0) &&
                         outcome->false_down + outcome->false_other == 0;
    }
    free(history.sent);
    free(history.lost);
    return rc;
}
