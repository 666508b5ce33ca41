// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include <bpf/bpf.h>

#include "ebpf.h"

#define BPFFS "/sys/fs/bpf"
#define META_BYTES_MAX 256

static bool in_bpffs(const char *path) {
    struct statfs info;
    return statfs(path, &info) == 0 && (uint64_t)info.f_type == BPF_FS_MAGIC;
}

// Whether `path` is `directory` or below it.
static bool is_below(const char *path, const char *directory) {
    size_t size = strlen(directory);
    return strncmp(path, directory, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

static int directory_error(const char *directory, int code, struct error *error) {
    if (code == EACCES || code == EPERM) {
        return error_set(error, -EPERM,
                         "%.70s: may not use it: run as root or with CAP_BPF, CAP_NET_ADMIN",
                         directory);
    }
    return error_set(error, -code, "%.100s: %s", directory, strerror(code));
}

static int mount_bpffs(const char *directory, struct error *error) {
    if (!is_below(directory, BPFFS) || in_bpffs(BPFFS)) {
        return 0;
    }
    if (mount("bpffs", BPFFS, "bpf", 0, "mode=0700") < 0) {
        return error_set(error, -errno,
                         "cannot mount the BPF file system at " BPFFS " (%s): run as root, or "
                         "mount it before",
                         strerror(errno));
    }
    return 0;
}

// Like mkdir -p.
static int make_directories(const char *directory, struct error *error) {
    char path[EBPF_DIRECTORY_MAX];
    snprintf(path, sizeof path, "%s", directory);
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL) {
            *slash = '\0';
        }
        if (mkdir(path, 0700) < 0 && errno != EEXIST) {
            return directory_error(path, errno, error);
        }
        if (slash == NULL) {
            return 0;
        }
        *slash = '/';
    }
}

static int take_lock(struct ebpf_pins *pins, struct error *error) {
    pins->lock = open(pins->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (pins->lock < 0) {
        return directory_error(pins->directory, errno, error);
    }
    if (flock(pins->lock, LOCK_EX | LOCK_NB) < 0) {
        close(pins->lock);
        pins->lock = -1;
        return error_set(error, -EBUSY, "%.90s: another process drives this NIC; stop it first",
                         pins->directory);
    }
    return 0;
}

int ebpf_pins_open(const char *device, const char *pin_dir, struct ebpf_pins *out,
                   struct error *error) {
    struct ebpf_pins pins = {.lock = -1};
    int size = pin_dir[0] == '\0'
                   ? snprintf(pins.directory, sizeof pins.directory, BPFFS "/srv6/%s", device)
                   : snprintf(pins.directory, sizeof pins.directory, "%s", pin_dir);
    if (size < 0 || size >= EBPF_DIRECTORY_MAX || pins.directory[0] != '/') {
        return error_set(error, -EINVAL, "%.90s: the pin directory must be a short absolute path",
                         pin_dir);
    }
    int rc = mount_bpffs(pins.directory, error);
    if (rc == 0) {
        rc = make_directories(pins.directory, error);
    }
    if (rc == 0 && !in_bpffs(pins.directory)) {
        rmdir(pins.directory);
        rc = error_set(error, -EINVAL,
                       "%.80s: not in a BPF file system; choose a directory below " BPFFS,
                       pins.directory);
    }
    if (rc == 0) {
        rc = take_lock(&pins, error);
    }
    if (rc == 0) {
        *out = pins;
    }
    return rc;
}

void ebpf_pins_close(struct ebpf_pins *pins) {
    if (pins->lock >= 0) {
        close(pins->lock);
        pins->lock = -1;
    }
}

void ebpf_pins_path(const struct ebpf_pins *pins, const char *name, char path[EBPF_PATH_MAX]) {
    snprintf(path, EBPF_PATH_MAX, "%s/v%d%s%s", pins->directory, SRV6_LAYOUT,
             name[0] == '\0' ? "" : "/", name);
}

static void remove_files(int parent, const char *name) {
    int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = descriptor < 0 ? NULL : fdopendir(descriptor);
    if (directory == NULL) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] != '.') {
            unlinkat(descriptor, entry->d_name, 0);
        }
    }
    closedir(directory);
    unlinkat(parent, name, AT_REMOVEDIR);
}

// The next layout's directory in `directory`; NULL at the end.
static const char *next_layout(DIR *directory) {
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == 'v') {
            return entry->d_name;
        }
    }
    return NULL;
}

void ebpf_pins_remove(const struct ebpf_pins *pins, bool own_layout) {
    char own[16];
    snprintf(own, sizeof own, "v%d", SRV6_LAYOUT);
    DIR *directory = opendir(pins->directory);
    if (directory == NULL) {
        return;
    }
    for (const char *name; (name = next_layout(directory)) != NULL;) {
        if ((strcmp(name, own) == 0) == own_layout) {
            remove_files(dirfd(directory), name);
        }
    }
    closedir(directory);
}

void ebpf_pins_remove_directory(const struct ebpf_pins *pins) {
    char path[EBPF_DIRECTORY_MAX];
    memcpy(path, pins->directory, sizeof path);
    // Stops at the first that is not empty; the root of a bpffs is busy, being a mount point.
    for (char *slash; rmdir(path) == 0 && (slash = strrchr(path, '/')) != NULL && slash != path;) {
        *slash = '\0';
    }
}

static bool meta_says_made(const char *path) {
    union {
        struct srv6_meta meta;
        uint8_t bytes[META_BYTES_MAX];
    } value = {0};
    struct bpf_map_info info = {0};
    uint32_t size = sizeof info, zero = 0;
    int map = bpf_obj_get(path);
    if (map < 0) {
        return false;
    }
    bool made = bpf_obj_get_info_by_fd(map, &info, &size) == 0 && info.value_size <= sizeof value &&
                bpf_map_lookup_elem(map, &zero, &value) == 0 && value.meta.made_clsact != 0;
    close(map);
    return made;
}

bool ebpf_pins_made_clsact(const struct ebpf_pins *pins) {
    DIR *directory = opendir(pins->directory);
    if (directory == NULL) {
        return false;
    }
    bool made = false;
    for (const char *name; (name = next_layout(directory)) != NULL;) {
        char path[EBPF_DIRECTORY_MAX + NAME_MAX + 8];
        snprintf(path, sizeof path, "%s/%s/meta", pins->directory, name);
        made = made || meta_says_made(path);
    }
    closedir(directory);
    return made;
}
