// SPDX-License-Identifier: Apache-2.0
// What holds for a whole fabric: every host reaches every other upwards and then downwards, in each
// plane in which both have ports; names of cables say one thing, no address is used twice; and the
// file's overrides, which take effect first.
#include <stdlib.h>
#include <string.h>

#include "fabric_internal.h"

// ---- overrides

static void override_link(struct builder *builder, const struct fabric_override_desc *override,
                          link_id link, uint32_t *seen) {
    struct fabric *fabric = builder->fabric;
    if (seen[link.i] != 0) {
        char name[LINK_NAME_SIZE];
        fabric_format_link(fabric, link, name);
        complaints_add(&builder->complaints, override->line, "%s: capacity set twice", name);
        return;
    }
    seen[link.i] = 1;
    fabric->cables[link_cable(link).i].capacity_ppm[link_is_reverse(link)] = override->capacity_ppm;
}

// The cables that a name means and, for "A>B", the one direction.
static bool find_override(const struct fabric *fabric, const char *name, cable_id *first,
                          uint32_t *count, bool directions[2]) {
    const char *arrow = strchr(name, '>');
    size_t size = strlen(name);
    directions[0] = directions[1] = true;
    if (arrow == NULL || size >= LINK_NAME_SIZE) {
        return size < LINK_NAME_SIZE && fabric_find_cables(fabric, name, first, count);
    }
    char undirected[LINK_NAME_SIZE], from[LINK_NAME_SIZE];
    memcpy(undirected, name, size + 1);
    undirected[arrow - name] = '-';
    memcpy(from, name, size + 1);
    from[arrow - name] = '\0';
    node_id start;
    if (!fabric_find_node(fabric, from, &start) ||
        !fabric_find_cables(fabric, undirected, first, count)) {
        return false;
    }
    directions[0] = fabric->cables[first->i].a.i == start.i;
    directions[1] = !directions[0];
    return true;
}

static void apply_override(struct builder *builder, const struct fabric_override_desc *override,
                           uint32_t *seen) {
    cable_id first;
    uint32_t count;
    bool directions[2];
    if (override->capacity_ppm > CAPACITY_FULL_PPM) {
        complaints_add(&builder->complaints, override->line, "%.72s: capacity %g: 0 to 1",
                       override->link, override->capacity_ppm / (double)CAPACITY_FULL_PPM);
        return;
    }
    if (!find_override(builder->fabric, override->link, &first, &count, directions)) {
        complaints_add(&builder->complaints, override->line, "override of unknown link %.72s",
                       override->link);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        for (int direction = 0; direction < 2; direction++) {
            if (directions[direction]) {
                override_link(builder, override, link_of((cable_id){first.i + i}, direction == 1),
                              seen);
            }
        }
    }
}

static bool apply_overrides(struct builder *builder) {
    uint32_t *seen = calloc((size_t)fabric_link_count(builder->fabric) + 1, sizeof *seen);
    if (seen == NULL) {
        complaints_no_memory(&builder->complaints);
        return false;
    }
    for (uint32_t i = 0; i < builder->desc->override_count; i++) {
        apply_override(builder, &builder->desc->overrides[i], seen);
    }
    free(seen);
    return true;
}

// ---- names and addresses

static void check_cable_names(struct builder *builder) {
    const struct fabric *fabric = builder->fabric;
    for (uint32_t i = 0; i < builder->resolved_count; i++) {
        const struct resolved_link *link = &builder->resolved[i];
        char name[LINK_NAME_SIZE];
        cable_id first, wanted = {link->first_cable};
        uint32_t count;
        fabric_format_cable(fabric, wanted, name);
        if (fabric_find_cables(fabric, name, &first, &count) && first.i != wanted.i) {
            complaints_add(&builder->complaints, builder_cable_line(builder, wanted.i),
                           "%s: two links have this name; rename a node", name);
        }
    }
}

struct address {
    uint8_t bytes[16];
    uint32_t port;
};

static int compare_address(const void *left, const void *right) {
    const struct address *a = left, *b = right;
    int order = memcmp(a->bytes, b->bytes, sizeof a->bytes);
    return order != 0 ? order : a->port < b->port ? -1 : a->port > b->port;
}

static void check_sorted(struct builder *builder, struct address *list, uint32_t count,
                         const char *family) {
    const struct fabric *fabric = builder->fabric;
    qsort(list, count, sizeof list[0], compare_address);
    for (uint32_t i = 1; i < count; i++) {
        if (memcmp(list[i].bytes, list[i - 1].bytes, sizeof list[i].bytes) == 0) {
            char name[NAME_SIZE + 4], other[NAME_SIZE + 4];
            fabric_format_port(fabric, (port_id){list[i].port}, name);
            fabric_format_port(fabric, (port_id){list[i - 1].port}, other);
            complaints_add(&builder->complaints,
                           builder_cable_line(builder, fabric->ports[list[i].port].cable.i),
                           "%s: %s: already that of %s", name, family, other);
        }
    }
}

static bool check_addresses(struct builder *builder) {
    const struct fabric *fabric = builder->fabric;
    struct address *list = calloc((size_t)fabric->port_count + 1, sizeof *list);
    if (list == NULL) {
        complaints_no_memory(&builder->complaints);
        return false;
    }
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        list[i].port = i;
        memcpy(list[i].bytes, fabric->ports[i].ipv4, sizeof fabric->ports[i].ipv4);
    }
    check_sorted(builder, list, fabric->port_count, "ipv4");
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        list[i].port = i;
        memcpy(list[i].bytes, fabric->ports[i].ipv6, sizeof list[i].bytes);
    }
    check_sorted(builder, list, fabric->port_count, "ipv6");
    free(list);
    return true;
}

// ---- reachability

// Marks nodes of `tier` that marked nodes of `from_tier` have a link with capacity to.
static void flood(const struct fabric *fabric, uint8_t *marks, uint8_t from_tier, uint8_t tier,
                  uint8_t from_mark, uint8_t mark) {
    for (uint32_t i = fabric->host_count; i < fabric->node_count; i++) {
        const struct fabric_node *node = &fabric->nodes[i];
        if (node->tier != from_tier || (marks[i] & from_mark) == 0) {
            continue;
        }
        for (uint32_t k = 0; k < node->adjacency_count; k++) {
            const struct fabric_adjacency *to = &fabric->adjacencies[node->first_adjacency + k];
            if (fabric->nodes[to->peer.i].tier == tier &&
                fabric_link_rate_bps(fabric, to->link) > 0) {
                marks[to->peer.i] |= mark;
            }
        }
    }
}

enum { MARK_UP = 1, MARK_DOWN = 2 };

// Leaves that the hosts of marked leaves reach get MARK_DOWN.
static void flood_paths(const struct fabric *fabric, uint8_t *marks) {
    flood(fabric, marks, 1, 2, MARK_UP, MARK_UP);
    flood(fabric, marks, 2, 3, MARK_UP, MARK_UP);
    flood(fabric, marks, 3, 2, MARK_UP, MARK_DOWN);
    flood(fabric, marks, 2, 1, MARK_UP | MARK_DOWN, MARK_DOWN);
}

struct host_planes {
    bool shared;  // a plane with ports of both hosts
    bool reached; // and in each such plane, the one reaches the other
};

// Whether `to` is reached in every plane that it shares with `from`, whose leaves are marked up.
static struct host_planes compare_planes(const struct fabric *fabric,
                                         const struct fabric_node *from,
                                         const struct fabric_node *to, const uint8_t *marks) {
    struct host_planes planes = {false, true};
    for (uint32_t k = 0; k < from->port_count && planes.reached; k++) {
        uint32_t plane = fabric_port_plane(fabric, (port_id){from->first_port + k});
        bool in_plane = false, reached = false;
        for (uint32_t n = to->first_port; n < to->first_port + to->port_count; n++) {
            if (fabric_port_plane(fabric, (port_id){n}) == plane) {
                in_plane = true;
                reached = reached || marks[fabric->ports[n].leaf.i] != 0;
            }
        }
        planes.shared = planes.shared || in_plane;
        planes.reached = !in_plane || reached;
    }
    return planes;
}

static void check_host(struct builder *builder, uint32_t host, const uint8_t *marks) {
    const struct fabric *fabric = builder->fabric;
    uint32_t count = 0, first = 0;
    for (uint32_t i = 0; i < fabric->host_count; i++) {
        struct host_planes planes =
            compare_planes(fabric, &fabric->nodes[host], &fabric->nodes[i], marks);
        if (i != host && fabric->nodes[i].port_count > 0 && !(planes.shared && planes.reached)) {
            first = count++ == 0 ? i : first;
        }
    }
    if (count > 0) {
        uint32_t line = fabric->nodes[host].line;
        complaints_add(&builder->complaints, line > 0 ? line : builder->desc->line_clos,
                       "%s: no path up and down to %s (unreachable hosts: %u)",
                       fabric->nodes[host].name, fabric->nodes[first].name, count);
    }
}

static bool same_leaves(const struct fabric *fabric, const struct fabric_node *a,
                        const struct fabric_node *b) {
    if (a->port_count != b->port_count) {
        return false;
    }
    for (uint32_t k = 0; k < a->port_count; k++) {
        if (fabric->ports[a->first_port + k].leaf.i != fabric->ports[b->first_port + k].leaf.i) {
            return false;
        }
    }
    return true;
}

// Hosts of the same leaves share their reach, so only the first of a row of such is looked at.
static bool check_reach(struct builder *builder) {
    const struct fabric *fabric = builder->fabric;
    uint8_t *marks = malloc((size_t)fabric->node_count + 1);
    if (marks == NULL) {
        complaints_no_memory(&builder->complaints);
        return false;
    }
    const struct fabric_node *last = NULL;
    for (uint32_t i = 0; i < fabric->host_count; i++) {
        const struct fabric_node *host = &fabric->nodes[i];
        if (host->port_count == 0 || (last != NULL && same_leaves(fabric, host, last))) {
            continue;
        }
        last = host;
        memset(marks, 0, fabric->node_count);
        for (uint32_t k = 0; k < host->port_count; k++) {
            marks[fabric->ports[host->first_port + k].leaf.i] = MARK_UP;
        }
        flood_paths(fabric, marks);
        check_host(builder, i, marks);
    }
    free(marks);
    return true;
}

static void check_hosts_have_ports(struct builder *builder) {
    const struct fabric *fabric = builder->fabric;
    for (uint32_t i = 0; i < fabric->host_count; i++) {
        if (fabric->nodes[i].port_count == 0) {
            complaints_add(&builder->complaints, fabric->nodes[i].line, "%s: no link to a leaf",
                           fabric->nodes[i].name);
        }
    }
    if (fabric->host_count == 0) {
        complaints_add(&builder->complaints, 0, "no hosts");
    }
}

// A generated fabric is connected by construction as long as no link was taken out of it.
static bool needs_reach_check(const struct builder *builder) {
    if (builder->desc->clos == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < builder->desc->override_count; i++) {
        if (builder->desc->overrides[i].capacity_ppm == 0) {
            return true;
        }
    }
    return false;
}

bool fabric_check(struct builder *builder) {
    bool whole = builder->complaints.total == 0; // else what is missing follows from that
    if (!apply_overrides(builder)) {
        return false;
    }
    if (!whole) {
        return true;
    }
    check_cable_names(builder);
    check_hosts_have_ports(builder);
    if (!check_addresses(builder)) {
        return false;
    }
    return !needs_reach_check(builder) || check_reach(builder);
}
