// SPDX-License-Identifier: Apache-2.0
#include "swarm.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "model/time.h"
#include "swarm_base.h"
#include "swarm_model.h"

#define UNNOTICED_NS (60 * NS_PER_S)

enum purpose { PURPOSE_RACK = 101, PURPOSE_HOST, PURPOSE_KEY, PURPOSE_NONCE, PURPOSE_CORE };

// ---- names

void swarm_name(uint32_t host, char name[NAME_SIZE]) {
    snprintf(name, NAME_SIZE, "h%u", host);
}

void swarm_address(uint32_t host, char address[GOSSIP_ADDRESS_SIZE]) {
    uint32_t number = host + 1; // no host is 10.0.0.0
    snprintf(address, GOSSIP_ADDRESS_SIZE, "tcp://10.%u.%u.%u:7946", number >> 16,
             number >> 8 & 255, number & 255);
}

uint32_t swarm_host_at(const char *address) {
    const char *at = address + strlen("tcp://10.");
    uint32_t number = 0;
    for (int i = 0; i < 3; i++) {
        char *end;
        number = number << 8 | (uint32_t)strtoul(at, &end, 10);
        at = end + 1;
    }
    return number - 1;
}

void swarm_link_name(uint32_t host, uint32_t nth, char name[GOSSIP_KEY_MAX]) {
    snprintf(name, GOSSIP_KEY_MAX, "leaf%u>spine%u", host / SWARM_RACK_HOSTS,
             (host * SWARM_LINKS + nth) % 64);
}

// ---- who lives

static uint32_t rack_count(const struct swarm_config *config) {
    return (config->hosts + SWARM_RACK_HOSTS - 1) / SWARM_RACK_HOSTS;
}

static uint32_t rack_size(const struct swarm_config *config, uint32_t rack) {
    uint32_t after = config->hosts - rack * SWARM_RACK_HOSTS;
    return after < SWARM_RACK_HOSTS ? after : SWARM_RACK_HOSTS;
}

// All numbers below count, shuffled; NULL without memory.
static uint32_t *shuffle(uint64_t seed, enum purpose purpose, uint32_t count) {
    uint32_t *order = malloc(count * sizeof order[0]);
    for (uint32_t i = 0; order != NULL && i < count; i++) {
        uint32_t place = (uint32_t)(swarm_draw(seed, purpose, i) * (i + 1));
        order[i] = order[place];
        order[place] = i;
    }
    return order;
}

static int darken_racks(struct swarm *swarm) {
    const struct swarm_config *config = &swarm->config;
    uint32_t *racks = shuffle(config->seed, PURPOSE_RACK, rack_count(config));
    if (racks == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < config->dark_racks; i++) {
        uint32_t first = racks[i] * SWARM_RACK_HOSTS;
        uint32_t size = rack_size(config, racks[i]);
        memset(&swarm->live[first], false, size * sizeof swarm->live[0]);
        swarm->live_count -= size;
    }
    free(racks);
    return 0;
}

static int kill_hosts(struct swarm *swarm) {
    uint32_t hosts = swarm->config.hosts;
    uint32_t *order = shuffle(swarm->config.seed, PURPOSE_HOST, hosts);
    uint32_t left = (uint32_t)(swarm->config.dead_share * hosts);
    for (uint32_t i = 0; order != NULL && left > 0 && i < hosts; i++) {
        if (swarm->live[order[i]]) { // its rack is not dark
            swarm->live[order[i]] = false;
            swarm->live_count--;
            left--;
        }
    }
    free(order);
    return order == NULL ? -ENOMEM : 0;
}

static int choose_live(struct swarm *swarm, struct error *error) {
    const struct swarm_config *config = &swarm->config;
    if (config->dark_racks > rack_count(config)) {
        return error_set(error, -EINVAL, "%u hosts fill %u racks; %u cannot be dark", config->hosts,
                         rack_count(config), config->dark_racks);
    }
    swarm->live = malloc(config->hosts * sizeof swarm->live[0]);
    if (swarm->live == NULL) {
        return error_set(error, -ENOMEM, "out of memory");
    }
    memset(swarm->live, true, config->hosts * sizeof swarm->live[0]);
    swarm->live_count = config->hosts;
    if (darken_racks(swarm) != 0 || kill_hosts(swarm) != 0) {
        return error_set(error, -ENOMEM, "out of memory");
    }
    if (swarm->live_count < 2) {
        return error_set(error, -EINVAL, "of %u hosts %u live; there must be two", config->hosts,
                         swarm->live_count);
    }
    return 0;
}

// ---- keys

static int compare_keys(const void *a, const void *b) {
    const struct gossip_public_key *left = a, *right = b;
    return strcmp(left->host, right->host);
}

static void make_key(const struct swarm *swarm, uint32_t host) {
    uint64_t seed[crypto_sign_SEEDBYTES / sizeof(uint64_t)];
    for (uint32_t i = 0; i < sizeof seed / sizeof seed[0]; i++) {
        seed[i] = hash_pair(hash_pair(swarm->config.seed, PURPOSE_KEY), hash_pair(host, i));
    }
    struct gossip_public_key *key = &swarm->keys[host];
    swarm_name(host, key->host);
    crypto_sign_seed_keypair(key->bytes, swarm->signings[host].secret_key,
                             (const unsigned char *)seed);
}

static int make_keys(struct swarm *swarm) {
    uint32_t hosts = swarm->config.hosts;
    if (sodium_init() < 0) {
        return -EIO;
    }
    swarm->keys = calloc(hosts, sizeof swarm->keys[0]);
    swarm->signings = calloc(hosts, sizeof swarm->signings[0]);
    if (swarm->keys == NULL || swarm->signings == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < hosts; i++) {
        make_key(swarm, i);
        swarm->signings[i].keys = swarm->keys;
        swarm->signings[i].key_count = hosts;
    }
    qsort(swarm->keys, hosts, sizeof swarm->keys[0], compare_keys);
    return 0;
}

// ---- cores

void swarm_configure(const struct swarm *swarm, uint32_t host, struct gossip_config *out) {
    *out = (struct gossip_config){
        .nonce = (uint32_t)hash_pair(hash_pair(swarm->config.seed, PURPOSE_NONCE), host) | 1,
        .seed = hash_pair(hash_pair(swarm->config.seed, PURPOSE_CORE), host),
        .neighbours = swarm->config.neighbours,
        // Nobody finds out in a run's time that others are dead.
        .ping_timeout_ns = UNNOTICED_NS,
        .listen_ns = 1,
        .signing = swarm->signings == NULL ? NULL : &swarm->signings[host],
        .base = swarm->base};
    swarm_name(host, out->name);
    swarm_address(host, out->address);
    snprintf(out->rack, sizeof out->rack, "leaf%u", host / SWARM_RACK_HOSTS);
}

int swarm_open_core(const struct swarm *swarm, uint32_t host, uint64_t now_ns, struct gossip **out,
                    struct error *error) {
    assert(swarm->live[host]);
    struct gossip_config config;
    struct gossip *core;
    swarm_configure(swarm, host, &config);
    int rc = gossip_open(&config, now_ns, &core, error);
    if (rc != 0) {
        return rc;
    }
    gossip_tick(core, now_ns);
    swarm_hush(core);
    *out = core;
    return 0;
}

int swarm_init(const struct swarm_config *config, struct swarm *out, struct error *error) {
    struct swarm swarm = {.config = *config};
    int rc = choose_live(&swarm, error);
    if (rc == 0 && config->sign) {
        rc = make_keys(&swarm);
        if (rc != 0) {
            error_set(error, rc, rc == -EIO ? "libsodium does not start" : "out of memory");
        }
    }
    if (rc == 0) {
        rc = swarm_build_base(&swarm, error);
    }
    if (rc != 0) {
        swarm_fini(&swarm);
        return rc;
    }
    *out = swarm;
    return 0;
}

void swarm_fini(struct swarm *swarm) {
    gossip_close(swarm->base);
    free(swarm->signings);
    free(swarm->keys);
    free(swarm->live);
    *swarm = (struct swarm){0};
}
