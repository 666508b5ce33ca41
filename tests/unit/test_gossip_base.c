// SPDX-License-Identifier: Apache-2.0
// A core with a base behaves like one that learnt the same by messages. The fleet here is "m0",
// "m1"...: each is a core of its own that introduces itself to the base "base", which then stands
// still.
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

#define FLEET_MAX 300
#define START_NS NS_PER_S
#define BASE_ADDRESS "mem://base"

static struct gossip *fleet[FLEET_MAX], *base;
static uint32_t fleet_count;

static void configure(struct gossip_config *config, const char *name, uint32_t number) {
    *config = (struct gossip_config){.nonce = 1000 + number, .seed = number};
    snprintf(config->name, sizeof config->name, "%s", name);
    snprintf(config->address, sizeof config->address, "mem://%s", name);
    snprintf(config->rack, sizeof config->rack, "rack%u", number / 8);
}

static struct gossip *open_core(const struct gossip_config *config) {
    struct gossip *core;
    struct error error;
    int opened = gossip_open(config, START_NS, &core, &error);
    if (opened != 0) {
        fail_msg("%s", error.text);
    }
    return core;
}

static void configure_member(struct gossip_config *config, uint32_t i) {
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "m%u", i);
    configure(config, name, i);
}

static void hush(struct gossip *core) {
    struct gossip_message message;
    struct gossip_change change;
    while (gossip_take_message(core, &message)) {
    }
    while (gossip_take_change(core, &change)) {
    }
}

// Opens a core that has claimed its life and written one fact.
static struct gossip *open_active(const struct gossip_config *config, const char *value) {
    struct gossip *core = open_core(config);
    uint64_t now = START_NS + 200 * NS_PER_MS;
    assert_int_equal(gossip_put(core, now, GOSSIP_TABLE_HOST, "value", value, strlen(value) + 1),
                     0);
    gossip_tick(core, now);
    hush(core);
    return core;
}

static void introduce(struct gossip *from, struct gossip *to, uint64_t now_ns) {
    struct gossip_message message;
    gossip_introduce(from, now_ns, to->config.address);
    while (gossip_take_message(from, &message)) {
        if (strcmp(message.address, to->config.address) == 0) {
            gossip_receive(to, now_ns, NULL, message.bytes, message.size);
        }
    }
}

static void start(uint32_t count) {
    struct gossip_config config;
    configure(&config, "base", 9999);
    base = open_active(&config, "base");
    fleet_count = count;
    for (uint32_t i = 0; i < count; i++) {
        configure_member(&config, i);
        fleet[i] = open_active(&config, config.name);
        introduce(fleet[i], base, START_NS + 200 * NS_PER_MS);
    }
    hush(base);
    assert_int_equal(gossip_member_count(base), count + 1);
}

static int stop(void **state) {
    (void)state;
    for (uint32_t i = 0; i < fleet_count; i++) {
        gossip_close(fleet[i]);
        fleet[i] = NULL;
    }
    gossip_close(base);
    base = NULL;
    fleet_count = 0;
    return 0;
}

static struct gossip *open_on_base(uint32_t i, uint32_t nonce) {
    struct gossip_config config;
    configure_member(&config, i);
    config.nonce = nonce;
    config.base = base;
    return open_core(&config);
}

static struct gossip *resume(uint32_t i) {
    return open_on_base(i, 1000 + i);
}

// ---- comparing what is known

static void assert_same_members(const struct gossip *a, const struct gossip *b) {
    struct gossip_member left, right;
    assert_int_equal(gossip_member_count(a), gossip_member_count(b));
    for (uint32_t i = 0; i < gossip_member_count(a); i++) {
        assert_true(gossip_member_at(a, i, &left));
        assert_true(gossip_member_at(b, i, &right));
        assert_string_equal(left.name, right.name);
        assert_string_equal(left.address, right.address);
        assert_string_equal(left.rack, right.rack);
        assert_int_equal(left.state, right.state);
        assert_int_equal(left.incarnation, right.incarnation);
        assert_int_equal(left.nonce, right.nonce);
        assert_int_equal(left.max_seq, right.max_seq);
    }
    assert_false(gossip_member_at(a, gossip_member_count(a), &left));
    assert_false(gossip_member_at(b, gossip_member_count(b), &right));
}

static void a_core_with_a_base_knows_what_the_base_knows(void **state) {
    (void)state;
    start(100);
    struct gossip *core = resume(17);
    size_t size;
    assert_same_members(core, base);
    assert_string_equal(gossip_find(core, "m42", GOSSIP_TABLE_HOST, "value", &size), "m42");
    assert_memory_equal(core->digest, base->digest, sizeof base->digest);
    assert_true(core->origin_count < 12); // itself and its neighbours
    gossip_close(core);
}

static void a_life_that_the_base_knows_goes_on(void **state) {
    (void)state;
    start(100);
    struct gossip *core = resume(17);
    struct gossip_member self;
    assert_true(gossip_joined(core));
    assert_true(gossip_find_member(core, "m17", &self));
    assert_true(self.self);
    assert_int_equal(self.incarnation, 1);
    struct gossip_message message;
    assert_true(gossip_take_message(core, &message)); // a digest to each neighbour
    assert_string_equal(message.address, core->peers[0].address);
    gossip_close(core);
}

static void neighbours_are_those_of_the_whole_fleet(void **state) {
    (void)state;
    start(100);
    for (uint32_t i = 0; i < 100; i++) {
        struct gossip *core = resume(i);
        const struct origin *of = origin_find_own(base, core->config.name);
        const struct origin *expected[NEIGHBOURS_MAX];
        uint32_t count = overlay_neighbours(base, of, expected);
        assert_int_equal(core->peer_count, count);
        for (uint32_t k = 0; k < count; k++) {
            assert_string_equal(core->peers[k].address, expected[k]->address);
        }
        gossip_close(core);
    }
}

static void a_restarted_host_outbids_the_life_that_the_base_knows(void **state) {
    (void)state;
    start(20);
    struct gossip *core = open_on_base(7, 4711);
    struct gossip_member self;
    size_t size;
    assert_int_equal(gossip_member_count(core), 21);
    assert_null(gossip_find(core, "m7", GOSSIP_TABLE_HOST, "value", &size));
    gossip_tick(core, START_NS + 200 * NS_PER_MS);
    assert_true(gossip_find_member(core, "m7", &self));
    assert_int_equal(self.incarnation, 2);
    assert_int_equal(self.nonce, 4711);
    introduce(core, base, START_NS + 300 * NS_PER_MS); // its word replaces the earlier life
    assert_true(gossip_find_member(base, "m7", &self));
    assert_int_equal(self.incarnation, 2);
    gossip_close(core);
}

static void a_resumed_life_writes_on_from_where_it_was(void **state) {
    (void)state;
    start(20);
    struct gossip *core = resume(7);
    struct gossip_member before, after;
    assert_true(gossip_find_member(base, "m7", &before));
    assert_int_equal(gossip_put(core, START_NS + 300 * NS_PER_MS, GOSSIP_TABLE_HOST, "k", "v", 2),
                     0);
    assert_true(gossip_find_member(core, "m7", &after));
    assert_int_equal(after.max_seq, before.max_seq + 1);
    introduce(core, fleet[3], START_NS + 300 * NS_PER_MS);
    size_t size;
    assert_string_equal(gossip_find(fleet[3], "m7", GOSSIP_TABLE_HOST, "k", &size), "v");
    assert_string_equal(gossip_find(fleet[3], "m7", GOSSIP_TABLE_HOST, "value", &size), "m7");
    gossip_close(core);
}

static void what_one_core_hears_no_other_one_sees(void **state) {
    (void)state;
    start(40);
    uint64_t now = START_NS + 300 * NS_PER_MS;
    struct gossip *one = resume(1);
    struct gossip *other = resume(2);
    size_t size;
    assert_int_equal(gossip_put(fleet[30], now, GOSSIP_TABLE_HOST, "value", "new", 4), 0);
    introduce(fleet[30], one, now);
    gossip_leave(fleet[31], now);
    introduce(fleet[31], one, now);
    assert_string_equal(gossip_find(one, "m30", GOSSIP_TABLE_HOST, "value", &size), "new");
    assert_string_equal(gossip_find(other, "m30", GOSSIP_TABLE_HOST, "value", &size), "m30");
    assert_string_equal(gossip_find(base, "m30", GOSSIP_TABLE_HOST, "value", &size), "m30");
    assert_same_members(other, base);
    struct gossip_member member;
    assert_true(gossip_find_member(one, "m31", &member));
    assert_int_equal(member.state, GOSSIP_LEFT);
    assert_int_equal(overlay_size(one), overlay_size(base) - 1);
    gossip_close(one);
    gossip_close(other);
}

static void who_is_gone_for_good_does_not_come_back_from_the_base(void **state) {
    (void)state;
    start(12);
    struct gossip_config config;
    configure_member(&config, 1);
    config.base = base;
    config.serve_dead_ns = config.forget_ns = NS_PER_S;
    struct gossip *core = open_core(&config);
    uint64_t now = START_NS + 300 * NS_PER_MS;
    gossip_leave(fleet[5], now);
    introduce(fleet[5], core, now);
    struct gossip_member member;
    assert_true(gossip_find_member(core, "m5", &member));
    for (uint32_t i = 0; i < 60; i++) {
        now = gossip_deadline_ns(core);
        gossip_tick(core, now);
        hush(core);
    }
    now += 2 * NS_PER_S;
    gossip_tick(core, now);
    now += 2 * NS_PER_S;
    gossip_tick(core, now);
    assert_null(origin_find_own(core, "m5")); // forgotten
    assert_false(gossip_find_member(core, "m5", &member));
    assert_null(origin_find(core, "m5"));
    assert_int_equal(gossip_member_count(core), gossip_member_count(base) - 1);
    gossip_close(core);
}

static void names_are_members_in_order_whoever_holds_them(void **state) {
    (void)state;
    start(200);
    struct gossip *core = resume(150);
    for (uint32_t i = 0; i < 200; i += 3) { // taken here and there
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "m%u", i);
        assert_non_null(origin_find(core, name));
    }
    assert_same_members(core, base);
    assert_non_null(origin_find(core, "base")); // the first of all
    assert_non_null(origin_find(core, "m99"));  // the last
    assert_same_members(core, base);
    gossip_close(core);
}

static void expect_refusal(struct gossip_config *config, const char *reason) {
    struct gossip *core;
    struct error error;
    assert_int_equal(gossip_open(config, START_NS, &core, &error), -EINVAL);
    assert_non_null(strstr(error.text, reason));
}

static void a_base_that_does_not_fit_is_refused(void **state) {
    (void)state;
    start(3);
    struct gossip *core = resume(1);
    struct gossip_config config;
    configure_member(&config, 2);
    config.base = core;
    expect_refusal(&config, "has a base itself");
    config.base = base;
    config.neighbours = 4;
    expect_refusal(&config, "4 neighbours, but its base has 8");
    config.neighbours = 0;
    config.protocol_max = GOSSIP_PROTOCOL_VERSION + 1;
    expect_refusal(&config, "speaks or signs otherwise");
    config.protocol_max = 0;
    assert_int_equal(gossip_put(base, START_NS + NS_PER_S, GOSSIP_TABLE_HOST, "k", "v", 2), 0);
    expect_refusal(&config, "has not told all that it wrote");
    gossip_close(core);
}

#define BYTES_MAX 100000

static void a_core_that_met_its_neighbours_is_small(void **state) {
    (void)state;
    start(FLEET_MAX);
    struct gossip *core = resume(0);
    struct gossip_message message;
    while (gossip_take_message(core, &message)) {
    }
    size_t bytes = sizeof *core + FLEET_MAX / 8; // what grows with the fleet is a bit for each
    for (uint32_t i = 0; i <= core->origin_mask; i++) {
        const struct origin *origin = core->origin_hash[i];
        for (; origin != NULL; origin = origin->hash_next) {
            bytes += sizeof *origin + origin->record_capacity * sizeof(struct record *);
            for (const struct record *record = origin->first; record; record = record->next) {
                bytes += sizeof *record + record->key_size + record->value_size;
            }
        }
    }
    print_message("%zu bytes, %u origins\n", bytes, core->origin_count);
    assert_true(core->origin_count <= 2 * RINGS_MAX + 1);
    assert_true(bytes < BYTES_MAX / 2); // the other half is for what happens
    gossip_close(core);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_core_with_a_base_knows_what_the_base_knows, stop),
        cmocka_unit_test_teardown(a_life_that_the_base_knows_goes_on, stop),
        cmocka_unit_test_teardown(neighbours_are_those_of_the_whole_fleet, stop),
        cmocka_unit_test_teardown(a_restarted_host_outbids_the_life_that_the_base_knows, stop),
        cmocka_unit_test_teardown(a_resumed_life_writes_on_from_where_it_was, stop),
        cmocka_unit_test_teardown(what_one_core_hears_no_other_one_sees, stop),
        cmocka_unit_test_teardown(who_is_gone_for_good_does_not_come_back_from_the_base, stop),
        cmocka_unit_test_teardown(names_are_members_in_order_whoever_holds_them, stop),
        cmocka_unit_test_teardown(a_base_that_does_not_fit_is_refused, stop),
        cmocka_unit_test_teardown(a_core_that_met_its_neighbours_is_small, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
