// SPDX-License-Identifier: Apache-2.0
// CNPs that only a port's counter tells of: a tree of files as sysfs has it, the loop, the thread
// that watches, and what the engine makes of it.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_bed.h"
#include "cmocka_all.h"
#include "side.h"

static char root[32];
#define HW_COUNTERS "class/net/lo/device/infiniband/mlx5_0/ports/1/hw_counters"

// In one step, as a reader of sysfs sees it.
static void put(unsigned count) {
    char path[256], text[16];
    snprintf(path, sizeof path, "%s/%s/rp_cnp_handled", root, HW_COUNTERS);
    int size = snprintf(text, sizeof text, "%010u\n", count);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(pwrite(fd, text, (size_t)size, 0), size);
    close(fd);
}

static int setup(void **state) {
    char command[320];
    memcpy(root, "/tmp/srv6-test-cnps-XXXXXX", sizeof "/tmp/srv6-test-cnps-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(command, sizeof command, "mkdir -p %s/%s", root, HW_COUNTERS);
    assert_int_equal(system(command), 0);
    put(100);
    setenv("SYSFS_PATH", root, 1);
    struct agent_bed *bed = agent_bed_open();
    snprintf(bed->agent.ports[0].device, sizeof bed->agent.ports[0].device, "lo");
    assert_int_equal(uv_loop_init(&bed->agent.loop), 0);
    assert_int_equal(agent_cnps_start(&bed->agent), 0);
    *state = bed;
    return 0;
}

static void close_handle(uv_handle_t *handle, void *context) {
    (void)context;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static int teardown(void **state) {
    struct agent_bed *bed = *state;
    char command[64];
    agent_cnps_close(&bed->agent);
    uv_walk(&bed->agent.loop, close_handle, NULL);
    uv_run(&bed->agent.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bed->agent.loop), 0);
    free(bed->agent.rdma.facts.qps);
    agent_bed_close(bed);
    unsetenv("SYSFS_PATH");
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static uint64_t told(const struct agent_bed *bed) {
    struct engine_stats stats;
    engine_stats(bed->agent.engine, &stats);
    return stats.cnps_of_port;
}

static void turn(struct agent_bed *bed, unsigned ms) {
    for (unsigned i = 0; i < ms; i++) {
        uv_run(&bed->agent.loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
}

// As rdma.c finds it: the port has such a counter.
static void is_known(struct agent_bed *bed) {
    bed->agent.rdma.facts.qps = calloc(1, sizeof *bed->agent.rdma.facts.qps);
    memset(&bed->agent.rdma.facts.ports[0], 0xff, sizeof bed->agent.rdma.facts.ports[0]);
    bed->agent.rdma.facts.ports[0].values[PORT_CNP_HANDLED] = 100;
}

static void what_a_port_counts_is_told_as_it_grows(void **state) {
    struct agent_bed *bed = *state;
    agent_cnps_look(&bed->agent);
    assert_null(bed->agent.cnps.side); // nobody said that the port counts them
    is_known(bed);
    agent_cnps_look(&bed->agent);
    turn(bed, 200);
    assert_int_equal(told(bed), 0); // those of before are no news
    put(107);
    for (unsigned i = 0; i < 5000 && told(bed) == 0; i++) {
        turn(bed, 1);
    }
    assert_int_equal(told(bed), 7);
    put(3); // its functions came anew
    agent_cnps_look(&bed->agent);
    turn(bed, 200);
    assert_int_equal(told(bed), 7);
    put(5);
    for (unsigned i = 0; i < 5000 && told(bed) == 7; i++) {
        turn(bed, 1);
    }
    assert_int_equal(told(bed), 9);
}

static void a_counter_that_goes_away_ends_the_watch(void **state) {
    struct agent_bed *bed = *state;
    is_known(bed);
    char path[256];
    snprintf(path, sizeof path, "%s/%s/rp_cnp_handled", root, HW_COUNTERS);
    assert_int_equal(remove(path), 0);
    agent_cnps_look(&bed->agent);
    for (unsigned i = 0; i < 5000 && side_is_busy(bed->agent.cnps.side); i++) {
        turn(bed, 1);
    }
    assert_false(side_is_busy(bed->agent.cnps.side));
    assert_int_equal(told(bed), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_port_counts_is_told_as_it_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_counter_that_goes_away_ends_the_watch, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
