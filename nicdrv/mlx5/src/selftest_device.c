// SPDX-License-Identifier: Apache-2.0
#include "selftest_device.h"

#include <dirent.h>
#include <errno.h>
#include <infiniband/mlx5dv.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mlx5_prm.h"

// DEVX: QUERY_HCA_CAP of the general capabilities as they are set (not as they could be).
#define QUERY_HCA_CAP 0x100
#define GENERAL_CURRENT 0x1
#define HCA_CAP_IN 16
#define HCA_CAP_OUT 4112
static const struct prm_field OP_MOD = {0x30, 16};
static const struct prm_field STEERING_FORMAT = {0x4c4, 4};

// ---- by which name

static const char *sysfs_root(void) {
    const char *path = getenv("SYSFS_PATH"); // as libibverbs
    return path != NULL && path[0] != '\0' ? path : "/sys";
}

// The first entry of a directory under sysfs; false when there is none.
static bool first_entry(const char *class, const char *name, const char *below, char *out,
                        size_t size) {
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/class/%s/%s/device/%s", sysfs_root(), class, name, below);
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return false;
    }
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL && entry->d_name[0] == '.') {
    }
    bool found = entry != NULL && strlen(entry->d_name) < size;
    if (found) {
        memcpy(out, entry->d_name, strlen(entry->d_name) + 1);
    }
    closedir(directory);
    return found;
}

static bool is_known(const char *class, const char *name) {
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/class/%s/%s", sysfs_root(), class, name);
    return access(path, F_OK) == 0;
}

// about->name and about->netdev from either of them.
static int find_names(const char *name, struct selftest_device *about, struct error *error) {
    if (name[0] == '\0' || strchr(name, '/') != NULL || strlen(name) >= sizeof(about->name)) {
        return error_set(error, -ENODEV, "%.60s: not a name of a device", name);
    }
    if (first_entry("net", name, "infiniband", about->name, sizeof(about->name))) {
        snprintf(about->netdev, sizeof(about->netdev), "%.15s", name);
        return 0;
    }
    if (is_known("net", name)) {
        return error_set(error, -EOPNOTSUPP,
                         "%s: not a ConnectX: it has no RDMA device (a ConnectX has one when the "
                         "module mlx5_ib is loaded)",
                         name);
    }
    snprintf(about->name, sizeof(about->name), "%s", name);
    first_entry("infiniband", name, "net", about->netdev, sizeof(about->netdev));
    return 0;
}

// ---- opening

static struct ibv_device *find_device(struct ibv_device **list, const char *name) {
    for (; *list != NULL; list++) {
        if (strcmp(ibv_get_device_name(*list), name) == 0) {
            return *list;
        }
    }
    return NULL;
}

// Why opening failed: where its node bars us, the library answers with what it tried after that.
static int open_error(const char *asked, const struct ibv_device *device, struct error *error) {
    int code = errno != 0 ? errno : EIO;
    char node[PATH_MAX];
    snprintf(node, sizeof(node), "/dev/infiniband/%s", device->dev_name);
    if (access(node, R_OK | W_OK) < 0 && errno == EACCES) {
        code = EACCES;
    }
    if (code == EACCES || code == EPERM) {
        return error_set(error, -code,
                         "%s: %s: run as root, or with CAP_NET_RAW, CAP_NET_ADMIN and access to "
                         "/dev/infiniband",
                         asked, strerror(code));
    }
    return error_set(error, -code, "%s: cannot be opened with DEVX: %s", asked, strerror(code));
}

static int open_device(const char *asked, struct ibv_device *device, struct ibv_context **out,
                       struct error *error) {
    struct mlx5dv_context_attr attributes = {.flags = MLX5DV_CONTEXT_FLAGS_DEVX};
    if (!mlx5dv_is_supported(device)) {
        return error_set(error, -EOPNOTSUPP, "%s: not a ConnectX: libmlx5 does not drive %s", asked,
                         ibv_get_device_name(device));
    }
    errno = 0;
    *out = mlx5dv_open_device(device, &attributes);
    return *out != NULL ? 0 : open_error(asked, device, error);
}

static int open_context(const char *asked, const char *name, struct ibv_context **out,
                        struct error *error) {
    struct ibv_device **list = ibv_get_device_list(NULL);
    struct ibv_device *device = list != NULL ? find_device(list, name) : NULL;
    int rc;
    if (device != NULL) {
        rc = open_device(asked, device, out, error);
    } else if (is_known("infiniband", name)) {
        rc = error_set(error, -ENODEV,
                       "%s: libibverbs does not see %s: is ib_uverbs loaded, are its node in "
                       "/dev/infiniband and ibverbs-providers here?",
                       asked, name);
    } else {
        rc = error_set(error, -ENODEV, "%s: no such network or RDMA device", name);
    }
    if (list != NULL) {
        ibv_free_device_list(list);
    }
    return rc;
}

// ---- of which kind

// libmlx5.so.1.24.44.0: the last two numbers are rdma-core's version. Vendors number differently
// (2307mlnx47), and nothing is then expected where versions differ.
static int read_version(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    char path[PATH_MAX];
    if (info->dlpi_name == NULL || strstr(info->dlpi_name, "/libmlx5") == NULL ||
        realpath(info->dlpi_name, path) == NULL) {
        return 0;
    }
    struct selftest_device *about = context;
    const char *version = strstr(path, ".so.");
    for (int skip = 0; skip < 3 && version != NULL; skip++) {
        version = strchr(version + 1, '.');
    }
    if (version != NULL) {
        snprintf(about->library, sizeof(about->library), "%.31s", version + 1);
    }
    return 1;
}

static uint32_t major_of(const char *version) {
    char *end;
    unsigned long major = strtoul(version, &end, 10);
    return end != version && (*end == '.' || *end == '\0') && major < 1000 ? (uint32_t)major : 0;
}

static uint32_t ask_format(struct ibv_context *context) {
    uint8_t in[HCA_CAP_IN] = {0};
    uint8_t out[HCA_CAP_OUT] = {0};
    prm_set(in, PRM_OPCODE, QUERY_HCA_CAP);
    prm_set(in, OP_MOD, GENERAL_CURRENT);
    if (mlx5dv_devx_general_cmd(context, in, sizeof(in), out, sizeof(out)) != 0) {
        return UINT32_MAX;
    }
    return prm_get(out, STEERING_FORMAT);
}

static void describe(struct ibv_context *context, struct selftest_device *about,
                     struct selftest_kind *kind) {
    static const char *const formats[] = {"CX5", "CX6Dx", "CX7", "CX8"};
    struct ibv_device_attr attributes;
    if (ibv_query_device(context, &attributes) == 0) {
        snprintf(about->firmware, sizeof(about->firmware), "%.63s", attributes.fw_ver);
    }
    dl_iterate_phdr(read_version, about);
    kind->rdma_core = major_of(about->library);
    kind->format = ask_format(context);
    bool known = kind->format < sizeof(formats) / sizeof(formats[0]);
    snprintf(about->format, sizeof(about->format), "%s", known ? formats[kind->format] : "unknown");
}

int selftest_device_open(const char *name, struct ibv_context **context,
                         struct selftest_device *about, struct selftest_kind *kind,
                         struct error *error) {
    struct selftest_device found = {0};
    int rc = find_names(name, &found, error);
    if (rc == 0) {
        rc = open_context(name, found.name, context, error);
    }
    if (rc == 0) {
        describe(*context, &found, kind);
        *about = found;
    }
    return rc;
}
