// SPDX-License-Identifier: Apache-2.0
// The program around the Maelstrom node: standard input by lines, the clock, the outputs. Writing
// blocks: a reader that stops stops us, as with any pipe.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent_shell/clock.h"
#include "maelstrom.h"
#include "model/time.h"
#include "tool/tool.h"

#define TOOL "srv6-agent"
#define READ_SIZE (64 * 1024)

struct input {
    int fd;
    struct text rest; // the beginning of a line
    bool skipping;    // the line is too long: what is left of it is dropped
    bool ended;
};

static int write_all(int fd, struct text *text) {
    size_t done = 0;
    while (done < text->size) {
        ssize_t written = write(fd, text->bytes + done, text->size - done);
        if (written < 0 && errno != EINTR) {
            return -errno;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    text->size = 0;
    return 0;
}

static void end_line(struct input *input, struct maelstrom *node, const char *line, size_t size) {
    if (input->skipping) {
        input->skipping = false;
        return;
    }
    if (input->rest.size > 0) {
        text_add(&input->rest, line, size);
        line = input->rest.bytes;
        size = input->rest.size;
    }
    if (size > 0) {
        maelstrom_line(node, clock_now_ns(), line, size);
    }
    input->rest.size = 0;
}

static void keep(struct input *input, struct maelstrom *node, const char *bytes, size_t size) {
    if (!input->skipping && input->rest.size + size > MAELSTROM_LINE_MAX) {
        text_print(maelstrom_log(node), "a line of more than %u bytes is dropped\n",
                   MAELSTROM_LINE_MAX);
        input->skipping = true;
        input->rest.size = 0;
    }
    if (!input->skipping) {
        text_add(&input->rest, bytes, size);
    }
}

// 0 or -errno.
static int read_lines(struct input *input, struct maelstrom *node) {
    char bytes[READ_SIZE];
    ssize_t count = read(input->fd, bytes, sizeof(bytes));
    if (count < 0) {
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    }
    input->ended = count == 0;
    const char *at = bytes;
    const char *end = bytes + count;
    for (const char *line = at; (line = memchr(at, '\n', (size_t)(end - at))) != NULL;
         at = line + 1) {
        end_line(input, node, at, (size_t)(line - at));
    }
    keep(input, node, at, (size_t)(end - at));
    return 0;
}

static int timeout_ms(const struct maelstrom *node) {
    uint64_t deadline = maelstrom_deadline_ns(node);
    uint64_t now = clock_now_ns();
    if (deadline == NEVER_NS) {
        return -1;
    }
    uint64_t left_ms = deadline > now ? (deadline - now + NS_PER_MS - 1) / NS_PER_MS : 0;
    return left_ms < 1000 ? (int)left_ms : 1000;
}

// One turn: waits, reads, ticks, writes. 0 or -errno.
static int turn(struct input *input, struct maelstrom *node, int out_fd) {
    struct pollfd poller = {.fd = input->fd, .events = POLLIN};
    int ready = poll(&poller, 1, timeout_ms(node));
    if (ready < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    int rc = ready > 0 ? read_lines(input, node) : 0;
    maelstrom_tick(node, clock_now_ns());
    if (rc == 0 && (maelstrom_output(node)->failed || input->rest.failed)) {
        rc = -ENOMEM;
    }
    rc = rc == 0 ? write_all(out_fd, maelstrom_output(node)) : rc;
    (void)write_all(STDERR_FILENO, maelstrom_log(node)); // who closed it does not want to know
    maelstrom_log(node)->size = 0;
    return rc;
}

int maelstrom_run(int in_fd, int out_fd) {
    uint64_t random[2];
    struct maelstrom *node;
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return tool_error(TOOL, TOOL_FAILED, NULL, "the kernel gives no random numbers");
    }
    if (maelstrom_open((uint32_t)random[0], random[1], &node) != 0) {
        return tool_error(TOOL, TOOL_FAILED, NULL, "out of memory");
    }
    struct input input = {.fd = in_fd};
    int rc = 0;
    while (rc == 0 && !input.ended) {
        rc = turn(&input, node, out_fd);
    }
    text_fini(&input.rest);
    maelstrom_close(node);
    return rc == 0 ? TOOL_OK : tool_error(TOOL, TOOL_FAILED, NULL, "%s", strerror(-rc));
}
