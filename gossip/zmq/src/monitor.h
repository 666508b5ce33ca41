// SPDX-License-Identifier: Apache-2.0
// Socket monitors: what happened to a socket's connections, as a short list of kinds.
#ifndef GOSSIP_ZMQ_MONITOR_H
#define GOSSIP_ZMQ_MONITOR_H

#include <stdint.h>

enum monitor_event {
    MONITOR_NONE, // nothing is waiting
    MONITOR_UP,   // the handshake succeeded
    MONITOR_HANDSHAKE_FAILED,
    MONITOR_ACCEPTED,
    MONITOR_ACCEPT_FAILED,
    MONITOR_DOWN,
    MONITOR_OTHER,
};

// Watches `socket`, which has neither bound nor connected yet; `number` is unique within the
// context. *out owned: monitor_close. -errno.
int monitor_open(void *context, void *socket, uint32_t number, void **out);
// Stops watching: call it before the socket is closed.
void monitor_close(void *monitor, void *socket);
enum monitor_event monitor_take(void *monitor);

#endif
