// SPDX-License-Identifier: Apache-2.0
// One end of the connection between agent and holder: messages in and out of a stream socket that
// does not block. Memory grows with what has arrived, not with what a peer announces.
//
// Errors: -errno; -ENOTCONN when the peer is gone.
#ifndef NICDRV_HOLDER_STREAM_H
#define NICDRV_HOLDER_STREAM_H

#include "holder_wire.h"

struct holder_stream {
    int fd;      // owned; -1: none
    uint8_t *in; // in[taken .. size) is not yet taken
    size_t taken, size, capacity;
    struct mp_writer out; // out.bytes[sent .. out.size) is still to be sent
    size_t sent;
};

void holder_stream_init(struct holder_stream *stream, int fd); // takes the descriptor
void holder_stream_fini(struct holder_stream *stream);
// Reads what is there, once. 0: something came; -EAGAIN: nothing.
int holder_stream_fill(struct holder_stream *stream);
// The next whole message: its bytes are borrowed until the next fill. False: none yet.
// *rc becomes -EPROTO when the peer announces one that is too long.
bool holder_stream_take(struct holder_stream *stream, const uint8_t **bytes, size_t *size, int *rc);
// A message is written between these two; end returns -ENOMEM or -EMSGSIZE, and then nothing of it
// is sent.
struct mp_writer *holder_stream_begin(struct holder_stream *stream, size_t *mark);
int holder_stream_end(struct holder_stream *stream, size_t mark);
bool holder_stream_is_sent(const struct holder_stream *stream);
// 0: all is sent; -EAGAIN: the peer does not read.
int holder_stream_flush(struct holder_stream *stream);

#endif
