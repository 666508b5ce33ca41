// SPDX-License-Identifier: Apache-2.0
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(const char *path, int code, struct error *error) {
    return error_set(error, -code, "%.100s: %s", path, strerror(code));
}

int files_join(char *out, const char *directory, const char *name, struct error *error) {
    int length = snprintf(out, PATH_SIZE, "%s/%s", directory, name);
    return length < PATH_SIZE ? 0 : failed(directory, ENAMETOOLONG, error);
}

static int read_all(int fd, char *to, size_t size) {
    size_t had = 0;
    ssize_t got = 1;
    while (had < size && (got = read(fd, to + had, size - had)) != 0) {
        if (got < 0) {
            return -errno;
        }
        had += (size_t)got;
    }
    return had == size ? 0 : -EAGAIN;
}

int files_read(const char *path, char **text, size_t *size, struct error *error) {
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return failed(path, errno, error);
    }
    int rc = fstat(fd, &info) == 0 ? 0 : -errno;
    if (rc == 0 && (!S_ISREG(info.st_mode) || info.st_size > (off_t)FILE_BYTES_MAX)) {
        rc = S_ISREG(info.st_mode) ? -EFBIG : -EISDIR;
    }
    char *buffer = rc == 0 ? malloc((size_t)info.st_size + 1) : NULL;
    rc = rc == 0 && buffer == NULL ? -ENOMEM : rc;
    rc = rc == 0 ? read_all(fd, buffer, (size_t)info.st_size) : rc;
    close(fd);
    if (rc != 0) {
        free(buffer);
        return failed(path, -rc, error);
    }
    buffer[info.st_size] = '\0';
    *text = buffer;
    *size = (size_t)info.st_size;
    return 0;
}

static int write_all(int fd, const char *text, size_t size) {
    while (size > 0) {
        ssize_t sent = write(fd, text, size);
        if (sent < 0) {
            return -errno;
        }
        text += sent;
        size -= (size_t)sent;
    }
    return 0;
}

int files_write(const char *path, const char *text, size_t size, mode_t mode, struct error *error) {
    char fresh[PATH_SIZE + 8];
    int length = snprintf(fresh, sizeof(fresh), "%s.new", path);
    if (length >= (int)sizeof(fresh)) {
        return failed(path, ENAMETOOLONG, error);
    }
    (void)unlink(fresh); // of one that died here
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return failed(fresh, errno, error);
    }
    int rc = fchmod(fd, mode) == 0 ? 0 : -errno;
    rc = rc == 0 ? write_all(fd, text, size) : rc;
    rc = close(fd) == 0 || rc != 0 ? rc : -errno;
    rc = rc != 0 || rename(fresh, path) == 0 ? rc : -errno;
    if (rc != 0) {
        (void)unlink(fresh);
        return failed(path, -rc, error);
    }
    return 0;
}

int files_make_directory(const char *path, mode_t mode, struct error *error) {
    char partial[PATH_SIZE];
    if (snprintf(partial, sizeof(partial), "%s", path) >= (int)sizeof(partial)) {
        return failed(path, ENAMETOOLONG, error);
    }
    for (char *slash = strchr(partial + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL) {
            *slash = '\0';
        }
        if (mkdir(partial, mode) != 0 && errno != EEXIST) {
            return failed(partial, errno, error);
        }
        if (slash == NULL) {
            return 0;
        }
        *slash = '/';
    }
}

int files_each(const char *directory, files_each_fn *each, void *context, struct error *error) {
    DIR *stream = opendir(directory);
    if (stream == NULL) {
        return errno == ENOENT ? 0 : failed(directory, errno, error);
    }
    int rc = 0;
    for (struct dirent *entry; rc == 0 && (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] != '.') {
            rc = each(context, entry->d_name, error);
        }
    }
    closedir(stream);
    return rc;
}

static int remove_entry(void *context, const char *name, struct error *error) {
    char path[PATH_SIZE];
    int rc = files_join(path, context, name, error);
    if (rc == 0 && unlink(path) != 0 && errno != EISDIR && errno != ENOENT) {
        rc = failed(path, errno, error);
    }
    return rc;
}

int files_remove(const char *path, struct error *error) {
    char directory[PATH_SIZE];
    if (unlink(path) == 0 || errno == ENOENT) {
        return 0;
    }
    if (errno != EISDIR) {
        return failed(path, errno, error);
    }
    snprintf(directory, sizeof(directory), "%s", path);
    int rc = files_each(directory, remove_entry, directory, error);
    if (rc == 0 && rmdir(directory) != 0 && errno != ENOTEMPTY && errno != EBUSY) {
        rc = failed(directory, errno, error);
    }
    return rc;
}
