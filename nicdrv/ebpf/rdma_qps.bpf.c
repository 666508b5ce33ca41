// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// Learns where a QP sends to: netlink tells a QP's number, peer and process, but neither addresses
// nor flow label. They pass by when a process moves its QP to RTR (ib_modify_qp_with_udata), and
// the address vector of a connected QP is not changed after that.
//
// Only the fields that are read are declared; CO-RE finds them in the running kernel.
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "rdma_qps_map.h"

#define QP_AV (1 << 7) // enum ib_qp_attr_mask: the address vector is set

#define KERNEL __attribute__((preserve_access_index))

union ib_gid {
    __u8 raw[16];
} KERNEL;

struct ib_gid_attr {
    union ib_gid gid;
} KERNEL;

struct ib_global_route {
    union ib_gid dgid;
    __u32 flow_label;
} KERNEL;

struct rdma_ah_attr {
    struct ib_global_route grh;
} KERNEL;

struct ib_qp_attr {
    __u32 dest_qp_num;
    struct rdma_ah_attr ah_attr;
} KERNEL;

struct ib_device {
    char name[RDMA_DEVICE_SIZE];
} KERNEL;

struct ib_qp {
    struct ib_device *device;
    __u32 qp_num;
    const struct ib_gid_attr *av_sgid_attr;
} KERNEL;

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, RDMA_QPS_KEPT);
    __type(key, struct rdma_qp_key);
    __type(value, struct rdma_qp_value);
} qps SEC(".maps");

char _license[] SEC("license") = "Dual BSD/GPL";

// int ib_modify_qp_with_udata(struct ib_qp *, struct ib_qp_attr *, int mask, struct ib_udata *)
SEC("fexit/ib_modify_qp_with_udata")
int qp_modified(const unsigned long long *context) {
    const struct ib_qp *qp = (const void *)context[0];
    const struct ib_qp_attr *attr = (const void *)context[1];
    int mask = (int)context[2];
    int result = (int)context[4];
    struct rdma_qp_key key = {};
    struct rdma_qp_value value = {};
    if (result != 0 || !(mask & QP_AV)) {
        return 0;
    }
    key.number = BPF_CORE_READ(qp, qp_num);
    BPF_CORE_READ_INTO(&key.device, qp, device, name);
    BPF_CORE_READ_INTO(&value.source, qp, av_sgid_attr, gid.raw);
    BPF_CORE_READ_INTO(&value.destination, attr, ah_attr.grh.dgid.raw);
    value.peer = BPF_CORE_READ(attr, dest_qp_num);
    value.flow_label = BPF_CORE_READ(attr, ah_attr.grh.flow_label);
    value.pid = (__u32)(bpf_get_current_pid_tgid() >> 32);
    bpf_get_current_comm(&value.process, sizeof value.process);
    bpf_map_update_elem(&qps, &key, &value, BPF_ANY);
    return 0;
}
