// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "nicdrv/holder.h"
#include "tool/tool.h"

#ifdef HOLDER_MLX5
#include "nicdrv_mlx5/mlx5.h"
#endif

#define TOOL "srv6-holder"

static const char usage[] =
    "usage: srv6-holder [--socket PATH] [--driver NAME] [--verbose]\n"
    "\n"
    "Holds what srv6-agent has a NIC do, so that a restart or crash of the agent loses no packet.\n"
    "When the holder ends, its NICs steer nothing any more.\n"
    "\n"
    "  -s, --socket PATH  where agents attach (default " NIC_HOLDER_DEFAULT ")\n"
    "  -d, --driver NAME  mlx5 (default): the eSwitch of a ConnectX; mem: holds rules and moves "
    "no\n"
    "                     packet, for trials\n"
    "  -v, --verbose      also say each set of rules that is taken\n"
    "  -h, --help         this text\n"
    "  -V, --version      the version\n"
    "\n"
    "SIGTERM and SIGINT end it. Exit status: 0 ok, 1 failed, 2 usage, 5 permission, 7 another\n"
    "holder serves the socket. See srv6-holder(8).\n";

static volatile sig_atomic_t stop_wanted;

static void on_stop(int number) {
    (void)number;
    stop_wanted = 1;
}

// SIGTERM and SIGINT are let through only while the holder waits: none comes too early or late.
static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_stop};
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    sigprocmask(SIG_BLOCK, &stops, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

static void print_note(void *context, bool detail, const char *text) {
    const bool *verbose = context;
    if (!detail || *verbose) {
        fprintf(stderr, TOOL ": %s\n", text);
    }
}

static const struct nic_driver *find_driver(const char *name) {
    if (strcmp(name, "mlx5") == 0) { // not the one that asks a holder
#ifdef HOLDER_MLX5
        return &nic_driver_mlx5_direct;
#else
        return NULL;
#endif
    }
    return nic_driver_find(name);
}

static int exit_code_of(int rc) {
    if (rc == -EADDRINUSE) {
        return TOOL_REFUSED;
    }
    return rc == -EPERM || rc == -EACCES ? TOOL_PERMISSION : TOOL_FAILED;
}

static int serve(const char *socket, const char *driver_name, bool verbose) {
    const struct nic_driver *driver = find_driver(driver_name);
    struct error error = {0};
    if (driver == NULL && strcmp(driver_name, "mlx5") == 0) {
        return tool_error(TOOL, TOOL_FAILED, driver_name,
                          "built without rdma-core: no eSwitch can be steered");
    }
    if (driver == NULL) {
        return tool_usage_error(TOOL, usage, "no driver is called %s", driver_name);
    }
    catch_signals();
    struct holder_config config = {.socket = socket,
                                   .driver = driver,
                                   .stop = &stop_wanted,
                                   .remove = true,
                                   .note = print_note,
                                   .context = &verbose};
    int rc = holder_serve(&config, &error);
    return rc == 0 ? TOOL_OK : tool_error(TOOL, exit_code_of(rc), NULL, "%s", error.text);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'}, {"driver", required_argument, NULL, 'd'},
        {"verbose", no_argument, NULL, 'v'},      {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {NULL, 0, NULL, 0},
    };
    const char *socket = NIC_HOLDER_DEFAULT, *driver = "mlx5";
    bool verbose = false;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":s:d:vhV", options, NULL)) != -1) {
        switch (option) {
        case 's':
            socket = optarg;
            break;
        case 'd':
            driver = optarg;
            break;
        case 'v':
            verbose = true;
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
    return serve(socket, driver, verbose);
}
