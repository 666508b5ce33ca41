// SPDX-License-Identifier: Apache-2.0
// One drill at a time: a lock for as long as the drill runs, and a journal file that says what runs
// and until when, so that a drill whose tool was killed still counts as active until its end.
//
//   DIRECTORY/lock           flock
//   DIRECTORY/<pid>.json     {"drill","operands":[],"pid","began_at_ns","ends_at_ns"}
//
// Times are CLOCK_MONOTONIC; the directory (/run/srv6/drills) does not survive a boot.
#ifndef DRILL_JOURNAL_H
#define DRILL_JOURNAL_H

#include "drill.h"

#define JOURNAL_DIRECTORY "/run/srv6/drills"

struct journal {
    int lock;
    char path[128];
};

// Takes the lock and writes the file, or fills `problem` with a sentence: -EBUSY when a drill is
// active (its journal is named), other -errno when the directory cannot be written. Journals of
// drills that are over are removed.
int journal_open(struct journal *journal, const char *directory,
                 const struct drill_request *request, uint64_t now_ns, char problem[256]);
void journal_close(struct journal *journal);
// Says whether a drill is active, without writing anything.
bool journal_active(const char *directory, uint64_t now_ns, char problem[256]);

#endif
