// SPDX-License-Identifier: Apache-2.0
// Any bytes from a peer. As a message: what decodes must encode again, to what decodes equal. As
// what an attached agent sends: the holder survives it and its NIC is still one.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sys/socket.h>
#include <unistd.h>

#include "holder_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode_items(struct mp_writer *writer, const struct holder_message *message) {
    struct mp_reader items = message->items;
    size_t header = holder_begin_items(writer, message->kind);
    for (uint32_t i = 0; i < message->item_count; i++) {
        struct holder_counter counter;
        struct nic_qp qp;
        if (message->kind == HOLDER_COUNTERS) {
            holder_next_counter(&items, &counter);
            holder_put_counter(writer, &counter);
        } else {
            holder_next_qp(&items, &qp);
            holder_put_qp(writer, &qp);
        }
    }
    assert(!items.bad);
    mp_array_close(writer, header, message->item_count);
}

static void encode_question(struct mp_writer *writer, const struct holder_message *message) {
    if (!message->is_answer) {
        holder_put_question(writer, message->kind);
    } else if (message->kind == HOLDER_TOTALS) {
        holder_put_totals(writer, message->encapsulated, message->decapsulated, message->plain);
    } else {
        encode_items(writer, message);
    }
}

static void encode(struct mp_writer *writer, const struct holder_message *message) {
    const struct rule_set *set = message->has_set ? &message->set : NULL;
    switch (message->kind) {
    case HOLDER_HELLO:
        holder_put_hello(writer, message->lowest, message->highest);
        return;
    case HOLDER_OPEN:
        holder_put_open(writer, message->device, &message->eswitch);
        return;
    case HOLDER_OPENED:
        holder_put_opened(writer, &message->capabilities, message->attachment, message->unsettled,
                          set);
        return;
    case HOLDER_APPLY:
        holder_put_apply(writer, set);
        return;
    case HOLDER_DONE:
    case HOLDER_FAILED:
    case HOLDER_LOST:
        holder_put_outcome(writer, message->kind, &message->error, message->unsettled, set);
        return;
    case HOLDER_COUNTERS:
    case HOLDER_QPS:
    case HOLDER_TOTALS:
        encode_question(writer, message);
        return;
    case HOLDER_CLOSE:
        holder_put_close(writer, message->remove);
        return;
    }
}

static void check_message(const uint8_t *data, size_t size) {
    struct holder_message message, again;
    struct mp_writer first, second;
    struct error error = {0};
    if (holder_decode(data, size, &message, &error) != 0) {
        assert(error.code != 0 && error.text[0] != '\0');
        return;
    }
    mp_write_growing(&first);
    mp_write_growing(&second);
    encode(&first, &message);
    int decoded = holder_decode(first.bytes, first.size, &again, NULL);
    assert(decoded == 0);
    encode(&second, &again);
    assert(first.size == second.size && memcmp(first.bytes, second.bytes, first.size) == 0);
    assert(message.has_set == again.has_set && rule_set_equal(&message.set, &again.set));
    holder_message_fini(&message);
    holder_message_fini(&again);
    free(first.bytes);
    free(second.bytes);
}

// An agent that has said HELLO and OPEN, and then anything.
static void check_session(const uint8_t *data, size_t size) {
    static const struct holder_config config = {.socket = "", .driver = &nic_driver_mem};
    struct holder holder = {.config = &config};
    struct holder_session *session = &holder.sessions[0];
    struct holder_stream agent;
    size_t mark;
    int pair[2];
    int made = socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    assert(made == 0);
    holder_stream_init(&agent, pair[0]);
    holder_stream_init(&session->stream, pair[1]);
    holder_put_hello(holder_stream_begin(&agent, &mark), 1, 1);
    int ended = holder_stream_end(&agent, mark);
    holder_put_open(holder_stream_begin(&agent, &mark), "eth1", &(struct nic_eswitch_options){0});
    ended |= holder_stream_end(&agent, mark);
    int sent = holder_stream_flush(&agent);
    assert(ended == 0 && sent == 0);
    holder_session_work(&holder, session);
    assert(session->nic != NULL);
    size_t some = size < 4096 ? size : 4096; // what the socket takes at once
    ssize_t put = send(agent.fd, data, some, MSG_DONTWAIT | MSG_NOSIGNAL);
    assert(put == (ssize_t)some);
    holder_session_work(&holder, session);
    holder_stream_fini(&agent);
    if (session->stream.fd >= 0) {
        holder_session_work(&holder, session);
    }
    assert(session->stream.fd < 0 && holder.nics[0].session == NULL);
    if (holder.nics[0].nic != NULL) {
        holder_nic_drop(&holder.nics[0], true);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check_message(data, size);
    check_session(data, size);
    return 0;
}
