// SPDX-License-Identifier: Apache-2.0
#include "mlx5_reformat.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5_reason.h"

#define BUCKETS_MIN 256

void mlx5_reformats_init(struct mlx5_reformats *cache, struct mlx5_steer *steer) {
    *cache = (struct mlx5_reformats){.steer = steer};
}

static void forget_all(struct mlx5_reformats *cache) {
    for (uint32_t b = 0; b < cache->bucket_count; b++) {
        for (struct mlx5_reformat *at = cache->buckets[b], *next; at != NULL; at = next) {
            next = at->next;
            free(at);
        }
    }
    cache->count = 0;
}

void mlx5_reformats_fini(struct mlx5_reformats *cache) {
    if (mlx5_events_disorder(cache->steer->events)) {
        forget_all(cache);
    } else {
        mlx5_reformats_evict(cache, 0);
    }
    assert(cache->count == 0);
    free(cache->buckets);
    *cache = (struct mlx5_reformats){0};
}

static uint32_t hash_of(const uint8_t *bytes, size_t size) { // FNV-1a
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * 16777619U;
    }
    return hash;
}

static struct mlx5_reformat **bucket_of(const struct mlx5_reformats *cache, const uint8_t *bytes,
                                        size_t size) {
    return &cache->buckets[hash_of(bytes, size) & (cache->bucket_count - 1)];
}

static struct mlx5_reformat *find(const struct mlx5_reformats *cache, uint8_t kind,
                                  const uint8_t *bytes, size_t size) {
    struct mlx5_reformat *at = cache->count == 0 ? NULL : *bucket_of(cache, bytes, size);
    while (at != NULL &&
           (at->kind != kind || at->size != size || memcmp(at->bytes, bytes, size) != 0)) {
        at = at->next;
    }
    return at;
}

static int grow(struct mlx5_reformats *cache) {
    if (cache->count < cache->bucket_count) {
        return 0;
    }
    uint32_t before = cache->bucket_count;
    struct mlx5_reformat **old = cache->buckets;
    uint32_t count = before == 0 ? BUCKETS_MIN : before * 2;
    struct mlx5_reformat **buckets = calloc(count, sizeof *buckets);
    if (buckets == NULL) {
        return -ENOMEM;
    }
    cache->buckets = buckets;
    cache->bucket_count = count;
    for (uint32_t b = 0; b < before; b++) {
        for (struct mlx5_reformat *at = old[b], *next; at != NULL; at = next) {
            next = at->next;
            struct mlx5_reformat **bucket = bucket_of(cache, at->bytes, at->size);
            at->next = *bucket;
            *bucket = at;
        }
    }
    free(old);
    return 0;
}

static void leave_unused(struct mlx5_reformats *cache, struct mlx5_reformat *reformat) {
    *(reformat->older != NULL ? &reformat->older->newer : &cache->oldest) = reformat->newer;
    *(reformat->newer != NULL ? &reformat->newer->older : &cache->newest) = reformat->older;
    reformat->older = reformat->newer = NULL;
    cache->unused_count--;
}

static void join_unused(struct mlx5_reformats *cache, struct mlx5_reformat *reformat) {
    reformat->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = reformat;
    cache->newest = reformat;
    cache->unused_count++;
}

static int make(struct mlx5_reformats *cache, uint8_t kind, const uint8_t *bytes, size_t size,
                struct mlx5_reformat **out) {
    struct mlx5_reformat *reformat = calloc(1, sizeof *reformat);
    if (reformat == NULL || grow(cache) < 0) {
        free(reformat);
        return -ENOMEM;
    }
    reformat->kind = kind;
    reformat->size = (uint8_t)size;
    memcpy(reformat->bytes, bytes, size);
    mlx5_reason_preset();
    reformat->action = mlx5dv_dr_action_create_packet_reformat(cache->steer->domain, 0, kind, size,
                                                               reformat->bytes);
    if (reformat->action == NULL) {
        int rc = mlx5_reason_code();
        free(reformat);
        return rc;
    }
    struct mlx5_reformat **bucket = bucket_of(cache, bytes, size);
    reformat->next = *bucket;
    *bucket = reformat;
    cache->count++;
    *out = reformat;
    return 0;
}

int mlx5_reformat_take(struct mlx5_reformats *cache,
                       enum mlx5dv_flow_action_packet_reformat_type kind, const uint8_t *bytes,
                       size_t size, struct mlx5_reformat **out) {
    assert(size > 0 && size <= MLX5_HEADER_MAX);
    struct mlx5_reformat *reformat = find(cache, (uint8_t)kind, bytes, size);
    if (reformat == NULL) {
        int rc = make(cache, (uint8_t)kind, bytes, size, &reformat);
        if (rc < 0) {
            return rc;
        }
    } else if (reformat->users == 0) {
        leave_unused(cache, reformat);
    }
    reformat->users++;
    *out = reformat;
    return 0;
}

void mlx5_reformat_give(struct mlx5_reformats *cache, struct mlx5_reformat *reformat) {
    assert(reformat->users > 0);
    if (--reformat->users == 0) {
        join_unused(cache, reformat);
    }
}

void mlx5_reformats_evict(struct mlx5_reformats *cache, uint32_t keep) {
    while (cache->unused_count > keep) {
        struct mlx5_reformat *reformat = cache->oldest;
        struct mlx5_reformat **at = bucket_of(cache, reformat->bytes, reformat->size);
        while (*at != reformat) {
            at = &(*at)->next;
        }
        *at = reformat->next;
        leave_unused(cache, reformat);
        cache->count--;
        mlx5dv_dr_action_destroy(reformat->action);
        free(reformat);
    }
}

size_t mlx5_reformats_limit(struct mlx5_reformats *cache) {
    const struct mlx5_ethernet ethernet = {0};
    struct encap encap = {.sids.count = SID_LIST_MAX};
    uint8_t bytes[MLX5_HEADER_MAX];
    for (; encap.sids.count > 0; encap.sids.count--) {
        struct mlx5_reformat *trial = NULL;
        size_t size = mlx5_header_build(&ethernet, &encap, 0, 6, bytes);
        int rc = mlx5_reformat_take(cache, MLX5DV_FLOW_ACTION_PACKET_REFORMAT_TYPE_L2_TO_L3_TUNNEL,
                                    bytes, size, &trial);
        if (rc == 0) {
            mlx5_reformat_give(cache, trial);
            mlx5_reformats_evict(cache, 0);
            return size;
        }
    }
    return 0;
}
