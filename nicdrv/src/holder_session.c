// SPDX-License-Identifier: Apache-2.0
// One agent's connection. Whatever comes in is answered, or refused with a sentence and an end;
// nothing is read while an answer waits to be read, so a session's memory is bounded by one message
// in and one out.
#include <errno.h>
#include <string.h>

#include "holder_state.h"
#include "nicdrv/diff.h"

static const struct rule_set no_rules;

static const struct rule_set *set_of(const struct holder_nic *held) {
    return held->nic != NULL ? &held->nic->applied : &no_rules;
}

static void leave_nic(struct holder *holder, struct holder_session *session) {
    if (session->nic != NULL) {
        holder_note(holder, false, "%s: agent %d has left; %u rules stay", session->nic->device,
                    (int)session->pid, set_of(session->nic)->rule_count);
        session->nic->session = NULL;
        session->nic = NULL;
    }
}

void holder_session_end(struct holder *holder, struct holder_session *session) {
    leave_nic(holder, session);
    holder_stream_fini(&session->stream);
    *session = (struct holder_session){.stream.fd = -1};
}

// An answer that cannot be written ends the session.
static void finish(struct holder_session *session, size_t mark) {
    if (holder_stream_end(&session->stream, mark) != 0) {
        session->ending = true;
    }
}

static void put_outcome(struct holder_session *session, enum holder_kind kind,
                        const struct error *error, const struct rule_set *set) {
    const struct holder_nic *held = session->nic;
    bool unsettled = held == NULL || held->nic == NULL || held->nic->unsettled || held->stale;
    size_t mark;
    holder_put_outcome(holder_stream_begin(&session->stream, &mark), kind, error, unsettled, set);
    finish(session, mark);
}

void holder_session_refuse(struct holder *holder, struct holder_session *session,
                           const struct error *error) {
    holder_note(holder, false, "process %d is refused: %s", (int)session->pid, error->text);
    put_outcome(session, HOLDER_FAILED, error, NULL);
    leave_nic(holder, session); // it may never read the sentence
    session->ending = true;
}

// ---- requests

static void take_hello(struct holder *holder, struct holder_session *session,
                       const struct holder_message *message) {
    struct error error;
    size_t mark;
    uint32_t version = message->highest < HOLDER_VERSION ? message->highest : HOLDER_VERSION;
    if (version < HOLDER_VERSION_LOWEST || version < message->lowest) {
        (void)error_set(&error, -EPROTONOSUPPORT,
                        "the agent speaks versions %u to %u of the holder's protocol, this holder "
                        "%u to %u",
                        message->lowest, message->highest, HOLDER_VERSION_LOWEST, HOLDER_VERSION);
        holder_session_refuse(holder, session, &error);
        return;
    }
    holder_put_hello(holder_stream_begin(&session->stream, &mark), version, version);
    finish(session, mark);
    session->standing = HOLDER_CHOOSING;
}

static void take_open(struct holder *holder, struct holder_session *session,
                      const struct holder_message *message) {
    struct nic_capabilities capabilities;
    struct error error = {0};
    size_t mark;
    int rc = holder_nic_take(holder, session, message, &error);
    if (rc != 0) {
        error.code = rc;
        holder_session_refuse(holder, session, &error);
        return;
    }
    const struct nic *nic = session->nic->nic;
    session->standing = HOLDER_ATTACHED;
    nic->driver->capabilities(nic, &capabilities);
    holder_put_opened(holder_stream_begin(&session->stream, &mark), &capabilities,
                      nic->attachment != NULL ? nic->attachment : "",
                      nic->unsettled || session->nic->stale, &nic->applied);
    finish(session, mark);
    holder_note(holder, false, "%s: agent %d is attached; %u rules are in place", nic->device,
                (int)session->pid, nic->applied.rule_count);
}

static void take_set(struct holder *holder, struct holder_session *session,
                     const struct holder_message *message) {
    struct error error = {0};
    int rc = holder_nic_apply(holder, session->nic, &message->set, &error);
    if (rc == 0) {
        holder_note(holder, true, "%s: holds %u rules", session->nic->device,
                    message->set.rule_count);
        put_outcome(session, HOLDER_DONE, &(struct error){0}, NULL);
        return;
    }
    error.code = rc;
    holder_note(holder, false, "%s: refused %u rules: %s", session->nic->device,
                message->set.rule_count, error.text);
    put_outcome(session, HOLDER_FAILED, &error, set_of(session->nic));
}

struct counter_answer {
    struct mp_writer *writer;
    const struct rule_set *set;
    uint32_t count;
};

static void put_counter(void *context, const struct nic_counter *counter) {
    struct counter_answer *answer = context;
    struct holder_counter one = {rule_set_lower_bound(answer->set, &counter->match), counter->path,
                                 counter->packets, counter->bytes};
    if (one.rule < answer->set->rule_count && answer->count < HOLDER_COUNTERS_MAX) {
        holder_put_counter(answer->writer, &one);
        answer->count++;
    }
}

static void put_qp(void *context, const struct nic_qp *qp) {
    struct counter_answer *answer = context;
    if (answer->count < HOLDER_QPS_MAX) {
        holder_put_qp(answer->writer, qp);
        answer->count++;
    }
}

// What a driver cannot tell is an empty answer, as one that has nothing to tell.
static void answer_items(struct holder_session *session, enum holder_kind kind) {
    struct nic *nic = session->nic->nic;
    size_t mark;
    struct counter_answer answer = {.writer = holder_stream_begin(&session->stream, &mark),
                                    .set = set_of(session->nic)};
    size_t header = holder_begin_items(answer.writer, kind);
    if (nic != NULL && kind == HOLDER_COUNTERS) {
        (void)nic->driver->counters(nic, put_counter, &answer);
    } else if (nic != NULL && nic->driver->qps != NULL) {
        (void)nic->driver->qps(nic, put_qp, &answer);
    }
    mp_array_close(answer.writer, header, answer.count);
    finish(session, mark);
}

static void answer_totals(struct holder_session *session) {
    struct nic *nic = session->nic->nic;
    uint64_t encapsulated = 0, decapsulated = 0, plain = 0;
    size_t mark;
    if (nic != NULL) {
        nic->driver->totals(nic, &encapsulated, &decapsulated, &plain);
    }
    holder_put_totals(holder_stream_begin(&session->stream, &mark), encapsulated, decapsulated,
                      plain);
    finish(session, mark);
}

static void answer_question(struct holder_session *session, enum holder_kind kind) {
    if (kind == HOLDER_TOTALS) {
        answer_totals(session);
    } else {
        answer_items(session, kind);
    }
}

static void take_close(struct holder *holder, struct holder_session *session,
                       const struct holder_message *message) {
    struct holder_nic *held = session->nic;
    if (message->remove) {
        holder_note(holder, false, "%s: agent %d has left and taken %u rules away", held->device,
                    (int)session->pid, set_of(held)->rule_count);
        holder_nic_drop(held, true);
        put_outcome(session, HOLDER_DONE, &(struct error){0}, NULL);
    }
    leave_nic(holder, session);
    session->ending = true;
}

static bool fits(const struct holder_session *session, const struct holder_message *message) {
    switch (message->kind) {
    case HOLDER_HELLO:
        return session->standing == HOLDER_GREETING;
    case HOLDER_OPEN:
        return session->standing == HOLDER_CHOOSING;
    case HOLDER_APPLY:
    case HOLDER_CLOSE:
        return session->standing == HOLDER_ATTACHED;
    case HOLDER_COUNTERS:
    case HOLDER_QPS:
    case HOLDER_TOTALS:
        return session->standing == HOLDER_ATTACHED && !message->is_answer;
    case HOLDER_OPENED:
    case HOLDER_DONE:
    case HOLDER_FAILED:
    case HOLDER_LOST:
        return false;
    }
    return false;
}

static void take_request(struct holder *holder, struct holder_session *session,
                         const struct holder_message *message) {
    struct error error;
    if (!fits(session, message)) {
        (void)error_set(&error, -EPROTO, "a message of kind %d at the wrong time",
                        (int)message->kind);
        holder_session_refuse(holder, session, &error);
    } else if (message->kind == HOLDER_HELLO) {
        take_hello(holder, session, message);
    } else if (message->kind == HOLDER_OPEN) {
        take_open(holder, session, message);
    } else if (message->kind == HOLDER_APPLY) {
        take_set(holder, session, message);
    } else if (message->kind == HOLDER_CLOSE) {
        take_close(holder, session, message);
    } else {
        answer_question(session, message->kind);
        holder_nic_review(holder, session->nic); // asking may have met a loss
    }
}

// ---- the connection

// False: no whole message is there.
static bool take_one(struct holder *holder, struct holder_session *session) {
    struct holder_message message;
    struct error error = {0};
    const uint8_t *bytes;
    size_t size;
    int rc;
    if (!holder_stream_take(&session->stream, &bytes, &size, &rc)) {
        if (rc != 0) {
            (void)error_set(&error, rc, "a message of more than %u bytes", HOLDER_MESSAGE_MAX);
            holder_session_refuse(holder, session, &error);
        }
        return false;
    }
    rc = holder_decode(bytes, size, &message, &error);
    if (rc != 0) {
        error.code = rc;
        holder_session_refuse(holder, session, &error);
        return true;
    }
    take_request(holder, session, &message);
    holder_message_fini(&message);
    return true;
}

static void put_loss(struct holder_session *session) {
    if (session->lost && session->nic != NULL) {
        session->lost = false;
        put_outcome(session, HOLDER_LOST, &session->loss, set_of(session->nic));
    }
}

void holder_session_work(struct holder *holder, struct holder_session *session) {
    int rc = 0;
    while (rc == 0) {
        put_loss(session);
        rc = holder_stream_flush(&session->stream);
        if (rc != 0 || session->ending) {
            break;
        }
        if (!take_one(holder, session) && !session->ending) {
            rc = holder_stream_fill(&session->stream);
        }
    }
    if (rc != -EAGAIN) {
        holder_session_end(holder, session);
    }
}
