// SPDX-License-Identifier: Apache-2.0
#include "screen.h"

#include <errno.h>
#include <locale.h>
#include <ncurses.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frame.h"
#include "tool/table.h"
#include "tool/tool.h"

#define ROWS_ABOVE 3 // headline, views, titles
#define ROWS_BELOW 1

static const char help_text[] = "1-6, Tab      views: links flows jobs members status events\n"
                                "Up Down j k   move; PgUp PgDn Home End g G\n"
                                "Enter         why (links, flows); Esc back\n"
                                "/  \\          filter (text, or column=text); clear it\n"
                                "s < >  r      sort by the next column, previous; reverse\n"
                                "p Space       pause;  + -  slower, faster\n"
                                "c             colours on or off\n"
                                "?  q          this help; quit\n";

static const int deadly_signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};

// Not async-signal-safe by the book; a terminal left raw is certain otherwise, and the process is
// dying. The signal is then taken by its default action, so a core is still written.
static void restore_and_die(int number) {
    endwin();
    signal(number, SIG_DFL);
    raise(number);
}

int screen_open(void) {
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        return -ENOTTY;
    }
    setlocale(LC_CTYPE, "");
    if (newterm(NULL, stdout, stdin) == NULL) {
        return -ENOTSUP;
    }
    for (size_t i = 0; i < sizeof deadly_signals / sizeof deadly_signals[0]; i++) {
        signal(deadly_signals[i], restore_and_die);
    }
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(50);
    curs_set(0);
    if (has_colors()) {
        start_color();
        use_default_colors();
        init_pair(TOP_NOTICE, COLOR_YELLOW, -1);
        init_pair(TOP_BAD, COLOR_RED, -1);
    }
    return 0;
}

void screen_close(void) {
    endwin();
}

size_t screen_page(void) {
    return LINES > ROWS_ABOVE + ROWS_BELOW ? (size_t)(LINES - ROWS_ABOVE - ROWS_BELOW) : 1;
}

int screen_key(void) {
    int key = getch();
    switch (key) {
    case ERR:
        return -1;
    case KEY_UP:
        return TOP_KEY_UP;
    case KEY_DOWN:
        return TOP_KEY_DOWN;
    case KEY_PPAGE:
        return TOP_KEY_PAGE_UP;
    case KEY_NPAGE:
        return TOP_KEY_PAGE_DOWN;
    case KEY_HOME:
        return TOP_KEY_HOME;
    case KEY_END:
        return TOP_KEY_END;
    case KEY_ENTER:
    case '\r':
    case '\n':
        return TOP_KEY_ENTER;
    case 27:
        return TOP_KEY_ESCAPE;
    case KEY_BACKSPACE:
    case 127:
    case '\b':
        return TOP_KEY_BACKSPACE;
    case '\t':
        return TOP_KEY_TAB;
    case KEY_F(1):
        return TOP_KEY_HELP;
    case KEY_F(6):
        return TOP_KEY_SORT;
    case KEY_F(10):
        return TOP_KEY_QUIT;
    default: // KEY_RESIZE: ncurses has taken in the new size; only a redraw is wanted
        return key < 0x100 ? key : 0;
    }
}

static void put_line(int y, const char *text, attr_t attributes) {
    if (y >= LINES) {
        return;
    }
    attron(attributes);
    mvaddnstr(y, 0, text, COLS);
    clrtoeol();
    attroff(attributes);
}

static attr_t mood_attributes(const struct top_state *state, enum top_mood mood) {
    if (!state->color || !has_colors() || mood == TOP_CALM) {
        return A_NORMAL;
    }
    return COLOR_PAIR(mood) | (mood == TOP_BAD ? A_BOLD : 0);
}

static void draw_head(const struct top_state *state, const struct top_source *source) {
    char line[TOP_LINE_SIZE];
    if (source->gone) {
        char since[24];
        tool_format_duration(control_now_ns() - source->gone_since_ns, since);
        snprintf(line, sizeof line, "AGENT GONE for %s: %s", since, source->problem.text);
    } else {
        top_headline(source->documents[TOP_STATUS], line, sizeof line);
    }
    put_line(0, line, A_BOLD | (source->gone ? mood_attributes(state, TOP_BAD) : A_NORMAL));
    line[0] = '\0';
    for (unsigned i = 0; i < TOP_VIEW_COUNT; i++) {
        size_t used = strlen(line);
        snprintf(line + used, sizeof line - used, i == state->view ? "[%u %s] " : " %u %s  ", i + 1,
                 top_views[i].name);
    }
    put_line(1, line, A_NORMAL);
}

static void draw_rows(const struct top_state *state, const struct top_rows *rows) {
    const struct top_view *view = &top_views[state->view];
    size_t widths[TOP_COLUMNS_MAX], page = screen_page();
    char line[TOP_LINE_SIZE];
    top_frame_widths(view, rows, widths);
    top_frame_titles(view, widths, state->sort_column, state->reverse, line);
    put_line(2, line, A_UNDERLINE);
    for (size_t i = 0; i < page; i++) {
        size_t index = state->first + i;
        attr_t attributes = A_NORMAL;
        line[0] = '\0';
        if (index < rows->count) {
            top_frame_row(view, widths, &rows->rows[index], line);
            attributes = mood_attributes(state, rows->rows[index].mood);
            attributes |= index == state->cursor ? A_REVERSE : A_NORMAL;
        }
        put_line(ROWS_ABOVE + (int)i, line, attributes);
    }
}

static void draw_text(const char *text, size_t first) {
    size_t page = screen_page(), line_number = 0;
    int y = 2;
    for (const char *at = text; *at != '\0' && y < 3 + (int)page;) {
        size_t length = strcspn(at, "\n");
        if (line_number++ >= first) {
            char line[TOP_LINE_SIZE];
            snprintf(line, sizeof line, "%.*s", (int)length, at);
            put_line(y++, line, A_NORMAL);
        }
        at += length + (at[length] == '\n');
    }
    for (; y < LINES - ROWS_BELOW; y++) {
        put_line(y, "", A_NORMAL);
    }
}

static void draw_foot(const struct top_state *state, const struct top_rows *rows) {
    char line[TOP_LINE_SIZE], delay[24];
    tool_format_duration(state->delay_ns, delay);
    if (state->mode == TOP_MODE_TYPING) {
        snprintf(line, sizeof line, "/%s_", state->typed);
    } else {
        snprintf(line, sizeof line, "%zu of %zu  every %s%s%s%s%s  ? help  q quit",
                 rows->count > 0 ? state->cursor + 1 : 0, rows->count, delay,
                 state->paused ? "  PAUSED" : "", state->filter[0] != '\0' ? "  filter: " : "",
                 state->filter, rows->truncated ? "  (out of memory: rows missing)" : "");
    }
    put_line(LINES - 1, line, A_REVERSE);
}

void screen_draw(const struct top_state *state, const struct top_rows *rows,
                 const struct top_source *source, const char *detail) {
    draw_head(state, source);
    if (state->mode == TOP_MODE_HELP) {
        draw_text(help_text, 0);
    } else if (state->mode == TOP_MODE_DETAIL) {
        draw_text(detail, state->detail_first);
    } else {
        draw_rows(state, rows);
    }
    draw_foot(state, rows);
    refresh();
}
