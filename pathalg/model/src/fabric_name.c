// SPDX-License-Identifier: Apache-2.0
#include "fabric_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"

static bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool fabric_name_valid(const char *name) {
    size_t size = strlen(name);
    if (size == 0 || size >= NAME_SIZE || !is_alnum(name[0])) {
        return false;
    }
    for (size_t i = 1; i < size; i++) {
        if (!is_alnum(name[i]) && name[i] != '-' && name[i] != '_') {
            return false;
        }
    }
    return true;
}

bool fabric_name_index_init(struct fabric *fabric) {
    uint32_t size = 16;
    while (size < 2 * fabric->node_count) {
        size *= 2;
    }
    fabric->name_index = malloc(size * sizeof fabric->name_index[0]);
    if (fabric->name_index == NULL) {
        return false;
    }
    memset(fabric->name_index, 0xff, size * sizeof fabric->name_index[0]); // ID_NONE
    fabric->name_index_size = size;
    return true;
}

// The slot that holds the name or, when it is unknown, the free slot where it belongs.
static uint32_t *find_slot(const struct fabric *fabric, const char *name, size_t size) {
    uint32_t mask = fabric->name_index_size - 1;
    uint32_t at = (uint32_t)hash_bytes(name, size, 0) & mask;
    for (;; at = (at + 1) & mask) {
        uint32_t *slot = &fabric->name_index[at];
        if (*slot == ID_NONE) {
            return slot;
        }
        const char *other = fabric->nodes[*slot].name;
        if (strncmp(other, name, size) == 0 && other[size] == '\0') {
            return slot;
        }
    }
}

bool fabric_name_index_add(struct fabric *fabric, uint32_t node) {
    const char *name = fabric->nodes[node].name;
    uint32_t *slot = find_slot(fabric, name, strlen(name));
    if (*slot != ID_NONE) {
        return false;
    }
    *slot = node;
    return true;
}

static bool find_node(const struct fabric *fabric, const char *name, size_t size, node_id *out) {
    if (size == 0 || size >= NAME_SIZE) {
        return false;
    }
    uint32_t node = *find_slot(fabric, name, size);
    if (node == ID_NONE) {
        return false;
    }
    out->i = node;
    return true;
}

bool fabric_find_node(const struct fabric *fabric, const char *name, node_id *out) {
    return find_node(fabric, name, strlen(name), out);
}

// A trailing ".k" is an index; node names have no dot. Returns the length in front of it; *index is
// -1 when there is none, and false is returned for a dot without a number behind it.
static bool split_index(const char *name, size_t *size, int *index) {
    const char *dot = strrchr(name, '.');
    *size = dot == NULL ? strlen(name) : (size_t)(dot - name);
    *index = -1;
    if (dot == NULL) {
        return true;
    }
    size_t digits = strspn(dot + 1, "0123456789");
    bool leading_zero = dot[1] == '0' && digits > 1;
    if (digits == 0 || digits > 3 || dot[1 + digits] != '\0' || leading_zero) {
        return false;
    }
    *index = atoi(dot + 1);
    return true;
}

bool fabric_find_port(const struct fabric *fabric, const char *name, port_id *out) {
    size_t size;
    int index;
    node_id host;
    if (!split_index(name, &size, &index) || !find_node(fabric, name, size, &host)) {
        return false;
    }
    const struct fabric_node *node = &fabric->nodes[host.i];
    uint32_t port = index < 0 ? 0 : (uint32_t)index;
    if (node->kind != NODE_HOST || port >= node->port_count) {
        return false;
    }
    out->i = node->first_port + port;
    return true;
}

// Finds the neighbours that "A<separator>B[.k]" names. Node names may contain '-', so every place
// where the separator stands is tried; fabric_check refuses fabrics where two would fit.
static const struct fabric_adjacency *find_between(const struct fabric *fabric, const char *name,
                                                   char separator, uint32_t *count, int *index) {
    size_t size;
    if (!split_index(name, &size, index)) {
        return NULL;
    }
    for (size_t i = 1; i + 1 < size; i++) {
        node_id from, to;
        if (name[i] != separator || !find_node(fabric, name, i, &from) ||
            !find_node(fabric, name + i + 1, size - i - 1, &to)) {
            continue;
        }
        const struct fabric_adjacency *found = fabric_find_adjacency(fabric, from, to, count);
        if (found != NULL && (*index < 0 || (uint32_t)*index < *count)) {
            return found;
        }
    }
    return NULL;
}

bool fabric_find_link(const struct fabric *fabric, const char *name, link_id *out) {
    uint32_t count;
    int index;
    const struct fabric_adjacency *found = find_between(fabric, name, '>', &count, &index);
    if (found == NULL || (index < 0 && count > 1)) {
        return false;
    }
    *out = found[index < 0 ? 0 : index].link;
    return true;
}

bool fabric_find_cables(const struct fabric *fabric, const char *name, cable_id *first,
                        uint32_t *count) {
    uint32_t parallel;
    int index;
    const struct fabric_adjacency *found = find_between(fabric, name, '-', &parallel, &index);
    if (found == NULL) {
        return false;
    }
    *first = link_cable(found[index < 0 ? 0 : index].link);
    *count = index < 0 ? parallel : 1;
    return true;
}

static void format_ends(const struct fabric *fabric, link_id link, char separator,
                        char text[LINK_NAME_SIZE]) {
    const struct fabric_cable *cable = &fabric->cables[link_cable(link).i];
    const char *from = fabric->nodes[fabric_link_from(fabric, link).i].name;
    const char *to = fabric->nodes[fabric_link_to(fabric, link).i].name;
    if (cable->parallel_count > 1) {
        snprintf(text, LINK_NAME_SIZE, "%s%c%s.%u", from, separator, to, cable->index);
    } else {
        snprintf(text, LINK_NAME_SIZE, "%s%c%s", from, separator, to);
    }
}

void fabric_format_link(const struct fabric *fabric, link_id link, char text[LINK_NAME_SIZE]) {
    format_ends(fabric, link, '>', text);
}

void fabric_format_cable(const struct fabric *fabric, cable_id cable, char text[LINK_NAME_SIZE]) {
    format_ends(fabric, link_of(cable, false), '-', text);
}

void fabric_format_port(const struct fabric *fabric, port_id port, char text[NAME_SIZE + 4]) {
    const struct fabric_port *p = &fabric->ports[port.i];
    const struct fabric_node *host = &fabric->nodes[p->host.i];
    if (host->port_count > 1) {
        snprintf(text, NAME_SIZE + 4, "%s.%u", host->name, p->index);
    } else {
        snprintf(text, NAME_SIZE + 4, "%s", host->name);
    }
}
