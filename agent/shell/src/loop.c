// SPDX-License-Identifier: Apache-2.0
// The libuv loop. The engine's deadline goes to a timerfd, because libuv's own timers count
// milliseconds and a probe's timeout is a few of them.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent.h"
#include "agent_shell/clock.h"
#include "model/time.h"
#include "nic_worker.h"
#include "pod_watch.h"

#define METER_MS 200                   // between two looks at the NIC's counters
#define GOODBYE_NS (500 * NS_PER_MS)   // for the last messages to leave
#define FAREWELL_MS 500                // for peers to stop steering here, over hops of gossip
#define SEED_WARNING_NS (3 * NS_PER_S) // alone for that long in spite of seeds
#define STRANGER_NS (60 * NS_PER_S)    // who has no key of the fleet tries often

static void arm_timer(struct agent *agent) {
    uint64_t at_ns = engine_deadline_ns(agent->engine);
    if (agent->timer_armed && at_ns == agent->timer_at_ns) {
        return;
    }
    // An instant of 0 would disarm it.
    uint64_t wake_ns = at_ns == 0 ? 1 : at_ns;
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(wake_ns / NS_PER_S),
                                           .tv_nsec = (long)(wake_ns % NS_PER_S)}};
    if (at_ns == NEVER_NS) {
        memset(&when, 0, sizeof(when));
    }
    agent->timer_at_ns = at_ns;
    agent->timer_armed = true;
    (void)timerfd_settime(agent->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_timer(uv_poll_t *poll, int status, int events) {
    struct agent *agent = poll->data;
    struct engine_event event = {.kind = ENGINE_TICK};
    (void)status;
    (void)events;
    agent->timer_armed = false;       // setting it again makes it unreadable, too
    agent_drain_probes(agent, false); // an answer that lies in the socket is not lost
    (void)agent_step(agent, &event, NULL);
}

static void on_gossip(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    agent_work_gossip(poll->data);
}

static void on_probes(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    agent_drain_probes(poll->data, true);
}

static void on_nic(uv_poll_t *poll, int status, int events) {
    struct agent *agent = poll->data;
    (void)status;
    (void)events;
    agent_review_nic(agent, (uint32_t)(poll - agent->nic_watches));
}

static void on_busy(uv_idle_t *idle) {
    struct agent *agent = idle->data;
    if (agent->gossip_more) {
        agent_work_gossip(agent);
    }
}

static void warn_about_seeds(struct agent *agent) {
    if (agent->seeds_warned || !config_has_seeds(&agent->config) ||
        clock_now_ns() - agent->started_at_ns < SEED_WARNING_NS) {
        return;
    }
    agent->seeds_warned = true;
    if (!gossip_joined(engine_gossip(agent->engine))) {
        agent_tell(agent, LOG_WARNING, "seeds_silent", agent->config.host,
                   "no seed answers; this host works alone and keeps trying (gossip.seeds)");
    }
}

static void warn_about_strangers(struct agent *agent) {
    struct gossip_zmq_stats carrier;
    uint64_t now_ns = clock_now_ns();
    gossip_zmq_stats(agent->carrier, &carrier);
    if (carrier.denied_keys == agent->strangers_told ||
        (agent->strangers_told > 0 && now_ns - agent->strangers_told_at_ns < STRANGER_NS)) {
        return;
    }
    agent_tell(agent, LOG_WARNING, "stranger_refused", gossip_zmq_denied_address(agent->carrier),
               "its key is not in the fleet's list (gossip.curve); %llu refused since the start",
               (unsigned long long)carrier.denied_keys);
    agent->strangers_told = carrier.denied_keys;
    agent->strangers_told_at_ns = now_ns;
}

// A new fabric may have given a port another uSID: probes must come back to that one.
static void follow_fabric(struct agent *agent) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    if (fabric == agent->fabric) {
        return;
    }
    agent->fabric = fabric;
    pod_watch_look(agent->pods);
    for (uint32_t i = 0; i < agent->port_count; i++) {
        port_id port = engine_own_port(agent->engine, i);
        struct sid own = sid_of(fabric->block, fabric->ports[port.i].usid);
        if (memcmp(&own, &agent->ports[i].address, sizeof(own)) != 0) {
            agent->ports[i].address = own;
            probe_io_close(agent->probe); // on_meter opens it anew
            agent->probe = NULL;
        }
    }
}

static void restore_probes(struct agent *agent) {
    struct error error = {0};
    if (agent->probe == NULL && agent_open_probes(agent, &error) != 0) {
        agent_tell(agent, LOG_ALARM, "probes_failed", agent->config.host, "%s", error.text);
    }
}

static void on_meter(uv_timer_t *timer) {
    struct agent *agent = timer->data;
    restore_probes(agent);
    agent_read_nics(agent);
    agent_rdma_look(agent);
    agent_cnps_look(agent);
    agent_settings_look(agent);
    agent_metrics_look(agent);
    seeds_look(agent->seeds);
    warn_about_seeds(agent);
    warn_about_strangers(agent);
}

// Runs before the loop goes to sleep: whatever happened in this turn, the timer follows.
static void on_prepare(uv_prepare_t *prepare) {
    struct agent *agent = prepare->data;
    follow_fabric(agent);
    arm_timer(agent);
    control_publish(agent->control);
    if (agent->gossip_more) {
        uv_idle_start(&agent->busy, on_busy);
    } else {
        uv_idle_stop(&agent->busy);
    }
}

static void on_hangup(uv_signal_t *signal, int number) {
    (void)number;
    agent_reload(signal->data);
}

// Says goodbye and stops the loop; what the goodbye causes is sent by gossip_zmq_flush.
static void on_stop(uv_signal_t *signal, int number) {
    struct agent *agent = signal->data;
    struct engine_event event = {.kind = ENGINE_LEAVE};
    if (agent->stopping) {
        return;
    }
    agent->stopping = true;
    agent_tell(agent, LOG_INFO, "stopping", agent->config.host, "%s: leaving the members; rules %s",
               number == SIGINT ? "interrupted" : "asked to stop",
               agent->config.remove_on_exit ? "are removed" : "stay in the NIC");
    (void)agent_step(agent, &event, NULL);
    control_publish(agent->control); // while the loop still turns
    gossip_zmq_flush(agent->carrier, clock_now_ns(), GOODBYE_NS);
    if (agent->config.remove_on_exit) {
        uv_sleep(FAREWELL_MS); // what is encapsulated until then must still be decapsulated
    }
    uv_stop(&agent->loop);
}

static int watch(struct agent *agent, uv_poll_t *poll, int fd, uv_poll_cb callback) {
    int rc = uv_poll_init(&agent->loop, poll, fd);
    poll->data = agent;
    return rc != 0 ? rc : uv_poll_start(poll, UV_READABLE, callback);
}

static int catch_signal(struct agent *agent, uv_signal_t *handle, int number,
                        uv_signal_cb callback) {
    int rc = uv_signal_init(&agent->loop, handle);
    handle->data = agent;
    return rc != 0 ? rc : uv_signal_start(handle, callback, number);
}

static int start_handles(struct agent *agent) {
    uv_loop_t *loop = &agent->loop;
    int rc = watch(agent, &agent->timer, agent->timer_fd, on_timer);
    rc = rc != 0 ? rc : watch(agent, &agent->gossip, gossip_zmq_fd(agent->carrier), on_gossip);
    rc = rc != 0 ? rc : watch(agent, &agent->probes, agent->probe_fd, on_probes);
    for (uint32_t i = 0; rc == 0 && i < agent->port_count; i++) {
        if (nic_is_worker(agent->nics[i])) {
            rc = watch(agent, &agent->nic_watches[i], agent->nics[i]->watch_fd, on_nic);
        }
    }
    rc = rc != 0 ? rc : agent_cnps_start(agent);
    rc = rc != 0 ? rc : catch_signal(agent, &agent->hangup, SIGHUP, on_hangup);
    rc = rc != 0 ? rc : catch_signal(agent, &agent->terminate, SIGTERM, on_stop);
    rc = rc != 0 ? rc : catch_signal(agent, &agent->interrupt, SIGINT, on_stop);
    uv_timer_init(loop, &agent->meter);
    uv_prepare_init(loop, &agent->prepare);
    uv_idle_init(loop, &agent->busy);
    agent->meter.data = agent->prepare.data = agent->busy.data = agent;
    rc = rc != 0 ? rc : uv_timer_start(&agent->meter, on_meter, METER_MS, METER_MS);
    return rc != 0 ? rc : uv_prepare_start(&agent->prepare, on_prepare);
}

static void tell_of_seeds(void *context, enum log_level level, const char *kind,
                          const char *subject, const char *text) {
    agent_tell(context, level, kind, subject, "%s", text);
}

// The cluster's API is opened for whoever asks it.
static int open_kube(struct agent *agent, struct error *error) {
    const struct config *config = &agent->config;
    return config->endpoints.service[0] == '\0' && !config->pods.on
               ? 0
               : kube_open(&agent->loop, config->kubernetes.api, config->kubernetes.credentials,
                           &agent->kube, error);
}

static int open_seeds(struct agent *agent, struct error *error) {
    const struct seeds_handler handler = {agent, tell_of_seeds};
    bool endpoints = agent->config.endpoints.service[0] != '\0';
    return seeds_open(&agent->loop, &agent->config, engine_gossip(agent->engine),
                      endpoints ? agent->kube : NULL, &handler, &agent->seeds, error);
}

static void close_handle(uv_handle_t *handle, void *context) {
    (void)context;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

int agent_run(struct agent *agent, struct error *error) {
    struct engine_event tick = {.kind = ENGINE_TICK};
    int rc = uv_loop_init(&agent->loop);
    if (rc != 0) {
        return error_set(error, rc, "no event loop: %s", uv_strerror(rc));
    }
    agent->fabric = engine_fabric(agent->engine);
    rc = control_open(&agent->loop, agent->config.socket, agent->events, agent_answer, agent,
                      &agent->control, error);
    rc = rc != 0 ? rc : open_kube(agent, error);
    rc = rc != 0 ? rc : open_seeds(agent, error);
    if (rc == 0 && agent->config.pods.on) {
        rc = pod_watch_open(agent, &agent->pods, error);
    }
    if (rc == 0) {
        rc = start_handles(agent);
        if (rc != 0) {
            (void)error_set(error, rc, "the event loop: %s", uv_strerror(rc));
        } else {
            (void)agent_step(agent, &tick, NULL); // rules into the NIC at once
            agent_metrics_look(agent);
            uv_run(&agent->loop, UV_RUN_DEFAULT);
        }
    }
    control_close(agent->control);
    pod_watch_close(agent->pods);
    seeds_close(agent->seeds);
    kube_close(agent->kube);
    agent->seeds = NULL;
    agent->kube = NULL;
    agent_metrics_close(agent);
    agent_rdma_close(&agent->rdma);
    agent_cnps_close(agent);
    agent_settings_close(&agent->settings);
    uv_walk(&agent->loop, close_handle, NULL);
    uv_run(&agent->loop, UV_RUN_DEFAULT); // lets the handles close
    uv_loop_close(&agent->loop);
    return rc;
}
