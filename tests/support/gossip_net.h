// SPDX-License-Identifier: Apache-2.0
// A network in memory and in virtual time for gossip cores: N hosts "n0".."nN-1" (addresses
// "mem://n0"...), with delay (per pair too), loss, duplication, reordering, truncated and flipped
// bytes, cuts in each direction, crashes with and without a disk, and pauses. Equal seeds give
// equal runs.
//
// A host that is killed loses its memory; started again it is a new life with a new nonce. A paused
// host keeps its memory; what arrives meanwhile waits for it, as in a socket.
#ifndef TESTS_GOSSIP_NET_H
#define TESTS_GOSSIP_NET_H

#include "gossip/gossip.h"
#include "model/rng.h"
#include "model/time.h"

#define NET_HOSTS_MAX 128

struct net_message {
    uint64_t at_ns, order;
    uint32_t from, to;
    bool damaged; // it is not what its sender sent
    size_t size;
    uint8_t *bytes;
};

#define NET_WAITING_MAX 1000 // at a paused host; more is lost

struct net_host {
    struct gossip *core; // NULL: not running
    bool paused;
    uint32_t boots, name_of;
    uint32_t last_incarnation; // on its disk
    uint64_t clock_ns;         // its clock is that much ahead of the network's (modulo 2^64)
    uint64_t deadline_ns;      // of its next tick, by the network's clock
    char name[NAME_SIZE], address[GOSSIP_ADDRESS_SIZE], rack[NAME_SIZE];
    uint64_t hops_max; // of changes seen
    struct net_message *waiting;
    uint32_t waiting_count;
};

struct gossip_net {
    struct net_host hosts[NET_HOSTS_MAX];
    uint32_t count;
    uint64_t now_ns, order, seed;
    struct rng rng;
    uint64_t delay_min_ns, delay_max_ns;
    uint64_t far_ns[NET_HOSTS_MAX][NET_HOSTS_MAX]; // delay on top of that; from, to
    // Of all messages, in parts per million; a late one takes up to late_ns longer.
    uint32_t loss_ppm, duplicate_ppm, late_ppm, truncate_ppm, flip_ppm;
    uint64_t late_ns;
    bool cut[NET_HOSTS_MAX][NET_HOSTS_MAX]; // from, to
    bool tells_lost;                        // a killed host's peers learn that the connection broke
    bool own_clocks;                        // each process's clock starts somewhere else
    struct gossip_config settings;          // for all: times, protocol; names are filled in
    const struct gossip_signing *signing;   // one a host, or NULL; then senders are authenticated
    struct net_message *heap;
    uint32_t heap_count, heap_capacity;
    uint64_t delivered, lost, damaged;
    uint64_t refused; // messages that came as they were sent and that a core did not believe
    // A test may look at or change a message before it is sent; returns false to drop it.
    bool (*tamper)(void *context, struct net_message *message);
    void (*sent)(void *context, uint32_t host, const struct gossip_message *message);
    void (*changed)(void *context, uint32_t host, const struct gossip_change *change);
    void (*after)(void *context, uint32_t host); // each event of a host
    void *context;
};

void net_init(struct gossip_net *net, uint32_t hosts, uint64_t seed);
void net_fini(struct gossip_net *net);
// Hosts 0..2 are everybody's seeds, unless settings.seeds_awaited.
void net_start(struct gossip_net *net, uint32_t host);
// With the incarnation that its last life left on disk.
void net_start_from_disk(struct gossip_net *net, uint32_t host);
// Starts another process under the name of `name_of` at the address of `host`.
void net_start_as(struct gossip_net *net, uint32_t host, uint32_t name_of);
void net_kill(struct gossip_net *net, uint32_t host);
void net_leave(struct gossip_net *net, uint32_t host); // politely, then gone
void net_pause(struct gossip_net *net, uint32_t host, bool paused);
// A message that comes at message.at_ns (or now, if that is past); takes its bytes.
void net_inject(struct gossip_net *net, struct net_message message);
// What a carrier may tell `host` of its connection to another.
enum net_hint { NET_CONNECTED, NET_LOST, NET_BEHIND };
void net_hint(struct gossip_net *net, uint32_t host, uint32_t other, enum net_hint hint);
void net_run(struct gossip_net *net, uint64_t duration_ns);
// Runs until `holds` or the time is over; returns whether it held.
bool net_run_until(struct gossip_net *net, uint64_t duration_ns,
                   bool (*holds)(const struct gossip_net *net, const void *context),
                   const void *context);
// Cuts both directions between hosts below and from `first` on.
void net_split(struct gossip_net *net, uint32_t first);
// No cuts, no faults; what was late comes soon. Pauses last.
void net_heal(struct gossip_net *net);
int net_put_in(struct gossip_net *net, uint32_t host, enum gossip_table table, const char *key,
               const char *value);
int net_delete_in(struct gossip_net *net, uint32_t host, enum gossip_table table, const char *key);
// In GOSSIP_TABLE_HOST.
int net_put(struct gossip_net *net, uint32_t host, const char *key, const char *value);
int net_delete(struct gossip_net *net, uint32_t host, const char *key);
// What `host` holds of `origin` under the key in GOSSIP_TABLE_HOST; NULL when nothing.
const char *net_get(const struct gossip_net *net, uint32_t host, uint32_t origin, const char *key);
enum gossip_state net_state(const struct gossip_net *net, uint32_t host, uint32_t of);
bool net_knows(const struct gossip_net *net, uint32_t host, uint32_t of);

#endif
