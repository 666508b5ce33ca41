// SPDX-License-Identifier: Apache-2.0
// The story: an event and the time come in; what it changes is merged; members are judged by what
// is known then; our own answer is written; what is new goes out. Each event runs these stages in
// this order and nothing calls back.
#include "gossip/gossip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

// ---- construction

static uint64_t or_default(uint64_t value, uint64_t fallback) {
    return value != 0 ? value : fallback;
}

static bool is_text(const char *text, size_t size, bool may_be_empty) {
    struct mp_text held = {text, (uint32_t)strnlen(text, size)};
    return held.size < size && (may_be_empty || held.size > 0) && mp_text_is_printable(held);
}

static int check_config(const struct gossip_config *config, struct error *error) {
    if (!is_text(config->name, sizeof config->name, false)) {
        return error_set(error, -EINVAL, "gossip: the host's name is empty or not printable");
    }
    if (!is_text(config->address, sizeof config->address, false)) {
        return error_set(error, -EINVAL, "gossip: %s: address is empty or not printable",
                         config->name);
    }
    if (!is_text(config->rack, sizeof config->rack, true)) {
        return error_set(error, -EINVAL, "gossip: %s: rack is not printable", config->name);
    }
    if (config->neighbours > NEIGHBOURS_MAX) {
        return error_set(error, -EINVAL, "gossip: %u neighbours; at most %d", config->neighbours,
                         NEIGHBOURS_MAX);
    }
    if (config->last_incarnation >= INCARNATION_MAX - 1) {
        return error_set(error, -EINVAL, "gossip: %s: incarnation %u cannot be outbid",
                         config->name, config->last_incarnation);
    }
    if (config->protocol_max != 0 && (config->protocol_max < GOSSIP_PROTOCOL_MIN ||
                                      config->protocol_max >= GOSSIP_PROTOCOL_MIN + PROTOCOLS)) {
        return error_set(error, -EINVAL, "gossip: %s: protocol version %u is not known",
                         config->name, config->protocol_max);
    }
    return 0;
}

static void fill_defaults(struct gossip_config *config) {
    config->neighbours = (uint32_t)or_default(config->neighbours, GOSSIP_NEIGHBOURS);
    config->protocol_max = (uint32_t)or_default(config->protocol_max, GOSSIP_PROTOCOL_VERSION);
    config->ping_interval_ns = or_default(config->ping_interval_ns, 400 * NS_PER_MS);
    config->ping_timeout_ns = or_default(config->ping_timeout_ns, 480 * NS_PER_MS);
    config->dead_after_ns = or_default(config->dead_after_ns, 200 * NS_PER_MS);
    config->digest_interval_ns = or_default(config->digest_interval_ns, NS_PER_S);
    config->listen_ns = or_default(config->listen_ns, 200 * NS_PER_MS);
    config->tombstone_ns = or_default(config->tombstone_ns, TOMBSTONE_NS);
    config->serve_dead_ns = or_default(config->serve_dead_ns, SERVE_DEAD_NS);
    config->forget_ns = or_default(config->forget_ns, FORGET_NS);
}

static void start_timers(struct gossip *gossip) {
    const struct gossip_config *config = &gossip->config;
    // Members that started together do not ping together. All are pinged within an interval.
    gossip->ping_at_ns =
        gossip->now_ns + rng_below(&gossip->rng, config->ping_interval_ns / PING_SLOTS);
    gossip->digest_at_ns = gossip->now_ns + rng_below(&gossip->rng, config->digest_interval_ns);
    gossip->contact_at_ns = gossip->now_ns;
    gossip->tell_at_ns = gossip->retry_at_ns = gossip->ask_at_ns = NEVER_NS;
    gossip->recheck_at_ns = NEVER_NS;
    gossip->next_seed = (uint32_t)rng_below(&gossip->rng, GOSSIP_SEEDS_MAX);
    gossip->trusted_from_ns = gossip->now_ns;
    gossip->serve_at_ns = gossip->now_ns;
    gossip->serve_tokens = SERVE_BURST;
}

int gossip_open(const struct gossip_config *config, uint64_t now_ns, struct gossip **out,
                struct error *error) {
    int checked = check_config(config, error);
    if (checked != 0) {
        return checked;
    }
    checked = base_check(config, error);
    if (checked != 0) {
        return checked;
    }
    struct gossip *gossip = calloc(1, sizeof *gossip);
    if (gossip == NULL) {
        return error_set(error, -ENOMEM, "gossip: out of memory");
    }
    gossip->config = *config;
    gossip->config.seeds = NULL;
    fill_defaults(&gossip->config);
    gossip->ring_count = (gossip->config.neighbours + 1) / 2;
    gossip->now_ns = now_ns;
    rng_init(&gossip->rng, config->seed);
    gossip->hash_seed = rng_next(&gossip->rng);
    mp_write_growing(&gossip->batch);
    int rc = store_init(gossip) != 0 || base_open(gossip) != 0 || own_init(gossip) != 0
                 ? error_set(error, -ENOMEM, "gossip: out of memory")
                 : seeds_init(gossip, config, error);
    if (rc != 0) {
        gossip_close(gossip);
        return rc;
    }
    start_timers(gossip);
    *out = gossip;
    return 0;
}

void gossip_close(struct gossip *gossip) {
    if (gossip == NULL) {
        return;
    }
    outbox_fini(gossip);
    loads_fini(gossip);
    scopes_fini(gossip);
    store_fini(gossip);
    merge_fini(gossip);
    base_fini(gossip);
    for (uint32_t z = 0; z < gossip->ring_count; z++) {
        free(gossip->rings[z]);
    }
    free(gossip->members);
    free(gossip->voted);
    free(gossip->summary);
    free(gossip->wants);
    free(gossip->seeds);
    free(gossip->batch.bytes);
    free(gossip);
}

// ---- events

static void begin(struct gossip *gossip, uint64_t now_ns) {
    store_bury(gossip);
    watch_time(gossip, now_ns);
    gossip->answer_version = members_version(gossip);
}

// What an event led to: judge, answer, tell.
static void finish(struct gossip *gossip) {
    members_evaluate_all(gossip);
    if (gossip->dead_dirty) {
        watch_dead(gossip);
    }
    watch_refute(gossip);
    if (gossip->overlay_dirty) {
        overlay_refresh(gossip);
    }
    push_own(gossip);
    repair_arm(gossip);
    gossip->envelope = NULL;
}

static void receive_section(struct gossip *gossip, const struct wire_envelope *envelope,
                            const struct wire_section *section) {
    switch (section->kind) {
    case SECTION_PUSH:
        push_receive(gossip, envelope, section);
        break;
    case SECTION_DATA:
        repair_data(gossip, envelope, section);
        break;
    case SECTION_HAVE:
        repair_haves(gossip, envelope, section);
        break;
    case SECTION_WANT:
        serve_want(gossip, envelope, section);
        break;
    case SECTION_DIGEST:
        serve_digest(gossip, envelope, section);
        break;
    case SECTION_BUCKETS:
        repair_buckets(gossip, envelope, section);
        break;
    case SECTION_ACCUSE:
        watch_accused(gossip, section->life);
        break;
    case SECTION_SUM:
        repair_sum(gossip, envelope, section);
        break;
    case SECTION_LOAD:
        load_receive(gossip, envelope, section);
        break;
    default: // of a newer minor version
        break;
    }
}

void gossip_receive(struct gossip *gossip, uint64_t now_ns, const char *sender, const void *bytes,
                    size_t size) {
    struct wire_envelope envelope;
    if (wire_version(bytes, size) > gossip->config.protocol_max) {
        gossip->stats.dropped_version++;
        return;
    }
    int error = wire_check(bytes, size, &envelope);
    if (error != 0) {
        gossip->stats.dropped_version += error == -EPROTONOSUPPORT;
        gossip->stats.dropped_malformed += error != -EPROTONOSUPPORT;
        return;
    }
    bool borrowed_name = sender != NULL && strcmp(sender, envelope.name) != 0;
    if (borrowed_name || strcmp(envelope.address, gossip->config.address) == 0) {
        gossip->stats.dropped_foreign++; // our own words, or somebody who pretends to be here
        return;
    }
    begin(gossip, now_ns);
    gossip->envelope = &envelope;
    if (envelope.version < gossip->answer_version) { // a newcomer that knows no other
        gossip->answer_version = envelope.version;
    }
    gossip->stats.messages_received++;
    gossip->stats.bytes_received += size;
    watch_heard(gossip, &envelope);
    for (uint32_t i = 0; i < envelope.section_count; i++) {
        struct wire_section section;
        wire_next_section(&envelope.sections, &section);
        receive_section(gossip, &envelope, &section);
    }
    own_tick(gossip);
    finish(gossip);
}

void gossip_peer_connected(struct gossip *gossip, uint64_t now_ns, const char *address) {
    begin(gossip, now_ns);
    struct peer *peer = overlay_peer(gossip, address);
    if (peer == NULL || overlay_lost_words(gossip, peer)) {
        repair_send_digest(gossip, address); // what was pushed meanwhile is lost
    }
    if (peer != NULL) {
        peer->lost_at_ns = 0;
        peer->behind_at_ns = 0;
        peer->connected = true;
    }
    finish(gossip);
}

void gossip_peer_lost(struct gossip *gossip, uint64_t now_ns, const char *address) {
    begin(gossip, now_ns);
    struct peer *peer = overlay_peer(gossip, address);
    if (peer != NULL && peer->lost_at_ns == 0) {
        peer->lost_at_ns = gossip->now_ns;
    }
    finish(gossip);
}

void gossip_peer_behind(struct gossip *gossip, uint64_t now_ns, const char *address) {
    begin(gossip, now_ns);
    struct peer *peer = overlay_peer(gossip, address);
    if (peer != NULL) {
        peer->behind_at_ns = gossip->now_ns;
    }
    finish(gossip);
}

void gossip_introduce(struct gossip *gossip, uint64_t now_ns, const char *address) {
    begin(gossip, now_ns);
    serve_own(gossip, address);
    finish(gossip);
}

static bool is_due(const struct gossip *gossip, uint64_t *at_ns, uint64_t interval_ns) {
    if (gossip->now_ns < *at_ns) {
        return false;
    }
    *at_ns += interval_ns;
    if (*at_ns <= gossip->now_ns) { // periods that were slept through are not made up for
        *at_ns = gossip->now_ns + interval_ns;
    }
    return true;
}

void gossip_tick(struct gossip *gossip, uint64_t now_ns) {
    begin(gossip, now_ns);
    push_flush(gossip);         // nobody needs to ask for what a ping names
    gossip->votes_dirty = true; // what we hear ourselves and how old votes are count too
    own_tick(gossip);
    watch_check(gossip);
    if (is_due(gossip, &gossip->ping_at_ns, gossip->config.ping_interval_ns / PING_SLOTS)) {
        if (gossip->phase == OWN_ACTIVE || gossip->phase == OWN_LEFT) {
            push_own(gossip);
            repair_ping(gossip);
        }
        gossip->crowd.newcomers = 0;
        overlay_refresh(gossip); // lingering ends, and so may a crowd
        crowd_ask(gossip);
        island_watch(gossip);
        if (gossip->slot % LOAD_SLOTS == 0) {
            load_tell(gossip);
        }
    }
    island_ask(gossip);
    repair_tell(gossip);
    if (gossip->now_ns >= gossip->retry_at_ns) {
        gossip->retry_at_ns = NEVER_NS;
        repair_behind(gossip);
        repair_retry(gossip);
    }
    if (is_due(gossip, &gossip->digest_at_ns, gossip->config.digest_interval_ns)) {
        if (!crowd_waits(gossip)) {
            repair_random(gossip);
        }
        members_age(gossip);
        if (gossip->now_ns >= gossip->recheck_at_ns) {
            gossip->recheck_at_ns = NEVER_NS;
            merge_recheck(gossip, true);
        }
        watch_dead(gossip);
        own_collect(gossip, gossip->config.tombstone_ns);
    }
    if (is_due(gossip, &gossip->contact_at_ns, repair_contact_interval_ns(gossip))) {
        repair_contact(gossip);
    }
    finish(gossip);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t gossip_deadline_ns(const struct gossip *gossip) {
    uint64_t deadline = earlier(gossip->ping_at_ns, gossip->digest_at_ns);
    deadline = earlier(deadline, gossip->contact_at_ns);
    deadline = earlier(deadline, earlier(gossip->tell_at_ns, gossip->retry_at_ns));
    deadline = earlier(deadline, gossip->ask_at_ns);
    deadline = earlier(deadline, members_deadline_ns(gossip));
    deadline = earlier(deadline, watch_deadline_ns(gossip));
    if (gossip->phase == OWN_LISTENING) {
        deadline = earlier(deadline, gossip->listen_until_ns);
    }
    return deadline;
}

// ---- own facts

int gossip_put(struct gossip *gossip, uint64_t now_ns, enum gossip_table table, const char *key,
               const void *value, size_t size) {
    if (table == GOSSIP_TABLE_CORE || (value == NULL && size > 0)) {
        return -EINVAL;
    }
    store_bury(gossip);
    watch_time(gossip, now_ns);
    return own_set(gossip, table, key, value == NULL ? "" : value, size);
}

int gossip_delete(struct gossip *gossip, uint64_t now_ns, enum gossip_table table,
                  const char *key) {
    if (table == GOSSIP_TABLE_CORE) {
        return -EINVAL;
    }
    store_bury(gossip);
    watch_time(gossip, now_ns);
    return own_set(gossip, table, key, NULL, 0);
}

void gossip_set_signing(struct gossip *gossip, uint64_t now_ns,
                        const struct gossip_signing *signing) {
    begin(gossip, now_ns);
    own_set_signing(gossip, signing);
    merge_recheck(gossip, false);
    gossip->recheck_at_ns = gossip->now_ns + RECHECK_NS;
    finish(gossip);
}

void gossip_leave(struct gossip *gossip, uint64_t now_ns) {
    begin(gossip, now_ns);
    if (gossip->phase == OWN_ACTIVE) {
        (void)own_write_self(gossip, true); // replaces a record: only memory can lack
        crowd_tell(gossip);                 // in a crowd there is no neighbour yet to tell it to
        gossip->phase = OWN_LEFT;
    }
    finish(gossip);
}
