// SPDX-License-Identifier: Apache-2.0
#include "seeds_list.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent_shell/config.h"

#define CAPACITY_FIRST 16

void seeds_list_fini(struct seeds_list *list) {
    free(list->addresses);
    *list = (struct seeds_list){0};
}

int seeds_list_add(struct seeds_list *list, const char *address) {
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? CAPACITY_FIRST : 2 * list->capacity;
        void *grown = reallocarray(list->addresses, capacity, sizeof(*list->addresses));
        if (grown == NULL) {
            return -ENOMEM;
        }
        list->addresses = grown;
        list->capacity = capacity;
    }
    strncpy(list->addresses[list->count], address, GOSSIP_ADDRESS_SIZE - 1);
    list->addresses[list->count++][GOSSIP_ADDRESS_SIZE - 1] = '\0';
    return 0;
}

int seeds_list_add_ip(struct seeds_list *list, const struct sockaddr *address, uint16_t port) {
    struct sockaddr_storage copy = {0};
    char text[GOSSIP_ADDRESS_SIZE];
    if (address->sa_family == AF_INET6) {
        memcpy(&copy, address, sizeof(struct sockaddr_in6));
        ((struct sockaddr_in6 *)&copy)->sin6_port = htons(port);
    } else if (address->sa_family == AF_INET) {
        memcpy(&copy, address, sizeof(struct sockaddr_in));
        ((struct sockaddr_in *)&copy)->sin_port = htons(port);
    } else {
        return 0;
    }
    config_address_format(&copy, text);
    return seeds_list_add(list, text);
}

int seeds_list_join(struct seeds_list *list, const struct seeds_list *more) {
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < more->count; i++) {
        rc = seeds_list_add(list, more->addresses[i]);
    }
    return rc;
}

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

void seeds_list_sort(struct seeds_list *list) {
    uint32_t kept = 0;
    if (list->count == 0) {
        return;
    }
    qsort(list->addresses, list->count, sizeof(*list->addresses), compare);
    for (uint32_t i = 1; i < list->count; i++) {
        if (strcmp(list->addresses[i], list->addresses[kept]) != 0) {
            memmove(list->addresses[++kept], list->addresses[i], GOSSIP_ADDRESS_SIZE);
        }
    }
    list->count = kept + 1;
}

static bool holds(const struct seeds_list *list, const char *address) {
    return list->count > 0 && bsearch(address, list->addresses, list->count,
                                      sizeof(*list->addresses), compare) != NULL;
}

bool seeds_list_equal(const struct seeds_list *a, const struct seeds_list *b) {
    bool equal = a->count == b->count;
    for (uint32_t i = 0; equal && i < a->count; i++) {
        equal = strcmp(a->addresses[i], b->addresses[i]) == 0;
    }
    return equal;
}

void seeds_list_remove(struct seeds_list *list, const struct seeds_list *these) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (!holds(these, list->addresses[i])) {
            memmove(list->addresses[kept++], list->addresses[i], GOSSIP_ADDRESS_SIZE);
        }
    }
    list->count = kept;
}

static void swap(struct seeds_list *list, uint32_t a, uint32_t b) {
    char text[GOSSIP_ADDRESS_SIZE];
    memcpy(text, list->addresses[a], sizeof(text));
    memmove(list->addresses[a], list->addresses[b], sizeof(text));
    memcpy(list->addresses[b], text, sizeof(text));
}

static void shuffle(struct seeds_list *list, uint32_t first, uint32_t end, struct rng *rng) {
    for (uint32_t i = first; i + 1 < end; i++) {
        swap(list, i, i + (uint32_t)rng_below(rng, end - i));
    }
}

uint32_t seeds_list_choose(struct seeds_list *list, const struct seeds_list *known, struct rng *rng,
                           const char **out, uint32_t most, uint32_t *unknown) {
    uint32_t first = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (!holds(known, list->addresses[i])) {
            swap(list, first++, i);
        }
    }
    shuffle(list, 0, first, rng);
    shuffle(list, first, list->count, rng);
    uint32_t count = list->count < most ? list->count : most;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = list->addresses[i];
    }
    *unknown = first;
    return count;
}

bool seeds_is_any(const struct sockaddr_storage *address) {
    return address->ss_family == AF_INET6
               ? IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr)
               : ((const struct sockaddr_in *)address)->sin_addr.s_addr == INADDR_ANY;
}

uint16_t seeds_port(const struct sockaddr_storage *address) {
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                                : ((const struct sockaddr_in *)address)->sin_port);
}
