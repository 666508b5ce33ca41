// SPDX-License-Identifier: Apache-2.0
#include "model_yaml/yaml_check.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "yaml_internal.h"

#define PATH_SIZE 64  // longer ones are cut off at the end
#define FIELDS_MAX 64 // of one mapping
#define WHOLE_NAME "document"

// A value still to be looked at. The list takes the place of recursion.
struct task {
    const yaml_node_t *node;
    const cyaml_schema_value_t *schema;
    char path[PATH_SIZE];
};

struct walk {
    const struct yaml_text *yaml;
    struct complaints *complaints;
    struct task *tasks;
    size_t count, capacity;
};

static void push(struct walk *walk, const yaml_node_t *node, const cyaml_schema_value_t *schema,
                 const struct task *parent, const char *key, size_t index) {
    if (walk->count == walk->capacity) {
        size_t capacity = walk->capacity > 0 ? 2 * walk->capacity : 64;
        struct task *tasks = realloc(walk->tasks, capacity * sizeof *tasks);
        if (tasks == NULL) {
            complaints_no_memory(walk->complaints);
            return;
        }
        walk->tasks = tasks;
        walk->capacity = capacity;
    }
    struct task *task = &walk->tasks[walk->count++];
    task->node = node;
    task->schema = schema;
    const char *prefix = parent->path;
    int wrote = key != NULL ? snprintf(task->path, PATH_SIZE, "%s%s%s", prefix,
                                       prefix[0] != '\0' ? "." : "", key)
                            : snprintf(task->path, PATH_SIZE, "%s[%zu]", prefix, index);
    assert(wrote > 0);
}

static const char *task_name(const struct task *task) {
    return task->path[0] != '\0' ? task->path : WHOLE_NAME;
}

static const char *expected(enum cyaml_type type) {
    if (type == CYAML_MAPPING) {
        return "a mapping (key: value)";
    }
    return type == CYAML_SEQUENCE || type == CYAML_SEQUENCE_FIXED || type == CYAML_FLAGS
               ? "a list"
               : "a single value";
}

static const cyaml_schema_field_t *find_field(const cyaml_schema_value_t *schema,
                                              const yaml_node_t *key, size_t *index) {
    *index = 0;
    for (const cyaml_schema_field_t *field = schema->mapping.fields; field->key != NULL; field++) {
        if (key->type == YAML_SCALAR_NODE && key->data.scalar.length == strlen(field->key) &&
            memcmp(key->data.scalar.value, field->key, key->data.scalar.length) == 0) {
            return field;
        }
        ++*index;
    }
    return NULL;
}

static void check_missing(struct walk *walk, const struct task *task, const bool *seen) {
    const cyaml_schema_field_t *fields = task->schema->mapping.fields;
    for (size_t i = 0; fields[i].key != NULL; i++) {
        if (!seen[i] && ((unsigned)fields[i].value.flags & CYAML_FLAG_OPTIONAL) == 0) {
            complaints_add(walk->complaints, yaml_node_line(task->node), "%s: key %s is missing",
                           task_name(task), fields[i].key);
        }
    }
}

static void check_mapping(struct walk *walk, const struct task *task) {
    bool seen[FIELDS_MAX] = {false};
    const yaml_node_pair_t *pair = task->node->data.mapping.pairs.start;
    for (; pair < task->node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_text_node(walk->yaml, pair->key);
        size_t index;
        const cyaml_schema_field_t *field = find_field(task->schema, key, &index);
        if (field == NULL) {
            complaints_add(walk->complaints, yaml_node_line(key), "%s: unknown key %.40s",
                           task_name(task),
                           key->type == YAML_SCALAR_NODE ? (char *)key->data.scalar.value
                                                         : "(not a word)");
            continue;
        }
        assert(index < FIELDS_MAX);
        if (seen[index]) {
            complaints_add(walk->complaints, yaml_node_line(key), "%s: key %s a second time",
                           task_name(task), field->key);
        }
        seen[index] = true;
        push(walk, yaml_text_node(walk->yaml, pair->value), &field->value, task, field->key, 0);
    }
    check_missing(walk, task, seen);
}

static void check_sequence(struct walk *walk, const struct task *task) {
    const yaml_node_item_t *items = task->node->data.sequence.items.start;
    size_t count = (size_t)(task->node->data.sequence.items.top - items);
    uint32_t min = task->schema->sequence.min, max = task->schema->sequence.max;
    if (count < min || count > max) {
        complaints_add(walk->complaints, yaml_node_line(task->node),
                       "%s: %zu entries: at %s %u expected", task_name(task), count,
                       count < min ? "least" : "most", count < min ? min : max);
    }
    for (size_t i = 0; i < count; i++) {
        push(walk, yaml_text_node(walk->yaml, items[i]), task->schema->sequence.entry, task, NULL,
             i);
    }
}

static void check_flags(struct walk *walk, const struct task *task) {
    const yaml_node_item_t *item = task->node->data.sequence.items.start;
    for (; item < task->node->data.sequence.items.top; item++) {
        const yaml_node_t *word = yaml_text_node(walk->yaml, *item);
        if (word->type == YAML_SCALAR_NODE) {
            yaml_scalar_check(word, task->schema, task_name(task), walk->complaints);
        } else {
            complaints_add(walk->complaints, yaml_node_line(word), "%s: a list of words expected",
                           task_name(task));
        }
    }
}

static void check_task(struct walk *walk, const struct task *task) {
    enum cyaml_type type = task->schema->type;
    assert(type != CYAML_BITFIELD);
    if (type == CYAML_IGNORE) {
        return;
    }
    bool mapping = type == CYAML_MAPPING;
    bool list = type == CYAML_SEQUENCE || type == CYAML_SEQUENCE_FIXED || type == CYAML_FLAGS;
    yaml_node_type_t wanted =
        mapping ? YAML_MAPPING_NODE : (list ? YAML_SEQUENCE_NODE : YAML_SCALAR_NODE);
    if (task->node->type != wanted) {
        complaints_add(walk->complaints, yaml_node_line(task->node), "%s: %s expected",
                       task_name(task), expected(type));
    } else if (mapping) {
        check_mapping(walk, task);
    } else if (type == CYAML_FLAGS) {
        check_flags(walk, task);
    } else if (list) {
        check_sequence(walk, task);
    } else {
        yaml_scalar_check(task->node, task->schema, task_name(task), walk->complaints);
    }
}

void yaml_text_check(const struct yaml_text *yaml, const cyaml_schema_value_t *schema,
                     struct complaints *complaints) {
    struct walk walk = {.yaml = yaml, .complaints = complaints};
    struct task task = {.node = yaml_text_root(yaml), .schema = schema};
    if (task.node == NULL) {
        complaints_add(complaints, 0, "is empty");
        return;
    }
    check_task(&walk, &task);
    while (walk.count > 0) {
        task = walk.tasks[--walk.count];
        check_task(&walk, &task);
    }
    free(walk.tasks);
}

int yaml_check(const char *name, const char *text, size_t size, const cyaml_schema_value_t *schema,
               fabric_complain_fn *complain, void *context) {
    struct complaints complaints;
    complaints_init(&complaints, name);
    struct yaml_text *yaml = yaml_text_open(name, text, size, &complaints);
    if (yaml != NULL) {
        yaml_text_check(yaml, schema, &complaints);
    }
    yaml_text_close(yaml);
    return complaints_flush(&complaints, complain, context) ? -EINVAL : 0;
}
