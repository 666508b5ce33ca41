// SPDX-License-Identifier: Apache-2.0
// Where srv6-top's documents come from: six exchanges with one agent for each round, all in flight
// at once, driven by the caller's poll; a seventh for the detail pane.
//
// An agent that goes away is no end: the last documents stay, `problem` says what is wrong and
// since when, and the next round tries again. Times are CLOCK_MONOTONIC. One thread.
#ifndef TOP_SOURCE_H
#define TOP_SOURCE_H

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "control_client/control.h"
#include "rows.h"

#define TOP_EXCHANGE_COUNT (TOP_DOCUMENT_COUNT + 1)

struct top_source {
    char path[CONTROL_PATH_SIZE];
    uint64_t timeout_ns;
    json_t *documents[TOP_DOCUMENT_COUNT]; // owned; NULL until the first answer
    bool gone;                             // the last round failed
    struct control_problem problem;        // when gone
    uint64_t gone_since_ns;
    uint64_t rounds; // that ended, well or not
    // private
    struct control_exchange *exchanges[TOP_EXCHANGE_COUNT];
    uint64_t deadline_ns;
    bool in_round;
    json_t *detail; // owned
    bool detail_failed;
    struct control_problem detail_problem;
    uint64_t detail_deadline_ns;
};

void top_source_init(struct top_source *source, const char *path, uint64_t timeout_ns);
void top_source_fini(struct top_source *source);
// Starts a round unless one is in flight.
void top_source_refresh(struct top_source *source, uint64_t now_ns);
// Asks for the explanation of a subject; the answer appears in `detail` or `detail_problem`.
void top_source_explain(struct top_source *source, const struct top_view *view, const char *subject,
                        uint64_t now_ns);
// Descriptors to poll; returns how many of the TOP_EXCHANGE_COUNT were filled.
unsigned top_source_poll(const struct top_source *source, struct pollfd polled[TOP_EXCHANGE_COUNT]);
// After poll: takes what came. True when a document, the detail or the agent's presence changed.
bool top_source_work(struct top_source *source, uint64_t now_ns);
// When work() must be called even if nothing came; UINT64_MAX: never.
uint64_t top_source_deadline_ns(const struct top_source *source);

#endif
