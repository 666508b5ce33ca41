// SPDX-License-Identifier: Apache-2.0
#include "state.h"

#include <ctype.h>
#include <string.h>

void top_state_init(struct top_state *state, uint64_t delay_ns, bool color) {
    *state = (struct top_state){.sort_column = -1, .delay_ns = delay_ns, .color = color};
}

void top_state_fit(struct top_state *state, size_t row_count, size_t page) {
    if (state->cursor >= row_count) {
        state->cursor = row_count > 0 ? row_count - 1 : 0;
    }
    if (state->cursor < state->first) {
        state->first = state->cursor;
    }
    if (page > 0 && state->cursor >= state->first + page) {
        state->first = state->cursor - page + 1;
    }
}

static void show_view(struct top_state *state, unsigned view) {
    state->view = view;
    state->cursor = state->first = 0;
    state->sort_column = -1;
    state->reverse = false;
}

static void move_down(struct top_state *state, size_t by, size_t row_count) {
    size_t last = row_count > 0 ? row_count - 1 : 0;
    state->cursor = state->cursor + by < last ? state->cursor + by : last;
}

static bool move_key(struct top_state *state, int key, size_t row_count, size_t page) {
    switch (key) {
    case TOP_KEY_UP:
    case 'k':
        state->cursor -= state->cursor > 0 ? 1 : 0;
        return true;
    case TOP_KEY_DOWN:
    case 'j':
        move_down(state, 1, row_count);
        return true;
    case TOP_KEY_PAGE_UP:
        state->cursor -= state->cursor < page ? state->cursor : page;
        return true;
    case TOP_KEY_PAGE_DOWN:
        move_down(state, page, row_count);
        return true;
    case TOP_KEY_HOME:
    case 'g':
        state->cursor = 0;
        return true;
    case TOP_KEY_END:
    case 'G':
        move_down(state, row_count, row_count);
        return true;
    default:
        return false;
    }
}

// The next sort column; past the last one the agent's own order comes back.
static void step_column(struct top_state *state, int by) {
    int count = (int)top_views[state->view].column_count;
    state->sort_column += by;
    if (state->sort_column >= count) {
        state->sort_column = -1;
    } else if (state->sort_column < -1) {
        state->sort_column = count - 1;
    }
}

static bool order_key(struct top_state *state, int key) {
    switch (key) {
    case 's':
    case '>':
    case TOP_KEY_SORT:
        step_column(state, 1);
        return true;
    case '<':
        step_column(state, -1);
        return true;
    case 'r':
    case 'I':
        state->reverse = !state->reverse;
        return true;
    default:
        return false;
    }
}

static void change_delay(struct top_state *state, bool longer) {
    uint64_t delay_ns = longer ? 2 * state->delay_ns : state->delay_ns / 2;
    if (delay_ns >= TOP_DELAY_LEAST_NS && delay_ns <= TOP_DELAY_MOST_NS) {
        state->delay_ns = delay_ns;
    }
}

static void list_key(struct top_state *state, int key, size_t row_count) {
    switch (key) {
    case 'q':
    case TOP_KEY_QUIT:
        state->quit = true;
        break;
    case '?':
    case 'h':
    case TOP_KEY_HELP:
        state->mode = TOP_MODE_HELP;
        break;
    case TOP_KEY_TAB:
        show_view(state, (state->view + 1) % TOP_VIEW_COUNT);
        break;
    case '/':
        state->mode = TOP_MODE_TYPING;
        memcpy(state->typed, state->filter, sizeof state->typed);
        break;
    case '\\':
        state->filter[0] = '\0';
        break;
    case 'p':
    case ' ':
        state->paused = !state->paused;
        break;
    case '+':
    case '-':
        change_delay(state, key == '+');
        break;
    case 'c':
        state->color = !state->color;
        break;
    case TOP_KEY_ENTER:
        if (row_count > 0 && top_views[state->view].explain != NULL) {
            state->mode = TOP_MODE_DETAIL;
            state->detail_first = 0;
        }
        break;
    default:
        if (key >= '1' && key < '1' + TOP_VIEW_COUNT) {
            show_view(state, (unsigned)(key - '1'));
        }
    }
}

static void typing_key(struct top_state *state, int key) {
    size_t length = strlen(state->typed);
    if (key == TOP_KEY_ENTER) {
        memcpy(state->filter, state->typed, sizeof state->filter);
        state->cursor = state->first = 0;
        state->mode = TOP_MODE_LIST;
    } else if (key == TOP_KEY_ESCAPE) {
        state->mode = TOP_MODE_LIST;
    } else if (key == TOP_KEY_BACKSPACE && length > 0) {
        state->typed[length - 1] = '\0';
    } else if (key < 0x80 && isprint(key) && length + 1 < sizeof state->typed) {
        state->typed[length] = (char)key;
        state->typed[length + 1] = '\0';
    }
}

static void detail_key(struct top_state *state, int key) {
    if (key == TOP_KEY_ESCAPE || key == TOP_KEY_BACKSPACE || key == 'q') {
        state->mode = TOP_MODE_LIST;
    } else if (key == TOP_KEY_DOWN || key == 'j') {
        state->detail_first++;
    } else if ((key == TOP_KEY_UP || key == 'k') && state->detail_first > 0) {
        state->detail_first--;
    }
}

void top_state_key(struct top_state *state, int key, size_t row_count, size_t page) {
    switch (state->mode) {
    case TOP_MODE_HELP:
        state->mode = TOP_MODE_LIST;
        break;
    case TOP_MODE_TYPING:
        typing_key(state, key);
        break;
    case TOP_MODE_DETAIL:
        if (key == TOP_KEY_QUIT) {
            state->quit = true;
        }
        detail_key(state, key);
        break;
    case TOP_MODE_LIST:
        if (!move_key(state, key, row_count, page) && !order_key(state, key)) {
            list_key(state, key, row_count);
        }
        break;
    }
    top_state_fit(state, row_count, page);
}
