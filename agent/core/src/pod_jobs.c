// SPDX-License-Identifier: Apache-2.0
#include "pod_jobs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Claims of one run of one job.
struct run {
    struct pod_claim *claims;
    uint32_t count;
    uint64_t began_s;
    bool live;
};

static int compare_numbers(uint64_t a, uint64_t b) {
    return a == b ? 0 : a < b ? -1 : 1;
}

// By job, run, rank; of one rank the pod that was created last is first, then by host and port.
static int compare_claims(const void *left, const void *right) {
    const struct pod_claim *a = left, *b = right;
    int order = strcmp(a->rank->job, b->rank->job);
    order = order != 0 ? order : strcmp(a->rank->run, b->rank->run);
    order = order != 0 ? order : compare_numbers(a->rank->rank, b->rank->rank);
    order = order != 0 ? order : compare_numbers(b->rank->created_s, a->rank->created_s);
    order = order != 0 ? order : compare_numbers(a->host.i, b->host.i);
    return order != 0 ? order : compare_numbers(a->port.i, b->port.i);
}

static void complain(struct pod_job *job, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// The first thing that is wrong is told.
static void complain(struct pod_job *job, const char *format, ...) {
    if (job->trouble[0] != '\0') {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(job->trouble, sizeof job->trouble, format, arguments);
    va_end(arguments);
}

static const char *host_name(const struct fabric *fabric, node_id host) {
    return fabric->nodes[host.i].name;
}

// ---- the run

// The claims from `at` on that are of one run; returns where the next begins.
static uint32_t take_run(struct pod_claim *claims, uint32_t at, uint32_t end, struct run *out) {
    const struct pod_rank *first = claims[at].rank;
    *out = (struct run){.claims = &claims[at], .began_s = UINT64_MAX};
    while (at < end && strcmp(claims[at].rank->job, first->job) == 0 &&
           strcmp(claims[at].rank->run, first->run) == 0) {
        uint64_t created_s = claims[at].rank->created_s;
        out->began_s = created_s < out->began_s ? created_s : out->began_s;
        out->live = out->live || claims[at].live;
        out->count++;
        at++;
    }
    return at;
}

// Of the runs of the job at `at` that live, the one that began last. False: none does.
static bool choose_run(struct pod_claim *claims, uint32_t *at, uint32_t end, struct pod_job *job,
                       struct run *out) {
    const char *name = claims[*at].rank->job;
    uint32_t live = 0;
    while (*at < end && strcmp(claims[*at].rank->job, name) == 0) {
        struct run run;
        *at = take_run(claims, *at, end, &run);
        if (run.live && (live == 0 || run.began_s >= out->began_s)) {
            *out = run; // of two that began at once the one with the higher UID
        }
        live += run.live;
    }
    if (live > 1) {
        complain(job, "%u runs have pods at once; that of owner %.40s began last", live,
                 out->claims[0].rank->run);
    }
    return live > 0;
}

// ---- what is said of the job

static int compare_said(const struct pod_rank *a, const struct pod_rank *b) {
    int order = compare_numbers(a->rank_count, b->rank_count);
    order = order != 0 ? order : compare_numbers(a->collective, b->collective);
    order = order != 0 ? order : compare_numbers(a->bytes, b->bytes);
    return order != 0 ? order : strcmp(a->algorithm, b->algorithm);
}

static int compare_by_said(const void *left, const void *right) {
    const struct pod_claim *a = left, *b = right;
    int order = compare_said(a->rank, b->rank);
    return order != 0 ? order : compare_numbers(a->host.i, b->host.i);
}

// What most hosts say; of equally many the least by compare_said. Sorts the run anew.
static const struct pod_rank *choose_said(struct run *run) {
    const struct pod_rank *best = NULL;
    uint32_t best_hosts = 0;
    qsort(run->claims, run->count, sizeof run->claims[0], compare_by_said);
    for (uint32_t i = 0; i < run->count;) {
        const struct pod_rank *said = run->claims[i].rank;
        uint32_t hosts = 0;
        for (uint32_t last = ID_NONE;
             i < run->count && compare_said(run->claims[i].rank, said) == 0; i++) {
            hosts += run->claims[i].host.i != last;
            last = run->claims[i].host.i;
        }
        if (hosts > best_hosts) {
            best = said;
            best_hosts = hosts;
        }
    }
    qsort(run->claims, run->count, sizeof run->claims[0], compare_claims);
    return best;
}

// ---- ranks

// Leaves the claims that count, in their order.
static void keep_ranks(struct run *run, const struct pod_rank *said, const struct fabric *fabric,
                       struct pod_job *job) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct pod_claim *claim = &run->claims[i];
        const struct pod_claim *holder = kept > 0 ? &run->claims[kept - 1] : NULL;
        bool taken = holder != NULL && holder->rank->rank == claim->rank->rank;
        if (compare_said(claim->rank, said) != 0) {
            complain(job, "rank %u on %s is left out: its annotations differ from those of most",
                     claim->rank->rank, host_name(fabric, claim->host));
        } else if (taken && holder->host.i != claim->host.i) {
            complain(job, "rank %u runs on %s, by the later pod, and on %s", claim->rank->rank,
                     host_name(fabric, holder->host), host_name(fabric, claim->host));
        } else {
            job->present += !taken;
            run->claims[kept++] = *claim;
        }
    }
    run->count = kept;
}

// A port and the ranks on it.
struct place {
    port_id port;
    uint32_t rank, copies; // the lowest; how many
};

static int compare_ports(const void *left, const void *right) {
    const struct place *a = left, *b = right;
    int order = compare_numbers(a->port.i, b->port.i);
    return order != 0 ? order : compare_numbers(a->rank, b->rank);
}

static int compare_places(const void *left, const void *right) {
    const struct place *a = left, *b = right;
    int order = compare_numbers(a->rank, b->rank);
    return order != 0 ? order : compare_numbers(a->port.i, b->port.i);
}

// The ports in the job's order. *out owned; -ENOMEM.
static int find_places(const struct run *run, struct place **out, uint32_t *out_count) {
    struct place *places = calloc(run->count > 0 ? run->count : 1, sizeof *places);
    if (places == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < run->count; i++) {
        places[i] = (struct place){run->claims[i].port, run->claims[i].rank->rank, 1};
    }
    qsort(places, run->count, sizeof *places, compare_ports);
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        if (count > 0 && places[count - 1].port.i == places[i].port.i) {
            places[count - 1].copies++;
        } else {
            places[count++] = places[i];
        }
    }
    qsort(places, count, sizeof *places, compare_places);
    *out = places;
    *out_count = count;
    return 0;
}

// ---- the job

// In an AlltoAll each rank of a port has its size; a ring or a tree enters and leaves a host once.
static uint64_t bytes_of(const struct pod_rank *said, const struct place *places, uint32_t count) {
    uint64_t copies = 1;
    for (uint32_t i = 0; said->collective == COLLECTIVE_ALLTOALL && i < count; i++) {
        copies = places[i].copies > copies ? places[i].copies : copies;
    }
    return said->bytes > JOB_BYTES_MAX / copies ? UINT64_MAX : said->bytes * copies;
}

static int write_down(const struct run *run, const struct pod_rank *said,
                      const struct place *places, uint32_t count, const struct fabric *fabric,
                      struct pod_job *out) {
    struct job *job = &out->record.job;
    struct error error;
    memcpy(job->name, said->job, sizeof job->name);
    memcpy(job->algorithm, said->algorithm, sizeof job->algorithm);
    memcpy(out->run, said->run, sizeof out->run);
    out->wanted = said->rank_count;
    job->generation = run->began_s;
    job->ranks = calloc(count > 0 ? count : 1, sizeof *job->ranks);
    if (job->ranks == NULL) {
        return -ENOMEM;
    }
    job->rank_count = count;
    for (uint32_t i = 0; i < count; i++) {
        char name[NAME_SIZE + 4];
        fabric_format_port(fabric, places[i].port, name);
        memcpy(job->ranks[i], name, strnlen(name, NAME_SIZE - 1));
    }
    job->collective_count = 1;
    job->collectives[0] =
        (struct collective){.type = said->collective, .bytes = bytes_of(said, places, count)};
    out->planned = job_check(job, &error) == 0;
    if (!out->planned) {
        complain(out, "it is not planned: %.130s", error.text);
    }
    return 0;
}

static uint32_t count_hosts(const struct run *run, const struct fabric *fabric, bool *seen) {
    uint32_t count = 0;
    memset(seen, 0, fabric->host_count * sizeof *seen);
    for (uint32_t i = 0; i < run->count; i++) {
        count += !seen[run->claims[i].host.i];
        seen[run->claims[i].host.i] = true;
    }
    return count;
}

// The job of the claims at *at, which moves on to the next. False: it has ended.
static int derive_one(struct pod_claim *claims, uint32_t *at, uint32_t end,
                      const struct fabric *fabric, bool *seen, struct pod_job *out) {
    struct run run = {.count = 0};
    struct place *places = NULL;
    uint32_t count = 0;
    *out = (struct pod_job){.planned = false};
    job_init(&out->record.job);
    if (!choose_run(claims, at, end, out, &run)) {
        return -ENOENT;
    }
    const struct pod_rank *said = choose_said(&run);
    keep_ranks(&run, said, fabric, out);
    out->hosts = count_hosts(&run, fabric, seen);
    int rc = find_places(&run, &places, &count);
    rc = rc != 0 ? rc : write_down(&run, said, places, count, fabric, out);
    free(places);
    return rc;
}

static int compare_by_hosts(const void *left, const void *right) {
    const struct pod_job *a = left, *b = right;
    int order = compare_numbers(b->hosts, a->hosts);
    return order != 0 ? order : strcmp(a->record.job.name, b->record.job.name);
}

static int compare_by_name(const void *left, const void *right) {
    const struct pod_job *a = left, *b = right;
    return strcmp(a->record.job.name, b->record.job.name);
}

static uint32_t count_jobs(const struct pod_claim *claims, uint32_t count) {
    uint32_t jobs = 0;
    for (uint32_t i = 0; i < count; i++) {
        jobs += i == 0 || strcmp(claims[i - 1].rank->job, claims[i].rank->job) != 0;
    }
    return jobs;
}

static void drop_excess(struct pod_job *jobs, uint32_t *count) {
    qsort(jobs, *count, sizeof *jobs, compare_by_hosts);
    while (*count > JOBS_MAX) {
        job_fini(&jobs[--*count].record.job);
    }
    qsort(jobs, *count, sizeof *jobs, compare_by_name);
}

int pod_jobs_derive(struct pod_claim *claims, uint32_t count, const struct fabric *fabric,
                    struct pod_job **out, uint32_t *out_count) {
    qsort(claims, count, sizeof *claims, compare_claims);
    struct pod_job *jobs = calloc(count_jobs(claims, count) + 1U, sizeof *jobs);
    bool *seen = calloc(fabric->host_count, sizeof *seen);
    uint32_t job_count = 0;
    int rc = jobs == NULL || seen == NULL ? -ENOMEM : 0;
    for (uint32_t at = 0; at < count && rc == 0;) {
        rc = derive_one(claims, &at, count, fabric, seen, &jobs[job_count]);
        job_count += rc == 0;
        rc = rc == -ENOENT ? 0 : rc;
    }
    free(seen);
    if (rc != 0) {
        pod_jobs_free(jobs, job_count);
        return rc;
    }
    drop_excess(jobs, &job_count);
    *out = jobs;
    *out_count = job_count;
    return 0;
}

void pod_jobs_free(struct pod_job *jobs, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        job_fini(&jobs[i].record.job);
    }
    free(jobs);
}
