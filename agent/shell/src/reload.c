// SPDX-License-Identifier: Apache-2.0
// SIGHUP: configuration, fabric and keys are read anew. What is wrong is reported and changes
// nothing; what only a restart can change is named.
#include <string.h>

#include "agent.h"
#include "agent_shell/clock.h"
#include "model_yaml/fabric_file.h"

static void log_complaint(void *context, const struct error *error) {
    struct agent *agent = context;
    agent_tell(agent, LOG_WARNING, "reload", agent->config.host, "%s", error->text);
}

static void offer_fabric(struct agent *agent, const struct config *config) {
    struct fabric *fabric = NULL;
    struct error error = {0};
    if (fabric_file_load(config->fabric, log_complaint, agent, &fabric) != 0) {
        agent_tell(agent, LOG_WARNING, "reload", config->host, "the old fabric stays in force");
        return;
    }
    struct engine_event event = {.kind = ENGINE_FABRIC, .fabric = fabric};
    if (config_check_fabric(config, fabric, log_complaint, agent) != 0) {
        fabric_close(fabric);
        agent_tell(agent, LOG_WARNING, "reload", config->host, "the old fabric stays in force");
    } else if (agent_step(agent, &event, &error) != 0) {
        fabric_close(fabric); // a refused one stays ours
        agent_tell(agent, LOG_WARNING, "reload", config->host, "%s", error.text);
    }
}

static void change_keys(struct agent *agent, const struct config *config) {
    struct error error = {0};
    if (agent->config.curve && config->curve && agent_keys_change(agent, config, &error) != 0) {
        agent_tell(agent, LOG_WARNING, "reload", config->host, "%s; the old keys stay in force",
                   error.text);
    }
}

static bool same_seeds(const struct config *a, const struct config *b) {
    return a->seed_count == b->seed_count &&
           (a->seed_count == 0 ||
            memcmp(a->seeds, b->seeds, a->seed_count * sizeof(*a->seeds)) == 0);
}

// Whoever is a member stays one.
static void change_seeds(struct agent *agent, struct config *next) {
    struct config *now = &agent->config;
    struct error error;
    if (agent->seeds == NULL || same_seeds(now, next)) {
        return;
    }
    const struct config old = *now;
    now->seeds = next->seeds;
    now->seed_count = next->seed_count;
    next->seeds = old.seeds; // freed with it
    next->seed_count = old.seed_count;
    if (seeds_reload(agent->seeds, &error) != 0) {
        agent_tell(agent, LOG_WARNING, "reload", now->host, "gossip.seeds: %s", error.text);
    }
}

static bool same_eswitch(const struct nic_eswitch_options *a, const struct nic_eswitch_options *b) {
    return a->vport == b->vport && memcmp(a->vport_mac, b->vport_mac, sizeof(a->vport_mac)) == 0 &&
           memcmp(a->gateway_mac, b->gateway_mac, sizeof(a->gateway_mac)) == 0;
}

static bool same_classes(const struct config *a, const struct config *b) {
    const struct nic_eswitch_options *of_a = &a->ports[0].eswitch, *of_b = &b->ports[0].eswitch;
    return of_a->class_count == of_b->class_count &&
           memcmp(of_a->traffic_classes, of_b->traffic_classes, NIC_CLASSES_MAX) == 0;
}

static bool same_ports(const struct config *a, const struct config *b) {
    bool same = a->port_count == b->port_count;
    for (uint32_t i = 0; same && i < a->port_count; i++) {
        same = strcmp(a->ports[i].port, b->ports[i].port) == 0 &&
               strcmp(a->ports[i].device, b->ports[i].device) == 0 &&
               same_eswitch(&a->ports[i].eswitch, &b->ports[i].eswitch);
    }
    return same;
}

static bool same_pods(const struct config *a, const struct config *b) {
    const struct config_pods *x = &a->pods, *y = &b->pods;
    return x->on == y->on && strcmp(x->node, y->node) == 0 &&
           strcmp(x->state_file, y->state_file) == 0 && x->namespace_count == y->namespace_count &&
           (x->namespace_count == 0 ||
            memcmp(x->namespaces, y->namespaces, x->namespace_count * sizeof(*x->namespaces)) == 0);
}

// Keys of the old configuration that a running agent cannot change.
static void name_fixed_keys(struct agent *agent, const struct config *next) {
    const struct config *now = &agent->config;
    const struct {
        const char *key;
        bool same;
    } keys[] = {
        {"host", strcmp(now->host, next->host) == 0},
        {"socket", strcmp(now->socket, next->socket) == 0},
        {"log.file", strcmp(now->log_file, next->log_file) == 0},
        {"log.format", now->log_format == next->log_format},
        {"gossip.listen", strcmp(now->listen, next->listen) == 0},
        {"gossip.advertise", strcmp(now->advertise, next->advertise) == 0},
        {"gossip.curve", now->curve == next->curve},
        {"gossip.endpoints",
         memcmp(&now->endpoints, &next->endpoints, sizeof(now->endpoints)) == 0},
        {"jobs.kubernetes", same_pods(now, next)},
        {"kubernetes", memcmp(&now->kubernetes, &next->kubernetes, sizeof(now->kubernetes)) == 0},
        {"gossip timers", now->ping_interval_ns == next->ping_interval_ns &&
                              now->ping_timeout_ns == next->ping_timeout_ns &&
                              now->dead_after_ns == next->dead_after_ns},
        {"nic.driver", strcmp(now->nic_driver, next->nic_driver) == 0},
        {"nic.pin_dir", strcmp(now->pin_dir, next->pin_dir) == 0},
        {"nic.holder", strcmp(now->holder, next->holder) == 0},
        {"nic.traffic_classes", same_classes(now, next)},
        {"nic.ports", same_ports(now, next)},
        {"probe.backend", now->backend == next->backend},
        {"metrics.listen", strcmp(now->metrics_listen, next->metrics_listen) == 0},
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!keys[i].same) {
            agent_tell(agent, LOG_WARNING, "reload", now->host,
                       "%s changed in the file: restart the agent to apply it", keys[i].key);
        }
    }
}

// What may change while running, from the new configuration into the one in force.
static void change_config(struct agent *agent, const struct config *next) {
    struct config *now = &agent->config;
    struct engine_config engine_config;
    struct error error = {0};
    now->log_level = next->log_level;
    now->remove_on_exit = next->remove_on_exit;
    now->probe_interval_ns = next->probe_interval_ns;
    now->probe_timeout_ns = next->probe_timeout_ns;
    now->loss_threshold = next->loss_threshold;
    now->up_hold_ns = next->up_hold_ns;
    now->up_hold_max_ns = next->up_hold_max_ns;
    now->ecn = next->ecn;
    now->diagnosis = next->diagnosis;
    now->capacity = next->capacity;
    memcpy(now->fabric, next->fabric, sizeof(now->fabric));
    memcpy(now->secret_key_file, next->secret_key_file, sizeof(now->secret_key_file));
    memcpy(now->fleet_keys_file, next->fleet_keys_file, sizeof(now->fleet_keys_file));
    memcpy(now->algorithm, next->algorithm, sizeof(now->algorithm));
    log_set_level(agent->log, now->log_level);
    agent_engine_config(agent, engine_fabric(agent->engine), &engine_config);
    struct engine_event event = {.kind = ENGINE_CONFIG, .config = &engine_config};
    if (agent_step(agent, &event, &error) != 0) {
        agent_tell(agent, LOG_WARNING, "reload", now->host, "%s", error.text);
    }
}

void agent_reload(struct agent *agent) {
    struct config next;
    struct error error = {0};
    if (log_reopen(agent->log, &error) != 0) {
        agent_tell(agent, LOG_WARNING, "reload", agent->config.host, "%s", error.text);
    }
    if (config_load(agent->config.source, log_complaint, agent, &next) != 0) {
        agent_tell(agent, LOG_WARNING, "reload", agent->config.host,
                   "the old configuration stays in force");
        return;
    }
    name_fixed_keys(agent, &next);
    memcpy(next.host, agent->config.host, sizeof(next.host)); // the name is for life
    change_keys(agent, &next);
    offer_fabric(agent, &next);
    change_config(agent, &next);
    change_seeds(agent, &next);
    config_fini(&next);
    agent_tell(agent, LOG_INFO, "reload", agent->config.host, "configuration read anew");
}
