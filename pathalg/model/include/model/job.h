// SPDX-License-Identifier: Apache-2.0
// A training job: which host ports are its ranks and what they exchange. It is a shared fact; from
// it and the fabric every agent derives the same demands.
//
// Sizes are the collective's bytes per rank as NCCL counts them: in an AlltoAll each ordered pair
// of ranks exchanges bytes / ranks; in a ring each rank sends `bytes` to the next. Ownership:
// job_close frees what job_copy, the YAML reader or the codec returned. Ranks go by port name,
// because a job outlives a fabric generation.
#ifndef MODEL_JOB_H
#define MODEL_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "model/error.h"
#include "model/fabric.h"

#define JOB_RANKS_MAX 65536
#define JOB_COLLECTIVES_MAX 16
#define JOB_NAME_SIZE 64
#define JOB_PAIRS_MAX 65536

enum collective_type {
    COLLECTIVE_ALLTOALL,
    COLLECTIVE_RING,
    COLLECTIVE_PERMUTATION,
    COLLECTIVE_PAIRS
};

struct job_pair {
    uint32_t src_rank, dst_rank;
};

struct collective {
    enum collective_type type;
    uint64_t bytes; // per rank; for pairs: per pair
    uint64_t seed;  // permutation
    uint32_t pair_count;
    struct job_pair *pairs; // owned; COLLECTIVE_PAIRS
};

struct job {
    char name[JOB_NAME_SIZE];
    uint64_t generation;
    char algorithm[NAME_SIZE]; // "" = the default
    bool removed;              // no job any more: a record that outranks that of its owner
    bool all_ranks;            // one rank per NIC port of the fabric
    uint32_t rank_count;       // 0 when all_ranks
    char (*ranks)[NAME_SIZE];  // owned; port names, "h0" or "h0.1"
    uint32_t collective_count;
    struct collective collectives[JOB_COLLECTIVES_MAX];
};

const char *collective_type_name(enum collective_type type);
bool collective_type_parse(const char *text, enum collective_type *out);

void job_init(struct job *job);
void job_fini(struct job *job);
// -ENOMEM; *out untouched on failure.
int job_copy(const struct job *job, struct job *out);
// Limits, duplicate ranks, pairs out of range. -EINVAL with the reason. Does not need a fabric.
int job_check(const struct job *job, struct error *error);

// What ports a job's ranks are on the fabric. ranks must hold job_rank_count; a rank whose port the
// fabric lacks gets ID_NONE (it is reported by name and left out, the rest is planned).
uint32_t job_rank_count(const struct job *job, const struct fabric *fabric);
void job_resolve(const struct job *job, const struct fabric *fabric, port_id *ranks);

// One demand between two ranks of a job, from all its collectives in order.
struct demand {
    port_id src, dst;
    uint64_t bytes;
};
typedef void demand_fn(void *context, const struct demand *demand);
// True for collectives in which each rank sends to one other, whose rank map job_permutation
// computes.
bool collective_has_map(enum collective_type type);
// The rank map of a permutation or a ring: destination_rank[rank], ID_NONE for ranks that send
// nothing (unresolved, or alone). Every resolved rank also receives from exactly one. A permutation
// is random by its seed, a ring is one cycle; both cross leaves on every hop unless more than half
// of the ranks sit on one leaf. The same on every agent. -EINVAL for other collectives, -ENOMEM.
int job_permutation(const struct job *job, uint32_t collective, const struct fabric *fabric,
                    const port_id *ranks, uint32_t rank_count, uint32_t *destination_rank);
// Calls `each` for every demand that `src_rank` sends, in the job's canonical order (collective,
// then destination rank; pairs in the job's order). `ranks` is what job_resolve gave;
// permutations[c] the map of collective c, for every c with collective_has_map (asserted), else
// unused. A rank never sends to itself; unresolved ranks send and receive nothing. An AlltoAll pair
// gets bytes / rank_count, rounded down; demands of no bytes are left out.
void job_demands(const struct job *job, const struct fabric *fabric, const port_id *ranks,
                 uint32_t rank_count, uint32_t src_rank, const uint32_t *const *permutations,
                 demand_fn *each, void *context);

#endif
