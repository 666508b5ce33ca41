// SPDX-License-Identifier: Apache-2.0
#include "mlx5_reason.h"

#include <errno.h>
#include <string.h>

void mlx5_reason_preset(void) {
    errno = EIO;
}

int mlx5_reason_code(void) {
    return errno > 0 ? -errno : -EIO;
}

const char *mlx5_reason_text(int code) {
    switch (-code) {
    case ENOMEM:
    case ENOSPC:
        return "no steering memory (ICM), or no room in the firmware, is left";
    case EREMOTEIO:
        return "the firmware refused it";
    case EOPNOTSUPP:
        return "the NIC, or this version of rdma-core, cannot do it";
    case EINVAL:
        return "the firmware or rdma-core refused it as invalid";
    case EPERM:
    case EACCES:
        return "not permitted: CAP_NET_RAW and CAP_NET_ADMIN are needed";
    case EIO:
        return "the NIC failed to do it";
    default:
        return strerror(-code);
    }
}
