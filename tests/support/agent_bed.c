// SPDX-License-Identifier: Apache-2.0
#include "agent_bed.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_shell/clock.h"
#include "model/time.h"

static struct agent_bed *bed_of(const struct agent *agent) {
    return (struct agent_bed *)(uintptr_t)agent; // its first member
}

// ---- in the name of effects.c, start.c and the carrier

int agent_step(struct agent *agent, const struct engine_event *event, struct error *error) {
    struct agent_bed *bed = bed_of(agent);
    bed->step_count++;
    if (event->kind == ENGINE_CONFIG) {
        bed->last_config = *event->config;
    }
    return bed->frozen ? 0 : fleet_event(bed->sim, 0, event, error);
}

void agent_tell(struct agent *agent, enum log_level level, const char *kind, const char *subject,
                const char *format, ...) {
    char text[ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    events_add(agent->events, 0, clock_now_ns(), level, kind, subject, text);
}

void agent_engine_config(const struct agent *agent, const struct fabric *fabric,
                         struct engine_config *out) {
    (void)fabric;
    *out = *engine_configuration(agent->engine);
    out->probe_interval_ns = agent->config.probe_interval_ns;
    out->loss_threshold = agent->config.loss_threshold;
}

int gossip_zmq_set_keys(struct gossip_zmq *carrier, uint64_t now_ns, const char *secret_key,
                        const struct curve_keys *fleet, struct error *error) {
    struct agent_bed *bed = (struct agent_bed *)carrier;
    (void)now_ns;
    (void)error;
    memcpy(bed->secret_key, secret_key, sizeof(bed->secret_key));
    bed->fleet_keys = fleet->count;
    return 0;
}

void gossip_zmq_stats(const struct gossip_zmq *carrier, struct gossip_zmq_stats *out) {
    (void)carrier;
    *out = (struct gossip_zmq_stats){.connected = 3,
                                     .inbound = 2,
                                     .denied_keys = 5,
                                     .dropped_rate = 7};
}

// ---- the bed

// "demo", "demo-1", ...
static void submit_job(struct fleet *sim, unsigned index) {
    struct job job;
    struct error error = {0};
    job_init(&job);
    snprintf(job.name, sizeof(job.name), index == 0 ? "demo" : "demo-%u", index);
    job.all_ranks = true;
    job.collective_count = 1;
    job.collectives[0] = (struct collective){.type = COLLECTIVE_ALLTOALL, .bytes = 64 << 20};
    int rc = fleet_submit(sim, 1 + index % (fleet_count(sim) - 1), &job, &error);
    if (rc != 0) {
        fprintf(stderr, "%s\n", error.text);
    }
    assert(rc == 0);
    job_fini(&job);
}

struct agent_bed *agent_bed_open(void) {
    static const struct fleet_shape options = {.clos_kind = "leaf-spine",
                                               .leaves = 4,
                                               .spines = 4,
                                               .hosts_per_leaf = 2,
                                               .cables = 1,
                                               .probe_interval_ns = 3 * NS_PER_MS,
                                               .history_links = 64,
                                               .seed = 1};
    return agent_bed_open_of(&options, 1);
}

struct agent_bed *agent_bed_open_of(const struct fleet_shape *shape, unsigned job_count) {
    struct agent_bed *bed = calloc(1, sizeof(*bed));
    assert(bed != NULL);
    struct agent *agent = &bed->agent;
    bed->sim = fleet_fixture_open(shape);
    fleet_run(bed->sim, 2 * NS_PER_S);
    for (unsigned i = 0; i < job_count; i++) {
        submit_job(bed->sim, i);
    }
    agent_metrics_init(&agent->metrics);
    agent->engine = fleet_engine(bed->sim, 0);
    agent->carrier = (struct gossip_zmq *)bed;
    agent->events = events_open(1);
    agent->port_count = 1;
    agent->started_at_ns = clock_now_ns();
    snprintf(agent->ports[0].device, sizeof(agent->ports[0].device), "mem0");
    snprintf(agent->config.host, sizeof(agent->config.host), "h0");
    snprintf(agent->config.nic_driver, sizeof(agent->config.nic_driver), "mem");
    snprintf(agent->config.algorithm, sizeof(agent->config.algorithm), "ethereal");
    agent->config.probe_interval_ns = shape->probe_interval_ns;
    int rc = nic_open("mem", &(struct nic_options){.device = "mem0"}, &agent->nics[0], NULL);
    assert(rc == 0 && agent->events != NULL);
    agent_bed_run(bed, 300 * NS_PER_MS);
    return bed;
}

void agent_bed_close(struct agent_bed *bed) {
    nic_close(bed->agent.nics[0], false);
    agent_metrics_fini(&bed->agent.metrics);
    events_close(bed->agent.events);
    fleet_close(bed->sim);
    curve_signing_close(bed->agent.signing);
    free(bed);
}

void agent_bed_run(struct agent_bed *bed, uint64_t span_ns) {
    struct error error = {0};
    fleet_run(bed->sim, span_ns);
    int rc = nic_apply(bed->agent.nics[0], engine_rules(bed->agent.engine, 0), &error);
    assert(rc == 0);
}

void agent_bed_cut(struct agent_bed *bed, const char *link, bool cut) {
    link_id id;
    bool found = fabric_find_link(fleet_fabric(bed->sim), link, &id);
    assert(found);
    fleet_cut(bed->sim, id, cut);
}

json_t *agent_bed_ask(struct agent_bed *bed, const char *command, const char *arguments,
                      struct control_refusal *refusal) {
    json_error_t problem;
    json_t *read = arguments != NULL ? json_loads(arguments, 0, &problem) : NULL;
    assert(arguments == NULL || read != NULL);
    *refusal = (struct control_refusal){0, ""};
    json_t *answer = agent_answer(&bed->agent, command, read, refusal);
    json_decref(read);
    return answer;
}
