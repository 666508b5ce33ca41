// SPDX-License-Identifier: Apache-2.0
#include "curl_calls.h"

#include <string.h>

#include "library.h"

#define CURL_NAME(name) "curl_" #name,
static const char *const names[] = {CURL_CALLS(CURL_NAME)};
#define COUNT (sizeof names / sizeof *names)

_Static_assert(sizeof(struct curl_calls) == COUNT * sizeof(void (*)(void)), "pointers only");

int curl_calls_load(struct curl_calls *out, struct error *error) {
    void (*calls[COUNT])(void);
    int rc = library_load(LIBCURL_FILE, names, COUNT, calls, error);
    if (rc == 0) {
        memcpy(out, calls, sizeof *out);
    }
    return rc;
}
