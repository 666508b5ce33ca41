// SPDX-License-Identifier: Apache-2.0
// status, members, jobs, rules, and what all views share.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "agent_shell/clock.h"
#include "model/time.h"

#define ALARM_AGE_NS (600 * NS_PER_S) // an alarm is shown for that long after it was last raised

json_t *refuse(struct control_refusal *refusal, int exit_code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(refusal->text, sizeof(refusal->text), format, arguments);
    va_end(arguments);
    refusal->exit_code = exit_code;
    return NULL;
}

static void set_int(json_t *object, const char *key, uint64_t value) {
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_digest(json_t *object, const char *key, const uint8_t digest[32]) {
    char text[65];
    for (size_t i = 0; i < 32; i++) {
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    json_object_set_new(object, key, json_string(text));
}

json_t *link_name_json(const struct fabric *fabric, link_id link) {
    char name[LINK_NAME_SIZE];
    fabric_format_link(fabric, link, name);
    return json_string(name);
}

json_t *sids_json(const struct sid_list *sids) {
    json_t *list = json_array();
    for (unsigned i = 0; i < sids->count; i++) {
        char text[SID_TEXT_SIZE];
        sid_format(&sids->sids[i], text);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

const char *probe_state_name(enum probe_state state) {
    static const char *const names[] = {"none", "good", "suspect", "down", "held"};
    return names[state];
}

// ---- status

static json_t *status_fabric(const struct agent *agent) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    json_t *out = json_pack("{s:s}", "name", fabric->name);
    set_int(out, "generation", fabric->generation);
    set_digest(out, "digest", fabric->digest);
    set_int(out, "held_generation", engine_held_generation(agent->engine));
    return out;
}

static json_t *status_members(const struct gossip *gossip) {
    static const char *const names[] = {"alive", "suspect", "dead", "left"};
    uint64_t counts[4] = {0};
    json_t *out = json_object();
    for (uint32_t i = 0; i < gossip_member_count(gossip); i++) {
        struct gossip_member member;
        if (gossip_member_at(gossip, i, &member)) {
            counts[member.state]++;
        }
    }
    for (size_t i = 0; i < 4; i++) {
        set_int(out, names[i], counts[i]);
    }
    return out;
}

static json_t *status_links(const struct agent *agent) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    uint64_t total = 0, down = 0, drained = 0, own_down = 0;
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        struct engine_link link;
        if (!fabric_link_is_internal(fabric, (link_id){i})) {
            continue;
        }
        engine_link_at(agent->engine, (link_id){i}, &link);
        total++;
        down += link.belief.down;
        drained += link.belief.drained;
        own_down += link.own == PROBE_DOWN;
    }
    json_t *out = json_object();
    set_int(out, "total", total);
    set_int(out, "down", down);
    set_int(out, "drained", drained);
    set_int(out, "own_down", own_down);
    return out;
}

// A flow counts once, by the worst of its parts.
static json_t *status_flows(const struct agent *agent) {
    const struct plan *plan = engine_plan(agent->engine);
    uint64_t steered = 0, backup = 0, plain = 0, local = 0;
    for (uint32_t i = 0; i < plan->flow_count; i++) {
        bool on_backup = false;
        for (uint32_t k = 0; k < plan->flows[i].part_count; k++) {
            struct engine_part part;
            engine_part_at(agent->engine, i, k, &part);
            on_backup = on_backup || part.choice == PART_BACKUP;
        }
        if (plan->flows[i].local) {
            local++;
        } else if (engine_plain_reason(agent->engine, i) != NULL) {
            plain++;
        } else {
            backup += on_backup;
            steered += !on_backup;
        }
    }
    json_t *out = json_object();
    set_int(out, "total", plan->flow_count);
    set_int(out, "steered", steered);
    set_int(out, "backup", backup);
    set_int(out, "plain", plain);
    set_int(out, "local", local);
    return out;
}

static json_t *port_name_json(const struct agent *agent, uint32_t index) {
    char name[NAME_SIZE + 4];
    fabric_format_port(engine_fabric(agent->engine), engine_own_port(agent->engine, index), name);
    return json_string(name);
}

// Sentences beyond the engine's are counted only.
static json_t *status_plan(const struct agent *agent) {
    json_t *problems = json_array();
    uint32_t count = engine_problem_count(agent->engine);
    for (uint32_t i = 0; i < count && engine_problem_at(agent->engine, i) != NULL; i++) {
        json_array_append_new(problems, json_string(engine_problem_at(agent->engine, i)));
    }
    json_t *out = json_object();
    set_int(out, "version", engine_plan_version(agent->engine));
    set_int(out, "problem_count", count);
    json_object_set_new(out, "problems", problems);
    return out;
}

static json_t *problem_json(const struct nic_trouble *trouble) {
    return trouble->error.code != 0 ? json_string(trouble->error.text) : json_null();
}

static json_t *status_nic(const struct agent *agent) {
    uint64_t totals[3] = {0};
    json_t *ports = json_array();
    for (uint32_t i = 0; i < agent->port_count; i++) {
        struct nic *nic = agent->nics[i];
        uint64_t encapsulated = 0, decapsulated = 0, plain = 0;
        nic->driver->totals(nic, &encapsulated, &decapsulated, &plain);
        totals[0] += encapsulated;
        totals[1] += decapsulated;
        totals[2] += plain;
        json_t *port = json_pack("{s:o, s:s}", "port", port_name_json(agent, i), "device",
                                 agent->ports[i].device);
        json_object_set_new(port, "attachment",
                            json_string(nic->attachment != NULL ? nic->attachment : ""));
        json_object_set_new(port, "problem", problem_json(&agent->trouble[i]));
        set_int(port, "rules", nic->applied.rule_count);
        set_int(port, "encaps", nic->applied.encap_count);
        json_object_set_new(port, "counters", agent_rdma_port_json(agent, i));
        json_array_append_new(ports, port);
    }
    json_t *out = json_pack("{s:s, s:o}", "driver", agent->config.nic_driver, "ports", ports);
    bool held = strcmp(agent->config.nic_driver, "mlx5") == 0;
    json_object_set_new(out, "holder", held ? json_string(agent->config.holder) : json_null());
    json_object_set_new(out, "qps", agent_rdma_qps_json(agent));
    set_int(out, "encapsulated", totals[0]);
    set_int(out, "decapsulated", totals[1]);
    set_int(out, "plain_roce", totals[2]);
    return out;
}

static json_t *status_probe(const struct agent *agent) {
    struct engine_stats stats;
    struct probe_io_stats io = {0};
    engine_stats(agent->engine, &stats);
    json_t *out = json_object();
    const char *reason = "";
    if (agent->probe != NULL) {
        probe_io_stats(agent->probe, &io);
        reason = probe_io_reason(agent->probe);
        json_object_set_new(out, "backend", json_string(probe_io_backend(agent->probe)));
        json_object_set_new(out, "backend_variant", json_string(probe_io_variant(agent->probe)));
    } else {
        json_object_set_new(out, "backend", json_string("none"));
    }
    json_object_set_new(out, "backend_reason",
                        reason[0] != '\0' ? json_string(reason) : json_null());
    set_int(out, "interval_ns", agent->config.probe_interval_ns);
    set_int(out, "sent", stats.probes_sent);
    set_int(out, "returned", stats.probes_returned);
    set_int(out, "lost", stats.probes_lost);
    set_int(out, "void", stats.probes_void);
    set_int(out, "late_windows", stats.late_windows);
    set_int(out, "capacity_interval_ns", agent->config.capacity.interval_ns);
    set_int(out, "trains_sent", stats.trains_sent);
    set_int(out, "trains_failed", stats.trains_failed);
    set_int(out, "ecn_interval_ns", agent->config.ecn.interval_ns);
    set_int(out, "ecn_idle_interval_ns", agent->config.ecn.idle_interval_ns);
    set_int(out, "ecn_sent", stats.ecn_probes_sent);
    set_int(out, "ecn_marked", stats.ecn_probes_marked);
    set_int(out, "ecn_moves", stats.moves_by_ecn);
    set_int(out, "cnps_of_path", stats.cnps_of_path);
    set_int(out, "cnps_of_pair", stats.cnps_of_pair);
    set_int(out, "cnps_of_port", stats.cnps_of_port);
    set_int(out, "unsent", io.send_failed - io.late);
    set_int(out, "late", io.late);
    set_int(out, "foreign", io.foreign);
    return out;
}

static json_t *status_gossip(const struct agent *agent) {
    struct gossip_stats core;
    struct gossip_zmq_stats carrier;
    gossip_stats(engine_gossip(agent->engine), &core);
    gossip_zmq_stats(agent->carrier, &carrier);
    const struct {
        const char *key;
        uint64_t value;
    } counters[] = {
        {"messages_sent", core.messages_sent},
        {"messages_received", core.messages_received},
        {"sent_bytes", core.bytes_sent},
        {"received_bytes", core.bytes_received},
        {"records_applied", core.records_applied},
        {"records_duplicate", core.records_duplicate},
        {"records_stale", core.records_stale},
        {"dropped_malformed", core.dropped_malformed},
        {"dropped_version", core.dropped_version},
        {"dropped_quota", core.dropped_quota},
        {"dropped_foreign", core.dropped_foreign},
        {"dropped_forged", core.dropped_forged},
        {"dropped_unknown_key", core.dropped_unknown_key},
        {"states_verified", core.states_verified},
        {"snapshots_sent", core.snapshots_sent},
        {"digests_sent", core.digests_sent},
        {"repairs_received", core.repairs_received},
        {"suspicions_withheld", core.suspicions_withheld},
        {"refutations", core.refutations},
        {"connected", carrier.connected},
        {"disconnected", carrier.disconnected},
        {"accepted", carrier.accepted},
        {"inbound_ended", carrier.inbound_ended},
        {"accept_failed", carrier.accept_failed},
        {"handshake_failed", carrier.handshake_failed},
        {"denied_keys", carrier.denied_keys},
        {"dropped_rate", carrier.dropped_rate},
        {"sent", carrier.sent},
        {"received", carrier.received},
        {"would_block", carrier.would_block},
        {"oversized", carrier.oversized},
        {"malformed", carrier.malformed},
        {"unreachable", carrier.unreachable},
        {"connections", carrier.connections},
        {"inbound", carrier.inbound},
    };
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        set_int(out, counters[i].key, counters[i].value);
    }
    set_int(out, "protocol_version", gossip_protocol_version(engine_gossip(agent->engine)));
    json_object_set_new(out, "curve", json_boolean(agent->config.curve));
    return out;
}

// Each alarm once, by kind and subject, with the newest sentence.
static json_t *status_alarms(const struct agent *agent) {
    const struct events *events = agent->events;
    uint64_t now_ns = clock_now_ns();
    json_t *latest = json_object(), *out = json_array(), *text;
    const char *key;
    for (uint64_t i = events_first(events); i < events_end(events); i++) {
        const struct event *event = events_at(events, i);
        if (event->level == LOG_ALARM && now_ns - event->at_ns < ALARM_AGE_NS) {
            char name[EVENT_KIND_SIZE + LINK_NAME_SIZE + 2];
            snprintf(name, sizeof(name), "%s %s", event->kind, event->subject);
            json_object_set_new(latest, name,
                                json_sprintf("%s %s: %s", event->kind, event->subject,
                                             event->text));
        }
    }
    json_object_foreach(latest, key, text) {
        json_array_append(out, text);
    }
    json_decref(latest);
    return out;
}

// JSON null where jobs do not come from pods.
static json_t *status_pods(const struct agent *agent) {
    const struct agent_pods *pods = &agent->pods_told;
    if (!agent->config.pods.on) {
        return json_null();
    }
    json_t *out = json_pack("{s:s, s:b}", "node", agent->config.pods.node, "synced", pods->synced);
    set_int(out, "ranks", pods->ranks);
    set_int(out, "refused", pods->refused);
    return out;
}

json_t *view_status(struct agent *agent, json_t *arguments, struct control_refusal *refusal) {
    struct gossip *gossip = engine_gossip(agent->engine);
    struct error why = {0};
    bool healthy = engine_healthy(agent->engine, &why);
    (void)arguments;
    (void)refusal;
    json_t *out = json_pack("{s:s, s:s}", "host", agent->config.host, "version", SRV6_VERSION);
    set_int(out, "uptime_ns", clock_now_ns() - agent->started_at_ns);
    json_object_set_new(out, "healthy", json_boolean(healthy));
    json_object_set_new(out, "reason", healthy ? json_null() : json_string(why.text));
    json_object_set_new(out, "joined", json_boolean(gossip_joined(gossip)));
    json_object_set_new(out, "fabric", status_fabric(agent));
    json_object_set_new(out, "members", status_members(gossip));
    json_object_set_new(out, "links", status_links(agent));
    set_int(out, "jobs", engine_job_count(agent->engine));
    json_object_set_new(out, "pods", status_pods(agent));
    json_object_set_new(out, "flows", status_flows(agent));
    json_object_set_new(out, "plan", status_plan(agent));
    json_object_set_new(out, "nic", status_nic(agent));
    json_object_set_new(out, "probe", status_probe(agent));
    json_object_set_new(out, "gossip", status_gossip(agent));
    json_object_set_new(out, "alarms", status_alarms(agent));
    return out;
}

// ---- members

static void add_facts(json_t *out, const struct member_facts *facts) {
    set_int(out, "fabric_generation", facts->fabric_generation);
    set_digest(out, "fabric_digest", facts->fabric_digest);
    set_int(out, "held_generation", facts->held_generation);
    json_object_set_new(out, "decap_ready", json_boolean(facts->decap_ready));
    json_object_set_new(out, "nic_driver", json_string(facts->nic_driver));
    set_int(out, "plan_version", facts->plan_version);
    set_int(out, "protocol_version", facts->protocol_version);
    json_object_set_new(out, "build", json_string(facts->build));
}

// Only of members that share a rack or a job with this host.
static void add_load(json_t *out, const struct engine *engine, const char *name) {
    struct engine_load load;
    if (engine_member_load(engine, name, &load)) {
        set_int(out, "load_bps", load.load.sent_bps);
        set_int(out, "load_flows", load.load.flow_count);
        set_int(out, "ecn_ppm", load.load.ecn_ppm);
        set_int(out, "load_age_ns", load.age_ns);
    }
}

json_t *view_members(struct agent *agent, json_t *arguments, struct control_refusal *refusal) {
    static const char *const states[] = {"alive", "suspect", "dead", "left"};
    const struct gossip *gossip = engine_gossip(agent->engine);
    uint64_t now_ns = clock_now_ns();
    json_t *list = json_array();
    (void)arguments;
    (void)refusal;
    for (uint32_t i = 0; i < gossip_member_count(gossip); i++) {
        struct gossip_member member;
        struct member_facts facts = {0};
        if (!gossip_member_at(gossip, i, &member)) {
            continue;
        }
        uint64_t ago_ns = now_ns > member.heard_at_ns ? now_ns - member.heard_at_ns : 0;
        json_t *one = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "name", member.name, "address",
                                member.address, "rack", member.rack, "state", states[member.state],
                                "neighbour", member.neighbour, "self", member.self);
        set_int(one, "incarnation", member.incarnation);
        set_int(one, "protocol_min", member.protocol_min);
        set_int(one, "protocol_max", member.protocol_max);
        json_object_set_new(one, "heard_ago_ns",
                            member.heard_at_ns == 0 ? json_null()
                                                    : json_integer((json_int_t)ago_ns));
        (void)engine_member_facts(agent->engine, member.name, &facts); // zero: not heard yet
        add_facts(one, &facts);
        add_load(one, agent->engine, member.name);
        json_array_append_new(list, one);
    }
    return json_pack("{s:o}", "members", list);
}

// ---- jobs

// bytes of a rank; of a matrix there are as many as rows and columns, so matrix_bytes is all of it.
static json_t *collectives_json(const struct job *job) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < job->collective_count; i++) {
        const struct collective *collective = &job->collectives[i];
        json_t *one = json_pack("{s:s}", "type", collective_type_name(collective->type));
        if (collective->matrix_ranks > 0) {
            set_int(one, "matrix_bytes", collective_matrix_bytes(collective));
        } else {
            set_int(one, "bytes", collective->bytes);
        }
        json_array_append_new(list, one);
    }
    return list;
}

// Of a job that pods make; JSON null of one that was submitted.
static json_t *job_pods_json(const struct engine_job *job) {
    if (job->run == NULL) {
        return json_null();
    }
    json_t *out = json_pack("{s:s, s:s}", "run", job->run, "trouble", job->trouble);
    set_int(out, "ranks", job->pods_present);
    if (job->pods_wanted != 0) {
        set_int(out, "of", job->pods_wanted);
    }
    return out;
}

json_t *view_jobs(struct agent *agent, json_t *arguments, struct control_refusal *refusal) {
    json_t *list = json_array();
    (void)arguments;
    (void)refusal;
    for (uint32_t i = 0; i < engine_job_count(agent->engine); i++) {
        struct engine_job job;
        engine_job_at(agent->engine, i, &job);
        const char *algorithm = engine_algorithm(agent->engine, job.job);
        json_t *one = json_pack("{s:s, s:s?, s:b, s:s}", "job", job.job->name, "owner",
                                job.owner[0] != '\0' ? job.owner : NULL, "orphaned", job.orphaned,
                                "algorithm", algorithm != NULL ? algorithm : job.job->algorithm);
        json_object_set_new(one, "pods", job_pods_json(&job));
        set_int(one, "generation", job.job->generation);
        set_int(one, "ranks", job.rank_count);
        set_int(one, "reserve_bps", job.job->reserved_bps);
        set_int(one, "bound", job.bound_count);
        set_int(one, "own_ranks", job.own_rank_count);
        json_object_set_new(one, "pace", pace_json(agent, i));
        json_object_set_new(one, "collectives", collectives_json(job.job));
        json_array_append_new(list, one);
    }
    return json_pack("{s:o}", "jobs", list);
}
