// SPDX-License-Identifier: Apache-2.0
// What the tables do to one packet.
#include <string.h>

#include "softcx_object.h"

#define ETHERNET_SIZE 14
#define IPV6_SIZE 40

static struct softcx_result drop(enum softcx_drop reason) {
    return (struct softcx_result){.verdict = VERDICT_DROP, .drop = reason};
}

// The inner packet loses its Ethernet header and gets the outer headers, whose payload length the
// card fills in; nothing else of the outer headers is computed.
static bool encapsulate(const struct action *action, struct softcx_packet *packet,
                        const struct softcx_layout *layout, enum softcx_drop *reason) {
    size_t inner = packet->size - ETHERNET_SIZE;
    size_t grown = (size_t)action->size - ETHERNET_SIZE;
    size_t payload = grown - IPV6_SIZE + inner;
    if (layout->version == 0 || packet->segmented) {
        *reason = packet->segmented ? DROP_SEGMENTED : DROP_NOT_IP;
        return false;
    }
    if (payload > UINT16_MAX || grown > packet->headroom) {
        *reason = DROP_TOO_LARGE;
        return false;
    }
    packet->frame -= grown;
    packet->headroom -= grown;
    packet->size += grown;
    memcpy(packet->frame, action->data, action->size);
    packet->frame[ETHERNET_SIZE + 4] = (uint8_t)(payload >> 8);
    packet->frame[ETHERNET_SIZE + 5] = (uint8_t)payload;
    return true;
}

// All before the inner IP header goes, whatever that is, and the given Ethernet header comes in its
// place, with the type that it says.
static bool decapsulate(const struct action *action, struct softcx_packet *packet,
                        const struct softcx_layout *layout, enum softcx_drop *reason) {
    if (layout->tunnelled == 0 || layout->segments_left || packet->segmented) {
        *reason = packet->segmented ? DROP_SEGMENTED : DROP_NO_TUNNEL;
        return false;
    }
    size_t gone = (size_t)layout->tunnelled - ETHERNET_SIZE;
    packet->frame += gone;
    packet->headroom += gone;
    packet->size -= gone;
    memcpy(packet->frame, action->data, ETHERNET_SIZE);
    return true;
}

static bool modify(const struct action *action, struct softcx_packet *packet,
                   const struct softcx_layout *layout, enum softcx_drop *reason) {
    for (uint16_t i = 0; i < action->size; i++) {
        if (!softcx_modify_run(&action->modify[i], packet, layout)) {
            *reason = DROP_NOT_IP;
            return false;
        }
    }
    return true;
}

struct run {
    struct softcx_packet *packet;
    struct softcx_key key;
    struct softcx_layout layout;
    struct softcx_result result;
    const struct table *next; // where the packet goes on; NULL: the result stands
};

static void look(struct run *run) {
    struct softcx_packet *packet = run->packet;
    softcx_parse(packet->frame, packet->size, &run->key, &run->layout);
    run->key.word[KEY_SOURCE_PORT] = packet->source;
    memcpy(&run->key.word[KEY_REGISTER_C], packet->register_c, sizeof packet->register_c);
    run->key.word[KEY_REGISTER_A] = packet->register_a;
}

static void count(struct softcx_count *to, size_t size) {
    to->packets++;
    to->bytes += size;
}

// False when the packet is lost.
static bool change(struct run *run, const struct action *action) {
    enum softcx_drop reason = DROP_RULE;
    bool done = action->kind == ACTION_MODIFY ? modify(action, run->packet, &run->layout, &reason)
                : action->kind == ACTION_ENCAP
                    ? encapsulate(action, run->packet, &run->layout, &reason)
                    : decapsulate(action, run->packet, &run->layout, &reason);
    if (!done) {
        run->result = drop(reason);
        return false;
    }
    run->result.changed = true;
    look(run);
    return true;
}

// Actions work in their order; the bytes counted are those of the packet that came in.
static void obey(struct run *run, struct rule *rule) {
    size_t size = run->packet->size;
    count(&rule->count, size);
    run->result = (struct softcx_result){.verdict = VERDICT_SLOW, .changed = run->result.changed};
    run->next = NULL;
    for (uint8_t i = 0; i < rule->action_count; i++) {
        const struct action *action = rule->actions[i];
        switch (action->kind) {
        case ACTION_COUNTER:
            count(action->count, size);
            break;
        case ACTION_MODIFY:
        case ACTION_ENCAP:
        case ACTION_DECAP:
            if (!change(run, action)) {
                run->next = NULL;
                return;
            }
            break;
        case ACTION_VPORT:
            run->result.verdict = VERDICT_VPORT;
            run->result.vport = (uint16_t)action->value;
            break;
        case ACTION_TABLE:
            run->next = action->table;
            break;
        case ACTION_DEFAULT_MISS:
            run->result.verdict = VERDICT_SLOW;
            break;
        case ACTION_DROP:
            run->result = drop(DROP_RULE);
            break;
        case ACTION_KINDS:
            break;
        }
    }
}

static struct rule *find_in(const struct matcher *matchers, const struct softcx_key *key) {
    for (const struct matcher *m = matchers; m != NULL; m = m->next) {
        struct rule *rule = softcx_find_rule(m, key);
        if (rule != NULL) {
            return rule;
        }
    }
    return NULL;
}

struct softcx_result softcx_run(struct softcx *card, struct softcx_packet *packet) {
    struct run run = {.packet = packet, .result = {.verdict = VERDICT_SLOW}};
    bool steered = false;
    look(&run);
    const struct table *table = &card->root;
    for (int passed = 0; table != NULL; passed++) {
        if (passed == SOFTCX_LEVELS_MAX) {
            run.result = drop(DROP_LOOP);
            break;
        }
        const struct matcher *matchers = table->level == 0 ? card->root.matchers : table->matchers;
        struct rule *rule = find_in(matchers, &run.key);
        run.next = NULL;
        if (rule == NULL) {
            run.result.verdict = VERDICT_SLOW;
        } else {
            steered = true;
            obey(&run, rule);
        }
        table = run.next;
    }
    run.result.steered = steered;
    return run.result;
}
