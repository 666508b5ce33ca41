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

static bool chance(struct gossip_net *net, uint32_t ppm) {
    return ppm > 0 && rng_below(&net->rng, 1000000) < ppm;
}

static void send_copy(struct gossip_net *net, uint32_t from, uint32_t to,
                      const struct gossip_message *message) {
    struct net_message copy = {.from = from, .to = to, .size = message->size};
    copy.bytes = malloc(message->size);
    assert(copy.bytes != NULL);
    memcpy(copy.bytes, message->bytes, message->size);
    copy.order = net->order++;
    copy.at_ns = net->now_ns + net->delay_min_ns +
                 rng_below(&net->rng, net->delay_max_ns - net->delay_min_ns + 1);
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

static void drain(struct gossip_net *net, uint32_t from) {
    struct net_host *host = &net->hosts[from];
    struct gossip_message message;
    struct gossip_change change;
    while (gossip_take_message(host->core, &message)) {
        uint32_t to;
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
    while (gossip_take_change(host->core, &change)) {
        if (change.kind == GOSSIP_RECORD && change.hop_count > host->hops_max) {
            host->hops_max = change.hop_count;
        }
        if (net->changed != NULL) {
            net->changed(net->context, from, &change);
        }
    }
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
        net->delivered++;
        gossip_receive(to->core, net->now_ns, NULL, message.bytes, message.size);
        drain(net, message.to);
    }
    free(message.bytes);
}

// ---- time

static uint32_t next_tick(const struct gossip_net *net, uint64_t *at_ns) {
    uint32_t host = UINT32_MAX;
    *at_ns = NEVER_NS;
    for (uint32_t i = 0; i < net->count; i++) {
        if (net->hosts[i].core != NULL && !net->hosts[i].paused) {
            uint64_t deadline = gossip_deadline_ns(net->hosts[i].core);
            if (deadline < *at_ns) {
                *at_ns = deadline;
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
    gossip_tick(net->hosts[host].core, net->now_ns);
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

void net_start_as(struct gossip_net *net, uint32_t host, uint32_t name_of) {
    static const char *const seeds[] = {"mem://n0", "mem://n1", "mem://n2"};
    struct net_host *started = &net->hosts[host];
    struct gossip_config config = {.seeds = seeds, .seed_count = 3};
    struct error error;
    assert(started->core == NULL);
    memcpy(config.name, net->hosts[name_of].name, sizeof config.name);
    memcpy(config.address, started->address, sizeof config.address);
    memcpy(config.rack, started->rack, sizeof config.rack);
    started->boots++;
    config.nonce = (uint32_t)rng_next(&net->rng);
    config.seed = hash_pair(net->seed, (uint64_t)host << 32 | started->boots);
    int opened = gossip_open(&config, net->now_ns, &started->core, &error);
    assert(opened == 0);
    started->paused = false;
    drain(net, host);
}

void net_start(struct gossip_net *net, uint32_t host) {
    net_start_as(net, host, host);
}

void net_kill(struct gossip_net *net, uint32_t host) {
    gossip_close(net->hosts[host].core);
    net->hosts[host].core = NULL;
    drop_waiting(&net->hosts[host]);
    for (uint32_t i = 0; i < net->count && net->tells_lost; i++) {
        if (net->hosts[i].core != NULL && !net->hosts[i].paused) {
            gossip_peer_lost(net->hosts[i].core, net->now_ns, net->hosts[host].address);
            drain(net, i);
        }
    }
}

void net_leave(struct gossip_net *net, uint32_t host) {
    gossip_leave(net->hosts[host].core, net->now_ns);
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

void net_heal(struct gossip_net *net) {
    memset(net->cut, 0, sizeof net->cut);
    net->loss_ppm = net->duplicate_ppm = 0;
}

int net_put(struct gossip_net *net, uint32_t host, const char *key, const char *value) {
    int result = gossip_put(net->hosts[host].core, net->now_ns, GOSSIP_TABLE_HOST, key, value,
                            strlen(value) + 1);
    drain(net, host);
    return result;
}

int net_delete(struct gossip_net *net, uint32_t host, const char *key) {
    int result = gossip_delete(net->hosts[host].core, net->now_ns, GOSSIP_TABLE_HOST, key);
    drain(net, host);
    return result;
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
