// SPDX-License-Identifier: Apache-2.0
#include "port_ethtool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#define NS_PER_US UINT64_C(1000)
#define STATISTICS_MAX 65536
#define SPARE 1024 // a driver may get more between being asked for their number and for them

struct place {
    uint32_t index; // among the driver's statistics
    int priority;   // -1: of the whole port
    unsigned counter;
    uint64_t scale;
};

struct port_ethtool {
    int socket;
    char netdev[IF_NAMESIZE];
    struct ethtool_stats *values; // as large as the driver's count
    uint32_t count;
    struct place *places;
    uint32_t place_count;
};

bool port_ethtool_find(const char *name, int *priority, unsigned *counter, uint64_t *scale) {
    static const struct {
        const char *before, *after; // of the priority's digit
        enum port_priority_counter counter;
        uint64_t scale;
    } forms[] = {
        {"rx_prio", "_pause", PORT_RX_PAUSES, 1},
        {"tx_prio", "_pause", PORT_TX_PAUSES, 1},
        {"rx_prio", "_pause_duration", PORT_RX_PAUSE_NS, NS_PER_US},
        {"tx_prio", "_pause_duration", PORT_TX_PAUSE_NS, NS_PER_US},
        {"rx_prio", "_buf_discard", PORT_BUFFER_DISCARDS, 1},
    };
    enum port_counter whole;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        size_t length = strlen(forms[i].before);
        char digit = strncmp(name, forms[i].before, length) == 0 ? name[length] : '\0';
        if (digit >= '0' && digit < '0' + PORT_PRIORITIES &&
            strcmp(name + length + 1, forms[i].after) == 0) {
            *priority = digit - '0';
            *counter = forms[i].counter;
            *scale = forms[i].scale;
            return true;
        }
    }
    if (!port_counter_find(name, &whole)) {
        return false;
    }
    *priority = -1;
    *counter = whole;
    *scale = 1;
    return true;
}

static int ask(const struct port_ethtool *ethtool, void *command) {
    struct ifreq request = {.ifr_data = command};
    memcpy(request.ifr_name, ethtool->netdev, sizeof request.ifr_name);
    return ioctl(ethtool->socket, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

static int count_statistics(struct port_ethtool *ethtool) {
    union {
        struct ethtool_sset_info info;
        char room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)]; // one number behind it
    } query = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1U << ETH_SS_STATS}};
    int rc = ask(ethtool, &query);
    if (rc != 0) {
        return rc;
    }
    ethtool->count = query.info.sset_mask == 0 ? 0 : query.info.data[0];
    return ethtool->count > STATISTICS_MAX ? -E2BIG : 0;
}

static int find_places(struct port_ethtool *ethtool) {
    struct ethtool_gstrings *names =
        calloc(1, sizeof *names + (size_t)ethtool->count * ETH_GSTRING_LEN);
    ethtool->places = calloc((size_t)ethtool->count + 1, sizeof *ethtool->places);
    ethtool->values =
        calloc(1, sizeof *ethtool->values + (ethtool->count + (size_t)SPARE) * sizeof(uint64_t));
    int rc = names == NULL || ethtool->places == NULL || ethtool->values == NULL ? -ENOMEM : 0;
    if (rc == 0) {
        *names = (struct ethtool_gstrings){.cmd = ETHTOOL_GSTRINGS,
                                           .string_set = ETH_SS_STATS,
                                           .len = ethtool->count};
        rc = ask(ethtool, names);
    }
    for (uint32_t i = 0; rc == 0 && i < ethtool->count; i++) {
        struct place place = {.index = i};
        char name[ETH_GSTRING_LEN + 1] = "";
        memcpy(name, names->data + (size_t)i * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
        if (port_ethtool_find(name, &place.priority, &place.counter, &place.scale)) {
            ethtool->places[ethtool->place_count++] = place;
        }
    }
    free(names);
    return rc;
}

int port_ethtool_open(const char *netdev, struct port_ethtool **out) {
    struct port_ethtool *ethtool = calloc(1, sizeof *ethtool);
    if (ethtool == NULL) {
        return -ENOMEM;
    }
    strncpy(ethtool->netdev, netdev, sizeof ethtool->netdev - 1);
    ethtool->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = ethtool->socket < 0 ? -errno : count_statistics(ethtool);
    rc = rc != 0 || ethtool->count == 0 ? rc : find_places(ethtool);
    if (rc != 0 || ethtool->place_count == 0) {
        port_ethtool_close(ethtool);
        ethtool = NULL;
        rc = rc == -EOPNOTSUPP ? 0 : rc;
    }
    if (rc == 0) {
        *out = ethtool;
    }
    return rc;
}

void port_ethtool_close(struct port_ethtool *ethtool) {
    if (ethtool == NULL) {
        return;
    }
    if (ethtool->socket >= 0) {
        close(ethtool->socket);
    }
    free(ethtool->places);
    free(ethtool->values);
    free(ethtool);
}

// The kernel copies as many values as the driver has now, whatever room was said to be there.
static bool is_unchanged(struct port_ethtool *ethtool) {
    uint32_t before = ethtool->count;
    if (count_statistics(ethtool) == 0 && ethtool->count == before) {
        return true;
    }
    free(ethtool->places);
    free(ethtool->values);
    ethtool->places = NULL;
    ethtool->values = NULL;
    ethtool->place_count = 0;
    return ethtool->count <= STATISTICS_MAX && find_places(ethtool) == 0;
}

void port_ethtool_read(struct port_ethtool *ethtool, struct port_values *out) {
    if (!is_unchanged(ethtool)) {
        return;
    }
    *ethtool->values = (struct ethtool_stats){.cmd = ETHTOOL_GSTATS, .n_stats = ethtool->count};
    if (ask(ethtool, ethtool->values) != 0) {
        return;
    }
    for (uint32_t i = 0; i < ethtool->place_count; i++) {
        const struct place *place = &ethtool->places[i];
        uint64_t *value = place->priority < 0 ? &out->values[place->counter]
                                              : &out->priority[place->priority][place->counter];
        if (place->index < ethtool->values->n_stats) {
            port_values_add(value, ethtool->values->data[place->index] * place->scale);
        }
    }
}
