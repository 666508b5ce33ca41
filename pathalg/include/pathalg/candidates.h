// SPDX-License-Identifier: Apache-2.0
// Candidate paths: all shortest up-down paths between two host ports, in a fixed order (by the
// first switch above the leaf, then cable indices), as leaf-spine and three-tier Clos fabrics have
// them. Dead and drained links are left out. Where no path over one switch above the leaves is
// live, paths over two tiers (agg, core, agg) are the shortest.
#ifndef PATHALG_CANDIDATES_H
#define PATHALG_CANDIDATES_H

#include "pathalg/plan.h"

#define CANDIDATES_MAX 4096

// Fills at most `max` live candidates and returns how many there are (0: unreachable). When there
// are more than `max`, a fixed subset of exactly `max`, evenly spaced in the order, is filled.
// Within a leaf: the one path of two host links. `paths` may be NULL to count only.
uint32_t candidates_find(const struct fabric *fabric, const struct link_belief *beliefs,
                         port_id src, port_id dst, struct path *paths, uint32_t max);
bool path_is_live(const struct fabric *fabric, const struct link_belief *beliefs,
                  const struct path *path);
// True when the two share a link between switches (either direction of one cable counts as shared).
bool path_shares_cable(const struct fabric *fabric, const struct path *a, const struct path *b);
// The live candidate that shares no cable with `path`, chosen by hash of (salt, candidate), so that
// different salts spread evenly over what there is; link_count 0 when there is none. (plan_host,
// which sees all flows of the host, goes round the candidates instead, which is more even.)
void backup_find(const struct fabric *fabric, const struct link_belief *beliefs, port_id src,
                 port_id dst, const struct path *path, uint64_t salt, struct path *backup);
bool path_equal(const struct path *a, const struct path *b);

#endif
