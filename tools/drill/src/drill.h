// SPDX-License-Identifier: Apache-2.0
// Failure drills on the lab. One drill is one file: it says what it would hit (plan), what speaks
// against it (refuse), how it breaks and mends (inject, revert), and whether the fabric behaved
// (judge). The runner (run.h) does what all drills share.
//
//   before -> refuse? -> confirm -> journal, watchdog -> inject -> during -> revert -> settle ->
//   after
//                                                          |  SIGINT, SIGTERM: revert at once
//                                                          |  the tool dies: the watchdog reverts
//
// plan, refuse and judge are pure functions over JSON documents:
//   fleet: {"agents":{"h0":{"status":{},"links":{},"flows":{},"members":{}}},"unreachable":["..."]}
//   record: {"before":fleet,"during":fleet,"after":fleet,"inject_begin_ns":n,"inject_end_ns":n,
//            "events":[{"host":"h0","at_ns":n,"kind":"link_down","subject":"leaf0>spine3",...}]}
// An agent's document is what the control socket gave; times are CLOCK_MONOTONIC, which all
// processes of the machine share.
#ifndef DRILL_DRILL_H
#define DRILL_DRILL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define DRILL_NAME "srv6-drill"
#define DRILL_OPERANDS_MAX 2

struct drill_request {
    const struct drill *drill;
    const char *operands[DRILL_OPERANDS_MAX];
    unsigned operand_count;
    const char *prefix; // of the lab, NULL: the default
    char lab_directory[64];
    uint64_t for_ns, settle_ns, timeout_ns;
    bool one_way, yes, json;
};

struct drill {
    const char *name, *operands;
    unsigned operand_count;
    const char *summary;
    // The plan: {"summary":sentence,"flows":[...]} and what inject needs; NULL with a sentence in
    // `problem` when the target does not exist.
    json_t *(*plan)(const struct drill_request *request, const json_t *fleet, char problem[256]);
    // Appends sentences to `reasons`: safety limits of this drill, beside those of safety.h.
    void (*refuse)(const json_t *fleet, const json_t *plan, json_t *reasons);
    // Exit codes of srv6-lab. revert is idempotent and may run without inject.
    int (*inject)(const struct drill_request *request, const json_t *plan);
    int (*revert)(const struct drill_request *request, const json_t *plan);
    // Puts findings into the report and sentences about what was not as it should be into
    // `deviations`.
    void (*judge)(const json_t *plan, const json_t *record, json_t *report, json_t *deviations);
};

extern const struct drill drill_link_cut, drill_agent_kill;

// All drills, ended by NULL.
extern const struct drill *const drills[];

#endif
