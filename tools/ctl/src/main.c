// SPDX-License-Identifier: Apache-2.0
// srv6-ctl: looks at one agent, and changes what it may.
#include <signal.h>
#include <stdio.h>

#include "commands.h"
#include "tool/tool.h"

static void print_help(void) {
    fputs(ctl_usage, stdout);
    fputs("\nCommands:\n", stdout);
    for (const struct ctl_command *command = ctl_commands; command->name != NULL; command++) {
        int width = printf("  %s %s", command->name, command->operands);
        printf("%*s%s\n", width < 32 ? 32 - width : 2, "", command->summary);
    }
    fputs("\nOptions:\n"
          "  -s, --socket PATH   the agent's control socket (default /run/srv6/agent.sock,\n"
          "                      or $SRV6_AGENT)\n"
          "      --host HOST     the agent of a lab host: /run/srv6/lab/HOST/agent.sock\n"
          "      --timeout TIME  how long to wait for an answer (default 2s)\n"
          "      --json          print the agent's result document\n"
          "      --force         change even what a safety limit refuses\n"
          "  -h, --help; -V, --version\n"
          "\nExit: 0 ok, 1 failed, 2 usage, 3 agent unreachable, 4 unhealthy, 5 permission,\n"
          "6 timed out, 7 refused by a safety limit. More in srv6-ctl(1).\n",
          stdout);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN); // a closed stdout is an error to report, not a death
    struct ctl ctl;
    int rc = ctl_parse(&ctl, ctl_commands, argc, argv);
    if (rc != TOOL_OK) {
        return rc;
    }
    if (ctl.help) {
        print_help();
        return fflush(stdout) == 0 ? TOOL_OK : TOOL_FAILED;
    }
    if (ctl.version) {
        tool_print_version(CTL_NAME);
        return TOOL_OK;
    }
    rc = ctl.command->run(&ctl);
    if (rc == TOOL_OK && fflush(stdout) != 0) {
        return tool_error(CTL_NAME, TOOL_FAILED, NULL, "cannot write to standard output");
    }
    return rc;
}
