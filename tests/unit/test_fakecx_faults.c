// SPDX-License-Identifier: Apache-2.0
// The emulated card's faults, as the real library passes them on.
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rdma/ib_user_verbs.h>

#include "cmocka_all.h"
#include "fakecx_bed.h"

// libmlx5 44 loses a table of its own when the first write to it fails.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libmlx5.so";
}

static int no_faults(void **state) {
    (void)state;
    fakecx_bed_fault(NULL);
    return 0;
}

// ---- reformats

static void the_nth_reformat_is_refused(void **state) {
    (void)state;
    struct fakecx_switch sw;
    fakecx_switch_make(&sw);
    struct mlx5dv_dr_action *before = fakecx_bed_encap(sw.domain, 54);
    fakecx_bed_fault("# one in three\nreformat after=1 times=1");
    struct mlx5dv_dr_action *first = fakecx_bed_encap(sw.domain, 54);
    assert_null(fakecx_bed_encap(sw.domain, 54));
    assert_int_equal(errno, ENOMEM);
    struct mlx5dv_dr_action *third = fakecx_bed_encap(sw.domain, 54);
    assert_true(before != NULL && first != NULL && third != NULL);
    assert_int_equal(fakecx_count("reformat"), 3);
    mlx5dv_dr_action_destroy(before);
    mlx5dv_dr_action_destroy(first);
    mlx5dv_dr_action_destroy(third);
    fakecx_switch_remove(&sw);
}

static void a_refusal_has_the_status_that_was_asked_for(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        int error;
    } cases[] = {{"reformat after=0 status=0x3", EINVAL},
                 {"reformat after=0 status=0xf", EAGAIN},
                 {"reformat after=0 times=3 status=1", EIO},
                 {"reformat", ENOMEM}};
    struct fakecx_switch sw;
    fakecx_switch_make(&sw);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fakecx_bed_fault(cases[i].lines);
        for (int k = 0; k < 2; k++) {
            assert_null(fakecx_bed_encap(sw.domain, 54));
            assert_int_equal(errno, cases[i].error);
        }
    }
    fakecx_bed_fault(NULL);
    struct mlx5dv_dr_action *encap = fakecx_bed_encap(sw.domain, 54);
    assert_non_null(encap);
    mlx5dv_dr_action_destroy(encap);
    fakecx_switch_remove(&sw);
}

// ---- steering memory

static void steering_memory_can_run_out(void **state) {
    (void)state;
    struct ibv_context *device = fakecx_bed_open();
    struct mlx5dv_dr_domain *domain = mlx5dv_dr_domain_create(device, MLX5DV_DR_DOMAIN_TYPE_FDB);
    assert_non_null(domain);
    fakecx_bed_fault("icm after=0");
    assert_null(mlx5dv_dr_table_create(domain, 1));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(fakecx_icm_bytes(), 0);
    fakecx_bed_fault(NULL);
    struct mlx5dv_dr_table *table = mlx5dv_dr_table_create(domain, 1);
    assert_non_null(table);
    assert_int_equal(mlx5dv_dr_table_destroy(table), 0);
    assert_int_equal(mlx5dv_dr_domain_destroy(domain), 0);
    ibv_close_device(device);
}

// A limit between the table's memory and that of header rewrites.
static void what_is_within_the_limit_is_there(void **state) {
    (void)state;
    struct ibv_context *device = fakecx_bed_open();
    struct mlx5dv_dr_domain *domain = mlx5dv_dr_domain_create(device, MLX5DV_DR_DOMAIN_TYPE_FDB);
    struct mlx5dv_dr_table *first = mlx5dv_dr_table_create(domain, 1);
    assert_non_null(first);
    char line[64];
    snprintf(line, sizeof(line), "icm after=%llu", (unsigned long long)fakecx_icm_bytes());
    fakecx_bed_fault(line);
    struct mlx5dv_dr_table *second = mlx5dv_dr_table_create(domain, 2);
    assert_non_null(second);
    __be64 rewrites[2] = {0x0107005200000010, 0x0107005300000010};
    assert_null(mlx5dv_dr_action_create_modify_header(domain, 0, sizeof(rewrites), rewrites));
    assert_int_equal(mlx5dv_dr_table_destroy(second), 0);
    assert_int_equal(mlx5dv_dr_table_destroy(first), 0);
    assert_int_equal(mlx5dv_dr_domain_destroy(domain), 0);
    ibv_close_device(device);
}

// As when a process dies: what it held is the next one's.
static void steering_memory_of_a_closed_device_is_free_again(void **state) {
    (void)state;
    for (int i = 0; i < 9; i++) { // eight fit
        struct ibv_context *device = fakecx_bed_open();
        struct mlx5dv_dr_domain *domain =
            mlx5dv_dr_domain_create(device, MLX5DV_DR_DOMAIN_TYPE_FDB);
        assert_non_null(domain);
        assert_non_null(mlx5dv_dr_table_create(domain, 1));
        assert_true(fakecx_icm_bytes() > 0);
        ibv_close_device(device);
        assert_int_equal(fakecx_icm_bytes(), 0);
    }
}

// ---- completions

// What the library does when it reads that the device failed: it waits for nothing any more.
static void tell_the_library_that_the_device_failed(struct ibv_context *device) {
    struct ib_uverbs_async_event_desc told = {.element = 1, .event_type = IBV_EVENT_DEVICE_FATAL};
    struct ibv_async_event event;
    int ends[2], async_fd = device->async_fd;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], &told, sizeof(told)), sizeof(told));
    device->async_fd = ends[0];
    assert_int_equal(ibv_get_async_event(device, &event), 0);
    device->async_fd = async_fd;
    close(ends[0]);
    close(ends[1]);
}

// libmlx5 44 does not get over it: it reports the error once for each completion that is there, and
// then waits for one that never comes, even in the removal of a rule.
static void a_completion_with_an_error_breaks_the_domain(void **state) {
    (void)state;
    enum { MOST = 200 };
    struct mlx5dv_dr_rule *rules[MOST];
    struct fakecx_switch lost, other;
    fakecx_switch_make(&lost);
    fakecx_bed_fault("cqe after=20 times=1");
    int made = 0;
    while (made < MOST && (rules[made] = fakecx_switch_flow(&lost, (uint32_t)made)) != NULL) {
        made++;
    }
    assert_in_range(made, 1, MOST - 1);
    fakecx_switch_make(&other); // has queues of its own
    struct mlx5dv_dr_rule *rule = fakecx_switch_flow(&other, 1);
    assert_non_null(rule);
    assert_int_equal(mlx5dv_dr_rule_destroy(rule), 0);
    tell_the_library_that_the_device_failed(lost.device);
    for (int i = 0; i < made; i++) {
        assert_int_equal(mlx5dv_dr_rule_destroy(rules[i]), 0);
    }
    fakecx_switch_remove(&lost);
    fakecx_switch_remove(&other);
    assert_string_equal(fakecx_bed_objects(), "");
}

// ---- the device

static int event_within(struct ibv_context *device, int timeout_ms) {
    struct pollfd poll_fd = {.fd = device->async_fd, .events = POLLIN};
    struct ibv_async_event event;
    if (poll(&poll_fd, 1, timeout_ms) != 1 || ibv_get_async_event(device, &event) != 0) {
        return -1;
    }
    ibv_ack_async_event(&event);
    return (int)event.event_type;
}

static void a_fatal_device_says_so_and_answers_no_more(void **state) {
    (void)state;
    struct ibv_context *device = fakecx_bed_open();
    uint32_t id;
    struct mlx5dv_devx_obj *counter = fakecx_bed_counter(device, 0, &id);
    assert_non_null(counter);
    assert_int_equal(event_within(device, 0), -1);
    fakecx_bed_fault("fatal");
    assert_int_equal(event_within(device, 5000), IBV_EVENT_DEVICE_FATAL); // nobody called anything
    assert_null(fakecx_bed_counter(device, 0, &id));
    assert_int_equal(errno, EIO);
    assert_int_equal(mlx5dv_devx_obj_destroy(counter), EIO);
    assert_null(fakecx_bed_open());
    assert_int_equal(errno, EIO);
    fakecx_bed_fault(NULL);
    struct ibv_context *again = fakecx_bed_open();
    assert_non_null(again);
    assert_null(fakecx_bed_counter(device, 0, &id)); // the old one is dead for good
    assert_int_equal(event_within(device, 0), -1);
    assert_int_equal(ibv_close_device(again), 0);
    assert_int_equal(ibv_close_device(device), 0);
    free(counter);
}

static void before_the_kernel_lets_go_what_is_there_can_be_removed(void **state) {
    (void)state;
    struct fakecx_switch sw;
    fakecx_switch_make(&sw);
    struct mlx5dv_dr_rule *rule = fakecx_switch_flow(&sw, 1);
    struct mlx5dv_dr_action *encap = fakecx_bed_encap(sw.domain, 54);
    assert_true(rule != NULL && encap != NULL);
    fakecx_bed_fault("fatal destroys=ok queue=silent");
    assert_int_equal(event_within(sw.device, 5000), IBV_EVENT_DEVICE_FATAL);
    assert_null(fakecx_bed_encap(sw.domain, 54));
    assert_int_equal(errno, EIO);
    assert_int_equal(mlx5dv_dr_rule_destroy(rule), 0);
    assert_int_equal(mlx5dv_dr_action_destroy(encap), 0);
    fakecx_switch_remove(&sw);
    assert_string_equal(fakecx_bed_objects(), "");
}

// ---- the file

static void a_line_that_cannot_be_read_ends_the_process(void **state) {
    (void)state;
    static const char *const lines[] = {"reformat often",  "reformat after=",       "icm after=12k",
                                        "rformat after=1", "reformat status=0x100", "fatal now"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            dup2(ends[1], 2);
            fakecx_bed_fault(lines[i]);
            _exit(0);
        }
        char text[512] = "";
        int status;
        close(ends[1]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
        close(ends[0]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
        assert_non_null(strstr(text, "/faults:1: cannot read '"));
        fakecx_bed_fault(NULL);
    }
}

int main(void) {
    fakecx_bed_begin();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_line_that_cannot_be_read_ends_the_process, no_faults),
        cmocka_unit_test_teardown(the_nth_reformat_is_refused, no_faults),
        cmocka_unit_test_teardown(a_refusal_has_the_status_that_was_asked_for, no_faults),
        cmocka_unit_test_teardown(steering_memory_can_run_out, no_faults),
        cmocka_unit_test_teardown(what_is_within_the_limit_is_there, no_faults),
        cmocka_unit_test_teardown(before_the_kernel_lets_go_what_is_there_can_be_removed,
                                  no_faults),
        cmocka_unit_test_teardown(a_completion_with_an_error_breaks_the_domain, no_faults),
        cmocka_unit_test_teardown(a_fatal_device_says_so_and_answers_no_more, no_faults),
        cmocka_unit_test(steering_memory_of_a_closed_device_is_free_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
