// SPDX-License-Identifier: Apache-2.0
#include "mlx5_counter.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5_prm.h"
#include "mlx5_reason.h"

// Bulks are named by a bit for each power of two of 128.
#define BULK_CODE (MLX5_COUNTER_BULK / PRM_COUNTER_BULK_UNIT)
#define WORD sizeof(uint32_t)

void mlx5_counters_init(struct mlx5_counters *pool, struct ibv_context *context,
                        struct mlx5_events *events) {
    *pool = (struct mlx5_counters){.context = context, .events = events};
}

static void destroy_bulk(const struct mlx5_counters *pool, struct mlx5_counter_bulk *bulk) {
    if (mlx5_events_disorder(pool->events)) {
        free(bulk);
        return;
    }
    for (uint32_t i = 0; i < MLX5_COUNTER_BULK; i++) {
        if (bulk->counters[i].action != NULL) {
            mlx5dv_dr_action_destroy(bulk->counters[i].action);
        }
    }
    if (bulk->object != NULL) {
        mlx5dv_devx_obj_destroy(bulk->object);
    }
    free(bulk);
}

void mlx5_counters_fini(struct mlx5_counters *pool) {
    for (uint32_t b = 0; b < pool->bulk_count; b++) {
        destroy_bulk(pool, pool->bulks[b]);
    }
    free(pool->bulks);
    *pool = (struct mlx5_counters){0};
}

static int read_bulk(struct mlx5_counter_bulk *bulk) {
    uint32_t in[PRM_QUERY_COUNTER_IN / WORD] = {0};
    uint64_t answer[(PRM_COUNTER_DATA + MLX5_COUNTER_BULK * PRM_COUNTER_SIZE) / 8] = {0};
    prm_set(in, PRM_OPCODE, PRM_QUERY_FLOW_COUNTER);
    prm_set(in, PRM_QUERY_COUNTER_COUNT, MLX5_COUNTER_BULK);
    prm_set(in, PRM_QUERY_COUNTER_ID, bulk->id);
    mlx5_reason_preset();
    if (mlx5dv_devx_obj_query(bulk->object, in, sizeof in, answer, sizeof answer) != 0) {
        return mlx5_reason_code();
    }
    for (uint32_t i = 0; i < MLX5_COUNTER_BULK; i++) {
        const uint64_t *values = &answer[(PRM_COUNTER_DATA + i * PRM_COUNTER_SIZE) / 8];
        bulk->counters[i].now =
            (struct mlx5_count){prm_get_u64(&values[0]), prm_get_u64(&values[1])};
    }
    bulk->due = false;
    return 0;
}

static int make_bulk(const struct mlx5_counters *pool, struct mlx5_counter_bulk **out) {
    uint32_t in[PRM_ALLOC_COUNTER_IN / WORD] = {0}, answer[PRM_ALLOC_COUNTER_OUT / WORD] = {0};
    struct mlx5_counter_bulk *bulk = calloc(1, sizeof *bulk);
    if (bulk == NULL) {
        return -ENOMEM;
    }
    prm_set(in, PRM_OPCODE, PRM_ALLOC_FLOW_COUNTER);
    prm_set(in, PRM_ALLOC_COUNTER_BULK, BULK_CODE);
    mlx5_reason_preset();
    bulk->object = mlx5dv_devx_obj_create(pool->context, in, sizeof in, answer, sizeof answer);
    int rc = bulk->object == NULL ? mlx5_reason_code() : 0;
    bulk->id = prm_get(answer, PRM_ALLOC_COUNTER_ID);
    if (rc == 0) {
        rc = read_bulk(bulk); // nobody says that they begin at zero
    }
    if (rc < 0) {
        destroy_bulk(pool, bulk);
        return rc;
    }
    *out = bulk;
    return 0;
}

static int add_bulk(struct mlx5_counters *pool) {
    struct mlx5_counter_bulk *bulk;
    if (pool->bulk_count == pool->bulk_capacity) {
        uint32_t capacity = pool->bulk_capacity == 0 ? 4 : pool->bulk_capacity * 2;
        struct mlx5_counter_bulk **grown = realloc(pool->bulks, capacity * sizeof(bulk));
        if (grown == NULL) {
            return -ENOMEM;
        }
        pool->bulks = grown;
        pool->bulk_capacity = capacity;
    }
    int rc = make_bulk(pool, &bulk);
    if (rc < 0) {
        return rc;
    }
    for (uint32_t i = MLX5_COUNTER_BULK; i-- > 0;) {
        bulk->counters[i].bulk = pool->bulk_count;
        bulk->counters[i].next = pool->clean;
        pool->clean = &bulk->counters[i];
    }
    pool->bulks[pool->bulk_count++] = bulk;
    return 0;
}

// Made when it is first taken, and kept.
static int need_action(const struct mlx5_counters *pool, struct mlx5_counter *counter) {
    const struct mlx5_counter_bulk *bulk = pool->bulks[counter->bulk];
    if (counter->action != NULL) {
        return 0;
    }
    mlx5_reason_preset();
    counter->action =
        mlx5dv_dr_action_create_flow_counter(bulk->object,
                                             (uint32_t)(counter - &bulk->counters[0]));
    return counter->action == NULL ? mlx5_reason_code() : 0;
}

int mlx5_counter_take(struct mlx5_counters *pool, struct mlx5_counter **out) {
    int rc = pool->clean == NULL ? add_bulk(pool) : 0;
    rc = rc < 0 ? rc : need_action(pool, pool->clean);
    if (rc < 0) {
        return rc;
    }
    struct mlx5_counter *counter = pool->clean;
    pool->clean = counter->next;
    counter->next = NULL;
    counter->users = 1;
    counter->base = counter->now;
    counter->fresh = true;
    *out = counter;
    return 0;
}

void mlx5_counter_share(struct mlx5_counter *counter) {
    assert(counter->users > 0);
    counter->users++;
}

void mlx5_counter_want(struct mlx5_counters *pool, const struct mlx5_counter *counter) {
    pool->bulks[counter->bulk]->due = true;
}

void mlx5_counter_give(struct mlx5_counters *pool, struct mlx5_counter *counter) {
    assert(counter->users > 0);
    if (--counter->users == 0) {
        counter->next = pool->dirty;
        pool->dirty = counter;
        mlx5_counter_want(pool, counter);
    }
}

int mlx5_counters_read(struct mlx5_counters *pool, bool all) {
    int rc = 0;
    for (uint32_t b = 0; b < pool->bulk_count; b++) {
        if (all || pool->bulks[b]->due) {
            int one = read_bulk(pool->bulks[b]);
            rc = rc < 0 ? rc : one;
        }
    }
    return rc;
}

void mlx5_counters_clean(struct mlx5_counters *pool) {
    while (pool->dirty != NULL) {
        struct mlx5_counter *counter = pool->dirty;
        pool->dirty = counter->next;
        counter->next = pool->clean;
        pool->clean = counter;
    }
}

struct mlx5_count mlx5_counter_since(const struct mlx5_counter *counter) {
    return (struct mlx5_count){counter->now.packets - counter->base.packets,
                               counter->now.bytes - counter->base.bytes};
}
