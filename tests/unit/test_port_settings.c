// SPDX-License-Identifier: Apache-2.0
// A port's settings: from a tree of files as drivers have it, from DCB's answer over netlink, and
// from the loopback device.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/dcbnl.h>
#include <linux/rtnetlink.h>

#include "cmocka_all.h"
#include "nicdrv/port_settings.h"
#include "port_settings.h"

static char root[] = "/tmp/srv6-test-settings-XXXXXX";
static struct host_facts facts;

static void put(const char *path, const char *text) {
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = full + sizeof root; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void put_ecn(const char *side, unsigned bits) {
    for (unsigned i = 0; i < 8; i++) {
        char path[128];
        snprintf(path, sizeof path, "class/net/lo/ecn/%s/enable/%u", side, i);
        put(path, (bits >> i & 1) != 0 ? "1\n" : "0\n");
    }
}

static int make_tree(void **state) {
    (void)state;
    char from[256];
    memcpy(root + sizeof root - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(root));
    put_ecn("roce_np", 0x08);
    put_ecn("roce_rp", 0x00);
    put("class/net/lo/ecn/roce_np/cnp_dscp", "48\n");
    put("devices/0000:08:00.0/infiniband/mlx5_0/uevent", "x");
    snprintf(from, sizeof from, "%s/class/net/lo/device", root);
    assert_int_equal(symlink("../../../devices/0000:08:00.0", from), 0);
    put("class/infiniband/mlx5_0/tc/1/traffic_class", "Global tclass=106\n");
    put("kernel/config/rdma_cm/mlx5_0/ports/1/default_roce_tos", "104\n");
    put("kernel/debug/mlx5/0000:08:00.0/cc_params/np_cnp_dscp", "20\n");
    memset(&facts, 0, sizeof facts);
    return 0;
}

static int remove_tree(void **state) {
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static const char *value(enum host_setting setting) {
    const char *found = host_facts_find(&facts, setting, 0);
    return found != NULL ? found : "unknown";
}

static void files_of_the_driver_become_facts(void **state) {
    (void)state;
    port_files_read(root, "lo", 0, &facts);
    assert_string_equal(value(HOST_ECN_NP), "3");
    assert_string_equal(value(HOST_ECN_RP), "none");
    assert_string_equal(value(HOST_CNP_DSCP), "48");
    assert_string_equal(value(HOST_ROCE_CLASS), "106");
    assert_string_equal(value(HOST_ROCE_TOS), "104");
}

static void remove_file(const char *path) {
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    assert_int_equal(unlink(full), 0);
}

static void half_a_list_is_unknown(void **state) {
    (void)state;
    remove_file("class/net/lo/ecn/roce_np/enable/6");
    port_files_read(root, "lo", 0, &facts);
    assert_string_equal(value(HOST_ECN_NP), "unknown");
    assert_string_equal(value(HOST_ECN_RP), "none");
}

static void upstream_drivers_have_the_dscp_in_debugfs(void **state) {
    (void)state;
    remove_file("class/net/lo/ecn/roce_np/cnp_dscp");
    port_files_read(root, "lo", 0, &facts);
    assert_string_equal(value(HOST_CNP_DSCP), "20");
}

static void what_does_not_read_as_expected_is_unknown(void **state) {
    (void)state;
    put("class/infiniband/mlx5_0/tc/1/traffic_class", "Global tclass=lots\n");
    put("kernel/config/rdma_cm/mlx5_0/ports/1/default_roce_tos", "256\n");
    put("class/net/lo/ecn/roce_np/cnp_dscp", "-1\n");
    put("class/net/lo/ecn/roce_rp/enable/0", "2\n");
    port_files_read(root, "lo", 0, &facts);
    assert_string_equal(value(HOST_ROCE_CLASS), "unknown");
    assert_string_equal(value(HOST_ROCE_TOS), "unknown");
    assert_string_equal(value(HOST_CNP_DSCP), "unknown");
    assert_string_equal(value(HOST_ECN_RP), "unknown");
}

static void of_two_rdma_devices_none_is_chosen(void **state) {
    (void)state;
    put("devices/0000:08:00.0/infiniband/mlx5_1/uevent", "x");
    port_files_read(root, "lo", 0, &facts);
    assert_string_equal(value(HOST_ROCE_CLASS), "unknown");
}

// The tree above has no index and address: it is another namespace's.
static void files_of_another_device_of_that_name_are_not_read(void **state) {
    (void)state;
    setenv("SYSFS_PATH", root, 1);
    port_settings_read("lo", 0, &facts);
    assert_string_equal(value(HOST_ECN_NP), "unknown");
    put("class/net/lo/ifindex", "1\n");
    put("class/net/lo/address", "00:00:00:00:00:01\n");
    port_settings_read("lo", 0, &facts);
    assert_string_equal(value(HOST_ECN_NP), "unknown");
    put("class/net/lo/address", "00:00:00:00:00:00\n");
    port_settings_read("lo", 0, &facts);
    assert_string_equal(value(HOST_ECN_NP), "3");
    unsetenv("SYSFS_PATH");
}

static void the_loopback_device_has_an_mtu_and_no_pfc(void **state) {
    (void)state;
    port_settings_read("lo", 0, &facts);
    assert_string_equal(value(HOST_MTU), "65536");
    assert_string_equal(value(HOST_PFC), "unknown");
    assert_string_equal(value(HOST_SPEED), "unknown");
    host_settings_read(&facts);
    assert_non_null(host_facts_find(&facts, HOST_KERNEL, HOST_WIDE));
    memset(&facts, 0, sizeof facts);
    port_settings_read("no-such-dev", 0, &facts);
    assert_int_equal(facts.count, 0);
}

// ---- texts

static void priorities_are_a_list(void **state) {
    char text[PRIORITIES_TEXT_SIZE];
    (void)state;
    priorities_format(0x18, text);
    assert_string_equal(text, "3 4");
    priorities_format(0, text);
    assert_string_equal(text, "none");
    priorities_format(0xff, text);
    assert_string_equal(text, "0 1 2 3 4 5 6 7");
}

static void a_dscp_map_is_ranges_or_where_these_are_too_many_digits(void **state) {
    uint8_t map[DSCPS];
    char text[HOST_VALUE_SIZE];
    (void)state;
    memset(map, DSCP_NONE, sizeof map);
    dscp_map_format(map, text);
    assert_string_equal(text, "none");
    map[26] = 3;
    map[48] = 6;
    dscp_map_format(map, text);
    assert_string_equal(text, "26:3 48:6");
    for (unsigned i = 0; i < DSCPS; i++) {
        map[i] = (uint8_t)(i / 8);
    }
    dscp_map_format(map, text);
    assert_string_equal(text, "0-7:0 8-15:1 16-23:2 24-31:3 32-39:4 40-47:5 48-55:6 56-63:7");
    for (unsigned i = 0; i < DSCPS; i++) {
        map[i] = i == 63 ? DSCP_NONE : i % 2;
    }
    dscp_map_format(map, text);
    assert_int_equal(strlen(text), DSCPS);
    assert_memory_equal(text, "0101", 4);
    assert_string_equal(text + 60, "010-");
}

// ---- netlink

static uint8_t message[2048] __attribute__((aligned(8)));
static size_t length;

#define HEADER_SIZE sizeof(struct nlattr)

static size_t attribute(uint16_t type, const void *payload, size_t size) {
    size_t at = length;
    struct nlattr header = {(uint16_t)(HEADER_SIZE + size), type};
    memcpy(message + at, &header, sizeof header);
    if (size > 0) {
        memcpy(message + at + HEADER_SIZE, payload, size);
    }
    length += (HEADER_SIZE + size + 3) & ~(size_t)3;
    return at;
}

static void end_nest(size_t at) {
    uint16_t size = (uint16_t)(length - at);
    memcpy(message + at, &size, sizeof size);
}

static void app(uint8_t selector, uint8_t priority, uint16_t protocol) {
    struct dcb_app entry = {.selector = selector, .priority = priority, .protocol = protocol};
    attribute(DCB_ATTR_IEEE_APP, &entry, sizeof entry);
}

static void make_answer(bool pfc, bool trust) {
    memset(message, 0, sizeof message);
    length = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct dcbmsg));
    attribute(DCB_ATTR_IFNAME, "eth0", 5);
    size_t ieee = attribute(DCB_ATTR_IEEE, NULL, 0);
    if (pfc) {
        struct ieee_pfc value = {.pfc_cap = 8, .pfc_en = 0x08};
        attribute(DCB_ATTR_IEEE_PFC, &value, sizeof value);
    }
    size_t table = attribute(DCB_ATTR_IEEE_APP_TABLE, NULL, 0);
    app(IEEE_8021QAZ_APP_SEL_DSCP, 3, 26);
    app(IEEE_8021QAZ_APP_SEL_DSCP, 2, 26); // the higher one wins
    app(IEEE_8021QAZ_APP_SEL_ETHERTYPE, 5, 0x8906);
    app(IEEE_8021QAZ_APP_SEL_DSCP, 1, 64); // no DSCP
    end_nest(table);
    if (trust) {
        uint8_t first = IEEE_8021QAZ_APP_SEL_DSCP, second = 24;
        size_t nest = attribute(11, NULL, 0);
        attribute(DCB_ATTR_IEEE_APP, &first, 1);
        attribute(2, &second, 1);
        end_nest(nest);
    }
    end_nest(ieee);
    struct nlmsghdr header = {.nlmsg_len = (uint32_t)length, .nlmsg_type = RTM_GETDCB};
    memcpy(message, &header, sizeof header);
}

static void dcb_tells_pfc_map_and_trust(void **state) {
    struct port_dcb dcb;
    char text[HOST_VALUE_SIZE];
    (void)state;
    make_answer(true, true);
    assert_true(port_dcb_parse(message, length, &dcb));
    assert_true(dcb.has_pfc && dcb.has_map && dcb.has_trust);
    assert_int_equal(dcb.pfc, 8);
    dscp_map_format(dcb.dscp_priority, text);
    assert_string_equal(text, "26:3");
    assert_string_equal(dcb.trust, "dscp pcp");
    make_answer(false, false);
    assert_true(port_dcb_parse(message, length, &dcb));
    assert_false(dcb.has_pfc || dcb.has_trust);
}

static void a_cut_answer_is_none(void **state) {
    struct port_dcb dcb;
    (void)state;
    make_answer(true, true);
    size_t whole = length;
    for (size_t size = 0; size < whole; size++) {
        assert_false(port_dcb_parse(message, size, &dcb));
    }
    struct nlmsghdr error = {.nlmsg_len = (uint32_t)whole, .nlmsg_type = NLMSG_ERROR};
    memcpy(message, &error, sizeof error);
    assert_false(port_dcb_parse(message, whole, &dcb));
}

#define TREE(name) cmocka_unit_test_setup_teardown(name, make_tree, remove_tree)

int main(void) {
    const struct CMUnitTest tests[] = {
        TREE(files_of_the_driver_become_facts),
        TREE(half_a_list_is_unknown),
        TREE(upstream_drivers_have_the_dscp_in_debugfs),
        TREE(what_does_not_read_as_expected_is_unknown),
        TREE(of_two_rdma_devices_none_is_chosen),
        TREE(files_of_another_device_of_that_name_are_not_read),
        TREE(the_loopback_device_has_an_mtu_and_no_pfc),
        cmocka_unit_test(priorities_are_a_list),
        cmocka_unit_test(a_dscp_map_is_ranges_or_where_these_are_too_many_digits),
        cmocka_unit_test(dcb_tells_pfc_map_and_trust),
        cmocka_unit_test(a_cut_answer_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
