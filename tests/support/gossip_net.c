// SPDX-License-Identifier: Apache-2.0
#include "gossip_net.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void net_init(struct gossip_net *net, uint32_t hosts, uint64_t seed) {
    memset(net, 0, sizeof *net);
    assert(hosts <= NET_HOSTS_MAX);
    net->count = hosts;
    net->seed = seed;
    net->now_ns = NS_PER_S;
    net->delay_min_ns = 20 * NS_PER_US;
    net->delay_max_ns = 200 * NS_PER_US;
    rng_init(&net->rng, seed);
    for (uint32_t i = 0; i < hosts; i++) {
        snprintf(net->hosts[i].name, sizeof net->hosts[i].name, "n%u", i);
        snprintf(net->hosts[i].address, sizeof net->hosts[i].address, "mem://n%u", i);
        net->hosts[i].waiting = calloc(NET_WAITING_MAX, sizeof(struct net_message));
        assert(net->hosts[i].waiting != NULL);
        net->hosts[i].name_of = i;
        snprintf(net->hosts[i].rack, sizeof net->hosts[i].rack, "rack%u", i / 4);
    }
}

static void drop_waiting(struct net_host *host) {
    for (uint32_t i = 0; i < host->waiting_count; i++) {
        free(host->waiting[i].bytes);
    }
    host->waiting_count = 0;
}

void net_fini(struct gossip_net *net) {
    for (uint32_t i = 0; i < net->count; i++) {
        gossip_close(net->hosts[i].core);
        drop_waiting(&net->hosts[i]);
        free(net->hosts[i].waiting);
    }
    for (uint32_t i = 0; i < net->heap_count; i++) {
        free(net->heap[i].bytes);
    }
    free(net->heap);
}

// ---- messages in flight: a heap by (time, order)

static bool is_before(const struct net_message *a, const struct net_message *b) {
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void swap(struct net_message *a, struct net_message *b) {
    struct net_message kept = *a;
    *a = *b;
    *b = kept;
}

static void heap_push(struct gossip_net *net, struct net_message message) {
    if (net->heap_count == net->heap_capacity) {
        net->heap_capacity = 2 * net->heap_capacity + 64;
        net->heap = realloc(net->heap, net->heap_capacity * sizeof *net->heap);
        assert(net->heap != NULL);
    }
    uint32_t at = net->heap_count++;
    net->heap[at] = message;
    while (at > 0 && is_before(&net->heap[at], &net->heap[(at - 1) / 2])) {
        swap(&net->heap[at], &net->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static struct net_message heap_pop(struct gossip_net *net) {
    struct net_message top = net->heap[0];
    net->heap[0] = net->heap[--net->heap_count];
    for (uint32_t at = 0;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < net->heap_count; child++) {
            least = is_before(&net->heap[child], &net->heap[least]) ? child : least;
        }
        if (least == at) {
            return top;
        }
        swap(&net->heap[at], &net->heap[least]);
        at = least;
    }
}

void net_inject(struct gossip_net *net, struct net_message message) {
    message.at_ns = message.at_ns > net->now_ns ? message.at_ns : net->now_ns;
    message.order = net->order++;
    heap_push(net, message);
}

static bool chance(struct gossip_net *net, uint32_t ppm) {
    return ppm > 0 && rng_below(&net->rng, 1000000) < ppm;
}

static void damage(struct gossip_net *net, struct net_message *message) {
    if (chance(net, net->truncate_ppm)) {
        message->size = rng_below(&net->rng, message->size);
        message->damaged = true;
    }
    if (message->size > 0 && chance(net, net->flip_ppm)) {
        uint8_t bits = (uint8_t)(1 + rng_below(&net->rng, 255));
        // Every other time at the end: the value of a record.
        size_t reach = rng_below(&net->rng, 2) == 0 || message->size < 8 ? message->size : 8;
        message->bytes[message->size - 1 - rng_below(&net->rng, reach)] ^= bits;
        message->damaged = true;
    }
    net->damaged += message->damaged;
}

static uint64_t delay_of(struct gossip_net *net, uint32_t from, uint32_t to) {
    uint64_t delay = net->delay_min_ns + net->far_ns[from][to] +
                     rng_below(&net->rng, net->delay_max_ns - net->delay_min_ns + 1);
    return delay + (chance(net, net->late_ppm) ? rng_below(&net->rng, net->late_ns + 1) : 0);
}

static void send_copy(struct gossip_net *net, uint32_t from, uint32_t to,
                      const struct gossip_message *message) {
    struct net_message copy = {.from = from, .to = to, .size = message->size};
    copy.bytes = malloc(message->size);
    assert(copy.bytes != NULL);
    memcpy(copy.bytes, message->bytes, message->size);
    copy.order = net->order++;
    copy.at_ns = net->now_ns + delay_of(net, from, to);
    damage(net, &copy);
    if (net->tamper != NULL && !net->tamper(net->context, &copy)) {
        free(copy.bytes);
        return;
    }
    heap_push(net, copy);
}

static bool host_at(const struct gossip_net *net, const char *address, uint32_t *host) {
    char *end;
    if (strncmp(address, "mem://n", 7) != 0) {
        return false;
    }
    unsigned long value = strtoul(address + 7, &end, 10);
    *host = (uint32_t)value;
    return *end == '\0' && value < net->count;
}

static void send_all(struct gossip_net *net, uint32_t from) {
    struct gossip_message message;
    while (gossip_take_message(net->hosts[from].core, &message)) {
        uint32_t to;
        if (net->sent != NULL) {
            net->sent(net->context, from, &message);
        }
        if (!host_at(net, message.address, &to) || net->cut[from][to] ||
            chance(net, net->loss_ppm)) {
            net->lost++;
            continue;
        }
        send_copy(net, from, to, &message);
        if (chance(net, net->duplicate_ppm)) {
            send_copy(net, from, to, &message);
        }
    }
}

// To be called after each event of a host.
static void drain(struct gossip_net *net, uint32_t at) {
    struct net_host *host = &net->hosts[at];
    struct gossip_change change;
    send_all(net, at);
    while (gossip_take_change(host->core, &change)) {
        if (change.kind == GOSSIP_RECORD && change.hop_count > host->hops_max) {
            host->hops_max = change.hop_count;
        }
        if (net->changed != NULL) {
            net->changed(net->context, at, &change);
        }
    }
    uint64_t deadline = gossip_deadline_ns(host->core);
    host->deadline_ns = deadline == NEVER_NS ? NEVER_NS : deadline - host->clock_ns;
    if (net->after != NULL) {
        net->after(net->context, at);
    }
}

static uint64_t clock_of(const struct gossip_net *net, const struct net_host *host) {
    return net->now_ns + host->clock_ns;
}

static uint64_t refusals(const struct gossip *core) {
    struct gossip_stats stats;
    gossip_stats(core, &stats);
    return stats.dropped_malformed + stats.dropped_forged + stats.dropped_unknown_key;
}

static void receive(struct gossip_net *net, const struct net_message *message) {
    struct net_host *to = &net->hosts[message->to];
    const char *sender =
        net->signing != NULL ? net->hosts[net->hosts[message->from].name_of].name : NULL;
    uint64_t before = refusals(to->core);
    net->delivered++;
    gossip_receive(to->core, clock_of(net, to), sender, message->bytes, message->size);
    net->refused += !message->damaged && refusals(to->core) != before;
    drain(net, message->to);
}

static void deliver(struct gossip_net *net) {
    struct net_message message = heap_pop(net);
    struct net_host *to = &net->hosts[message.to];
    net->now_ns = message.at_ns > net->now_ns ? message.at_ns : net->now_ns;
    if (to->core != NULL && to->paused && to->waiting_count < NET_WAITING_MAX) {
        to->waiting[to->waiting_count++] = message;
        return;
    }
    if (to->core != NULL && !to->paused) {
        receive(net, &message);
    }
    free(message.bytes);
}

// ---- time

static uint32_t next_tick(const struct gossip_net *net, uint64_t *at_ns) {
    uint32_t host = UINT32_MAX;
    *at_ns = NEVER_NS;
    for (uint32_t i = 0; i < net->count; i++) {
        if (net->hosts[i].core != NULL && !net->hosts[i].paused) {
            if (net->hosts[i].deadline_ns < *at_ns) {
                *at_ns = net->hosts[i].deadline_ns;
                host = i;
            }
        }
    }
    return host;
}

static bool step(struct gossip_net *net, uint64_t until_ns) {
    uint64_t tick_at;
    uint32_t host = next_tick(net, &tick_at);
    bool message_first = net->heap_count > 0 && net->heap[0].at_ns <= tick_at;
    uint64_t at = message_first ? net->heap[0].at_ns : tick_at;
    if (at > until_ns) {
        net->now_ns = until_ns;
        return false;
    }
    if (message_first) {
        deliver(net);
        return true;
    }
    net->now_ns = at > net->now_ns ? at : net->now_ns;
    gossip_tick(net->hosts[host].core, clock_of(net, &net->hosts[host]));
    drain(net, host);
    return true;
}

void net_run(struct gossip_net *net, uint64_t duration_ns) {
    uint64_t until = net->now_ns + duration_ns;
    while (step(net, until)) {
    }
}

bool net_run_until(struct gossip_net *net, uint64_t duration_ns,
                   bool (*holds)(const struct gossip_net *net, const void *context),
                   const void *context) {
    uint64_t until = net->now_ns + duration_ns;
    while (!holds(net, context)) {
        uint64_t slice = net->now_ns + NS_PER_MS < until ? net->now_ns + NS_PER_MS : until;
        while (step(net, slice)) {
        }
        if (net->now_ns >= until) {
            return holds(net, context);
        }
    }
    return true;
}

// ---- hosts

static void start(struct gossip_net *net, uint32_t host, uint32_t name_of,
                  uint32_t last_incarnation) {
    static const char *const seeds[] = {"mem://n0", "mem://n1", "mem://n2"};
    struct net_host *started = &net->hosts[host];
    struct gossip_config config = net->settings;
    struct error error;
    assert(started->core == NULL);
    config.seeds = seeds;
    config.seed_count = config.seeds_awaited ? 0 : 3;
    memcpy(config.name, net->hosts[name_of].name, sizeof config.name);
    memcpy(config.address, started->address, sizeof config.address);
    memcpy(config.rack, started->rack, sizeof config.rack);
    started->boots++;
    started->name_of = name_of;
    started->clock_ns = net->own_clocks ? rng_below(&net->rng, UINT64_C(1) << 50) : 0;
    config.nonce = (uint32_t)rng_next(&net->rng);
    config.seed = hash_pair(net->seed, (uint64_t)host << 32 | started->boots);
    config.last_incarnation = last_incarnation;
    config.signing = net->signing != NULL ? &net->signing[name_of] : NULL;
    int opened = gossip_open(&config, clock_of(net, started), &started->core, &error);
    assert(opened == 0);
    started->paused = false;
    drain(net, host);
}

void net_start_as(struct gossip_net *net, uint32_t host, uint32_t name_of) {
    start(net, host, name_of, 0);
}

void net_start(struct gossip_net *net, uint32_t host) {
    start(net, host, host, 0);
}

void net_start_from_disk(struct gossip_net *net, uint32_t host) {
    start(net, host, host, net->hosts[host].last_incarnation);
}

void net_hint(struct gossip_net *net, uint32_t host, uint32_t other, enum net_hint hint) {
    static void (*const tell[])(struct gossip *, uint64_t, const char *) = {
        [NET_CONNECTED] = gossip_peer_connected,
        [NET_LOST] = gossip_peer_lost,
        [NET_BEHIND] = gossip_peer_behind,
    };
    struct net_host *told = &net->hosts[host];
    if (told->core != NULL && !told->paused) {
        tell[hint](told->core, clock_of(net, told), net->hosts[other].address);
        drain(net, host);
    }
}

static uint32_t incarnation_of(const struct net_host *host) {
    struct gossip_member self;
    bool known = gossip_find_member(host->core, host->name, &self);
    return known ? self.incarnation : 0;
}

void net_kill(struct gossip_net *net, uint32_t host) {
    uint32_t incarnation = incarnation_of(&net->hosts[host]);
    if (incarnation > 0) { // it held a life and wrote it down
        net->hosts[host].last_incarnation = incarnation;
    }
    gossip_close(net->hosts[host].core);
    net->hosts[host].core = NULL;
    drop_waiting(&net->hosts[host]);
    for (uint32_t i = 0; i < net->count && net->tells_lost; i++) {
        net_hint(net, i, host, NET_LOST);
    }
}

void net_leave(struct gossip_net *net, uint32_t host) {
    gossip_leave(net->hosts[host].core, clock_of(net, &net->hosts[host]));
    drain(net, host);
    net_kill(net, host);
}

void net_pause(struct gossip_net *net, uint32_t host, bool paused) {
    struct net_host *sleeper = &net->hosts[host];
    sleeper->paused = paused;
    for (uint32_t i = 0; i < sleeper->waiting_count && !paused; i++) {
        sleeper->waiting[i].at_ns = net->now_ns;
        heap_push(net, sleeper->waiting[i]);
    }
    sleeper->waiting_count = paused ? sleeper->waiting_count : 0;
}

void net_split(struct gossip_net *net, uint32_t first) {
    for (uint32_t a = 0; a < net->count; a++) {
        for (uint32_t b = 0; b < net->count; b++) {
            net->cut[a][b] = (a < first) != (b < first);
        }
    }
}

// What is under way for long comes soon.
static void hurry(struct gossip_net *net) {
    uint32_t count = net->heap_count;
    net->heap_count = 0;
    for (uint32_t i = 0; i < count; i++) { // heap_push writes at most where it was read already
        struct net_message message = net->heap[i];
        uint64_t latest = net->now_ns + net->delay_max_ns;
        message.at_ns = message.at_ns < latest ? message.at_ns : latest;
        heap_push(net, message);
    }
}

void net_heal(struct gossip_net *net) {
    memset(net->cut, 0, sizeof net->cut);
    memset(net->far_ns, 0, sizeof net->far_ns);
    net->loss_ppm = net->duplicate_ppm = net->late_ppm = 0;
    net->truncate_ppm = net->flip_ppm = 0;
    hurry(net);
}

int net_put_in(struct gossip_net *net, uint32_t host, enum gossip_table table, const char *key,
               const char *value) {
    struct net_host *writer = &net->hosts[host];
    int result =
        gossip_put(writer->core, clock_of(net, writer), table, key, value, strlen(value) + 1);
    drain(net, host);
    return result;
}

int net_delete_in(struct gossip_net *net, uint32_t host, enum gossip_table table, const char *key) {
    struct net_host *writer = &net->hosts[host];
    int result = gossip_delete(writer->core, clock_of(net, writer), table, key);
    drain(net, host);
    return result;
}

int net_put(struct gossip_net *net, uint32_t host, const char *key, const char *value) {
    return net_put_in(net, host, GOSSIP_TABLE_HOST, key, value);
}

int net_delete(struct gossip_net *net, uint32_t host, const char *key) {
    return net_delete_in(net, host, GOSSIP_TABLE_HOST, key);
}

const char *net_get(const struct gossip_net *net, uint32_t host, uint32_t origin, const char *key) {
    size_t size;
    return gossip_find(net->hosts[host].core, net->hosts[origin].name, GOSSIP_TABLE_HOST, key,
                       &size);
}

bool net_knows(const struct gossip_net *net, uint32_t host, uint32_t of) {
    struct gossip_member member;
    return gossip_find_member(net->hosts[host].core, net->hosts[of].name, &member);
}

enum gossip_state net_state(const struct gossip_net *net, uint32_t host, uint32_t of) {
    struct gossip_member member;
    bool known = gossip_find_member(net->hosts[host].core, net->hosts[of].name, &member);
    return known ? member.state : GOSSIP_DEAD;
}
