// SPDX-License-Identifier: Apache-2.0
#include "nicdrv/port_settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "port_settings.h"

#define SYSFS_DEFAULT "/sys"
#define PATH_SIZE 384
#define BITS_PER_MBIT UINT64_C(1000000)

void host_settings_read(struct host_facts *facts) {
    struct utsname name;
    if (uname(&name) == 0) {
        host_facts_add(facts, HOST_KERNEL, HOST_WIDE, name.release);
    }
}

// ---- the device itself

struct device {
    int socket;
    const char *netdev;
    uint32_t port;
    struct host_facts *facts;
};

static bool ask(const struct device *device, unsigned long request, void *data,
                struct ifreq *answer) {
    *answer = (struct ifreq){.ifr_data = data};
    strncpy(answer->ifr_name, device->netdev, sizeof answer->ifr_name - 1);
    return ioctl(device->socket, request, answer) == 0;
}

static bool ask_ethtool(const struct device *device, void *command) {
    struct ifreq answer;
    return ask(device, SIOCETHTOOL, command, &answer);
}

static void add_number(const struct device *device, enum host_setting setting, uint64_t number) {
    char value[24];
    snprintf(value, sizeof value, "%" PRIu64, number);
    host_facts_add(device->facts, setting, device->port, value);
}

static void add_driver(const struct device *device) {
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    if (!ask_ethtool(device, &info)) {
        return;
    }
    info.driver[sizeof info.driver - 1] = info.fw_version[sizeof info.fw_version - 1] = '\0';
    host_facts_add(device->facts, HOST_DRIVER, device->port, info.driver);
    if (strcmp(info.fw_version, "N/A") != 0) {
        host_facts_add(device->facts, HOST_FIRMWARE, device->port, info.fw_version);
    }
}

static void add_pause(const struct device *device) {
    static const char *const names[] = {"none", "rx", "tx", "rx tx"};
    struct ethtool_pauseparam pause = {.cmd = ETHTOOL_GPAUSEPARAM};
    if (ask_ethtool(device, &pause)) {
        unsigned which = (pause.rx_pause != 0) + 2U * (pause.tx_pause != 0);
        host_facts_add(device->facts, HOST_PAUSE, device->port, names[which]);
    }
}

// The kernel is asked twice: first how long its masks of link modes are, then for the settings.
static void add_speed(const struct device *device) {
    union {
        struct ethtool_link_settings settings;
        char room[sizeof(struct ethtool_link_settings) + 3 * sizeof(uint32_t) * INT8_MAX];
    } query = {.settings = {.cmd = ETHTOOL_GLINKSETTINGS}};
    if (!ask_ethtool(device, &query) || query.settings.link_mode_masks_nwords >= 0) {
        return;
    }
    int8_t words = (int8_t)-query.settings.link_mode_masks_nwords;
    query.settings = (struct ethtool_link_settings){.cmd = ETHTOOL_GLINKSETTINGS,
                                                    .link_mode_masks_nwords = words};
    if (ask_ethtool(device, &query) && query.settings.speed != (uint32_t)SPEED_UNKNOWN &&
        query.settings.speed != 0) {
        add_number(device, HOST_SPEED, query.settings.speed * BITS_PER_MBIT);
    }
}

static void add_mtu(const struct device *device) {
    struct ifreq answer;
    if (ask(device, SIOCGIFMTU, NULL, &answer) && answer.ifr_mtu > 0) {
        add_number(device, HOST_MTU, (uint64_t)answer.ifr_mtu);
    }
}

static void add_dcb(const struct device *device) {
    struct port_dcb dcb;
    char value[HOST_VALUE_SIZE];
    if (!port_dcb_read(device->netdev, &dcb)) {
        return;
    }
    if (dcb.has_pfc) {
        priorities_format(dcb.pfc, value);
        host_facts_add(device->facts, HOST_PFC, device->port, value);
    }
    if (dcb.has_map) {
        dscp_map_format(dcb.dscp_priority, value);
        host_facts_add(device->facts, HOST_DSCP_PRIORITY, device->port, value);
    }
    if (dcb.has_trust) {
        host_facts_add(device->facts, HOST_TRUST, device->port, dcb.trust);
    }
}

// ---- files

static bool read_text(const char *sysfs, const char *netdev, const char *name, char *text,
                      int size) {
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/class/net/%s/%s", sysfs, netdev, name);
    FILE *file = fopen(path, "re");
    bool read = file != NULL && fgets(text, size, file) != NULL;
    if (file != NULL) {
        fclose(file);
    }
    text[read ? strcspn(text, "\n") : 0] = '\0';
    return read;
}

// What is mounted at /sys may be of another network namespace, with other devices of equal names.
static bool is_ours(const struct device *device, const char *sysfs) {
    char index[16], address[32], own[32];
    struct ifreq answer;
    if (!ask(device, SIOCGIFHWADDR, NULL, &answer) ||
        !read_text(sysfs, device->netdev, "ifindex", index, sizeof index) ||
        !read_text(sysfs, device->netdev, "address", address, sizeof address)) {
        return false;
    }
    const uint8_t *mac = (const uint8_t *)answer.ifr_hwaddr.sa_data;
    snprintf(own, sizeof own, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
    return strtoul(index, NULL, 10) == if_nametoindex(device->netdev) && strcmp(own, address) == 0;
}

void port_settings_read(const char *netdev, uint32_t port, struct host_facts *facts) {
    const char *sysfs = getenv("SYSFS_PATH"); // as libibverbs
    struct device device = {socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), netdev, port, facts};
    if (device.socket < 0) {
        return;
    }
    sysfs = sysfs != NULL ? sysfs : SYSFS_DEFAULT;
    add_mtu(&device);
    add_driver(&device);
    add_speed(&device);
    add_pause(&device);
    add_dcb(&device);
    if (is_ours(&device, sysfs)) {
        port_files_read(sysfs, netdev, port, facts);
    }
    close(device.socket);
}
