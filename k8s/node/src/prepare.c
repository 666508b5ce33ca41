// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent_shell/config.h"
#include "files.h"
#include "journal.h"
#include "model_yaml/fabric_file.h"
#include "node.h"
#include "ports.h"
#include "template.h"

struct preparation {
    const struct node_paths *paths;
    node_say_fn *say;
    struct variables variables;
    char directory[PATH_SIZE]; // RUN/node
    char scratch[VARIABLE_VALUE_SIZE];
    const char *host;
};

static int copy(const char *from, const char *to_directory, const char *name, mode_t mode,
                struct error *error) {
    char to[PATH_SIZE], *text = NULL;
    size_t size = 0;
    int rc = files_join(to, to_directory, name, error);
    rc = rc != 0 ? rc : files_read(from, &text, &size, error);
    rc = rc != 0 ? rc : files_write(to, text, size, mode, error);
    free(text);
    return rc;
}

// ---- configuration

static int read_variables(struct preparation *preparation,
                          const char *(*environment)(const char *name), struct error *error) {
    char path[PATH_SIZE], *text = NULL;
    size_t size = 0;
    const char *node = environment("NODE_NAME");
    preparation->variables.environment = environment;
    if (node == NULL || *node == '\0') {
        return error_set(error, -EINVAL, "NODE_NAME is not set: it comes from spec.nodeName");
    }
    int rc = files_join(path, preparation->paths->config, "nodes", error);
    if (rc == 0 && access(path, F_OK) == 0) {
        rc = files_read(path, &text, &size, error);
        rc = rc != 0 ? rc : variables_read(&preparation->variables, text, node, error);
        free(text);
    }
    preparation->host = variables_find(&preparation->variables, "HOST", preparation->scratch);
    return rc;
}

static int write_config(const struct preparation *preparation, struct error *error) {
    char from[PATH_SIZE], to[PATH_SIZE], *text = NULL, *expanded = NULL;
    size_t size = 0;
    int rc = files_join(from, preparation->paths->config, "agent.yaml", error);
    rc = rc != 0 ? rc : files_join(to, preparation->directory, "agent.yaml", error);
    rc = rc != 0 ? rc : files_read(from, &text, &size, error);
    rc = rc != 0 ? rc
                 : template_expand("agent.yaml", text, &preparation->variables, &expanded, &size,
                                   error);
    rc = rc != 0 ? rc : files_write(to, expanded, size, 0600, error);
    free(text);
    free(expanded);
    rc = rc != 0 ? rc : files_join(from, preparation->paths->fabric, "fabric.yaml", error);
    return rc != 0 ? rc : copy(from, preparation->directory, "fabric.yaml", 0644, error);
}

// ---- keys

// The host's own pair, or the one that all share.
static int find_secret(const struct preparation *preparation, char path[PATH_SIZE],
                       struct error *error) {
    char name[VARIABLE_VALUE_SIZE + 8];
    snprintf(name, sizeof(name), "%s.secret", preparation->host);
    int rc = files_join(path, preparation->paths->secret, name, error);
    if (rc != 0 || access(path, F_OK) == 0) {
        return rc;
    }
    rc = files_join(path, preparation->paths->secret, "shared.secret", error);
    if (rc != 0 || access(path, F_OK) == 0) {
        return rc;
    }
    return error_set(error, -ENOENT,
                     "the Secret has no %.60s: make this host's keys (k8s/fleet-keys create)",
                     name);
}

static int write_keys(const struct preparation *preparation, struct error *error) {
    const struct node_paths *paths = preparation->paths;
    char from[PATH_SIZE];
    if (access(paths->secret, F_OK) != 0) {
        preparation->say("no keys are mounted: gossip.curve cannot be used");
        return 0;
    }
    int rc = find_secret(preparation, from, error);
    rc = rc != 0 ? rc : files_make_directory(paths->keys, 0700, error);
    rc = rc != 0 ? rc : copy(from, paths->keys, "host.secret", 0400, error);
    rc = rc != 0 ? rc : files_join(from, paths->secret, "fleet.keys", error);
    return rc != 0 ? rc : copy(from, paths->keys, "fleet.keys", 0400, error);
}

// ---- seccomp profiles

static int copy_profile(void *context, const char *name, struct error *error) {
    const struct node_paths *paths = context;
    char from[PATH_SIZE];
    int rc = files_join(from, paths->profiles, name, error);
    return rc != 0 ? rc : copy(from, paths->seccomp, name, 0644, error);
}

static int write_profiles(const struct preparation *preparation, struct error *error) {
    struct node_paths paths = *preparation->paths;
    if (access(paths.profiles, F_OK) != 0) {
        return 0;
    }
    int rc = files_make_directory(paths.seccomp, 0755, error);
    return rc != 0 ? rc : files_each(paths.profiles, copy_profile, &paths, error);
}

// ---- the kernel's settings of the ports

static int enable_seg6(const struct preparation *preparation, const char *journal,
                       const char *device, struct error *error) {
    char directory[PATH_SIZE], path[PATH_SIZE], *was = NULL;
    size_t size = 0;
    struct journal_line line = {"seg6", "", "0"};
    int rc = files_join(directory, preparation->paths->ipv6, device, error);
    rc = rc != 0 ? rc : files_join(path, directory, "seg6_enabled", error);
    rc = rc != 0 ? rc : ports_read_setting(path, &was, &size, error);
    if (rc != 0 || was[0] == '1') {
        free(was);
        return rc;
    }
    free(was);
    snprintf(line.what, sizeof(line.what), "%s", device);
    rc = journal_note(journal, &line, error);
    return rc != 0 ? rc : ports_write_setting(path, "1", error);
}

// The agent adds the address when it is missing.
static int note_address(const char *journal, const struct sid *sid, struct error *error) {
    struct journal_line line = {"address", "", "-"};
    sid_format(sid, line.what);
    return ports_has_address(sid) ? 0 : journal_note(journal, &line, error);
}

static int set_up(const struct preparation *preparation, const struct config *config,
                  const struct fabric *fabric, struct error *error) {
    char journal[PATH_SIZE];
    struct sid sids[HOST_PORTS_MAX];
    int rc = files_join(journal, preparation->directory, "journal", error);
    rc = rc != 0 ? rc : enable_seg6(preparation, journal, "all", error);
    for (uint32_t i = 0; rc == 0 && i < config->port_count; i++) {
        rc = enable_seg6(preparation, journal, config->ports[i].device, error);
    }
    uint32_t count = ports_own_sids(config->host, fabric, sids);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        rc = note_address(journal, &sids[i], error);
    }
    return rc;
}

static void complain(void *context, const struct error *error) {
    const struct preparation *preparation = context;
    preparation->say(error->text);
}

// Reads what was written as the agent will, and sets up the ports that it names.
static int check_and_set_up(struct preparation *preparation, struct error *error) {
    char path[PATH_SIZE];
    struct config config = {0};
    struct fabric *fabric = NULL;
    int rc = files_join(path, preparation->directory, "agent.yaml", error);
    if (rc != 0) {
        return rc;
    }
    rc = config_load(path, complain, preparation, &config);
    if (rc != 0) {
        return error_set(error, rc, "agent.yaml is not valid, see above");
    }
    rc = fabric_file_load(config.fabric, complain, preparation, &fabric);
    rc = rc != 0 ? rc : config_check_fabric(&config, fabric, complain, preparation);
    rc = rc != 0 ? error_set(error, rc, "fabric.yaml does not serve this host, see above")
                 : set_up(preparation, &config, fabric, error);
    fabric_close(fabric);
    config_fini(&config);
    return rc;
}

int node_prepare(const struct node_paths *paths, const char *(*environment)(const char *name),
                 node_say_fn *say, struct error *error) {
    struct preparation preparation = {.paths = paths, .say = say};
    char text[VARIABLE_VALUE_SIZE + 64];
    int rc = files_join(preparation.directory, paths->run, "node", error);
    rc = rc != 0 ? rc : read_variables(&preparation, environment, error);
    rc = rc != 0 ? rc : files_make_directory(preparation.directory, 0755, error);
    rc = rc != 0 ? rc : write_profiles(&preparation, error);
    rc = rc != 0 ? rc : write_config(&preparation, error);
    rc = rc != 0 ? rc : write_keys(&preparation, error);
    rc = rc != 0 ? rc : check_and_set_up(&preparation, error);
    if (rc == 0) {
        snprintf(text, sizeof(text), "this node is ready for the agent of host %s",
                 preparation.host);
        say(text);
    }
    return rc;
}
