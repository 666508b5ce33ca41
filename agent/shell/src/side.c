// SPDX-License-Identifier: Apache-2.0
#include "side.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct side {
    struct side_job job;
    bool busy; // the loop's view: started, and done not called yet
    uv_async_t bell;

    pthread_mutex_t lock; // around the two below
    bool working, closed;
    bool bell_gone; // the loop has closed it: nothing but this memory is left
};

static void free_side(struct side *side) {
    side->job.release(side->job.data);
    pthread_mutex_destroy(&side->lock);
    free(side);
}

static void *run(void *context) {
    struct side *side = context;
    side->job.work(side->job.data);
    pthread_mutex_lock(&side->lock);
    side->working = false;
    bool last = side->closed && side->bell_gone;
    if (!side->closed) {
        uv_async_send(&side->bell);
    }
    pthread_mutex_unlock(&side->lock);
    if (last) {
        free_side(side);
    }
    return NULL;
}

static bool is_working(struct side *side) {
    pthread_mutex_lock(&side->lock);
    bool working = side->working;
    pthread_mutex_unlock(&side->lock);
    return working;
}

static void on_bell(uv_async_t *bell) {
    struct side *side = bell->data;
    if (side->busy && !is_working(side)) {
        side->busy = false;
        side->job.done(side->job.context);
    }
}

int side_open(uv_loop_t *loop, const struct side_job *job, struct side **out) {
    struct side *side = calloc(1, sizeof *side);
    if (side == NULL) {
        return -ENOMEM;
    }
    int rc = uv_async_init(loop, &side->bell, on_bell);
    if (rc != 0) {
        free(side);
        return rc;
    }
    pthread_mutex_init(&side->lock, NULL);
    side->job = *job;
    side->bell.data = side;
    *out = side;
    return 0;
}

static void on_closed(uv_handle_t *handle) {
    struct side *side = handle->data;
    pthread_mutex_lock(&side->lock);
    side->bell_gone = true;
    bool last = !side->working;
    pthread_mutex_unlock(&side->lock);
    if (last) {
        free_side(side);
    }
}

void side_close(struct side *side) {
    if (side == NULL) {
        return;
    }
    pthread_mutex_lock(&side->lock);
    side->closed = true;
    pthread_mutex_unlock(&side->lock);
    uv_close((uv_handle_t *)&side->bell, on_closed);
}

bool side_start(struct side *side) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    if (side->busy || pthread_attr_init(&attributes) != 0) {
        return false;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all); // signals are the loop's
    pthread_sigmask(SIG_SETMASK, &all, &before);
    side->busy = side->working = true; // no thread yet that could look
    if (pthread_create(&thread, &attributes, run, side) != 0) {
        side->busy = side->working = false;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return side->busy;
}

bool side_is_busy(const struct side *side) {
    return side->busy;
}
