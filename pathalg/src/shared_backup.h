// SPDX-License-Identifier: Apache-2.0
// Backups of listed flows: what one link carries falls evenly on the others when it dies. Few flows
// share a link here, so chance would put two of them on one backup; all agents therefore choose all
// backups, alike. Private to pathalg.
#ifndef PATHALG_SHARED_BACKUP_H
#define PATHALG_SHARED_BACKUP_H

#include "sparse.h"

struct backup_input {
    const struct grid *grid;
    const uint64_t *rate_bps; // now, one per directed link
    const struct sparse_flow *flows;
    const struct sparse_part *parts;
    uint32_t part_count;
};

// Whether two columns between leaves have a cable in common.
bool columns_meet(const struct grid *grid, const uint32_t leaves[2], uint32_t a, uint32_t b);
// columns[part]: a live column that shares no cable with the part's own, ID_NONE when there is
// none. -ENOMEM.
int backup_choose(const struct backup_input *input, uint32_t *columns);

#endif
