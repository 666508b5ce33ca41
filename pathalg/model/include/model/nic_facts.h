// SPDX-License-Identifier: Apache-2.0
// What a NIC says of itself: capabilities, counters, the QPs that it saw. Values only; drivers live
// in nicdrv/.
#ifndef MODEL_NIC_FACTS_H
#define MODEL_NIC_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/rule.h"

struct nic_capabilities {
    bool spray;    // RULE_SPRAY
    bool per_qp;   // RULE_KEY_QP and RULE_BUCKET_QP
    bool srh;      // more than one carrier
    bool counters; // per rule and path
    bool spares;   // an encap takes time to make: rule_set->spares are worth naming
    uint32_t rules_max;
    uint32_t encap_bytes_max; // what H.Encaps.Red may add
};

// Counter of one (rule, path), valid for the set applied last.
struct nic_counter {
    struct rule_match match;
    uint32_t path; // index into the rule's encap[]
    uint64_t packets,
        bytes; // since the rule took this path; bytes of inner packets from the IP header on
};

// A QP that the NIC saw sending since the last reading, learnt from packets.
struct nic_qp {
    uint8_t destination[16];
    uint32_t qp;
    uint16_t sport;
    uint64_t packets, bytes;
};

// CNPs that the NIC received: of packets of one of our QPs a switch has marked some.
struct nic_cnp {
    uint8_t source[16]; // who received those; IPv4 as ::ffff:a.b.c.d
    uint32_t qp;        // ours, by our own number: packets that leave carry the other's
    uint64_t count;     // 0: some, to be counted later
};

bool nic_capabilities_equal(const struct nic_capabilities *a, const struct nic_capabilities *b);

#endif
