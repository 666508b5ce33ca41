// SPDX-License-Identifier: Apache-2.0
#include "http_calls.h"

#include <string.h>

#include "library.h"

#define HTTP_NAME(name) "MHD_" #name,
static const char *const names[] = {HTTP_CALLS(HTTP_NAME)};
#define COUNT (sizeof names / sizeof *names)

_Static_assert(sizeof(struct http_calls) == COUNT * sizeof(void (*)(void)), "pointers only");

int http_calls_load(struct http_calls *out, struct error *error) {
    void (*calls[COUNT])(void);
    int rc = library_load(LIBMICROHTTPD_FILE, names, COUNT, calls, error);
    if (rc == 0) {
        memcpy(out, calls, sizeof *out);
    }
    return rc;
}
