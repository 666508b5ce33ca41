// SPDX-License-Identifier: Apache-2.0
#include "rc.h"

#include "roce.h"

#define ASKS_PER_TIMEOUT 4
#define CATCH_UP_PACKETS 4 // a sender that was not scheduled makes up for no more than these

// The index that a PSN means, nearest to `near`.
static int64_t index_of_psn(uint64_t near, uint32_t first_psn, uint32_t psn) {
    uint32_t offset = (psn - first_psn - (uint32_t)near) & ROCE_PSN_MASK;
    int64_t distance = offset <= ROCE_PSN_MASK / 2 ? (int64_t)offset
                                                   : (int64_t)offset - (int64_t)ROCE_PSN_MASK - 1;
    return (int64_t)near + distance;
}

// ---- requester

bool requester_is_complete(const struct requester *requester) {
    return (requester->reliable ? requester->acked : requester->next) >= requester->total;
}

static bool may_send(const struct requester *requester) {
    return requester->next < requester->total &&
           (!requester->reliable || requester->next < requester->acked + requester->window);
}

uint64_t requester_deadline_ns(const struct requester *requester) {
    if (requester_is_complete(requester)) {
        return RC_NEVER;
    }
    uint64_t timeout_at_ns = requester->reliable && requester->next > requester->acked
                                 ? requester->progress_at_ns + requester->ack_timeout_ns
                                 : RC_NEVER;
    if (may_send(requester) && requester->send_at_ns < timeout_at_ns) {
        return requester->send_at_ns;
    }
    return timeout_at_ns;
}

// The first packet sent again asks for an answer at once.
static void go_back(struct requester *requester, uint64_t index) {
    requester->next = index;
    requester->asked_at_ns = 0;
}

static void check_timeout(struct requester *requester, uint64_t now_ns) {
    if (requester->reliable && requester->next > requester->acked &&
        now_ns >= requester->progress_at_ns + requester->ack_timeout_ns) {
        requester->timeouts++;
        go_back(requester, requester->acked);
        // The stall goes on; only the clock of the next timeout starts again.
        requester->progress_at_ns = now_ns;
    }
}

static bool wants_ack(const struct requester *requester, uint64_t index, uint64_t now_ns) {
    return requester->reliable &&
           (index + 1 == requester->total || (index + 1) % requester->ack_every == 0 ||
            index + 1 == requester->acked + requester->window ||
            now_ns >= requester->asked_at_ns + requester->ack_timeout_ns / ASKS_PER_TIMEOUT);
}

bool requester_take(struct requester *requester, uint64_t now_ns, uint64_t *index,
                    bool *ack_request) {
    check_timeout(requester, now_ns);
    if (!may_send(requester) || now_ns < requester->send_at_ns) {
        return false;
    }
    uint64_t behind_ns = now_ns - requester->send_at_ns;
    if (behind_ns > CATCH_UP_PACKETS * requester->interval_ns) {
        requester->send_at_ns = now_ns;
    }
    requester->send_at_ns += requester->interval_ns;
    if (requester->next == requester->acked) {
        requester->progress_at_ns = now_ns;
    }
    *index = requester->next++;
    *ack_request = wants_ack(requester, *index, now_ns);
    if (*ack_request) {
        requester->asked_at_ns = now_ns;
    }
    requester->sent++;
    if (*index < requester->end) {
        requester->resent++;
    } else {
        requester->end = requester->next;
    }
    return true;
}

static void progress(struct requester *requester, uint64_t acked, uint64_t now_ns) {
    if (acked <= requester->acked) {
        return;
    }
    uint64_t stall_ns = now_ns - requester->progress_at_ns;
    if (stall_ns > requester->longest_stall_ns) {
        requester->longest_stall_ns = stall_ns;
    }
    requester->acked = acked;
    requester->progress_at_ns = now_ns;
    if (requester->next < acked) {
        requester->next = acked; // acknowledged before it was sent again
    }
}

void requester_ack(struct requester *requester, uint32_t psn, uint64_t now_ns) {
    int64_t index = index_of_psn(requester->acked, requester->first_psn, psn);
    if (index >= 0 && (uint64_t)index < requester->end) {
        progress(requester, (uint64_t)index + 1, now_ns);
    }
}

void requester_nak(struct requester *requester, uint32_t psn, uint64_t now_ns) {
    int64_t index = index_of_psn(requester->acked, requester->first_psn, psn);
    if (index < (int64_t)requester->acked || (uint64_t)index >= requester->end) {
        return;
    }
    requester->naks++;
    progress(requester, (uint64_t)index, now_ns);
    go_back(requester, (uint64_t)index);
}

// ---- responder

enum response responder_packet(struct responder *responder, uint32_t first_psn, uint32_t psn,
                               bool ack_request, uint32_t ack_every, bool *taken) {
    int64_t index = index_of_psn(responder->expected, first_psn, psn);
    *taken = index == (int64_t)responder->expected;
    if (*taken) {
        responder->expected++;
        responder->in_gap = false;
        responder->since_ack++;
        if (!ack_request && responder->since_ack < ack_every) {
            return RESPONSE_NONE;
        }
        responder->since_ack = 0;
        return RESPONSE_ACK;
    }
    if (index < (int64_t)responder->expected) {
        responder->repeats++; // sent again although we have it: our ACK was lost
        return ack_request ? RESPONSE_ACK : RESPONSE_NONE;
    }
    if (responder->in_gap) {
        return RESPONSE_NONE;
    }
    responder->in_gap = true;
    responder->naks++;
    return RESPONSE_NAK;
}

uint32_t responder_psn(const struct responder *responder, uint32_t first_psn,
                       enum response response) {
    uint64_t index = response == RESPONSE_NAK ? responder->expected : responder->expected - 1;
    return (first_psn + (uint32_t)index) & ROCE_PSN_MASK;
}
