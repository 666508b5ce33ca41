// SPDX-License-Identifier: Apache-2.0
// Every option of the carrier's sockets and why it is set. libzmq's defaults are made for request
// servers, not for gossip: measured here, a ROUTER lost 199,800 of 200,000 messages without a word,
// a restarted peer was sent 999 stale messages first, a half-open link was never noticed.
#include "sockets.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

#include <zmq.h>

#include "address.h"
#include "gossip/gossip.h"
#include "model/time.h"

#define IO_THREADS 1        // 8 neighbours need a few percent of a core
#define QUEUE_MESSAGES 1000 // per peer and direction
// Nobody speaks to our DEALERs, so they are never read. What a stranger says there nevertheless
// stays this small; the handshake's own frames are some 200 bytes.
#define DEALER_RECEIVE_QUEUE 1
#define DEALER_FRAME_MAX 1024
// CURVE wraps a message into a command of 33 bytes more, and the limit counts what is on the wire.
#define INBOX_FRAME_MAX (GOSSIP_MESSAGE_MAX + 64)
#define RECONNECT_MS 100
#define RECONNECT_MAX_MS 5000
#define CONNECT_TIMEOUT_MS 1000
#define HANDSHAKE_MS 2000
#define HEARTBEAT_MS 4000
#define HEARTBEAT_TIMEOUT_MS 8000
#define HEARTBEAT_TTL_MS 12000
#define TCP_GIVE_UP_MS 500
#define ACCEPT_BACKLOG 1024
#define CLASS_CS6 0xc0 // DSCP CS6, network control (RFC 4594): steering must outlive congestion
#define ROUTING_ID_SIZE 16
#define ZAP_DOMAIN "gossip"
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93 // every libzmq 4.3 has it; only headers with drafts name it
#endif

#define SOCKETS_PER_PEER 3 // DEALER, and the two ends of its monitor
#define SOCKETS_MAX (PEERS_MAX * SOCKETS_PER_PEER + 8)
// A socket has one eventfd, a connection one more; the context: epoll and eventfd for the I/O
// thread and the reaper, and our own epoll and timer.
#define DESCRIPTORS_OWN (SOCKETS_MAX + PEERS_MAX + INBOUND_EXPECTED + 8)

struct option {
    int name, value;
};

static const struct option common_options[] = {
    // A full queue to a slow peer is reported (EAGAIN) and repaired by digest, never grown without
    // bound nor dropped in silence.
    {ZMQ_SNDHWM, QUEUE_MESSAGES},
    // Closing never waits for a dead peer; gossip_zmq_flush asks for more before a polite leave.
    {ZMQ_LINGER, 0},
    // Who connects and then says nothing is dropped.
    {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
    // Bytes unacknowledged this long end the connection (TCP_USER_TIMEOUT): a new one gets a new
    // source port, so ECMP may carry it past the broken link.
    {ZMQ_TCP_MAXRT, TCP_GIVE_UP_MS},
    {ZMQ_TOS, CLASS_CS6},
};

static const struct option inbox_options[] = {
    // Should code ever answer through the ROUTER, an unknown peer is an error, not a silent drop.
    {ZMQ_ROUTER_MANDATORY, 1},
    {ZMQ_RCVHWM, QUEUE_MESSAGES},
    // After a mass restart thousands connect at once.
    {ZMQ_BACKLOG, ACCEPT_BACKLOG},
};

static const struct option dealer_options[] = {
    // Queue to completed connections only: what was said to a dead process must not be the first
    // thing that its successor hears.
    {ZMQ_IMMEDIATE, 1},
    // The safety net that frees half-open connections, at both ends: the other side learns from
    // here how long to wait. The core's own pings judge liveness and withhold the verdict when the
    // host itself stalls; libzmq's I/O thread knows no such doubt: 8 agents beside 16 busy
    // processes on 2 cores lost over a hundred healthy connections in half a minute with 50/150 ms
    // here. And each heartbeat costs as much as a ping.
    {ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS},
    {ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS},
    {ZMQ_HEARTBEAT_TTL, HEARTBEAT_TTL_MS},
    {ZMQ_RCVHWM, DEALER_RECEIVE_QUEUE},
    // The default maximum, 0, means a fixed rate for ever: a storm when many peers are dead.
    {ZMQ_RECONNECT_IVL, RECONNECT_MS},
    {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS},
    // A SYN into a black hole is given up before the kernel's two minutes.
    {ZMQ_CONNECT_TIMEOUT, CONNECT_TIMEOUT_MS},
};

static int zmq_code(void) {
    int code = zmq_errno();
    return code > 0 && code < ZMQ_HAUSNUMERO ? -code : -EIO;
}

static int set_int(void *socket, int name, int value) {
    return zmq_setsockopt(socket, name, &value, sizeof value) == 0 ? 0 : zmq_code();
}

static int set_text(void *socket, int name, const char *text) {
    return zmq_setsockopt(socket, name, text, strlen(text)) == 0 ? 0 : zmq_code();
}

static int set_options(void *socket, const struct option *options, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int rc = set_int(socket, options[i].name, options[i].value);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int set_common(void *socket, int64_t limit) {
    // A peer that announces a frame of 8 GiB is cut off before a byte of it is allocated.
    if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &limit, sizeof limit) != 0) {
        return zmq_code();
    }
    return set_options(socket, common_options, sizeof common_options / sizeof *common_options);
}

static uint64_t open_descriptors(void) {
    uint64_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (directory != NULL && readdir(directory) != NULL) {
        count++;
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return count;
}

int sockets_check_descriptors(struct error *error) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return error_set(error, -errno, "RLIMIT_NOFILE cannot be read: %s", strerror(errno));
    }
    uint64_t needed = open_descriptors() + DESCRIPTORS_OWN;
    if (limit.rlim_cur < needed) {
        return error_set(error, -EMFILE,
                         "gossip needs %llu file descriptors, RLIMIT_NOFILE is %llu: raise it "
                         "(ulimit -n, LimitNOFILE=)",
                         (unsigned long long)needed, (unsigned long long)limit.rlim_cur);
    }
    return 0;
}

int sockets_context(void **context, struct error *error) {
    void *made = zmq_ctx_new();
    // The limit makes a leak of sockets an error instead of a slow death.
    if (made == NULL || zmq_ctx_set(made, ZMQ_IO_THREADS, IO_THREADS) != 0 ||
        zmq_ctx_set(made, ZMQ_MAX_SOCKETS, SOCKETS_MAX) != 0) {
        int code = zmq_code();
        zmq_ctx_term(made);
        return error_set(error, code, "libzmq gives no context: %s", zmq_strerror(-code));
    }
    *context = made;
    return 0;
}

static int set_curve_server(void *inbox, const struct curve_identity *self) {
    int rc = set_int(inbox, ZMQ_CURVE_SERVER, 1);
    rc = rc != 0 ? rc : set_text(inbox, ZMQ_CURVE_SECRETKEY, self->secret_key);
    rc = rc != 0 ? rc : set_text(inbox, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN);
    // Without a handler for the domain nobody gets in, rather than everybody.
    rc = rc != 0 ? rc : set_int(inbox, ZMQ_ZAP_ENFORCE_DOMAIN, 1);
    // A peer that reconnects takes its routing id from its own half-open predecessor. Without
    // CURVE anybody could take anybody's, so there libzmq picks an id for each connection.
    return rc != 0 ? rc : set_int(inbox, ZMQ_ROUTER_HANDOVER, 1);
}

int sockets_inbox(void *context, const struct curve_identity *self, void **inbox,
                  struct error *error) {
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    int rc = socket == NULL ? zmq_code() : set_common(socket, INBOX_FRAME_MAX);
    rc = rc != 0 ? rc
                 : set_options(socket, inbox_options, sizeof inbox_options / sizeof *inbox_options);
    rc = rc != 0 || !self->on ? rc : set_curve_server(socket, self);
    if (rc != 0) {
        if (socket != NULL) {
            zmq_close(socket);
        }
        return error_set(error, rc, "the gossip inbox cannot be made: %s", zmq_strerror(-rc));
    }
    *inbox = socket;
    return 0;
}

// IPv4 and IPv6 stay apart: a dual-stack socket would show an IPv4 peer as ::ffff:a.b.c.d.
static int set_family(void *socket, const char *address) {
    return set_int(socket, ZMQ_IPV6, strchr(address, '[') != NULL);
}

int sockets_bind(void *inbox, const char *listen, struct error *error) {
    if (set_family(inbox, listen) == 0 && zmq_bind(inbox, listen) == 0) {
        return 0;
    }
    int code = zmq_code();
    switch (code) {
    case -EADDRINUSE:
        return error_set(error, code,
                         "%s is in use: another agent, or another service, listens there", listen);
    case -EADDRNOTAVAIL:
    case -ENODEV:
        return error_set(error, -EADDRNOTAVAIL, "%s: this host has no such address", listen);
    default:
        return error_set(error, code, "%s: cannot listen: %s", listen, zmq_strerror(-code));
    }
}

int sockets_unbind(void *inbox) {
    char endpoint[2 * GOSSIP_ADDRESS_SIZE];
    size_t size = sizeof endpoint;
    bool done = zmq_getsockopt(inbox, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0 &&
                zmq_unbind(inbox, endpoint) == 0;
    return done ? 0 : zmq_code();
}

int sockets_rekey(void *inbox, const struct curve_identity *self) {
    return set_text(inbox, ZMQ_CURVE_SECRETKEY, self->secret_key);
}

int sockets_zap(void *context, void **zap, struct error *error) {
    void *socket = zmq_socket(context, ZMQ_REP);
    int rc = socket == NULL ? zmq_code() : set_int(socket, ZMQ_LINGER, 0);
    if (rc == 0 && zmq_bind(socket, "inproc://zeromq.zap.01") != 0) {
        rc = zmq_code();
    }
    if (rc != 0) {
        if (socket != NULL) {
            zmq_close(socket);
        }
        return error_set(error, rc, "the key check cannot be made: %s", zmq_strerror(-rc));
    }
    *zap = socket;
    return 0;
}

static int set_curve_client(void *dealer, const struct curve_identity *self,
                            const char *server_key) {
    unsigned char id[ROUTING_ID_SIZE];
    if (getrandom(id, sizeof id, 0) != sizeof id) {
        return -EIO;
    }
    id[0] |= 1; // libzmq keeps ids that begin with 0 for itself
    int rc = zmq_setsockopt(dealer, ZMQ_ROUTING_ID, id, sizeof id) == 0 ? 0 : zmq_code();
    rc = rc != 0 ? rc : set_text(dealer, ZMQ_CURVE_SERVERKEY, server_key);
    rc = rc != 0 ? rc : set_text(dealer, ZMQ_CURVE_PUBLICKEY, self->public_key);
    return rc != 0 ? rc : set_text(dealer, ZMQ_CURVE_SECRETKEY, self->secret_key);
}

int sockets_dealer(void *context, const struct curve_identity *self, const char *server_key,
                   void **dealer) {
    void *socket = zmq_socket(context, ZMQ_DEALER);
    int rc = socket == NULL ? zmq_code() : set_common(socket, DEALER_FRAME_MAX);
    rc = rc != 0
             ? rc
             : set_options(socket, dealer_options, sizeof dealer_options / sizeof *dealer_options);
    rc = rc != 0 || !self->on ? rc : set_curve_client(socket, self, server_key);
    if (rc != 0) {
        if (socket != NULL) {
            zmq_close(socket);
        }
        return rc;
    }
    *dealer = socket;
    return 0;
}

int sockets_connect(void *dealer, const char *source, const char *address) {
    char endpoint[2 * GOSSIP_ADDRESS_SIZE + 8];
    const char *target = address + strlen("tcp://");
    int size = source[0] == '\0'
                   ? snprintf(endpoint, sizeof endpoint, "tcp://%s", target)
                   : snprintf(endpoint, sizeof endpoint, "tcp://%s:0;%s", source, target);
    if (size < 0 || (size_t)size >= sizeof endpoint) {
        return -EINVAL;
    }
    int rc = set_family(dealer, address);
    return rc != 0 || zmq_connect(dealer, endpoint) == 0 ? rc : zmq_code();
}

void sockets_linger(void *socket, uint64_t timeout_ns) {
    (void)set_int(socket, ZMQ_LINGER, (int)(timeout_ns / NS_PER_MS));
}

int sockets_fd(void *socket) {
    int fd = -1;
    size_t size = sizeof fd;
    return zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0 ? fd : zmq_code();
}

void sockets_settle(void *socket) {
    int events = 0;
    size_t size = sizeof events;
    (void)zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size);
}
