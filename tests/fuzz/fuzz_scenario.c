// SPDX-License-Identifier: Apache-2.0
// Any text: a scenario whose events can be gone through, or complaints. The fabric and the jobs
// that it names are always the same.
#include <assert.h>
#include <string.h>

#include "model/time.h"
#include "model_yaml/fabric_file.h"
#include "model_yaml/job_file.h"
#include "scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_error(void *context, const struct error *error) {
    assert(error->code < 0 && error->text[0] != '\0');
    ++*(unsigned *)context;
}

static int load_fabric(void *context, const char *file, fabric_complain_fn *complain,
                       void *complain_context, struct fabric **out) {
    static const char text[] = "version: 1\ngeneration: 1\nname: f\nblock: fcbb:bb00::/32\n"
                               "clos: {kind: leaf-spine, leaves: 2, spines: 2, hosts_per_leaf: 2, "
                               "cables: 2, host_gbps: 1, fabric_gbps: 1}\n";
    (void)context;
    return fabric_file_parse(file, text, sizeof text - 1, complain, complain_context, out);
}

static int load_job(void *context, const char *file, fabric_complain_fn *complain,
                    void *complain_context, struct job *out) {
    static const char all[] = "version: 1\njob: a\nranks: all\n"
                              "collectives: [{type: alltoall, bytes: 1MiB}]\n";
    static const char far[] = "version: 1\njob: b\nranks: [h0, h9]\n"
                              "collectives: [{type: pairs, bytes: 1, pairs: [[0, 1]]}]\n";
    (void)context;
    bool is_far = strcmp(file, "far") == 0;
    return job_file_parse(file, is_far ? far : all, is_far ? sizeof far - 1 : sizeof all - 1,
                          complain, complain_context, out);
}

static void check_event(const struct scenario *scenario, uint32_t index) {
    const struct scenario_event *event = &scenario->events[index];
    assert(event->at_ns <= scenario->until_ns && event->verb < VERB_COUNT);
    assert(index == 0 || scenario->events[index - 1].at_ns <= event->at_ns);
    assert(scenario_verb_name(event->verb) != NULL);
    assert(event->verb != VERB_PARTITION || event->groups != NULL);
    assert(event->verb != VERB_KILL || event->node.i < scenario->fabric->host_count);
    assert(event->capacity_ppm <= CAPACITY_FULL_PPM);
    assert(event->links.first.i + event->links.count <= scenario->fabric->cable_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct scenario_files files = {load_fabric, load_job, NULL};
    unsigned errors = 0;
    struct scenario scenario;
    int rc =
        scenario_parse("fuzz", (const char *)data, size, &files, count_error, &errors, &scenario);
    assert((rc == 0) == (errors == 0));
    if (rc == 0) {
        for (uint32_t i = 0; i < scenario.event_count; i++) {
            check_event(&scenario, i);
        }
        for (uint32_t i = 0; i < scenario.job_count; i++) {
            assert(scenario.jobs[i].at_ns <= scenario.until_ns);
            assert(scenario.jobs[i].lead_ns <= NS_PER_S);
        }
        scenario_fini(&scenario);
    }
    return 0;
}
