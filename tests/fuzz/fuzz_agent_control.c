// SPDX-License-Identifier: Apache-2.0
// Any bytes from a client of the control socket: the real server and the real answers about a fleet
// in memory, which orders and jobs do not change here (so that every input starts from the same).
// Each answer is one line of JSON: a result, or a sentence with an exit code.
//
// The first byte says in how many pieces the rest arrives.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent_bed.h"
#include "model/time.h"

#define ANSWER_MAX (1U << 20)
#define INPUT_MAX (1U << 16) // what a socket takes at once

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct agent_bed *bed;
static uv_loop_t loop;
static struct control *control;
static char path[64];
static char answer[ANSWER_MAX];

static void remove_socket(void) {
    unlink(path);
}

static void start(void) {
    bed = agent_bed_open();
    agent_bed_cut(bed, "leaf0>spine1", true);
    for (int i = 0; i < 50; i++) { // flows on their backups, a link down
        agent_bed_run(bed, NS_PER_MS);
    }
    bed->frozen = true;
    snprintf(path, sizeof(path), "/tmp/fuzz-agent-control-%d.sock", (int)getpid());
    atexit(remove_socket);
    uv_loop_init(&loop);
    int rc =
        control_open(&loop, path, bed->agent.events, agent_answer, &bed->agent, &control, NULL);
    assert(rc == 0);
}

static int dial(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int rc = connect(fd, (struct sockaddr *)&address, sizeof(address));
    assert(fd >= 0 && rc == 0);
    return fd;
}

// Reads what is there; false when the server has closed.
static bool hear(int fd, size_t *length) {
    for (;;) {
        ssize_t got = read(fd, answer + *length, sizeof(answer) - *length);
        if (got <= 0) {
            return got < 0 && errno == EAGAIN;
        }
        *length += (size_t)got;
        assert(*length < sizeof(answer));
    }
}

static void check_answer(size_t length) {
    assert(length > 0 && answer[length - 1] == '\n');
    assert(memchr(answer, '\n', length) == answer + length - 1);
    json_t *document = json_loadb(answer, length, JSON_REJECT_DUPLICATES, NULL);
    assert(document != NULL);
    json_t *ok = json_object_get(document, "ok");
    if (json_is_true(ok)) {
        assert(json_is_object(json_object_get(document, "result")));
    } else {
        json_int_t exit_code = json_integer_value(json_object_get(document, "exit"));
        assert(json_is_false(ok) && exit_code >= 1 && exit_code <= 7);
        assert(json_string_length(json_object_get(document, "error")) > 0);
    }
    json_decref(document);
}

static bool follows(const uint8_t *data, size_t size) {
    return memmem(data, size, "follow", 6) != NULL || memchr(data, '\\', size) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (control == NULL) {
        start();
    }
    if (size < 2 || size > INPUT_MAX) {
        return 0;
    }
    size_t pieces = data[0] % 4U + 1, sent = 0, length = 0;
    data++;
    size--;
    int fd = dial();
    bool open = true;
    for (size_t i = 1; open && i <= pieces; i++) {
        size_t upto = size * i / pieces;
        if (upto > sent && write(fd, data + sent, upto - sent) > 0) {
            sent = upto;
        }
        uv_run(&loop, UV_RUN_NOWAIT);
        uv_run(&loop, UV_RUN_NOWAIT);
        open = hear(fd, &length);
    }
    for (int i = 0; open && i < 20 && memchr(data, '\n', size) != NULL; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
        open = hear(fd, &length);
    }
    if (memchr(data, '\n', size) != NULL && !(open && follows(data, size))) {
        assert(!open);
        check_answer(length);
    } else {
        assert(length == 0); // half a request, or a follower to whom nothing happens
    }
    close(fd);
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
    return 0;
}
