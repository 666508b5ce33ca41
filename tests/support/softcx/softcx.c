// SPDX-License-Identifier: Apache-2.0
// softcx: the card. An eSwitch in software, between netdevs; programmed through a socket by
// libfakecx.so (mirror.c), which tells it what the real libmlx5 accepted.
//
//   softcx --socket PATH --port vport:1=t0 --port uplink=w0 [--rep uplink=f0] [--rep vport:1=r0]
//          [--stats FILE]
//   softcx --socket PATH --query              writes the statistics (softcx_stats.h) of a running
//                                             card to standard output
//
//   --port   a netdev (a veth, a TAP with a virtual machine on it) that becomes the card's: vport N
//            or the wire. It must exist; softcx sets it up, promiscuous, without ARP and IPv6.
//   --rep    a TAP that softcx creates: the representor, what this host's kernel sees of that port.
//            It has the port's MTU and is up; addresses are the caller's business, and it may be
//            moved to another namespace. It is gone when softcx ends.
//
// What no rule wants (the slow path) goes from a port to its representor, and is lost and counted
// where there is none. What the kernel sends into a representor comes from vport 0 to the tables,
// as on a card, and leaves by the representor's port when no rule wants it.
//
// A line "softcx: ready" on standard output says that it works. SIGUSR1 writes the statistics to
// FILE (replaced whole) or standard output; SIGTERM and SIGINT end it, the statistics written to
// FILE once more. One thread: the order of packets is kept.
//
// Netdevs of virtual machines and veths may use checksum and segmentation offloads: checksums are
// completed here; GSO frames pass unless a rule would en- or decapsulate them. A VM's TAP needs a
// txqueuelen that holds what RoCE has in flight (1000 is the default); drops are counted as
// "queue".
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "softcx_serve.h"

#define BATCH 64 // frames of one port before the others have their turn

struct options {
    const char *socket, *stats;
    bool query;
};

struct daemon {
    struct datapath path;
    struct server server;
    struct options options;
    int epoll_fd, signal_fd, timer_fd;
    struct port_frame frame;
};

// ---- packets --------------------------------------------------------------------------------

static struct port *find_port(struct datapath *path, uint16_t vport) {
    for (uint32_t i = 0; i < path->port_count; i++) {
        if (path->ports[i].vport == vport) {
            return &path->ports[i];
        }
    }
    return NULL;
}

// From the port itself, or from its representor.
static void pass(struct datapath *path, struct port *port, struct port_frame *frame,
                 bool representor) {
    frame->packet.source = representor ? 0 : port->vport;
    struct softcx_result result = softcx_run(path->card, &frame->packet);
    path->steered += result.steered;
    if (result.verdict == VERDICT_DROP) {
        path->drops[result.drop]++;
    } else if (result.verdict == VERDICT_VPORT && result.vport != 0) {
        struct port *to = find_port(path, result.vport);
        if (to == NULL) {
            path->drop_no_port++;
        } else {
            port_send(to, frame);
        }
    } else {
        path->slow_path++;
        if (representor) {
            port_send(port, frame);
        } else {
            port_send_representor(port, frame);
        }
    }
}

// Once its device is gone a TAP would be readable for ever.
static void drain(struct daemon *daemon, struct port *port, bool representor) {
    int *fd = representor ? &port->representor_fd : &port->fd;
    int rc = 1;
    for (int i = 0; i < BATCH && (rc = port_receive(*fd, &daemon->frame)) == 1; i++) {
        struct softcx_count *count = representor ? &port->from_representor : &port->in;
        count->packets++;
        count->bytes += daemon->frame.packet.size;
        pass(&daemon->path, port, &daemon->frame, representor);
    }
    if (rc == -EBADFD) {
        fprintf(stderr, "softcx: %s is gone\n", representor ? port->representor : port->netdev);
        close(*fd);
        *fd = -1;
    }
}

// ---- the loop -------------------------------------------------------------------------------

static int watch(struct daemon *daemon, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
    return epoll_ctl(daemon->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static void write_stats(struct daemon *daemon) {
    const char *file = daemon->options.stats;
    char new_file[4096];
    for (uint32_t i = 0; i < daemon->path.port_count; i++) {
        port_refresh(&daemon->path.ports[i]);
    }
    if (file == NULL) {
        stats_write(&daemon->path, stdout);
        fflush(stdout);
        return;
    }
    snprintf(new_file, sizeof new_file, "%s.new", file);
    FILE *out = fopen(new_file, "w");
    if (out == NULL) {
        fprintf(stderr, "softcx: %s: %s\n", new_file, strerror(errno));
        return;
    }
    stats_write(&daemon->path, out);
    if (fclose(out) != 0 || rename(new_file, file) != 0) {
        fprintf(stderr, "softcx: %s: %s\n", file, strerror(errno));
    }
}

// False when the signal ends the daemon.
static bool obey_signal(struct daemon *daemon) {
    struct signalfd_siginfo info;
    if (read(daemon->signal_fd, &info, sizeof info) != sizeof info) {
        return true;
    }
    if (info.ssi_signo == SIGUSR1 || daemon->options.stats != NULL) {
        write_stats(daemon);
    }
    return info.ssi_signo == SIGUSR1;
}

static void refresh(struct daemon *daemon) {
    uint64_t ticks;
    (void)!read(daemon->timer_fd, &ticks, sizeof ticks);
    for (uint32_t i = 0; i < daemon->path.port_count; i++) {
        port_refresh(&daemon->path.ports[i]);
    }
}

static bool dispatch_port(struct daemon *daemon, int fd) {
    for (uint32_t i = 0; i < daemon->path.port_count; i++) {
        struct port *port = &daemon->path.ports[i];
        if (fd == port->fd || fd == port->representor_fd) {
            drain(daemon, port, fd == port->representor_fd);
            return true;
        }
    }
    return false;
}

static bool dispatch(struct daemon *daemon, int fd) {
    if (fd == daemon->signal_fd) {
        return obey_signal(daemon);
    }
    if (fd == daemon->timer_fd) {
        refresh(daemon);
    } else if (fd == daemon->server.listen_fd) {
        int connection = -1;
        serve_accept(&daemon->server, &connection);
        if (connection >= 0) {
            (void)watch(daemon, connection);
        }
    } else if (!dispatch_port(daemon, fd)) {
        serve_request(&daemon->server, fd);
    }
    return true;
}

static int loop(struct daemon *daemon) {
    struct epoll_event events[16];
    for (bool running = true; running;) {
        int count = epoll_wait(daemon->epoll_fd, events, 16, -1);
        if (count < 0 && errno != EINTR) {
            return -errno;
        }
        for (int i = 0; i < count && running; i++) {
            running = dispatch(daemon, events[i].data.fd);
        }
    }
    return 0;
}

// ---- start ----------------------------------------------------------------------------------

static int fail(const char *what, int rc) {
    fprintf(stderr, "softcx: %s: %s\n", what, strerror(-rc));
    return 1;
}

static int open_ports(struct datapath *path) {
    for (uint32_t i = 0; i < path->port_count; i++) {
        struct port *port = &path->ports[i];
        int rc = port_open(port);
        if (rc != 0) {
            return fail(port->netdev, rc);
        }
        if (port->representor[0] != '\0') {
            rc = port_open_representor(port);
            if (rc != 0) {
                return fail(port->representor, rc);
            }
        }
    }
    return 0;
}

static int open_card(struct daemon *daemon, int *counters_fd) {
    size_t size = SOFTCX_COUNTERS_MAX * sizeof(struct softcx_count);
    int fd = memfd_create("softcx-counters", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0) {
        return fail("counters", -errno);
    }
    void *counts = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (counts == MAP_FAILED) {
        return fail("counters", -errno);
    }
    *counters_fd = fd;
    int rc = softcx_create(counts, &daemon->path.card);
    return rc != 0 ? fail("card", rc) : 0;
}

static int open_events(struct daemon *daemon) {
    struct itimerspec second = {.it_interval = {.tv_sec = 1}, .it_value = {.tv_sec = 1}};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    daemon->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    daemon->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    daemon->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (daemon->epoll_fd < 0 || daemon->signal_fd < 0 || daemon->timer_fd < 0 ||
        timerfd_settime(daemon->timer_fd, 0, &second, NULL) != 0) {
        return -errno;
    }
    int rc = watch(daemon, daemon->signal_fd);
    rc = rc != 0 ? rc : watch(daemon, daemon->timer_fd);
    rc = rc != 0 ? rc : watch(daemon, daemon->server.listen_fd);
    for (uint32_t i = 0; rc == 0 && i < daemon->path.port_count; i++) {
        const struct port *port = &daemon->path.ports[i];
        rc = watch(daemon, port->fd);
        if (rc == 0 && port->representor_fd >= 0) {
            rc = watch(daemon, port->representor_fd);
        }
    }
    return rc;
}

// "uplink=w0", "vport:1=t0" or "1=t0".
static bool parse_port(const char *text, uint16_t *vport, char netdev[IFNAMSIZ]) {
    const char *name = strchr(text, '=');
    char *end = NULL;
    if (name == NULL || strlen(name + 1) == 0 || strlen(name + 1) >= IFNAMSIZ) {
        return false;
    }
    if (strncmp(text, "uplink=", 7) == 0) {
        *vport = SOFTCX_UPLINK;
    } else {
        const char *number = strncmp(text, "vport:", 6) == 0 ? text + 6 : text;
        unsigned long value = strtoul(number, &end, 10);
        if (end != name || value == 0 || value >= SOFTCX_UPLINK) {
            return false;
        }
        *vport = (uint16_t)value;
    }
    memcpy(netdev, name + 1, strlen(name + 1) + 1);
    return true;
}

static bool add_port(struct datapath *path, const char *text) {
    struct port port = {.fd = -1, .representor_fd = -1};
    if (path->port_count == PORTS_MAX || !parse_port(text, &port.vport, port.netdev) ||
        find_port(path, port.vport) != NULL) {
        return false;
    }
    path->ports[path->port_count++] = port;
    return true;
}

static bool add_representor(struct datapath *path, const char *text) {
    char netdev[IFNAMSIZ];
    uint16_t vport;
    if (!parse_port(text, &vport, netdev)) {
        return false;
    }
    struct port *port = find_port(path, vport);
    if (port == NULL || port->representor[0] != '\0') {
        return false;
    }
    memcpy(port->representor, netdev, sizeof port->representor);
    return true;
}

static bool parse_options(int argc, char **argv, struct daemon *daemon) {
    static const struct option long_options[] = {{"socket", required_argument, NULL, 's'},
                                                 {"port", required_argument, NULL, 'p'},
                                                 {"rep", required_argument, NULL, 'r'},
                                                 {"stats", required_argument, NULL, 'f'},
                                                 {"query", no_argument, NULL, 'q'},
                                                 {0}};
    bool good = true;
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        switch (c) {
        case 's':
            daemon->options.socket = optarg;
            break;
        case 'f':
            daemon->options.stats = optarg;
            break;
        case 'q':
            daemon->options.query = true;
            break;
        case 'p':
            good = good && add_port(&daemon->path, optarg);
            break;
        case 'r': // after the port that it stands for
            good = good && add_representor(&daemon->path, optarg);
            break;
        default:
            good = false;
        }
    }
    return good && optind == argc && daemon->options.socket != NULL &&
           (daemon->options.query || daemon->path.port_count > 0);
}

static int run(struct daemon *daemon) {
    int counters_fd = -1;
    if (open_card(daemon, &counters_fd) != 0 || open_ports(&daemon->path) != 0) {
        return 1;
    }
    int rc = serve_open(&daemon->server, daemon->options.socket, &daemon->path, counters_fd);
    if (rc != 0) {
        return fail(daemon->options.socket, rc);
    }
    rc = open_events(daemon);
    if (rc == 0) {
        puts("softcx: ready");
        fflush(stdout);
        rc = loop(daemon);
    }
    unlink(daemon->options.socket);
    return rc != 0 ? fail("events", rc) : 0;
}

int main(int argc, char **argv) {
    struct daemon *daemon = calloc(1, sizeof *daemon);
    if (daemon == NULL) {
        return fail("memory", -ENOMEM);
    }
    if (!parse_options(argc, argv, daemon)) {
        fprintf(stderr, "usage: softcx --socket PATH --port vport:N=NETDEV --port uplink=NETDEV\n"
                        "              [--rep vport:N=TAP] [--rep uplink=TAP] [--stats FILE]\n"
                        "       softcx --socket PATH --query\n");
        free(daemon);
        return 2;
    }
    int rc = 0;
    if (daemon->options.query) {
        int code = serve_query(daemon->options.socket, stdout);
        rc = code != 0 ? fail(daemon->options.socket, code) : 0;
    } else {
        rc = run(daemon);
    }
    for (uint32_t i = 0; i < daemon->path.port_count; i++) {
        port_close(&daemon->path.ports[i]);
    }
    softcx_destroy(daemon->path.card);
    free(daemon);
    return rc;
}
