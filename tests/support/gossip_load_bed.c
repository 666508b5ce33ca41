// SPDX-License-Identifier: Apache-2.0
#include "gossip_load_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STEP_NS (5 * NS_PER_MS)
#define START_NS (NS_PER_S + 200 * NS_PER_MS)

struct load_bed fleet;

static void configure(struct gossip_config *config, uint32_t i) {
    *config = (struct gossip_config){.nonce = 1000 + i, .seed = i};
    memcpy(config->name, fleet.names[i], NAME_SIZE);
    snprintf(config->address, sizeof config->address, "mem://%u", i);
    snprintf(config->rack, sizeof config->rack, "rack%u", i / 8);
}

static struct gossip *open_core(const struct gossip_config *config, uint64_t now_ns) {
    struct gossip *core;
    struct error error;
    assert_int_equal(gossip_open(config, now_ns, &core, &error), 0);
    return core;
}

void bed_hush(struct gossip *core) {
    struct gossip_message message;
    struct gossip_change change;
    while (gossip_take_message(core, &message)) {
    }
    while (gossip_take_change(core, &change)) {
    }
}

static void introduce_to_base(uint32_t i) {
    struct gossip_config config;
    struct gossip_message message;
    configure(&config, i);
    struct gossip *core = open_core(&config, NS_PER_S);
    gossip_tick(core, START_NS);
    bed_hush(core);
    gossip_introduce(core, START_NS, "mem://base");
    while (gossip_take_message(core, &message)) {
        gossip_receive(fleet.base, START_NS, NULL, message.bytes, message.size);
    }
    gossip_close(core);
}

void bed_start(uint32_t count) {
    memset(&fleet, 0, sizeof fleet);
    fleet.count = count;
    fleet.now_ns = START_NS;
    rng_init(&fleet.rng, count);
    struct gossip_config config = {.name = "base", .address = "mem://base", .nonce = 1};
    config.listen_ns = 3600 * NS_PER_S; // never a member
    fleet.base = open_core(&config, NS_PER_S);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(fleet.names[i], NAME_SIZE, "m%03u", i);
        introduce_to_base(i);
    }
    for (uint32_t i = 0; i < count; i++) {
        configure(&config, i);
        config.base = fleet.base;
        fleet.cores[i] = open_core(&config, START_NS);
    }
}

int bed_stop(void **state) {
    (void)state;
    for (uint32_t i = 0; i < fleet.count; i++) {
        gossip_close(fleet.cores[i]);
    }
    gossip_close(fleet.base);
    while (fleet.first != NULL) {
        struct letter *letter = fleet.first;
        fleet.first = letter->next;
        free(letter);
    }
    memset(&fleet, 0, sizeof fleet);
    return 0;
}

// ---- the network

static void post(uint32_t to, const struct gossip_message *message) {
    struct letter *letter = malloc(sizeof *letter + message->size);
    assert_non_null(letter);
    *letter = (struct letter){.to = to, .at_ns = fleet.now_ns, .size = message->size};
    if (message->droppable && fleet.disorder) {
        letter->at_ns += rng_below(&fleet.rng, 500 * NS_PER_MS);
    }
    memcpy(letter->bytes, message->bytes, message->size);
    *(fleet.last != NULL ? &fleet.last->next : &fleet.first) = letter;
    fleet.last = letter;
}

// Notes when a host is told of one with whom it shares no scope.
static void look_at(uint32_t to, const struct gossip_message *message) {
    struct wire_envelope envelope;
    struct wire_section section;
    struct wire_load load;
    assert_int_equal(wire_check(message->bytes, message->size, &envelope), 0);
    wire_next_section(&envelope.sections, &section);
    assert_int_equal(section.kind == SECTION_LOAD, message->droppable);
    for (uint32_t i = 0; i < section.count && message->droppable && fleet.cores[to]; i++) {
        wire_next_load(&section.items, &load);
        fleet.astray = fleet.astray || scopes_of(fleet.cores[to], load.origin) == 0;
    }
}

static void collect(uint32_t from) {
    struct gossip_message message;
    struct gossip_change change;
    while (gossip_take_message(fleet.cores[from], &message)) {
        uint32_t to = (uint32_t)strtoul(message.address + strlen("mem://"), NULL, 10);
        look_at(to, &message);
        post(to, &message);
        if (message.droppable && fleet.disorder && rng_below(&fleet.rng, 4) == 0) {
            post(to, &message);
        }
        fleet.load_bytes[from] += message.droppable ? message.size : 0;
    }
    while (gossip_take_change(fleet.cores[from], &change)) {
    }
}

static void take_loads(uint32_t host) {
    struct gossip_load load;
    while (gossip_take_load(fleet.cores[host], &load)) {
        uint32_t value;
        uint32_t origin = (uint32_t)strtoul(load.origin + 1, NULL, 10);
        assert_int_equal(load.size, sizeof value);
        memcpy(&value, load.value, sizeof value);
        fleet.backwards = fleet.backwards || value <= fleet.newest[host][origin];
        fleet.newest[host][origin] = value;
    }
}

static void deliver(void) {
    struct letter *letter = fleet.first;
    fleet.first = fleet.last = NULL;
    while (letter != NULL) {
        struct letter *next = letter->next;
        struct gossip *core = fleet.cores[letter->to];
        letter->next = NULL;
        if (letter->at_ns > fleet.now_ns) {
            *(fleet.last != NULL ? &fleet.last->next : &fleet.first) = letter;
            fleet.last = letter;
        } else {
            if (core != NULL) {
                gossip_receive(core, fleet.now_ns, NULL, letter->bytes, letter->size);
                take_loads(letter->to);
            }
            free(letter);
        }
        letter = next;
    }
}

void bed_run(uint64_t duration_ns) {
    uint64_t until = fleet.now_ns + duration_ns;
    while (fleet.now_ns < until) {
        fleet.now_ns += STEP_NS;
        for (uint32_t i = 0; i < fleet.count; i++) {
            if (fleet.cores[i] != NULL && gossip_deadline_ns(fleet.cores[i]) <= fleet.now_ns) {
                gossip_tick(fleet.cores[i], fleet.now_ns);
            }
        }
        for (uint32_t hops = 0; hops < 2; hops++) {
            for (uint32_t i = 0; i < fleet.count; i++) {
                if (fleet.cores[i] != NULL) {
                    collect(i);
                }
            }
            deliver();
        }
    }
}

// ---- scopes

const char *const *bed_every(uint32_t first, uint32_t step, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        fleet.hosts[i] = fleet.names[first + i * step];
    }
    return fleet.hosts;
}

// One scope for hosts first, first + step...
void bed_share(uint32_t first, uint32_t step, uint32_t count) {
    struct gossip_scope scope = {"job/demo", bed_every(first, step, count), count};
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(gossip_set_scopes(fleet.cores[first + i * step], fleet.now_ns, &scope, 1),
                         0);
    }
}

void bed_put(uint32_t host, uint32_t value) {
    assert_int_equal(gossip_put_load(fleet.cores[host], fleet.now_ns, &value, sizeof value), 0);
}

uint32_t bed_holders(uint32_t origin, uint32_t value) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < fleet.count; i++) {
        count += fleet.newest[i][origin] == value;
    }
    return count;
}

uint64_t bed_loads_heard(uint32_t host) {
    struct gossip_stats stats;
    gossip_stats(fleet.cores[host], &stats);
    return stats.loads_received + stats.loads_dropped;
}
