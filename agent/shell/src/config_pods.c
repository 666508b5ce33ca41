// SPDX-License-Identifier: Apache-2.0
// jobs.kubernetes of the configuration file.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_file.h"

static void complain(const struct yaml_text *yaml, struct complaints *complaints, const char *key,
                     const char *problem) {
    complaints_add(complaints, yaml_text_line(yaml, key), "%s: %s", key, problem);
}

static void read_namespaces(const struct pods_yaml *pods, const struct yaml_text *yaml,
                            struct complaints *complaints, struct config_pods *out) {
    out->namespaces = calloc((size_t)pods->namespaces_count + 1, sizeof(*out->namespaces));
    if (out->namespaces == NULL) {
        complaints_no_memory(complaints);
        return;
    }
    out->namespace_count = pods->namespaces_count;
    for (uint32_t i = 0; i < pods->namespaces_count; i++) {
        char key[48];
        snprintf(key, sizeof(key), "jobs.kubernetes.namespaces[%u]", i);
        if (!config_label_is_valid(pods->namespaces[i])) {
            complain(yaml, complaints, key, "small letters, digits and - expected");
        } else {
            snprintf(out->namespaces[i], sizeof(out->namespaces[i]), "%s", pods->namespaces[i]);
        }
    }
}

void config_read_pods(const struct pods_yaml *pods, const struct yaml_text *yaml,
                      struct complaints *complaints, struct config_pods *out) {
    if (pods == NULL) {
        return;
    }
    const char *told = getenv("NODE_NAME"), *node = pods->node != NULL ? pods->node : told;
    out->on = true;
    if (node == NULL || node[0] == '\0') {
        complain(yaml, complaints, "jobs.kubernetes",
                 "which node is this? Set node, or NODE_NAME in the environment");
    } else if (strlen(node) >= sizeof(out->node) ||
               node[strspn(node, "abcdefghijklmnopqrstuvwxyz0123456789-.")] != '\0') {
        complain(yaml, complaints, "jobs.kubernetes",
                 "node: small letters, digits, - and . expected");
    } else {
        snprintf(out->node, sizeof(out->node), "%s", node);
    }
    if (!SRV6_KUBERNETES) {
        complain(yaml, complaints, "jobs.kubernetes", "this agent is built without Kubernetes");
    }
    read_namespaces(pods, yaml, complaints, out);
}
