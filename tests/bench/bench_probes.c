// SPDX-License-Identifier: Apache-2.0
// What probing costs this process, through the agent's own probe I/O and through a plain prober:
//
//   bench_probes DEVICE ADDRESS LOOP ROUNDS MS [PROBER RATE]
//
// writes rows of JSON to stdout, one a line; tests/bench/probes reads them. With PROBER and RATE
// only that one runs, to be watched by a profiler.
//
// All probers send the same packets round the same loop, at the same pace: every millisecond what
// is due; of slow rates BATCH at once, as an agent that suspects nothing does. They take turns of
// some hundred milliseconds, so that a machine that slows down slows all of them. The cost is the
// process' CPU time, user and system.
//
//   io_uring, epoll   probe_io with that back end: what is received is parsed, matched and queued;
//                     when probes left is the kernel's word, as in the agent
//   plain             sendmmsg, poll and recvmmsg on the same kind of socket; what is received is
//                     counted
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "agent_shell/clock.h"
#include "agent_shell/probe_io.h"
#include "model/time.h"

#define NONCE 77
#define BURST_MAX 512
#define BATCH 4 // DIAGNOSE_BATCH of the agent
#define TOKENS (1U << 20)
#define SETTLE_NS (100 * NS_PER_MS)
#define WARM_UP_TRIES 50
#define ROUNDS_MAX 64

struct prober {
    const char *name;
    enum probe_backend backend;
    bool plain;
    // While it has its turn:
    struct probe_io *io;
    struct probe_socket *socket;
    uint64_t sent, back, failed, late, rtt_sum_ns;
};

struct measure {
    uint64_t rate, sent, lost, late;
    double cpu_percent[ROUNDS_MAX], rtt_ns[ROUNDS_MAX];
};

static struct probe_port port;
static struct sid_list loop;
static struct engine_probe probes[BURST_MAX];
static struct probe_message messages[BURST_MAX];
static struct mmsghdr headers[BURST_MAX];
static uint8_t received[BURST_MAX][PROBE_PAYLOAD_SIZE];
static struct iovec vectors[BURST_MAX];
static uint64_t next_token = 1;
static bool known[TOKENS]; // what became of the probe: one that left late may still come back

static void die(const char *what) {
    fprintf(stderr, "bench_probes: %s\n", what);
    exit(1);
}

static uint64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

// ---- the two kinds of probers

static void prober_open(struct prober *prober) {
    struct error error = {0};
    struct probe_io_config config = {prober->backend, NONCE, &port, 1};
    int rc;
    if (prober->plain) {
        prober->socket = calloc(1, sizeof *prober->socket);
        rc = prober->socket == NULL ? -1 : probe_socket_open(&port, prober->socket, &error);
    } else {
        rc = probe_io_open(&config, &prober->io, &error);
    }
    if (rc != 0) {
        die(error.text);
    }
    prober->sent = prober->back = prober->failed = prober->late = prober->rtt_sum_ns = 0;
}

static void prober_close(struct prober *prober) {
    if (prober->plain) {
        probe_socket_close(prober->socket);
        free(prober->socket);
        return;
    }
    struct probe_io_stats stats;
    probe_io_stats(prober->io, &stats);
    prober->late = stats.late;
    probe_io_close(prober->io);
}

static int prober_fd(const struct prober *prober) {
    return prober->plain ? prober->socket->fds[PROBE_BY_UDP] : probe_io_fd(prober->io);
}

static void plain_send(struct prober *prober, uint32_t count, uint64_t now_ns) {
    const struct probe_sending sending = {NONCE, now_ns, now_ns, false};
    for (uint32_t i = 0; i < count; i++) {
        probe_message_fill(&messages[i], prober->socket, PROBE_BY_UDP, &probes[i], &sending);
        headers[i] = (struct mmsghdr){.msg_hdr = messages[i].header};
    }
    int sent = sendmmsg(prober_fd(prober), headers, count, MSG_DONTWAIT);
    prober->sent += sent > 0 ? (uint64_t)sent : 0;
}

static void plain_receive(struct prober *prober) {
    int count = BURST_MAX;
    while (count == BURST_MAX) {
        for (uint32_t i = 0; i < BURST_MAX; i++) {
            vectors[i] = (struct iovec){received[i], PROBE_PAYLOAD_SIZE};
            headers[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1}};
        }
        count = recvmmsg(prober_fd(prober), headers, BURST_MAX, MSG_DONTWAIT, NULL);
        prober->back += count > 0 ? (uint64_t)count : 0;
    }
}

static void engine_receive(struct prober *prober) {
    struct probe_outcome outcome;
    while (probe_io_take(prober->io, &outcome)) {
        bool *is_known = &known[outcome.result.token % TOKENS];
        if (*is_known) {
            continue;
        }
        *is_known = true;
        prober->failed += outcome.failed ? 1 : 0;
        prober->back += outcome.failed ? 0 : 1;
        prober->rtt_sum_ns +=
            outcome.failed ? 0 : outcome.result.received_at_ns - outcome.result.sent_at_ns;
    }
}

static void prober_send(struct prober *prober, uint32_t count) {
    uint64_t now_ns = clock_now_ns();
    for (uint32_t i = 0; i < count; i++) {
        known[next_token % TOKENS] = false;
        probes[i].token = next_token++;
    }
    if (prober->plain) {
        plain_send(prober, count, now_ns);
    } else {
        probe_io_send(prober->io, now_ns, probes, count);
        prober->sent += count;
        engine_receive(prober);
    }
}

static void prober_receive(struct prober *prober) {
    if (prober->plain) {
        plain_receive(prober);
    } else {
        probe_io_work(prober->io);
        engine_receive(prober);
    }
}

// ---- a turn

static void receive_until(struct prober *prober, uint64_t until_ns) {
    for (uint64_t now_ns = clock_now_ns(); now_ns < until_ns; now_ns = clock_now_ns()) {
        struct pollfd wait = {prober_fd(prober), POLLIN, 0};
        if (poll(&wait, 1, (int)((until_ns - now_ns) / NS_PER_MS) + 1) == 1) {
            prober_receive(prober);
        }
    }
}

static void warm_up(struct prober *prober) {
    for (int i = 0; i < WARM_UP_TRIES && prober->back == 0; i++) {
        prober_send(prober, 1);
        receive_until(prober, clock_now_ns() + SETTLE_NS);
    }
    if (prober->back == 0) {
        die("no probe comes back");
    }
    receive_until(prober, clock_now_ns() + SETTLE_NS);
}

// What is due is reckoned from the turn's begin, so that a late wake-up changes no rate.
static uint64_t pace(struct prober *prober, uint64_t rate, uint64_t turn_ns) {
    uint64_t batch_ns = BATCH * NS_PER_S / rate;
    uint64_t step_ns = batch_ns > NS_PER_MS ? batch_ns : NS_PER_MS;
    struct itimerspec every = {{0, (long)step_ns}, {0, (long)step_ns}};
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    uint64_t sent = 0, ticks, start_ns = clock_now_ns();
    if (timer < 0 || timerfd_settime(timer, 0, &every, NULL) != 0) {
        die("no timer");
    }
    while (clock_now_ns() - start_ns < turn_ns) {
        struct pollfd wait[2] = {{timer, POLLIN, 0}, {prober_fd(prober), POLLIN, 0}};
        if (poll(wait, 2, 1000) < 1) {
            continue;
        }
        if ((wait[1].revents & POLLIN) != 0) {
            prober_receive(prober);
        }
        if ((wait[0].revents & POLLIN) != 0 && read(timer, &ticks, sizeof ticks) > 0) {
            uint64_t due = (clock_now_ns() - start_ns) * rate / NS_PER_S;
            for (; sent<due; sent += due - sent> BURST_MAX ? BURST_MAX : due - sent) {
                prober_send(prober, (uint32_t)(due - sent > BURST_MAX ? BURST_MAX : due - sent));
            }
        }
    }
    close(timer);
    return sent;
}

static void turn(struct prober *prober, struct measure *measure, uint32_t round, uint64_t turn_ns) {
    prober_open(prober);
    warm_up(prober);
    prober->sent = prober->back = prober->failed = prober->rtt_sum_ns = 0;
    uint64_t cpu = cpu_ns(), start_ns = clock_now_ns();
    pace(prober, measure->rate, turn_ns);
    measure->cpu_percent[round] =
        100 * (double)(cpu_ns() - cpu) / (double)(clock_now_ns() - start_ns);
    receive_until(prober, clock_now_ns() + SETTLE_NS);
    measure->sent += prober->sent;
    measure->lost += prober->sent - prober->back - prober->failed;
    measure->rtt_ns[round] =
        prober->back > 0 ? (double)prober->rtt_sum_ns / (double)prober->back : 0;
    prober_close(prober);
    measure->late += prober->late;
}

static int compare(const void *left, const void *right) {
    const double *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

static double median(double *values, uint32_t count) {
    qsort(values, count, sizeof values[0], compare);
    return values[count / 2];
}

int main(int argc, char **argv) {
    static struct prober probers[] = {{.name = "io_uring", .backend = PROBE_BACKEND_IO_URING},
                                      {.name = "epoll", .backend = PROBE_BACKEND_EPOLL},
                                      {.name = "plain", .plain = true}};
    static const uint64_t rates[] = {100, 1000, 10000, 50000, 100000};
    static struct measure measures[3][5];
    if ((argc != 6 && argc != 8) || sid_parse(argv[2], &port.address) != 0 ||
        sid_parse(argv[3], &loop.sids[0]) != 0) {
        die("usage: bench_probes DEVICE ADDRESS LOOP ROUNDS MS [PROBER RATE]");
    }
    const char *only = argc == 8 ? argv[6] : NULL;
    uint64_t only_rate = argc == 8 ? strtoul(argv[7], NULL, 10) : 0;
    snprintf(port.device, sizeof port.device, "%s", argv[1]);
    uint32_t rounds = (uint32_t)strtoul(argv[4], NULL, 10);
    uint64_t turn_ns = strtoul(argv[5], NULL, 10) * NS_PER_MS;
    if (rounds == 0 || rounds > ROUNDS_MAX || turn_ns < NS_PER_MS) {
        die("ROUNDS is 1 to 64, MS at least 1");
    }
    loop.count = 1;
    for (uint32_t i = 0; i < BURST_MAX; i++) {
        probes[i] = (struct engine_probe){.traffic_class = 0xc0, .sids = loop};
    }
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t r = 0; r < 5; r++) {
            for (uint32_t p = 0; p < 3; p++) {
                if (only != NULL && (strcmp(only, probers[p].name) != 0 || only_rate != rates[r])) {
                    continue;
                }
                measures[p][r].rate = rates[r];
                turn(&probers[p], &measures[p][r], round, turn_ns);
            }
        }
    }
    for (uint32_t p = 0; p < 3; p++) {
        for (uint32_t r = 0; r < 5; r++) {
            struct measure *m = &measures[p][r];
            if (m->rate == 0) {
                continue;
            }
            printf("{\"prober\":\"%s\",\"rate\":%" PRIu64 ",\"cpu_percent\":%.3f,\"sent\":%" PRIu64
                   ",\"lost\":%" PRIu64 ",\"late\":%" PRIu64 ",\"rtt_ns\":%.0f}\n",
                   probers[p].name, m->rate, median(m->cpu_percent, rounds), m->sent, m->lost,
                   m->late, median(m->rtt_ns, rounds));
        }
    }
    return 0;
}
