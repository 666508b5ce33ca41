// SPDX-License-Identifier: Apache-2.0
#include "wire.h"

#include <string.h>

#define MINOR_VERSION 0

static void write_text(struct mp_writer *writer, const char *text) {
    mp_write_str(writer, text, strlen(text));
}

static void write_life(struct mp_writer *writer, struct life life) {
    mp_write_uint(writer, life.incarnation);
    mp_write_uint(writer, life.nonce);
}

size_t wire_open_message(struct mp_writer *writer, uint32_t version, const char *name,
                         const char *address, struct life life) {
    mp_write_array(writer, 7);
    mp_write_uint(writer, version);
    mp_write_uint(writer, MINOR_VERSION);
    write_text(writer, name);
    write_text(writer, address);
    write_life(writer, life);
    return mp_array_open(writer);
}

void wire_close_message(struct mp_writer *writer, size_t message, uint32_t section_count) {
    mp_array_close(writer, message, section_count);
}

size_t wire_open_list(struct mp_writer *writer, enum section_kind kind) {
    mp_write_array(writer, 2);
    mp_write_uint(writer, kind);
    return mp_array_open(writer);
}

void wire_close_list(struct mp_writer *writer, size_t list, uint32_t count) {
    mp_array_close(writer, list, count);
}

void wire_write_digest(struct mp_writer *writer, const uint64_t sums[DIGEST_BUCKETS]) {
    uint8_t bytes[DIGEST_BYTES];
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        bytes[i] = (uint8_t)(sums[i / 8] >> (56 - 8 * (i % 8)));
    }
    mp_write_array(writer, 2);
    mp_write_uint(writer, SECTION_DIGEST);
    mp_write_bin(writer, bytes, sizeof bytes);
}

size_t wire_open_buckets(struct mp_writer *writer, const uint8_t bitmap[BITMAP_BYTES], bool last) {
    mp_write_array(writer, 4);
    mp_write_uint(writer, SECTION_BUCKETS);
    mp_write_bin(writer, bitmap, BITMAP_BYTES);
    mp_write_bool(writer, last);
    return mp_array_open(writer);
}

void wire_write_sum(struct mp_writer *writer, uint64_t sum) {
    mp_write_array(writer, 2);
    mp_write_uint(writer, SECTION_SUM);
    mp_write_uint(writer, sum);
}

void wire_write_accuse(struct mp_writer *writer, struct life life) {
    mp_write_array(writer, 3);
    mp_write_uint(writer, SECTION_ACCUSE);
    write_life(writer, life);
}

void wire_write_load(struct mp_writer *writer, const struct wire_load *load) {
    mp_write_array(writer, 5);
    write_text(writer, load->origin);
    write_life(writer, load->life);
    mp_write_uint(writer, load->stamp);
    mp_write_bin(writer, load->value.bytes, load->value.size);
}

void wire_write_have(struct mp_writer *writer, const struct wire_have *have) {
    mp_write_array(writer, 4);
    write_text(writer, have->origin);
    write_life(writer, have->life);
    mp_write_uint(writer, have->complete);
}

static void write_part_head(struct mp_writer *writer, const struct wire_part *part) {
    write_text(writer, part->origin);
    write_life(writer, part->life);
    mp_write_uint(writer, part->floor);
    mp_write_uint(writer, part->from);
    mp_write_uint(writer, part->to);
    mp_write_uint(writer, part->hop);
    mp_write_bin(writer, part->proof.bytes, part->proof.size);
}

size_t wire_open_part(struct mp_writer *writer, const struct wire_part *part) {
    mp_write_array(writer, 9);
    write_part_head(writer, part);
    return mp_array_open(writer);
}

void wire_write_witness(struct mp_writer *writer, const struct wire_part *part) {
    mp_write_array(writer, 10);
    write_part_head(writer, part);
    mp_write_array(writer, 0);
    mp_write_bin(writer, part->state.bytes, part->state.size);
}

void wire_write_record(struct mp_writer *writer, const struct wire_record *record) {
    mp_write_array(writer, 4);
    mp_write_uint(writer, record->seq);
    mp_write_uint(writer, record->table);
    mp_write_str(writer, record->key.bytes, record->key.size);
    if (record->value == NULL) {
        mp_write_nil(writer);
    } else {
        mp_write_bin(writer, record->value, record->value_size);
    }
}
