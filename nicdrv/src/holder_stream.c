// SPDX-License-Identifier: Apache-2.0
#include "holder_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sys/socket.h>
#include <unistd.h>

#define READ_LEAST 4096
#define KEEP_BYTES (256U << 10) // of an empty buffer; a larger one is given back

void holder_stream_init(struct holder_stream *stream, int fd) {
    *stream = (struct holder_stream){.fd = fd};
    mp_write_growing(&stream->out);
}

void holder_stream_fini(struct holder_stream *stream) {
    if (stream->fd >= 0) {
        close(stream->fd);
    }
    free(stream->in);
    free(stream->out.bytes);
    holder_stream_init(stream, -1);
}

static void drop_taken(struct holder_stream *stream) {
    if (stream->taken > 0) {
        memmove(stream->in, stream->in + stream->taken, stream->size - stream->taken);
        stream->size -= stream->taken;
        stream->taken = 0;
    }
    if (stream->size == 0 && stream->capacity > KEEP_BYTES) {
        free(stream->in);
        stream->in = NULL;
        stream->capacity = 0;
    }
}

int holder_stream_fill(struct holder_stream *stream) {
    drop_taken(stream);
    if (stream->capacity - stream->size < READ_LEAST) {
        size_t capacity = 2 * stream->capacity + READ_LEAST;
        uint8_t *grown = realloc(stream->in, capacity);
        if (grown == NULL) {
            return -ENOMEM;
        }
        stream->in = grown;
        stream->capacity = capacity;
    }
    ssize_t got =
        recv(stream->fd, stream->in + stream->size, stream->capacity - stream->size, MSG_DONTWAIT);
    if (got > 0) {
        stream->size += (size_t)got;
        return 0;
    }
    if (got == 0 || errno == ECONNRESET) {
        return -ENOTCONN;
    }
    return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

bool holder_stream_take(struct holder_stream *stream, const uint8_t **bytes, size_t *size,
                        int *rc) {
    size_t left = stream->size - stream->taken;
    *rc = 0;
    if (left < HOLDER_HEADER_SIZE) {
        return false;
    }
    const uint8_t *at = stream->in + stream->taken;
    uint32_t length =
        (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | (uint32_t)at[3];
    if (length > HOLDER_MESSAGE_MAX) {
        *rc = -EPROTO;
        return false;
    }
    if (left - HOLDER_HEADER_SIZE < length) {
        return false;
    }
    *bytes = at + HOLDER_HEADER_SIZE;
    *size = length;
    stream->taken += HOLDER_HEADER_SIZE + length;
    return true;
}

struct mp_writer *holder_stream_begin(struct holder_stream *stream, size_t *mark) {
    static const uint8_t unknown[HOLDER_HEADER_SIZE];
    *mark = stream->out.size;
    mp_write_raw(&stream->out, unknown, sizeof unknown);
    return &stream->out;
}

int holder_stream_end(struct holder_stream *stream, size_t mark) {
    struct mp_writer *out = &stream->out;
    size_t length = out->size - mark - HOLDER_HEADER_SIZE;
    if (out->failed || length > HOLDER_MESSAGE_MAX) {
        int rc = out->failed ? -ENOMEM : -EMSGSIZE;
        out->size = mark;
        out->failed = false;
        return rc;
    }
    for (unsigned i = 0; i < HOLDER_HEADER_SIZE; i++) {
        out->bytes[mark + i] = (uint8_t)(length >> (8 * (HOLDER_HEADER_SIZE - 1 - i)));
    }
    return 0;
}

bool holder_stream_is_sent(const struct holder_stream *stream) {
    return stream->sent == stream->out.size;
}

int holder_stream_flush(struct holder_stream *stream) {
    struct mp_writer *out = &stream->out;
    while (stream->sent < out->size) {
        ssize_t sent = send(stream->fd, out->bytes + stream->sent, out->size - stream->sent,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            bool full = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
            return full ? -EAGAIN : errno == EPIPE || errno == ECONNRESET ? -ENOTCONN : -errno;
        }
        stream->sent += (size_t)sent;
    }
    stream->sent = out->size = 0;
    if (out->capacity > KEEP_BYTES) {
        free(out->bytes);
        mp_write_growing(out);
    }
    return 0;
}
