// SPDX-License-Identifier: Apache-2.0
#include "pathalg/plan.h"

#include <stdlib.h>

#include "pathalg/candidates.h"

void plan_init(struct plan *plan) {
    *plan = (struct plan){0};
}

void plan_fini(struct plan *plan) {
    free(plan->flows);
    free(plan->parts);
    plan_init(plan);
}

int plan_host(const struct plan_input *input, node_id host, struct plan *out, struct error *error) {
    struct planner *planner;
    int rc = planner_open(input->fabric, &planner);
    if (rc != 0) {
        return error_set(error, rc, "no memory for a planner");
    }
    rc = planner_plan(planner, input, host, out, error);
    planner_close(planner);
    return rc;
}

static bool part_equal(const struct plan_part *a, const struct plan_part *b) {
    return a->bytes == b->bytes && path_equal(&a->path, &b->path) &&
           path_equal(&a->backup, &b->backup);
}

static bool flow_equal(const struct plan *a, const struct plan *b, uint32_t index) {
    const struct plan_flow *x = &a->flows[index];
    const struct plan_flow *y = &b->flows[index];
    if (x->src.i != y->src.i || x->dst.i != y->dst.i || x->job != y->job || x->bytes != y->bytes ||
        x->local != y->local || x->steered != y->steered || x->spray != y->spray ||
        x->part_count != y->part_count) {
        return false;
    }
    for (uint32_t i = 0; i < x->part_count; i++) {
        if (!part_equal(&a->parts[x->first_part + i], &b->parts[y->first_part + i])) {
            return false;
        }
    }
    return true;
}

bool plan_equal(const struct plan *a, const struct plan *b) {
    if (a->flow_count != b->flow_count || a->part_count != b->part_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->flow_count; i++) {
        if (!flow_equal(a, b, i)) {
            return false;
        }
    }
    return true;
}
