// SPDX-License-Identifier: Apache-2.0
#include "monitor.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <zmq.h>

#define WATCHED                                                                                    \
    (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |                        \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_ACCEPTED |  \
     ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_DISCONNECTED)

static int failed(void *pair) {
    int code = zmq_errno();
    if (pair != NULL) {
        zmq_close(pair);
    }
    return code > 0 && code < ZMQ_HAUSNUMERO ? -code : -EIO;
}

int monitor_open(void *context, void *socket, uint32_t number, void **out) {
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "inproc://monitor-%u", number);
    void *pair = zmq_socket(context, ZMQ_PAIR);
    // No limit on this queue: libzmq's I/O thread *blocks* when it is full, holding the lock that
    // closing needs. It grows only while this thread does not run, by a few words per connection.
    int unlimited = 0, linger = 0;
    if (pair == NULL || zmq_setsockopt(pair, ZMQ_RCVHWM, &unlimited, sizeof unlimited) != 0 ||
        zmq_setsockopt(pair, ZMQ_LINGER, &linger, sizeof linger) != 0) {
        return failed(pair);
    }
    if (zmq_socket_monitor(socket, endpoint, WATCHED) != 0) {
        return failed(pair);
    }
    if (zmq_connect(pair, endpoint) != 0) {
        int rc = failed(pair);
        zmq_socket_monitor(socket, NULL, 0);
        return rc;
    }
    // An inproc pipe wakes its reader only after the reader has once found it empty; without this
    // look the descriptor would stay silent for ever.
    int events = 0;
    size_t size = sizeof events;
    (void)zmq_getsockopt(pair, ZMQ_EVENTS, &events, &size);
    *out = pair;
    return 0;
}

void monitor_close(void *monitor, void *socket) {
    zmq_socket_monitor(socket, NULL, 0);
    zmq_close(monitor);
}

static enum monitor_event classify(uint16_t event) {
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return MONITOR_UP;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return MONITOR_HANDSHAKE_FAILED;
    case ZMQ_EVENT_ACCEPTED:
        return MONITOR_ACCEPTED;
    case ZMQ_EVENT_ACCEPT_FAILED:
        return MONITOR_ACCEPT_FAILED;
    case ZMQ_EVENT_DISCONNECTED:
        return MONITOR_DOWN;
    default:
        return MONITOR_OTHER;
    }
}

enum monitor_event monitor_take(void *monitor) {
    // Frame one: event (16 bit), value (32 bit); frame two: the endpoint, which we know.
    unsigned char frame[6], endpoint[1];
    if (zmq_recv(monitor, frame, sizeof frame, ZMQ_DONTWAIT) < 0) {
        return MONITOR_NONE;
    }
    (void)zmq_recv(monitor, endpoint, sizeof endpoint, ZMQ_DONTWAIT);
    uint16_t event;
    memcpy(&event, frame, sizeof event);
    return classify(event);
}
