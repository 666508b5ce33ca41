// SPDX-License-Identifier: Apache-2.0
// The receiving side of all flows of a host: what came, what was lost, and what to answer.
//
// Packets in, answers out as data; no socket and no clock. Memory is bounded: FLOWS_MAX flows and
// QPS_MAX queue pairs are kept, packets of more are counted as refused. Anything that is not ours
// is counted as foreign, a wrong ICRC as corrupt, and neither touches a flow.
#ifndef TRAFFIC_RECEIVER_H
#define TRAFFIC_RECEIVER_H

#include <jansson.h>

#include "flows.h"
#include "model/fabric.h"
#include "net.h"
#include "rc.h"
#include "roce.h"
#include "track.h"

#define RECEIVER_FLOWS_MAX 1024
#define RECEIVER_QPS_MAX 4096
#define RECEIVER_BUCKETS 8192
#define RECEIVER_CNP_INTERVAL_NS 50000 // a NIC's notification point, per flow

struct receiver_flow {
    bool ipv6;
    uint8_t source[16], destination[16];
    uint32_t run; // of the QP that was added last
    struct silence silence;
    uint64_t cnp_at_ns, cnps, ce_marked;
};

struct receiver_qp {
    uint32_t flow; // index
    uint32_t qp, source_qp, run, first_psn;
    bool reliable, ended; // the last packet was taken
    uint64_t packets, bytes, delivered_bytes;
    struct responder responder;
    struct track track;
    struct silence silence;
};

struct receiver {
    uint32_t ack_every;
    uint32_t flow_count, qp_count;
    uint64_t foreign, corrupt, refused, responses;
    struct receiver_flow flows[RECEIVER_FLOWS_MAX];
    struct receiver_qp qps[RECEIVER_QPS_MAX];
    uint32_t qp_bucket[RECEIVER_BUCKETS]; // open addressing: index into qps plus one
};

struct answer {
    struct roce_addresses addresses;
    bool congested; // send a CNP
    enum response response;
    uint32_t qp; // at the sender
    uint32_t psn;
    bool has_report;
    struct roce_report report;
};

// The caller's storage, zeroed by this.
void receiver_init(struct receiver *receiver, uint32_t ack_every);
// Takes one packet; fills *answer (response NONE and not congested: nothing to send).
void receiver_packet(struct receiver *receiver, const struct inbound *inbound,
                     struct answer *answer);
// The whole report, owned by the caller; NULL when out of memory. `fabric` may be NULL.
json_t *receiver_describe(const struct receiver *receiver, const struct fabric *fabric);

#endif
