// SPDX-License-Identifier: Apache-2.0
// From the name of an uplink netdev to an open RDMA device, and who is who at its eSwitch.
//
//   <sysfs>/class/net/<netdev>/device/infiniband/<RDMA device>
//
// sysfs is where libibverbs looks: /sys, or $SYSFS_PATH where the process is not set-user-ID.
#ifndef MLX5_DEVICE_H
#define MLX5_DEVICE_H

#include <stdint.h>

#include <infiniband/mlx5dv.h>

#include "nicdrv/nic.h"

#define MLX5_NETDEV_SIZE 32
#define MLX5_UPLINK_VPORT 0xffff

struct mlx5_device {
    char netdev[MLX5_NETDEV_SIZE]; // the uplink
    char name[64];                 // the RDMA device
    int ifindex;
    struct ibv_context *context;
    uint8_t mac[6]; // of the uplink
    uint16_t vport; // of the function whose packets are steered
    uint8_t vport_mac[6];
};

// The name of the RDMA device behind the netdev; -ENODEV.
int mlx5_device_find(const char *netdev, char name[64], struct error *error);
// -ENODEV, -EPERM, -EOPNOTSUPP (no DEVX), -EINVAL (which function?), with what to change.
int mlx5_device_open(const struct nic_options *options, struct mlx5_device *out,
                     struct error *error);
void mlx5_device_close(struct mlx5_device *device); // again: a no-op

#endif
