// SPDX-License-Identifier: Apache-2.0
// Link truth: many observers' reports about one directed link -> one belief that all agents share.
//
// The belief is a pure function of the current reports, so agents that hold the same reports
// believe the same, in whatever order these arrived:
//
//   DOWN   at least two observers report down, in different racks (leaves) where the reporters and
//   the fabric have
//          such; a single observer suffices only where the link has a single live observer
//   DRAIN  an operator drained the link or one of its ends
//   UP     otherwise
//
// Damping (DOWN is never damped, UP is) is done by the observer before it publishes: see
// agent_core/prober.h. Units: parts per million of nominal capacity.
#ifndef MODEL_BELIEF_H
#define MODEL_BELIEF_H

#include <stdbool.h>
#include <stdint.h>

#include "model/fabric.h"
#include "model/ids.h"

enum link_verdict { LINK_UP, LINK_DOWN };

// What one observer says of one directed link (a shared fact; keyed by the link's name on the
// wire).
struct link_report {
    enum link_verdict verdict;
    uint32_t capacity_ppm; // CAPACITY_FULL_PPM: as nominal; set by operators or estimated
    uint32_t loss_ppm;
    uint64_t delay_ns;    // smoothed round trip of the loops over the link; 0 unknown
    uint32_t ecn_ppm;     // share of probes that came back marked CE
    uint64_t probe_count; // evidence behind the verdict
};

// A report with its observer resolved on the fabric.
struct link_evidence {
    link_id link;
    node_id observer; // a host
    struct link_report report;
};

struct link_belief {
    bool down;
    bool drained;
    uint32_t capacity_ppm;   // lowest that an operator set or, with two observers agreeing, was
                             // estimated; of nominal
    uint16_t down_votes;     // observers that say down
    uint16_t observer_count; // live observers that report on the link
};

// What a plan may use of a link: 0 when down or drained, else nominal rate times capacities.
uint64_t belief_rate_bps(const struct fabric *fabric, const struct link_belief *belief,
                         link_id link);

// evidence must be sorted by link; only live observers' reports. beliefs: one per directed link of
// the fabric, overwritten except `drained`, which the caller has set from operators' facts.
void belief_compute(const struct fabric *fabric, const struct link_evidence *evidence,
                    uint32_t evidence_count, struct link_belief *beliefs);

#endif
