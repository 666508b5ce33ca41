// SPDX-License-Identifier: Apache-2.0
// A fleet that is upgraded host by host: which version is spoken, and what becomes of facts that
// only newer members know.
#include "gossip_forge.h"

#define HOSTS 4

struct host {
    struct gossip *core; // NULL: not running
    char name[8], address[16];
};

static struct host hosts[HOSTS];

static int start_none(void **state) {
    (void)state;
    now_ns = NS_PER_S;
    memset(hosts, 0, sizeof hosts);
    return 0;
}

static int stop_all(void **state) {
    (void)state;
    for (uint32_t i = 0; i < HOSTS; i++) {
        gossip_close(hosts[i].core);
    }
    return 0;
}

static void start(uint32_t host, uint32_t protocol_max) {
    static const char *const seeds[] = {"mem://h0", "mem://h1"};
    struct gossip_config config = {.nonce = 10 + host,
                                   .seed = host,
                                   .protocol_max = protocol_max,
                                   .seeds = seeds,
                                   .seed_count = 2};
    struct error error;
    snprintf(hosts[host].name, sizeof hosts[host].name, "h%u", host % HOSTS);
    snprintf(hosts[host].address, sizeof hosts[host].address, "mem://h%u", host % HOSTS);
    strcpy(config.name, hosts[host].name);
    strcpy(config.address, hosts[host].address);
    assert_int_equal(gossip_open(&config, now_ns, &hosts[host].core, &error), 0);
}

static void carry(struct host *from) {
    struct gossip_message out;
    while (from->core != NULL && gossip_take_message(from->core, &out)) {
        for (uint32_t i = 0; i < HOSTS; i++) {
            if (hosts[i].core != NULL && strcmp(hosts[i].address, out.address) == 0) {
                gossip_receive(hosts[i].core, now_ns, NULL, out.bytes, out.size);
            }
        }
    }
}

static void run_hosts(uint64_t duration_ns) {
    for (uint64_t until = now_ns + duration_ns; now_ns < until; now_ns += NS_PER_MS) {
        for (uint32_t i = 0; i < HOSTS; i++) {
            if (hosts[i].core != NULL && gossip_deadline_ns(hosts[i].core) <= now_ns) {
                gossip_tick(hosts[i].core, now_ns);
            }
            carry(&hosts[i]);
        }
    }
}

static void assert_all_speak(uint32_t version) {
    for (uint32_t i = 0; i < HOSTS; i++) {
        if (hosts[i].core != NULL) {
            assert_int_equal(gossip_protocol_version(hosts[i].core), version);
        }
    }
}

// Each host writes something, and every other one gets it.
static void assert_all_understand_each_other(const char *value) {
    for (uint32_t i = 0; i < HOSTS; i++) {
        if (hosts[i].core != NULL) {
            gossip_put(hosts[i].core, now_ns, GOSSIP_TABLE_HOST, "k", value, strlen(value) + 1);
        }
    }
    run_hosts(20 * NS_PER_MS);
    for (uint32_t i = 0; i < HOSTS * HOSTS; i++) {
        const struct host *here = &hosts[i / HOSTS];
        const struct host *there = &hosts[i % HOSTS];
        size_t size;
        if (here->core != NULL && there->core != NULL) {
            const char *got = gossip_find(here->core, there->name, GOSSIP_TABLE_HOST, "k", &size);
            assert_non_null(got);
            assert_string_equal(got, value);
        }
    }
}

static void assert_nothing_was_dropped(uint32_t host) {
    struct gossip_stats got;
    gossip_stats(hosts[host].core, &got);
    assert_int_equal(got.dropped_version, 0);
    assert_int_equal(got.dropped_malformed, 0);
}

static void the_highest_version_that_all_live_members_know_is_spoken(void **state) {
    (void)state;
    start(0, 3);
    assert_int_equal(gossip_protocol_version(hosts[0].core), 2); // who knows who will come
    start(1, 3);
    run_hosts(2 * NS_PER_S);
    assert_all_speak(3);
    start(2, 4);
    run_hosts(2 * NS_PER_S);
    assert_all_speak(3);
    assert_all_understand_each_other("three");
    start(3, 2); // an old one joins
    run_hosts(2 * NS_PER_S);
    assert_all_speak(2);
    assert_all_understand_each_other("two");
    assert_nothing_was_dropped(3);
    gossip_leave(hosts[3].core, now_ns); // and is upgraded
    carry(&hosts[3]);
    gossip_close(hosts[3].core);
    hosts[3].core = NULL;
    run_hosts(100 * NS_PER_MS);
    assert_all_speak(3);
    start(3, 3);
    run_hosts(2 * NS_PER_S);
    assert_all_speak(3);
    assert_all_understand_each_other("three again");
}

static void the_dead_do_not_hold_anybody_back(void **state) {
    (void)state;
    for (uint32_t i = 0; i < HOSTS; i++) {
        start(i, i == 1 ? 2 : 3);
    }
    run_hosts(3 * NS_PER_S);
    assert_all_speak(2);
    gossip_close(hosts[1].core);
    hosts[1].core = NULL;
    run_hosts(3 * NS_PER_S);
    assert_all_speak(3);
    start(1, 2); // it comes back and is spoken to as one who may know only the oldest
    run_hosts(3 * NS_PER_S);
    assert_all_speak(2);
    assert_all_understand_each_other("back");
    assert_nothing_was_dropped(1);
}

static void members_say_which_versions_they_know(void **state) {
    (void)state;
    start(0, 3);
    start(1, 2);
    run_hosts(2 * NS_PER_S);
    struct gossip_member member;
    assert_true(gossip_find_member(hosts[1].core, "h0", &member));
    assert_int_equal(member.protocol_min, GOSSIP_PROTOCOL_MIN);
    assert_int_equal(member.protocol_max, 3);
}

static void a_version_that_no_build_knows_cannot_be_configured(void **state) {
    (void)state;
    struct gossip_config config = {.name = "a", .address = "mem://a"};
    struct gossip *out = NULL;
    struct error error;
    static const uint32_t wrong[] = {GOSSIP_PROTOCOL_MIN - 1, GOSSIP_PROTOCOL_MIN + PROTOCOLS};
    for (int i = 0; i < 2; i++) {
        config.protocol_max = wrong[i];
        assert_int_equal(gossip_open(&config, now_ns, &out, &error), -EINVAL);
        assert_null(out);
    }
    config.protocol_max = GOSSIP_PROTOCOL_MIN + PROTOCOLS - 1;
    assert_int_equal(gossip_open(&config, now_ns, &out, &error), 0);
    gossip_close(out);
}

// ---- members that know none of our versions

static uint32_t version_alarms(void) {
    struct gossip_change change;
    uint32_t alarms = 0;
    while (gossip_take_change(core, &change)) {
        alarms += change.kind == GOSSIP_ALARM_VERSION && strcmp(change.origin, "x") == 0;
    }
    return alarms;
}

static void write_self(uint64_t seq, uint32_t protocol_min, uint32_t protocol_max) {
    begin(SECTION_PUSH, 1, 0, seq - 1, seq);
    add_self_of(seq, "mem://x", false, protocol_min, protocol_max);
    deliver();
    assert_int_equal(held_seq(), seq);
}

static void who_knows_none_of_our_versions_is_an_alarm_once(void **state) {
    (void)state;
    write_self(1, GOSSIP_PROTOCOL_VERSION + 1, GOSSIP_PROTOCOL_VERSION + 2);
    assert_int_equal(version_alarms(), 1);
    write_self(2, GOSSIP_PROTOCOL_VERSION + 1, GOSSIP_PROTOCOL_VERSION + 3);
    assert_int_equal(version_alarms(), 0);
    write_self(3, GOSSIP_PROTOCOL_VERSION, GOSSIP_PROTOCOL_VERSION + 3);
    write_self(4, GOSSIP_PROTOCOL_MIN - 1, GOSSIP_PROTOCOL_MIN - 1);
    assert_int_equal(version_alarms(), 1);
}

static void nobody_is_suspected_for_speaking_what_we_do_not_understand(void **state) {
    (void)state;
    size_t size;
    write_self(1, GOSSIP_PROTOCOL_VERSION + 1, GOSSIP_PROTOCOL_VERSION + 2);
    run_ticks(5 * NS_PER_S);
    assert_null(gossip_find(core, "me", GOSSIP_TABLE_CORE, CORE_SUSPECT "x", &size));
    write_self(2, GOSSIP_PROTOCOL_VERSION, GOSSIP_PROTOCOL_VERSION + 2);
    run_ticks(5 * NS_PER_S);
    assert_non_null(gossip_find(core, "me", GOSSIP_TABLE_CORE, CORE_SUSPECT "x", &size));
}

static void a_member_that_says_no_versions_knows_the_first_only(void **state) {
    (void)state;
    uint8_t value[64];
    struct mp_writer self;
    mp_write_fixed(&self, value, sizeof value);
    mp_write_array(&self, 3);
    mp_write_str(&self, "mem://x", 7);
    mp_write_str(&self, "", 0);
    mp_write_bool(&self, false);
    begin(SECTION_PUSH, 1, 0, 0, 1);
    add(1, GOSSIP_TABLE_CORE, CORE_SELF, value, self.size);
    deliver();
    struct gossip_member member;
    assert_true(gossip_find_member(core, "x", &member));
    assert_int_equal(member.protocol_min, 1);
    assert_int_equal(member.protocol_max, 1);
    assert_int_equal(version_alarms(), 1);
}

// ---- tables of newer members

#define NEW_TABLE ((enum gossip_table)200)

// The last part about x that is sent in a section of that kind; false when there is none.
static bool sent_about_x(enum section_kind kind, struct wire_part *part) {
    static uint8_t kept[65536];
    struct gossip_message out;
    bool found = false;
    while (gossip_take_message(core, &out)) {
        struct wire_envelope envelope;
        struct wire_section section;
        struct wire_part first;
        assert_int_equal(wire_check(out.bytes, out.size, &envelope), 0);
        wire_next_section(&envelope.sections, &section);
        if (section.kind != (uint64_t)kind) {
            continue;
        }
        memcpy(kept, out.bytes, out.size);
        wire_check(kept, out.size, &envelope);
        wire_next_section(&envelope.sections, &section);
        wire_next_part(&section.items, &first);
        if (strcmp(first.origin, "x") == 0) {
            *part = first;
            found = true;
        }
    }
    return found;
}

static void assert_has_opaque(const struct wire_part *part) {
    struct mp_reader reader = part->records;
    for (uint32_t i = 0; i < part->record_count; i++) {
        struct wire_record record;
        wire_next_record(&reader, &record);
        if (record.table == NEW_TABLE) {
            assert_int_equal(record.value_size, 6);
            assert_memory_equal(record.value, "future", 6);
            return;
        }
    }
    fail_msg("the fact is not there");
}

static void ask_for_x(void) {
    struct wire_have have = {.origin = "x"};
    forget_message();
    mp_write_growing(&message);
    size_t open =
        wire_open_message(&message, GOSSIP_PROTOCOL_VERSION, "y", "mem://y", (struct life){1, 5});
    size_t haves = wire_open_list(&message, SECTION_WANT);
    wire_write_have(&message, &have);
    wire_close_list(&message, haves, 1);
    wire_close_message(&message, open, 1);
    receive();
}

static void facts_of_unknown_tables_are_kept_and_passed_on_but_not_reported(void **state) {
    (void)state;
    struct wire_part part;
    struct gossip_change change;
    introduce();
    while (gossip_take_change(core, &change)) {
    }
    sent_about_x(SECTION_PUSH, &part);
    begin(SECTION_PUSH, 1, 0, 2, 3);
    add(3, NEW_TABLE, "what/is/this", "future", 6);
    deliver();
    assert_false(gossip_take_change(core, &change));
    assert_true(sent_about_x(SECTION_PUSH, &part));
    assert_has_opaque(&part);
    begin(SECTION_PUSH, 1, 0, 3, 4); // it is a part of the state
    add_text(4, "k", "next");
    deliver();
    assert_string_equal(held("k"), "next");
    sent_about_x(SECTION_DATA, &part);
    ask_for_x();
    assert_true(sent_about_x(SECTION_DATA, &part));
    assert_int_equal(part.record_count, 3);
    assert_has_opaque(&part);
    assert_int_equal(gossip_put(core, now_ns, NEW_TABLE, "k", "v", 1), -EINVAL); // not ours to say
}

static void a_table_beyond_what_can_be_said_is_malformed(void **state) {
    (void)state;
    begin(SECTION_PUSH, 1, 0, 0, 2);
    add_self(1, false);
    add(2, (enum gossip_table)TABLES_MAX, "k", "v", 1);
    deliver();
    assert_int_equal(stats().dropped_malformed, 1);
    begin(SECTION_PUSH, 1, 0, 0, 2);
    add_self(1, false);
    add(2, (enum gossip_table)(TABLES_MAX - 1), "k", "v", 1);
    deliver();
    assert_int_equal(stats().dropped_malformed, 1);
    assert_int_equal(held_seq(), 2);
}

#define FLEET(name) cmocka_unit_test_setup_teardown(name, start_none, stop_all)

int main(void) {
    const struct CMUnitTest tests[] = {
        FLEET(the_highest_version_that_all_live_members_know_is_spoken),
        FLEET(the_dead_do_not_hold_anybody_back),
        FLEET(members_say_which_versions_they_know),
        FLEET(a_version_that_no_build_knows_cannot_be_configured),
        TEST(who_knows_none_of_our_versions_is_an_alarm_once),
        TEST(nobody_is_suspected_for_speaking_what_we_do_not_understand),
        TEST(a_member_that_says_no_versions_knows_the_first_only),
        TEST(facts_of_unknown_tables_are_kept_and_passed_on_but_not_reported),
        TEST(a_table_beyond_what_can_be_said_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
