// SPDX-License-Identifier: Apache-2.0
// srv6-traffic: RoCEv2-shaped flows between hosts, to see what a fabric does to each of them. What
// the command line says, and the two commands.
#ifndef TRAFFIC_TRAFFIC_H
#define TRAFFIC_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#define TRAFFIC_TOOL "srv6-traffic"
#define TRAFFIC_TO_MAX 64
#define TRAFFIC_QPS_MAX 4096 // of one sender, all flows together

struct traffic_options {
    bool json, ipv6, reliable;
    const char *fabric_path, *job_path, *host;
    // send
    const char *to[TRAFFIC_TO_MAX];
    unsigned to_count;
    const char *from;
    uint32_t qps, qp_base, mtu, window;
    uint64_t bytes, rate_bps, rate_total_bps;
    uint64_t duration_ns, ack_timeout_ns, timeout_ns;
    double scale;
    uint8_t traffic_class;
    // recv
    const char *port_addresses, *ready_path;
    uint32_t ack_every;
    uint64_t for_ns; // 0: until a signal
};

struct fabric;
struct job;

// Exit codes (tool/tool.h). fabric and job may be NULL.
int traffic_send(const struct traffic_options *options, const struct fabric *fabric,
                 const struct job *job);
int traffic_receive(const struct traffic_options *options, const struct fabric *fabric);

#endif
