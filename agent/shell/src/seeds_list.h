// SPDX-License-Identifier: Apache-2.0
// Lists of gossip addresses as texts. Values; {0} is an empty one, seeds_list_fini frees it. Pure.
#ifndef AGENT_SHELL_SEEDS_LIST_H
#define AGENT_SHELL_SEEDS_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "gossip/gossip.h"
#include "model/rng.h"

struct seeds_list {
    char (*addresses)[GOSSIP_ADDRESS_SIZE];
    uint32_t count, capacity;
};

void seeds_list_fini(struct seeds_list *list);
int seeds_list_add(struct seeds_list *list, const char *address); // -ENOMEM
// An IP address of either family, with another port; others are left out.
int seeds_list_add_ip(struct seeds_list *list, const struct sockaddr *address, uint16_t port);
int seeds_list_join(struct seeds_list *list, const struct seeds_list *more);
void seeds_list_sort(struct seeds_list *list); // and each one once
// Sorted ones.
bool seeds_list_equal(const struct seeds_list *a, const struct seeds_list *b);
void seeds_list_remove(struct seeds_list *list, const struct seeds_list *these);
// At most so many of a list: first those that are not among `known`, chance decides which. The
// texts are the list's, which is in another order then. *unknown: how many of all.
uint32_t seeds_list_choose(struct seeds_list *list, const struct seeds_list *known, struct rng *rng,
                           const char **out, uint32_t most, uint32_t *unknown);

bool seeds_is_any(const struct sockaddr_storage *address); // 0.0.0.0 or ::
uint16_t seeds_port(const struct sockaddr_storage *address);

#endif
