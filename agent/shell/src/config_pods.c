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

// RFC 1123: labels with dots between them.
static bool is_node_name(const char *text) {
    static const char label[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char more[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    size_t length = strlen(text);
    return length > 0 && length < CONFIG_NAME_SIZE && strspn(text, more) == length &&
           strchr(label, text[0]) != NULL && strchr(label, text[length - 1]) != NULL;
}

// As the file says, or else the environment, where the pod's manifest puts it.
static void read_node(const struct pods_yaml *pods, const struct yaml_text *yaml,
                      struct complaints *complaints, struct config_pods *out) {
    const char *told = getenv("NODE_NAME"), *node = pods->node != NULL ? pods->node : told;
    if (node == NULL) {
        complain(yaml, complaints, "jobs.kubernetes",
                 "which node is this? Set node, or NODE_NAME in the environment");
    } else if (is_node_name(node)) {
        snprintf(out->node, sizeof(out->node), "%s", node);
    } else if (pods->node != NULL) {
        complain(yaml, complaints, "jobs.kubernetes.node",
                 "small letters, digits, - and . expected");
    } else {
        complain(yaml, complaints, "jobs.kubernetes",
                 "NODE_NAME in the environment: small letters, digits, - and . expected");
    }
}

void config_read_pods(const struct pods_yaml *pods, const struct yaml_text *yaml,
                      struct complaints *complaints, struct config_pods *out) {
    if (pods == NULL) {
        return;
    }
    out->on = true;
    read_node(pods, yaml, complaints, out);
    if (!SRV6_KUBERNETES) {
        complain(yaml, complaints, "jobs.kubernetes", "this agent is built without Kubernetes");
    }
    read_namespaces(pods, yaml, complaints, out);
}
