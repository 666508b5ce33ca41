// SPDX-License-Identifier: Apache-2.0
// Any text: a job that job_check accepts, or complaints.
#include <assert.h>

#include "model_yaml/job_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_error(void *context, const struct error *error) {
    assert(error->code < 0 && error->text[0] != '\0');
    ++*(unsigned *)context;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned errors = 0;
    struct job job;
    int rc = job_file_parse("fuzz", (const char *)data, size, count_error, &errors, &job);
    assert((rc == 0) == (errors == 0));
    if (rc == 0) {
        assert(job_check(&job, NULL) == 0);
        job_fini(&job);
    }
    return 0;
}
