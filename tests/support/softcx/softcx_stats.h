// SPDX-License-Identifier: Apache-2.0
// What the card has seen, as JSON:
//
//   {"ports": [{"port": "uplink" | "vport 1", "netdev": "w0", "representor": "f0", "mtu": 9000,
//               "in": {"packets": 1, "bytes": 1}, "out": {..}, "to_representor": {..},
//               "from_representor": {..}, "drops": {"mtu": 0, "queue": 0, "down": 0,
//               "no_representor": 0, "lost": 0}}, ..],
//    "steered": 1, "slow_path": 1,
//    "drops": {"rule": 0, "no_tunnel": 0, "not_ip": 0, "segmented": 0, "too_large": 0, "loop": 0,
//              "no_port": 0},
//    "programmed": true, "objects": 1,
//    "rules": [{"id": 1, "level": 1, "table": 1, "matcher": 1, "priority": 0, "packets": 1,
//               "bytes": 1, "shadowed": false, "actions": ["counter", "encap", "vport"]}, ..],
//    "counters": [{"id": 1, "packets": 1, "bytes": 1}, ..]}          (only those that counted)
#ifndef SOFTCX_STATS_H
#define SOFTCX_STATS_H

#include <stdio.h>

#include "softcx_model.h"
#include "softcx_port.h"

#define PORTS_MAX 16

struct datapath {
    struct softcx *card;
    struct port ports[PORTS_MAX];
    uint32_t port_count;
    uint64_t steered, slow_path; // packets: at least one rule matched; ended in the slow path
    uint64_t drops[DROP_REASONS];
    uint64_t drop_no_port; // to a vport that is not there
    bool programmed;       // somebody is connected
};

void stats_write(const struct datapath *path, FILE *out);

#endif
