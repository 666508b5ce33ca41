// SPDX-License-Identifier: Apache-2.0
// The carrier over real sockets on loopback, with a fake core on both ends. Every wait has a
// deadline of seconds and ends as soon as its condition holds, so a busy machine makes it slower,
// not wrong.
#include "gossip_zmq/gossip_zmq.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "gossip_zmq_fake_core.h"
#include "model/time.h"

#define PATIENCE_NS (10 * NS_PER_S)
#define HOSTS_MAX 4

struct host {
    char address[GOSSIP_ADDRESS_SIZE], ip[32];
    char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE];
    struct gossip *core;
    struct gossip_zmq *carrier;
};

struct bed {
    struct host hosts[HOSTS_MAX];
    struct curve_key keys[2 * HOSTS_MAX];
    struct curve_keys fleet;
};

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

// All of 127/8 is local: the process id makes addresses that no other test run uses.
static void name_host(struct host *host, int index) {
    unsigned id = (unsigned)getpid();
    snprintf(host->ip, sizeof host->ip, "127.%u.%u.%d", 1 + (id >> 8) % 250, id & 255, index + 1);
    snprintf(host->address, sizeof host->address, "tcp://%s:7946", host->ip);
}

static int setup(void **state) {
    struct bed *bed = calloc(1, sizeof *bed);
    for (int i = 0; i < HOSTS_MAX; i++) {
        struct host *host = &bed->hosts[i];
        name_host(host, i);
        host->core = calloc(1, sizeof *host->core);
        assert_int_equal(curve_keypair(host->public_key, host->secret_key), 0);
        struct curve_key *key = &bed->keys[i];
        snprintf(key->host, sizeof key->host, "h%d", i);
        snprintf(key->address, sizeof key->address, "%s", host->address);
        memcpy(key->public_key, host->public_key, sizeof key->public_key);
    }
    bed->fleet = (struct curve_keys){.keys = bed->keys, .count = HOSTS_MAX};
    *state = bed;
    return 0;
}

static int teardown(void **state) {
    struct bed *bed = *state;
    for (int i = 0; i < HOSTS_MAX; i++) {
        gossip_zmq_close(bed->hosts[i].carrier);
        free(bed->hosts[i].core);
    }
    free(bed);
    return 0;
}

static struct gossip_zmq_config config_of(const struct bed *bed, int index, bool curve) {
    const struct host *host = &bed->hosts[index];
    struct gossip_zmq_config config = {.curve = curve, .fleet = &bed->fleet};
    memcpy(config.listen, host->address, sizeof config.listen);
    memcpy(config.public_key, host->public_key, sizeof config.public_key);
    memcpy(config.secret_key, host->secret_key, sizeof config.secret_key);
    return config;
}

static void open_host(struct bed *bed, int index, bool curve) {
    struct gossip_zmq_config config = config_of(bed, index, curve);
    struct error error = {0};
    struct host *host = &bed->hosts[index];
    int rc = gossip_zmq_open(&config, host->core, &host->carrier, &error);
    if (rc != 0) {
        fail_msg("open: %s", error.text);
    }
}

static void close_host(struct bed *bed, int index) {
    gossip_zmq_close(bed->hosts[index].carrier);
    bed->hosts[index].carrier = NULL;
}

// One turn of every open host's loop: waits on their descriptors, as the agent's loop would, at
// most 5 ms.
static void turn(struct bed *bed) {
    struct pollfd polls[HOSTS_MAX];
    nfds_t count = 0;
    bool more = false;
    for (int i = 0; i < HOSTS_MAX; i++) {
        if (bed->hosts[i].carrier != NULL) {
            more = gossip_zmq_work(bed->hosts[i].carrier, now()) || more;
            int fd = gossip_zmq_fd(bed->hosts[i].carrier);
            polls[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
    }
    poll(polls, count, more ? 0 : 5);
}

static struct gossip_zmq_stats stats_of(const struct bed *bed, int index) {
    struct gossip_zmq_stats stats;
    gossip_zmq_stats(bed->hosts[index].carrier, &stats);
    return stats;
}

// Turns the loops until `condition` holds; fails the test when it does not within PATIENCE_NS.
#define WAIT_UNTIL(bed, condition)                                                                 \
    do {                                                                                           \
        uint64_t until_ns = now() + PATIENCE_NS;                                                   \
        while (!(condition)) {                                                                     \
            if (now() > until_ns) {                                                                \
                fail_msg("not within %d s: %s", (int)(PATIENCE_NS / NS_PER_S), #condition);        \
            }                                                                                      \
            turn(bed);                                                                             \
        }                                                                                          \
    } while (0)

static void connect_neighbours(struct bed *bed, int from, int to) {
    const char *addresses[] = {bed->hosts[to].address};
    fake_set_neighbours(bed->hosts[from].core, 1, addresses);
}

static void a_message_to_a_neighbour_arrives_whole(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, false);
    open_host(bed, 1, false);
    connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    assert_string_equal(bed->hosts[0].core->last_connected, bed->hosts[1].address);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "link down", 9);
    WAIT_UNTIL(bed, bed->hosts[1].core->received == 1);
    assert_memory_equal(bed->hosts[1].core->last, "link down", 9);
    assert_int_equal(bed->hosts[0].core->behind, 0);
}

static void a_message_of_the_greatest_size_arrives(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, true);
    open_host(bed, 1, true);
    char *large = calloc(1, GOSSIP_MESSAGE_MAX + 1);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, large, GOSSIP_MESSAGE_MAX + 1);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, large, GOSSIP_MESSAGE_MAX);
    WAIT_UNTIL(bed, bed->hosts[1].core->received == 1);
    assert_int_equal(bed->hosts[1].core->received_bytes, GOSSIP_MESSAGE_MAX);
    assert_int_equal(stats_of(bed, 0).oversized, 1);
    free(large);
}

static void the_first_message_to_a_stranger_is_held_until_the_connection_is_up(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, true);
    open_host(bed, 1, true);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "join", 4);
    WAIT_UNTIL(bed, bed->hosts[1].core->received == 1);
    assert_memory_equal(bed->hosts[1].core->last, "join", 4);
    assert_int_equal(bed->hosts[0].core->behind, 0);
}

static void more_than_is_held_for_a_stranger_is_reported_as_behind(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, false);
    for (int i = 0; i < 9; i++) { // peers.h: eight are held
        fake_say(bed->hosts[0].core, bed->hosts[1].address, "x", 1);
    }
    turn(bed);
    assert_int_equal(bed->hosts[0].core->behind, 1);
    assert_string_equal(bed->hosts[0].core->last_behind, bed->hosts[1].address);
}

static void a_peer_that_never_answered_is_not_lost(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, false);
    connect_neighbours(bed, 0, 1); // nobody listens there
    uint64_t until_ns = now() + 300 * NS_PER_MS;
    while (now() < until_ns) {
        turn(bed);
    }
    assert_int_equal(bed->hosts[0].core->lost, 0);
    assert_int_equal(bed->hosts[0].core->connected, 0);
}

static void a_peer_that_goes_away_is_lost_at_once_and_found_again(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, true);
    open_host(bed, 1, true);
    connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    close_host(bed, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->lost == 1);
    assert_string_equal(bed->hosts[0].core->last_lost, bed->hosts[1].address);
    // What is said meanwhile is for the dead process, not for its successor.
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "stale", 5);
    WAIT_UNTIL(bed, bed->hosts[0].core->behind == 1);
    open_host(bed, 1, true);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 2);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "fresh", 5);
    WAIT_UNTIL(bed, bed->hosts[1].core->received == 1);
    assert_memory_equal(bed->hosts[1].core->last, "fresh", 5);
}

static void a_peer_that_reads_nothing_is_behind_and_memory_stays_bounded(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, false);
    open_host(bed, 1, false);
    connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    struct gossip_zmq *silent = bed->hosts[1].carrier;
    bed->hosts[1].carrier = NULL; // its loop stops; its sockets stay
    static char bytes[16384];
    uint64_t said = 0;
    while (bed->hosts[0].core->behind == 0 && said < 100000) {
        fake_say(bed->hosts[0].core, bed->hosts[1].address, bytes, sizeof bytes);
        said++;
        gossip_zmq_work(bed->hosts[0].carrier, now());
    }
    assert_true(bed->hosts[0].core->behind > 0);
    // Two queues of 1000 and the kernel's socket buffers.
    assert_true(said < 10000);
    bed->hosts[1].carrier = silent;
    WAIT_UNTIL(bed, bed->hosts[1].core->received > 0);
}

static void the_least_recently_used_stranger_gives_way(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, false);
    open_host(bed, 1, false);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "hello", 5);
    WAIT_UNTIL(bed, stats_of(bed, 0).connections == 1);
    for (int i = 0; i < 100; i++) { // peers.h: room for 48 peers, 16 of them strangers
        char address[GOSSIP_ADDRESS_SIZE];
        snprintf(address, sizeof address, "tcp://127.0.0.1:%d", 20000 + i);
        fake_say(bed->hosts[0].core, address, "x", 1);
        if (i == 50) { // what is in use stays
            assert_int_equal(stats_of(bed, 0).disconnected, 0);
        }
        if (i <= 50) {
            fake_say(bed->hosts[0].core, bed->hosts[1].address, "again", 5);
        }
        turn(bed);
    }
    assert_int_equal(stats_of(bed, 0).disconnected, 1); // what is no longer used goes
    assert_int_equal(bed->hosts[0].core->lost, 0);      // closed by us, not lost
}

static void an_address_that_is_not_numeric_tcp_is_never_opened(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, false);
    static const char *const bad[] = {"ipc:///tmp/x",          "inproc://monitor-0",
                                      "tcp://localhost:7946",  "tcp://127.0.0.1:0",
                                      "tcp://127.0.0.1:70000", "tcp://127.0.0.1:1;127.0.0.2:2",
                                      "tcp://*:7946",          "",
                                      "tcp://[::1:5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fake_say(bed->hosts[0].core, bad[i], "x", 1);
    }
    turn(bed);
    assert_int_equal(stats_of(bed, 0).unreachable, sizeof bad / sizeof *bad);
}

static void a_taken_port_is_a_sentence(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, false);
    struct gossip_zmq_config config = config_of(bed, 0, false);
    struct gossip_zmq *second = NULL;
    struct error error = {0};
    assert_int_equal(gossip_zmq_open(&config, bed->hosts[1].core, &second, &error), -EADDRINUSE);
    assert_null(second);
    assert_non_null(strstr(error.text, "is in use"));
    assert_non_null(strstr(error.text, config.listen));
}

static void an_address_of_another_host_is_a_sentence(void **state) {
    struct bed *bed = *state;
    struct gossip_zmq_config config = config_of(bed, 0, false);
    snprintf(config.listen, sizeof config.listen, "tcp://192.0.2.1:7946");
    struct gossip_zmq *carrier = NULL;
    struct error error = {0};
    int rc = gossip_zmq_open(&config, bed->hosts[0].core, &carrier, &error);
    assert_int_equal(rc, -EADDRNOTAVAIL);
    assert_non_null(strstr(error.text, "no such address"));
}

static void too_few_descriptors_are_refused_with_the_number_needed(void **state) {
    struct bed *bed = *state;
    struct rlimit before, low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    struct gossip_zmq_config config = config_of(bed, 0, true);
    struct gossip_zmq *carrier = NULL;
    struct error error = {0};
    int rc = gossip_zmq_open(&config, bed->hosts[0].core, &carrier, &error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(rc, -EMFILE);
    unsigned needed = 0;
    assert_int_equal(sscanf(error.text, "gossip needs %u file descriptors", &needed), 1);
    assert_true(needed > 64);
    // The number is honest: with exactly that many it opens.
    low.rlim_cur = needed;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    rc = gossip_zmq_open(&config, bed->hosts[0].core, &bed->hosts[0].carrier, &error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(rc, 0);
}

static int raw_client(const struct host *host) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7946)};
    assert_int_equal(inet_pton(AF_INET, host->ip, &to.sin_addr), 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static bool closed_by_peer(int fd) {
    char bytes[512];
    ssize_t size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno != EAGAIN);
}

static void write_all(int fd, const void *bytes, size_t size) {
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

// A ZMTP 3.0 peer without security up to the first message: greeting, then READY.
static const unsigned char zmtp_greeting[64] = {0xff, 0,    0, 0, 0,   0,   0,   0,
                                                0,    0x7f, 3, 0, 'N', 'U', 'L', 'L'};
static const unsigned char zmtp_ready[] = "\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06"
                                          "DEALER";

// Connects and brings the handshake to its end: libzmq wants to have answered before the first
// message comes.
static int zmtp_client(struct bed *bed, const struct host *host) {
    int fd = raw_client(host);
    char answer[512];
    write_all(fd, zmtp_greeting, sizeof zmtp_greeting);
    WAIT_UNTIL(bed, recv(fd, answer, sizeof answer, MSG_DONTWAIT | MSG_PEEK) >= 64);
    write_all(fd, zmtp_ready, sizeof zmtp_ready - 1);
    WAIT_UNTIL(bed, recv(fd, answer, sizeof answer, MSG_DONTWAIT | MSG_PEEK) >= 64 + 30);
    return fd;
}

static void a_frame_of_eight_gibibytes_ends_its_connection_only(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, false);
    open_host(bed, 1, false);
    connect_neighbours(bed, 1, 0);
    WAIT_UNTIL(bed, bed->hosts[1].core->connected == 1);
    int fd = zmtp_client(bed, &bed->hosts[0]);
    // A small message first: it proves that the client's ZMTP is right.
    write_all(fd, "\x00\x02ok", 4);
    WAIT_UNTIL(bed, bed->hosts[0].core->received == 1);
    write_all(fd, "\x02\x00\x00\x00\x02\x00\x00\x00\x00", 9); // long frame, 8 GiB
    WAIT_UNTIL(bed, closed_by_peer(fd));
    close(fd);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    assert_true(usage.ru_maxrss < 512 * 1024);
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "still here", 10);
    WAIT_UNTIL(bed, bed->hosts[0].core->received == 2);
    assert_int_equal(stats_of(bed, 1).disconnected, 0);
}

static void a_message_of_several_frames_is_dropped_whole(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, false);
    int fd = zmtp_client(bed, &bed->hosts[0]);
    write_all(fd,
              "\x01\x01"
              "a\x01\x01"
              "b\x00\x01"
              "c",
              9);                 // three frames
    write_all(fd, "\x00\x00", 2); // an empty one
    write_all(fd, "\x00\x02ok", 4);
    WAIT_UNTIL(bed, bed->hosts[0].core->received == 1);
    assert_memory_equal(bed->hosts[0].core->last, "ok", 2);
    assert_int_equal(stats_of(bed, 0).malformed, 2);
    close(fd);
}

static void garbage_instead_of_a_greeting_does_not_reach_the_core_with_curve(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, true);
    static const char garbage[] =
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n\x00\x01\x02\xff\xfe and more of "
        "it, longer than the 64 bytes of a greeting";
    int fd = raw_client(&bed->hosts[0]);
    write_all(fd, garbage, sizeof garbage);
    WAIT_UNTIL(bed, closed_by_peer(fd));
    close(fd);
    WAIT_UNTIL(bed, stats_of(bed, 0).inbound_ended == 1);
    assert_int_equal(stats_of(bed, 0).inbound, 0);
    assert_int_equal(bed->hosts[0].core->received, 0);
}

// Without CURVE, libzmq takes what does not look like a greeting for the first bytes of ZMTP 1.0,
// and hands frames of it on: the core's decoder is then the guard. Here: the carrier survives it.
static void garbage_of_any_kind_leaves_the_carrier_working(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, false);
    open_host(bed, 1, false);
    uint64_t word = 1;
    for (int round = 0; round < 32; round++) {
        unsigned char garbage[200];
        for (size_t i = 0; i < sizeof garbage; i++) {
            word = word * UINT64_C(6364136223846793005) + 1442695040888963407;
            garbage[i] = (unsigned char)(word >> 56);
        }
        garbage[0] = round % 2 == 0 ? 0xff : garbage[0]; // half of them begin like a greeting
        int fd = raw_client(&bed->hosts[0]);
        write_all(fd, garbage, sizeof garbage);
        turn(bed);
        close(fd);
    }
    WAIT_UNTIL(bed, stats_of(bed, 0).inbound_ended == 32);
    uint64_t before = bed->hosts[0].core->received;
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "hello", 5);
    WAIT_UNTIL(bed, bed->hosts[0].core->received > before);
    assert_memory_equal(bed->hosts[0].core->last, "hello", 5);
}

static void a_client_without_curve_is_refused_and_counted(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, true);
    open_host(bed, 1, false);
    connect_neighbours(bed, 1, 0);
    WAIT_UNTIL(bed, stats_of(bed, 0).handshake_failed >= 1);
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "let me in", 9);
    WAIT_UNTIL(bed, stats_of(bed, 0).handshake_failed >= 2); // it tries again, and fails again
    assert_int_equal(bed->hosts[0].core->received, 0);
    assert_int_equal(bed->hosts[1].core->connected, 0);
    assert_int_equal(bed->hosts[1].core->lost, 0); // never connected, so never lost
}

static void a_client_that_expects_another_server_key_does_not_connect(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, true);
    memcpy(bed->keys[0].public_key, bed->hosts[2].public_key, CURVE_KEY_TEXT_SIZE);
    open_host(bed, 1, true);
    connect_neighbours(bed, 1, 0);
    WAIT_UNTIL(bed, stats_of(bed, 0).handshake_failed >= 1);
    assert_int_equal(bed->hosts[1].core->connected, 0);
    assert_int_equal(bed->hosts[1].core->lost, 0); // never connected, so never lost
}

static void a_key_that_is_not_in_the_list_is_denied_and_the_agent_stays_responsive(void **state) {
    struct bed *bed = *state;
    bed->fleet.count = 2; // host 0 knows hosts 0 and 1
    open_host(bed, 0, true);
    open_host(bed, 1, true);
    bed->fleet.count = HOSTS_MAX;
    open_host(bed, 2, true);
    connect_neighbours(bed, 2, 0);
    WAIT_UNTIL(bed, stats_of(bed, 0).denied_keys >= 2); // tried again after the first refusal
    assert_int_equal(bed->hosts[2].core->connected, 0);
    assert_int_equal(bed->hosts[2].core->lost, 0); // never connected, so never lost
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "hello", 5);
    WAIT_UNTIL(bed, bed->hosts[0].core->received == 1);
    assert_memory_equal(bed->hosts[0].core->last, "hello", 5);
}

static void a_removed_key_is_denied_on_a_connection_that_already_stands(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, true);
    open_host(bed, 1, true);
    connect_neighbours(bed, 1, 0);
    connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[1].core->connected == 1 && bed->hosts[0].core->connected == 1);
    struct curve_keys without = {.keys = bed->keys, .count = 1};
    struct error error = {0};
    assert_int_equal(gossip_zmq_set_keys(bed->hosts[0].carrier, now(), &without, &error), 0);
    assert_int_equal(bed->hosts[0].core->lost, 1); // our side of it is closed at once
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "still me", 8);
    WAIT_UNTIL(bed, stats_of(bed, 0).denied_keys == 1);
    assert_int_equal(bed->hosts[0].core->received, 0);
}

static void a_host_changes_its_key_while_old_and_new_are_allowed(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, true);
    open_host(bed, 1, true);
    connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    struct curve_key *extra = &bed->keys[HOSTS_MAX]; // a second line for h1
    *extra = bed->keys[1];
    memcpy(extra->public_key, bed->hosts[3].public_key, sizeof extra->public_key);
    bed->fleet.count = HOSTS_MAX + 1;
    struct error error = {0};
    assert_int_equal(gossip_zmq_set_keys(bed->hosts[0].carrier, now(), &bed->fleet, &error), 0);
    assert_int_equal(bed->hosts[0].core->lost, 0); // the old key still holds
    close_host(bed, 1);
    memcpy(bed->hosts[1].public_key, bed->hosts[3].public_key, CURVE_KEY_TEXT_SIZE);
    memcpy(bed->hosts[1].secret_key, bed->hosts[3].secret_key, CURVE_KEY_TEXT_SIZE);
    open_host(bed, 1, true);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 2);
    connect_neighbours(bed, 1, 0);
    WAIT_UNTIL(bed, bed->hosts[1].core->connected == 1);
}

static void a_bad_key_in_a_new_list_is_named_and_changes_nothing(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, true);
    open_host(bed, 1, true);
    struct curve_key bad[2] = {bed->keys[0], {.host = "h9", .public_key = "too short"}};
    struct curve_keys list = {.keys = bad, .count = 2};
    struct error error = {0};
    assert_int_equal(gossip_zmq_set_keys(bed->hosts[0].carrier, now(), &list, &error), -EINVAL);
    assert_non_null(strstr(error.text, "h9"));
    connect_neighbours(bed, 1, 0);
    WAIT_UNTIL(bed, bed->hosts[1].core->connected == 1);
}

static void the_key_of_a_member_is_found_by_the_name_it_gave_itself(void **state) {
    struct bed *bed = *state;
    bed->keys[1].address[0] = '\0';
    open_host(bed, 0, true);
    open_host(bed, 1, true);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "who are you", 11);
    WAIT_UNTIL(bed, stats_of(bed, 0).unreachable == 1); // nothing known of this address
    struct gossip *core = bed->hosts[0].core;
    core->members[0] = (struct gossip_member){.name = "h1",
                                              .address = bed->hosts[1].address,
                                              .state = GOSSIP_ALIVE};
    core->member_count = 1;
    connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, core->connected == 1);
}

static void the_key_of_a_joiner_is_the_one_that_it_spoke_with(void **state) {
    struct bed *bed = *state;
    bed->keys[1].address[0] = '\0'; // host 0 knows nothing of host 1, which knows its seed
    open_host(bed, 0, true);
    open_host(bed, 1, true);
    connect_neighbours(bed, 0, 1);
    turn(bed);
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "join", 4);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "welcome", 7);
    WAIT_UNTIL(bed, bed->hosts[1].core->received == 1);
}

static void a_shared_key_serves_every_host(void **state) {
    struct bed *bed = *state;
    for (int i = 0; i < 2; i++) {
        memcpy(bed->hosts[i].public_key, bed->hosts[3].public_key, CURVE_KEY_TEXT_SIZE);
        memcpy(bed->hosts[i].secret_key, bed->hosts[3].secret_key, CURVE_KEY_TEXT_SIZE);
    }
    bed->keys[0] = (struct curve_key){.host = "*"};
    memcpy(bed->keys[0].public_key, bed->hosts[3].public_key, CURVE_KEY_TEXT_SIZE);
    bed->fleet.count = 1;
    open_host(bed, 0, true);
    open_host(bed, 1, true);
    connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
}

static void a_peer_on_ipv6_is_reached(void **state) {
    struct bed *bed = *state;
    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    socklen_t size = sizeof any;
    if (probe < 0 || bind(probe, (struct sockaddr *)&any, size) != 0) {
        skip(); // no IPv6 here
    }
    assert_int_equal(getsockname(probe, (struct sockaddr *)&any, &size), 0);
    close(probe); // its port is ours now, but for an unlikely race
    snprintf(bed->hosts[0].address, GOSSIP_ADDRESS_SIZE, "tcp://[::1]:%d", ntohs(any.sin6_port));
    snprintf(bed->hosts[1].address, GOSSIP_ADDRESS_SIZE, "tcp://[::]:%d",
             ntohs(any.sin6_port) == 65535 ? 1024 : ntohs(any.sin6_port) + 1);
    open_host(bed, 0, false);
    open_host(bed, 1, false);
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "six", 3);
    WAIT_UNTIL(bed, bed->hosts[0].core->received == 1);
}

static void a_polite_leave_is_still_sent_at_close(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, true);
    open_host(bed, 1, true);
    connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    static char bytes[16384];
    for (int i = 0; i < 100; i++) {
        fake_say(bed->hosts[0].core, bed->hosts[1].address, bytes, sizeof bytes);
    }
    gossip_zmq_flush(bed->hosts[0].carrier, now(), 5 * NS_PER_S);
    close_host(bed, 0);
    WAIT_UNTIL(bed, bed->hosts[1].core->received == 100);
}

static void the_budget_of_a_turn_is_64_messages_and_nothing_is_forgotten(void **state) {
    struct bed *bed = *state;
    open_host(bed, 0, false);
    open_host(bed, 1, false);
    connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    for (int i = 0; i < 200; i++) {
        fake_say(bed->hosts[0].core, bed->hosts[1].address, "x", 1);
    }
    gossip_zmq_work(bed->hosts[0].carrier, now());
    struct gossip *core = bed->hosts[1].core;
    uint64_t until_ns = now() + PATIENCE_NS;
    while (core->received < 200 && now() < until_ns) {
        struct pollfd wait = {.fd = gossip_zmq_fd(bed->hosts[1].carrier), .events = POLLIN};
        poll(&wait, 1, 1000);
        uint64_t before = core->received;
        bool more;
        do {
            more = gossip_zmq_work(bed->hosts[1].carrier, now());
            assert_true(core->received - before <= 64);
            before = core->received;
        } while (more);
    }
    assert_int_equal(core->received, 200);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_message_to_a_neighbour_arrives_whole),
        CASE(a_message_of_the_greatest_size_arrives),
        CASE(the_first_message_to_a_stranger_is_held_until_the_connection_is_up),
        CASE(more_than_is_held_for_a_stranger_is_reported_as_behind),
        CASE(a_peer_that_never_answered_is_not_lost),
        CASE(a_peer_that_goes_away_is_lost_at_once_and_found_again),
        CASE(a_peer_that_reads_nothing_is_behind_and_memory_stays_bounded),
        CASE(the_least_recently_used_stranger_gives_way),
        CASE(an_address_that_is_not_numeric_tcp_is_never_opened),
        CASE(a_taken_port_is_a_sentence),
        CASE(an_address_of_another_host_is_a_sentence),
        CASE(too_few_descriptors_are_refused_with_the_number_needed),
        CASE(a_frame_of_eight_gibibytes_ends_its_connection_only),
        CASE(a_message_of_several_frames_is_dropped_whole),
        CASE(garbage_instead_of_a_greeting_does_not_reach_the_core_with_curve),
        CASE(garbage_of_any_kind_leaves_the_carrier_working),
        CASE(a_client_without_curve_is_refused_and_counted),
        CASE(a_client_that_expects_another_server_key_does_not_connect),
        CASE(a_key_that_is_not_in_the_list_is_denied_and_the_agent_stays_responsive),
        CASE(a_removed_key_is_denied_on_a_connection_that_already_stands),
        CASE(a_host_changes_its_key_while_old_and_new_are_allowed),
        CASE(a_bad_key_in_a_new_list_is_named_and_changes_nothing),
        CASE(the_key_of_a_member_is_found_by_the_name_it_gave_itself),
        CASE(the_key_of_a_joiner_is_the_one_that_it_spoke_with),
        CASE(a_shared_key_serves_every_host),
        CASE(a_peer_on_ipv6_is_reached),
        CASE(a_polite_leave_is_still_sent_at_close),
        CASE(the_budget_of_a_turn_is_64_messages_and_nothing_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
