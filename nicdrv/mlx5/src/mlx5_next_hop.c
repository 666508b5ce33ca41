// SPDX-License-Identifier: Apache-2.0
#include "mlx5_next_hop.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define ANSWER_BYTES 8192
#define DISCARD_PORT 9
#define PAUSE_NS 5000000L
// States in which the address may be used.
#define USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

// A request with its attributes.
struct request {
    struct nlmsghdr header;
    union {
        struct rtmsg route;
        struct ndmsg neighbour;
    };
    uint8_t attributes[64];
};

static void add(struct request *request, uint16_t type, const void *value, size_t size) {
    struct rtattr *attribute =
        (struct rtattr *)((uint8_t *)request + NLMSG_ALIGN(request->header.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = (uint16_t)RTA_LENGTH(size);
    memcpy(RTA_DATA(attribute), value, size);
    request->header.nlmsg_len =
        (uint32_t)(NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len));
}

int mlx5_next_hop_open(struct mlx5_next_hop *hop, const char *netdev, struct error *error) {
    struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
                                 .nl_groups = RTMGRP_NEIGH | RTMGRP_IPV6_ROUTE};
    hop->ask = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    hop->watch = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (hop->ask < 0 || hop->watch < 0 ||
        bind(hop->watch, (struct sockaddr *)&groups, sizeof groups) < 0) {
        int rc = -errno;
        mlx5_next_hop_close(hop);
        return error_set(error, rc, "%s: cannot ask the kernel for routes (rtnetlink): %s", netdev,
                         strerror(-rc));
    }
    return 0;
}

void mlx5_next_hop_close(struct mlx5_next_hop *hop) {
    if (hop->ask >= 0) {
        close(hop->ask);
    }
    if (hop->watch >= 0) {
        close(hop->watch);
    }
    hop->ask = hop->watch = -1;
}

bool mlx5_next_hop_drain(struct mlx5_next_hop *hop) {
    uint8_t news[ANSWER_BYTES];
    bool any = false;
    ssize_t size;
    while ((size = recv(hop->watch, news, sizeof news, 0)) > 0 || (size < 0 && errno == ENOBUFS)) {
        any = true;
    }
    return any;
}

// One answer, or -errno as the kernel says.
static int ask(int fd, struct request *request, uint8_t answer[ANSWER_BYTES]) {
    if (send(fd, request, request->header.nlmsg_len, 0) < 0) {
        return -errno;
    }
    ssize_t size = recv(fd, answer, ANSWER_BYTES, 0);
    if (size < 0) {
        return -errno;
    }
    struct nlmsghdr *header = (struct nlmsghdr *)answer;
    if (!NLMSG_OK(header, (size_t)size)) {
        return -EPROTO;
    }
    if (header->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *failure = NLMSG_DATA(header);
        return failure->error < 0 ? failure->error : -EPROTO;
    }
    return 0;
}

// The attribute's data when it has this size; else NULL.
static const void *find(const uint8_t *answer, size_t body, uint16_t type, size_t size) {
    const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
    const struct rtattr *at =
        (const struct rtattr *)((const uint8_t *)NLMSG_DATA(header) + NLMSG_ALIGN(body));
    size_t left = header->nlmsg_len - NLMSG_LENGTH(body);
    while (RTA_OK(at, left)) {
        if (at->rta_type == type && RTA_PAYLOAD(at) == size) {
            return RTA_DATA(at);
        }
        at = RTA_NEXT(at, left);
    }
    return NULL;
}

static int find_gateway(struct mlx5_next_hop *hop, int ifindex, const struct sid *carrier,
                        struct in6_addr *gateway) {
    uint8_t answer[ANSWER_BYTES] __attribute__((aligned(8)));
    struct request request = {.header = {NLMSG_LENGTH(sizeof request.route), RTM_GETROUTE,
                                         NLM_F_REQUEST, 0, 0},
                              .route = {.rtm_family = AF_INET6, .rtm_dst_len = 128}};
    add(&request, RTA_DST, carrier->bytes, sizeof carrier->bytes);
    add(&request, RTA_OIF, &ifindex, sizeof ifindex);
    int rc = ask(hop->ask, &request, answer);
    if (rc < 0) {
        return rc;
    }
    const struct rtmsg *route = NLMSG_DATA((struct nlmsghdr *)answer);
    const int *interface = find(answer, sizeof *route, RTA_OIF, sizeof ifindex);
    if (route->rtm_type != RTN_UNICAST || interface == NULL || *interface != ifindex) {
        return -ENETUNREACH;
    }
    const void *via = find(answer, sizeof *route, RTA_GATEWAY, sizeof *gateway);
    memcpy(gateway, via != NULL ? via : carrier->bytes, sizeof *gateway);
    return 0;
}

// -ENOENT: not known yet.
static int find_neighbour(struct mlx5_next_hop *hop, int ifindex, const struct in6_addr *gateway,
                          uint8_t mac[6]) {
    uint8_t answer[ANSWER_BYTES] __attribute__((aligned(8)));
    struct request request = {.header = {NLMSG_LENGTH(sizeof request.neighbour), RTM_GETNEIGH,
                                         NLM_F_REQUEST, 0, 0},
                              .neighbour = {.ndm_family = AF_INET6, .ndm_ifindex = ifindex}};
    add(&request, NDA_DST, gateway, sizeof *gateway);
    int rc = ask(hop->ask, &request, answer);
    if (rc < 0) {
        return rc;
    }
    const struct ndmsg *neighbour = NLMSG_DATA((struct nlmsghdr *)answer);
    const void *address = find(answer, sizeof *neighbour, NDA_LLADDR, 6);
    if ((neighbour->ndm_state & USABLE) == 0 || address == NULL) {
        return -ENOENT;
    }
    memcpy(mac, address, 6);
    return 0;
}

static void start_resolution(int ifindex, const struct in6_addr *gateway) {
    struct sockaddr_in6 to = {.sin6_family = AF_INET6,
                              .sin6_port = htons(DISCARD_PORT),
                              .sin6_addr = *gateway,
                              .sin6_scope_id = (uint32_t)ifindex};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_IF, &(uint32_t){htonl((uint32_t)ifindex)},
                   sizeof(uint32_t));
        sendto(fd, "", 0, 0, (struct sockaddr *)&to, sizeof to); // its loss shows in the end
        close(fd);
    }
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static int resolve(struct mlx5_next_hop *hop, int ifindex, const struct in6_addr *gateway,
                   uint64_t wait_ns, uint8_t mac[6]) {
    uint64_t deadline_ns = now_ns() + wait_ns;
    int rc = find_neighbour(hop, ifindex, gateway, mac);
    if (rc == -ENOENT) {
        start_resolution(ifindex, gateway);
    }
    while (rc == -ENOENT && now_ns() < deadline_ns) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        rc = find_neighbour(hop, ifindex, gateway, mac);
    }
    return rc;
}

int mlx5_next_hop_find(struct mlx5_next_hop *hop, const struct mlx5_next_hop_query *query,
                       uint8_t mac[6], struct error *error) {
    char text[SID_TEXT_SIZE];
    struct in6_addr gateway;
    int ifindex = (int)if_nametoindex(query->netdev);
    int rc = find_gateway(hop, ifindex, &query->carrier, &gateway);
    if (rc < 0) {
        sid_format(&query->carrier, text);
        return error_set(error, -EHOSTUNREACH,
                         "%s: no route to %s over it: add one by the leaf, or set the port's "
                         "gateway_mac",
                         query->netdev, text);
    }
    rc = resolve(hop, ifindex, &gateway, query->wait_ns, mac);
    if (rc < 0) {
        inet_ntop(AF_INET6, &gateway, text, sizeof text);
        return error_set(error, -EHOSTUNREACH,
                         "%s: the leaf %s does not answer neighbour discovery%s%s", query->netdev,
                         text, rc == -ENOENT ? "" : ": ", rc == -ENOENT ? "" : strerror(-rc));
    }
    return 0;
}
