// SPDX-License-Identifier: Apache-2.0
// Ranks of training jobs that run in pods: the own ones, which are published, and those of all
// other hosts. What jobs they make is pod_jobs.c's.
//
// A record's key is "#run/rank/port" with a hash for the job and its run, since names do not fit
// into a key.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "model/time.h"
#include "pod_jobs.h"

// From the first news on, so that a job of thousands of pods is not planned thousands of times.
#define GATHER_NS (200 * NS_PER_MS)

static void format_key(const struct pod_rank *rank, char key[POD_KEY_SIZE]) {
    uint64_t hash = hash_bytes(rank->job, strlen(rank->job), 1);
    hash = hash_bytes(rank->run, strlen(rank->run), hash);
    snprintf(key, POD_KEY_SIZE, "#%016" PRIx64 "/%u/%s", hash, rank->rank, rank->port);
}

static void want_jobs_anew(struct engine *engine) {
    if (engine->pods_due_at_ns == NEVER_NS) {
        engine->pods_due_at_ns = engine->now_ns + GATHER_NS;
    }
}

void pods_work(struct engine *engine) {
    if (engine->now_ns >= engine->pods_due_at_ns) {
        engine->jobs_changed = true;
    }
}

// ---- those of others

static struct held_pod *find_pod(const struct host_view *host, const char *key) {
    for (uint32_t i = 0; i < host->pod_count; i++) {
        if (strcmp(host->pods[i].key, key) == 0) {
            return &host->pods[i];
        }
    }
    return NULL;
}

// NULL: no room, or no memory.
static struct held_pod *add_pod(struct host_view *host) {
    if (host->pod_count == POD_RANKS_MAX) {
        return NULL;
    }
    if (host->pod_count == host->pod_capacity) {
        uint32_t capacity = host->pod_capacity == 0 ? 4 : 2 * host->pod_capacity;
        struct held_pod *pods = realloc(host->pods, capacity * sizeof *pods);
        if (pods == NULL) {
            return NULL;
        }
        host->pods = pods;
        host->pod_capacity = capacity;
    }
    return &host->pods[host->pod_count++];
}

static bool is_same(const struct pod_rank *a, const struct pod_rank *b) {
    return strcmp(a->job, b->job) == 0 && strcmp(a->run, b->run) == 0 &&
           strcmp(a->port, b->port) == 0 && strcmp(a->algorithm, b->algorithm) == 0 &&
           a->created_s == b->created_s && a->rank == b->rank && a->rank_count == b->rank_count &&
           a->collective == b->collective && a->bytes == b->bytes;
}

static bool hold_pod(struct engine *engine, struct host_view *host, const char *key,
                     const struct pod_rank *rank) {
    struct held_pod *pod = find_pod(host, key);
    if (pod == NULL) {
        pod = add_pod(host);
        if (pod == NULL) {
            return false;
        }
        *pod = (struct held_pod){.key = ""};
        memcpy(pod->key, key, strlen(key) + 1);
    }
    if (!is_same(&pod->rank, rank)) {
        pod->rank = *rank;
        want_jobs_anew(engine);
    }
    pod->lost_since_ns = 0;
    return true;
}

void pods_learn(struct engine *engine, const char *origin, const char *key, const void *value,
                size_t size) {
    node_id node;
    if (!fabric_find_node(engine->fabric, origin, &node) || node.i >= engine->fabric->host_count) {
        return;
    }
    struct host_view *host = &engine->hosts[node.i];
    if (value == NULL) {
        struct held_pod *pod = find_pod(host, key);
        if (pod != NULL && pod->lost_since_ns == 0) {
            pod->lost_since_ns = engine->now_ns;
        }
        return;
    }
    struct pod_rank rank;
    char expected[POD_KEY_SIZE];
    port_id port;
    bool good =
        pod_rank_decode(value, size, &rank) == 0 && host_has_port(engine, host, rank.port, &port);
    if (good) {
        format_key(&rank, expected);
    }
    if (!good || strcmp(key, expected) != 0 || !hold_pod(engine, host, key, &rank)) {
        engine->stats.bad_facts++;
    }
}

// Whose agent is gone for good does not keep a job alive.
static void watch_host(struct engine *engine, uint32_t index) {
    struct host_view *host = &engine->hosts[index];
    bool away = index != engine->self.i && !host_is_live(host);
    if (!away || host->away_since_ns == 0) {
        host->away_since_ns = away ? engine->now_ns : 0;
    }
    bool gone = away && engine->now_ns - host->away_since_ns > ORPHAN_GRACE_NS;
    if (gone != host->gone && host->pod_count > 0) {
        want_jobs_anew(engine);
    }
    host->gone = gone;
}

// A host that restarts says again within moments what it had said; a pod that ends is forgotten as
// late.
void pods_expire(struct engine *engine) {
    for (uint32_t i = 0; i < engine->fabric->host_count; i++) {
        struct host_view *host = &engine->hosts[i];
        for (uint32_t p = 0; p < host->pod_count;) {
            uint64_t since = host->pods[p].lost_since_ns;
            if (since != 0 && engine->now_ns - since > BINDING_GRACE_NS) {
                host->pods[p] = host->pods[--host->pod_count];
                want_jobs_anew(engine);
            } else {
                p++;
            }
        }
        watch_host(engine, i);
    }
}

// ---- the own ones

static bool is_among(const struct pod_rank *rank, const struct pod_rank *ranks, uint32_t count) {
    char key[POD_KEY_SIZE], other[POD_KEY_SIZE];
    format_key(rank, key);
    for (uint32_t i = 0; i < count; i++) {
        format_key(&ranks[i], other);
        if (strcmp(key, other) == 0) {
            return true;
        }
    }
    return false;
}

static int check_own(const struct engine *engine, const struct engine_pods *pods,
                     struct error *error) {
    if (pods->count > POD_RANKS_MAX) {
        return error_set(error, -ENOSPC, "%u ranks in this node's pods, of at most %d", pods->count,
                         POD_RANKS_MAX);
    }
    for (uint32_t i = 0; i < pods->count; i++) {
        const struct pod_rank *rank = &pods->ranks[i];
        port_id port;
        if (!pod_rank_is_sound(rank) ||
            !host_has_port(engine, &engine->hosts[engine->self.i], rank->port, &port)) {
            return error_set(error, -EINVAL, "job %.60s: rank %u: not on port %.40s of this host",
                             rank->job, rank->rank, rank->port);
        }
    }
    return 0;
}

static int publish(struct engine *engine, const struct pod_rank *rank) {
    uint8_t bytes[512];
    char key[POD_KEY_SIZE];
    format_key(rank, key);
    ssize_t size = pod_rank_encode(rank, bytes, sizeof bytes);
    return size < 0 ? (int)size
                    : gossip_put(engine->gossip, engine->now_ns, GOSSIP_TABLE_RANK, key, bytes,
                                 (size_t)size);
}

static bool is_published(const struct engine *engine, const struct engine_pods *pods) {
    bool same = engine->own_pod_count == pods->count;
    for (uint32_t i = 0; same && i < pods->count; i++) {
        same = is_same(&engine->own_pods[i], &pods->ranks[i]);
    }
    return same;
}

int pods_set_own(struct engine *engine, const struct engine_pods *pods, struct error *error) {
    int rc = check_own(engine, pods, error);
    if (rc == 0 && is_published(engine, pods)) {
        engine->pods_known_at_ns = engine->now_ns;
        return 0;
    }
    struct pod_rank *next = rc != 0 ? NULL : calloc(pods->count + 1U, sizeof *next);
    if (rc != 0 || next == NULL) {
        return rc != 0 ? rc : error_set(error, -ENOMEM, "no memory for this node's pods");
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < engine->own_pod_count; i++) {
        if (!is_among(&engine->own_pods[i], pods->ranks, pods->count)) {
            char key[POD_KEY_SIZE];
            format_key(&engine->own_pods[i], key);
            gossip_delete(engine->gossip, engine->now_ns, GOSSIP_TABLE_RANK, key);
        }
    }
    for (uint32_t i = 0; i < pods->count; i++) {
        int put = publish(engine, &pods->ranks[i]);
        if (put == 0) {
            next[count++] = pods->ranks[i];
        } else if (rc == 0) {
            rc = error_set(error, put, "job %.60s: rank %u cannot be published (%s)",
                           pods->ranks[i].job, pods->ranks[i].rank, code_text(put));
        }
    }
    free(engine->own_pods);
    engine->own_pods = next;
    engine->own_pod_count = count;
    engine->pods_known_at_ns = engine->now_ns;
    engine->jobs_changed = true; // of the own ones at once: they come seldom, and whole
    return rc;
}

// ---- jobs

static uint32_t claims_of_host(struct engine *engine, uint32_t index, struct pod_claim *claims) {
    struct host_view *host = &engine->hosts[index];
    bool own = index == engine->self.i;
    uint32_t total = own ? engine->own_pod_count : host->pod_count, count = 0;
    for (uint32_t i = 0; i < total; i++) {
        const struct pod_rank *rank = own ? &engine->own_pods[i] : &host->pods[i].rank;
        struct pod_claim claim = {rank, {index}, {ID_NONE}, own || !host->gone};
        if (host_has_port(engine, host, rank->port, &claim.port)) {
            claims[count++] = claim;
        }
    }
    return count;
}

// *out owned.
static int collect_claims(struct engine *engine, struct pod_claim **out, uint32_t *out_count) {
    size_t total = engine->own_pod_count;
    for (uint32_t i = 0; i < engine->fabric->host_count; i++) {
        total += engine->hosts[i].pod_count;
    }
    struct pod_claim *claims = calloc(total + 1, sizeof *claims);
    if (claims == NULL) {
        return -ENOMEM;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < engine->fabric->host_count; i++) {
        count += claims_of_host(engine, i, &claims[count]);
    }
    *out = claims;
    *out_count = count;
    return 0;
}

static const struct pod_job *find_job(const struct pod_job *jobs, uint32_t count,
                                      const char *name) {
    for (uint32_t low = 0, high = count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(jobs[middle].record.job.name, name);
        if (order == 0) {
            return &jobs[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

static bool is_complete(const struct pod_job *job) {
    return job != NULL && job->wanted != 0 && job->present == job->wanted;
}

bool pods_are_complete(const struct engine *engine) {
    for (uint32_t i = 0; i < engine->own_pod_count; i++) {
        if (!is_complete(
                find_job(engine->pod_jobs, engine->pod_job_count, engine->own_pods[i].job))) {
            return false;
        }
    }
    return true;
}

static void note_news(struct engine *engine, const struct pod_job *before,
                      const struct pod_job *now) {
    const char *name = now->record.job.name;
    bool same_run = before != NULL && strcmp(before->run, now->run) == 0;
    if (is_complete(now) && !(same_run && is_complete(before))) {
        engine_note(engine, NOTE_INFO, "job_complete", name,
                    "all %u ranks of job %s run, on %u ports of %u hosts", now->present, name,
                    now->record.job.rank_count, now->hosts);
    } else if (!is_complete(now) && same_run && is_complete(before)) {
        engine_note(engine, NOTE_INFO, "job_incomplete", name, "of job %s %u of %u ranks run", name,
                    now->present, now->wanted);
    } else if (!same_run) {
        engine_note(engine, NOTE_INFO, "job_began", name, "job %s: first pods, of owner %s", name,
                    now->run[0] != '\0' ? now->run : "none");
    }
    if (now->trouble[0] != '\0' && (!same_run || strcmp(before->trouble, now->trouble) != 0)) {
        engine_note(engine, NOTE_WARNING, "job_trouble", name, "job %.50s: %.100s", name,
                    now->trouble);
    }
}

void pods_resolve(struct engine *engine) {
    struct pod_claim *claims = NULL;
    struct pod_job *jobs = NULL;
    uint32_t claim_count = 0, count = 0;
    int rc = collect_claims(engine, &claims, &claim_count);
    rc = rc != 0 ? rc : pod_jobs_derive(claims, claim_count, engine->fabric, &jobs, &count);
    free(claims);
    if (rc != 0) {
        engine->pods_due_at_ns = engine->now_ns + NS_PER_S; // those that there were, stay
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct pod_job *before =
            find_job(engine->pod_jobs, engine->pod_job_count, jobs[i].record.job.name);
        note_news(engine, before, &jobs[i]);
    }
    for (uint32_t i = 0; i < engine->pod_job_count; i++) {
        const char *name = engine->pod_jobs[i].record.job.name;
        if (find_job(jobs, count, name) == NULL) {
            engine_note(engine, NOTE_INFO, "job_ended", name, "job %s has no pods any more", name);
        }
    }
    pod_jobs_free(engine->pod_jobs, engine->pod_job_count);
    engine->pod_jobs = jobs;
    engine->pod_job_count = count;
    engine->pods_due_at_ns = NEVER_NS;
}

void pods_fini(struct engine *engine) {
    pod_jobs_free(engine->pod_jobs, engine->pod_job_count);
    free(engine->own_pods);
    engine->pod_jobs = NULL;
    engine->own_pods = NULL;
    engine->pod_job_count = engine->own_pod_count = 0;
}
