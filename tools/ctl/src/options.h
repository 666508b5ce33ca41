// SPDX-License-Identifier: Apache-2.0
// srv6-ctl's command line: which command, its operands and its options.
//
// Options may stand before or after the command. One table holds every command with the operands
// and options that it takes; what a command does not take is a usage error, never ignored. Texts
// are borrowed from argv.
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define CTL_NAME "srv6-ctl"
#define CTL_OPERANDS_MAX 4

enum ctl_option {
    CTL_OPTION_CHECK = 1 << 0,
    CTL_OPTION_WHY = 1 << 1,
    CTL_OPTION_FOLLOW = 1 << 2,
    CTL_OPTION_LEVEL = 1 << 3,
    CTL_OPTION_CAPACITY = 1 << 4,
    CTL_OPTION_FORCE = 1 << 5,
    CTL_OPTION_OUT = 1 << 6,
    CTL_OPTION_HOST = 1 << 7, // with AGENT: whom to ask; else: whose key
    CTL_OPTION_IMPORT = 1 << 8,
    CTL_OPTION_ADDRESS = 1 << 9,
    CTL_OPTION_SINCE = 1 << 11,
    CTL_OPTION_FEWER = 1 << 12, // no option: operands may be left out
    CTL_OPTION_AGENT = 1 << 10, // talks to an agent: --socket, --host, --timeout
};

struct ctl;

struct ctl_command {
    const char *name;     // "links", "job submit"
    const char *operands; // "SRC DST"
    unsigned operand_count;
    unsigned options; // enum ctl_option
    const char *summary;
    int (*run)(const struct ctl *ctl);
};

struct ctl {
    const struct ctl_command *command;
    const char *operands[CTL_OPERANDS_MAX];
    unsigned operand_count;
    unsigned given; // enum ctl_option
    const char *socket, *host;
    uint64_t timeout_ns, since_ns; // 0: not given
    bool json, help, version;
    bool check, follow, force;
    const char *why, *level, *capacity, *out, *address;
    const char *leaf_pattern, *spine_pattern, *fabric_name, *block;
};

extern const char ctl_usage[]; // first line: the short form

// The commands, ended by a NULL name.
extern const struct ctl_command ctl_commands[];

// Fills `ctl` and returns TOOL_OK, or prints what is wrong and returns TOOL_USAGE. With help or
// version set, nothing else is checked.
int ctl_parse(struct ctl *ctl, const struct ctl_command *commands, int argc, char **argv);

// The command whose name is closest to what was typed, NULL when none is near.
const char *ctl_suggest(const struct ctl_command *commands, const char *typed);

#endif
