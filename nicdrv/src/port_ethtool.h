// SPDX-License-Identifier: Apache-2.0
// The ethtool statistics of a netdev, as far as port_counters.h names them.
#ifndef PORT_ETHTOOL_H
#define PORT_ETHTOOL_H

#include <stdbool.h>

#include "nicdrv/port_counters.h"

struct port_ethtool;

// 0 with *out NULL when the driver has no statistics. -errno.
int port_ethtool_open(const char *netdev, struct port_ethtool **out);
void port_ethtool_close(struct port_ethtool *ethtool); // NULL is a no-op
void port_ethtool_read(struct port_ethtool *ethtool, struct port_values *out);

// Where the statistic of a name is counted; false when it is none of ours. *priority is -1 for one
// of the whole port (*counter is then an enum port_counter), else 0 to 7; value * *scale is ours.
bool port_ethtool_find(const char *name, int *priority, unsigned *counter, uint64_t *scale);

// ---- port_counters.c
bool port_counter_find(const char *theirs, enum port_counter *out);
void port_values_add(uint64_t *value, uint64_t more);

#endif
