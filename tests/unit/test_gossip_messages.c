// SPDX-License-Identifier: Apache-2.0
// The rule of merging, asking and answering, and when a neighbour counts as silent.
#include "gossip_forge.h"

// ---- merging

static void a_record_counts_once_however_often_it_comes(void **state) {
    (void)state;
    introduce();
    struct gossip_change change;
    while (gossip_take_change(core, &change)) {
    }
    gossip_receive(core, now_ns, NULL, message.bytes, message.size);
    assert_false(gossip_take_change(core, &change));
    assert_int_equal(stats().records_applied, 2);
    assert_int_equal(stats().records_duplicate, 2);
}

static void records_in_any_order_give_the_newest_value(void **state) {
    (void)state;
    introduce();
    static const uint64_t order[] = {5, 3, 4};
    static const char *const text[] = {"five", "three", "four"};
    for (int i = 0; i < 3; i++) {
        begin(SECTION_PUSH, 1, 2, 0, 0);
        add_text(order[i], "k", text[i]);
        deliver();
        assert_string_equal(held("k"), "five");
    }
    struct gossip_member member;
    assert_true(gossip_find_member(core, "x", &member));
    assert_int_equal(member.max_seq, 5);
}

static void what_a_part_covers_needs_no_record(void **state) {
    (void)state;
    introduce();
    begin(SECTION_DATA, 1, 2, 2, 1000);
    add_text(1000, "k", "new"); // 3 to 999 were overwritten
    deliver();
    struct gossip_member member;
    assert_true(gossip_find_member(core, "x", &member));
    assert_int_equal(member.max_seq, 1000);
    assert_string_equal(held("k"), "new");
}

static void a_part_that_starts_beyond_what_is_here_covers_nothing(void **state) {
    (void)state;
    introduce();
    begin(SECTION_DATA, 1, 2, 3, 10); // 3 is missing
    add_text(10, "k", "new");
    deliver();
    struct gossip_member member;
    assert_true(gossip_find_member(core, "x", &member));
    assert_int_equal(member.max_seq, 2);
    assert_string_equal(held("k"), "new"); // but the record itself is good
}

static void a_record_beyond_the_window_waits_for_repair(void **state) {
    (void)state;
    introduce();
    begin(SECTION_PUSH, 1, 2, 0, 0);
    add_text(2 + 64, "at", "1");
    add_text(2 + 65, "beyond", "1");
    deliver();
    assert_non_null(held("at"));
    assert_null(held("beyond"));
}

static void an_earlier_life_changes_nothing(void **state) {
    (void)state;
    begin(SECTION_PUSH, 2, 1, 0, 1);
    add_self(1, false);
    deliver();
    begin(SECTION_PUSH, 1, 9, 0, 9);
    add_text(9, "k", "ghost");
    deliver();
    assert_null(held("k"));
    assert_int_equal(stats().records_stale, 1);
}

static void a_later_life_replaces_everything_once_its_floor_is_reached(void **state) {
    (void)state;
    introduce();
    begin(SECTION_PUSH, 2, 2, 0, 1);
    add_self(1, false);
    deliver();
    assert_string_equal(held("k"), "old"); // not yet: facts do not blink
    begin(SECTION_PUSH, 2, 2, 1, 2);
    add_text(2, "other", "new");
    deliver();
    assert_null(held("k"));
    assert_string_equal(held("other"), "new");
}

static void who_is_below_the_floor_starts_from_nothing(void **state) {
    (void)state;
    introduce();
    begin(SECTION_DATA, 1, 5, 0, 6); // the tombstone of k, at most seq 5, was collected
    add_self(1, false);
    add_text(6, "other", "new");
    deliver();
    assert_null(held("k"));
    assert_string_equal(held("other"), "new");
}

static void a_quarantined_life_stays_away_and_a_later_one_comes_back(void **state) {
    (void)state;
    introduce();
    begin(SECTION_PUSH, 1, 2, 2, 3);
    add_self(3, true);
    deliver();
    struct gossip_member member;
    assert_true(gossip_find_member(core, "x", &member));
    assert_int_equal(member.state, GOSSIP_LEFT);
    for (int i = 0; i < 602; i++) {
        now_ns += NS_PER_S;
        gossip_tick(core, now_ns);
    }
    assert_false(gossip_find_member(core, "x", &member));
    assert_null(held("k"));
    begin(SECTION_DATA, 1, 2, 0, 5); // even what it wrote later in that life
    add_self(4, false);
    add_text(5, "k", "ghost");
    deliver();
    assert_null(held("k"));
    assert_false(gossip_find_member(core, "x", &member));
    begin(SECTION_PUSH, 2, 1, 0, 1);
    add_self(1, false);
    deliver();
    assert_true(gossip_find_member(core, "x", &member));
    assert_int_equal(member.state, GOSSIP_ALIVE);
}

static void a_deletion_is_reported_without_a_value(void **state) {
    (void)state;
    introduce();
    struct gossip_change change;
    while (gossip_take_change(core, &change)) {
    }
    begin(SECTION_PUSH, 1, 2, 2, 3);
    add_text(3, "k", NULL);
    deliver();
    assert_null(held("k"));
    assert_true(gossip_take_change(core, &change));
    assert_int_equal(change.kind, GOSSIP_RECORD);
    assert_string_equal(change.key, "k");
    assert_null(change.value);
    assert_false(gossip_take_change(core, &change));
}

// The last PUSH part that the core sends; false when it sends none.
static bool pushed_part(struct wire_part *part) {
    struct gossip_message out;
    bool found = false;
    while (gossip_take_message(core, &out)) {
        struct wire_envelope envelope;
        struct wire_section section;
        assert_int_equal(wire_check(out.bytes, out.size, &envelope), 0);
        wire_next_section(&envelope.sections, &section);
        if (section.kind == SECTION_PUSH) {
            wire_next_part(&section.items, part);
            found = true;
        }
    }
    return found;
}

static void what_is_passed_on_claims_to_cover_only_what_came_in_order(void **state) {
    (void)state;
    struct wire_part part;
    introduce(); // x is a neighbour now; y is the sender
    pushed_part(&part);
    begin(SECTION_PUSH, 1, 2, 2, 3);
    add_text(3, "k", "3");
    deliver();
    assert_true(pushed_part(&part));
    assert_int_equal(part.from, 2);
    assert_int_equal(part.to, 3);
    assert_int_equal(part.hop, 1);
    begin(SECTION_PUSH, 1, 2, 4, 5);
    add_text(5, "early", "5");
    deliver();
    begin(SECTION_PUSH, 1, 2, 3, 6);
    add_text(4, "a", "4");
    add_text(5, "early", "5"); // was passed on before, perhaps in vain
    add_text(6, "b", "6");
    deliver();
    assert_true(pushed_part(&part));
    assert_int_equal(part.record_count, 2);
    assert_int_equal(part.to, 0);
}

// An empty message from x, as its pings are.
static void hear_x(void) {
    struct mp_writer ping;
    mp_write_growing(&ping);
    size_t open = wire_open_message(&ping, "x", "mem://x", (struct life){1, 9});
    wire_close_message(&ping, open, 0);
    gossip_receive(core, now_ns, NULL, ping.bytes, ping.size);
    free(ping.bytes);
}

// The first list of that kind that the core sends to x; its count, 0 when there is none.
static uint32_t sent_to_x(enum section_kind kind, struct mp_reader *items) {
    static uint8_t kept[65536];
    struct gossip_message out;
    uint32_t count = 0;
    while (gossip_take_message(core, &out)) {
        struct wire_envelope envelope;
        struct wire_section section;
        assert_true(out.size <= sizeof kept);
        if (count > 0 || strcmp(out.address, "mem://x") != 0) {
            continue;
        }
        assert_int_equal(wire_check(out.bytes, out.size, &envelope), 0);
        wire_next_section(&envelope.sections, &section);
        if (section.kind == kind) {
            memcpy(kept, out.bytes, out.size);
            assert_int_equal(wire_check(kept, out.size, &envelope), 0);
            wire_next_section(&envelope.sections, &section);
            count = section.count;
            *items = section.items;
        }
    }
    return count;
}

static bool suspects_x(void) {
    size_t size;
    return gossip_find(core, "me", GOSSIP_TABLE_CORE, CORE_SUSPECT "x", &size) != NULL;
}

static void a_silent_neighbour_is_suspected_at_150_ms_and_not_before(void **state) {
    (void)state;
    introduce();
    hear_x();
    run_ticks(150 * NS_PER_MS - 1);
    assert_false(suspects_x());
    run_ticks(1);
    assert_true(suspects_x());
    hear_x();
    assert_false(suspects_x());
}

static void who_was_not_scheduled_suspects_nobody(void **state) {
    (void)state;
    introduce();
    hear_x();
    now_ns += NS_PER_S; // no tick in between
    gossip_tick(core, now_ns);
    assert_false(suspects_x());
    run_ticks(300 * NS_PER_MS - 1); // doubled, counted from when we were back
    assert_false(suspects_x());
    run_ticks(1);
    assert_true(suspects_x());
}

static void what_is_missing_is_asked_for_again(void **state) {
    (void)state;
    struct mp_reader items;
    struct wire_have have;
    introduce();
    hear_x();
    begin(SECTION_PUSH, 1, 2, 0, 0);
    add_text(9, "k", "new"); // 3 to 8 got lost
    deliver();
    for (int i = 0; i < 3; i++) {
        hear_x();
        sent_to_x(SECTION_WANT, &items);
        run_ticks(100 * NS_PER_MS);
        hear_x();
        run_ticks(50 * NS_PER_MS);
        assert_int_equal(sent_to_x(SECTION_WANT, &items), 1);
        wire_next_have(&items, &have);
        assert_string_equal(have.origin, "x");
        assert_int_equal(have.complete, 2);
    }
}

static void ask_for_own(uint64_t complete) {
    struct mp_writer want;
    mp_write_growing(&want);
    size_t open = wire_open_message(&want, "x", "mem://x", (struct life){1, 9});
    size_t haves = wire_open_list(&want, SECTION_WANT);
    struct wire_have have = {.origin = "me", .life = {1, 1}, .complete = complete};
    wire_write_have(&want, &have);
    wire_close_list(&want, haves, 1);
    wire_close_message(&want, open, 1);
    gossip_receive(core, now_ns, NULL, want.bytes, want.size);
    free(want.bytes);
}

static void who_lacks_collected_tombstones_gets_everything(void **state) {
    (void)state;
    struct mp_reader items;
    struct wire_part part;
    introduce();
    gossip_put(core, now_ns, GOSSIP_TABLE_HOST, "a", "1", 1);    // seq 2
    gossip_put(core, now_ns, GOSSIP_TABLE_HOST, "b", "1", 1);    // seq 3
    gossip_delete(core, now_ns, GOSSIP_TABLE_HOST, "a");         // seq 4
    gossip_put(core, now_ns, GOSSIP_TABLE_HOST, "last", "1", 1); // seq 5
    run_ticks(602 * NS_PER_S);
    sent_to_x(SECTION_DATA, &items);
    static const struct { uint64_t complete, from; } cases[] = {{3, 0}, {4, 4}};
    for (int i = 0; i < 2; i++) {
        ask_for_own(cases[i].complete);
        assert_int_equal(sent_to_x(SECTION_DATA, &items), 1);
        wire_next_part(&items, &part);
        assert_int_equal(part.from, cases[i].from);
        assert_int_equal(part.floor, 4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_record_counts_once_however_often_it_comes),
        TEST(records_in_any_order_give_the_newest_value),
        TEST(what_a_part_covers_needs_no_record),
        TEST(a_part_that_starts_beyond_what_is_here_covers_nothing),
        TEST(a_record_beyond_the_window_waits_for_repair),
        TEST(an_earlier_life_changes_nothing),
        TEST(a_later_life_replaces_everything_once_its_floor_is_reached),
        TEST(who_is_below_the_floor_starts_from_nothing),
        TEST(a_quarantined_life_stays_away_and_a_later_one_comes_back),
        TEST(a_deletion_is_reported_without_a_value),
        TEST(what_is_passed_on_claims_to_cover_only_what_came_in_order),
        TEST(a_silent_neighbour_is_suspected_at_150_ms_and_not_before),
        TEST(who_was_not_scheduled_suspects_nobody),
        TEST(what_is_missing_is_asked_for_again),
        TEST(who_lacks_collected_tombstones_gets_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
