// SPDX-License-Identifier: Apache-2.0
// The driver `mem`: a NIC that is nothing but its rules, for tests and the simulator. It keeps the
// set, says what it would do with a packet, counts as a NIC counts, and fails on request.
//
// The functions below take only NICs that this driver opened. One thread per NIC.
#ifndef NICDRV_MEM_H
#define NICDRV_MEM_H

#include <stdint.h>

#include "nicdrv/diff.h"
#include "nicdrv/nic.h"

#define NIC_MEM_QPS_MAX 16384 // QPs remembered between two calls of qps; later ones are not

// The encapsulation that the packet gets (borrowed until the next apply), NULL when it leaves
// plain. Counts the packet of `bytes`; `random` decides where a rule sprays.
const struct encap *nic_mem_send(struct nic *nic, const struct rule_packet *packet, uint32_t bytes,
                                 uint32_t random);
// True when a packet to this outer destination with next header 4 or 41 is decapsulated; counts it.
bool nic_mem_receive(struct nic *nic, const uint8_t destination[16]);

// The next apply fails with -errno `code` and leaves everything as it was. 0 withdraws that.
void nic_mem_fail_next(struct nic *nic, int code);

#endif
