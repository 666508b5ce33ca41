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

#include "gossip_zmq_bed.h"
#include "model/time.h"

static void a_message_to_a_neighbour_arrives_whole(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, false);
    bed_open_host(bed, 1, false);
    bed_connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    assert_string_equal(bed->hosts[0].core->last_connected, bed->hosts[1].address);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "link down", 9);
    WAIT_UNTIL(bed, bed->hosts[1].core->received == 1);
    assert_memory_equal(bed->hosts[1].core->last, "link down", 9);
    assert_int_equal(bed->hosts[0].core->behind, 0);
}

static void a_message_of_the_greatest_size_arrives(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    char *large = calloc(1, GOSSIP_MESSAGE_MAX + 1);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, large, GOSSIP_MESSAGE_MAX + 1);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, large, GOSSIP_MESSAGE_MAX);
    WAIT_UNTIL(bed, bed->hosts[1].core->received == 1);
    assert_int_equal(bed->hosts[1].core->received_bytes, GOSSIP_MESSAGE_MAX);
    assert_int_equal(bed_stats_of(bed, 0).oversized, 1);
    free(large);
}

static void the_first_message_to_a_stranger_is_held_until_the_connection_is_up(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "join", 4);
    WAIT_UNTIL(bed, bed->hosts[1].core->received == 1);
    assert_memory_equal(bed->hosts[1].core->last, "join", 4);
    assert_int_equal(bed->hosts[0].core->behind, 0);
}

static void more_than_is_held_for_a_stranger_is_reported_as_behind(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, false);
    for (int i = 0; i < 9; i++) { // peers.h: eight are held
        fake_say(bed->hosts[0].core, bed->hosts[1].address, "x", 1);
    }
    bed_turn(bed);
    assert_int_equal(bed->hosts[0].core->behind, 1);
    assert_string_equal(bed->hosts[0].core->last_behind, bed->hosts[1].address);
}

static void what_may_be_dropped_is_neither_held_nor_reported(void **state) {
    struct bed *bed = *state;
    struct gossip_zmq_stats stats;
    bed_open_host(bed, 0, false);
    bed->hosts[0].core->says_droppable = true;
    for (int i = 0; i < 9; i++) {
        fake_say(bed->hosts[0].core, bed->hosts[1].address, "load", 4);
    }
    bed_turn(bed);
    gossip_zmq_stats(bed->hosts[0].carrier, &stats);
    assert_int_equal(stats.dropped_loads, 9);
    assert_int_equal(bed->hosts[0].core->behind, 0);
    bed_open_host(bed, 1, false);
    bed_connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "newer", 5);
    WAIT_UNTIL(bed, bed->hosts[1].core->received == 1);
    assert_memory_equal(bed->hosts[1].core->last, "newer", 5); // nothing was held
}

static void a_full_queue_drops_loads_silently(void **state) {
    struct bed *bed = *state;
    struct gossip_zmq_stats stats = {.dropped_loads = 0};
    bed_open_host(bed, 0, false);
    bed_open_host(bed, 1, false);
    bed_connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    struct gossip_zmq *silent = bed->hosts[1].carrier;
    bed->hosts[1].carrier = NULL; // its loop stops; its sockets stay
    static char bytes[16384];
    bed->hosts[0].core->says_droppable = true;
    for (uint32_t said = 0; stats.dropped_loads == 0 && said < 100000; said++) {
        fake_say(bed->hosts[0].core, bed->hosts[1].address, bytes, sizeof bytes);
        gossip_zmq_work(bed->hosts[0].carrier, bed_now());
        gossip_zmq_stats(bed->hosts[0].carrier, &stats);
    }
    assert_true(stats.dropped_loads > 0);
    assert_int_equal(bed->hosts[0].core->behind, 0);
    assert_int_equal(stats.would_block, 0);
    bed->hosts[1].carrier = silent;
}

static void a_peer_that_never_answered_is_not_lost(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, false);
    bed_connect_neighbours(bed, 0, 1); // nobody listens there
    uint64_t until_ns = bed_now() + 300 * NS_PER_MS;
    while (bed_now() < until_ns) {
        bed_turn(bed);
    }
    assert_int_equal(bed->hosts[0].core->lost, 0);
    assert_int_equal(bed->hosts[0].core->connected, 0);
}

static void a_peer_that_goes_away_is_lost_at_once_and_found_again(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    bed_connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    bed_close_host(bed, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->lost == 1);
    assert_string_equal(bed->hosts[0].core->last_lost, bed->hosts[1].address);
    // What is said meanwhile is for the dead process, not for its successor.
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "stale", 5);
    WAIT_UNTIL(bed, bed->hosts[0].core->behind == 1);
    bed_open_host(bed, 1, true);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 2);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "fresh", 5);
    WAIT_UNTIL(bed, bed->hosts[1].core->received == 1);
    assert_memory_equal(bed->hosts[1].core->last, "fresh", 5);
}

static void a_peer_that_reads_nothing_is_behind_and_memory_stays_bounded(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, false);
    bed_open_host(bed, 1, false);
    bed_connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    struct gossip_zmq *silent = bed->hosts[1].carrier;
    bed->hosts[1].carrier = NULL; // its loop stops; its sockets stay
    static char bytes[16384];
    uint64_t said = 0;
    while (bed->hosts[0].core->behind == 0 && said < 100000) {
        fake_say(bed->hosts[0].core, bed->hosts[1].address, bytes, sizeof bytes);
        said++;
        gossip_zmq_work(bed->hosts[0].carrier, bed_now());
    }
    assert_true(bed->hosts[0].core->behind > 0);
    // Two queues of 1000 and the kernel's socket buffers.
    assert_true(said < 10000);
    bed->hosts[1].carrier = silent;
    WAIT_UNTIL(bed, bed->hosts[1].core->received > 0);
}

static void the_least_recently_used_stranger_gives_way(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, false);
    bed_open_host(bed, 1, false);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "hello", 5);
    WAIT_UNTIL(bed, bed_stats_of(bed, 0).connections == 1);
    for (int i = 0; i < 100; i++) { // peers.h: room for 48 peers, 16 of them strangers
        char address[GOSSIP_ADDRESS_SIZE];
        snprintf(address, sizeof address, "tcp://127.0.0.1:%d", 20000 + i);
        fake_say(bed->hosts[0].core, address, "x", 1);
        if (i == 50) { // what is in use stays
            assert_int_equal(bed_stats_of(bed, 0).disconnected, 0);
        }
        if (i <= 50) {
            fake_say(bed->hosts[0].core, bed->hosts[1].address, "again", 5);
        }
        bed_turn(bed);
    }
    assert_int_equal(bed_stats_of(bed, 0).disconnected, 1); // what is no longer used goes
    assert_int_equal(bed->hosts[0].core->lost, 0);          // closed by us, not lost
}

static void a_thousand_addresses_where_nobody_is_cost_little_and_delay_nobody(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, false);
    bed_open_host(bed, 1, false);
    bed_connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    uint64_t longest_ns = 0;
    for (unsigned i = 0; i < 3000; i++) {
        char address[GOSSIP_ADDRESS_SIZE];
        snprintf(address, sizeof address, "tcp://127.251.%u.%u:7948", i % 1000 / 250, i % 250 + 1);
        fake_say(bed->hosts[0].core, address, "anybody there", 13);
        bed_turn(bed);
        if (i % 100 == 99) {
            uint64_t at_ns = bed_now(), heard = bed->hosts[1].core->received;
            fake_say(bed->hosts[0].core, bed->hosts[1].address, "you are", 7);
            WAIT_UNTIL(bed, bed->hosts[1].core->received > heard);
            longest_ns = bed_now() - at_ns > longest_ns ? bed_now() - at_ns : longest_ns;
        }
    }
    printf("at most %llu us\n", (unsigned long long)(longest_ns / 1000));
    assert_true(longest_ns < NS_PER_S);
    assert_int_equal(bed_stats_of(bed, 0).connections, 1);
    assert_int_equal(bed->hosts[0].core->lost, 0);
}

static void an_address_that_is_not_numeric_tcp_is_never_opened(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, false);
    static const char *const bad[] = {"ipc:///tmp/x",          "inproc://monitor-0",
                                      "tcp://localhost:7946",  "tcp://127.0.0.1:0",
                                      "tcp://127.0.0.1:70000", "tcp://127.0.0.1:1;127.0.0.2:2",
                                      "tcp://*:7946",          "",
                                      "tcp://[::1:5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fake_say(bed->hosts[0].core, bad[i], "x", 1);
    }
    bed_turn(bed);
    assert_int_equal(bed_stats_of(bed, 0).unreachable, sizeof bad / sizeof *bad);
}

static void a_taken_port_is_a_sentence(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, false);
    struct gossip_zmq_config config = bed_config_of(bed, 0, false);
    struct gossip_zmq *second = NULL;
    struct error error = {0};
    assert_int_equal(gossip_zmq_open(&config, bed->hosts[1].core, &second, &error), -EADDRINUSE);
    assert_null(second);
    assert_non_null(strstr(error.text, "is in use"));
    assert_non_null(strstr(error.text, config.listen));
}

static void an_address_of_another_host_is_a_sentence(void **state) {
    struct bed *bed = *state;
    struct gossip_zmq_config config = bed_config_of(bed, 0, false);
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
    struct gossip_zmq_config config = bed_config_of(bed, 0, true);
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
    bed_open_host(bed, 0, false);
    bed_open_host(bed, 1, false);
    bed_connect_neighbours(bed, 1, 0);
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
    assert_int_equal(bed_stats_of(bed, 1).disconnected, 0);
}

static void a_message_of_several_frames_is_dropped_whole(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, false);
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
    assert_int_equal(bed_stats_of(bed, 0).malformed, 2);
    close(fd);
}

static void garbage_instead_of_a_greeting_does_not_reach_the_core_with_curve(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, true);
    static const char garbage[] =
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n\x00\x01\x02\xff\xfe and more of "
        "it, longer than the 64 bytes of a greeting";
    int fd = raw_client(&bed->hosts[0]);
    write_all(fd, garbage, sizeof garbage);
    WAIT_UNTIL(bed, closed_by_peer(fd));
    close(fd);
    WAIT_UNTIL(bed, bed_stats_of(bed, 0).inbound_ended == 1);
    assert_int_equal(bed_stats_of(bed, 0).inbound, 0);
    assert_int_equal(bed->hosts[0].core->received, 0);
}

// Without CURVE, libzmq takes what does not look like a greeting for the first bytes of ZMTP 1.0,
// and hands frames of it on: the core's decoder is then the guard. Here: the carrier survives it.
static void garbage_of_any_kind_leaves_the_carrier_working(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, false);
    bed_open_host(bed, 1, false);
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
        bed_turn(bed);
        close(fd);
    }
    WAIT_UNTIL(bed, bed_stats_of(bed, 0).inbound_ended == 32);
    uint64_t before = bed->hosts[0].core->received;
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "hello", 5);
    WAIT_UNTIL(bed, bed->hosts[0].core->received > before);
    assert_memory_equal(bed->hosts[0].core->last, "hello", 5);
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
    bed_open_host(bed, 0, false);
    bed_open_host(bed, 1, false);
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "six", 3);
    WAIT_UNTIL(bed, bed->hosts[0].core->received == 1);
}

static void a_polite_leave_is_still_sent_at_close(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    bed_connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    static char bytes[16384];
    for (int i = 0; i < 100; i++) {
        fake_say(bed->hosts[0].core, bed->hosts[1].address, bytes, sizeof bytes);
    }
    gossip_zmq_flush(bed->hosts[0].carrier, bed_now(), 5 * NS_PER_S);
    bed_close_host(bed, 0);
    WAIT_UNTIL(bed, bed->hosts[1].core->received == 100);
}

static void the_budget_of_a_turn_is_64_messages_and_nothing_is_forgotten(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, false);
    bed_open_host(bed, 1, false);
    bed_connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    for (int i = 0; i < 200; i++) {
        fake_say(bed->hosts[0].core, bed->hosts[1].address, "x", 1);
    }
    gossip_zmq_work(bed->hosts[0].carrier, bed_now());
    struct gossip *core = bed->hosts[1].core;
    uint64_t until_ns = bed_now() + PATIENCE_NS;
    while (core->received < 200 && bed_now() < until_ns) {
        struct pollfd wait = {.fd = gossip_zmq_fd(bed->hosts[1].carrier), .events = POLLIN};
        poll(&wait, 1, 1000);
        uint64_t before = core->received;
        bool more;
        do {
            more = gossip_zmq_work(bed->hosts[1].carrier, bed_now());
            assert_true(core->received - before <= 64);
            before = core->received;
        } while (more);
    }
    assert_int_equal(core->received, 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_message_to_a_neighbour_arrives_whole),
        CASE(a_message_of_the_greatest_size_arrives),
        CASE(the_first_message_to_a_stranger_is_held_until_the_connection_is_up),
        CASE(more_than_is_held_for_a_stranger_is_reported_as_behind),
        CASE(what_may_be_dropped_is_neither_held_nor_reported),
        CASE(a_full_queue_drops_loads_silently),
        CASE(a_peer_that_never_answered_is_not_lost),
        CASE(a_peer_that_goes_away_is_lost_at_once_and_found_again),
        CASE(a_peer_that_reads_nothing_is_behind_and_memory_stays_bounded),
        CASE(the_least_recently_used_stranger_gives_way),
        CASE(a_thousand_addresses_where_nobody_is_cost_little_and_delay_nobody),
        CASE(an_address_that_is_not_numeric_tcp_is_never_opened),
        CASE(a_taken_port_is_a_sentence),
        CASE(an_address_of_another_host_is_a_sentence),
        CASE(too_few_descriptors_are_refused_with_the_number_needed),
        CASE(a_frame_of_eight_gibibytes_ends_its_connection_only),
        CASE(a_message_of_several_frames_is_dropped_whole),
        CASE(garbage_instead_of_a_greeting_does_not_reach_the_core_with_curve),
        CASE(garbage_of_any_kind_leaves_the_carrier_working),
        CASE(a_peer_on_ipv6_is_reached),
        CASE(a_polite_leave_is_still_sent_at_close),
        CASE(the_budget_of_a_turn_is_64_messages_and_nothing_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
