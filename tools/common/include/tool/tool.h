// SPDX-License-Identifier: Apache-2.0
// What all tools share: exit codes, the form of error messages, --help and --version, JSON on
// stdout, sizes and durations as users type them. Contracts: ARCHITECTURE.md, "Contracts".
#ifndef TOOL_TOOL_H
#define TOOL_TOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum tool_exit {
    TOOL_OK = 0,
    TOOL_FAILED = 1,
    TOOL_USAGE = 2,
    TOOL_UNREACHABLE = 3,
    TOOL_UNHEALTHY = 4,
    TOOL_PERMISSION = 5,
    TOOL_TIMED_OUT = 6,
    TOOL_REFUSED = 7,
};

// Prints "<tool>: <what>: <where>" on stderr (where may be NULL) and returns `code`.
int tool_error(const char *tool, int code, const char *where, const char *what, ...)
    __attribute__((format(printf, 4, 5)));
// Prints "<tool>: <problem>" and the first line of the usage on stderr; returns TOOL_USAGE.
int tool_usage_error(const char *tool, const char *usage, const char *problem, ...)
    __attribute__((format(printf, 3, 4)));
void tool_print_version(const char *tool); // "srv6-ctl 0.1.0"
// Writes one document and a newline to stdout and frees it. TOOL_OK or TOOL_FAILED (stdout broken).
int tool_print_json(json_t *document);
// What was printed on stdout reaches it: TOOL_OK, or TOOL_FAILED with a message.
int tool_flush(const char *tool);
// Escape sequences allowed: stdout is a terminal, NO_COLOR unset, TERM not dumb.
bool tool_use_color(void);

// "64MiB", "1GiB", "8KB", "4096"; false for anything else or overflow.
bool tool_parse_bytes(const char *text, uint64_t *bytes);
// "3ms", "2s", "1.5s", "100us", "1m"; a bare number is seconds.
bool tool_parse_duration(const char *text, uint64_t *ns);
// "50Mbps", "1.5Gbps", "1000000" (bits per second).
bool tool_parse_rate(const char *text, uint64_t *bps);
void tool_format_bytes(uint64_t bytes, char text[24]);
void tool_format_duration(uint64_t ns, char text[24]);

#endif
