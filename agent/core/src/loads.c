// SPDX-License-Identifier: Apache-2.0
// How busy hosts are: our own load, told to those who share our rack or a job with us, once a
// second while it changes, and what they say of theirs. People read it; no route ever depends on
// it, for it is unsigned and what is lost stays lost.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/time.h"
#include "state.h"

#define LOAD_FORGET_NS (10 * NS_PER_S) // what is older says nothing any more
#define LOAD_AGAIN_NS (4 * NS_PER_S)   // what stays as it was is told that often
#define LOAD_NEWS_SHARE 8              // an eighth more or less is worth telling
#define LOAD_TIMES 3                   // it is told, for what is lost stays lost
#define JOB_SCOPES_MAX (GOSSIP_SCOPES_MAX - 1)
#define SCOPE_NAME_SIZE (JOB_NAME_SIZE + NAME_SIZE)

// ---- scopes

struct scopes {
    struct gossip_scope scopes[GOSSIP_SCOPES_MAX];
    char names[GOSSIP_SCOPES_MAX][SCOPE_NAME_SIZE];
    uint32_t count;
};

static int compare_names(const void *left, const void *right) {
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

// Adds the hosts that are marked; without others than us there is nobody to tell.
static void add_scope(const struct engine *engine, struct scopes *out, const char *kind,
                      const char *name, const bool *marked) {
    const struct fabric *fabric = engine->fabric;
    const char **hosts = calloc(fabric->host_count, sizeof *hosts);
    uint32_t count = 0;
    for (uint32_t i = 0; hosts != NULL && i < fabric->host_count; i++) {
        if (marked[i]) {
            hosts[count++] = fabric->nodes[i].name;
        }
    }
    if (count < 2) {
        free(hosts);
        return;
    }
    qsort(hosts, count, sizeof *hosts, compare_names);
    snprintf(out->names[out->count], SCOPE_NAME_SIZE, "%s/%s", kind, name);
    out->scopes[out->count] = (struct gossip_scope){out->names[out->count], hosts, count};
    out->count++;
}

static node_id leaf_of(const struct fabric *fabric, uint32_t host) {
    return fabric->ports[fabric->nodes[host].first_port].leaf;
}

static void add_rack(const struct engine *engine, struct scopes *out, bool *marked) {
    const struct fabric *fabric = engine->fabric;
    node_id leaf = leaf_of(fabric, engine->self.i);
    for (uint32_t i = 0; i < fabric->host_count; i++) {
        marked[i] = leaf_of(fabric, i).i == leaf.i;
    }
    add_scope(engine, out, "rack", fabric->nodes[leaf.i].name, marked);
}

static void add_job(const struct engine *engine, struct scopes *out, const struct job_view *view,
                    bool *marked) {
    memset(marked, 0, engine->fabric->host_count * sizeof *marked);
    for (uint32_t i = 0; i < view->rank_count; i++) {
        if (view->ranks[i].i != ID_NONE) {
            marked[engine->fabric->ports[view->ranks[i].i].host.i] = true;
        }
    }
    add_scope(engine, out, "job", view->record->job.name, marked);
}

// The job of ours with the most ranks among those after `last` in this order; equals by name.
static const struct job_view *next_job(const struct engine *engine, const struct job_view *last) {
    const struct job_view *best = NULL;
    for (uint32_t i = 0; i < engine->job_count; i++) {
        const struct job_view *view = &engine->jobs[i];
        bool after = last == NULL || view->rank_count < last->rank_count ||
                     (view->rank_count == last->rank_count && view > last);
        if (view->own_rank_count > 0 && after &&
            (best == NULL || view->rank_count > best->rank_count)) {
            best = view;
        }
    }
    return best;
}

static void set_scopes(struct engine *engine) {
    struct scopes scopes = {.count = 0};
    bool *marked = calloc(engine->fabric->host_count, sizeof *marked);
    if (marked == NULL) {
        return; // tried again with the next step
    }
    add_rack(engine, &scopes, marked);
    const struct job_view *view = next_job(engine, NULL);
    for (uint32_t i = 0; i < JOB_SCOPES_MAX && view != NULL; i++) {
        add_job(engine, &scopes, view, marked);
        view = next_job(engine, view);
    }
    if (gossip_set_scopes(engine->gossip, engine->now_ns, scopes.scopes, scopes.count) == 0) {
        engine->scopes_stale = false;
        engine->load_told_times = 0; // to others than before
    }
    for (uint32_t i = 0; i < scopes.count; i++) {
        free((void *)scopes.scopes[i].hosts);
    }
    free(marked);
}

// ---- our own

void loads_count_sent(struct engine *engine, uint64_t bytes) {
    engine->load_meter.sent_bytes += bytes;
}

void loads_count_probe(struct engine *engine, bool marked) {
    engine->load_meter.returned++;
    engine->load_meter.marked += marked;
}

static uint32_t own_flow_count(const struct engine *engine) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < engine->router.plan.flow_count; i++) {
        count += !engine->router.plan.flows[i].local;
    }
    return count;
}

static bool is_much_the_same(uint64_t a, uint64_t b) {
    uint64_t more = a > b ? a : b;
    return more - (a > b ? b : a) <= more / LOAD_NEWS_SHARE;
}

static bool are_paces_news(const struct host_load *told, const struct host_load *now) {
    bool news = told->job_count != now->job_count;
    for (uint32_t i = 0; i < now->job_count && !news; i++) {
        const struct host_job_pace *before = &told->jobs[i], *job = &now->jobs[i];
        news = before->job != job->job || before->rank_count != job->rank_count;
        for (uint32_t rank = 0; rank < job->rank_count && !news; rank++) {
            news = !is_much_the_same(before->pace_bps[rank], job->pace_bps[rank]);
        }
    }
    return news;
}

static bool is_news(const struct host_load *told, const struct host_load *now) {
    return are_paces_news(told, now) || !is_much_the_same(told->sent_bps, now->sent_bps) ||
           told->flow_count != now->flow_count || !is_much_the_same(told->ecn_ppm, now->ecn_ppm);
}

static void tell_own(struct engine *engine, const struct host_load *load) {
    uint8_t bytes[GOSSIP_LOAD_SIZE];
    bool again =
        engine->load_told_at_ns == 0 || engine->now_ns - engine->load_told_at_ns >= LOAD_AGAIN_NS;
    if (!again && !is_news(&engine->load_told, load)) {
        return;
    }
    ssize_t size = host_load_encode(load, bytes, sizeof bytes);
    assert(size > 0);
    if (gossip_put_load(engine->gossip, engine->now_ns, bytes, (size_t)size) == 0) {
        engine->load_told = *load;
        engine->load_told_at_ns = engine->now_ns;
        engine->load_told_times++;
    } // else it is tried again in a second
}

void loads_measure(struct engine *engine) {
    struct load_meter *meter = &engine->load_meter;
    double seconds = (double)(engine->now_ns - meter->since_ns) / (double)NS_PER_S;
    if (meter->since_ns == 0 || seconds <= 0) {
        *meter = (struct load_meter){.since_ns = engine->now_ns};
        return;
    }
    struct host_load load = {.sent_bps = (uint64_t)((double)meter->sent_bytes * 8 / seconds),
                             .flow_count = own_flow_count(engine),
                             .ecn_ppm = meter->returned == 0 ? 0
                                                             : (uint32_t)(meter->marked * 1000000 /
                                                                          meter->returned)};
    *meter = (struct load_meter){.since_ns = engine->now_ns};
    paces_measure(engine, &load);
    struct host_view *self = &engine->hosts[engine->self.i];
    self->load = load;
    self->load_at_ns = engine->now_ns;
    tell_own(engine, &load);
}

void loads_tell(struct engine *engine) {
    if (engine->scopes_stale) {
        set_scopes(engine);
    }
}

// ---- the others'

void loads_learn(struct engine *engine) {
    struct gossip_load load;
    while (gossip_take_load(engine->gossip, &load)) {
        node_id node;
        struct host_load decoded;
        if (!fabric_find_node(engine->fabric, load.origin, &node) ||
            node.i >= engine->fabric->host_count || node.i == engine->self.i ||
            host_load_decode(load.value, load.size, &decoded) != 0) {
            engine->stats.bad_facts++;
            continue;
        }
        engine->hosts[node.i].load = decoded;
        engine->hosts[node.i].load_at_ns = engine->now_ns;
    }
}

bool engine_member_load(const struct engine *engine, const char *name, struct engine_load *out) {
    node_id node;
    if (!fabric_find_node(engine->fabric, name, &node) || node.i >= engine->fabric->host_count) {
        return false;
    }
    const struct host_view *host = &engine->hosts[node.i];
    uint64_t age_ns = engine->now_ns - host->load_at_ns;
    if (host->load_at_ns == 0 || age_ns >= LOAD_FORGET_NS) {
        return false;
    }
    *out = (struct engine_load){host->load, age_ns};
    return true;
}
