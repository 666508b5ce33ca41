// SPDX-License-Identifier: Apache-2.0
// Agent and holder: attaching, adopting, losing each other. The holder is a process of its own.
#include "nic_rules.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "holder_bed.h"

struct bench {
    struct holder_bed holder;
    struct nic *nic;
    struct rule_set wanted;
    struct error error;
};

static int setup(void **state) {
    static struct bench bench;
    bench = (struct bench){.holder = holder_bed_open()};
    rule_set_init(&bench.wanted);
    add_rule(&bench.wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 7, 8, 0);
    add_rule(&bench.wanted, match_to(2, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 9, 0);
    seal(&bench.wanted);
    *state = &bench;
    return 0;
}

static int teardown(void **state) {
    struct bench *bench = *state;
    nic_close(bench->nic, false);
    rule_set_fini(&bench->wanted);
    holder_bed_close(&bench->holder);
    return 0;
}

static void attach(struct bench *bench) {
    if (holder_bed_attach(&bench->holder, "eth1", &bench->nic, &bench->error) != 0) {
        fail_msg("%s", bench->error.text);
    }
}

static void apply(struct bench *bench) {
    if (nic_apply(bench->nic, &bench->wanted, &bench->error) != 0) {
        fail_msg("%s", bench->error.text);
    }
    assert_true(rule_set_equal(&bench->nic->applied, &bench->wanted));
}

static void leave(struct bench *bench) {
    nic_close(bench->nic, false);
    bench->nic = NULL;
}

static void keep_counter(void *context, const struct nic_counter *counter) {
    ((struct nic_counter *)context)[counter->match.destination[15]] = *counter;
}

static void keep_qp(void *context, const struct nic_qp *qp) {
    *(struct nic_qp *)context = *qp;
}

static void an_agent_attaches_applies_and_reads(void **state) {
    struct bench *bench = *state;
    struct nic_capabilities capabilities;
    struct nic_counter kept[3] = {0};
    struct nic_qp qp = {0};
    uint64_t totals[3];
    attach(bench);
    assert_int_equal(bench->nic->applied.rule_count, 0);
    assert_string_equal(bench->nic->attachment, "trial");
    bench->nic->driver->capabilities(bench->nic, &capabilities);
    assert_true(capabilities.srh && !capabilities.per_qp);
    apply(bench);
    assert_int_equal(bench->holder.counts->applies, 1);
    assert_int_equal(bench->nic->driver->counters(bench->nic, keep_counter, kept), 0);
    assert_int_equal(kept[1].packets, 100);
    assert_int_equal(kept[2].bytes, 1001);
    assert_int_equal(bench->nic->driver->qps(bench->nic, keep_qp, &qp), 0);
    assert_int_equal(qp.qp, 17);
    bench->nic->driver->totals(bench->nic, &totals[0], &totals[1], &totals[2]);
    assert_int_equal(totals[0], 2);
    assert_int_equal(totals[2], 3);
    assert_int_equal(bench->nic->driver->review(bench->nic, &bench->error), 0);
}

// In a process that is killed, as an agent is.
static void apply_and_die(struct bench *bench) {
    pid_t pid = fork();
    if (pid == 0) {
        struct nic *nic = NULL;
        bool done = holder_bed_attach(&bench->holder, "eth1", &nic, NULL) == 0 &&
                    nic_apply(nic, &bench->wanted, NULL) == 0;
        raise(done ? SIGKILL : SIGABRT);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void the_successor_of_a_killed_agent_adopts_and_applies_nothing(void **state) {
    struct bench *bench = *state;
    apply_and_die(bench);
    attach(bench);
    assert_true(rule_set_equal(&bench->nic->applied, &bench->wanted));
    assert_false(bench->nic->unsettled);
    apply(bench);
    assert_int_equal(bench->holder.counts->opens, 1);
    assert_int_equal(bench->holder.counts->applies, 1);
}

static void a_second_agent_is_refused_with_the_process_of_the_first(void **state) {
    struct bench *bench = *state;
    char own[32];
    attach(bench);
    apply(bench);
    struct nic_options options = {.device = "eth1", .holder = bench->holder.socket};
    struct nic *second = NULL;
    assert_int_equal(nic_open("mlx5", &options, &second, &bench->error), -EBUSY);
    assert_null(second);
    snprintf(own, sizeof own, "process %d", (int)getpid());
    assert_non_null(strstr(bench->error.text, own));
    struct nic *other = NULL; // another NIC is none of the first's
    assert_int_equal(holder_bed_attach(&bench->holder, "eth2", &other, &bench->error), 0);
    assert_int_equal(other->applied.rule_count, 0);
    nic_close(other, false);
    leave(bench);
    attach(bench);
    assert_true(rule_set_equal(&bench->nic->applied, &bench->wanted));
}

static void what_is_removed_is_gone_for_the_successor(void **state) {
    struct bench *bench = *state;
    attach(bench);
    apply(bench);
    nic_close(bench->nic, true);
    bench->nic = NULL;
    assert_int_equal(bench->holder.counts->closes, 1); // close waits for that
    attach(bench);
    assert_int_equal(bench->nic->applied.rule_count, 0);
}

static void other_options_take_effect_with_the_next_set(void **state) {
    struct bench *bench = *state;
    struct nic_options options = {.device = "eth1", .holder = bench->holder.socket};
    attach(bench);
    apply(bench);
    leave(bench);
    options.eswitch.vport = 3;
    int rc = -EBUSY;
    for (int i = 0; i < 500 && rc == -EBUSY; i++) {
        usleep(10000);
        rc = nic_open("mlx5", &options, &bench->nic, &bench->error);
    }
    assert_int_equal(rc, 0);
    assert_true(rule_set_equal(&bench->nic->applied, &bench->wanted)); // they still forward
    assert_true(bench->nic->unsettled);
    assert_int_equal(bench->holder.counts->opens, 1);
    apply(bench);
    assert_false(bench->nic->unsettled);
    assert_int_equal(bench->holder.counts->opens, 2);
    assert_int_equal(bench->holder.counts->applies, 2);
}

static void a_refused_set_leaves_what_was_there_and_says_why(void **state) {
    struct bench *bench = *state;
    struct rule_set before;
    attach(bench);
    apply(bench);
    rule_set_init(&before);
    assert_int_equal(rule_set_copy(&bench->wanted, &before), 0);
    add_rule(&bench->wanted, match_to(3, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 9, 0);
    seal(&bench->wanted);
    holder_bed_order(&bench->holder, HOLDER_BED_FAIL);
    usleep(100000); // until the driver has it
    assert_int_equal(nic_apply(bench->nic, &bench->wanted, &bench->error), -ENOSPC);
    assert_non_null(strstr(bench->error.text, "as the test asked"));
    assert_true(rule_set_equal(&bench->nic->applied, &before));
    apply(bench);
    rule_set_fini(&before);
}

static int wait_for_news(struct bench *bench) {
    struct pollfd fd = {bench->nic->watch_fd, POLLIN, 0};
    assert_int_equal(poll(&fd, 1, 10000), 1);
    return bench->nic->driver->review(bench->nic, &bench->error);
}

static void what_the_card_loses_is_told_and_comes_back_with_the_next_set(void **state) {
    struct bench *bench = *state;
    attach(bench);
    apply(bench);
    holder_bed_order(&bench->holder, HOLDER_BED_LOSE);
    assert_int_equal(wait_for_news(bench), -EIO);
    assert_string_equal(bench->error.text, "eth1: the card is ? gone");
    assert_int_equal(bench->nic->applied.rule_count, 0);
    assert_true(bench->nic->unsettled);
    assert_int_equal(bench->nic->driver->review(bench->nic, &bench->error), 0); // said once
    apply(bench);
    assert_int_equal(bench->holder.counts->applies, 2);
}

static void a_loss_that_comes_before_an_answer_is_not_overheard(void **state) {
    struct bench *bench = *state;
    struct nic_counter kept[3] = {0};
    attach(bench);
    apply(bench);
    holder_bed_order(&bench->holder, HOLDER_BED_LOSE);
    usleep(100000); // LOST waits in the socket
    assert_int_equal(bench->nic->driver->counters(bench->nic, keep_counter, kept), 0);
    assert_int_equal(kept[1].packets, 0);
    assert_int_equal(bench->nic->driver->review(bench->nic, &bench->error), -EIO);
}

static void a_loss_while_no_agent_is_there_is_seen_by_the_next(void **state) {
    struct bench *bench = *state;
    attach(bench);
    apply(bench);
    leave(bench);
    holder_bed_order(&bench->holder, HOLDER_BED_LOSE);
    usleep(100000);
    attach(bench);
    assert_int_equal(bench->nic->applied.rule_count, 0);
    assert_true(bench->nic->unsettled);
    apply(bench);
}

static void a_killed_holder_is_noticed_and_its_successor_gets_the_rules(void **state) {
    struct bench *bench = *state;
    attach(bench);
    apply(bench);
    (void)holder_bed_stop(&bench->holder, SIGKILL);
    assert_int_equal(wait_for_news(bench), -ENOTCONN);
    assert_non_null(strstr(bench->error.text, "is gone"));
    assert_int_equal(bench->nic->applied.rule_count, 0);
    assert_int_equal(bench->nic->watch_fd, -1);
    assert_int_equal(nic_apply(bench->nic, &bench->wanted, &bench->error), -ECONNREFUSED);
    assert_non_null(strstr(bench->error.text, "start it"));
    holder_bed_start(&bench->holder);
    apply(bench);
    assert_int_equal(bench->holder.counts->applies, 1);
    assert_true(bench->nic->watch_fd >= 0);
}

static void a_holder_that_dies_unnoticed_fails_the_next_set(void **state) {
    struct bench *bench = *state;
    attach(bench);
    apply(bench);
    (void)holder_bed_stop(&bench->holder, SIGKILL);
    bench->nic->unsettled = true;
    assert_int_equal(nic_apply(bench->nic, &bench->wanted, &bench->error), -ENOTCONN);
    assert_int_equal(bench->nic->applied.rule_count, 0);
}

static void a_stopped_holder_ends_well_and_takes_its_socket_away(void **state) {
    struct bench *bench = *state;
    attach(bench);
    int status = holder_bed_stop(&bench->holder, SIGTERM);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(access(bench->holder.socket, F_OK), -1);
    assert_int_equal(wait_for_news(bench), -ENOTCONN);
    struct nic *nic = NULL;
    assert_int_equal(holder_bed_attach(&bench->holder, "eth1", &nic, &bench->error), -ENOENT);
    assert_non_null(strstr(bench->error.text, "no srv6-holder serves"));
}

static void a_full_table_goes_in_and_is_adopted(void **state) {
    struct bench *bench = *state;
    rule_set_clear(&bench->wanted);
    for (uint32_t i = 0; i < RULES_MAX; i++) {
        add_rule(&bench->wanted, match_to((uint8_t)(i >> 12), RULE_KEY_QP, i), RULE_SINGLE,
                 1 + (int)(i % 64), 0);
    }
    seal(&bench->wanted);
    apply_and_die(bench);
    attach(bench);
    assert_int_equal(bench->nic->applied.rule_count, RULES_MAX);
    assert_true(rule_set_equal(&bench->nic->applied, &bench->wanted));
    apply(bench);
    assert_int_equal(bench->holder.counts->applies, 1);
}

static void only_the_holders_user_may_attach(void **state) {
    struct bench *bench = *state;
    struct stat status;
    assert_int_equal(stat(bench->holder.socket, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    if (geteuid() != 0) {
        print_message("not root: nobody else to be\n");
        skip();
    }
    assert_int_equal(chmod(bench->holder.socket, 0666), 0); // even then
    assert_int_equal(chmod(bench->holder.folder, 0755), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct nic *nic = NULL;
        struct error error = {0};
        bool refused = setuid(65534) == 0 &&
                       holder_bed_attach(&bench->holder, "eth1", &nic, &error) == -EPERM &&
                       strstr(error.text, "user 65534 may not attach") != NULL;
        fprintf(stderr, "%s\n", error.text);
        _exit(refused ? 0 : 1);
    }
    int code = 0;
    assert_int_equal(waitpid(pid, &code, 0), pid);
    assert_int_equal(code, 0);
    attach(bench);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_agent_attaches_applies_and_reads),
        TEST(the_successor_of_a_killed_agent_adopts_and_applies_nothing),
        TEST(a_second_agent_is_refused_with_the_process_of_the_first),
        TEST(what_is_removed_is_gone_for_the_successor),
        TEST(other_options_take_effect_with_the_next_set),
        TEST(a_refused_set_leaves_what_was_there_and_says_why),
        TEST(what_the_card_loses_is_told_and_comes_back_with_the_next_set),
        TEST(a_loss_that_comes_before_an_answer_is_not_overheard),
        TEST(a_loss_while_no_agent_is_there_is_seen_by_the_next),
        TEST(a_killed_holder_is_noticed_and_its_successor_gets_the_rules),
        TEST(a_holder_that_dies_unnoticed_fails_the_next_set),
        TEST(a_stopped_holder_ends_well_and_takes_its_socket_away),
        TEST(a_full_table_goes_in_and_is_adopted),
        TEST(only_the_holders_user_may_attach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
