// SPDX-License-Identifier: Apache-2.0
#include "mlx5_tally.h"

#include <errno.h>
#include <stdlib.h>

#include "nicdrv/diff.h"

#define ETHERNET_BYTES 14

int mlx5_tally_init(struct mlx5_tally *tally) {
    struct mlx5_tally empty = {.first = calloc(1, sizeof *empty.first),
                               .carried = calloc(1, sizeof *empty.carried)};
    if (empty.first == NULL || empty.carried == NULL) {
        mlx5_tally_fini(&empty);
        return -ENOMEM;
    }
    *tally = empty;
    return 0;
}

void mlx5_tally_fini(struct mlx5_tally *tally) {
    free(tally->first);
    free(tally->carried);
    free(tally->origin);
    *tally = (struct mlx5_tally){0};
}

// The old rule of this match, or RULE_NONE. Both sets are sorted: *at goes through the old one.
static uint32_t next_old(const struct rule_set *before, const struct rule_match *match,
                         uint32_t *at) {
    int order = -1;
    while (*at < before->rule_count &&
           (order = rule_match_compare(&before->rules[*at].match, match)) < 0) {
        (*at)++;
    }
    return order == 0 ? *at : RULE_NONE;
}

static void fill_origin(const struct rule_set *before_set, const struct mlx5_tally *before,
                        const struct rule_set *after_set, struct mlx5_tally *after) {
    for (uint32_t i = 0; i < after->origin_count; i++) {
        after->origin[i] = RULE_NONE;
    }
    for (uint32_t r = 0, at = 0; r < after_set->rule_count; r++) {
        uint32_t origin[RULE_PATHS_MAX];
        uint32_t old = next_old(before_set, &after_set->rules[r].match, &at);
        rule_path_origins(before_set, old, after_set, r, origin);
        for (uint32_t p = 0; p < after_set->rules[r].path_count; p++) {
            if (origin[p] != RULE_NONE) {
                after->origin[before->first[old] + origin[p]] = after->first[r] + p;
            }
        }
    }
}

int mlx5_tally_prepare(const struct rule_set *before_set, const struct mlx5_tally *before,
                       const struct rule_set *after_set, struct mlx5_tally *after) {
    struct mlx5_tally next = {.origin_count = before->first[before_set->rule_count]};
    if (rule_path_numbers(after_set, &next.first) < 0) {
        return -ENOMEM;
    }
    next.carried = calloc((size_t)next.first[after_set->rule_count] + 1, sizeof *next.carried);
    next.origin = calloc((size_t)next.origin_count + 1, sizeof *next.origin);
    if (next.carried == NULL || next.origin == NULL) {
        mlx5_tally_fini(&next);
        return -ENOMEM;
    }
    fill_origin(before_set, before, after_set, &next);
    *after = next;
    return 0;
}

static void add(struct mlx5_count *sum, struct mlx5_count more) {
    sum->packets += more.packets;
    sum->bytes += more.bytes;
}

// Each counter once, whatever number of flows shares it.
static struct mlx5_counter *next_counter(const struct mlx5_held *held, uint32_t *f, uint32_t round,
                                         const struct mlx5_flow **flow) {
    while (*f < held->layout.flow_count) {
        struct mlx5_counter *counter = held->flows[*f].counter;
        *flow = &held->layout.flows[*f];
        (*f)++;
        if (counter != NULL && counter->round != round) {
            counter->round = round;
            return counter;
        }
    }
    return NULL;
}

static void give_owners(struct mlx5_tally *tally, const struct mlx5_held *held,
                        struct mlx5_counters *pool) {
    const struct mlx5_flow *flow;
    struct mlx5_counter *counter;
    uint32_t f = 0, round = ++pool->round;
    while ((counter = next_counter(held, &f, round, &flow)) != NULL) {
        uint32_t number = tally->first[flow->rule] + flow->path;
        counter->carry_to = counter->fresh ? number : tally->origin[counter->owner];
        counter->rebase = counter->carry_to != number;
        if (counter->rebase) {
            mlx5_counter_want(pool, counter);
        }
        counter->owner = number;
        counter->fresh = false;
    }
}

void mlx5_tally_settle(struct mlx5_tally *tally, const struct mlx5_tally *before,
                       const struct mlx5_held *held, struct mlx5_counters *pool) {
    const struct mlx5_flow *flow;
    struct mlx5_counter *counter;
    give_owners(tally, held, pool);
    mlx5_counters_read(pool, false);
    uint32_t f = 0, round = ++pool->round;
    while ((counter = next_counter(held, &f, round, &flow)) != NULL) {
        if (counter->rebase && counter->carry_to != RULE_NONE) {
            add(&tally->carried[counter->carry_to], mlx5_counter_since(counter));
        }
        counter->base = counter->rebase ? counter->now : counter->base;
    }
    for (uint32_t i = 0; i < tally->origin_count; i++) {
        if (tally->origin[i] != RULE_NONE) {
            add(&tally->carried[tally->origin[i]], before->carried[i]);
        }
    }
    for (counter = pool->dirty; counter != NULL; counter = counter->next) {
        uint32_t number = counter->fresh ? RULE_NONE : tally->origin[counter->owner];
        if (number != RULE_NONE) {
            add(&tally->carried[number], mlx5_counter_since(counter));
        }
    }
    mlx5_counters_clean(pool);
}

static struct nic_counter counter_of(const struct rule *rule, uint32_t path,
                                     const struct mlx5_count *count) {
    uint64_t headers = count->packets * ETHERNET_BYTES;
    return (struct nic_counter){rule->match, path, count->packets,
                                count->bytes > headers ? count->bytes - headers : 0};
}

int mlx5_tally_report(const struct mlx5_tally *tally, const struct rule_set *set,
                      const struct mlx5_held *held, struct mlx5_counters *pool,
                      nic_counter_fn *each, void *context) {
    const struct mlx5_flow *flow;
    struct mlx5_counter *counter;
    uint32_t total = tally->first[set->rule_count];
    struct mlx5_count *sums = calloc((size_t)total + 1, sizeof *sums);
    int rc = sums == NULL ? -ENOMEM : mlx5_counters_read(pool, true);
    if (rc < 0) {
        free(sums);
        return rc;
    }
    for (uint32_t i = 0; i < total; i++) {
        sums[i] = tally->carried[i];
    }
    uint32_t f = 0, round = ++pool->round;
    while ((counter = next_counter(held, &f, round, &flow)) != NULL) {
        add(&sums[counter->owner], mlx5_counter_since(counter));
    }
    for (uint32_t r = 0; r < set->rule_count; r++) {
        for (uint32_t p = 0; p < set->rules[r].path_count; p++) {
            struct nic_counter report = counter_of(&set->rules[r], p, &sums[tally->first[r] + p]);
            each(context, &report);
        }
    }
    free(sums);
    return 0;
}
