// SPDX-License-Identifier: Apache-2.0
// Where members may be found. Who is tried, and how often: repair_contact.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

static int check(const char *const *seeds, uint32_t count, struct error *error) {
    if (count > GOSSIP_SEEDS_MAX) {
        return error_set(error, -EINVAL, "gossip: %u seeds; at most %d", count, GOSSIP_SEEDS_MAX);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct mp_text text = {seeds[i], (uint32_t)strnlen(seeds[i], GOSSIP_ADDRESS_SIZE)};
        if (text.size == 0 || text.size == GOSSIP_ADDRESS_SIZE || !mp_text_is_printable(text)) {
            return error_set(error, -EINVAL, "gossip: seed %u: address is empty or too long", i);
        }
    }
    return 0;
}

static bool is_seed(const struct gossip *gossip, const char *address) {
    bool found = false;
    for (uint32_t i = 0; !found && i < gossip->seed_count; i++) {
        found = strcmp(gossip->seeds[i], address) == 0;
    }
    return found;
}

// Says whether one is new among them.
static int replace(struct gossip *gossip, const char *const *seeds, uint32_t count, bool *news) {
    char(*copies)[GOSSIP_ADDRESS_SIZE] = calloc(count + (size_t)1, sizeof *copies);
    uint32_t kept = 0;
    if (copies == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(seeds[i], gossip->config.address) != 0) { // not ourselves
            *news = *news || !is_seed(gossip, seeds[i]);
            memcpy(copies[kept++], seeds[i], strlen(seeds[i]));
        }
    }
    free(gossip->seeds);
    gossip->seeds = copies;
    gossip->seed_count = kept;
    return 0;
}

int seeds_init(struct gossip *gossip, const struct gossip_config *config, struct error *error) {
    bool news = false;
    int rc = check(config->seeds, config->seed_count, error);
    if (rc != 0) {
        return rc;
    }
    gossip->seeds_awaited = config->seeds_awaited;
    rc = replace(gossip, config->seeds, config->seed_count, &news);
    bool seeded = gossip->seed_count > 0 || gossip->seeds_awaited;
    gossip->crowd.newborn = seeded && gossip->phase == OWN_LISTENING;
    return rc != 0 ? error_set(error, rc, "gossip: out of memory") : 0;
}

int gossip_set_seeds(struct gossip *gossip, uint64_t now_ns, const char *const *seeds,
                     uint32_t count, bool awaited, struct error *error) {
    bool news = false;
    bool joined = gossip_joined(gossip);
    int rc = check(seeds, count, error);
    if (rc != 0) {
        return rc;
    }
    rc = replace(gossip, seeds, count, &news);
    if (rc != 0) {
        return error_set(error, rc, "gossip: out of memory");
    }
    gossip->joined_alone = gossip->joined_alone || joined;
    gossip->seeds_awaited = awaited;
    if (news) { // and so as when we started
        gossip->contacts = 0;
        gossip->contact_at_ns = now_ns;
    }
    return 0;
}

bool gossip_joined(const struct gossip *gossip) {
    bool alone = gossip->joined_alone || (gossip->seed_count == 0 && !gossip->seeds_awaited);
    return gossip->phase != OWN_LISTENING && (gossip->answered || alone);
}
