// SPDX-License-Identifier: Apache-2.0
#include "library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

_Static_assert(sizeof(void *) == sizeof(void (*)(void)), "as POSIX has it for dlsym");

int library_load(const char *file, const char *const *names, size_t count, void (**calls)(void),
                 struct error *error) {
    // Its threads and atexit handlers outlive any user: it is never unloaded.
    void *library = dlopen(file, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    for (size_t i = 0; library != NULL && i < count; i++) {
        if (dlsym(library, names[i]) == NULL) {
            return error_set(error, -ENOTSUP, "%s has no %s: another version is installed", file,
                             names[i]);
        }
    }
    if (library == NULL) {
        return error_set(error, -ENOTSUP, "%.110s", dlerror());
    }
    for (size_t i = 0; i < count; i++) {
        void *found = dlsym(library, names[i]);
        memcpy(&calls[i], &found, sizeof found);
    }
    return 0;
}
