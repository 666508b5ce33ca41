// SPDX-License-Identifier: Apache-2.0
// What the user looks at: view, cursor, filter, order, panes. Pure: a key in, the next state out;
// srv6-top's screen draws it, the tests press keys without a terminal.
//
//              '/'                 Enter                      Enter
//    list ----------> typing ----------------> list    list ----------> detail
//      ^  <---------- (Esc: filter as before)            ^  <-- Esc, Backspace, q
//      |   any key                    '?'
//      +----------------- help <---------- list
//
// No key changes anything outside this program.
#ifndef TOP_STATE_H
#define TOP_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rows.h"

#define TOP_FILTER_SIZE 64
#define TOP_DELAY_DEFAULT_NS 1000000000ULL
#define TOP_DELAY_LEAST_NS 100000000ULL
#define TOP_DELAY_MOST_NS 60000000000ULL

// Characters are themselves; keys without a character:
enum top_key {
    TOP_KEY_UP = 0x100,
    TOP_KEY_DOWN,
    TOP_KEY_PAGE_UP,
    TOP_KEY_PAGE_DOWN,
    TOP_KEY_HOME,
    TOP_KEY_END,
    TOP_KEY_LEFT,
    TOP_KEY_RIGHT,
    TOP_KEY_ENTER,
    TOP_KEY_ESCAPE,
    TOP_KEY_BACKSPACE,
    TOP_KEY_TAB,
    TOP_KEY_HELP,
    TOP_KEY_QUIT,
    TOP_KEY_SORT
};

enum top_mode { TOP_MODE_LIST, TOP_MODE_TYPING, TOP_MODE_DETAIL, TOP_MODE_HELP };

struct top_state {
    enum top_mode mode;
    unsigned view;        // index in top_views
    size_t cursor, first; // rows: under the cursor, on the screen's first line
    int sort_column;      // -1: as the agent orders them
    bool reverse, paused, color, quit;
    uint64_t delay_ns;
    char filter[TOP_FILTER_SIZE], typed[TOP_FILTER_SIZE];
    size_t detail_first; // line of the detail pane on its first line
};

void top_state_init(struct top_state *state, uint64_t delay_ns, bool color);
// row_count rows pass the filter now; page of them fit on the screen.
void top_state_key(struct top_state *state, int key, size_t row_count, size_t page);
// Keeps cursor and first line where there are rows (rows vanish, terminals shrink).
void top_state_fit(struct top_state *state, size_t row_count, size_t page);

#endif
