// SPDX-License-Identifier: Apache-2.0
#include "import.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 4
#define RATE_GBPS_MAX 100000.0

struct import {
    const struct import_options *options;
    fabric_complain_fn *complain;
    void *context;
    bool failed;
    struct fabric_node_desc *nodes; // names owned
    size_t node_count, node_capacity;
    struct fabric_link_desc *links; // ends are names of nodes
    size_t link_count, link_capacity;
    void *node_tree; // tsearch: known_node by name
};

struct known_node {
    char name[NAME_SIZE];
    enum node_kind kind;
    uint32_t line;
};

static void wrong(struct import *import, uint32_t line, const char *what, const char *which) {
    struct error error = {.code = -EINVAL};
    snprintf(error.text, sizeof error.text, "%s:%u: %s%s%.40s", import->options->source, line, what,
             which != NULL ? ": " : "", which != NULL ? which : "");
    import->complain(import->context, &error);
    import->failed = true;
}

static int compare_nodes(const void *a, const void *b) {
    return strcmp(((const struct known_node *)a)->name, ((const struct known_node *)b)->name);
}

static enum node_kind kind_of(const struct import_options *options, const char *name) {
    if (fnmatch(options->leaf_pattern, name, 0) == 0) {
        return NODE_LEAF;
    }
    return fnmatch(options->spine_pattern, name, 0) == 0 ? NODE_SPINE : NODE_HOST;
}

// Doubles an array that is full. The caller counts.
static bool reserve(void **array, size_t count, size_t *capacity, size_t item_size) {
    if (count < *capacity) {
        return true;
    }
    size_t wanted = *capacity == 0 ? 256 : 2 * *capacity;
    void *larger = reallocarray(*array, wanted, item_size);
    if (larger == NULL) {
        return false;
    }
    *array = larger;
    *capacity = wanted;
    return true;
}

// The node of this name, made at its first mention. NULL after a complaint.
static const struct known_node *need_node(struct import *import, const char *name, uint32_t line) {
    if (name[0] == '\0' || strlen(name) >= NAME_SIZE) {
        wrong(import, line, "not a node's name", name);
        return NULL;
    }
    struct known_node *node = calloc(1, sizeof *node);
    if (node == NULL || !reserve((void **)&import->nodes, import->node_count,
                                 &import->node_capacity, sizeof *import->nodes)) {
        free(node);
        wrong(import, line, "out of memory", NULL);
        return NULL;
    }
    strcpy(node->name, name);
    node->kind = kind_of(import->options, name);
    node->line = line;
    struct known_node **found = tsearch(node, &import->node_tree, compare_nodes);
    if (found == NULL || *found != node) {
        free(node);
        if (found == NULL) {
            wrong(import, line, "out of memory", NULL);
        }
        return found != NULL ? *found : NULL;
    }
    import->nodes[import->node_count++] =
        (struct fabric_node_desc){.name = node->name, .kind = node->kind, .line = line};
    return node;
}

static void add_link(struct import *import, char *const fields[FIELDS_MAX], double gbps,
                     unsigned cables, uint32_t line) {
    const struct known_node *a = need_node(import, fields[0], line);
    const struct known_node *b = need_node(import, fields[1], line);
    if (a == NULL || b == NULL) {
        return;
    }
    if (a->kind > b->kind || (a->kind == b->kind && strcmp(a->name, b->name) > 0)) {
        const struct known_node *higher = a;
        a = b;
        b = higher;
    }
    if (!reserve((void **)&import->links, import->link_count, &import->link_capacity,
                 sizeof *import->links)) {
        wrong(import, line, "out of memory", NULL);
        return;
    }
    import->links[import->link_count++] =
        (struct fabric_link_desc){.a = a->name,
                                  .b = b->name,
                                  .cables = cables,
                                  .rate_bps = (uint64_t)llround(gbps * 1e9),
                                  .line = line};
}

static char *trim(char *text) {
    text += strspn(text, " \t");
    for (size_t size = strlen(text); size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL;) {
        text[--size] = '\0';
    }
    return text;
}

static bool parse_number(const char *text, double least, double most, double *out) {
    char *end;
    double value = strtod(text, &end);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || !(value >= least && value <= most)) {
        return false;
    }
    *out = value;
    return true;
}

static void take_line(struct import *import, char *text, uint32_t line) {
    char *fields[FIELDS_MAX + 1] = {NULL};
    size_t count = 0;
    for (char *field; count <= FIELDS_MAX && (field = strsep(&text, ",")) != NULL;) {
        fields[count++] = trim(field);
    }
    double gbps = 0, cables = 1;
    if (count < 3 || count > FIELDS_MAX) {
        wrong(import, line, "not a,b,gbps[,cables]", fields[0]);
    } else if (!parse_number(fields[2], 1e-6, RATE_GBPS_MAX, &gbps)) {
        wrong(import, line, "not a rate in Gbit/s", fields[2]);
    } else if (count == FIELDS_MAX && (!parse_number(fields[3], 1, CABLES_PARALLEL_MAX, &cables) ||
                                       cables != floor(cables))) {
        wrong(import, line, "not a number of cables", fields[3]);
    } else {
        add_link(import, fields, gbps, (unsigned)cables, line);
    }
}

static void take_lines(struct import *import, FILE *input) {
    char *text = NULL;
    size_t capacity = 0;
    uint32_t line = 0;
    while (getline(&text, &capacity, input) > 0) {
        line++;
        char *begin = trim(text);
        if (begin[0] != '\0' && begin[0] != '#' && strncmp(begin, "a,b,", 4) != 0) {
            take_line(import, begin, line);
        }
    }
    free(text);
    if (ferror(input) != 0) {
        wrong(import, line, strerror(errno), NULL);
    } else if (!import->failed && import->link_count == 0) {
        wrong(import, line, "no link in it", NULL);
    }
}

// Hosts first, then leaves, then spines; the order of the list within a kind.
static int compare_kinds(const void *a, const void *b) {
    const struct fabric_node_desc *left = a, *right = b;
    if (left->kind != right->kind) {
        return left->kind < right->kind ? -1 : 1;
    }
    return left->line < right->line ? -1 : left->line > right->line;
}

struct fabric *import_links(FILE *input, const struct import_options *options,
                            fabric_complain_fn *complain, void *context) {
    struct import import = {.options = options, .complain = complain, .context = context};
    take_lines(&import, input);
    struct fabric *fabric = NULL;
    if (!import.failed) {
        qsort(import.nodes, import.node_count, sizeof *import.nodes, compare_kinds);
        struct fabric_desc desc = {
            .source = options->source,
            .version = 1,
            .generation = 1,
            .name = options->name,
            .block = options->block,
            .nodes = import.nodes,
            .node_count = (uint32_t)import.node_count,
            .links = import.links,
            .link_count = (uint32_t)import.link_count,
        };
        fabric = fabric_open(&desc, complain, context);
    }
    tdestroy(import.node_tree, free);
    free(import.nodes);
    free(import.links);
    return fabric;
}
