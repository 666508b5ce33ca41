// SPDX-License-Identifier: Apache-2.0
#include "rdma_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "rdma_qps.skel.h"
#include "rdma_qps_map.h"

struct rdma_watch {
    struct rdma_qps_bpf *skeleton;
    int map;
};

static int refusal(int rc, struct error *error) {
    const char *reason = strerror(-rc);
    if (rc == -ESRCH || rc == -ENOENT) {
        reason = "the kernel's ib_core is not loaded or has no BTF";
    } else if (rc == -EPERM) {
        reason = "not permitted: needs CAP_BPF and CAP_PERFMON";
    }
    return error_set(error, rc == -EPERM ? rc : -EOPNOTSUPP,
                     "QPs: addresses and source ports are not learnt: %s", reason);
}

int rdma_watch_open(struct rdma_watch **out, struct error *error) {
    struct rdma_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return error_set(error, -ENOMEM, "QPs: no memory");
    }
    libbpf_print_fn_t before = libbpf_set_print(NULL);
    watch->skeleton = rdma_qps_bpf__open_and_load();
    int rc = watch->skeleton == NULL ? -errno : rdma_qps_bpf__attach(watch->skeleton);
    libbpf_set_print(before);
    if (rc != 0) {
        rdma_watch_close(watch);
        return refusal(rc, error);
    }
    watch->map = bpf_map__fd(watch->skeleton->maps.qps);
    *out = watch;
    return 0;
}

void rdma_watch_close(struct rdma_watch *watch) {
    if (watch != NULL) {
        rdma_qps_bpf__destroy(watch->skeleton);
        free(watch);
    }
}

void rdma_watch_find(const struct rdma_watch *watch, struct rdma_qp *qp) {
    struct rdma_qp_key key = {.number = qp->number};
    struct rdma_qp_value value;
    memcpy(key.device, qp->device, sizeof key.device);
    if (bpf_map_lookup_elem(watch->map, &key, &value) != 0 || value.peer != qp->peer) {
        return;
    }
    qp->has_addresses = true;
    memcpy(qp->source, value.source, sizeof qp->source);
    memcpy(qp->destination, value.destination, sizeof qp->destination);
    memcpy(qp->process, value.process, sizeof qp->process);
    qp->sport = rdma_udp_sport(value.flow_label, qp->number, qp->peer);
}
