// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_client/control.h"
#include "tool/tool.h"

#define WORD_MAX 64

enum { OPTION_LONG = 256, OPTION_LEAF_PATTERN, OPTION_SPINE_PATTERN, OPTION_NAME, OPTION_BLOCK };

struct known {
    int letter; // getopt's value
    unsigned option;
    const char *name;
};

static const struct known known_options[] = {
    {'c', CTL_OPTION_CHECK, "--check"},
    {'w', CTL_OPTION_WHY, "--why"},
    {'f', CTL_OPTION_FOLLOW, "--follow"},
    {'l', CTL_OPTION_LEVEL, "--level"},
    {'C', CTL_OPTION_CAPACITY, "--capacity"},
    {'F', CTL_OPTION_FORCE, "--force"},
    {'o', CTL_OPTION_OUT, "--out"},
    {'H', CTL_OPTION_HOST, "--host"},
    {'a', CTL_OPTION_ADDRESS, "--address"},
    {'S', CTL_OPTION_SINCE, "--since"},
    {'s', CTL_OPTION_AGENT, "--socket"},
    {'t', CTL_OPTION_AGENT, "--timeout"},
    {OPTION_LEAF_PATTERN, CTL_OPTION_IMPORT, "--leaf-pattern"},
    {OPTION_SPINE_PATTERN, CTL_OPTION_IMPORT, "--spine-pattern"},
    {OPTION_NAME, CTL_OPTION_IMPORT, "--name"},
    {OPTION_BLOCK, CTL_OPTION_IMPORT, "--block"},
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"json", no_argument, NULL, 'j'},
    {"socket", required_argument, NULL, 's'},
    {"host", required_argument, NULL, 'H'},
    {"timeout", required_argument, NULL, 't'},
    {"check", no_argument, NULL, 'c'},
    {"why", required_argument, NULL, 'w'},
    {"follow", no_argument, NULL, 'f'},
    {"level", required_argument, NULL, 'l'},
    {"capacity", required_argument, NULL, 'C'},
    {"force", no_argument, NULL, 'F'},
    {"since", required_argument, NULL, 'S'},
    {"out", required_argument, NULL, 'o'},
    {"address", required_argument, NULL, 'a'},
    {"leaf-pattern", required_argument, NULL, OPTION_LEAF_PATTERN},
    {"spine-pattern", required_argument, NULL, OPTION_SPINE_PATTERN},
    {"name", required_argument, NULL, OPTION_NAME},
    {"block", required_argument, NULL, OPTION_BLOCK},
    {NULL, 0, NULL, 0},
};

static unsigned smallest(unsigned a, unsigned b, unsigned c) {
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

// Levenshtein's distance, one row at a time.
static unsigned edit_distance(const char *a, const char *b) {
    unsigned row[WORD_MAX + 1];
    size_t length = strlen(b);
    if (length > WORD_MAX) {
        return WORD_MAX;
    }
    for (unsigned j = 0; j <= length; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; *a != '\0'; i++, a++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            unsigned above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (*a != b[j - 1]));
            diagonal = above;
        }
    }
    return row[length];
}

const char *ctl_suggest(const struct ctl_command *commands, const char *typed) {
    const char *best = NULL;
    unsigned best_distance = 3; // further away it would be a guess
    for (const struct ctl_command *command = commands; command->name != NULL; command++) {
        unsigned distance = edit_distance(typed, command->name);
        bool begins = strlen(typed) >= 2 && strncmp(typed, command->name, strlen(typed)) == 0;
        if (begins && distance >= best_distance && best == NULL) {
            best = command->name;
        }
        if (distance < best_distance) {
            best = command->name;
            best_distance = distance;
        }
    }
    return best;
}

static int bad_number(const char *name, const char *value) {
    return tool_usage_error(CTL_NAME, ctl_usage, "%s: not a time: %s", name, value);
}

static int take_option(struct ctl *ctl, int letter, const char *value) {
    switch (letter) {
    case 'h':
        ctl->help = true;
        break;
    case 'V':
        ctl->version = true;
        break;
    case 'j':
        ctl->json = true;
        break;
    case 's':
        ctl->socket = value;
        break;
    case 'H':
        ctl->host = value;
        break;
    case 't':
        if (!tool_parse_duration(value, &ctl->timeout_ns) || ctl->timeout_ns == 0) {
            return bad_number("--timeout", value);
        }
        break;
    case 'c':
        ctl->check = true;
        break;
    case 'w':
        ctl->why = value;
        break;
    case 'f':
        ctl->follow = true;
        break;
    case 'l':
        ctl->level = value;
        break;
    case 'C':
        ctl->capacity = value;
        break;
    case 'F':
        ctl->force = true;
        break;
    case 'S':
        return tool_parse_duration(value, &ctl->since_ns) && ctl->since_ns > 0
                   ? TOOL_OK
                   : bad_number("--since", value);
    case 'o':
        ctl->out = value;
        break;
    case 'a':
        ctl->address = value;
        break;
    case OPTION_LEAF_PATTERN:
        ctl->leaf_pattern = value;
        break;
    case OPTION_SPINE_PATTERN:
        ctl->spine_pattern = value;
        break;
    case OPTION_NAME:
        ctl->fabric_name = value;
        break;
    case OPTION_BLOCK:
        ctl->block = value;
        break;
    default:
        return TOOL_USAGE;
    }
    return TOOL_OK;
}

// Marks the option as given and remembers its name for check_options.
static void note_option(struct ctl *ctl, int letter, const char *names[32]) {
    for (size_t i = 0; i < sizeof known_options / sizeof known_options[0]; i++) {
        if (known_options[i].letter == letter) {
            ctl->given |= known_options[i].option;
            names[__builtin_ctz(known_options[i].option)] = known_options[i].name;
        }
    }
}

static int check_options(const struct ctl *ctl, const char *const names[32]) {
    unsigned allowed = ctl->command->options;
    if ((allowed & CTL_OPTION_AGENT) != 0) {
        allowed |= CTL_OPTION_HOST;
    }
    unsigned extra = ctl->given & ~allowed;
    if (extra != 0) {
        return tool_usage_error(CTL_NAME, ctl_usage, "%s: option %s is not for this command",
                                ctl->command->name, names[__builtin_ctz(extra)]);
    }
    return TOOL_OK;
}

static int unknown_command(const struct ctl_command *commands, const char *typed) {
    const char *near = ctl_suggest(commands, typed);
    if (near != NULL) {
        return tool_usage_error(CTL_NAME, ctl_usage, "unknown command: %s (did you mean `%s`?)",
                                typed, near);
    }
    return tool_usage_error(CTL_NAME, ctl_usage, "unknown command: %s", typed);
}

// Finds the command of one or two words; returns how many words it took, 0 for none.
static unsigned find_command(struct ctl *ctl, const struct ctl_command *commands, char **words,
                             int word_count) {
    for (const struct ctl_command *command = commands; command->name != NULL; command++) {
        size_t first = strcspn(command->name, " ");
        if (strncmp(command->name, words[0], first) != 0 || words[0][first] != '\0') {
            continue;
        }
        if (command->name[first] == '\0') {
            ctl->command = command;
            return 1;
        }
        if (word_count > 1 && strcmp(command->name + first + 1, words[1]) == 0) {
            ctl->command = command;
            return 2;
        }
    }
    return 0;
}

static int parse_words(struct ctl *ctl, const struct ctl_command *commands, char **words,
                       int word_count) {
    if (word_count == 0) {
        return tool_usage_error(CTL_NAME, ctl_usage, "no command given");
    }
    unsigned taken = find_command(ctl, commands, words, word_count);
    if (taken == 0) {
        char typed[WORD_MAX];
        bool two = word_count > 1;
        snprintf(typed, sizeof typed, "%s%s%s", words[0], two ? " " : "", two ? words[1] : "");
        bool near = ctl_suggest(commands, typed) != NULL;
        return unknown_command(commands, near ? typed : words[0]);
    }
    unsigned operand_count = (unsigned)word_count - taken;
    bool fewer = (ctl->command->options & CTL_OPTION_FEWER) != 0 &&
                 operand_count < ctl->command->operand_count;
    if (operand_count != ctl->command->operand_count && !fewer) {
        return tool_usage_error(CTL_NAME, ctl_usage, "%s: %s (%s %s)", ctl->command->name,
                                operand_count < ctl->command->operand_count ? "operand missing"
                                                                            : "too many operands",
                                ctl->command->name, ctl->command->operands);
    }
    for (unsigned i = 0; i < operand_count; i++) {
        ctl->operands[i] = words[taken + i];
    }
    ctl->operand_count = operand_count;
    return TOOL_OK;
}

int ctl_parse(struct ctl *ctl, const struct ctl_command *commands, int argc, char **argv) {
    *ctl = (struct ctl){.timeout_ns = CONTROL_TIMEOUT_DEFAULT_NS};
    const char *names[32] = {NULL};
    optind = 0; // also resets GNU getopt's own state
    opterr = 0;
    for (int letter; (letter = getopt_long(argc, argv, ":hVs:f", long_options, NULL)) != -1;) {
        if (letter == '?' || letter == ':') {
            return tool_usage_error(CTL_NAME, ctl_usage, "%s: %s",
                                    letter == '?' ? "unknown option" : "option needs a value",
                                    argv[optind - 1]);
        }
        int rc = take_option(ctl, letter, optarg);
        if (rc != TOOL_OK) {
            return rc;
        }
        note_option(ctl, letter, names);
    }
    if (ctl->help || ctl->version) {
        return TOOL_OK;
    }
    int rc = parse_words(ctl, commands, argv + optind, argc - optind);
    return rc == TOOL_OK ? check_options(ctl, names) : rc;
}
