// SPDX-License-Identifier: Apache-2.0
// What nobody but the origin can have said: forged, changed, shortened and replayed parts, keys
// that come and go, and what becomes of those who pass on what is not proved.
#include "gossip_forge.h"

static struct gossip_signing keyring; // x's secret, and whom all believe
static struct gossip_signing others[3];
static struct gossip_public_key public_keys[4];

static void make_pair(struct gossip_signing *pair, struct gossip_public_key *key, const char *host,
                      uint8_t number) {
    uint8_t entropy[crypto_sign_SEEDBYTES] = {number};
    crypto_sign_seed_keypair(key->bytes, pair->secret_key, entropy);
    memset(key->host, 0, sizeof key->host);
    strcpy(key->host, host);
    pair->keys = public_keys;
    pair->key_count = 4;
}

// Keys 0 to 3: of any host, of "me", of x, and x's next one.
static void make_keys(void) {
    make_pair(&others[0], &public_keys[0], "*", 1);
    make_pair(&others[1], &public_keys[1], "me", 2);
    make_pair(&keyring, &public_keys[2], "x", 3);
    make_pair(&others[2], &public_keys[3], "x", 4);
}

static int init_signed(void **state) {
    (void)state;
    make_keys();
    open_core((struct gossip_config){.signing = &others[1]});
    signs = &keyring;
    return 0;
}

#define SIGNED(name) cmocka_unit_test_setup_teardown(name, init_signed, fini)

static bool pushes_something(void) {
    struct gossip_message out;
    bool found = false;
    while (gossip_take_message(core, &out)) {
        struct wire_envelope envelope;
        struct wire_section section;
        assert_int_equal(wire_check(out.bytes, out.size, &envelope), 0);
        wire_next_section(&envelope.sections, &section);
        found = found || section.kind == SECTION_PUSH;
    }
    return found;
}

static uint32_t alarms_about(const char *name) {
    struct gossip_change change;
    uint32_t alarms = 0;
    while (gossip_take_change(core, &change)) {
        alarms += change.kind == GOSSIP_ALARM_FORGED && strcmp(change.origin, name) == 0;
    }
    return alarms;
}

// y becomes a member, so that there is somebody to blame.
static void introduce_sender(void) {
    signs = signs != NULL ? &others[0] : NULL;
    begin(SECTION_PUSH, 1, 0, 0, 1);
    strcpy(part_head.origin, "y");
    part_head.life.nonce = 5;
    add_self_of(1, "mem://y", false, GOSSIP_PROTOCOL_MIN, GOSSIP_PROTOCOL_VERSION);
    deliver();
    signs = signs != NULL ? &keyring : NULL;
    assert_int_equal(stats().dropped_forged + stats().dropped_unknown_key, 0);
}

// ---- what is signed

static void what_is_signed_is_what_the_header_says(void **state) {
    (void)state;
    static const uint8_t leaf_text[] = "record\0\0\0\6\1k\0\0\0\0\0\0\0\2\1old";
    uint8_t text[16 + NAME_SIZE + 4 + 4 + 8 + 8 + 32] = "srv6-steer state"
                                                        "x";
    uint8_t leaf[32];
    crypto_generichash(leaf, sizeof leaf, leaf_text, sizeof leaf_text, NULL, 0);
    begin(SECTION_PUSH, 1, 0, 0, 2);
    add_text(2, "k", "old");
    assert_memory_equal(book[0].leaf, leaf, sizeof leaf);
    text[16 + NAME_SIZE + 3] = 1;  // incarnation
    text[16 + NAME_SIZE + 7] = 9;  // nonce
    text[16 + NAME_SIZE + 23] = 2; // seq; the floor before it is 0
    crypto_generichash(text + sizeof text - 32, 32, leaf, sizeof leaf, NULL, 0);
    finish_message();
    const uint8_t *proof = (const uint8_t *)part_head.proof.bytes;
    assert_int_equal(part_head.proof.size, 68);
    assert_memory_equal(proof, public_keys[2].bytes, 4);
    assert_int_equal(crypto_sign_verify_detached(proof + 4, text, sizeof text,
                                                 public_keys[2].bytes),
                     0);
}

// ---- every byte

static int (*opens)(void **state);

// The place of the part and of its hops in the message.
static void find_part(size_t *start, size_t *hop) {
    struct wire_envelope envelope;
    struct wire_section section;
    struct wire_part part;
    assert_int_equal(wire_check(message.bytes, message.size, &envelope), 0);
    wire_next_section(&envelope.sections, &section);
    *start = (size_t)(section.items.at - message.bytes);
    wire_next_part(&section.items, &part);
    // Behind the hops: the head of the proof (2 bytes) and the proof.
    *hop = (size_t)((const uint8_t *)part.proof.bytes - message.bytes) - 2 - 1;
    assert_int_equal(message.bytes[*hop], part.hop);
}

static void receive_flipped(size_t at, int bit) {
    fini(NULL);
    opens(NULL);
    introduce();
    pushes_something();
    begin(SECTION_PUSH, 1, 0, 2, 4);
    add_text(3, "k", "new");
    add_text(4, "more", "4");
    finish_message();
    message.bytes[at] ^= (uint8_t)(1U << bit);
    receive();
}

static void assert_unchanged(size_t at, int bit) {
    if (held_seq() != 2 || strcmp(held("k"), "old") != 0 || held("more") != NULL ||
        stats().records_applied != 2 || pushes_something()) {
        fail_msg("bit %d of byte %zu did something", bit, at);
    }
}

static void no_bit_of_a_part_can_be_flipped(void) {
    size_t start;
    size_t hop;
    receive_flipped(0, 7);
    finish_message();
    find_part(&start, &hop);
    size_t size = message.size;
    for (size_t at = 0; at < size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            receive_flipped(at, bit);
            // What the envelope says of the sender, and how far a part has come, is not the
            // origin's word: with it changed the part may be refused, or be taken for what it is.
            bool taken = (at < start || at == hop) && held_seq() == 4;
            if (taken) {
                assert_string_equal(held("k"), "new");
                assert_string_equal(held("more"), "4");
            } else {
                assert_unchanged(at, bit);
            }
        }
    }
    receive_flipped(0, 8); // none: it would have been taken
    assert_int_equal(held_seq(), 4);
}

static void no_bit_of_a_signed_part_can_be_flipped(void **state) {
    (void)state;
    opens = init_signed;
    no_bit_of_a_part_can_be_flipped();
}

static void no_bit_of_a_part_can_be_flipped_even_without_keys(void **state) {
    (void)state;
    opens = init;
    no_bit_of_a_part_can_be_flipped();
}

// ---- what a member in between may try

static void the_key_of_another_host_proves_nothing(void **state) {
    (void)state;
    introduce();
    pushes_something();
    signs = &others[0]; // "*": for those who have no key of their own
    begin(SECTION_PUSH, 1, 0, 2, 3);
    add_text(3, "k", "forged");
    deliver();
    assert_string_equal(held("k"), "old");
    assert_int_equal(stats().dropped_unknown_key, 1);
    uint8_t hash[HASH_SIZE];
    uint8_t proof[PROOF_SIZE_MAX];
    book_hash(0, hash);
    state_prove(signs, &part_head, hash, proof);
    memcpy(proof, public_keys[2].bytes, KEY_HINT_SIZE); // as if x had signed
    write_message(proof, SIGNED_PROOF_SIZE);
    receive();
    assert_string_equal(held("k"), "old");
    assert_int_equal(stats().dropped_forged, 1);
    assert_false(pushes_something());
}

static void a_record_that_is_left_out_is_missed(void **state) {
    (void)state;
    introduce();
    begin(SECTION_PUSH, 1, 0, 2, 4);
    add_text(3, "k", NULL);
    add_text(4, "more", "4");
    finish_message();
    uint8_t proof[PROOF_SIZE_MAX];
    memcpy(proof, part_head.proof.bytes, part_head.proof.size);
    uint8_t size = (uint8_t)part_head.proof.size;
    for (int left_out = 0; left_out < 2; left_out++) {
        begin(SECTION_PUSH, 1, 0, 2, 4);
        if (left_out == 0) {
            add_text(4, "more", "4"); // k would live on
        } else {
            add_text(3, "k", NULL);
        }
        write_message(proof, size);
        receive();
        assert_int_equal(held_seq(), 2);
        assert_string_equal(held("k"), "old");
        assert_null(held("more"));
    }
    assert_int_equal(stats().dropped_forged, 2);
}

static void a_key_that_comes_twice_in_a_part_is_refused(void **state) {
    (void)state;
    introduce();
    begin(SECTION_PUSH, 1, 0, 2, 4);
    add_text(3, "twice", "3");
    struct written first = book[book_count - 1];
    add_text(4, "twice", "4");
    book[book_count] = book[book_count - 1]; // and signed as it comes
    book[book_count++ - 1] = first;
    deliver();
    assert_null(held("twice"));
    assert_int_equal(stats().dropped_forged, 1);
}

static void an_older_state_that_is_sent_again_changes_nothing(void **state) {
    (void)state;
    introduce();
    struct mp_writer old = message;
    message.bytes = NULL;
    begin(SECTION_PUSH, 1, 0, 2, 3);
    add_text(3, "k", NULL);
    deliver();
    assert_null(held("k"));
    gossip_receive(core, now_ns, NULL, old.bytes, old.size);
    assert_null(held("k"));
    assert_int_equal(held_seq(), 3);
    begin(SECTION_PUSH, 2, 0, 0, 1);
    add_self(1, false);
    deliver();
    gossip_receive(core, now_ns, NULL, old.bytes, old.size);
    assert_null(held("k"));
    assert_int_equal(stats().dropped_forged, 0); // it was true once
    assert_int_equal(stats().records_duplicate, 2);
    assert_int_equal(stats().records_stale, 2);
    free(old.bytes);
}

static void nobody_else_can_make_the_seq_jump(void **state) {
    (void)state;
    introduce();
    begin(SECTION_PUSH, 1, 0, 2, 3);
    add_text(3, "k", "3");
    finish_message();
    uint8_t proof[PROOF_SIZE_MAX];
    memcpy(proof, part_head.proof.bytes, part_head.proof.size);
    part_head.to = SEQ_MAX; // whatever x writes later would be an old story
    write_message(proof, SIGNED_PROOF_SIZE);
    receive();
    assert_int_equal(held_seq(), 2);
    part_head.to = SEQ_MAX + 1;
    write_message(proof, SIGNED_PROOF_SIZE);
    receive();
    assert_int_equal(held_seq(), 2);
    assert_int_equal(stats().dropped_forged, 1);
    assert_int_equal(stats().dropped_malformed, 1);
    begin(SECTION_PUSH, 1, 0, 2, 3);
    add_text(3, "k", "3");
    deliver();
    assert_int_equal(held_seq(), 3);
}

static void signed_and_unsigned_members_refuse_each_other(void **state) {
    (void)state;
    introduce();
    signs = NULL;
    begin(SECTION_PUSH, 1, 0, 2, 3);
    add_text(3, "k", "unsigned");
    deliver();
    assert_string_equal(held("k"), "old");
    assert_int_equal(stats().dropped_unknown_key, 1);
    gossip_set_signing(core, now_ns, NULL);
    assert_null(held("k")); // nothing proves it any more
    introduce();
    begin(SECTION_PUSH, 1, 0, 2, 3);
    add_text(3, "k", "unsigned");
    deliver();
    assert_string_equal(held("k"), "unsigned");
    signs = &keyring;
    begin(SECTION_PUSH, 1, 0, 3, 4);
    add_text(4, "k", "signed");
    deliver();
    assert_string_equal(held("k"), "unsigned");
    assert_int_equal(stats().dropped_unknown_key, 2);
    assert_int_equal(stats().dropped_forged, 0);
}

// ---- keys come and go

static void both_keys_of_a_host_hold_and_one_that_was_taken_out_does_not(void **state) {
    (void)state;
    introduce();
    signs = &others[2]; // x's next key is known before x uses it
    begin(SECTION_PUSH, 1, 0, 2, 3);
    add_text(3, "k", "next key");
    deliver();
    assert_string_equal(held("k"), "next key");
    struct gossip_signing now = others[1];
    now.key_count = 3; // only the first one
    gossip_set_signing(core, now_ns, &now);
    gossip_tick(core, now_ns += 9 * NS_PER_S);
    assert_string_equal(held("k"), "next key"); // x may yet prove it with its other key
    for (int second = 0; second < 3; second++) {
        gossip_tick(core, now_ns += NS_PER_S);
    }
    assert_null(held("k"));
    begin(SECTION_PUSH, 1, 0, 0, 4);
    add_self(1, false);
    add_text(4, "k", "taken out");
    deliver();
    assert_null(held("k"));
    assert_int_equal(stats().dropped_unknown_key, 1);
    gossip_set_signing(core, now_ns, &others[1]); // and back
    deliver();
    assert_string_equal(held("k"), "taken out");
    assert_int_equal(alarms_about("y"), 0); // nobody is to blame
}

static void hosts_without_a_line_are_believed_by_the_key_for_all(void **state) {
    (void)state;
    introduce_sender();
    struct gossip_member member;
    assert_true(gossip_find_member(core, "y", &member));
    struct gossip_signing now = others[1];
    now.keys = public_keys + 1;
    now.key_count = 3; // without "*"
    gossip_set_signing(core, now_ns, &now);
    signs = &others[0];
    begin(SECTION_PUSH, 2, 0, 0, 1);
    strcpy(part_head.origin, "y");
    add_self_of(1, "mem://y", false, GOSSIP_PROTOCOL_MIN, GOSSIP_PROTOCOL_VERSION);
    deliver();
    assert_false(gossip_find_member(core, "y", &member));
    assert_int_equal(stats().dropped_unknown_key, 1);
}

static void hear_of(const char *name) {
    struct wire_have have = {.life = {1, 1}, .complete = 1};
    strcpy(have.origin, name);
    forget_message();
    mp_write_growing(&message);
    size_t open = wire_open_message(&message, GOSSIP_PROTOCOL_VERSION, sender_name, sender_address,
                                    sender_life);
    size_t haves = wire_open_list(&message, SECTION_HAVE);
    wire_write_have(&message, &have);
    wire_close_list(&message, haves, 1);
    wire_close_message(&message, open, 1);
    receive();
}

static bool asks_for(const char *name) {
    struct gossip_message out;
    bool asked = false;
    while (gossip_take_message(core, &out)) {
        struct wire_envelope envelope;
        struct wire_section section;
        struct wire_have have;
        assert_int_equal(wire_check(out.bytes, out.size, &envelope), 0);
        wire_next_section(&envelope.sections, &section);
        for (uint32_t i = 0; section.kind == SECTION_WANT && i < section.count; i++) {
            wire_next_have(&section.items, &have);
            asked = asked || strcmp(have.origin, name) == 0;
        }
    }
    return asked;
}

static void nobody_is_asked_for_what_no_key_can_prove(void **state) {
    (void)state;
    hear_of("z");
    assert_true(asks_for("z"));
    struct gossip_signing now = others[1];
    now.keys = public_keys + 1;
    now.key_count = 3; // without "*"
    gossip_set_signing(core, now_ns, &now);
    introduce();
    sender_name = "x"; // somebody who might be asked
    sender_address = "mem://x";
    sender_life = part_head.life;
    now_ns += NS_PER_S;
    for (int i = 0; i < 10; i++) {
        hear_of("w");
        assert_false(asks_for("w"));
        run_ticks(200 * NS_PER_MS);
        assert_false(asks_for("w"));
    }
    gossip_set_signing(core, now_ns, &others[1]);
    hear_of("w");
    assert_true(asks_for("w"));
}

static bool own_part(struct wire_part *part) {
    static uint8_t kept[65536];
    struct gossip_message out;
    bool found = false;
    while (!found && gossip_take_message(core, &out)) {
        struct wire_envelope envelope;
        struct wire_section section;
        memcpy(kept, out.bytes, out.size);
        assert_int_equal(wire_check(kept, out.size, &envelope), 0);
        wire_next_section(&envelope.sections, &section);
        for (uint32_t i = 0; section.kind == SECTION_PUSH && i < section.count && !found; i++) {
            wire_next_part(&section.items, part);
            found = strcmp(part->origin, "me") == 0;
        }
    }
    while (gossip_take_message(core, &out)) { // others are told the same
    }
    return found;
}

static void whoever_gets_another_key_proves_its_state_with_it(void **state) {
    (void)state;
    struct wire_part part;
    introduce(); // a neighbour to tell
    gossip_put(core, now_ns, GOSSIP_TABLE_HOST, "k", "v", 1);
    assert_true(own_part(&part));
    uint64_t to = part.to;
    assert_memory_equal(part.proof.bytes, public_keys[1].bytes, KEY_HINT_SIZE);
    struct gossip_signing same = others[1]; // another list, the same secret
    same.key_count = 3;
    gossip_set_signing(core, now_ns, &same);
    assert_false(own_part(&part));
    gossip_set_signing(core, now_ns, &others[2]);
    assert_true(own_part(&part));
    assert_int_equal(part.from, to);
    assert_int_equal(part.to, to + 1);
    assert_int_equal(part.record_count, 0);
    assert_memory_equal(part.proof.bytes, public_keys[3].bytes, KEY_HINT_SIZE);
}

// ---- those who pass on what is not proved

static void receive_forged(uint64_t seq) {
    struct written kept[4]; // x did not write it
    uint32_t kept_count = book_count;
    assert_true(kept_count <= 4);
    memcpy(kept, book, kept_count * sizeof *kept);
    begin(SECTION_PUSH, 1, 0, seq - 1, seq);
    add_text(seq, "k", "forged");
    finish_message();
    message.bytes[message.size - 2] ^= 1; // in the value
    receive();
    memcpy(book, kept, kept_count * sizeof *kept);
    book_count = kept_count;
}

static void who_passes_on_forgeries_is_named_once_a_minute(void **state) {
    (void)state;
    introduce_sender();
    introduce();
    assert_int_equal(alarms_about("y"), 0);
    for (int i = 0; i < 10; i++) {
        receive_forged(3);
    }
    assert_int_equal(alarms_about("y"), 1);
    now_ns += 60 * NS_PER_S - 1;
    receive_forged(3);
    assert_int_equal(alarms_about("y"), 0);
    now_ns += 1;
    receive_forged(3);
    assert_int_equal(alarms_about("y"), 1);
    assert_int_equal(stats().dropped_forged, 12);
}

static void write_truly(uint64_t seq) {
    begin(SECTION_PUSH, 1, 0, seq - 1, seq);
    add_text(seq, "true", "1");
    deliver();
}

static void after_64_forgeries_a_sender_is_looked_at_16_times_a_second(void **state) {
    (void)state;
    introduce_sender();
    introduce();
    uint64_t looked_at = stats().states_verified;
    for (int i = 0; i < 1000; i++) {
        receive_forged(3);
    }
    assert_int_equal(stats().states_verified - looked_at, 64);
    assert_int_equal(stats().dropped_forged, 1000);
    write_truly(3); // true, but not looked at
    assert_int_equal(held_seq(), 2);
    sender_name = "z"; // others have their own accounts
    sender_address = "mem://z";
    finish_message();
    receive();
    assert_int_equal(held_seq(), 3);
    sender_name = "y";
    sender_address = "mem://y";
    now_ns += NS_PER_S / 16 - 1;
    write_truly(4);
    assert_int_equal(held_seq(), 3);
    now_ns += 1;
    receive();
    assert_int_equal(held_seq(), 4);
    looked_at = stats().states_verified;
    now_ns += NS_PER_S;
    for (int i = 0; i < 100; i++) {
        receive_forged(5);
    }
    assert_int_equal(stats().states_verified - looked_at, 17); // one was left from before
}

static void strangers_share_one_account_whatever_they_call_themselves(void **state) {
    (void)state;
    introduce();
    uint64_t looked_at = stats().states_verified;
    char name[NAME_SIZE];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "stranger%d", i);
        sender_name = name;
        hear_of(name); // that a name was heard makes no member
        receive_forged(3);
    }
    assert_int_equal(stats().states_verified - looked_at, 64);
    assert_int_equal(gossip_member_count(core), 2); // me and x
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SIGNED(what_is_signed_is_what_the_header_says),
        SIGNED(no_bit_of_a_signed_part_can_be_flipped),
        TEST(no_bit_of_a_part_can_be_flipped_even_without_keys),
        SIGNED(the_key_of_another_host_proves_nothing),
        SIGNED(a_record_that_is_left_out_is_missed),
        TEST(a_record_that_is_left_out_is_missed),
        SIGNED(a_key_that_comes_twice_in_a_part_is_refused),
        SIGNED(an_older_state_that_is_sent_again_changes_nothing),
        SIGNED(nobody_else_can_make_the_seq_jump),
        SIGNED(signed_and_unsigned_members_refuse_each_other),
        SIGNED(both_keys_of_a_host_hold_and_one_that_was_taken_out_does_not),
        SIGNED(hosts_without_a_line_are_believed_by_the_key_for_all),
        SIGNED(nobody_is_asked_for_what_no_key_can_prove),
        SIGNED(whoever_gets_another_key_proves_its_state_with_it),
        SIGNED(who_passes_on_forgeries_is_named_once_a_minute),
        TEST(who_passes_on_forgeries_is_named_once_a_minute),
        SIGNED(after_64_forgeries_a_sender_is_looked_at_16_times_a_second),
        SIGNED(strangers_share_one_account_whatever_they_call_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
