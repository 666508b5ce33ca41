// SPDX-License-Identifier: Apache-2.0
// The daemon as a whole: what start.c opens, loop.c runs, and the views read. Inside of srv6-agent
// only.
//
//   wake-up (timer, gossip, probes, NIC counters, signal, control) -> agent_step -> effects:
//     nic_apply, then gossip, then probes; then the log
//
// One thread owns all of it; a slow NIC driver has one of its own (nic_worker.h).
#ifndef AGENT_SHELL_AGENT_H
#define AGENT_SHELL_AGENT_H

#include <uv.h>

#include "agent_core/engine.h"
#include "agent_shell/config.h"
#include "agent_shell/control.h"
#include "agent_shell/events.h"
#include "agent_shell/log.h"
#include "agent_shell/probe_io.h"
#include "cnps.h"
#include "gossip_zmq/gossip_zmq.h"
#include "kube.h"
#include "metrics.h"
#include "nicdrv/nic.h"
#include "rdma.h"
#include "seeds.h"
#include "settings.h"

// Why a NIC does not hold what it should; code 0: it does, or is about to.
struct nic_trouble {
    struct error error;
    uint64_t said_at_ns;
};

// Of this node's pods.
struct agent_pods {
    bool synced;             // with the API server; else what was known last is in force
    uint32_t ranks, refused; // ranks on own ports; pods that should have been some
};

struct agent {
    struct config config;
    struct log *log;
    struct events *events;
    struct engine *engine;
    struct gossip_zmq *carrier;
    struct kube *kube;      // NULL when nothing asks the API server of a cluster
    struct pod_watch *pods; // NULL when jobs do not come from pods
    struct agent_pods pods_told;
    struct seeds *seeds;            // NULL while the loop does not run
    struct gossip_signing *signing; // the core borrows it; NULL without CURVE
    struct probe_io *probe;         // NULL while it cannot be opened
    struct nic *nics[ENGINE_PORTS_MAX];
    struct probe_port ports[ENGINE_PORTS_MAX];
    uint32_t port_count;
    uint64_t nonce; // of probes
    uint64_t started_at_ns;
    // A bit per port: what the engine is to be told, and the ports whose last nic_apply succeeded.
    uint32_t nic_failed, nic_lost, nic_applied, nic_good;
    uint32_t nic_opened; // a bit per port: it was open at some time
    struct nic_trouble trouble[ENGINE_PORTS_MAX];
    struct agent_rdma rdma;
    struct agent_cnps cnps;
    struct agent_settings settings;
    struct agent_metrics metrics;
    bool gossip_more; // the carrier's budget ran out
    bool seeds_warned;
    uint64_t strangers_told, strangers_told_at_ns; // callers with unknown keys
    bool stopping;
    const struct fabric *fabric; // the active one when the ports were last looked at

    uv_loop_t loop;
    struct control *control;
    int timer_fd;
    int probe_fd;         // an epoll descriptor around that of `probe`, which may be opened anew
    uint64_t timer_at_ns; // what the timer is armed for
    bool timer_armed;
    uv_poll_t timer, gossip, probes;
    uv_poll_t nic_watches[ENGINE_PORTS_MAX]; // of NICs that have a worker
    uv_timer_t meter;
    uv_prepare_t prepare;
    uv_idle_t busy; // keeps the loop turning while gossip_more
    uv_signal_t hangup, terminate, interrupt;
};

// ---- start.c
// Returns the exit code of the tool; what was wrong has been printed.
int agent_check(const char *config_path);
int agent_open(struct agent *agent, const char *config_path);
void agent_close(struct agent *agent);
void agent_engine_config(const struct agent *agent, const struct fabric *fabric,
                         struct engine_config *out);
int agent_open_probes(struct agent *agent, struct error *error);

// ---- effects.c
// One step of the engine with its effects carried out. The engine's verdict on the event.
int agent_step(struct agent *agent, const struct engine_event *event, struct error *error);
// Logs it and keeps it as an event.
void agent_tell(struct agent *agent, enum log_level level, const char *kind, const char *subject,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
void agent_drain_probes(struct agent *agent,
                        bool woken);         // woken: the probes' descriptor was readable
void agent_work_gossip(struct agent *agent); // carrier first, then the engine
void agent_read_nics(struct agent *agent);
void agent_tell_nics(struct agent *agent); // the engine, which NICs took their rules or did not

// ---- nics.c
int agent_open_nics(struct agent *agent, struct error *error);
void agent_close_nics(struct agent *agent, bool remove_rules);
void agent_review_nic(struct agent *agent, uint32_t port); // one with a worker, which has news
// The outcome of an apply; the engine is told by agent_tell_nics, or at the end of the step.
void agent_nic_applied(struct agent *agent, uint32_t port);
void agent_nic_failed(struct agent *agent, uint32_t port, const struct error *error);

// ---- loop.c
int agent_run(struct agent *agent, struct error *error);

// ---- keys.c
struct agent_keys {
    struct curve_keys fleet;
    char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE]; // of this host
    struct gossip_signing *signing;
};
// What the files of gossip.curve hold, if they fit each other and this host; nothing when CURVE is
// off. *out owned.
int agent_keys_load(const struct config *config, struct agent_keys *out, struct error *error);
void agent_keys_fini(struct agent_keys *keys);
// Reads the files anew and lets carrier and core go on with them.
int agent_keys_change(struct agent *agent, const struct config *config, struct error *error);

// ---- reload.c
void agent_reload(struct agent *agent);

// ---- views and commands: results for the control socket, owned by the caller
json_t *agent_answer(void *context, const char *command, json_t *arguments,
                     struct control_refusal *refusal);
// Fills the refusal and returns NULL.
json_t *refuse(struct control_refusal *refusal, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

typedef json_t *view_fn(struct agent *agent, json_t *arguments, struct control_refusal *refusal);
view_fn view_status, view_members, view_links, view_jobs, view_flows, view_rules, view_paths,
    view_why, view_trace, view_audit, view_history, command_job_submit, command_job_remove,
    command_drain, command_capacity;

json_t *link_name_json(const struct fabric *fabric, link_id link);
// How fast the ranks of a job send, and who is slow; null: it is not known here.
json_t *pace_json(const struct agent *agent, uint32_t job);
json_t *sids_json(const struct sid_list *sids);
const char *probe_state_name(enum probe_state state);
// Adds "nodes", "links" and "sids" of a path to `object`.
void path_to_json(const struct fabric *fabric, const struct path *path, json_t *object);
// A job as JSON (the control socket's form) -> job; -EINVAL with the reason.
int job_from_json(json_t *from, struct job *out, struct error *error);

#endif
