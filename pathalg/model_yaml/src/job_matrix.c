// SPDX-License-Identifier: Apache-2.0
// The matrix of an AlltoAllv: a square list of rows of sizes.
#include <stdlib.h>
#include <string.h>

#include "job_file_internal.h"
#include "model_yaml/job_file.h"
#include "yaml_internal.h"

#define ROWS_MAX 1024
_Static_assert(ROWS_MAX *ROWS_MAX == JOB_MATRIX_MAX, "a matrix is square");

struct matrix {
    const struct yaml_text *yaml;
    const char *path;
    struct complaints *complaints;
    uint32_t ranks;
    uint64_t *bytes;
};

static size_t item_count(const yaml_node_t *sequence) {
    return (size_t)(sequence->data.sequence.items.top - sequence->data.sequence.items.start);
}

static const yaml_node_t *item(const struct yaml_text *yaml, const yaml_node_t *sequence,
                               size_t index) {
    return yaml_text_node(yaml, sequence->data.sequence.items.start[index]);
}

static void read_entry(struct matrix *matrix, const yaml_node_t *node, uint32_t row,
                       uint32_t column) {
    const char *text = node->type == YAML_SCALAR_NODE ? (char *)node->data.scalar.value : "a list";
    uint64_t *to = &matrix->bytes[(size_t)row * matrix->ranks + column];
    bool whole = node->type == YAML_SCALAR_NODE && strlen(text) == node->data.scalar.length;
    if (!whole || !bytes_text_parse(text, to)) {
        complaints_add(matrix->complaints, yaml_node_line(node),
                       "%s[%u][%u]: %.40s: a size of 0 or more such as 64MiB expected",
                       matrix->path, row, column, text);
    }
}

static void read_row(struct matrix *matrix, const yaml_node_t *node, uint32_t row) {
    if (node->type != YAML_SEQUENCE_NODE) {
        complaints_add(matrix->complaints, yaml_node_line(node), "%s[%u]: a list of sizes expected",
                       matrix->path, row);
        return;
    }
    size_t count = item_count(node);
    if (count != matrix->ranks) {
        complaints_add(matrix->complaints, yaml_node_line(node),
                       "%s[%u]: %zu sizes in a matrix of %u rows", matrix->path, row, count,
                       matrix->ranks);
        return;
    }
    for (uint32_t i = 0; i < matrix->ranks; i++) {
        read_entry(matrix, item(matrix->yaml, node, i), row, i);
    }
}

void matrix_read(const struct yaml_text *yaml, const char *path, struct complaints *complaints,
                 struct collective *to) {
    const yaml_node_t *node = yaml_text_find(yaml, path);
    if (node == NULL) {
        return;
    }
    size_t rows = node->type == YAML_SEQUENCE_NODE ? item_count(node) : 0;
    if (rows == 0 || rows > ROWS_MAX) {
        complaints_add(complaints, yaml_node_line(node),
                       "%s: a list of 1 to %d rows expected (%d sizes)", path, ROWS_MAX,
                       JOB_MATRIX_MAX);
        return;
    }
    struct matrix matrix = {
        .yaml = yaml,
        .path = path,
        .complaints = complaints,
        .ranks = (uint32_t)rows,
        .bytes = calloc(rows * rows, sizeof matrix.bytes[0]),
    };
    if (matrix.bytes == NULL) {
        complaints_no_memory(complaints);
        return;
    }
    for (uint32_t i = 0; i < rows; i++) {
        read_row(&matrix, item(yaml, node, i), i);
    }
    to->matrix = matrix.bytes;
    to->matrix_ranks = matrix.ranks;
}
