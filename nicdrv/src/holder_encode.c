// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <string.h>

#include "holder_wire.h"

// What a set can grow to on the wire: each rule with all buckets and paths, each encap with all
// SIDs; an index below 65,536 takes three bytes at most.
#define RULE_BYTES (1 + 18 + 1 + 5 + 1 + 3 + 3 * RULE_PATHS_MAX + 2 + RULE_BUCKETS)
#define ENCAP_BYTES (1 + 18 + 2 + 16 * SID_LIST_MAX)
static_assert(RULES_MAX * RULE_BYTES + 2 * ENCAPS_MAX * ENCAP_BYTES + 1024 < HOLDER_MESSAGE_MAX,
              "the largest set fits a message");
static_assert(ENCAPS_MAX <= 65536, "an index takes three bytes");
static_assert(HOLDER_COUNTERS_MAX * (1 + 5 + 2 + 9 + 9) + 1024 < HOLDER_MESSAGE_MAX,
              "all counters fit a message");
static_assert(HOLDER_QPS_MAX * (1 + 18 + 5 + 3 + 9 + 9) + 1024 < HOLDER_MESSAGE_MAX,
              "all QPs fit a message");

static void put_head(struct mp_writer *writer, enum holder_kind kind, uint32_t fields) {
    mp_write_array(writer, 1 + fields);
    mp_write_uint(writer, kind);
}

// Sentences may quote what is no text; the decoder takes printable characters only.
static void put_text(struct mp_writer *writer, const char *text) {
    char clean[ERROR_TEXT_SIZE] = "";
    size_t size = strnlen(text, sizeof clean - 1);
    for (size_t i = 0; i < size; i++) {
        clean[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
    }
    mp_write_str(writer, clean, size);
}

static void put_encap(struct mp_writer *writer, const struct encap *encap) {
    mp_write_array(writer, 2);
    mp_write_bin(writer, encap->source, sizeof encap->source);
    mp_write_bin(writer, encap->sids.sids, encap->sids.count * sizeof(struct sid));
}

static void put_rule(struct mp_writer *writer, const struct rule *rule) {
    mp_write_array(writer, 6);
    mp_write_bin(writer, rule->match.destination, sizeof rule->match.destination);
    mp_write_uint(writer, rule->match.key_kind);
    mp_write_uint(writer, rule->match.key);
    mp_write_uint(writer, rule->select);
    mp_write_array(writer, rule->path_count);
    for (uint32_t i = 0; i < rule->path_count; i++) {
        mp_write_uint(writer, rule->encap[i]);
    }
    if (rule->select == RULE_BUCKET_QP || rule->select == RULE_BUCKET_SPORT) {
        mp_write_bin(writer, rule->bucket, sizeof rule->bucket);
    } else {
        mp_write_nil(writer);
    }
}

static void put_set(struct mp_writer *writer, const struct rule_set *set) {
    if (set == NULL) {
        mp_write_nil(writer);
        return;
    }
    mp_write_array(writer, 4);
    mp_write_array(writer, set->local_sid_count);
    for (uint32_t i = 0; i < set->local_sid_count; i++) {
        mp_write_bin(writer, set->local_sids[i].bytes, sizeof set->local_sids[i].bytes);
    }
    mp_write_array(writer, set->encap_count);
    for (uint32_t i = 0; i < set->encap_count; i++) {
        put_encap(writer, &set->encaps[i]);
    }
    mp_write_array(writer, set->rule_count);
    for (uint32_t i = 0; i < set->rule_count; i++) {
        put_rule(writer, &set->rules[i]);
    }
    mp_write_array(writer, set->spare_count);
    for (uint32_t i = 0; i < set->spare_count; i++) {
        put_encap(writer, &set->spares[i]);
    }
}

void holder_put_hello(struct mp_writer *writer, uint32_t lowest, uint32_t highest) {
    put_head(writer, HOLDER_HELLO, 2);
    mp_write_uint(writer, lowest);
    mp_write_uint(writer, highest);
}

void holder_put_open(struct mp_writer *writer, const char *device,
                     const struct nic_eswitch_options *eswitch) {
    put_head(writer, HOLDER_OPEN, 5);
    put_text(writer, device);
    mp_write_uint(writer, eswitch->vport);
    mp_write_bin(writer, eswitch->vport_mac, sizeof eswitch->vport_mac);
    mp_write_bin(writer, eswitch->gateway_mac, sizeof eswitch->gateway_mac);
    mp_write_bin(writer, eswitch->traffic_classes, eswitch->class_count);
}

void holder_put_opened(struct mp_writer *writer, const struct nic_capabilities *capabilities,
                       const char *attachment, bool unsettled, const struct rule_set *set) {
    put_head(writer, HOLDER_OPENED, 4);
    mp_write_array(writer, 7);
    mp_write_bool(writer, capabilities->spray);
    mp_write_bool(writer, capabilities->per_qp);
    mp_write_bool(writer, capabilities->srh);
    mp_write_bool(writer, capabilities->counters);
    mp_write_uint(writer, capabilities->rules_max);
    mp_write_uint(writer, capabilities->encap_bytes_max);
    mp_write_bool(writer, capabilities->spares);
    put_text(writer, attachment);
    mp_write_bool(writer, unsettled);
    put_set(writer, set);
}

void holder_put_apply(struct mp_writer *writer, const struct rule_set *set) {
    put_head(writer, HOLDER_APPLY, 1);
    put_set(writer, set);
}

void holder_put_outcome(struct mp_writer *writer, enum holder_kind kind, const struct error *error,
                        bool unsettled, const struct rule_set *set) {
    put_head(writer, kind, 4);
    mp_write_uint(writer, (uint64_t)-error->code);
    put_text(writer, error->text);
    mp_write_bool(writer, unsettled);
    put_set(writer, set);
}

void holder_put_question(struct mp_writer *writer, enum holder_kind kind) {
    put_head(writer, kind, 1);
    mp_write_nil(writer);
}

size_t holder_begin_items(struct mp_writer *writer, enum holder_kind kind) {
    put_head(writer, kind, 1);
    return mp_array_open(writer);
}

void holder_put_counter(struct mp_writer *writer, const struct holder_counter *counter) {
    mp_write_array(writer, 4);
    mp_write_uint(writer, counter->rule);
    mp_write_uint(writer, counter->path);
    mp_write_uint(writer, counter->packets);
    mp_write_uint(writer, counter->bytes);
}

void holder_put_qp(struct mp_writer *writer, const struct nic_qp *qp) {
    mp_write_array(writer, 5);
    mp_write_bin(writer, qp->destination, sizeof qp->destination);
    mp_write_uint(writer, qp->qp);
    mp_write_uint(writer, qp->sport);
    mp_write_uint(writer, qp->packets);
    mp_write_uint(writer, qp->bytes);
}

void holder_put_totals(struct mp_writer *writer, uint64_t encapsulated, uint64_t decapsulated,
                       uint64_t plain) {
    put_head(writer, HOLDER_TOTALS, 1);
    mp_write_array(writer, 3);
    mp_write_uint(writer, encapsulated);
    mp_write_uint(writer, decapsulated);
    mp_write_uint(writer, plain);
}

void holder_put_close(struct mp_writer *writer, bool remove) {
    put_head(writer, HOLDER_CLOSE, 1);
    mp_write_bool(writer, remove);
}
