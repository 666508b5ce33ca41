// SPDX-License-Identifier: Apache-2.0
// A port's settings that are files: those of MLNX_OFED, of mlx5's debugfs and of rdma_cm.
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "port_settings.h"

#define PATH_SIZE 512
#define TEXT_SIZE 128

// A regular file's first line without what surrounds it; false: there is none that may be read.
static bool read_line(char text[TEXT_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool read_line(char text[TEXT_SIZE], const char *format, ...) {
    char path[PATH_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    int fd = length > 0 && length < PATH_SIZE ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return false;
    }
    ssize_t size = read(fd, text, TEXT_SIZE - 1);
    close(fd);
    if (size <= 0) {
        return false;
    }
    text[size] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return text[0] != '\0';
}

static bool read_number(unsigned long *out, const char *text, unsigned long max) {
    char *end;
    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    *out = strtoul(text, &end, 10);
    return *end == '\0' && *out <= max;
}

static void add_number(struct host_facts *facts, enum host_setting setting, uint32_t port,
                       const char *text, unsigned long max) {
    unsigned long number;
    char value[16];
    if (read_number(&number, text, max)) {
        snprintf(value, sizeof value, "%lu", number);
        host_facts_add(facts, setting, port, value);
    }
}

// enable/0 ... enable/7, each 0 or 1. All or nothing: half a list would be a guess.
static void add_ecn(const char *sysfs, const char *netdev, const char *side,
                    enum host_setting setting, uint32_t port, struct host_facts *facts) {
    char text[TEXT_SIZE], value[PRIORITIES_TEXT_SIZE];
    uint8_t bits = 0;
    for (unsigned priority = 0; priority < 8; priority++) {
        unsigned long on;
        if (!read_line(text, "%s/class/net/%s/ecn/%s/enable/%u", sysfs, netdev, side, priority) ||
            !read_number(&on, text, 1)) {
            return;
        }
        bits |= (uint8_t)(on << priority);
    }
    priorities_format(bits, value);
    host_facts_add(facts, setting, port, value);
}

static void add_cnp_dscp(const char *sysfs, const char *netdev, uint32_t port,
                         struct host_facts *facts) {
    char text[TEXT_SIZE], path[PATH_SIZE], target[PATH_MAX];
    if (read_line(text, "%s/class/net/%s/ecn/roce_np/cnp_dscp", sysfs, netdev)) {
        add_number(facts, HOST_CNP_DSCP, port, text, 63);
        return;
    }
    snprintf(path, sizeof path, "%s/class/net/%s/device", sysfs, netdev);
    ssize_t size = readlink(path, target, sizeof target - 1);
    if (size <= 0) {
        return;
    }
    target[size] = '\0';
    const char *slash = strrchr(target, '/');
    if (read_line(text, "%s/kernel/debug/mlx5/%s/cc_params/np_cnp_dscp", sysfs,
                  slash != NULL ? slash + 1 : target)) {
        add_number(facts, HOST_CNP_DSCP, port, text, 63);
    }
}

// The RDMA device of a port, where it has exactly one.
static bool find_rdma(const char *sysfs, const char *netdev, char name[NAME_MAX + 1]) {
    char path[PATH_SIZE];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/class/net/%s/device/infiniband", sysfs, netdev);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
            count++;
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count == 1;
}

static void add_rdma(const char *sysfs, const char *netdev, uint32_t port,
                     struct host_facts *facts) {
    static const char form[] = "Global tclass=";
    char device[NAME_MAX + 1], text[TEXT_SIZE];
    if (!find_rdma(sysfs, netdev, device)) {
        return;
    }
    if (read_line(text, "%s/class/infiniband/%s/tc/1/traffic_class", sysfs, device) &&
        strncmp(text, form, sizeof form - 1) == 0) {
        add_number(facts, HOST_ROCE_CLASS, port, text + sizeof form - 1, 255);
    }
    if (read_line(text, "%s/kernel/config/rdma_cm/%s/ports/1/default_roce_tos", sysfs, device)) {
        add_number(facts, HOST_ROCE_TOS, port, text, 255);
    }
}

void port_files_read(const char *sysfs, const char *netdev, uint32_t port,
                     struct host_facts *facts) {
    add_ecn(sysfs, netdev, "roce_np", HOST_ECN_NP, port, facts);
    add_ecn(sysfs, netdev, "roce_rp", HOST_ECN_RP, port, facts);
    add_cnp_dscp(sysfs, netdev, port, facts);
    add_rdma(sysfs, netdev, port, facts);
}
