// SPDX-License-Identifier: Apache-2.0
// The structured log: one line per thing that happened, for people or for machines.
//
//   text  2026-11-21T08:30:00.123Z warning link_down leaf0>spine1: two of two observers ...
//   json
//   {"at":"2026-11-21T08:30:00.123Z","level":"warning","kind":"link_down","subject":...,"text":...}
//
// Control characters never reach the file: what peers and operators named is escaped. A line is
// written with one write, so that lines of several processes in one file do not mix.
//
// Ownership: log_open returns owned. One thread.
#ifndef AGENT_SHELL_LOG_H
#define AGENT_SHELL_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "model/error.h"

#define LOG_TIME_SIZE 32
#define LOG_LINE_MAX 1024 // longer lines are cut

// As enum engine_note_level.
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ALARM };
enum log_format { LOG_TEXT, LOG_JSON };

struct log;

// "" or NULL is stderr. -errno with a sentence when the file cannot be opened.
int log_open(const char *path, enum log_level level, enum log_format format, struct log **out,
             struct error *error);
void log_close(struct log *log); // NULL is a no-op
// Opens the file anew (after rotation); the old one stays in use when that fails.
int log_reopen(struct log *log, struct error *error);
void log_set_level(struct log *log, enum log_level level);
// subject may be "".
void log_event(struct log *log, uint64_t wall_ns, enum log_level level, const char *kind,
               const char *subject, const char *text);
// Lines of one moment are written together, by log_release; it must follow soon.
void log_hold(struct log *log);
void log_release(struct log *log);

const char *log_level_name(enum log_level level);
// RFC 3339 in UTC with milliseconds.
void log_format_time(uint64_t wall_ns, char text[LOG_TIME_SIZE]);
// One line without the newline, cut to `size`; returns its length.
size_t log_format_line(enum log_format format, uint64_t wall_ns, enum log_level level,
                       const char *kind, const char *subject, const char *text, char *line,
                       size_t size);

#endif
