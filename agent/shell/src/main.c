// SPDX-License-Identifier: Apache-2.0
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "agent.h"
#include "maelstrom.h"
#include "selftest.h"
#include "tool/tool.h"

#define TOOL "srv6-agent"

static const char usage[] =
    "usage: srv6-agent [--config FILE] [--check] | --selftest-nic DEV [--json] | --maelstrom\n"
    "\n"
    "Runs the agent of one host: gossips with the other hosts' agents, probes links and steers "
    "the\n"
    "RDMA flows that this host sends.\n"
    "\n"
    "  -c, --config FILE       configuration (default " CONFIG_FILE_DEFAULT ")\n"
    "      --check             check configuration, fabric and keys, print every error, and exit\n"
    "      --selftest-nic DEV  try what the eSwitch of a ConnectX accepts (a netdev or an RDMA\n"
    "                          device); touches no traffic\n"
    "      --json              with --selftest-nic: one JSON document instead of a table\n"
    "      --maelstrom         be a node of Maelstrom's broadcast workload on stdin and stdout\n"
    "  -h, --help              this text\n"
    "  -V, --version           the version\n"
    "\n"
    "SIGHUP reads configuration, fabric and keys anew; SIGTERM and SIGINT leave the members.\n"
    "Exit status: 0 ok, 1 failed, 2 usage, 4 the NIC differs from what is expected of its kind,\n"
    "5 permission. See srv6-agent(8).\n";

struct command {
    const char *config_path;
    const char *selftest_nic; // NULL: not asked for
    bool check, json, maelstrom;
};

static int run(const char *config_path) {
    static struct agent agent; // large, and the process has one
    struct error error = {0};
    signal(SIGHUP, SIG_IGN); // until the loop listens to it: starting reads everything anew
    int code = agent_open(&agent, config_path);
    if (code != TOOL_OK) {
        return code;
    }
    agent_tell(&agent, LOG_INFO, "started", agent.config.host, "version %s, configuration %.80s",
               SRV6_VERSION, config_path);
    int rc = agent_run(&agent, &error);
    signal(SIGHUP, SIG_IGN); // the loop no longer listens, and there is still something to do
    if (rc != 0) {
        code = tool_error(TOOL, TOOL_FAILED, NULL, "%s", error.text);
    }
    agent_close(&agent);
    return code;
}

// True: `command` is to be carried out. False: the program ends with `code`.
static bool parse(int argc, char **argv, struct command *command, int *code) {
    enum { OPTION_CHECK = 256, OPTION_MAELSTROM, OPTION_SELFTEST_NIC, OPTION_JSON };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, OPTION_CHECK},
        {"selftest-nic", required_argument, NULL, OPTION_SELFTEST_NIC},
        {"json", no_argument, NULL, OPTION_JSON},
        {"maelstrom", no_argument, NULL, OPTION_MAELSTROM},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":c:hV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            command->config_path = optarg;
            break;
        case OPTION_CHECK:
            command->check = true;
            break;
        case OPTION_SELFTEST_NIC:
            command->selftest_nic = optarg;
            break;
        case OPTION_JSON:
            command->json = true;
            break;
        case OPTION_MAELSTROM:
            command->maelstrom = true;
            break;
        case 'h':
            fputs(usage, stdout);
            *code = TOOL_OK;
            return false;
        case 'V':
            tool_print_version(TOOL);
            *code = TOOL_OK;
            return false;
        case ':':
            *code = tool_usage_error(TOOL, usage, "%s needs a value", argv[optind - 1]);
            return false;
        default:
            *code = tool_usage_error(TOOL, usage, "unknown option %s", argv[optind - 1]);
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv) {
    struct command command = {.config_path = CONFIG_FILE_DEFAULT};
    int code;
    if (!parse(argc, argv, &command, &code)) {
        return code;
    }
    if (optind < argc) {
        return tool_usage_error(TOOL, usage, "unexpected %s", argv[optind]);
    }
    if (command.json && command.selftest_nic == NULL) {
        return tool_usage_error(TOOL, usage, "--json goes with --selftest-nic");
    }
    signal(SIGPIPE, SIG_IGN);
    if (command.selftest_nic != NULL) {
        return selftest_run(command.selftest_nic, command.json);
    }
    if (command.maelstrom) {
        return maelstrom_run(STDIN_FILENO, STDOUT_FILENO);
    }
    return command.check ? agent_check(command.config_path) : run(command.config_path);
}
