// SPDX-License-Identifier: Apache-2.0
#include "mlx5_events.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

#include <rdma/ib_user_verbs.h>
#include <sys/eventfd.h>

static void *listen_to(void *argument) {
    struct mlx5_events *events = argument;
    struct pollfd ready[2] = {{.fd = events->context->async_fd, .events = POLLIN},
                              {.fd = events->stop, .events = POLLIN}};
    while (poll(ready, 2, -1) >= 0 || errno == EINTR) {
        struct ibv_async_event event;
        if (ready[1].revents != 0) {
            break;
        }
        if (ready[0].revents == 0) {
            continue;
        }
        if ((ready[0].revents & POLLIN) == 0 || ibv_get_async_event(events->context, &event) != 0) {
            ready[0].fd = -1; // the kernel has let go of the device
            event.event_type = IBV_EVENT_DEVICE_FATAL;
        } else {
            ibv_ack_async_event(&event);
        }
        if (event.event_type == IBV_EVENT_DEVICE_FATAL || event.event_type == IBV_EVENT_CQ_ERR) {
            atomic_store(&events->failed, true);
            eventfd_write(events->failed_fd, 1);
        }
    }
    return NULL;
}

static void close_both(struct mlx5_events *events) {
    if (events->stop >= 0) {
        close(events->stop);
    }
    if (events->failed_fd >= 0) {
        close(events->failed_fd);
    }
    events->context = NULL;
}

int mlx5_events_start(struct mlx5_events *events, struct ibv_context *context) {
    events->context = context;
    atomic_init(&events->failed, false);
    events->stop = eventfd(0, EFD_CLOEXEC);
    events->failed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = events->stop < 0 || events->failed_fd < 0 ? -errno : 0;
    if (rc == 0) {
        rc = -pthread_create(&events->thread, NULL, listen_to, events);
    }
    if (rc < 0) {
        close_both(events);
    }
    return rc;
}

void mlx5_events_stop(struct mlx5_events *events) {
    if (events->context != NULL) {
        eventfd_write(events->stop, 1);
        pthread_join(events->thread, NULL);
        close_both(events);
    }
}

void mlx5_events_give_up(struct ibv_context *context) {
    const struct ib_uverbs_async_event_desc failed = {.event_type = IBV_EVENT_DEVICE_FATAL};
    struct ibv_async_event event;
    int ends[2], own = context->async_fd;
    if (pipe(ends) < 0) {
        return; // then the library waits as it does
    }
    context->async_fd = ends[0];
    if (write(ends[1], &failed, sizeof failed) == (ssize_t)sizeof failed) {
        ibv_get_async_event(context, &event);
    }
    context->async_fd = own;
    close(ends[0]);
    close(ends[1]);
}
