// SPDX-License-Identifier: Apache-2.0
// Loads in a fleet "m000", "m001"...: cores that know each other from a base, with a network that
// may hold back, reorder or double what may be dropped.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core.h"

#define FLEET_MAX 256
#define STEP_NS (5 * NS_PER_MS)
#define START_NS (NS_PER_S + 200 * NS_PER_MS)

struct letter {
    struct letter *next;
    uint32_t to;
    uint64_t at_ns;
    size_t size;
    uint8_t bytes[];
};

static struct fleet {
    struct gossip *cores[FLEET_MAX], *base;
    char names[FLEET_MAX][NAME_SIZE];
    const char *hosts[FLEET_MAX]; // of the scope that is being described
    uint32_t count;
    uint64_t now_ns;
    struct rng rng;
    bool disorder; // of droppable messages
    struct letter *first, *last;
    uint64_t load_bytes[FLEET_MAX];
    uint32_t newest[FLEET_MAX][FLEET_MAX]; // what a host took last of another one; 0: nothing
    bool backwards, astray;
} fleet;

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

static void hush(struct gossip *core) {
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
    hush(core);
    gossip_introduce(core, START_NS, "mem://base");
    while (gossip_take_message(core, &message)) {
        gossip_receive(fleet.base, START_NS, NULL, message.bytes, message.size);
    }
    gossip_close(core);
}

static void start(uint32_t count) {
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

static int stop(void **state) {
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

static void run(uint64_t duration_ns) {
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

static const char *const *every(uint32_t first, uint32_t step, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        fleet.hosts[i] = fleet.names[first + i * step];
    }
    return fleet.hosts;
}

// One scope for hosts first, first + step...
static void share(uint32_t first, uint32_t step, uint32_t count) {
    struct gossip_scope scope = {"job/demo", every(first, step, count), count};
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(gossip_set_scopes(fleet.cores[first + i * step], fleet.now_ns, &scope, 1),
                         0);
    }
}

static void put(uint32_t host, uint32_t value) {
    assert_int_equal(gossip_put_load(fleet.cores[host], fleet.now_ns, &value, sizeof value), 0);
}

static uint32_t holders(uint32_t origin, uint32_t value) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < fleet.count; i++) {
        count += fleet.newest[i][origin] == value;
    }
    return count;
}

static uint64_t loads_heard(uint32_t host) {
    struct gossip_stats stats;
    gossip_stats(fleet.cores[host], &stats);
    return stats.loads_received + stats.loads_dropped;
}

static void a_load_reaches_the_whole_scope_and_nobody_else(void **state) {
    (void)state;
    start(60);
    share(1, 3, 20);
    put(4, 77);
    run(NS_PER_S);
    assert_int_equal(holders(4, 77), 19); // all but itself
    assert_false(fleet.astray);
    for (uint32_t i = 0; i < 60; i++) {
        assert_int_equal(fleet.newest[i][4] == 77, i % 3 == 1 && i != 4);
        assert_true(i % 3 == 1 || loads_heard(i) == 0);
    }
}

static void each_scope_hears_of_its_own(void **state) {
    (void)state;
    start(24);
    share(0, 1, 8);
    share(12, 1, 12);
    // m003 is in a rack with the first eight and in a job with the last four.
    const char *job[] = {"m003", "m020", "m021", "m022", "m023"};
    struct gossip_scope of_3[] = {{"rack/0", every(0, 1, 8), 8}, {"job/a", job, 5}};
    assert_int_equal(gossip_set_scopes(fleet.cores[3], fleet.now_ns, of_3, 2), 0);
    for (uint32_t i = 20; i < 24; i++) {
        struct gossip_scope both[] = {{"rack/1", every(12, 1, 12), 12}, {"job/a", job, 5}};
        assert_int_equal(gossip_set_scopes(fleet.cores[i], fleet.now_ns, both, 2), 0);
    }
    put(3, 5);
    put(1, 6);
    put(21, 7);
    run(NS_PER_S);
    assert_int_equal(holders(3, 5), 7 + 4);
    assert_int_equal(holders(1, 6), 7);
    assert_int_equal(holders(21, 7), 11 + 1);
    assert_int_equal(fleet.newest[3][21], 7);
    assert_false(fleet.astray);
}

static void the_newest_wins_in_whatever_order_they_come(void **state) {
    (void)state;
    start(40);
    share(0, 1, 40);
    fleet.disorder = true;
    for (uint32_t value = 1; value <= 60; value++) {
        put(0, value);
        put(17, 1000 + value);
        run(30 * NS_PER_MS);
    }
    run(5 * NS_PER_S);
    assert_false(fleet.backwards);
    assert_int_equal(holders(0, 60), 39);
    assert_int_equal(holders(17, 1060), 39);
}

static void what_waits_is_replaced_by_newer(void **state) {
    (void)state;
    start(20);
    share(0, 1, 20);
    run(200 * NS_PER_MS);
    for (uint32_t value = 1; value <= 100; value++) {
        put(0, value);
    }
    uint64_t before = fleet.load_bytes[0];
    run(150 * NS_PER_MS);
    assert_in_range(fleet.load_bytes[0] - before, 1, 4 * 200); // one to each partner
    run(NS_PER_S);
    assert_int_equal(holders(0, 100), 19);
}

static void loads_stand_behind_all_facts(void **state) {
    (void)state;
    start(12);
    share(0, 1, 12);
    run(200 * NS_PER_MS);
    struct gossip *core = fleet.cores[0];
    for (uint32_t i = 0; i < 20; i++) { // the carrier takes nothing for a second
        put(0, i + 1);
        fleet.now_ns = gossip_deadline_ns(core);
        gossip_tick(core, fleet.now_ns);
    }
    assert_int_equal(gossip_put(core, fleet.now_ns, GOSSIP_TABLE_HOST, "k", "v", 2), 0);
    struct gossip_message message;
    uint32_t droppable = 0;
    uint32_t facts = 0;
    while (gossip_take_message(core, &message)) {
        assert_true(message.droppable || droppable == 0);
        droppable += message.droppable;
        facts += !message.droppable;
    }
    assert_true(facts > 20);
    assert_in_range(droppable, 1, 4); // the newest for each partner
}

static void a_silent_neighbour_is_told_no_loads(void **state) {
    (void)state;
    start(6); // all are neighbours
    share(0, 1, 6);
    run(500 * NS_PER_MS);
    struct gossip *core = fleet.cores[0];
    char silent[GOSSIP_ADDRESS_SIZE];
    memcpy(silent, core->partners[0].address, sizeof silent);
    uint32_t host = (uint32_t)strtoul(silent + strlen("mem://"), NULL, 10);
    struct gossip *stopped = fleet.cores[host];
    fleet.cores[host] = NULL; // its process is stopped: what is sent to it queues up
    run(500 * NS_PER_MS);
    put(0, 1);
    fleet.now_ns = gossip_deadline_ns(core);
    struct gossip_message message;
    for (uint32_t i = 0; i < 4; i++) {
        gossip_tick(core, fleet.now_ns);
        while (gossip_take_message(core, &message)) {
            assert_false(message.droppable && strcmp(message.address, silent) == 0);
        }
        fleet.now_ns = gossip_deadline_ns(core);
    }
    fleet.cores[host] = stopped;
}

static void dead_hosts_do_not_break_the_circle(void **state) {
    (void)state;
    start(30);
    share(0, 1, 30);
    run(300 * NS_PER_MS);
    const struct gossip *core = fleet.cores[1];
    uint32_t dead = core->partner_count;
    for (uint32_t i = 0; i < dead; i++) { // all whom it told
        uint32_t host = (uint32_t)strtoul(core->partners[i].address + strlen("mem://"), NULL, 10);
        gossip_close(fleet.cores[host]);
        fleet.cores[host] = NULL;
    }
    run(2 * NS_PER_S);
    put(1, 9);
    run(NS_PER_S);
    assert_in_range(dead, 2, 4);
    assert_int_equal(holders(1, 9), 29 - dead);
}

static void partners_are_connected_to_but_not_watched(void **state) {
    (void)state;
    start(100);
    run(100 * NS_PER_MS);
    struct gossip *core = fleet.cores[0];
    uint32_t generation = gossip_neighbour_generation(core);
    const char *addresses[64];
    uint32_t neighbours = gossip_neighbours(core, addresses, 64);
    share(0, 2, 50);
    assert_true(gossip_neighbour_generation(core) != generation);
    uint32_t all = gossip_neighbours(core, addresses, 64);
    assert_in_range(core->partner_count, 2, 4);
    for (uint32_t i = 0; i < core->partner_count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < all; k++) {
            found = found || strcmp(addresses[k], core->partners[i].address) == 0;
        }
        assert_true(found);
    }
    assert_int_equal(core->peer_count, neighbours);
    assert_int_equal(gossip_neighbours(core, addresses, 3), 3);
    assert_int_equal(gossip_set_scopes(core, fleet.now_ns, NULL, 0), 0);
    assert_int_equal(gossip_neighbours(core, addresses, 64), neighbours);
}

static bool accuses(const struct gossip *core, uint32_t host) {
    char key[GOSSIP_KEY_MAX];
    snprintf(key, sizeof key, CORE_SUSPECT "%s", fleet.names[host]);
    return store_find(core, core->self, GOSSIP_TABLE_CORE, key, strlen(key)) != NULL;
}

static void a_partner_that_falls_silent_is_no_concern_of_ours(void **state) {
    (void)state;
    start(100);
    share(0, 2, 50);
    run(300 * NS_PER_MS);
    struct gossip *core = fleet.cores[0];
    for (uint32_t i = 0; i < core->partner_count; i++) {
        const char *address = core->partners[i].address;
        uint32_t host = (uint32_t)strtoul(address + strlen("mem://"), NULL, 10);
        if (overlay_peer(core, address) == NULL) {
            gossip_close(fleet.cores[host]);
            fleet.cores[host] = NULL;
            run(400 * NS_PER_MS);
            assert_false(accuses(core, host));
            return;
        }
    }
    fail_msg("all partners are neighbours");
}

static void sixteen_scopes_at_most_and_each_has_a_partner(void **state) {
    (void)state;
    start(80);
    struct gossip_scope scopes[GOSSIP_SCOPES_MAX + 4];
    const char *hosts[GOSSIP_SCOPES_MAX + 4][5];
    for (uint32_t i = 0; i < GOSSIP_SCOPES_MAX + 4; i++) {
        hosts[i][0] = fleet.names[0];
        for (uint32_t k = 1; k < 5; k++) {
            hosts[i][k] = fleet.names[(i < 16 ? 4 * i : 60) + k];
        }
        scopes[i] = (struct gossip_scope){"job", hosts[i], 5};
    }
    struct gossip *core = fleet.cores[0];
    assert_int_equal(gossip_set_scopes(core, fleet.now_ns, scopes, GOSSIP_SCOPES_MAX + 4), 0);
    assert_int_equal(core->scope_count, GOSSIP_SCOPES_MAX);
    assert_int_equal(core->partner_count, PARTNERS_MAX);
    uint32_t reached = 0;
    for (uint32_t i = 0; i < core->partner_count; i++) {
        reached |= core->partners[i].scopes;
    }
    assert_int_equal(reached, 0xffff);
}

static void two_hundred_fifty_six_hosts_stay_within_their_budget(void **state) {
    (void)state;
    start(256);
    share(0, 1, 256);
    run(200 * NS_PER_MS);
    uint64_t seconds = 3;
    memset(fleet.load_bytes, 0, sizeof fleet.load_bytes);
    for (uint32_t round = 1; round <= 20 * seconds; round++) {
        for (uint32_t i = 0; i < 256; i++) {
            put(i, round);
        }
        run(50 * NS_PER_MS);
    }
    uint64_t most = 0;
    uint32_t missing = 0;
    for (uint32_t i = 0; i < 256; i++) {
        most = fleet.load_bytes[i] > most ? fleet.load_bytes[i] : most;
        for (uint32_t k = 0; k < 256; k++) {
            missing += i != k && fleet.newest[i][k] == 0;
        }
    }
    print_message("%.1f kB/s at most\n", (double)most / 1e3 / (double)seconds);
    assert_in_range(most, 1, seconds * LOAD_BYTES_PER_S + LOAD_BURST + 4096);
    assert_false(fleet.backwards);
    assert_int_equal(missing, 0); // who waits is told in turn
    // Facts go as ever.
    assert_int_equal(gossip_put(fleet.cores[9], fleet.now_ns, GOSSIP_TABLE_HOST, "k", "v", 2), 0);
    run(20 * NS_PER_MS);
    for (uint32_t i = 0; i < 256; i++) {
        size_t size;
        assert_non_null(gossip_find(fleet.cores[i], "m009", GOSSIP_TABLE_HOST, "k", &size));
    }
}

// ---- what others may say

static void say(const char *sender, const struct wire_load *load, uint32_t to) {
    struct mp_writer writer;
    mp_write_growing(&writer);
    char address[GOSSIP_ADDRESS_SIZE];
    uint32_t number = (uint32_t)strtoul(sender + 1, NULL, 10);
    snprintf(address, sizeof address, "mem://%u", number);
    size_t message = wire_open_message(&writer, GOSSIP_PROTOCOL_VERSION, sender, address,
                                       (struct life){1, 1000 + number});
    size_t list = wire_open_list(&writer, SECTION_LOAD);
    wire_write_load(&writer, load);
    wire_close_list(&writer, list, 1);
    wire_close_message(&writer, message, 1);
    gossip_receive(fleet.cores[to], fleet.now_ns, NULL, writer.bytes, writer.size);
    free(writer.bytes);
}

static bool believes(struct gossip *core) {
    struct gossip_load load;
    return gossip_take_load(core, &load);
}

static void what_is_not_of_a_live_host_of_the_scope_is_dropped(void **state) {
    (void)state;
    start(10);
    share(0, 1, 6);
    struct gossip *core = fleet.cores[2];
    struct wire_load load = {.origin = "m003", .life = {1, 1003}, .stamp = 5, .value = {"x", 1}};
    say("m004", &load, 2);
    assert_true(believes(core));
    say("m004", &load, 2); // not newer
    assert_false(believes(core));
    load.stamp = 6;
    say("m008", &load, 2); // not of the scope
    assert_false(believes(core));
    load.life.incarnation = 2; // nobody proved that life
    say("m004", &load, 2);
    assert_false(believes(core));
    load = (struct wire_load){.origin = "m008", .life = {1, 1008}, .stamp = 1};
    say("m004", &load, 2); // not of the scope either
    assert_false(believes(core));
    load = (struct wire_load){.origin = "m002", .life = {1, 1002}, .stamp = 1};
    say("m004", &load, 2); // our own
    assert_false(believes(core));
    assert_int_equal(core->stats.loads_dropped, 5);
    assert_int_equal(core->stats.loads_received, 1);
}

static void whom_we_have_it_from_must_share_a_scope_with_its_origin(void **state) {
    (void)state;
    start(10);
    const char *rack[] = {"m001", "m002", "m003"};
    const char *job[] = {"m001", "m004", "m005"};
    struct gossip_scope both[] = {{"rack", rack, 3}, {"job", job, 3}};
    struct gossip *core = fleet.cores[1];
    assert_int_equal(gossip_set_scopes(core, fleet.now_ns, both, 2), 0);
    struct wire_load load = {.origin = "m003", .life = {1, 1003}, .stamp = 5, .value = {"x", 1}};
    say("m004", &load, 1);
    assert_false(believes(core));
    say("m002", &load, 1);
    assert_true(believes(core));
    hush(core);
    assert_int_equal(core->partner_count, 4);
    for (uint32_t i = 0; i < 4; i++) { // nobody is left to tell: not whose it is, nor who said it
        fleet.now_ns = gossip_deadline_ns(core);
        gossip_tick(core, fleet.now_ns);
        struct gossip_message message;
        while (gossip_take_message(core, &message)) {
            assert_false(message.droppable);
        }
    }
}

static void a_load_that_is_too_large_is_refused(void **state) {
    (void)state;
    start(4);
    share(0, 1, 4);
    char bytes[GOSSIP_LOAD_SIZE + 1] = {0};
    struct wire_load load = {.origin = "m003", .life = {1, 1003}, .stamp = 5};
    load.value = (struct mp_text){bytes, GOSSIP_LOAD_SIZE + 1};
    say("m003", &load, 2);
    assert_false(believes(fleet.cores[2]));
    assert_int_equal(fleet.cores[2]->stats.dropped_malformed, 1);
    load.value.size = GOSSIP_LOAD_SIZE;
    say("m003", &load, 2);
    assert_true(believes(fleet.cores[2]));
    assert_int_equal(gossip_put_load(fleet.cores[2], fleet.now_ns, bytes, sizeof bytes), -EMSGSIZE);
    assert_int_equal(gossip_put_load(fleet.cores[2], fleet.now_ns, bytes, GOSSIP_LOAD_SIZE), 0);
}

static void who_leaves_a_scope_forgets_its_loads(void **state) {
    (void)state;
    start(8);
    share(0, 1, 8);
    put(5, 3);
    run(500 * NS_PER_MS);
    struct gossip *core = fleet.cores[0];
    assert_true(core->load_count >= 1);
    put(5, 4);
    assert_int_equal(gossip_put_load(core, fleet.now_ns, "x", 1), 0); // queued
    assert_int_equal(gossip_set_scopes(core, fleet.now_ns, NULL, 0), 0);
    assert_int_equal(core->load_count, 0);
    assert_null(core->tell_first);
    assert_null(core->take_first);
    run(500 * NS_PER_MS);
    assert_int_equal(fleet.newest[0][5], 3);
    assert_int_equal(holders(5, 4), 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_load_reaches_the_whole_scope_and_nobody_else, stop),
        cmocka_unit_test_teardown(each_scope_hears_of_its_own, stop),
        cmocka_unit_test_teardown(the_newest_wins_in_whatever_order_they_come, stop),
        cmocka_unit_test_teardown(what_waits_is_replaced_by_newer, stop),
        cmocka_unit_test_teardown(loads_stand_behind_all_facts, stop),
        cmocka_unit_test_teardown(a_silent_neighbour_is_told_no_loads, stop),
        cmocka_unit_test_teardown(dead_hosts_do_not_break_the_circle, stop),
        cmocka_unit_test_teardown(partners_are_connected_to_but_not_watched, stop),
        cmocka_unit_test_teardown(a_partner_that_falls_silent_is_no_concern_of_ours, stop),
        cmocka_unit_test_teardown(sixteen_scopes_at_most_and_each_has_a_partner, stop),
        cmocka_unit_test_teardown(two_hundred_fifty_six_hosts_stay_within_their_budget, stop),
        cmocka_unit_test_teardown(what_is_not_of_a_live_host_of_the_scope_is_dropped, stop),
        cmocka_unit_test_teardown(whom_we_have_it_from_must_share_a_scope_with_its_origin, stop),
        cmocka_unit_test_teardown(a_load_that_is_too_large_is_refused, stop),
        cmocka_unit_test_teardown(who_leaves_a_scope_forgets_its_loads, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
