// SPDX-License-Identifier: Apache-2.0
#include "run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control_client/control.h"
#include "fleet.h"
#include "journal.h"
#include "lab.h"
#include "report.h"
#include "safety.h"
#include "tool/json.h"
#include "tool/tool.h"

#define SETTLE_POLL_NS 250000000ULL

static volatile sig_atomic_t interrupted;

static void note_signal(int number) {
    interrupted = number;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = note_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static void sleep_until(uint64_t at_ns) {
    struct timespec at = {.tv_sec = (time_t)(at_ns / 1000000000ULL),
                          .tv_nsec = (long)(at_ns % 1000000000ULL)};
    while (!interrupted && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
}

static void progress(const struct drill_request *request, const char *text) {
    if (!request->json) {
        printf("%s\n", text);
        fflush(stdout);
    }
}

// Fleet, plan and reasons; or an error that was printed. The caller owns all three.
static int prepare(const struct drill_request *request, json_t **fleet, json_t **plan,
                   json_t **reasons) {
    char problem[256];
    *fleet = fleet_ask(request);
    *plan = NULL;
    *reasons = json_array();
    if (json_object_size(tool_json_object(*fleet, "agents")) == 0) {
        return tool_error(DRILL_NAME, TOOL_UNREACHABLE, request->lab_directory,
                          "no agent of the lab answers (is it up? srv6-lab status)");
    }
    *plan = request->drill->plan(request, *fleet, problem);
    if (*plan == NULL) {
        return tool_error(DRILL_NAME, TOOL_FAILED, NULL, "%s", problem);
    }
    safety_check(*fleet, *reasons);
    request->drill->refuse(*fleet, *plan, *reasons);
    return TOOL_OK;
}

int drill_plan(const struct drill_request *request) {
    json_t *fleet, *plan, *reasons;
    int rc = prepare(request, &fleet, &plan, &reasons);
    char problem[256];
    if (rc == TOOL_OK && journal_active(JOURNAL_DIRECTORY, control_now_ns(), problem)) {
        json_array_append_new(reasons, json_string(problem));
    }
    if (rc == TOOL_OK) {
        rc = report_plan(request, plan, reasons);
    }
    json_decref(fleet);
    json_decref(plan);
    json_decref(reasons);
    return rc;
}

static int refused(const json_t *reasons) {
    size_t index;
    const json_t *reason;
    json_array_foreach(reasons, index, reason) {
        tool_error(DRILL_NAME, TOOL_REFUSED, NULL, "refused: %s", json_string_value(reason));
    }
    return TOOL_REFUSED;
}

static bool confirmed(const struct drill_request *request, const json_t *plan) {
    if (request->yes) {
        return true;
    }
    if (!isatty(STDIN_FILENO)) {
        return false;
    }
    char answer[16] = "";
    fprintf(stderr, "%s, for %.1f s. Type yes to go on: ", tool_json_text(plan, "summary", "-"),
            (double)request->for_ns / 1e9);
    return fgets(answer, sizeof answer, stdin) != NULL && strcmp(answer, "yes\n") == 0;
}

// Waits until the fleet is as before; fills *after. False: not within the time, `sentence` says
// what was still different.
static bool settle(const struct drill_request *request, const json_t *before, json_t **after,
                   char *sentence, size_t size) {
    uint64_t deadline_ns = control_now_ns() + request->settle_ns;
    for (;;) {
        json_decref(*after);
        *after = fleet_ask(request);
        if (!fleet_differs(before, *after, sentence, size)) {
            return true;
        }
        if (control_now_ns() >= deadline_ns || interrupted) {
            return false;
        }
        sleep_until(control_now_ns() + SETTLE_POLL_NS);
    }
}

struct course {
    json_t *record;
    const char *status; // "completed", "aborted", "failed"
    bool settled;
    uint64_t settled_after_ns; // from the revert
    char unsettled[256];
};

// The middle of the drill, between inject and revert: what the fleet looks like under it.
static void observe(const struct drill_request *request, uint64_t begin_ns, json_t *record,
                    json_t *lost) {
    uint64_t end_ns = begin_ns + request->for_ns;
    sleep_until(end_ns - request->for_ns / 5);
    if (!interrupted) {
        json_object_set_new(record, "during", fleet_ask(request));
        fleet_events(request, begin_ns, tool_json_array(record, "events"), lost);
    }
    sleep_until(end_ns);
}

static void carry_out(const struct drill_request *request, json_t *plan, json_t *fleet,
                      struct watchdog *watchdog, struct course *course) {
    json_t *record = course->record, *lost = tool_json_array(course->record, "lost_events");
    uint64_t begin_ns = control_now_ns();
    json_object_set(record, "before", fleet);
    json_object_set_new(record, "inject_begin_ns", json_integer((json_int_t)begin_ns));
    int rc = request->drill->inject(request, plan);
    json_object_set_new(record, "inject_end_ns", json_integer((json_int_t)control_now_ns()));
    if (rc == TOOL_OK) {
        progress(request, "injected; watching");
        observe(request, begin_ns, record, lost);
    }
    bool cut_short = interrupted != 0;
    uint64_t revert_ns = control_now_ns();
    int reverted = request->drill->revert(request, plan);
    watchdog_dismiss(watchdog);
    progress(request,
             cut_short ? "interrupted; reverted" : "reverted; waiting until all is as before");
    interrupted = 0; // a second Ctrl-C ends the wait
    json_t *after = NULL;
    course->settled = settle(request, fleet, &after, course->unsettled, sizeof course->unsettled);
    course->settled_after_ns = control_now_ns() - revert_ns;
    json_object_set_new(record, "after", after);
    fleet_events(request, begin_ns, tool_json_array(record, "events"), lost);
    course->status = rc != TOOL_OK || reverted != TOOL_OK ? "failed"
                     : cut_short                          ? "aborted"
                                                          : "completed";
}

static int finish(const struct drill_request *request, const json_t *plan,
                  const struct course *course) {
    json_t *report =
        json_pack("{s:s,s:s,s:s,s:I,s:b,s:I,s:O,s:O}", "drill", request->drill->name, "summary",
                  tool_json_text(plan, "summary", "-"), "status", course->status, "for_ns",
                  (json_int_t)request->for_ns, "settled", course->settled, "settled_after_ns",
                  (json_int_t)course->settled_after_ns, "events",
                  json_object_get(course->record, "events"), "lost_events",
                  json_object_get(course->record, "lost_events"));
    json_t *deviations = json_array();
    bool completed = strcmp(course->status, "completed") == 0;
    if (completed) {
        request->drill->judge(plan, course->record, report, deviations);
    }
    if (!course->settled) {
        json_array_append_new(deviations, json_sprintf("not as before: %s", course->unsettled));
    }
    bool deviated = json_array_size(deviations) > 0;
    json_object_set_new(report, "deviated", json_boolean(deviated));
    json_object_set_new(report, "deviations", deviations);
    int rc = report_print(request, report);
    if (rc != TOOL_OK || !completed) {
        return TOOL_FAILED;
    }
    return !course->settled ? TOOL_TIMED_OUT : deviated ? TOOL_UNHEALTHY : TOOL_OK;
}

static int run_locked(const struct drill_request *request, json_t *plan, json_t *fleet) {
    struct watchdog watchdog;
    int rc = watchdog_arm(&watchdog, request, plan);
    if (rc != 0) {
        return tool_error(DRILL_NAME, TOOL_FAILED, NULL, "cannot start the watchdog: %s",
                          strerror(-rc));
    }
    catch_signals();
    struct course course = {.record = json_pack("{s:[],s:[]}", "events", "lost_events"),
                            .status = "failed"};
    carry_out(request, plan, fleet, &watchdog, &course);
    rc = finish(request, plan, &course);
    json_decref(course.record);
    return rc;
}

int drill_run(const struct drill_request *request) {
    json_t *fleet, *plan, *reasons;
    struct journal journal;
    char problem[256];
    int rc = prepare(request, &fleet, &plan, &reasons);
    if (rc == TOOL_OK && json_array_size(reasons) > 0) {
        rc = refused(reasons);
    }
    if (rc == TOOL_OK && !confirmed(request, plan)) {
        rc = tool_error(DRILL_NAME, TOOL_REFUSED, NULL, "refused: not confirmed (--yes)");
    }
    if (rc == TOOL_OK) {
        rc = journal_open(&journal, JOURNAL_DIRECTORY, request, control_now_ns(), problem);
        if (rc != 0) {
            rc = tool_error(DRILL_NAME,
                            rc == -EBUSY    ? TOOL_REFUSED
                            : rc == -EACCES ? TOOL_PERMISSION
                                            : TOOL_FAILED,
                            NULL, "%s", problem);
        } else {
            progress(request, tool_json_text(plan, "summary", "-"));
            rc = run_locked(request, plan, fleet);
            journal_close(&journal);
        }
    }
    json_decref(fleet);
    json_decref(plan);
    json_decref(reasons);
    return rc;
}
