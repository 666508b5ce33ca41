// SPDX-License-Identifier: Apache-2.0
#include "shared_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t cell_count(const struct grid *grid, const struct dense_group *group) {
    return (size_t)group->leaf_count * grid->leaf_count * grid->column_max;
}

static void fill_shares(const struct grid *grid, const struct waterfill *waterfill,
                        const struct dense_group *group, uint32_t *shares) {
    for (uint32_t i = 0; i < group->leaf_count; i++) {
        uint32_t from = group->first_leaf + i;
        for (uint32_t to = 0; to < grid->leaf_count; to++) {
            if (from != to) {
                waterfill_shares(waterfill, from, to, &shares[dense_cell(grid, group, from, to)]);
            }
        }
    }
}

static uint32_t *shares_of(const struct grid *grid, const struct waterfill *waterfill,
                           const struct dense_group *group) {
    uint32_t *shares = calloc(cell_count(grid, group) + 1, sizeof shares[0]);
    if (shares != NULL) {
        fill_shares(grid, waterfill, group, shares);
    }
    return shares;
}

// ---- lists of unequal flows

static bool in_group(const struct dense_group *group, uint32_t leaf) {
    return leaf - group->first_leaf < group->leaf_count;
}

static bool host_is_in_group(const struct grid *grid, const struct dense_group *group,
                             node_id host) {
    const struct fabric_node *node = &grid->fabric->nodes[host.i];
    for (uint32_t p = node->first_port; p < node->first_port + node->port_count; p++) {
        if (in_group(group, grid->leaf_index[grid->fabric->ports[p].leaf.i])) {
            return true;
        }
    }
    return false;
}

struct collector {
    const struct grid *grid;
    struct view_list *list;
    int rc;
};

static void on_demand(void *context, const struct demand *demand) {
    struct collector *collector = context;
    const struct grid *grid = collector->grid;
    const struct fabric_port *ports = grid->fabric->ports;
    uint32_t from = grid->leaf_index[ports[demand->src.i].leaf.i];
    if (collector->rc == 0 && in_group(&collector->list->group, from) &&
        from != grid->leaf_index[ports[demand->dst.i].leaf.i]) {
        collector->rc = flow_list_add(&collector->list->list, demand);
    }
}

// The dense flows of the group's leaves.
static int collect_flows(const struct view_input *input, struct view_list *list) {
    const struct grid *grid = input->tier->grid;
    const struct plan_job *job = &input->jobs[list->job];
    struct collector collector = {.grid = grid, .list = list};
    struct shape_job dense;
    shape_select(job, input->shapes[list->job].dense, &dense);
    for (uint32_t i = 0; i < job->rank_count && collector.rc == 0; i++) {
        if (job->ranks[i].i != ID_NONE &&
            host_is_in_group(grid, &list->group, grid->fabric->ports[job->ranks[i].i].host)) {
            job_demands(&dense.job, grid->fabric, job->ranks, job->rank_count, i,
                        dense.permutations, on_demand, &collector);
        }
    }
    flow_list_merge(&list->list);
    return collector.rc;
}

static size_t first_cell(const struct view *view, const struct grid *grid,
                         const struct view_list *list) {
    return dense_cell(grid, &view->group, list->group.first_leaf, 0);
}

static void list_fini(struct view_list *list) {
    dense_list_close(list->placed);
    free(list->list.flows);
    free(list->flows);
}

static int list_init(const struct view *view, const struct view_input *input,
                     struct view_list *list) {
    const struct grid *grid = input->tier->grid;
    int rc = collect_flows(input, list);
    if (rc != 0) {
        return rc;
    }
    list->flows = calloc(list->list.count + 1, sizeof list->flows[0]);
    if (list->flows == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < list->list.count; i++) {
        const struct sparse_flow *flow = &list->list.flows[i];
        list->flows[i] = (struct dense_flow){
            .src_leaf = grid->leaf_index[grid->fabric->ports[flow->src.i].leaf.i],
            .dst_leaf = grid->leaf_index[grid->fabric->ports[flow->dst.i].leaf.i],
            .bytes = flow->bytes,
        };
    }
    size_t first = first_cell(view, grid, list);
    rc = dense_list_open(grid, &list->group, &view->base[first], list->flows, list->list.count,
                         &list->placed);
    if (rc == 0) {
        dense_list_repair(list->placed, &view->now[first]);
    }
    return rc;
}

static uint64_t sum_of(const uint32_t *counts, uint32_t count) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += counts[i];
    }
    return sum;
}

static struct dense_group joint_group(const struct view *view, const struct grid *grid,
                                      const struct shape *shape, uint32_t leaf) {
    uint64_t sources = sum_of(&shape->sources[view->group.first_leaf], view->group.leaf_count);
    uint64_t flows = sources * sum_of(shape->destinations, grid->leaf_count);
    uint64_t each = flows / view->group.leaf_count;
    return dense_flow_group_of(&view->group, leaf, each < UINT32_MAX ? (uint32_t)each : UINT32_MAX);
}

static int find_list(struct view *view, const struct view_input *input, uint32_t job, uint32_t leaf,
                     struct view_list **out) {
    for (uint32_t i = 0; i < view->list_count; i++) {
        if (view->lists[i].job == job && in_group(&view->lists[i].group, leaf)) {
            *out = &view->lists[i];
            return 0;
        }
    }
    struct view_list *grown = realloc(view->lists, (view->list_count + 1) * sizeof grown[0]);
    if (grown == NULL) {
        return -ENOMEM;
    }
    view->lists = grown;
    struct view_list list = {.job = job,
                             .group =
                                 joint_group(view, input->tier->grid, &input->shapes[job], leaf)};
    int rc = list_init(view, input, &list);
    if (rc != 0) {
        list_fini(&list);
        return rc;
    }
    grown[view->list_count] = list;
    *out = &grown[view->list_count++];
    return 0;
}

// ---- views

void view_fini(struct view *view) {
    for (uint32_t i = 0; view->rows != NULL && i < view->job_count; i++) {
        dense_rows_close(view->rows[i]);
    }
    for (uint32_t i = 0; i < view->list_count; i++) {
        list_fini(&view->lists[i]);
    }
    free(view->lists);
    free(view->rows);
    free(view->base);
    free(view->now);
    *view = (struct view){0};
}

static int open_rows(const struct view_input *input, struct view *view) {
    for (uint32_t i = 0; i < input->job_count; i++) {
        const struct shape *shape = &input->shapes[i];
        if (input->tier_of[i] != input->tier_index || shape->dense == 0 || !shape->equal) {
            continue;
        }
        const struct dense_ends ends = {shape->sources, shape->destinations};
        int rc =
            dense_rows_open(input->tier->grid, &view->group, &ends, view->base, &view->rows[i]);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int view_open(const struct view_input *input, const struct dense_group *group, struct view *out) {
    const struct tier *tier = input->tier;
    struct view view = {.group = *group,
                        .tier = input->tier_index,
                        .job_count = input->job_count,
                        .rows = calloc(input->job_count + 1, sizeof view.rows[0]),
                        .base = shares_of(tier->grid, tier->base, group)};
    view.now =
        view.base != NULL ? malloc((cell_count(tier->grid, group) + 1) * sizeof view.now[0]) : NULL;
    int rc = view.rows == NULL || view.now == NULL ? -ENOMEM : open_rows(input, &view);
    if (rc != 0) {
        view_fini(&view);
        return rc;
    }
    *out = view;
    return 0;
}

int view_follow(struct view *view, const struct view_input *input) {
    const struct grid *grid = input->tier->grid;
    if (view->followed) {
        return 0;
    }
    if (input->tier->now == input->tier->base) {
        memcpy(view->now, view->base, cell_count(grid, &view->group) * sizeof view->now[0]);
    } else {
        fill_shares(grid, input->tier->now, &view->group, view->now);
    }
    for (uint32_t i = 0; i < view->job_count; i++) {
        if (view->rows[i] != NULL) {
            dense_rows_repair(view->rows[i], view->now);
        }
    }
    for (uint32_t i = 0; i < view->list_count; i++) {
        struct view_list *list = &view->lists[i];
        dense_list_repair(list->placed, &view->now[first_cell(view, grid, list)]);
    }
    view->followed = true;
    return 0;
}

bool view_column(struct view *view, const struct view_input *input, const struct plan_flow *flow,
                 uint32_t *column, int *rc) {
    const struct grid *grid = input->tier->grid;
    const struct fabric_port *ports = grid->fabric->ports;
    const struct shape *shape = &input->shapes[flow->job];
    const uint32_t leaves[2] = {grid->leaf_index[ports[flow->src.i].leaf.i],
                                grid->leaf_index[ports[flow->dst.i].leaf.i]};
    if (view->rows[flow->job] != NULL) {
        return dense_rows_column(view->rows[flow->job], leaves, shape->source_index[flow->src.i],
                                 shape->destination_index[flow->dst.i], column);
    }
    struct view_list *list;
    uint32_t index;
    int found = find_list(view, input, flow->job, leaves[0], &list);
    if (found != 0) {
        *rc = found;
        return false;
    }
    if (!flow_list_find(&list->list, flow->src, flow->dst, &index) ||
        list->flows[index].column == ID_NONE) {
        return false;
    }
    *column = list->flows[index].column;
    return true;
}
