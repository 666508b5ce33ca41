// SPDX-License-Identifier: Apache-2.0
#include "model/host_facts.h"

#include <string.h>

const char *host_setting_name(enum host_setting setting) {
    static const char *const names[HOST_SETTINGS] = {
        [HOST_KERNEL] = "kernel",
        [HOST_DRIVER] = "driver",
        [HOST_FIRMWARE] = "firmware",
        [HOST_MTU] = "mtu_bytes",
        [HOST_SPEED] = "speed_bps",
        [HOST_PAUSE] = "pause",
        [HOST_PFC] = "pfc",
        [HOST_DSCP_PRIORITY] = "dscp_priority",
        [HOST_TRUST] = "trust",
        [HOST_ECN_NP] = "ecn_np",
        [HOST_ECN_RP] = "ecn_rp",
        [HOST_CNP_DSCP] = "cnp_dscp",
        [HOST_ROCE_CLASS] = "roce_class",
        [HOST_ROCE_TOS] = "roce_tos",
    };
    return names[setting];
}

bool host_setting_is_of_port(enum host_setting setting) {
    return setting != HOST_KERNEL;
}

static bool is_a_value(const char *value) {
    size_t length = strnlen(value, HOST_VALUE_SIZE);
    for (size_t i = 0; i < length; i++) {
        if (value[i] < ' ' || value[i] > '~') {
            return false;
        }
    }
    return length > 0 && length < HOST_VALUE_SIZE;
}

bool host_facts_add(struct host_facts *facts, enum host_setting setting, uint32_t port,
                    const char *value) {
    bool of_port = host_setting_is_of_port(setting);
    if (!is_a_value(value) || of_port != (port < HOST_PORTS_MAX) ||
        (!of_port && port != HOST_WIDE) || host_facts_find(facts, setting, port) != NULL) {
        return false;
    }
    for (uint32_t i = 0; of_port && i < facts->count; i++) {
        struct host_fact *fact = &facts->facts[i];
        if (fact->setting == setting && strcmp(fact->value, value) == 0) {
            fact->ports |= 1U << port;
            return true;
        }
    }
    if (facts->count == HOST_FACTS_MAX) {
        return false;
    }
    struct host_fact *fact = &facts->facts[facts->count++];
    *fact = (struct host_fact){.setting = setting, .ports = of_port ? 1U << port : 0};
    memcpy(fact->value, value, strlen(value) + 1);
    return true;
}

const char *host_facts_find(const struct host_facts *facts, enum host_setting setting,
                            uint32_t port) {
    for (uint32_t i = 0; i < facts->count; i++) {
        const struct host_fact *fact = &facts->facts[i];
        if (fact->setting == setting &&
            (port == HOST_WIDE ? fact->ports == 0
                               : port < HOST_PORTS_MAX && (fact->ports >> port & 1) != 0)) {
            return fact->value;
        }
    }
    return NULL;
}
