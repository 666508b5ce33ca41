// SPDX-License-Identifier: Apache-2.0
// Jobs as written by their owners, and what they mean on the active fabric.
//
// Of several records of one name the highest generation wins, ties by the origin's name. When the
// owner's agent dies the job goes on; the first live rank's host writes it again with a higher
// generation in its own origin. A removed job is a record of a higher generation without
// collectives, until the owner has deleted its own.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pathalg/algorithm.h"
#include "state.h"

// ---- records

static struct job_record **find_record(const struct engine *engine, const char *origin,
                                       const char *name) {
    for (uint32_t i = 0; i < engine->record_count; i++) {
        struct job_record *record = engine->records[i];
        if (strcmp(record->origin, origin) == 0 && strcmp(record->job.name, name) == 0) {
            return &engine->records[i];
        }
    }
    return NULL;
}

static void drop_record(struct engine *engine, struct job_record **place) {
    job_fini(&(*place)->job);
    free(*place);
    *place = engine->records[--engine->record_count];
    engine->jobs_changed = true;
}

static bool has_room(const struct engine *engine, const char *origin, const char *name) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < engine->record_count; i++) {
        count += strcmp(engine->records[i]->origin, origin) == 0;
    }
    return find_record(engine, origin, name) != NULL ||
           (count < JOBS_OF_ORIGIN_MAX && engine->record_count < JOBS_MAX);
}

// Takes the job.
static int store_record(struct engine *engine, const char *origin, struct job *job) {
    struct job_record **place = find_record(engine, origin, job->name);
    if (place != NULL) {
        job_fini(&(*place)->job);
        (*place)->job = *job;
        (*place)->orphan_since_ns = 0;
        (*place)->written_at_ns = engine->now_ns;
        engine->jobs_changed = true;
        return 0;
    }
    if (!has_room(engine, origin, job->name)) {
        return -ENOSPC;
    }
    struct job_record **records =
        realloc(engine->records, (engine->record_count + 1) * sizeof(struct job_record *));
    if (records == NULL) {
        return -ENOMEM;
    }
    engine->records = records;
    struct job_record *record = calloc(1, sizeof *record);
    if (record == NULL) {
        return -ENOMEM;
    }
    memcpy(record->origin, origin, strnlen(origin, NAME_SIZE - 1));
    record->job = *job;
    record->written_at_ns = engine->now_ns;
    records[engine->record_count++] = record;
    engine->jobs_changed = true;
    return 0;
}

// Jobs end by a record that says so. One that merely vanishes was lost with its owner's memory: it
// goes on as an orphan until a successor writes it again.
static void lose_record(struct engine *engine, const char *origin, const char *name) {
    struct job_record **place = find_record(engine, origin, name);
    if (place != NULL && (*place)->job.removed) {
        drop_record(engine, place);
    } else if (place != NULL && (*place)->orphan_since_ns == 0) {
        (*place)->orphan_since_ns = engine->now_ns;
        engine->jobs_changed = true;
    }
}

// Higher wins.
static bool outranks(const struct job_record *a, const struct job_record *b) {
    if (a->job.generation != b->job.generation) {
        return a->job.generation > b->job.generation;
    }
    return strcmp(a->origin, b->origin) < 0;
}

const struct job_record *job_winner(const struct engine *engine, const char *name) {
    const struct job_record *best = NULL;
    for (uint32_t i = 0; i < engine->record_count; i++) {
        const struct job_record *record = engine->records[i];
        if (strcmp(record->job.name, name) == 0 && (best == NULL || outranks(record, best))) {
            best = record;
        }
    }
    return best;
}

// Whoever operates a host may replace or remove any job: the others are told who did.
static void note_taken(struct engine *engine, const char *before, const char *origin,
                       const char *name) {
    const struct job_record *now = job_winner(engine, name);
    if (before[0] != '\0' && strcmp(before, origin) != 0 && now != NULL &&
        strcmp(now->origin, origin) == 0) {
        engine_note(engine, NOTE_WARNING, "job_taken", name, "%s %s job %s of %s", origin,
                    now->job.removed ? "removes" : "replaces", name, before);
    }
}

void jobs_learn(struct engine *engine, const char *origin, const char *name, const void *value,
                size_t size) {
    if (value == NULL) {
        lose_record(engine, origin, name);
        return;
    }
    struct job job;
    job_init(&job);
    // What this version cannot read leaves the record that it held before in force (facts.c).
    if (job_decode(value, size, &job) != 0) {
        engine->stats.bad_facts++;
        engine_note(engine, NOTE_WARNING, "unreadable_job", name,
                    "job %s of %s is damaged or of a newer version: its flows leave plain or as "
                    "before",
                    name, origin);
        return;
    }
    const struct job_record *winner = job_winner(engine, name);
    char before[NAME_SIZE] = "";
    if (winner != NULL && winner->orphan_since_ns == 0) {
        memcpy(before, winner->origin, sizeof before);
    }
    if (strcmp(job.name, name) != 0 || store_record(engine, origin, &job) != 0) {
        engine->stats.bad_facts++;
        job_fini(&job);
        return;
    }
    note_taken(engine, before, origin, name);
    if (job.algorithm[0] != '\0' && algorithm_find(job.algorithm) == NULL) {
        engine_note(engine, NOTE_WARNING, "unknown_algorithm", name,
                    "job %s of %s wants algorithm %s, which this version does not know: its flows "
                    "leave plain",
                    name, origin, job.algorithm);
    }
}

void jobs_origin_state(struct engine *engine, const char *origin, enum gossip_state state) {
    bool gone = state == GOSSIP_DEAD || state == GOSSIP_LEFT;
    for (uint32_t i = 0; i < engine->record_count; i++) {
        struct job_record *record = engine->records[i];
        if (strcmp(record->origin, origin) == 0) {
            uint64_t since =
                record->orphan_since_ns != 0 ? record->orphan_since_ns : engine->now_ns;
            record->orphan_since_ns = gone ? since : 0;
            engine->jobs_changed = true;
        }
    }
}

// ---- writing

// Publishes a copy of the job in the own origin.
static int write_job(struct engine *engine, const struct job *job) {
    if (!has_room(engine, engine->config.host, job->name)) {
        return -ENOSPC; // the others would not take it either
    }
    void *bytes = malloc(GOSSIP_VALUE_MAX);
    struct job copy;
    job_init(&copy);
    int rc = bytes == NULL ? -ENOMEM : job_copy(job, &copy);
    if (rc == 0) {
        ssize_t size = job_encode(job, bytes, GOSSIP_VALUE_MAX);
        rc = size < 0 ? (int)size
                      : gossip_put(engine->gossip, engine->now_ns, GOSSIP_TABLE_JOB, job->name,
                                   bytes, (size_t)size);
    }
    if (rc == 0) {
        rc = store_record(engine, engine->config.host, &copy);
    }
    if (rc != 0) {
        job_fini(&copy);
    }
    free(bytes);
    return rc;
}

static int check_algorithm(const struct engine *engine, const struct job *job,
                           struct error *error) {
    const char *algorithm = job->algorithm[0] != '\0' ? job->algorithm : engine->config.algorithm;
    struct plan_input input = {.fabric = engine->fabric, .algorithm = algorithm};
    struct plan plan;
    plan_init(&plan);
    int rc = plan_host(&input, engine->self, &plan, error); // of no job: checks the name only
    plan_fini(&plan);
    return rc;
}

static int check_ranks(const struct engine *engine, const struct job *job, struct error *error) {
    for (uint32_t i = 0; i < job->rank_count; i++) {
        port_id port;
        if (!fabric_find_port(engine->fabric, job->ranks[i], &port)) {
            return error_set(error, -EINVAL, "job %s: rank %u: no port %s in fabric %s", job->name,
                             i, job->ranks[i], engine->fabric->name);
        }
    }
    return 0;
}

static int refuse_to_publish(const struct job *job, int rc, struct error *error) {
    if (rc != -EMSGSIZE) {
        return error_set(error, rc, "job %s: cannot publish it (%s)", job->name, code_text(rc));
    }
    return error_set(error, rc,
                     "job %.40s: its lists (ranks, pairs, matrix, weights) take more than the %d "
                     "bytes that agents pass on",
                     job->name, GOSSIP_VALUE_MAX);
}

// Nothing outranks the last generation there is.
static int check_generation(const struct job_record *before, struct error *error) {
    return before == NULL || before->job.generation < UINT64_MAX
               ? 0
               : error_set(error, -EOVERFLOW,
                           "job %s: %s wrote it with the last generation there is: give the new "
                           "one another name",
                           before->job.name, before->origin);
}

int jobs_submit(struct engine *engine, const struct job *job, struct error *error) {
    int rc = job_check(job, error);
    if (rc == 0) {
        rc = check_ranks(engine, job, error);
    }
    if (rc == 0) {
        rc = job_check_fabric(job, engine->fabric, error);
    }
    if (rc == 0) {
        rc = check_algorithm(engine, job, error);
    }
    const struct job_record *before = job_winner(engine, job->name);
    rc = rc != 0 ? rc : check_generation(before, error);
    if (rc != 0) {
        return rc;
    }
    struct job next = *job; // borrows the arrays
    next.generation = before == NULL ? 1 : before->job.generation + 1;
    rc = write_job(engine, &next);
    return rc != 0 ? refuse_to_publish(job, rc, error) : 0;
}

int jobs_remove(struct engine *engine, const char *name, struct error *error) {
    const struct job_record *record = job_winner(engine, name);
    for (uint32_t i = 0; i < engine->pod_job_count && record == NULL; i++) {
        if (strcmp(engine->pod_jobs[i].record.job.name, name) == 0) {
            return error_set(error, -EINVAL, "job %.60s is made by pods: it ends when they do",
                             name);
        }
    }
    if (record == NULL || record->job.removed) {
        return error_set(error, -ENOENT, "no job %.60s", name);
    }
    int rc = check_generation(record, error);
    if (rc != 0) {
        return rc;
    }
    struct job removal;
    job_init(&removal);
    memcpy(removal.name, record->job.name, sizeof removal.name);
    removal.generation = record->job.generation + 1;
    removal.all_ranks = true;
    removal.removed = true;
    rc = write_job(engine, &removal);
    return rc != 0 ? error_set(error, rc, "job %.60s: cannot publish its removal", name) : 0;
}

static void delete_own(struct engine *engine, const char *name) {
    struct job_record **place = find_record(engine, engine->config.host, name);
    if (place != NULL) {
        gossip_delete(engine->gossip, engine->now_ns, GOSSIP_TABLE_JOB, name);
        drop_record(engine, place);
    }
}

// The host whose turn it is to take over: the first live host in the order of ranks.
static bool is_successor(const struct engine *engine, const struct job *job) {
    struct job_view view = {0};
    uint32_t count = job_rank_count(job, engine->fabric);
    view.ranks = calloc(count > 0 ? count : 1, sizeof *view.ranks);
    if (view.ranks == NULL) {
        return false;
    }
    job_resolve(job, engine->fabric, view.ranks);
    bool successor = false;
    for (uint32_t i = 0; i < count; i++) {
        if (view.ranks[i].i == ID_NONE) {
            continue;
        }
        node_id host = engine->fabric->ports[view.ranks[i].i].host;
        if (host.i == engine->self.i || host_is_live(&engine->hosts[host.i])) {
            successor = host.i == engine->self.i;
            break;
        }
    }
    free(view.ranks);
    return successor;
}

// An own record that nobody needs any more: outranked, or a removal that all must have heard of.
static bool is_spent(const struct engine *engine, const struct job_record *record) {
    if (strcmp(record->origin, engine->config.host) != 0) {
        return false;
    }
    return job_winner(engine, record->job.name) != record ||
           (record->job.removed && engine->now_ns - record->written_at_ns > REMOVAL_KEPT_NS);
}

static void succeed(struct engine *engine, const struct job_record *orphan) {
    char before[NAME_SIZE];
    memcpy(before, orphan->origin, sizeof before);
    struct job next = orphan->job; // borrows the arrays
    next.generation++;
    if (write_job(engine, &next) == 0) {
        engine_note(engine, NOTE_INFO, "job_succeeded", next.name, "%s takes job %s over from %s",
                    engine->config.host, next.name, before);
    }
}

void jobs_succeed(struct engine *engine) {
    for (uint32_t i = 0; i < engine->record_count;) {
        struct job_record *record = engine->records[i];
        bool orphan = record->orphan_since_ns != 0;
        if (is_spent(engine, record)) {
            delete_own(engine, record->job.name);
        } else if (orphan && (engine->now_ns - record->orphan_since_ns > ORPHAN_GRACE_NS ||
                              job_winner(engine, record->job.name) != record)) {
            drop_record(engine, &engine->records[i]);
        } else {
            i++; // else the place holds another record now
            if (orphan && !record->job.removed && record->job.generation < UINT64_MAX &&
                is_successor(engine, &record->job)) {
                succeed(engine, record);
            }
        }
    }
}

void jobs_fini(struct engine *engine) {
    jobs_fini_views(engine);
    for (uint32_t i = 0; i < engine->record_count; i++) {
        job_fini(&engine->records[i]->job);
        free(engine->records[i]);
    }
    free(engine->records);
    engine->records = NULL;
    engine->record_count = 0;
}
