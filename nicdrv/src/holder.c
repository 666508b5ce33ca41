// SPDX-License-Identifier: Apache-2.0
#include "nicdrv/holder.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "holder_state.h"

#define SECOND_NS UINT64_C(1000000000)
#define STRANGER_NS (5 * SECOND_NS) // for a connection to become an attached agent's
#define SWEEP_NS SECOND_NS

#define WATCHES_MAX (1 + HOLDER_SESSIONS_MAX + HOLDER_NICS_MAX)

void holder_note(const struct holder *holder, bool detail, const char *format, ...) {
    char text[ERROR_TEXT_SIZE + 64];
    if (holder->config->note == NULL) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    holder->config->note(holder->config->context, detail, text);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

// The watches are in the order listener, sessions, NICs; what is not there has descriptor -1. A
// full house leaves new connections waiting.
static void fill_watches(const struct holder *holder, uint64_t at_ns,
                         struct pollfd watches[WATCHES_MAX]) {
    bool room = false;
    for (unsigned i = 0; i < HOLDER_SESSIONS_MAX; i++) {
        const struct holder_session *session = &holder->sessions[i];
        bool sent = session->stream.fd < 0 || holder_stream_is_sent(&session->stream);
        watches[1 + i] = (struct pollfd){session->stream.fd, sent ? POLLIN : POLLOUT, 0};
        room = room || session->stream.fd < 0;
    }
    watches[0] =
        (struct pollfd){room && at_ns >= holder->deaf_until_ns ? holder->listener : -1, POLLIN, 0};
    for (unsigned i = 0; i < HOLDER_NICS_MAX; i++) {
        const struct nic *nic = holder->nics[i].nic;
        watches[1 + HOLDER_SESSIONS_MAX + i] =
            (struct pollfd){nic != NULL ? nic->watch_fd : -1, POLLIN, 0};
    }
}

// Who connects and does not attach makes room for others.
static void sweep(struct holder *holder, uint64_t at_ns) {
    for (unsigned i = 0; i < HOLDER_SESSIONS_MAX; i++) {
        struct holder_session *session = &holder->sessions[i];
        if (session->stream.fd >= 0 && session->nic == NULL &&
            at_ns - session->since_ns > STRANGER_NS) {
            holder_note(holder, false, "process %d did not attach in time", (int)session->pid);
            holder_session_end(holder, session);
        }
    }
}

static void serve_events(struct holder *holder, const struct pollfd watches[WATCHES_MAX]) {
    for (unsigned i = 0; i < HOLDER_NICS_MAX; i++) { // what is lost is told before what is asked
        struct holder_nic *held = &holder->nics[i];
        if (watches[1 + HOLDER_SESSIONS_MAX + i].revents != 0) {
            holder_nic_review(holder, held);
            if (held->session != NULL) {
                holder_session_work(holder, held->session);
            }
        }
    }
    for (unsigned i = 0; i < HOLDER_SESSIONS_MAX; i++) {
        struct holder_session *session = &holder->sessions[i];
        if (watches[1 + i].revents != 0 && session->stream.fd == watches[1 + i].fd) {
            holder_session_work(holder, session);
        }
    }
    if (watches[0].revents != 0) {
        int rc = holder_accept(holder, now_ns());
        if (rc != 0 && rc != -EAGAIN && rc != -ECONNABORTED && rc != -EINTR) {
            holder_note(holder, false, "no connection can be taken: %s", strerror(-rc));
            holder->deaf_until_ns = now_ns() + SWEEP_NS; // it would be asked for without end
        }
    }
}

static int serve(struct holder *holder, struct error *error) {
    struct pollfd watches[WATCHES_MAX];
    struct timespec patience = {.tv_sec = (time_t)(SWEEP_NS / SECOND_NS)};
    sigset_t mask;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    sigdelset(&mask, SIGTERM);
    sigdelset(&mask, SIGINT);
    while (!*holder->config->stop) {
        fill_watches(holder, now_ns(), watches);
        int ready = ppoll(watches, WATCHES_MAX, &patience, &mask);
        if (ready < 0 && errno != EINTR) {
            return error_set(error, -errno, "poll: %s", strerror(errno));
        }
        if (ready > 0) {
            serve_events(holder, watches);
        }
        sweep(holder, now_ns());
    }
    return 0;
}

static void close_all(struct holder *holder) {
    for (unsigned i = 0; i < HOLDER_NICS_MAX; i++) {
        if (holder->nics[i].device[0] != '\0') {
            holder_nic_drop(&holder->nics[i], holder->config->remove);
        }
    }
    for (unsigned i = 0; i < HOLDER_SESSIONS_MAX; i++) {
        if (holder->sessions[i].stream.fd >= 0) {
            holder_session_end(holder, &holder->sessions[i]);
        }
    }
}

int holder_serve(const struct holder_config *config, struct error *error) {
    struct holder *holder = calloc(1, sizeof *holder);
    if (holder == NULL) {
        return error_set(error, -ENOMEM, "no memory");
    }
    holder->config = config;
    holder->lock = holder->listener = -1;
    for (unsigned i = 0; i < HOLDER_SESSIONS_MAX; i++) {
        holder->sessions[i].stream.fd = -1;
    }
    int rc = holder_listen(holder, error);
    if (rc == 0) {
        holder_note(holder, false, "serving %.90s with driver %s", config->socket,
                    config->driver->name);
        rc = serve(holder, error);
        close_all(holder);
        holder_unlisten(holder);
    }
    free(holder);
    return rc;
}
