// SPDX-License-Identifier: Apache-2.0
#include "mirror_link.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEVICES_MAX 16
#define BUSY_TRIES 200 // of 10 ms: the process before this one has just died

struct bulk {
    struct bulk *next;
    const void *object;
    uint32_t first, count, slot;
};

static struct {
    pthread_once_t once;
    pthread_mutex_t lock;
    pthread_mutex_t bulks_lock; // of counts and bulks; nothing else is taken under it, since who
                                // reads counters may hold the emulated device
    const char *card;           // socket; NULL: nothing is mirrored
    int fd;
    bool dead; // until the last device is closed
    const struct softcx_count *counts;
    struct bulk *bulks;
    const void *devices[DEVICES_MAX]; // those with a domain
    uint32_t device_count;
} link_state = {.once = PTHREAD_ONCE_INIT, .bulks_lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

static void start(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&link_state.lock, &attributes);
    const char *card = getenv("FAKECX_CARD");
    link_state.card = card != NULL && card[0] != '\0' ? card : NULL;
}

bool mirror_wanted(void) {
    pthread_once(&link_state.once, start);
    return link_state.card != NULL;
}

void mirror_lock(void) {
    if (mirror_wanted()) {
        pthread_mutex_lock(&link_state.lock);
    }
}

void mirror_unlock(void) {
    if (mirror_wanted()) {
        pthread_mutex_unlock(&link_state.lock);
    }
}

_Noreturn void mirror_fail(const char *sentence, int code) {
    fprintf(stderr, "libfakecx: the card at %s %s: %s\n", link_state.card, sentence,
            strerror(code < 0 ? -code : code));
    abort();
}

// ---- the connection -------------------------------------------------------------------------

static int open_socket(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(link_state.card) >= sizeof address.sun_path) {
        mirror_fail("has too long a name", ENAMETOOLONG);
    }
    memcpy(address.sun_path, link_state.card, strlen(link_state.card) + 1);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        mirror_fail("cannot be reached (is softcx running?)", errno);
    }
    return fd;
}

// The answer, and the descriptor that comes with it or -1.
static struct softcx_answer receive(int fd, int *attached) {
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct softcx_answer answer;
    struct iovec part = {&answer, sizeof answer};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t size;
    do {
        size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    if (size != sizeof answer) {
        mirror_fail("is lost", size < 0 ? errno : EPIPE);
    }
    *attached = -1;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    if (rights != NULL && rights->cmsg_type == SCM_RIGHTS) {
        memcpy(attached, CMSG_DATA(rights), sizeof *attached);
    }
    return answer;
}

static struct softcx_answer ask(int fd, const struct softcx_request *request, int *attached) {
    size_t size = offsetof(struct softcx_request, data) + request->size;
    if (send(fd, request, size, MSG_NOSIGNAL) != (ssize_t)size) {
        mirror_fail("is lost", errno);
    }
    return receive(fd, attached);
}

static void connect_card(void) {
    struct softcx_request hello = {.op = WIRE_HELLO, .value = SOFTCX_WIRE_VERSION};
    struct timespec pause = {.tv_nsec = 10000000};
    int counters_fd = -1, fd = -1;
    struct softcx_answer answer = {.code = -EBUSY};
    for (int i = 0; i < BUSY_TRIES && answer.code == -EBUSY; i++) {
        if (fd >= 0) {
            close(fd);
            nanosleep(&pause, NULL);
        }
        fd = open_socket();
        answer = ask(fd, &hello, &counters_fd);
    }
    if (answer.code != 0 || counters_fd < 0) {
        mirror_fail("does not take this process", answer.code != 0 ? answer.code : EPROTO);
    }
    void *counts = mmap(NULL, SOFTCX_COUNTERS_MAX * sizeof *link_state.counts, PROT_READ,
                        MAP_SHARED, counters_fd, 0);
    close(counters_fd);
    if (counts == MAP_FAILED) {
        mirror_fail("does not show its counters", errno);
    }
    pthread_mutex_lock(&link_state.bulks_lock);
    link_state.counts = counts;
    pthread_mutex_unlock(&link_state.bulks_lock);
    link_state.fd = fd;
}

int mirror_send(struct softcx_request *request) {
    int attached = -1;
    return link_state.fd < 0 ? 0 : ask(link_state.fd, request, &attached).code;
}

static void disconnect(void) {
    if (link_state.fd >= 0) {
        close(link_state.fd);
        link_state.fd = -1;
    }
    pthread_mutex_lock(&link_state.bulks_lock);
    while (link_state.bulks != NULL) {
        struct bulk *bulk = link_state.bulks;
        link_state.bulks = bulk->next;
        free(bulk);
    }
    if (link_state.counts != NULL) {
        munmap((void *)(uintptr_t)link_state.counts,
               SOFTCX_COUNTERS_MAX * sizeof *link_state.counts);
        link_state.counts = NULL;
    }
    pthread_mutex_unlock(&link_state.bulks_lock);
}

// ---- devices --------------------------------------------------------------------------------

static uint32_t find_device(const void *device) {
    uint32_t i = 0;
    while (i < link_state.device_count && link_state.devices[i] != device) {
        i++;
    }
    return i;
}

void mirror_connect(const void *device) {
    if (!mirror_wanted()) {
        return;
    }
    if (find_device(device) == link_state.device_count) {
        if (link_state.device_count == DEVICES_MAX) {
            mirror_fail("has too many devices open", ENOSPC);
        }
        link_state.devices[link_state.device_count++] = device;
    }
    if (link_state.fd < 0 && !link_state.dead) {
        connect_card();
    }
}

void mirror_device_closed(const void *device) {
    uint32_t i = find_device(device);
    if (i == link_state.device_count) {
        return;
    }
    link_state.devices[i] = link_state.devices[--link_state.device_count];
    if (link_state.device_count == 0) {
        disconnect();
        link_state.dead = false;
    }
}

void mirror_device_died(void) {
    mirror_lock();
    if (link_state.device_count > 0) {
        disconnect();
        link_state.dead = true;
    }
    mirror_unlock();
}

// ---- counters -------------------------------------------------------------------------------

void mirror_add_counters(const void *object, uint32_t first, uint32_t count) {
    struct softcx_request request = {.op = WIRE_ADD_COUNTERS, .value = first, .count = count};
    if (link_state.dead) {
        return;
    }
    if (link_state.fd < 0) {
        connect_card(); // counters may come before the domain
    }
    int attached = -1;
    struct softcx_answer answer = ask(link_state.fd, &request, &attached);
    struct bulk *bulk = calloc(1, sizeof *bulk);
    if (answer.code != 0 || bulk == NULL) {
        mirror_fail("has no counters left", bulk == NULL ? ENOMEM : answer.code);
    }
    pthread_mutex_lock(&link_state.bulks_lock);
    *bulk = (struct bulk){.next = link_state.bulks,
                          .object = object,
                          .first = first,
                          .count = count,
                          .slot = answer.slot};
    link_state.bulks = bulk;
    pthread_mutex_unlock(&link_state.bulks_lock);
}

static struct bulk **find_bulk(const void *object) {
    struct bulk **at = &link_state.bulks;
    while (*at != NULL && (*at)->object != object) {
        at = &(*at)->next;
    }
    return at;
}

int mirror_remove_counters(const void *object) {
    struct bulk **at = find_bulk(object), *bulk = *at;
    if (bulk == NULL) {
        return 0;
    }
    struct softcx_request request = {.op = WIRE_REMOVE_COUNTERS, .value = bulk->first};
    int rc = mirror_send(&request);
    if (rc == 0) {
        pthread_mutex_lock(&link_state.bulks_lock);
        *at = bulk->next;
        pthread_mutex_unlock(&link_state.bulks_lock);
        free(bulk);
    }
    return rc;
}

bool mirror_first_counter(const void *object, uint32_t *out_first) {
    const struct bulk *bulk = *find_bulk(object);
    if (bulk != NULL) {
        *out_first = bulk->first;
    }
    return bulk != NULL;
}

bool mirror_counter(uint32_t counter_id, uint64_t *packets, uint64_t *bytes) {
    *packets = *bytes = 0;
    pthread_mutex_lock(&link_state.bulks_lock);
    const struct bulk *bulk = link_state.bulks;
    while (bulk != NULL && !(counter_id >= bulk->first && counter_id - bulk->first < bulk->count)) {
        bulk = bulk->next;
    }
    if (bulk != NULL) {
        const struct softcx_count *count =
            &link_state.counts[bulk->slot + (counter_id - bulk->first)];
        *packets = __atomic_load_n(&count->packets, __ATOMIC_RELAXED);
        *bytes = __atomic_load_n(&count->bytes, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&link_state.bulks_lock);
    return bulk != NULL;
}
