// SPDX-License-Identifier: Apache-2.0
// How many sub-flows beyond one per flow published Ethereal would need for the same flows: of n
// flows of one job from a source port to one destination leaf with s live paths, r = n mod s are
// cut in s / gcd(r, s) parts each (Addanki et al., arXiv:2407.00550), so n + r (s / gcd(r, s) - 1)
// in all.
#ifndef SIM_ETHEREAL_SPLITS_H
#define SIM_ETHEREAL_SPLITS_H

#include "traffic.h"

// Of the flows of one host's plan that cross leaves and arrive. counts: room for one number per
// leaf, zeros before and after.
uint64_t ethereal_splits(const struct traffic *traffic, const struct plan *plan, uint32_t job_count,
                         uint32_t *counts);

#endif
