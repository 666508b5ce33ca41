// SPDX-License-Identifier: Apache-2.0
// Checks addresses before libzmq sees them: numeric TCP only (why: gossip_zmq.h).
#ifndef GOSSIP_ZMQ_ADDRESS_H
#define GOSSIP_ZMQ_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#define ADDRESS_IP_SIZE 46 // INET6_ADDRSTRLEN

struct tcp_address {
    char ip[ADDRESS_IP_SIZE]; // without brackets, canonical
    unsigned port;
    bool v6, any; // any: 0.0.0.0 or ::
};

// "tcp://<IPv4>:<port>" or "tcp://[<IPv6>]:<port>", port 1-65535. False leaves *out untouched.
bool address_parse(const char *text, struct tcp_address *out);

#endif
