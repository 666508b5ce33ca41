// SPDX-License-Identifier: Apache-2.0
// One turn: what happened (monitors, ZAP questions), what came in (at most RECEIVE_BUDGET
// messages), what the core wants sent, what the clock asks for.
//
// ZMQ_FD is edge-triggered: it says "look again", not "there is something". So every socket in the
// epoll set is read until EAGAIN, which in libzmq also empties the socket's mailbox, and a turn
// that ends earlier returns true. A send may swallow the edge of the same socket; here no socket
// does both: the inbox never sends, the DEALERs are never read (and so are not in the set), and the
// ZAP socket reads until EAGAIN after each answer.
#include "gossip_zmq/gossip_zmq.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <sodium.h>
#include <zmq.h>

#include "keyring.h"
#include "limits.h"
#include "monitor.h"
#include "peers.h"
#include "sockets.h"
#include "zap.h"

#define RECEIVE_BUDGET 64 // messages a turn: timers and probes of the same loop must not wait long
#define EPOLL_BATCH 64
#define REBIND_NS (2 * NS_PER_MS)

// What epoll says; smaller numbers are indices of peers.
enum tag { TAG_INBOX = PEERS_MAX, TAG_INBOX_MONITOR, TAG_ZAP, TAG_TIMER };

struct gossip_zmq {
    struct gossip *gossip; // borrowed
    void *context, *inbox, *inbox_monitor;
    int epoll, timer;
    uint64_t armed_ns;  // what the timer is set to; NEVER_NS: nothing
    bool inbox_pending; // not yet read until EAGAIN
    char listen[GOSSIP_ADDRESS_SIZE];
    bool unbound; // after a change of the own key, until libzmq has let go of the port
    struct zap zap;
    struct peers peers;
    struct limits limits;
    struct gossip_zmq_stats stats; // the fields of the inbox
};

static int watch_fd(struct gossip_zmq *carrier, int fd, uint64_t tag) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};
    return fd >= 0 && epoll_ctl(carrier->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int check_config(const struct gossip_zmq_config *config, struct tcp_address *listen,
                        struct error *error) {
    if (!address_parse(config->listen, listen)) {
        return error_set(error, -EINVAL, "listen address %s: not tcp://<numeric IP>:<port>",
                         config->listen);
    }
    if (!config->curve) {
        return 0;
    }
    if (zmq_has("curve") == 0) {
        return error_set(error, -ENOTSUP, "this libzmq was built without CURVE");
    }
    char public_key[CURVE_KEY_TEXT_SIZE];
    if (!curve_key_valid(config->secret_key) ||
        zmq_curve_public(public_key, config->secret_key) != 0 ||
        strcmp(public_key, config->public_key) != 0) {
        return error_set(error, -EINVAL, "this host's public and secret key are not a CURVE pair");
    }
    return config->fleet != NULL ? curve_keys_check(config->fleet, error)
                                 : error_set(error, -EINVAL, "no list of allowed keys");
}

static int open_curve(struct gossip_zmq *carrier, const struct gossip_zmq_config *config,
                      struct error *error) {
    struct curve_identity *self = &carrier->peers.self;
    self->on = true;
    memcpy(self->public_key, config->public_key, sizeof self->public_key);
    memcpy(self->secret_key, config->secret_key, sizeof self->secret_key);
    carrier->zap.keyring = &carrier->peers.keyring;
    int rc = keyring_set(&carrier->peers.keyring, config->fleet);
    if (rc != 0) {
        return error_set(error, rc, "out of memory for the fleet's keys");
    }
    return sockets_zap(carrier->context, &carrier->zap.socket, error);
}

static int open_loop(struct gossip_zmq *carrier, struct error *error) {
    carrier->epoll = epoll_create1(EPOLL_CLOEXEC);
    carrier->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (carrier->epoll < 0 || carrier->timer < 0) {
        return error_set(error, -errno, "no descriptor for the gossip loop: %s", strerror(errno));
    }
    carrier->peers.epoll = carrier->epoll;
    return 0;
}

static int watch_sockets(struct gossip_zmq *carrier, struct error *error) {
    int rc = monitor_open(carrier->context, carrier->inbox, carrier->peers.monitor_number++,
                          &carrier->inbox_monitor);
    rc = rc != 0 ? rc : watch_fd(carrier, sockets_fd(carrier->inbox), TAG_INBOX);
    rc = rc != 0 ? rc : watch_fd(carrier, sockets_fd(carrier->inbox_monitor), TAG_INBOX_MONITOR);
    rc = rc != 0 ? rc : watch_fd(carrier, carrier->timer, TAG_TIMER);
    if (rc == 0 && carrier->zap.socket != NULL) {
        rc = watch_fd(carrier, sockets_fd(carrier->zap.socket), TAG_ZAP);
    }
    return rc == 0
               ? 0
               : error_set(error, rc, "the gossip sockets cannot be watched: %s", strerror(-rc));
}

static void set_source(struct peers *peers, const struct tcp_address *listen) {
    // Peers recognise a host that comes back by its address; and on a host with several networks
    // gossip stays on the one that it was given.
    if (!listen->any) {
        snprintf(peers->source, sizeof peers->source, listen->v6 ? "[%s]" : "%s", listen->ip);
    }
}

int gossip_zmq_open(const struct gossip_zmq_config *config, struct gossip *gossip,
                    struct gossip_zmq **out, struct error *error) {
    struct tcp_address listen;
    int rc = check_config(config, &listen, error);
    rc = rc != 0 ? rc : sockets_check_descriptors(error);
    if (rc != 0) {
        return rc;
    }
    struct gossip_zmq *carrier = calloc(1, sizeof *carrier);
    if (carrier == NULL) {
        return error_set(error, -ENOMEM, "out of memory for the gossip carrier");
    }
    carrier->gossip = carrier->peers.gossip = gossip;
    carrier->epoll = carrier->timer = -1;
    carrier->armed_ns = NEVER_NS;
    randombytes_buf(carrier->limits.hash_key, sizeof carrier->limits.hash_key);
    set_source(&carrier->peers, &listen);
    memcpy(carrier->listen, config->listen, sizeof carrier->listen);
    rc = open_loop(carrier, error);
    rc = rc != 0 ? rc : sockets_context(&carrier->context, error);
    carrier->peers.context = carrier->context;
    rc = rc != 0 || !config->curve ? rc : open_curve(carrier, config, error);
    rc = rc != 0 ? rc
                 : sockets_inbox(carrier->context, &carrier->peers.self, &carrier->inbox, error);
    rc = rc != 0 ? rc : watch_sockets(carrier, error);
    rc = rc != 0 ? rc : sockets_bind(carrier->inbox, config->listen, error);
    if (rc != 0) {
        gossip_zmq_close(carrier);
        return rc;
    }
    *out = carrier;
    return 0;
}

void gossip_zmq_close(struct gossip_zmq *carrier) {
    if (carrier == NULL) {
        return;
    }
    peers_close_all(&carrier->peers);
    if (carrier->inbox_monitor != NULL) {
        monitor_close(carrier->inbox_monitor, carrier->inbox);
    }
    if (carrier->inbox != NULL) {
        zmq_close(carrier->inbox);
    }
    zap_fini(&carrier->zap);
    if (carrier->context != NULL) {
        zmq_ctx_term(carrier->context);
    }
    if (carrier->epoll >= 0) {
        close(carrier->epoll);
    }
    if (carrier->timer >= 0) {
        close(carrier->timer);
    }
    explicit_bzero(carrier, sizeof *carrier);
    free(carrier);
}

static void try_to_bind(struct gossip_zmq *carrier) {
    struct error error;
    carrier->unbound =
        carrier->unbound && sockets_bind(carrier->inbox, carrier->listen, &error) != 0;
}

static int change_own_key(struct gossip_zmq *carrier, const char *secret_key,
                          const char *public_key, struct error *error) {
    struct curve_identity self = carrier->peers.self;
    memcpy(self.secret_key, secret_key, sizeof self.secret_key);
    memcpy(self.public_key, public_key, sizeof self.public_key);
    int rc = carrier->unbound ? 0 : sockets_unbind(carrier->inbox);
    rc = rc != 0 ? rc : sockets_rekey(carrier->inbox, &self);
    if (rc == 0) {
        carrier->unbound = true;
        carrier->peers.self = self;
    }
    explicit_bzero(&self, sizeof self);
    return rc == 0 ? 0
                   : error_set(error, rc, "the gossip inbox does not change its key: %s",
                               strerror(-rc));
}

int gossip_zmq_set_keys(struct gossip_zmq *carrier, uint64_t now_ns, const char *secret_key,
                        const struct curve_keys *fleet, struct error *error) {
    char public_key[CURVE_KEY_TEXT_SIZE];
    if (!carrier->peers.self.on) {
        return error_set(error, -EINVAL, "CURVE is off: no list of allowed keys to replace");
    }
    if (!curve_key_valid(secret_key) || zmq_curve_public(public_key, secret_key) != 0) {
        return error_set(error, -EINVAL, "this host's secret key is not a CURVE key");
    }
    int rc = curve_keys_check(fleet, error);
    if (rc != 0) {
        return rc;
    }
    rc = keyring_set(&carrier->peers.keyring, fleet);
    if (rc != 0) {
        return error_set(error, rc, "out of memory for the fleet's keys");
    }
    bool changed = strcmp(secret_key, carrier->peers.self.secret_key) != 0;
    rc = changed ? change_own_key(carrier, secret_key, public_key, error) : 0;
    peers_follow_keys(&carrier->peers, now_ns, changed && rc == 0);
    return rc;
}

int gossip_zmq_fd(const struct gossip_zmq *carrier) {
    return carrier->epoll;
}

static void watch_inbox(struct gossip_zmq *carrier) {
    struct gossip_zmq_stats *stats = &carrier->stats;
    enum monitor_event event;
    while ((event = monitor_take(carrier->inbox_monitor)) != MONITOR_NONE) {
        stats->accepted += event == MONITOR_ACCEPTED;
        stats->accept_failed += event == MONITOR_ACCEPT_FAILED;
        stats->handshake_failed += event == MONITOR_HANDSHAKE_FAILED;
        stats->inbound_ended += event == MONITOR_DOWN;
    }
}

static void clear_timer(int timer) {
    uint64_t expirations;
    (void)!read(timer, &expirations, sizeof expirations);
}

static void dispatch(struct gossip_zmq *carrier, uint64_t now_ns) {
    struct epoll_event events[EPOLL_BATCH];
    int count = epoll_wait(carrier->epoll, events, EPOLL_BATCH, 0);
    for (int i = 0; i < count; i++) {
        uint64_t tag = events[i].data.u64;
        if (tag < PEERS_MAX) {
            peers_watch(&carrier->peers, now_ns, (uint32_t)tag);
        } else if (tag == TAG_INBOX) {
            carrier->inbox_pending = true;
        } else if (tag == TAG_INBOX_MONITOR) {
            watch_inbox(carrier);
        } else if (tag == TAG_ZAP) {
            zap_work(&carrier->zap);
        } else {
            clear_timer(carrier->timer);
            carrier->armed_ns = NEVER_NS; // it fired
        }
    }
}

// The host whose word this is: NULL without CURVE, or where all have the key.
static const char *speaker(const struct curve_key *key) {
    return key == NULL || strcmp(key->host, "*") == 0 ? NULL : key->host;
}

static void take_body(struct gossip_zmq *carrier, uint64_t now_ns, zmq_msg_t *body) {
    struct keyring *keyring = &carrier->peers.keyring;
    const char *user = zmq_msg_gets(body, "User-Id"), *ip = zmq_msg_gets(body, "Peer-Address");
    const struct curve_key *key = NULL;
    if (carrier->peers.self.on) {
        key = user == NULL ? NULL : keyring_find(keyring, user);
        if (key == NULL) {
            zap_deny(&carrier->zap, ip == NULL ? "" : ip);
            return;
        }
    }
    if (zmq_msg_size(body) == 0 || zmq_msg_size(body) > GOSSIP_MESSAGE_MAX) {
        carrier->stats.malformed++;
        return;
    }
    const char *host = speaker(key);
    const char *sender = host != NULL ? host : ip;
    if (sender != NULL && !limits_take(&carrier->limits, now_ns, sender, zmq_msg_size(body))) {
        carrier->stats.dropped_rate++;
        return;
    }
    carrier->stats.received++;
    if (ip != NULL) {
        if (key != NULL) {
            keyring_heard(keyring, ip, key->public_key);
        }
        peers_heard_from(&carrier->peers, now_ns, ip);
    }
    gossip_receive(carrier->gossip, now_ns, host, zmq_msg_data(body), zmq_msg_size(body));
}

// Reads one message: routing id, body, and nothing more. False when none is waiting.
static bool receive_one(struct gossip_zmq *carrier, uint64_t now_ns) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    if (zmq_msg_recv(&frame, carrier->inbox, ZMQ_DONTWAIT) < 0) {
        return false; // EAGAIN; nothing else can happen to an open socket
    }
    bool more = zmq_msg_more(&frame) != 0;
    bool single = more;
    if (more && zmq_msg_recv(&frame, carrier->inbox, ZMQ_DONTWAIT) >= 0) {
        more = zmq_msg_more(&frame) != 0;
        single = !more;
    }
    if (single) {
        take_body(carrier, now_ns, &frame);
    } else {
        carrier->stats.malformed++;
    }
    while (more && zmq_msg_recv(&frame, carrier->inbox, ZMQ_DONTWAIT) >= 0) {
        more = zmq_msg_more(&frame) != 0;
    }
    zmq_msg_close(&frame);
    return true;
}

static void receive(struct gossip_zmq *carrier, uint64_t now_ns) {
    for (uint32_t i = 0; i < RECEIVE_BUDGET && carrier->inbox_pending; i++) {
        carrier->inbox_pending = receive_one(carrier, now_ns);
    }
}

static void send_queued(struct gossip_zmq *carrier, uint64_t now_ns) {
    struct gossip_message message;
    while (gossip_take_message(carrier->gossip, &message)) {
        peers_send(&carrier->peers, now_ns, &message);
    }
}

static void arm_timer(struct gossip_zmq *carrier, uint64_t now_ns, uint64_t due_ns) {
    if (due_ns == carrier->armed_ns) {
        return;
    }
    carrier->armed_ns = due_ns;
    struct itimerspec spec = {0}; // zero disarms
    if (due_ns != NEVER_NS) {
        uint64_t wait_ns = due_ns > now_ns ? due_ns - now_ns : 1;
        spec.it_value.tv_sec = (time_t)(wait_ns / NS_PER_S);
        spec.it_value.tv_nsec = (long)(wait_ns % NS_PER_S);
    }
    timerfd_settime(carrier->timer, 0, &spec, NULL);
}

bool gossip_zmq_work(struct gossip_zmq *carrier, uint64_t now_ns) {
    try_to_bind(carrier);
    dispatch(carrier, now_ns);
    receive(carrier, now_ns);
    peers_follow(&carrier->peers, now_ns);
    send_queued(carrier, now_ns);
    uint64_t due_ns = peers_timers(&carrier->peers, now_ns);
    arm_timer(carrier, now_ns, carrier->unbound ? now_ns + REBIND_NS : due_ns);
    return carrier->inbox_pending;
}

void gossip_zmq_flush(struct gossip_zmq *carrier, uint64_t now_ns, uint64_t timeout_ns) {
    send_queued(carrier, now_ns);
    peers_linger(&carrier->peers, timeout_ns);
}

void gossip_zmq_stats(const struct gossip_zmq *carrier, struct gossip_zmq_stats *out) {
    *out = carrier->peers.stats; // the two sets of fields are disjoint but for handshake_failed
    out->handshake_failed += carrier->stats.handshake_failed;
    out->accepted = carrier->stats.accepted;
    out->inbound_ended = carrier->stats.inbound_ended;
    out->inbound = (uint32_t)(out->accepted - out->inbound_ended);
    out->accept_failed = carrier->stats.accept_failed;
    out->denied_keys = carrier->zap.denied;
    out->dropped_rate = carrier->stats.dropped_rate;
    out->received = carrier->stats.received;
    out->malformed = carrier->stats.malformed;
}

const char *gossip_zmq_denied_address(const struct gossip_zmq *carrier) {
    return carrier->zap.denied_address;
}
