// SPDX-License-Identifier: Apache-2.0
// audit: how the live members are set up, and who is odd.
#include <stdlib.h>
#include <string.h>

#include "agent.h"

#define EXIT_FAILED 1
#define ODD_SHOWN_MAX 4096 // of one audit; the rest is counted

struct audit_list {
    const struct engine *engine;
    const struct engine_audit *audit;
    json_t *odd[HOST_SETTINGS];
    uint32_t count; // in all
};

static const char *verdict_name(enum audit_verdict verdict) {
    static const char *const names[] = {"unknown", "agreed", "odd", "split"};
    return names[verdict];
}

static json_t *ports_json(const struct engine *engine, node_id host, uint32_t ports) {
    const struct fabric *fabric = engine_fabric(engine);
    const struct fabric_node *node = &fabric->nodes[host.i];
    json_t *list = json_array();
    for (uint32_t port = 0; port < node->port_count; port++) {
        char name[NAME_SIZE + 4];
        if ((ports >> port & 1) != 0) {
            fabric_format_port(fabric, (port_id){node->first_port + port}, name);
            json_array_append_new(list, json_string(name));
        }
    }
    return list;
}

static void on_odd(void *context, enum host_setting setting, uint32_t host, uint32_t ports,
                   const char *value) {
    struct audit_list *list = context;
    node_id node = list->audit->nodes[host];
    if (list->count++ < ODD_SHOWN_MAX) {
        json_array_append_new(list->odd[setting],
                              json_pack("{s:s, s:o, s:s}", "host",
                                        engine_fabric(list->engine)->nodes[node.i].name, "ports",
                                        ports_json(list->engine, node, ports), "value", value));
    }
}

// Of all values the voters that have them: what a split is made of.
static json_t *values_json(const struct engine_audit *audit, enum host_setting setting) {
    json_t *values = json_object();
    for (uint32_t h = 0; h < audit->host_count; h++) {
        for (uint32_t i = 0; i < audit->hosts[h].fact_count; i++) {
            const struct host_fact *fact = &audit->hosts[h].facts[i];
            uint32_t ports = fact->ports & ((1U << audit->hosts[h].port_count) - 1);
            if (fact->setting == setting && (ports != 0 || !host_setting_is_of_port(setting))) {
                json_int_t more = ports == 0 ? 1 : __builtin_popcount(ports);
                json_int_t before = json_integer_value(json_object_get(values, fact->value));
                json_object_set_new(values, fact->value, json_integer(before + more));
            }
        }
    }
    return values;
}

static json_t *setting_json(const struct engine_audit *audit, enum host_setting setting,
                            json_t *odd) {
    const struct audit_setting *judged = &audit->settings[setting];
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:o}", "setting",
                     host_setting_name(setting), "verdict", verdict_name(judged->verdict), "common",
                     judged->common != NULL ? json_string(judged->common) : json_null(),
                     "common_count", (json_int_t)judged->common_count, "known",
                     (json_int_t)judged->known, "unknown", (json_int_t)judged->unknown, "values",
                     values_json(audit, setting), "odd", odd);
}

static json_t *audit_json(struct audit_list *list) {
    const struct engine_audit *audit = list->audit;
    json_t *settings = json_array(), *silent = json_array();
    uint32_t split = 0;
    for (unsigned s = 0; s < HOST_SETTINGS; s++) {
        split += audit->settings[s].verdict == AUDIT_SPLIT;
        json_array_append_new(settings, setting_json(audit, s, list->odd[s]));
    }
    for (uint32_t i = 0; i < audit->silent_count; i++) {
        const struct fabric *fabric = engine_fabric(list->engine);
        json_array_append_new(silent, json_string(fabric->nodes[audit->silent[i].i].name));
    }
    return json_pack("{s:b, s:I, s:I, s:I, s:o, s:o}", "consistent", list->count == 0 && split == 0,
                     "hosts", (json_int_t)audit->host_count, "odd_count", (json_int_t)list->count,
                     "split_count", (json_int_t)split, "settings", settings, "silent", silent);
}

json_t *view_audit(struct agent *agent, json_t *arguments, struct control_refusal *refusal) {
    struct engine_audit audit;
    struct audit_setting again[HOST_SETTINGS];
    struct audit_list list = {.engine = agent->engine, .audit = &audit};
    (void)arguments;
    if (engine_audit(agent->engine, &audit) != 0) {
        return refuse(refusal, EXIT_FAILED, "no memory to compare the hosts");
    }
    for (unsigned s = 0; s < HOST_SETTINGS; s++) {
        list.odd[s] = json_array();
    }
    int rc = host_audit(audit.hosts, audit.host_count, again, on_odd, &list);
    json_t *out = audit_json(&list);
    engine_audit_fini(&audit);
    if (rc != 0) {
        json_decref(out);
        return refuse(refusal, EXIT_FAILED, "no memory to compare the hosts");
    }
    return out;
}
