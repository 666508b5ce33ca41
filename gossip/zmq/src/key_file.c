// SPDX-License-Identifier: Apache-2.0
#include "key_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int key_file_open(const char *path, mode_t forbidden, const char *why, FILE **out,
                  struct error *error) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return error_set(error, -errno, "%s: %s", path, strerror(errno));
    }
    struct stat stat;
    if (fstat(fileno(file), &stat) != 0 || !S_ISREG(stat.st_mode)) {
        fclose(file);
        return error_set(error, -EINVAL, "%s: not a regular file", path);
    }
    if ((stat.st_mode & forbidden) != 0) {
        fclose(file);
        return error_set(error, -EPERM, "%s: mode %04o %s", path, (unsigned)(stat.st_mode & 07777),
                         why);
    }
    *out = file;
    return 0;
}

char *key_file_word(char **line) {
    char *word = *line + strspn(*line, " \t\r\n");
    if (*word == '\0' || *word == '#') {
        return NULL;
    }
    char *end = word + strcspn(word, " \t\r\n");
    *line = *end == '\0' ? end : end + 1;
    *end = '\0';
    return word;
}
