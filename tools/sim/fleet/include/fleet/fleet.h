// SPDX-License-Identifier: Apache-2.0
// A fleet in memory and virtual time: the agents' real engines and gossip cores on every host of a
// fabric, a gossip network with a fixed delay, and a fabric that forwards by SIDs, as uN and uA do,
// over links that are cut and healed.
//
// It is a judge of engines, so it knows nothing of plans: it asks where a packet goes by evaluating
// the rules that the engines want in their NICs and then following the SIDs. Tests and srv6-sim use
// it.
//
// Deterministic: same calls, same run. Units: nanoseconds of virtual time, which begins at 1 s.
// Ownership: fleet_open returns owned and copies the fabric; what accessors return is borrowed. One
// thread.
#ifndef FLEET_FLEET_H
#define FLEET_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_core/engine.h"

struct fleet;

typedef void fleet_note_fn(void *context, uint32_t host, const struct engine_note *note);

struct fleet_options {
    uint64_t probe_interval_ns, seed;
    uint32_t history_links; // as in engine_config
    uint32_t diagnosis_pps; // of each agent; 0: they do not diagnose
    const char *algorithm;  // for jobs that name none; NULL: the agents' default
    bool no_srh;            // the NICs write one carrier only
    bool eswitch;           // the NICs look at source ports, not at QPs, and want spares
    fleet_note_fn *on_note; // NULL: nobody listens
    void *context;
};

// An agent on every host, started at once, in order. NULL with the reason.
struct fleet *fleet_open(const struct fabric *fabric, const struct fleet_options *options,
                         struct error *error);
void fleet_close(struct fleet *fleet); // NULL is a no-op
// 0, or -ENOMEM once memory has run out: from then on the run is worth nothing.
int fleet_error(const struct fleet *fleet);

uint64_t fleet_now_ns(const struct fleet *fleet);
// When the next message, probe or deadline is due.
uint64_t fleet_next_at_ns(const struct fleet *fleet);
void fleet_run(struct fleet *fleet, uint64_t span_ns);
const struct fabric *fleet_fabric(const struct fleet *fleet);
uint32_t fleet_count(const struct fleet *fleet);
struct engine *fleet_engine(struct fleet *fleet, uint32_t host); // NULL: stopped

// ---- what happens to agents
void fleet_stop(struct fleet *fleet, uint32_t host); // the agent dies; its NIC goes on
// A new agent without memory; it must be stopped. -errno with the reason.
int fleet_start(struct fleet *fleet, uint32_t host, struct error *error);
// Not scheduled for a while.
void fleet_pause(struct fleet *fleet, uint32_t host, uint64_t span_ns);
// Gossip passes between hosts of equal groups only; all begin in group 0.
void fleet_set_group(struct fleet *fleet, uint32_t host, uint32_t group);
// A deaf host's gossip is sent, but nothing reaches it.
void fleet_set_deaf(struct fleet *fleet, uint32_t host, bool deaf);
int fleet_submit(struct fleet *fleet, uint32_t host, const struct job *job, struct error *error);
int fleet_event(struct fleet *fleet, uint32_t host, const struct engine_event *event,
                struct error *error);
// Gives an agent another file of the same fabric (a copy).
int fleet_offer_fabric(struct fleet *fleet, uint32_t host, const struct fabric *fabric,
                       struct error *error);
// Notes of a kind given out by a host since the start.
uint32_t fleet_notes(const struct fleet *fleet, uint32_t host, const char *kind);

// ---- what happens to links and packets
void fleet_cut(struct fleet *fleet, link_id link, bool cut);
bool fleet_is_cut(const struct fleet *fleet, link_id link);
// A link that marks every ECN-capable probe (Congestion Experienced).
void fleet_mark(struct fleet *fleet, link_id link, bool marks);

// A link that loses so many in a million of the probes that cross it, or takes longer than others.
void fleet_lose(struct fleet *fleet, link_id link, uint32_t loss_ppm);
void fleet_slow(struct fleet *fleet, link_id link, uint64_t excess_ns);

enum delivery { DELIVERED, LOST_ON_CUT, LOST_ASTRAY, SENT_PLAIN };
#define TRIP_LINKS_MAX 40
struct fleet_trip {
    enum delivery end;
    link_id cut;  // the first on the way that is cut, when lost on one
    port_id port; // where it arrived
    uint8_t link_count;
    link_id links[TRIP_LINKS_MAX]; // as if nothing were cut
};
// Where RoCEv2 packets of a flow go by the rules in the sender's NIC: way[bucket] (of the QP) is an
// index of trips, of which there are as many as returned; 0: they leave plain. A sprayed flow takes
// all trips evenly, and *sprayed is set. trips must hold RULE_PATHS_MAX.
uint32_t fleet_follow(const struct fleet *fleet, port_id src, port_id dst,
                      uint8_t way[RULE_BUCKETS], struct fleet_trip *trips, bool *sprayed);
// One packet between the first ports of two hosts; *cut (or NULL) names the link when lost on one.
enum delivery fleet_send(const struct fleet *fleet, uint32_t src, uint32_t dst, uint32_t qp,
                         bool ipv6, link_id *cut);
// How often a host's NICs were given rules so far.
uint64_t fleet_nic_changes(const struct fleet *fleet, uint32_t host);

#endif
