// SPDX-License-Identifier: Apache-2.0
// RoCEv2-shaped UDP for the tests and the bench of the NIC drivers: UDP to port 4791 that begins
// with a BTH (destination QP, PSN). No reliability, no CNPs: srv6-traffic is the tool for users.
//
//   roce send DESTINATION [--qp N] [--sport N] [--tos N] [--size BYTES] [--count N] [--gap-us N]
//             [--port N]          another port than 4791
//             [--opcode N]        of the BTH: 0x81 with --size 32 is a CNP's
//             [--no-check 1]      without a UDP checksum (IPv6): for a destination that changes
//   roce recv FILE        counts what arrives until SIGTERM, then writes one line for each kind:
//                         <family> <qp> <sport> <tos> <packets> <missing PSNs>
//   roce race WAYS NETNS DESTINATION [NETNS DESTINATION]... [--count ROUNDS] [--ms N] [--size
//   BYTES] [--qps N]
//                         sends as fast as one core can, each way in turn for --ms milliseconds;
//                         prints for each round the packets per second of the ways, at the end
//                         "sent" and the packets of each
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROCE_PORT 4791
#define BTH_BYTES 12
#define SIZE_MAX_BYTES 9000
#define FLOOD_BATCH 64
#define WAYS_MAX 8
#define KINDS_MAX 4096

struct options {
    uint32_t qp, count, size, gap_us, qps, ms, opcode;
    int port, sport, tos, no_check; // no_check: the destination changes on the way
};

static volatile sig_atomic_t stopped;

static void on_signal(int number) {
    (void)number;
    stopped = 1;
}

static void fail(const char *what) {
    fprintf(stderr, "roce: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct options parse_options(char **arguments) {
    struct options options = {
        .port = ROCE_PORT, .qp = 17, .count = 1, .size = 64, .qps = 16, .ms = 10, .opcode = 0x0a};
    for (; arguments[0] != NULL; arguments += 2) {
        if (arguments[1] == NULL) {
            fprintf(stderr, "roce: %s: a value is missing\n", arguments[0]);
            exit(2);
        }
        uint32_t value = (uint32_t)strtoul(arguments[1], NULL, 0);
        if (strcmp(arguments[0], "--qp") == 0) {
            options.qp = value;
        } else if (strcmp(arguments[0], "--count") == 0) {
            options.count = value;
        } else if (strcmp(arguments[0], "--size") == 0) {
            options.size = value;
        } else if (strcmp(arguments[0], "--gap-us") == 0) {
            options.gap_us = value;
        } else if (strcmp(arguments[0], "--qps") == 0) {
            options.qps = value;
        } else if (strcmp(arguments[0], "--ms") == 0) {
            options.ms = value;
        } else if (strcmp(arguments[0], "--opcode") == 0) {
            options.opcode = value & 0xff;
        } else if (strcmp(arguments[0], "--sport") == 0) {
            options.sport = (int)value;
        } else if (strcmp(arguments[0], "--port") == 0) {
            options.port = (int)value;
        } else if (strcmp(arguments[0], "--tos") == 0) {
            options.tos = (int)value;
        } else if (strcmp(arguments[0], "--no-check") == 0) {
            options.no_check = (int)value;
        } else {
            fprintf(stderr, "roce: %s: unknown option\n", arguments[0]);
            exit(2);
        }
    }
    if (options.size < BTH_BYTES || options.size > SIZE_MAX_BYTES || options.qps == 0) {
        fprintf(stderr, "roce: --size: %d to %d bytes\n", BTH_BYTES, SIZE_MAX_BYTES);
        exit(2);
    }
    return options;
}

static int open_sender(const char *destination, const struct options *options) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)options->port)};
    bool is_v4 = inet_pton(AF_INET, destination, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, destination, &v6.sin6_addr) != 1) {
        errno = EINVAL;
        fail(destination);
    }
    int udp = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in from4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->sport)};
    struct sockaddr_in6 from6 = {.sin6_family = AF_INET6,
                                 .sin6_port = htons((uint16_t)options->sport)};
    int one = 1;
    if (udp < 0 || setsockopt(udp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0) {
        fail("socket");
    }
    int rc = is_v4 ? setsockopt(udp, IPPROTO_IP, IP_TOS, &options->tos, sizeof options->tos)
                   : setsockopt(udp, IPPROTO_IPV6, IPV6_TCLASS, &options->tos, sizeof options->tos);
    if (rc == 0 && options->no_check) {
        rc = setsockopt(udp, IPPROTO_UDP, UDP_NO_CHECK6_TX, &one, sizeof one);
    }
    if (rc == 0) {
        rc = is_v4 ? bind(udp, (struct sockaddr *)&from4, sizeof from4)
                   : bind(udp, (struct sockaddr *)&from6, sizeof from6);
    }
    if (rc == 0) {
        rc = is_v4 ? connect(udp, (struct sockaddr *)&v4, sizeof v4)
                   : connect(udp, (struct sockaddr *)&v6, sizeof v6);
    }
    if (rc < 0) {
        fail(destination);
    }
    return udp;
}

static void write_bth(uint8_t *packet, uint32_t opcode, uint32_t qp, uint32_t psn) {
    uint32_t words[3] = {htonl(opcode << 24 | 0xffff), htonl(qp & 0xffffff), htonl(psn & 0xffffff)};
    memcpy(packet, words, sizeof words);
}

static int send_some(const char *destination, const struct options *options) {
    static uint8_t packet[SIZE_MAX_BYTES];
    int udp = open_sender(destination, options);
    uint64_t next_ns = now_ns();
    for (uint32_t psn = 0; psn < options->count && !stopped; psn++) {
        write_bth(packet, options->opcode, options->qp, psn);
        if (send(udp, packet, options->size, 0) < 0) {
            fail("send");
        }
        next_ns += (uint64_t)options->gap_us * 1000;
        while (options->gap_us > 0 && now_ns() < next_ns) {
            usleep(options->gap_us / 2 + 1);
        }
    }
    return 0;
}

// One way of sending: a socket in its own network namespace.
struct way {
    int udp;
    double sent;
};

// The socket stays in the namespace where it was made.
static int open_in_namespace(const char *path, const char *destination,
                             const struct options *options) {
    int netns = open(path, O_RDONLY | O_CLOEXEC);
    if (netns < 0 || setns(netns, CLONE_NEWNET) < 0) {
        fail(path);
    }
    close(netns);
    return open_sender(destination, options);
}

// Packets per second over about `ms`.
static double flood(int udp, struct mmsghdr *messages, uint32_t ms, double *all) {
    uint64_t sent = 0, start_ns = now_ns(), now, end_ns = start_ns + ms * 1000000ULL;
    do {
        int count = sendmmsg(udp, messages, FLOOD_BATCH, 0);
        if (count < 0 && errno != ENOBUFS && errno != EAGAIN) {
            fail("sendmmsg");
        }
        sent += count > 0 ? (uint64_t)count : 0;
        now = now_ns();
    } while (now < end_ns);
    *all += (double)sent;
    return 1e9 * (double)sent / (double)(now - start_ns);
}

static int race(char **arguments) {
    static uint8_t packets[FLOOD_BATCH][SIZE_MAX_BYTES];
    static struct iovec parts[FLOOD_BATCH];
    static struct mmsghdr messages[FLOOD_BATCH];
    uint32_t way_count = (uint32_t)strtoul(arguments[0], NULL, 0);
    struct way ways[WAYS_MAX] = {0};
    if (way_count == 0 || way_count > WAYS_MAX) {
        fprintf(stderr, "roce: race: 1 to %d ways\n", WAYS_MAX);
        return 2;
    }
    char **after = arguments + 1;
    for (uint32_t i = 0; i < 2 * way_count; i++) {
        if (*after++ == NULL) {
            fprintf(stderr, "roce: race: NETNS and DESTINATION of each way\n");
            return 2;
        }
    }
    struct options options = parse_options(after);
    for (uint32_t i = 0; i < FLOOD_BATCH; i++) {
        write_bth(packets[i], options.opcode, 1000 + i % options.qps, i);
        parts[i] = (struct iovec){packets[i], options.size};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    for (uint32_t w = 0; w < way_count; w++) {
        ways[w].udp = open_in_namespace(arguments[1 + 2 * w], arguments[2 + 2 * w], &options);
    }
    for (uint32_t round = 0; round < options.count && !stopped; round++) {
        double rate[WAYS_MAX];
        for (uint32_t i = 0; i < way_count; i++) {
            uint32_t w = (round + i) % way_count; // none is always the first
            rate[w] = flood(ways[w].udp, messages, options.ms, &ways[w].sent);
        }
        for (uint32_t w = 0; w < way_count; w++) {
            printf("%.0f%c", rate[w], w + 1 == way_count ? '\n' : ' ');
        }
    }
    printf("sent");
    for (uint32_t w = 0; w < way_count; w++) {
        printf(" %.0f", ways[w].sent);
    }
    printf("\n");
    return 0;
}

struct kind {
    int family, tos;
    uint32_t qp, sport;
    uint64_t packets;
    uint32_t psn_least, psn_most;
};

static void count_kind(struct kind *kinds, uint32_t *count, const struct kind *seen, uint32_t psn) {
    uint32_t i = 0;
    while (i < *count && (kinds[i].family != seen->family || kinds[i].tos != seen->tos ||
                          kinds[i].qp != seen->qp || kinds[i].sport != seen->sport)) {
        i++;
    }
    if (i == KINDS_MAX) {
        return;
    }
    if (i == *count) {
        kinds[i] = *seen;
        kinds[i].psn_least = kinds[i].psn_most = psn;
        (*count)++;
    }
    kinds[i].packets++;
    kinds[i].psn_least = psn < kinds[i].psn_least ? psn : kinds[i].psn_least;
    kinds[i].psn_most = psn > kinds[i].psn_most ? psn : kinds[i].psn_most;
}

static int class_of(struct msghdr *message) {
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
         control = CMSG_NXTHDR(message, control)) {
        int tos = 0;
        if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TOS) {
            return *CMSG_DATA(control);
        }
        if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_TCLASS) {
            memcpy(&tos, CMSG_DATA(control), sizeof tos);
            return tos;
        }
    }
    return -1;
}

static int open_receiver(void) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(ROCE_PORT)};
    int one = 1, zero = 0, megabytes = 8 << 20;
    int udp = socket(AF_INET6, SOCK_DGRAM, 0);
    if (udp < 0 || setsockopt(udp, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero) < 0 ||
        setsockopt(udp, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof one) < 0 ||
        setsockopt(udp, IPPROTO_UDP, UDP_NO_CHECK6_RX, &one, sizeof one) < 0 ||
        setsockopt(udp, IPPROTO_IP, IP_RECVTOS, &one, sizeof one) < 0 ||
        setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &megabytes, sizeof megabytes) < 0 ||
        bind(udp, (struct sockaddr *)&any, sizeof any) < 0) {
        fail("socket");
    }
    return udp;
}

static int receive(const char *file) {
    static struct kind kinds[KINDS_MAX];
    uint32_t kind_count = 0;
    int udp = open_receiver();
    struct timeval patience = {.tv_usec = 20000};
    setsockopt(udp, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    printf("ready\n");
    fflush(stdout);
    // After the signal, what is still on its way is waited for.
    for (bool silent = false; !stopped || !silent;) {
        uint8_t packet[SIZE_MAX_BYTES], control[256];
        struct sockaddr_in6 from;
        struct iovec part = {packet, sizeof packet};
        struct msghdr message = {.msg_name = &from,
                                 .msg_namelen = sizeof from,
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof control};
        ssize_t size = recvmsg(udp, &message, 0);
        silent = size < 0;
        if (size < BTH_BYTES) {
            continue;
        }
        uint32_t words[3];
        memcpy(words, packet, sizeof words);
        struct kind seen = {.family = IN6_IS_ADDR_V4MAPPED(&from.sin6_addr) ? 4 : 6,
                            .tos = class_of(&message),
                            .qp = ntohl(words[1]) & 0xffffff,
                            .sport = ntohs(from.sin6_port)};
        count_kind(kinds, &kind_count, &seen, ntohl(words[2]) & 0xffffff);
    }
    FILE *out = fopen(file, "w");
    if (out == NULL) {
        fail(file);
    }
    for (uint32_t i = 0; i < kind_count; i++) {
        const struct kind *kind = &kinds[i];
        fprintf(out, "%d %u %u 0x%02x %llu %lld\n", kind->family, kind->qp, kind->sport,
                (unsigned)kind->tos, (unsigned long long)kind->packets,
                (long long)(kind->psn_most + 1) - (long long)kind->packets);
    }
    return fclose(out) == 0 ? 0 : 1;
}

int main(int count, char **arguments) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (count >= 3 && strcmp(arguments[1], "recv") == 0) {
        return receive(arguments[2]);
    }
    if (count >= 3 && strcmp(arguments[1], "send") == 0) {
        struct options options = parse_options(arguments + 3);
        return send_some(arguments[2], &options);
    }
    if (count >= 5 && strcmp(arguments[1], "race") == 0) {
        return race(arguments + 2);
    }
    fprintf(stderr, "usage: roce send DESTINATION ... | recv FILE | race WAYS ...\n");
    return 2;
}
