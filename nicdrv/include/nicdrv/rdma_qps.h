// SPDX-License-Identifier: Apache-2.0
// Which QPs this machine has, whose they are and where they send: what an eSwitch cannot tell, and
// nothing that an application has to take part in.
//
//   rdma netlink (RDMA_NLDEV_CMD_RES_QP_GET)   number, peer's number, type, state, process
//   BPF at ib_modify_qp_with_udata             addresses and flow label, hence the UDP source port
//
// QPs that were connected before the BPF program was attached have no addresses here; their source
// port is known when they use no flow label, which cannot be seen: has_addresses is false then.
// Network namespaces: netlink shows the devices of the caller's (all, in rdma's shared mode).
//
// Ownership: rdma_qps_open returns owned. Errors: -errno with a sentence. One thread.
#ifndef NICDRV_RDMA_QPS_H
#define NICDRV_RDMA_QPS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/error.h"

struct rdma_qps;

struct rdma_qp {
    char device[64]; // RDMA device
    uint32_t number, peer;
    uint8_t type, state; // IB_QPT_*, IB_QPS_* as in the kernel's uapi: RC 2, UC 3; RTS 3
    uint32_t pid;        // 0: a kernel's QP, or of a PID namespace that cannot be seen
    char process[16];    // command name, or the kernel user's
    bool has_addresses;
    uint8_t source[16], destination[16]; // IPv4 as ::ffff:a.b.c.d; zero without has_addresses
    uint16_t sport;                      // UDP source port; 0 without has_addresses
};

typedef void rdma_qp_fn(void *context, const struct rdma_qp *qp);

// Succeeds where the kernel has rdma netlink at all, also with no device: -EOPNOTSUPP otherwise.
int rdma_qps_open(struct rdma_qps **out, struct error *error);
void rdma_qps_close(struct rdma_qps *qps); // NULL is a no-op
// Why addresses are not learnt; "" when they are.
const char *rdma_qps_reason(const struct rdma_qps *qps);
// All QPs that may send: RC, UC, XRC in state RTS. Tries to attach again when devices came.
int rdma_qps_read(struct rdma_qps *qps, rdma_qp_fn *each, void *context, struct error *error);

// The RoCEv2 source port that kernel and libraries derive when a QP is given no other: from the
// flow label, or, where that is 0, from both QP numbers (rdma_get_udp_sport).
uint16_t rdma_udp_sport(uint32_t flow_label, uint32_t local_qp, uint32_t peer_qp);

#endif
