// SPDX-License-Identifier: Apache-2.0
// The agent's NICs: opened, reviewed, closed. A slow driver's is behind a worker (nic_worker.h).
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "agent_shell/clock.h"
#include "model/time.h"
#include "nic_worker.h"

#define OPEN_PATIENCE_MS 2000   // to learn what is in place before the first rules are made
#define CLOSE_PATIENCE_MS 10000 // for the last set and its removal
#define SAY_AGAIN_NS (60 * NS_PER_S)

void agent_nic_failed(struct agent *agent, uint32_t port, const struct error *error) {
    struct nic_trouble *trouble = &agent->trouble[port];
    uint64_t now_ns = clock_now_ns();
    bool said = trouble->error.code != 0 && strcmp(trouble->error.text, error->text) == 0 &&
                now_ns - trouble->said_at_ns < SAY_AGAIN_NS;
    agent->nic_failed |= 1U << port;
    if (!said) { // it is tried again several times a second
        trouble->error = *error;
        trouble->said_at_ns = now_ns;
        agent_tell(agent, LOG_WARNING, "nic_failed", agent->nics[port]->device, "%s", error->text);
    }
}

void agent_nic_applied(struct agent *agent, uint32_t port) {
    agent->nic_applied |= ~agent->nic_good & 1U << port;
    if (agent->trouble[port].error.code != 0) {
        agent->trouble[port].error = (struct error){0};
        agent_tell(agent, LOG_INFO, "nic_restored", agent->nics[port]->device,
                   "%u rules are in place", agent->nics[port]->applied.rule_count);
    }
}

static void tell_adopted(struct agent *agent, uint32_t port) {
    if (agent->nics[port]->applied.rule_count > 0) {
        agent_tell(agent, LOG_INFO, "rules_adopted", agent->nics[port]->device,
                   "%u rules were in place", agent->nics[port]->applied.rule_count);
    }
}

// ---- a worker's news

static void tell_capabilities(struct agent *agent) {
    struct engine_config config;
    agent_engine_config(agent, engine_fabric(agent->engine), &config);
    struct engine_event event = {.kind = ENGINE_CONFIG, .config = &config};
    (void)agent_step(agent, &event, NULL);
}

static void take_news(struct agent *agent, uint32_t port, const struct nic_news *news) {
    if (news->applied) {
        agent_nic_applied(agent, port);
    }
    if (news->failed) {
        agent_nic_failed(agent, port, &news->error);
        if (news->lost) {
            agent->nic_failed &= ~(1U << port);
            agent->nic_lost |= 1U << port;
        }
    }
}

void agent_review_nic(struct agent *agent, uint32_t port) {
    struct nic_news news;
    if (!nic_worker_take(agent->nics[port], &news)) {
        return;
    }
    agent->nic_opened |= (uint32_t)news.opened << port;
    if (news.opened && !news.applied) {
        tell_adopted(agent, port);
    }
    take_news(agent, port, &news);
    agent_tell_nics(agent);
    if (news.opened) {
        tell_capabilities(agent);
    }
}

// ---- opening and closing

static struct nic_options options_of(const struct config *config, const char *device,
                                     const char *pin_dir) {
    struct nic_options options = {.device = device, .pin_dir = pin_dir, .holder = config->holder};
    for (uint32_t i = 0; i < config->port_count; i++) {
        if (strcmp(config->ports[i].device, device) == 0) {
            options.eswitch = config->ports[i].eswitch;
        }
    }
    return options;
}

static int open_nic(struct agent *agent, uint32_t port, struct error *error) {
    const struct config *config = &agent->config;
    const struct nic_driver *driver = nic_driver_find(config->nic_driver);
    const char *device = agent->ports[port].device;
    char pins[CONFIG_PATH_SIZE + IFNAMSIZ + 1];
    bool own = config->pin_dir[0] != '\0' && agent->port_count > 1; // a folder for each port
    snprintf(pins, sizeof(pins), "%s%s%s", config->pin_dir, own ? "/" : "", own ? device : "");
    struct nic_options options = options_of(config, device, pins);
    return driver != NULL && driver->slow
               ? nic_worker_open(driver, &options, &agent->nics[port], error)
               : nic_open(config->nic_driver, &options, &agent->nics[port], error);
}

// A NIC that cannot be opened yet does not keep the agent from gossiping: its first set will fail,
// and be tried again.
static void await_worker(struct agent *agent, uint32_t port) {
    struct nic_news news;
    nic_worker_await(agent->nics[port], OPEN_PATIENCE_MS);
    if (nic_worker_take(agent->nics[port], &news)) {
        agent->nic_opened |= (uint32_t)news.opened << port;
        if (news.failed) {
            agent_nic_failed(agent, port, &news.error);
        }
    }
    agent->nic_failed = 0; // there is no engine yet to be told
}

int agent_open_nics(struct agent *agent, struct error *error) {
    for (uint32_t i = 0; i < agent->port_count; i++) {
        int rc = open_nic(agent, i, error);
        if (rc != 0) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < agent->port_count; i++) {
        if (nic_is_worker(agent->nics[i])) {
            await_worker(agent, i);
        } else {
            agent->nic_opened |= 1U << i;
        }
        tell_adopted(agent, i);
    }
    return 0;
}

void agent_close_nics(struct agent *agent, bool remove_rules) {
    for (uint32_t i = 0; i < agent->port_count; i++) {
        struct nic *nic = agent->nics[i];
        if (nic == NULL || !nic_is_worker(nic)) {
            nic_close(nic, remove_rules);
        } else if (nic_worker_close(nic, remove_rules, CLOSE_PATIENCE_MS) != 0) {
            agent_tell(agent, LOG_ALARM, "nic_busy", agent->ports[i].device,
                       "the driver does not return; its rules are left as they are");
        }
        agent->nics[i] = NULL;
    }
}
