// SPDX-License-Identifier: Apache-2.0
// srv6-top: the live view of one agent.
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "batch.h"
#include "live.h"
#include "options.h"
#include "tool/tool.h"

static const char help[] =
    "usage: srv6-top [-b] [--once] [--json] [-d TIME] [-n COUNT] [--socket PATH | --host HOST]\n"
    "\n"
    "  -b, --batch         plain text frames (implied when stdout is no terminal)\n"
    "      --once          one frame: -b -n 1\n"
    "      --json          JSON documents instead of text; implies -b\n"
    "  -d, --delay TIME    between frames (default 1s)\n"
    "  -n, --count COUNT   stop after so many frames\n"
    "      --view VIEW     links, flows, jobs, members, status or events: show this view first;\n"
    "                      in text frames show only it\n"
    "  -s, --socket PATH   the agent's control socket (default /run/srv6/agent.sock,\n"
    "                      or $SRV6_AGENT)\n"
    "      --host HOST     the agent of a lab host: /run/srv6/lab/HOST/agent.sock\n"
    "      --timeout TIME  how long to wait for an answer (default 2s)\n"
    "  -h, --help; -V, --version\n"
    "\nKeys: ? in the live view. More in srv6-top(1).\n";

static const struct option long_options[] = {
    {"batch", no_argument, NULL, 'b'},         {"once", no_argument, NULL, '1'},
    {"json", no_argument, NULL, 'j'},          {"delay", required_argument, NULL, 'd'},
    {"count", required_argument, NULL, 'n'},   {"view", required_argument, NULL, 'v'},
    {"socket", required_argument, NULL, 's'},  {"host", required_argument, NULL, 'H'},
    {"timeout", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},       {NULL, 0, NULL, 0},
};

static bool find_view(const char *name, int *view) {
    for (int i = 0; i < TOP_VIEW_COUNT; i++) {
        if (strcmp(top_views[i].name, name) == 0) {
            *view = i;
            return true;
        }
    }
    return false;
}

static bool parse_count(const char *text, uint64_t *count) {
    char *end;
    errno = 0;
    *count = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *count > 0;
}

// False for a value that is not understood.
static bool take_option(struct top_options *options, int letter, const char *value) {
    switch (letter) {
    case 'b':
        options->batch = true;
        return true;
    case '1':
        options->batch = true;
        options->count = 1;
        return true;
    case 'j':
        options->json = options->batch = true;
        return true;
    case 'd':
        return tool_parse_duration(value, &options->delay_ns) &&
               options->delay_ns >= TOP_DELAY_LEAST_NS && options->delay_ns <= TOP_DELAY_MOST_NS;
    case 'n':
        return parse_count(value, &options->count);
    case 'v':
        return find_view(value, &options->view);
    case 's':
        options->socket = value;
        return true;
    case 'H':
        options->host = value;
        return true;
    default:
        return tool_parse_duration(value, &options->timeout_ns) && options->timeout_ns > 0;
    }
}

static int parse(struct top_options *options, int argc, char **argv) {
    opterr = 0;
    for (int letter; (letter = getopt_long(argc, argv, ":bd:n:s:hV", long_options, NULL)) != -1;) {
        switch (letter) {
        case 'h':
            fputs(help, stdout);
            exit(fflush(stdout) == 0 ? TOOL_OK : TOOL_FAILED);
        case 'V':
            tool_print_version(TOP_NAME);
            exit(TOOL_OK);
        case '?':
        case ':':
            return tool_usage_error(TOP_NAME, help, "%s: %s",
                                    letter == '?' ? "unknown option" : "option needs a value",
                                    argv[optind - 1]);
        default:
            if (!take_option(options, letter, optarg)) {
                return tool_usage_error(TOP_NAME, help, "value not understood: %s", optarg);
            }
        }
    }
    if (optind < argc) {
        return tool_usage_error(TOP_NAME, help, "no such operand: %s", argv[optind]);
    }
    return TOOL_OK;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    struct top_options options = {.delay_ns = TOP_DELAY_DEFAULT_NS,
                                  .timeout_ns = CONTROL_TIMEOUT_DEFAULT_NS,
                                  .view = -1};
    int rc = parse(&options, argc, argv);
    if (rc != TOOL_OK) {
        return rc;
    }
    struct control_problem problem;
    if (control_find(options.socket, options.host, options.path, &problem) != 0) {
        return tool_error(TOP_NAME, problem.exit_code, NULL, "%s", problem.text);
    }
    if (options.batch || !isatty(STDOUT_FILENO)) {
        return top_batch(&options);
    }
    return top_live(&options);
}
