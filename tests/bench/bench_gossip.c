// SPDX-License-Identifier: Apache-2.0
// tests/bench/gossip: see the script of that name. Rounds of cores and of the floor alternate, so
// that both meet the same noise of the machine.
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

#define ROUNDS 2
#define READY_WAIT_NS (60 * NS_PER_S)
#define SPREAD_WAIT_NS (2 * NS_PER_S) // who has not heard by then counts as missing
#define QUIET_BETWEEN_NS (20 * NS_PER_MS)
#define LOOK_NS (NS_PER_MS / 2)
#define SETTLE_NS (500 * NS_PER_MS)

typedef int body_fn(struct bench_shared *shared, uint32_t self, int orders);

struct options {
    uint32_t hosts, events, neighbours;
    bool json;
};

struct results {
    uint64_t last_ns[BENCH_EVENTS_MAX]; // put to the last host's sight of it
    uint32_t last_count;
    uint64_t *host_ns; // put to each host's sight of it
    uint32_t host_count;
    uint32_t missing;
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

static bool make_fleet(struct bench_shared *shared, const struct options *options) {
    unsigned id = (unsigned)getpid(); // all of 127/8 is local: addresses that no other run uses
    shared->hosts = options->hosts;
    shared->events = options->events;
    shared->neighbours = options->neighbours;
    for (uint32_t i = 0; i < shared->hosts; i++) {
        struct curve_key *key = &shared->keys[i];
        snprintf(key->host, sizeof key->host, "h%u", i);
        snprintf(key->address, sizeof key->address, "tcp://127.%u.%u.%u:7948", 1 + (id >> 8) % 250,
                 id & 255, i + 1);
        if (curve_keypair(key->public_key, shared->secret_keys[i]) != 0) {
            return false;
        }
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

static bool wait_ready(const struct bench_shared *shared) {
    uint64_t until_ns = bench_now_ns() + READY_WAIT_NS;
    while (atomic_load(&shared->ready) < shared->hosts) {
        if (bench_now_ns() > until_ns) {
            fprintf(stderr, "bench_gossip: %u of %u hosts ready\n", atomic_load(&shared->ready),
                    shared->hosts);
            return false;
        }
        sleep_ns(10 * NS_PER_MS);
    }
    sleep_ns(SETTLE_NS);
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
        results->host_ns[results->host_count++] = took_ns;
        last_ns = took_ns > last_ns ? took_ns : last_ns;
    }
    results->last_ns[results->last_count++] = last_ns;
}

static void play(struct bench_shared *shared, const int *orders, uint32_t first, uint32_t end,
                 struct results *results) {
    for (uint32_t event = first; event < end; event++) {
        uint32_t origin = event % shared->hosts;
        // The origin need not see its own event.
        uint64_t until_ns = bench_now_ns() + SPREAD_WAIT_NS;
        atomic_store(&shared->seen_at_ns[event][origin], 1);
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

static bool run_phase(struct bench_shared *shared, body_fn *body, uint32_t first, uint32_t end,
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
        play(shared, orders, first, end, results);
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

static int compare(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static uint64_t percentile(uint64_t *values, uint32_t count, uint32_t percent) {
    if (count == 0) {
        return 0;
    }
    qsort(values, count, sizeof *values, compare);
    uint64_t rank = ((uint64_t)count * percent + 99) / 100;
    return values[rank == 0 ? 0 : rank - 1];
}

static json_t *summary(struct results *results) {
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I}", "last_p50_ns",
        (json_int_t)percentile(results->last_ns, results->last_count, 50), "last_p99_ns",
        (json_int_t)percentile(results->last_ns, results->last_count, 99), "last_max_ns",
        (json_int_t)percentile(results->last_ns, results->last_count, 100), "host_p50_ns",
        (json_int_t)percentile(results->host_ns, results->host_count, 50), "host_p99_ns",
        (json_int_t)percentile(results->host_ns, results->host_count, 99), "missing",
        (json_int_t)results->missing);
}

static double ratio(json_t *gossip, json_t *floor, const char *key) {
    double below = (double)json_integer_value(json_object_get(floor, key));
    double above = (double)json_integer_value(json_object_get(gossip, key));
    return below > 0 ? above / below : 0;
}

static void print_row(const char *name, json_t *row) {
    printf("%-22s last host p50 %7.2f ms  p99 %7.2f ms  max %7.2f ms   any host p50 %6.2f ms   "
           "missing %lld\n",
           name, (double)json_integer_value(json_object_get(row, "last_p50_ns")) / 1e6,
           (double)json_integer_value(json_object_get(row, "last_p99_ns")) / 1e6,
           (double)json_integer_value(json_object_get(row, "last_max_ns")) / 1e6,
           (double)json_integer_value(json_object_get(row, "host_p50_ns")) / 1e6,
           (long long)json_integer_value(json_object_get(row, "missing")));
}

static int report(const struct options *options, struct results *cores, struct results *floors) {
    json_t *gossip = summary(cores), *floor = summary(floors);
    double p50 = ratio(gossip, floor, "last_p50_ns"), p99 = ratio(gossip, floor, "last_p99_ns");
    if (options->json) {
        json_t *document =
            json_pack("{s:s, s:I, s:I, s:I, s:I, s:b, s:O, s:O, s:f, s:f}", "bench", "gossip",
                      "hosts", (json_int_t)options->hosts, "events", (json_int_t)options->events,
                      "neighbours", (json_int_t)options->neighbours, "cpus",
                      (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "curve", 1, "gossip", gossip,
                      "floor", floor, "last_p50_ratio", p50, "last_p99_ratio", p99);
        json_dumpf(document, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(document);
    } else {
        printf("%u hosts, one process each on %ld CPUs, loopback, CURVE, %u events\n",
               options->hosts, sysconf(_SC_NPROCESSORS_ONLN), options->events);
        print_row("gossip", gossip);
        print_row("bare libzmq flood", floor);
        printf("ratio of the last host: p50 %.2f, p99 %.2f\n", p50, p99);
    }
    json_decref(gossip);
    json_decref(floor);
    return cores->missing == 0 ? 0 : 1;
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
    *options = (struct options){.hosts = 16, .events = 50, .neighbours = GOSSIP_NEIGHBOURS};
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? words[i + 1] : NULL;
        bool ok = true;
        if (strcmp(words[i], "--json") == 0) {
            options->json = true;
            continue;
        }
        if (strcmp(words[i], "--hosts") == 0) {
            ok = parse_number(value, 2, BENCH_HOSTS_MAX, &options->hosts);
        } else if (strcmp(words[i], "--events") == 0) {
            ok = parse_number(value, ROUNDS, BENCH_EVENTS_MAX, &options->events);
        } else if (strcmp(words[i], "--neighbours") == 0) {
            ok = parse_number(value, 2, BENCH_NEIGHBOURS_MAX, &options->neighbours);
        } else {
            ok = false;
        }
        if (!ok) {
            return false;
        }
        i++;
    }
    return true;
}

int main(int count, char **words) {
    struct options options;
    if (!parse(count, words, &options)) {
        fprintf(stderr,
                "usage: gossip [--json] [--hosts 2-%d] [--events %d-%d] [--neighbours "
                "2-%d]\n",
                BENCH_HOSTS_MAX, ROUNDS, BENCH_EVENTS_MAX, BENCH_NEIGHBOURS_MAX);
        return 2;
    }
    struct bench_shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    static struct results cores, floors;
    cores.host_ns = calloc((size_t)options.events * options.hosts, sizeof *cores.host_ns);
    floors.host_ns = calloc((size_t)options.events * options.hosts, sizeof *floors.host_ns);
    if (shared == MAP_FAILED || cores.host_ns == NULL || floors.host_ns == NULL) {
        return fail("out of memory");
    }
    if (!make_fleet(shared, &options)) {
        return fail("this libzmq has no CURVE");
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t first = options.events * round / ROUNDS;
        uint32_t end = options.events * (round + 1) / ROUNDS;
        if (!run_phase(shared, bench_host_gossip, first, end, &cores) ||
            !run_phase(shared, bench_host_floor, first, end, &floors)) {
            return fail("a host failed");
        }
    }
    int rc = report(&options, &cores, &floors);
    free(cores.host_ns);
    free(floors.host_ns);
    munmap(shared, sizeof *shared);
    return rc;
}
