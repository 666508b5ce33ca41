// SPDX-License-Identifier: Apache-2.0
// The floor: what libzmq alone needs to flood a signed message over the same overlay, with CURVE
// and the same kinds of sockets. No core, no encoding, no membership: whoever sees an event for the
// first time checks the one signature and sends it to all its neighbours but the one it came from.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <zmq.h>

#include "bench_gossip.h"

#define HELLO UINT32_MAX
#define NOBODY UINT32_MAX
#define HELLO_WAIT_MS 20000

struct floor {
    struct bench_shared *shared;
    uint32_t self, count;
    void *context, *inbox, *out[BENCH_NEIGHBOURS_MAX];
};

static void floor_address(const struct bench_shared *shared, uint32_t host, char text[64]) {
    // The host's address with another port, so that nothing lingers from the cores.
    const char *address = shared->keys[host].address;
    int size = (int)(strrchr(address, ':') - address);
    snprintf(text, 64, "%.*s:7949", size, address);
}

static int set_text(void *socket, int option, const char *text) {
    return zmq_setsockopt(socket, option, text, strlen(text));
}

static int open_inbox(struct floor *flood) {
    char address[64];
    int server = 1;
    floor_address(flood->shared, flood->self, address);
    flood->inbox = zmq_socket(flood->context, ZMQ_ROUTER);
    return zmq_setsockopt(flood->inbox, ZMQ_CURVE_SERVER, &server, sizeof server) |
           set_text(flood->inbox, ZMQ_CURVE_SECRETKEY, flood->shared->secret_keys[flood->self]) |
           zmq_bind(flood->inbox, address);
}

static int open_dealer(struct floor *flood, uint32_t to, void **out) {
    const struct bench_shared *shared = flood->shared;
    char address[64];
    int immediate = 1, patience_ms = HELLO_WAIT_MS, linger = 0;
    floor_address(shared, to, address);
    *out = zmq_socket(flood->context, ZMQ_DEALER);
    return zmq_setsockopt(*out, ZMQ_IMMEDIATE, &immediate, sizeof immediate) |
           zmq_setsockopt(*out, ZMQ_SNDTIMEO, &patience_ms, sizeof patience_ms) |
           zmq_setsockopt(*out, ZMQ_LINGER, &linger, sizeof linger) |
           set_text(*out, ZMQ_CURVE_SERVERKEY, shared->keys[to].public_key) |
           set_text(*out, ZMQ_CURVE_PUBLICKEY, shared->keys[flood->self].public_key) |
           set_text(*out, ZMQ_CURVE_SECRETKEY, shared->secret_keys[flood->self]) |
           zmq_connect(*out, address);
}

// About as large as what a core sends for one record.
struct flooded {
    uint32_t event, origin, sender;
    unsigned char value[BENCH_VALUE_SIZE];
    unsigned char signature[crypto_sign_BYTES]; // of the origin, over event, origin and value
};

static size_t signed_bytes(const struct flooded *message, unsigned char out[256]) {
    memcpy(out, &message->event, sizeof message->event);
    memcpy(out + 4, &message->origin, sizeof message->origin);
    memcpy(out + 8, message->value, sizeof message->value);
    return 8 + sizeof message->value;
}

static void send_all(struct floor *flood, struct flooded *message) {
    uint32_t from = message->sender;
    message->sender = flood->self;
    for (uint32_t i = 0; i < flood->count; i++) {
        if (flood->shared->neighbour[flood->self][i] != from &&
            zmq_send(flood->out[i], message, sizeof *message, 0) < 0) {
            fprintf(stderr, "bench_gossip: floor: %s\n", zmq_strerror(zmq_errno()));
        }
    }
}

static bool is_genuine(const struct floor *flood, const struct flooded *message) {
    unsigned char bytes[256];
    return message->origin < flood->shared->hosts &&
           crypto_sign_verify_detached(message->signature, bytes, signed_bytes(message, bytes),
                                       flood->shared->public_keys[message->origin]) == 0;
}

static void take(struct floor *flood, struct flooded *message) {
    if (message->event >= BENCH_EVENTS_MAX ||
        atomic_load(&flood->shared->seen_at_ns[message->event][flood->self]) != 0 ||
        !is_genuine(flood, message)) {
        return;
    }
    atomic_store(&flood->shared->seen_at_ns[message->event][flood->self], bench_now_ns());
    send_all(flood, message);
}

static void take_all(struct floor *flood) {
    char id[256];
    struct flooded message;
    while (zmq_recv(flood->inbox, id, sizeof id, ZMQ_DONTWAIT) >= 0) {
        if (zmq_recv(flood->inbox, &message, sizeof message, 0) == (int)sizeof message) {
            take(flood, &message);
        }
    }
}

static bool obey(struct floor *flood, int orders) {
    struct flooded message = {.origin = flood->self, .sender = NOBODY};
    unsigned char bytes[256];
    if (read(orders, &message.event, sizeof message.event) != sizeof message.event) {
        return false;
    }
    crypto_sign_detached(message.signature, NULL, bytes, signed_bytes(&message, bytes),
                         flood->shared->signing_keys[flood->self]);
    send_all(flood, &message);
    return true;
}

static int open_floor(struct floor *flood) {
    flood->context = zmq_ctx_new();
    int rc = open_inbox(flood);
    flood->count = flood->shared->neighbour_count[flood->self];
    for (uint32_t i = 0; i < flood->count && rc == 0; i++) {
        rc = open_dealer(flood, flood->shared->neighbour[flood->self][i], &flood->out[i]);
    }
    return rc;
}

int bench_host_floor(struct bench_shared *shared, uint32_t self, int orders) {
    struct floor flood = {.shared = shared, .self = self};
    if (open_floor(&flood) != 0) {
        fprintf(stderr, "bench_gossip: floor: %s\n", zmq_strerror(zmq_errno()));
        return 1;
    }
    struct flooded hello = {.event = HELLO, .sender = NOBODY};
    send_all(&flood, &hello); // returns when every neighbour is connected
    atomic_fetch_add(&shared->ready, 1);
    zmq_pollitem_t polls[2] = {{.socket = flood.inbox, .events = ZMQ_POLLIN},
                               {.fd = orders, .events = ZMQ_POLLIN}};
    while (zmq_poll(polls, 2, -1) >= 0) {
        take_all(&flood);
        if (polls[1].revents != 0 && !obey(&flood, orders)) {
            break;
        }
    }
    for (uint32_t i = 0; i < flood.count; i++) {
        zmq_close(flood.out[i]);
    }
    zmq_close(flood.inbox);
    zmq_ctx_term(flood.context);
    return 0;
}
