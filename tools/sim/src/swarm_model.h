// SPDX-License-Identifier: Apache-2.0
// What time passes while gossip spreads: in hosts that work one message after the other, and on the
// way between them; and what the network loses or holds up.
//
// All draws are hashes of the seed and of what they are for, so that two runs of a seed which
// differ by one event meet the same network.
#ifndef SIM_SWARM_MODEL_H
#define SIM_SWARM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define SWARM_RACK_HOSTS 32

// How long a host takes from sleep to work.
enum swarm_profile {
    SWARM_IDLE, // it has little else to do
    // It trains: processors are contended, now and then something pauses. Each message and each
    // deadline has its own wait, as if a thread of its own served it.
    SWARM_BUSY,
    SWARM_HALTING, // as busy, but while it waits, the whole host does nothing
};

struct swarm_model {
    uint64_t seed;
    enum swarm_profile profile;
    uint64_t send_ns;    // for each message, in series
    uint64_t receive_ns; // for each message, in series, and to apply it
    uint64_t verify_ns;  // more, for each signature that is checked
    uint64_t wire_rack_ns, wire_ns;
    double wake_median_ns, wake_sigma; // lognormal
    double pause_share;                // of the times that a host is woken up
    uint64_t pause_max_ns;             // uniform up to this
    bool wake_each;     // not the host as a whole is woken up, but each message and deadline waits
    double stall_share; // of ordered pairs of hosts
    uint64_t stall_ns;  // more, for all that such a pair carries
    double loss_share;  // of messages
};

// The figures of a profile; no stalls, no loss.
struct swarm_model swarm_model_make(enum swarm_profile profile, uint64_t seed);
const char *swarm_profile_name(enum swarm_profile profile);
// False when there is none of this name.
bool swarm_profile_find(const char *name, enum swarm_profile *profile);
// Uniform in [0, 1).
double swarm_draw(uint64_t seed, uint64_t purpose, uint64_t index);
// The host's n-th wait.
uint64_t swarm_wake_ns(const struct swarm_model *model, uint32_t host, uint64_t nth);
uint64_t swarm_way_ns(const struct swarm_model *model, uint32_t from, uint32_t to);
// Whether the n-th message that `from` sends is lost.
bool swarm_loses(const struct swarm_model *model, uint32_t from, uint64_t nth);

#endif
