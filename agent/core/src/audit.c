// SPDX-License-Identifier: Apache-2.0
// How hosts are set up: our own facts into the gossip core, and who of the live members is odd.
// What others say lies in the core as it came and is decoded only when it is compared; a change is
// looked at once no other has come for a while, so that a fleet that starts or is being changed
// host by host is not told of step by step. No route depends on any of it.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "model/time.h"
#include "state.h"

#define FACTS_KEY "settings"
#define QUIET_NS (3 * NS_PER_S)     // without a change until it is looked at
#define PATIENCE_NS (30 * NS_PER_S) // at most, when changes do not end
#define LISTED_SIZE 64              // of the names of ports in a sentence

static uint64_t hash_text(const char *text) {
    return hash_bytes(text, strlen(text), 0);
}

// ---- our own

int audit_tell_own(struct engine *engine, const struct host_facts *facts, struct error *error) {
    size_t capacity = (size_t)HOST_FACTS_MAX * (HOST_VALUE_SIZE + 16);
    uint8_t *bytes = malloc(capacity);
    if (bytes == NULL) {
        return error_set(error, -ENOMEM, "no memory for this host's settings");
    }
    ssize_t size = host_facts_encode(facts, bytes, capacity);
    int rc = size < 0 ? (int)size
                      : gossip_put(engine->gossip, engine->now_ns, GOSSIP_TABLE_HOST, FACTS_KEY,
                                   bytes, (size_t)size);
    free(bytes);
    if (rc != 0) {
        return error_set(error, rc, "this host's settings are not told: %s", code_text(rc));
    }
    audit_changed(engine);
    return 0;
}

// ---- all

// False: it says nothing of itself, or nothing that can be read.
static bool add_host(const struct engine *engine, node_id node, struct host_facts *scratch,
                     struct engine_audit *audit) {
    size_t size = 0;
    const void *value = gossip_find(engine->gossip, engine->fabric->nodes[node.i].name,
                                    GOSSIP_TABLE_HOST, FACTS_KEY, &size);
    if (value == NULL || host_facts_decode(value, size, scratch) != 0 || scratch->count == 0) {
        return false;
    }
    struct host_fact *facts = calloc(scratch->count, sizeof *facts);
    if (facts == NULL) {
        return false;
    }
    memcpy(facts, scratch->facts, scratch->count * sizeof *facts);
    audit->nodes[audit->host_count] = node;
    audit->hosts[audit->host_count++] =
        (struct audit_host){engine->fabric->nodes[node.i].port_count, scratch->count, facts};
    return true;
}

static uint32_t live_count(const struct engine *engine) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < engine->fabric->host_count; i++) {
        count += i == engine->self.i || host_is_live(&engine->hosts[i]);
    }
    return count;
}

static int collect(const struct engine *engine, struct engine_audit *out) {
    uint32_t most = live_count(engine);
    *out = (struct engine_audit){.hosts = calloc(most, sizeof *out->hosts),
                                 .nodes = calloc(most, sizeof *out->nodes),
                                 .silent = calloc(most, sizeof *out->silent)};
    struct host_facts *scratch = calloc(1, sizeof *scratch);
    if (out->hosts == NULL || out->nodes == NULL || out->silent == NULL || scratch == NULL) {
        free(scratch);
        engine_audit_fini(out);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < engine->fabric->host_count; i++) {
        bool live = i == engine->self.i || host_is_live(&engine->hosts[i]);
        if (live && !add_host(engine, (node_id){i}, scratch, out)) {
            out->silent[out->silent_count++] = (node_id){i};
        }
    }
    free(scratch);
    return 0;
}

void engine_audit_fini(struct engine_audit *audit) {
    for (uint32_t i = 0; i < audit->host_count; i++) {
        free((void *)audit->hosts[i].facts);
    }
    free(audit->hosts);
    free(audit->nodes);
    free(audit->silent);
    *audit = (struct engine_audit){.host_count = 0};
}

int engine_audit(const struct engine *engine, struct engine_audit *out) {
    struct engine_audit audit;
    int rc = collect(engine, &audit);
    if (rc == 0 &&
        (rc = host_audit(audit.hosts, audit.host_count, audit.settings, NULL, NULL)) != 0) {
        engine_audit_fini(&audit);
    }
    if (rc == 0) {
        *out = audit;
    }
    return rc;
}

// ---- what has changed

struct comparison {
    struct engine *engine;
    const struct engine_audit *audit;
    struct odd_port odd[ODD_MAX];
    uint32_t odd_count;
    uint32_t split;
};

static bool is_among(const struct odd_port *list, uint32_t count, const struct odd_port *one) {
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].setting == one->setting && list[i].host.i == one->host.i &&
            list[i].ports == one->ports && list[i].value_hash == one->value_hash &&
            list[i].common_hash == one->common_hash) {
            return true;
        }
    }
    return false;
}

// "h3", "h3.0 h3.2": the host, or those of its ports that are meant.
static void format_ports(const struct fabric *fabric, node_id host, uint32_t ports,
                         char text[LISTED_SIZE]) {
    const struct fabric_node *node = &fabric->nodes[host.i];
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t port = 0; port < node->port_count && used < LISTED_SIZE; port++) {
        char name[NAME_SIZE + 4];
        if ((ports >> port & 1) != 0) {
            fabric_format_port(fabric, (port_id){node->first_port + port}, name);
            used += (size_t)snprintf(text + used, LISTED_SIZE - used, "%s%s", used > 0 ? " " : "",
                                     name);
        }
    }
    if (used == 0 || used >= LISTED_SIZE) {
        snprintf(text, LISTED_SIZE, "%s", node->name);
    }
}

static void on_odd(void *context, enum host_setting setting, uint32_t host, uint32_t ports,
                   const char *value) {
    struct comparison *now = context;
    struct engine *engine = now->engine;
    const struct audit_setting *judged = &now->audit->settings[setting];
    struct odd_port one = {setting, now->audit->nodes[host], ports, hash_text(value),
                           hash_text(judged->common)};
    if (now->odd_count == ODD_MAX) {
        return;
    }
    now->odd[now->odd_count++] = one;
    if (!is_among(engine->audit.odd, engine->audit.odd_count, &one)) {
        char text[LISTED_SIZE];
        format_ports(engine->fabric, one.host, ports, text);
        engine_note(engine, NOTE_WARNING, "qos_odd", engine->fabric->nodes[one.host.i].name,
                    "%s: %s is %s; %u of %u have %s", text, host_setting_name(setting), value,
                    judged->common_count, judged->known, judged->common);
    }
}

static bool still_differs(const struct comparison *now, const struct odd_port *before) {
    for (uint32_t i = 0; i < now->odd_count; i++) {
        if (now->odd[i].setting == before->setting && now->odd[i].host.i == before->host.i) {
            return true;
        }
    }
    return false;
}

static void tell_ended(struct engine *engine, const struct comparison *now) {
    for (uint32_t i = 0; i < engine->audit.odd_count; i++) {
        const struct odd_port *before = &engine->audit.odd[i];
        if (now->odd_count < ODD_MAX && !still_differs(now, before)) {
            engine_note(engine, NOTE_INFO, "qos_agreed", engine->fabric->nodes[before->host.i].name,
                        "%s of %s is not odd any more", host_setting_name(before->setting),
                        engine->fabric->nodes[before->host.i].name);
        }
    }
}

static void tell_split(struct engine *engine, struct comparison *now) {
    for (unsigned s = 0; s < HOST_SETTINGS; s++) {
        const struct audit_setting *judged = &now->audit->settings[s];
        if (judged->verdict != AUDIT_SPLIT) {
            continue;
        }
        now->split |= 1U << s;
        if ((engine->audit.split >> s & 1) == 0) {
            engine_note(engine, NOTE_WARNING, "qos_split", host_setting_name(s),
                        "%s: %u values among %u, none of them that of most (the most frequent is "
                        "%s, of %u)",
                        host_setting_name(s), judged->value_count, judged->known, judged->common,
                        judged->common_count);
        }
    }
}

static void compare(struct engine *engine, const struct engine_audit *audit) {
    struct comparison *now = calloc(1, sizeof *now);
    struct audit_setting settings[HOST_SETTINGS];
    if (now == NULL) {
        return;
    }
    *now = (struct comparison){.engine = engine, .audit = audit};
    if (host_audit(audit->hosts, audit->host_count, settings, on_odd, now) == 0) {
        tell_split(engine, now);
        tell_ended(engine, now);
        memcpy(engine->audit.odd, now->odd, sizeof now->odd);
        engine->audit.odd_count = now->odd_count;
        engine->audit.split = now->split;
    }
    free(now);
}

void audit_changed(struct engine *engine) {
    struct audit_state *state = &engine->audit;
    if (state->due_at_ns == NEVER_NS) {
        state->changed_at_ns = engine->now_ns;
    }
    uint64_t latest = state->changed_at_ns + PATIENCE_NS, quiet = engine->now_ns + QUIET_NS;
    state->due_at_ns = quiet < latest ? quiet : latest;
}

void audit_forget(struct engine *engine) {
    engine->audit.odd_count = engine->audit.split = 0;
    audit_changed(engine);
}

// Called now and then: being a second late does not matter.
void audit_work(struct engine *engine) {
    struct engine_audit audit;
    if (engine->now_ns < engine->audit.due_at_ns || engine_audit(engine, &audit) != 0) {
        return;
    }
    engine->audit.due_at_ns = NEVER_NS;
    compare(engine, &audit);
    engine_audit_fini(&audit);
}

void engine_audit_sums(const struct engine *engine, struct engine_audit_sums *out) {
    const struct audit_state *state = &engine->audit;
    *out = (struct engine_audit_sums){.odd = {0}};
    for (uint32_t i = 0; i < state->odd_count; i++) {
        bool counted = false; // a host may have several odd ports
        for (uint32_t k = 0; k < i && !counted; k++) {
            counted = state->odd[k].setting == state->odd[i].setting &&
                      state->odd[k].host.i == state->odd[i].host.i;
        }
        out->odd[state->odd[i].setting] += !counted;
    }
    for (unsigned s = 0; s < HOST_SETTINGS; s++) {
        out->split[s] = (state->split >> s & 1) != 0;
    }
}
