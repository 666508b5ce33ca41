// SPDX-License-Identifier: Apache-2.0
#include "swarm_event.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gossip/facts.h"
#include "model/time.h"
#include "swarm_run.h"

#define SETTLE_NS (500 * NS_PER_MS) // before the event: every host has pinged all its neighbours
#define PATIENCE_NS (10 * NS_PER_S)
// After the last host knows: every neighbour's next ping still names what changed.
#define AFTERMATH_NS (500 * NS_PER_MS)
#define PURPOSE_WRITER 201

// What the process holds of memory; 0 where /proc is not mounted.
static uint64_t resident(void) {
    unsigned long pages = 0;
    malloc_trim(0);
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%*u %lu", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static struct swarm_write write_link_down(const struct swarm *swarm) {
    struct swarm_write write = {.happens = true, .at_ns = SWARM_BEGIN_NS + SETTLE_NS};
    uint32_t hosts = swarm->config.hosts;
    write.host = (uint32_t)(swarm_draw(swarm->config.seed, PURPOSE_WRITER, 0) * hosts);
    while (!swarm->live[write.host]) {
        write.host = (write.host + 1) % hosts;
    }
    struct link_report report = {.verdict = LINK_DOWN,
                                 .capacity_ppm = CAPACITY_FULL_PPM,
                                 .loss_ppm = 3000,
                                 .delay_ns = 9000,
                                 .probe_count = 1003};
    swarm_link_name(write.host, 0, write.key);
    ssize_t size = link_report_encode(&report, write.value, sizeof write.value);
    assert(size > 0);
    write.size = (size_t)size;
    return write;
}

static int compare_times(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

// The least time that `share` of `count` times do not exceed.
static uint64_t quantile(const uint64_t *times, uint32_t count, double share) {
    uint32_t place = (uint32_t)(share * count);
    return times[place < count ? place : count - 1];
}

static int judge_times(const struct swarm_run *run, struct swarm_outcome *out) {
    uint64_t *times = malloc(run->swarm->live_count * sizeof times[0]);
    uint32_t count = 0;
    if (times == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < run->swarm->config.hosts; i++) {
        const struct swarm_host *host = &run->hosts[i];
        if (host->core != NULL && i != run->write.host) {
            times[count++] =
                host->known_at_ns == NEVER_NS ? NEVER_NS : host->known_at_ns - run->write.at_ns;
        }
    }
    qsort(times, count, sizeof times[0], compare_times);
    out->all_know_ns = times[count - 1];
    out->p50_ns = quantile(times, count, 0.5);
    out->p99_ns = quantile(times, count, 0.99);
    free(times);
    return 0;
}

struct trial {
    struct swarm swarm;
    const struct swarm_model *model;
    struct swarm_write write;
    uint64_t end_ns; // of both runs
};

// The run with the event; says when both shall end.
static int run_with(struct trial *trial, struct swarm_outcome *out, struct error *error) {
    struct swarm_run run;
    uint64_t before = resident();
    int rc = swarm_run_open(&trial->swarm, trial->model, &trial->write, &run, error);
    if (rc != 0) {
        return rc;
    }
    rc = swarm_run_until(&run, trial->write.at_ns + PATIENCE_NS, true);
    trial->end_ns = run.now_ns + AFTERMATH_NS;
    rc = rc != 0 ? rc : swarm_run_until(&run, trial->end_ns, false);
    rc = rc != 0 ? rc : judge_times(&run, out);
    uint64_t after = resident();
    out->live = trial->swarm.live_count;
    out->missing = run.unknowing;
    out->resident_bytes = after > before ? (after - before) / out->live : 0;
    out->messages_per_host = (double)run.messages;
    out->bytes_per_host = (double)run.bytes;
    swarm_run_close(&run);
    return rc != 0 ? error_set(error, rc, "out of memory") : 0;
}

// The run without it, whose messages are taken off.
static int run_without(struct trial *trial, struct swarm_outcome *out, struct error *error) {
    struct swarm_run run;
    trial->write.happens = false;
    int rc = swarm_run_open(&trial->swarm, trial->model, &trial->write, &run, error);
    if (rc != 0) {
        return rc;
    }
    rc = swarm_run_until(&run, trial->end_ns, false);
    out->messages_per_host = (out->messages_per_host - (double)run.messages) / out->live;
    out->bytes_per_host = (out->bytes_per_host - (double)run.bytes) / out->live;
    swarm_run_close(&run);
    return rc != 0 ? error_set(error, rc, "out of memory") : 0;
}

int swarm_tell_link_down(const struct swarm_config *config, const struct swarm_model *model,
                         struct swarm_outcome *out, struct error *error) {
    struct trial trial = {.model = model};
    struct swarm_outcome outcome = {0};
    int rc = swarm_init(config, &trial.swarm, error);
    if (rc != 0) {
        return rc;
    }
    trial.write = write_link_down(&trial.swarm);
    rc = run_with(&trial, &outcome, error);
    if (rc == 0) {
        rc = run_without(&trial, &outcome, error);
    }
    swarm_fini(&trial.swarm);
    if (rc == 0) {
        *out = outcome;
    }
    return rc;
}
