// SPDX-License-Identifier: Apache-2.0
#include "nicdrv/nic.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <net/if.h>

static const struct nic_driver *const drivers[] = {&nic_driver_ebpf, &nic_driver_mem,
                                                   &nic_driver_mlx5};

const struct nic_driver *nic_driver_find(const char *name) {
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        if (strcmp(drivers[i]->name, name) == 0) {
            return drivers[i];
        }
    }
    return NULL;
}

int nic_open_with(const struct nic_driver *driver, const struct nic_options *options,
                  struct nic **out, struct error *error) {
    struct nic_options full = *options;
    const char *device = options->device != NULL ? options->device : "";
    if (device[0] == '\0' || strlen(device) >= IF_NAMESIZE || strchr(device, '/') != NULL) {
        return error_set(error, -EINVAL, "\"%s\" cannot be the name of a network device", device);
    }
    full.device = device;
    full.pin_dir = options->pin_dir != NULL ? options->pin_dir : "";
    full.holder = options->holder != NULL ? options->holder : "";
    return driver->open(&full, out, error);
}

int nic_open(const char *driver, const struct nic_options *options, struct nic **out,
             struct error *error) {
    const struct nic_driver *found = nic_driver_find(driver);
    if (found == NULL) {
        return error_set(error, -EINVAL,
                         "no NIC driver is called \"%s\"; there are ebpf, mem and mlx5", driver);
    }
    return nic_open_with(found, options, out, error);
}

void nic_close(struct nic *nic, bool remove_rules) {
    if (nic != NULL) {
        nic->driver->close(nic, remove_rules);
    }
}

int nic_apply(struct nic *nic, const struct rule_set *wanted, struct error *error) {
    if (!nic->unsettled && rule_set_equal(wanted, &nic->applied)) {
        return 0;
    }
    return nic->driver->apply(nic, wanted, error);
}
