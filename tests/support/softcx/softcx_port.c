// SPDX-License-Identifier: Apache-2.0
#include "softcx_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define QUEUE_BYTES (64 << 20)
#define ETHERNET_SIZE 14

// ---- opening --------------------------------------------------------------------------------

static struct ifreq request_of(const char *name) {
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    return request;
}

static int add_flags(int fd, const char *name, short flags) {
    struct ifreq request = request_of(name);
    if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) {
        return -errno;
    }
    request.ifr_flags = (short)(request.ifr_flags | flags);
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
}

// Without an IPv6 stack in this kernel there is nothing to switch off.
static void disable_ipv6(const char *name) {
    char path[96];
    snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "1", 1);
        close(fd);
    }
}

static int set_option(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

static int bind_port(int fd, int index) {
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = index};
    struct packet_mreq all = {.mr_ifindex = index, .mr_type = PACKET_MR_PROMISC};
    int rc = set_option(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
    rc = rc != 0 ? rc : set_option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    rc = rc != 0 ? rc : set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, QUEUE_BYTES);
    rc = rc != 0 ? rc : set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, QUEUE_BYTES);
    if (rc == 0 && (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
                    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) != 0)) {
        rc = -errno;
    }
    return rc;
}

int port_open(struct port *port) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    struct ifreq request = request_of(port->netdev);
    int rc = ioctl(fd, SIOCGIFINDEX, &request) == 0 ? 0 : -errno;
    if (rc == 0) {
        disable_ipv6(port->netdev);
        rc = add_flags(fd, port->netdev, IFF_UP | IFF_NOARP);
    }
    if (rc == 0) {
        rc = bind_port(fd, request.ifr_ifindex);
    }
    if (rc != 0) {
        close(fd);
        return rc;
    }
    port->fd = fd;
    port_refresh(port);
    return 0;
}

static int raise_representor(const struct port *port) {
    struct ifreq request = request_of(port->representor);
    request.ifr_mtu = (int)port->mtu;
    if (ioctl(port->fd, SIOCSIFMTU, &request) != 0) {
        return -errno;
    }
    return add_flags(port->fd, port->representor, IFF_UP);
}

int port_open_representor(struct port *port) {
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    struct ifreq request = request_of(port->representor);
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    int rc = ioctl(fd, TUNSETIFF, &request) == 0 ? 0 : -errno;
    if (rc == 0) {
        rc = raise_representor(port);
    }
    if (rc != 0) {
        close(fd);
        return rc;
    }
    port->representor_fd = fd;
    return 0;
}

void port_close(struct port *port) {
    if (port->fd >= 0) {
        close(port->fd);
    }
    if (port->representor_fd >= 0) {
        close(port->representor_fd);
    }
    port->fd = port->representor_fd = -1;
}

void port_refresh(struct port *port) {
    struct ifreq request = request_of(port->netdev);
    struct tpacket_stats stats;
    socklen_t size = sizeof stats;
    if (ioctl(port->fd, SIOCGIFMTU, &request) == 0) {
        port->mtu = (uint32_t)request.ifr_mtu;
    }
    if (getsockopt(port->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0) {
        port->lost += stats.tp_drops; // reading it resets it
    }
}

// ---- frames in ------------------------------------------------------------------------------

// The sender left a sum over the pseudo header in the checksum's place, and the rest to us.
static bool complete_checksum(struct port_frame *frame) {
    struct softcx_packet *packet = &frame->packet;
    size_t start = frame->header.csum_start, place = start + frame->header.csum_offset;
    if (start > packet->size || place + 2 > packet->size) {
        return false;
    }
    uint64_t sum = 0;
    for (size_t i = start; i < packet->size; i++) {
        sum += (i - start) % 2 == 0 ? (uint64_t)packet->frame[i] << 8 : packet->frame[i];
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    uint16_t folded = (uint16_t)~sum;
    folded = folded == 0 ? 0xffff : folded;
    packet->frame[place] = (uint8_t)(folded >> 8);
    packet->frame[place + 1] = (uint8_t)folded;
    frame->header.flags &= (uint8_t)~VIRTIO_NET_HDR_F_NEEDS_CSUM;
    return true;
}

int port_receive(int fd, struct port_frame *frame) {
    uint8_t *bytes = frame->room + PORT_HEADROOM;
    struct iovec parts[] = {{&frame->header, sizeof frame->header}, {bytes, SOFTCX_PACKET_MAX}};
    for (;;) {
        ssize_t size = readv(fd, parts, 2);
        if (size < 0) {
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        }
        if ((size_t)size < sizeof frame->header + ETHERNET_SIZE) {
            continue;
        }
        frame->packet = (struct softcx_packet){.frame = bytes,
                                               .size = (size_t)size - sizeof frame->header,
                                               .headroom = PORT_HEADROOM};
        frame->packet.segmented = frame->header.gso_type != VIRTIO_NET_HDR_GSO_NONE;
        bool partial = (frame->header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
        if (!partial || frame->packet.segmented || complete_checksum(frame)) {
            return 1;
        }
    }
}

// ---- frames out -----------------------------------------------------------------------------

static int write_frame(int fd, const struct port_frame *frame) {
    struct virtio_net_hdr plain = {0};
    const struct virtio_net_hdr *header = frame->packet.segmented ? &frame->header : &plain;
    struct iovec parts[] = {{(void *)(uintptr_t)header, sizeof *header},
                            {frame->packet.frame, frame->packet.size}};
    return writev(fd, parts, 2) < 0 ? -errno : 0;
}

// Of a GSO frame the largest segment's. header.hdr_len is only a hint of the sender's.
static size_t size_on_wire(const struct port_frame *frame) {
    const struct softcx_packet *packet = &frame->packet;
    size_t l4 = frame->header.csum_start;
    if (!packet->segmented || l4 + 20 > packet->size) {
        return packet->size;
    }
    bool udp = (frame->header.gso_type & VIRTIO_NET_HDR_GSO_UDP) == VIRTIO_NET_HDR_GSO_UDP;
    size_t header = udp ? 8 : (size_t)(packet->frame[l4 + 12] >> 4) * 4;
    return l4 + header + frame->header.gso_size;
}

static void count(struct softcx_count *to, size_t size) {
    to->packets++;
    to->bytes += size;
}

void port_send(struct port *port, const struct port_frame *frame) {
    if (size_on_wire(frame) > port->mtu + ETHERNET_SIZE) {
        port->drop_mtu++;
        return;
    }
    int rc = write_frame(port->fd, frame);
    if (rc == 0) {
        count(&port->out, frame->packet.size);
    } else if (rc == -EMSGSIZE) {
        port->drop_mtu++;
    } else if (rc == -ENOBUFS || rc == -EAGAIN) {
        port->drop_queue++;
    } else {
        port->drop_down++;
    }
}

void port_send_representor(struct port *port, const struct port_frame *frame) {
    if (port->representor_fd < 0) {
        port->drop_no_representor++;
    } else if (write_frame(port->representor_fd, frame) == 0) {
        count(&port->to_representor, frame->packet.size);
    } else {
        port->drop_down++;
    }
}
