// SPDX-License-Identifier: Apache-2.0
// What prepare and clean ask of and do to the node's kernel.
#ifndef NODE_PORTS_H
#define NODE_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/error.h"
#include "model/fabric.h"
#include "model/usid.h"

// The uSID addresses of the host's ports; 0 when it is not in the fabric.
uint32_t ports_own_sids(const char *host, const struct fabric *fabric,
                        struct sid out[HOST_PORTS_MAX]);
bool ports_has_address(const struct sid *address);
// Takes the address from lo; 0 when it is not there.
int ports_remove_address(const char *address, struct error *error);
// A file below /proc/sys. *value is owned by the caller.
int ports_read_setting(const char *path, char **value, size_t *size, struct error *error);
int ports_write_setting(const char *path, const char *value, struct error *error);

#endif
