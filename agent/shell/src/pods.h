// SPDX-License-Identifier: Apache-2.0
// What the pods of this node say of training jobs, as annotations, and which of this host's ports
// they mean. No I/O: objects of the Kubernetes API in, ranks for the engine (ENGINE_PODS) out.
//
//   annotation               value                                      without it
//   srv6-steer/job           name of the job, in the pod's namespace    not a rank
//   srv6-steer/rank          0 to 65535                                 the index that an Indexed
//                                                                       Job or StatefulSet gives
//   srv6-steer/ranks         of the whole job                           unknown: never complete
//   srv6-steer/collective    alltoall, ring or tree                     refused
//   srv6-steer/bytes         of the collective, per rank: 64MiB         refused
//   srv6-steer/algorithm     as in a job file                           the agents' default
//   srv6-steer/ports         all, or places in the host's list: 0,2     shared out, see below
//   srv6-steer/run           what the pods of one run have in common    the JobSet's UID, else that
//                                                                       of the controlling owner
//
// Ports are shared out evenly among the pods of one job on the node, in the order of their ranks: a
// pod alone has all, each of eight on a host with eight has one, and two share one where there is
// no other way. The host's ports are those of pods with hostNetwork; a pod that has a device of its
// own with a port's address (SR-IOV) says so by srv6-steer/ports.
//
// A pod counts from when it is bound to the node until it has ended (Succeeded, Failed) or is gone.
// What is wrong with one is refused with a sentence that names it, and only that one is.
#ifndef AGENT_SHELL_PODS_H
#define AGENT_SHELL_PODS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "gossip/facts.h"
#include "model/error.h"

#define POD_PREFIX "srv6-steer/"
#define POD_NAME_SIZE 318 // "namespace/name"
#define POD_UID_SIZE 64
#define PODS_MAX 512 // of a node that are ranks, or were meant to be; and ranks, by ports

struct pod {
    char name[POD_NAME_SIZE];
    char uid[POD_UID_SIZE];
    struct pod_rank rank; // without a port
    bool ports_given;
    uint32_t ports; // a bit per place; all that there are for "all"
};

// -ENOENT: no rank of any job, or one that has ended; -EINVAL with the reason when it should have
// been one: *out then has name and uid, or is untouched when the object has none.
int pod_read(const json_t *object, struct pod *out, struct error *error);

// ---- all pods of the node
struct pod_set;
// Something is wrong with a pod: once, and again when it is something else.
typedef void pod_refused_fn(void *context, const char *pod, const struct error *error);

// NULL: no memory. An empty `namespaces` means all.
struct pod_set *pod_set_open(const char (*namespaces)[JOB_NAME_SIZE], uint32_t namespace_count,
                             pod_refused_fn *refused, void *context);
void pod_set_close(struct pod_set *set); // NULL is a no-op
// A list of all begins; when it ends, what was not taken since is gone.
void pod_set_begin(struct pod_set *set);
void pod_set_end(struct pod_set *set);
void pod_set_take(struct pod_set *set, const json_t *object, bool deleted);
uint32_t pod_set_refused(const struct pod_set *set); // how many are refused now

// The ranks of all pods on `ports` (names, in the host's order), sorted. *out owned (free).
// -ENOMEM.
int pod_set_ranks(struct pod_set *set, const char (*ports)[NAME_SIZE], uint32_t port_count,
                  struct pod_rank **out, uint32_t *count);

// ---- what outlives the agent: the ranks as JSON
json_t *pod_ranks_json(const struct pod_rank *ranks, uint32_t count); // owned; NULL: no memory
// -EINVAL with the reason; *out owned.
int pod_ranks_from_json(const json_t *from, struct pod_rank **out, uint32_t *count,
                        struct error *error);

#endif
