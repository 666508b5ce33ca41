// SPDX-License-Identifier: Apache-2.0
// A fleet in memory and virtual time: the agents' real engines on every host of a fabric, a gossip
// network with a fixed delay, and a fabric that forwards loop probes by their SIDs, as uN and uA
// do, over links that tests cut and heal.
//
// Deterministic: same calls, same run. It is the tests' judge of the engine, so it knows nothing of
// plans: it asks where a packet goes by evaluating the rules that the engine wants in the NIC and
// then following the SIDs.
#ifndef TESTS_AGENTS_SIM_H
#define TESTS_AGENTS_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_core/engine.h"

struct agents_sim;

struct agents_sim_options {
    const char *clos_kind; // "leaf-spine"
    uint32_t leaves, spines, hosts_per_leaf, cables;
    uint32_t pods, leaves_per_pod, aggs_per_pod, cores; // three-tier
    uint64_t probe_interval_ns, seed;
    bool no_srh; // the NICs write one carrier only
};

struct agents_sim *agents_sim_open(const struct agents_sim_options *options);
void agents_sim_close(struct agents_sim *sim);
uint64_t agents_sim_now_ns(const struct agents_sim *sim);
void agents_sim_run(struct agents_sim *sim, uint64_t span_ns);

const struct fabric *agents_sim_fabric(const struct agents_sim *sim);
uint32_t agents_sim_count(const struct agents_sim *sim);
struct engine *agents_sim_engine(struct agents_sim *sim, uint32_t host);

void agents_sim_cut(struct agents_sim *sim, link_id link, bool cut);
void agents_sim_stop(struct agents_sim *sim, uint32_t host);  // the agent dies; its NIC goes on
void agents_sim_start(struct agents_sim *sim, uint32_t host); // a new agent without memory
void agents_sim_pause(struct agents_sim *sim, uint32_t host,
                      uint64_t span_ns); // not scheduled for a while
int agents_sim_submit(struct agents_sim *sim, uint32_t host, const struct job *job,
                      struct error *error);
int agents_sim_event(struct agents_sim *sim, uint32_t host, const struct engine_event *event,
                     struct error *error);

// Gives an agent a new file of the same fabric.
int agents_sim_offer_fabric(struct agents_sim *sim, uint32_t host, uint64_t generation,
                            struct error *error);

enum delivery { DELIVERED, LOST_ON_CUT, LOST_ASTRAY, SENT_PLAIN };
// Sends one RoCEv2 packet from host to host by the rules in the sender's NIC; *cut names the link
// when lost on a cut.
enum delivery agents_sim_send(struct agents_sim *sim, uint32_t src, uint32_t dst, uint32_t qp,
                              bool ipv6, link_id *cut);
// Notes of a kind given out by a host since the start.
uint32_t agents_sim_notes(const struct agents_sim *sim, uint32_t host, const char *kind);

#endif
