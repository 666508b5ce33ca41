// SPDX-License-Identifier: Apache-2.0
// The bytes that a reformat puts before an inner packet: Ethernet, IPv6 (hop limit 64, next header
// 4 or 41) and, from two carriers on, a reduced SRH (RFC 8754; RFC 8986 section 5.2). The device
// fills in the payload length. Flow label: as nicdrv/ebpf for the same inner class, or zero, since
// a reformat is shared by flows.
//
// Pure.
#ifndef MLX5_HEADER_H
#define MLX5_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "model/rule.h"

#define MLX5_HEADER_MAX 132 // 14 + 40 + 8 + 16 * 4 and what rounding needs

struct mlx5_ethernet {
    uint8_t destination[6], source[6];
};

// Returns the size; 0 when it would exceed MLX5_HEADER_MAX. inner_version: 4 or 6.
size_t mlx5_header_build(const struct mlx5_ethernet *ethernet, const struct encap *encap,
                         uint8_t traffic_class, uint8_t inner_version,
                         uint8_t out[MLX5_HEADER_MAX]);

#endif
