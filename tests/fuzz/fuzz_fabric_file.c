// SPDX-License-Identifier: Apache-2.0
// Any text: a fabric that can be written and loaded again with the same digest, or complaints.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "model_yaml/fabric_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CABLES_REWRITTEN_MAX 2000 // larger ones are slow and say no more

static void count_error(void *context, const struct error *error) {
    assert(error->code < 0 && error->text[0] != '\0');
    ++*(unsigned *)context;
}

static void expect_again(const struct fabric *fabric) {
    char *text;
    size_t size;
    unsigned errors = 0;
    struct fabric *again = NULL;
    FILE *stream = open_memstream(&text, &size);
    assert(stream != NULL && fabric_file_write(fabric, stream) == 0);
    fclose(stream);
    int rc = fabric_file_parse("again", text, size, count_error, &errors, &again);
    assert(rc == 0 && errors == 0);
    assert(memcmp(fabric->digest, again->digest, sizeof fabric->digest) == 0);
    fabric_close(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned errors = 0;
    struct fabric *fabric = NULL;
    int rc = fabric_file_parse("fuzz", (const char *)data, size, count_error, &errors, &fabric);
    assert((rc == 0) == (errors == 0) && (rc == 0) == (fabric != NULL));
    if (fabric != NULL && fabric->cable_count <= CABLES_REWRITTEN_MAX) {
        expect_again(fabric);
    }
    fabric_close(fabric);
    return 0;
}
