// SPDX-License-Identifier: Apache-2.0
// Loads: the newest word of each host on how busy it is, within the scopes that we share with it
// (scope.c). What is new goes with the next pings to the partners, each telling once what it has
// not told; a newer word takes the place of one that waits. Nothing is repaired, and nothing is
// sent beyond a few bytes a second: what finds no room waits, and is replaced by newer.
//
//   put, receive --> load --> to take (consumer)
//                        '--> to tell (partners of its scopes, but who said it and whose it is)
//
// Order is (life, stamp). Who relays could say anything, so a load counts only if its origin is a
// live member in just that life and the sender is of one scope with it: lies stay in the scope, and
// end with the life.
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOAD_HASH_MIN 64

struct load {
    struct load *hash_next, *tell_next, *take_next;
    char origin[NAME_SIZE], from[NAME_SIZE]; // from: whom we have it from
    struct life life;
    uint64_t hash, stamp;
    uint32_t scopes; // that its origin and we are in
    bool to_tell, to_take;
    uint8_t size;
    uint8_t value[GOSSIP_LOAD_SIZE];
};

// ---- the newest of each host

static uint64_t hash_of(const struct gossip *gossip, const char *origin) {
    return hash_bytes(origin, strlen(origin), gossip->hash_seed);
}

static struct load *find(const struct gossip *gossip, const char *origin) {
    uint64_t hash = hash_of(gossip, origin);
    struct load *load =
        gossip->load_hash == NULL ? NULL : gossip->load_hash[hash & gossip->load_mask];
    while (load != NULL && strcmp(load->origin, origin) != 0) {
        load = load->hash_next;
    }
    return load;
}

static bool grow_hash(struct gossip *gossip) {
    bool empty = gossip->load_hash == NULL;
    if (!empty && gossip->load_count <= gossip->load_mask) {
        return true;
    }
    uint32_t size = empty ? LOAD_HASH_MIN : 2 * (gossip->load_mask + 1);
    struct load **grown = calloc(size, sizeof *grown);
    if (grown == NULL) {
        return !empty; // longer chains, nothing worse
    }
    for (uint32_t i = 0; !empty && i <= gossip->load_mask; i++) {
        while (gossip->load_hash[i] != NULL) {
            struct load *load = gossip->load_hash[i];
            gossip->load_hash[i] = load->hash_next;
            load->hash_next = grown[load->hash & (size - 1)];
            grown[load->hash & (size - 1)] = load;
        }
    }
    free(gossip->load_hash);
    gossip->load_hash = grown;
    gossip->load_mask = size - 1;
    return true;
}

static struct load *intern(struct gossip *gossip, const char *origin, uint32_t scopes) {
    struct load *load = find(gossip, origin);
    if (load != NULL) {
        return load;
    }
    load = grow_hash(gossip) ? calloc(1, sizeof *load) : NULL;
    if (load == NULL) {
        return NULL;
    }
    memcpy(load->origin, origin, strlen(origin) + 1);
    load->hash = hash_of(gossip, origin);
    load->scopes = scopes;
    uint32_t slot = (uint32_t)load->hash & gossip->load_mask;
    load->hash_next = gossip->load_hash[slot];
    gossip->load_hash[slot] = load;
    gossip->load_count++;
    return load;
}

static void set(struct load *load, struct life life, uint64_t stamp, const void *value,
                size_t size) {
    load->life = life;
    load->stamp = stamp;
    load->size = (uint8_t)size;
    if (size > 0) {
        memcpy(load->value, value, size);
    }
}

static void queue_to_tell(struct gossip *gossip, struct load *load) {
    if (!load->to_tell) {
        load->to_tell = true;
        load->tell_next = NULL;
        *(gossip->tell_last != NULL ? &gossip->tell_last->tell_next : &gossip->tell_first) = load;
        gossip->tell_last = load;
    }
}

static void queue_to_take(struct gossip *gossip, struct load *load) {
    if (!load->to_take) {
        load->to_take = true;
        load->take_next = NULL;
        *(gossip->take_last != NULL ? &gossip->take_last->take_next : &gossip->take_first) = load;
        gossip->take_last = load;
    }
}

static struct load *pop_to_tell(struct gossip *gossip) {
    struct load *load = gossip->tell_first;
    gossip->tell_first = load->tell_next;
    gossip->tell_last = gossip->tell_first != NULL ? gossip->tell_last : NULL;
    load->to_tell = false;
    return load;
}

static struct load *pop_to_take(struct gossip *gossip) {
    struct load *load = gossip->take_first;
    if (load != NULL) {
        gossip->take_first = load->take_next;
        gossip->take_last = gossip->take_first != NULL ? gossip->take_last : NULL;
        load->to_take = false;
    }
    return load;
}

// ---- scopes

// Takes those out of the queues that are in no scope any more.
static void filter_queues(struct gossip *gossip) {
    struct load *tell = gossip->tell_first;
    struct load *take = gossip->take_first;
    gossip->tell_first = gossip->tell_last = gossip->take_first = gossip->take_last = NULL;
    while (tell != NULL) {
        struct load *next = tell->tell_next;
        tell->to_tell = false;
        if (tell->scopes != 0) {
            queue_to_tell(gossip, tell);
        }
        tell = next;
    }
    while (take != NULL) {
        struct load *next = take->take_next;
        take->to_take = false;
        if (take->scopes != 0) {
            queue_to_take(gossip, take);
        }
        take = next;
    }
}

static void follow_scopes(struct gossip *gossip) {
    for (uint32_t i = 0; gossip->load_hash != NULL && i <= gossip->load_mask; i++) {
        for (struct load *load = gossip->load_hash[i]; load != NULL; load = load->hash_next) {
            load->scopes = scopes_of(gossip, load->origin);
        }
    }
    filter_queues(gossip);
    for (uint32_t i = 0; gossip->load_hash != NULL && i <= gossip->load_mask; i++) {
        for (struct load **link = &gossip->load_hash[i]; *link != NULL;) {
            struct load *load = *link;
            if (load->scopes == 0) {
                *link = load->hash_next;
                gossip->load_count--;
                free(load);
            } else {
                link = &load->hash_next;
            }
        }
    }
}

int gossip_set_scopes(struct gossip *gossip, uint64_t now_ns, const struct gossip_scope *scopes,
                      uint32_t count) {
    watch_time(gossip, now_ns);
    int error = scopes_set(gossip, scopes, count);
    if (error == 0) {
        follow_scopes(gossip);
        scopes_refresh(gossip);
    }
    return error;
}

void loads_fini(struct gossip *gossip) {
    for (uint32_t i = 0; gossip->load_hash != NULL && i <= gossip->load_mask; i++) {
        while (gossip->load_hash[i] != NULL) {
            struct load *load = gossip->load_hash[i];
            gossip->load_hash[i] = load->hash_next;
            free(load);
        }
    }
    free(gossip->load_hash);
}

// ---- in and out

int gossip_put_load(struct gossip *gossip, uint64_t now_ns, const void *value, size_t size) {
    if (size > GOSSIP_LOAD_SIZE) {
        return -EMSGSIZE;
    }
    watch_time(gossip, now_ns);
    uint32_t scopes = scopes_of(gossip, gossip->config.name);
    if (scopes == 0) {
        return 0; // nobody to tell
    }
    struct load *load = intern(gossip, gossip->config.name, scopes);
    if (load == NULL) {
        return -ENOMEM;
    }
    set(load, gossip->self->life, ++gossip->load_stamp, value, size);
    queue_to_tell(gossip, load);
    return 0;
}

bool gossip_take_load(struct gossip *gossip, struct gossip_load *out) {
    const struct load *load = pop_to_take(gossip);
    if (load == NULL) {
        return false;
    }
    *out = (struct gossip_load){load->origin, load->value, load->size};
    return true;
}

static bool is_newer(const struct load *load, const struct wire_load *than) {
    int order = life_compare(than->life, load->life);
    return order > 0 || (order == 0 && than->stamp > load->stamp);
}

// Whether that life of the origin is one that we know to live.
static bool is_of_live(const struct gossip *gossip, const struct wire_load *load) {
    const struct origin *origin = origin_known(gossip, load->origin);
    return origin != NULL && member_is_live(origin) && life_compare(origin->life, load->life) == 0;
}

void load_receive(struct gossip *gossip, const struct wire_envelope *envelope,
                  const struct wire_section *section) {
    uint32_t shared = scopes_of(gossip, envelope->name);
    struct mp_reader reader = section->items;
    for (uint32_t i = 0; i < section->count; i++) {
        struct wire_load said;
        wire_next_load(&reader, &said);
        uint32_t scopes = shared == 0 ? 0 : scopes_of(gossip, said.origin);
        struct load *load = find(gossip, said.origin);
        if ((scopes & shared) == 0 || strcmp(said.origin, gossip->config.name) == 0 ||
            !is_of_live(gossip, &said) || (load != NULL && !is_newer(load, &said))) {
            gossip->stats.loads_dropped++;
            continue;
        }
        load = intern(gossip, said.origin, scopes);
        if (load == NULL) {
            gossip->stats.loads_dropped++;
            continue;
        }
        set(load, said.life, said.stamp, said.value.bytes, said.value.size);
        memcpy(load->from, envelope->name, sizeof load->from);
        queue_to_tell(gossip, load);
        queue_to_take(gossip, load);
        gossip->stats.loads_received++;
    }
}

// ---- telling

struct load_message {
    struct mp_writer writer;
    size_t message, list;
    uint32_t count;
    bool withheld;
};

// A neighbour that is silent or cannot be reached in time: what is queued to it may stand before
// facts.
static bool is_slow(struct gossip *gossip, const char *address) {
    const struct peer *peer = overlay_peer(gossip, address);
    return peer != NULL && (peer->behind_at_ns != 0 || !watch_hears(gossip, peer->origin));
}

static void earn_tokens(struct gossip *gossip) {
    uint64_t elapsed = gossip->now_ns - gossip->load_at_ns;
    int64_t earned =
        elapsed >= NS_PER_S ? LOAD_BYTES_PER_S : (int64_t)(elapsed * LOAD_BYTES_PER_S / NS_PER_S);
    int64_t tokens = gossip->load_tokens + earned;
    gossip->load_tokens = tokens < LOAD_BURST ? tokens : LOAD_BURST;
    gossip->load_at_ns = gossip->now_ns;
}

static void write_load(struct gossip *gossip, struct load_message *out, const struct load *load) {
    if (out->count++ == 0) {
        outbox_open_in(gossip, members_version(gossip), &out->writer, &out->message);
        out->list = wire_open_list(&out->writer, SECTION_LOAD);
        gossip->load_tokens -= (int64_t)out->writer.size;
    }
    size_t before = out->writer.size;
    struct wire_load said = {.life = load->life,
                             .stamp = load->stamp,
                             .value = {(const char *)load->value, load->size}};
    memcpy(said.origin, load->origin, sizeof said.origin);
    wire_write_load(&out->writer, &said);
    gossip->load_tokens -= (int64_t)(out->writer.size - before);
}

static void tell(struct gossip *gossip, struct load *load,
                 struct load_message messages[PARTNERS_MAX]) {
    if (strcmp(load->origin, gossip->config.name) == 0) {
        load->life = gossip->self->life; // it may have been refuted since
    }
    for (uint32_t i = 0; i < gossip->partner_count; i++) {
        const struct partner *partner = &gossip->partners[i];
        if ((partner->scopes & load->scopes) != 0 && !messages[i].withheld &&
            strcmp(partner->name, load->origin) != 0 && strcmp(partner->name, load->from) != 0) {
            write_load(gossip, &messages[i], load);
        }
    }
}

void load_tell(struct gossip *gossip) {
    struct load_message messages[PARTNERS_MAX];
    if (gossip->scopes_dirty && !crowd_waits(gossip)) { // a partner is a connection as well
        scopes_refresh(gossip);
    }
    earn_tokens(gossip);
    for (uint32_t i = 0; i < gossip->partner_count; i++) {
        messages[i].count = 0;
        messages[i].withheld = is_slow(gossip, gossip->partners[i].address);
    }
    while (gossip->partner_count > 0 && gossip->tell_first != NULL && gossip->load_tokens > 0) {
        tell(gossip, pop_to_tell(gossip), messages);
    }
    for (uint32_t i = 0; i < gossip->partner_count; i++) {
        struct load_message *out = &messages[i];
        if (out->count > 0) {
            wire_close_list(&out->writer, out->list, out->count);
            wire_close_message(&out->writer, out->message, 1);
            outbox_add_droppable(gossip, gossip->partners[i].address, &out->writer, out->count);
        }
    }
}
