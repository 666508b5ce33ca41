// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// The maps that the BPF programs and the driver share. They are pinned and outlive both, so every
// change of a size or a meaning here raises SRV6_LAYOUT: a driver adopts only maps of its own
// layout.
//
//   destinations  inner destination -> srv6_rule
//   exact         destination, kind, key -> srv6_rule  only where srv6_rule.exact says so
//   paths         slot -> srv6_path                    what to put before the packet
//   srhs          slot -> srv6_srh                     only for paths of several carriers
//   counters      slot -> srv6_counter                 per CPU
//   local_sids    place -> srv6_address                own uSIDs, all zero where a place is free
//   seen          hash of a flow -> srv6_seen          per CPU: its slot, and what it sent
//   qps           destination, QP -> srv6_qp           per CPU: what it sent before another flow
//   took its
//                                                      place in `seen`
//   cnps          source, our QP -> srv6_cnp           per CPU: CNPs that came
//   cnp_hints     ring of srv6_cnp_key                 who has just sent one; not pinned
//
// A flow keeps its slot while srv6_meta.generation stays, so that most packets need `seen` only.
// The driver raises the generation after every change of rules, before a slot is used again.
//
// `seen` has two banks. To read it the driver raises srv6_meta.reading, by which the data plane
// leaves one bank for the other; an entry counts only for the reading that it names, so nothing is
// zeroed. A packet under way at that instant may go uncounted.
//
// A slot belongs to one (match, encapsulation) as long as a rule refers to it, and is written only
// while none does. So a change becomes visible in one step, with the srv6_rule that names the slot.
#ifndef NICDRV_SRV6_MAPS_H
#define NICDRV_SRV6_MAPS_H

#include <linux/types.h>

#define SRV6_LAYOUT 2
#define SRV6_SLOTS 65536
#define SRV6_RULES 65536
#define SRV6_LOCAL_SIDS 16
#define SRV6_QPS 16384
#define SRV6_CNPS 4096
#define SRV6_CNP_RING_BYTES 65536
#define SRV6_CNP_HINT_NS 1000000 // between two hints of one key and CPU
#define SRV6_SEEN 512            // places of a bank; a power of two
#define SRV6_BUCKETS 64          // a power of two: a bucket is the key's low bits
#define SRV6_SEGMENTS_MAX 5
#define SRV6_SRH_BYTES_MAX (8 + 16 * (SRV6_SEGMENTS_MAX - 1))

enum srv6_select {
    SRV6_SINGLE,
    SRV6_BUCKET_QP,
    SRV6_BUCKET_SPORT,
    SRV6_SPRAY,
    SRV6_PLAIN, // no default rule: the entry only tells that exact rules exist
};

// Bits of srv6_rule.exact.
#define SRV6_EXACT_QP 1
#define SRV6_EXACT_SPORT 2

struct srv6_address {
    __u64 half[2]; // network order
};

struct srv6_exact_key {
    struct srv6_address destination;
    __u32 kind; // SRV6_EXACT_*
    __u32 key;
};

struct srv6_rule {
    __u8 select; // enum srv6_select
    __u8 path_count;
    __u8 exact;
    __u8 unused[5];
    __u8 bucket[SRV6_BUCKETS]; // bucket -> index into slot[]
    __u32 slot[SRV6_BUCKETS];
};

struct srv6_path {
    struct srv6_address destination; // the inner destination that this slot serves
    struct srv6_address source, sid; // outer addresses
    __u8 next_header;                // of the outer header
    __u8 srh_bytes;                  // 0: one carrier
    __u8 unused[14];
};

struct srv6_srh {
    __u8 bytes[SRV6_SRH_BYTES_MAX];
};

struct srv6_counter {
    __u64 packets, bytes;
};

struct srv6_qp_key {
    struct srv6_address destination;
    __u32 qp;
    __u32 unused;
};

struct srv6_qp {
    __u64 packets, bytes;
    __u32 sport;
    __u32 unused;
};

// Congestion notification packets tell a sender that a packet of one of its QPs was marked on the
// way. They name the QP as it is at the sender, which packets that leave never do.
struct srv6_cnp_key {
    struct srv6_address source; // inner; IPv4 as ::ffff:a.b.c.d
    __u32 qp;
    __u32 unused;
};

struct srv6_cnp {
    __u64 count;
    __u64 hinted_at_ns;
};

struct srv6_seen {
    struct srv6_address destination;
    __u32 qp, sport;
    __u32 reading;    // that it counts for
    __u32 generation; // that slot is of; 0: none, every packet asks the rules
    __u64 packets, bytes;
    __u32 slot; // SRV6_SLOTS: leaves plain
    __u32 unused[3];
};

struct srv6_totals {
    __u64 encapsulated, decapsulated;
    __u64 plain;   // RoCEv2 that no rule matched, and what follows
    __u64 too_big; // would not fit the device's MTU with the outer header: sent plain
    __u64 stale;   // met a slot while it changed owner: sent plain
    __u64 failed;  // the kernel refused to make or take away room: sent, or given up, as it was
    __u64 dropped; // half changed when the kernel refused
};

struct srv6_meta {
    __u32 layout;
    __u32 made_clsact; // the driver created the qdisc, so it may remove it
    __u32 generation;  // of the rules; never 0
    __u32 reading;     // of `seen`; its low bit is the bank that is written; never 0
};

#endif
