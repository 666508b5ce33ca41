// SPDX-License-Identifier: Apache-2.0
#include "gossip_model.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

// ---- what is wrong first

__attribute__((format(printf, 3, 4))) static void violated(struct gossip_model *model,
                                                           uint32_t host, const char *format, ...) {
    if (model->violation[0] != '\0') {
        return;
    }
    va_list arguments;
    int at = snprintf(model->violation, MODEL_TEXT, "%.6f s: %s ", (double)model->net->now_ns / 1e9,
                      model->net->hosts[host].name);
    va_start(arguments, format);
    vsnprintf(model->violation + at, MODEL_TEXT - (size_t)at, format, arguments);
    va_end(arguments);
}

// ---- stamps and histories

static int compare(struct model_stamp a, struct model_stamp b) {
    if (a.incarnation != b.incarnation) {
        return a.incarnation < b.incarnation ? -1 : 1;
    }
    if (a.nonce != b.nonce) {
        return a.nonce < b.nonce ? -1 : 1;
    }
    return a.seq < b.seq ? -1 : a.seq > b.seq;
}

static bool same_life(struct model_stamp a, struct model_stamp b) {
    return a.incarnation == b.incarnation && a.nonce == b.nonce;
}

static struct model_stamp stamp_of(const struct gossip_member *member) {
    return (struct model_stamp){member->incarnation, member->nonce, member->max_seq};
}

static const struct model_state *state_at(const struct model_history *history,
                                          struct model_stamp stamp) {
    for (uint32_t i = history->count; i-- > 0;) { // mostly the newest is asked for
        if (compare(history->states[i].stamp, stamp) == 0) {
            return &history->states[i];
        }
    }
    return NULL;
}

static void remember(struct model_history *history, const struct model_state *state) {
    if (history->count == history->capacity) {
        history->capacity = 2 * history->capacity + 32;
        history->states = realloc(history->states, history->capacity * sizeof *history->states);
        assert(history->states != NULL);
    }
    history->states[history->count++] = *state;
}

// ---- keys and values

static enum gossip_table table_of(uint32_t slot) {
    return slot < MODEL_KEYS ? GOSSIP_TABLE_HOST : GOSSIP_TABLE_JOB;
}

static void key_of(uint32_t slot, char key[16]) {
    if (slot < MODEL_KEYS) {
        snprintf(key, 16, "key%u", slot);
    } else {
        snprintf(key, 16, "job%u", slot - MODEL_KEYS);
    }
}

static uint32_t held(const struct gossip_net *net, uint32_t host, uint32_t origin, uint32_t slot) {
    char key[16];
    size_t size;
    key_of(slot, key);
    const char *value =
        gossip_find(net->hosts[host].core, net->hosts[origin].name, table_of(slot), key, &size);
    return value == NULL ? 0 : (uint32_t)strtoul(value, NULL, 10);
}

static void check_contents(struct gossip_model *model, uint32_t host, uint32_t origin,
                           const struct model_contents *contents) {
    for (uint32_t slot = 0; slot < MODEL_SLOTS; slot++) {
        uint32_t value = held(model->net, host, origin, slot);
        if (value != contents->value[slot]) {
            struct model_stamp stamp = model->replicas[host][origin].stamp;
            char key[16];
            key_of(slot, key);
            violated(model, host, "holds %s/%s = %u; at (%u, %u, %llu) its owner had %u",
                     model->net->hosts[origin].name, key, value, stamp.incarnation, stamp.nonce,
                     (unsigned long long)stamp.seq, contents->value[slot]);
            return;
        }
    }
}

// ---- after each event of a host

static void note_state(struct gossip_model *model, uint32_t host, struct model_stamp stamp) {
    struct model_history *history = &model->history[host];
    struct model_state state = {stamp, model->now[host], model->leaving[host]};
    const struct model_state *noted = state_at(history, stamp);
    if (noted == NULL) {
        remember(history, &state);
    } else if (memcmp(&noted->contents, &state.contents, sizeof state.contents) != 0) {
        violated(model, host, "had something else at (%u, %u, %llu) before", stamp.incarnation,
                 stamp.nonce, (unsigned long long)stamp.seq);
    }
}

static void watch_own(struct gossip_model *model, uint32_t host) {
    const struct net_host *owner = &model->net->hosts[host];
    struct gossip_member self;
    if (gossip_find_member(owner->core, owner->name, &self) && self.incarnation > 0) {
        note_state(model, host, stamp_of(&self));
    }
}

// One event may tell a state and claim the next life.
static void watch_sent(void *context, uint32_t host, const struct gossip_message *message) {
    struct gossip_model *model = context;
    struct wire_envelope envelope;
    if (wire_check(message->bytes, message->size, &envelope) != 0) {
        violated(model, host, "sends what is no message");
        return;
    }
    for (uint32_t i = 0; i < envelope.section_count; i++) {
        struct wire_section section;
        wire_next_section(&envelope.sections, &section);
        bool parts = section.kind == SECTION_PUSH || section.kind == SECTION_DATA;
        for (uint32_t k = 0; k < section.count && parts; k++) {
            struct wire_part part;
            wire_next_part(&section.items, &part);
            if (strcmp(part.origin, model->net->hosts[host].name) == 0) {
                note_state(model, host,
                           (struct model_stamp){part.life.incarnation, part.life.nonce, part.to});
            }
        }
    }
}

static void watch_gone(struct gossip_model *model, uint32_t host, uint32_t origin) {
    const struct gossip_net *net = model->net;
    struct model_replica *replica = &model->replicas[host][origin];
    uint64_t age = net->now_ns - replica->since_ns;
    if (replica->held && (replica->state < GOSSIP_DEAD || age < net->settings.serve_dead_ns)) {
        violated(model, host, "dropped %s in state %d for %.3f s", net->hosts[origin].name,
                 replica->state, (double)age / 1e9);
    }
    if (replica->held) {
        static const struct model_contents nothing;
        check_contents(model, host, origin, &nothing);
    }
    replica->held = false;
    replica->known = replica->known && age < net->settings.forget_ns;
}

static bool runs_within_reach(const struct gossip_model *model, uint32_t host) {
    const struct net_host *at = &model->net->hosts[host];
    uint64_t since = model->started_ns[host] > model->calm_since_ns ? model->started_ns[host]
                                                                    : model->calm_since_ns;
    return at->core != NULL && !at->paused && model->calm_since_ns != NEVER_NS &&
           model->net->now_ns - since > MODEL_CALM_NS;
}

static void watch_state(struct gossip_model *model, uint32_t host, uint32_t origin,
                        enum gossip_state state) {
    struct model_replica *replica = &model->replicas[host][origin];
    if (!replica->held || replica->state != state) {
        replica->since_ns = model->net->now_ns;
        replica->state = state;
    }
    if (state >= GOSSIP_DEAD && runs_within_reach(model, host) &&
        runs_within_reach(model, origin)) {
        violated(model, host, "says that %s is dead", model->net->hosts[origin].name);
    }
}

static void watch_stamp(struct gossip_model *model, uint32_t host, uint32_t origin,
                        struct model_stamp stamp) {
    struct model_replica *replica = &model->replicas[host][origin];
    const char *name = model->net->hosts[origin].name;
    const struct model_state *state = state_at(&model->history[origin], stamp);
    struct model_stamp old = replica->stamp;
    bool back = replica->known && compare(stamp, old) < 0;
    bool risen = replica->known && !replica->held && same_life(stamp, old);
    if (back || risen) {
        violated(model, host, "goes back from (%u, %u, %llu) to (%u, %u, %llu) of %s%s",
                 old.incarnation, old.nonce, (unsigned long long)old.seq, stamp.incarnation,
                 stamp.nonce, (unsigned long long)stamp.seq, name,
                 risen ? ", which was quarantined" : "");
    }
    replica->stamp = stamp;
    if (state == NULL) {
        violated(model, host, "holds (%u, %u, %llu) of %s, which never was", stamp.incarnation,
                 stamp.nonce, (unsigned long long)stamp.seq, name);
        return;
    }
    check_contents(model, host, origin, &state->contents);
}

static void watch_replica(struct gossip_model *model, uint32_t host, uint32_t origin,
                          const struct gossip_member *member) {
    const struct net_host *owner = &model->net->hosts[origin];
    struct model_replica *replica = &model->replicas[host][origin];
    struct model_stamp stamp = stamp_of(member);
    if (strcmp(member->address, owner->address) != 0 || strcmp(member->rack, owner->rack) != 0) {
        violated(model, host, "sees %s at %s, %s", owner->name, member->address, member->rack);
    }
    if (!replica->held || compare(stamp, replica->stamp) != 0) {
        watch_stamp(model, host, origin, stamp);
    }
    const struct model_state *state = state_at(&model->history[origin], stamp);
    if (state != NULL && state->left != (member->state == GOSSIP_LEFT)) {
        violated(model, host, "sees %s in state %d", owner->name, member->state);
    }
    watch_state(model, host, origin, member->state);
    replica->held = replica->known = true;
}

static void watch(void *context, uint32_t host) {
    struct gossip_model *model = context;
    const struct gossip_net *net = model->net;
    const struct gossip *core = net->hosts[host].core;
    uint32_t members = 0;
    watch_own(model, host);
    for (uint32_t origin = 0; origin < net->count; origin++) {
        struct gossip_member member;
        bool known = gossip_find_member(core, net->hosts[origin].name, &member);
        members += known;
        if (origin == host) {
            continue;
        }
        if (known) {
            watch_replica(model, host, origin, &member);
        } else {
            watch_gone(model, host, origin);
        }
    }
    if (members != gossip_member_count(core)) {
        violated(model, host, "knows %u members, %u of which exist", gossip_member_count(core),
                 members);
    }
    if (net->refused > 0) {
        violated(model, host, "did not believe what came as it was sent");
    }
}

static void watch_change(void *context, uint32_t host, const struct gossip_change *change) {
    struct gossip_model *model = context;
    bool excused = model->damage && change->kind != GOSSIP_ALARM_DUPLICATE;
    if (change->kind >= GOSSIP_ALARM_DUPLICATE && !excused) {
        violated(model, host, "raises alarm %d about %s", change->kind, change->origin);
    }
}

// ---- events

void model_init(struct gossip_model *model, struct gossip_net *net) {
    memset(model, 0, sizeof *model);
    model->net = net;
    model->calm_since_ns = NEVER_NS;
    // As the core's defaults, unless the test has set them.
    uint64_t *serve = &net->settings.serve_dead_ns;
    uint64_t *forget = &net->settings.forget_ns;
    *serve = *serve != 0 ? *serve : 600 * NS_PER_S;
    *forget = *forget != 0 ? *forget : 86400 * NS_PER_S;
    net->context = model;
    net->sent = watch_sent;
    net->after = watch;
    net->changed = watch_change;
}

void model_fini(struct gossip_model *model) {
    for (uint32_t i = 0; i < model->net->count; i++) {
        free(model->history[i].states);
    }
}

static void put(struct gossip_model *model, struct gossip_net *net, uint32_t host, uint32_t slot) {
    char key[16];
    char value[16];
    key_of(slot, key);
    snprintf(value, sizeof value, "%u", model->now[host].value[slot]);
    int result = net_put_in(net, host, table_of(slot), key, value);
    assert(result == 0);
}

void model_put(struct gossip_model *model, struct gossip_net *net, uint32_t host, uint32_t slot) {
    model->now[host].value[slot] = ++model->next_value;
    put(model, net, host, slot);
}

void model_delete(struct gossip_model *model, struct gossip_net *net, uint32_t host,
                  uint32_t slot) {
    char key[16];
    key_of(slot, key);
    model->now[host].value[slot] = 0;
    int result = net_delete_in(net, host, table_of(slot), key);
    assert(result == 0);
}

void model_start(struct gossip_model *model, struct gossip_net *net, uint32_t host,
                 bool from_disk) {
    memset(model->replicas[host], 0, sizeof model->replicas[host]);
    model->started_ns[host] = net->now_ns;
    if (!from_disk) {
        memset(&model->now[host], 0, sizeof model->now[host]);
        net_start(net, host);
        return;
    }
    net_start_from_disk(net, host);
    for (uint32_t slot = 0; slot < MODEL_SLOTS; slot++) {
        if (model->now[host].value[slot] != 0) {
            put(model, net, host, slot);
        }
    }
}

void model_leave(struct gossip_model *model, struct gossip_net *net, uint32_t host) {
    model->leaving[host] = true;
    net_leave(net, host);
    model->leaving[host] = false;
}

// ---- all that all hold

struct sweep {
    struct gossip_model *model;
    uint32_t host, records;
};

static void count_record(void *context, const char *origin, const char *key, const void *value,
                         size_t size) {
    struct sweep *sweep = context;
    (void)origin;
    (void)key;
    (void)value;
    (void)size;
    sweep->records++;
}

static bool is_listed(const struct gossip_net *net, uint32_t host, uint32_t origin) {
    struct gossip_member member;
    return gossip_find_member(net->hosts[host].core, net->hosts[origin].name, &member) &&
           member.state < GOSSIP_DEAD;
}

// Nothing is listed that is not of a key and an origin that exist.
static void sweep_host(struct gossip_model *model, uint32_t host) {
    static const struct model_contents nothing;
    struct sweep sweep = {model, host, 0};
    uint32_t expected = 0;
    for (uint32_t origin = 0; origin < model->net->count; origin++) {
        const struct model_replica *replica = &model->replicas[host][origin];
        const struct model_state *state =
            replica->held ? state_at(&model->history[origin], replica->stamp) : NULL;
        const struct model_contents *contents = state != NULL ? &state->contents : &nothing;
        contents = origin == host ? &model->now[host] : contents;
        check_contents(model, host, origin, contents);
        for (uint32_t slot = 0; slot < MODEL_SLOTS && is_listed(model->net, host, origin); slot++) {
            expected += contents->value[slot] != 0;
        }
    }
    gossip_each(model->net->hosts[host].core, GOSSIP_TABLE_HOST, count_record, &sweep);
    gossip_each(model->net->hosts[host].core, GOSSIP_TABLE_JOB, count_record, &sweep);
    if (sweep.records != expected) {
        violated(model, host, "lists %u records of %u", sweep.records, expected);
    }
}

bool model_sweep(struct gossip_model *model) {
    for (uint32_t host = 0; host < model->net->count; host++) {
        if (model->net->hosts[host].core != NULL) {
            sweep_host(model, host);
        }
    }
    return model->violation[0] == '\0';
}

// ---- when all is well

static bool agrees_on_live(const struct gossip_model *model, uint32_t host, uint32_t origin,
                           char text[MODEL_TEXT]) {
    const struct gossip_net *net = model->net;
    const char *name = net->hosts[host].name;
    const char *of = net->hosts[origin].name;
    struct gossip_member member;
    struct gossip_member self;
    if (!gossip_find_member(net->hosts[host].core, of, &member) || member.state != GOSSIP_ALIVE) {
        snprintf(text, MODEL_TEXT, "%s does not see %s alive", name, of);
        return false;
    }
    if (!gossip_find_member(net->hosts[origin].core, of, &self) ||
        compare(stamp_of(&member), stamp_of(&self)) != 0) {
        snprintf(text, MODEL_TEXT, "%s does not hold the newest of %s", name, of);
        return false;
    }
    for (uint32_t slot = 0; slot < MODEL_SLOTS; slot++) {
        if (held(net, host, origin, slot) != model->now[origin].value[slot]) {
            snprintf(text, MODEL_TEXT, "%s lacks slot %u of %s", name, slot, of);
            return false;
        }
    }
    return true;
}

// Those who have quarantined it cannot tell the others any more.
static bool is_quarantined_somewhere(const struct gossip_model *model, uint32_t origin) {
    for (uint32_t host = 0; host < model->net->count; host++) {
        const struct model_replica *replica = &model->replicas[host][origin];
        if (model->net->hosts[host].core != NULL && replica->known && !replica->held) {
            return true;
        }
    }
    return false;
}

// `first` holds what the first was seen to hold; incarnation 0 before.
static bool agrees_on_dead(const struct gossip_model *model, uint32_t host, uint32_t origin,
                           struct model_stamp *first, char text[MODEL_TEXT]) {
    const struct gossip_net *net = model->net;
    struct gossip_member member;
    if (!gossip_find_member(net->hosts[host].core, net->hosts[origin].name, &member)) {
        return true;
    }
    if (member.state < GOSSIP_DEAD) {
        snprintf(text, MODEL_TEXT, "%s does not see that %s is gone", net->hosts[host].name,
                 net->hosts[origin].name);
        return false;
    }
    if (first->incarnation != 0 && compare(*first, stamp_of(&member)) != 0 &&
        !is_quarantined_somewhere(model, origin)) {
        snprintf(text, MODEL_TEXT, "%s holds something else of the dead %s than others",
                 net->hosts[host].name, net->hosts[origin].name);
        return false;
    }
    *first = stamp_of(&member);
    return true;
}

bool model_agrees(const struct gossip_model *model, char text[MODEL_TEXT]) {
    const struct gossip_net *net = model->net;
    for (uint32_t origin = 0; origin < net->count; origin++) {
        struct model_stamp first = {0, 0, 0};
        for (uint32_t host = 0; host < net->count; host++) {
            if (net->hosts[host].core == NULL) {
                continue;
            }
            bool agrees = net->hosts[origin].core != NULL
                              ? agrees_on_live(model, host, origin, text)
                              : agrees_on_dead(model, host, origin, &first, text);
            if (!agrees) {
                return false;
            }
        }
    }
    return true;
}
