// SPDX-License-Identifier: Apache-2.0
// How the card is programmed: a SOCK_SEQPACKET connection in the Unix domain, one request a
// message, each answered when it has taken effect. Host byte order: both ends are on one machine.
//
//   request:  struct softcx_request up to and including data[size]
//   answer:   struct softcx_answer; for WIRE_HELLO with the counters' memory as a descriptor (an
//             array of struct softcx_count), for WIRE_STATS with a file of JSON
//
// The first request is WIRE_HELLO, which makes this the one connection that programs the card (a
// second one is refused with -EBUSY), or WIRE_STATS. When the programming connection ends, all that
// was made through it ends with it.
#ifndef SOFTCX_WIRE_H
#define SOFTCX_WIRE_H

#include "softcx_model.h"

#define SOFTCX_WIRE_VERSION 1

enum softcx_wire_op {
    WIRE_HELLO = 1,       // value: SOFTCX_WIRE_VERSION
    WIRE_STATS,           //
    WIRE_ADD_TABLE,       // id; value: level
    WIRE_ADD_MATCHER,     // id; parent: table; value: priority; kind: criteria; data: mask
    WIRE_ADD_ACTION,      // id; kind: enum softcx_action_kind; value; data
    WIRE_ADD_RULE,        // id; parent: matcher; data: value; actions[count]
    WIRE_REMOVE,          // id
    WIRE_ADD_COUNTERS,    // value: first id; count. Answered with the slot
    WIRE_REMOVE_COUNTERS, // value: first id
};

struct softcx_request {
    uint32_t op, kind;
    uint64_t id, parent, value;
    uint32_t size, count;
    uint64_t actions[SOFTCX_RULE_ACTIONS_MAX];
    uint8_t data[512];
};

struct softcx_answer {
    int32_t code; // 0 or -errno
    uint32_t slot;
};

// Carries out one request of `bytes` bytes; not WIRE_HELLO and WIRE_STATS, which are the caller's
// (-EPROTO). Pure but for the card.
struct softcx_answer softcx_handle(struct softcx *card, const struct softcx_request *request,
                                   size_t bytes);

#endif
