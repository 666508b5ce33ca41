// SPDX-License-Identifier: Apache-2.0
#include "gossip_zmq_intruder.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zmq.h>
#include <cmocka.h>

#define SOON_NS (2 * NS_PER_S) // a busy machine included; alone it is milliseconds

static void set_text(void *socket, int option, const char *text) {
    assert_int_equal(zmq_setsockopt(socket, option, text, strlen(text)), 0);
}

static void *dealer_to(void *context, const struct host *host, const char *source,
                       const char *public_key, const char *secret_key) {
    char endpoint[2 * GOSSIP_ADDRESS_SIZE];
    int linger = 0;
    void *dealer = zmq_socket(context, ZMQ_DEALER);
    assert_non_null(dealer);
    zmq_setsockopt(dealer, ZMQ_LINGER, &linger, sizeof linger);
    if (public_key != NULL) {
        set_text(dealer, ZMQ_CURVE_SERVERKEY, host->public_key);
        set_text(dealer, ZMQ_CURVE_PUBLICKEY, public_key);
        set_text(dealer, ZMQ_CURVE_SECRETKEY, secret_key);
    }
    snprintf(endpoint, sizeof endpoint, "tcp://%s:0;%s", source, host->address + strlen("tcp://"));
    assert_int_equal(zmq_connect(dealer, endpoint), 0);
    return dealer;
}

void intruder_open(struct intruder *intruder, const struct fleet *fleet, int to,
                   const char *public_key, const char *secret_key) {
    intruder->context = zmq_ctx_new();
    intruder->dealer =
        dealer_to(intruder->context, &fleet->hosts[to], "127.0.0.1", public_key, secret_key);
}

void intruder_close(struct intruder *intruder) {
    zmq_close(intruder->dealer);
    zmq_ctx_term(intruder->context);
}

bool intruder_say(struct intruder *intruder, const void *bytes, size_t size) {
    return zmq_send(intruder->dealer, bytes, size, ZMQ_DONTWAIT) >= 0;
}

int tcp_open(const struct fleet *fleet, int to) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(inet_pton(AF_INET, fleet->hosts[to].ip, &address.sin_addr), 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void tcp_say(int fd, const void *bytes, size_t size) {
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

bool tcp_ended(int fd) {
    char bytes[4096];
    ssize_t size;
    while ((size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
    }
    return size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

// ---- liars

void liar_open(struct liar *liar, struct fleet *fleet, int index, const char *core_name) {
    int on = 1, linger = 0;
    struct host *host = &fleet->hosts[index];
    *liar = (struct liar){.fleet = fleet, .index = index};
    fleet_open_core(fleet, index, core_name);
    liar->context = zmq_ctx_new();
    liar->inbox = zmq_socket(liar->context, ZMQ_ROUTER);
    zmq_setsockopt(liar->inbox, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(liar->inbox, ZMQ_CURVE_SERVER, &on, sizeof on);
    set_text(liar->inbox, ZMQ_CURVE_SECRETKEY, host->secret_key);
    assert_int_equal(zmq_bind(liar->inbox, host->address), 0);
    for (int to = 0; to < HOSTS_MAX; to++) {
        if (fleet->hosts[to].carrier != NULL) {
            liar->dealers[to] = dealer_to(liar->context, &fleet->hosts[to], host->ip,
                                          host->public_key, host->secret_key);
        }
    }
}

void liar_close(struct liar *liar) {
    for (int to = 0; to < HOSTS_MAX; to++) {
        if (liar->dealers[to] != NULL) {
            zmq_close(liar->dealers[to]);
        }
    }
    zmq_close(liar->inbox);
    zmq_ctx_term(liar->context);
}

void liar_say(struct liar *liar, int to, const void *bytes, size_t size) {
    if (liar->dealers[to] != NULL && zmq_send(liar->dealers[to], bytes, size, ZMQ_DONTWAIT) >= 0) {
        liar->said++;
    }
}

static void hear(struct liar *liar) {
    struct gossip *core = liar->fleet->hosts[liar->index].core;
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    while (zmq_msg_recv(&frame, liar->inbox, ZMQ_DONTWAIT) >= 0) {
        if (!zmq_msg_more(&frame)) {
            gossip_receive(core, fleet_now(), NULL, zmq_msg_data(&frame), zmq_msg_size(&frame));
        }
    }
    zmq_msg_close(&frame);
}

static void speak(struct liar *liar, const struct gossip_message *message) {
    int to = 0;
    while (to < HOSTS_MAX && strcmp(liar->fleet->hosts[to].address, message->address) != 0) {
        to++;
    }
    if (to == HOSTS_MAX) {
        return;
    }
    if (liar->lie == NULL) {
        liar_say(liar, to, message->bytes, message->size);
        return;
    }
    uint8_t *copy = malloc(message->size);
    memcpy(copy, message->bytes, message->size);
    liar->lie(liar, to, copy, message->size);
    free(copy);
}

void liar_turn(struct liar *liar) {
    struct gossip *core = liar->fleet->hosts[liar->index].core;
    struct gossip_message message;
    struct gossip_change change;
    hear(liar);
    if (gossip_deadline_ns(core) <= fleet_now()) {
        gossip_tick(core, fleet_now());
    }
    while (gossip_take_message(core, &message)) {
        speak(liar, &message);
    }
    while (gossip_take_change(core, &change)) {
    }
}

// ---- meanwhile

void assert_responsive(struct fleet *fleet, int count) {
    char value[32];
    uint64_t at_ns = fleet_now();
    snprintf(value, sizeof value, "%llu", (unsigned long long)at_ns);
    fleet_put(fleet, 0, "responsive", value);
    for (int i = 1; i < count; i++) {
        WAIT_UNTIL(fleet, fleet_knows(fleet, i, 0, "responsive", value));
    }
    uint64_t took_ns = fleet_now() - at_ns;
    printf("known to all after %llu us\n", (unsigned long long)(took_ns / 1000));
    assert_true(took_ns < SOON_NS);
}

size_t resident_bytes(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*s %ld", &pages), 1);
    fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

unsigned open_descriptors(void) {
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}
