// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "holder_wire.h"

#define ERRNO_MAX 4095

// Opens an array of at least `known` elements and says how many unknown ones trail.
static uint32_t open_array(struct mp_reader *reader, uint32_t known) {
    uint32_t count = mp_read_array(reader, known, UINT32_MAX);
    return reader->bad ? 0 : count - known;
}

static void read_block(struct mp_reader *reader, void *to, uint32_t size) {
    struct mp_text block = mp_read_bin(reader, size);
    if (block.size != size) {
        reader->bad = true;
    }
    if (!reader->bad) {
        memcpy(to, block.bytes, size);
    }
}

// ---- sets

static void read_local_sids(struct mp_reader *reader, struct rule_set *set) {
    set->local_sid_count = mp_read_array(reader, 0, LOCAL_SIDS_MAX);
    for (uint32_t i = 0; i < set->local_sid_count && !reader->bad; i++) {
        read_block(reader, set->local_sids[i].bytes, sizeof set->local_sids[i].bytes);
    }
}

static int read_encap(struct mp_reader *reader, struct encap *out) {
    uint32_t extra = open_array(reader, 2);
    *out = (struct encap){0};
    read_block(reader, out->source, sizeof out->source);
    struct mp_text sids = mp_read_bin(reader, sizeof out->sids.sids);
    mp_skip(reader, extra);
    if (reader->bad || sids.size == 0 || sids.size % sizeof(struct sid) != 0) {
        return -EPROTO;
    }
    out->sids.count = (uint8_t)(sids.size / sizeof(struct sid));
    memcpy(out->sids.sids, sids.bytes, sids.size);
    return 0;
}

static int read_used(struct mp_reader *reader, struct rule_set *set, uint32_t number) {
    struct encap encap;
    uint32_t index = 0;
    int rc = read_encap(reader, &encap);
    rc = rc != 0 ? rc : rule_set_intern(set, &encap, &index);
    return rc != 0 ? rc : index == number ? 0 : -EPROTO; // two of them are equal
}

static int read_spares(struct mp_reader *reader, struct rule_set *set) {
    uint32_t count = mp_read_array(reader, 0, ENCAPS_MAX);
    int rc = 0;
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        struct encap encap;
        rc = read_encap(reader, &encap);
        rc = rc != 0 ? rc : rule_set_add_spare(set, &encap);
    }
    return rc;
}

static int read_rule(struct mp_reader *reader, struct rule_set *set) {
    struct rule rule = {0};
    uint32_t extra = open_array(reader, 6);
    read_block(reader, rule.match.destination, sizeof rule.match.destination);
    rule.match.key_kind = (uint8_t)mp_read_uint(reader, RULE_KEY_SPORT);
    rule.match.key = (uint32_t)mp_read_uint(reader, UINT32_MAX);
    rule.select = (uint8_t)mp_read_uint(reader, RULE_SPRAY);
    rule.path_count = (uint8_t)mp_read_array(reader, 1, RULE_PATHS_MAX);
    for (uint32_t i = 0; i < rule.path_count; i++) {
        rule.encap[i] = (uint32_t)mp_read_uint(reader, ENCAPS_MAX);
    }
    if (!mp_read_nil(reader)) {
        read_block(reader, rule.bucket, sizeof rule.bucket);
    }
    mp_skip(reader, extra);
    return reader->bad ? -EPROTO : rule_set_add(set, &rule);
}

static int read_parts(struct mp_reader *reader, struct rule_set *set) {
    uint32_t extra = open_array(reader, 3);
    read_local_sids(reader, set);
    uint32_t encaps = mp_read_array(reader, 0, ENCAPS_MAX);
    int rc = 0;
    for (uint32_t i = 0; i < encaps && rc == 0; i++) {
        rc = read_used(reader, set, i);
    }
    uint32_t rules = rc == 0 ? mp_read_array(reader, 0, RULES_MAX) : 0;
    for (uint32_t i = 0; i < rules && rc == 0; i++) {
        rc = read_rule(reader, set);
    }
    if (rc == 0 && extra > 0) { // a peer of the first release names none
        rc = read_spares(reader, set);
        extra--;
    }
    mp_skip(reader, rc == 0 ? extra : 0);
    return rc == 0 && reader->bad ? -EPROTO : rc;
}

static int read_set(struct mp_reader *reader, struct holder_message *out, struct error *error) {
    struct error reason = {.text = "a set that is none"};
    int rc = read_parts(reader, &out->set);
    if (rc == 0 && rule_set_seal(&out->set, &reason) != 0) {
        rc = reason.code == -ENOMEM ? -ENOMEM : -EPROTO;
    }
    if (rc != 0) {
        return error_set(error, rc, "%.140s", rc == -ENOMEM ? "no memory for a set" : reason.text);
    }
    out->has_set = true;
    return 0;
}

// ---- messages

static void read_text(struct mp_reader *reader, char *text, size_t size) {
    mp_read_name(reader, text, 0, size);
}

static void read_open(struct mp_reader *reader, struct holder_message *out) {
    read_text(reader, out->device, sizeof out->device);
    out->eswitch.vport = (uint16_t)mp_read_uint(reader, UINT16_MAX);
    read_block(reader, out->eswitch.vport_mac, sizeof out->eswitch.vport_mac);
    read_block(reader, out->eswitch.gateway_mac, sizeof out->eswitch.gateway_mac);
    struct mp_text classes = mp_read_bin(reader, NIC_CLASSES_MAX);
    out->eswitch.class_count = classes.size;
    memcpy(out->eswitch.traffic_classes, classes.bytes, classes.size);
}

static void read_capabilities(struct mp_reader *reader, struct nic_capabilities *out) {
    uint32_t extra = open_array(reader, 6);
    out->spray = mp_read_bool(reader);
    out->per_qp = mp_read_bool(reader);
    out->srh = mp_read_bool(reader);
    out->counters = mp_read_bool(reader);
    out->rules_max = (uint32_t)mp_read_uint(reader, UINT32_MAX);
    out->encap_bytes_max = (uint32_t)mp_read_uint(reader, UINT32_MAX);
    if (extra > 0) {
        out->spares = mp_read_bool(reader);
        extra--;
    }
    mp_skip(reader, extra);
}

static int read_opened(struct mp_reader *reader, struct holder_message *out, struct error *error) {
    read_capabilities(reader, &out->capabilities);
    read_text(reader, out->attachment, sizeof out->attachment);
    out->unsettled = mp_read_bool(reader);
    return read_set(reader, out, error);
}

static int read_outcome(struct mp_reader *reader, struct holder_message *out, struct error *error) {
    out->error.code = -(int)mp_read_uint(reader, ERRNO_MAX);
    read_text(reader, out->error.text, sizeof out->error.text);
    out->unsettled = mp_read_bool(reader);
    if ((out->error.code == 0) != (out->kind == HOLDER_DONE)) {
        reader->bad = true;
    }
    return mp_read_nil(reader) ? 0 : read_set(reader, out, error);
}

void holder_next_counter(struct mp_reader *items, struct holder_counter *out) {
    uint32_t extra = open_array(items, 4);
    out->rule = (uint32_t)mp_read_uint(items, RULES_MAX - 1);
    out->path = (uint32_t)mp_read_uint(items, RULE_PATHS_MAX - 1);
    out->packets = mp_read_uint(items, UINT64_MAX);
    out->bytes = mp_read_uint(items, UINT64_MAX);
    mp_skip(items, extra);
}

void holder_next_qp(struct mp_reader *items, struct nic_qp *out) {
    uint32_t extra = open_array(items, 5);
    *out = (struct nic_qp){0};
    read_block(items, out->destination, sizeof out->destination);
    out->qp = (uint32_t)mp_read_uint(items, UINT32_MAX);
    out->sport = (uint16_t)mp_read_uint(items, UINT16_MAX);
    out->packets = mp_read_uint(items, UINT64_MAX);
    out->bytes = mp_read_uint(items, UINT64_MAX);
    mp_skip(items, extra);
}

static void read_items(struct mp_reader *reader, struct holder_message *out) {
    uint32_t most = out->kind == HOLDER_COUNTERS ? HOLDER_COUNTERS_MAX : HOLDER_QPS_MAX;
    out->item_count = mp_read_array(reader, 0, most);
    out->items = *reader;
    for (uint32_t i = 0; i < out->item_count && !reader->bad; i++) {
        struct holder_counter counter;
        struct nic_qp qp;
        if (out->kind == HOLDER_COUNTERS) {
            holder_next_counter(reader, &counter);
        } else {
            holder_next_qp(reader, &qp);
        }
    }
}

static void read_totals(struct mp_reader *reader, struct holder_message *out) {
    uint32_t extra = open_array(reader, 3);
    out->encapsulated = mp_read_uint(reader, UINT64_MAX);
    out->decapsulated = mp_read_uint(reader, UINT64_MAX);
    out->plain = mp_read_uint(reader, UINT64_MAX);
    mp_skip(reader, extra);
}

static void read_question(struct mp_reader *reader, struct holder_message *out) {
    out->is_answer = !mp_read_nil(reader);
    if (out->is_answer && out->kind == HOLDER_TOTALS) {
        read_totals(reader, out);
    } else if (out->is_answer) {
        read_items(reader, out);
    }
}

static int read_body(struct mp_reader *reader, struct holder_message *out, struct error *error) {
    switch (out->kind) {
    case HOLDER_HELLO:
        out->lowest = (uint32_t)mp_read_uint(reader, UINT32_MAX);
        out->highest = (uint32_t)mp_read_uint(reader, UINT32_MAX);
        return 0;
    case HOLDER_OPEN:
        read_open(reader, out);
        return 0;
    case HOLDER_OPENED:
        return read_opened(reader, out, error);
    case HOLDER_APPLY:
        return read_set(reader, out, error);
    case HOLDER_DONE:
    case HOLDER_FAILED:
    case HOLDER_LOST:
        return read_outcome(reader, out, error);
    case HOLDER_COUNTERS:
    case HOLDER_QPS:
    case HOLDER_TOTALS:
        read_question(reader, out);
        return 0;
    case HOLDER_CLOSE:
        out->remove = mp_read_bool(reader);
        return 0;
    }
    return error_set(error, -EPROTO, "a message of kind %d, which is none", (int)out->kind);
}

// Elements of a message that this version knows, its kind included.
static uint32_t fields_of(enum holder_kind kind) {
    static const uint8_t fields[] = {
        [HOLDER_HELLO] = 3,  [HOLDER_OPEN] = 6,   [HOLDER_OPENED] = 5,   [HOLDER_APPLY] = 2,
        [HOLDER_DONE] = 5,   [HOLDER_FAILED] = 5, [HOLDER_COUNTERS] = 2, [HOLDER_QPS] = 2,
        [HOLDER_TOTALS] = 2, [HOLDER_LOST] = 5,   [HOLDER_CLOSE] = 2};
    return kind < sizeof fields ? fields[kind] : 1;
}

int holder_decode(const void *bytes, size_t size, struct holder_message *out, struct error *error) {
    struct holder_message message = {0};
    struct mp_reader reader;
    mp_read_init(&reader, bytes, size);
    uint32_t count = mp_read_array(&reader, 1, UINT32_MAX);
    message.kind = (enum holder_kind)mp_read_uint(&reader, UINT8_MAX);
    if (count < fields_of(message.kind)) {
        reader.bad = true;
    }
    int rc = reader.bad ? 0 : read_body(&reader, &message, error);
    if (rc == 0) {
        mp_skip(&reader, reader.bad ? 0 : count - fields_of(message.kind));
        if (reader.bad || reader.at != reader.end) {
            rc = error_set(error, -EPROTO, "a message that is not understood");
        }
    }
    if (rc != 0) {
        holder_message_fini(&message);
        return rc;
    }
    *out = message;
    return 0;
}

void holder_message_fini(struct holder_message *message) {
    rule_set_fini(&message->set);
    message->has_set = false;
}
