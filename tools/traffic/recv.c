// SPDX-License-Identifier: Apache-2.0
// srv6-traffic recv: sockets and clock around the receiver.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "flows.h"
#include "receiver.h"
#include "tool/tool.h"

#define INBOXES_MAX (2 * HOST_PORTS_MAX)
#define RETRY_MS 1 // while the kernel takes no answers

struct station {
    struct receiver receiver;
    struct outbox outbox[2]; // by ipv6
    struct inbox *inboxes[INBOXES_MAX];
    unsigned inbox_count;
    uint64_t unanswered; // answers that found the outbox full
    int epoll, signals;
};

// ---- opening

static int add_inbox(struct station *station, bool ipv6, const uint8_t *address,
                     struct error *error) {
    if (station->inbox_count == INBOXES_MAX) {
        return error_set(error, -ENOSPC, "more than %d addresses", INBOXES_MAX);
    }
    struct inbox *inbox = calloc(1, sizeof *inbox);
    if (inbox == NULL) {
        return error_set(error, -ENOMEM, "out of memory");
    }
    int rc = inbox_open_requests(inbox, ipv6, address, error);
    if (rc != 0) {
        free(inbox);
        return rc;
    }
    station->inboxes[station->inbox_count++] = inbox;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = inbox};
    return epoll_ctl(station->epoll, EPOLL_CTL_ADD, inbox->fd, &event) == 0
               ? 0
               : error_set(error, -errno, "epoll: %s", strerror(errno));
}

static int add_listed(struct station *station, const char *list, struct error *error) {
    char text[1024];
    if (snprintf(text, sizeof text, "%s", list) >= (int)sizeof text) {
        return error_set(error, -EINVAL, "--port-addresses is too long");
    }
    char *rest = text;
    for (char *name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        uint8_t address[16] = {0};
        bool ipv6 = inet_pton(AF_INET6, name, address) == 1;
        if (!ipv6 && inet_pton(AF_INET, name, address) != 1) {
            return error_set(error, -EINVAL, "no address: %s", name);
        }
        int rc = add_inbox(station, ipv6, address, error);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int add_host(struct station *station, const struct fabric *fabric, const char *name,
                    struct error *error) {
    node_id host;
    if (!fabric_find_node(fabric, name, &host) || fabric->nodes[host.i].kind != NODE_HOST) {
        return error_set(error, -EINVAL, "no such host in the fabric: %s", name);
    }
    const struct fabric_node *node = &fabric->nodes[host.i];
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < node->port_count; i++) {
        const struct fabric_port *port = &fabric->ports[node->first_port + i];
        rc = add_inbox(station, false, port->ipv4, error);
        if (rc == 0) {
            rc = add_inbox(station, true, port->ipv6, error);
        }
    }
    return rc;
}

static int open_inboxes(struct station *station, const struct traffic_options *options,
                        const struct fabric *fabric, struct error *error) {
    if (options->port_addresses != NULL && strcmp(options->port_addresses, "auto") != 0) {
        return add_listed(station, options->port_addresses, error);
    }
    if (fabric != NULL && options->host != NULL) {
        return add_host(station, fabric, options->host, error);
    }
    int rc = add_inbox(station, false, NULL, error);
    return rc != 0 ? rc : add_inbox(station, true, NULL, error);
}

static int open_signals(struct station *station) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    station->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    return station->signals >= 0 &&
                   epoll_ctl(station->epoll, EPOLL_CTL_ADD, station->signals, &event) == 0
               ? 0
               : -errno;
}

static int station_open(struct station *station, const struct traffic_options *options,
                        const struct fabric *fabric, struct error *error) {
    receiver_init(&station->receiver, options->ack_every);
    station->outbox[0].fd = station->outbox[1].fd = station->signals = -1;
    station->epoll = epoll_create1(EPOLL_CLOEXEC);
    int rc = station->epoll < 0 ? -errno : open_signals(station);
    if (rc != 0) {
        return error_set(error, rc, "cannot wait for events: %s", strerror(-rc));
    }
    for (int ipv6 = 0; rc == 0 && ipv6 < 2; ipv6++) {
        rc = outbox_open(&station->outbox[ipv6], ipv6 == 1, options->traffic_class, error);
    }
    return rc != 0 ? rc : open_inboxes(station, options, fabric, error);
}

static void station_close(struct station *station) {
    for (unsigned i = 0; i < station->inbox_count; i++) {
        inbox_close(station->inboxes[i]);
        free(station->inboxes[i]);
    }
    outbox_close(&station->outbox[0]);
    outbox_close(&station->outbox[1]);
    if (station->signals >= 0) {
        close(station->signals);
    }
    if (station->epoll >= 0) {
        close(station->epoll);
    }
    free(station);
}

// ---- running

static uint8_t *slot_for(struct station *station, struct outbox *outbox) {
    uint8_t *frame = outbox_slot(outbox);
    if (frame == NULL) {
        outbox_flush(outbox);
        frame = outbox_slot(outbox);
    }
    station->unanswered += frame == NULL;
    return frame;
}

static void send_answer(struct station *station, const struct traffic_options *options,
                        struct answer *answer) {
    struct outbox *outbox = &station->outbox[answer->addresses.ipv6 ? 1 : 0];
    answer->addresses.traffic_class = options->traffic_class;
    uint8_t *frame;
    if (answer->congested && (frame = slot_for(station, outbox)) != NULL) {
        outbox_commit(outbox, roce_encode_cnp(frame, answer->qp), &answer->addresses);
    }
    if (answer->response != RESPONSE_NONE && (frame = slot_for(station, outbox)) != NULL) {
        struct roce_bth bth = {.opcode = ROCE_ACK, .qp = answer->qp, .psn = answer->psn};
        uint8_t syndrome =
            answer->response == RESPONSE_ACK ? ROCE_SYNDROME_ACK : ROCE_SYNDROME_NAK_PSN;
        size_t size = roce_encode_response(frame, &bth, syndrome, 0,
                                           answer->has_report ? &answer->report : NULL);
        outbox_commit(outbox, size, &answer->addresses);
    }
}

static void drain(struct station *station, const struct traffic_options *options,
                  struct inbox *inbox) {
    struct inbound inbound[NET_BATCH];
    unsigned count;
    do {
        count = inbox_read(inbox, inbound);
        for (unsigned i = 0; i < count; i++) {
            struct answer answer;
            receiver_packet(&station->receiver, &inbound[i], &answer);
            send_answer(station, options, &answer);
        }
    } while (count == NET_BATCH);
}

// The time to wait in epoll; -1 for ever.
static int wait_ms(bool retry, uint64_t until_ns) {
    if (retry) {
        return RETRY_MS;
    }
    if (until_ns == 0) {
        return -1;
    }
    uint64_t now_ns = net_now_ns();
    return now_ns >= until_ns ? 0 : (int)((until_ns - now_ns) / 1000000 % 60000) + 1;
}

static int run(struct station *station, const struct traffic_options *options) {
    uint64_t until_ns = options->for_ns == 0 ? 0 : net_now_ns() + options->for_ns;
    bool retry = false;
    while (until_ns == 0 || net_now_ns() < until_ns) {
        struct epoll_event events[INBOXES_MAX + 1];
        int count = epoll_wait(station->epoll, events, INBOXES_MAX + 1, wait_ms(retry, until_ns));
        if (count < 0 && errno != EINTR) {
            return -errno;
        }
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                return 0; // a signal: report and go
            }
            drain(station, options, events[i].data.ptr);
        }
        retry = outbox_flush(&station->outbox[0]) != 0;
        retry |= outbox_flush(&station->outbox[1]) != 0;
    }
    return 0;
}

// ---- reporting

static void print_table(json_t *report) {
    size_t i;
    json_t *flow;
    printf("%-16s %10s %14s %8s %10s %10s %16s  %s\n", "FLOW", "PACKETS", "DELIVERED", "LOST",
           "REORDERED", "DUPLICATE", "LONGEST-SILENCE", "COMPLETE");
    json_array_foreach(json_object_get(report, "flows"), i, flow) {
        json_int_t packets, delivered, lost, reordered, duplicate, silence;
        const char *name;
        int complete;
        json_unpack(flow, "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "flow", &name,
                    "received_packets", &packets, "delivered_bytes", &delivered, "lost", &lost,
                    "reordered", &reordered, "duplicate", &duplicate, "longest_silence_ns",
                    &silence, "complete", &complete);
        char text[24];
        tool_format_duration((uint64_t)silence, text);
        printf("%-16s %10" PRId64 " %14" PRId64 " %8" PRId64 " %10" PRId64 " %10" PRId64
               " %16s  %s\n",
               name, (int64_t)packets, (int64_t)delivered, (int64_t)lost, (int64_t)reordered,
               (int64_t)duplicate, text, complete ? "yes" : "no");
    }
}

static int report(const struct station *station, const struct traffic_options *options,
                  const struct fabric *fabric) {
    json_t *document = receiver_describe(&station->receiver, fabric);
    if (document == NULL) {
        return tool_error(TRAFFIC_TOOL, TOOL_FAILED, NULL, "out of memory");
    }
    uint64_t overflows = 0;
    for (unsigned i = 0; i < station->inbox_count; i++) {
        overflows += inbox_overflows(station->inboxes[i]);
    }
    json_object_set_new(document, "overflows", json_integer((json_int_t)overflows));
    json_object_set_new(document, "unanswered", json_integer((json_int_t)station->unanswered));
    if (overflows != 0) {
        tool_error(TRAFFIC_TOOL, TOOL_FAILED, NULL,
                   "this machine was too slow: %" PRIu64
                   " packets dropped before they were counted",
                   overflows);
    }
    if (options->json) {
        return tool_print_json(document);
    }
    print_table(document);
    json_decref(document);
    return TOOL_OK;
}

// Tells scripts that no packet is lost from here on.
static int announce(const struct traffic_options *options) {
    if (options->ready_path == NULL) {
        return 0;
    }
    int fd = open(options->ready_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        return -errno;
    }
    close(fd);
    return 0;
}

int traffic_receive(const struct traffic_options *options, const struct fabric *fabric) {
    struct station *station = calloc(1, sizeof *station);
    if (station == NULL) {
        return tool_error(TRAFFIC_TOOL, TOOL_FAILED, NULL, "out of memory");
    }
    struct error error;
    int rc = station_open(station, options, fabric, &error);
    if (rc != 0) {
        station_close(station);
        return tool_error(TRAFFIC_TOOL,
                          rc == -EPERM || rc == -EACCES ? TOOL_PERMISSION : TOOL_FAILED, NULL, "%s",
                          error.text);
    }
    rc = announce(options);
    if (rc == 0) {
        rc = run(station, options);
    }
    int code = rc == 0 ? report(station, options, fabric)
                       : tool_error(TRAFFIC_TOOL, TOOL_FAILED, NULL, "%s", strerror(-rc));
    station_close(station);
    return code;
}
