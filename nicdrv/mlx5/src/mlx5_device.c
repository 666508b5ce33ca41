// SPDX-License-Identifier: Apache-2.0
#include "mlx5_device.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "mlx5_prm.h"
#include "mlx5_reason.h"

// DEVX command QUERY_NIC_VPORT_CONTEXT and where its answer holds the permanent MAC address.
#define QUERY_NIC_VPORT_CONTEXT 0x754
#define QUERY_IN_BYTES 16
#define QUERY_OUT_BYTES 272
#define QUERY_MAC_OFFSET 262

static const struct prm_field query_other = {0x40, 1};
static const struct prm_field query_vport = {0x50, 16};

static const char *sysfs(void) {
    const char *path = getuid() == geteuid() ? getenv("SYSFS_PATH") : NULL;
    return path != NULL ? path : "/sys";
}

int mlx5_device_find(const char *netdev, char name[64], struct error *error) {
    char path[PATH_MAX];
    int rc = -ENODEV;
    snprintf(path, sizeof path, "%s/class/net/%s/device/infiniband", sysfs(), netdev);
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return error_set(error, -ENODEV,
                         "%s: no RDMA device behind it: is it the uplink of a ConnectX, and is "
                         "mlx5_ib loaded (modprobe mlx5_ib)?",
                         netdev);
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] != '.' && strlen(entry->d_name) < 64) {
            strcpy(name, entry->d_name);
            rc = 0;
            break;
        }
    }
    closedir(directory);
    return rc < 0 ? error_set(error, rc, "%s: its PCI function has no RDMA device", netdev) : 0;
}

static struct ibv_context *open_by_name(const char *netdev, const char *name, struct error *error) {
    struct mlx5dv_context_attr attributes = {.flags = MLX5DV_CONTEXT_FLAGS_DEVX};
    int count = 0;
    mlx5_reason_preset();
    struct ibv_device **list = ibv_get_device_list(&count);
    struct ibv_device *device = NULL;
    struct ibv_context *context = NULL;
    for (int i = 0; list != NULL && i < count; i++) {
        if (strcmp(ibv_get_device_name(list[i]), name) == 0) {
            device = list[i];
        }
    }
    if (device == NULL) {
        error_set(error, -ENODEV, "%s: libibverbs does not know %s: is ib_uverbs loaded?", netdev,
                  name);
    } else if (!mlx5dv_is_supported(device)) {
        error_set(error, -EOPNOTSUPP, "%s: %s is no mlx5 device", netdev, name);
    } else {
        mlx5_reason_preset();
        context = mlx5dv_open_device(device, &attributes);
        int code = context == NULL ? mlx5_reason_code() : 0;
        if (code < 0) {
            error_set(error, code, "%s: cannot open %s with DEVX: %s", netdev, name,
                      mlx5_reason_text(code));
        }
    }
    if (list != NULL) {
        ibv_free_device_list(list);
    }
    return context;
}

static int read_uplink(struct mlx5_device *device, struct error *error) {
    struct ifreq request = {0};
    device->ifindex = (int)if_nametoindex(device->netdev);
    if (device->ifindex == 0) {
        return error_set(error, -ENODEV, "%s: no such network device in this network namespace",
                         device->netdev);
    }
    snprintf(request.ifr_name, sizeof request.ifr_name, "%.15s", device->netdev);
    int probe = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = probe < 0 || ioctl(probe, SIOCGIFHWADDR, &request) < 0 ? -errno : 0;
    if (probe >= 0) {
        close(probe);
    }
    if (rc < 0) {
        return error_set(error, rc, "%s: cannot read its MAC address: %s", device->netdev,
                         strerror(-rc));
    }
    memcpy(device->mac, request.ifr_hwaddr.sa_data, sizeof device->mac);
    return 0;
}

// The only virtual function, where there is just one.
static int choose_vport(struct mlx5_device *device, struct error *error) {
    char path[PATH_MAX];
    int functions = 0;
    snprintf(path, sizeof path, "%s/class/net/%s/device/sriov_numvfs", sysfs(), device->netdev);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        functions = fscanf(file, "%d", &functions) == 1 ? functions : 0;
        fclose(file);
    }
    if (functions != 1) {
        return error_set(error, -EINVAL,
                         "%s: %d virtual functions: say which one sends by its port's vport (see "
                         "devlink port show)",
                         device->netdev, functions);
    }
    device->vport = 1;
    return 0;
}

static int ask_vport_mac(struct mlx5_device *device, struct error *error) {
    static const uint8_t none[6];
    uint32_t in[QUERY_IN_BYTES / sizeof(uint32_t)] = {0};
    uint32_t out[QUERY_OUT_BYTES / sizeof(uint32_t)] = {0};
    prm_set(in, PRM_OPCODE, QUERY_NIC_VPORT_CONTEXT);
    prm_set(in, query_other, 1);
    prm_set(in, query_vport, device->vport);
    mlx5_reason_preset();
    int rc = mlx5dv_devx_general_cmd(device->context, in, sizeof in, out, sizeof out);
    memcpy(device->vport_mac, (uint8_t *)out + QUERY_MAC_OFFSET, sizeof device->vport_mac);
    if (rc != 0 || memcmp(device->vport_mac, none, sizeof none) == 0) {
        return error_set(
            error, -ENODEV,
            "%s: the firmware does not tell the MAC address of vport %u: is there such "
            "a function? Or set its port's mac",
            device->netdev, device->vport);
    }
    return 0;
}

int mlx5_device_open(const struct nic_options *options, struct mlx5_device *out,
                     struct error *error) {
    static const uint8_t none[6];
    struct mlx5_device device = {.vport = options->eswitch.vport};
    snprintf(device.netdev, sizeof device.netdev, "%s", options->device);
    memcpy(device.vport_mac, options->eswitch.vport_mac, sizeof device.vport_mac);
    int rc = mlx5_device_find(device.netdev, device.name, error);
    if (rc == 0) {
        rc = read_uplink(&device, error);
    }
    if (rc == 0 && device.vport == 0) {
        rc = choose_vport(&device, error);
    }
    if (rc < 0) {
        return rc;
    }
    struct error why = {.code = -ENODEV};
    device.context = open_by_name(device.netdev, device.name, &why);
    if (device.context == NULL) {
        return error_set(error, why.code, "%s", why.text);
    }
    if (memcmp(device.vport_mac, none, sizeof none) == 0) {
        rc = ask_vport_mac(&device, error);
    }
    if (rc < 0) {
        mlx5_device_close(&device);
        return rc;
    }
    *out = device;
    return 0;
}

void mlx5_device_close(struct mlx5_device *device) {
    if (device->context != NULL) {
        ibv_close_device(device->context);
        device->context = NULL;
    }
}
