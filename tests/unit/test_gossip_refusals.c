// SPDX-License-Identifier: Apache-2.0
// What is refused: broken messages, values beyond a limit or quota, puts that are wrong.
#include "gossip_forge.h"

// ---- refusing

static void a_message_cut_anywhere_is_counted_and_changes_nothing(void **state) {
    (void)state;
    begin(SECTION_PUSH, 1, 0, 0, 2);
    add_self(1, false);
    add_text(2, "k", "v");
    finish_message();
    for (size_t cut = 0; cut < message.size; cut++) {
        uint8_t *exact = malloc(cut + 1);
        memcpy(exact, message.bytes, cut);
        gossip_receive(core, now_ns, NULL, exact, cut);
        free(exact);
        assert_int_equal(stats().dropped_malformed, cut + 1);
    }
    assert_int_equal(stats().messages_received, 0);
    assert_null(held("k"));
}

static void a_message_whose_last_part_is_broken_is_dropped_whole(void **state) {
    (void)state;
    begin(SECTION_PUSH, 1, 0, 0, 3);
    add_self(1, false);
    add_text(2, "k", "v");
    add(3, GOSSIP_TABLE_CORE, CORE_SUSPECT "z", "nonsense", 8);
    deliver();
    assert_int_equal(stats().dropped_malformed, 1);
    assert_null(held("k"));
}

static void any_flipped_bit_leaves_the_core_up(void **state) {
    (void)state;
    begin(SECTION_PUSH, 1, 0, 0, 2);
    add_self(1, false);
    add_text(2, "k", "v");
    finish_message();
    for (size_t bit = 0; bit < 8 * message.size; bit++) {
        message.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        gossip_receive(core, now_ns, NULL, message.bytes, message.size);
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
    add_self(1, false);
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
    begin(SECTION_PUSH, 1, 0, 0, 2);
    add_text(2, "a", "1");
    add_text(2, "b", "1");
    deliver();
    assert_int_equal(stats().dropped_malformed, 1);
}

static void fill(enum section_kind kind, uint32_t incarnation, uint64_t records) {
    begin(kind, incarnation, 0, 0, records);
    for (uint64_t seq = 1; seq <= records; seq++) {
        char key[16];
        snprintf(key, sizeof key, "k%llu", (unsigned long long)seq);
        add_text(seq, key, "v");
    }
    deliver();
}

static void an_origin_cannot_hold_more_than_its_quota(void **state) {
    (void)state;
    fill(SECTION_DATA, 1, GOSSIP_ORIGIN_RECORDS_MAX + 1);
    assert_int_equal(stats().records_applied, 0); // all or nothing
    assert_int_equal(stats().dropped_quota, 1);
    fill(SECTION_DATA, 2, GOSSIP_ORIGIN_RECORDS_MAX);
    assert_int_equal(stats().records_applied, GOSSIP_ORIGIN_RECORDS_MAX);
    begin(SECTION_PUSH, 2, 0, GOSSIP_ORIGIN_RECORDS_MAX, GOSSIP_ORIGIN_RECORDS_MAX + 1);
    add_text(GOSSIP_ORIGIN_RECORDS_MAX + 1, "more", "v");
    deliver();
    assert_null(held("more"));
    assert_int_equal(stats().dropped_quota, 2);
    assert_int_equal(stats().dropped_forged, 0);
}

static void an_origin_cannot_hold_more_bytes_than_its_quota(void **state) {
    (void)state;
    static uint8_t value[GOSSIP_VALUE_MAX];
    char key[2] = "a";
    uint64_t parts = GOSSIP_ORIGIN_BYTES_MAX / GOSSIP_VALUE_MAX; // keys count too
    begin(SECTION_DATA, 1, 0, 0, parts);
    for (uint64_t seq = 1; seq <= parts; seq++, key[0]++) {
        add(seq, GOSSIP_TABLE_HOST, key, value, sizeof value - (seq == parts ? parts : 0));
    }
    deliver();
    assert_int_equal(stats().records_applied, parts);
    begin(SECTION_DATA, 1, 0, parts, parts + 1);
    add(parts + 1, GOSSIP_TABLE_HOST, "a", value, sizeof value - 1);
    deliver();
    begin(SECTION_DATA, 1, 0, parts + 1, parts + 2);
    add(parts + 2, GOSSIP_TABLE_HOST, "A", "", 0);
    deliver();
    assert_int_equal(stats().records_applied, parts + 2);
    begin(SECTION_DATA, 1, 0, parts + 2, parts + 3);
    add(parts + 3, GOSSIP_TABLE_HOST, "B", "", 0);
    deliver();
    assert_int_equal(stats().records_applied, parts + 2);
    assert_int_equal(stats().dropped_quota, 1);
}

static void another_major_version_is_counted_apart(void **state) {
    (void)state;
    begin(SECTION_PUSH, 1, 1, 0, 1);
    add_self(1, false);
    finish_message();
    assert_int_equal(message.bytes[1], GOSSIP_PROTOCOL_VERSION);
    message.bytes[1] = GOSSIP_PROTOCOL_VERSION + 1;
    receive();
    assert_int_equal(stats().dropped_version, 1);
    message.bytes[1] = GOSSIP_PROTOCOL_MIN - 1;
    receive();
    assert_int_equal(stats().dropped_version, 2);
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
    gossip_receive(core, now_ns, NULL, message.bytes, message.size);
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

// A message from y with one HAVE about our own name.
static void say_of_me(struct life life, uint64_t complete) {
    mp_write_growing(&message);
    size_t open =
        wire_open_message(&message, GOSSIP_PROTOCOL_VERSION, "y", "mem://y", (struct life){1, 5});
    size_t haves = wire_open_list(&message, SECTION_HAVE);
    struct wire_have have = {.origin = "me", .life = life, .complete = complete};
    wire_write_have(&message, &have);
    wire_close_list(&message, haves, 1);
    wire_close_message(&message, open, 1);
    receive();
    forget_message();
}

static uint32_t own_incarnation(void) {
    struct gossip_member member;
    assert_true(gossip_find_member(core, "me", &member));
    return member.incarnation;
}

static void what_others_merely_say_of_us_makes_us_ask_and_nothing_else(void **state) {
    (void)state;
    struct gossip_message out;
    struct gossip_change change;
    while (gossip_take_message(core, &out)) {
    }
    say_of_me((struct life){INCARNATION_MAX, 77}, SEQ_MAX);
    assert_int_equal(own_incarnation(), 1);
    assert_false(gossip_take_change(core, &change));
    struct wire_envelope envelope;
    struct wire_section section;
    struct wire_have want;
    assert_true(gossip_take_message(core, &out));
    assert_string_equal(out.address, "mem://y");
    assert_int_equal(wire_check(out.bytes, out.size, &envelope), 0);
    wire_next_section(&envelope.sections, &section);
    assert_int_equal(section.kind, SECTION_WANT);
    wire_next_have(&section.items, &want);
    assert_string_equal(want.origin, "me");
    assert_int_equal(want.complete, 0);
    for (int i = 0; i < 100; i++) { // and not more often than any other question
        say_of_me((struct life){INCARNATION_MAX, 77}, SEQ_MAX);
    }
    assert_false(gossip_take_message(core, &out));
}

static void prove_of_me(uint32_t incarnation, uint32_t nonce) {
    begin(SECTION_PUSH, incarnation, 0, 0, 1);
    strcpy(part_head.origin, "me");
    part_head.life.nonce = nonce;
    add_self(1, false);
    deliver();
}

static void a_proved_life_of_ours_is_outbid(void **state) {
    (void)state;
    prove_of_me(7, 77);
    assert_int_equal(own_incarnation(), 8);
}

static void a_life_that_cannot_be_outbid_is_an_alarm_and_does_not_silence_us(void **state) {
    (void)state;
    prove_of_me(INCARNATION_MAX, 77);
    struct gossip_change change;
    assert_true(gossip_take_change(core, &change));
    assert_int_equal(change.kind, GOSSIP_ALARM_DUPLICATE);
    assert_string_equal(change.origin, "me");
    assert_int_equal(own_incarnation(), 1);
    prove_of_me(INCARNATION_MAX - 1, 77); // this one can
    assert_int_equal(own_incarnation(), INCARNATION_MAX);
    prove_of_me(INCARNATION_MAX, 78); // and now we are at the end ourselves
    assert_int_equal(own_incarnation(), INCARNATION_MAX);
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
    begin(SECTION_PUSH, 1, 0, 0, 5);
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
    begin(SECTION_PUSH, 1, 0, 5, 6);
    add_self(6, true);
    deliver();
    walk.text[0] = '\0';
    gossip_each(core, GOSSIP_TABLE_HOST, append, &walk);
    assert_string_equal(walk.text, "me/m me/z ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_message_cut_anywhere_is_counted_and_changes_nothing),
        TEST(a_message_whose_last_part_is_broken_is_dropped_whole),
        TEST(any_flipped_bit_leaves_the_core_up),
        TEST(limits_hold_at_the_limit_and_not_beyond),
        TEST(seqs_that_do_not_ascend_are_malformed),
        TEST(an_origin_cannot_hold_more_than_its_quota),
        TEST(an_origin_cannot_hold_more_bytes_than_its_quota),
        TEST(another_major_version_is_counted_apart),
        TEST(an_unknown_section_and_trailing_elements_are_ignored),
        TEST(puts_are_checked),
        TEST(the_own_quota_is_enospc_until_something_is_deleted),
        TEST(what_others_merely_say_of_us_makes_us_ask_and_nothing_else),
        TEST(a_proved_life_of_ours_is_outbid),
        TEST(a_life_that_cannot_be_outbid_is_an_alarm_and_does_not_silence_us),
        TEST(each_goes_by_origin_and_key_and_skips_the_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
