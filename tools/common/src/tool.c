// SPDX-License-Identifier: Apache-2.0
#include "tool/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int tool_error(const char *tool, int code, const char *where, const char *what, ...) {
    va_list arguments;
    va_start(arguments, what);
    fprintf(stderr, "%s: ", tool);
    vfprintf(stderr, what, arguments);
    va_end(arguments);
    if (where != NULL) {
        fprintf(stderr, ": %s", where);
    }
    fputc('\n', stderr);
    return code;
}

int tool_usage_error(const char *tool, const char *usage, const char *problem, ...) {
    va_list arguments;
    va_start(arguments, problem);
    fprintf(stderr, "%s: ", tool);
    vfprintf(stderr, problem, arguments);
    va_end(arguments);
    fprintf(stderr, "\n%.*s\n", (int)strcspn(usage, "\n"), usage);
    return TOOL_USAGE;
}

void tool_print_version(const char *tool) {
    printf("%s %s\n", tool, SRV6_VERSION);
}

int tool_print_json(json_t *document) {
    int rc = json_dumpf(document, stdout, JSON_COMPACT);
    json_decref(document);
    if (rc != 0 || fputc('\n', stdout) == EOF || fflush(stdout) != 0) {
        return TOOL_FAILED;
    }
    return TOOL_OK;
}

int tool_flush(const char *tool) {
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return tool_error(tool, TOOL_FAILED, NULL, "cannot write to stdout");
    }
    return TOOL_OK;
}

bool tool_use_color(void) {
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL && term != NULL &&
           strcmp(term, "dumb") != 0;
}

struct unit {
    const char *name;
    double factor;
};

// A non-negative number followed by one of the units; the first unit is the default.
static bool parse_scaled(const char *text, const struct unit *units, size_t unit_count,
                         uint64_t *out) {
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    if (errno != 0 || !isfinite(number)) {
        return false;
    }
    for (size_t i = 0; i < unit_count; i++) {
        if (strcmp(end, units[i].name) == 0 || (i == 0 && *end == '\0')) {
            double value = number * units[i].factor;
            if (value >= 18446744073709551615.0) {
                return false;
            }
            *out = (uint64_t)llround(value);
            return true;
        }
    }
    return false;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool tool_parse_bytes(const char *text, uint64_t *bytes) {
    static const struct unit units[] = {
        {"B", 1},
        {"KiB", 1024.0},
        {"MiB", 1048576.0},
        {"GiB", 1073741824.0},
        {"TiB", 1099511627776.0},
        {"KB", 1e3},
        {"kB", 1e3},
        {"MB", 1e6},
        {"GB", 1e9},
        {"TB", 1e12},
    };
    return parse_scaled(text, units, COUNT(units), bytes);
}

bool tool_parse_duration(const char *text, uint64_t *ns) {
    static const struct unit units[] = {
        {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"m", 60e9}, {"h", 3600e9},
    };
    return parse_scaled(text, units, COUNT(units), ns);
}

bool tool_parse_rate(const char *text, uint64_t *bps) {
    static const struct unit units[] = {
        {"bps", 1}, {"Kbps", 1e3}, {"kbps", 1e3}, {"Mbps", 1e6}, {"Gbps", 1e9}, {"Tbps", 1e12},
    };
    return parse_scaled(text, units, COUNT(units), bps);
}

void tool_format_bytes(uint64_t bytes, char text[24]) {
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < COUNT(names)) {
        value /= 1024;
        unit++;
    }
    snprintf(text, 24, unit == 0 ? "%.0f %s" : "%.1f %s", value, names[unit]);
}

void tool_format_duration(uint64_t ns, char text[24]) {
    if (ns < 1000) {
        snprintf(text, 24, "%" PRIu64 " ns", ns);
    } else if (ns < 1000000) {
        snprintf(text, 24, "%.1f us", (double)ns / 1e3);
    } else if (ns < 1000000000) {
        snprintf(text, 24, "%.1f ms", (double)ns / 1e6);
    } else {
        snprintf(text, 24, "%.1f s", (double)ns / 1e9);
    }
}
