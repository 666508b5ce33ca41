// SPDX-License-Identifier: Apache-2.0
// srv6-drill: breaks one thing on the lab, on purpose and for a while, and tells how the agents
// took it.
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control_client/control.h"
#include "run.h"
#include "tool/tool.h"

#define FOR_LEAST_NS 1000000000ULL
#define FOR_MOST_NS (900 * 1000000000ULL)
#define SETTLE_DEFAULT_NS (60 * 1000000000ULL)

const struct drill *const drills[] = {&drill_link_cut, &drill_agent_kill, NULL};

static const char help[] =
    "usage: srv6-drill list | plan NAME OPERAND | run NAME OPERAND --for TIME [--yes]\n"
    "\n"
    "  list                 the drills\n"
    "  plan NAME OPERAND    what a drill would hit, and what speaks against it; changes nothing\n"
    "  run NAME OPERAND     carry it out, revert it, report\n"
    "      --for TIME       how long (1s to 15m)\n"
    "      --yes            do not ask\n"
    "      --one-way        link-cut: only the direction that LINK names first\n"
    "      --settle TIME    how long all may take to be as before afterwards (default 60s)\n"
    "      --prefix P       the lab that was raised with this prefix\n"
    "      --timeout TIME   how long to wait for an agent's answer (default 2s)\n"
    "      --json           one JSON document\n"
    "  -h, --help; -V, --version\n"
    "\nExit: 0 the fabric behaved, 4 it deviated, 6 it did not settle in time, 7 refused by a\n"
    "safety limit, 1 failed or interrupted, 3 no agent answers. More in srv6-drill(1).\n";

static const struct option long_options[] = {
    {"for", required_argument, NULL, 'f'},    {"yes", no_argument, NULL, 'y'},
    {"one-way", no_argument, NULL, 'o'},      {"settle", required_argument, NULL, 'S'},
    {"prefix", required_argument, NULL, 'p'}, {"timeout", required_argument, NULL, 't'},
    {"json", no_argument, NULL, 'j'},         {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},      {NULL, 0, NULL, 0},
};

static bool take_option(struct drill_request *request, int letter, const char *value) {
    switch (letter) {
    case 'f':
        return tool_parse_duration(value, &request->for_ns) && request->for_ns >= FOR_LEAST_NS &&
               request->for_ns <= FOR_MOST_NS;
    case 'y':
        request->yes = true;
        return true;
    case 'o':
        request->one_way = true;
        return true;
    case 'S':
        return tool_parse_duration(value, &request->settle_ns) && request->settle_ns > 0;
    case 'p':
        request->prefix = value;
        return value[0] != '\0' && strchr(value, '/') == NULL && strlen(value) < 32;
    case 't':
        return tool_parse_duration(value, &request->timeout_ns) && request->timeout_ns > 0;
    default:
        request->json = true;
        return true;
    }
}

static int parse_options(struct drill_request *request, int argc, char **argv) {
    opterr = 0;
    for (int letter; (letter = getopt_long(argc, argv, ":hV", long_options, NULL)) != -1;) {
        switch (letter) {
        case 'h':
            fputs(help, stdout);
            exit(fflush(stdout) == 0 ? TOOL_OK : TOOL_FAILED);
        case 'V':
            tool_print_version(DRILL_NAME);
            exit(TOOL_OK);
        case '?':
        case ':':
            return tool_usage_error(DRILL_NAME, help, "%s: %s",
                                    letter == '?' ? "unknown option" : "option needs a value",
                                    argv[optind - 1]);
        default:
            if (!take_option(request, letter, optarg)) {
                return tool_usage_error(DRILL_NAME, help, "value not understood: %s", optarg);
            }
        }
    }
    return TOOL_OK;
}

static int list(bool json) {
    json_t *array = json_array();
    for (const struct drill *const *drill = drills; *drill != NULL; drill++) {
        if (!json) {
            printf("%-10s %-5s %s\n", (*drill)->name, (*drill)->operands, (*drill)->summary);
        }
        json_array_append_new(array, json_pack("{s:s,s:s,s:s}", "drill", (*drill)->name, "operands",
                                               (*drill)->operands, "summary", (*drill)->summary));
    }
    if (json) {
        return tool_print_json(json_pack("{s:o}", "drills", array));
    }
    json_decref(array);
    return fflush(stdout) == 0 ? TOOL_OK : TOOL_FAILED;
}

// The lab's state directory, as srv6-lab names it: /run/srv6/lab, or lab-P for --prefix P.
static void find_lab_directory(struct drill_request *request) {
    const char *prefix = request->prefix;
    size_t length = prefix != NULL ? strlen(prefix) : 0;
    if (prefix == NULL || strcmp(prefix, "srv6-") == 0) {
        snprintf(request->lab_directory, sizeof request->lab_directory, CONTROL_LAB_DIRECTORY);
        return;
    }
    length -= prefix[length - 1] == '-' ? 1 : 0;
    snprintf(request->lab_directory, sizeof request->lab_directory, CONTROL_LAB_DIRECTORY "-%.*s",
             (int)length, prefix);
}

// NAME and its operands.
static int take_words(struct drill_request *request, int count, char **words) {
    if (count == 0) {
        return tool_usage_error(DRILL_NAME, help, "no drill named");
    }
    for (const struct drill *const *drill = drills; *drill != NULL; drill++) {
        if (strcmp((*drill)->name, words[0]) == 0) {
            request->drill = *drill;
        }
    }
    if (request->drill == NULL) {
        return tool_usage_error(DRILL_NAME, help, "unknown drill: %s (see: srv6-drill list)",
                                words[0]);
    }
    request->operand_count = (unsigned)count - 1;
    if (request->operand_count != request->drill->operand_count) {
        return tool_usage_error(DRILL_NAME, help, "%s needs: %s", request->drill->name,
                                request->drill->operands);
    }
    for (unsigned i = 0; i < request->operand_count; i++) {
        request->operands[i] = words[1 + i];
    }
    if (request->one_way && request->drill != &drill_link_cut) {
        return tool_usage_error(DRILL_NAME, help, "--one-way is for link-cut only");
    }
    return TOOL_OK;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    struct drill_request request = {.settle_ns = SETTLE_DEFAULT_NS,
                                    .timeout_ns = CONTROL_TIMEOUT_DEFAULT_NS};
    int rc = parse_options(&request, argc, argv);
    if (rc != TOOL_OK) {
        return rc;
    }
    const char *verb = optind < argc ? argv[optind] : "";
    if (strcmp(verb, "list") == 0 && optind + 1 == argc) {
        return list(request.json);
    }
    bool run = strcmp(verb, "run") == 0;
    if (!run && strcmp(verb, "plan") != 0) {
        return tool_usage_error(DRILL_NAME, help,
                                verb[0] != '\0' ? "unknown command: %s" : "no command given%s",
                                verb);
    }
    rc = take_words(&request, argc - optind - 1, argv + optind + 1);
    if (rc != TOOL_OK) {
        return rc;
    }
    find_lab_directory(&request);
    if (!run) {
        return drill_plan(&request);
    }
    if (request.for_ns == 0) {
        return tool_usage_error(DRILL_NAME, help, "run: --for is missing");
    }
    if (geteuid() != 0) {
        return tool_error(DRILL_NAME, TOOL_PERMISSION, NULL, "drills need root: run it with sudo");
    }
    return drill_run(&request);
}
