// SPDX-License-Identifier: Apache-2.0
// What all encoded facts share: an array whose first element is the form's version.
#ifndef GOSSIP_SRC_FACTS_FORM_H
#define GOSSIP_SRC_FACTS_FORM_H

#include <errno.h>
#include <string.h>
#include <sys/types.h>

#include "model/mp.h"

#define FORM 1

static inline uint32_t open_form(struct mp_reader *reader, const void *bytes, size_t size,
                                 uint32_t fields) {
    mp_read_init(reader, bytes, size);
    uint32_t count = mp_read_array(reader, fields, UINT32_MAX);
    if (mp_read_uint(reader, UINT32_MAX) != FORM) {
        reader->bad = true;
    }
    return reader->bad ? 0 : count - fields;
}

static inline bool close_form(struct mp_reader *reader, uint32_t extra) {
    mp_skip(reader, extra);
    return !reader->bad && reader->at == reader->end;
}

static inline ssize_t written(const struct mp_writer *writer) {
    return writer->failed ? -EMSGSIZE : (ssize_t)writer->size;
}

static inline void start(struct mp_writer *writer, void *bytes, size_t size, uint32_t fields) {
    mp_write_fixed(writer, bytes, size);
    mp_write_array(writer, fields);
    mp_write_uint(writer, FORM);
}

static inline void write_text(struct mp_writer *writer, const char *text, size_t size) {
    mp_write_str(writer, text, strnlen(text, size));
}

#endif
