// SPDX-License-Identifier: Apache-2.0
// Goes on after a failure, so that as little as possible stays; but while the rules cannot be taken
// away the configuration stays too, since the next attempt needs it.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <net/if.h>

#include "agent_shell/config.h"
#include "files.h"
#include "journal.h"
#include "node.h"
#include "ports.h"

#define PINS_DEFAULT "/sys/fs/bpf/srv6"

struct cleaning {
    const struct node_paths *paths;
    node_say_fn *say;
    struct error *first; // the first failure, told at the end
    int rc;
};

static void took_away(const struct cleaning *cleaning, const char *what, const char *which) {
    char text[ERROR_TEXT_SIZE];
    snprintf(text, sizeof(text), "removed: %s %.100s", what, which);
    cleaning->say(text);
}

static int failed(struct cleaning *cleaning, int rc, const struct error *error) {
    if (rc != 0 && cleaning->rc == 0) {
        cleaning->rc = rc;
        *cleaning->first = *error;
    } else if (rc != 0) {
        cleaning->say(error->text);
    }
    return rc;
}

static void complain(void *context, const struct error *error) {
    const struct cleaning *cleaning = context;
    cleaning->say(error->text);
}

// ---- rules

static void pins_of(const struct config *config, const char *device, char out[PATH_SIZE]) {
    bool given = config->pin_dir[0] != '\0', own = !given || config->port_count > 1;
    snprintf(out, PATH_SIZE, "%s%s%s", given ? config->pin_dir : PINS_DEFAULT, own ? "/" : "",
             own ? device : "");
}

static void remove_rules(struct cleaning *cleaning, const struct config *config,
                         const char *device) {
    char pins[PATH_SIZE];
    struct nic *nic = NULL;
    struct error error;
    pins_of(config, device, pins);
    if (access(pins, F_OK) != 0) {
        return; // no agent has steered here
    }
    if (if_nametoindex(device) == 0) { // the port is gone, and with it what was attached
        failed(cleaning, files_remove(pins, &error), &error);
        took_away(cleaning, "pins", pins);
        return;
    }
    struct nic_options options = {.device = device, .pin_dir = pins, .holder = ""};
    if (failed(cleaning, nic_open("ebpf", &options, &nic, &error), &error) == 0) {
        nic_close(nic, true);
        took_away(cleaning, "rules of", device);
    }
}

static void remove_pin_directory(const struct config *config) {
    char directory[PATH_SIZE];
    snprintf(directory, sizeof(directory), "%s",
             config->pin_dir[0] != '\0' ? config->pin_dir : PINS_DEFAULT);
    // Up to the one that agents made, as long as nobody else's are in it.
    for (char *slash; rmdir(directory) == 0 || errno == ENOENT;) {
        slash = strrchr(directory, '/');
        if (slash == NULL || strstr(directory, "/srv6/") == NULL) {
            return;
        }
        *slash = '\0';
    }
}

static void remove_all_rules(struct cleaning *cleaning, const char *directory) {
    char path[PATH_SIZE];
    struct config config = {0};
    struct error error;
    if (failed(cleaning, files_join(path, directory, "agent.yaml", &error), &error) != 0) {
        return;
    }
    if (access(path, F_OK) != 0) {
        cleaning->say("no agent has run here since the last boot");
        return;
    }
    int rc = config_load(path, complain, cleaning, &config);
    if (rc != 0) {
        error_set(&error, rc, "%.100s: cannot be read: which ports were steered is unknown", path);
        failed(cleaning, rc, &error);
        return;
    }
    for (uint32_t i = 0; i < config.port_count; i++) {
        if (strcmp(config.nic_driver, "ebpf") == 0) {
            remove_rules(cleaning, &config, config.ports[i].device);
        }
    }
    if (cleaning->rc == 0 && strcmp(config.nic_driver, "ebpf") == 0) {
        remove_pin_directory(&config);
    }
    config_fini(&config);
}

// ---- settings and files

static int put_back(void *context, const struct journal_line *line, struct error *error) {
    const struct cleaning *cleaning = context;
    char directory[PATH_SIZE], path[PATH_SIZE];
    int rc = 0;
    if (strcmp(line->kind, "address") == 0) {
        rc = ports_remove_address(line->what, error);
    } else if (strcmp(line->kind, "seg6") == 0) {
        rc = files_join(directory, cleaning->paths->ipv6, line->what, error);
        rc = rc != 0 ? rc : files_join(path, directory, "seg6_enabled", error);
        if (rc == 0 && access(path, F_OK) == 0) { // a port may have gone
            rc = ports_write_setting(path, line->was, error);
        }
    } else {
        return 0; // of a later version
    }
    if (rc == 0) {
        took_away(cleaning, line->kind, line->what);
    }
    return rc;
}

static void remove_files(struct cleaning *cleaning, const char *directory) {
    static const char *const names[] = {"agent.sock", "holder.sock", "holder.sock.lock",
                                        "pods.json"};
    const struct node_paths *paths = cleaning->paths;
    struct error error;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[PATH_SIZE];
        int rc = files_join(path, paths->run, names[i], &error);
        failed(cleaning, rc != 0 ? rc : files_remove(path, &error), &error);
    }
    failed(cleaning, files_remove(directory, &error), &error);
    failed(cleaning, files_remove(paths->seccomp, &error), &error);
    if (rmdir(paths->run) == 0) { // unless somebody else keeps something there
        took_away(cleaning, "directory", paths->run);
    }
}

int node_clean(const struct node_paths *paths, node_say_fn *say, struct error *error) {
    struct cleaning cleaning = {.paths = paths, .say = say, .first = error};
    struct error later;
    char directory[PATH_SIZE], journal[PATH_SIZE];
    int rc = files_join(directory, paths->run, "node", error);
    rc = rc != 0 ? rc : files_join(journal, directory, "journal", error);
    if (rc != 0) {
        return rc;
    }
    remove_all_rules(&cleaning, directory);
    if (cleaning.rc != 0) {
        return cleaning.rc;
    }
    failed(&cleaning, journal_each(journal, put_back, &cleaning, &later), &later);
    remove_files(&cleaning, directory);
    return cleaning.rc;
}
