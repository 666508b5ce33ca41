// SPDX-License-Identifier: Apache-2.0
// Any bytes as a message: a core that lives among others must survive them, and what it then sends
// must itself be a message that another core takes.
#include <assert.h>
#include <string.h>

#include "gossip/gossip.h"
#include "model/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gossip *open_core(const char *name, uint32_t nonce) {
    static const char *const seeds[] = {"mem://c"};
    struct gossip_config config = {.nonce = nonce, .seed = 7, .seeds = seeds, .seed_count = 1};
    struct gossip *core = NULL;
    strcpy(config.name, name);
    strcpy(config.address, "mem://");
    strcat(config.address, name);
    int opened = gossip_open(&config, NS_PER_S, &core, NULL);
    assert(opened == 0);
    gossip_put(core, NS_PER_S, GOSSIP_TABLE_HOST, "k", "v", 1);
    gossip_tick(core, NS_PER_S + 300 * NS_PER_MS); // done with listening
    return core;
}

static void drain(struct gossip *from, struct gossip *to, uint64_t now_ns) {
    struct gossip_message message;
    struct gossip_change change;
    while (gossip_take_message(from, &message)) {
        if (to != NULL) {
            gossip_receive(to, now_ns, NULL, message.bytes, message.size);
        }
    }
    while (gossip_take_change(from, &change)) {
        assert(change.origin[0] != '\0');
    }
}

static void nothing(void *context, const char *origin, const char *key, const void *value,
                    size_t size) {
    (void)context;
    assert(origin != NULL && key != NULL && value != NULL && size <= GOSSIP_VALUE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t now_ns = 2 * NS_PER_S;
    struct gossip *core = open_core("a", 1);
    struct gossip *other = open_core("b", 2);
    drain(core, other, now_ns);
    drain(other, core, now_ns);
    struct gossip_stats before;
    struct gossip_stats after;
    gossip_stats(other, &before);
    gossip_receive(core, now_ns, NULL, data, size);
    for (int i = 0; i < 4; i++) {
        drain(core, other, now_ns);
        drain(other, core, now_ns);
        now_ns += 60 * NS_PER_MS;
        gossip_tick(core, now_ns);
        gossip_tick(other, now_ns);
    }
    gossip_stats(other, &after);
    assert(after.dropped_malformed == before.dropped_malformed);
    for (int table = 0; table < GOSSIP_TABLE_COUNT; table++) {
        gossip_each(core, (enum gossip_table)table, nothing, NULL);
    }
    gossip_close(core);
    gossip_close(other);
    return 0;
}
