// SPDX-License-Identifier: Apache-2.0
// One core "me" and messages made by hand from the host "y" about the origin "x".
#ifndef TESTS_GOSSIP_FORGE_H
#define TESTS_GOSSIP_FORGE_H

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

static inline void run_ticks(uint64_t duration_ns) {
    uint64_t until = now_ns + duration_ns;
    while (gossip_deadline_ns(core) <= until) {
        now_ns = gossip_deadline_ns(core) > now_ns ? gossip_deadline_ns(core) : now_ns;
        gossip_tick(core, now_ns);
    }
    now_ns = until;
}

static inline int init(void **state) {
    (void)state;
    struct gossip_config config = {.name = "me", .address = "mem://me", .nonce = 1, .seed = 1};
    struct error error;
    now_ns = NS_PER_S;
    assert_int_equal(gossip_open(&config, now_ns, &core, &error), 0);
    run_ticks(200 * NS_PER_MS);
    return 0;
}

static inline int fini(void **state) {
    (void)state;
    gossip_close(core);
    free(message.bytes);
    message.bytes = NULL;
    return 0;
}

// ---- a message with one part of the origin "x"

static inline void begin(enum section_kind kind, uint32_t incarnation, uint64_t floor,
                         uint64_t from, uint64_t to) {
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

static inline void add(uint64_t seq, enum gossip_table table, const char *key, const void *value,
                       size_t size) {
    struct wire_record record = {seq, table, {key, (uint32_t)strlen(key)}, value, (uint32_t)size};
    wire_write_record(&message, &record);
    record_count++;
}

static inline void add_text(uint64_t seq, const char *key, const char *text) {
    add(seq, GOSSIP_TABLE_HOST, key, text, text == NULL ? 0 : strlen(text) + 1);
}

static inline void add_self(uint64_t seq, bool left) {
    uint8_t value[64];
    struct mp_writer self;
    mp_write_fixed(&self, value, sizeof value);
    mp_write_array(&self, 3);
    mp_write_str(&self, "mem://x", 7);
    mp_write_str(&self, "", 0);
    mp_write_bool(&self, left);
    add(seq, GOSSIP_TABLE_CORE, CORE_SELF, value, self.size);
}

static inline void finish_message(void) {
    mp_array_close(&message, records, record_count);
    wire_close_list(&message, list, 1);
    wire_close_message(&message, sections, 1);
}

static inline void deliver(void) {
    finish_message();
    gossip_receive(core, now_ns, NULL, message.bytes, message.size);
}

static const char *held(const char *key) {
    size_t size;
    return gossip_find(core, "x", GOSSIP_TABLE_HOST, key, &size);
}

static inline struct gossip_stats stats(void) {
    struct gossip_stats out;
    gossip_stats(core, &out);
    return out;
}

static inline void introduce(void) {
    begin(SECTION_PUSH, 1, 2, 0, 2);
    add_self(1, false);
    add_text(2, "k", "old");
    deliver();
    assert_string_equal(held("k"), "old");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, init, fini)

#endif
