// SPDX-License-Identifier: Apache-2.0
#include "model/complaints.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void complaints_init(struct complaints *complaints, const char *source) {
    *complaints = (struct complaints){.source = source};
}

static struct complaint *complaint_new(struct complaints *complaints) {
    complaints->total++;
    if (complaints->count == COMPLAINTS_MAX) {
        return NULL;
    }
    if (complaints->count == complaints->capacity) {
        uint32_t capacity = complaints->capacity > 0 ? 2 * complaints->capacity : 16;
        struct complaint *list = realloc(complaints->list, capacity * sizeof *list);
        if (list == NULL) {
            complaints->out_of_memory = true;
            return NULL;
        }
        complaints->list = list;
        complaints->capacity = capacity;
    }
    struct complaint *complaint = &complaints->list[complaints->count];
    *complaint = (struct complaint){.order = complaints->count++};
    return complaint;
}

void complaints_add(struct complaints *complaints, uint32_t line, const char *format, ...) {
    struct complaint *complaint = complaint_new(complaints);
    if (complaint == NULL) {
        return;
    }
    char text[ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    complaint->line = line;
    if (line > 0) {
        error_set(&complaint->error, -EINVAL, "%s:%u: %s", complaints->source, line, text);
    } else {
        error_set(&complaint->error, -EINVAL, "%s: %s", complaints->source, text);
    }
}

void complaints_take(struct complaints *complaints, const struct error *error) {
    struct complaint *complaint = complaint_new(complaints);
    if (complaint == NULL) {
        return;
    }
    complaint->error = *error;
    size_t size = strlen(complaints->source);
    if (strncmp(error->text, complaints->source, size) == 0 && error->text[size] == ':') {
        complaint->line = (uint32_t)strtoul(error->text + size + 1, NULL, 10);
    }
}

void complaints_no_memory(struct complaints *complaints) {
    complaints->total++;
    complaints->out_of_memory = true;
}

static int compare(const void *left, const void *right) {
    const struct complaint *a = left, *b = right;
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

bool complaints_flush(struct complaints *complaints, fabric_complain_fn *complain, void *context) {
    if (complaints->count > 0) {
        qsort(complaints->list, complaints->count, sizeof complaints->list[0], compare);
    }
    for (uint32_t i = 0; i < complaints->count; i++) {
        complain(context, &complaints->list[i].error);
    }
    struct error last;
    if (complaints->out_of_memory) {
        error_set(&last, -ENOMEM, "%s: out of memory", complaints->source);
        complain(context, &last);
    } else if (complaints->total > complaints->count) {
        error_set(&last, -EINVAL, "%s: and %llu more errors", complaints->source,
                  (unsigned long long)(complaints->total - complaints->count));
        complain(context, &last);
    }
    bool any = complaints->total > 0;
    free(complaints->list);
    complaints_init(complaints, complaints->source);
    return any;
}
