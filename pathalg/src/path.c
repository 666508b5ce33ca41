// SPDX-License-Identifier: Apache-2.0
#include "pathalg/candidates.h"

#include "live.h"

bool path_equal(const struct path *a, const struct path *b) {
    if (a->link_count != b->link_count) {
        return false;
    }
    for (unsigned i = 0; i < a->link_count; i++) {
        if (a->links[i].i != b->links[i].i) {
            return false;
        }
    }
    return true;
}

bool path_is_live(const struct fabric *fabric, const struct link_belief *beliefs,
                  const struct path *path) {
    for (unsigned i = 0; i < path->link_count; i++) {
        if (!link_is_live(fabric, beliefs, path->links[i])) {
            return false;
        }
    }
    return path->link_count > 0;
}

static bool path_has_cable(const struct path *path, cable_id cable) {
    for (unsigned i = 0; i < path->link_count; i++) {
        if (link_cable(path->links[i]).i == cable.i) {
            return true;
        }
    }
    return false;
}

bool path_shares_cable(const struct fabric *fabric, const struct path *a, const struct path *b) {
    for (unsigned i = 0; i < a->link_count; i++) {
        if (fabric_link_is_internal(fabric, a->links[i]) &&
            path_has_cable(b, link_cable(a->links[i]))) {
            return true;
        }
    }
    return false;
}
