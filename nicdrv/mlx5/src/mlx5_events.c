// SPDX-License-Identifier: Apache-2.0
#include "mlx5_events.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <rdma/ib_user_verbs.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

enum order { ORDER_STOP = 1, ORDER_GIVE_UP = 2 };

// The library believes what it reads as an event of the device.
static void tell_library(struct ibv_context *context) {
    const struct ib_uverbs_async_event_desc failed = {.event_type = IBV_EVENT_DEVICE_FATAL};
    struct ibv_async_event event;
    int ends[2], own = context->async_fd;
    if (pipe(ends) < 0) {
        return; // without descriptors it waits on
    }
    context->async_fd = ends[0];
    if (write(ends[1], &failed, sizeof failed) == (ssize_t)sizeof failed) {
        ibv_get_async_event(context, &event);
    }
    context->async_fd = own;
    close(ends[0]);
    close(ends[1]);
}

static void fail(struct mlx5_events *events) {
    if (!atomic_exchange(&events->failed, true)) {
        atomic_store(&events->disorder, atomic_load(&events->works));
        tell_library(events->context);
        eventfd_write(events->failed_fd, 1);
    }
}

// False: no more will come.
static bool read_event(struct mlx5_events *events) {
    struct ibv_async_event event;
    if (ibv_get_async_event(events->context, &event) != 0) {
        fail(events); // the kernel has let go of the device
        return false;
    }
    ibv_ack_async_event(&event);
    if (event.event_type == IBV_EVENT_DEVICE_FATAL || event.event_type == IBV_EVENT_CQ_ERR) {
        fail(events);
    }
    return true;
}

static void look_after(struct mlx5_events *events, unsigned *last) {
    uint64_t times;
    unsigned progress = atomic_load(&events->progress);
    if (read(events->watch_fd, &times, sizeof times) != (ssize_t)sizeof times) {
        return; // the work ended just now
    }
    if (progress == *last) {
        fail(events);
    }
    *last = progress;
}

static void *listen_to(void *argument) {
    struct mlx5_events *events = argument;
    struct pollfd ready[] = {{.fd = events->context->async_fd, .events = POLLIN},
                             {.fd = events->watch_fd, .events = POLLIN},
                             {.fd = events->order, .events = POLLIN}};
    unsigned last = 0;
    eventfd_t order = 0;
    while (order != ORDER_STOP && (poll(ready, 3, -1) >= 0 || errno == EINTR)) {
        if (ready[0].revents != 0 && !read_event(events)) {
            ready[0].fd = -1;
        }
        if (ready[1].revents != 0) {
            look_after(events, &last);
        }
        if (ready[2].revents != 0 && eventfd_read(events->order, &order) == 0) {
            if (order == ORDER_GIVE_UP) {
                fail(events);
            }
            sem_post(&events->done);
        }
    }
    return NULL;
}

static void close_all(struct mlx5_events *events) {
    const int descriptors[] = {events->order, events->watch_fd, events->failed_fd};
    for (size_t i = 0; i < sizeof descriptors / sizeof descriptors[0]; i++) {
        if (descriptors[i] >= 0) {
            close(descriptors[i]);
        }
    }
    sem_destroy(&events->done);
    events->context = NULL;
}

int mlx5_events_start(struct mlx5_events *events, struct ibv_context *context,
                      uint64_t patience_ns) {
    events->context = context;
    events->patience_ns = patience_ns;
    atomic_init(&events->failed, false);
    atomic_init(&events->works, false);
    atomic_init(&events->disorder, false);
    atomic_init(&events->progress, 1);
    sem_init(&events->done, 0, 0);
    events->order = eventfd(0, EFD_CLOEXEC);
    events->watch_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    events->failed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = events->order < 0 || events->watch_fd < 0 || events->failed_fd < 0 ? -errno : 0;
    if (rc == 0) {
        rc = -pthread_create(&events->thread, NULL, listen_to, events);
    }
    if (rc < 0) {
        close_all(events);
    }
    return rc;
}

static void give_order(struct mlx5_events *events, enum order order) {
    eventfd_write(events->order, order);
    while (sem_wait(&events->done) < 0 && errno == EINTR) {
    }
}

void mlx5_events_stop(struct mlx5_events *events) {
    if (events->context != NULL) {
        give_order(events, ORDER_STOP);
        pthread_join(events->thread, NULL);
        close_all(events);
    }
}

void mlx5_events_give_up(struct mlx5_events *events) {
    if (events->context != NULL && !atomic_load(&events->failed)) {
        give_order(events, ORDER_GIVE_UP);
    }
}

static void set_watch(struct mlx5_events *events, uint64_t after_ns) {
    struct timespec after = {.tv_sec = (time_t)(after_ns / 1000000000U),
                             .tv_nsec = (long)(after_ns % 1000000000U)};
    timerfd_settime(events->watch_fd, 0,
                    &(struct itimerspec){.it_interval = after, .it_value = after}, NULL);
}

void mlx5_events_begin(struct mlx5_events *events) {
    atomic_store(&events->works, true);
    mlx5_events_step(events);
    set_watch(events, events->patience_ns);
}

void mlx5_events_step(struct mlx5_events *events) {
    atomic_fetch_add_explicit(&events->progress, 1, memory_order_relaxed);
}

void mlx5_events_end(struct mlx5_events *events) {
    atomic_store(&events->works, false);
    set_watch(events, 0);
}

bool mlx5_events_failed(struct mlx5_events *events) {
    return atomic_load(&events->failed);
}

bool mlx5_events_disorder(struct mlx5_events *events) {
    return atomic_load(&events->disorder);
}
