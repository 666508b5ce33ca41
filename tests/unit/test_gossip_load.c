// SPDX-License-Identifier: Apache-2.0
// Loads in a fleet (gossip_load_bed.h).
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gossip_load_bed.h"

static void a_load_reaches_the_whole_scope_and_nobody_else(void **state) {
    (void)state;
    bed_start(60);
    bed_share(1, 3, 20);
    bed_put(4, 77);
    bed_run(NS_PER_S);
    assert_int_equal(bed_holders(4, 77), 19); // all but itself
    assert_false(fleet.astray);
    for (uint32_t i = 0; i < 60; i++) {
        assert_int_equal(fleet.newest[i][4] == 77, i % 3 == 1 && i != 4);
        assert_true(i % 3 == 1 || bed_loads_heard(i) == 0);
    }
}

static void each_scope_hears_of_its_own(void **state) {
    (void)state;
    bed_start(24);
    bed_share(0, 1, 8);
    bed_share(12, 1, 12);
    // m003 is in a rack with the first eight and in a job with the last four.
    const char *job[] = {"m003", "m020", "m021", "m022", "m023"};
    struct gossip_scope of_3[] = {{"rack/0", bed_every(0, 1, 8), 8}, {"job/a", job, 5}};
    assert_int_equal(gossip_set_scopes(fleet.cores[3], fleet.now_ns, of_3, 2), 0);
    for (uint32_t i = 20; i < 24; i++) {
        struct gossip_scope both[] = {{"rack/1", bed_every(12, 1, 12), 12}, {"job/a", job, 5}};
        assert_int_equal(gossip_set_scopes(fleet.cores[i], fleet.now_ns, both, 2), 0);
    }
    bed_put(3, 5);
    bed_put(1, 6);
    bed_put(21, 7);
    bed_run(NS_PER_S);
    assert_int_equal(bed_holders(3, 5), 7 + 4);
    assert_int_equal(bed_holders(1, 6), 7);
    assert_int_equal(bed_holders(21, 7), 11 + 1);
    assert_int_equal(fleet.newest[3][21], 7);
    assert_false(fleet.astray);
}

static void the_newest_wins_in_whatever_order_they_come(void **state) {
    (void)state;
    bed_start(40);
    bed_share(0, 1, 40);
    fleet.disorder = true;
    for (uint32_t value = 1; value <= 60; value++) {
        bed_put(0, value);
        bed_put(17, 1000 + value);
        bed_run(30 * NS_PER_MS);
    }
    bed_run(5 * NS_PER_S);
    assert_false(fleet.backwards);
    assert_int_equal(bed_holders(0, 60), 39);
    assert_int_equal(bed_holders(17, 1060), 39);
}

static void what_waits_is_replaced_by_newer(void **state) {
    (void)state;
    bed_start(20);
    bed_share(0, 1, 20);
    bed_run(200 * NS_PER_MS);
    for (uint32_t value = 1; value <= 100; value++) {
        bed_put(0, value);
    }
    uint64_t before = fleet.load_bytes[0];
    bed_run(250 * NS_PER_MS);
    assert_in_range(fleet.load_bytes[0] - before, 1, 4 * 200); // one to each partner
    bed_run(NS_PER_S);
    assert_int_equal(bed_holders(0, 100), 19);
}

static void loads_stand_behind_all_facts(void **state) {
    (void)state;
    bed_start(12);
    bed_share(0, 1, 12);
    bed_run(200 * NS_PER_MS);
    struct gossip *core = fleet.cores[0];
    for (uint32_t i = 0; i < 20; i++) { // the carrier takes nothing for a second
        bed_put(0, i + 1);
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
    bed_start(6); // all are neighbours
    bed_share(0, 1, 6);
    bed_run(500 * NS_PER_MS);
    struct gossip *core = fleet.cores[0];
    char silent[GOSSIP_ADDRESS_SIZE];
    memcpy(silent, core->partners[0].address, sizeof silent);
    uint32_t host = (uint32_t)strtoul(silent + strlen("mem://"), NULL, 10);
    struct gossip *stopped = fleet.cores[host];
    fleet.cores[host] = NULL; // its process is stopped: what is sent to it queues up
    bed_run(500 * NS_PER_MS);
    bed_put(0, 1);
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
    bed_start(30);
    bed_share(0, 1, 30);
    bed_run(300 * NS_PER_MS);
    const struct gossip *core = fleet.cores[1];
    uint32_t dead = core->partner_count;
    for (uint32_t i = 0; i < dead; i++) { // all whom it told
        uint32_t host = (uint32_t)strtoul(core->partners[i].address + strlen("mem://"), NULL, 10);
        gossip_close(fleet.cores[host]);
        fleet.cores[host] = NULL;
    }
    bed_run(2 * NS_PER_S);
    bed_put(1, 9);
    bed_run(NS_PER_S);
    assert_in_range(dead, 2, 4);
    assert_int_equal(bed_holders(1, 9), 29 - dead);
}

static void partners_are_connected_to_but_not_watched(void **state) {
    (void)state;
    bed_start(100);
    bed_run(100 * NS_PER_MS);
    struct gossip *core = fleet.cores[0];
    uint32_t generation = gossip_neighbour_generation(core);
    const char *addresses[64];
    uint32_t neighbours = gossip_neighbours(core, addresses, 64);
    bed_share(0, 2, 50);
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
    bed_start(100);
    bed_share(0, 2, 50);
    bed_run(300 * NS_PER_MS);
    struct gossip *core = fleet.cores[0];
    for (uint32_t i = 0; i < core->partner_count; i++) {
        const char *address = core->partners[i].address;
        uint32_t host = (uint32_t)strtoul(address + strlen("mem://"), NULL, 10);
        if (overlay_peer(core, address) == NULL) {
            gossip_close(fleet.cores[host]);
            fleet.cores[host] = NULL;
            bed_run(400 * NS_PER_MS);
            assert_false(accuses(core, host));
            return;
        }
    }
    fail_msg("all partners are neighbours");
}

static void sixteen_scopes_at_most_and_each_has_a_partner(void **state) {
    (void)state;
    bed_start(80);
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
    bed_start(256);
    bed_share(0, 1, 256);
    bed_run(200 * NS_PER_MS);
    uint64_t seconds = 3;
    memset(fleet.load_bytes, 0, sizeof fleet.load_bytes);
    for (uint32_t round = 1; round <= 20 * seconds; round++) {
        for (uint32_t i = 0; i < 256; i++) {
            bed_put(i, round);
        }
        bed_run(50 * NS_PER_MS);
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
    bed_run(20 * NS_PER_MS);
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
    bed_start(10);
    bed_share(0, 1, 6);
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
    bed_start(10);
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
    bed_hush(core);
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
    bed_start(4);
    bed_share(0, 1, 4);
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
    bed_start(8);
    bed_share(0, 1, 8);
    bed_put(5, 3);
    bed_run(500 * NS_PER_MS);
    struct gossip *core = fleet.cores[0];
    assert_true(core->load_count >= 1);
    bed_put(5, 4);
    assert_int_equal(gossip_put_load(core, fleet.now_ns, "x", 1), 0); // queued
    assert_int_equal(gossip_set_scopes(core, fleet.now_ns, NULL, 0), 0);
    assert_int_equal(core->load_count, 0);
    assert_null(core->tell_first);
    assert_null(core->take_first);
    bed_run(500 * NS_PER_MS);
    assert_int_equal(fleet.newest[0][5], 3);
    assert_int_equal(bed_holders(5, 4), 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_load_reaches_the_whole_scope_and_nobody_else, bed_stop),
        cmocka_unit_test_teardown(each_scope_hears_of_its_own, bed_stop),
        cmocka_unit_test_teardown(the_newest_wins_in_whatever_order_they_come, bed_stop),
        cmocka_unit_test_teardown(what_waits_is_replaced_by_newer, bed_stop),
        cmocka_unit_test_teardown(loads_stand_behind_all_facts, bed_stop),
        cmocka_unit_test_teardown(a_silent_neighbour_is_told_no_loads, bed_stop),
        cmocka_unit_test_teardown(dead_hosts_do_not_break_the_circle, bed_stop),
        cmocka_unit_test_teardown(partners_are_connected_to_but_not_watched, bed_stop),
        cmocka_unit_test_teardown(a_partner_that_falls_silent_is_no_concern_of_ours, bed_stop),
        cmocka_unit_test_teardown(sixteen_scopes_at_most_and_each_has_a_partner, bed_stop),
        cmocka_unit_test_teardown(two_hundred_fifty_six_hosts_stay_within_their_budget, bed_stop),
        cmocka_unit_test_teardown(what_is_not_of_a_live_host_of_the_scope_is_dropped, bed_stop),
        cmocka_unit_test_teardown(whom_we_have_it_from_must_share_a_scope_with_its_origin,
                                  bed_stop),
        cmocka_unit_test_teardown(a_load_that_is_too_large_is_refused, bed_stop),
        cmocka_unit_test_teardown(who_leaves_a_scope_forgets_its_loads, bed_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
