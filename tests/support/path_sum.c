// SPDX-License-Identifier: Apache-2.0
#include "path_sum.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound_lp.h"
#include "pathalg/candidates.h"

#define LP_PORTS_MAX 256

// What a host should send, sorted and merged as flows are.
struct wanted {
    struct demand *demands;
    uint32_t count, capacity;
};

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count > 0 ? count : 1, size);
    assert(memory != NULL);
    return memory;
}

static void want(void *context, const struct demand *demand) {
    struct wanted *wanted = context;
    if (wanted->count == wanted->capacity) {
        wanted->capacity = 2 * wanted->capacity + 64;
        wanted->demands = realloc(wanted->demands, wanted->capacity * sizeof wanted->demands[0]);
        assert(wanted->demands != NULL);
    }
    wanted->demands[wanted->count++] = *demand;
}

static int compare_demands(const void *a, const void *b) {
    const struct demand *x = a, *y = b;
    if (x->src.i != y->src.i) {
        return x->src.i < y->src.i ? -1 : 1;
    }
    return x->dst.i < y->dst.i ? -1 : x->dst.i > y->dst.i;
}

static void merge(struct wanted *wanted) {
    qsort(wanted->demands, wanted->count, sizeof wanted->demands[0], compare_demands);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < wanted->count; i++) {
        if (kept > 0 && compare_demands(&wanted->demands[kept - 1], &wanted->demands[i]) == 0) {
            wanted->demands[kept - 1].bytes += wanted->demands[i].bytes;
        } else {
            wanted->demands[kept++] = wanted->demands[i];
        }
    }
    wanted->count = kept;
}

// ID_NONE: of all hosts.
static struct wanted wanted_of(const struct plan_input *input, uint32_t host) {
    const struct plan_job *job = &input->jobs[0];
    struct wanted wanted = {.demands = allocate(64, sizeof wanted.demands[0]), .capacity = 64};
    for (uint32_t rank = 0; rank < job->rank_count; rank++) {
        if (host == ID_NONE || input->fabric->ports[job->ranks[rank].i].host.i == host) {
            job_demands(job->job, input->fabric, job->ranks, job->rank_count, rank,
                        job->permutations, want, &wanted);
        }
    }
    merge(&wanted);
    return wanted;
}

static const struct link_belief *belief_of(const struct plan_input *input, link_id link) {
    static const struct link_belief up = {.capacity_ppm = CAPACITY_FULL_PPM};
    return input->beliefs != NULL ? &input->beliefs[link.i] : &up;
}

static double link_rate(const struct plan_input *input, link_id link) {
    return (double)belief_rate_bps(input->fabric, belief_of(input, link), link);
}

static uint32_t leaf_of(const struct plan_input *input, port_id port) {
    return input->fabric->ports[port.i].leaf.i;
}

static uint32_t live_paths(const struct plan_input *input, port_id src, port_id dst) {
    return candidates_find(input->fabric, input->beliefs, src, dst, NULL, 0);
}

__attribute__((format(printf, 3, 4))) static void
complain(struct path_sum *sum, const struct plan_flow *flow, const char *format, ...) {
    if (sum->wrong[0] != '\0') {
        return;
    }
    char src[NAME_SIZE + 4], dst[NAME_SIZE + 4], what[100];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    fabric_format_port(sum->input->fabric, flow->src, src);
    fabric_format_port(sum->input->fabric, flow->dst, dst);
    snprintf(sum->wrong, sizeof sum->wrong, "%.32s>%.32s: %s", src, dst, what);
}

void path_sum_open(struct path_sum *sum, const struct plan_input *input) {
    assert(input->job_count == 1);
    *sum = (struct path_sum){.input = input,
                             .link_bytes = allocate(fabric_link_count(input->fabric),
                                                    sizeof sum->link_bytes[0])};
}

void path_sum_close(struct path_sum *sum) {
    free(sum->link_bytes);
}

static void check_path(struct path_sum *sum, const struct plan_flow *flow,
                       const struct path *path) {
    const struct fabric *fabric = sum->input->fabric;
    node_id at = fabric->ports[flow->src.i].host;
    if (path->link_count < 2 ||
        link_cable(path->links[0]).i != fabric->ports[flow->src.i].cable.i ||
        link_cable(path->links[path->link_count - 1]).i != fabric->ports[flow->dst.i].cable.i) {
        complain(sum, flow, "a path that does not join its ports");
        return;
    }
    for (unsigned i = 0; i < path->link_count; i++) {
        if (fabric_link_from(fabric, path->links[i]).i != at.i) {
            complain(sum, flow, "a path with a gap before link %u", i);
        }
        if (!(link_rate(sum->input, path->links[i]) > 0)) {
            complain(sum, flow, "a dead link");
        }
        at = fabric_link_to(fabric, path->links[i]);
    }
    if (at.i != fabric->ports[flow->dst.i].host.i) {
        complain(sum, flow, "a path that does not arrive");
    }
}

static void add_flow(struct path_sum *sum, const struct plan *plan, const struct plan_flow *flow) {
    uint64_t placed = 0;
    for (uint32_t i = 0; i < flow->part_count; i++) {
        const struct plan_part *part = &plan->parts[flow->first_part + i];
        check_path(sum, flow, &part->path);
        placed += part->bytes;
        for (unsigned j = 0; j < part->path.link_count; j++) {
            sum->link_bytes[part->path.links[j].i] += part->bytes;
        }
    }
    if (flow->part_count == 0) {
        sum->unreachable_count++;
        if (live_paths(sum->input, flow->src, flow->dst) > 0) {
            complain(sum, flow, "no path, though one lives");
        }
    } else if (placed != flow->bytes) {
        complain(sum, flow, "%" PRIu64 " bytes placed of %" PRIu64, placed, flow->bytes);
    } else if (leaf_of(sum->input, flow->src) != leaf_of(sum->input, flow->dst)) {
        sum->flow_count++;
        sum->part_count += flow->part_count;
        sum->split_flow_count += flow->part_count > 1;
    }
}

static uint64_t ethereal_parts(uint64_t n, uint64_t s) {
    uint64_t r = n % s, a = r, b = s;
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return n + r * (s / a - 1); // r 0: gcd(0, s) is s
}

// Flows are sorted by source port, but destination ports of one leaf need not be neighbours.
static void add_ethereal(struct path_sum *sum, const struct plan *plan) {
    const struct plan_input *input = sum->input;
    uint64_t *count = allocate(input->fabric->node_count, sizeof count[0]);
    for (uint32_t first = 0, end; first < plan->flow_count; first = end) {
        port_id src = plan->flows[first].src;
        for (end = first; end < plan->flow_count && plan->flows[end].src.i == src.i; end++) {
            const struct plan_flow *flow = &plan->flows[end];
            uint32_t leaf = leaf_of(input, flow->dst);
            count[leaf] += leaf != leaf_of(input, src) && flow->part_count > 0;
        }
        for (uint32_t i = first; i < end; i++) {
            uint32_t leaf = leaf_of(input, plan->flows[i].dst);
            if (count[leaf] > 0) {
                sum->ethereal_part_count +=
                    ethereal_parts(count[leaf], live_paths(input, src, plan->flows[i].dst));
                count[leaf] = 0;
            }
        }
    }
    free(count);
}

void path_sum_add(struct path_sum *sum, node_id host, const struct plan *plan) {
    struct wanted wanted = wanted_of(sum->input, host.i);
    uint64_t parts = sum->part_count, flows = sum->flow_count;
    bool spray = false;
    for (uint32_t i = 0; i < plan->flow_count; i++) {
        const struct plan_flow *flow = &plan->flows[i];
        const struct demand *demand = i < wanted.count ? &wanted.demands[i] : NULL;
        if (demand == NULL || flow->src.i != demand->src.i || flow->dst.i != demand->dst.i ||
            flow->bytes != demand->bytes) {
            complain(sum, flow, "not what the job demands, or not in order");
            break;
        }
        add_flow(sum, plan, flow);
        spray = spray || flow->spray;
    }
    if (plan->flow_count < wanted.count && sum->wrong[0] == '\0') {
        snprintf(sum->wrong, sizeof sum->wrong, "host %u: a demand without a flow", host.i);
    }
    if (!spray && sum->part_count - parts - (sum->flow_count - flows) != plan->split_count &&
        sum->wrong[0] == '\0') {
        snprintf(sum->wrong, sizeof sum->wrong, "host %u: split_count is wrong", host.i);
    }
    add_ethereal(sum, plan);
    free(wanted.demands);
}

void path_sum_add_all(struct path_sum *sum, const char *algorithm) {
    struct plan_input input = *sum->input;
    input.algorithm = algorithm;
    struct planner *planner;
    struct plan plan;
    struct error error;
    int rc = planner_open(input.fabric, &planner);
    assert(rc == 0);
    plan_init(&plan);
    for (uint32_t i = 0; i < input.fabric->host_count; i++) {
        rc = planner_plan(planner, &input, (node_id){i}, &plan, &error);
        assert(rc == 0);
        path_sum_add(sum, (node_id){i}, &plan);
    }
    plan_fini(&plan);
    planner_close(planner);
}

double path_sum_load_s(const struct path_sum *sum) {
    double most = 0;
    for (uint32_t i = 0; i < fabric_link_count(sum->input->fabric); i++) {
        if (sum->link_bytes[i] > 0 && fabric_link_is_internal(sum->input->fabric, (link_id){i})) {
            double seconds = (double)sum->link_bytes[i] * 8 / link_rate(sum->input, (link_id){i});
            most = seconds > most ? seconds : most;
        }
    }
    return most;
}

// What leaves, and what pods (for which the first leaf of the pod stands), exchange and carry.
struct cut {
    double *out, *in;          // bytes, by node
    double *up_bps, *down_bps; // by node
};

static double cut_most(const struct plan_input *input, const struct cut *cut) {
    double most = 0;
    for (uint32_t i = 0; i < input->fabric->node_count; i++) {
        double out = cut->out[i] > 0 ? cut->out[i] * 8 / cut->up_bps[i] : 0;
        double in = cut->in[i] > 0 ? cut->in[i] * 8 / cut->down_bps[i] : 0;
        most = out > most ? out : most;
        most = in > most ? in : most;
    }
    return most;
}

// The switch that stands for a node on one level of cuts: a leaf itself, or the first of its pod.
static uint32_t representative(const struct fabric *fabric, uint32_t node, bool pods) {
    if (!pods) {
        return node;
    }
    for (uint32_t i = 0; i < fabric->node_count; i++) {
        if (fabric->nodes[i].kind == NODE_LEAF && fabric->nodes[i].pod == fabric->nodes[node].pod) {
            return i;
        }
    }
    return node;
}

static void cut_rates(const struct plan_input *input, const uint32_t *standing, bool pods,
                      struct cut *cut) {
    const struct fabric *fabric = input->fabric;
    for (uint32_t i = 0; i < fabric_link_count(fabric); i += 2) {
        uint32_t low = fabric_link_from(fabric, (link_id){i}).i;
        if (fabric->nodes[low].tier == (pods ? 2 : 1)) {
            cut->up_bps[standing[low]] += link_rate(input, (link_id){i});
            cut->down_bps[standing[low]] += link_rate(input, (link_id){i + 1});
        }
    }
}

static double cut_level(const struct plan_input *input, const struct wanted *wanted, bool pods) {
    uint32_t count = input->fabric->node_count;
    double *memory = allocate(4 * (size_t)count, sizeof memory[0]);
    struct cut cut = {memory, memory + count, memory + 2 * count, memory + 3 * count};
    uint32_t *standing = allocate(count, sizeof standing[0]);
    for (uint32_t i = 0; i < count; i++) {
        standing[i] = representative(input->fabric, i, pods);
    }
    cut_rates(input, standing, pods, &cut);
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct demand *demand = &wanted->demands[i];
        uint32_t from = standing[leaf_of(input, demand->src)];
        uint32_t to = standing[leaf_of(input, demand->dst)];
        if (from != to) {
            cut.out[from] += (double)demand->bytes;
            cut.in[to] += (double)demand->bytes;
        }
    }
    double most = cut_most(input, &cut);
    free(standing);
    free(memory);
    return most;
}

// Demands stand by source and destination, so that those of a pair of leaves stand together.
static void keep_reachable(const struct plan_input *input, struct wanted *wanted) {
    uint32_t kept = 0, from = ID_NONE, to = ID_NONE;
    bool lives = false;
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct demand *demand = &wanted->demands[i];
        if (leaf_of(input, demand->src) != from || leaf_of(input, demand->dst) != to) {
            from = leaf_of(input, demand->src);
            to = leaf_of(input, demand->dst);
            lives = live_paths(input, demand->src, demand->dst) > 0;
        }
        if (lives) {
            wanted->demands[kept++] = *demand;
        }
    }
    wanted->count = kept;
}

double path_cut_s(const struct plan_input *input) {
    struct wanted wanted = wanted_of(input, ID_NONE);
    keep_reachable(input, &wanted);
    double leaves = cut_level(input, &wanted, false);
    bool pods = strcmp(input->fabric->kind, "three-tier") == 0;
    double above = pods ? cut_level(input, &wanted, true) : 0;
    free(wanted.demands);
    return leaves > above ? leaves : above;
}

double path_lp_s(const struct plan_input *input) {
    struct traffic *traffic;
    struct lp_bound bound = {0};
    struct error error = {0};
    int rc = traffic_open(input, (node_id){ID_NONE}, &traffic);
    assert(rc == 0);
    rc = bound_lp(traffic, &bound, &error);
    if (rc != 0) {
        fprintf(stderr, "the linear program: %s\n", error.text);
        abort();
    }
    traffic_close(traffic);
    return bound.bound_s;
}

double path_bound_s(const struct plan_input *input, double load_s, double enough) {
    double cut_s = path_cut_s(input);
    const struct job *job = input->jobs[0].job;
    bool sparse = collective_has_map(job->collectives[0].type);
    bool solvable = sparse || input->fabric->port_count <= LP_PORTS_MAX;
    return load_s > enough * cut_s && solvable ? path_lp_s(input) : cut_s;
}
