// SPDX-License-Identifier: Apache-2.0
#include "live.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "screen.h"
#include "source.h"
#include "tool/tool.h"
#include "view.h"

struct live {
    struct top_state state;
    struct top_source source;
    struct top_rows rows;
    uint64_t frame_at_ns; // the next round
    uint64_t frames_left; // 0: no limit
    char *detail;         // owned text of the pane
};

static volatile sig_atomic_t ended_by;

static void note_end(int number) {
    ended_by = number;
}

// Ends the loop; poll returns with EINTR.
static void catch_ends(void) {
    struct sigaction action = {.sa_handler = note_end};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static void rebuild(struct live *live) {
    const struct top_view *view = &top_views[live->state.view];
    top_rows_fill(&live->rows, view, live->source.documents[view->document]);
    top_rows_filter(&live->rows, view, live->state.filter);
    top_rows_sort(&live->rows, live->state.sort_column, live->state.reverse);
    top_state_fit(&live->state, live->rows.count, screen_page());
}

// The pane's text from the explanation's document, as srv6-ctl prints it.
static void rebuild_detail(struct live *live) {
    free(live->detail);
    live->detail = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&live->detail, &size);
    if (out == NULL) {
        return;
    }
    if (live->source.detail_failed) {
        fprintf(out, "%s\n", live->source.detail_problem.text);
    } else if (live->source.detail == NULL) {
        fputs("asking...\n", out);
    } else if (top_views[live->state.view].document == TOP_LINKS) {
        view_link_why(live->source.detail, out);
    } else {
        view_why(live->source.detail, out);
    }
    fclose(out);
}

static void press(struct live *live, int key, uint64_t now_ns) {
    enum top_mode before = live->state.mode;
    top_state_key(&live->state, key, live->rows.count, screen_page());
    if (before != TOP_MODE_DETAIL && live->state.mode == TOP_MODE_DETAIL) {
        const struct top_row *row = &live->rows.rows[live->state.cursor];
        top_source_explain(&live->source, &top_views[live->state.view], row->subject, now_ns);
        rebuild_detail(live);
    }
    rebuild(live);
}

static uint64_t next_ns(const struct live *live) {
    uint64_t next_ns = top_source_deadline_ns(&live->source);
    if (!live->state.paused && live->frame_at_ns < next_ns) {
        next_ns = live->frame_at_ns;
    }
    return next_ns;
}

static void wait_for_something(const struct live *live) {
    struct pollfd polled[1 + TOP_EXCHANGE_COUNT] = {{.fd = STDIN_FILENO, .events = POLLIN}};
    unsigned count = 1 + top_source_poll(&live->source, polled + 1);
    uint64_t now_ns = control_now_ns(), until_ns = next_ns(live);
    uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    // Once a second at least, for the time that an agent has been gone.
    left_ns = left_ns < 1000000000ULL ? left_ns : 1000000000ULL;
    poll(polled, count, (int)(left_ns / 1000000) + 1);
}

static void turn(struct live *live) {
    uint64_t now_ns = control_now_ns();
    for (int key; (key = screen_key()) >= 0;) {
        press(live, key, now_ns);
    }
    if (top_source_work(&live->source, now_ns)) {
        if (!live->state.paused) {
            rebuild(live);
        }
        rebuild_detail(live);
    }
    if (!live->state.paused && now_ns >= live->frame_at_ns) {
        live->frame_at_ns = now_ns + live->state.delay_ns;
        top_source_refresh(&live->source, now_ns);
        if (live->frames_left > 0 && --live->frames_left == 0) {
            live->state.quit = true;
        }
    }
    screen_draw(&live->state, &live->rows, &live->source, live->detail != NULL ? live->detail : "");
}

int top_live(const struct top_options *options) {
    int rc = screen_open();
    if (rc != 0) {
        return tool_error(TOP_NAME, TOOL_FAILED, rc == -ENOTSUP ? getenv("TERM") : NULL,
                          rc == -ENOTSUP ? "terminal type is not known (use -b)"
                                         : "keys need a terminal (use -b)");
    }
    struct live live = {.frames_left = options->count > 0 ? options->count + 1 : 0};
    top_state_init(&live.state, options->delay_ns, tool_use_color());
    live.state.view = options->view >= 0 ? (unsigned)options->view : 0;
    top_source_init(&live.source, options->path, options->timeout_ns);
    catch_ends();
    while (!live.state.quit && ended_by == 0) {
        turn(&live);
        if (!live.state.quit) {
            wait_for_something(&live);
        }
    }
    screen_close();
    top_source_fini(&live.source);
    top_rows_fini(&live.rows);
    free(live.detail);
    return TOOL_OK;
}
