// SPDX-License-Identifier: Apache-2.0
// A host changes its keys while all run. Both pairs hold from `rotate`, which adds the new line,
// until `retire`, which removes the old one; between them every agent must have read the longer
// file, and the host its new secret.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "key_files.h"
#include "tool/tool.h"

// Of the host's last line; NULL when it has none.
static const struct curve_key *newest_of(const struct curve_keys *keys, const char *host) {
    const struct curve_key *newest = NULL;
    for (uint32_t i = 0; i < keys->count; i++) {
        newest = strcmp(keys->keys[i].host, host) == 0 ? &keys->keys[i] : newest;
    }
    return newest;
}

int run_keys_rotate(const struct ctl *ctl) {
    struct key_paths paths;
    struct curve_keys keys = {0};
    struct error error;
    int rc = key_paths_of(ctl, &paths);
    if (rc != TOOL_OK) {
        return rc;
    }
    rc = curve_keys_load(paths.fleet, &keys, &error);
    if (rc != 0) {
        return key_error(rc, &error);
    }
    const struct curve_key *old = newest_of(&keys, ctl->host);
    if (old == NULL) {
        rc = tool_error(CTL_NAME, TOOL_FAILED, paths.fleet, "%s has no key yet: keys generate",
                        ctl->host);
    } else if (access(paths.next, F_OK) == 0) {
        rc = tool_error(CTL_NAME, TOOL_FAILED, paths.next,
                        "%s is in the middle of a rotation: keys retire ends it", ctl->host);
    } else {
        const char *address = ctl->address != NULL ? ctl->address : old->address;
        rc = key_make_pair(ctl, paths.next, paths.fleet, address);
    }
    curve_keys_fini(&keys);
    return rc;
}

// ---- retire

// Is this the line of the host with another key?
static bool is_old(const char *line, const char *host, const char *new_key) {
    size_t skipped = strspn(line, " \t"), length = strcspn(line + skipped, " \t\r\n");
    if (length != strlen(host) || strncmp(line + skipped, host, length) != 0) {
        return false;
    }
    line += skipped + length;
    line += strspn(line, " \t");
    return strncmp(line, new_key, strlen(new_key)) != 0;
}

// All lines but the host's old ones; how many those were, or -errno.
static int copy_lines(FILE *from, FILE *to, const char *host, const char *new_key) {
    char *line = NULL;
    size_t room = 0;
    int removed = 0;
    while (getline(&line, &room, from) > 0) {
        if (is_old(line, host, new_key)) {
            removed++;
        } else {
            fputs(line, to);
        }
    }
    free(line);
    return ferror(from) || fflush(to) != 0 || ferror(to) || fsync(fileno(to)) != 0 ? -EIO : removed;
}

// The file is replaced whole, so that who reads it meanwhile sees the old one or the new one.
static int rewrite(const char *path, const char *host, const char *new_key) {
    char temporary[KEY_PATH_SIZE + 8];
    struct stat stat;
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    FILE *from = fopen(path, "re");
    int fd = from == NULL ? -1 : mkstemp(temporary);
    FILE *to = fd < 0 ? NULL : fdopen(fd, "w");
    int rc = from == NULL || to == NULL ? -errno : 0;
    if (rc == 0 && (fstat(fileno(from), &stat) != 0 || fchmod(fd, stat.st_mode & 07777) != 0)) {
        rc = -errno;
    }
    rc = rc != 0 ? rc : copy_lines(from, to, host, new_key);
    if (rc >= 0 && rename(temporary, path) != 0) {
        rc = -errno;
    }
    if (rc < 0 && fd >= 0) {
        unlink(temporary);
    }
    if (to != NULL) {
        fclose(to);
    }
    if (from != NULL) {
        fclose(from);
    }
    return rc;
}

static int print_retired(const struct ctl *ctl, const struct key_paths *paths,
                         const char *public_key, int removed) {
    if (ctl->json) {
        return tool_print_json(json_pack("{s:s,s:s,s:i,s:s,s:s}", "host", ctl->host, "public_key",
                                         public_key, "removed", removed, "secret_file",
                                         paths->secret, "fleet_file", paths->fleet));
    }
    printf("%s: %s is its only key in %s, the secret is in %s; %d removed\n", ctl->host, public_key,
           paths->fleet, paths->secret, removed);
    return TOOL_OK;
}

static int check_new_line(const struct ctl *ctl, const struct key_paths *paths,
                          const char *secret_key) {
    struct curve_keys keys = {0};
    struct error error;
    int rc = curve_keys_load(paths->fleet, &keys, &error);
    rc = rc != 0 ? rc : curve_keys_check_own(&keys, ctl->host, secret_key, &error);
    curve_keys_fini(&keys);
    return rc != 0 ? key_error(rc, &error) : TOOL_OK;
}

int run_keys_retire(const struct ctl *ctl) {
    struct key_paths paths;
    struct error error;
    char secret_key[CURVE_KEY_TEXT_SIZE], public_key[CURVE_KEY_TEXT_SIZE];
    int rc = key_paths_of(ctl, &paths);
    if (rc != TOOL_OK) {
        return rc;
    }
    rc = curve_secret_load(paths.next, secret_key, public_key, &error);
    if (rc != 0) {
        return rc == -ENOENT ? tool_error(CTL_NAME, TOOL_FAILED, paths.next,
                                          "%s is in no rotation: keys rotate begins one", ctl->host)
                             : key_error(rc, &error);
    }
    rc = check_new_line(ctl, &paths, secret_key);
    explicit_bzero(secret_key, sizeof secret_key);
    if (rc != TOOL_OK) {
        return rc;
    }
    int removed = rewrite(paths.fleet, ctl->host, public_key);
    if (removed < 0 || rename(paths.next, paths.secret) != 0) {
        int code = removed < 0 ? -removed : errno;
        return tool_error(CTL_NAME, code == EACCES || code == EPERM ? TOOL_PERMISSION : TOOL_FAILED,
                          removed < 0 ? paths.fleet : paths.secret, "%s", strerror(code));
    }
    return print_retired(ctl, &paths, public_key, removed);
}
