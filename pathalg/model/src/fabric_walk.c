// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "model/fabric.h"

// A path of the tallest fabric here is six links, each of at most uN and uA. fabric_open therefore
// has no path to refuse for its length; only longer walks (loops of probes) meet -ENOSPC.
_Static_assert(2 * 6 + 1 <= USID_LIST_MAX, "any path of three tiers fits the driver's limit");

static bool is_host(const struct fabric *fabric, node_id node) {
    return fabric->nodes[node.i].kind == NODE_HOST;
}

static bool walk_is_sound(const struct fabric *fabric, const link_id *links, unsigned link_count) {
    if (link_count < 2) {
        return false;
    }
    for (unsigned i = 0; i < link_count; i++) {
        if (links[i].i >= fabric_link_count(fabric)) {
            return false;
        }
        bool first = i == 0, last = i + 1 == link_count;
        if (is_host(fabric, fabric_link_from(fabric, links[i])) != first ||
            is_host(fabric, fabric_link_to(fabric, links[i])) != last) {
            return false;
        }
        if (!first &&
            fabric_link_from(fabric, links[i]).i != fabric_link_to(fabric, links[i - 1]).i) {
            return false;
        }
    }
    return true;
}

// The hop over links[i], given whether the uSID before named the node where it starts.
static int append_hop(const struct fabric *fabric, link_id link, bool *named,
                      struct usid_list *usids) {
    const struct fabric_cable *cable = &fabric->cables[link_cable(link).i];
    const struct fabric_node *from = &fabric->nodes[fabric_link_from(fabric, link).i];
    const struct fabric_node *to = &fabric->nodes[fabric_link_to(fabric, link).i];
    if (from->kind == NODE_HOST || cable->parallel_count == 1) {
        // A host's cables have a port each; the port that sends has already chosen.
        *named = true;
        return usid_list_append(usids, to->usid);
    }
    if (!*named) {
        int rc = usid_list_append(usids, from->usid);
        if (rc != 0) {
            return rc;
        }
    }
    *named = false;
    return usid_list_append(usids, cable->usid_adjacency[link_is_reverse(link)]);
}

static uint16_t port_usid(const struct fabric *fabric, link_id last) {
    const struct fabric_node *host = &fabric->nodes[fabric_link_to(fabric, last).i];
    const struct fabric_port *port = &fabric->ports[host->first_port];
    while (port->cable.i != link_cable(last).i) {
        port++; // every cable of a host is one of its ports
    }
    return port->usid;
}

int fabric_walk_sids(const struct fabric *fabric, const link_id *links, unsigned link_count,
                     struct sid_list *out) {
    if (!walk_is_sound(fabric, links, link_count)) {
        return -EINVAL;
    }
    struct usid_list usids = {0};
    bool named = false;
    for (unsigned i = 0; i + 1 < link_count; i++) {
        int rc = append_hop(fabric, links[i], &named, &usids);
        if (rc != 0) {
            return rc;
        }
    }
    int rc = usid_list_append(&usids, port_usid(fabric, links[link_count - 1]));
    return rc != 0 ? rc : sid_list_pack(fabric->block, &usids, out);
}
