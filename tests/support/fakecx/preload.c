// SPDX-License-Identifier: Apache-2.0
// The calls that libibverbs, libmlx5 and libnl make, interposed, and the library's only state.
//
// The uverbs node is /dev/null with its descriptor remembered. The library tells the card about
// new sends by a write to a page of it, which nobody can see; but it does so under a spin lock, and
// letting go of that is where the card looks.
#include "fakecx.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <rdma/rdma_user_ioctl_cmds.h>

#include "card.h"
#include "softcx/mirror_link.h"

#pragma weak mirror_device_died
#pragma weak mirror_lock
#pragma weak mirror_unlock

#define NODE "/dev/infiniband/uverbs0"

static struct {
    struct card card;
    atomic_int contexts; // open ones, to leave other programs' calls alone
    int (*open)(const char *, int, ...);
    int (*openat)(int, const char *, int, ...);
    int (*close)(int);
    int (*stat)(const char *, struct stat *);
    int (*ioctl)(int, unsigned long, ...);
    void *(*mmap)(void *, size_t, int, int, int, off_t);
    int (*socket)(int, int, int);
    int (*unlock)(pthread_spinlock_t *);
} preload = {.card = {.lock = PTHREAD_MUTEX_INITIALIZER}};

static void next(void *function, const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        fprintf(stderr, "fakecx: no %s to stand in front of\n", name);
        _exit(2);
    }
    memcpy(function, &found, sizeof(found));
}

static void resolve(void) {
    if (preload.unlock != NULL) {
        return;
    }
    next(&preload.open, "open");
    next(&preload.openat, "openat");
    next(&preload.close, "close");
    next(&preload.stat, "stat");
    next(&preload.ioctl, "ioctl");
    next(&preload.mmap, "mmap");
    next(&preload.socket, "socket");
    next(&preload.unlock, "pthread_spin_unlock");
}

// Everything under the card's lock; 0 or -errno becomes the C library's convention.
static int answer(int error) {
    if (error < 0) {
        errno = -error;
        return -1;
    }
    return error;
}

// ---- the fault file may change while nobody calls

// The mirror's lock comes first. Who has closed the dead device meanwhile, and perhaps opened it
// again, has told the mirror himself.
static void tell_mirror(struct card *card) {
    if (mirror_device_died == NULL) {
        return;
    }
    mirror_lock();
    pthread_mutex_lock(&card->lock);
    bool died = false;
    for (int i = 0; i < CARD_CONTEXT_MAX && card->died; i++) {
        died = died || (card->contexts[i].fd >= 0 && card->contexts[i].dead);
    }
    card->died = false;
    pthread_mutex_unlock(&card->lock);
    if (died) {
        mirror_device_died();
    }
    mirror_unlock();
}

static void *watch(void *argument) {
    struct card *card = argument;
    int fd = inotify_init1(IN_CLOEXEC);
    if (fd < 0 || inotify_add_watch(fd, card->dir, IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE) < 0) {
        fprintf(stderr, "fakecx: cannot watch %s: %s\n", card->dir, strerror(errno));
        _exit(2);
    }
    char events[4096];
    while (read(fd, events, sizeof(events)) > 0) {
        pthread_mutex_lock(&card->lock);
        faults_refresh(card); // frees who waits for the device while he holds the mirror's lock
        pthread_mutex_unlock(&card->lock);
        tell_mirror(card);
    }
    return NULL;
}

static void start_watch(struct card *card) {
    if (card->watched) {
        return;
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch, card) == 0) {
        pthread_detach(thread);
        card->watched = true;
    }
}

// ---- opening and closing

static int open_node(int flags) {
    int fd = preload.open("/dev/null", flags);
    int ends[2];
    if (fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return -1;
    }
    struct card *card = &preload.card;
    pthread_mutex_lock(&card->lock);
    int context = context_open(card, fd, ends);
    if (context >= 0) {
        start_watch(card);
        atomic_fetch_add(&preload.contexts, 1);
    }
    pthread_mutex_unlock(&card->lock);
    if (context < 0) {
        preload.close(fd);
        preload.close(ends[0]);
        preload.close(ends[1]);
        return answer(context);
    }
    return fd;
}

int open(const char *path, int flags, ...) {
    resolve();
    if (strcmp(path, NODE) == 0) {
        return open_node(flags);
    }
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return preload.open(path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int openat(int directory, const char *path, int flags, ...) {
    resolve();
    if (strcmp(path, NODE) == 0) {
        return open_node(flags);
    }
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return preload.openat(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...) __attribute__((alias("openat")));

int close(int fd) {
    resolve();
    if (atomic_load(&preload.contexts) > 0) {
        struct card *card = &preload.card;
        pthread_mutex_lock(&card->lock);
        int context = context_find(card, fd);
        int other_end = context < 0 ? channel_close(card, fd) : context_close(card, context);
        pthread_mutex_unlock(&card->lock);
        if (context >= 0) {
            atomic_fetch_sub(&preload.contexts, 1);
        }
        if (other_end >= 0) {
            preload.close(other_end);
        }
    }
    return preload.close(fd);
}

int stat(const char *restrict path, struct stat *restrict out) {
    resolve();
    return preload.stat(strcmp(path, NODE) == 0 ? "/dev/null" : path, out);
}

// ---- commands, pages, doorbells

int ioctl(int fd, unsigned long request, ...) {
    resolve();
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (request != RDMA_VERBS_IOCTL) {
        return preload.ioctl(fd, request, argument);
    }
    struct card *card = &preload.card;
    int error_before = errno;
    pthread_mutex_lock(&card->lock);
    struct call call = {card, context_find(card, fd), argument};
    int error = -ENOTTY;
    if (call.context >= 0) {
        faults_refresh(card);
        send_queues_run(card);
        error = ioctl_run(&call);
    }
    pthread_mutex_unlock(&card->lock);
    errno = error_before;
    return error == -ENOTTY ? preload.ioctl(fd, request, argument) : answer(error);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    resolve();
    if (fd >= 0 && atomic_load(&preload.contexts) > 0) {
        pthread_mutex_lock(&preload.card.lock);
        bool ours = context_find(&preload.card, fd) >= 0;
        pthread_mutex_unlock(&preload.card.lock);
        if (ours) {
            return preload.mmap(address, size, protection | PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
                                -1, 0);
        }
    }
    return preload.mmap(address, size, protection, flags, fd, offset);
}

int pthread_spin_unlock(pthread_spinlock_t *lock) {
    resolve();
    if (atomic_load(&preload.contexts) > 0) {
        int error_before = errno;
        pthread_mutex_lock(&preload.card.lock);
        send_queues_run(&preload.card);
        pthread_mutex_unlock(&preload.card.lock);
        errno = error_before;
    }
    return preload.unlock(lock);
}

// The kernel's own RDMA devices must not hide this one: without netlink the library reads sysfs.
int socket(int domain, int type, int protocol) {
    resolve();
    if (domain == AF_NETLINK && protocol == NETLINK_RDMA) {
        return answer(-EPROTONOSUPPORT);
    }
    return preload.socket(domain, type, protocol);
}

// ---- for tests in the same process

void fakecx_refresh(void) {
    pthread_mutex_lock(&preload.card.lock);
    faults_refresh(&preload.card);
    pthread_mutex_unlock(&preload.card.lock);
}

unsigned fakecx_count(const char *kind) {
    pthread_mutex_lock(&preload.card.lock);
    unsigned count = objects_count(&preload.card, kind);
    pthread_mutex_unlock(&preload.card.lock);
    return count;
}

uint64_t fakecx_icm_bytes(void) {
    pthread_mutex_lock(&preload.card.lock);
    uint64_t bytes = icm_in_use(&preload.card);
    pthread_mutex_unlock(&preload.card.lock);
    return bytes;
}

// ---- start and end

static enum card_format format_named(const char *name) {
    static const char *const names[] = {"cx5", "cx6dx", "cx7"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum card_format)i;
        }
    }
    fprintf(stderr, "fakecx: FAKECX_FORMAT is %s, not cx5, cx6dx or cx7\n", name);
    _exit(2);
}

__attribute__((constructor)) static void start(void) {
    resolve();
    struct card *card = &preload.card;
    const char *dir = getenv("FAKECX_DIR"), *format = getenv("FAKECX_FORMAT");
    if (dir == NULL || dir[0] != '/' || strlen(dir) >= sizeof(card->dir)) {
        fprintf(stderr, "fakecx: FAKECX_DIR must name a directory by its absolute path\n");
        _exit(2);
    }
    strcpy(card->dir, dir);
    card->format = format_named(format == NULL ? "cx6dx" : format);
    struct stat null;
    preload.stat("/dev/null", &null);
    card->null_device = null.st_rdev;
    tree_make(card, getenv("FAKECX_NETDEV"));
    char sys[CARD_PATH_SIZE + 8];
    snprintf(sys, sizeof(sys), "%s/sys", dir);
    setenv("SYSFS_PATH", sys, 1);
}

__attribute__((destructor)) static void end(void) {
    struct card *card = &preload.card;
    pthread_mutex_lock(&card->lock);
    if (card->watched) { // a device was opened
        objects_write(card);
    }
    pthread_mutex_unlock(&card->lock);
}
