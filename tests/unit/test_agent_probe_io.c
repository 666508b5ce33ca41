// SPDX-License-Identifier: Apache-2.0
// Probes through the kernel's own SRv6, in network namespaces of this test:
//
//   this process (f001) ---- leaf (11) ---- spine (21)
//
// Needs root; skips (77) otherwise.
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "agent_shell/clock.h"
#include "agent_shell/port_setup.h"
#include "agent_shell/probe_io.h"
#include "model/time.h"

#include <cmocka.h>

#define NONCE 0xfeedface
#define ECT0 2
#define SOME_PROBES 20
#define PADDED_BYTES 1400

static char leaf[32], spine[32];
static struct probe_port port = {.device = "nic0"};

__attribute__((format(printf, 1, 2))) static int run(const char *format, ...) {
    char command[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    return system(command);
}

static struct sid sid_from(const char *text) {
    struct sid sid;
    assert_int_equal(sid_parse(text, &sid), 0);
    return sid;
}

static int switch_up(const char *name, const char *device, const char *usid) {
    return run("ip -n %s link set lo up && ip -n %s link set %s up && nsenter --net=/run/netns/%s "
               "sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.all.seg6_enabled=1 "
               "net.ipv6.conf.%s.seg6_enabled=1 && ip -n %s -6 route add fcbb:bb00:%s::/48 encap "
               "seg6local action End flavors next-csid lblen 32 nflen 16 dev %s",
               name, name, device, name, device, name, usid, device);
}

static int fabric_up(void **state) {
    (void)state;
    int rc = run("ip netns add %s && ip netns add %s", leaf, spine);
    rc = rc != 0 ? rc
                 : run("ip link add nic0 type veth peer name port0 netns %s && ip -n %s link add "
                       "north type veth peer name south netns %s",
                       leaf, leaf, spine);
    rc = rc != 0 ? rc : run("ip link set nic0 up && ip -6 addr add fd00:1::1/64 dev nic0 nodad");
    rc = rc != 0 ? rc : switch_up(leaf, "port0", "11");
    rc = rc != 0 ? rc : switch_up(spine, "south", "21");
    rc = rc != 0
             ? rc
             : run("ip -n %s -6 addr add fd00:1::2/64 dev port0 nodad && ip -n %s link set north "
                   "up && ip -n %s -6 addr add fd00:2::1/64 dev north nodad && ip -n %s -6 addr "
                   "add fd00:2::2/64 dev south nodad",
                   leaf, leaf, leaf, spine);
    rc = rc != 0
             ? rc
             : run("nsenter --net=/run/netns/%s sysctl -qw net.ipv6.conf.north.seg6_enabled=1 && "
                   "ip -6 route add fcbb:bb00::/32 via fd00:1::2 && "
                   "ip -n %s -6 route add fcbb:bb00:21::/48 via fd00:2::2 && "
                   "ip -n %s -6 route add fcbb:bb00:f001::/48 via fd00:1::1 && "
                   "ip -n %s -6 route add fcbb:bb00::/32 via fd00:2::1",
                   leaf, leaf, leaf, spine);
    return rc;
}

static int fabric_down(void **state) {
    (void)state;
    run("ip netns del %s 2>/dev/null; ip netns del %s 2>/dev/null", leaf, spine);
    return 0;
}

static struct probe_io *open_io(enum probe_backend backend) {
    struct probe_io_config config = {backend, NONCE, &port, 1};
    struct probe_io *io = NULL;
    struct error error = {0};
    if (probe_io_open(&config, &io, &error) != 0) {
        fail_msg("%s", error.text);
    }
    return io;
}

static void send_one(struct probe_io *io, uint64_t token, const char *first, const char *second) {
    struct engine_probe probe = {.token = token, .traffic_class = 0xb8 | ECT0};
    probe.sids.count = second == NULL ? 1 : 2;
    probe.sids.sids[0] = sid_from(first);
    if (second != NULL) {
        probe.sids.sids[1] = sid_from(second);
    }
    probe_io_send(io, clock_now_ns(), &probe, 1);
}

// Waits on the descriptor, as the loop does.
static bool await(struct probe_io *io, struct probe_outcome *out, int timeout_ms) {
    uint64_t until_ns = clock_now_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    while (clock_now_ns() < until_ns) {
        if (probe_io_take(io, out)) {
            return true;
        }
        struct pollfd descriptor = {.fd = probe_io_fd(io), .events = POLLIN};
        if (poll(&descriptor, 1, timeout_ms) == 1) {
            probe_io_work(io);
        }
    }
    return probe_io_take(io, out);
}

static void expect_back(struct probe_io *io, uint64_t token, uint64_t sent_after_ns) {
    struct probe_outcome outcome;
    assert_true(await(io, &outcome, 500));
    assert_false(outcome.failed);
    assert_int_equal(outcome.result.token, token);
    assert_true(outcome.result.sent_at_ns >= sent_after_ns);
    assert_true(outcome.result.received_at_ns > outcome.result.sent_at_ns);
    assert_true(outcome.result.received_at_ns <= clock_now_ns());
    assert_false(outcome.result.ce);
}

// While the neighbour is sought the first packets are lost or leave late.
static void warm_up(struct probe_io *io) {
    struct probe_outcome outcome;
    bool back = false;
    for (int i = 0; i < 50 && !back; i++) {
        send_one(io, 1, "fcbb:bb00:11:21:11:f001::", NULL);
        while (await(io, &outcome, 100)) {
            back = back || !outcome.failed;
        }
    }
    assert_true(back);
}

static void loops_come_back(enum probe_backend backend) {
    struct probe_io *io = open_io(backend);
    warm_up(io);
    uint64_t start_ns = clock_now_ns();
    for (uint64_t token = 100; token < 110; token++) {
        send_one(io, token, "fcbb:bb00:11:21:11:f001::", NULL);
        expect_back(io, token, start_ns);
        send_one(io, token + 1000, "fcbb:bb00:11:21:11:21:11:21", "fcbb:bb00:11:f001::");
        expect_back(io, token + 1000, start_ns);
    }
    probe_io_close(io);
}

static void loop_probes_of_one_and_two_carriers_come_back_with_io_uring(void **state) {
    (void)state;
    loops_come_back(PROBE_BACKEND_IO_URING);
}

static void loop_probes_of_one_and_two_carriers_come_back_with_epoll(void **state) {
    (void)state;
    loops_come_back(PROBE_BACKEND_EPOLL);
}

static void a_burst_comes_back_whole(enum probe_backend backend) {
    struct engine_probe probes[1500] = {0};
    struct probe_io *io = open_io(backend);
    warm_up(io);
    for (uint32_t i = 0; i < 1500; i++) {
        probes[i].token = i;
        probes[i].sids.count = 1;
        probes[i].sids.sids[0] = sid_from("fcbb:bb00:11:f001::");
    }
    bool seen[1500] = {false};
    uint32_t back = 0, failed = 0;
    probe_io_send(io, clock_now_ns(), probes, 1500);
    struct probe_outcome outcome;
    while (back + failed < 1500 && await(io, &outcome, 500)) {
        assert_true(outcome.result.token < 1500 && !seen[outcome.result.token]);
        seen[outcome.result.token] = true;
        back += outcome.failed ? 0 : 1;
        failed += outcome.failed ? 1 : 0;
    }
    struct probe_io_stats stats;
    probe_io_stats(io, &stats);
    assert_int_equal(back + failed, 1500);
    assert_int_equal(stats.overrun, 0);
    assert_true(back + stats.late > 1000); // on a busy machine so many take more than PROBE_LATE_NS
    probe_io_close(io);
}

static void every_probe_of_a_burst_has_an_outcome_with_io_uring(void **state) {
    (void)state;
    a_burst_comes_back_whole(PROBE_BACKEND_IO_URING);
}

static void every_probe_of_a_burst_has_an_outcome_with_epoll(void **state) {
    (void)state;
    a_burst_comes_back_whole(PROBE_BACKEND_EPOLL);
}

static void a_mark_on_the_way_is_reported(void **state) {
    (void)state;
    struct probe_outcome outcome;
    if (run("nsenter --net=/run/netns/%s nft 'add table inet marks; add chain inet marks c { type "
            "filter hook prerouting priority 0; }; add rule inet marks c ip6 ecn set ce'",
            leaf) != 0) {
        skip();
    }
    enum probe_backend backends[] = {PROBE_BACKEND_IO_URING, PROBE_BACKEND_EPOLL};
    for (int i = 0; i < 2; i++) {
        struct probe_io *io = open_io(backends[i]);
        send_one(io, 5, "fcbb:bb00:11:21:11:f001::", NULL);
        assert_true(await(io, &outcome, 500));
        assert_true(outcome.result.ce);
        probe_io_close(io);
    }
    run("nsenter --net=/run/netns/%s nft delete table inet marks", leaf);
}

static void foreign_datagrams_are_counted_and_dropped(enum probe_backend backend) {
    struct probe_io *io = open_io(backend);
    struct probe_outcome outcome;
    struct probe_io_stats stats;
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(PROBE_UDP_PORT)};
    struct probe_payload other = {NONCE + 1, 3, 4, 0};
    uint8_t bytes[PROBE_PAYLOAD_SIZE];
    struct sid way = sid_from("fcbb:bb00:11:21:11:f001::");
    int on = 1, fd = socket(AF_INET6, SOCK_DGRAM, 0);
    memcpy(&to.sin6_addr, way.bytes, 16);
    setsockopt(fd, IPPROTO_UDP, 101, &on, sizeof(on));
    probe_payload_encode(&other, bytes);
    assert_int_equal(sendto(fd, "rubbish", 7, 0, (struct sockaddr *)&to, sizeof(to)), 7);
    assert_int_equal(sendto(fd, NULL, 0, 0, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(sendto(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&to, sizeof(to)),
                     sizeof(bytes));
    close(fd);
    send_one(io, 9, "fcbb:bb00:11:21:11:f001::", NULL);
    assert_true(await(io, &outcome, 500));
    assert_int_equal(outcome.result.token, 9);
    probe_io_stats(io, &stats);
    assert_int_equal(stats.foreign, 3);
    assert_int_equal(stats.received, 1);
    probe_io_close(io);
}

static void foreign_datagrams_are_counted_and_dropped_by_both_back_ends(void **state) {
    (void)state;
    foreign_datagrams_are_counted_and_dropped(PROBE_BACKEND_IO_URING);
    foreign_datagrams_are_counted_and_dropped(PROBE_BACKEND_EPOLL);
}

static void a_probe_that_cannot_be_sent_fails_and_is_not_lost(void **state) {
    (void)state;
    enum probe_backend backends[] = {PROBE_BACKEND_IO_URING, PROBE_BACKEND_EPOLL};
    for (int i = 0; i < 2; i++) {
        struct probe_io *io = open_io(backends[i]);
        struct engine_probe probes[2] = {{.token = 7, .port = 1}, {.token = 8}};
        struct probe_outcome outcome;
        probes[0].sids.count = 1; // port 1 does not exist; probe 8 has no SIDs
        probe_io_send(io, clock_now_ns(), probes, 2);
        for (uint64_t token = 7; token <= 8; token++) {
            assert_true(probe_io_take(io, &outcome));
            assert_true(outcome.failed);
            assert_int_equal(outcome.result.token, token);
        }
        probe_io_close(io);
    }
}

static void a_probe_that_left_late_fails_and_its_return_is_dropped(void **state) {
    (void)state;
    enum probe_backend backends[] = {PROBE_BACKEND_IO_URING, PROBE_BACKEND_EPOLL};
    const char *ways[][2] = {{"fcbb:bb00:11:21:11:f001::", NULL},
                             {"fcbb:bb00:11:21:11:21:11:21", "fcbb:bb00:11:f001::"}};
    for (int i = 0; i < 4; i++) {
        struct probe_io *io = open_io(backends[i / 2]);
        struct engine_probe probe = {.token = 3};
        struct probe_outcome outcome;
        struct probe_io_stats stats;
        probe.sids.count = ways[i % 2][1] == NULL ? 1 : 2;
        for (int j = 0; j < probe.sids.count; j++) {
            probe.sids.sids[j] = sid_from(ways[i % 2][j]);
        }
        probe_io_send(io, clock_now_ns() - PROBE_LATE_NS - 1, &probe, 1); // as if descheduled
        assert_true(await(io, &outcome, 500));
        assert_true(outcome.failed);
        assert_int_equal(outcome.result.token, 3);
        send_one(io, 4, ways[i % 2][0], ways[i % 2][1]);
        assert_true(await(io, &outcome, 500));
        assert_int_equal(outcome.result.token, 4); // not 3
        assert_false(outcome.failed);
        probe_io_stats(io, &stats);
        assert_int_equal(stats.late, 1);
        assert_int_equal(stats.sent, 2);
        assert_int_equal(stats.received, 1);
        probe_io_close(io);
    }
}

// The time in the payload is this process's, before the probe is handed to the kernel.
static void departures_are_the_kernels_also_after_a_failure(void **state) {
    (void)state;
    enum probe_backend backends[] = {PROBE_BACKEND_IO_URING, PROBE_BACKEND_EPOLL};
    for (int i = 0; i < 2; i++) {
        struct probe_io *io = open_io(backends[i]);
        struct engine_probe probes[SOME_PROBES] = {0};
        struct probe_outcome outcome;
        uint32_t failed = 0, back = 0;
        uint64_t last_ns = 0;
        warm_up(io);
        for (uint32_t j = 0; j < SOME_PROBES; j++) {
            probes[j].token = 50 + j;
            probes[j].sids.count = 1;
            // No route: the kernel refuses in the middle of the batch.
            probes[j].sids.sids[0] =
                sid_from(j == SOME_PROBES / 2 ? "fcbb:1::1" : "fcbb:bb00:11:21:11:f001::");
        }
        probe_io_send(io, clock_now_ns(), probes, SOME_PROBES);
        while (failed + back < SOME_PROBES && await(io, &outcome, 500)) {
            failed += outcome.failed ? 1 : 0;
            back += outcome.failed ? 0 : 1;
        }
        assert_int_equal(failed, 1);
        assert_int_equal(back, SOME_PROBES - 1);
        // Those of one call share the time at which it began, unless the kernel says more.
        probe_io_send(io, clock_now_ns(), probes, SOME_PROBES / 2);
        for (uint32_t j = 0; j < SOME_PROBES / 2; j++) {
            assert_true(await(io, &outcome, 500));
            assert_true(outcome.result.sent_at_ns > last_ns);
            last_ns = outcome.result.sent_at_ns;
        }
        probe_io_close(io);
    }
}

static void a_probe_has_the_size_that_it_is_to_have(void **state) {
    (void)state;
    enum probe_backend backends[] = {PROBE_BACKEND_IO_URING, PROBE_BACKEND_EPOLL};
    assert_int_equal(run("nsenter --net=/run/netns/%s nft 'add table inet sizes; add chain inet "
                         "sizes c { type filter hook prerouting priority 0; }; add rule inet sizes "
                         "c ip6 length %d counter'",
                         leaf, PADDED_BYTES - 40),
                     0);
    for (int i = 0; i < 2; i++) {
        struct probe_io *io = open_io(backends[i]);
        struct engine_probe probes[2] = {{.token = 60, .packet_bytes = PADDED_BYTES},
                                         {.token = 61, .packet_bytes = PADDED_BYTES}};
        struct probe_outcome outcome;
        probes[0].sids.count = 1;
        probes[0].sids.sids[0] = sid_from("fcbb:bb00:11:f001::");
        probes[1].sids.count = 2;
        probes[1].sids.sids[0] = sid_from("fcbb:bb00:11:11:11:11:11:11");
        probes[1].sids.sids[1] = sid_from("fcbb:bb00:11:f001::");
        probe_io_send(io, clock_now_ns(), probes, 2);
        for (uint64_t token = 60; token <= 61; token++) {
            assert_true(await(io, &outcome, 500));
            assert_int_equal(outcome.result.token, token);
            assert_false(outcome.failed);
        }
        probe_io_close(io);
    }
    assert_int_equal(run("nsenter --net=/run/netns/%s nft list table inet sizes | grep -q 'counter "
                         "packets 4 bytes %d'",
                         leaf, 4 * PADDED_BYTES),
                     0);
    run("nsenter --net=/run/netns/%s nft delete table inet sizes", leaf);
}

// What container runtimes do: io_uring_setup fails with a code of their choice.
static void forbid_io_uring(int code) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)code),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        _exit(40);
    }
}

static int try_forbidden(int code) {
    forbid_io_uring(code);
    struct probe_io_config config = {PROBE_BACKEND_AUTO, NONCE, &port, 1};
    struct probe_io *io = NULL;
    struct error error = {0};
    struct probe_outcome outcome;
    if (probe_io_open(&config, &io, &error) != 0) {
        return 41;
    }
    send_one(io, 77, "fcbb:bb00:11:21:11:f001::", NULL);
    bool back = await(io, &outcome, 500) && !outcome.failed && outcome.result.token == 77;
    bool told = strcmp(probe_io_backend(io), "epoll") == 0 &&
                strstr(probe_io_reason(io), strerror(code)) != NULL;
    probe_io_close(io);
    config.backend = PROBE_BACKEND_IO_URING;
    bool refused = probe_io_open(&config, &io, &error) == -code;
    return !back ? 42 : !told ? 43 : !refused ? 44 : 0;
}

static void where_io_uring_is_forbidden_epoll_takes_over_and_says_why(void **state) {
    (void)state;
    const int codes[] = {EPERM, ENOSYS, EACCES, ENOMEM};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            _exit(try_forbidden(codes[i]));
        }
        waitpid(child, &status, 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static void a_missing_device_and_a_taken_port_are_said_in_a_sentence(void **state) {
    (void)state;
    struct probe_port missing = port;
    struct error error = {0};
    struct probe_io *io = NULL, *first = open_io(PROBE_BACKEND_EPOLL);
    struct probe_io_config config = {PROBE_BACKEND_AUTO, NONCE, &port, 1};
    assert_int_equal(probe_io_open(&config, &io, &error), -EADDRINUSE);
    assert_non_null(strstr(error.text, "does another agent run here?"));
    probe_io_close(first);
    snprintf(missing.device, sizeof(missing.device), "nosuch0");
    config.ports = &missing;
    assert_int_equal(probe_io_open(&config, &io, &error), -ENODEV);
    assert_non_null(strstr(error.text, "nosuch0"));
    assert_int_equal(port_setup_address(&missing, &error), -ENODEV);
    missing = port;
    missing.address = sid_from("fcbb:bb00:f00f::");
    config.ports = &missing;
    assert_int_equal(probe_io_open(&config, &io, &error), -EADDRNOTAVAIL);
    assert_non_null(strstr(error.text, "ip -6 addr add fcbb:bb00:f00f::/128 dev lo"));
    assert_null(io);
}

static void the_port_is_set_up_once_and_again(void **state) {
    (void)state;
    struct error error = {0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(port_setup_address(&port, &error), 0);
        assert_int_equal(port_setup_seg6(&port, &error), 0);
    }
    assert_int_equal(run("ip -6 addr show dev lo | grep -q fcbb:bb00:f001::/128"), 0);
    assert_int_equal(run("test $(cat /proc/sys/net/ipv6/conf/nic0/seg6_enabled) = 1"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_port_is_set_up_once_and_again),
        cmocka_unit_test(loop_probes_of_one_and_two_carriers_come_back_with_io_uring),
        cmocka_unit_test(loop_probes_of_one_and_two_carriers_come_back_with_epoll),
        cmocka_unit_test(every_probe_of_a_burst_has_an_outcome_with_io_uring),
        cmocka_unit_test(every_probe_of_a_burst_has_an_outcome_with_epoll),
        cmocka_unit_test(a_mark_on_the_way_is_reported),
        cmocka_unit_test(foreign_datagrams_are_counted_and_dropped_by_both_back_ends),
        cmocka_unit_test(a_probe_that_cannot_be_sent_fails_and_is_not_lost),
        cmocka_unit_test(a_probe_that_left_late_fails_and_its_return_is_dropped),
        cmocka_unit_test(departures_are_the_kernels_also_after_a_failure),
        cmocka_unit_test(a_probe_has_the_size_that_it_is_to_have),
        cmocka_unit_test(where_io_uring_is_forbidden_epoll_takes_over_and_says_why),
        cmocka_unit_test(a_missing_device_and_a_taken_port_are_said_in_a_sentence),
    };
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
        printf("skipped: probes through namespaces need root\n");
        return 77;
    }
    snprintf(leaf, sizeof(leaf), "probe_io-%d-l", getpid());
    snprintf(spine, sizeof(spine), "probe_io-%d-s", getpid());
    port.address = sid_from("fcbb:bb00:f001::");
    return cmocka_run_group_tests(tests, fabric_up, fabric_down);
}
