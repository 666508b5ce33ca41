// SPDX-License-Identifier: Apache-2.0
// Job files (YAML) -> struct job, with every error in one pass.
//
//   version: 1
//   job: demo                  algorithm: ethereal (optional)      generation: 1 (optional)
//   ranks: all                 or a list of ports, [h0, h1.1, ...]; a rank's number is its place
//   reserve_gbps: 25           optional: kept free for each rank, before other jobs are planned
//   collectives:
//     - {type: alltoall, bytes: 64MiB}          bytes / ranks from each rank to each other
//     - {type: ring|permutation, bytes: 64MiB, [seed: 7]}       bytes from each rank to one other
//     - {type: pairs, bytes: 1GiB, pairs: [[0, 1], [1, 0]]}     bytes from rank 0 to 1, 1 to 0
//     - {type: alltoallv, matrix: [[0, 1MiB], [2MiB, 0]]}       row i: what rank i sends to each
//     - {type: alltoallv, bytes: 64MiB, weights: [3, 1]}        bytes * 3 / 4 to rank 0, * 1 / 4
//                                                               to rank 1, from each other rank
//     - {type: tree, bytes: 64MiB}              AllReduce over two trees: half of bytes up and down
//                                               each edge of each
//
// bytes: a whole number with or without KiB, MiB, GiB, TiB (1024) or KB, MB, GB, TB (1000).
// Ownership: *out is the caller's (job_fini) and untouched on failure.
#ifndef MODEL_YAML_JOB_FILE_H
#define MODEL_YAML_JOB_FILE_H

#include <stdbool.h>

#include "model/job.h"

// 0; -EINVAL when something was complained about, -errno when the file could not be read.
int job_file_load(const char *path, fabric_complain_fn *complain, void *context, struct job *out);
int job_file_parse(const char *name, const char *text, size_t size, fabric_complain_fn *complain,
                   void *context, struct job *out);
// "64MiB" -> 67108864. False for anything else and for what exceeds 64 bits.
bool bytes_text_parse(const char *text, uint64_t *bytes);

#endif
