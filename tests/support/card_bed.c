// SPDX-License-Identifier: Apache-2.0
#include "card_bed.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cmocka_all.h"
#include "softcx_wire.h"

#define ETHERNET_SIZE 14
#define RULES_SIZE 262144 // twice what a test makes, at least

static struct {
    char path[64];
    struct softcx *card;
    int listen_fd, counters_fd;
    card_watch_fn *watch;
    void *context;
    unsigned added, removed, rules;
    uint64_t ids[RULES_SIZE];
} bed;

static bool send_answer(int fd, const struct softcx_answer *answer, bool with_counters) {
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {(void *)(uintptr_t)answer, sizeof *answer};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (with_counters) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS,
                                          .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(&control.header), &bed.counters_fd, sizeof(int));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)sizeof *answer;
}

// ---- which identities are rules: a set by open addressing

static uint32_t place_of(uint64_t id) {
    uint32_t at = (uint32_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 40) % RULES_SIZE;
    while (bed.ids[at] != 0 && bed.ids[at] != id) {
        at = (at + 1) % RULES_SIZE;
    }
    return at;
}

static void forget(uint32_t at) {
    bed.ids[at] = 0;
    for (at = (at + 1) % RULES_SIZE; bed.ids[at] != 0; at = (at + 1) % RULES_SIZE) {
        uint64_t id = bed.ids[at];
        bed.ids[at] = 0;
        bed.ids[place_of(id)] = id;
    }
}

static void note_change(const struct softcx_request *request) {
    uint32_t at = place_of(request->id);
    if (request->op == WIRE_ADD_RULE) {
        bed.ids[at] = request->id;
        bed.added++;
        bed.rules++;
    } else if (bed.ids[at] != 0) {
        forget(at);
        bed.removed++;
        bed.rules--;
    }
    if (bed.watch != NULL) {
        bed.watch(bed.context);
    }
}

static void serve(int fd) {
    struct softcx_request request;
    ssize_t size;
    bool goes_on = true;
    while (goes_on && (size = recv(fd, &request, sizeof request, 0)) > 0) {
        struct softcx_answer answer = {0};
        if (request.op == WIRE_HELLO) {
            goes_on = send_answer(fd, &answer, true);
            continue;
        }
        answer = softcx_handle(bed.card, &request, (size_t)size);
        if (answer.code == 0 && (request.op == WIRE_ADD_RULE || request.op == WIRE_REMOVE)) {
            note_change(&request);
        }
        goes_on = send_answer(fd, &answer, false);
    }
    softcx_clear(bed.card);
    memset(bed.ids, 0, sizeof bed.ids);
    __atomic_store_n(&bed.rules, 0, __ATOMIC_RELEASE);
    close(fd);
}

static void *run(void *nothing) {
    for (;;) {
        int fd = accept(bed.listen_fd, NULL, NULL);
        if (fd < 0) {
            return nothing;
        }
        serve(fd);
    }
}

static void remove_socket(void) {
    unlink(bed.path);
}

void card_bed_start(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;
    size_t bytes = SOFTCX_COUNTERS_MAX * sizeof(struct softcx_count);
    snprintf(bed.path, sizeof bed.path, "/tmp/card_bed.%d", (int)getpid());
    strcpy(address.sun_path, bed.path);
    remove_socket(); // of a process that crashed
    atexit(remove_socket);
    bed.counters_fd = memfd_create("counters", MFD_CLOEXEC);
    assert_int_equal(ftruncate(bed.counters_fd, (off_t)bytes), 0);
    struct softcx_count *counts =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bed.counters_fd, 0);
    assert_true(counts != MAP_FAILED);
    assert_int_equal(softcx_create(counts, &bed.card), 0);
    bed.listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(bed.listen_fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(bed.listen_fd, 2), 0);
    setenv("FAKECX_CARD", address.sun_path, 1);
    assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
    pthread_detach(thread);
}

void card_bed_watch(card_watch_fn *watch, void *context) {
    bed.watch = watch;
    bed.context = context;
}

void card_bed_take_changes(unsigned *added, unsigned *removed) {
    *added = bed.added;
    *removed = bed.removed;
    bed.added = bed.removed = 0;
}

unsigned card_bed_rule_count(void) {
    return __atomic_load_n(&bed.rules, __ATOMIC_ACQUIRE);
}

void card_bed_expect_empty(void) {
    for (int i = 0; i < 2000 && card_bed_rule_count() != 0; i++) {
        usleep(1000);
    }
    assert_int_equal(card_bed_rule_count(), 0);
}

// ---- frames

static uint8_t *put_ip(uint8_t *at, const struct card_flow *flow, uint16_t payload) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(flow->destination, mapped, sizeof mapped) == 0) {
        uint16_t total = (uint16_t)(payload + 20);
        uint8_t ip[20] = {0x45,
                          flow->traffic_class,
                          (uint8_t)(total >> 8),
                          (uint8_t)total,
                          0,
                          0,
                          0x40,
                          0,
                          64,
                          17,
                          0,
                          0,
                          10,
                          9,
                          9,
                          9};
        memcpy(&ip[16], &flow->destination[12], 4);
        memcpy(at, ip, sizeof ip);
        return at + sizeof ip;
    }
    uint8_t ip[40] = {(uint8_t)(0x60 | flow->traffic_class >> 4),
                      (uint8_t)(flow->traffic_class << 4),
                      0,
                      0,
                      (uint8_t)(payload >> 8),
                      (uint8_t)payload,
                      17,
                      64,
                      0xfd,
                      9};
    memcpy(&ip[24], flow->destination, 16);
    memcpy(at, ip, sizeof ip);
    return at + sizeof ip;
}

void card_frame_build(const struct card_flow *flow, struct card_frame *out) {
    const uint16_t payload = 8 + 12 + 4; // UDP, BTH, ICRC
    uint8_t *at = &out->room[CARD_FRAME_ROOM];
    bool ipv4 = flow->destination[10] == 0xff && flow->destination[0] == 0;
    memset(out, 0, sizeof *out);
    memcpy(at,
           (uint8_t[ETHERNET_SIZE]){2, 0, 0, 0, 9, 1, 2, 0, 0, 0, 9, 2, ipv4 ? 0x08 : 0x86,
                                    ipv4 ? 0x00 : 0xdd},
           ETHERNET_SIZE);
    at = put_ip(at + ETHERNET_SIZE, flow, payload);
    uint8_t udp[8] = {(uint8_t)(flow->sport >> 8),
                      (uint8_t)flow->sport,
                      (uint8_t)(flow->dport >> 8),
                      (uint8_t)flow->dport,
                      0,
                      (uint8_t)payload};
    uint8_t bth[12] = {4,
                       0,
                       0xff,
                       0xff,
                       0,
                       (uint8_t)(flow->qp >> 16),
                       (uint8_t)(flow->qp >> 8),
                       (uint8_t)flow->qp};
    memcpy(at, udp, sizeof udp);
    memcpy(at + sizeof udp, bth, sizeof bth);
    out->size = (size_t)(at + payload - &out->room[CARD_FRAME_ROOM]);
}

struct softcx_result card_bed_send(struct card_frame *frame, uint16_t source, const uint8_t **out,
                                   size_t *size) {
    struct softcx_packet packet = {.frame = &frame->room[CARD_FRAME_ROOM],
                                   .size = frame->size,
                                   .headroom = CARD_FRAME_ROOM,
                                   .source = source};
    struct softcx_result result = softcx_run(bed.card, &packet);
    *out = packet.frame;
    *size = packet.size;
    return result;
}
