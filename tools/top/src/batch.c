// SPDX-License-Identifier: Apache-2.0
#include "batch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "frame.h"
#include "source.h"
#include "tool/tool.h"

#define SCHEMA_VERSION 1

// One round, waited for.
static void fetch(struct top_source *source) {
    uint64_t round = source->rounds;
    top_source_refresh(source, control_now_ns());
    while (source->rounds == round) {
        struct pollfd polled[TOP_EXCHANGE_COUNT];
        unsigned count = top_source_poll(source, polled);
        uint64_t now_ns = control_now_ns(), deadline_ns = top_source_deadline_ns(source);
        uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
        poll(polled, count, (int)(left_ns / 1000000) + 1);
        top_source_work(source, control_now_ns());
    }
}

static int print_json(const struct top_source *source) {
    return tool_print_json(
        json_pack("{s:i,s:O,s:O,s:O,s:O,s:O}", "schema_version", SCHEMA_VERSION, "status",
                  source->documents[TOP_STATUS], "links", source->documents[TOP_LINKS], "flows",
                  source->documents[TOP_FLOWS], "jobs", source->documents[TOP_JOBS], "members",
                  source->documents[TOP_MEMBERS]));
}

static void print_view(const struct top_source *source, const struct top_view *view) {
    struct top_rows rows = {0};
    top_rows_fill(&rows, view, source->documents[view->document]);
    top_frame_print(view, &rows, stdout);
    top_rows_fini(&rows);
}

static int print_text(const struct top_options *options, const struct top_source *source) {
    char line[TOP_LINE_SIZE], clock[32];
    time_t now = time(NULL);
    struct tm local;
    strftime(clock, sizeof clock, "%FT%T%z", localtime_r(&now, &local));
    top_headline(source->documents[TOP_STATUS], line, sizeof line);
    printf("%s  %s\n", clock, line);
    for (int i = 0; i < TOP_VIEW_COUNT; i++) {
        bool wanted = options->view >= 0 ? i == options->view
                                         : top_views[i].document != TOP_STATUS &&
                                               top_views[i].document != TOP_EVENTS;
        if (wanted) {
            printf("\n%s\n", top_views[i].name);
            print_view(source, &top_views[i]);
        }
    }
    fputc('\n', stdout);
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? TOOL_OK : TOOL_FAILED;
}

static void wait_ns(uint64_t ns) {
    struct timespec time = {.tv_sec = (time_t)(ns / 1000000000ULL),
                            .tv_nsec = (long)(ns % 1000000000ULL)};
    nanosleep(&time, NULL);
}

int top_batch(const struct top_options *options) {
    struct top_source source;
    top_source_init(&source, options->path, options->timeout_ns);
    int rc = TOOL_OK;
    for (uint64_t frame = 0; options->count == 0 || frame < options->count; frame++) {
        if (frame > 0) {
            wait_ns(options->delay_ns);
        }
        fetch(&source);
        if (source.gone) {
            rc = tool_error(TOP_NAME, source.problem.exit_code, NULL, "%s", source.problem.text);
            if (source.documents[TOP_STATUS] == NULL) {
                break;
            }
            continue;
        }
        rc = options->json ? print_json(&source) : print_text(options, &source);
        if (rc != TOOL_OK) {
            tool_error(TOP_NAME, rc, NULL, "cannot write to standard output");
            break;
        }
    }
    top_source_fini(&source);
    return rc;
}
