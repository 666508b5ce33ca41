// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pods.h"

struct entry {
    struct pod pod;
    bool good;                     // else refused for what the object says
    bool seen;                     // since the list began
    char refusal[ERROR_TEXT_SIZE]; // what was told last; "": nothing
};

struct pod_set {
    char (*namespaces)[JOB_NAME_SIZE];
    uint32_t namespace_count;
    pod_refused_fn *refused;
    void *context;
    struct entry *entries;
    uint32_t count, capacity;
    bool full_told;
};

struct pod_set *pod_set_open(const char (*namespaces)[JOB_NAME_SIZE], uint32_t namespace_count,
                             pod_refused_fn *refused, void *context) {
    struct pod_set *set = calloc(1, sizeof *set);
    char(*names)[JOB_NAME_SIZE] = calloc(namespace_count + 1U, sizeof *names);
    if (set == NULL || names == NULL) {
        free(names);
        free(set);
        return NULL;
    }
    for (uint32_t i = 0; i < namespace_count; i++) {
        memcpy(names[i], namespaces[i], sizeof names[i]);
    }
    *set = (struct pod_set){.namespaces = names,
                            .namespace_count = namespace_count,
                            .refused = refused,
                            .context = context};
    return set;
}

void pod_set_close(struct pod_set *set) {
    if (set != NULL) {
        free(set->namespaces);
        free(set->entries);
        free(set);
    }
}

// ---- what there is

static bool namespace_counts(const struct pod_set *set, const char *pod) {
    size_t length = strcspn(pod, "/");
    for (uint32_t i = 0; i < set->namespace_count; i++) {
        if (strlen(set->namespaces[i]) == length && strncmp(set->namespaces[i], pod, length) == 0) {
            return true;
        }
    }
    return set->namespace_count == 0;
}

static struct entry *find_entry(const struct pod_set *set, const char *uid) {
    for (uint32_t i = 0; i < set->count; i++) {
        if (strcmp(set->entries[i].pod.uid, uid) == 0) {
            return &set->entries[i];
        }
    }
    return NULL;
}

static void drop_entry(struct pod_set *set, struct entry *entry) {
    *entry = set->entries[--set->count];
}

static struct entry *add_entry(struct pod_set *set) {
    if (set->count == PODS_MAX) {
        return NULL;
    }
    if (set->count == set->capacity) {
        uint32_t capacity = set->capacity == 0 ? 16 : 2 * set->capacity;
        struct entry *entries = realloc(set->entries, capacity * sizeof *entries);
        if (entries == NULL) {
            return NULL;
        }
        set->entries = entries;
        set->capacity = capacity;
    }
    struct entry *entry = &set->entries[set->count++];
    *entry = (struct entry){.good = false};
    return entry;
}

static void tell(const struct pod_set *set, struct entry *entry, const struct error *error) {
    if (error == NULL) {
        entry->refusal[0] = '\0';
    } else if (strcmp(entry->refusal, error->text) != 0) {
        memcpy(entry->refusal, error->text, sizeof entry->refusal);
        set->refused(set->context, entry->pod.name, error);
    }
}

static void tell_full(struct pod_set *set, const struct pod *pod) {
    struct error error;
    if (!set->full_told) {
        set->full_told = true;
        (void)error_set(&error, -ENOSPC, "pod %.60s: no room for more than %d pods of jobs",
                        pod->name, PODS_MAX);
        set->refused(set->context, pod->name, &error);
    }
}

void pod_set_begin(struct pod_set *set) {
    for (uint32_t i = 0; i < set->count; i++) {
        set->entries[i].seen = false;
    }
    set->full_told = false;
}

void pod_set_end(struct pod_set *set) {
    for (uint32_t i = 0; i < set->count;) {
        if (set->entries[i].seen) {
            i++;
        } else {
            drop_entry(set, &set->entries[i]);
        }
    }
}

void pod_set_take(struct pod_set *set, const json_t *object, bool deleted) {
    struct pod pod = {.ports = 0};
    struct error error = {0};
    int rc = pod_read(object, &pod, &error);
    struct entry *entry = find_entry(set, pod.uid);
    if (rc == -EINVAL && pod.uid[0] == '\0') {
        return; // nothing that could be told apart from others
    }
    if (deleted || rc == -ENOENT || !namespace_counts(set, pod.name)) {
        if (entry != NULL) {
            drop_entry(set, entry);
        }
        return;
    }
    entry = entry != NULL ? entry : add_entry(set);
    if (entry == NULL) {
        tell_full(set, &pod);
        return;
    }
    entry->pod = pod;
    entry->seen = true;
    entry->good = rc == 0;
    if (rc != 0) {
        tell(set, entry, &error);
    }
}

uint32_t pod_set_refused(const struct pod_set *set) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        count += set->entries[i].refusal[0] != '\0';
    }
    return count;
}

// ---- ports

// By job, run, rank; of one rank the pod that was created last is first.
static int compare_entries(const void *left, const void *right) {
    const struct entry *const *a = left, *const *b = right;
    const struct pod_rank *x = &(*a)->pod.rank, *y = &(*b)->pod.rank;
    int order = strcmp(x->job, y->job);
    order = order != 0 ? order : strcmp(x->run, y->run);
    if (order != 0 || x->rank != y->rank) {
        return order != 0 ? order : x->rank < y->rank ? -1 : 1;
    }
    if (x->created_s != y->created_s) {
        return x->created_s > y->created_s ? -1 : 1;
    }
    return strcmp((*a)->pod.uid, (*b)->pod.uid);
}

static bool is_of_one_job(const struct entry *a, const struct entry *b) {
    return strcmp(a->pod.rank.job, b->pod.rank.job) == 0 &&
           strcmp(a->pod.rank.run, b->pod.rank.run) == 0;
}

// Those that count, in order: good ones, of one rank the newest. Owned; NULL: no memory.
static struct entry **sort_entries(struct pod_set *set, uint32_t *out_count) {
    struct entry **entries = calloc(set->count + 1U, sizeof(struct entry *));
    uint32_t count = 0, kept = 0;
    for (uint32_t i = 0; entries != NULL && i < set->count; i++) {
        if (set->entries[i].good) {
            entries[count++] = &set->entries[i];
        }
    }
    if (entries != NULL) {
        qsort(entries, count, sizeof(struct entry *), compare_entries);
    }
    for (uint32_t i = 0; i < count; i++) {
        bool replaced = kept > 0 && is_of_one_job(entries[kept - 1], entries[i]) &&
                        entries[kept - 1]->pod.rank.rank == entries[i]->pod.rank.rank;
        if (!replaced) {
            entries[kept++] = entries[i];
        }
    }
    *out_count = kept;
    return entries;
}

// The part that falls to one of `count` pods: bits of ports.
static uint32_t share_of(uint32_t index, uint32_t count, uint32_t port_count) {
    uint32_t first = (uint32_t)((uint64_t)index * port_count / count);
    uint32_t end = (uint32_t)((uint64_t)(index + 1) * port_count / count);
    end = end > first ? end : first + 1;
    uint32_t ports = 0;
    for (uint32_t i = first; i < end; i++) {
        ports |= UINT32_C(1) << i;
    }
    return ports;
}

// Whose annotation names a port that the host lacks is refused.
static bool check_given(const struct pod_set *set, struct entry *entry, uint32_t port_count) {
    uint32_t ports = entry->pod.ports;
    struct error error;
    if (!entry->pod.ports_given || ports == UINT32_MAX) {
        return true;
    }
    uint32_t highest = 31 - (uint32_t)__builtin_clz(ports); // at least one is named
    if (highest < port_count) {
        return true;
    }
    (void)error_set(&error, -EINVAL,
                    "pod %.60s: " POD_PREFIX "ports: place %u: this host has %u ports, from 0 on",
                    entry->pod.name, highest, port_count);
    tell(set, entry, &error);
    return false;
}

struct ranks {
    const char (*ports)[NAME_SIZE];
    uint32_t port_count;
    struct pod_rank *list;
    uint32_t count;
};

// All or none of a pod.
static void add_ranks(struct pod_set *set, struct ranks *ranks, struct entry *entry,
                      uint32_t ports) {
    const struct pod *pod = &entry->pod;
    uint32_t all = ranks->port_count < 32 ? (UINT32_C(1) << ranks->port_count) - 1 : UINT32_MAX;
    if (ranks->count + (uint32_t)__builtin_popcount(ports & all) > PODS_MAX) {
        struct error error;
        (void)error_set(&error, -ENOSPC, "pod %.60s: no room for more than %d ranks on a node",
                        pod->name, PODS_MAX);
        tell(set, entry, &error);
        return;
    }
    tell(set, entry, NULL);
    for (uint32_t i = 0; i < ranks->port_count; i++) {
        if ((ports & UINT32_C(1) << i) != 0) {
            struct pod_rank *rank = &ranks->list[ranks->count++];
            *rank = pod->rank;
            memcpy(rank->port, ranks->ports[i], NAME_SIZE);
        }
    }
}

// The pods of one job on this node.
static void place_job(struct pod_set *set, struct entry **entries, uint32_t count,
                      struct ranks *ranks) {
    uint32_t sharing = 0, index = 0;
    for (uint32_t i = 0; i < count; i++) {
        sharing += !entries[i]->pod.ports_given;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!check_given(set, entries[i], ranks->port_count)) {
            continue;
        }
        add_ranks(set, ranks, entries[i],
                  entries[i]->pod.ports_given ? entries[i]->pod.ports
                                              : share_of(index++, sharing, ranks->port_count));
    }
}

int pod_set_ranks(struct pod_set *set, const char (*ports)[NAME_SIZE], uint32_t port_count,
                  struct pod_rank **out, uint32_t *count) {
    uint32_t entry_count = 0;
    struct ranks ranks = {ports, port_count, calloc(PODS_MAX, sizeof *ranks.list), 0};
    struct entry **entries = sort_entries(set, &entry_count);
    if (ranks.list == NULL || entries == NULL) {
        free(ranks.list);
        free(entries);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < entry_count && port_count > 0;) {
        uint32_t first = i;
        while (i < entry_count && is_of_one_job(entries[first], entries[i])) {
            i++;
        }
        place_job(set, &entries[first], i - first, &ranks);
    }
    free(entries);
    *out = ranks.list;
    *count = ranks.count;
    return 0;
}
