// SPDX-License-Identifier: Apache-2.0
// The BPF program that sees address vectors being set (ebpf/rdma_qps.bpf.c), behind a plain
// look-up.
#ifndef RDMA_WATCH_H
#define RDMA_WATCH_H

#include "model/error.h"
#include "nicdrv/rdma_qps.h"

struct rdma_watch;

// -EOPNOTSUPP without BPF or where the kernel lacks what is needed, -EPERM; with a sentence.
int rdma_watch_open(struct rdma_watch **out, struct error *error);
void rdma_watch_close(struct rdma_watch *watch); // NULL is a no-op
// Adds addresses and source port to a QP known by device and number; a QP whose number was used
// before by another peer stays without.
void rdma_watch_find(const struct rdma_watch *watch, struct rdma_qp *qp);

#endif
