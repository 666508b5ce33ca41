// SPDX-License-Identifier: Apache-2.0
#include "swarm_base.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gossip/facts.h"

#define BORN_NS 1

void swarm_hush(struct gossip *core) {
    struct gossip_message message;
    struct gossip_change change;
    while (gossip_take_message(core, &message)) {
    }
    while (gossip_take_change(core, &change)) {
    }
}

// What an agent of a quiet fleet has written.
static int write_facts(struct gossip *core, uint32_t host) {
    uint8_t bytes[512];
    struct member_facts facts = {.fabric_generation = 1,
                                 .held_generation = 1,
                                 .plan_version = 1,
                                 .protocol_version = GOSSIP_PROTOCOL_VERSION,
                                 .decap_ready = true,
                                 .nic_driver = "linux",
                                 .build = SRV6_VERSION};
    ssize_t size = member_facts_encode(&facts, bytes, sizeof bytes);
    assert(size > 0);
    int rc = gossip_put(core, BORN_NS, GOSSIP_TABLE_MEMBER, "", bytes, (size_t)size);
    for (uint32_t i = 0; i < SWARM_LINKS && rc == 0; i++) {
        char link[GOSSIP_KEY_MAX];
        struct link_report report = {.verdict = LINK_UP,
                                     .capacity_ppm = CAPACITY_FULL_PPM,
                                     .delay_ns = 9000,
                                     .probe_count = 1000};
        swarm_link_name(host, i, link);
        size = link_report_encode(&report, bytes, sizeof bytes);
        assert(size > 0);
        rc = gossip_put(core, BORN_NS, GOSSIP_TABLE_LINK, link, bytes, (size_t)size);
    }
    return rc;
}

static int begin_life(const struct swarm *swarm, uint32_t host, struct gossip **out,
                      struct error *error) {
    struct gossip_config config;
    struct gossip *core;
    swarm_configure(swarm, host, &config);
    int rc = gossip_open(&config, 0, &core, error);
    if (rc != 0) {
        return rc;
    }
    rc = write_facts(core, host);
    if (rc != 0) {
        gossip_close(core);
        return error_set(error, rc, "%s: %s", config.name, strerror(-rc));
    }
    gossip_tick(core, BORN_NS);
    swarm_hush(core);
    *out = core;
    return 0;
}

static int introduce(const struct swarm *swarm, uint32_t host, struct gossip *base,
                     struct error *error) {
    char name[NAME_SIZE], address[GOSSIP_ADDRESS_SIZE];
    struct gossip *core;
    int rc = begin_life(swarm, host, &core, error);
    if (rc != 0) {
        return rc;
    }
    swarm_name(host, name);
    swarm_address(0, address);
    gossip_introduce(core, BORN_NS, address);
    struct gossip_message message;
    while (gossip_take_message(core, &message)) {
        gossip_receive(base, BORN_NS, name, message.bytes, message.size);
    }
    gossip_close(core);
    swarm_hush(base);
    size_t size;
    if (gossip_find(base, name, GOSSIP_TABLE_MEMBER, "", &size) == NULL) {
        return error_set(error, -EPROTO, "%s: the base did not take what it wrote", name);
    }
    return 0;
}

int swarm_build_base(struct swarm *swarm, struct error *error) {
    struct gossip *base;
    int rc = begin_life(swarm, 0, &base, error);
    for (uint32_t i = 1; i < swarm->config.hosts && rc == 0; i++) {
        rc = introduce(swarm, i, base, error);
        if (rc != 0) {
            gossip_close(base);
        }
    }
    if (rc == 0) {
        swarm->base = base;
    }
    return rc;
}
