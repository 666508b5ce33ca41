// SPDX-License-Identifier: Apache-2.0
// One core and messages made by hand: the rule of merging, and what is refused.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "gossip/gossip.h"
#include "model/time.h"
#include "mp.h"
#include "wire.h"

static struct gossip *core;
static uint64_t now_ns;
static struct mp_writer message;
static size_t sections, list, records;
static uint32_t record_count;

static int init(void **state) {
    (void)state;
    struct gossip_config config = {.name = "me", .address = "mem://me", .nonce = 1, .seed = 1};
    struct error error;
    now_ns = NS_PER_S;
    assert_int_equal(gossip_open(&config, now_ns, &core, &error), 0);
    now_ns += 200 * NS_PER_MS;
    gossip_tick(core, now_ns);
    return 0;
}

static int fini(void **state) {
    (void)state;
    gossip_close(core);
    free(message.bytes);
    message.bytes = NULL;
    return 0;
}

// ---- a message with one part of the origin "x"

static void begin(enum section_kind kind, uint32_t incarnation, uint64_t floor, uint64_t from,
                  uint64_t to) {
    struct wire_part part = {.origin = "x",
                             .life = {incarnation, 9},
                             .floor = floor,
                             .from = from,
                             .to = to,
                             .have = to};
    free(message.bytes);
    mp_write_growing(&message);
    sections = wire_open_message(&message, "y", "mem://y", (struct life){1, 5});
    list = wire_open_list(&message, kind);
    records = wire_open_part(&message, &part);
    record_count = 0;
}

static void add(uint64_t seq, enum gossip_table table, const char *key, const void *value,
                size_t size) {
    struct wire_record record = {seq, table, {key, (uint32_t)strlen(key)}, value, (uint32_t)size};
    wire_write_record(&message, &record);
    record_count++;
}

static void add_text(uint64_t seq, const char *key, const char *text) {
    add(seq, GOSSIP_TABLE_HOST, key, text, text == NULL ? 0 : strlen(text) + 1);
}

static void add_self(uint64_t seq, bool left) {
    uint8_t value[64];
    struct mp_writer self;
    mp_write_fixed(&self, value, sizeof value);
    mp_write_array(&self, 3);
    mp_write_str(&self, "mem://x", 7);
    mp_write_str(&self, "", 0);
    mp_write_bool(&self, left);
    add(seq, GOSSIP_TABLE_CORE, CORE_SELF, value, self.size);
}

static void finish_message(void) {
    mp_array_close(&message, records, record_count);
    wire_close_list(&message, list, 1);
    wire_close_message(&message, sections, 1);
}

static void deliver(void) {
    finish_message();
    gossip_receive(core, now_ns, message.bytes, message.size);
}

static const char *held(const char *key) {
    size_t size;
    return gossip_find(core, "x", GOSSIP_TABLE_HOST, key, &size);
}

static struct gossip_stats stats(void) {
    struct gossip_stats out;
    gossip_stats(core, &out);
    return out;
}

static void introduce(void) {
    begin(SECTION_PUSH, 1, 2, 0, 2);
    add_self(1, false);
    add_text(2, "k", "old");
    deliver();
    assert_string_equal(held("k"), "old");
}

// ---- merging

static void a_record_counts_once_however_often_it_comes(void **state) {
    (void)state;
    introduce();
    struct gossip_change change;
    while (gossip_take_change(core, &change)) {
    }
    gossip_receive(core, now_ns, message.bytes, message.size);
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

// ---- refusing

static void a_message_cut_anywhere_is_counted_and_changes_nothing(void **state) {
    (void)state;
    begin(SECTION_PUSH, 1, 2, 0, 2);
    add_self(1, false);
    add_text(2, "k", "v");
    finish_message();
    for (size_t cut = 0; cut < message.size; cut++) {
        uint8_t *exact = malloc(cut + 1);
        memcpy(exact, message.bytes, cut);
        gossip_receive(core, now_ns, exact, cut);
        free(exact);
        assert_int_equal(stats().dropped_malformed, cut + 1);
    }
    assert_int_equal(stats().messages_received, 0);
    assert_null(held("k"));
}

static void a_message_whose_last_part_is_broken_is_dropped_whole(void **state) {
    (void)state;
    begin(SECTION_PUSH, 1, 3, 0, 3);
    add_self(1, false);
    add_text(2, "k", "v");
    add(3, GOSSIP_TABLE_CORE, CORE_SUSPECT "z", "nonsense", 8);
    deliver();
    assert_int_equal(stats().dropped_malformed, 1);
    assert_null(held("k"));
}

static void any_flipped_bit_leaves_the_core_up(void **state) {
    (void)state;
    begin(SECTION_PUSH, 1, 2, 0, 2);
    add_self(1, false);
    add_text(2, "k", "v");
    finish_message();
    for (size_t bit = 0; bit < 8 * message.size; bit++) {
        message.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        gossip_receive(core, now_ns, message.bytes, message.size);
        message.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    struct gossip_message out;
    while (gossip_take_message(core, &out)) {
    }
    assert_int_equal(gossip_put(core, now_ns, GOSSIP_TABLE_HOST, "still", "here", 5), 0);
}

static void limits_hold_at_the_limit_and_not_beyond(void **state) {
    (void)state;
    begin(SECTION_PUSH, 1, 1, 0, SEQ_MAX);
    add_self(SEQ_MAX, false);
    deliver();
    assert_int_equal(stats().dropped_malformed, 0);
    begin(SECTION_PUSH, 1, 1, 0, SEQ_MAX + 1);
    deliver();
    assert_int_equal(stats().dropped_malformed, 1);
    begin(SECTION_PUSH, INCARNATION_MAX, 1, 0, 1);
    deliver();
    assert_int_equal(stats().dropped_malformed, 1);
    begin(SECTION_PUSH, INCARNATION_MAX + 1, 1, 0, 1);
    deliver();
    assert_int_equal(stats().dropped_malformed, 2);
    begin(SECTION_PUSH, 0, 1, 0, 1); // nobody lives in incarnation 0
    deliver();
    assert_int_equal(stats().dropped_malformed, 3);
}

static void seqs_that_do_not_ascend_are_malformed(void **state) {
    (void)state;
    begin(SECTION_PUSH, 1, 2, 0, 0);
    add_text(2, "a", "1");
    add_text(2, "b", "1");
    deliver();
    assert_int_equal(stats().dropped_malformed, 1);
}

static void an_origin_cannot_hold_more_than_its_quota(void **state) {
    (void)state;
    begin(SECTION_DATA, 1, 1, 0, GOSSIP_ORIGIN_RECORDS_MAX + 1);
    for (uint64_t seq = 1; seq <= GOSSIP_ORIGIN_RECORDS_MAX + 1; seq++) {
        char key[16];
        snprintf(key, sizeof key, "k%llu", (unsigned long long)seq);
        add_text(seq, key, "v");
    }
    deliver();
    assert_int_equal(stats().records_applied, GOSSIP_ORIGIN_RECORDS_MAX);
    assert_int_equal(stats().dropped_quota, 1);
}

static void another_major_version_is_counted_apart(void **state) {
    (void)state;
    begin(SECTION_PUSH, 1, 1, 0, 1);
    add_self(1, false);
    finish_message();
    assert_int_equal(message.bytes[1] == GOSSIP_PROTOCOL_VERSION || message.bytes[1] == 0xcc, 1);
    message.bytes[1] = GOSSIP_PROTOCOL_VERSION + 1;
    gossip_receive(core, now_ns, message.bytes, message.size);
    assert_int_equal(stats().dropped_version, 1);
    assert_int_equal(stats().dropped_malformed, 0);
}

static void an_unknown_section_and_trailing_elements_are_ignored(void **state) {
    (void)state;
    mp_write_growing(&message);
    mp_write_array(&message, 8);
    mp_write_uint(&message, GOSSIP_PROTOCOL_VERSION);
    mp_write_uint(&message, 7);
    mp_write_str(&message, "y", 1);
    mp_write_str(&message, "mem://y", 7);
    mp_write_uint(&message, 1);
    mp_write_uint(&message, 5);
    mp_write_array(&message, 2);
    mp_write_array(&message, 3); // a section of a kind that does not exist yet
    mp_write_uint(&message, 99);
    mp_write_array(&message, 1);
    mp_write_nil(&message);
    mp_write_bool(&message, true);
    mp_write_array(&message, 4); // an accusation with something more
    mp_write_uint(&message, SECTION_ACCUSE);
    mp_write_uint(&message, 1);
    mp_write_uint(&message, 1);
    mp_write_str(&message, "more", 4);
    mp_write_nil(&message); // and the message with something more
    now_ns += NS_PER_S;
    gossip_receive(core, now_ns, message.bytes, message.size);
    assert_int_equal(stats().messages_received, 1);
    assert_int_equal(stats().refutations, 1); // life (1, 1) is ours
}

static void puts_are_checked(void **state) {
    (void)state;
    static char key[GOSSIP_KEY_MAX + 1];
    static uint8_t value[GOSSIP_VALUE_MAX + 1];
    memset(key, 'k', GOSSIP_KEY_MAX);
    assert_int_equal(gossip_put(core, now_ns, GOSSIP_TABLE_HOST, key, "v", 1), -EINVAL);
    key[GOSSIP_KEY_MAX - 1] = '\0';
    assert_int_equal(gossip_put(core, now_ns, GOSSIP_TABLE_HOST, key, "v", 1), 0);
    assert_int_equal(gossip_put(core, now_ns, GOSSIP_TABLE_HOST, "tab\t", "v", 1), -EINVAL);
    assert_int_equal(gossip_put(core, now_ns, GOSSIP_TABLE_CORE, "self", "v", 1), -EINVAL);
    assert_int_equal(gossip_put(core, now_ns, GOSSIP_TABLE_COUNT, "k", "v", 1), -EINVAL);
    assert_int_equal(gossip_put(core, now_ns, GOSSIP_TABLE_HOST, "k", value, GOSSIP_VALUE_MAX + 1),
                     -EMSGSIZE);
    assert_int_equal(gossip_put(core, now_ns, GOSSIP_TABLE_HOST, "k", value, GOSSIP_VALUE_MAX), 0);
}

static void the_own_quota_is_enospc_until_something_is_deleted(void **state) {
    (void)state;
    char key[16];
    int result = 0;
    uint32_t put = 0;
    for (; result == 0; put++) {
        snprintf(key, sizeof key, "k%u", put);
        result = gossip_put(core, now_ns, GOSSIP_TABLE_HOST, key, "v", 1);
    }
    assert_int_equal(result, -ENOSPC);
    assert_int_equal(put, GOSSIP_ORIGIN_RECORDS_MAX); // "self" is one of them
    assert_int_equal(gossip_delete(core, now_ns, GOSSIP_TABLE_HOST, "k7"), 0);
    assert_int_equal(gossip_put(core, now_ns, GOSSIP_TABLE_HOST, key, "v", 1), 0);
}

static void a_life_that_cannot_be_outbid_silences_us_with_an_alarm(void **state) {
    (void)state;
    mp_write_growing(&message);
    size_t open = wire_open_message(&message, "y", "mem://y", (struct life){1, 5});
    size_t haves = wire_open_list(&message, SECTION_HAVE);
    struct wire_have have = {.origin = "me", .life = {INCARNATION_MAX, 77}, .complete = 1};
    wire_write_have(&message, &have);
    wire_close_list(&message, haves, 1);
    wire_close_message(&message, open, 1);
    gossip_receive(core, now_ns, message.bytes, message.size);
    struct gossip_change change;
    assert_true(gossip_take_change(core, &change));
    assert_int_equal(change.kind, GOSSIP_ALARM_DUPLICATE);
    assert_string_equal(change.origin, "me");
    assert_int_equal(gossip_put(core, now_ns, GOSSIP_TABLE_HOST, "k", "v", 1), 0);
    assert_true(gossip_deadline_ns(core) > now_ns); // and no timer spins
}

struct walk {
    char text[128];
};

static void append(void *context, const char *origin, const char *key, const void *value,
                   size_t size) {
    struct walk *walk = context;
    (void)value;
    (void)size;
    size_t used = strlen(walk->text);
    snprintf(walk->text + used, sizeof walk->text - used, "%s/%s ", origin, key);
}

static void each_goes_by_origin_and_key_and_skips_the_gone(void **state) {
    (void)state;
    begin(SECTION_PUSH, 1, 5, 0, 5);
    add_self(1, false);
    add_text(2, "b", "1");
    add_text(3, "a", "1");
    add_text(4, "c", NULL);
    add(5, GOSSIP_TABLE_LINK, "l", "1", 1);
    deliver();
    gossip_put(core, now_ns, GOSSIP_TABLE_HOST, "z", "1", 1);
    gossip_put(core, now_ns, GOSSIP_TABLE_HOST, "m", "1", 1);
    struct walk walk = {""};
    gossip_each(core, GOSSIP_TABLE_HOST, append, &walk);
    assert_string_equal(walk.text, "me/m me/z x/a x/b ");
    begin(SECTION_PUSH, 1, 5, 5, 6);
    add_self(6, true);
    deliver();
    walk.text[0] = '\0';
    gossip_each(core, GOSSIP_TABLE_HOST, append, &walk);
    assert_string_equal(walk.text, "me/m me/z ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, init, fini)

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
        TEST(what_is_passed_on_claims_to_cover_only_what_came_in_order),
        TEST(a_deletion_is_reported_without_a_value),
        TEST(a_message_cut_anywhere_is_counted_and_changes_nothing),
        TEST(a_message_whose_last_part_is_broken_is_dropped_whole),
        TEST(any_flipped_bit_leaves_the_core_up),
        TEST(limits_hold_at_the_limit_and_not_beyond),
        TEST(seqs_that_do_not_ascend_are_malformed),
        TEST(an_origin_cannot_hold_more_than_its_quota),
        TEST(another_major_version_is_counted_apart),
        TEST(an_unknown_section_and_trailing_elements_are_ignored),
        TEST(puts_are_checked),
        TEST(the_own_quota_is_enospc_until_something_is_deleted),
        TEST(a_life_that_cannot_be_outbid_silences_us_with_an_alarm),
        TEST(each_goes_by_origin_and_key_and_skips_the_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
