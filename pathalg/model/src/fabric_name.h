// SPDX-License-Identifier: Apache-2.0
// The index of node names that fabric_open builds and the lookups by name use.
#ifndef MODEL_FABRIC_NAME_H
#define MODEL_FABRIC_NAME_H

#include "model/fabric.h"

// Letters, digits, '-' and '_', beginning with a letter or digit, shorter than NAME_SIZE: what
// cannot be confused with a port ("h0.1"), a direction ("a>b") or a path.
bool fabric_name_valid(const char *name);
// Allocates an empty index for node_count names. False: no memory.
bool fabric_name_index_init(struct fabric *fabric);
// False when a node of that name is there already; the index is unchanged then.
bool fabric_name_index_add(struct fabric *fabric, uint32_t node);

#endif
