// SPDX-License-Identifier: Apache-2.0
// CURVE keys: a new pair for one host, and a look at the fleet's file (formats: gossip_zmq/keys.h).
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "gossip_zmq/keys.h"
#include "tool/table.h"
#include "tool/tool.h"

#define PATH_SIZE 4096

static bool host_name_valid(const char *name) {
    size_t length = strlen(name);
    if (length == 0 || length >= NAME_SIZE || !isalnum((unsigned char)name[0])) {
        return false;
    }
    for (; *name != '\0'; name++) {
        if (!isalnum((unsigned char)*name) && strchr("._-", *name) == NULL) {
            return false;
        }
    }
    return true;
}

// A file that an editor left without its last newline must not swallow our line.
static bool ends_in_line(int fd) {
    char last = '\n';
    off_t size = lseek(fd, 0, SEEK_END);
    return size <= 0 || (pread(fd, &last, 1, size - 1) == 1 && last == '\n');
}

static int append_line(const char *path, const char *line) {
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) {
        return -errno;
    }
    char text[512];
    int length = snprintf(text, sizeof text, "%s%s\n", ends_in_line(fd) ? "" : "\n", line);
    ssize_t written = write(fd, text, (size_t)length);
    int rc = written == length ? 0 : written < 0 ? -errno : -ENOSPC;
    if (close(fd) != 0 && rc == 0) {
        rc = -errno;
    }
    return rc;
}

static int print_new_key(const struct ctl *ctl, const char *public_key, const char *secret_path,
                         const char *fleet_path) {
    if (ctl->json) {
        return tool_print_json(json_pack("{s:s,s:s,s:s,s:s}", "host", ctl->host, "public_key",
                                         public_key, "secret_file", secret_path, "fleet_file",
                                         fleet_path));
    }
    printf("%s: secret key in %s; public key %s added to %s\n", ctl->host, secret_path, public_key,
           fleet_path);
    return TOOL_OK;
}

static int write_pair(const struct ctl *ctl, const char *public_key, const char *secret_key) {
    char secret_path[PATH_SIZE], fleet_path[PATH_SIZE], line[256];
    if (snprintf(secret_path, PATH_SIZE, "%s/%s.secret", ctl->out, ctl->host) >= PATH_SIZE ||
        snprintf(fleet_path, PATH_SIZE, "%s/fleet.keys", ctl->out) >= PATH_SIZE) {
        return tool_error(CTL_NAME, TOOL_FAILED, ctl->out, "path is too long");
    }
    if (mkdir(ctl->out, 0700) != 0 && errno != EEXIST) {
        return tool_error(CTL_NAME, errno == EACCES ? TOOL_PERMISSION : TOOL_FAILED, ctl->out, "%s",
                          strerror(errno));
    }
    struct error error;
    int rc = curve_secret_write(secret_path, secret_key, &error);
    if (rc != 0) {
        return tool_error(CTL_NAME, rc == -EACCES || rc == -EPERM ? TOOL_PERMISSION : TOOL_FAILED,
                          NULL, "%s", error.text);
    }
    snprintf(line, sizeof line, "%s\t%s%s%s", ctl->host, public_key,
             ctl->address != NULL ? "\t" : "", ctl->address != NULL ? ctl->address : "");
    rc = append_line(fleet_path, line);
    if (rc != 0) {
        unlink(secret_path); // a secret whose public half nobody has is of no use
        return tool_error(CTL_NAME, rc == -EACCES ? TOOL_PERMISSION : TOOL_FAILED, fleet_path, "%s",
                          strerror(-rc));
    }
    return print_new_key(ctl, public_key, secret_path, fleet_path);
}

int run_keys_generate(const struct ctl *ctl) {
    if (ctl->out == NULL || ctl->host == NULL) {
        return tool_usage_error(CTL_NAME, ctl_usage, "keys generate: --%s is missing",
                                ctl->out == NULL ? "out" : "host");
    }
    if (!host_name_valid(ctl->host)) {
        return tool_usage_error(CTL_NAME, ctl_usage, "keys generate: not a host's name: %s",
                                ctl->host);
    }
    if (ctl->address != NULL &&
        (strlen(ctl->address) >= GOSSIP_ADDRESS_SIZE || strncmp(ctl->address, "tcp://", 6) != 0 ||
         strpbrk(ctl->address, " \t\r\n#") != NULL)) {
        return tool_usage_error(CTL_NAME, ctl_usage, "--address: not like tcp://ADDRESS:PORT: %s",
                                ctl->address);
    }
    char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE];
    int rc = curve_keypair(public_key, secret_key);
    if (rc != 0) {
        return tool_error(CTL_NAME, TOOL_FAILED, NULL, "cannot make a key pair: %s",
                          rc == -ENOTSUP ? "this libzmq was built without CURVE" : strerror(-rc));
    }
    rc = write_pair(ctl, public_key, secret_key);
    explicit_bzero(secret_key, sizeof secret_key);
    return rc;
}

static int print_keys(const struct ctl *ctl, const struct curve_keys *keys) {
    static const struct tool_column columns[] = {{"HOST", false},
                                                 {"PUBLIC KEY", false},
                                                 {"ADDRESS", false}};
    json_t *list = json_array();
    struct tool_table *table = tool_table_open(columns, 3);
    for (uint32_t i = 0; table != NULL && i < keys->count; i++) {
        const struct curve_key *key = &keys->keys[i];
        json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "host", key->host, "public_key",
                                              key->public_key, "address", key->address));
        tool_table_cell(table, "%s", key->host);
        tool_table_cell(table, "%s", key->public_key);
        tool_table_cell(table, "%s", key->address[0] != '\0' ? key->address : "-");
    }
    int rc = TOOL_FAILED;
    if (ctl->json) {
        rc = tool_print_json(json_pack("{s:o}", "keys", list));
    } else {
        rc = table != NULL && tool_table_print(table, stdout) == 0 ? TOOL_OK : TOOL_FAILED;
        json_decref(list);
    }
    tool_table_close(table);
    return rc;
}

int run_keys_list(const struct ctl *ctl) {
    struct curve_keys keys = {0};
    struct error error;
    int rc = curve_keys_load(ctl->operands[0], &keys, &error);
    if (rc != 0) {
        return tool_error(CTL_NAME, rc == -EACCES || rc == -EPERM ? TOOL_PERMISSION : TOOL_FAILED,
                          NULL, "%s", error.text);
    }
    rc = print_keys(ctl, &keys);
    curve_keys_fini(&keys);
    return rc;
}
