// SPDX-License-Identifier: Apache-2.0
// The rule of merging, asking and answering, and when a neighbour counts as silent.
#include "core.h"
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

static void parts_in_any_order_lead_to_the_newest_state(void **state) {
    (void)state;
    struct mp_writer kept[3];
    introduce();
    static const char *const text[] = {"three", "four", "five"};
    for (uint64_t i = 0; i < 3; i++) {
        begin(SECTION_PUSH, 1, 0, 2 + i, 3 + i);
        add_text(3 + i, "k", text[i]);
        finish_message();
        kept[i] = message;
        message.bytes = NULL;
    }
    static const int order[] = {2, 0, 2, 1, 0, 2};
    static const char *const after[] = {"old", "three", "three", "four", "four", "five"};
    for (int i = 0; i < 6; i++) {
        gossip_receive(core, now_ns, NULL, kept[order[i]].bytes, kept[order[i]].size);
        assert_string_equal(held("k"), after[i]);
    }
    assert_int_equal(held_seq(), 5);
    assert_int_equal(stats().dropped_forged, 0);
    for (int i = 0; i < 3; i++) {
        free(kept[i].bytes);
    }
}

static void what_a_part_covers_needs_no_record(void **state) {
    (void)state;
    introduce();
    begin(SECTION_DATA, 1, 0, 2, 1000);
    add_text(1000, "k", "new"); // 3 to 999 were overwritten
    deliver();
    assert_int_equal(held_seq(), 1000);
    assert_string_equal(held("k"), "new");
}

static void a_part_that_overlaps_what_is_here_brings_the_rest(void **state) {
    (void)state;
    introduce();
    begin(SECTION_PUSH, 1, 0, 2, 4);
    add_text(3, "gone", "3");
    add_text(4, "k", "4");
    deliver();
    strike_out(GOSSIP_TABLE_HOST, "k");
    strike_out(GOSSIP_TABLE_HOST, "gone");
    begin(SECTION_DATA, 1, 0, 2, 6); // as one who has up to 2 is told
    add_text(4, "k", "4");
    add_text(5, "gone", NULL);
    add_text(6, "more", "6");
    deliver();
    assert_int_equal(held_seq(), 6);
    assert_string_equal(held("k"), "4");
    assert_string_equal(held("more"), "6");
    assert_null(held("gone"));
    assert_int_equal(stats().records_duplicate, 1);
}

static void a_part_that_starts_beyond_what_is_here_changes_nothing(void **state) {
    (void)state;
    introduce();
    begin(SECTION_DATA, 1, 0, 3, 10); // 3 is missing
    add_text(10, "k", "new");
    deliver();
    assert_int_equal(held_seq(), 2);
    assert_string_equal(held("k"), "old");
    assert_int_equal(stats().dropped_forged, 0); // it may well be true
}

static void an_earlier_life_changes_nothing(void **state) {
    (void)state;
    begin(SECTION_PUSH, 2, 0, 0, 1);
    add_self(1, false);
    deliver();
    begin(SECTION_PUSH, 1, 0, 0, 9);
    add_text(9, "k", "ghost");
    deliver();
    assert_null(held("k"));
    assert_int_equal(stats().records_stale, 1);
}

static void a_later_life_replaces_everything_at_once_or_not_at_all(void **state) {
    (void)state;
    introduce();
    begin(SECTION_PUSH, 2, 0, 1, 2); // not from its beginning
    add_text(2, "other", "new");
    deliver();
    assert_string_equal(held("k"), "old"); // facts do not blink
    assert_null(held("other"));
    assert_int_equal(stats().dropped_forged, 0); // it may well be true
    struct gossip_change change;
    while (gossip_take_change(core, &change)) {
    }
    begin(SECTION_PUSH, 2, 0, 0, 2);
    add_self(1, false);
    add_text(2, "other", "new");
    deliver();
    assert_null(held("k"));
    assert_string_equal(held("other"), "new");
    assert_true(gossip_take_change(core, &change));
    assert_string_equal(change.key, "k");
    assert_null(change.value);
    assert_true(gossip_take_change(core, &change));
    assert_string_equal(change.key, "other");
    assert_false(gossip_take_change(core, &change));
}

static void what_a_later_life_says_as_before_is_no_news(void **state) {
    (void)state;
    introduce();
    struct gossip_change change;
    while (gossip_take_change(core, &change)) {
    }
    begin(SECTION_PUSH, 2, 0, 0, 2);
    add_text(1, "k", "old");
    add_self(2, false);
    deliver();
    assert_int_equal(held_seq(), 2);
    assert_false(gossip_take_change(core, &change));
}

static void who_is_below_the_floor_starts_from_nothing(void **state) {
    (void)state;
    introduce();
    begin(SECTION_PUSH, 1, 5, 2, 6); // the tombstone of k, at most seq 5, was collected
    add_text(6, "other", "new");
    deliver();
    assert_string_equal(held("k"), "old");
    begin(SECTION_DATA, 1, 5, 0, 6);
    add_self(1, false);
    add_text(6, "other", "new");
    deliver();
    assert_null(held("k"));
    assert_string_equal(held("other"), "new");
}

static void who_is_not_below_the_floor_drops_the_tombstones_with_it(void **state) {
    (void)state;
    introduce();
    begin(SECTION_PUSH, 1, 0, 2, 3);
    add_text(3, "k", NULL);
    deliver();
    begin(SECTION_PUSH, 1, 3, 3, 4); // collected: the state is another one without any record
    deliver();
    assert_int_equal(held_seq(), 4);
    begin(SECTION_PUSH, 1, 3, 4, 5); // and those who hold no tombstone agree on it
    add_text(5, "more", "5");
    deliver();
    assert_string_equal(held("more"), "5");
    assert_int_equal(stats().dropped_forged, 0);
}

static void a_quarantined_life_stays_away_and_a_later_one_comes_back(void **state) {
    (void)state;
    introduce();
    begin(SECTION_PUSH, 1, 0, 2, 3);
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
    begin(SECTION_DATA, 1, 0, 0, 5); // even what it wrote later in that life
    add_self(4, false);
    add_text(5, "k", "ghost");
    deliver();
    assert_null(held("k"));
    assert_false(gossip_find_member(core, "x", &member));
    begin(SECTION_PUSH, 2, 0, 0, 1);
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
    begin(SECTION_PUSH, 1, 0, 2, 3);
    add_text(3, "k", NULL);
    deliver();
    assert_null(held("k"));
    assert_true(gossip_take_change(core, &change));
    assert_int_equal(change.kind, GOSSIP_RECORD);
    assert_string_equal(change.key, "k");
    assert_null(change.value);
    assert_false(gossip_take_change(core, &change));
}

// The last list of parts of that kind that the core sends, kept; false when it sends none.
static bool sent_part(enum section_kind kind, struct wire_part *part) {
    static uint8_t kept[65536];
    struct gossip_message out;
    bool found = false;
    while (gossip_take_message(core, &out)) {
        struct wire_envelope envelope;
        struct wire_section section;
        assert_int_equal(wire_check(out.bytes, out.size, &envelope), 0);
        wire_next_section(&envelope.sections, &section);
        if (section.kind == kind) {
            assert_true(out.size <= sizeof kept);
            memcpy(kept, out.bytes, out.size);
            assert_int_equal(wire_check(kept, out.size, &envelope), 0);
            wire_next_section(&envelope.sections, &section);
            wire_next_part(&section.items, part);
            found = true;
        }
    }
    return found;
}

static void a_part_is_passed_on_as_it_came_and_only_when_it_was_new(void **state) {
    (void)state;
    struct wire_part part;
    introduce(); // x is a neighbour now; y is the sender
    sent_part(SECTION_PUSH, &part);
    begin(SECTION_PUSH, 1, 0, 2, 4);
    add_text(3, "k", "3");
    add_text(4, "l", "4");
    deliver();
    assert_true(sent_part(SECTION_PUSH, &part));
    assert_int_equal(part.from, 2);
    assert_int_equal(part.to, 4);
    assert_int_equal(part.hop, 1);
    assert_int_equal(part.record_count, 2);
    assert_int_equal(part.proof.size, part_head.proof.size);
    receive();
    assert_false(sent_part(SECTION_PUSH, &part));
    begin(SECTION_PUSH, 1, 0, 5, 6); // a gap
    add_text(6, "b", "6");
    deliver();
    assert_false(sent_part(SECTION_PUSH, &part));
}

// An empty message from x, as its pings are.
static void hear_x(void) {
    struct mp_writer ping;
    mp_write_growing(&ping);
    size_t open =
        wire_open_message(&ping, GOSSIP_PROTOCOL_VERSION, "x", "mem://x", (struct life){1, 9});
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

// x's copy of the part that was delivered last.
static void receive_from_x(void) {
    sender_name = "x";
    sender_address = "mem://x";
    sender_life = (struct life){1, 9};
    finish_message();
    receive();
    sender_name = "y";
    sender_address = "mem://y";
    sender_life = (struct life){1, 5};
}

static void deliver_next(uint64_t seq, const char *text) {
    begin(SECTION_PUSH, 1, 0, seq - 1, seq);
    add_text(seq, "k", text);
    deliver();
}

static void who_sent_a_copy_before_it_was_told_is_not_told(void **state) {
    (void)state;
    struct mp_reader parts;
    struct wire_part part;
    introduce(); // x is a neighbour
    (void)sent_to_x(SECTION_PUSH, &parts);
    deliver_next(3, "both have it");
    receive_from_x();
    deliver_next(4, "x lacks it");
    assert_int_equal(sent_to_x(SECTION_PUSH, &parts), 1);
    wire_next_part(&parts, &part);
    assert_int_equal(part.to, 4);
    deliver_next(5, "both have it");
    receive_from_x();
    assert_int_equal(sent_to_x(SECTION_PUSH, &parts), 0);
    deliver_next(6, "two at a time");
    deliver_next(7, "are one message");
    assert_int_equal(sent_to_x(SECTION_PUSH, &parts), 2);
}

static void parts_wait_for_the_carrier_but_not_in_any_number(void **state) {
    (void)state;
    struct mp_reader parts;
    introduce();
    (void)sent_to_x(SECTION_PUSH, &parts);
    for (uint64_t i = 0; i < PUSH_PARTS_MAX + 1; i++) {
        deliver_next(3 + i, "more");
    }
    receive_from_x(); // too late for those that went out to make room
    assert_int_equal(sent_to_x(SECTION_PUSH, &parts), PUSH_PARTS_MAX);
    assert_int_equal(sent_to_x(SECTION_PUSH, &parts), 0);
}

static void deliver_newcomer(char last) {
    char address[] = "mem://new?";
    address[sizeof address - 2] = last;
    begin(SECTION_PUSH, 1, 0, 0, 1);
    memcpy(part_head.origin, address + strlen("mem://"), sizeof "new?");
    add_self_of(1, address, false, GOSSIP_PROTOCOL_MIN, GOSSIP_PROTOCOL_VERSION);
    deliver();
}

static void many_newcomers_wait_for_the_next_ping_and_go_with_what_is_urgent(void **state) {
    (void)state;
    struct mp_reader parts;
    introduce(); // x is a newcomer too
    (void)sent_to_x(SECTION_PUSH, &parts);
    for (char i = 1; i < NEWCOMERS_A_SLOT; i++) {
        deliver_newcomer((char)('a' + i));
        assert_int_equal(sent_to_x(SECTION_PUSH, &parts), 1);
    }
    deliver_newcomer('x');
    deliver_newcomer('y');
    assert_int_equal(sent_to_x(SECTION_PUSH, &parts), 0);
    run_ticks(100 * NS_PER_MS);
    assert_int_equal(sent_to_x(SECTION_PUSH, &parts), 2);
    for (char i = 0; i < NEWCOMERS_A_SLOT + 1; i++) {
        (void)sent_to_x(SECTION_PUSH, &parts);
        deliver_newcomer((char)('A' + i));
    }
    book_count = 0; // what x had said before
    begin(SECTION_PUSH, 2, 0, 0, 1);
    add_self(1, false);
    deliver();
    assert_int_equal(sent_to_x(SECTION_PUSH, &parts), 2);
}

static bool suspects_x(void) {
    size_t size;
    return gossip_find(core, "me", GOSSIP_TABLE_CORE, CORE_SUSPECT "x", &size) != NULL;
}

static void a_silent_neighbour_is_suspected_at_480_ms_and_not_before(void **state) {
    (void)state;
    introduce();
    hear_x();
    run_ticks(480 * NS_PER_MS - 1);
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
    run_ticks(720 * NS_PER_MS - 1); // half as long again, counted from when we were back
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
    begin(SECTION_PUSH, 1, 0, 8, 9); // 3 to 8 got lost
    add_text(9, "k", "new");
    sender_name = "x";
    sender_address = "mem://x";
    deliver();
    assert_int_equal(sent_to_x(SECTION_WANT, &items), 1); // at once
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
    size_t open =
        wire_open_message(&want, GOSSIP_PROTOCOL_VERSION, "x", "mem://x", (struct life){1, 9});
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
    run_ticks(602 * NS_PER_S);                                   // seq 6: collected
    sent_to_x(SECTION_DATA, &items);
    static const struct { uint64_t complete, from; } cases[] = {{3, 0}, {4, 4}, {5, 5}};
    for (int i = 0; i < 3; i++) {
        ask_for_own(cases[i].complete);
        assert_int_equal(sent_to_x(SECTION_DATA, &items), 1);
        wire_next_part(&items, &part);
        assert_int_equal(part.from, cases[i].from);
        assert_int_equal(part.floor, 4);
        assert_true(part.to > 5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_record_counts_once_however_often_it_comes),
        TEST(parts_in_any_order_lead_to_the_newest_state),
        TEST(what_a_part_covers_needs_no_record),
        TEST(a_part_that_overlaps_what_is_here_brings_the_rest),
        TEST(a_part_that_starts_beyond_what_is_here_changes_nothing),
        TEST(an_earlier_life_changes_nothing),
        TEST(a_later_life_replaces_everything_at_once_or_not_at_all),
        TEST(what_a_later_life_says_as_before_is_no_news),
        TEST(who_is_below_the_floor_starts_from_nothing),
        TEST(who_is_not_below_the_floor_drops_the_tombstones_with_it),
        TEST(a_quarantined_life_stays_away_and_a_later_one_comes_back),
        TEST(a_deletion_is_reported_without_a_value),
        TEST(a_part_is_passed_on_as_it_came_and_only_when_it_was_new),
        TEST(who_sent_a_copy_before_it_was_told_is_not_told),
        TEST(parts_wait_for_the_carrier_but_not_in_any_number),
        TEST(many_newcomers_wait_for_the_next_ping_and_go_with_what_is_urgent),
        TEST(a_silent_neighbour_is_suspected_at_480_ms_and_not_before),
        TEST(who_was_not_scheduled_suspects_nobody),
        TEST(what_is_missing_is_asked_for_again),
        TEST(who_lacks_collected_tombstones_gets_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
