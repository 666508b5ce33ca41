// SPDX-License-Identifier: Apache-2.0
#include "wire.h"

#include <errno.h>
#include <string.h>

static struct life read_life(struct mp_reader *reader) {
    struct life life;
    life.incarnation = (uint32_t)mp_read_uint(reader, INCARNATION_MAX);
    life.nonce = (uint32_t)mp_read_uint(reader, UINT32_MAX);
    return life;
}

// Opens an array of at least `known` elements and says how many unknown ones trail.
static uint32_t open_array(struct mp_reader *reader, uint32_t known) {
    uint32_t count = mp_read_array(reader, known, UINT32_MAX);
    return reader->bad ? 0 : count - known;
}

void wire_next_record(struct mp_reader *reader, struct wire_record *out) {
    uint32_t extra = open_array(reader, 4);
    *out = (struct wire_record){.seq = mp_read_uint(reader, SEQ_MAX)};
    out->table = (enum gossip_table)mp_read_uint(reader, TABLES_MAX - 1);
    out->key = mp_read_str(reader, 0, GOSSIP_KEY_MAX - 1);
    if (!mp_read_nil(reader)) {
        struct mp_text value = mp_read_bin(reader, GOSSIP_VALUE_MAX);
        out->value = (const uint8_t *)value.bytes;
        out->value_size = value.size;
    }
    mp_skip(reader, extra);
}

// Leaves the reader behind the head and the header of the record array.
static uint32_t read_part_head(struct mp_reader *reader, struct wire_part *out) {
    uint32_t extra = open_array(reader, 9);
    mp_read_name(reader, out->origin, 1, sizeof out->origin);
    out->life = read_life(reader);
    out->floor = mp_read_uint(reader, SEQ_MAX);
    out->from = mp_read_uint(reader, SEQ_MAX);
    out->to = mp_read_uint(reader, SEQ_MAX);
    out->hop = (uint32_t)mp_read_uint(reader, UINT32_MAX);
    out->proof = mp_read_bin(reader, PROOF_SIZE_MAX);
    out->record_count = mp_read_array(reader, 0, UINT32_MAX);
    out->records = *reader;
    return extra;
}

static void read_part_tail(struct mp_reader *reader, struct wire_part *out, uint32_t extra) {
    out->state = (struct mp_text){NULL, 0};
    if (extra > 0) {
        out->state = mp_read_bin(reader, HASH_SIZE);
        bool fits = out->state.size == HASH_SIZE && out->record_count == 0;
        reader->bad = reader->bad || (out->state.size > 0 && !fits);
        mp_skip(reader, extra - 1);
    }
}

void wire_next_part(struct mp_reader *reader, struct wire_part *out) {
    uint32_t extra = read_part_head(reader, out);
    mp_skip(reader, out->record_count);
    read_part_tail(reader, out, extra);
}

void wire_next_have(struct mp_reader *reader, struct wire_have *out) {
    uint32_t extra = open_array(reader, 4);
    mp_read_name(reader, out->origin, 1, sizeof out->origin);
    out->life = read_life(reader);
    out->complete = mp_read_uint(reader, SEQ_MAX);
    mp_skip(reader, extra);
}

void wire_next_load(struct mp_reader *reader, struct wire_load *out) {
    uint32_t extra = open_array(reader, 5);
    mp_read_name(reader, out->origin, 1, sizeof out->origin);
    out->life = read_life(reader);
    out->stamp = mp_read_uint(reader, SEQ_MAX);
    out->value = mp_read_bin(reader, GOSSIP_LOAD_SIZE);
    mp_skip(reader, extra);
}

// How many elements of the section's array are known; 0 for a kind that is not.
static uint32_t section_fields(uint64_t kind) {
    static const uint8_t fields[] = {0, 2, 2, 2, 2, 2, 4, 3, 2, 2};
    return kind < sizeof fields ? fields[kind] : 0;
}

static const uint8_t *read_block(struct mp_reader *reader, uint32_t size) {
    struct mp_text block = mp_read_bin(reader, size);
    if (block.size != size) {
        reader->bad = true;
    }
    return (const uint8_t *)block.bytes;
}

// Returns how many values remain to be skipped behind what `out` describes.
static uint64_t read_section(struct mp_reader *reader, struct wire_section *out) {
    uint32_t total = mp_read_array(reader, 1, UINT32_MAX);
    *out = (struct wire_section){.kind = mp_read_uint(reader, UINT64_MAX)};
    uint32_t fields = section_fields(out->kind);
    if (reader->bad || total < fields) {
        reader->bad = true;
        return 0;
    }
    if (out->kind == SECTION_DIGEST) {
        out->bytes = read_block(reader, DIGEST_BYTES);
    } else if (out->kind == SECTION_ACCUSE) {
        out->life = read_life(reader);
    } else if (out->kind == SECTION_SUM) {
        out->sum = mp_read_uint(reader, UINT64_MAX);
    } else if (fields > 0) {
        if (out->kind == SECTION_BUCKETS) {
            out->bytes = read_block(reader, BITMAP_BYTES);
            out->last = mp_read_bool(reader);
        }
        out->count = mp_read_array(reader, 0, UINT32_MAX);
        out->items = *reader;
    }
    return total - (fields > 0 ? fields : 1);
}

void wire_next_section(struct mp_reader *reader, struct wire_section *out) {
    uint64_t extra = read_section(reader, out);
    mp_skip(reader, out->count + extra);
}

bool core_self_decode(const void *value, size_t size, struct core_self *out) {
    struct mp_reader reader;
    mp_read_init(&reader, value, size);
    uint32_t extra = open_array(&reader, 3);
    mp_read_name(&reader, out->address, 1, sizeof out->address);
    mp_read_name(&reader, out->rack, 0, sizeof out->rack);
    out->left = mp_read_bool(&reader);
    out->protocol_min = extra >= 2 ? (uint32_t)mp_read_uint(&reader, UINT32_MAX) : 1;
    out->protocol_max = extra >= 2 ? (uint32_t)mp_read_uint(&reader, UINT32_MAX) : 1;
    return !reader.bad && out->protocol_min <= out->protocol_max;
}

bool core_suspect_decode(const void *value, size_t size, struct core_suspect *out) {
    struct mp_reader reader;
    mp_read_init(&reader, value, size);
    open_array(&reader, 3);
    out->life = read_life(&reader);
    out->dead = mp_read_bool(&reader);
    return !reader.bad;
}

bool core_duplicate_decode(const void *value, size_t size, struct core_duplicate *out) {
    struct mp_reader reader;
    mp_read_init(&reader, value, size);
    open_array(&reader, 2);
    out->nonces[0] = (uint32_t)mp_read_uint(&reader, UINT32_MAX);
    out->nonces[1] = (uint32_t)mp_read_uint(&reader, UINT32_MAX);
    return !reader.bad;
}

bool core_outbid_decode(const void *value, size_t size, struct life *out) {
    struct mp_reader reader;
    mp_read_init(&reader, value, size);
    open_array(&reader, 2);
    *out = read_life(&reader);
    return !reader.bad;
}

bool core_suspect_key(const char *key, size_t size, char name[NAME_SIZE]) {
    size_t prefix = sizeof CORE_SUSPECT - 1;
    if (size <= prefix || size - prefix >= NAME_SIZE || memcmp(key, CORE_SUSPECT, prefix) != 0) {
        return false;
    }
    memcpy(name, key + prefix, size - prefix);
    name[size - prefix] = '\0';
    return true;
}

static bool is_key(struct mp_text key, const char *name) {
    return key.size == strlen(name) && memcmp(key.bytes, name, key.size) == 0;
}

// The core's own table is the one whose values it must understand. Keys that it does not know are
// kept and passed on: a newer minor version wrote them.
static bool core_record_is_sound(const struct wire_record *record) {
    union {
        struct core_self self;
        struct core_suspect suspect;
        struct core_duplicate duplicate;
        struct life life;
        char name[NAME_SIZE];
    } out;
    if (record->table != GOSSIP_TABLE_CORE || record->value == NULL) {
        return true;
    }
    if (is_key(record->key, CORE_SELF)) {
        return core_self_decode(record->value, record->value_size, &out.self);
    }
    if (is_key(record->key, CORE_DUPLICATE)) {
        return core_duplicate_decode(record->value, record->value_size, &out.duplicate);
    }
    if (is_key(record->key, CORE_OUTBID)) {
        return core_outbid_decode(record->value, record->value_size, &out.life);
    }
    if (core_suspect_key(record->key.bytes, record->key.size, out.name)) {
        return core_suspect_decode(record->value, record->value_size, &out.suspect);
    }
    return true;
}

static bool head_is_sound(const struct wire_part *part) {
    return part->life.incarnation > 0 && part->from < part->to && part->floor <= part->to &&
           (part->proof.size == HASH_SIZE || part->proof.size == SIGNED_PROOF_SIZE);
}

static void check_part(struct mp_reader *reader) {
    struct wire_part part;
    uint32_t extra = read_part_head(reader, &part);
    reader->bad = reader->bad || !head_is_sound(&part);
    uint64_t last = part.from;
    for (uint32_t i = 0; i < part.record_count && !reader->bad; i++) {
        struct wire_record record;
        wire_next_record(reader, &record);
        bool collected = record.value == NULL && record.seq <= part.floor;
        if (record.seq <= last || record.seq > part.to || collected ||
            !mp_text_is_printable(record.key) || (!reader->bad && !core_record_is_sound(&record))) {
            reader->bad = true;
        }
        last = record.seq;
    }
    read_part_tail(reader, &part, extra);
}

static void check_section(struct mp_reader *reader) {
    struct wire_section section;
    uint64_t extra = read_section(reader, &section);
    bool parts = section.kind == SECTION_PUSH || section.kind == SECTION_DATA;
    for (uint32_t i = 0; i < section.count && !reader->bad; i++) {
        struct wire_have have;
        struct wire_load load;
        if (parts) {
            check_part(reader);
        } else if (section.kind == SECTION_LOAD) {
            wire_next_load(reader, &load);
        } else {
            wire_next_have(reader, &have);
        }
    }
    mp_skip(reader, extra);
}

uint32_t wire_version(const void *bytes, size_t size) {
    struct mp_reader reader;
    mp_read_init(&reader, bytes, size);
    mp_read_array(&reader, 1, UINT32_MAX);
    uint32_t major = (uint32_t)mp_read_uint(&reader, UINT32_MAX);
    return reader.bad ? 0 : major;
}

int wire_check(const void *bytes, size_t size, struct wire_envelope *out) {
    struct mp_reader reader;
    mp_read_init(&reader, bytes, size);
    uint32_t total = mp_read_array(&reader, 1, UINT32_MAX);
    out->version = (uint32_t)mp_read_uint(&reader, UINT32_MAX);
    if (!reader.bad && out->version < GOSSIP_PROTOCOL_MIN) {
        return -EPROTONOSUPPORT;
    }
    if (reader.bad || total < 7 || size > GOSSIP_MESSAGE_MAX) {
        return -EPROTO;
    }
    mp_read_uint(&reader, UINT32_MAX); // minor: only says what may trail
    mp_read_name(&reader, out->name, 1, sizeof out->name);
    mp_read_name(&reader, out->address, 1, sizeof out->address);
    out->life = read_life(&reader);
    out->section_count = mp_read_array(&reader, 0, UINT32_MAX);
    out->sections = reader;
    for (uint32_t i = 0; i < out->section_count && !reader.bad; i++) {
        check_section(&reader);
    }
    mp_skip(&reader, total - 7);
    return reader.bad || reader.at != reader.end ? -EPROTO : 0;
}
