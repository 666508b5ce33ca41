/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the kernel side learns of a QP when its address vector is set, shared with user space. */
#ifndef RDMA_QPS_MAP_H
#define RDMA_QPS_MAP_H

#include <linux/types.h>

#define RDMA_QPS_KEPT 16384 /* least recently used go first */
#define RDMA_DEVICE_SIZE 64 /* IB_DEVICE_NAME_MAX */
#define RDMA_PROCESS_SIZE 16

struct rdma_qp_key {
    char device[RDMA_DEVICE_SIZE];
    __u32 number;
};

struct rdma_qp_value {
    __u8 source[16], destination[16]; /* GIDs: of RoCEv2 IPv6, or ::ffff:a.b.c.d */
    __u32 peer;                       /* QP number */
    __u32 flow_label;                 /* 0: the source port comes from both QP numbers */
    __u32 pid;                        /* of the initial PID namespace */
    char process[RDMA_PROCESS_SIZE];
};

#endif
