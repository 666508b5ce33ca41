// SPDX-License-Identifier: Apache-2.0
// Reliable Connection, the part that matters for traffic: go-back-N with ACK and NAK (IBTA volume
// 1, 9.7). A requester sends packets 0, 1, 2...; a responder takes them in order and nothing else.
//
//   requester   acked <= next <= acked + window            (indices; the PSN is first_psn + index)
//     ACK i     acked = i + 1
//     NAK i     acked = i, next = i                        sent once per gap by the responder
//     timeout   next = acked                               no progress for ack_timeout_ns
//
// Pure; `now_ns` is any monotonic clock. The requester paces: one packet per interval_ns.
#ifndef TRAFFIC_RC_H
#define TRAFFIC_RC_H

#include <stdbool.h>
#include <stdint.h>

#define RC_NEVER UINT64_MAX

struct requester {
    uint64_t total; // packets
    uint64_t next, acked;
    uint64_t end; // one past the highest index ever sent
    uint32_t window, ack_every;
    bool reliable;
    uint32_t first_psn;
    uint64_t interval_ns, ack_timeout_ns;
    uint64_t send_at_ns;     // not before
    uint64_t progress_at_ns; // last time that `acked` moved or an idle QP sent
    uint64_t asked_at_ns;    // last packet that asked for an ACK
    uint64_t longest_stall_ns;
    uint64_t sent, resent, naks, timeouts;
};

// The index to send now, or false. A QP that fell behind by more than a few packets does not burst.
// *ack_request: every few packets, at the end, where the window ends, first after going back, and
// often enough that a slow QP does not time out while nothing is wrong.
bool requester_take(struct requester *requester, uint64_t now_ns, uint64_t *index,
                    bool *ack_request);
// When requester_take may have something; RC_NEVER when complete.
uint64_t requester_deadline_ns(const struct requester *requester);
bool requester_is_complete(const struct requester *requester);
// Both ignore PSNs outside of what is in flight.
void requester_ack(struct requester *requester, uint32_t psn, uint64_t now_ns);
void requester_nak(struct requester *requester, uint32_t psn, uint64_t now_ns);

enum response { RESPONSE_NONE, RESPONSE_ACK, RESPONSE_NAK };

struct responder {
    uint64_t expected; // index
    uint32_t since_ack;
    bool in_gap; // a NAK for `expected` is on its way
    uint64_t naks, repeats;
};

// *taken: the packet was the expected one and its bytes are delivered.
enum response responder_packet(struct responder *responder, uint32_t first_psn, uint32_t psn,
                               bool ack_request, uint32_t ack_every, bool *taken);
// The PSN that an ACK (last taken) or NAK (expected) carries.
uint32_t responder_psn(const struct responder *responder, uint32_t first_psn,
                       enum response response);

#endif
