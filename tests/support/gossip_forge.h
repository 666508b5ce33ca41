// SPDX-License-Identifier: Apache-2.0
// One core "me" and messages made by hand from the host "y" about the origin "x". A book keeps what
// x has written so far, so that each part bears the proof of the state that it leads to.
#ifndef TESTS_GOSSIP_FORGE_H
#define TESTS_GOSSIP_FORGE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "cmocka_all.h"
#include "core.h"
#include "gossip/gossip.h"
#include "model/mp.h"
#include "model/time.h"
#include "wire.h"

#define BOOK_MAX (GOSSIP_ORIGIN_RECORDS_MAX + 1)

struct written {
    uint64_t seq;
    enum gossip_table table;
    char key[GOSSIP_KEY_MAX];
    bool deleted;
    uint8_t leaf[HASH_SIZE];
};

static struct gossip *core;
static uint64_t now_ns;
static const struct gossip_signing *signs; // for x; NULL: nobody signs
static const char *sender_name, *sender_address;
static struct life sender_life;
static struct written book[BOOK_MAX];
static uint32_t book_count;
static enum section_kind part_kind;
static struct wire_part part_head;
static struct mp_writer part_records, message;
static uint32_t record_count;

static inline void run_ticks(uint64_t duration_ns) {
    uint64_t until = now_ns + duration_ns;
    while (gossip_deadline_ns(core) <= until) {
        now_ns = gossip_deadline_ns(core) > now_ns ? gossip_deadline_ns(core) : now_ns;
        gossip_tick(core, now_ns);
    }
    now_ns = until;
}

static inline int open_core(struct gossip_config config) {
    struct error error;
    strcpy(config.name, "me");
    strcpy(config.address, "mem://me");
    config.nonce = config.nonce != 0 ? config.nonce : 1;
    config.seed = 1;
    now_ns = NS_PER_S;
    signs = NULL;
    sender_name = "y";
    sender_address = "mem://y";
    sender_life = (struct life){1, 5};
    book_count = 0;
    assert_int_equal(gossip_open(&config, now_ns, &core, &error), 0);
    run_ticks(200 * NS_PER_MS);
    return 0;
}

static inline int init(void **state) {
    (void)state;
    return open_core((struct gossip_config){.nonce = 1});
}

static inline void forget_message(void) {
    free(message.bytes);
    free(part_records.bytes);
    message.bytes = part_records.bytes = NULL;
}

static inline int fini(void **state) {
    (void)state;
    gossip_close(core);
    forget_message();
    return 0;
}

// ---- a message with one part of the origin "x"

// A part from 0 turns over a new leaf of the book: it says all that there is.
static inline void begin(enum section_kind kind, uint32_t incarnation, uint64_t floor,
                         uint64_t from, uint64_t to) {
    part_kind = kind;
    part_head = (struct wire_part){
        .origin = "x", .life = {incarnation, 9}, .floor = floor, .from = from, .to = to};
    book_count = from == 0 ? 0 : book_count;
    forget_message();
    mp_write_growing(&part_records);
    record_count = 0;
}

static inline void strike_out(enum gossip_table table, const char *key) {
    for (uint32_t i = 0; i < book_count; i++) {
        if (book[i].table == table && strcmp(book[i].key, key) == 0) {
            memmove(&book[i], &book[i + 1], (--book_count - i) * sizeof *book);
            return;
        }
    }
}

static inline void add(uint64_t seq, enum gossip_table table, const char *key, const void *value,
                       size_t size) {
    struct wire_record record = {seq, table, {key, (uint32_t)strlen(key)}, value, (uint32_t)size};
    wire_write_record(&part_records, &record);
    record_count++;
    strike_out(table, key);
    assert_true(book_count < BOOK_MAX);
    struct written *entry = &book[book_count++];
    *entry = (struct written){.seq = seq, .table = table, .deleted = value == NULL};
    strcpy(entry->key, key);
    state_leaf(&record, entry->leaf);
}

static inline void add_text(uint64_t seq, const char *key, const char *text) {
    add(seq, GOSSIP_TABLE_HOST, key, text, text == NULL ? 0 : strlen(text) + 1);
}

static inline void add_self_of(uint64_t seq, const char *address, bool left, uint32_t protocol_min,
                               uint32_t protocol_max) {
    uint8_t value[64];
    struct mp_writer self;
    mp_write_fixed(&self, value, sizeof value);
    mp_write_array(&self, 5);
    mp_write_str(&self, address, strlen(address));
    mp_write_str(&self, "", 0);
    mp_write_bool(&self, left);
    mp_write_uint(&self, protocol_min);
    mp_write_uint(&self, protocol_max);
    add(seq, GOSSIP_TABLE_CORE, CORE_SELF, value, self.size);
}

static inline void add_self(uint64_t seq, bool left) {
    add_self_of(seq, "mem://x", left, GOSSIP_PROTOCOL_MIN, GOSSIP_PROTOCOL_VERSION);
}

// The hash of what the book says, written down once more from signing.h and not from the core.
static inline void book_hash(uint64_t floor, uint8_t hash[HASH_SIZE]) {
    crypto_generichash_state all;
    crypto_generichash_init(&all, NULL, 0, HASH_SIZE);
    for (uint32_t i = 0; i < book_count; i++) {
        if (!book[i].deleted || book[i].seq > floor) {
            crypto_generichash_update(&all, book[i].leaf, HASH_SIZE);
        }
    }
    crypto_generichash_final(&all, hash, HASH_SIZE);
}

static inline void write_message(const uint8_t *proof, uint8_t proof_size) {
    part_head.proof = (struct mp_text){(const char *)proof, proof_size};
    free(message.bytes);
    mp_write_growing(&message);
    size_t sections = wire_open_message(&message, GOSSIP_PROTOCOL_VERSION, sender_name,
                                        sender_address, sender_life);
    size_t list = wire_open_list(&message, part_kind);
    size_t records = wire_open_part(&message, &part_head);
    mp_write_raw(&message, part_records.bytes, part_records.size);
    mp_array_close(&message, records, record_count);
    wire_close_list(&message, list, 1);
    wire_close_message(&message, sections, 1);
}

static inline void finish_message(void) {
    static uint8_t proof[PROOF_SIZE_MAX]; // part_head keeps it in sight
    uint8_t hash[HASH_SIZE];
    book_hash(part_head.floor, hash);
    write_message(proof, state_prove(signs, &part_head, hash, proof));
}

static inline void receive(void) {
    gossip_receive(core, now_ns, NULL, message.bytes, message.size);
}

static inline void deliver(void) {
    finish_message();
    receive();
}

// ---- what came of it

static inline const char *held(const char *key) {
    size_t size;
    return gossip_find(core, "x", GOSSIP_TABLE_HOST, key, &size);
}

static inline uint64_t held_seq(void) {
    struct gossip_member member;
    return gossip_find_member(core, "x", &member) ? member.max_seq : 0;
}

static inline struct gossip_stats stats(void) {
    struct gossip_stats out;
    gossip_stats(core, &out);
    return out;
}

static inline void introduce(void) {
    begin(SECTION_PUSH, 1, 0, 0, 2);
    add_self(1, false);
    add_text(2, "k", "old");
    deliver();
    assert_string_equal(held("k"), "old");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, init, fini)

#endif
