// SPDX-License-Identifier: Apache-2.0
// What of the input cannot be, told of hosts and leaves rather than of flows: one broken cable is
// one sentence, however many flows it breaks.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "demands.h"
#include "live.h"
#include "pathalg/candidates.h"
#include "planner.h"
#include "shared.h"
#include "shared_shape.h"

struct teller {
    const struct plan_input *input;
    const struct grid *grid;
    plan_complain_fn *complain;
    void *context;
    uint32_t count;         // also of what is not told
    bool *sends, *receives; // by port
    bool *pairs;            // by leaves: something is to go from one to the other
};

__attribute__((format(printf, 2, 3))) static void say(struct teller *teller, const char *format,
                                                      ...) {
    struct error error = {.code = -EINVAL};
    if (teller->count++ >= PLAN_PROBLEMS_MAX) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error.text, sizeof error.text, format, arguments);
    va_end(arguments);
    teller->complain(teller->context, &error);
}

static uint32_t leaf_of(const struct teller *teller, port_id port) {
    return teller->grid->leaf_index[teller->input->fabric->ports[port.i].leaf.i];
}

static bool *pair_at(const struct teller *teller, uint32_t from, uint32_t to) {
    return &teller->pairs[(size_t)from * teller->grid->leaf_count + to];
}

static void note_pair(struct teller *teller, port_id src, port_id dst) {
    teller->sends[src.i] = true;
    teller->receives[dst.i] = true;
    *pair_at(teller, leaf_of(teller, src), leaf_of(teller, dst)) = true;
}

// ---- what is to be sent

static int note_host(struct teller *teller, node_id host) {
    struct plan plan;
    plan_init(&plan);
    int rc = demands_collect(teller->input, host, &plan);
    for (uint32_t i = 0; rc == 0 && i < plan.flow_count; i++) {
        note_pair(teller, plan.flows[i].src, plan.flows[i].dst);
    }
    plan_fini(&plan);
    return rc;
}

// In an AlltoAll every leaf sends to every other of its plane; no need to go through pairs of
// ranks.
static int note_all_to_all(struct teller *teller, const struct plan_job *job) {
    const struct grid *grid = teller->grid;
    const struct fabric *fabric = grid->fabric;
    uint32_t *senders = calloc(fabric->port_count + 1, sizeof senders[0]);
    bool *from = calloc(grid->leaf_count + 1, sizeof from[0]);
    int rc = senders != NULL && from != NULL ? 0 : -ENOMEM;
    if (rc == 0) {
        shape_count_units(fabric, job, job->rank_count, senders);
    }
    for (uint32_t i = 0; rc == 0 && i < fabric->port_count; i++) {
        teller->sends[i] |= senders[i] > 0;
        from[leaf_of(teller, (port_id){i})] |= senders[i] > 0;
    }
    for (uint32_t i = 0; rc == 0 && i < job->rank_count; i++) {
        for (uint32_t leaf = 0; job->ranks[i].i != ID_NONE && leaf < grid->leaf_count; leaf++) {
            teller->receives[job->ranks[i].i] = true;
            if (from[leaf] && fabric->nodes[grid->leaves[leaf].i].plane ==
                                  fabric_port_plane(fabric, job->ranks[i])) {
                *pair_at(teller, leaf, leaf_of(teller, job->ranks[i])) = true;
            }
        }
    }
    free(senders);
    free(from);
    return rc;
}

static int note_job(struct teller *teller, const struct plan_job *job) {
    struct shape others = {0};
    bool all_to_all = false;
    for (unsigned c = 0; c < job->job->collective_count; c++) {
        const struct collective *collective = &job->job->collectives[c];
        bool all = collective->type == COLLECTIVE_ALLTOALL ||
                   (collective->type == COLLECTIVE_ALLTOALLV && collective->matrix == NULL);
        all_to_all = all_to_all || (all && collective->bytes > 0);
        others.listed = (uint16_t)(others.listed | (all ? 0U : 1U << c));
    }
    int rc = all_to_all ? note_all_to_all(teller, job) : 0;
    struct flow_list list = {0};
    rc = rc != 0 ? rc : shape_list(teller->grid, job, &others, &list, NULL);
    for (uint32_t i = 0; rc == 0 && i < list.count; i++) {
        note_pair(teller, list.flows[i].src, list.flows[i].dst);
    }
    free(list.flows);
    return rc;
}

// ---- ranks, ports and leaves

static void tell_ranks(struct teller *teller) {
    for (uint32_t i = 0; i < teller->input->job_count; i++) {
        const struct plan_job *job = &teller->input->jobs[i];
        struct error error;
        if (job_check_fabric(job->job, teller->input->fabric, &error) != 0) {
            say(teller, "job %s; ranks beyond are left out", error.text);
        }
        for (uint32_t rank = 0; rank < job->rank_count; rank++) {
            if (job->ranks[rank].i == ID_NONE && !job->job->all_ranks) {
                say(teller, "job %s: rank %u: no port %s in fabric %s", job->job->name, rank,
                    job->job->ranks[rank], teller->input->fabric->name);
            }
        }
    }
}

static bool is_live(const struct teller *teller, link_id link) {
    return link_is_live(teller->input->fabric, teller->input->beliefs, link);
}

static const char *dead_because(const struct teller *teller, link_id link) {
    const struct link_belief *belief =
        teller->input->beliefs != NULL ? &teller->input->beliefs[link.i] : NULL;
    return belief != NULL && belief->down      ? "is down"
           : belief != NULL && belief->drained ? "is drained"
           : belief != NULL && belief->avoided ? "loses packets and is avoided"
                                               : "has no capacity";
}

static void tell_port(struct teller *teller, port_id port) {
    const struct fabric *fabric = teller->input->fabric;
    char name[NAME_SIZE + 4], link[LINK_NAME_SIZE];
    fabric_format_port(fabric, port, name);
    link_id up = port_uplink(fabric, port), down = port_downlink(fabric, port);
    if (teller->sends[port.i] && !is_live(teller, up)) {
        fabric_format_link(fabric, up, link);
        say(teller, "%s cannot send: %s %s", name, link, dead_because(teller, up));
    }
    if (teller->receives[port.i] && !is_live(teller, down)) {
        fabric_format_link(fabric, down, link);
        say(teller, "%s cannot be reached: %s %s", name, link, dead_because(teller, down));
    }
}

// Whether a leaf has a live link up (down: from above).
static bool leaf_has_way(const struct teller *teller, uint32_t leaf, bool down) {
    const struct fabric *fabric = teller->input->fabric;
    const struct fabric_node *node = &fabric->nodes[teller->grid->leaves[leaf].i];
    for (uint32_t i = 0; i < node->adjacency_count; i++) {
        const struct fabric_adjacency *up = &fabric->adjacencies[node->first_adjacency + i];
        if (fabric->nodes[up->peer.i].tier > node->tier &&
            is_live(teller, down ? link_opposite(up->link) : up->link)) {
            return true;
        }
    }
    return false;
}

// Tells of a leaf that is cut off one way, and takes its pairs off the list.
static void tell_leaf(struct teller *teller, uint32_t leaf, bool down) {
    bool wanted = false;
    for (uint32_t other = 0; other < teller->grid->leaf_count; other++) {
        wanted |=
            other != leaf && *(down ? pair_at(teller, other, leaf) : pair_at(teller, leaf, other));
    }
    if (!wanted || leaf_has_way(teller, leaf, down)) {
        return;
    }
    const char *name = teller->input->fabric->nodes[teller->grid->leaves[leaf].i].name;
    if (down) {
        say(teller, "%s cannot be reached: no link down to it is live", name);
    } else {
        say(teller, "%s cannot send: no uplink of it is live", name);
    }
    for (uint32_t other = 0; other < teller->grid->leaf_count; other++) {
        *(down ? pair_at(teller, other, leaf) : pair_at(teller, leaf, other)) = false;
    }
}

static port_id find_live_port(const struct teller *teller, uint32_t leaf, bool down) {
    const struct fabric *fabric = teller->input->fabric;
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        port_id port = {i};
        if (leaf_of(teller, port) == leaf &&
            is_live(teller, down ? port_downlink(fabric, port) : port_uplink(fabric, port))) {
            return port;
        }
    }
    return (port_id){ID_NONE};
}

static bool column_lives(const struct teller *teller, const uint64_t *rate_bps, uint32_t from,
                         uint32_t to) {
    uint32_t count = grid_between(teller->grid, from, to)->column_count;
    for (uint32_t c = 0; c < count; c++) {
        if (grid_column_lives(teller->grid, rate_bps, from, to, c)) {
            return true;
        }
    }
    return false;
}

static void tell_pair(struct teller *teller, const uint64_t *rate_bps, uint32_t from, uint32_t to) {
    const struct fabric *fabric = teller->input->fabric;
    if (from == to || !*pair_at(teller, from, to) || column_lives(teller, rate_bps, from, to)) {
        return;
    }
    port_id src = find_live_port(teller, from, false), dst = find_live_port(teller, to, true);
    if (src.i != ID_NONE && dst.i != ID_NONE &&
        candidates_find(fabric, teller->input->beliefs, src, dst, NULL, 0) == 0) {
        say(teller, "no live path from %s to %s", fabric->nodes[teller->grid->leaves[from].i].name,
            fabric->nodes[teller->grid->leaves[to].i].name);
    }
}

static int tell_paths(struct teller *teller) {
    const struct fabric *fabric = teller->input->fabric;
    uint32_t leaves = teller->grid->leaf_count;
    uint64_t *rates = calloc(fabric_link_count(fabric) + 1, sizeof rates[0]);
    if (rates == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        rates[i] = link_live_rate_bps(fabric, teller->input->beliefs, (link_id){i});
    }
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        tell_port(teller, (port_id){i});
    }
    for (uint32_t i = 0; i < leaves; i++) {
        tell_leaf(teller, i, false);
        tell_leaf(teller, i, true);
    }
    for (size_t i = 0; i < (size_t)leaves * leaves; i++) {
        tell_pair(teller, rates, (uint32_t)(i / leaves), (uint32_t)(i % leaves));
    }
    free(rates);
    return 0;
}

// ---- reservations

struct booking {
    struct teller *teller;
    const struct plan_input *input; // its jobs in order of names
    double *ports;                  // reserved so far at each port
};

static void tell_overbooked(struct booking *booking, const struct job *job, link_id link,
                            double taken_bps, uint32_t others) {
    const struct fabric *fabric = booking->input->fabric;
    char name[LINK_NAME_SIZE];
    char more[32] = "";
    fabric_format_link(fabric, link, name);
    if (others > 0) {
        snprintf(more, sizeof more, " (%u more links)", others);
    }
    double has = (double)link_live_rate_bps(fabric, booking->input->beliefs, link);
    say(booking->teller, "job %.40s: its reservation makes %.1f Gbit/s on %.40s, which has %.1f%s",
        job->name, taken_bps / 1e9, name, has / 1e9, more);
}

// The first link of those with something taken that has less, and how many there are.
static uint32_t overbooked(const struct booking *booking, const double *taken, link_id *first) {
    const struct fabric *fabric = booking->input->fabric;
    uint32_t count = 0;
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        double has = (double)link_live_rate_bps(fabric, booking->input->beliefs, (link_id){i});
        if (taken[i] > has * (1 + 1e-9) && count++ == 0) {
            first->i = i;
        }
    }
    return count;
}

// NICs: what ranks reserve at their own ports.
static void book_ports(struct booking *booking, const struct plan_job *job) {
    const struct fabric *fabric = booking->input->fabric;
    for (uint32_t i = 0; i < job->rank_count; i++) {
        if (job->ranks[i].i != ID_NONE) {
            link_id up = port_uplink(fabric, job->ranks[i]);
            booking->ports[up.i] += (double)job->job->reserved_bps;
        }
    }
    link_id first = {ID_NONE};
    uint32_t count = overbooked(booking, booking->ports, &first);
    if (count > 0) {
        tell_overbooked(booking, job->job, first, booking->ports[first.i], count - 1);
    }
}

static void on_reserved(void *context, uint32_t job, const double *link_bps) {
    struct booking *booking = context;
    book_ports(booking, &booking->input->jobs[job]);
    link_id first = {ID_NONE};
    uint32_t count = overbooked(booking, link_bps, &first);
    if (count > 0) {
        tell_overbooked(booking, booking->input->jobs[job].job, first, link_bps[first.i],
                        count - 1);
    }
}

static int tell_reservations(struct teller *teller) {
    bool any = false;
    for (uint32_t i = 0; i < teller->input->job_count; i++) {
        const struct job *job = teller->input->jobs[i].job;
        bool shared = job_is_shared(teller->input, i);
        any |= job->reserved_bps > 0 && shared;
        if (job->reserved_bps > 0 && !shared) {
            say(teller, "job %s: its reservation is not kept: only algorithm shared does",
                job->name);
        }
    }
    if (!any) {
        return 0;
    }
    struct sorted_input sorted;
    int rc = sorted_input_init(teller->input, &sorted);
    if (rc != 0) {
        return rc;
    }
    struct shared *shared = NULL;
    struct booking booking = {teller, &sorted.input,
                              calloc(fabric_link_count(teller->input->fabric) + 1, sizeof(double))};
    rc = booking.ports == NULL ? -ENOMEM : shared_open(teller->input->fabric, &shared);
    rc = rc != 0 ? rc : shared_reserved(shared, &sorted.input, on_reserved, &booking);
    shared_close(shared);
    free(booking.ports);
    sorted_input_fini(&sorted);
    return rc;
}

// ---- all together

static int tell_all(struct teller *teller, node_id host) {
    const struct plan_input *input = teller->input;
    int rc = 0;
    if (host.i != ID_NONE) {
        rc = note_host(teller, host);
    }
    for (uint32_t i = 0; host.i == ID_NONE && rc == 0 && i < input->job_count; i++) {
        rc = note_job(teller, &input->jobs[i]);
    }
    if (rc == 0) {
        tell_ranks(teller);
        rc = tell_paths(teller);
    }
    rc = rc != 0 ? rc : tell_reservations(teller);
    if (rc == 0 && teller->count > PLAN_PROBLEMS_MAX) {
        uint32_t rest = teller->count - PLAN_PROBLEMS_MAX;
        teller->count = 0;
        say(teller, "and %u problems more", rest);
    }
    return rc;
}

int plan_problems(const struct plan_input *input, node_id host, plan_complain_fn *complain,
                  void *context) {
    struct grid *grid;
    int rc = check_algorithms(input, NULL);
    rc = rc != 0 ? rc : grid_open(input->fabric, &grid);
    if (rc != 0) {
        return rc;
    }
    size_t leaves = grid->leaf_count, ports = input->fabric->port_count;
    struct teller teller = {
        .input = input,
        .grid = grid,
        .complain = complain,
        .context = context,
        .sends = calloc(ports + 1, sizeof(bool)),
        .receives = calloc(ports + 1, sizeof(bool)),
        .pairs = calloc(leaves * leaves + 1, sizeof(bool)),
    };
    rc = teller.sends == NULL || teller.receives == NULL || teller.pairs == NULL
             ? -ENOMEM
             : tell_all(&teller, host);
    free(teller.sends);
    free(teller.receives);
    free(teller.pairs);
    grid_close(grid);
    return rc;
}
