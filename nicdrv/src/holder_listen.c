// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "holder_state.h"

#define BACKLOG 16

static int make_address(const char *path, struct sockaddr_un *out, struct error *error) {
    char directory[sizeof out->sun_path];
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (path[0] == '\0' || strlen(path) >= sizeof out->sun_path) {
        return error_set(error, -ENAMETOOLONG, "socket: \"%.100s\" is too long or empty", path);
    }
    memcpy(out->sun_path, path, strlen(path) + 1);
    memcpy(directory, path, strlen(path) + 1);
    char *slash = strrchr(directory, '/');
    if (slash != NULL && slash != directory) {
        *slash = '\0';
        (void)mkdir(directory, 0755); // what is really wrong shows when binding
    }
    return 0;
}

// Held for life, so that of two holders that start at once one is refused.
static int take_lock(struct holder *holder, const char *path, struct error *error) {
    char name[sizeof(struct sockaddr_un) + 8];
    snprintf(name, sizeof name, "%s.lock", path);
    holder->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (holder->lock < 0) {
        return error_set(error, -errno, "%.110s: %s", name, strerror(errno));
    }
    if (flock(holder->lock, LOCK_EX | LOCK_NB) != 0) {
        int code = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
        return error_set(error, code, "%.90s: another holder serves it: stop that one first", path);
    }
    return 0;
}

// A socket that a killed holder left behind is in the way; one that somebody serves, or what is no
// socket, is not ours to remove.
static int make_room(const struct sockaddr_un *address, struct error *error) {
    struct stat status;
    if (lstat(address->sun_path, &status) != 0) {
        return 0;
    }
    if (!S_ISSOCK(status.st_mode)) {
        return error_set(error, -EEXIST, "%.90s: is there and no socket", address->sun_path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return error_set(error, -errno, "socket: %s", strerror(errno));
    }
    bool taken =
        connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN;
    close(fd);
    if (taken) {
        return error_set(error, -EADDRINUSE, "%.90s: another program answers there",
                         address->sun_path);
    }
    (void)unlink(address->sun_path);
    return 0;
}

static int bind_and_listen(struct holder *holder, const struct sockaddr_un *address,
                           struct error *error) {
    holder->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0177);
    int rc = holder->listener < 0 ||
                     bind(holder->listener, (const struct sockaddr *)address, sizeof *address) != 0
                 ? -errno
                 : 0;
    umask(mask);
    if (rc == 0 && listen(holder->listener, BACKLOG) != 0) {
        rc = -errno;
    }
    return rc == 0 ? 0
                   : error_set(error, rc, "cannot listen at %.90s: %s", address->sun_path,
                               strerror(-rc));
}

int holder_listen(struct holder *holder, struct error *error) {
    struct sockaddr_un address;
    int rc = make_address(holder->config->socket, &address, error);
    rc = rc != 0 ? rc : take_lock(holder, holder->config->socket, error);
    rc = rc != 0 ? rc : make_room(&address, error);
    rc = rc != 0 ? rc : bind_and_listen(holder, &address, error);
    if (rc != 0) {
        if (holder->listener >= 0) {
            close(holder->listener);
            holder->listener = -1;
        }
        holder_unlisten(holder);
    }
    return rc;
}

void holder_unlisten(struct holder *holder) {
    if (holder->listener >= 0) {
        (void)unlink(holder->config->socket);
        close(holder->listener);
    }
    if (holder->lock >= 0) {
        close(holder->lock); // the file stays: who removes one may remove its successor's
    }
    holder->listener = holder->lock = -1;
}

static struct holder_session *free_session(struct holder *holder) {
    for (unsigned i = 0; i < HOLDER_SESSIONS_MAX; i++) {
        if (holder->sessions[i].stream.fd < 0) {
            return &holder->sessions[i];
        }
    }
    return NULL;
}

// The last one free is for a refusal.
static int check_peer(const struct holder *holder, const struct ucred *peer, struct error *error) {
    unsigned count = 0;
    for (unsigned i = 0; i < HOLDER_SESSIONS_MAX; i++) {
        count += holder->sessions[i].stream.fd >= 0;
    }
    if (peer->uid != geteuid()) {
        return error_set(error, -EPERM, "user %u may not attach: the holder runs as user %u",
                         peer->uid, geteuid());
    }
    return count == HOLDER_SESSIONS_MAX
               ? error_set(error, -EBUSY, "the holder has %u connections and takes no more", count)
               : 0;
}

int holder_accept(struct holder *holder, uint64_t now_ns) {
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    struct error error = {0};
    struct holder_session *session = free_session(holder);
    int fd =
        session != NULL ? accept4(holder->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
    if (fd < 0) {
        return session == NULL ? -EBUSY : -errno;
    }
    *session = (struct holder_session){.since_ns = now_ns};
    holder_stream_init(&session->stream, fd);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        holder_session_end(holder, session);
        return 0;
    }
    session->pid = peer.pid;
    if (check_peer(holder, &peer, &error) != 0) {
        holder_session_refuse(holder, session, &error);
    }
    holder_session_work(holder, session);
    return 0;
}
