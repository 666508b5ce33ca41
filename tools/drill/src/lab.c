// SPDX-License-Identifier: Apache-2.0
#include "lab.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/tool.h"

#define GRACE_NS 2000000000ULL // the tool reverts by itself; the watchdog comes after it

extern char **environ;

static void find_lab(char path[4096]) {
    ssize_t length = readlink("/proc/self/exe", path, 4000);
    char *end = length > 0 ? memrchr(path, '/', (size_t)length) : NULL;
    if (end != NULL) {
        strcpy(end, "/srv6-lab");
        if (access(path, X_OK) == 0) {
            return;
        }
    }
    strcpy(path, "srv6-lab"); // PATH
}

int lab_run(const struct drill_request *request, const char *const *words) {
    char path[4096];
    char *argv[LAB_WORDS_MAX + 4] = {path};
    unsigned count = 1;
    find_lab(path);
    if (request->prefix != NULL) {
        argv[count++] = (char *)(uintptr_t) "--prefix";
        argv[count++] = (char *)(uintptr_t)request->prefix;
    }
    for (; *words != NULL; words++) {
        assert(count < LAB_WORDS_MAX + 3);
        argv[count++] = (char *)(uintptr_t)*words;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    // A group of its own: Ctrl-C at the terminal must not end a revert half-way.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    pid_t pid;
    int rc = posix_spawnp(&pid, path, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (rc != 0) {
        return tool_error(DRILL_NAME, TOOL_FAILED, path, "cannot run srv6-lab: %s", strerror(rc));
    }
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return TOOL_FAILED;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : TOOL_FAILED;
}

static void __attribute__((noreturn))
stand_guard(int alive, const struct drill_request *request, const json_t *plan) {
    setsid();
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    struct pollfd pipe_end = {.fd = alive, .events = POLLIN};
    char word;
    int timeout_ms = (int)((request->for_ns + GRACE_NS) / 1000000);
    int ready;
    do {
        ready = poll(&pipe_end, 1, timeout_ms);
    } while (ready < 0 && errno == EINTR);
    bool dismissed = ready > 0 && read(alive, &word, 1) == 1;
    if (!dismissed) {
        request->drill->revert(request, plan);
    }
    _exit(0);
}

int watchdog_arm(struct watchdog *watchdog, const struct drill_request *request,
                 const json_t *plan) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -errno;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        int code = errno;
        close(ends[0]);
        close(ends[1]);
        return -code;
    }
    if (pid == 0) {
        close(ends[1]);
        stand_guard(ends[0], request, plan);
    }
    close(ends[0]);
    *watchdog = (struct watchdog){.alive = ends[1], .pid = pid};
    return 0;
}

void watchdog_dismiss(struct watchdog *watchdog) {
    ssize_t written = write(watchdog->alive, "d", 1);
    (void)written; // a watchdog that is gone has reverted already, which harms nothing
    close(watchdog->alive);
    while (waitpid(watchdog->pid, NULL, 0) < 0 && errno == EINTR) {
    }
}
