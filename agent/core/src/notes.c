// SPDX-License-Identifier: Apache-2.0
// What every stage may use and that uses no stage.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "state.h"

void engine_note(struct engine *engine, enum engine_note_level level, const char *kind,
                 const char *subject, const char *format, ...) {
    if (engine->note_count == NOTES_MAX) {
        return;
    }
    struct engine_note *note = &engine->notes[engine->note_count++];
    *note = (struct engine_note){.level = level, .kind = kind};
    memcpy(note->subject, subject, strnlen(subject, sizeof note->subject - 1));
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note->text, sizeof note->text, format, arguments);
    va_end(arguments);
}

const char *code_text(int code) {
    switch (code) {
    case -ENOMEM:
        return "no memory";
    case -ENOSPC:
        return "a limit is reached";
    case -EMSGSIZE:
        return "too large";
    default:
        return "invalid";
    }
}

bool host_is_live(const struct host_view *host) {
    return host->known && (host->state == GOSSIP_ALIVE || host->state == GOSSIP_SUSPECT);
}
