// SPDX-License-Identifier: Apache-2.0
// The reference for the replicated tables, in a few lines that share nothing with the core. It
// knows what each owner wrote, and remembers under which (life, seq) its owner held it. Then, at
// any time of a run and on any host:
//
//   * what is held of an origin is, whole, what its owner held at that (life, seq): no mixture, no
//     record of an earlier life, no key that came back;
//   * it is never older than what this process held before; not even after quarantine, until the
//     name may be forgotten;
//   * it is kept until its owner was dead or gone here for the serving time, so that no job is
//   lost;
//   * who said goodbye has left, for all who heard it, and nobody else has;
//   * nobody is a member who never ran; nobody raises an alarm, and nobody calls a host dead that
//     runs within reach since long;
//   * what came as it was sent is believed: nobody passes on what is not true;
//   * a core holds no more than there is.
//
// And where all is well for long enough, every live host holds the newest of every live origin, and
// all the same of the dead.
#ifndef TESTS_GOSSIP_MODEL_H
#define TESTS_GOSSIP_MODEL_H

#include "gossip_net.h"

#define MODEL_KEYS 24 // facts of a host
#define MODEL_JOBS 6
#define MODEL_SLOTS (MODEL_KEYS + MODEL_JOBS)
#define MODEL_CALM_NS (2 * NS_PER_S) // after that long without disturbance all must be well
#define MODEL_TEXT 200

struct model_contents {
    uint32_t value[MODEL_SLOTS]; // positive, never used twice; 0: none
};

struct model_stamp {
    uint32_t incarnation, nonce;
    uint64_t seq;
};

struct model_state { // what an owner held
    struct model_stamp stamp;
    struct model_contents contents;
    bool left; // with this state it said goodbye
};

struct model_history {
    struct model_state *states;
    uint32_t count, capacity;
};

struct model_replica { // what a process was seen to hold of an origin
    struct model_stamp stamp;
    bool held, known; // held now; its stamp counts
    enum gossip_state state;
    uint64_t since_ns; // of that state
};

struct gossip_model {
    const struct gossip_net *net;
    struct model_contents now[NET_HOSTS_MAX];
    struct model_history history[NET_HOSTS_MAX];
    struct model_replica replicas[NET_HOSTS_MAX][NET_HOSTS_MAX]; // on, of
    uint64_t started_ns[NET_HOSTS_MAX];
    bool leaving[NET_HOSTS_MAX];
    uint64_t calm_since_ns; // NEVER_NS while the run is disturbed
    uint32_t next_value;
    bool damage; // alarms may be due to it
    char violation[MODEL_TEXT];
};

void model_init(struct gossip_model *model, struct gossip_net *net); // hooks into the network
void model_fini(struct gossip_model *model);
// Each does the same to the model and to the host on the network. Slots from MODEL_KEYS on are
// jobs.
void model_put(struct gossip_model *model, struct gossip_net *net, uint32_t host, uint32_t slot);
void model_delete(struct gossip_model *model, struct gossip_net *net, uint32_t host, uint32_t slot);
// A new process; with its disk it writes again at once what it had written.
void model_start(struct gossip_model *model, struct gossip_net *net, uint32_t host, bool from_disk);
void model_leave(struct gossip_model *model, struct gossip_net *net, uint32_t host);
// Looks at all that all hold; false when the model was violated, now or before.
bool model_sweep(struct gossip_model *model);
// True when every live host's view is as the model says; `text` says what differs first.
bool model_agrees(const struct gossip_model *model, char text[MODEL_TEXT]);

#endif
