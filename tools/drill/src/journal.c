// SPDX-License-Identifier: Apache-2.0
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/json.h"

#define PATH_SIZE 128

static void describe(const json_t *entry, const char *path, char problem[256]) {
    char operands[96];
    tool_json_join(tool_json_array(entry, "operands"), " ", operands, sizeof operands);
    snprintf(problem, 256, "another drill is active: %s %s (%s)",
             tool_json_text(entry, "drill", "-"), operands, path);
}

// What cannot be read counts as active: nobody knows what it broke.
static bool entry_active(const char *path, uint64_t now_ns, char problem[256]) {
    json_error_t error;
    json_t *entry = json_load_file(path, 0, &error);
    if (entry == NULL) {
        snprintf(problem, 256, "a drill's journal cannot be read, so it counts as active: %.160s",
                 path);
        return true;
    }
    bool active = now_ns < tool_json_u64(entry, "ends_at_ns", UINT64_MAX);
    if (active) {
        describe(entry, path, problem);
    }
    json_decref(entry);
    return active;
}

static bool scan(const char *directory, uint64_t now_ns, bool clean, char problem[256]) {
    char pattern[PATH_SIZE];
    glob_t found;
    bool active = false;
    snprintf(pattern, sizeof pattern, "%s/*.json", directory);
    if (glob(pattern, 0, NULL, &found) != 0) {
        return false;
    }
    for (size_t i = 0; i < found.gl_pathc && !active; i++) {
        active = entry_active(found.gl_pathv[i], now_ns, problem);
        if (!active && clean) {
            unlink(found.gl_pathv[i]);
        }
    }
    globfree(&found);
    return active;
}

bool journal_active(const char *directory, uint64_t now_ns, char problem[256]) {
    return scan(directory, now_ns, false, problem);
}

static int take_lock(const char *directory, char problem[256]) {
    char path[PATH_SIZE];
    if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
        int code = errno;
        snprintf(problem, 256, "cannot write the drills' journal: %s: %s", directory,
                 strerror(code));
        return -code;
    }
    snprintf(path, sizeof path, "%s/lock", directory);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0) {
        return lock;
    }
    int code = errno == EWOULDBLOCK ? EBUSY : errno;
    snprintf(problem, 256, "%s: %s",
             code == EBUSY ? "another drill is active" : "cannot lock the drills' journal", path);
    if (lock >= 0) {
        close(lock);
    }
    return -code;
}

static int write_entry(const struct journal *journal, const struct drill_request *request,
                       uint64_t now_ns) {
    json_t *operands = json_array();
    for (unsigned i = 0; i < request->operand_count; i++) {
        json_array_append_new(operands, json_string(request->operands[i]));
    }
    json_t *entry = json_pack("{s:s,s:o,s:i,s:I,s:I}", "drill", request->drill->name, "operands",
                              operands, "pid", (int)getpid(), "began_at_ns", (json_int_t)now_ns,
                              "ends_at_ns", (json_int_t)(now_ns + request->for_ns));
    int rc = json_dump_file(entry, journal->path, JSON_COMPACT) == 0 ? 0 : -EIO;
    json_decref(entry);
    return rc;
}

int journal_open(struct journal *journal, const char *directory,
                 const struct drill_request *request, uint64_t now_ns, char problem[256]) {
    int lock = take_lock(directory, problem);
    if (lock < 0) {
        return lock;
    }
    if (scan(directory, now_ns, true, problem)) {
        close(lock);
        return -EBUSY;
    }
    struct journal opened = {.lock = lock};
    snprintf(opened.path, sizeof opened.path, "%s/%ld.json", directory, (long)getpid());
    int rc = write_entry(&opened, request, now_ns);
    if (rc != 0) {
        snprintf(problem, 256, "cannot write the drill's journal: %s", opened.path);
        unlink(opened.path);
        close(lock);
        return rc;
    }
    *journal = opened;
    return 0;
}

void journal_close(struct journal *journal) {
    unlink(journal->path);
    close(journal->lock);
}
