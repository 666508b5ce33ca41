// SPDX-License-Identifier: Apache-2.0
#include "variables.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BLANKS " \t\r"
#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

struct word {
    const char *text;
    size_t length;
};

// The next word of the line; length 0 at its end or at a comment.
static struct word next_word(const char **at) {
    const char *text = *at + strspn(*at, BLANKS);
    struct word word = {text, *text == '#' ? 0 : strcspn(text, BLANKS "\n")};
    *at = text + word.length;
    return word;
}

static bool is(struct word word, const char *text) {
    return strlen(text) == word.length && strncmp(word.text, text, word.length) == 0;
}

static struct variable *find(struct variables *variables, struct word name) {
    for (unsigned i = 0; i < variables->count; i++) {
        if (is(name, variables->list[i].name)) {
            return &variables->list[i];
        }
    }
    return NULL;
}

static int keep(struct variables *variables, struct word name, struct word value, int line,
                bool specific, struct error *error) {
    struct variable *variable = find(variables, name);
    if (variable != NULL && variable->specific == specific) {
        return error_set(error, -EINVAL, "nodes:%d: %s is set in line %d already", line,
                         variable->name, variable->line);
    }
    if (variable != NULL && variable->specific) {
        return 0;
    }
    if (variable == NULL && variables->count == VARIABLES_MAX) {
        return error_set(error, -EINVAL, "nodes:%d: more than %d names", line, VARIABLES_MAX);
    }
    variable = variable != NULL ? variable : &variables->list[variables->count++];
    snprintf(variable->name, sizeof(variable->name), "%.*s", (int)name.length, name.text);
    snprintf(variable->value, sizeof(variable->value), "%.*s", (int)value.length, value.text);
    variable->line = line;
    variable->specific = specific;
    return 0;
}

// NAME=VALUE. `wanted`: the line concerns this node.
static int read_setting(struct variables *variables, struct word word, int line, int wanted,
                        struct error *error) {
    size_t length = strspn(word.text, NAME_LETTERS);
    if (length == 0 || length >= word.length || word.text[length] != '=') {
        return error_set(error, -EINVAL,
                         "nodes:%d: %.*s: NAME=VALUE expected, the name in capital letters", line,
                         word.length > 60 ? 60 : (int)word.length, word.text);
    }
    struct word name = {word.text, length};
    struct word value = {word.text + length + 1, word.length - length - 1};
    if (name.length >= VARIABLE_NAME_SIZE || value.length >= VARIABLE_VALUE_SIZE) {
        return error_set(error, -EINVAL, "nodes:%d: a name or value is too long", line);
    }
    return wanted < 0 ? 0 : keep(variables, name, value, line, wanted != 0, error);
}

static int read_line(struct variables *variables, const char *at, int line, const char *node,
                     struct error *error) {
    struct word who = next_word(&at);
    int wanted = is(who, node) ? 1 : is(who, "*") ? 0 : -1;
    int rc = 0;
    for (struct word word; rc == 0 && (word = next_word(&at)).length > 0;) {
        rc = read_setting(variables, word, line, wanted, error);
    }
    return rc;
}

int variables_read(struct variables *variables, const char *text, const char *node,
                   struct error *error) {
    int line = 1, rc = 0;
    for (const char *at = text; rc == 0 && at != NULL; line++) {
        rc = read_line(variables, at, line, node, error);
        at = strchr(at, '\n');
        at = at != NULL ? at + 1 : NULL;
    }
    return rc;
}

static const char *set_or_in_environment(const struct variables *variables, const char *name) {
    for (unsigned i = 0; i < variables->count; i++) {
        if (strcmp(variables->list[i].name, name) == 0) {
            return variables->list[i].value;
        }
    }
    return variables->environment(name);
}

const char *variables_find(const struct variables *variables, const char *name,
                           char scratch[VARIABLE_VALUE_SIZE]) {
    const char *value = set_or_in_environment(variables, name);
    if (value == NULL && strcmp(name, "HOST") == 0) {
        return set_or_in_environment(variables, "NODE_NAME");
    }
    if (value == NULL && strcmp(name, "HOST_ADDRESS") == 0) {
        const char *address = set_or_in_environment(variables, "HOST_IP");
        if (address == NULL) {
            return NULL;
        }
        bool ipv6 = strchr(address, ':') != NULL;
        snprintf(scratch, VARIABLE_VALUE_SIZE, "%s%s%s", ipv6 ? "[" : "", address, ipv6 ? "]" : "");
        return scratch;
    }
    return value;
}
