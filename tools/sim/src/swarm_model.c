// SPDX-License-Identifier: Apache-2.0
#include "swarm_model.h"

#include <math.h>
#include <string.h>

#include "model/rng.h"
#include "model/time.h"

#define TWO_PI 6.283185307179586

enum purpose {
    PURPOSE_WAKE = 1,
    PURPOSE_ANGLE,
    PURPOSE_PAUSE,
    PURPOSE_LENGTH,
    PURPOSE_STALL,
    PURPOSE_LOSS
};

static const char *const profile_names[] = {
    [SWARM_IDLE] = "idle", [SWARM_BUSY] = "busy", [SWARM_HALTING] = "halting"};

const char *swarm_profile_name(enum swarm_profile profile) {
    return profile_names[profile];
}

bool swarm_profile_find(const char *name, enum swarm_profile *profile) {
    for (uint32_t i = 0; i < sizeof profile_names / sizeof profile_names[0]; i++) {
        if (strcmp(profile_names[i], name) == 0) {
            *profile = (enum swarm_profile)i;
            return true;
        }
    }
    return false;
}

struct swarm_model swarm_model_make(enum swarm_profile profile, uint64_t seed) {
    struct swarm_model model = {.seed = seed,
                                .profile = profile,
                                .send_ns = 15 * NS_PER_US,
                                .receive_ns = 30 * NS_PER_US,
                                .verify_ns = 65 * NS_PER_US,
                                .wire_rack_ns = 8 * NS_PER_US,
                                .wire_ns = 15 * NS_PER_US,
                                .wake_median_ns = 20e3,
                                .wake_sigma = 0.5};
    if (profile != SWARM_IDLE) {
        model.wake_each = profile == SWARM_BUSY;
        model.wake_median_ns = 100e3;
        model.wake_sigma = 1.2;
        model.pause_share = 0.01;
        model.pause_max_ns = 20 * NS_PER_MS;
    }
    return model;
}

double swarm_draw(uint64_t seed, uint64_t purpose, uint64_t index) {
    return (double)(hash_pair(hash_pair(seed, purpose), index) >> 11) * 0x1p-53;
}

// The n-th of a host.
static double draw(const struct swarm_model *model, enum purpose purpose, uint32_t host,
                   uint64_t nth) {
    return swarm_draw(model->seed, purpose, hash_pair(host, nth));
}

uint64_t swarm_wake_ns(const struct swarm_model *model, uint32_t host, uint64_t nth) {
    // Box and Muller's normal variable; 1 - draw is never 0.
    double radius = sqrt(-2 * log(1 - draw(model, PURPOSE_WAKE, host, nth)));
    double normal = radius * cos(TWO_PI * draw(model, PURPOSE_ANGLE, host, nth));
    double wake = model->wake_median_ns * exp(model->wake_sigma * normal);
    if (draw(model, PURPOSE_PAUSE, host, nth) < model->pause_share) {
        wake += (double)model->pause_max_ns * draw(model, PURPOSE_LENGTH, host, nth);
    }
    return (uint64_t)wake;
}

uint64_t swarm_way_ns(const struct swarm_model *model, uint32_t from, uint32_t to) {
    bool near = from / SWARM_RACK_HOSTS == to / SWARM_RACK_HOSTS;
    bool stalled =
        model->stall_share > 0 && draw(model, PURPOSE_STALL, from, to) < model->stall_share;
    return (near ? model->wire_rack_ns : model->wire_ns) + (stalled ? model->stall_ns : 0);
}

bool swarm_loses(const struct swarm_model *model, uint32_t from, uint64_t nth) {
    return model->loss_share > 0 && draw(model, PURPOSE_LOSS, from, nth) < model->loss_share;
}
