// SPDX-License-Identifier: Apache-2.0
// What has to be set on a device before its eSwitch can steer, read from devlink, sysfs and the
// netdev: switchdev, encap mode, flow-steering mode, parser profile, MTU headroom, library version.
// A finding says what was found, what is needed, and the command that changes it.
#ifndef NICDRV_MLX5_PREFLIGHT_H
#define NICDRV_MLX5_PREFLIGHT_H

#include "model/error.h"
#include "nicdrv/nic.h"

enum preflight_grade { PREFLIGHT_OK, PREFLIGHT_UNKNOWN, PREFLIGHT_WARN, PREFLIGHT_FAIL };

struct preflight_finding {
    const char *check; // "eswitch-mode"
    enum preflight_grade grade;
    char found[96];
    char advice[192]; // "" when ok
};

typedef void preflight_fn(void *context, const struct preflight_finding *finding);

// 0 when nothing failed; -EOPNOTSUPP with the first failure's sentence; -ENODEV: no such netdev.
int mlx5_preflight(const struct nic_options *options, preflight_fn *each, void *context,
                   struct error *error);

#endif
