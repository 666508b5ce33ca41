// SPDX-License-Identifier: Apache-2.0
// How this host and its ports are set up for RoCE, as facts that hosts compare
// (model/host_facts.h).
//
//   uname                                            kernel
//   ethtool                                          driver, firmware, speed, pause
//   SIOCGIFMTU                                       MTU
//   DCB netlink (IEEE_GET)                           PFC, DSCP -> priority, trust
//   /sys/class/net/<if>/ecn/roce_{np,rp}/            ECN by priority, DSCP of CNPs (MLNX_OFED)
//   /sys/kernel/debug/mlx5/<pci>/cc_params/          DSCP of CNPs (upstream)
//   /sys/class/infiniband/<dev>/tc/1/traffic_class   class forced on RoCE (MLNX_OFED)
//   /sys/kernel/config/rdma_cm/<dev>/ports/1/        rdma_cm's default TOS
//
// What cannot be read is left out. Files below /sys count only where they are of this network
// namespace's device (interface index and hardware address are the same). Drivers ask their
// firmware for some of it, and netlink waits for other changes: call it from a worker.
#ifndef NICDRV_PORT_SETTINGS_H
#define NICDRV_PORT_SETTINGS_H

#include "model/host_facts.h"

void host_settings_read(struct host_facts *facts);
// Adds what is known of `netdev` as port number `port`.
void port_settings_read(const char *netdev, uint32_t port, struct host_facts *facts);

#endif
