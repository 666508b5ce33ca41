// SPDX-License-Identifier: Apache-2.0
// Port counters from a tree of files as sysfs has it, and the names of ethtool's statistics.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "nicdrv/port_counters.h"
#include "port_ethtool.h"

static char root[] = "/tmp/srv6-test-counters-XXXXXX";

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

#define DEVICE "class/net/lo/device/"

static int make_tree(void **state) {
    (void)state;
    assert_non_null(mkdtemp(root));
    put(DEVICE "infiniband/mlx5_0/ports/1/hw_counters/np_cnp_sent", "7\n");
    put(DEVICE "infiniband/mlx5_0/ports/1/hw_counters/lifespan", "10\n");
    put(DEVICE "infiniband/mlx5_0/hw_counters/np_cnp_sent", "9000\n");
    put(DEVICE "virtfn0/infiniband/mlx5_1/ports/1/hw_counters/np_cnp_sent", "30\n");
    put(DEVICE "virtfn0/infiniband/mlx5_1/ports/1/hw_counters/out_of_sequence", "4\n");
    put(DEVICE "virtfn1/infiniband/mlx5_2/hw_counters/np_ecn_marked_roce_packets", "500\n");
    put(DEVICE "virtfn1/infiniband/mlx5_2/ports/1/counters/port_rcv_data", "123\n");
    return setenv("SYSFS_PATH", root, 1);
}

static int remove_tree(void **state) {
    char command[64];
    (void)state;
    unsetenv("SYSFS_PATH");
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static void counters_of_a_port_and_its_functions_are_summed(void **state) {
    struct port_counters *counters;
    struct port_values values;
    (void)state;
    assert_int_equal(port_counters_open("lo", &counters, NULL), 0);
    port_counters_read(counters, &values);
    assert_int_equal(values.values[PORT_CNP_SENT], 37); // not the device's 9000: its port has one
    assert_int_equal(values.values[PORT_OUT_OF_SEQUENCE], 4);
    assert_int_equal(values.values[PORT_ECN_MARKED], 500);
    port_counters_close(counters);
}

static void a_counter_that_nobody_has_is_absent(void **state) {
    struct port_counters *counters;
    struct port_values values;
    (void)state;
    assert_int_equal(port_counters_open("lo", &counters, NULL), 0);
    port_counters_read(counters, &values);
    assert_true(values.values[PORT_RETRIES_EXCEEDED] == PORT_COUNTER_ABSENT);
    assert_true(values.priority[3][PORT_RX_PAUSES] == PORT_COUNTER_ABSENT);
    port_counters_close(counters);
}

static void the_next_reading_sees_new_values_through_kept_descriptors(void **state) {
    struct port_counters *counters;
    struct port_values values;
    (void)state;
    assert_int_equal(port_counters_open("lo", &counters, NULL), 0);
    put(DEVICE "virtfn0/infiniband/mlx5_1/ports/1/hw_counters/out_of_sequence", "6\n");
    port_counters_read(counters, &values);
    assert_int_equal(values.values[PORT_OUT_OF_SEQUENCE], 6);
    put(DEVICE "virtfn0/infiniband/mlx5_1/ports/1/hw_counters/out_of_sequence", "4\n");
    port_counters_close(counters);
}

static void one_of_the_rdma_counters_can_be_read_alone(void **state) {
    struct port_counters *counters;
    (void)state;
    assert_int_equal(port_counters_open("lo", &counters, NULL), 0);
    assert_int_equal(port_counters_read_rdma(counters, PORT_CNP_SENT), 37);
    assert_true(port_counters_read_rdma(counters, PORT_CNP_HANDLED) == PORT_COUNTER_ABSENT);
    port_counters_close(counters);
}

static void a_port_that_is_not_there_is_refused(void **state) {
    struct port_counters *counters = NULL;
    struct error error = {0};
    (void)state;
    assert_int_equal(port_counters_open("no-such-dev", &counters, &error), -ENODEV);
    assert_non_null(strstr(error.text, "no-such-dev"));
    assert_null(counters);
}

static void pauses_are_told_apart_by_priority_direction_and_kind(void **state) {
    static const struct {
        const char *name;
        bool ours;
        int priority;
        unsigned counter;
        uint64_t scale;
    } cases[] = {
        {"rx_prio3_pause", true, 3, PORT_RX_PAUSES, 1},
        {"tx_prio0_pause", true, 0, PORT_TX_PAUSES, 1},
        {"rx_prio7_pause_duration", true, 7, PORT_RX_PAUSE_NS, 1000},
        {"tx_prio3_pause_duration", true, 3, PORT_TX_PAUSE_NS, 1000},
        {"rx_prio3_buf_discard", true, 3, PORT_BUFFER_DISCARDS, 1},
        {"rx_discards_phy", true, -1, PORT_DISCARDS, 1},
        {"rx_prio8_pause", false, 0, 0, 0},
        {"rx_prio3_pause_transition", false, 0, 0, 0},
        {"rx_prio3_packets", false, 0, 0, 0},
        {"rx_prio", false, 0, 0, 0},
        {"rx_packets", false, 0, 0, 0},
        {"", false, 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int priority = 99;
        unsigned counter = 99;
        uint64_t scale = 0;
        bool ours = port_ethtool_find(cases[i].name, &priority, &counter, &scale);
        assert_int_equal(ours, cases[i].ours);
        if (ours) {
            assert_int_equal(priority, cases[i].priority);
            assert_int_equal(counter, cases[i].counter);
            assert_int_equal(scale, cases[i].scale);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_of_a_port_and_its_functions_are_summed),
        cmocka_unit_test(a_counter_that_nobody_has_is_absent),
        cmocka_unit_test(the_next_reading_sees_new_values_through_kept_descriptors),
        cmocka_unit_test(one_of_the_rdma_counters_can_be_read_alone),
        cmocka_unit_test(a_port_that_is_not_there_is_refused),
        cmocka_unit_test(pauses_are_told_apart_by_priority_direction_and_kind),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
