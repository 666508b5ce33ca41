// SPDX-License-Identifier: Apache-2.0
// Link truth: many observers' reports about one directed link -> one belief that all agents share.
//
// The belief is a pure function of the current reports and of who is elected to report, so agents
// that hold the same facts believe the same, in whatever order these arrived:
//
//   DOWN   at least two elected observers say down, in different racks (leaves) where those that
//          report are of several; a single one suffices only where a single one is elected
//   LOSSY  likewise, at least two elected observers found that it loses too much of what crosses
//   it;
//          it is avoided where that cuts off nobody (belief_avoid)
//   DRAIN  an operator drained the link or one of its ends
//   UP     otherwise
//
// What does not count, so that no belief rests on one host that lies or is itself at fault:
//   * reports of hosts that are not elected for the cable: whoever likes to may write one;
//   * the "down", or "lossy", of a blind observer, which calls more than half of the links that it
//   reports on
//     down although no switch is common to these: it is probably its own port, host or leaf. A dead
//     leaf or spine is common to all that it takes down, and so blinds nobody. Where no observer
//     that sees says up, nothing else explains it: there the blind count like others.
//
// Damping (DOWN is never damped, UP is) is done by the observer before it publishes, and once more
// by each agent for observers that do not: see agent_core/prober.h and agent/core/src/votes.c. When
// too much would go down at once, agents keep what they believed for a while: see
// agent/core/src/valve.c. Units: parts per million of nominal capacity.
#ifndef MODEL_BELIEF_H
#define MODEL_BELIEF_H

#include <stdbool.h>
#include <stdint.h>

#include "model/fabric.h"
#include "model/ids.h"

enum link_verdict { LINK_UP, LINK_DOWN };

// What localization found beside that (agent/core/src/locate.h).
enum link_fault {
    LINK_FAULT_NONE,
    LINK_FAULT_SUSPECT, // some of its probes were lost: others may want to look
    LINK_FAULT_LOSSY,   // named: it loses some of what crosses it, or all
    LINK_FAULT_SLOW,    // named: it takes longer than the links around it
};

// What one observer says of one directed link (a shared fact; keyed by the link's name on the
// wire).
struct link_report {
    enum link_verdict verdict;
    uint32_t capacity_ppm; // CAPACITY_FULL_PPM: as nominal; set by operators or estimated
    uint32_t loss_ppm;
    uint64_t delay_ns;    // smoothed round trip of the loops over the link; 0 unknown
    uint32_t ecn_ppm;     // share of probes that came back marked CE
    uint64_t probe_count; // evidence behind the verdict
    // Of localization. With LINK_FAULT_NONE all of it is zero, and older members never see it.
    enum link_fault fault;
    bool avoid;              // LOSSY: by so much that flows should keep off
    uint32_t fault_ppm;      // lost of those that crossed it, since it came under suspicion
    uint64_t excess_ns;      // SLOW: longer than the links around it
    uint32_t tested, missed; // probes over it since it came under suspicion, those lost
};

// A report with its observer resolved on the fabric.
struct link_evidence {
    link_id link;
    node_id observer; // a host
    struct link_report report;
};

// Who is elected, among live hosts, to report on both directions of a cable. Count 0: a host's own.
#define CABLE_OBSERVERS_MAX 4
struct cable_observers {
    node_id hosts[CABLE_OBSERVERS_MAX];
    uint32_t count;
};

// What one observer says in all: links that it is elected for, those of them that it calls down
// (or lossy), and the switches common to these (ID_NONE: none).
struct observer_accusations {
    uint32_t count;
    node_id common[2];
};
struct observer_sight {
    uint32_t reported;
    struct observer_accusations down, lossy;
};

struct link_belief {
    bool down;
    bool drained;
    bool lossy;              // two observers say that it is to be avoided
    bool avoided;            // lossy, and nobody is cut off without it: as if drained
    uint32_t loss_ppm;       // lossy: both saw that much or more
    uint32_t capacity_ppm;   // lowest that an operator set or, with two observers agreeing, was
                             // estimated; of nominal
    uint16_t down_votes;     // elected observers that say down and count
    uint16_t blind_votes;    // that say down and do not count, since others see the link up
    uint16_t lossy_votes;    // elected observers that say "avoid" and count
    uint16_t observer_count; // elected observers that report on the link
};

struct belief_input {
    const struct fabric *fabric;
    const struct cable_observers *observers; // by cable
    const struct link_evidence *evidence;    // sorted by link; only live observers' reports
    uint32_t evidence_count;
    struct observer_sight *sights; // by host, written by belief_compute
};

// What a plan may use of a link: 0 when down, drained or avoided, else nominal rate times
// capacities.
uint64_t belief_rate_bps(const struct fabric *fabric, const struct link_belief *belief,
                         link_id link);

// beliefs: one per directed link of the fabric, overwritten except `drained`, which the caller has
// set from operators' facts.
void belief_compute(const struct belief_input *input, struct link_belief *beliefs);

// Which lossy links are avoided: the worst first, each only when every leaf still reaches all
// leaves that it reached with it. Of more than BELIEF_AVOID_MAX lossy links the rest stays in use:
// by then it is no link that is at fault. A function of fabric and beliefs alone. -ENOMEM: none is
// avoided.
#define BELIEF_AVOID_MAX 256
int belief_avoid(const struct fabric *fabric, struct link_belief *beliefs);

bool belief_is_elected(const struct cable_observers *observers, node_id host);
bool belief_is_blind(const struct observer_sight *sight); // of what is down
bool belief_is_blind_to_loss(const struct observer_sight *sight);

#endif
