// SPDX-License-Identifier: Apache-2.0
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "agent.h"
#include "maelstrom.h"
#include "tool/tool.h"

#define TOOL "srv6-agent"

static const char usage[] =
    "usage: srv6-agent [--config FILE] [--check] | --maelstrom\n"
    "\n"
    "Runs the agent of one host: gossips with the other hosts' agents, probes links and steers "
    "the\n"
    "RDMA flows that this host sends.\n"
    "\n"
    "  -c, --config FILE  configuration (default " CONFIG_FILE_DEFAULT ")\n"
    "      --check        check configuration, fabric and keys, print every error, and exit\n"
    "      --maelstrom    be a node of Maelstrom's broadcast workload on stdin and stdout\n"
    "  -h, --help         this text\n"
    "  -V, --version      the version\n"
    "\n"
    "SIGHUP reads configuration, fabric and keys anew; SIGTERM and SIGINT leave the members.\n"
    "Exit status: 0 ok, 1 failed, 2 usage, 5 permission. See srv6-agent(8).\n";

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

int main(int argc, char **argv) {
    enum { OPTION_CHECK = 256, OPTION_MAELSTROM };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, OPTION_CHECK},
        {"maelstrom", no_argument, NULL, OPTION_MAELSTROM},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    const char *config_path = CONFIG_FILE_DEFAULT;
    bool check = false;
    bool maelstrom = false;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":c:hV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            config_path = optarg;
            break;
        case OPTION_CHECK:
            check = true;
            break;
        case OPTION_MAELSTROM:
            maelstrom = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return TOOL_OK;
        case 'V':
            tool_print_version(TOOL);
            return TOOL_OK;
        case ':':
            return tool_usage_error(TOOL, usage, "%s needs a value", argv[optind - 1]);
        default:
            return tool_usage_error(TOOL, usage, "unknown option %s", argv[optind - 1]);
        }
    }
    if (optind < argc) {
        return tool_usage_error(TOOL, usage, "unexpected %s", argv[optind]);
    }
    signal(SIGPIPE, SIG_IGN);
    if (maelstrom) {
        return maelstrom_run(STDIN_FILENO, STDOUT_FILENO);
    }
    return check ? agent_check(config_path) : run(config_path);
}
