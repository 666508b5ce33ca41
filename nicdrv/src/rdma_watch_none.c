// SPDX-License-Identifier: Apache-2.0
// Stands in for rdma_watch.c where BPF was left out of the build, and says so.
#include "rdma_watch.h"

#include <errno.h>

int rdma_watch_open(struct rdma_watch **out, struct error *error) {
    (void)out;
    return error_set(error, -EOPNOTSUPP,
                     "QPs: addresses and source ports are not learnt: built without BPF");
}

void rdma_watch_close(struct rdma_watch *watch) {
    (void)watch;
}

// rdma_watch_open never returns a watch.
void rdma_watch_find(const struct rdma_watch *watch, struct rdma_qp *qp) {
    (void)watch;
    (void)qp;
}
