// SPDX-License-Identifier: Apache-2.0
// Localization: which link, NIC or switch the losses and delays of loop probes come from, and which
// loop to probe next to find out sooner. Pure: time and chance are parameters, memory is taken in
// locate_open only.
//
// It is told what loops there are: walks from an own port and back to it (walk.h), in rounds whose
// loops together cross every directed link, and some for demand only (hairpins, host loops). Then,
// over and over: locate_choose names the loops to send over, locate_result takes what became of a
// probe, locate_take hands out the verdicts that followed.
//
//                     a loss                    repeats, then the loops that divide the suspects
//   background rounds ------> 3 repeats, at once -----------------------------------> verdict
//     ^                                                                                  |
//     '---- the suspects' scores fell to nothing: it was the background of losses        |
//     '-----------------------------------------------------------  it is well again ----'
//
// Evidence. A suspect is a directed link between switches, a NIC (a host port with both directions
// of its cable: no loop of one host tells these apart) or a switch. For each suspect and each of a
// few loss rates, from 0.1 % to all, there is a score: the log-likelihood ratio of "it loses that
// much" against "only the background loses", never below zero (Page's CUSUM, the sequential
// probability ratio test that also finds when a fault began). Only suspects of recent losses have
// scores above zero.
//
// Choice. Next comes the loop whose outcome says most about which suspect it is: the mutual
// information of (lost or not) and (which suspect, or none), over all loops that cross suspects.
// One probe in eight goes on with the background, so that a second fault is not missed.
//
// Verdict. A suspect is named when its score exceeds LOCATE_ACCEPT and every other suspect is
// either far behind, or does not explain enough of the losses. `down` takes also LOCATE_DOWN_RUN
// losses in a row. What a named fault explains is taken from the other suspects' scores, and loops
// over it say nothing about others, so that several faults are found one after the other. A switch
// is named only when no single suspect in it explains most of its losses. Suspects that no usable
// loop tells apart are reported together, as unknown.
//
// Delay. A loop's delay, less the median of the loops that leave the same leaf over as many links,
// is put down to each directed link of it. The lowest tenth of a window of a link is compared with
// the lower quartiles of the links around it: six robust deviations and 2 us more, three windows in
// a row, is slow. So a link is slow when next to nothing crosses it quickly; delays of busy
// machines, large as they are, spare some packets.
//
// How the prober uses it: prober_set_targets gives the four walks of each target (`round` 0 for
// LOOP_FORWARD and LOOP_REVERSE, LOCATE_ON_DEMAND for LOOP_PING and LOOP_PREFIX) to locate_open;
// send_due takes its loops from locate_choose with the probes due in this tick as budget;
// prober_returned and probe_lost call locate_result; void_outstanding calls locate_discard for each
// own port. A loop may be chosen again while a probe over it is under way. Probes that could not be
// sent are not reported at all.
//
// Units: nanoseconds, parts per million. Not thread-safe.
#ifndef AGENT_CORE_LOCATE_H
#define AGENT_CORE_LOCATE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/fabric.h"
#include "model/rng.h"
#include "walk.h"

#define LOCATE_ON_DEMAND UINT32_MAX // in no round
#define LOCATE_TIED_MAX 8

struct locate_loop_spec {
    struct walk walk; // begins and ends at one host port
    uint32_t round;   // rounds in order, or LOCATE_ON_DEMAND
};

struct locate_result {
    uint32_t loop; // index into the loops of locate_open
    bool lost;
    uint64_t due_at_ns;  // when it should have been sent
    uint64_t sent_at_ns; // when it was (by the kernel's timestamp where there is one)
    uint64_t delay_ns;   // there and back, 0: not measured
};

enum locate_fault {
    LOCATE_WELL, // a fault named earlier is over
    LOCATE_DOWN,
    LOCATE_LOSSY,
    LOCATE_SLOW,
};

enum locate_place {
    LOCATE_LINK,    // .link
    LOCATE_HOST,    // the NIC: .link is the host's, upwards
    LOCATE_LEAF,    // .node
    LOCATE_SPINE,   // .node: any switch above the leaves
    LOCATE_UNKNOWN, // one of .tied; .link and .node are those of the first
};

struct locate_suspect_name {
    enum locate_place place;
    link_id link; // LOCATE_LINK, LOCATE_HOST
    node_id node; // LOCATE_LEAF, LOCATE_SPINE
};

struct locate_verdict {
    enum locate_fault fault;
    enum locate_fault was; // LOCATE_WELL: which fault is over
    struct locate_suspect_name what;
    uint32_t sent, lost;     // over it, since it came under suspicion; a delay: windows
    uint32_t loss_ppm;       // lost / sent
    uint64_t excess_ns;      // LOCATE_SLOW: more than the links around it
    uint32_t confidence_ppm; // that it is this and not another, by the likelihoods
    uint32_t tied_count;     // LOCATE_UNKNOWN: who it may be, LOCATE_TIED_MAX at most are listed
    struct locate_suspect_name tied[LOCATE_TIED_MAX];
};

struct locate; // opaque: opened once for a set of loops

// Borrows the fabric, copies the loops. -EINVAL for a loop that does not begin and end at one host
// port, or rounds out of order; -ENOMEM. `background_ppm`: losses per million on a healthy link.
int locate_open(struct locate **out, const struct fabric *fabric,
                const struct locate_loop_spec *loops, uint32_t count, uint32_t background_ppm);
void locate_close(struct locate *locate);

// Names `budget` loops to send a probe over now, best first; fewer when no loop is usable.
uint32_t locate_choose(struct locate *locate, struct rng *rng, uint32_t budget, uint32_t *loops);
// Whether nothing is under suspicion, and whether repeats of a loss wait to be chosen.
bool locate_is_calm(const struct locate *locate);
bool locate_has_repeats(const struct locate *locate);
// What became of a probe. One that was sent more than a millisecond late is not counted, and
// neither are the port's losses since it was due: the host did not run.
void locate_result(struct locate *locate, const struct locate_result *result);
// The prober at this port was not scheduled since then: takes its losses back.
void locate_discard(struct locate *locate, port_id port, uint64_t since_ns);
// The next verdict, oldest first; false when there is none. At most 64 wait; locate_explain has
// the state in any case.
bool locate_take(struct locate *locate, struct locate_verdict *verdict);
// Another host lost `lost` more of `sent` more probes over the link, and suspects it: a reason to
// probe it here too, and evidence. But half of what a verdict takes must be seen here, and no other
// host alone makes the difference between two suspects.
void locate_hint(struct locate *locate, link_id link, uint32_t peer, uint32_t sent, uint32_t lost);
// Directed links between switches that are under suspicion here, those that lost most first.
struct locate_suspicion {
    link_id link;
    uint32_t sent, lost; // since it came under suspicion
};
uint32_t locate_suspicions(const struct locate *locate, struct locate_suspicion *out, uint32_t max);
// Takes over what `before`, of the same fabric, knows of faults and delays; suspicions begin anew.
void locate_inherit(struct locate *locate, const struct locate *before);
// Whether a suspect is under a verdict of loss or of delay.
bool locate_is_faulty(const struct locate *locate, const struct locate_suspect_name *what,
                      bool slow);
// What is known of a directed link now, or of the NIC of a host's link.
void locate_explain(const struct locate *locate, link_id link, struct locate_verdict *verdict);

// "down", "lossy", "slow", "well"; "link", "host/NIC", "leaf", "spine", "unknown".
const char *locate_fault_name(enum locate_fault fault);
const char *locate_place_name(enum locate_place place);

#endif
