// SPDX-License-Identifier: Apache-2.0
// Visits candidate paths without storing them. Private to pathalg.
#ifndef PATHALG_ENUMERATE_H
#define PATHALG_ENUMERATE_H

#include "pathalg/candidates.h"

typedef void path_visit_fn(void *context, uint32_t ordinal, const struct path *path);

// Visits every live candidate in the fixed order and returns how many there are.
uint32_t candidates_enumerate(const struct fabric *fabric, const struct link_belief *beliefs,
                              port_id src, port_id dst, path_visit_fn *visit, void *context);

#endif
