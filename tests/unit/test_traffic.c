// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rc.h"
#include "receiver.h"
#include "roce.h"
#include "track.h"

#include <cmocka.h>

// ---- the wire sequence

static void what_never_comes_is_lost(void **state) {
    (void)state;
    struct track track = {0};
    const uint64_t wires[] = {0, 1, 4, 5, 9};
    for (size_t i = 0; i < 5; i++) {
        track_packet(&track, wires[i]);
    }
    assert_int_equal(track_lost(&track), 5);
    assert_int_equal(track.reordered, 0);
}

static void what_comes_late_is_reordered_and_not_lost(void **state) {
    (void)state;
    struct track track = {0};
    const uint64_t wires[] = {0, 2, 3, 1};
    for (size_t i = 0; i < 4; i++) {
        track_packet(&track, wires[i]);
    }
    assert_int_equal(track_lost(&track), 0);
    assert_int_equal(track.reordered, 1);
    assert_int_equal(track.duplicate, 0);
}

static void what_comes_twice_is_a_duplicate(void **state) {
    (void)state;
    struct track track = {0};
    track_packet(&track, 0);
    track_packet(&track, 0);
    track_packet(&track, 1);
    track_packet(&track, 0);
    assert_int_equal(track.duplicate, 2);
    assert_int_equal(track.reordered, 0);
    assert_int_equal(track_lost(&track), 0);
}

static void a_number_leaves_the_window_when_its_place_is_taken(void **state) {
    (void)state;
    struct track track = {0};
    track_packet(&track, 0);
    track_packet(&track, TRACK_WINDOW); // takes the place of 0
    track_packet(&track, 1);            // at the window's far end: still told apart
    track_packet(&track, 1);
    assert_int_equal(track.reordered, 1);
    assert_int_equal(track.duplicate, 1);
    assert_int_equal(track_lost(&track), TRACK_WINDOW - 2);
    track_packet(&track, 10 * TRACK_WINDOW); // a jump beyond the window empties it
    assert_int_equal(track.distinct, 4);
}

static void the_longest_gap_between_packets_is_the_silence(void **state) {
    (void)state;
    struct silence silence = {0};
    const uint64_t at_ns[] = {100, 110, 160, 170};
    for (size_t i = 0; i < 4; i++) {
        silence_packet(&silence, at_ns[i]);
    }
    silence_break(&silence);
    silence_packet(&silence, 100000);
    assert_int_equal(silence.longest_ns, 50);
    assert_int_equal(silence.longest_at_ns, 110);
}

// ---- go-back-N

static struct requester requester_of(uint64_t total, uint32_t window) {
    return (struct requester){.total = total,
                              .window = window,
                              .ack_every = 4,
                              .reliable = true,
                              .first_psn = 0xfffffe, // wraps after two packets
                              .interval_ns = 10,
                              .ack_timeout_ns = 1000};
}

static void packets_go_at_their_interval(void **state) {
    (void)state;
    struct requester requester = requester_of(10, 8);
    uint64_t index;
    bool ask;
    assert_true(requester_take(&requester, 0, &index, &ask));
    assert_false(requester_take(&requester, 9, &index, &ask));
    assert_int_equal(requester_deadline_ns(&requester), 10);
    assert_true(requester_take(&requester, 10, &index, &ask));
    assert_int_equal(index, 1);
}

static void the_window_holds_back_until_an_ack(void **state) {
    (void)state;
    struct requester requester = requester_of(10, 2);
    uint64_t index;
    bool ask;
    assert_true(requester_take(&requester, 0, &index, &ask));
    assert_true(requester_take(&requester, 10, &index, &ask));
    assert_true(ask); // nothing more may go without an answer
    assert_false(requester_take(&requester, 20, &index, &ask));
    requester_ack(&requester, 0xffffff, 30);
    assert_int_equal(requester.acked, 2);
    assert_true(requester_take(&requester, 30, &index, &ask));
    assert_int_equal(index, 2);
}

static void a_nak_goes_back_to_its_packet(void **state) {
    (void)state;
    struct requester requester = requester_of(10, 8);
    uint64_t index;
    bool ask;
    for (uint64_t i = 0; i < 5; i++) {
        assert_true(requester_take(&requester, i * 10, &index, &ask));
    }
    requester_nak(&requester, 0, 50); // the third packet: the PSN has wrapped
    assert_int_equal(requester.acked, 2);
    assert_true(requester_take(&requester, 60, &index, &ask));
    assert_int_equal(index, 2);
    assert_int_equal(requester.resent, 1);
}

static void foreign_acks_and_naks_change_nothing(void **state) {
    (void)state;
    struct requester requester = requester_of(10, 8);
    uint64_t index;
    bool ask;
    assert_true(requester_take(&requester, 0, &index, &ask));
    struct requester before = requester;
    requester_ack(&requester, 0xffffff, 10); // not sent yet
    requester_nak(&requester, 0xfffff0, 10); // long acknowledged
    requester_nak(&requester, 5, 10);
    assert_memory_equal(&requester, &before, sizeof before);
}

static void silence_of_the_responder_goes_back_at_the_timeout(void **state) {
    (void)state;
    struct requester requester = requester_of(2, 8);
    uint64_t index;
    bool ask;
    assert_true(requester_take(&requester, 0, &index, &ask));
    assert_true(requester_take(&requester, 10, &index, &ask));
    assert_int_equal(requester_deadline_ns(&requester), 1000);
    assert_false(requester_take(&requester, 999, &index, &ask));
    assert_true(requester_take(&requester, 1000, &index, &ask));
    assert_int_equal(index, 0);
    assert_int_equal(requester.timeouts, 1);
    requester_ack(&requester, 0xffffff, 1001);
    assert_true(requester_is_complete(&requester));
    assert_int_equal(requester_deadline_ns(&requester), RC_NEVER);
}

static void a_slow_sender_asks_before_it_times_out(void **state) {
    (void)state;
    struct requester requester = requester_of(100, 64);
    requester.ack_every = 1000;
    requester.interval_ns = 300; // three packets a timeout
    uint64_t index;
    bool ask;
    for (uint64_t i = 0; i < 3; i++) { // nothing is acknowledged yet
        assert_true(requester_take(&requester, 10000 + i * 300, &index, &ask));
        assert_true(ask);
    }
    requester.interval_ns = 10; // a fast one asks only every so often
    requester.send_at_ns = 10610;
    assert_true(requester_take(&requester, 10610, &index, &ask));
    assert_false(ask);
    assert_int_equal(requester.timeouts, 0);
}

static void an_answered_sender_does_not_ask_with_every_packet(void **state) {
    (void)state;
    struct requester requester = requester_of(100, 64);
    uint64_t index;
    bool ask;
    unsigned asked = 0;
    for (uint64_t i = 0; i < 32; i++) { // each is acknowledged before the next
        assert_true(requester_take(&requester, 100000 + i * 10, &index, &ask));
        asked += ask;
        requester_ack(&requester, (uint32_t)(0xfffffe + i) & 0xffffff, 100001 + i * 10);
    }
    assert_in_range(asked, 8, 9); // every fourth, and the first
}

static void a_late_sender_does_not_burst(void **state) {
    (void)state;
    struct requester requester = requester_of(100, 64);
    uint64_t index;
    bool ask;
    unsigned taken = 0;
    assert_true(requester_take(&requester, 0, &index, &ask));
    requester_ack(&requester, 0xfffffe, 1);
    while (requester_take(&requester, 500, &index, &ask)) {
        taken++;
    }
    assert_in_range(taken, 1, 5);
}

static void a_gap_is_answered_with_one_nak(void **state) {
    (void)state;
    struct responder responder = {0};
    bool taken;
    assert_int_equal(responder_packet(&responder, 7, 7, false, 16, &taken), RESPONSE_NONE);
    assert_true(taken);
    assert_int_equal(responder_packet(&responder, 7, 9, false, 16, &taken), RESPONSE_NAK);
    assert_false(taken);
    assert_int_equal(responder_psn(&responder, 7, RESPONSE_NAK), 8);
    assert_int_equal(responder_packet(&responder, 7, 10, true, 16, &taken), RESPONSE_NONE);
    assert_int_equal(responder_packet(&responder, 7, 8, false, 16, &taken), RESPONSE_NONE);
    assert_true(taken);
    assert_int_equal(responder_packet(&responder, 7, 10, false, 16, &taken), RESPONSE_NAK);
}

static void a_repeated_packet_is_acknowledged_again_but_not_delivered(void **state) {
    (void)state;
    struct responder responder = {0};
    bool taken;
    responder_packet(&responder, 0, 0, false, 16, &taken);
    assert_int_equal(responder_packet(&responder, 0, 0, true, 16, &taken), RESPONSE_ACK);
    assert_false(taken);
    assert_int_equal(responder_psn(&responder, 0, RESPONSE_ACK), 0);
}

// ---- packets

static struct roce_addresses addresses_of(bool ipv6) {
    struct roce_addresses addresses = {.ipv6 = ipv6, .source_port = 0xc123, .traffic_class = 0x6a};
    memset(addresses.source, 0x11, ipv6 ? 16 : 4);
    memset(addresses.destination, 0x22, ipv6 ? 16 : 4);
    return addresses;
}

static size_t make_write(uint8_t frame[ROCE_FRAME_MAX], const struct roce_addresses *addresses,
                         uint8_t opcode, struct inbound *inbound) {
    struct roce_bth bth = {.opcode = opcode, .qp = 17, .psn = 0x123456, .ack_request = true};
    struct roce_data data = {.run = 5,
                             .wire = 99,
                             .first_psn = 0x123456,
                             .flags = ROCE_FLAG_RELIABLE,
                             .source_qp = 18,
                             .pad = 3};
    size_t transport = roce_encode_write(frame, &bth, &data, 0, 1024, 1024);
    const uint8_t *start;
    size_t size = roce_seal(frame, transport, addresses, &start);
    *inbound = (struct inbound){.addresses = *addresses,
                                .at_ns = 1000,
                                .packet = frame + ROCE_IPV4_SIZE + ROCE_UDP_SIZE,
                                .size = transport + ROCE_ICRC_SIZE,
                                .ip_size = size};
    return size;
}

static void a_request_decodes_to_what_was_encoded(void **state) {
    (void)state;
    static const uint8_t opcodes[] = {ROCE_WRITE_FIRST, ROCE_WRITE_MIDDLE, ROCE_WRITE_LAST,
                                      ROCE_WRITE_ONLY};
    for (size_t i = 0; i < 8; i++) {
        uint8_t frame[ROCE_FRAME_MAX];
        struct roce_addresses addresses = addresses_of(i >= 4);
        struct inbound inbound;
        make_write(frame, &addresses, opcodes[i % 4], &inbound);
        struct roce_bth bth;
        struct roce_data data;
        uint32_t bytes;
        assert_true(roce_decode_bth(inbound.packet, inbound.size, &bth));
        assert_int_equal(bth.qp, 17);
        assert_int_equal(bth.psn, 0x123456);
        assert_true(bth.ack_request);
        assert_true(roce_decode_data(inbound.packet, inbound.size, &data, &bytes));
        assert_int_equal(data.wire, 99);
        assert_int_equal(data.source_qp, 18);
        assert_int_equal(data.first_psn, 0x123456);
        assert_int_equal(bytes, 1021);
        assert_true(roce_icrc_matches(inbound.packet, inbound.size, &addresses));
    }
}

static void the_icrc_covers_ports_and_payload_but_not_what_changes_on_the_way(void **state) {
    (void)state;
    uint8_t frame[ROCE_FRAME_MAX];
    struct roce_addresses addresses = addresses_of(false);
    struct inbound inbound;
    make_write(frame, &addresses, ROCE_WRITE_ONLY, &inbound);
    struct roce_addresses marked = addresses;
    marked.traffic_class = 0x6b; // congestion was marked
    assert_true(roce_icrc_matches(inbound.packet, inbound.size, &marked));
    marked.source_port++;
    assert_false(roce_icrc_matches(inbound.packet, inbound.size, &marked));
    frame[200] ^= 1;
    assert_false(roce_icrc_matches(inbound.packet, inbound.size, &addresses));
}

// The example of the RoCEv2 ICRC that the Linux kernel's soft RoCE and Wireshark agree on cannot be
// had here; the polynomial and the order of bytes are pinned by an independent, bitwise CRC
// instead.
static uint32_t bitwise_crc(const uint8_t *bytes, size_t size) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0xedb88320 & (0U - (crc & 1)));
        }
    }
    return ~crc;
}

static void the_icrc_is_that_of_annex_a17(void **state) {
    (void)state;
    uint8_t frame[ROCE_FRAME_MAX];
    struct roce_addresses addresses = addresses_of(false);
    struct inbound inbound;
    size_t size = make_write(frame, &addresses, ROCE_WRITE_ONLY, &inbound);
    uint8_t masked[8 + ROCE_FRAME_MAX];
    memset(masked, 0xff, 8);
    memcpy(masked + 8, frame, size);
    uint8_t *ip = masked + 8;
    ip[1] = ip[8] = ip[10] = ip[11] = 0xff; // class, time to live, header checksum
    ip[26] = ip[27] = 0xff;                 // UDP checksum
    ip[32] = 0xff;                          // FECN, BECN
    uint32_t crc = bitwise_crc(masked, 8 + size - ROCE_ICRC_SIZE);
    const uint8_t *icrc = frame + size - ROCE_ICRC_SIZE;
    assert_int_equal(icrc[0], crc & 0xff);
    assert_int_equal(icrc[3], crc >> 24);
}

static void short_and_foreign_packets_are_refused(void **state) {
    (void)state;
    uint8_t frame[ROCE_FRAME_MAX];
    struct roce_addresses addresses = addresses_of(true);
    struct inbound inbound;
    make_write(frame, &addresses, ROCE_WRITE_ONLY, &inbound);
    struct receiver *receiver = malloc(sizeof *receiver);
    assert_non_null(receiver);
    receiver_init(receiver, 16);
    struct answer answer;
    size_t whole = inbound.size;
    for (size_t size = 0; size < whole; size++) { // every truncation
        inbound.size = size;
        receiver_packet(receiver, &inbound, &answer);
        assert_int_equal(answer.response, RESPONSE_NONE);
    }
    assert_int_equal(receiver->foreign + receiver->corrupt, whole);
    assert_int_equal(receiver->flow_count, 0);
    inbound.size = whole;
    receiver_packet(receiver, &inbound, &answer);
    assert_int_equal(receiver->flow_count, 1);
    assert_int_equal(answer.response, RESPONSE_ACK);
    assert_int_equal(answer.qp, 18);
    free(receiver);
}

static void congestion_is_notified_at_most_once_in_fifty_microseconds(void **state) {
    (void)state;
    uint8_t frame[ROCE_FRAME_MAX];
    struct roce_addresses addresses = addresses_of(false);
    struct inbound inbound;
    make_write(frame, &addresses, ROCE_WRITE_ONLY, &inbound);
    struct receiver *receiver = malloc(sizeof *receiver);
    assert_non_null(receiver);
    receiver_init(receiver, 16);
    struct answer answer;
    receiver_packet(receiver, &inbound, &answer);
    assert_false(answer.congested);
    inbound.addresses.traffic_class = 0x6b;
    static const struct {
        uint64_t at_ns;
        bool congested;
    } steps[] = {{1000, true}, {1001, false}, {50999, false}, {51000, true}, {51001, false}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        inbound.at_ns = steps[i].at_ns;
        receiver_packet(receiver, &inbound, &answer);
        assert_int_equal(answer.congested, steps[i].congested);
    }
    free(receiver);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_never_comes_is_lost),
        cmocka_unit_test(what_comes_late_is_reordered_and_not_lost),
        cmocka_unit_test(what_comes_twice_is_a_duplicate),
        cmocka_unit_test(a_number_leaves_the_window_when_its_place_is_taken),
        cmocka_unit_test(the_longest_gap_between_packets_is_the_silence),
        cmocka_unit_test(packets_go_at_their_interval),
        cmocka_unit_test(the_window_holds_back_until_an_ack),
        cmocka_unit_test(a_nak_goes_back_to_its_packet),
        cmocka_unit_test(foreign_acks_and_naks_change_nothing),
        cmocka_unit_test(silence_of_the_responder_goes_back_at_the_timeout),
        cmocka_unit_test(a_slow_sender_asks_before_it_times_out),
        cmocka_unit_test(an_answered_sender_does_not_ask_with_every_packet),
        cmocka_unit_test(a_late_sender_does_not_burst),
        cmocka_unit_test(a_gap_is_answered_with_one_nak),
        cmocka_unit_test(a_repeated_packet_is_acknowledged_again_but_not_delivered),
        cmocka_unit_test(a_request_decodes_to_what_was_encoded),
        cmocka_unit_test(the_icrc_covers_ports_and_payload_but_not_what_changes_on_the_way),
        cmocka_unit_test(the_icrc_is_that_of_annex_a17),
        cmocka_unit_test(short_and_foreign_packets_are_refused),
        cmocka_unit_test(congestion_is_notified_at_most_once_in_fifty_microseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
