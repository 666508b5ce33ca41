// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model_yaml/yaml_check.h"

static int fail(const char *path, int code, fabric_complain_fn *complain, void *context) {
    struct error error;
    if (code == -EFBIG) {
        error_set(&error, code, "%s: larger than %u bytes", path, YAML_SIZE_MAX);
    } else {
        error_set(&error, code, "%s: %s", path, strerror(-code));
    }
    complain(context, &error);
    return code;
}

// Reads until the end instead of asking for the size, so that pipes work too.
static int read_all(int fd, char *text, size_t limit, size_t *size) {
    *size = 0;
    for (;;) {
        ssize_t got = read(fd, text + *size, limit - *size);
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        if (got == 0) {
            return 0;
        }
        *size += got > 0 ? (size_t)got : 0;
        if (*size == limit) {
            return -EFBIG;
        }
    }
}

int yaml_file_read(const char *path, fabric_complain_fn *complain, void *context, char **text,
                   size_t *size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail(path, -errno, complain, context);
    }
    char *bytes = malloc(YAML_SIZE_MAX + 1);
    size_t count = 0;
    int rc = bytes == NULL ? -ENOMEM : read_all(fd, bytes, YAML_SIZE_MAX + 1, &count);
    close(fd);
    if (rc != 0) {
        free(bytes);
        return fail(path, rc, complain, context);
    }
    char *exact = realloc(bytes, count + 1); // what is left over goes back
    *text = exact != NULL ? exact : bytes;
    *size = count;
    return 0;
}
