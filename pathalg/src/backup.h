// SPDX-License-Identifier: Apache-2.0
// Backups from a candidate set that is at hand. Private to pathalg.
#ifndef PATHALG_BACKUP_H
#define PATHALG_BACKUP_H

#include "pathalg/candidates.h"

// The index of a candidate that lives and shares no cable with candidates[primary], ID_NONE when
// there is none. live: one per candidate; NULL: all live. Successive turns go round the other
// candidates, so that what one link carries falls evenly on all others when it dies, instead of on
// the next one.
uint32_t backup_rotate(const struct fabric *fabric, const struct path *candidates, const bool *live,
                       uint32_t count, uint32_t primary, uint64_t turn);

#endif
