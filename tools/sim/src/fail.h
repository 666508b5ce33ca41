// SPDX-License-Identifier: Apache-2.0
// --fail LINK[=FRACTION]: what is broken in the fabric, as the beliefs that all agents would share.
//
//   leaf0-spine3         both directions of all parallel cables
//   leaf0-spine3.1       both directions of one cable
//   leaf0>spine3[.1]     one direction
//   =0.5                 half of the capacity is left; without it, none
#ifndef SIM_FAIL_H
#define SIM_FAIL_H

#include "model/belief.h"
#include "model/error.h"
#include "model/fabric.h"

// What such a name stands for: some parallel cables, in one direction or both.
struct fail_target {
    cable_id first;
    uint32_t count;
    bool ways[2]; // as link_of takes them
};
// False, *out untouched: the fabric has no such link.
bool fail_find(const struct fabric *fabric, const char *name, struct fail_target *out);

// Beliefs of a whole fabric, one per directed link; returns owned (free), NULL without memory.
struct link_belief *beliefs_healthy(const struct fabric *fabric);

// Applies one option to the beliefs; several on one link: the last counts. -EINVAL when the
// fraction is no number from 0 to 1, -ENOENT when the fabric has no such link; beliefs stay as they
// were.
int fail_apply(const struct fabric *fabric, const char *option, struct link_belief *beliefs,
               struct error *error);

#endif
