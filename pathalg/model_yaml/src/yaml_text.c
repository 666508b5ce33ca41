// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "yaml_internal.h"

const yaml_node_t *yaml_text_node(const struct yaml_text *yaml, int number) {
    return yaml_document_get_node((yaml_document_t *)(uintptr_t)&yaml->document, number);
}

const yaml_node_t *yaml_text_root(const struct yaml_text *yaml) {
    return yaml_document_get_root_node((yaml_document_t *)(uintptr_t)&yaml->document);
}

static const char *event_anchor(const yaml_event_t *event) {
    const yaml_char_t *anchor = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
    } else if (event->type == YAML_ALIAS_EVENT) {
        anchor = event->data.alias.anchor;
    }
    return (const char *)anchor;
}

static void check_event(const yaml_event_t *event, unsigned *documents,
                        struct complaints *complaints) {
    uint32_t line = (uint32_t)event->start_mark.line + 1;
    if (event_anchor(event) != NULL) {
        complaints_add(complaints, line, "%.40s: anchors and aliases are not taken",
                       event_anchor(event));
    }
    if (event->type == YAML_DOCUMENT_START_EVENT && ++*documents == 2) {
        complaints_add(complaints, line, "a second document; one is expected");
    }
}

static void complain_syntax(const yaml_parser_t *parser, struct complaints *complaints) {
    if (parser->error == YAML_MEMORY_ERROR) {
        complaints_no_memory(complaints);
        return;
    }
    // The reader (bad UTF-8) knows an offset only.
    uint32_t line =
        parser->error == YAML_READER_ERROR ? 0 : (uint32_t)parser->problem_mark.line + 1;
    complaints_add(complaints, line, "not YAML: %s",
                   parser->problem != NULL ? parser->problem : "unreadable");
}

// Goes through the events once for what the loaded document no longer shows.
static void check_events(const struct yaml_text *yaml, struct complaints *complaints) {
    yaml_parser_t parser;
    unsigned documents = 0;
    if (yaml_parser_initialize(&parser) == 0) {
        complaints_no_memory(complaints);
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml->text, yaml->size);
    for (bool ended = false; !ended;) {
        yaml_event_t event;
        if (yaml_parser_parse(&parser, &event) == 0) {
            complain_syntax(&parser, complaints);
            break;
        }
        check_event(&event, &documents, complaints);
        ended = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
}

static bool load_document(struct yaml_text *yaml, struct complaints *complaints) {
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) {
        complaints_no_memory(complaints);
        return false;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml->text, yaml->size);
    bool loaded = yaml_parser_load(&parser, &yaml->document) != 0;
    if (!loaded) {
        complain_syntax(&parser, complaints);
    }
    yaml_parser_delete(&parser);
    return loaded;
}

struct yaml_text *yaml_text_open(const char *name, const char *text, size_t size,
                                 struct complaints *complaints) {
    if (size > YAML_SIZE_MAX) {
        complaints_add(complaints, 0, "larger than %u bytes", YAML_SIZE_MAX);
        return NULL;
    }
    struct yaml_text *yaml = calloc(1, sizeof *yaml);
    if (yaml == NULL) {
        complaints_no_memory(complaints);
        return NULL;
    }
    yaml->name = name;
    yaml->text = text;
    yaml->size = size;
    uint64_t before = complaints->total;
    check_events(yaml, complaints);
    if (complaints->total > before || !load_document(yaml, complaints)) {
        free(yaml);
        return NULL;
    }
    return yaml;
}

void yaml_text_close(struct yaml_text *yaml) {
    if (yaml != NULL) {
        yaml_document_delete(&yaml->document);
        free(yaml);
    }
}

static const yaml_node_t *find_key(const struct yaml_text *yaml, const yaml_node_t *mapping,
                                   const char *key, size_t size) {
    if (mapping->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
    for (; pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *node = yaml_text_node(yaml, pair->key);
        if (node->type == YAML_SCALAR_NODE && node->data.scalar.length == size &&
            memcmp(node->data.scalar.value, key, size) == 0) {
            return yaml_text_node(yaml, pair->value);
        }
    }
    return NULL;
}

static const yaml_node_t *find_index(const struct yaml_text *yaml, const yaml_node_t *sequence,
                                     unsigned long index) {
    if (sequence->type != YAML_SEQUENCE_NODE) {
        return NULL;
    }
    const yaml_node_item_t *items = sequence->data.sequence.items.start;
    size_t count = (size_t)(sequence->data.sequence.items.top - items);
    return index < count ? yaml_text_node(yaml, items[index]) : NULL;
}

const yaml_node_t *yaml_text_find(const struct yaml_text *yaml, const char *path) {
    const yaml_node_t *node = yaml_text_root(yaml);
    while (node != NULL && *path != '\0') {
        if (*path == '[') {
            char *end;
            node = find_index(yaml, node, strtoul(path + 1, &end, 10));
            path = *end == ']' ? end + 1 : end;
        } else {
            path += *path == '.';
            size_t size = strcspn(path, ".[");
            node = find_key(yaml, node, path, size);
            path += size;
        }
    }
    return node;
}

uint32_t yaml_text_line(const struct yaml_text *yaml, const char *path) {
    const yaml_node_t *node = yaml_text_find(yaml, path);
    return node != NULL ? yaml_node_line(node) : 0;
}

bool yaml_text_is_sequence(const struct yaml_text *yaml, const char *path) {
    const yaml_node_t *node = yaml_text_find(yaml, path);
    return node != NULL && node->type == YAML_SEQUENCE_NODE;
}

const cyaml_config_t *yaml_cyaml_config(void) {
    static const cyaml_config_t config = {
        .mem_fn = cyaml_mem,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    return &config;
}

int yaml_text_load(const struct yaml_text *yaml, const cyaml_schema_value_t *schema,
                   struct complaints *complaints, void **out) {
    cyaml_data_t *data = NULL;
    cyaml_err_t rc = cyaml_load_data((const uint8_t *)yaml->text, yaml->size, yaml_cyaml_config(),
                                     schema, &data, NULL);
    if (rc == CYAML_ERR_OOM) {
        complaints_no_memory(complaints);
        return -ENOMEM;
    }
    if (rc != CYAML_OK) {
        complaints_add(complaints, 0, "%s", cyaml_strerror(rc));
        return -EINVAL;
    }
    *out = data;
    return 0;
}
