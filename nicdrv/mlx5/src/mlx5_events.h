// SPDX-License-Identifier: Apache-2.0
// What a device says unasked. A thread of its own reads it, because the library, waiting for a
// device that has failed to complete a write, learns of the failure only when somebody reads that
// event: whoever waits in the library is freed by this thread.
//
// Only the end of the device matters to steering; events of ports change no rule.
#ifndef MLX5_EVENTS_H
#define MLX5_EVENTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <infiniband/verbs.h>

struct mlx5_events {
    struct ibv_context *context; // borrowed; NULL: not started
    pthread_t thread;
    int stop;
    int failed_fd; // readable once the device has failed
    atomic_bool failed;
};

// The struct must not move. -errno of the kernel.
int mlx5_events_start(struct mlx5_events *events, struct ibv_context *context);
void mlx5_events_stop(struct mlx5_events *events); // again: a no-op
// Makes the library take the device for failed, so that it waits for nothing when all is torn down:
// after an error its send queue never completes again. The thread has stopped.
void mlx5_events_give_up(struct ibv_context *context);

#endif
