// SPDX-License-Identifier: Apache-2.0
// Batch mode: frames of plain text, or JSON documents, for pipes and files.
#ifndef TOP_BATCH_H
#define TOP_BATCH_H

#include "options.h"

// Prints options->count frames (0: until output breaks). An agent that goes away between frames is
// told on stderr and asked again; one that does not answer the first time, or at the last frame,
// decides the exit code.
int top_batch(const struct top_options *options);

#endif
