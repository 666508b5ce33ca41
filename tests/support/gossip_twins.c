// SPDX-License-Identifier: Apache-2.0
#include "gossip_twins.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

#define X_ADDRESS "mem://x"
#define BASE_ADDRESS "mem://base"
#define DELAY_MIN_NS (20 * NS_PER_US)
#define DELAY_SPREAD_NS (200 * NS_PER_US)

__attribute__((format(printf, 2, 3))) static void fault(struct twins *twins, const char *format,
                                                        ...) {
    va_list arguments;
    if (twins->fault[0] == '\0') { // the first one tells
        va_start(arguments, format);
        vsnprintf(twins->fault, sizeof twins->fault, format, arguments);
        va_end(arguments);
    }
}

static struct gossip *open_core(const struct twins *twins, const struct gossip_config *config) {
    struct gossip *core;
    struct error error;
    int opened = gossip_open(config, twins->now_ns, &core, &error);
    assert(opened == 0);
    return core;
}

void twins_init(struct twins *twins, uint32_t fleet, uint64_t seed) {
    memset(twins, 0, sizeof *twins);
    assert(fleet <= TWINS_FLEET_MAX);
    twins->count = fleet;
    twins->seed = seed;
    twins->now_ns = NS_PER_S;
    rng_init(&twins->rng, seed);
    for (uint32_t i = 0; i < fleet; i++) {
        twins_start(twins, i);
    }
}

void twins_fini(struct twins *twins) {
    for (uint32_t i = 0; i < twins->count; i++) {
        gossip_close(twins->fleet[i]);
    }
    for (uint32_t i = 0; i < twins->queue_count; i++) {
        free(twins->queue[i].bytes);
    }
    free(twins->queue);
    gossip_close(twins->learnt);
    gossip_close(twins->based);
    gossip_close(twins->base);
}

// ---- messages in flight

static void send(struct twins *twins, const struct gossip_message *message) {
    if (twins->queue_count == twins->queue_capacity) {
        twins->queue_capacity = 2 * twins->queue_capacity + 64;
        twins->queue = realloc(twins->queue, twins->queue_capacity * sizeof *twins->queue);
        assert(twins->queue != NULL);
    }
    struct twins_message *sent = &twins->queue[twins->queue_count++];
    *sent = (struct twins_message){.order = twins->order++, .size = message->size};
    sent->at_ns = twins->now_ns + DELAY_MIN_NS + rng_below(&twins->rng, DELAY_SPREAD_NS);
    memcpy(sent->to, message->address, strlen(message->address));
    sent->bytes = malloc(message->size);
    assert(sent->bytes != NULL);
    memcpy(sent->bytes, message->bytes, message->size);
}

static void drain_changes(struct gossip *core) {
    struct gossip_change change;
    while (gossip_take_change(core, &change)) {
    }
}

static void drain(struct twins *twins, struct gossip *core) {
    struct gossip_message message;
    while (gossip_take_message(core, &message)) {
        send(twins, &message);
    }
    drain_changes(core);
}

// ---- comparing what two cores say. Lists of origins stand in the order in which they were learnt,
// so of a message the bytes must be the same, but not their order.

#define SAID_MAX 512
struct said {
    uint64_t sums[SAID_MAX];
    uint32_t count;
};

static int compare_sums(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void add(struct said *said, uint64_t sum) {
    assert(said->count < SAID_MAX);
    said->sums[said->count++] = sum;
}

static uint64_t sum_of(const struct gossip_message *message) {
    uint64_t sum = hash_bytes(message->address, strlen(message->address), message->size);
    for (size_t i = 0; i < message->size; i++) {
        sum += hash_u64(((const uint8_t *)message->bytes)[i]);
    }
    return sum;
}

static void take_messages(struct twins *twins, struct gossip *core, struct said *said) {
    struct gossip_message message;
    while (gossip_take_message(core, &message)) {
        add(said, sum_of(&message));
        if (core == twins->learnt) {
            send(twins, &message);
        }
    }
    qsort(said->sums, said->count, sizeof said->sums[0], compare_sums);
}

static void take_changes(struct gossip *core, struct said *said) {
    struct gossip_change change;
    while (gossip_take_change(core, &change)) {
        uint64_t sum = hash_bytes(change.origin, strlen(change.origin), change.kind);
        sum = change.kind == GOSSIP_MEMBER_STATE ? hash_pair(sum, change.state) : sum;
        if (change.kind == GOSSIP_RECORD) {
            sum = hash_bytes(change.key, strlen(change.key), sum);
            sum = change.value == NULL ? sum : hash_bytes(change.value, change.size, sum);
        }
        add(said, sum);
    }
    qsort(said->sums, said->count, sizeof said->sums[0], compare_sums);
}

static void compare_said(struct twins *twins, const struct said *learnt, const struct said *based,
                         const char *what) {
    if (learnt->count != based->count) {
        fault(twins, "%" PRIu64 " ns: learnt %s %u, based %u", twins->now_ns, what, learnt->count,
              based->count);
    } else if (memcmp(learnt->sums, based->sums, learnt->count * sizeof learnt->sums[0]) != 0) {
        fault(twins, "%" PRIu64 " ns: %u %s, but others", twins->now_ns, learnt->count, what);
    }
}

static void drain_twins(struct twins *twins) {
    struct said learnt = {.count = 0};
    struct said based = {.count = 0};
    take_messages(twins, twins->learnt, &learnt);
    take_messages(twins, twins->based, &based);
    compare_said(twins, &learnt, &based, "messages");
    learnt.count = based.count = 0;
    take_changes(twins->learnt, &learnt);
    take_changes(twins->based, &based);
    compare_said(twins, &learnt, &based, "changes");
}

// ---- comparing what they know

static bool same_member(const struct gossip_member *a, const struct gossip_member *b) {
    return strcmp(a->name, b->name) == 0 && strcmp(a->address, b->address) == 0 &&
           strcmp(a->rack, b->rack) == 0 && a->state == b->state &&
           a->incarnation == b->incarnation && a->nonce == b->nonce && a->max_seq == b->max_seq &&
           a->self == b->self && a->neighbour == b->neighbour && a->heard_at_ns == b->heard_at_ns;
}

static void compare_members(struct twins *twins) {
    uint32_t count = gossip_member_count(twins->learnt);
    if (count != gossip_member_count(twins->based)) {
        fault(twins, "learnt has %u members, based %u", count, gossip_member_count(twins->based));
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct gossip_member learnt, based, found;
        bool here = gossip_member_at(twins->learnt, i, &learnt);
        bool there = gossip_member_at(twins->based, i, &based);
        if (!here || !there || !same_member(&learnt, &based) ||
            !gossip_find_member(twins->based, learnt.name, &found) ||
            !same_member(&learnt, &found)) {
            fault(twins, "%" PRIu64 " ns: member %u: learnt %s/%d, based %s/%d", twins->now_ns, i,
                  here ? learnt.name : "none", here ? (int)learnt.state : 0,
                  there ? based.name : "none", there ? (int)based.state : 0);
        }
    }
}

struct listing {
    uint64_t sum;
    uint32_t count;
    const struct gossip *other;
    bool missing;
};

static void list_record(void *context, const char *origin, const char *key, const void *value,
                        size_t size) {
    struct listing *listing = context;
    uint64_t sum = hash_bytes(origin, strlen(origin), listing->sum);
    sum = hash_bytes(key, strlen(key), sum);
    listing->sum = hash_bytes(value, size, sum);
    listing->count++;
    size_t other_size;
    const void *other = gossip_find(listing->other, origin, GOSSIP_TABLE_HOST, key, &other_size);
    listing->missing =
        listing->missing || other == NULL || other_size != size || memcmp(other, value, size) != 0;
}

static void compare_records(struct twins *twins) {
    struct listing learnt = {.other = twins->based};
    struct listing based = {.other = twins->learnt};
    gossip_each(twins->learnt, GOSSIP_TABLE_HOST, list_record, &learnt);
    gossip_each(twins->based, GOSSIP_TABLE_HOST, list_record, &based);
    if (learnt.sum != based.sum || learnt.missing || based.missing) {
        fault(twins, "%" PRIu64 " ns: learnt lists %u records, based %u, or others", twins->now_ns,
              learnt.count, based.count);
    }
}

void twins_compare(struct twins *twins) {
    compare_members(twins);
    compare_records(twins);
    const char *learnt[PEERS_MAX], *based[PEERS_MAX];
    uint32_t count = gossip_neighbours(twins->learnt, learnt, PEERS_MAX);
    if (gossip_neighbours(twins->based, based, PEERS_MAX) != count) {
        fault(twins, "%" PRIu64 " ns: other peers", twins->now_ns);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(learnt[i], based[i]) != 0) {
            fault(twins, "%" PRIu64 " ns: other peers", twins->now_ns);
        }
    }
    if (memcmp(twins->learnt->digest, twins->based->digest, sizeof twins->learnt->digest) != 0) {
        fault(twins, "%" PRIu64 " ns: other digests", twins->now_ns);
    }
}

// ---- time

static struct gossip *core_at(const struct twins *twins, const char *address, uint32_t *member) {
    char name[GOSSIP_ADDRESS_SIZE];
    *member = UINT32_MAX;
    if (strcmp(address, X_ADDRESS) == 0) {
        return twins->learnt;
    }
    for (uint32_t i = 0; i < twins->count; i++) {
        snprintf(name, sizeof name, "mem://m%u", i);
        if (strcmp(address, name) == 0) {
            *member = i;
            return twins->fleet[i];
        }
    }
    return NULL;
}

static void deliver(struct twins *twins, uint32_t at) {
    struct twins_message message = twins->queue[at];
    uint32_t member;
    struct gossip *core = core_at(twins, message.to, &member);
    twins->queue[at] = twins->queue[--twins->queue_count];
    twins->now_ns = message.at_ns > twins->now_ns ? message.at_ns : twins->now_ns;
    if (core != NULL) {
        gossip_receive(core, twins->now_ns, NULL, message.bytes, message.size);
    }
    if (core != NULL && core == twins->learnt) {
        gossip_receive(twins->based, twins->now_ns, NULL, message.bytes, message.size);
        drain_twins(twins);
    } else if (core != NULL) {
        drain(twins, core);
    }
    free(message.bytes);
}

static void tick_due(struct twins *twins) {
    for (uint32_t i = 0; i < twins->count; i++) {
        struct gossip *core = twins->fleet[i];
        if (core != NULL && gossip_deadline_ns(core) <= twins->now_ns) {
            gossip_tick(core, twins->now_ns);
            drain(twins, core);
        }
    }
    if (twins->learnt == NULL) {
        return;
    }
    uint64_t deadline = gossip_deadline_ns(twins->learnt);
    if (deadline != gossip_deadline_ns(twins->based)) {
        fault(twins, "%" PRIu64 " ns: other deadlines", twins->now_ns);
    }
    if (deadline <= twins->now_ns) {
        gossip_tick(twins->learnt, twins->now_ns);
        gossip_tick(twins->based, twins->now_ns);
        drain_twins(twins);
        twins_compare(twins);
    }
}

static uint64_t next_deadline(const struct twins *twins) {
    uint64_t next = twins->learnt != NULL ? gossip_deadline_ns(twins->learnt) : NEVER_NS;
    for (uint32_t i = 0; i < twins->count; i++) {
        uint64_t deadline =
            twins->fleet[i] != NULL ? gossip_deadline_ns(twins->fleet[i]) : NEVER_NS;
        next = deadline < next ? deadline : next;
    }
    return next;
}

static bool is_before(const struct twins_message *a, const struct twins_message *b) {
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void twins_run(struct twins *twins, uint64_t duration_ns) {
    uint64_t until = twins->now_ns + duration_ns;
    while (twins->fault[0] == '\0') {
        uint32_t first = 0;
        for (uint32_t i = 1; i < twins->queue_count; i++) {
            first = is_before(&twins->queue[i], &twins->queue[first]) ? i : first;
        }
        uint64_t deadline = next_deadline(twins);
        uint64_t arrival = twins->queue_count > 0 ? twins->queue[first].at_ns : NEVER_NS;
        if ((arrival < deadline ? arrival : deadline) > until) {
            twins->now_ns = until;
            return;
        }
        if (arrival <= deadline) {
            deliver(twins, first);
        } else {
            twins->now_ns = deadline > twins->now_ns ? deadline : twins->now_ns;
            tick_due(twins);
        }
    }
}

// ---- hosts

static const char *const seeds[] = {"mem://m0", "mem://m1", "mem://m2"};

void twins_start(struct twins *twins, uint32_t member) {
    struct gossip_config config = {.seeds = seeds, .seed_count = 3};
    snprintf(config.name, sizeof config.name, "m%u", member);
    snprintf(config.address, sizeof config.address, "mem://m%u", member);
    snprintf(config.rack, sizeof config.rack, "rack%u", member / 4);
    config.nonce = (uint32_t)rng_next(&twins->rng);
    config.seed = hash_pair(twins->seed, (uint64_t)member << 32 | ++twins->boots[member]);
    twins->fleet[member] = open_core(twins, &config);
    drain(twins, twins->fleet[member]);
}

void twins_kill(struct twins *twins, uint32_t member) {
    gossip_close(twins->fleet[member]);
    twins->fleet[member] = NULL;
}

void twins_flush(struct twins *twins, uint32_t member) {
    drain(twins, twins->fleet[member]);
}

void twins_write(struct twins *twins, const char *key, const char *value) {
    struct gossip *both[] = {twins->learnt, twins->based};
    for (uint32_t i = 0; i < 2; i++) {
        if (value != NULL) {
            (void)gossip_put(both[i], twins->now_ns, GOSSIP_TABLE_HOST, key, value,
                             strlen(value) + 1);
        } else {
            (void)gossip_delete(both[i], twins->now_ns, GOSSIP_TABLE_HOST, key);
        }
    }
    drain_twins(twins);
}

// All that `from` knows, by messages and at this instant.
static void teach(struct twins *twins, struct gossip *from, struct gossip *to) {
    struct gossip *turn = from;
    struct gossip_message message;
    bool said = true;
    gossip_peer_connected(from, twins->now_ns, to->config.address); // sends a digest
    while (said) {
        struct gossip *other = turn == from ? to : from;
        said = false;
        while (gossip_take_message(turn, &message)) {
            if (strcmp(message.address, other->config.address) == 0) {
                gossip_receive(other, twins->now_ns, NULL, message.bytes, message.size);
                said = true;
            } else if (turn == from) {
                send(twins, &message);
            }
        }
        turn = other;
    }
    drain_changes(from);
    drain_changes(to);
}

// What was learnt is news that its pings pass on, was asked for a moment ago, and came as a crowd;
// what was known from the start did not.
static void forget_news(struct gossip *core) {
    for (uint32_t i = 0; i <= core->origin_mask; i++) {
        for (struct origin *origin = core->origin_hash[i]; origin; origin = origin->hash_next) {
            origin->wanted_at_ns = 0;
        }
    }
    for (uint32_t i = 0; i < core->summary_count; i++) {
        core->summary[i]->summary_due = 0;
    }
    for (uint32_t i = 0; i < core->want_count; i++) {
        core->wants[i]->want_due = false;
    }
    core->summary_count = core->want_count = core->crowd.newcomers = 0;
    core->crowd.since_ns = core->crowd.seen_ns = 0;
    core->crowd.helper[0] = '\0';
    core->tell_at_ns = core->retry_at_ns = NEVER_NS;
    repair_mark(core, core->self);
}

void twins_open(struct twins *twins, uint32_t member) {
    struct gossip_config *config = &twins->config;
    *config = (struct gossip_config){.seeds = seeds, .seed_count = 3, .name = "base"};
    memcpy(config->address, BASE_ADDRESS, sizeof BASE_ADDRESS);
    twins->base = open_core(twins, config); // never claims a life: nobody knows it
    teach(twins, twins->fleet[0], twins->base);
    if (member == UINT32_MAX) {
        memcpy(config->name, "x", 2);
    } else {
        snprintf(config->name, sizeof config->name, "m%u", member);
    }
    memcpy(config->address, X_ADDRESS, sizeof X_ADDRESS);
    memcpy(config->rack, "rack2", 6);
    config->nonce = (uint32_t)rng_next(&twins->rng);
    config->seed = twins->seed;
    twins->learnt = open_core(twins, config);
    teach(twins, twins->fleet[0], twins->learnt);
    forget_news(twins->learnt);
    config->base = twins->base;
    twins->based = open_core(twins, config);
    struct gossip_message message;
    gossip_peer_connected(twins->fleet[0], twins->now_ns, X_ADDRESS);
    while (gossip_take_message(twins->fleet[0], &message)) {
        gossip_receive(twins->learnt, twins->now_ns, NULL, message.bytes, message.size);
        gossip_receive(twins->based, twins->now_ns, NULL, message.bytes, message.size);
    }
    // Being one of the members it may judge otherwise than the base, and says so to begin with.
    drain_changes(twins->learnt);
    drain_changes(twins->based);
    drain_twins(twins);
    twins_compare(twins);
}
