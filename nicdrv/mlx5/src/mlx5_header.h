// SPDX-License-Identifier: Apache-2.0
// The bytes that a reformat puts before an inner packet: H.Encaps.Red (RFC 8986 section 5.2).
//
//   | Ethernet 14 | IPv6 40: class, flow label 0, length 0, hop limit 64, next header |
//   and from two carriers on
//   | SRH 8: next header, last entry | carriers last .. second, 16 each |   (RFC 8754, reduced)
//
// The next header before the inner packet is 4 or 41. The device fills in the payload length. The
// flow label is zero: a reformat is shared by many flows, and what spreads them is the path.
//
// Pure.
#ifndef MLX5_HEADER_H
#define MLX5_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "model/rule.h"

#define MLX5_HEADER_MAX (14 + 40 + 8 + 16 * (SID_LIST_MAX - 1))

struct mlx5_ethernet {
    uint8_t destination[6], source[6];
};

// Returns the size; 0 when the encap has no SIDs or more than SID_LIST_MAX. inner_version: 4 or 6.
size_t mlx5_header_build(const struct mlx5_ethernet *ethernet, const struct encap *encap,
                         uint8_t traffic_class, uint8_t inner_version,
                         uint8_t out[MLX5_HEADER_MAX]);

#endif
