// SPDX-License-Identifier: Apache-2.0
// The floor: what libzmq alone needs to flood a message over the same overlay, with CURVE and the
// same kinds of sockets. No core, no encoding, no membership: whoever sees an event for the first
// time sends it to all its neighbours.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <zmq.h>

#include "bench_gossip.h"

#define HELLO UINT32_MAX
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

static void send_all(struct floor *flood, uint32_t event) {
    char value[BENCH_VALUE_SIZE + 64] = {0}; // with the frame that a core puts around a record
    memcpy(value, &event, sizeof event);
    for (uint32_t i = 0; i < flood->count; i++) {
        if (zmq_send(flood->out[i], value, sizeof value, 0) < 0) {
            fprintf(stderr, "bench_gossip: floor: %s\n", zmq_strerror(zmq_errno()));
        }
    }
}

static void take_all(struct floor *flood) {
    char id[256], value[BENCH_VALUE_SIZE + 64];
    while (zmq_recv(flood->inbox, id, sizeof id, ZMQ_DONTWAIT) >= 0) {
        uint32_t event = HELLO;
        if (zmq_recv(flood->inbox, value, sizeof value, 0) >= (int)sizeof event) {
            memcpy(&event, value, sizeof event);
        }
        uint64_t unseen = 0;
        if (event < flood->shared->events &&
            atomic_compare_exchange_strong(&flood->shared->seen_at_ns[event][flood->self], &unseen,
                                           bench_now_ns())) {
            send_all(flood, event);
        }
    }
}

static bool obey(struct floor *flood, int orders) {
    uint32_t event;
    if (read(orders, &event, sizeof event) != sizeof event) {
        return false;
    }
    uint64_t now_ns = bench_now_ns();
    atomic_store(&flood->shared->put_at_ns[event], now_ns);
    atomic_store(&flood->shared->seen_at_ns[event][flood->self], now_ns);
    send_all(flood, event);
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
    send_all(&flood, HELLO); // returns when every neighbour is connected
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
