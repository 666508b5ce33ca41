// SPDX-License-Identifier: Apache-2.0
// Whether a device still works. A thread of its own reads what the device says unasked, because the
// library, waiting for a device that has failed to complete a write, learns of the failure only
// when somebody reads that event: whoever waits in the library is freed by this thread.
//
// A device may fail without a word: its send queue, after an error, completes nothing any more, and
// the library would wait for ever. So the thread also watches the one who works with the library,
// and when he does not get on for `patience_ns`, makes the library take the device for failed: from
// then on it waits for nothing, and all can be torn down. Nothing comes after that but closing.
//
// When a device fails under work, the library is called no more but to close the device: a write
// that failed may have left its books in disorder (rdma-core 44: a table that was just being
// enlarged), and whoever takes rules out of them may crash. The kernel removes all that the device
// held when it is closed; what the library had allocated for it (some 20 MiB) stays allocated. A
// device that fails while nobody works is torn down in order.
//
// Events of ports change no rule and are passed over.
#ifndef MLX5_EVENTS_H
#define MLX5_EVENTS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <infiniband/verbs.h>

#define MLX5_PATIENCE_NS 5000000000ULL // the firmware's commands take milliseconds

struct mlx5_events {
    struct ibv_context *context; // borrowed; NULL: not started
    uint64_t patience_ns;
    pthread_t thread;
    int order;     // to the thread
    int watch_fd;  // a timer that runs while somebody works
    int failed_fd; // readable once the device has failed
    sem_t done;    // orders carried out
    atomic_bool failed, works, disorder;
    atomic_uint progress;
};

// The struct must not move. -errno of the kernel.
int mlx5_events_start(struct mlx5_events *events, struct ibv_context *context,
                      uint64_t patience_ns);
void mlx5_events_stop(struct mlx5_events *events); // again: a no-op

// Around work with the library, and whenever a part of it is done.
void mlx5_events_begin(struct mlx5_events *events);
void mlx5_events_step(struct mlx5_events *events);
void mlx5_events_end(struct mlx5_events *events);
// The device does not do what it should: from now on it has failed.
void mlx5_events_give_up(struct mlx5_events *events);
bool mlx5_events_failed(struct mlx5_events *events);
// It failed under work: hands off.
bool mlx5_events_disorder(struct mlx5_events *events);

#endif
