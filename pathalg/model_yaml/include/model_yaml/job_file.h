// SPDX-License-Identifier: Apache-2.0
// Job files (YAML) -> struct job, with every error in one pass.
//
//   version: 1
//   job: demo                  algorithm: ethereal (optional)      generation: 1 (optional)
//   ranks: all                 or a list of ports, [h0, h1.1, ...]
//   collectives:
//     - {type: alltoall|ring|permutation, bytes: 64MiB, [seed: 7]}
//     - {type: pairs, bytes: 1GiB, pairs: [[0, 1], [1, 0]]}
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
