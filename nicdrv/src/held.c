// SPDX-License-Identifier: Apache-2.0
// The driver "mlx5" of the agent: a NIC that srv6-holder holds (nicdrv/holder.h).
//
//   attached --(holder gone)--> detached: applied is empty, because rules end with the holder
//   attached --(holder silent, or not understood)--> detached: applied stays, rules do too
//   detached --(apply)--> attached: what the holder has is adopted, then the set goes out
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/socket.h>
#include <sys/un.h>

#include "holder_stream.h"
#include "nicdrv/holder.h"

#define PATIENCE_MS 30000 // a device that is opened, or a large set, takes seconds at worst

struct held {
    struct nic nic; // first: the driver's functions get this one
    struct holder_stream stream;
    struct sockaddr_un holder;
    struct nic_eswitch_options eswitch;
    struct nic_capabilities capabilities;
    char attachment[HOLDER_ATTACHMENT_SIZE];
    struct error lost; // what review is to say next; code 0: nothing
};

static struct held *held_of(struct nic *nic) {
    return (struct held *)nic;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// ---- states

static void take_set(struct held *held, struct rule_set *set) {
    rule_set_fini(&held->nic.applied);
    held->nic.applied = *set;
    rule_set_init(set);
}

// Ends the connection; what the NIC then holds follows from why.
static int detach(struct held *held, int code, struct error *error) {
    struct error reason = {0};
    const char *path = held->holder.sun_path;
    if (code == -ENOTCONN) {
        rule_set_clear(&held->nic.applied);
        error_set(&reason, code, "%s: srv6-holder at %.80s is gone, and all rules with it",
                  held->nic.device, path);
    } else if (code == -ETIMEDOUT) {
        error_set(&reason, code, "%s: srv6-holder at %.80s does not answer", held->nic.device,
                  path);
    } else {
        error_set(&reason, code, "%s: srv6-holder at %.60s: %s", held->nic.device, path,
                  code == -EPROTO ? "an answer that is not understood" : strerror(-code));
    }
    holder_stream_fini(&held->stream);
    held->nic.watch_fd = -1;
    held->nic.unsettled = true;
    held->nic.attachment = "";
    held->lost = reason;
    return error_set(error, reason.code, "%s", reason.text);
}

static void note_loss(struct held *held, struct holder_message *message) {
    if (message->has_set) {
        take_set(held, &message->set);
    }
    held->nic.unsettled = message->unsettled;
    held->lost = message->error;
}

// ---- asking

static int wait_for_peer(struct held *held, int64_t deadline_ms) {
    bool sending = !holder_stream_is_sent(&held->stream);
    struct pollfd poll_fd = {held->stream.fd, (short)(POLLIN | (sending ? POLLOUT : 0)), 0};
    int64_t left_ms = deadline_ms - now_ms();
    int ready = left_ms > 0 ? poll(&poll_fd, 1, (int)left_ms) : 0;
    if (ready < 0 && errno != EINTR) {
        return -errno;
    }
    return ready == 0 ? -ETIMEDOUT : 0;
}

// The next whole message that is there: 0; -EAGAIN: none yet.
static int next_message(struct held *held, struct holder_message *out) {
    const uint8_t *bytes;
    size_t size;
    int rc;
    while (!holder_stream_take(&held->stream, &bytes, &size, &rc)) {
        rc = rc != 0 ? rc : holder_stream_fill(&held->stream);
        if (rc != 0) {
            return rc;
        }
    }
    return holder_decode(bytes, size, out, NULL);
}

// Sends what was written and waits for the answer: `wanted` or FAILED, which is an error with the
// holder's sentence. LOST may come first. *out is the caller's, success or not.
static int ask(struct held *held, enum holder_kind wanted, struct holder_message *out,
               struct error *error) {
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    *out = (struct holder_message){0};
    for (;;) {
        int rc = holder_stream_flush(&held->stream);
        if (rc == 0 || rc == -EAGAIN || rc == -ENOTCONN) { // a last word may be there to be read
            int next = next_message(held, out);
            rc = next == -EAGAIN && rc == -ENOTCONN ? rc : next;
        }
        if (rc == -EAGAIN) {
            rc = wait_for_peer(held, deadline_ms);
            if (rc == 0) {
                continue;
            }
        }
        if (rc != 0) {
            return detach(held, rc, error);
        }
        if (out->kind == wanted) {
            return 0;
        }
        if (out->kind == HOLDER_FAILED) {
            return error_set(error, out->error.code, "%s", out->error.text);
        }
        if (out->kind == HOLDER_LOST) {
            note_loss(held, out);
        }
        bool foreign = out->kind != HOLDER_LOST;
        holder_message_fini(out);
        if (foreign) {
            return detach(held, -EPROTO, error);
        }
    }
}

// ---- attaching

static int connect_to_holder(struct held *held, struct error *error) {
    const char *path = held->holder.sun_path;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return error_set(error, -errno, "%s: %s", path, strerror(errno));
    }
    holder_stream_init(&held->stream, fd);
    if (connect(fd, (struct sockaddr *)&held->holder, sizeof held->holder) == 0) {
        return 0;
    }
    int code = -errno;
    holder_stream_fini(&held->stream);
    if (code == -ENOENT || code == -ECONNREFUSED) {
        return error_set(error, code, "%s: no srv6-holder serves %.80s: start it", held->nic.device,
                         path);
    }
    return error_set(error, code, "%s: srv6-holder at %.80s: %s", held->nic.device, path,
                     strerror(-code));
}

static int greet(struct held *held, struct error *error) {
    struct holder_message answer = {0};
    size_t mark;
    holder_put_hello(holder_stream_begin(&held->stream, &mark), HOLDER_VERSION_LOWEST,
                     HOLDER_VERSION);
    int rc = holder_stream_end(&held->stream, mark);
    rc = rc != 0 ? detach(held, rc, error) : ask(held, HOLDER_HELLO, &answer, error);
    if (rc == 0 && (answer.highest < HOLDER_VERSION_LOWEST || answer.highest > HOLDER_VERSION)) {
        rc = detach(held, -EPROTO, error);
    }
    holder_message_fini(&answer);
    return rc;
}

static int open_device(struct held *held, struct error *error) {
    struct holder_message answer = {0};
    size_t mark;
    holder_put_open(holder_stream_begin(&held->stream, &mark), held->nic.device, &held->eswitch);
    int rc = holder_stream_end(&held->stream, mark);
    rc = rc != 0 ? detach(held, rc, error) : ask(held, HOLDER_OPENED, &answer, error);
    if (rc != 0) {
        holder_message_fini(&answer);
        return rc;
    }
    take_set(held, &answer.set);
    held->nic.unsettled = answer.unsettled;
    held->capabilities = answer.capabilities;
    memcpy(held->attachment, answer.attachment, sizeof held->attachment);
    held->nic.attachment = held->attachment;
    held->nic.watch_fd = held->stream.fd;
    held->lost = (struct error){0};
    return 0;
}

// On failure the connection is closed, so that the next attempt begins anew.
static int attach(struct held *held, struct error *error) {
    int rc = connect_to_holder(held, error);
    rc = rc != 0 ? rc : greet(held, error);
    rc = rc != 0 ? rc : open_device(held, error);
    if (rc != 0) {
        holder_stream_fini(&held->stream);
        held->nic.watch_fd = -1;
        held->nic.unsettled = true;
        held->lost = (struct error){0};
    }
    return rc;
}

// ---- the driver

static void held_close(struct nic *nic, bool remove_rules) {
    struct held *held = held_of(nic);
    if (remove_rules && held->stream.fd >= 0) {
        struct holder_message answer = {0};
        size_t mark;
        holder_put_close(holder_stream_begin(&held->stream, &mark), true);
        if (holder_stream_end(&held->stream, mark) == 0) {
            (void)ask(held, HOLDER_DONE, &answer, NULL);
        }
        holder_message_fini(&answer);
    }
    holder_stream_fini(&held->stream);
    rule_set_fini(&held->nic.applied);
    free(held);
}

static int held_open(const struct nic_options *options, struct nic **out, struct error *error) {
    const char *path = options->holder[0] != '\0' ? options->holder : NIC_HOLDER_DEFAULT;
    struct held *held = calloc(1, sizeof *held);
    if (held == NULL) {
        return error_set(error, -ENOMEM, "%s: no memory for a NIC", options->device);
    }
    held->nic.driver = &nic_driver_mlx5;
    held->nic.attachment = "";
    held->nic.watch_fd = held->nic.cnp_fd = -1;
    held->eswitch = options->eswitch;
    held->holder.sun_family = AF_UNIX;
    holder_stream_init(&held->stream, -1);
    rule_set_init(&held->nic.applied);
    strncpy(held->nic.device, options->device, sizeof held->nic.device - 1);
    strncpy(held->holder.sun_path, path, sizeof held->holder.sun_path - 1);
    int rc = strlen(path) < sizeof held->holder.sun_path
                 ? attach(held, error)
                 : error_set(error, -ENAMETOOLONG, "%.100s: too long for a socket", path);
    if (rc != 0) {
        held_close(&held->nic, false);
        return rc;
    }
    *out = &held->nic;
    return 0;
}

static void held_capabilities(const struct nic *nic, struct nic_capabilities *out) {
    *out = ((const struct held *)nic)->capabilities;
}

// Takes the copy on success.
static int send_set(struct held *held, struct rule_set *copy, struct error *error) {
    struct holder_message answer = {0};
    size_t mark;
    holder_put_apply(holder_stream_begin(&held->stream, &mark), copy);
    int rc = holder_stream_end(&held->stream, mark);
    if (rc != 0) {
        return error_set(error, rc, "%s: no memory for %u rules", held->nic.device,
                         copy->rule_count);
    }
    rc = ask(held, HOLDER_DONE, &answer, error);
    if (rc == 0) {
        take_set(held, answer.has_set ? &answer.set : copy);
        held->lost = (struct error){0}; // whatever was lost before is there again
    } else if (answer.has_set) {        // refused: what it holds now
        take_set(held, &answer.set);
    }
    if (held->stream.fd >= 0) {
        held->nic.unsettled = answer.unsettled;
    }
    holder_message_fini(&answer);
    return rc;
}

static int held_apply(struct nic *nic, const struct rule_set *wanted, struct error *error) {
    struct held *held = held_of(nic);
    struct rule_set copy;
    int rc = held->stream.fd >= 0 ? 0 : attach(held, error);
    if (rc != 0 || (!nic->unsettled && rule_set_equal(wanted, &nic->applied))) {
        return rc;
    }
    rule_set_init(&copy);
    if (rule_set_copy(wanted, &copy) != 0) {
        return error_set(error, -ENOMEM, "%s: no memory for %u rules", nic->device,
                         wanted->rule_count);
    }
    rc = send_set(held, &copy, error);
    rule_set_fini(&copy);
    return rc;
}

// Asks one of the three questions. *answer has nothing to free.
static int question(struct held *held, enum holder_kind kind, struct holder_message *answer) {
    size_t mark;
    *answer = (struct holder_message){0};
    if (held->stream.fd < 0) {
        return -ENOTCONN;
    }
    holder_put_question(holder_stream_begin(&held->stream, &mark), kind);
    int rc = holder_stream_end(&held->stream, mark);
    rc = rc != 0 ? rc : ask(held, kind, answer, NULL);
    holder_message_fini(answer);
    return rc;
}

static int held_counters(struct nic *nic, nic_counter_fn *each, void *context) {
    struct holder_message answer;
    int rc = question(held_of(nic), HOLDER_COUNTERS, &answer);
    for (uint32_t i = 0; rc == 0 && i < answer.item_count; i++) {
        struct holder_counter one;
        holder_next_counter(&answer.items, &one);
        if (one.rule < nic->applied.rule_count &&
            one.path < nic->applied.rules[one.rule].path_count) {
            struct nic_counter counter = {nic->applied.rules[one.rule].match, one.path, one.packets,
                                          one.bytes};
            each(context, &counter);
        }
    }
    return rc;
}

static int held_qps(struct nic *nic, nic_qp_fn *each, void *context) {
    struct holder_message answer;
    int rc = question(held_of(nic), HOLDER_QPS, &answer);
    for (uint32_t i = 0; rc == 0 && i < answer.item_count; i++) {
        struct nic_qp qp;
        holder_next_qp(&answer.items, &qp);
        each(context, &qp);
    }
    return rc;
}

static void held_totals(struct nic *nic, uint64_t *encapsulated, uint64_t *decapsulated,
                        uint64_t *plain_roce) {
    struct holder_message answer;
    (void)question(held_of(nic), HOLDER_TOTALS, &answer); // zeros while detached
    *encapsulated = answer.encapsulated;
    *decapsulated = answer.decapsulated;
    *plain_roce = answer.plain;
}

static int held_review(struct nic *nic, struct error *error) {
    struct held *held = held_of(nic);
    int rc = 0;
    while (held->stream.fd >= 0 && rc == 0) {
        struct holder_message message = {0};
        rc = next_message(held, &message);
        if (rc == 0 && message.kind == HOLDER_LOST) {
            note_loss(held, &message);
        } else if (rc == 0) {
            rc = -EPROTO; // an answer to nothing
        }
        holder_message_fini(&message);
        if (rc != 0 && rc != -EAGAIN) {
            (void)detach(held, rc, NULL);
        }
    }
    struct error lost = held->lost;
    held->lost = (struct error){0};
    return lost.code == 0 ? 0 : error_set(error, lost.code, "%s", lost.text);
}

const struct nic_driver nic_driver_mlx5 = {
    .name = "mlx5",
    .slow = true,
    .open = held_open,
    .close = held_close,
    .capabilities = held_capabilities,
    .apply = held_apply,
    .counters = held_counters,
    .qps = held_qps,
    .review = held_review,
    .totals = held_totals,
};
