// SPDX-License-Identifier: Apache-2.0
// srv6-lab as the hand of the drills: found beside this program, else in PATH.
#ifndef DRILL_LAB_H
#define DRILL_LAB_H

#include "drill.h"

#define LAB_WORDS_MAX 10

// Runs `srv6-lab [--prefix P] WORDS...` (ended by NULL) with its output on stderr, and waits. Its
// exit code; TOOL_FAILED when it cannot be started or was killed.
int lab_run(const struct drill_request *request, const char *const *words);

// The dead man's switch: a process of its own that reverts the drill when this process ends without
// watchdog_dismiss, or when the time is up. Armed before anything is broken.
struct watchdog {
    int alive; // the pipe whose end the watchdog waits for
    int pid;
};
int watchdog_arm(struct watchdog *watchdog, const struct drill_request *request,
                 const json_t *plan);
void watchdog_dismiss(struct watchdog *watchdog);

#endif
