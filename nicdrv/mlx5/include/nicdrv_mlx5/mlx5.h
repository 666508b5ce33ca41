// SPDX-License-Identifier: Apache-2.0
// The eSwitch (FDB) of a ConnectX-5 to -7 in switchdev mode, through rdma-core's mlx5dv_dr.
//
//   root (firmware)      source vport = the function, UDP 4791        -> flow table
//                        source vport = uplink, destination = own SID,
//                          next header 4 or 41                        -> decap table
//   flow table           vport, inner destination[, QP | source port] -> count, reg_c_1 = path id,
//                                                                        path table
//                        vport (lower priority)                       -> count, slow path (plain)
//   path table           vport, reg_c_1 = path id, DSCP and ECN       -> count, L2_TO_L3, uplink
//                        vport (lower priority)                       -> count, uplink (plain)
//   decap table          uplink, outer destination = own SID, next header, outer ECN
//                          = CE                                       -> L3_TO_L2, inner CE, vport
//                          else                                       -> L3_TO_L2, vport
//
// Moving a path is one rule a traffic class, whatever the number of flows (mlx5_layout.h). The
// outer Ethernet header and traffic class are part of a reformat, so there is one reformat a path
// and class; reformats are cached by their bytes and made before they are needed.
//
// Everything made here dies with the process: srv6-holder keeps it alive for the agent. So closing
// removes all rules, whatever the caller asks, and so does the end of the process, however it ends:
// RoCE then leaves plain.
//
// A failed apply leaves the NIC as it was. When the device itself fails, nothing is applied any
// more, `unsettled` is set, and the next apply opens the device anew; `review` says -EIO. It also
// follows the leaf's MAC address (-errno when the NIC refuses the new one: the old stands).
// Errors: -errno with a sentence that names the device and what to change. Not for hardware: rules,
// rates and limits were seen on an emulated device only (nicdrv/README.md).
#ifndef NICDRV_MLX5_MLX5_H
#define NICDRV_MLX5_MLX5_H

#include "nicdrv/nic.h"

extern const struct nic_driver nic_driver_mlx5_direct; // .name is "mlx5"

#endif
