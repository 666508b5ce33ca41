// SPDX-License-Identifier: Apache-2.0
// A training job: which host ports are its ranks and what they exchange. It is a shared fact; from
// it and the fabric every agent derives the same demands.
//
// Sizes are the collective's bytes per rank as NCCL counts them: in an AlltoAll each ordered pair
// of ranks exchanges bytes / ranks; in a ring each rank sends `bytes` to the next; in a tree
// (AllReduce by NCCL's two complementary trees) half of `bytes` travels up and down every edge of
// each tree. An AlltoAllv says what each rank sends to each other, by a matrix or by weights.
//
// What all collectives of a job move together stays within JOB_BYTES_MAX, so that sums of its
// demands cannot overflow. Ownership:
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
#define JOB_MATRIX_MAX 1048576                          // entries: 1,024 ranks
#define JOB_BYTES_MAX (UINT64_C(1) << 62)               // all ranks and collectives together
#define JOB_RESERVED_BPS_MAX UINT64_C(1000000000000000) // 1 Pbit/s a rank

// The numbers travel between agents; new types are added at the end.
enum collective_type {
    COLLECTIVE_ALLTOALL,
    COLLECTIVE_RING,
    COLLECTIVE_PERMUTATION,
    COLLECTIVE_PAIRS,
    COLLECTIVE_ALLTOALLV,
    COLLECTIVE_TREE
};

struct job_pair {
    uint32_t src_rank, dst_rank;
};

struct collective {
    enum collective_type type;
    uint64_t bytes; // per rank; for pairs: per pair; 0 with a matrix
    uint64_t seed;  // permutation
    uint32_t pair_count;
    struct job_pair *pairs; // owned; COLLECTIVE_PAIRS
    // COLLECTIVE_ALLTOALLV has either a matrix, bytes from rank i to rank j at [i * matrix_ranks +
    // j] (the diagonal counts for nothing), or weights: every rank sends bytes * weights[j] / (sum
    // of all weights), rounded down, to rank j.
    uint32_t matrix_ranks;
    uint64_t *matrix; // owned
    uint32_t weight_count;
    uint32_t *weights; // owned
};

struct job {
    char name[JOB_NAME_SIZE];
    uint64_t generation;
    char algorithm[NAME_SIZE]; // "" = the default
    bool removed;              // no job any more: a record that outranks that of its owner
    uint64_t reserved_bps;     // kept free for each rank on the links of its flows; 0: none
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
// Limits, duplicate ranks, pairs out of range, matrices and weights of other than the job's ranks,
// sums beyond JOB_BYTES_MAX. -EINVAL with the reason. Does not need a fabric.
int job_check(const struct job *job, struct error *error);
// The same for one of its collectives: adds what it moves to *total, which is 0 for the first, and
// complains when that exceeds JOB_BYTES_MAX.
int job_check_collective(const struct job *job, uint32_t index, uint64_t *total,
                         struct error *error);
// What only shows on a fabric: with `ranks: all`, a matrix or weights for another number of ranks
// than the fabric has ports. (Ranks that these lack send and receive nothing in the collective.)
int job_check_fabric(const struct job *job, const struct fabric *fabric, struct error *error);

// What ports a job's ranks are on the fabric. ranks must hold job_rank_count; a rank whose port the
// fabric lacks gets ID_NONE (it is reported by name and left out, the rest is planned).
uint32_t job_rank_count(const struct job *job, const struct fabric *fabric);
void job_resolve(const struct job *job, const struct fabric *fabric, port_id *ranks);

// The port by which what rank `src` has for rank `dst` leaves its host: src, or where the two are
// in planes that share no switch, a port of the same host in dst's plane (the data moves inside the
// host, as NCCL's PXN does). False, *out untouched: the ranks are of one host, which the fabric
// does not see, or the host has no port in that plane.
bool job_sender(const struct fabric *fabric, port_id src, port_id dst, port_id *out);

// One demand between two ranks of a job, from all its collectives in order.
struct demand {
    port_id src, dst; // src as of job_sender
    uint64_t bytes;
};
typedef void demand_fn(void *context, const struct demand *demand);
// True for collectives in which each rank sends to one other, whose rank map job_permutation
// computes.
bool collective_has_map(enum collective_type type);
// The rank map of a permutation or a ring: destination_rank[rank], ID_NONE for ranks that send
// nothing (unresolved, or alone). Every resolved rank also receives from exactly one. A permutation
// is random by its seed and stays in its plane, a ring is one cycle. On every hop both leave the
// host's home, the leaf of its first port, unless more than half of the ranks have one home; where
// all have the same, they leave the host. With single ports that means: every hop crosses leaves.
// The same on every agent. -EINVAL for other collectives, -ENOMEM.
int job_permutation(const struct job *job, uint32_t collective, const struct fabric *fabric,
                    const port_id *ranks, uint32_t rank_count, uint32_t *destination_rank);
// What `src_rank` sends to `dst_rank` in an AlltoAll or AlltoAllv of rank_count ranks; weight_sum
// is collective_weight_sum's (0 for none).
uint64_t collective_weight_sum(const struct collective *collective);
uint64_t collective_matrix_bytes(const struct collective *collective); // all of it, no diagonal
uint64_t collective_pair_bytes(const struct collective *collective, uint32_t rank_count,
                               uint64_t weight_sum, uint32_t src_rank, uint32_t dst_rank);
// A rank's place in one (0, 1) of the two binary trees of a COLLECTIVE_TREE over rank_count ranks
// (Sanders, Speck, Traeff, "Two-tree algorithms for full bandwidth broadcast, reduction and scan",
// 2009; as NCCL builds them). ID_NONE: no such neighbour.
struct tree_place {
    uint32_t parent, child[2];
};
struct tree_place collective_tree_place(uint32_t rank_count, uint32_t rank, unsigned tree);
// Calls `each` for every demand that `src_rank` sends, in the job's canonical order (collective,
// then destination rank; pairs in the job's order). `ranks` is what job_resolve gave;
// permutations[c] the map of collective c, for every c with collective_has_map (asserted), else
// unused. Ranks of one host send each other nothing (job_sender); unresolved ranks send and receive
// nothing. An AlltoAll pair gets bytes / rank_count, rounded down; the trees of a tree collective
// carry half of its bytes each (tree 0 the odd byte), and a neighbour in both is one demand;
// demands of no bytes are left out.
void job_demands(const struct job *job, const struct fabric *fabric, const port_id *ranks,
                 uint32_t rank_count, uint32_t src_rank, const uint32_t *const *permutations,
                 demand_fn *each, void *context);

#endif
