// SPDX-License-Identifier: Apache-2.0
// The leaf's MAC address from the kernel's routes and neighbours, in a network namespace of its
// own, and a driver whose leaf gets another one.
#include "mlx5_bench.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "mlx5_next_hop.h"

#define SHORT_NS 200000000ULL

static int shell(const char *commands) {
    return system(commands);
}

static const char wire[] =
    "ip link set lo up; ip link add up0 type veth peer name far0; ip link set far0 up;"
    "ip link set up0 address 02:00:00:00:00:09 up;"
    "ip -6 addr add fd77::1/64 dev up0 nodad; ip -6 route add fc00::/16 via fd77::2 dev up0;"
    "ip -6 neigh replace fd77::2 lladdr 02:00:00:00:00:22 dev up0 nud permanent";

static struct mlx5_next_hop_query query_to(const char *carrier) {
    struct mlx5_next_hop_query query = {.netdev = "up0", .wait_ns = SHORT_NS};
    assert_int_equal(sid_parse(carrier, &query.carrier), 0);
    return query;
}

static int find(const char *carrier, uint8_t mac[6], struct error *error) {
    struct mlx5_next_hop hop;
    struct mlx5_next_hop_query query = query_to(carrier);
    assert_int_equal(mlx5_next_hop_open(&hop, "up0", error), 0);
    int rc = mlx5_next_hop_find(&hop, &query, mac, error);
    mlx5_next_hop_close(&hop);
    return rc;
}

static void the_gateway_of_the_route_is_the_leaf(void **state) {
    (void)state;
    uint8_t mac[6];
    struct error error;
    assert_int_equal(find("fc00:0:7::", mac, &error), 0);
    assert_memory_equal(mac, ((uint8_t[]){2, 0, 0, 0, 0, 0x22}), 6);
}

static void without_a_route_the_sentence_says_so(void **state) {
    (void)state;
    uint8_t mac[6];
    struct error error;
    assert_int_equal(find("fe00::7", mac, &error), -EHOSTUNREACH);
    assert_non_null(strstr(error.text, "up0: no route to fe00::7"));
}

static void a_leaf_that_does_not_answer_is_named(void **state) {
    (void)state;
    uint8_t mac[6];
    struct error error;
    assert_int_equal(find("fd77::99", mac, &error), -EHOSTUNREACH);
    assert_non_null(strstr(error.text, "up0: the leaf fd77::99 does not answer"));
    // The kernel was asked to find it.
    assert_int_equal(shell("ip -6 neigh show dev up0 nud all | grep -q '^fd77::99'"), 0);
}

static bool is_readable(int fd) {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, 2000) == 1;
}

// The outer destination MAC address of a packet.
static uint8_t last_of_leaf(void) {
    struct card_flow flow = flow_to(1, 0xc001);
    struct card_frame frame;
    const uint8_t *out;
    size_t size;
    card_frame_build(&flow, &frame);
    assert_int_equal(card_bed_send(&frame, 1, &out, &size).vport, MLX5_UPLINK);
    assert_memory_equal(&out[6], ((uint8_t[]){2, 0, 0, 0, 0, 9}), 6); // from the uplink
    return out[5];
}

static void review_all(struct bench *bench) {
    while (is_readable(bench->nic->watch_fd)) {
        assert_int_equal(bench->nic->driver->review(bench->nic, &bench->error), 0);
        struct pollfd ready = {.fd = bench->nic->watch_fd, .events = POLLIN};
        if (poll(&ready, 1, 50) == 0) {
            return;
        }
    }
    fail_msg("nothing was told of the change");
}

static void a_leaf_with_another_address_is_followed(void **state) {
    (void)state;
    struct bench bench = {0};
    struct nic_options options = bench_options();
    options.device = "up0";
    memset(options.eswitch.gateway_mac, 0, 6);
    rule_set_init(&bench.wanted);
    if (nic_driver_mlx5_direct.open(&options, &bench.nic, &bench.error) != 0) {
        fail_msg("%s", bench.error.text);
    }
    add_rule(&bench.wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    bench_apply(&bench);
    assert_int_equal(last_of_leaf(), 0x22);
    assert_int_equal(shell("ip -6 neigh replace fd77::2 lladdr 02:00:00:00:00:33 dev up0"), 0);
    review_all(&bench);
    assert_int_equal(last_of_leaf(), 0x33);
    // Gone: the old address stands until there is a new one.
    assert_int_equal(shell("ip -6 neigh del fd77::2 dev up0"), 0);
    review_all(&bench);
    assert_int_equal(last_of_leaf(), 0x33);
    nic_close(bench.nic, true);
    rule_set_fini(&bench.wanted);
    assert_int_equal(fakecx_count(NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gateway_of_the_route_is_the_leaf),
        cmocka_unit_test(without_a_route_the_sentence_says_so),
        cmocka_unit_test(a_leaf_that_does_not_answer_is_named),
        cmocka_unit_test(a_leaf_with_another_address_is_followed),
    };
    fakecx_bed_begin();
    unsetenv("LD_PRELOAD"); // of the commands below
    if (unshare(CLONE_NEWNET) != 0 || shell(wire) != 0) {
        printf("skipped: cannot make a network namespace with a veth pair (root, iproute2)\n");
        return 77;
    }
    card_bed_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
