// SPDX-License-Identifier: Apache-2.0
// Parts of reading a port's settings, apart for tests.
#ifndef NICDRV_SRC_PORT_SETTINGS_H
#define NICDRV_SRC_PORT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/host_facts.h"

#define PRIORITIES_TEXT_SIZE 16
#define DSCPS 64
#define DSCP_NONE UINT8_MAX

// "3 4", "none".
void priorities_format(uint8_t bits, char text[PRIORITIES_TEXT_SIZE]);
// "0-7:0 46:6", "none"; where that is too long a digit for each DSCP, "-" for those without.
void dscp_map_format(const uint8_t priority[DSCPS], char text[HOST_VALUE_SIZE]);

// A port's DCB settings as netlink answers them, and what of them is known.
struct port_dcb {
    bool has_pfc, has_map, has_trust;
    uint8_t pfc; // a bit per priority
    uint8_t dscp_priority[DSCPS];
    char trust[HOST_VALUE_SIZE];
};
// Takes an answer to DCB_CMD_IEEE_GET; false: it is none, and nothing is known.
bool port_dcb_parse(const void *message, size_t size, struct port_dcb *out);
// False: the device has no DCB, or this process may not ask.
bool port_dcb_read(const char *netdev, struct port_dcb *out);

// What files below `sysfs` say of a port.
void port_files_read(const char *sysfs, const char *netdev, uint32_t port,
                     struct host_facts *facts);

#endif
