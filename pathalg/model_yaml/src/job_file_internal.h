// SPDX-License-Identifier: Apache-2.0
// How a job file is read: schema and lists (job_file.c), the matrix, which no schema can say
// (job_matrix.c), and what is wrong with the whole (job_file_check.c).
#ifndef MODEL_YAML_JOB_FILE_INTERNAL_H
#define MODEL_YAML_JOB_FILE_INTERNAL_H

#include "model/job.h"
#include "model_yaml/yaml_check.h"

// The list of rows at `path` -> to->matrix (owned) and matrix_ranks; unchanged where there is none
// or it is no list.
void matrix_read(const struct yaml_text *yaml, const char *path, struct complaints *complaints,
                 struct collective *to);
void job_file_check(const struct yaml_text *yaml, const struct job *job,
                    struct complaints *complaints);

#endif
