// SPDX-License-Identifier: Apache-2.0
// What links can really carry, from trains of probes. Pure.
//
// A cable that lost half of its lanes, or half of the cables of a bundle, loses no small probe. A
// train of large probes sent back to back is spread out by the slowest link of its loop: behind it
// they are as far apart as that link needs for one of them, plus what other traffic came between.
//
//   gap = bytes / C * (1 + other / R)        R: at which rate the train reached the link
//
// Two unknowns, so there are two kinds of trains: a dense one, and one with a packet of another
// loop (which does not cross the cable) after each of its own, so that the train reaches the link
// at half the rate. In a first-in first-out queue the other traffic counts twice there:
//
//   bytes / C = 2 * gap(dense) - gap(thin)
//
// So a link is not called slow because it is busy, and the trains must be in the flows' own traffic
// class. With several busy queues on the way that arithmetic is too simple: where the two trains
// differ much, nothing is concluded until it is quieter. Where even the thin train is faster than
// what is left, it shows nothing, and the link passes for whole: what is found is a link with less
// than half of the rate at which this host sends, or a quiet one with less than all of it. Token
// buckets let the first packets through: only the second half of a train counts.
//
// Which direction, and whether it is the cable at all, comes from the loops that the prober knows
// too (prober.h): the estimate of a loop is the least of its links, so that of a link is the most
// of the loops that cross it; and a cable is not blamed for what the way there cannot do either.
//
//             a train over PING below, or       all loops have their samples, and twice in a row
//             off, what is believed, twice      the same was found: link estimates
//   WATCH ------------------------------> MEASURE ------------------------------------> WATCH
//     ^                                   trains follow fast
//     '--- nothing came of it: not again for a while (doubles)
//
// Cost: one train of one target under way at a time, one per target and interval; while one is
// measured, CAPACITY_HASTE times as many, for at most a few seconds.
//
// Ownership: borrows the fabric. Errors: -ENOMEM.
#ifndef AGENT_CORE_CAPACITY_H
#define AGENT_CORE_CAPACITY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_core/engine.h"
#include "model/ids.h"
#include "model/time.h"
#include "walk.h"

#define CAPACITY_TOKEN (UINT64_C(1) << 61) // in all tokens of these probes, and in no others
#define CAPACITY_PACKETS_MIN 16
#define CAPACITY_PACKETS_MAX 100
#define CAPACITY_SAMPLES 3 // of each kind of train, of which the least spread out counts
#define CAPACITY_HASTE 8
#define CAPACITY_FRAME_BYTES 24 // Ethernet's own, on the wire, beside the packet
// Below this share of what could be seen a loop is slow; estimates are published in such steps.
#define CAPACITY_SLOW_PERCENT 85
#define CAPACITY_STEP_PPM 10000

// ---- capacity_train.c: one train

struct train_packet {
    bool back;
    uint64_t sent_at_ns, received_at_ns;
};
// The time between two packets in the second half of the train, in picoseconds. Gaps of lost
// packets do not count for the rate: who went before it kept the link busy. 0: too few came back.
uint64_t train_gap_ps(const struct train_packet *packets, uint32_t count);
uint64_t train_sent_gap_ps(const struct train_packet *packets, uint32_t count);
uint64_t train_least_gap_ps(uint64_t rate_bps, uint32_t bytes); // at this rate
// Bits per second, from the gaps of a dense and a thin train (0: there was none).
uint64_t train_rate_bps(uint64_t dense_ps, uint64_t thin_ps, uint32_t bytes);

// ---- capacity.c

enum capacity_loop { CAPACITY_PING, CAPACITY_FORWARD, CAPACITY_REVERSE, CAPACITY_PREFIX };
#define CAPACITY_LOOPS 4

struct train_samples {
    uint64_t gap_ps[CAPACITY_SAMPLES]; // a ring
    uint32_t count;                    // ever
};

struct capacity_walk {
    bool valid;
    struct walk walk;
    struct sid_list sids;
    uint64_t most_bps;               // nominal, of its slowest link
    struct train_samples samples[2]; // dense, thin
};

struct capacity_target {
    cable_id cable;
    uint32_t port;
    struct capacity_walk walks[CAPACITY_LOOPS];
    bool measuring;
    uint32_t turn;         // of the kinds of trains
    uint32_t odd_trains;   // in a row that do not fit what is believed
    uint32_t failed;       // trains in a row of which too little came back
    uint64_t believed_bps; // over PING; 0: as much as can be seen
    uint64_t found_bps;    // by the last measurement, to be found once more; 0: nothing
    uint64_t next_at_ns, not_before_ns, wait_ns;
};

struct capacity_train {
    bool under_way;
    uint64_t id, due_at_ns;
    uint32_t target;
    enum capacity_loop loop;
    bool thin;
    uint32_t count, back;
    struct train_packet packets[CAPACITY_PACKETS_MAX];
};

struct capacity {
    const struct fabric *fabric; // borrowed
    struct capacity_target *targets;
    uint32_t target_count;
    uint64_t salt; // of this host
    uint32_t *ppm; // by directed link; CAPACITY_FULL_PPM: as nominal, or nothing is known
    struct capacity_train train;
    uint64_t deadline_ns;
    struct engine_probe out[2 * CAPACITY_PACKETS_MAX];
    uint32_t out_count;
    uint64_t trains_sent, trains_failed;
};

int capacity_init(struct capacity *capacity, const struct fabric *fabric);
void capacity_fini(struct capacity *capacity);
// The cables to watch, and from which own port. What was known of those that stay is kept.
int capacity_set_targets(struct capacity *capacity, const cable_id *cables, const uint32_t *ports,
                         const port_id *own_ports, uint32_t count, const bool *avoid,
                         uint64_t now_ns, const struct capacity_policy *policy);
// Another interval: the next trains are spread over it.
void capacity_follow_policy(struct capacity *capacity, uint64_t now_ns,
                            const struct capacity_policy *policy);
void capacity_begin(struct capacity *capacity); // forgets the probes of the last step
// Returns whether an estimate has changed.
bool capacity_tick(struct capacity *capacity, uint64_t now_ns,
                   const struct capacity_policy *policy);
void capacity_returned(struct capacity *capacity, const struct engine_probe_result *result);
// What this host says of a link; CAPACITY_FULL_PPM where it has found nothing.
uint32_t capacity_link_ppm(const struct capacity *capacity, link_id link);

#endif
