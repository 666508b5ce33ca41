// SPDX-License-Identifier: Apache-2.0
// The sending side of all flows of a host: queue pairs, their packets, and what the responses say.
//
// Responses in, packets out; no socket. Owns its queue pairs (sender_close); borrows the flow list
// and the options while it lives.
#ifndef TRAFFIC_SENDER_H
#define TRAFFIC_SENDER_H

#include <jansson.h>

#include "flows.h"
#include "net.h"
#include "rc.h"

struct sender_qp {
    const struct flow *flow;
    uint32_t qp, source_qp;
    uint64_t bytes;
    uint64_t wire; // packets sent so far, also again
    struct requester requester;
    uint64_t cnps;
    bool has_report;
    struct roce_report report;
};

struct sender {
    const struct traffic_options *options;
    const struct flow_list *flows;
    struct sender_qp *qps;
    uint32_t qp_count;
    uint32_t run;    // random; also the first PSN
    uint64_t strays; // responses to nobody
};

// -ENOMEM. `run` must differ from start to start. Starts are staggered over one packet interval, so
// that QPs do not send in step.
int sender_open(struct sender *sender, const struct traffic_options *options,
                const struct flow_list *flows, uint32_t run, uint64_t now_ns);
void sender_close(struct sender *sender);

// Builds the next packet of `qp` in `frame` when it is due; returns the transport size or 0.
size_t sender_take(struct sender *sender, struct sender_qp *qp, uint64_t now_ns,
                   uint8_t frame[ROCE_FRAME_MAX], struct roce_addresses *addresses);
void sender_response(struct sender *sender, const struct inbound *inbound, uint64_t now_ns);
bool sender_is_complete(const struct sender *sender);
json_t *sender_describe(const struct sender *sender);

#endif
