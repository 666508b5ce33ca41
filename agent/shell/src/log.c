// SPDX-License-Identifier: Apache-2.0
#include "agent_shell/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "model/time.h"

#define PATH_SIZE 256
#define HELD_MAX (4 * LOG_LINE_MAX)

struct log {
    int fd;
    char path[PATH_SIZE]; // "": stderr, which is not ours to close
    enum log_level level;
    enum log_format format;
    bool holds;
    size_t held_size;
    char held[HELD_MAX];
};

const char *log_level_name(enum log_level level) {
    static const char *const names[] = {"debug", "info", "warning", "alarm"};
    return names[level];
}

void log_format_time(uint64_t wall_ns, char text[LOG_TIME_SIZE]) {
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t length = strftime(text, LOG_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + length, LOG_TIME_SIZE - length, ".%03uZ",
             (unsigned)(wall_ns % NS_PER_S / NS_PER_MS));
}

// A line under construction; what does not fit is left out.
struct line {
    char *text;
    size_t length, size;
};

static void put(struct line *line, const char *text) {
    size_t length = strlen(text);
    if (line->length + length < line->size) {
        memcpy(line->text + line->length, text, length + 1);
        line->length += length;
    }
}

// Control characters as \u00XX; in JSON also quotes and backslashes. Bytes above 0x7f pass, a
// character at a time so that none is cut in two: names and sentences are UTF-8.
static void put_escaped(struct line *line, const char *text, bool json) {
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        char one[8] = {(char)*at, '\0'};
        if (*at < 0x20 || *at == 0x7f) {
            snprintf(one, sizeof(one), "\\u%04x", *at);
        } else if (json && (*at == '"' || *at == '\\')) {
            snprintf(one, sizeof(one), "\\%c", *at);
        }
        at++;
        for (size_t i = 1; i < 4 && (*at & 0xc0) == 0x80; i++) {
            one[i] = (char)*at++;
        }
        put(line, one);
    }
}

// A field whose value is cut where it must be; left out where not even that fits.
static void put_field(struct line *line, const char *key, const char *value) {
    if (line->length + strlen(key) + sizeof(",\"\":\"\"") > line->size) {
        return;
    }
    put(line, ",\"");
    put(line, key);
    put(line, "\":\"");
    line->size--; // for the closing quote
    put_escaped(line, value, true);
    line->size++;
    put(line, "\"");
}

size_t log_format_line(enum log_format format, uint64_t wall_ns, enum log_level level,
                       const char *kind, const char *subject, const char *text, char *buffer,
                       size_t size) {
    struct line line = {buffer, 0, size};
    char at[LOG_TIME_SIZE];
    log_format_time(wall_ns, at);
    buffer[0] = '\0';
    if (format == LOG_JSON) {
        line.size = size - 1; // for the closing brace
        put(&line, "{\"at\":\"");
        put(&line, at);
        put(&line, "\"");
        put_field(&line, "level", log_level_name(level));
        put_field(&line, "kind", kind);
        put_field(&line, "subject", subject);
        put_field(&line, "text", text);
        line.size = size;
        put(&line, "}");
        return line.length;
    }
    put(&line, at);
    put(&line, " ");
    put(&line, log_level_name(level));
    put(&line, " ");
    put_escaped(&line, kind, false);
    if (subject[0] != '\0') {
        put(&line, " ");
        put_escaped(&line, subject, false);
    }
    put(&line, ": ");
    put_escaped(&line, text, false);
    return line.length;
}

static int open_file(const char *path, struct error *error) {
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    return fd >= 0 ? fd
                   : error_set(error, -errno, "cannot open the log file %.100s: %s", path,
                               strerror(errno));
}

int log_open(const char *path, enum log_level level, enum log_format format, struct log **out,
             struct error *error) {
    bool to_file = path != NULL && path[0] != '\0';
    int fd = to_file ? open_file(path, error) : STDERR_FILENO;
    if (fd < 0) {
        return fd;
    }
    struct log *log = calloc(1, sizeof(*log));
    if (log == NULL) {
        if (to_file) {
            close(fd);
        }
        return error_set(error, -ENOMEM, "no memory for the log");
    }
    *log = (struct log){.fd = fd, .level = level, .format = format};
    snprintf(log->path, sizeof(log->path), "%s", to_file ? path : "");
    *out = log;
    return 0;
}

void log_close(struct log *log) {
    if (log != NULL && log->path[0] != '\0') {
        close(log->fd);
    }
    free(log);
}

int log_reopen(struct log *log, struct error *error) {
    if (log->path[0] == '\0') {
        return 0;
    }
    int fd = open_file(log->path, error);
    if (fd < 0) {
        return fd;
    }
    close(log->fd);
    log->fd = fd;
    return 0;
}

void log_set_level(struct log *log, enum log_level level) {
    log->level = level;
}

static void write_held(struct log *log) {
    if (log->held_size > 0) {
        // A log that cannot be written must not stop the agent: there is nobody left to tell.
        ssize_t written = write(log->fd, log->held, log->held_size);
        (void)written;
        log->held_size = 0;
    }
}

void log_event(struct log *log, uint64_t wall_ns, enum log_level level, const char *kind,
               const char *subject, const char *text) {
    char line[LOG_LINE_MAX];
    if (level < log->level) {
        return;
    }
    size_t length =
        log_format_line(log->format, wall_ns, level, kind, subject, text, line, sizeof(line) - 1);
    line[length++] = '\n';
    if (log->held_size + length > sizeof(log->held)) {
        write_held(log);
    }
    memcpy(log->held + log->held_size, line, length);
    log->held_size += length;
    if (!log->holds) {
        write_held(log);
    }
}

void log_hold(struct log *log) {
    log->holds = true;
}

void log_release(struct log *log) {
    log->holds = false;
    write_held(log);
}
