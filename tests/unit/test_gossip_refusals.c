// SPDX-License-Identifier: Apache-2.0
// What is refused: broken messages, values beyond a limit or quota, puts that are wrong.
#include "gossip_forge.h"

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
        gossip_receive(core, now_ns, NULL, exact, cut);
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
    gossip_receive(core, now_ns, NULL, message.bytes, message.size);
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

static void a_life_that_cannot_be_outbid_silences_us_with_an_alarm(void **state) {
    (void)state;
    mp_write_growing(&message);
    size_t open = wire_open_message(&message, "y", "mem://y", (struct life){1, 5});
    size_t haves = wire_open_list(&message, SECTION_HAVE);
    struct wire_have have = {.origin = "me", .life = {INCARNATION_MAX, 77}, .complete = 1};
    wire_write_have(&message, &have);
    wire_close_list(&message, haves, 1);
    wire_close_message(&message, open, 1);
    gossip_receive(core, now_ns, NULL, message.bytes, message.size);
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

int main(void) {
    const struct CMUnitTest tests[] = {
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
