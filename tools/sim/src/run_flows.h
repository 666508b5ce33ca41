// SPDX-License-Identifier: Apache-2.0
// The data plane of a run: what jobs send, on the paths that the NICs' rules say, as parts of a
// fluid.
//
// A flow is what one port sends to another for one job; it consists of RULE_BUCKETS equal buckets
// of its QPs, and the buckets that take one path are one part, whose weight is their number: flows
// are equal to each other however they are divided. When a NIC is given other rules, what is left
// of each bucket goes where they say from then on. Flows for which there is no rule leave plain:
// switches hash each onto one of the shortest paths of the healthy fabric, and do not repair.
// What a NIC sends astray arrives nowhere and stalls.
//
// Units: bytes, nanoseconds of the fleet's time. Ownership: fabric, fleet and fluid are borrowed.
#ifndef SIM_RUN_FLOWS_H
#define SIM_RUN_FLOWS_H

#include "fleet/fleet.h"
#include "fluid.h"

// The fluid has a link more than the fabric: it leads nowhere.
static inline uint32_t flows_link_count(const struct fabric *fabric) {
    return fabric_link_count(fabric) + 1;
}

struct flow_path {
    link_id links[FLUID_PATH_MAX];
    uint8_t link_count;
};

struct flow_part {
    uint64_t buckets; // a bit each
    struct flow_path path;
    fluid_id id;
    bool live;
    double begin_bytes; // when it was put on its path
};

struct flow {
    port_id src, dst;
    uint32_t job;
    bool cross_leaf, ended;
    bool own_paths; // driven by its sender (adaptive), not by rules
    uint64_t bytes;
    double left[RULE_BUCKETS]; // when the parts were put on their paths
    struct flow_part *parts;   // owned
    uint32_t part_count, live_count;
    uint64_t stalled_since_ns; // NEVER_NS: it does not
};

struct flows_job {
    uint32_t live_count;
    uint64_t end_at_ns; // of the last flow so far
};

struct flows_moved {
    uint32_t flows;
    double bytes; // that were left
};

struct flows {
    const struct fabric *fabric;
    const struct fleet *fleet;
    struct fluid *fluid;
    uint64_t *rate_bps; // by link of the fluid
    struct flow *list;
    uint32_t count, capacity;
    struct path *candidates; // scratch
    struct flows_job *jobs;
    uint32_t job_count;
    uint64_t longest_stall_ns;
    int error; // -ENOMEM once memory has run out
};

int flows_init(struct flows *flows, const struct fleet *fleet, struct fluid *fluid,
               uint32_t job_count);
void flows_fini(struct flows *flows);
void flows_set_rate(struct flows *flows, link_id link, uint64_t rate_bps);
// A flow begins now, on no path yet.
void flows_add(struct flows *flows, uint32_t job, port_id src, port_id dst, uint64_t bytes);
// Puts the flows of a host (ID_NONE: all) where the rules of its NICs say; adds to *moved those
// with a new path that had one before.
void flows_follow(struct flows *flows, uint32_t host, struct flows_moved *moved);
// The end of a job before its time; returns the bytes that had not arrived.
double flows_remove(struct flows *flows, uint32_t job);
double flows_left_bytes(struct flows *flows, uint32_t job);
// Time goes on; flows end.
void flows_advance(struct flows *flows, uint64_t now_ns);
// Flows of which a part is on a path that carries nothing now; remembers since when.
uint32_t flows_count_stalled(struct flows *flows, double *left_bytes);

// Puts a flow's buckets on `count` paths: buckets[i] go over paths[i]. True: it has moved.
bool flows_place(struct flows *flows, struct flow *flow, const uint64_t *buckets,
                 const struct flow_path *paths, uint32_t count, struct flows_moved *moved);
struct flow_path flows_path(const struct path *path);

#endif
