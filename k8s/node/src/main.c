// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node.h"
#include "tool/tool.h"

#define TOOL "srv6-node"

static const char usage[] =
    "usage: srv6-node prepare|clean|wait [OPTION]...\n"
    "\n"
    "prepare  writes this node's configuration and keys from those of the fleet, installs the\n"
    "         seccomp profiles, and enables segment routing on the ports\n"
    "clean    takes back all that agents and prepare did on this node\n"
    "wait     does nothing until SIGTERM, as the rest of a pod whose work is done\n"
    "\n"
    "  --config DIR     agent.yaml, a template, and nodes       (default /config)\n"
    "  --fabric DIR     fabric.yaml                             (/fabric)\n"
    "  --secret DIR     the fleet's NAME.secret and fleet.keys  (/secret)\n"
    "  --keys DIR       where this node's go                    (/keys)\n"
    "  --profiles DIR   seccomp profiles                        (/profiles)\n"
    "  --seccomp DIR    where they go                           (/host/seccomp)\n"
    "  --ipv6 DIR       the node's /proc/sys/net/ipv6/conf      (/host/ipv6)\n"
    "  --run DIR        the node's /run/srv6                    (/run/srv6)\n"
    "  -h, --help       this text\n"
    "  -V, --version    the version\n"
    "\n"
    "NODE_NAME and HOST_IP in the environment name the node. Exit status: 0 ok, 1 failed, 2 "
    "usage,\n"
    "5 permission, 7 an agent still runs (clean). See srv6-node(8).\n";

static void say(const char *text) {
    fprintf(stderr, TOOL ": %s\n", text);
}

static const char *environment(const char *name) {
    return getenv(name);
}

static int exit_code_of(int rc) {
    if (rc == -EBUSY) {
        return TOOL_REFUSED;
    }
    return rc == -EPERM || rc == -EACCES ? TOOL_PERMISSION : TOOL_FAILED;
}

static int wait_for_signal(void) {
    sigset_t stops;
    int number;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    sigprocmask(SIG_BLOCK, &stops, NULL);
    sigwait(&stops, &number);
    return TOOL_OK;
}

static int run(const char *command, const struct node_paths *paths) {
    struct error error = {0};
    int rc;
    if (strcmp(command, "prepare") == 0) {
        rc = node_prepare(paths, environment, say, &error);
    } else if (strcmp(command, "clean") == 0) {
        rc = node_clean(paths, say, &error);
    } else if (strcmp(command, "wait") == 0) {
        return wait_for_signal();
    } else {
        return tool_usage_error(TOOL, usage, "no command is called %s", command);
    }
    return rc == 0 ? TOOL_OK : tool_error(TOOL, exit_code_of(rc), NULL, "%s", error.text);
}

static const char **path_of(struct node_paths *paths, int option) {
    const char **const to[] = {&paths->config,   &paths->fabric,  &paths->secret, &paths->keys,
                               &paths->profiles, &paths->seccomp, &paths->ipv6,   &paths->run};
    return to[option];
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"config", required_argument, NULL, 0},
        {"fabric", required_argument, NULL, 1},
        {"secret", required_argument, NULL, 2},
        {"keys", required_argument, NULL, 3},
        {"profiles", required_argument, NULL, 4},
        {"seccomp", required_argument, NULL, 5},
        {"ipv6", required_argument, NULL, 6},
        {"run", required_argument, NULL, 7},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    struct node_paths paths = {"/config",   "/fabric",       "/secret",    "/keys",
                               "/profiles", "/host/seccomp", "/host/ipv6", "/run/srv6"};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":hV", options, NULL)) != -1) {
        switch (option) {
        case 'h':
            fputs(usage, stdout);
            return TOOL_OK;
        case 'V':
            tool_print_version(TOOL);
            return TOOL_OK;
        case ':':
            return tool_usage_error(TOOL, usage, "%s needs a value", argv[optind - 1]);
        case '?':
            return tool_usage_error(TOOL, usage, "unknown option %s", argv[optind - 1]);
        default:
            *path_of(&paths, option) = optarg;
            break;
        }
    }
    if (optind + 1 != argc) {
        return tool_usage_error(TOOL, usage,
                                optind == argc ? "a command is missing" : "one command only");
    }
    return run(argv[optind], &paths);
}
