// SPDX-License-Identifier: Apache-2.0
#include "run_flows.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "pathalg/candidates.h"

#define TAG_PART_BITS 8

_Static_assert(RULE_BUCKETS <= 64, "a bit for each bucket");
_Static_assert(RULE_PATHS_MAX < 1 << TAG_PART_BITS, "a tag names a part");

int flows_init(struct flows *flows, const struct fleet *fleet, struct fluid *fluid,
               uint32_t job_count) {
    *flows = (struct flows){.fabric = fleet_fabric(fleet),
                            .fleet = fleet,
                            .fluid = fluid,
                            .job_count = job_count};
    flows->rate_bps = calloc(flows_link_count(flows->fabric), sizeof flows->rate_bps[0]);
    flows->candidates = calloc(CANDIDATES_MAX, sizeof flows->candidates[0]);
    flows->jobs = calloc(job_count + 1U, sizeof flows->jobs[0]);
    if (flows->rate_bps == NULL || flows->candidates == NULL || flows->jobs == NULL) {
        flows_fini(flows);
        return -ENOMEM;
    }
    return 0;
}

void flows_fini(struct flows *flows) {
    for (uint32_t i = 0; i < flows->count; i++) {
        free(flows->list[i].parts);
    }
    free(flows->list);
    free(flows->rate_bps);
    free(flows->candidates);
    free(flows->jobs);
    *flows = (struct flows){0};
}

void flows_set_rate(struct flows *flows, link_id link, uint64_t rate_bps) {
    flows->rate_bps[link.i] = rate_bps;
    fluid_set_rate(flows->fluid, link, rate_bps);
}

void flows_add(struct flows *flows, uint32_t job, port_id src, port_id dst, uint64_t bytes) {
    if (flows->count == flows->capacity) {
        uint32_t capacity = flows->capacity == 0 ? 256 : 2 * flows->capacity;
        struct flow *list = realloc(flows->list, capacity * sizeof list[0]);
        if (list == NULL) {
            flows->error = -ENOMEM;
            return;
        }
        flows->list = list;
        flows->capacity = capacity;
    }
    const struct fabric_port *ports = flows->fabric->ports;
    struct flow *flow = &flows->list[flows->count++];
    *flow = (struct flow){.src = src,
                          .dst = dst,
                          .job = job,
                          .cross_leaf = ports[src.i].leaf.i != ports[dst.i].leaf.i,
                          .bytes = bytes,
                          .stalled_since_ns = NEVER_NS};
    for (unsigned i = 0; i < RULE_BUCKETS; i++) {
        flow->left[i] = (double)bytes / RULE_BUCKETS;
    }
    flows->jobs[job].live_count++;
}

// ---- paths

static struct flow_path nowhere(const struct flows *flows) {
    return (struct flow_path){.links = {{fabric_link_count(flows->fabric)}}, .link_count = 1};
}

struct flow_path flows_path(const struct path *path) {
    struct flow_path out = {.link_count = path->link_count};
    memcpy(out.links, path->links, path->link_count * sizeof path->links[0]);
    return out;
}

static struct flow_path trip_path(const struct flows *flows, const struct fleet_trip *trip) {
    if (trip->end == LOST_ASTRAY || trip->link_count > FLUID_PATH_MAX) {
        return nowhere(flows);
    }
    struct flow_path path = {.link_count = trip->link_count};
    memcpy(path.links, trip->links, trip->link_count * sizeof trip->links[0]);
    return path;
}

static struct flow_path plain_path(const struct flows *flows, const struct flow *flow) {
    uint32_t count = candidates_find(flows->fabric, NULL, flow->src, flow->dst, flows->candidates,
                                     CANDIDATES_MAX);
    if (count == 0) {
        return nowhere(flows);
    }
    uint64_t hash = hash_pair(hash_pair(flow->src.i, flow->dst.i), flow->job);
    return flows_path(&flows->candidates[hash % count]);
}

static bool same_path(const struct flow_path *a, const struct flow_path *b) {
    return a->link_count == b->link_count &&
           memcmp(a->links, b->links, a->link_count * sizeof a->links[0]) == 0;
}

// ---- buckets onto paths

static const struct flow_path *bucket_path(const struct flow *flow, unsigned bucket) {
    for (uint32_t i = 0; i < flow->part_count; i++) {
        if ((flow->parts[i].buckets >> bucket & 1) != 0) {
            return &flow->parts[i].path;
        }
    }
    return NULL;
}

// The buckets with bytes left that would change their path.
static uint64_t find_moving(const struct flow *flow, const uint64_t *buckets,
                            const struct flow_path *paths, uint32_t count) {
    uint64_t moving = 0;
    for (unsigned bucket = 0; bucket < RULE_BUCKETS; bucket++) {
        const struct flow_path *before = bucket_path(flow, bucket);
        for (uint32_t i = 0; i < count; i++) {
            bool here = (buckets[i] >> bucket & 1) != 0 && flow->left[bucket] > 0;
            if (here && (before == NULL || !same_path(before, &paths[i]))) {
                moving |= UINT64_C(1) << bucket;
            }
        }
    }
    return moving;
}

// Takes the flow off its paths; what is left of a part is left of each of its buckets in
// proportion.
static void lift(struct flows *flows, struct flow *flow) {
    for (uint32_t i = 0; i < flow->part_count; i++) {
        struct flow_part *part = &flow->parts[i];
        double left = part->live ? fluid_remove(flows->fluid, part->id) : 0;
        double share = part->begin_bytes > 0 ? left / part->begin_bytes : 0;
        for (unsigned bucket = 0; bucket < RULE_BUCKETS; bucket++) {
            if ((part->buckets >> bucket & 1) != 0) {
                flow->left[bucket] *= share;
            }
        }
    }
    flow->part_count = flow->live_count = 0;
}

static void put(struct flows *flows, struct flow *flow, uint64_t buckets,
                const struct flow_path *path) {
    uint64_t index = (uint64_t)(flow - flows->list);
    struct flow_part part = {.buckets = buckets, .path = *path, .live = true};
    unsigned weight = 0;
    for (unsigned bucket = 0; bucket < RULE_BUCKETS; bucket++) {
        if ((buckets >> bucket & 1) != 0) {
            part.begin_bytes += flow->left[bucket];
            weight += flow->left[bucket] > 0;
        }
    }
    if (weight == 0) {
        return;
    }
    uint64_t tag = index << TAG_PART_BITS | flow->part_count;
    int rc = fluid_add(flows->fluid, path->links, path->link_count,
                       (uint64_t)llround(part.begin_bytes), tag, &part.id);
    if (rc != 0) {
        flows->error = rc;
        return;
    }
    fluid_weigh(flows->fluid, part.id, (double)weight / RULE_BUCKETS);
    flow->parts[flow->part_count++] = part;
    flow->live_count++;
}

static double moving_bytes(const struct flow *flow, uint64_t moving) {
    double bytes = 0;
    for (unsigned bucket = 0; bucket < RULE_BUCKETS; bucket++) {
        bytes += (moving >> bucket & 1) != 0 ? flow->left[bucket] : 0;
    }
    return bytes;
}

// The same buckets are together as before: their parts only change the path.
static bool move_whole(struct flows *flows, struct flow *flow, const uint64_t *buckets,
                       const struct flow_path *paths, uint32_t count, struct flows_moved *moved) {
    bool same = flow->part_count == count;
    for (uint32_t i = 0; same && i < count; i++) {
        same = flow->parts[i].buckets == buckets[i];
    }
    for (uint32_t i = 0; same && i < count; i++) {
        struct flow_part *part = &flow->parts[i];
        if (part->live && !same_path(&part->path, &paths[i])) {
            moved->bytes += fluid_left_bytes(flows->fluid, part->id);
            fluid_move(flows->fluid, part->id, paths[i].links, paths[i].link_count);
        }
        part->path = paths[i];
    }
    return same;
}

bool flows_place(struct flows *flows, struct flow *flow, const uint64_t *buckets,
                 const struct flow_path *paths, uint32_t count, struct flows_moved *moved) {
    uint64_t moving = find_moving(flow, buckets, paths, count);
    if (moving == 0 || flow->ended) {
        return false;
    }
    bool first = flow->part_count == 0;
    uint32_t room = count > flow->part_count ? count : flow->part_count;
    struct flow_part *parts = realloc(flow->parts, room * sizeof parts[0]);
    if (parts == NULL) {
        flows->error = -ENOMEM;
        return false;
    }
    flow->parts = parts;
    struct flows_moved now = {.flows = 1};
    if (!move_whole(flows, flow, buckets, paths, count, &now)) {
        lift(flows, flow);
        now.bytes = moving_bytes(flow, moving);
        for (uint32_t i = 0; i < count; i++) {
            put(flows, flow, buckets[i], &paths[i]);
        }
    }
    if (!first && now.bytes > 0) {
        moved->flows++;
        moved->bytes += now.bytes;
    }
    return !first;
}

static void follow(struct flows *flows, struct flow *flow, struct flows_moved *moved) {
    uint8_t way[RULE_BUCKETS];
    struct fleet_trip trips[RULE_PATHS_MAX];
    struct flow_path paths[RULE_PATHS_MAX];
    uint64_t buckets[RULE_PATHS_MAX] = {0};
    bool sprayed = false;
    uint32_t count = flow->cross_leaf
                         ? fleet_follow(flows->fleet, flow->src, flow->dst, way, trips, &sprayed)
                         : 0;
    for (uint32_t i = 0; i < count; i++) {
        paths[i] = trip_path(flows, &trips[i]);
    }
    for (unsigned bucket = 0; count > 0 && bucket < RULE_BUCKETS; bucket++) {
        buckets[sprayed ? bucket % count : way[bucket]] |= UINT64_C(1) << bucket;
    }
    if (count == 0) {
        paths[0] = plain_path(flows, flow);
        buckets[0] = UINT64_MAX;
        count = 1;
    }
    flows_place(flows, flow, buckets, paths, count, moved);
}

void flows_follow(struct flows *flows, uint32_t host, struct flows_moved *moved) {
    for (uint32_t i = 0; i < flows->count; i++) {
        struct flow *flow = &flows->list[i];
        bool own = host == ID_NONE || flows->fabric->ports[flow->src.i].host.i == host;
        if (own && !flow->ended && !flow->own_paths) {
            follow(flows, flow, moved);
        }
    }
}

// ---- ends

static void end_flow(struct flows *flows, struct flow *flow, uint64_t now_ns) {
    if (flow->stalled_since_ns != NEVER_NS) {
        uint64_t span_ns = now_ns - flow->stalled_since_ns;
        flows->longest_stall_ns =
            span_ns > flows->longest_stall_ns ? span_ns : flows->longest_stall_ns;
    }
    flow->ended = true;
    flow->stalled_since_ns = NEVER_NS;
    flows->jobs[flow->job].live_count--;
    free(flow->parts);
    flow->parts = NULL;
    flow->part_count = flow->live_count = 0;
}

static void on_done(void *context, uint64_t tag, uint64_t done_at_ns) {
    struct flows *flows = context;
    struct flow *flow = &flows->list[tag >> TAG_PART_BITS];
    struct flow_part *part = &flow->parts[tag & ((1 << TAG_PART_BITS) - 1)];
    part->live = false;
    flow->live_count--;
    if (flow->live_count == 0) {
        end_flow(flows, flow, done_at_ns);
        flows->jobs[flow->job].end_at_ns = done_at_ns;
    }
}

void flows_advance(struct flows *flows, uint64_t now_ns) {
    fluid_advance(flows->fluid, now_ns, on_done, flows);
}

static double flow_left(struct flows *flows, const struct flow *flow) {
    double left = 0;
    for (uint32_t i = 0; i < flow->part_count; i++) {
        left += flow->parts[i].live ? fluid_left_bytes(flows->fluid, flow->parts[i].id) : 0;
    }
    return left;
}

double flows_left_bytes(struct flows *flows, uint32_t job) {
    double left = 0;
    for (uint32_t i = 0; i < flows->count; i++) {
        left += flows->list[i].job == job ? flow_left(flows, &flows->list[i]) : 0;
    }
    return left;
}

double flows_remove(struct flows *flows, uint32_t job) {
    double left = flows_left_bytes(flows, job);
    for (uint32_t i = 0; i < flows->count; i++) {
        struct flow *flow = &flows->list[i];
        if (flow->job == job && !flow->ended) {
            lift(flows, flow);
            end_flow(flows, flow, fluid_now_ns(flows->fluid));
        }
    }
    return left;
}

// ---- stalls

static bool carries_nothing(const struct flows *flows, const struct flow_path *path) {
    for (unsigned i = 0; i < path->link_count; i++) {
        if (flows->rate_bps[path->links[i].i] == 0) {
            return true;
        }
    }
    return false;
}

uint32_t flows_count_stalled(struct flows *flows, double *left_bytes) {
    uint64_t now_ns = fluid_now_ns(flows->fluid);
    uint32_t count = 0;
    *left_bytes = 0;
    for (uint32_t i = 0; i < flows->count; i++) {
        struct flow *flow = &flows->list[i];
        bool stalls = false;
        for (uint32_t k = 0; k < flow->part_count; k++) {
            const struct flow_part *part = &flow->parts[k];
            if (part->live && carries_nothing(flows, &part->path)) {
                stalls = true;
                *left_bytes += fluid_left_bytes(flows->fluid, part->id);
            }
        }
        if (stalls && flow->stalled_since_ns == NEVER_NS) {
            flow->stalled_since_ns = now_ns;
        } else if (!stalls && flow->stalled_since_ns != NEVER_NS) {
            uint64_t span_ns = now_ns - flow->stalled_since_ns;
            flows->longest_stall_ns =
                span_ns > flows->longest_stall_ns ? span_ns : flows->longest_stall_ns;
            flow->stalled_since_ns = NEVER_NS;
        }
        count += stalls;
    }
    return count;
}
