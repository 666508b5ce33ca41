// SPDX-License-Identifier: Apache-2.0
// An error that carries a sentence.
//
// Functions that can fail in more ways than a number tells take a `struct error *`, fill it and
// return `code`. The caller owns the struct; text is always terminated; `error` may be NULL when
// the caller does not care. Only agent/ and tools/ print. The text says what was wrong with what,
// and where
// ("fabric.yaml:14: leaf3: uplink to unknown spine9").
#ifndef MODEL_ERROR_H
#define MODEL_ERROR_H

#define ERROR_TEXT_SIZE 160

struct error {
    int code; // -errno
    char text[ERROR_TEXT_SIZE];
};

// Fills `error` (may be NULL) and returns `code`, so that callers write `return error_set(error,
// -EINVAL, "...")`.
int error_set(struct error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
