// SPDX-License-Identifier: Apache-2.0
// srv6-traffic send: sockets and clock around the sender.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "flows.h"
#include "sender.h"
#include "tool/tool.h"

#define SLACK_NS 250000  // packets due this soon leave together: fewer wake-ups
#define RETRY_NS 1000000 // while the kernel takes no more

struct bench {
    struct sender sender;
    struct outbox outbox[2]; // by ipv6
    struct inbox inbox[2];
    int epoll, timer;
    uint64_t started_at_ns;
};

static int bench_open(struct bench *bench, struct error *error) {
    bench->outbox[0].fd = bench->outbox[1].fd = bench->inbox[0].fd = bench->inbox[1].fd = -1;
    bench->epoll = epoll_create1(EPOLL_CLOEXEC);
    bench->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (bench->epoll < 0 || bench->timer < 0 ||
        epoll_ctl(bench->epoll, EPOLL_CTL_ADD, bench->timer, &event) != 0) {
        return error_set(error, -errno, "cannot wait for events: %s", strerror(errno));
    }
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        int rc = outbox_open(&bench->outbox[ipv6], ipv6 == 1, bench->sender.options->traffic_class,
                             error);
        if (rc == 0) {
            rc = inbox_open_responses(&bench->inbox[ipv6], ipv6 == 1, error);
        }
        if (rc != 0) {
            return rc;
        }
        event.data.ptr = &bench->inbox[ipv6];
        if (epoll_ctl(bench->epoll, EPOLL_CTL_ADD, bench->inbox[ipv6].fd, &event) != 0) {
            return error_set(error, -errno, "cannot wait for events: %s", strerror(errno));
        }
    }
    return 0;
}

static void bench_close(struct bench *bench) {
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        outbox_close(&bench->outbox[ipv6]);
        inbox_close(&bench->inbox[ipv6]);
    }
    if (bench->timer >= 0) {
        close(bench->timer);
    }
    if (bench->epoll >= 0) {
        close(bench->epoll);
    }
    sender_close(&bench->sender);
    free(bench);
}

// Sends what is due; returns when to look again.
static uint64_t send_due(struct bench *bench, uint64_t now_ns) {
    uint64_t next_ns = RC_NEVER;
    for (uint32_t i = 0; i < bench->sender.qp_count; i++) {
        struct sender_qp *qp = &bench->sender.qps[i];
        struct outbox *outbox = &bench->outbox[qp->flow->ipv6 ? 1 : 0];
        uint64_t due_ns;
        while ((due_ns = requester_deadline_ns(&qp->requester)) <= now_ns + SLACK_NS) {
            uint8_t *frame = outbox_slot(outbox);
            if (frame == NULL && outbox_flush(outbox) == 0) {
                frame = outbox_slot(outbox);
            }
            if (frame == NULL) {
                return now_ns + RETRY_NS;
            }
            struct roce_addresses addresses;
            size_t size = sender_take(&bench->sender, qp, due_ns > now_ns ? due_ns : now_ns, frame,
                                      &addresses);
            if (size == 0) {
                break;
            }
            outbox_commit(outbox, size, &addresses);
        }
        due_ns = requester_deadline_ns(&qp->requester);
        next_ns = due_ns < next_ns ? due_ns : next_ns;
    }
    return next_ns;
}

static void drain(struct bench *bench, struct inbox *inbox) {
    struct inbound inbound[NET_BATCH];
    unsigned count;
    do {
        count = inbox_read(inbox, inbound);
        for (unsigned i = 0; i < count; i++) {
            sender_response(&bench->sender, &inbound[i], net_now_ns());
        }
    } while (count == NET_BATCH);
}

static int wait_until(struct bench *bench, uint64_t at_ns) {
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(at_ns / 1000000000U),
                                           .tv_nsec = (long)(at_ns % 1000000000U)}};
    struct epoll_event events[3];
    if (timerfd_settime(bench->timer, TFD_TIMER_ABSTIME, &when, NULL) != 0) {
        return -errno;
    }
    int count = epoll_wait(bench->epoll, events, 3, -1);
    if (count < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr != NULL) {
            drain(bench, events[i].data.ptr);
            continue;
        }
        uint64_t expirations;
        if (read(bench->timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN) {
            return -errno;
        }
    }
    return 0;
}

// 0 when all was delivered (or sent, without reliability), -ETIMEDOUT.
static int run(struct bench *bench) {
    const struct traffic_options *options = bench->sender.options;
    uint64_t give_up_at_ns =
        options->timeout_ns == 0 ? RC_NEVER : bench->started_at_ns + options->timeout_ns;
    for (;;) {
        uint64_t now_ns = net_now_ns();
        uint64_t next_ns = send_due(bench, now_ns);
        int blocked = outbox_flush(&bench->outbox[0]) | outbox_flush(&bench->outbox[1]);
        if (!blocked && sender_is_complete(&bench->sender)) {
            return 0;
        }
        if (now_ns >= give_up_at_ns) {
            return -ETIMEDOUT;
        }
        if (blocked || next_ns == RC_NEVER) {
            next_ns = now_ns + RETRY_NS;
        }
        int rc = wait_until(bench, next_ns < give_up_at_ns ? next_ns : give_up_at_ns);
        if (rc != 0) {
            return rc;
        }
    }
}

static void print_table(json_t *report) {
    size_t i;
    json_t *flow;
    printf("%-16s %14s %10s %10s %6s %9s %16s  %s\n", "FLOW", "BYTES", "PACKETS", "RESENT", "NAKS",
           "TIMEOUTS", "LONGEST-SILENCE", "COMPLETE");
    json_array_foreach(json_object_get(report, "flows"), i, flow) {
        json_int_t bytes, sent, resent, naks, timeouts, silence = -1;
        const char *name;
        int complete;
        json_unpack(flow, "{s:s, s:I, s:I, s:I, s:I, s:I, s:b, s?I}", "flow", &name, "bytes",
                    &bytes, "sent_packets", &sent, "resent_packets", &resent, "naks", &naks,
                    "timeouts", &timeouts, "complete", &complete, "longest_silence_ns", &silence);
        char text[24] = "-";
        if (silence >= 0) {
            tool_format_duration((uint64_t)silence, text);
        }
        printf("%-16s %14" PRId64 " %10" PRId64 " %10" PRId64 " %6" PRId64 " %9" PRId64
               " %16s  %s\n",
               name, (int64_t)bytes, (int64_t)sent, (int64_t)resent, (int64_t)naks,
               (int64_t)timeouts, text, complete ? "yes" : "no");
    }
}

static int report(const struct bench *bench, int rc) {
    json_t *document = sender_describe(&bench->sender);
    if (document == NULL) {
        return tool_error(TRAFFIC_TOOL, TOOL_FAILED, NULL, "out of memory");
    }
    uint64_t refused = bench->outbox[0].errors + bench->outbox[1].errors;
    json_object_set_new(document, "elapsed_ns",
                        json_integer((json_int_t)(net_now_ns() - bench->started_at_ns)));
    json_object_set_new(document, "refused_packets", json_integer((json_int_t)refused));
    int printed = TOOL_OK;
    if (bench->sender.options->json) {
        printed = tool_print_json(document);
    } else {
        print_table(document);
        json_decref(document);
    }
    if (rc == -ETIMEDOUT) {
        return tool_error(TRAFFIC_TOOL, TOOL_TIMED_OUT, NULL,
                          "not everything was delivered in time");
    }
    return rc == 0 ? printed : tool_error(TRAFFIC_TOOL, TOOL_FAILED, NULL, "%s", strerror(-rc));
}

static int start(struct bench *bench, const struct traffic_options *options,
                 const struct flow_list *flows, struct error *error) {
    uint32_t run_number;
    if (getrandom(&run_number, sizeof run_number, 0) != sizeof run_number) {
        return error_set(error, -EIO, "no random number to be had");
    }
    bench->started_at_ns = net_now_ns();
    int rc = sender_open(&bench->sender, options, flows, run_number, bench->started_at_ns);
    return rc != 0 ? error_set(error, rc, "%s", strerror(-rc)) : bench_open(bench, error);
}

int traffic_send(const struct traffic_options *options, const struct fabric *fabric,
                 const struct job *job) {
    struct error error;
    struct flow_list flows;
    if (flow_list_open(options, fabric, job, &flows, &error) != 0) {
        return tool_error(TRAFFIC_TOOL, TOOL_FAILED, NULL, "%s", error.text);
    }
    struct bench *bench = calloc(1, sizeof *bench);
    if (bench == NULL) {
        flow_list_close(&flows);
        return tool_error(TRAFFIC_TOOL, TOOL_FAILED, NULL, "out of memory");
    }
    bench->epoll = bench->timer = -1;
    int code;
    int rc = start(bench, options, &flows, &error);
    if (rc != 0) {
        code =
            tool_error(TRAFFIC_TOOL, rc == -EPERM || rc == -EACCES ? TOOL_PERMISSION : TOOL_FAILED,
                       NULL, "%s", error.text);
    } else {
        code = report(bench, run(bench));
    }
    bench_close(bench);
    flow_list_close(&flows);
    return code;
}
