// SPDX-License-Identifier: Apache-2.0
// rules: what the NIC of each port holds. paths: all ways between two ports.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "pathalg/candidates.h"

#define EXIT_FAILED 1

static json_t *integer(uint64_t value) {
    return json_integer((json_int_t)value);
}

// ---- rules

struct counters {
    const struct rule_set *set;
    uint32_t *first; // of each rule, in `values`
    struct nic_counter *values;
};

static const struct rule *find_rule(const struct rule_set *set, const struct rule_match *match) {
    uint32_t low = 0, high = set->rule_count;
    while (low < high) { // the set is sealed: sorted by match
        uint32_t middle = low + (high - low) / 2;
        int order = rule_match_compare(&set->rules[middle].match, match);
        if (order == 0) {
            return &set->rules[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

static void take_counter(void *context, const struct nic_counter *counter) {
    struct counters *counters = context;
    const struct rule *rule = find_rule(counters->set, &counter->match);
    if (rule != NULL && counter->path < rule->path_count) {
        counters->values[counters->first[rule - counters->set->rules] + counter->path] = *counter;
    }
}

static bool read_counters(struct nic *nic, struct counters *out) {
    const struct rule_set *set = &nic->applied;
    uint32_t total = 0;
    *out = (struct counters){.set = set};
    out->first = calloc((size_t)set->rule_count + 1, sizeof(*out->first));
    for (uint32_t i = 0; out->first != NULL && i < set->rule_count; i++) {
        out->first[i] = total;
        total += set->rules[i].path_count;
    }
    out->values = calloc((size_t)total + 1, sizeof(*out->values));
    if (out->first == NULL || out->values == NULL) {
        return false;
    }
    (void)nic->driver->counters(nic, take_counter, out); // a NIC that cannot count shows zeros
    return true;
}

static json_t *destination_json(const uint8_t address[16]) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN] = "";
    bool ipv4 = memcmp(address, mapped, sizeof(mapped)) == 0;
    inet_ntop(ipv4 ? AF_INET : AF_INET6, ipv4 ? address + 12 : address, text, sizeof(text));
    return json_string(text);
}

static json_t *key_json(const struct rule_match *match) {
    switch ((enum rule_key)match->key_kind) {
    case RULE_KEY_DEFAULT:
        return json_string("default");
    case RULE_KEY_QP:
        return json_sprintf("qp %u", match->key);
    case RULE_KEY_SPORT:
        return json_sprintf("sport %u", match->key);
    }
    return json_string("unknown");
}

static const char *select_name(enum rule_select select) {
    static const char *const names[] = {"single", "bucket-qp", "bucket-sport", "spray"};
    return names[select];
}

static json_t *rule_json(const struct rule_set *set, const struct rule *rule,
                         const struct nic_counter *counters) {
    bool buckets = rule->select == RULE_BUCKET_QP || rule->select == RULE_BUCKET_SPORT;
    json_t *paths = json_array();
    for (uint32_t i = 0; i < rule->path_count; i++) {
        int count = 0;
        for (unsigned b = 0; buckets && b < RULE_BUCKETS; b++) {
            count += rule->bucket[b] == i;
        }
        json_array_append_new(paths,
                              json_pack("{s:o, s:i, s:o, s:o}", "sids",
                                        sids_json(&set->encaps[rule->encap[i]].sids), "buckets",
                                        count, "packets", integer(counters[i].packets), "bytes",
                                        integer(counters[i].bytes)));
    }
    return json_pack("{s:o, s:o, s:s, s:o}", "destination",
                     destination_json(rule->match.destination), "key", key_json(&rule->match),
                     "select", select_name((enum rule_select)rule->select), "paths", paths);
}

static json_t *local_sids_json(const struct rule_set *set) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < set->local_sid_count; i++) {
        char text[SID_TEXT_SIZE];
        sid_format(&set->local_sids[i], text);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

json_t *view_rules(struct agent *agent, json_t *arguments, struct control_refusal *refusal) {
    json_t *ports = json_array();
    (void)arguments;
    for (uint32_t i = 0; i < agent->port_count; i++) {
        const struct rule_set *set = &agent->nics[i]->applied;
        struct counters counters;
        char name[NAME_SIZE + 4];
        json_t *rules = json_array();
        if (!read_counters(agent->nics[i], &counters)) {
            free(counters.first);
            free(counters.values);
            json_decref(rules);
            json_decref(ports);
            return refuse(refusal, EXIT_FAILED, "the agent is out of memory");
        }
        for (uint32_t r = 0; r < set->rule_count; r++) {
            json_array_append_new(rules, rule_json(set, &set->rules[r],
                                                   &counters.values[counters.first[r]]));
        }
        free(counters.first);
        free(counters.values);
        fabric_format_port(engine_fabric(agent->engine), engine_own_port(agent->engine, i), name);
        json_array_append_new(ports, json_pack("{s:s, s:s, s:o, s:o}", "port", name, "device",
                                               agent->ports[i].device, "local_sids",
                                               local_sids_json(set), "rules", rules));
    }
    return json_pack("{s:o}", "ports", ports);
}

// ---- paths

static uint64_t path_rate_bps(const struct agent *agent, const struct path *path, bool *live) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    uint64_t least_bps = UINT64_MAX;
    *live = true;
    for (unsigned i = 0; i < path->link_count; i++) {
        struct engine_link link;
        engine_link_at(agent->engine, path->links[i], &link);
        uint64_t rate_bps = belief_rate_bps(fabric, &link.belief, path->links[i]);
        least_bps = rate_bps < least_bps ? rate_bps : least_bps;
        *live = *live && rate_bps > 0 && link.own != PROBE_DOWN;
    }
    return least_bps;
}

static bool find_end(const struct agent *agent, json_t *arguments, const char *key, port_id *out,
                     struct control_refusal *refusal) {
    const char *name = json_string_value(json_object_get(arguments, key));
    if (name == NULL || !fabric_find_port(engine_fabric(agent->engine), name, out)) {
        refuse(refusal, EXIT_FAILED, "%s: no host or port %.60s in this fabric", key,
               name != NULL ? name : "(none given)");
        return false;
    }
    return true;
}

json_t *view_paths(struct agent *agent, json_t *arguments, struct control_refusal *refusal) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    port_id src, dst;
    if (!find_end(agent, arguments, "src", &src, refusal) ||
        !find_end(agent, arguments, "dst", &dst, refusal)) {
        return NULL;
    }
    if (src.i == dst.i) {
        return refuse(refusal, EXIT_FAILED, "src and dst are the same port");
    }
    struct path *paths = calloc(CANDIDATES_MAX, sizeof(*paths));
    if (paths == NULL) {
        return refuse(refusal, EXIT_FAILED, "the agent is out of memory");
    }
    uint32_t count = candidates_find(fabric, NULL, src, dst, paths, CANDIDATES_MAX);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count && i < CANDIDATES_MAX; i++) {
        bool live;
        uint64_t rate_bps = path_rate_bps(agent, &paths[i], &live);
        json_t *one = json_pack("{s:b, s:o}", "live", live, "rate_bps", integer(rate_bps));
        path_to_json(fabric, &paths[i], one);
        json_array_append_new(list, one);
    }
    free(paths);
    return json_pack("{s:s, s:s, s:o}", "src", json_string_value(json_object_get(arguments, "src")),
                     "dst", json_string_value(json_object_get(arguments, "dst")), "paths", list);
}
