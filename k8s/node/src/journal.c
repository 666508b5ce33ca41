// SPDX-License-Identifier: Apache-2.0
#include "journal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"

#define LINE_FORMAT "%15s %63s %15s"

// False for what is no line of a journal.
static bool parse(const char *text, struct journal_line *line) {
    *line = (struct journal_line){0};
    return sscanf(text, LINE_FORMAT, line->kind, line->what, line->was) >= 2;
}

struct search {
    const struct journal_line *wanted;
    bool found;
};

static int compare(void *context, const struct journal_line *line, struct error *error) {
    struct search *search = context;
    (void)error;
    search->found = search->found || (strcmp(line->kind, search->wanted->kind) == 0 &&
                                      strcmp(line->what, search->wanted->what) == 0);
    return 0;
}

int journal_note(const char *path, const struct journal_line *line, struct error *error) {
    struct search search = {line, false};
    int rc = journal_each(path, compare, &search, error);
    if (rc != 0 || search.found) {
        return rc;
    }
    FILE *file = fopen(path, "ae");
    if (file == NULL) {
        return error_set(error, -errno, "%.100s: %s", path, strerror(errno));
    }
    fprintf(file, "%s %s %s\n", line->kind, line->what, line->was);
    return fclose(file) == 0 ? 0 : error_set(error, -errno, "%.100s: %s", path, strerror(errno));
}

int journal_each(const char *path, journal_each_fn *each, void *context, struct error *error) {
    char *text = NULL;
    size_t size = 0;
    if (access(path, F_OK) != 0) {
        return 0;
    }
    int rc = files_read(path, &text, &size, error);
    for (char *rest = text, *at; (at = strsep(&rest, "\n")) != NULL;) {
        struct journal_line line;
        struct error later;
        if (parse(at, &line)) {
            int failed = each(context, &line, rc == 0 ? error : &later);
            rc = rc == 0 ? failed : rc;
        }
    }
    free(text);
    return rc;
}
