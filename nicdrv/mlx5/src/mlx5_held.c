// SPDX-License-Identifier: Apache-2.0
#include "mlx5_held.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int mlx5_held_init(struct mlx5_held *held, struct mlx5_layout *layout) {
    *held = (struct mlx5_held){.layout = *layout};
    *layout = (struct mlx5_layout){0};
    held->flows = calloc((size_t)held->layout.flow_count + 1, sizeof *held->flows);
    held->paths = calloc((size_t)held->layout.path_count + 1, sizeof *held->paths);
    held->sids = calloc((size_t)held->layout.sid_count + 1, sizeof *held->sids);
    if (held->flows == NULL || held->paths == NULL || held->sids == NULL) {
        mlx5_held_fini(held);
        return -ENOMEM;
    }
    return 0;
}

void mlx5_held_fini(struct mlx5_held *held) {
    mlx5_layout_fini(&held->layout);
    free(held->flows);
    free(held->paths);
    free(held->sids);
    *held = (struct mlx5_held){0};
}

static int compare_flows(const struct mlx5_flow *a, const struct mlx5_flow *b) {
    int order = memcmp(a->destination, b->destination, sizeof a->destination);
    if (order != 0) {
        return order;
    }
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    return a->value < b->value ? -1 : a->value > b->value;
}

static void carry_flows(const struct mlx5_held *before, struct mlx5_held *after) {
    uint32_t b = 0;
    for (uint32_t a = 0; a < after->layout.flow_count; a++) {
        const struct mlx5_flow *flow = &after->layout.flows[a];
        while (b < before->layout.flow_count && compare_flows(&before->layout.flows[b], flow) < 0) {
            b++;
        }
        if (b < before->layout.flow_count && compare_flows(&before->layout.flows[b], flow) == 0 &&
            before->layout.flows[b].path_id == flow->path_id) {
            after->flows[a] = before->flows[b];
        }
    }
}

static void carry_paths(const struct mlx5_held *before, struct mlx5_held *after) {
    uint32_t b = 0;
    for (uint32_t a = 0; a < after->layout.path_count; a++) {
        while (b < before->layout.path_count &&
               before->layout.paths[b].id < after->layout.paths[a].id) {
            b++;
        }
        if (b < before->layout.path_count &&
            before->layout.paths[b].id == after->layout.paths[a].id) {
            after->paths[a] = before->paths[b];
        }
    }
}

static void carry_sids(const struct mlx5_held *before, struct mlx5_held *after) {
    for (uint32_t a = 0; a < after->layout.sid_count; a++) {
        for (uint32_t b = 0; b < before->layout.sid_count; b++) {
            if (memcmp(&before->layout.sids[b], &after->layout.sids[a], sizeof(struct sid)) == 0) {
                after->sids[a] = before->sids[b];
            }
        }
    }
}

void mlx5_held_carry(const struct mlx5_held *before, struct mlx5_held *after) {
    carry_flows(before, after);
    carry_paths(before, after);
    carry_sids(before, after);
    memcpy(after->root, before->root, sizeof after->root);
    after->ethernet = before->ethernet;
}

static uint32_t find_path(const struct mlx5_layout *layout, uint32_t id) {
    uint32_t low = 0, high = layout->path_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (layout->paths[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    assert(low < layout->path_count && layout->paths[low].id == id);
    return low;
}

void mlx5_held_versions(const struct mlx5_layout *layout, uint8_t *versions) {
    memset(versions, 0, layout->path_count);
    for (uint32_t f = 0; f < layout->flow_count; f++) {
        const struct mlx5_flow *flow = &layout->flows[f];
        versions[find_path(layout, flow->path_id)] |=
            (uint8_t)(1U << mlx5_version_of(flow->destination));
    }
}

int mlx5_held_retire_flow(struct mlx5_journal *journal, const struct mlx5_held_flow *flow) {
    int rc = mlx5_journal_retire(journal, MLX5_DEED_RULE, flow->rule);
    return rc < 0 ? rc : mlx5_journal_retire(journal, MLX5_DEED_COUNTER, flow->counter);
}

int mlx5_held_retire_path(struct mlx5_journal *journal, const struct mlx5_held_path *path,
                          bool with_id) {
    int rc = 0;
    for (int version = 0; version < MLX5_VERSIONS; version++) {
        for (int c = 0; c < NIC_CLASSES_MAX && rc == 0; c++) {
            const struct mlx5_held_class *class = &path->classes[version][c];
            rc = mlx5_journal_retire(journal, MLX5_DEED_RULE, class->rule);
            rc = rc < 0 ? rc : mlx5_journal_retire(journal, MLX5_DEED_REFORMAT, class->reformat);
        }
    }
    return rc < 0 || !with_id ? rc : mlx5_journal_retire(journal, MLX5_DEED_ACTION, path->set_id);
}

int mlx5_held_retire_sid(struct mlx5_journal *journal, const struct mlx5_held_sid *sid) {
    int rc = 0;
    for (int version = 0; version < MLX5_VERSIONS && rc == 0; version++) {
        rc = mlx5_journal_retire(journal, MLX5_DEED_RULE, sid->root[version]);
        for (int ce = 0; ce < 2 && rc == 0; ce++) {
            rc = mlx5_journal_retire(journal, MLX5_DEED_RULE, sid->strip[version][ce]);
        }
        rc = rc < 0 ? rc : mlx5_journal_retire(journal, MLX5_DEED_REFORMAT, sid->ethernet[version]);
    }
    return rc;
}

int mlx5_held_retire(struct mlx5_journal *journal, const struct mlx5_held *held) {
    int rc = 0;
    for (int version = 0; version < MLX5_VERSIONS && rc == 0; version++) {
        rc = mlx5_journal_retire(journal, MLX5_DEED_RULE, held->root[version]);
    }
    for (uint32_t i = 0; i < held->layout.sid_count && rc == 0; i++) {
        rc = mlx5_held_retire_sid(journal, &held->sids[i]);
    }
    for (uint32_t i = 0; i < held->layout.flow_count && rc == 0; i++) {
        rc = mlx5_held_retire_flow(journal, &held->flows[i]);
    }
    for (uint32_t i = 0; i < held->layout.path_count && rc == 0; i++) {
        rc = mlx5_held_retire_path(journal, &held->paths[i], true);
    }
    return rc;
}
