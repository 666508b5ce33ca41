// SPDX-License-Identifier: Apache-2.0
// Netdevs as ports of the card, and the TAPs that are their representors. Both carry frames behind
// a virtio header, so that a sender's checksum and segmentation offloads are known: checksums are
// completed when a frame comes in; segmented (GSO) frames pass as they are.
#ifndef SOFTCX_PORT_H
#define SOFTCX_PORT_H

#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdbool.h>

#include "softcx_model.h"

#define PORT_HEADROOM (2 * SOFTCX_REFORMAT_MAX)

struct port {
    uint16_t vport;                               // SOFTCX_UPLINK: the wire
    char netdev[IFNAMSIZ], representor[IFNAMSIZ]; // representor "": none
    int fd, representor_fd;                       // -1: none
    uint32_t mtu;
    struct softcx_count in, out; // at the netdev
    struct softcx_count to_representor, from_representor;
    uint64_t drop_mtu;            // larger than the netdev's MTU
    uint64_t drop_queue;          // the netdev's queue was full
    uint64_t drop_down;           // the netdev, or the representor, was down
    uint64_t drop_no_representor; // slow path, but nobody is there
    uint64_t lost;                // came in while the card was busy
};

struct port_frame {
    struct virtio_net_hdr header;
    struct softcx_packet packet;
    uint8_t room[PORT_HEADROOM + SOFTCX_PACKET_MAX];
};

// The netdev is set up, promiscuous, without ARP and IPv6 of its own: it is the card's.
int port_open(struct port *port);
int port_open_representor(struct port *port); // creates the TAP, with the netdev's MTU, up
void port_close(struct port *port);
void port_refresh(struct port *port); // reads MTU and losses again

// 1: a frame; 0: none is waiting; -errno. Descriptors of either kind.
int port_receive(int fd, struct port_frame *frame);

void port_send(struct port *port, const struct port_frame *frame);
void port_send_representor(struct port *port, const struct port_frame *frame);

#endif
