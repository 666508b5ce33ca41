// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <errno.h>

#include "agent_shell/probe_packet.h"

#include <cmocka.h>

static const struct probe_payload sample = {0x1122334455667788, 0xa0a1a2a3a4a5a6a7, 42, 0x0102};

static void a_payload_survives_the_round_trip(void **state) {
    (void)state;
    uint8_t bytes[PROBE_PAYLOAD_SIZE];
    struct probe_payload back = {0};
    probe_payload_encode(&sample, bytes);
    assert_int_equal(probe_payload_decode(bytes, sizeof(bytes), &back), 0);
    assert_memory_equal(&back, &sample, sizeof(sample));
}

static void a_payload_that_is_cut_is_refused_and_the_output_untouched(void **state) {
    (void)state;
    uint8_t bytes[PROBE_PAYLOAD_SIZE];
    struct probe_payload back = {7, 7, 7, 7};
    probe_payload_encode(&sample, bytes);
    for (size_t size = 0; size < sizeof(bytes); size++) {
        assert_int_equal(probe_payload_decode(bytes, size, &back), -EBADMSG);
    }
    assert_int_equal(back.nonce, 7);
}

static void what_follows_a_payload_is_padding(void **state) {
    (void)state;
    uint8_t bytes[PROBE_PAYLOAD_SIZE + 9] = {0};
    struct probe_payload back = {0};
    probe_payload_encode(&sample, bytes);
    assert_int_equal(probe_payload_decode(bytes, sizeof(bytes), &back), 0);
    assert_memory_equal(&back, &sample, sizeof(sample));
}

static void a_flipped_bit_in_magic_or_form_is_refused(void **state) {
    (void)state;
    uint8_t bytes[PROBE_PAYLOAD_SIZE];
    struct probe_payload back;
    for (size_t i = 0; i < 5; i++) {
        probe_payload_encode(&sample, bytes);
        bytes[i] ^= 0x10;
        assert_int_equal(probe_payload_decode(bytes, sizeof(bytes), &back), -EBADMSG);
    }
}

static struct sid_list carriers(uint8_t count) {
    struct sid_list list = {.count = count};
    for (uint8_t i = 0; i < count; i++) {
        memset(list.sids[i].bytes, 0x10 + i, 16);
    }
    return list;
}

static void two_carriers_make_a_reduced_header_with_one_entry(void **state) {
    (void)state;
    struct sid_list list = carriers(2);
    struct sid source;
    uint8_t payload[PROBE_PAYLOAD_SIZE], packet[PROBE_PACKET_MAX];
    memset(source.bytes, 0xee, 16);
    probe_payload_encode(&sample, payload);
    size_t size = probe_packet_encode(&source, &list, 0xb9, 0, payload, packet);
    const uint8_t head[8] = {0x6b, 0x90, 0, 0, 0, 24 + 8 + PROBE_PAYLOAD_SIZE, 43, PROBE_HOP_LIMIT};
    const uint8_t srh[8] = {17, 2, 4, 1, 0, 0, 0, 0};
    const uint8_t udp[8] = {PROBE_UDP_PORT >> 8,
                            PROBE_UDP_PORT & 255,
                            PROBE_UDP_PORT >> 8,
                            PROBE_UDP_PORT & 255,
                            0,
                            8 + PROBE_PAYLOAD_SIZE,
                            0,
                            0};
    assert_int_equal(size, 40 + 24 + 8 + PROBE_PAYLOAD_SIZE);
    assert_memory_equal(packet, head, 8);
    assert_memory_equal(packet + 8, source.bytes, 16);
    assert_memory_equal(packet + 24, list.sids[0].bytes, 16);
    assert_memory_equal(packet + 40, srh, 8);
    assert_memory_equal(packet + 48, list.sids[1].bytes, 16);
    assert_memory_equal(packet + 64, udp, 8);
    assert_memory_equal(packet + 72, payload, PROBE_PAYLOAD_SIZE);
}

static void the_last_carrier_stands_first_in_the_header(void **state) {
    (void)state;
    struct sid_list list = carriers(SID_LIST_MAX);
    struct sid source = {{0}};
    uint8_t payload[PROBE_PAYLOAD_SIZE] = {0}, packet[PROBE_PACKET_MAX];
    size_t size = probe_packet_encode(&source, &list, 0, 0, payload, packet);
    assert_int_equal(size, PROBE_PACKET_MAX);
    assert_int_equal(packet[43], SID_LIST_MAX - 1); // segments left
    assert_int_equal(packet[44], SID_LIST_MAX - 2); // last entry
    for (unsigned i = 1; i < SID_LIST_MAX; i++) {
        assert_memory_equal(packet + 48 + (size_t)16 * (SID_LIST_MAX - 1 - i), list.sids[i].bytes,
                            16);
    }
}

static void the_lengths_of_a_padded_packet_count_the_padding(void **state) {
    (void)state;
    struct sid_list list = carriers(2);
    struct sid source = {{0}};
    uint8_t payload[PROBE_PAYLOAD_SIZE] = {0}, packet[PROBE_PACKET_MAX];
    size_t size = probe_packet_encode(&source, &list, 0, 1000, payload, packet);
    assert_int_equal(size, probe_packet_size(&list));
    assert_int_equal(packet[4] << 8 | packet[5], size - 40 + 1000);
    assert_int_equal(packet[68] << 8 | packet[69], 8 + PROBE_PAYLOAD_SIZE + 1000);
    list.count = 1;
    assert_int_equal(probe_packet_size(&list), 40 + 8 + PROBE_PAYLOAD_SIZE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payload_survives_the_round_trip),
        cmocka_unit_test(a_payload_that_is_cut_is_refused_and_the_output_untouched),
        cmocka_unit_test(what_follows_a_payload_is_padding),
        cmocka_unit_test(the_lengths_of_a_padded_packet_count_the_padding),
        cmocka_unit_test(a_flipped_bit_in_magic_or_form_is_refused),
        cmocka_unit_test(two_carriers_make_a_reduced_header_with_one_entry),
        cmocka_unit_test(the_last_carrier_stands_first_in_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
