// SPDX-License-Identifier: Apache-2.0
// What a configuration says against what the fabric says.
#include <errno.h>
#include <string.h>

#include "agent_shell/config.h"
#include "model/complaints.h"

static const struct config_port *find_port(const struct config *config, const struct fabric *fabric,
                                           port_id port) {
    for (uint32_t i = 0; i < config->port_count; i++) {
        port_id named;
        if (fabric_find_port(fabric, config->ports[i].port, &named) && named.i == port.i) {
            return &config->ports[i];
        }
    }
    return NULL;
}

const char *config_device(const struct config *config, const struct fabric *fabric, port_id port) {
    const struct config_port *found = find_port(config, fabric, port);
    return found != NULL ? found->device : NULL;
}

static void check_listed(const struct config *config, const struct fabric *fabric, node_id host,
                         struct complaints *complaints) {
    for (uint32_t i = 0; i < config->port_count; i++) {
        const struct config_port *listed = &config->ports[i];
        port_id port;
        if (!fabric_find_port(fabric, listed->port, &port)) {
            complaints_add(complaints, listed->line, "nic.ports: %s: no such port in %s",
                           listed->port, config->fabric);
        } else if (fabric->ports[port.i].host.i != host.i) {
            complaints_add(complaints, listed->line, "nic.ports: %s: a port of another host",
                           listed->port);
        }
    }
}

static void check_missing(const struct config *config, const struct fabric *fabric, node_id host,
                          struct complaints *complaints) {
    const struct fabric_node *node = &fabric->nodes[host.i];
    for (uint32_t i = 0; i < node->port_count; i++) {
        port_id port = {node->first_port + i};
        char name[NAME_SIZE + 4];
        if (find_port(config, fabric, port) == NULL) {
            fabric_format_port(fabric, port, name);
            complaints_add(complaints, config->ports_line,
                           "nic.ports: no device for %s, which the fabric file gives this host",
                           name);
        }
    }
}

int config_check_fabric(const struct config *config, const struct fabric *fabric,
                        fabric_complain_fn *complain, void *context) {
    struct complaints complaints;
    node_id host;
    complaints_init(&complaints, config->source);
    if (!fabric_find_node(fabric, config->host, &host) || fabric->nodes[host.i].kind != NODE_HOST) {
        complaints_add(&complaints, config->host_line, "host: %s is no host in %s%s", config->host,
                       config->fabric,
                       config->host_line == 0 ? " (it is the machine's name: set host)" : "");
    } else {
        check_listed(config, fabric, host, &complaints);
        check_missing(config, fabric, host, &complaints);
    }
    return complaints_flush(&complaints, complain, context) ? -EINVAL : 0;
}
