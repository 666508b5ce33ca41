// SPDX-License-Identifier: Apache-2.0
// What peers and operators say: members, link reports, orders. Values are decoded and checked whole
// before they count.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

int learn_init(struct engine *engine) {
    engine->hosts = calloc(engine->fabric->host_count, sizeof *engine->hosts);
    engine->links = calloc(fabric_link_count(engine->fabric), sizeof *engine->links);
    int rc = history_init(&engine->history, fabric_link_count(engine->fabric),
                          engine->config.history_links);
    return engine->hosts == NULL || engine->links == NULL ? -ENOMEM : rc;
}

void learn_fini(struct engine *engine) {
    for (uint32_t i = 0; engine->hosts != NULL && i < engine->fabric->host_count; i++) {
        free(engine->hosts[i].bindings);
        free(engine->hosts[i].pods);
    }
    for (uint32_t i = 0; engine->links != NULL && i < fabric_link_count(engine->fabric); i++) {
        free(engine->links[i].reports);
        free(engine->links[i].accounts);
    }
    history_fini(&engine->history);
    free(engine->hosts);
    free(engine->links);
    engine->hosts = NULL;
    engine->links = NULL;
}

static struct host_view *find_host(struct engine *engine, const char *name, node_id *out) {
    node_id node;
    if (!fabric_find_node(engine->fabric, name, &node) || node.i >= engine->fabric->host_count) {
        return NULL;
    }
    *out = node;
    return &engine->hosts[node.i];
}

// ---- members

static const char *state_name(enum gossip_state state) {
    switch (state) {
    case GOSSIP_ALIVE:
        return "alive";
    case GOSSIP_SUSPECT:
        return "suspect";
    case GOSSIP_DEAD:
        return "dead";
    case GOSSIP_LEFT:
        return "left";
    }
    return "unknown";
}

static void learn_member_state(struct engine *engine, const char *name, enum gossip_state state) {
    node_id node;
    struct host_view *host = find_host(engine, name, &node);
    engine_note(engine, state == GOSSIP_DEAD ? NOTE_WARNING : NOTE_INFO, "member_state", name,
                "%s is %s", name, state_name(state));
    jobs_origin_state(engine, name, state);
    engine->hosts_changed = true;
    audit_changed(engine);
    if (host == NULL) {
        engine_note(engine, NOTE_WARNING, "foreign_host", name,
                    "%s is a member but no host of fabric %s", name, engine->fabric->name);
        return;
    }
    host->known = true;
    host->state = state;
}

static void note_mismatch(struct engine *engine, const char *name, struct host_view *host) {
    const struct fabric *own = engine->fabric;
    bool mismatch = host->facts.fabric_generation == own->generation &&
                    memcmp(host->facts.fabric_digest, own->digest, sizeof own->digest) != 0;
    if (mismatch && !host->mismatch_noted) {
        engine_note(
            engine, NOTE_ALARM, "fabric_mismatch", name,
            "%s has another fabric file of the same generation %llu; compare the files, raise "
            "the generation",
            name, (unsigned long long)own->generation);
    }
    host->mismatch_noted = mismatch;
}

static void learn_member_facts(struct engine *engine, const char *name, const void *value,
                               size_t size) {
    node_id node;
    struct host_view *host = find_host(engine, name, &node);
    struct member_facts facts;
    if (host == NULL || value == NULL) {
        return; // facts outlive the agent
    }
    if (member_facts_decode(value, size, &facts) != 0) {
        engine->stats.bad_facts++;
        return;
    }
    if (!host->known) {
        struct gossip_member member;
        host->known = gossip_find_member(engine->gossip, name, &member);
        host->state = host->known ? member.state : GOSSIP_DEAD;
    }
    host->facts = facts;
    host->has_facts = true;
    note_mismatch(engine, name, host);
    engine->hosts_changed = true;
}

// ---- all together

static void learn_report(struct engine *engine, const char *origin, const char *key,
                         const void *value, size_t size) {
    node_id observer;
    if (find_host(engine, origin, &observer) == NULL) {
        engine->stats.bad_facts++;
    } else {
        votes_learn(engine, observer, key, value, size);
    }
}

static void learn_record(struct engine *engine, const char *origin, enum gossip_table table,
                         const char *key, const void *value, size_t size) {
    switch (table) {
    case GOSSIP_TABLE_MEMBER:
        learn_member_facts(engine, origin, value, size);
        break;
    case GOSSIP_TABLE_LINK:
        learn_report(engine, origin, key, value, size);
        break;
    case GOSSIP_TABLE_JOB:
        jobs_learn(engine, origin, key, value, size);
        break;
    case GOSSIP_TABLE_RANK:
        if (key[0] == '#') {
            pods_learn(engine, origin, key, value, size);
        } else {
            jobs_learn_binding(engine, origin, key, value, size);
        }
        break;
    case GOSSIP_TABLE_DRAIN:
        learn_order_record(engine, origin, key, value, size);
        break;
    case GOSSIP_TABLE_HOST:
        audit_changed(engine);
        break;
    case GOSSIP_TABLE_CORE:
    case GOSSIP_TABLE_COUNT:
        break;
    }
}

void learn_gossip(struct engine *engine) {
    struct gossip_change change;
    while (gossip_take_change(engine->gossip, &change)) {
        switch (change.kind) {
        case GOSSIP_RECORD:
            learn_record(engine, change.origin, change.table, change.key, change.value,
                         change.size);
            break;
        case GOSSIP_MEMBER_STATE:
            learn_member_state(engine, change.origin, change.state);
            break;
        case GOSSIP_ALARM_DUPLICATE:
            engine_note(engine, NOTE_ALARM, "duplicate_host", change.origin,
                        "two running agents call themselves %s; rename one", change.origin);
            break;
        case GOSSIP_ALARM_FORGED:
            engine_note(engine, NOTE_ALARM, "forged_state", change.origin,
                        "%s passes on facts that their hosts did not sign; compare the key lists",
                        change.origin);
            break;
        case GOSSIP_ALARM_VERSION:
            engine_note(engine, NOTE_ALARM, "gossip_version", change.origin,
                        "%s speaks no version of the gossip protocol that this agent knows",
                        change.origin);
            break;
        }
    }
    loads_learn(engine);
}

struct replay {
    struct engine *engine;
    enum gossip_table table;
};

static void replay_record(void *context, const char *origin, const char *key, const void *value,
                          size_t size) {
    struct replay *replay = context;
    if (strcmp(origin, replay->engine->config.host) != 0 || replay->table == GOSSIP_TABLE_LINK) {
        learn_record(replay->engine, origin, replay->table, key, value, size);
    }
}

void learn_all(struct engine *engine) {
    for (uint32_t i = 0; i < gossip_member_count(engine->gossip); i++) {
        struct gossip_member member;
        node_id node;
        if (gossip_member_at(engine->gossip, i, &member)) {
            struct host_view *host = find_host(engine, member.name, &node);
            if (host != NULL) {
                host->known = true;
                host->state = member.state;
            }
        }
    }
    static const enum gossip_table tables[] = {GOSSIP_TABLE_MEMBER, GOSSIP_TABLE_LINK,
                                               GOSSIP_TABLE_RANK};
    for (unsigned i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        struct replay replay = {engine, tables[i]};
        gossip_each(engine->gossip, tables[i], replay_record, &replay);
    }
    engine->hosts_changed = engine->evidence_changed = engine->orders_changed = true;
    engine->jobs_changed = true;
    audit_forget(engine);
}
