// SPDX-License-Identifier: Apache-2.0
#include "fleet_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fabric_fixture.h"
#include "model/time.h"

static struct fabric *build_fabric(const struct fleet_shape *shape, uint64_t generation) {
    struct fabric_clos_desc clos = {.kind = shape->clos_kind,
                                    .leaves = shape->leaves,
                                    .spines = shape->spines,
                                    .hosts_per_leaf = shape->hosts_per_leaf,
                                    .cables = shape->cables,
                                    .pods = shape->pods,
                                    .leaves_per_pod = shape->leaves_per_pod,
                                    .aggs_per_pod = shape->aggs_per_pod,
                                    .cores = shape->cores,
                                    .ports_per_host = 1,
                                    .host_bps = 400000000000,
                                    .fabric_bps = 400000000000};
    return fixture_clos_generation(&clos, generation);
}

static void print_note(void *context, uint32_t host, const struct engine_note *note) {
    (void)context;
    fprintf(stderr, "h%u %s %s: %s\n", host, note->kind, note->subject, note->text);
}

struct fleet *fleet_fixture_open(const struct fleet_shape *shape) {
    struct fabric *fabric = build_fabric(shape, 1);
    struct fleet_options options = {.probe_interval_ns = shape->probe_interval_ns,
                                    .history_links = shape->history_links,
                                    .seed = shape->seed,
                                    .no_srh = shape->no_srh,
                                    .eswitch = shape->eswitch,
                                    .diagnosis_pps = shape->diagnosis_pps,
                                    .context = shape->context,
                                    .on_note = getenv("SIM_VERBOSE") != NULL ? print_note : NULL};
    options.on_note = shape->on_note != NULL ? shape->on_note : options.on_note;
    struct error error = {0};
    struct fleet *fleet = fleet_open(fabric, &options, &error);
    if (fleet == NULL) {
        fprintf(stderr, "fleet_open: %s\n", error.text);
        abort();
    }
    fabric_close(fabric);
    return fleet;
}

struct fleet *fleet_fixture_open_steered(const struct fleet_shape *shape) {
    struct fleet *fleet = fleet_fixture_open(shape);
    struct job job;
    fleet_run(fleet, 2 * NS_PER_S);
    job_init(&job);
    memcpy(job.name, "demo", 5);
    job.all_ranks = true;
    job.collective_count = 1;
    job.collectives[0] = (struct collective){.type = COLLECTIVE_ALLTOALL, .bytes = 64 << 20};
    if (fleet_submit(fleet, 1, &job, NULL) != 0) {
        fprintf(stderr, "fleet_submit: refused\n");
        abort();
    }
    job_fini(&job);
    fleet_run(fleet, 500 * NS_PER_MS);
    return fleet;
}

int fleet_fixture_offer(struct fleet *fleet, const struct fleet_shape *shape, uint32_t host,
                        uint64_t generation, struct error *error) {
    struct fabric *fabric = build_fabric(shape, generation);
    int rc = fleet_offer_fabric(fleet, host, fabric, error);
    fabric_close(fabric);
    return rc;
}
