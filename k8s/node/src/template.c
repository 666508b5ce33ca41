// SPDX-License-Identifier: Apache-2.0
#include "template.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct expansion {
    const char *source, *text;
    const struct variables *variables;
    FILE *to;
};

static int line_of(const struct expansion *expansion, const char *at) {
    int line = 1;
    for (const char *c = expansion->text; c < at; c++) {
        line += *c == '\n';
    }
    return line;
}

// A comment is prose: what it shows is not replaced.
static bool in_comment(const struct expansion *expansion, const char *at) {
    while (at > expansion->text && at[-1] != '\n') {
        at--;
    }
    return at[strspn(at, " \t")] == '#';
}

// At "${": writes the value and moves behind "}".
static int replace(struct expansion *expansion, const char **at, struct error *error) {
    char name[VARIABLE_NAME_SIZE], scratch[VARIABLE_VALUE_SIZE];
    const char *start = *at + 2;
    size_t length = strcspn(start, "}\n");
    if (start[length] != '}' || length == 0 || length >= sizeof(name)) {
        return error_set(error, -EINVAL, "%s:%d: ${ without a name and }", expansion->source,
                         line_of(expansion, start));
    }
    snprintf(name, sizeof(name), "%.*s", (int)length, start);
    const char *value = variables_find(expansion->variables, name, scratch);
    if (value == NULL) {
        return error_set(error, -EINVAL,
                         "%s:%d: nothing sets %s: add %s=... to this node's line in nodes, or to "
                         "that of all (*)",
                         expansion->source, line_of(expansion, start), name, name);
    }
    fputs(value, expansion->to);
    *at = start + length + 1;
    return 0;
}

static int expand(struct expansion *expansion, struct error *error) {
    int rc = 0;
    for (const char *at = expansion->text; rc == 0 && *at != '\0';) {
        if (at[0] == '$' && at[1] == '{' && !in_comment(expansion, at)) {
            rc = replace(expansion, &at, error);
        } else {
            fputc(*at++, expansion->to);
        }
    }
    return rc;
}

int template_expand(const char *source, const char *text, const struct variables *variables,
                    char **out, size_t *size, struct error *error) {
    struct expansion expansion = {source, text, variables, NULL};
    char *buffer = NULL;
    size_t length = 0;
    expansion.to = open_memstream(&buffer, &length);
    if (expansion.to == NULL) {
        return error_set(error, -ENOMEM, "%s: no memory", source);
    }
    int rc = expand(&expansion, error);
    if (fclose(expansion.to) != 0 && rc == 0) {
        rc = error_set(error, -ENOMEM, "%s: no memory", source);
    }
    if (rc != 0) {
        free(buffer);
        return rc;
    }
    *out = buffer;
    *size = length;
    return 0;
}
