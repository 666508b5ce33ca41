// SPDX-License-Identifier: Apache-2.0
#include "agent_shell/metric_text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/time.h"

#define FIRST_CAPACITY 16384

struct metric_text {
    enum metric_format format;
    const struct metric_family *family;
    bool begun; // the family has a sample
    char *bytes;
    size_t size, capacity;
    uint32_t series;
    bool failed;
};

void metric_histogram_add(struct metric_histogram *histogram, uint64_t duration_ns) {
    uint32_t i = 0;
    while (i < histogram->bound_count && duration_ns > histogram->bounds_ns[i]) {
        i++;
    }
    histogram->counts[i]++;
    histogram->sum_ns += duration_ns;
}

struct metric_text *metric_text_open(enum metric_format format) {
    struct metric_text *text = calloc(1, sizeof(*text));
    if (text != NULL) {
        text->format = format;
    }
    return text;
}

void metric_text_close(struct metric_text *text) {
    if (text != NULL) {
        free(text->bytes);
        free(text);
    }
}

// ---- bytes

static bool make_room(struct metric_text *text, size_t size) {
    if (text->failed || text->capacity - text->size >= size) {
        return !text->failed;
    }
    size_t capacity = 2 * (text->capacity + size);
    capacity = capacity > FIRST_CAPACITY ? capacity : FIRST_CAPACITY;
    char *bytes = realloc(text->bytes, capacity);
    if (bytes == NULL) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

static void put(struct metric_text *text, const char *bytes, size_t size) {
    if (make_room(text, size)) {
        memcpy(text->bytes + text->size, bytes, size);
        text->size += size;
    }
}

static void put_text(struct metric_text *text, const char *bytes) {
    put(text, bytes, strlen(bytes));
}

static void put_number(struct metric_text *text, uint64_t number) {
    char digits[24];
    put(text, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, number));
}

// Exactly, without a detour over floating point.
static void put_seconds(struct metric_text *text, uint64_t ns) {
    char digits[40];
    int size =
        snprintf(digits, sizeof(digits), "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
    while (digits[size - 1] == '0' && digits[size - 2] != '.') {
        size--;
    }
    put(text, digits, (size_t)size);
}

// How many bytes the UTF-8 character at `at` takes; 0: it is none, or longer than its text.
static size_t utf8_size(const unsigned char *at) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t character = at[0] & (0xffU >> (size + 1));
    if (size < 2 || at[0] > 0xf4) {
        return at[0] < 0x80 ? 1 : 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) { // the end of the text as well
            return 0;
        }
        character = character << 6 | (at[i] & 0x3fU);
    }
    bool surrogate = character >= 0xd800 && character < 0xe000;
    return character < least[size] || surrogate || character > 0x10ffff ? 0 : size;
}

static void put_escaped(struct metric_text *text, const char *value) {
    const unsigned char *at = (const unsigned char *)value;
    while (*at != '\0') {
        size_t size = utf8_size(at);
        if (*at == '\\' || *at == '"') {
            put(text, "\\", 1);
            put(text, (const char *)at, 1);
        } else if (*at == '\n') {
            put(text, "\\n", 2);
        } else if (size == 0 || *at < 0x20 || *at == 0x7f) {
            put(text, "?", 1);
        } else {
            put(text, (const char *)at, size);
        }
        at += size > 0 ? size : 1;
    }
}

// ---- families and samples

// What a sample's name has behind the family's.
static const char *suffix_of(enum metric_type type) {
    switch (type) {
    case METRIC_GAUGE:
    case METRIC_HISTOGRAM:
        return "";
    case METRIC_COUNTER:
        return "_total";
    case METRIC_INFO:
        return "_info";
    }
    return "";
}

static const char *type_name(enum metric_type type, enum metric_format format) {
    switch (type) {
    case METRIC_GAUGE:
        return "gauge";
    case METRIC_COUNTER:
        return "counter";
    case METRIC_INFO:
        return format == METRIC_OPENMETRICS ? "info" : "gauge";
    case METRIC_HISTOGRAM:
        return "histogram";
    }
    return "unknown";
}

static void put_meta(struct metric_text *text, const char *word, const char *value) {
    bool classic = text->format == METRIC_CLASSIC;
    put_text(text, "# ");
    put_text(text, word);
    put_text(text, " ");
    put_text(text, text->family->name);
    put_text(text, classic ? suffix_of(text->family->type) : "");
    put_text(text, " ");
    put_text(text, value);
    put_text(text, "\n");
}

void metric_family(struct metric_text *text, const struct metric_family *family) {
    text->family = family;
    text->begun = false;
}

static void put_head(struct metric_text *text) {
    put_meta(text, "HELP", text->family->help);
    put_meta(text, "TYPE", type_name(text->family->type, text->format));
    if (text->format == METRIC_OPENMETRICS && text->family->unit != NULL) {
        put_meta(text, "UNIT", text->family->unit);
    }
    text->begun = true;
}

// Name and labels, and a blank.
static void put_series(struct metric_text *text, const char *suffix,
                       const struct metric_label *labels, size_t label_count) {
    assert(text->family != NULL && label_count <= METRIC_LABELS_MAX + 1);
    text->series++;
    if (!text->begun) {
        put_head(text);
    }
    put_text(text, text->family->name);
    put_text(text, suffix);
    for (size_t i = 0; i < label_count; i++) {
        put_text(text, i == 0 ? "{" : ",");
        put_text(text, labels[i].name);
        put_text(text, "=\"");
        put_escaped(text, labels[i].value);
        put_text(text, "\"");
    }
    put_text(text, label_count > 0 ? "} " : " ");
}

void metric_value(struct metric_text *text, const struct metric_label *labels, size_t label_count,
                  uint64_t value) {
    put_series(text, suffix_of(text->family->type), labels, label_count);
    put_number(text, value);
    put_text(text, "\n");
}

void metric_seconds(struct metric_text *text, const struct metric_label *labels, size_t label_count,
                    uint64_t ns) {
    put_series(text, suffix_of(text->family->type), labels, label_count);
    put_seconds(text, ns);
    put_text(text, "\n");
}

static void put_bucket(struct metric_text *text, const struct metric_label *labels,
                       size_t label_count, const char *bound, uint64_t count) {
    struct metric_label all[METRIC_LABELS_MAX + 1];
    for (size_t i = 0; i < label_count; i++) {
        all[i] = labels[i];
    }
    all[label_count] = (struct metric_label){"le", bound};
    put_series(text, "_bucket", all, label_count + 1);
    put_number(text, count);
    put_text(text, "\n");
}

void metric_durations(struct metric_text *text, const struct metric_label *labels,
                      size_t label_count, const struct metric_histogram *histogram) {
    uint64_t count = 0;
    assert(label_count <= METRIC_LABELS_MAX && histogram->bound_count <= METRIC_BUCKETS_MAX);
    for (uint32_t i = 0; i < histogram->bound_count; i++) {
        char bound[32];
        uint64_t bound_ns = histogram->bounds_ns[i];
        snprintf(bound, sizeof(bound), bound_ns % NS_PER_S == 0 ? "%.1f" : "%g",
                 (double)bound_ns / (double)NS_PER_S);
        count += histogram->counts[i];
        put_bucket(text, labels, label_count, bound, count);
    }
    count += histogram->counts[histogram->bound_count];
    put_bucket(text, labels, label_count, "+Inf", count);
    put_series(text, "_sum", labels, label_count);
    put_seconds(text, histogram->sum_ns);
    put_text(text, "\n");
    put_series(text, "_count", labels, label_count);
    put_number(text, count);
    put_text(text, "\n");
}

uint32_t metric_text_series(const struct metric_text *text) {
    return text->series;
}

int metric_text_take(struct metric_text *text, char **out, size_t *size) {
    if (text->format == METRIC_OPENMETRICS) {
        put_text(text, "# EOF\n");
    }
    if (text->failed || text->bytes == NULL) {
        return -ENOMEM;
    }
    *out = text->bytes;
    *size = text->size;
    text->bytes = NULL;
    text->failed = true; // whatever else is written goes nowhere
    return 0;
}
