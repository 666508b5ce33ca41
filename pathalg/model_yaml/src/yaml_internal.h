// SPDX-License-Identifier: Apache-2.0
// What the files about YAML texts share.
#ifndef MODEL_YAML_YAML_INTERNAL_H
#define MODEL_YAML_YAML_INTERNAL_H

#include <yaml.h>

#include "model_yaml/yaml_check.h"

struct yaml_text {
    const char *name, *text;
    size_t size;
    yaml_document_t document;
};

static inline uint32_t yaml_node_line(const yaml_node_t *node) {
    return (uint32_t)node->start_mark.line + 1;
}
// The node of a document by its number; libyaml's interface is not const, but does not write.
const yaml_node_t *yaml_text_node(const struct yaml_text *yaml, int number);
const yaml_node_t *yaml_text_root(const struct yaml_text *yaml); // NULL for an empty document
// The value at a path as yaml_text_line takes it, NULL for none.
const yaml_node_t *yaml_text_find(const struct yaml_text *yaml, const char *path);

// Complains when a scalar does not fit a scalar's schema.
void yaml_scalar_check(const yaml_node_t *node, const cyaml_schema_value_t *schema,
                       const char *path, struct complaints *complaints);

#endif
