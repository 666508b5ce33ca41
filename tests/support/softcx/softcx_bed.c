// SPDX-License-Identifier: Apache-2.0
#include "softcx_bed.h"
#include "cmocka_all.h"

#include <stdlib.h>

const uint8_t bed_outer[54] = {
    2,    0, 0, 0, 1, 1,  2, 0, 0, 0, 1, 2, 0x86, 0xdd, 0x66, 0xa0,
    0,    0, 0, 0, 4, 64,                                        // to hop limit
    0xfd, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0,    0,    0,    1, //
    0xfd, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0,    0,    0,    2,
};

uint16_t bed_checksum(const uint8_t *bytes, size_t size, uint32_t start) {
    uint32_t sum = start;
    for (size_t i = 0; i < size; i++) {
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

// UDP, BTH and 64 bytes.
static void put_roce(uint8_t *at) {
    static const uint8_t head[20] = {0xc0, 0x01, 0x12, 0xb7, 0, 84,   0, 0, 0x64, 0,
                                     0xff, 0xff, 0,    0,    0, 0x11, 0, 0, 0,    7};
    memcpy(at, head, sizeof head);
    for (uint8_t i = 0; i < 64; i++) {
        at[20 + i] = i;
    }
}

static void make_frames(struct bed *bed) {
    static const uint8_t ethernet[12] = {2, 0, 0, 0, 9, 1, 2, 0, 0, 0, 9, 2};
    static const uint8_t ipv4[20] = {0x45, 0x6a, 0,  104, 0, 0, 0x40, 0, 64, 17,
                                     0,    0,    10, 9,   1, 2, 10,   9, 2,  2};
    static const uint8_t ipv6[40] = {0x66, 0xa1, 0x23, 0x45, 0, 84, 17, 64, 0xfd, 9, 0,    1, 0, 0,
                                     0,    0,    0,    0,    0, 0,  0,  0,  0,    2, 0xfd, 9, 0, 2,
                                     0,    0,    0,    0,    0, 0,  0,  0,  0,    0, 0,    2};
    uint8_t *four = bed->roce4.bytes, *six = bed->roce6.bytes;
    memcpy(four, ethernet, sizeof ethernet);
    memcpy(six, ethernet, sizeof ethernet);
    four[12] = 0x08;
    six[12] = 0x86;
    six[13] = 0xdd;
    memcpy(four + 14, ipv4, sizeof ipv4);
    memcpy(six + 14, ipv6, sizeof ipv6);
    uint16_t sum = bed_checksum(four + 14, 20, 0);
    four[24] = (uint8_t)(sum >> 8);
    four[25] = (uint8_t)sum;
    put_roce(four + 34);
    put_roce(six + 54);
    bed->roce4.size = 14 + 104;
    bed->roce6.size = 14 + 124;
}

int bed_setup(void **state) {
    struct bed *bed = calloc(1, sizeof *bed);
    assert_non_null(bed);
    bed->counts = calloc(SOFTCX_COUNTERS_MAX, sizeof *bed->counts);
    assert_non_null(bed->counts);
    assert_int_equal(softcx_create(bed->counts, &bed->card), 0);
    assert_int_equal(softcx_add_table(bed->card, BED_ROOT, 0), 0);
    bed->next_action = BED_ROOT + 100;
    bed->to_uplink = bed_action(bed, ACTION_VPORT, SOFTCX_UPLINK, NULL, 0);
    bed->to_vport2 = bed_action(bed, ACTION_VPORT, 2, NULL, 0);
    bed->drop = bed_action(bed, ACTION_DROP, 0, NULL, 0);
    make_frames(bed);
    *state = bed;
    return 0;
}

int bed_teardown(void **state) {
    struct bed *bed = *state;
    softcx_destroy(bed->card);
    free(bed->counts);
    free(bed);
    return 0;
}

struct softcx_result bed_send(struct bed *bed, uint16_t source, const struct bed_frame *frame) {
    uint8_t *at = bed->room + SOFTCX_REFORMAT_MAX;
    memcpy(at, frame->bytes, frame->size);
    bed->packet = (struct softcx_packet){.frame = at,
                                         .size = frame->size,
                                         .headroom = SOFTCX_REFORMAT_MAX,
                                         .source = source};
    return softcx_run(bed->card, &bed->packet);
}

void bed_expect_frame(const struct bed *bed, const struct bed_frame *frame) {
    assert_int_equal(bed->packet.size, frame->size);
    assert_memory_equal(bed->packet.frame, frame->bytes, frame->size);
}

uint64_t bed_action(struct bed *bed, enum softcx_action_kind kind, uint64_t value,
                    const uint8_t *data, size_t size) {
    uint64_t id = bed->next_action++;
    assert_int_equal(softcx_add_action(bed->card, id, kind, value, data, size), 0);
    return id;
}

void bed_root(struct bed *bed, uint64_t table) {
    assert_int_equal(softcx_add_table(bed->card, table, 1), 0);
    uint64_t jump = bed_action(bed, ACTION_TABLE, table, NULL, 0);
    bed_rule_all(bed, BED_ROOT, 0, BED_ROOT + 1, &jump, 1);
}

void bed_matcher(struct bed *bed, uint64_t id, uint64_t table, uint16_t priority, uint8_t criteria,
                 const struct bed_match *mask) {
    struct softcx_key key;
    assert_int_equal(softcx_key_of_mask(mask->bytes, sizeof mask->bytes, criteria, &key), 0);
    assert_int_equal(softcx_add_matcher(bed->card, id, table, priority, &key), 0);
}

void bed_rule(struct bed *bed, uint64_t id, uint64_t matcher, const struct bed_match *value,
              const uint64_t *actions, size_t count) {
    struct softcx_key key;
    assert_int_equal(softcx_key_of_value(value->bytes, sizeof value->bytes, &key), 0);
    assert_int_equal(softcx_add_rule(bed->card, id, matcher, &key, actions, count), 0);
}

void bed_rule_all(struct bed *bed, uint64_t table, uint16_t priority, uint64_t id,
                  const uint64_t *actions, size_t count) {
    static const struct softcx_key all;
    assert_int_equal(softcx_add_matcher(bed->card, id, table, priority, &all), 0);
    assert_int_equal(softcx_add_rule(bed->card, id + 1, id, &all, actions, count), 0);
}
