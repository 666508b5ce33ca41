// SPDX-License-Identifier: Apache-2.0
// Rules for the tests of NIC drivers. Destinations, sources and paths are small numbers.
#ifndef TESTS_NIC_RULES_H
#define TESTS_NIC_RULES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "cmocka_all.h"

#include "nicdrv/diff.h"

static inline struct rule_match match_to(uint8_t destination, enum rule_key kind, uint32_t key) {
    struct rule_match match = {.key_kind = (uint8_t)kind, .key = key};
    match.destination[0] = 0xfd;
    match.destination[15] = destination;
    return match;
}

static inline struct encap encap_over(uint8_t path) {
    struct encap encap = {.sids.count = 1};
    encap.source[15] = 1;
    encap.sids.sids[0].bytes[0] = 0xfc;
    encap.sids.sids[0].bytes[5] = path;
    return encap;
}

// Adds a rule over the given paths, ended by 0. Buckets take the paths in turn.
static inline void add_rule(struct rule_set *set, struct rule_match match, enum rule_select select,
                            ...) {
    struct rule rule = {.match = match, .select = (uint8_t)select};
    va_list paths;
    va_start(paths, select);
    for (int path; (path = va_arg(paths, int)) != 0;) {
        struct encap encap = encap_over((uint8_t)path);
        assert_int_equal(rule_set_intern(set, &encap, &rule.encap[rule.path_count++]), 0);
    }
    va_end(paths);
    for (uint32_t b = 0;
         b < RULE_BUCKETS && (select == RULE_BUCKET_QP || select == RULE_BUCKET_SPORT); b++) {
        rule.bucket[b] = (uint8_t)(b % rule.path_count);
    }
    assert_int_equal(rule_set_add(set, &rule), 0);
}

static inline void add_spare(struct rule_set *set, uint8_t path) {
    struct encap encap = encap_over(path);
    assert_int_equal(rule_set_add_spare(set, &encap), 0);
}

static inline void seal(struct rule_set *set) {
    struct error error;
    assert_int_equal(rule_set_seal(set, &error), 0);
}

static inline struct rule_packet packet_to(uint8_t destination, uint32_t qp, uint16_t sport) {
    struct rule_packet packet = {.qp = qp, .sport = sport};
    struct rule_match match = match_to(destination, RULE_KEY_DEFAULT, 0);
    memcpy(packet.destination, match.destination, sizeof packet.destination);
    return packet;
}

#endif
