// SPDX-License-Identifier: Apache-2.0
// The msgpack form of the facts that agents share: encode to bytes for gossip_put, decode what
// others wrote.
//
// Each value is a msgpack array whose first element is the form's version. Decoders check every
// length, range and type before they touch *out; unknown trailing elements are ignored (newer minor
// forms), an unknown version is -EPROTO. Encoders return the size, -EMSGSIZE when `size` does not
// suffice. Errors: -EPROTO for a malformed value, -ENOMEM.
#ifndef GOSSIP_FACTS_H
#define GOSSIP_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/belief.h"
#include "model/host_facts.h"
#include "model/job.h"

struct member_facts {
    uint64_t fabric_generation; // active
    uint8_t fabric_digest[32];  // of the active file
    uint64_t held_generation;   // newest that the host holds (== active when none is pending)
    uint8_t held_digest[32];
    uint32_t plan_version;
    uint32_t protocol_version;
    bool decap_ready;
    char nic_driver[16];
    char build[32]; // version of the software
};

struct rank_binding { // written by the rank's host: it agrees to take part (two-sided binding)
    char job[JOB_NAME_SIZE];
    uint64_t job_generation;
    uint32_t rank;
    char port[NAME_SIZE];
};

// A rank of a training job that runs on one of the host's ports, as the annotations of its pod say.
// Each host writes those of its own pods; the job is what all of them together make it.
struct pod_rank {
    char job[JOB_NAME_SIZE]; // "namespace/name"
    char run[JOB_NAME_SIZE]; // whose pods belong together: the UID of the job's owner; may be ""
    uint64_t created_s;      // of the pod, by the API server's clock: the later holds the rank
    uint32_t rank;
    uint32_t rank_count; // of the whole job; 0: the pod does not say
    char port[NAME_SIZE];
    char algorithm[NAME_SIZE];       // "" = the default
    enum collective_type collective; // one that takes a size only
    uint64_t bytes;
};

enum drain_kind { DRAIN_LINK, DRAIN_NODE, DRAIN_CAPACITY };
struct drain_order { // an operator's order, written by the host where it was given
    enum drain_kind kind;
    bool active;           // false: revoked (undrain)
    uint32_t capacity_ppm; // DRAIN_CAPACITY
    uint64_t stamp; // Lamport: 1 + the highest stamp seen for this name; the highest wins, ties by
                    // origin name
};

// How fast the ranks of one host send for a job while they send: bits of a few seconds over the
// time in which any were sent. 0: none were. In the order of the ranks.
#define HOST_PACES_MAX 8 // of all jobs
#define HOST_PACE_JOBS_MAX 2
#define HOST_PACE_NONE UINT64_MAX // not measured
struct host_job_pace {
    uint32_t job; // a hash of its name and generation
    uint32_t rank_count;
    uint64_t pace_bps[HOST_PACES_MAX]; // kept to one part in 2,000
};

// How busy a host is. Not a fact of a table, but what gossip_put_load carries.
struct host_load {
    uint64_t sent_bps; // of all own ports, by the NIC's counters: what its rules steer
    uint32_t flow_count;
    uint32_t ecn_ppm; // of its probes that returned, those marked Congestion Experienced
    uint32_t job_count;
    struct host_job_pace jobs[HOST_PACE_JOBS_MAX];
};

ssize_t member_facts_encode(const struct member_facts *facts, void *bytes, size_t size);
int member_facts_decode(const void *bytes, size_t size, struct member_facts *out);
ssize_t link_report_encode(const struct link_report *report, void *bytes, size_t size);
int link_report_decode(const void *bytes, size_t size, struct link_report *out);
ssize_t job_encode(const struct job *job, void *bytes, size_t size);
int job_decode(const void *bytes, size_t size,
               struct job *out); // *out owned by the caller: job_fini
ssize_t rank_binding_encode(const struct rank_binding *binding, void *bytes, size_t size);
int rank_binding_decode(const void *bytes, size_t size, struct rank_binding *out);
ssize_t pod_rank_encode(const struct pod_rank *rank, void *bytes, size_t size);
// A collective that is not known here is -EPROTO too.
int pod_rank_decode(const void *bytes, size_t size, struct pod_rank *out);
bool pod_rank_is_sound(const struct pod_rank *rank); // what decode asks of the values
ssize_t drain_order_encode(const struct drain_order *order, void *bytes, size_t size);
int drain_order_decode(const void *bytes, size_t size, struct drain_order *out);
// -EMSGSIZE also when more jobs or ranks are named than the limits above allow.
ssize_t host_load_encode(const struct host_load *load, void *bytes, size_t size);
int host_load_decode(const void *bytes, size_t size, struct host_load *out);
// Settings that the reader does not know are left out.
ssize_t host_facts_encode(const struct host_facts *facts, void *bytes, size_t size);
int host_facts_decode(const void *bytes, size_t size, struct host_facts *out);

#endif
