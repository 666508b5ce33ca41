// SPDX-License-Identifier: Apache-2.0
// What was changed on the node and how it was before, so that it can be put back: a line for each
// thing, the oldest account of it.
//
//   seg6 eth1 0                net.ipv6.conf.eth1.seg6_enabled was 0
//   address fcbb:bb00:f001::   lo did not have it
//
// It lies beside the node's configuration in /run, so that it ends with what it tells of: at a
// reboot.
#ifndef NODE_JOURNAL_H
#define NODE_JOURNAL_H

#include "model/error.h"

#define JOURNAL_KIND_SIZE 16
#define JOURNAL_WHAT_SIZE 64

struct journal_line {
    char kind[JOURNAL_KIND_SIZE], what[JOURNAL_WHAT_SIZE], was[JOURNAL_KIND_SIZE];
};

// Adds a line unless there is one of this kind about the same thing.
int journal_note(const char *path, const struct journal_line *line, struct error *error);

typedef int journal_each_fn(void *context, const struct journal_line *line, struct error *error);

// Calls `each` for every line, also after one failed; 0 or the first failure. 0 without a journal.
int journal_each(const char *path, journal_each_fn *each, void *context, struct error *error);

#endif
