// SPDX-License-Identifier: Apache-2.0
// What a Kubernetes node needs before an agent can run in a pod there, and how nothing of it stays.
//
//   prepare   templates + this node's names -> RUN/node/agent.yaml, fabric.yaml
//             Secret -> this node's own key and the public keys
//             seccomp profiles -> where the kubelet looks for them
//             net.ipv6.conf.*.seg6_enabled of the ports, which a container's own /proc is read-only
//             for
//   clean     takes back what agents and prepare did: rules, pins, addresses, sysctls, files
//
// Both may be repeated. prepare runs before each start of the agent; clean after the last has
// ended.
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "model/error.h"

struct node_paths {
    const char *config;   // agent.yaml (a template) and nodes
    const char *fabric;   // fabric.yaml
    const char *secret;   // NAME.secret and fleet.keys of the fleet; need not exist
    const char *keys;     // where host.secret and fleet.keys go
    const char *profiles; // *.json; need not exist
    const char *seccomp;  // where they go
    const char *ipv6;     // the host's /proc/sys/net/ipv6/conf
    const char *run;      // the host's /run/srv6
};

typedef void node_say_fn(const char *text);

// -EINVAL after complaints about the files; `say` gets them and what was done, a line each.
int node_prepare(const struct node_paths *paths, const char *(*environment)(const char *name),
                 node_say_fn *say, struct error *error);
// -EBUSY while an agent runs; nothing but rules is taken away then.
int node_clean(const struct node_paths *paths, node_say_fn *say, struct error *error);

#endif
