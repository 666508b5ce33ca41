// SPDX-License-Identifier: Apache-2.0
// The driver mlx5 over the real library and an emulated card: what a set of rules does to packets,
// how little a change touches, what is counted, and that nothing is left.
#include "mlx5_bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void an_empty_set_steers_nothing(void **state) {
    struct bench *bench = *state;
    bench_apply(bench);
    assert_int_equal(fakecx_count("flow"), 0);
    assert_int_equal(fakecx_count("reformat"), 0);
}

static void the_card_says_what_it_can_do(void **state) {
    struct bench *bench = *state;
    struct nic_capabilities can;
    bench->nic->driver->capabilities(bench->nic, &can);
    assert_false(can.spray);
    assert_false(can.per_qp); // rdma-core 44
    assert_true(can.srh);
    assert_true(can.counters);
    assert_int_equal(can.encap_bytes_max, 112); // five carriers
    assert_string_equal(bench->nic->attachment, "eswitch");
}

static void packets_take_the_paths_of_the_rules(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 7, 8, 0);
    add_rule(&bench->wanted, match_to(1, RULE_KEY_SPORT, 0xc005), RULE_SINGLE, 9, 0);
    add_rule(&bench->wanted, match_to(2, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    bench_apply(bench);
    assert_int_equal(path_of(flow_to(1, 0xc004)), 7);
    assert_int_equal(path_of(flow_to(1, 0xc003)), 8);
    assert_int_equal(path_of(flow_to(1, 0xc005)), 9);
    assert_int_equal(path_of(flow_to(2, 0xc005)), 7);
    assert_int_equal(path_of(flow_to(3, 0xc005)), PATH_SLOW);
}

static void what_is_not_roce_of_the_function_is_left_alone(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    bench_apply(bench);
    struct card_flow dns = flow_to(1, 0xc001);
    dns.dport = 53;
    assert_int_equal(path_of(dns), PATH_UNTOUCHED);
    assert_int_equal(path_from(flow_to(1, 0xc001), 2), PATH_UNTOUCHED);
    assert_int_equal(path_from(flow_to(1, 0xc001), MLX5_UPLINK), PATH_UNTOUCHED);
}

static void the_outer_header_is_that_of_the_class(void **state) {
    struct bench *bench = *state;
    static const uint8_t classes[] = {0x00, 0x02, 0x6a, 0xc0};
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    add_rule(&bench->wanted, match_to_ipv4(1), RULE_SINGLE, 7, 0);
    bench_apply(bench);
    for (size_t i = 0; i < sizeof classes; i++) {
        for (int version = 4; version <= 6; version += 2) {
            struct card_flow flow = version == 4 ? flow_to_ipv4(1, 0xc001) : flow_to(1, 0xc001);
            struct card_frame frame;
            const uint8_t *out;
            size_t size;
            flow.traffic_class = classes[i];
            card_frame_build(&flow, &frame);
            size_t inner = frame.size - 14;
            assert_int_equal(card_bed_send(&frame, 1, &out, &size).vport, MLX5_UPLINK);
            assert_int_equal(size, 54 + inner);
            assert_memory_equal(out, ((uint8_t[]){2, 0, 0, 0, 0, 2}), 6);
            assert_int_equal(out[12] << 8 | out[13], 0x86dd);
            assert_int_equal((out[14] & 0xf) << 4 | out[15] >> 4, classes[i]);
            assert_int_equal(out[18] << 8 | out[19], inner); // payload length
            assert_int_equal(out[20], version == 4 ? 4 : 41);
        }
    }
    assert_int_equal(fakecx_count("reformat"), 8);
}

static void reformats_of_spares_are_made_ahead(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    bench_apply(bench);
    unsigned before = fakecx_count("reformat");
    add_spare(&bench->wanted, 8);
    bench_apply(bench); // only its spares differ
    assert_int_equal(fakecx_count("reformat"), 2 * before);
    assert_int_equal(path_of(flow_to(1, 0xc001)), 7);
    fakecx_bed_fault("reformat after=0");
    bench_clear(bench);
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 8, 0);
    add_spare(&bench->wanted, 7);
    bench_apply(bench);
    assert_int_equal(path_of(flow_to(1, 0xc001)), 8);
}

static void a_class_that_is_not_listed_leaves_plain_and_is_counted(void **state) {
    struct bench *bench = *state;
    uint64_t encapsulated, decapsulated, plain;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    bench_apply(bench);
    struct card_flow flow = flow_to(1, 0xc001);
    flow.traffic_class = 0x55;
    assert_int_equal(path_of(flow), PATH_PLAIN);
    assert_int_equal(path_of(flow_to(2, 0xc001)), PATH_SLOW);
    assert_int_equal(path_of(flow_to(1, 0xc001)), 7);
    bench->nic->driver->totals(bench->nic, &encapsulated, &decapsulated, &plain);
    assert_int_equal(encapsulated, 1);
    assert_int_equal(decapsulated, 0);
    assert_int_equal(plain, 2);
}

// ---- changes

static void the_same_set_again_touches_nothing(void **state) {
    struct bench *bench = *state;
    unsigned added, removed;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 7, 8, 0);
    bench_apply(bench);
    unsigned objects = fakecx_count(NULL);
    card_bed_take_changes(&added, &removed);
    bench_apply(bench);
    bench->nic->unsettled = true; // the driver itself, too
    bench_apply(bench);
    card_bed_take_changes(&added, &removed);
    assert_int_equal(added + removed, 0);
    assert_int_equal(fakecx_count(NULL), objects);
}

static void moving_a_path_is_one_rule_a_class(void **state) {
    struct bench *bench = *state;
    unsigned added, removed;
    for (uint8_t d = 1; d <= 100; d++) {
        add_rule(&bench->wanted, match_to(d, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    }
    bench_apply(bench);
    card_bed_take_changes(&added, &removed);
    bench_clear(bench);
    for (uint8_t d = 1; d <= 100; d++) {
        add_rule(&bench->wanted, match_to(d, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 8, 0);
    }
    bench_apply(bench);
    card_bed_take_changes(&added, &removed);
    assert_int_equal(added, 4);
    assert_int_equal(removed, 4);
    assert_int_equal(path_of(flow_to(50, 0xc001)), 8);
}

static void a_path_that_comes_back_needs_no_firmware(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    bench_apply(bench);
    bench_clear(bench);
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 8, 0);
    bench_apply(bench);
    fakecx_bed_fault("reformat after=0");
    bench_clear(bench);
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    bench_apply(bench);
    assert_int_equal(path_of(flow_to(1, 0xc001)), 7);
}

// A rule may name a path that none of its buckets takes: its backup.
static void reformats_of_backups_are_made_ahead(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 7, 8, 0);
    memset(bench->wanted.rules[0].bucket, 0, sizeof bench->wanted.rules[0].bucket);
    bench_apply(bench);
    assert_int_equal(fakecx_count("reformat"), 8);
    fakecx_bed_fault("reformat after=0");
    bench_clear(bench);
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 8, 0);
    bench_apply(bench);
    assert_int_equal(path_of(flow_to(1, 0xc001)), 8);
}

static void another_version_of_ip_joins_a_path(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    bench_apply(bench);
    assert_int_equal(path_of(flow_to_ipv4(1, 0xc001)), PATH_UNTOUCHED);
    add_rule(&bench->wanted, match_to_ipv4(1), RULE_SINGLE, 7, 0);
    bench_apply(bench);
    assert_int_equal(path_of(flow_to_ipv4(1, 0xc001)), 7);
    assert_int_equal(path_of(flow_to(1, 0xc001)), 7);
    bench_clear(bench);
    add_rule(&bench->wanted, match_to_ipv4(1), RULE_SINGLE, 7, 0);
    bench_apply(bench);
    assert_int_equal(path_of(flow_to(1, 0xc001)), PATH_UNTOUCHED);
    assert_int_equal(fakecx_count("flow"), 1);
}

static void what_the_nic_cannot_do_is_refused_and_changes_nothing(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    bench_apply(bench);
    bench_clear(bench);
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_QP, 8, 9, 0);
    seal(&bench->wanted);
    assert_int_equal(nic_apply(bench->nic, &bench->wanted, &bench->error), -EOPNOTSUPP);
    assert_int_equal(path_of(flow_to(1, 0xc001)), 7);
    assert_false(rule_set_equal(&bench->nic->applied, &bench->wanted));
}

// ---- counters

static void packets_are_counted_by_rule_and_path(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 7, 8, 0);
    add_rule(&bench->wanted, match_to(2, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    bench_apply(bench);
    send_packets(flow_to(1, 0xc004), 3);
    send_packets(flow_to(1, 0xc003), 5);
    send_packets(flow_to(2, 0xc003), 7);
    struct count seven = count_of(bench, 1, 7);
    assert_int_equal(seven.packets, 3);
    assert_int_equal(seven.bytes, 3 * (40 + 24)); // from the IP header on
    assert_int_equal(count_of(bench, 1, 8).packets, 5);
    assert_int_equal(count_of(bench, 2, 7).packets, 7);
}

static void a_rule_counts_anew_on_another_path(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    bench_apply(bench);
    send_packets(flow_to(1, 0xc001), 3);
    bench_clear(bench);
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 8, 0);
    bench_apply(bench);
    assert_int_equal(count_of(bench, 1, 8).packets, 0);
    send_packets(flow_to(1, 0xc001), 2);
    assert_int_equal(count_of(bench, 1, 8).packets, 2);
}

// Buckets come and go; the path stays and its count with it.
static void a_path_that_stays_goes_on_counting(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 7, 8, 9, 0);
    bench_apply(bench);
    for (uint16_t port = 0; port < 64; port++) {
        send_packets(flow_to(1, 0xc000 + port), 1);
    }
    assert_int_equal(count_of(bench, 1, 7).packets, 22);
    assert_int_equal(count_of(bench, 1, 8).packets, 21);
    bench_clear(bench);
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 8, 7, 0);
    bench_apply(bench);
    assert_int_equal(count_of(bench, 1, 7).packets, 22);
    assert_int_equal(count_of(bench, 1, 8).packets, 21);
    for (uint16_t port = 0; port < 64; port++) {
        send_packets(flow_to(1, 0xc000 + port), 1);
    }
    assert_int_equal(count_of(bench, 1, 7).packets, 22 + 32);
    assert_int_equal(count_of(bench, 1, 8).packets, 21 + 32);
}

// ---- decapsulation

static void add_sid(struct bench *bench, uint8_t last) {
    bench->wanted.local_sids[bench->wanted.local_sid_count++].bytes[0] = last;
}

// Encapsulates the flow's packet by the rules, and sends it to the SID from the wire, with this
// outer ECN, when not negative.
static struct softcx_result loop(struct card_flow flow, int ecn, uint8_t sid,
                                 struct card_frame *frame, const uint8_t **out, size_t *size) {
    card_frame_build(&flow, frame);
    card_bed_send(frame, 1, out, size);
    struct card_frame wire = {.size = *size};
    memcpy(&wire.room[CARD_FRAME_ROOM], *out, *size);
    uint8_t *outer = &wire.room[CARD_FRAME_ROOM + 14];
    memset(&outer[24], 0, 16);
    outer[24] = sid;
    if (ecn >= 0) {
        outer[1] = (uint8_t)((outer[1] & ~0x30) | ecn << 4);
    }
    *frame = wire;
    return card_bed_send(frame, MLX5_UPLINK, out, size);
}

static void what_comes_to_an_own_sid_is_stripped(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    add_rule(&bench->wanted, match_to_ipv4(1), RULE_SINGLE, 7, 0);
    add_sid(bench, 0xfa);
    bench_apply(bench);
    for (int version = 4; version <= 6; version += 2) {
        struct card_flow flow = version == 4 ? flow_to_ipv4(1, 0xc001) : flow_to(1, 0xc001);
        struct card_frame frame, inner;
        const uint8_t *out;
        size_t size;
        flow.traffic_class = 0x6a;
        card_frame_build(&flow, &inner);
        struct softcx_result result = loop(flow, -1, 0xfa, &frame, &out, &size);
        assert_int_equal(result.verdict, VERDICT_VPORT);
        assert_int_equal(result.vport, 1);
        assert_int_equal(size, inner.size);
        assert_memory_equal(out, ((uint8_t[]){2, 0, 0, 0, 0, 1}), 6); // to the function
        assert_memory_equal(out + 12, &inner.room[CARD_FRAME_ROOM + 12], size - 12);
    }
    uint64_t encapsulated, decapsulated, plain;
    bench->nic->driver->totals(bench->nic, &encapsulated, &decapsulated, &plain);
    assert_int_equal(encapsulated, 2);
    assert_int_equal(decapsulated, 2);
}

static void congestion_on_the_way_reaches_the_inner_packet(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    add_rule(&bench->wanted, match_to_ipv4(1), RULE_SINGLE, 7, 0);
    add_sid(bench, 0xfa);
    bench_apply(bench);
    for (int version = 4; version <= 6; version += 2) {
        struct card_flow flow = version == 4 ? flow_to_ipv4(1, 0xc001) : flow_to(1, 0xc001);
        struct card_frame frame;
        const uint8_t *out;
        size_t size;
        flow.traffic_class = 0x6a;
        assert_int_equal(loop(flow, 3, 0xfa, &frame, &out, &size).vport, 1);
        uint8_t class = version == 4 ? out[15] : (uint8_t)((out[14] & 0xf) << 4 | out[15] >> 4);
        assert_int_equal(class, 0x6b);
    }
}

static void other_tunnels_are_left_alone(void **state) {
    struct bench *bench = *state;
    struct card_frame frame;
    const uint8_t *out;
    size_t size;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    add_sid(bench, 0xfa);
    bench_apply(bench);
    struct softcx_result result = loop(flow_to(1, 0xc001), -1, 0xfb, &frame, &out, &size);
    assert_int_equal(result.verdict, VERDICT_SLOW);
    assert_false(result.steered);
    bench->wanted.local_sid_count = 0;
    bench_apply(bench);
    assert_false(loop(flow_to(1, 0xc001), -1, 0xfa, &frame, &out, &size).steered);
    assert_int_equal(fakecx_count("flow"), 1);
}

// ---- opening

static void options_that_name_nothing_are_refused_in_words(void **state) {
    (void)state;
    struct nic *nic = NULL;
    struct error error;
    struct nic_options options = bench_options();
    options.device = "nosuch0";
    assert_int_equal(nic_driver_mlx5_direct.open(&options, &nic, &error), -ENODEV);
    assert_non_null(strstr(error.text, "nosuch0: no such network device"));
    options = bench_options();
    options.eswitch.vport = 99;
    assert_int_equal(nic_driver_mlx5_direct.open(&options, &nic, &error), -EREMOTEIO);
    assert_non_null(strstr(error.text, "lo: its eSwitch has no vport 99"));
    options.eswitch.vport = 0;
    assert_int_equal(nic_driver_mlx5_direct.open(&options, &nic, &error), -EINVAL);
    assert_non_null(strstr(error.text, "virtual functions"));
    assert_null(nic);
    assert_int_equal(fakecx_count(NULL), 0);
}

static void a_port_that_fails_its_pre_flight_checks_is_not_opened(void **state) {
    (void)state;
    struct nic *nic = NULL;
    struct error error;
    struct nic_options options = bench_options();
    char driver[256];
    snprintf(driver, sizeof driver, "%s/class/net/%s/device/driver", getenv("SYSFS_PATH"),
             options.device);
    assert_int_equal(symlink("/dev", driver), 0); // whose last name is no ConnectX's driver
    int rc = nic_driver_mlx5_direct.open(&options, &nic, &error);
    assert_int_equal(unlink(driver), 0);
    assert_int_equal(rc, -EOPNOTSUPP);
    assert_non_null(strstr(error.text, "lo: driver is dev"));
    assert_null(nic);
    assert_int_equal(fakecx_count(NULL), 0);
}

#define IN_BED(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_BED(an_empty_set_steers_nothing),
        IN_BED(the_card_says_what_it_can_do),
        IN_BED(packets_take_the_paths_of_the_rules),
        IN_BED(what_is_not_roce_of_the_function_is_left_alone),
        IN_BED(the_outer_header_is_that_of_the_class),
        IN_BED(a_class_that_is_not_listed_leaves_plain_and_is_counted),
        IN_BED(the_same_set_again_touches_nothing),
        IN_BED(moving_a_path_is_one_rule_a_class),
        IN_BED(a_path_that_comes_back_needs_no_firmware),
        IN_BED(reformats_of_spares_are_made_ahead),
        IN_BED(reformats_of_backups_are_made_ahead),
        IN_BED(another_version_of_ip_joins_a_path),
        IN_BED(what_the_nic_cannot_do_is_refused_and_changes_nothing),
        IN_BED(packets_are_counted_by_rule_and_path),
        IN_BED(a_rule_counts_anew_on_another_path),
        IN_BED(a_path_that_stays_goes_on_counting),
        IN_BED(what_comes_to_an_own_sid_is_stripped),
        IN_BED(congestion_on_the_way_reaches_the_inner_packet),
        IN_BED(other_tunnels_are_left_alone),
        cmocka_unit_test(options_that_name_nothing_are_refused_in_words),
        cmocka_unit_test(a_port_that_fails_its_pre_flight_checks_is_not_opened),
    };
    fakecx_bed_begin();
    card_bed_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
