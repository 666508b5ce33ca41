// SPDX-License-Identifier: Apache-2.0
// The rows "floor" and "core" of tests/bench/gossip, which says when each runs. A line on standard
// input, "floor FIRST END" or "core FIRST END", plays these events; a line of JSON answers. The
// cores run first once: the floor floods over the overlay that they choose.
#include "bench_gossip.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "model/time.h"

#define READY_WAIT_NS (60 * NS_PER_S)
#define SPREAD_WAIT_NS (2 * NS_PER_S) // who has not heard by then counts as missing
#define QUIET_BETWEEN_NS (20 * NS_PER_MS)
#define LOOK_NS (NS_PER_MS / 2)
#define SETTLE_NS                                                                                  \
    (4000 * NS_PER_MS)         // cores choose their neighbours when newcomers have come, within 3 s
#define IDLE_NS (2 * NS_PER_S) // what it costs to do nothing

typedef int body_fn(struct bench_shared *shared, uint32_t self, int orders);

struct options {
    uint32_t hosts, neighbours, per_leaf;
};

struct results {
    json_t *last_ns; // order to the last host's sight of it
    json_t *host_ns; // order to each host's sight of it
    uint32_t missing;
    uint64_t cpu_ns, play_ns;      // of all hosts while events were played
    uint64_t idle_cpu_ns, idle_ns; // and before
};

uint64_t bench_now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static void sleep_ns(uint64_t span_ns) {
    struct timespec span = {.tv_sec = (time_t)(span_ns / NS_PER_S),
                            .tv_nsec = (long)(span_ns % NS_PER_S)};
    nanosleep(&span, NULL);
}

static int fail(const char *what) {
    fprintf(stderr, "bench_gossip: %s\n", what);
    return 1;
}

// Of all threads of a running process.
static uint64_t cpu_ns(pid_t pid) {
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) {
        return 0;
    }
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static uint64_t cpu_of_all_ns(const pid_t *pids, uint32_t count) {
    uint64_t sum_ns = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum_ns += cpu_ns(pids[i]);
    }
    return sum_ns;
}

static bool make_fleet(struct bench_shared *shared, const struct options *options) {
    unsigned id = (unsigned)getpid(); // all of 127/8 is local: addresses that no other run uses
    shared->hosts = options->hosts;
    shared->neighbours = options->neighbours;
    shared->per_leaf = options->per_leaf;
    for (uint32_t i = 0; i < shared->hosts; i++) {
        struct curve_key *key = &shared->keys[i];
        snprintf(key->host, sizeof key->host, "h%u", i);
        snprintf(key->address, sizeof key->address, "tcp://127.%u.%u.%u:7948", 1 + (id >> 8) % 250,
                 id & 255, i + 1);
        if (curve_keypair(key->public_key, shared->secret_keys[i]) != 0) {
            return false;
        }
        if (curve_sign_key(shared->secret_keys[i], key->sign_key) != 0) {
            return false;
        }
        crypto_sign_keypair(shared->public_keys[i], shared->signing_keys[i]);
    }
    return true;
}

static pid_t start_host(struct bench_shared *shared, uint32_t self, body_fn *body, int *orders) {
    int pipe_fds[2];
    if (pipe(pipe_fds) != 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int fd = 3; fd < pipe_fds[0]; fd++) {
            close(fd); // the other hosts' pipes: they end when the parent closes them
        }
        close(pipe_fds[1]);
        _exit(body(shared, self, pipe_fds[0]));
    }
    close(pipe_fds[0]);
    *orders = pipe_fds[1];
    return pid;
}

static bool is_neighbour(const struct bench_shared *shared, uint32_t of, uint32_t host) {
    uint32_t i = 0;
    while (i < shared->neighbour_count[of] && shared->neighbour[of][i] != host) {
        i++;
    }
    return i < shared->neighbour_count[of];
}

// Each host is a neighbour of its neighbours: all chose among the same members. A flood over half
// an overlay would not reach everybody.
static bool overlay_is_whole(const struct bench_shared *shared) {
    bool whole = true;
    for (uint32_t host = 0; host < shared->hosts; host++) {
        whole = whole && shared->neighbour_count[host] > 0;
        for (uint32_t i = 0; whole && i < shared->neighbour_count[host]; i++) {
            uint32_t other = shared->neighbour[host][i];
            whole = other < shared->hosts && is_neighbour(shared, other, host);
        }
    }
    return whole;
}

static bool wait_ready(const struct bench_shared *shared) {
    uint64_t until_ns = bench_now_ns() + READY_WAIT_NS, whole_since_ns = 0;
    while (whole_since_ns == 0 || bench_now_ns() - whole_since_ns < SETTLE_NS) {
        bool ready = atomic_load(&shared->ready) == shared->hosts && overlay_is_whole(shared);
        whole_since_ns = !ready ? 0 : whole_since_ns == 0 ? bench_now_ns() : whole_since_ns;
        if (!ready && bench_now_ns() > until_ns) {
            fprintf(stderr, "bench_gossip: %u of %u hosts ready, their overlay is %s\n",
                    atomic_load(&shared->ready), shared->hosts,
                    overlay_is_whole(shared) ? "whole" : "not whole");
            return false;
        }
        sleep_ns(10 * NS_PER_MS);
    }
    return true;
}

static uint32_t count_seen(const struct bench_shared *shared, uint32_t event) {
    uint32_t seen = 0;
    for (uint32_t host = 0; host < shared->hosts; host++) {
        seen += atomic_load(&shared->seen_at_ns[event][host]) != 0;
    }
    return seen;
}

static void collect(const struct bench_shared *shared, uint32_t event, uint32_t origin,
                    struct results *results) {
    uint64_t put_at_ns = atomic_load(&shared->put_at_ns[event]), last_ns = 0;
    for (uint32_t host = 0; host < shared->hosts; host++) {
        uint64_t seen_at_ns = atomic_load(&shared->seen_at_ns[event][host]);
        if (host == origin) {
            continue;
        }
        if (seen_at_ns == 0) {
            results->missing++;
            continue;
        }
        uint64_t took_ns = seen_at_ns - put_at_ns;
        json_array_append_new(results->host_ns, json_integer((json_int_t)took_ns));
        last_ns = took_ns > last_ns ? took_ns : last_ns;
    }
    json_array_append_new(results->last_ns, json_integer((json_int_t)last_ns));
}

static void play(struct bench_shared *shared, const int *orders, uint32_t first, uint32_t end,
                 struct results *results) {
    for (uint32_t event = first; event < end; event++) {
        uint32_t origin = event % shared->hosts;
        // The origin need not see its own event.
        uint64_t until_ns = bench_now_ns() + SPREAD_WAIT_NS;
        atomic_store(&shared->seen_at_ns[event][origin], 1);
        atomic_store(&shared->put_at_ns[event], bench_now_ns());
        if (write(orders[origin], &event, sizeof event) != sizeof event) {
            results->missing += shared->hosts - 1;
            continue;
        }
        while (count_seen(shared, event) < shared->hosts && bench_now_ns() < until_ns) {
            sleep_ns(LOOK_NS);
        }
        collect(shared, event, origin, results);
        sleep_ns(QUIET_BETWEEN_NS);
    }
}

static void measure(struct bench_shared *shared, const pid_t *pids, const int *orders,
                    const uint32_t range[2], struct results *results) {
    uint64_t cpu_start_ns = cpu_of_all_ns(pids, shared->hosts), start_ns = bench_now_ns();
    sleep_ns(IDLE_NS);
    uint64_t cpu_idle_ns = cpu_of_all_ns(pids, shared->hosts), idle_ns = bench_now_ns();
    play(shared, orders, range[0], range[1], results);
    results->idle_cpu_ns = cpu_idle_ns - cpu_start_ns;
    results->idle_ns = idle_ns - start_ns;
    results->cpu_ns = cpu_of_all_ns(pids, shared->hosts) - cpu_idle_ns;
    results->play_ns = bench_now_ns() - idle_ns;
}

static bool run_phase(struct bench_shared *shared, body_fn *body, const uint32_t range[2],
                      struct results *results) {
    pid_t pids[BENCH_HOSTS_MAX];
    int orders[BENCH_HOSTS_MAX];
    atomic_store(&shared->ready, 0);
    memset(shared->seen_at_ns, 0, sizeof shared->seen_at_ns);
    uint32_t started = 0;
    while (started < shared->hosts) {
        pids[started] = start_host(shared, started, body, &orders[started]);
        if (pids[started] < 0) {
            break;
        }
        started++;
    }
    bool ok = started == shared->hosts && wait_ready(shared);
    if (ok) {
        measure(shared, pids, orders, range, results);
    }
    for (uint32_t i = 0; i < started; i++) {
        close(orders[i]);
    }
    for (uint32_t i = 0; i < started; i++) {
        int status = 0;
        ok = waitpid(pids[i], &status, 0) == pids[i] && status == 0 && ok;
    }
    return ok;
}

static void print_results(const char *row, const struct results *results) {
    json_t *document =
        json_pack("{s:s, s:O, s:O, s:I, s:I, s:I, s:I, s:I}", "row", row, "last_ns",
                  results->last_ns, "host_ns", results->host_ns, "missing",
                  (json_int_t)results->missing, "cpu_ns", (json_int_t)results->cpu_ns, "play_ns",
                  (json_int_t)results->play_ns, "idle_cpu_ns", (json_int_t)results->idle_cpu_ns,
                  "idle_ns", (json_int_t)results->idle_ns);
    json_dumpf(document, stdout, JSON_COMPACT);
    printf("\n");
    fflush(stdout);
    json_decref(document);
}

static bool obey(struct bench_shared *shared, const char *row, const uint32_t range[2]) {
    bool floor = strcmp(row, "floor") == 0;
    struct results results = {.last_ns = json_array(), .host_ns = json_array()};
    bool ok = (floor || strcmp(row, "core") == 0) && range[0] < range[1] &&
              range[1] <= BENCH_EVENTS_MAX &&
              run_phase(shared, floor ? bench_host_floor : bench_host_gossip, range, &results);
    if (ok) {
        print_results(row, &results);
    }
    json_decref(results.last_ns);
    json_decref(results.host_ns);
    return ok;
}

static bool parse_number(const char *text, uint32_t least, uint32_t most, uint32_t *out) {
    char *end = NULL;
    unsigned long value = text == NULL ? 0 : strtoul(text, &end, 10);
    if (text == NULL || *text == '\0' || *end != '\0' || value < least || value > most) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

static bool parse(int count, char **words, struct options *options) {
    return count == 4 && parse_number(words[1], 2, BENCH_HOSTS_MAX, &options->hosts) &&
           parse_number(words[2], 2, BENCH_NEIGHBOURS_MAX, &options->neighbours) &&
           parse_number(words[3], 1, BENCH_HOSTS_MAX, &options->per_leaf);
}

int main(int count, char **words) {
    struct options options;
    if (!parse(count, words, &options)) {
        fprintf(stderr, "usage: bench_gossip HOSTS NEIGHBOURS HOSTS-PER-LEAF (see "
                        "tests/bench/gossip)\n");
        return 2;
    }
    struct bench_shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return fail("out of memory");
    }
    if (sodium_init() < 0 || !make_fleet(shared, &options)) {
        return fail("no random numbers, or this libzmq has no CURVE");
    }
    char line[64], row[16];
    uint32_t range[2];
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "%15s %u %u", row, &range[0], &range[1]) != 3 ||
            !obey(shared, row, range)) {
            return fail("a host failed, or the order was none");
        }
    }
    munmap(shared, sizeof *shared);
    return 0;
}
