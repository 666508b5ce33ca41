// SPDX-License-Identifier: Apache-2.0
// The device of a self test: found by the name of its netdev or of its RDMA device, opened with
// DEVX, and asked what kind it is.
#ifndef SELFTEST_DEVICE_H
#define SELFTEST_DEVICE_H

#include <infiniband/verbs.h>

#include "model/error.h"
#include "nicdrv_mlx5/selftest.h"

// Steering formats as the device numbers them, and their expectations' columns.
enum selftest_format { FORMAT_CX5, FORMAT_CX6DX, FORMAT_CX7, FORMAT_COUNT };

struct selftest_kind {
    uint32_t format;    // of steering; FORMAT_COUNT and above: nothing is known of it
    uint32_t rdma_core; // major version of rdma-core; 0: a vendor's numbering, or unknown
};

// 0, or as nic_selftest says. The caller closes `context` (ibv_close_device).
int selftest_device_open(const char *name, struct ibv_context **context,
                         struct selftest_device *about, struct selftest_kind *kind,
                         struct error *error);

#endif
