// SPDX-License-Identifier: Apache-2.0
// What devlink says of a device: read only, one question at a time.
#ifndef MLX5_DEVLINK_H
#define MLX5_DEVLINK_H

#include <stddef.h>
#include <stdint.h>

struct devlink_handle {
    char bus[16], device[64]; // "pci", "0000:03:00.0"
};

struct devlink_eswitch {
    uint16_t mode;      // enum devlink_eswitch_mode
    uint8_t encap_mode; // enum devlink_eswitch_encap_mode; 0xff: the device does not say
};

// From the sysfs of a netdev. -ENODEV: it stands on no device (veth, tap).
int devlink_find(const char *sysfs, const char *netdev, struct devlink_handle *out);
// -EOPNOTSUPP: the device has no eSwitch; -ENODEV: devlink does not know it.
int devlink_eswitch_get(const struct devlink_handle *handle, struct devlink_eswitch *out);
// A text parameter in effect now (runtime before driverinit). -EINVAL: no such parameter.
int devlink_param_text(const struct devlink_handle *handle, const char *name, char *out,
                       size_t size);

#endif
