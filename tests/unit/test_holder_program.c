// SPDX-License-Identifier: Apache-2.0
// The program srv6-holder with the real mlx5 driver, over the unmodified library and an emulated
// card (libfakecx.so). What the card holds is seen by what the holder says of it and, when it ends
// well, by the list of objects that it leaves.
//
// Environment: HOLDER and FAKECX, the program and the library.
#include "nic_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nicdrv/nic.h"

#define TRIES 1000
#define PAUSE_US 10000
#define PATHS 64
#define FLOWS 10000

struct bench {
    char folder[64], socket[96], card[96];
    pid_t pid;
    struct nic *nic;
    struct rule_set wanted;
    struct error error;
};

static pid_t start(struct bench *bench, bool with_card) {
    pid_t pid = fork();
    if (pid == 0) {
        char output[128];
        snprintf(output, sizeof output, "%s/output", bench->folder);
        int fd = open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, STDERR_FILENO);
        if (with_card) {
            setenv("LD_PRELOAD", getenv("FAKECX"), 1);
            setenv("FAKECX_DIR", bench->card, 1);
            setenv("FAKECX_NETDEV", "lo", 1);
        }
        execl(getenv("HOLDER"), "srv6-holder", "--socket", bench->socket, "--verbose", NULL);
        _exit(127);
    }
    return pid;
}

static int end_of(pid_t pid) {
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int attach(struct bench *bench) {
    struct nic_options options = {.device = "lo",
                                  .holder = bench->socket,
                                  .eswitch = {.vport = 1,
                                              .vport_mac = {2, 0, 0, 0, 0, 1},
                                              .gateway_mac = {2, 0, 0, 0, 0, 2}}};
    int rc = -ENOENT;
    for (int i = 0; i < TRIES && (rc == -ENOENT || rc == -ECONNREFUSED); i++) {
        usleep(i == 0 ? 0 : PAUSE_US);
        rc = nic_open("mlx5", &options, &bench->nic, &bench->error);
    }
    return rc;
}

static int setup(void **state) {
    static struct bench bench;
    bench = (struct bench){.folder = "/tmp/holder-card-XXXXXX"};
    assert_non_null(mkdtemp(bench.folder));
    snprintf(bench.socket, sizeof bench.socket, "%s/h.sock", bench.folder);
    snprintf(bench.card, sizeof bench.card, "%s/card", bench.folder);
    assert_int_equal(mkdir(bench.card, 0700), 0);
    rule_set_init(&bench.wanted);
    bench.pid = start(&bench, true);
    *state = &bench;
    return 0;
}

static int teardown(void **state) {
    struct bench *bench = *state;
    char command[128];
    nic_close(bench->nic, false);
    if (bench->pid > 0) {
        kill(bench->pid, SIGKILL);
        (void)end_of(bench->pid);
    }
    rule_set_fini(&bench->wanted);
    snprintf(command, sizeof command, "rm -rf '%s'", bench->folder);
    return system(command);
}

// As many flows as a busy host has, over as many paths: half of the paths move with `turn`.
static void want(struct bench *bench, uint32_t flows, int turn) {
    rule_set_clear(&bench->wanted);
    for (uint32_t i = 0; i < flows; i++) {
        struct rule_match match =
            match_to((uint8_t)(1 + i / 1000), RULE_KEY_SPORT, 49152 + i % 1000);
        int path = 1 + (int)(i % PATHS) + (i % 2 == 0 ? turn * PATHS : 0);
        add_rule(&bench->wanted, match, RULE_SINGLE, path, 0);
    }
    seal(&bench->wanted);
}

static void apply(struct bench *bench) {
    if (nic_apply(bench->nic, &bench->wanted, &bench->error) != 0) {
        fail_msg("%s", bench->error.text);
    }
    assert_true(rule_set_equal(&bench->nic->applied, &bench->wanted));
}

static void must_attach(struct bench *bench) {
    if (attach(bench) != 0) {
        fail_msg("%s", bench->error.text);
    }
}

static bool has_said(const struct bench *bench, const char *text) {
    char command[256];
    snprintf(command, sizeof command, "grep -q '%s' '%s/output'", text, bench->folder);
    return system(command) == 0;
}

static void an_agent_that_comes_back_finds_the_card_as_it_left_it(void **state) {
    struct bench *bench = *state;
    struct nic_capabilities can;
    must_attach(bench);
    bench->nic->driver->capabilities(bench->nic, &can);
    assert_true(can.srh && !can.per_qp && !can.spray);
    assert_string_equal(bench->nic->attachment, "eswitch");
    want(bench, FLOWS, 0);
    apply(bench);
    want(bench, FLOWS, 1);
    apply(bench);
    for (int i = 0; i < 3; i++) {
        nic_close(bench->nic, false);
        bench->nic = NULL;
        must_attach(bench);
        assert_true(rule_set_equal(&bench->nic->applied, &bench->wanted));
        assert_false(bench->nic->unsettled);
    }
}

static void what_ends_with_the_holder_is_made_again(void **state) {
    struct bench *bench = *state;
    must_attach(bench);
    want(bench, 100, 0);
    apply(bench);
    kill(bench->pid, SIGKILL);
    (void)end_of(bench->pid);
    struct pollfd fd = {bench->nic->watch_fd, POLLIN, 0};
    assert_int_equal(poll(&fd, 1, 10000), 1);
    assert_int_equal(bench->nic->driver->review(bench->nic, &bench->error), -ENOTCONN);
    assert_int_equal(bench->nic->applied.rule_count, 0);
    bench->pid = start(bench, true);
    int rc = -1;
    for (int i = 0; i < TRIES && rc != 0; i++) { // as the agent does
        usleep(PAUSE_US);
        rc = nic_apply(bench->nic, &bench->wanted, &bench->error);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(bench->nic->applied.rule_count, 100);
    assert_true(has_said(bench, "holds 100 rules"));
}

static void what_the_firmware_refuses_is_told_and_leaves_what_was(void **state) {
    struct bench *bench = *state;
    char from[128], to[128];
    must_attach(bench);
    want(bench, 10, 0);
    apply(bench);
    snprintf(from, sizeof from, "%s/faults.new", bench->card);
    snprintf(to, sizeof to, "%s/faults", bench->card);
    FILE *file = fopen(from, "w");
    fputs("reformat after=1\n", file);
    fclose(file);
    assert_int_equal(rename(from, to), 0);
    want(bench, 10, 1);
    assert_true(nic_apply(bench->nic, &bench->wanted, &bench->error) < 0);
    print_message("%s\n", bench->error.text);
    assert_int_equal(bench->nic->applied.rule_count, 10);
    assert_true(has_said(bench, "refused 10 rules"));
    assert_int_equal(unlink(to), 0);
    apply(bench);
}

static void a_holder_that_is_asked_to_end_leaves_nothing_in_the_card(void **state) {
    struct bench *bench = *state;
    char command[256];
    must_attach(bench);
    want(bench, 100, 0);
    apply(bench);
    kill(bench->pid, SIGTERM);
    int status = end_of(bench->pid);
    bench->pid = 0;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    snprintf(command, sizeof command, "test -e '%s/objects' && ! grep . '%s/objects'", bench->card,
             bench->card);
    assert_int_equal(system(command), 0);
    assert_int_equal(access(bench->socket, F_OK), -1);
}

static void a_second_holder_says_so_and_exits_with_7(void **state) {
    struct bench *bench = *state;
    must_attach(bench);
    int status = end_of(start(bench, true));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    assert_true(has_said(bench, "another holder serves it"));
}

static void without_a_card_the_agent_is_told_why(void **state) {
    struct bench *bench = *state;
    kill(bench->pid, SIGKILL);
    (void)end_of(bench->pid);
    bench->pid = start(bench, false);
    int rc = attach(bench);
    assert_true(rc < 0 && rc != -ENOENT && rc != -ECONNREFUSED);
    print_message("%s\n", bench->error.text);
    assert_non_null(strstr(bench->error.text, "lo"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_agent_that_comes_back_finds_the_card_as_it_left_it),
        TEST(what_ends_with_the_holder_is_made_again),
        TEST(what_the_firmware_refuses_is_told_and_leaves_what_was),
        TEST(a_holder_that_is_asked_to_end_leaves_nothing_in_the_card),
        TEST(a_second_holder_says_so_and_exits_with_7),
        TEST(without_a_card_the_agent_is_told_why),
    };
    if (getenv("HOLDER") == NULL || getenv("FAKECX") == NULL) {
        fprintf(stderr, "skipped: HOLDER and FAKECX must name the program and the library\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
