// SPDX-License-Identifier: Apache-2.0
#include "key_files.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/tool.h"

#define SHARED "shared" // what the files of "*", the pair of all hosts, are called

static bool host_name_valid(const char *name) {
    size_t length = strlen(name);
    if (strcmp(name, "*") == 0) {
        return true;
    }
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
    char text[KEY_LINE_SIZE + 2];
    int length = snprintf(text, sizeof text, "%s%s\n", ends_in_line(fd) ? "" : "\n", line);
    ssize_t written = write(fd, text, (size_t)length);
    int rc = written == length ? 0 : written < 0 ? -errno : -ENOSPC;
    if (close(fd) != 0 && rc == 0) {
        rc = -errno;
    }
    return rc;
}

int key_error(int rc, const struct error *error) {
    return tool_error(CTL_NAME, rc == -EACCES || rc == -EPERM ? TOOL_PERMISSION : TOOL_FAILED, NULL,
                      "%s", error->text);
}

static int check_options(const struct ctl *ctl) {
    const char *command = ctl->command->name;
    if (ctl->host == NULL || (ctl->out == NULL && ctl->operand_count == 0)) {
        return tool_usage_error(CTL_NAME, ctl_usage, "%s: --%s is missing", command,
                                ctl->host == NULL ? "host" : "out");
    }
    if (!host_name_valid(ctl->host)) {
        return tool_usage_error(CTL_NAME, ctl_usage, "%s: not a host's name: %s", command,
                                ctl->host);
    }
    if (ctl->address != NULL &&
        (strlen(ctl->address) >= GOSSIP_ADDRESS_SIZE || strncmp(ctl->address, "tcp://", 6) != 0 ||
         strpbrk(ctl->address, " \t\r\n#") != NULL)) {
        return tool_usage_error(CTL_NAME, ctl_usage, "--address: not like tcp://ADDRESS:PORT: %s",
                                ctl->address);
    }
    return TOOL_OK;
}

int key_paths_of(const struct ctl *ctl, struct key_paths *out) {
    int rc = check_options(ctl);
    if (rc != TOOL_OK || ctl->out == NULL) {
        return rc;
    }
    const char *name = strcmp(ctl->host, "*") == 0 ? SHARED : ctl->host;
    if (snprintf(out->fleet, KEY_PATH_SIZE, "%s/fleet.keys", ctl->out) >= KEY_PATH_SIZE ||
        snprintf(out->secret, KEY_PATH_SIZE, "%s/%s.secret", ctl->out, name) >= KEY_PATH_SIZE ||
        snprintf(out->next, KEY_PATH_SIZE, "%s/%s.secret.next", ctl->out, name) >= KEY_PATH_SIZE) {
        return tool_error(CTL_NAME, TOOL_FAILED, ctl->out, "path is too long");
    }
    return TOOL_OK;
}

static void format_line(char *out, size_t size, const char *host, const struct curve_key *key) {
    snprintf(out, size, "%s\t%s %s%s%s", host, key->public_key, key->sign_key,
             key->address[0] != '\0' ? "\t" : "", key->address);
}

int key_print_line(const struct ctl *ctl, const struct curve_key *key) {
    char line[KEY_LINE_SIZE];
    format_line(line, sizeof line, ctl->host, key);
    if (ctl->json) {
        return tool_print_json(json_pack("{s:s,s:s,s:s,s:s,s:s}", "host", ctl->host, "public_key",
                                         key->public_key, "sign_key", key->sign_key, "address",
                                         key->address, "line", line));
    }
    puts(line);
    return TOOL_OK;
}

static int print_pair(const struct ctl *ctl, const struct curve_key *key, const char *secret_path,
                      const char *fleet_path) {
    if (ctl->json) {
        return tool_print_json(json_pack("{s:s,s:s,s:s,s:s,s:s}", "host", ctl->host, "public_key",
                                         key->public_key, "sign_key", key->sign_key, "secret_file",
                                         secret_path, "fleet_file", fleet_path));
    }
    printf("%s: secret key in %s; public key %s added to %s\n", ctl->host, secret_path,
           key->public_key, fleet_path);
    return TOOL_OK;
}

static int write_pair(const struct ctl *ctl, const struct curve_key *key, const char *secret_key,
                      const char *secret_path, const char *fleet_path) {
    char line[KEY_LINE_SIZE];
    struct error error;
    int rc = curve_secret_write(secret_path, secret_key, &error);
    if (rc != 0) {
        return key_error(rc, &error);
    }
    format_line(line, sizeof line, ctl->host, key);
    rc = append_line(fleet_path, line);
    if (rc != 0) {
        unlink(secret_path); // a secret whose public half nobody has is of no use
        return tool_error(CTL_NAME, rc == -EACCES ? TOOL_PERMISSION : TOOL_FAILED, fleet_path, "%s",
                          strerror(-rc));
    }
    return print_pair(ctl, key, secret_path, fleet_path);
}

int key_make_pair(const struct ctl *ctl, const char *secret_path, const char *fleet_path,
                  const char *address) {
    struct curve_key key = {0};
    char secret_key[CURVE_KEY_TEXT_SIZE];
    int rc = curve_keypair(key.public_key, secret_key);
    rc = rc != 0 ? rc : curve_sign_key(secret_key, key.sign_key);
    if (rc != 0) {
        return tool_error(CTL_NAME, TOOL_FAILED, NULL, "cannot make a key pair: %s",
                          rc == -ENOTSUP ? "this libzmq was built without CURVE" : strerror(-rc));
    }
    if (address != NULL) {
        snprintf(key.address, sizeof key.address, "%s", address);
    }
    rc = write_pair(ctl, &key, secret_key, secret_path, fleet_path);
    explicit_bzero(secret_key, sizeof secret_key);
    return rc;
}
