// SPDX-License-Identifier: Apache-2.0
// Stragglers: how fast each rank of a job sends while it sends, and who stays behind the others.
//
// A synchronous job runs at the speed of its slowest rank, so bytes a second are the same for all:
// the slow one is busy all the time and the others wait for it. What tells it from them is its
// pace: the bits of a few seconds over the time in which it sent any. Time comes in steps of the
// NIC's readings (200 ms in the daemon): phases shorter than that cannot be told apart, and count
// as one step for every rank alike.
//
//   the NIC's counters -> meters (job, port) -> own load -> who shares the job -> the median of
//   its ranks, and who is far below it for seconds on end
//
// People read it; no route depends on it.
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "model/time.h"
#include "state.h"

#define RANKS_MIN 4 // fewer have no middle
#define BUSY_MIN_NS (300 * NS_PER_MS)
#define SEEN_MIN_NS (3 * NS_PER_S) // until silence means that nothing is sent
#define FORGET_NS (30 * NS_PER_S)
#define FRESH_NS (6 * NS_PER_S) // loads that stay as they are are told every four
#define SLOW_SECONDS 5          // in a row
#define SILENT_SECONDS 10
#define Z_LIMIT 3.5     // of the robust z-score, as usual for outliers
#define Z_SCALE 0.6745  // of a normal distribution: deviation over median deviation
#define SPREAD_MIN 0.05 // of the median: ranks that differ by less are alike
#define SLOW_SHARE 0.75 // of the median, at most

static uint32_t key_of(const struct job *job) {
    uint64_t hash = hash_bytes(job->name, strlen(job->name), job->generation);
    return (uint32_t)(hash ^ hash >> 32);
}

// ---- our own

static struct pace_meter *find_meter(struct engine *engine, uint32_t job, port_id port) {
    struct pace_state *state = &engine->paces;
    struct pace_meter *oldest = &state->meters[0];
    for (uint32_t i = 0; i < state->meter_count; i++) {
        struct pace_meter *meter = &state->meters[i];
        if (meter->job == job && meter->port.i == port.i) {
            return meter;
        }
        oldest = meter->used_at_ns < oldest->used_at_ns ? meter : oldest;
    }
    if (state->meter_count < PACE_METERS_MAX) {
        oldest = &state->meters[state->meter_count++];
    } else if (engine->now_ns - oldest->used_at_ns < FORGET_NS) {
        return NULL;
    }
    *oldest = (struct pace_meter){.job = job, .port = port, .read_at_ns = engine->now_ns};
    return oldest;
}

void paces_count(struct engine *engine, const struct plan_flow *flow, uint64_t bytes) {
    if (flow->job >= engine->job_count) {
        return;
    }
    struct pace_meter *meter =
        find_meter(engine, key_of(&engine->jobs[flow->job].record->job), flow->src);
    if (meter != NULL) {
        meter->fresh += bytes;
        meter->used_at_ns = engine->now_ns;
    }
}

void paces_read(struct engine *engine, port_id port) {
    for (uint32_t i = 0; i < engine->paces.meter_count; i++) {
        struct pace_meter *meter = &engine->paces.meters[i];
        if (meter->port.i != port.i) {
            continue;
        }
        uint64_t span_ns = engine->now_ns - meter->read_at_ns;
        meter->bytes[0] += meter->fresh;
        meter->busy_ns[0] += meter->fresh > 0 ? span_ns : 0;
        meter->seen_ns[0] += span_ns;
        meter->fresh = 0;
        meter->read_at_ns = engine->now_ns;
    }
}

static uint64_t pace_of_meter(const struct pace_meter *meter) {
    uint64_t bytes = 0, busy_ns = 0, seen_ns = 0;
    for (unsigned i = 0; i < PACE_WINDOW; i++) {
        bytes += meter->bytes[i];
        busy_ns += meter->busy_ns[i];
        seen_ns += meter->seen_ns[i];
    }
    if (bytes == 0) {
        return seen_ns >= SEEN_MIN_NS ? 0 : HOST_PACE_NONE;
    }
    return busy_ns < BUSY_MIN_NS
               ? HOST_PACE_NONE
               : (uint64_t)((double)bytes * 8 * (double)NS_PER_S / (double)busy_ns);
}

static uint64_t own_pace(const struct engine *engine, uint32_t job, port_id port) {
    for (uint32_t i = 0; i < engine->paces.meter_count; i++) {
        const struct pace_meter *meter = &engine->paces.meters[i];
        if (meter->job == job && meter->port.i == port.i) {
            return pace_of_meter(meter);
        }
    }
    return HOST_PACE_NONE;
}

static void turn_windows(struct engine *engine) {
    for (uint32_t i = 0; i < engine->paces.meter_count; i++) {
        struct pace_meter *meter = &engine->paces.meters[i];
        memmove(meter->bytes + 1, meter->bytes, sizeof meter->bytes - sizeof meter->bytes[0]);
        memmove(meter->busy_ns + 1, meter->busy_ns,
                sizeof meter->busy_ns - sizeof meter->busy_ns[0]);
        memmove(meter->seen_ns + 1, meter->seen_ns,
                sizeof meter->seen_ns - sizeof meter->seen_ns[0]);
        meter->bytes[0] = meter->busy_ns[0] = meter->seen_ns[0] = 0;
    }
}

void paces_measure(struct engine *engine, struct host_load *load) {
    uint32_t ranks = 0;
    load->job_count = 0;
    for (uint32_t i = 0; i < engine->job_count && load->job_count < HOST_PACE_JOBS_MAX; i++) {
        const struct job_view *view = &engine->jobs[i];
        struct host_job_pace *job = &load->jobs[load->job_count];
        *job = (struct host_job_pace){.job = key_of(&view->record->job)};
        for (uint32_t r = 0; view->own_rank_count > 0 && r < view->rank_count; r++) {
            port_id port = view->ranks[r];
            if (port.i != ID_NONE && ranks < HOST_PACES_MAX &&
                engine->fabric->ports[port.i].host.i == engine->self.i) {
                job->pace_bps[job->rank_count++] = own_pace(engine, job->job, port);
                ranks++;
            }
        }
        load->job_count += job->rank_count > 0;
    }
    turn_windows(engine);
}

// ---- all ranks of a job

struct rank_pace {
    uint32_t rank;
    uint64_t pace_bps;
};

static const struct host_job_pace *paces_of_host(const struct engine *engine, uint32_t job,
                                                 node_id node) {
    const struct host_view *host = &engine->hosts[node.i];
    bool fresh = host->load_at_ns != 0 && engine->now_ns - host->load_at_ns < FRESH_NS;
    for (uint32_t i = 0; fresh && i < host->load.job_count; i++) {
        if (host->load.jobs[i].job == job) {
            return &host->load.jobs[i];
        }
    }
    return NULL;
}

// The measured ranks of a job; `place` counts, by host, the ranks met so far. Owned.
static struct rank_pace *collect(const struct engine *engine, const struct job_view *view,
                                 uint32_t *count) {
    struct rank_pace *list = calloc((size_t)view->rank_count + 1, sizeof *list);
    uint8_t *place = calloc(engine->fabric->host_count, sizeof *place);
    uint32_t key = key_of(&view->record->job);
    *count = 0;
    for (uint32_t r = 0; list != NULL && place != NULL && r < view->rank_count; r++) {
        if (view->ranks[r].i == ID_NONE) {
            continue;
        }
        node_id host = engine->fabric->ports[view->ranks[r].i].host;
        const struct host_job_pace *paces = paces_of_host(engine, key, host);
        uint32_t at = place[host.i];
        place[host.i] = (uint8_t)(at < HOST_PACES_MAX ? at + 1 : at);
        if (paces != NULL && at < paces->rank_count && paces->pace_bps[at] != HOST_PACE_NONE) {
            list[(*count)++] = (struct rank_pace){r, paces->pace_bps[at]};
        }
    }
    free(place);
    return list;
}

static int compare_values(const void *left, const void *right) {
    const uint64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static uint64_t middle(uint64_t *values, uint32_t count) {
    qsort(values, count, sizeof *values, compare_values);
    return count % 2 != 0 ? values[count / 2]
                          : values[count / 2 - 1] / 2 + values[count / 2] / 2 +
                                (values[count / 2 - 1] & values[count / 2] & 1);
}

struct spread {
    uint64_t median_bps;
    double scale; // of a deviation that is usual among the ranks
};

// False: too few, most are silent, or no memory.
static bool measure_spread(const struct rank_pace *list, uint32_t count, struct spread *out) {
    uint64_t *values = calloc((size_t)count + 1, sizeof *values);
    if (values == NULL || count < RANKS_MIN) {
        free(values);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        values[i] = list[i].pace_bps;
    }
    uint64_t median = middle(values, count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t pace = list[i].pace_bps;
        values[i] = pace > median ? pace - median : median - pace;
    }
    double deviation = (double)middle(values, count), least = SPREAD_MIN * (double)median;
    *out = (struct spread){median, deviation > least ? deviation : least};
    free(values);
    return median > 0;
}

static bool is_slow(const struct spread *spread, uint64_t pace_bps) {
    double behind = (double)spread->median_bps - (double)pace_bps;
    return (double)pace_bps < SLOW_SHARE * (double)spread->median_bps &&
           Z_SCALE * behind > Z_LIMIT * spread->scale;
}

// ---- who stays behind

static bool find_slow(const struct pace_state *state, uint32_t job, uint32_t rank,
                      uint32_t *index) {
    for (uint32_t i = 0; i < state->slow_count; i++) {
        if (state->slow[i].job == job && state->slow[i].rank == rank) {
            *index = i;
            return true;
        }
    }
    return false;
}

static struct slow_rank *slow_of(struct engine *engine, uint32_t job, uint32_t rank) {
    struct pace_state *state = &engine->paces;
    uint32_t index;
    if (find_slow(state, job, rank, &index)) {
        return &state->slow[index];
    }
    if (state->slow_count == SLOW_RANKS_MAX) {
        return NULL;
    }
    struct slow_rank *slow = &state->slow[state->slow_count++];
    *slow = (struct slow_rank){.job = job, .rank = rank, .since_ns = engine->now_ns};
    return slow;
}

static void note_slow(struct engine *engine, const struct job_view *view,
                      const struct rank_pace *rank, uint32_t count, const struct spread *spread) {
    uint32_t needed = rank->pace_bps == 0 ? SILENT_SECONDS : SLOW_SECONDS;
    struct slow_rank *slow = slow_of(engine, key_of(&view->record->job), rank->rank);
    if (slow == NULL) {
        return;
    }
    slow->seen_at_ns = engine->now_ns;
    if (++slow->seconds < needed || slow->told) {
        return;
    }
    char port[NAME_SIZE + 4];
    slow->told = true;
    fabric_format_port(engine->fabric, view->ranks[rank->rank], port);
    engine_note(engine, NOTE_WARNING, "rank_slow", port,
                "rank %u of %s sends %.1f Mbit/s while it sends; the median of %u ranks is %.1f",
                rank->rank, view->record->job.name, (double)rank->pace_bps / 1e6, count,
                (double)spread->median_bps / 1e6);
}

static void judge_job(struct engine *engine, const struct job_view *view) {
    uint32_t count;
    struct spread spread;
    struct rank_pace *list = collect(engine, view, &count);
    if (list != NULL && measure_spread(list, count, &spread)) {
        for (uint32_t i = 0; i < count; i++) {
            if (is_slow(&spread, list[i].pace_bps)) {
                note_slow(engine, view, &list[i], count, &spread);
            }
        }
    }
    free(list);
}

static const struct job_view *view_of(const struct engine *engine, uint32_t job) {
    for (uint32_t i = 0; i < engine->job_count; i++) {
        if (key_of(&engine->jobs[i].record->job) == job) {
            return &engine->jobs[i];
        }
    }
    return NULL;
}

// Those that were not slow this time.
static void forgive(struct engine *engine) {
    struct pace_state *state = &engine->paces;
    for (uint32_t i = 0; i < state->slow_count;) {
        struct slow_rank *slow = &state->slow[i];
        if (slow->seen_at_ns == engine->now_ns) {
            i++;
            continue;
        }
        const struct job_view *view = view_of(engine, slow->job);
        if (slow->told && view != NULL && slow->rank < view->rank_count) {
            char port[NAME_SIZE + 4];
            fabric_format_port(engine->fabric, view->ranks[slow->rank], port);
            engine_note(engine, NOTE_INFO, "rank_caught_up", port,
                        "rank %u of %s is not behind the others any more", slow->rank,
                        view->record->job.name);
        }
        *slow = state->slow[--state->slow_count];
    }
}

void paces_judge(struct engine *engine) {
    for (uint32_t i = 0; i < engine->job_count; i++) {
        if (engine->jobs[i].own_rank_count > 0) {
            judge_job(engine, &engine->jobs[i]);
        }
    }
    forgive(engine);
}

void engine_pace_at(const struct engine *engine, uint32_t index, struct engine_pace *out) {
    const struct job_view *view = &engine->jobs[index];
    uint32_t key = key_of(&view->record->job);
    struct spread spread = {0};
    *out = (struct engine_pace){.measured = 0};
    struct rank_pace *list = collect(engine, view, &out->measured);
    if (list != NULL && measure_spread(list, out->measured, &spread)) {
        out->median_bps = spread.median_bps;
    }
    for (uint32_t i = 0; list != NULL && i < out->measured; i++) {
        uint32_t at;
        if (!find_slow(&engine->paces, key, list[i].rank, &at) || !engine->paces.slow[at].told ||
            out->slow_count++ >= ENGINE_SLOW_MAX) {
            continue;
        }
        out->slow[out->slow_count - 1] =
            (struct engine_slow_rank){list[i].rank, view->ranks[list[i].rank], list[i].pace_bps,
                                      engine->now_ns - engine->paces.slow[at].since_ns};
    }
    free(list);
}
