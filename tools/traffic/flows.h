// SPDX-License-Identifier: Apache-2.0
// Which flows a sender sends, and what the two ends of a flow are called.
//
// A flow is everything that one NIC port sends to another; it is spread over queue pairs. QPs come
// in pairs, as in RC: the QP numbered n at port B for peer A receives from A and takes A's
// responses to B. With a fabric both ends number them alike without talking: base + (index of the
// peer's port) * QPs per flow + i. Without one the destination's QPs are base + i.
//
// flow_list owns its flows (flow_list_close); fabrics and texts are borrowed during a call.
#ifndef TRAFFIC_FLOWS_H
#define TRAFFIC_FLOWS_H

#include "model/fabric.h"
#include "model/job.h"
#include "traffic.h"

#define FLOW_NAME_SIZE 100

struct flow {
    char name[FLOW_NAME_SIZE]; // "h0>h5", or addresses without a fabric
    bool ipv6;
    uint8_t source[16], destination[16]; // IPv4 in the first four bytes
    uint64_t bytes, rate_bps;
    uint32_t first_qp, first_source_qp;
};

struct flow_list {
    struct flow *flows;
    uint32_t count;
};

// The flows that options->host sends in the job, or those of --to. -EINVAL, -ENOMEM with a
// sentence. `fabric` may be NULL when there is no job and every --to is an address.
int flow_list_open(const struct traffic_options *options, const struct fabric *fabric,
                   const struct job *job, struct flow_list *list, struct error *error);
void flow_list_close(struct flow_list *list);

// "h0" for the address of a port of the fabric (may be NULL), else the address.
void flow_name_end(const struct fabric *fabric, bool ipv6, const uint8_t address[16],
                   char text[FLOW_NAME_SIZE / 2]);

#endif
