// SPDX-License-Identifier: Apache-2.0
// /livez, /readyz, /startupz:
//
//   [+]gossip: joined
//   [-]nic eth1: eth1: no srv6-holder serves /run/srv6/holder.sock: start it
//   readyz check failed
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"

struct health_text {
    char *text;
    size_t size, length;
    bool good;
};

static void add(struct health_text *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct health_text *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out->text + out->length, out->size - out->length, format, arguments);
    va_end(arguments);
    size_t left = out->size - out->length - 1;
    out->length += length < 0 ? 0 : (size_t)length < left ? (size_t)length : left;
}

static void check(struct health_text *out, bool good, const char *name, const char *reason) {
    out->good = out->good && good;
    add(out, "[%c]%s: %s\n", good ? '+' : '-', name, reason);
}

static void check_nic(const struct agent *agent, uint32_t port, bool good, const char *yes,
                      const char *no, struct health_text *out) {
    const struct error *trouble = &agent->trouble[port].error;
    char name[sizeof("nic ") + IFNAMSIZ];
    snprintf(name, sizeof(name), "nic %s", agent->ports[port].device);
    check(out, good, name, good ? yes : trouble->code != 0 ? trouble->text : no);
}

static void check_gossip(const struct agent *agent, struct health_text *out) {
    bool joined = gossip_joined(engine_gossip(agent->engine));
    bool alone = !config_has_seeds(&agent->config);
    char problem[SEEDS_PROBLEM_SIZE];
    const char *reason = seeds_problem(agent->seeds, problem);
    check(out, joined, "gossip",
          joined              ? (alone ? "alone, as configured" : "joined")
          : alone             ? "still listening"
          : reason[0] != '\0' ? reason
                              : "no seed has answered yet (gossip.seeds)");
}

// This is answered by the loop: that it is says that the loop turns.
static const char *check_live(struct health_text *out) {
    check(out, true, "loop", "turns");
    return "livez";
}

static const char *check_started(const struct agent *agent, struct health_text *out) {
    check(out, true, "config", agent->config.source);
    check(out, true, "fabric", engine_fabric(agent->engine)->name);
    for (uint32_t i = 0; i < agent->port_count; i++) {
        check_nic(agent, i, (agent->nic_opened >> i & 1) != 0, "opened", "not open yet", out);
    }
    return "startupz";
}

static const char *check_ready(const struct agent *agent, struct health_text *out) {
    check_gossip(agent, out);
    for (uint32_t i = 0; i < agent->port_count; i++) {
        check_nic(agent, i, (agent->nic_good >> i & 1) != 0, "rules applied",
                  "its rules are not applied yet", out);
    }
    check(out, agent->probe != NULL, "probes",
          agent->probe != NULL ? "open" : "cannot be opened: see the log");
    if (agent->stopping) {
        check(out, false, "agent", "is stopping");
    }
    return "readyz";
}

bool agent_health(const struct agent *agent, enum health which, char text[HEALTH_TEXT_SIZE]) {
    struct health_text out = {text, HEALTH_TEXT_SIZE, 0, true};
    const char *name = which == HEALTH_LIVE      ? check_live(&out)
                       : which == HEALTH_STARTED ? check_started(agent, &out)
                                                 : check_ready(agent, &out);
    add(&out, "%s check %s\n", name, out.good ? "passed" : "failed");
    return out.good;
}
