// SPDX-License-Identifier: Apache-2.0
#include "nicdrv_mlx5/preflight.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/devlink.h>

#include "devlink.h"

#define ROCE_BYTES (40 + 8 + 12 + 16 + 4 + 4) // IPv6, UDP, BTH, RETH, immediate, ICRC
#define OUTER_BYTES 40                        // one carrier
#define PATH_MTU_MAX 4096                     // of a QP
#define INNER_MTU_MIN 1280

struct preflight {
    const struct nic_options *options;
    const char *sysfs;
    preflight_fn *each;
    void *context;
    struct devlink_handle handle;
    bool has_handle;
    bool failed, missing;
    struct error *error; // of the first failure
};

__attribute__((format(printf, 5, 6))) static void tell(struct preflight *flight, const char *check,
                                                       enum preflight_grade grade,
                                                       const char *found, const char *advice, ...) {
    struct preflight_finding finding = {.check = check, .grade = grade};
    va_list arguments;
    va_start(arguments, advice);
    vsnprintf(finding.advice, sizeof finding.advice, advice, arguments);
    va_end(arguments);
    snprintf(finding.found, sizeof finding.found, "%s", found);
    if (grade == PREFLIGHT_FAIL && !flight->failed) {
        flight->failed = true;
        (void)error_set(flight->error, -EOPNOTSUPP, "%s: %s is %.40s: %.80s",
                        flight->options->device, check, finding.found, finding.advice);
    }
    if (flight->each != NULL) {
        flight->each(flight->context, &finding);
    }
}

// From sysfs where it has the netdev, else from the kernel: a tree for tests holds devices only.
static int read_mtu(const struct preflight *flight, unsigned long *out) {
    char path[PATH_MAX], text[32] = "";
    snprintf(path, sizeof path, "%s/class/net/%s/mtu", flight->sysfs, flight->options->device);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        bool any = fgets(text, sizeof text, file) != NULL;
        fclose(file);
        *out = strtoul(text, NULL, 10);
        return any ? 0 : -EIO;
    }
    struct ifreq request = {0};
    strncpy(request.ifr_name, flight->options->device, sizeof request.ifr_name - 1);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 || ioctl(fd, SIOCGIFMTU, &request) < 0 ? -errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    *out = rc == 0 ? (unsigned long)request.ifr_mtu : 0;
    return rc;
}

static void pass(struct preflight *flight, const char *check, const char *found) {
    tell(flight, check, PREFLIGHT_OK, found, "%s", "");
}

static void check_driver(struct preflight *flight) {
    char path[PATH_MAX], target[PATH_MAX];
    snprintf(path, sizeof path, "%s/class/net/%s/device/driver", flight->sysfs,
             flight->options->device);
    if (realpath(path, target) == NULL) {
        tell(flight, "driver", PREFLIGHT_UNKNOWN, "none named",
             "only a ConnectX's netdev (mlx5_core) has an eSwitch to program");
        return;
    }
    const char *name = strrchr(target, '/') + 1;
    if (strcmp(name, "mlx5_core") == 0) {
        pass(flight, "driver", name);
    } else {
        tell(flight, "driver", PREFLIGHT_FAIL, name,
             "only mlx5_core has an eSwitch to program; use nic.driver: ebpf here");
    }
}

static void check_encap(struct preflight *flight, const struct devlink_eswitch *eswitch) {
    if (eswitch->encap_mode == DEVLINK_ESWITCH_ENCAP_MODE_BASIC) {
        pass(flight, "encap-mode", "basic");
    } else if (eswitch->encap_mode == DEVLINK_ESWITCH_ENCAP_MODE_NONE) {
        tell(flight, "encap-mode", PREFLIGHT_FAIL, "none",
             "devlink dev eswitch set %s/%s encap-mode basic", flight->handle.bus,
             flight->handle.device);
    } else {
        tell(flight, "encap-mode", PREFLIGHT_UNKNOWN, "not told", "needed: basic");
    }
}

static void check_eswitch(struct preflight *flight) {
    struct devlink_eswitch eswitch;
    int rc = flight->has_handle ? devlink_eswitch_get(&flight->handle, &eswitch) : -ENODEV;
    if (rc == -ENODEV) {
        tell(flight, "eswitch-mode", PREFLIGHT_UNKNOWN, "devlink does not know the device",
             "needed: switchdev");
        return;
    }
    if (rc != 0) {
        tell(flight, "eswitch-mode", PREFLIGHT_FAIL, strerror(-rc),
             "the device has no eSwitch, or it may not be asked (CAP_NET_ADMIN)");
        return;
    }
    if (eswitch.mode == DEVLINK_ESWITCH_MODE_SWITCHDEV) {
        pass(flight, "eswitch-mode", "switchdev");
    } else {
        tell(flight, "eswitch-mode", PREFLIGHT_FAIL, "legacy",
             "devlink dev eswitch set %s/%s mode switchdev", flight->handle.bus,
             flight->handle.device);
    }
    check_encap(flight, &eswitch);
}

static void check_steering(struct preflight *flight) {
    char mode[32];
    const struct devlink_handle *at = &flight->handle;
    int rc = flight->has_handle ? devlink_param_text(at, "flow_steering_mode", mode, sizeof mode)
                                : -ENODEV;
    if (rc != 0) {
        tell(flight, "flow-steering-mode", PREFLIGHT_UNKNOWN, "not told",
             "needed: smfs or dmfs (devlink dev param show)");
    } else if (strcmp(mode, "smfs") == 0 || strcmp(mode, "dmfs") == 0) {
        pass(flight, "flow-steering-mode", mode);
    } else {
        tell(flight, "flow-steering-mode", PREFLIGHT_WARN, mode,
             "devlink dev param set %s/%s name flow_steering_mode value smfs cmode runtime",
             at->bus, at->device);
    }
}

static void check_parser(struct preflight *flight) {
    tell(flight, "parser-profile", PREFLIGHT_UNKNOWN, "kept in the firmware's configuration",
         "decapsulation needs FLEX_PARSER_PROFILE_ENABLE=0: mlxconfig -d %s query; srv6-agent "
         "--selftest-nic tries it",
         flight->has_handle ? flight->handle.device : flight->options->device);
}

static void check_mtu(struct preflight *flight) {
    char text[32];
    unsigned long mtu;
    int rc = read_mtu(flight, &mtu);
    if (rc != 0) {
        tell(flight, "mtu", PREFLIGHT_FAIL, strerror(-rc), "no such netdev here");
        flight->missing = rc == -ENODEV;
        return;
    }
    snprintf(text, sizeof text, "%lu", mtu);
    unsigned long all = PATH_MTU_MAX + ROCE_BYTES + OUTER_BYTES;
    enum preflight_grade grade = mtu >= all                           ? PREFLIGHT_OK
                                 : mtu >= INNER_MTU_MIN + OUTER_BYTES ? PREFLIGHT_WARN
                                                                      : PREFLIGHT_FAIL;
    if (grade == PREFLIGHT_OK) {
        pass(flight, "mtu", text);
    } else {
        tell(flight, "mtu", grade, text,
             "QPs of path MTU 4096 need %lu here and on every switch, 40 more than the function's "
             "own: ip link set %s mtu 9000",
             all, flight->options->device);
    }
}

int mlx5_preflight(const struct nic_options *options, preflight_fn *each, void *context,
                   struct error *error) {
    const char *sysfs = getenv("SYSFS_PATH"); // as libibverbs
    struct preflight flight = {.options = options,
                               .sysfs = sysfs != NULL ? sysfs : "/sys",
                               .each = each,
                               .context = context,
                               .error = error};
    flight.has_handle = devlink_find(flight.sysfs, options->device, &flight.handle) == 0;
    check_driver(&flight);
    check_eswitch(&flight);
    check_steering(&flight);
    check_parser(&flight);
    check_mtu(&flight);
    if (flight.missing) {
        return error_set(error, -ENODEV, "%s: no such network device in this network namespace",
                         options->device);
    }
    return flight.failed ? -EOPNOTSUPP : 0;
}
