// SPDX-License-Identifier: Apache-2.0
// What a client may do to a holder, and the holder goes on: nonsense, half messages, silence,
// death; and what else may sit at its socket's path.
#include "nic_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "holder_bed.h"
#include "holder_stream.h"
#include "model/rng.h"
#include "nicdrv/holder.h"
#include "nicdrv/mem.h"

#define PATIENCE_MS 10000

struct bench {
    struct holder_bed holder;
    struct holder_stream stream; // a client that writes its messages itself
    struct holder_message answer;
    struct rule_set set;
};

static int setup(void **state) {
    static struct bench bench;
    bench = (struct bench){.holder = holder_bed_open()};
    holder_stream_init(&bench.stream, holder_bed_connect(&bench.holder));
    rule_set_init(&bench.set);
    add_rule(&bench.set, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    seal(&bench.set);
    *state = &bench;
    return 0;
}

// Whatever a test did: the holder is the same process, and serves.
static int teardown(void **state) {
    struct bench *bench = *state;
    struct nic *nic = NULL;
    struct error error = {0};
    holder_stream_fini(&bench->stream);
    assert_int_equal(holder_bed_attach(&bench->holder, "last", &nic, &error), 0);
    nic_close(nic, false);
    int status = holder_bed_stop(&bench->holder, SIGTERM);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    holder_message_fini(&bench->answer);
    rule_set_fini(&bench->set);
    holder_bed_close(&bench->holder);
    return 0;
}

static struct mp_writer *begin(struct bench *bench, size_t *mark) {
    return holder_stream_begin(&bench->stream, mark);
}

static void send_message(struct bench *bench, size_t mark) {
    assert_int_equal(holder_stream_end(&bench->stream, mark), 0);
    while (holder_stream_flush(&bench->stream) == -EAGAIN) {
        usleep(1000);
    }
}

// False: the holder has ended the connection.
static bool next_answer(struct bench *bench) {
    const uint8_t *bytes;
    size_t size;
    int rc;
    while (!holder_stream_take(&bench->stream, &bytes, &size, &rc)) {
        struct pollfd fd = {bench->stream.fd, POLLIN, 0};
        assert_int_equal(rc, 0);
        assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
        rc = holder_stream_fill(&bench->stream);
        if (rc != 0 && rc != -EAGAIN) {
            return false;
        }
    }
    holder_message_fini(&bench->answer);
    assert_int_equal(holder_decode(bytes, size, &bench->answer, NULL), 0);
    return true;
}

static void expect_answer(struct bench *bench, enum holder_kind kind) {
    assert_true(next_answer(bench));
    if (bench->answer.kind != kind) {
        fail_msg("kind %d: %s", (int)bench->answer.kind, bench->answer.error.text);
    }
}

static void expect_refusal(struct bench *bench, int code, const char *text) {
    expect_answer(bench, HOLDER_FAILED);
    assert_int_equal(bench->answer.error.code, code);
    if (strstr(bench->answer.error.text, text) == NULL) {
        fail_msg("%s", bench->answer.error.text);
    }
    assert_false(next_answer(bench));
}

static void say_hello(struct bench *bench, uint32_t lowest, uint32_t highest) {
    size_t mark;
    holder_put_hello(begin(bench, &mark), lowest, highest);
    send_message(bench, mark);
}

static void open_device(struct bench *bench) {
    size_t mark;
    say_hello(bench, 1, 1);
    expect_answer(bench, HOLDER_HELLO);
    holder_put_open(begin(bench, &mark), "eth1", &(struct nic_eswitch_options){0});
    send_message(bench, mark);
    expect_answer(bench, HOLDER_OPENED);
}

// The holder sees the end of the old connection before it takes the new one.
static void reconnect(struct bench *bench) {
    holder_stream_fini(&bench->stream);
    holder_stream_init(&bench->stream, holder_bed_connect(&bench->holder));
}

static void an_agent_that_speaks_later_versions_too_is_served(void **state) {
    struct bench *bench = *state;
    say_hello(bench, 1, 9);
    expect_answer(bench, HOLDER_HELLO);
    assert_int_equal(bench->answer.highest, HOLDER_VERSION);
}

static void an_agent_of_other_versions_is_told_which_there_are(void **state) {
    struct bench *bench = *state;
    say_hello(bench, HOLDER_VERSION + 1, 9);
    expect_refusal(bench, -EPROTONOSUPPORT, "versions 2 to 9");
    reconnect(bench);
    say_hello(bench, 0, 0);
    expect_refusal(bench, -EPROTONOSUPPORT, "versions 0 to 0");
}

static void a_message_at_the_wrong_time_is_refused(void **state) {
    struct bench *bench = *state;
    size_t mark;
    holder_put_apply(begin(bench, &mark), &bench->set);
    send_message(bench, mark);
    expect_refusal(bench, -EPROTO, "wrong time");
    reconnect(bench);
    open_device(bench);
    say_hello(bench, 1, 1);
    expect_refusal(bench, -EPROTO, "wrong time");
    reconnect(bench);
    open_device(bench);
    holder_put_totals(begin(bench, &mark), 1, 2, 3); // an answer to nothing
    send_message(bench, mark);
    expect_refusal(bench, -EPROTO, "wrong time");
    assert_int_equal(bench->holder.counts->applies, 0);
}

static void send_raw(struct bench *bench, const void *bytes, size_t size) {
    assert_int_equal(send(bench->stream.fd, bytes, size, MSG_NOSIGNAL), size);
}

static void a_message_that_is_too_long_is_refused_before_it_comes(void **state) {
    struct bench *bench = *state;
    send_raw(bench, "\xff\xff\xff\xff", 4);
    expect_refusal(bench, -EPROTO, "more than");
    reconnect(bench);
    send_raw(bench, "\x02\x00\x00\x01", 4);
    expect_refusal(bench, -EPROTO, "more than");
    reconnect(bench);
    send_raw(bench, "\x00\x00\x00\x00", 4);
    expect_refusal(bench, -EPROTO, "not understood");
}

static void a_device_that_cannot_be_one_is_refused(void **state) {
    struct bench *bench = *state;
    size_t mark;
    say_hello(bench, 1, 1);
    expect_answer(bench, HOLDER_HELLO);
    holder_put_open(begin(bench, &mark), "", &(struct nic_eswitch_options){0});
    send_message(bench, mark);
    expect_refusal(bench, -EINVAL, "without a name");
    reconnect(bench);
    say_hello(bench, 1, 1);
    expect_answer(bench, HOLDER_HELLO);
    holder_put_open(begin(bench, &mark), "../eth1", &(struct nic_eswitch_options){0});
    send_message(bench, mark);
    expect_refusal(bench, -EINVAL, "cannot be the name");
}

static void only_so_many_nics_are_held(void **state) {
    struct bench *bench = *state;
    for (int i = 0; i < HOLDER_NICS_MAX - 1; i++) { // one is left for the end of the test
        char device[16];
        size_t mark;
        snprintf(device, sizeof device, "nic%d", i);
        say_hello(bench, 1, 1);
        expect_answer(bench, HOLDER_HELLO);
        holder_put_open(begin(bench, &mark), device, &(struct nic_eswitch_options){0});
        send_message(bench, mark);
        expect_answer(bench, HOLDER_OPENED);
        reconnect(bench);
    }
    struct nic *last = NULL, *more = NULL;
    struct error error = {0};
    assert_int_equal(holder_bed_attach(&bench->holder, "last", &last, &error), 0);
    assert_int_equal(holder_bed_attach(&bench->holder, "more", &more, &error), -ENOSPC);
    nic_close(last, false);
}

// Prefixes of all lengths, and then death; the NIC is free at once and unchanged.
static void half_a_message_changes_nothing(void **state) {
    struct bench *bench = *state;
    struct mp_writer writer;
    mp_write_growing(&writer);
    holder_put_apply(&writer, &bench->set);
    for (size_t size = 0; size < writer.size + HOLDER_HEADER_SIZE; size += 3) {
        uint8_t header[HOLDER_HEADER_SIZE] = {0, 0, (uint8_t)(writer.size >> 8),
                                              (uint8_t)writer.size};
        open_device(bench);
        send_raw(bench, header, size < sizeof header ? size : sizeof header);
        if (size > sizeof header) {
            send_raw(bench, writer.bytes, size - sizeof header);
        }
        holder_stream_fini(&bench->stream);
        struct nic *nic = NULL;
        assert_int_equal(holder_bed_attach(&bench->holder, "eth1", &nic, NULL), 0);
        assert_int_equal(nic->applied.rule_count, 0);
        nic_close(nic, false);
        reconnect(bench);
    }
    assert_int_equal(bench->holder.counts->applies, 0);
    assert_int_equal(bench->holder.counts->opens, 1);
    free(writer.bytes);
}

static void a_client_killed_in_the_middle_of_a_large_set_changes_nothing(void **state) {
    struct bench *bench = *state;
    rule_set_clear(&bench->set);
    for (uint32_t i = 0; i < RULES_MAX; i++) {
        add_rule(&bench->set, match_to(1, RULE_KEY_QP, i), RULE_SINGLE, 7, 0);
    }
    seal(&bench->set);
    pid_t pid = fork();
    if (pid == 0) {
        size_t mark;
        reconnect(bench);
        open_device(bench);
        holder_put_apply(begin(bench, &mark), &bench->set);
        bool fine = holder_stream_end(&bench->stream, mark) == 0;
        bench->stream.out.size /= 2;
        while (fine && holder_stream_flush(&bench->stream) == -EAGAIN) {
            usleep(1000);
        }
        raise(fine ? SIGKILL : SIGABRT);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    struct nic *nic = NULL;
    assert_int_equal(holder_bed_attach(&bench->holder, "eth1", &nic, NULL), 0);
    assert_int_equal(nic->applied.rule_count, 0);
    assert_int_equal(bench->holder.counts->applies, 0);
    nic_close(nic, false);
}

// It asks and never reads; others are served meanwhile, and memory is bounded by one answer.
static void a_client_that_does_not_read_blocks_nobody(void **state) {
    struct bench *bench = *state;
    struct nic *nic = NULL;
    size_t mark;
    open_device(bench);
    for (int i = 0; i < 20000; i++) {
        holder_put_question(begin(bench, &mark), HOLDER_TOTALS);
        assert_int_equal(holder_stream_end(&bench->stream, mark), 0);
    }
    (void)holder_stream_flush(&bench->stream); // as much as goes
    assert_int_equal(holder_bed_attach(&bench->holder, "eth2", &nic, NULL), 0);
    assert_int_equal(nic_apply(nic, &bench->set, NULL), 0);
    nic_close(nic, false);
}

static void who_connects_and_says_nothing_makes_room(void **state) {
    struct bench *bench = *state;
    int silent[HOLDER_SESSIONS_MAX + 8];
    struct nic *nic = NULL;
    for (unsigned i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        silent[i] = holder_bed_connect(&bench->holder);
        assert_true(silent[i] >= 0);
    }
    assert_int_equal(holder_bed_attach(&bench->holder, "eth1", &nic, NULL), 0); // waits its turn
    assert_int_equal(nic_apply(nic, &bench->set, NULL), 0);
    nic_close(nic, false);
    for (unsigned i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        close(silent[i]);
    }
}

static void any_bytes_are_survived(void **state) {
    struct bench *bench = *state;
    const char *given = getenv("SEED");
    uint64_t seed = (uint64_t)getpid();
    if (given != NULL) {
        seed = strtoull(given, NULL, 0);
    }
    struct rng rng;
    print_message("SEED=%llu\n", (unsigned long long)seed);
    rng_init(&rng, seed);
    for (int round = 0; round < 300; round++) {
        uint8_t bytes[256] = {0};
        size_t size = 1 + rng_below(&rng, sizeof bytes - 1);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)rng_next(&rng);
        }
        if (rng_below(&rng, 4) != 0) { // a length that fits: the decoder gets the rest
            bytes[0] = bytes[1] = bytes[2] = 0;
            bytes[3] = (uint8_t)(size - 4);
        }
        if (rng_below(&rng, 2) != 0) {
            open_device(bench);
        }
        (void)send(bench->stream.fd, bytes, size, MSG_NOSIGNAL);
        if (rng_below(&rng, 2) != 0) {
            usleep(500);
        }
        reconnect(bench);
    }
}

// ---- the socket's path

static int serve_at(const char *path, struct error *error) {
    static const volatile sig_atomic_t stop = 1;
    struct holder_config config = {.socket = path, .driver = &nic_driver_mem, .stop = &stop};
    return holder_serve(&config, error);
}

static void a_second_holder_is_refused(void **state) {
    struct bench *bench = *state;
    struct error error = {0};
    assert_int_equal(serve_at(bench->holder.socket, &error), -EADDRINUSE);
    assert_non_null(strstr(error.text, "another holder serves it"));
    assert_int_equal(access(bench->holder.socket, F_OK), 0);
}

static void what_a_killed_holder_left_is_replaced(void **state) {
    struct bench *bench = *state;
    (void)holder_bed_stop(&bench->holder, SIGKILL);
    assert_int_equal(access(bench->holder.socket, F_OK), 0);
    holder_bed_start(&bench->holder);
}

static void what_is_not_a_holders_is_left_alone(void **state) {
    struct bench *bench = *state;
    struct error error = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char lock[128];
    snprintf(address.sun_path, sizeof address.sun_path, "%s/other", bench->holder.folder);
    int fd = open(address.sun_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    close(fd);
    assert_int_equal(serve_at(address.sun_path, &error), -EEXIST);
    assert_int_equal(access(address.sun_path, F_OK), 0);
    unlink(address.sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(serve_at(address.sun_path, &error), -EADDRINUSE);
    assert_non_null(strstr(error.text, "another program"));
    close(fd);
    assert_int_equal(serve_at(address.sun_path, &error), 0); // nobody serves it any more
    assert_int_equal(access(address.sun_path, F_OK), -1);
    snprintf(lock, sizeof lock, "%s.lock", address.sun_path);
    unlink(lock);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_agent_that_speaks_later_versions_too_is_served),
        TEST(an_agent_of_other_versions_is_told_which_there_are),
        TEST(a_message_at_the_wrong_time_is_refused),
        TEST(a_message_that_is_too_long_is_refused_before_it_comes),
        TEST(a_device_that_cannot_be_one_is_refused),
        TEST(only_so_many_nics_are_held),
        TEST(half_a_message_changes_nothing),
        TEST(a_client_killed_in_the_middle_of_a_large_set_changes_nothing),
        TEST(a_client_that_does_not_read_blocks_nobody),
        TEST(who_connects_and_says_nothing_makes_room),
        TEST(any_bytes_are_survived),
        TEST(a_second_holder_is_refused),
        TEST(what_a_killed_holder_left_is_replaced),
        TEST(what_is_not_a_holders_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
