// SPDX-License-Identifier: Apache-2.0
// Any text as a job on the control socket: a job that job_check accepts, or a sentence.
#include <assert.h>
#include <string.h>

#include "agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct job job;
    struct error error = {0};
    json_t *from =
        json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    if (job_from_json(from, &job, &error) == 0) {
        assert(job_check(&job, NULL) == 0);
        assert(job.generation <= INT64_MAX);
        job_fini(&job);
    } else {
        assert(error.code < 0 && error.text[0] != '\0');
    }
    json_decref(from);
    return 0;
}
