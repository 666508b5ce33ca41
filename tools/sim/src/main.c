// SPDX-License-Identifier: Apache-2.0
// srv6-sim: what agents would decide, without running them.
#include <stdio.h>
#include <string.h>

#include "figure_command.h"
#include "gossip_command.h"
#include "inputs.h"
#include "locate_command.h"
#include "plan_command.h"
#include "run_command.h"
#include "tool/tool.h"

static const char usage[] = "usage: srv6-sim COMMAND [OPTION]...\n"
                            "\n"
                            "  plan    the paths of every flow of a job, and their score\n"
                            "  run     a scenario in virtual time, with the real agents\n"
                            "  figure  the paper's figures 1b, 1c and 2a\n"
                            "  gossip  how fast an event is known to thousands of hosts\n"
                            "  locate  how many probes it takes to find a broken link\n"
                            "\n"
                            "srv6-sim COMMAND --help says more.\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"plan", plan_command},     {"run", run_command},       {"figure", figure_command},
    {"gossip", gossip_command}, {"locate", locate_command},
};

int main(int argc, char **argv) {
    if (argc < 2) {
        return tool_usage_error(SIM_NAME, usage, "no command given");
    }
    if (strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return TOOL_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        tool_print_version(SIM_NAME);
        return TOOL_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    return tool_usage_error(SIM_NAME, usage, "unknown command %s", argv[1]);
}
