// SPDX-License-Identifier: Apache-2.0
// Small files, whole. Directories are opened by name each time: nobody else writes in those that
// are written to. Errors: -errno with a sentence.
#ifndef NODE_FILES_H
#define NODE_FILES_H

#include <stddef.h>
#include <sys/types.h>

#include "model/error.h"

#define FILE_BYTES_MAX (4U << 20) // a ConfigMap holds at most 1 MiB
#define PATH_SIZE 512

// "directory/name" into a buffer of PATH_SIZE; -ENAMETOOLONG.
int files_join(char *out, const char *directory, const char *name, struct error *error);
// *text is owned by the caller and terminated.
int files_read(const char *path, char **text, size_t *size, struct error *error);
// In one step: who reads meanwhile has the old or the new contents. The directory must exist.
int files_write(const char *path, const char *text, size_t size, mode_t mode, struct error *error);
// mkdir -p; each new directory gets the mode.
int files_make_directory(const char *path, mode_t mode, struct error *error);

typedef int files_each_fn(void *context, const char *name, struct error *error);

// Calls `each` for every entry whose name has no leading dot (those of a ConfigMap's machinery do),
// until one fails. 0 where there is no such directory.
int files_each(const char *directory, files_each_fn *each, void *context, struct error *error);
// A file, or a directory with its files; deeper ones stay, as does the directory then. 0 when it is
// not there.
int files_remove(const char *path, struct error *error);

#endif
