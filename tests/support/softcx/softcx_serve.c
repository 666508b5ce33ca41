// SPDX-License-Identifier: Apache-2.0
#include "softcx_serve.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "softcx_wire.h"

static int address_of(const char *path, struct sockaddr_un *out) {
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof out->sun_path) {
        return -ENAMETOOLONG;
    }
    memcpy(out->sun_path, path, strlen(path) + 1);
    return 0;
}

int serve_open(struct server *server, const char *socket_path, struct datapath *path,
               int counters_fd) {
    struct sockaddr_un address;
    int rc = address_of(socket_path, &address);
    if (rc != 0) {
        return rc;
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    unlink(socket_path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 8) != 0) {
        rc = -errno;
        close(fd);
        return rc;
    }
    *server = (struct server){.path = path,
                              .listen_fd = fd,
                              .counters_fd = counters_fd,
                              .programmer = -1};
    memset(server->connections, 0xff, sizeof server->connections);
    return 0;
}

void serve_accept(struct server *server, int *out) {
    *out = -1;
    int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    for (int i = 0; fd >= 0 && i < CONNECTIONS_MAX; i++) {
        if (server->connections[i] < 0) {
            server->connections[i] = fd;
            *out = fd;
            return;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

static void end_connection(struct server *server, int fd) {
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        if (server->connections[i] == fd) {
            server->connections[i] = -1;
        }
    }
    if (server->programmer == fd) {
        server->programmer = -1;
        server->path->programmed = false;
        softcx_clear(server->path->card);
    }
    close(fd);
}

// With a descriptor unless that is -1.
static int send_answer(int fd, const struct softcx_answer *answer, int attached) {
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {(void *)(uintptr_t)answer, sizeof *answer};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (attached >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS,
                                          .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(&control.header), &attached, sizeof attached);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) == sizeof *answer ? 0 : -errno;
}

static int hello(struct server *server, int fd, const struct softcx_request *request) {
    struct softcx_answer answer = {0};
    if (request->value != SOFTCX_WIRE_VERSION) {
        answer.code = -EPROTO;
    } else if (server->programmer >= 0) {
        answer.code = -EBUSY;
    }
    int rc = send_answer(fd, &answer, answer.code == 0 ? server->counters_fd : -1);
    if (rc == 0 && answer.code == 0) {
        server->programmer = fd;
        server->path->programmed = true;
    }
    return rc != 0 ? rc : answer.code;
}

static int answer_stats(const struct server *server, int fd) {
    struct softcx_answer answer = {0};
    int file = memfd_create("softcx-stats", MFD_CLOEXEC);
    FILE *out = file < 0 ? NULL : fdopen(dup(file), "w");
    if (out == NULL) {
        answer.code = -errno;
    } else {
        stats_write(server->path, out);
        fclose(out);
    }
    int rc = send_answer(fd, &answer, out != NULL ? file : -1);
    if (file >= 0) {
        close(file);
    }
    return rc;
}

void serve_request(struct server *server, int fd) {
    struct softcx_request request;
    ssize_t size = recv(fd, &request, sizeof request, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    int rc = -EPROTO;
    if (size >= (ssize_t)offsetof(struct softcx_request, data)) {
        if (request.op == WIRE_HELLO) {
            rc = hello(server, fd, &request);
        } else if (request.op == WIRE_STATS) {
            rc = answer_stats(server, fd);
        } else if (fd == server->programmer) {
            struct softcx_answer answer = softcx_handle(server->path->card, &request, (size_t)size);
            rc = send_answer(fd, &answer, -1);
        }
    }
    if (rc != 0) {
        end_connection(server, fd);
    }
}

// ---- the client's side ------------------------------------------------------------------------

static int receive_file(int fd, int *file) {
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct softcx_answer answer = {0};
    struct iovec part = {&answer, sizeof answer};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *rights = size == sizeof answer ? CMSG_FIRSTHDR(&message) : NULL;
    if (rights == NULL || rights->cmsg_type != SCM_RIGHTS) {
        return size < 0 ? -errno : answer.code != 0 ? answer.code : -EPROTO;
    }
    memcpy(file, CMSG_DATA(rights), sizeof *file);
    return 0;
}

static int copy_file(int fd, FILE *out) {
    char bytes[16384];
    ssize_t size;
    for (off_t at = 0; (size = pread(fd, bytes, sizeof bytes, at)) > 0; at += size) {
        fwrite(bytes, 1, (size_t)size, out);
    }
    return size < 0 ? -errno : fflush(out) != 0 ? -errno : 0;
}

int serve_query(const char *socket_path, FILE *out) {
    struct sockaddr_un address;
    struct softcx_request request = {.op = WIRE_STATS};
    int rc = address_of(socket_path, &address);
    int fd = rc == 0 ? socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0) {
        return rc != 0 ? rc : -errno;
    }
    size_t size = offsetof(struct softcx_request, data);
    int file = -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        send(fd, &request, size, MSG_NOSIGNAL) != (ssize_t)size) {
        rc = -errno;
    } else {
        rc = receive_file(fd, &file);
    }
    if (rc == 0) {
        rc = copy_file(file, out);
        close(file);
    }
    close(fd);
    return rc;
}
