// SPDX-License-Identifier: Apache-2.0
// The least time in which the links between switches can drain what leaves send each other, if
// every byte may be divided over all live shortest paths at will: maximum concurrent flow, solved
// as a linear program. It knows the fabric, the state of its links and the traffic, and nothing of
// how plans are made.
//
// Flows to one destination leaf may share variables, because any such flow can be taken apart into
// paths again; so there is one variable for each destination leaf and link on a way to it, not one
// for each path:
//
//   what arrives at a switch for a leaf  =  what leaves it for that leaf
//   what all leaves have on a link      <=  time x what the link carries
//
// A switch with a single way on needs no variable for it: what arrives uses that way.
#ifndef SIM_BOUND_LP_H
#define SIM_BOUND_LP_H

#include "lp.h"
#include "traffic.h"

struct lp_bound {
    double bound_s;
    struct lp_result program;
};

// -ENOMEM, -E2BIG (too large for Clp, see lp.h), -EIO; each with the reason.
int bound_lp(const struct traffic *traffic, struct lp_bound *out, struct error *error);

#endif
