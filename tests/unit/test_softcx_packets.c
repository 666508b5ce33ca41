// SPDX-License-Identifier: Apache-2.0
// The software eSwitch: which packets its matchers see how, and what its actions make of them.
#include "cmocka_all.h"
#include "softcx_bed.h"

// A rule in the root that sends what matches to the uplink; true when the frame goes there.
static bool matches(struct bed *bed, uint8_t criteria, const struct bed_match *mask,
                    const struct bed_match *value, const struct bed_frame *frame) {
    bed_matcher(bed, 10, BED_ROOT, 0, criteria, mask);
    bed_rule(bed, 11, 10, value, &bed->to_uplink, 1);
    struct softcx_result result = bed_send(bed, 1, frame);
    assert_int_equal(softcx_remove(bed->card, 11), 0);
    assert_int_equal(softcx_remove(bed->card, 10), 0);
    return result.verdict == VERDICT_VPORT;
}

// One byte of the mask is 0xff unless given; of the value as given.
static bool matches_byte(struct bed *bed, uint8_t criteria, size_t at, uint8_t mask, uint8_t value,
                         const struct bed_frame *frame) {
    struct bed_match masks = {0}, values = {0};
    masks.bytes[at] = mask;
    values.bytes[at] = value;
    return matches(bed, criteria, &masks, &values, frame);
}

static struct bed_frame tunnel_of(const struct bed_frame *inner, uint8_t traffic_class) {
    struct bed_frame frame = {.size = sizeof bed_outer + inner->size - 14};
    memcpy(frame.bytes, bed_outer, sizeof bed_outer);
    frame.bytes[14] = (uint8_t)(0x60 | traffic_class >> 4);
    frame.bytes[15] = (uint8_t)(traffic_class << 4);
    frame.bytes[18] = (uint8_t)((inner->size - 14) >> 8);
    frame.bytes[19] = (uint8_t)(inner->size - 14);
    frame.bytes[20] = inner->bytes[12] == 0x08 ? 4 : 41;
    memcpy(frame.bytes + 54, inner->bytes + 14, inner->size - 14);
    return frame;
}

// With an SRH of two segments before the inner packet.
static struct bed_frame srh_tunnel_of(const struct bed_frame *inner, uint8_t segments_left) {
    struct bed_frame frame = tunnel_of(inner, 0x6a);
    memmove(frame.bytes + 94, frame.bytes + 54, frame.size - 54);
    memset(frame.bytes + 54, 0, 40);
    memcpy(frame.bytes + 54, (uint8_t[]){frame.bytes[20], 4, 4, segments_left, 1}, 5);
    frame.bytes[20] = 43;
    frame.bytes[19] = (uint8_t)(frame.bytes[19] + 40);
    frame.size += 40;
    return frame;
}

// ---- matching ---------------------------------------------------------------------------------

static void the_source_vport_is_matched(void **state) {
    struct bed *bed = *state;
    struct bed_match mask = {0}, value = {0};
    memset(mask.bytes + BED_SOURCE_PORT, 0xff, 2);
    value.bytes[BED_SOURCE_PORT + 1] = 1;
    assert_true(matches(bed, SOFTCX_MISC, &mask, &value, &bed->roce4));
    value.bytes[BED_SOURCE_PORT] = value.bytes[BED_SOURCE_PORT + 1] = 0xff;
    assert_false(matches(bed, SOFTCX_MISC, &mask, &value, &bed->roce4));
}

static void dscp_and_ecn_are_matched_apart(void **state) {
    struct bed *bed = *state;
    const struct bed_frame *frames[] = {&bed->roce4, &bed->roce6};
    for (size_t i = 0; i < 2; i++) {
        assert_true(matches_byte(bed, SOFTCX_OUTER, BED_DSCP_ECN, 0xff, 0x6a, frames[i]));
        assert_true(matches_byte(bed, SOFTCX_OUTER, BED_DSCP_ECN, 0xfc, 0x69, frames[i]));
        assert_true(matches_byte(bed, SOFTCX_OUTER, BED_DSCP_ECN, 0x03, 0x02, frames[i]));
        assert_false(matches_byte(bed, SOFTCX_OUTER, BED_DSCP_ECN, 0x03, 0x03, frames[i]));
        assert_false(matches_byte(bed, SOFTCX_OUTER, BED_DSCP_ECN, 0xfc, 0x64, frames[i]));
    }
}

static void the_ip_version_is_compared_whole(void **state) {
    struct bed *bed = *state;
    assert_true(matches_byte(bed, SOFTCX_OUTER, BED_VERSION, 4 << 1, 4 << 1, &bed->roce4));
    assert_false(matches_byte(bed, SOFTCX_OUTER, BED_VERSION, 4 << 1, 4 << 1, &bed->roce6));
    assert_true(matches_byte(bed, SOFTCX_OUTER, BED_VERSION, 0xf << 1, 6 << 1, &bed->roce6));
}

static void udp_ports_and_bits_of_them_are_matched(void **state) {
    struct bed *bed = *state;
    const struct bed_frame *frames[] = {&bed->roce4, &bed->roce6};
    for (size_t i = 0; i < 2; i++) {
        assert_true(matches_byte(bed, SOFTCX_OUTER, BED_UDP_SOURCE, 0xff, 0xc0, frames[i]));
        assert_true(matches_byte(bed, SOFTCX_OUTER, BED_UDP_SOURCE + 1, 0x3f, 0x01, frames[i]));
        assert_true(matches_byte(bed, SOFTCX_OUTER, BED_UDP_SOURCE + 1, 0x3f, 0x41, frames[i]));
        assert_false(matches_byte(bed, SOFTCX_OUTER, BED_UDP_SOURCE + 1, 0x3f, 0x02, frames[i]));
    }
}

static void addresses_of_both_versions_are_matched(void **state) {
    struct bed *bed = *state;
    struct bed_match mask = {0}, value = {0};
    memset(mask.bytes + BED_DESTINATION, 0xff, 16);
    memcpy(value.bytes + BED_DESTINATION, bed->roce6.bytes + 38, 16);
    assert_true(matches(bed, SOFTCX_OUTER, &mask, &value, &bed->roce6));
    value.bytes[BED_DESTINATION + 15] ^= 1;
    assert_false(matches(bed, SOFTCX_OUTER, &mask, &value, &bed->roce6));
    memset(value.bytes + BED_DESTINATION, 0, 12);
    memcpy(value.bytes + BED_DESTINATION + 12, bed->roce4.bytes + 30, 4);
    assert_true(matches(bed, SOFTCX_OUTER, &mask, &value, &bed->roce4));
}

static void the_queue_pair_of_roce_is_matched(void **state) {
    struct bed *bed = *state;
    struct bed_match mask = {0}, value = {0};
    memset(mask.bytes + BED_BTH_QP, 0xff, 3);
    value.bytes[BED_BTH_QP + 2] = 0x11;
    assert_true(matches(bed, SOFTCX_MISC, &mask, &value, &bed->roce4));
    struct bed_frame other = bed->roce4;
    other.bytes[36] = 0; // not RoCE's port
    assert_false(matches(bed, SOFTCX_MISC, &mask, &value, &other));
}

static void inner_headers_are_seen_behind_four_and_forty_one(void **state) {
    struct bed *bed = *state;
    const struct bed_frame *frames[] = {&bed->roce4, &bed->roce6};
    for (size_t i = 0; i < 2; i++) {
        struct bed_frame frame = tunnel_of(frames[i], 0xc0), srh = srh_tunnel_of(frames[i], 0);
        size_t at = BED_INNER + BED_DSCP_ECN;
        assert_true(matches_byte(bed, SOFTCX_INNER, at, 0xff, 0x6a, &frame));
        assert_true(matches_byte(bed, SOFTCX_INNER, at, 0xff, 0x6a, &srh));
        assert_true(matches_byte(bed, SOFTCX_OUTER, BED_DSCP_ECN, 0xff, 0xc0, &frame));
        assert_true(matches_byte(bed, SOFTCX_OUTER, BED_PROTOCOL, 0xff, i == 0 ? 4 : 41, &frame));
        assert_true(matches_byte(bed, SOFTCX_OUTER, BED_PROTOCOL, 0xff, 43, &srh));
        assert_false(matches_byte(bed, SOFTCX_OUTER, BED_UDP_SOURCE, 0xff, 0xc0, &frame));
    }
}

static void a_part_that_the_criteria_do_not_name_is_not_looked_at(void **state) {
    struct bed *bed = *state;
    assert_true(matches_byte(bed, SOFTCX_MISC, BED_DSCP_ECN, 0xff, 0x00, &bed->roce4));
}

static void a_mask_that_the_card_does_not_know_is_refused(void **state) {
    struct bed_match mask = {0};
    struct softcx_key key;
    (void)state;
    mask.bytes[14] = 1; // a VLAN
    assert_int_equal(softcx_key_of_mask(mask.bytes, sizeof mask.bytes, SOFTCX_OUTER, &key),
                     -EOPNOTSUPP);
    assert_int_equal(softcx_key_of_mask(mask.bytes, sizeof mask.bytes, SOFTCX_MISC, &key), 0);
    assert_int_equal(softcx_key_of_mask(mask.bytes, sizeof mask.bytes, 16, &key), -EOPNOTSUPP);
    assert_int_equal(softcx_key_of_mask(mask.bytes, SOFTCX_PRM_SIZE + 1, 1, &key), -EINVAL);
}

// ---- registers --------------------------------------------------------------------------------

static void a_register_that_one_table_sets_is_matched_in_the_next(void **state) {
    struct bed *bed = *state;
    static const uint8_t set[8] = {0x10, 0x52, 0, 0, 0, 1, 0x86, 0xa0}; // reg_c_1 = 100000
    struct bed_match mask = {0}, value = {0};
    bed_root(bed, 1);
    assert_int_equal(softcx_add_table(bed->card, 2, 2), 0);
    uint64_t jump = bed_action(bed, ACTION_TABLE, 2, NULL, 0);
    uint64_t modify = bed_action(bed, ACTION_MODIFY, 0, set, sizeof set);
    bed_rule_all(bed, 1, 0, 10, (uint64_t[]){modify, jump}, 2);
    memset(mask.bytes + BED_REGISTER_C_1, 0xff, 4);
    bed_matcher(bed, 20, 2, 0, SOFTCX_MISC2, &mask);
    memcpy(value.bytes + BED_REGISTER_C_1, set + 4, 4);
    bed_rule(bed, 21, 20, &value, &bed->to_vport2, 1);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).vport, 2);
    bed_expect_frame(bed, &bed->roce4);
    value.bytes[BED_REGISTER_C_1 + 3]++;
    assert_int_equal(softcx_remove(bed->card, 21), 0);
    bed_rule(bed, 21, 20, &value, &bed->to_vport2, 1);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).verdict, VERDICT_SLOW);
}

static void parts_of_registers_are_set_added_to_and_copied(void **state) {
    struct bed *bed = *state;
    static const uint8_t actions[] = {
        0x10, 0x51, 0, 0,  0xff, 0xff, 0xff, 0xff, // c_0 = all ones
        0x10, 0x51, 8, 4,  0,    0,    0,    2,    // bits 8 to 11 of it = 2
        0x20, 0x51, 8, 4,  0,    0,    0,    15,   // + 15: 1, and nothing carries over
        0x30, 0x51, 4, 12, 0,    0x52, 16,   0,    // bits 4 to 15 to c_1 from bit 16
    };
    uint64_t modify = bed_action(bed, ACTION_MODIFY, 0, actions, sizeof actions);
    bed_rule_all(bed, BED_ROOT, 0, 10, (uint64_t[]){modify, bed->to_uplink}, 2);
    bed_send(bed, 1, &bed->roce4);
    assert_int_equal(bed->packet.register_c[0], 0xfffff1ff);
    assert_int_equal(bed->packet.register_c[1], 0xf1f << 16);
}

// ---- encapsulation ----------------------------------------------------------------------------

static void encapsulation_puts_the_bytes_and_fills_the_length(void **state) {
    struct bed *bed = *state;
    const struct bed_frame *frames[] = {&bed->roce4, &bed->roce6};
    uint8_t outer[sizeof bed_outer];
    memcpy(outer, bed_outer, sizeof outer);
    for (size_t i = 0; i < 2; i++) {
        outer[20] = i == 0 ? 4 : 41;
        uint64_t encap = bed_action(bed, ACTION_ENCAP, 0, outer, sizeof outer);
        bed_rule_all(bed, BED_ROOT, 0, 10, (uint64_t[]){encap, bed->to_uplink}, 2);
        struct softcx_result result = bed_send(bed, 1, frames[i]);
        assert_int_equal(result.verdict, VERDICT_VPORT);
        assert_true(result.changed);
        struct bed_frame expected = tunnel_of(frames[i], 0x6a);
        bed_expect_frame(bed, &expected);
        assert_int_equal(softcx_remove(bed->card, 11), 0);
        assert_int_equal(softcx_remove(bed->card, 10), 0);
    }
}

static void the_length_covers_an_srh(void **state) {
    struct bed *bed = *state;
    struct bed_frame expected = srh_tunnel_of(&bed->roce6, 1);
    uint8_t outer[94];
    memcpy(outer, expected.bytes, sizeof outer);
    outer[18] = outer[19] = 0;
    uint64_t encap = bed_action(bed, ACTION_ENCAP, 0, outer, sizeof outer);
    bed_rule_all(bed, BED_ROOT, 0, 10, (uint64_t[]){encap, bed->to_uplink}, 2);
    bed_send(bed, 1, &bed->roce6);
    bed_expect_frame(bed, &expected);
}

static void what_cannot_be_encapsulated_is_dropped(void **state) {
    struct bed *bed = *state;
    uint64_t encap = bed_action(bed, ACTION_ENCAP, 0, bed_outer, sizeof bed_outer);
    bed_rule_all(bed, BED_ROOT, 0, 10, (uint64_t[]){encap, bed->to_uplink}, 2);
    struct bed_frame arp = bed->roce4;
    arp.bytes[13] = 6;
    assert_int_equal(bed_send(bed, 1, &arp).drop, DROP_NOT_IP);
    struct bed_frame torn = bed->roce4;
    torn.size = 14 + 103; // less than its header says
    assert_int_equal(bed_send(bed, 1, &torn).drop, DROP_NOT_IP);
    torn = bed->roce6;
    torn.size--;
    assert_int_equal(bed_send(bed, 1, &torn).drop, DROP_NOT_IP);
    bed_send(bed, 1, &bed->roce4);
    bed->packet.segmented = true;
    assert_int_equal(softcx_run(bed->card, &bed->packet).drop, DROP_SEGMENTED);
    bed_send(bed, 1, &bed->roce4);
    bed->packet.headroom = 39;
    assert_int_equal(softcx_run(bed->card, &bed->packet).drop, DROP_TOO_LARGE);
}

static void headers_that_the_card_cannot_put_are_refused(void **state) {
    struct bed *bed = *state;
    uint8_t outer[SOFTCX_REFORMAT_MAX + 1] = {0};
    memcpy(outer, bed_outer, sizeof bed_outer);
    struct softcx *card = bed->card;
    assert_int_equal(softcx_add_action(card, 5, ACTION_ENCAP, 0, outer, 53), -EINVAL);
    assert_int_equal(softcx_add_action(card, 5, ACTION_ENCAP, 0, outer, sizeof outer), -EINVAL);
    assert_int_equal(softcx_add_action(card, 5, ACTION_DECAP, 0, outer, 18), -EINVAL);
    outer[12] = 8;
    assert_int_equal(softcx_add_action(card, 5, ACTION_ENCAP, 0, outer, 54), -EOPNOTSUPP);
}

// ---- decapsulation ----------------------------------------------------------------------------

static void decapsulation_leaves_the_inner_packet_with_the_given_header(void **state) {
    struct bed *bed = *state;
    const struct bed_frame *frames[] = {&bed->roce4, &bed->roce6};
    for (size_t i = 0; i < 2; i++) {
        uint8_t ethernet[14] = {2, 9, 9, 9, 9, 9, 2, 8, 8, 8, 8, 8};
        memcpy(ethernet + 12, frames[i]->bytes + 12, 2);
        uint64_t decap = bed_action(bed, ACTION_DECAP, 0, ethernet, sizeof ethernet);
        bed_rule_all(bed, BED_ROOT, 0, 10, (uint64_t[]){decap, bed->to_vport2}, 2);
        struct bed_frame plain = tunnel_of(frames[i], 0x6a), srh = srh_tunnel_of(frames[i], 0);
        struct bed_frame expected = *frames[i];
        memcpy(expected.bytes, ethernet, sizeof ethernet);
        assert_int_equal(bed_send(bed, SOFTCX_UPLINK, &plain).vport, 2);
        bed_expect_frame(bed, &expected);
        assert_int_equal(bed->packet.headroom, SOFTCX_REFORMAT_MAX + 40);
        assert_int_equal(bed_send(bed, SOFTCX_UPLINK, &srh).vport, 2);
        bed_expect_frame(bed, &expected);
        assert_int_equal(softcx_remove(bed->card, 11), 0);
        assert_int_equal(softcx_remove(bed->card, 10), 0);
    }
}

static void what_is_no_tunnel_to_its_end_is_not_decapsulated(void **state) {
    struct bed *bed = *state;
    static const uint8_t ethernet[14] = {2};
    uint64_t decap = bed_action(bed, ACTION_DECAP, 0, ethernet, sizeof ethernet);
    bed_rule_all(bed, BED_ROOT, 0, 10, (uint64_t[]){decap, bed->to_vport2}, 2);
    struct bed_frame left = srh_tunnel_of(&bed->roce4, 1), torn = tunnel_of(&bed->roce4, 0x6a);
    torn.bytes[54 + 3]++; // the inner packet would end behind the frame
    assert_int_equal(bed_send(bed, 1, &bed->roce4).drop, DROP_NO_TUNNEL);
    assert_int_equal(bed_send(bed, 1, &left).drop, DROP_NO_TUNNEL);
    assert_int_equal(bed_send(bed, 1, &torn).drop, DROP_NO_TUNNEL);
    torn = tunnel_of(&bed->roce4, 0x6a);
    torn.bytes[20] = 41; // IPv6 was promised
    assert_int_equal(bed_send(bed, 1, &torn).drop, DROP_NO_TUNNEL);
}

// The pair of rules that every own SID has.
static void add_decap_pair(struct bed *bed, const uint8_t ethernet[14]) {
    static const uint8_t set_ce[8] = {0x10, 0x73, 0, 2, 0, 0, 0, 3};
    struct bed_match mask = {0}, value = {0};
    uint64_t decap = bed_action(bed, ACTION_DECAP, 0, ethernet, 14);
    uint64_t ce = bed_action(bed, ACTION_MODIFY, 0, set_ce, sizeof set_ce);
    mask.bytes[BED_DSCP_ECN] = value.bytes[BED_DSCP_ECN] = 3;
    bed_matcher(bed, 10, BED_ROOT, 0, SOFTCX_OUTER, &mask);
    bed_rule(bed, 11, 10, &value, (uint64_t[]){decap, ce, bed->to_vport2}, 3);
    bed_rule_all(bed, BED_ROOT, 1, 20, (uint64_t[]){decap, bed->to_vport2}, 2);
}

static void ce_of_the_outer_header_becomes_the_inner_one(void **state) {
    struct bed *bed = *state;
    add_decap_pair(bed, bed->roce4.bytes);
    struct bed_frame marked = tunnel_of(&bed->roce4, 0x6b), plain = tunnel_of(&bed->roce4, 0x6a);
    bed_send(bed, SOFTCX_UPLINK, &plain);
    bed_expect_frame(bed, &bed->roce4);
    bed_send(bed, SOFTCX_UPLINK, &marked);
    assert_int_equal(bed->packet.frame[15], 0x6b);
    assert_int_equal(bed_checksum(bed->packet.frame + 14, 20, 0), 0);
    struct bed_frame expected = bed->roce4; // and nothing else
    expected.bytes[15] = 0x6b;
    memcpy(expected.bytes + 24, bed->packet.frame + 24, 2);
    bed_expect_frame(bed, &expected);
}

static void ce_is_set_in_ipv6_too(void **state) {
    struct bed *bed = *state;
    add_decap_pair(bed, bed->roce6.bytes);
    struct bed_frame marked = tunnel_of(&bed->roce6, 0x6b), expected = bed->roce6;
    expected.bytes[15] |= 0x10;
    bed_send(bed, SOFTCX_UPLINK, &marked);
    bed_expect_frame(bed, &expected);
}

// ---- other fields -----------------------------------------------------------------------------

static uint16_t udp4_sum(const uint8_t *frame) {
    uint32_t pseudo = 17 + 84;
    for (size_t i = 26; i < 34; i += 2) {
        pseudo += (uint32_t)frame[i] << 8 | frame[i + 1];
    }
    return bed_checksum(frame + 34, 84, pseudo);
}

static void checksums_follow_what_is_changed(void **state) {
    struct bed *bed = *state;
    static const uint8_t actions[] = {
        0x10, 0x16, 0, 0,  10, 8, 7, 6,    // destination address
        0x10, 0x0b, 0, 16, 0,  0, 0, 1,    // source port
        0x10, 0x06, 0, 6,  0,  0, 0, 0x3f, // DSCP
        0x20, 0x0a, 0, 8,  0,  0, 0, 0xff, // TTL - 1
    };
    uint64_t modify = bed_action(bed, ACTION_MODIFY, 0, actions, sizeof actions);
    bed_rule_all(bed, BED_ROOT, 0, 10, (uint64_t[]){modify, bed->to_uplink}, 2);
    bed_send(bed, 1, &bed->roce4);
    const uint8_t *frame = bed->packet.frame;
    assert_memory_equal(frame + 30, ((uint8_t[]){10, 8, 7, 6, 0, 1}), 6);
    assert_int_equal(frame[15], 0xfe);
    assert_int_equal(frame[22], 63);
    assert_int_equal(bed_checksum(frame + 14, 20, 0), 0);
    assert_int_equal(frame[40] << 8 | frame[41], 0); // no checksum stays none
    struct bed_frame summed = bed->roce4;
    uint16_t sum = udp4_sum(summed.bytes);
    summed.bytes[40] = (uint8_t)(sum >> 8);
    summed.bytes[41] = (uint8_t)sum;
    bed_send(bed, 1, &summed);
    assert_int_equal(udp4_sum(bed->packet.frame), 0);
}

static void a_field_that_the_packet_has_not_is_a_drop(void **state) {
    struct bed *bed = *state;
    static const uint8_t hop_limit[8] = {0x10, 0x47, 0, 8, 0, 0, 0, 1};
    uint64_t modify = bed_action(bed, ACTION_MODIFY, 0, hop_limit, sizeof hop_limit);
    bed_rule_all(bed, BED_ROOT, 0, 10, (uint64_t[]){modify, bed->to_uplink}, 2);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).drop, DROP_NOT_IP);
    assert_int_equal(bed_send(bed, 1, &bed->roce6).verdict, VERDICT_VPORT);
    assert_int_equal(bed->packet.frame[21], 1);
}

static void actions_that_do_not_fit_their_field_are_refused(void **state) {
    struct bed *bed = *state;
    static const uint8_t bad[][8] = {
        {0x10, 0x73, 0, 3, 0, 0, 0, 3},    // three bits of ECN
        {0x10, 0x73, 1, 2, 0, 0, 0, 3},    //
        {0x30, 0x51, 0, 3, 0, 0x73, 0, 0}, // into two bits
    };
    static const uint8_t unknown[][8] = {{0x10, 0x17, 0, 12, 0, 0, 0, 3}, {0x40, 0x51}, {0}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(softcx_add_action(bed->card, 5, ACTION_MODIFY, 0, bad[i], 8), -EINVAL);
        assert_int_equal(softcx_add_action(bed->card, 5, ACTION_MODIFY, 0, unknown[i], 8),
                         -EOPNOTSUPP);
    }
    assert_int_equal(softcx_add_action(bed->card, 5, ACTION_MODIFY, 0, bad[0], 7), -EINVAL);
}

// ---- broken packets ---------------------------------------------------------------------------

// What is cut short, or has any one byte wrong, may go anywhere, but is read within its bounds (the
// sanitizers look) and keeps the frame within the room.
static void no_broken_packet_breaks_the_card(void **state) {
    struct bed *bed = *state;
    uint64_t encap = bed_action(bed, ACTION_ENCAP, 0, bed_outer, sizeof bed_outer);
    struct bed_match mask = {0}, value = {0};
    add_decap_pair(bed, bed->roce4.bytes);
    mask.bytes[BED_PROTOCOL] = 0xff;
    value.bytes[BED_PROTOCOL] = 17;
    bed_matcher(bed, 30, BED_ROOT, 0, SOFTCX_OUTER, &mask);
    bed_rule(bed, 31, 30, &value, (uint64_t[]){encap, bed->to_uplink}, 2);
    struct bed_frame frames[] = {bed->roce4, bed->roce6, tunnel_of(&bed->roce4, 0x6b),
                                 srh_tunnel_of(&bed->roce6, 0)};
    uint32_t done = 0;
    for (size_t f = 0; f < 4; f++) {
        struct bed_frame frame = frames[f];
        for (frame.size = 0; frame.size < frames[f].size; frame.size++) {
            done += bed_send(bed, 1, &frame).verdict == VERDICT_VPORT;
        }
        for (size_t at = 12; at < 110; at++) {
            for (unsigned flip = 1; flip < 256; flip++) {
                frame.bytes[at] = (uint8_t)(frames[f].bytes[at] ^ flip);
                done += bed_send(bed, 1, &frame).verdict == VERDICT_VPORT;
                assert_in_range(bed->packet.frame - bed->room, 0, sizeof bed->room);
                assert_in_range(bed->packet.size, 0, frame.size + 54);
            }
            frame.bytes[at] = frames[f].bytes[at];
        }
    }
    assert_in_range(done, 10000, 4 * 98 * 255);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_source_vport_is_matched),
        TEST(dscp_and_ecn_are_matched_apart),
        TEST(the_ip_version_is_compared_whole),
        TEST(udp_ports_and_bits_of_them_are_matched),
        TEST(addresses_of_both_versions_are_matched),
        TEST(the_queue_pair_of_roce_is_matched),
        TEST(inner_headers_are_seen_behind_four_and_forty_one),
        TEST(a_part_that_the_criteria_do_not_name_is_not_looked_at),
        TEST(a_mask_that_the_card_does_not_know_is_refused),
        TEST(a_register_that_one_table_sets_is_matched_in_the_next),
        TEST(parts_of_registers_are_set_added_to_and_copied),
        TEST(encapsulation_puts_the_bytes_and_fills_the_length),
        TEST(the_length_covers_an_srh),
        TEST(what_cannot_be_encapsulated_is_dropped),
        TEST(headers_that_the_card_cannot_put_are_refused),
        TEST(decapsulation_leaves_the_inner_packet_with_the_given_header),
        TEST(what_is_no_tunnel_to_its_end_is_not_decapsulated),
        TEST(ce_of_the_outer_header_becomes_the_inner_one),
        TEST(ce_is_set_in_ipv6_too),
        TEST(checksums_follow_what_is_changed),
        TEST(a_field_that_the_packet_has_not_is_a_drop),
        TEST(actions_that_do_not_fit_their_field_are_refused),
        TEST(no_broken_packet_breaks_the_card),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
