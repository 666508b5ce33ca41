// SPDX-License-Identifier: Apache-2.0
#include "peers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <zmq.h>

#include "keyring.h"
#include "monitor.h"

static void drop_held(struct peer *peer) {
    while (peer->held_first != NULL) {
        struct held *held = peer->held_first;
        peer->held_first = held->next;
        free(held);
    }
    peer->held_last = NULL;
    peer->held_count = 0;
    peer->held_bytes = 0;
}

static void close_sockets(struct peers *peers, struct peer *peer) {
    if (peer->monitor != NULL) {
        // Before the close: the descriptor lives on in libzmq's reaper for a while.
        epoll_ctl(peers->epoll, EPOLL_CTL_DEL, sockets_fd(peer->monitor), NULL);
        monitor_close(peer->monitor, peer->dealer);
    }
    if (peer->dealer != NULL) {
        zmq_close(peer->dealer);
    }
    peer->monitor = NULL;
    peer->dealer = NULL;
}

// The one place that changes a peer's state.
static void set_state(struct peers *peers, struct peer *peer, enum peer_state state,
                      uint64_t now_ns) {
    if (peer->state == PEER_CONNECTED) {
        peers->stats.connections--;
        peers->stats.disconnected++;
    }
    if (state == PEER_CONNECTED) {
        peers->stats.connections++;
        peers->stats.connected++;
        peer->was_connected = true;
    }
    peer->state = state;
    peer->state_at_ns = now_ns;
}

static void forget(struct peers *peers, struct peer *peer, uint64_t now_ns) {
    close_sockets(peers, peer);
    drop_held(peer);
    set_state(peers, peer, PEER_NONE, now_ns);
    *peer = (struct peer){0};
}

static void wait_to_retry(struct peers *peers, struct peer *peer, uint64_t now_ns) {
    if (peer->untried > 0) { // another key may be the right one
        peer->retry_at_ns = now_ns;
        set_state(peers, peer, PEER_WAITING, now_ns);
        return;
    }
    bool stable = peer->state == PEER_CONNECTED && now_ns - peer->state_at_ns >= STABLE_NS;
    uint64_t doubled = peer->backoff_ns * 2;
    peer->backoff_ns = stable || doubled == 0     ? BACKOFF_FIRST_NS
                       : doubled < BACKOFF_MAX_NS ? doubled
                                                  : BACKOFF_MAX_NS;
    peer->retry_at_ns = now_ns + peer->backoff_ns;
    set_state(peers, peer, PEER_WAITING, now_ns);
}

static int make_sockets(struct peers *peers, struct peer *peer) {
    int rc = sockets_dealer(peers->context, &peers->self, peer->server_key, &peer->dealer);
    rc = rc != 0
             ? rc
             : monitor_open(peers->context, peer->dealer, peers->monitor_number++, &peer->monitor);
    if (rc != 0) {
        return rc;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)(peer - peers->list)};
    if (epoll_ctl(peers->epoll, EPOLL_CTL_ADD, sockets_fd(peer->monitor), &event) != 0) {
        return -errno;
    }
    return sockets_connect(peer->dealer, peers->source, peer->address);
}

// Starts an attempt. A host whose key is not known, or a lack of descriptors, is retried like a
// failed handshake: keys and descriptors may come.
static void start(struct peers *peers, struct peer *peer, uint64_t now_ns) {
    const char *key = "";
    if (peers->self.on) {
        uint32_t count;
        key =
            keyring_key_of(&peers->keyring, peers->gossip, peer->address, peer->key_turn++, &count);
        peer->untried = peer->untried > 0 && peer->untried <= count ? peer->untried - 1
                        : count > 0                                 ? count - 1
                                                                    : 0;
    }
    if (key != NULL) {
        memcpy(peer->server_key, key, strlen(key) + 1);
        if (make_sockets(peers, peer) == 0) {
            set_state(peers, peer, PEER_CONNECTING, now_ns);
            return;
        }
    }
    close_sockets(peers, peer);
    wait_to_retry(peers, peer, now_ns);
}

static void restart(struct peers *peers, struct peer *peer, uint64_t now_ns) {
    close_sockets(peers, peer);
    start(peers, peer, now_ns);
}

static struct peer *find(struct peers *peers, const char *address) {
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &peers->list[i];
        if (peer->state != PEER_NONE && strcmp(peer->address, address) == 0) {
            return peer;
        }
    }
    return NULL;
}

// Whoever is still connecting was not told yet what we opened the connection for.
static bool is_dearer(const struct peer *peer, const struct peer *than) {
    bool connecting = peer->state == PEER_CONNECTING;
    if (connecting != (than->state == PEER_CONNECTING)) {
        return connecting;
    }
    return peer->used_at_ns >= than->used_at_ns;
}

static uint32_t count_temporaries(const struct peers *peers, uint32_t *cheapest) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        const struct peer *peer = &peers->list[i];
        if (peer->state == PEER_NONE || peer->neighbour) {
            continue;
        }
        if (count == 0 || !is_dearer(peer, &peers->list[*cheapest])) {
            *cheapest = i;
        }
        count++;
    }
    return count;
}

// A free slot for a temporary peer; of too many the least recently used one gives way.
static struct peer *free_slot(struct peers *peers, uint64_t now_ns) {
    uint32_t cheapest = 0;
    if (count_temporaries(peers, &cheapest) >= TEMPORARIES_MAX) {
        forget(peers, &peers->list[cheapest], now_ns);
    }
    uint32_t slot = 0;
    while (slot < PEERS_MAX && peers->list[slot].state != PEER_NONE) {
        slot++;
    }
    assert(slot < PEERS_MAX); // at most NEIGHBOURS_MAX neighbours and TEMPORARIES_MAX others
    return &peers->list[slot];
}

// NULL for an address that libzmq must not see.
static struct peer *reach(struct peers *peers, const char *address, uint64_t now_ns) {
    struct peer *peer = find(peers, address);
    struct tcp_address parsed;
    if (peer == NULL) {
        if (strlen(address) >= GOSSIP_ADDRESS_SIZE || !address_parse(address, &parsed)) {
            return NULL;
        }
        peer = free_slot(peers, now_ns);
        memcpy(peer->address, address, strlen(address) + 1);
        memcpy(peer->ip, parsed.ip, sizeof peer->ip);
        start(peers, peer, now_ns);
    }
    peer->used_at_ns = now_ns;
    return peer;
}

void peers_close_all(struct peers *peers) {
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        if (peers->list[i].state != PEER_NONE) {
            forget(peers, &peers->list[i], 0);
        }
    }
    keyring_fini(&peers->keyring);
}

void peers_follow(struct peers *peers, uint64_t now_ns) {
    uint32_t generation = gossip_neighbour_generation(peers->gossip);
    if (peers->followed && peers->neighbour_generation == generation) {
        return;
    }
    peers->followed = true;
    peers->neighbour_generation = generation;
    const char *addresses[NEIGHBOURS_MAX];
    uint32_t count = gossip_neighbours(peers->gossip, addresses, NEIGHBOURS_MAX);
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &peers->list[i];
        peer->used_at_ns = peer->neighbour ? now_ns : peer->used_at_ns;
        peer->neighbour = false;
    }
    // First those that exist, so that making room for new ones never takes one of them.
    for (uint32_t i = 0; i < count; i++) {
        struct peer *peer = find(peers, addresses[i]);
        if (peer != NULL) {
            peer->neighbour = true;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        struct peer *peer = reach(peers, addresses[i], now_ns);
        if (peer != NULL) {
            peer->neighbour = true;
        }
    }
}

// True when the message was queued. libzmq looks into the socket's mailbox at most once a
// millisecond when it sends, so a first EAGAIN may be out of date: the connection may be up, or the
// peer may have read. Settle, then ask again.
static bool queue_to(struct peer *peer, const void *bytes, size_t size) {
    if (zmq_send(peer->dealer, bytes, size, ZMQ_DONTWAIT) >= 0) {
        return true;
    }
    sockets_settle(peer->dealer);
    return zmq_send(peer->dealer, bytes, size, ZMQ_DONTWAIT) >= 0;
}

static bool hold(struct peer *peer, uint64_t now_ns, const struct gossip_message *message) {
    if (peer->was_connected || peer->held_count >= HELD_COUNT_MAX ||
        peer->held_bytes + message->size > HELD_BYTES_MAX) {
        return false;
    }
    struct held *held = malloc(sizeof *held + message->size);
    if (held == NULL) {
        return false;
    }
    *held = (struct held){.at_ns = now_ns, .size = message->size};
    memcpy(held->bytes, message->bytes, message->size);
    if (peer->held_last == NULL) {
        peer->held_first = held;
    } else {
        peer->held_last->next = held;
    }
    peer->held_last = held;
    peer->held_count++;
    peer->held_bytes += message->size;
    return true;
}

static void send_held(struct peers *peers, struct peer *peer, uint64_t now_ns) {
    for (struct held *held = peer->held_first; held != NULL; held = held->next) {
        if (now_ns - held->at_ns <= HELD_AGE_MAX_NS && queue_to(peer, held->bytes, held->size)) {
            peers->stats.sent++;
        }
    }
    drop_held(peer);
}

// Loads are for whom we are connected to, and nobody waits for them.
static void send_or_drop(struct peers *peers, const struct gossip_message *message) {
    struct peer *peer = find(peers, message->address);
    if (peer != NULL && peer->state == PEER_CONNECTED &&
        queue_to(peer, message->bytes, message->size)) {
        peers->stats.sent++;
    } else {
        peers->stats.dropped_loads++;
    }
}

void peers_send(struct peers *peers, uint64_t now_ns, const struct gossip_message *message) {
    if (message->size > GOSSIP_MESSAGE_MAX) {
        peers->stats.oversized++;
        return;
    }
    if (message->droppable) {
        send_or_drop(peers, message);
        return;
    }
    struct peer *peer = reach(peers, message->address, now_ns);
    if (peer == NULL ||
        (peer->state == PEER_WAITING && peer->server_key[0] == '\0' && peers->self.on)) {
        peers->stats.unreachable++;
        return;
    }
    if (peer->state == PEER_CONNECTED && queue_to(peer, message->bytes, message->size)) {
        peers->stats.sent++;
        return;
    }
    if (peer->state != PEER_CONNECTED && hold(peer, now_ns, message)) {
        return;
    }
    peers->stats.would_block++;
    gossip_peer_behind(peers->gossip, now_ns, peer->address);
}

static void came_up(struct peers *peers, struct peer *peer, uint64_t now_ns) {
    peer->key_turn--; // this key works: the next attempt begins with it
    peer->untried = 0;
    // What we came to say to a stranger waited for this; there is nothing else that it missed.
    bool told = !peer->was_connected && !peer->neighbour && peer->held_first != NULL &&
                now_ns - peer->held_first->at_ns <= HELD_AGE_MAX_NS;
    set_state(peers, peer, PEER_CONNECTED, now_ns);
    send_held(peers, peer, now_ns);
    if (!told) {
        gossip_peer_connected(peers->gossip, now_ns, peer->address);
    }
}

static void came_down(struct peers *peers, struct peer *peer, uint64_t now_ns) {
    bool lost = peer->state == PEER_CONNECTED;
    close_sockets(peers, peer);
    wait_to_retry(peers, peer, now_ns);
    if (lost) {
        gossip_peer_lost(peers->gossip, now_ns, peer->address);
    }
}

void peers_watch(struct peers *peers, uint64_t now_ns, uint32_t index) {
    struct peer *peer = &peers->list[index];
    // Taking an event may close the monitor.
    while (peer->monitor != NULL) {
        enum monitor_event event = monitor_take(peer->monitor);
        switch (event) {
        case MONITOR_NONE:
            return;
        case MONITOR_UP:
            came_up(peers, peer, now_ns);
            break;
        case MONITOR_HANDSHAKE_FAILED:
            peers->stats.handshake_failed++;
            came_down(peers, peer, now_ns);
            break;
        case MONITOR_DOWN:
            came_down(peers, peer, now_ns);
            break;
        case MONITOR_ACCEPTED:
        case MONITOR_ACCEPT_FAILED:
        case MONITOR_OTHER:
            break;
        }
    }
}

uint64_t peers_timers(struct peers *peers, uint64_t now_ns) {
    uint64_t next_ns = NEVER_NS;
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &peers->list[i];
        if (peer->state == PEER_NONE) {
            continue;
        }
        uint64_t idle_at_ns = peer->neighbour ? NEVER_NS : peer->used_at_ns + TEMPORARY_IDLE_NS;
        if (now_ns >= idle_at_ns) {
            forget(peers, peer, now_ns);
            continue;
        }
        if (peer->state == PEER_WAITING && now_ns >= peer->retry_at_ns) {
            start(peers, peer, now_ns);
        }
        uint64_t retry_at_ns = peer->state == PEER_WAITING ? peer->retry_at_ns : NEVER_NS;
        uint64_t due_ns = retry_at_ns < idle_at_ns ? retry_at_ns : idle_at_ns;
        next_ns = due_ns < next_ns ? due_ns : next_ns;
    }
    return next_ns;
}

void peers_heard_from(struct peers *peers, uint64_t now_ns, const char *ip) {
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &peers->list[i];
        if (peer->state == PEER_NONE || peer->state == PEER_CONNECTED ||
            strcmp(peer->ip, ip) != 0) {
            continue;
        }
        // Without a key nothing was tried yet; perhaps this was the first word with it.
        bool keyless = peers->self.on && peer->server_key[0] == '\0';
        if (keyless || now_ns - peer->state_at_ns >= KICK_AGE_NS) {
            restart(peers, peer, now_ns);
        }
    }
}

void peers_follow_keys(struct peers *peers, uint64_t now_ns, bool own) {
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &peers->list[i];
        if (peer->state == PEER_NONE) {
            continue;
        }
        peer->key_turn = peer->untried = 0;
        bool known = keyring_find(&peers->keyring, peer->server_key) != NULL;
        if (peer->state == PEER_CONNECTED && !known) {
            came_down(peers, peer, now_ns);
        }
        if (own || peer->state == PEER_WAITING || !known) {
            restart(peers, peer, now_ns);
        }
    }
}

void peers_linger(struct peers *peers, uint64_t timeout_ns) {
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        if (peers->list[i].state == PEER_CONNECTED) {
            sockets_linger(peers->list[i].dealer, timeout_ns);
        }
    }
}
