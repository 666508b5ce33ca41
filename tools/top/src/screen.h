// SPDX-License-Identifier: Apache-2.0
// The terminal: the only file that knows ncurses. Draws what state, rows and source say; turns keys
// into state.h's. The terminal is put back on close, on exit, and by the handlers of deadly
// signals.
#ifndef TOP_SCREEN_H
#define TOP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "source.h"
#include "state.h"

int screen_open(void); // -ENOTTY, -ENOTSUP (TERM unknown)
void screen_close(void);
size_t screen_page(void); // rows that fit
// The next key, or -1 when none waits. A change of the terminal's size is taken in here.
int screen_key(void);
void screen_draw(const struct top_state *state, const struct top_rows *rows,
                 const struct top_source *source, const char *detail);

#endif
