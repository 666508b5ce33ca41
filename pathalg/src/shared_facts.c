// SPDX-License-Identifier: Apache-2.0
#include "shared_facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"
#include "planner.h"

// Views are let go between hosts when their lists hold more flows than this.
#define VIEW_FLOWS_MAX (UINT32_C(1) << 20)

int shared_open(const struct fabric *fabric, struct shared **out) {
    struct shared *shared = calloc(1, sizeof *shared);
    if (shared == NULL) {
        return -ENOMEM;
    }
    shared->fabric = fabric;
    *out = shared;
    return 0;
}

static void close_views(struct shared *shared) {
    for (unsigned i = 0; i < VIEWS_MAX; i++) {
        view_fini(&shared->views[i]);
    }
}

void shared_forget_beliefs(struct shared *shared) {
    shared->beliefs_known = false;
    for (unsigned i = 0; i < VIEWS_MAX; i++) {
        shared->views[i].followed = false;
    }
}

void shared_forget(struct shared *shared) {
    shared_forget_beliefs(shared);
    close_views(shared);
    for (uint32_t i = 0; i < shared->tier_count; i++) {
        tier_fini(&shared->tiers[i]);
    }
    for (uint32_t i = 0; shared->shapes != NULL && i < shared->job_count; i++) {
        shape_fini(&shared->shapes[i]);
    }
    free(shared->tiers);
    free(shared->shapes);
    free(shared->tier_of);
    shared->tiers = NULL;
    shared->shapes = NULL;
    shared->tier_of = NULL;
    shared->job_count = shared->tier_count = 0;
    shared->jobs_known = false;
}

void shared_close(struct shared *shared) {
    if (shared == NULL) {
        return;
    }
    shared_forget(shared);
    grid_close(shared->grid);
    free(shared->live_bps);
    free(shared);
}

// ---- jobs

static uint64_t *nominal_rates(const struct fabric *fabric) {
    uint32_t links = fabric_link_count(fabric);
    uint64_t *rates = malloc((links + 1) * sizeof rates[0]);
    for (uint32_t i = 0; rates != NULL && i < links; i++) {
        rates[i] = fabric->cables[link_cable((link_id){i}).i].rate_bps;
    }
    return rates;
}

static int open_shapes(struct shared *shared, const struct plan_input *input) {
    shared->job_count = input->job_count;
    shared->shapes = calloc(input->job_count + 1, sizeof shared->shapes[0]);
    shared->tier_of = calloc(input->job_count + 1, sizeof shared->tier_of[0]);
    shared->tiers = calloc(input->job_count + 1, sizeof shared->tiers[0]);
    if (shared->shapes == NULL || shared->tier_of == NULL || shared->tiers == NULL) {
        return -ENOMEM;
    }
    int rc = 0;
    for (uint32_t i = 0; i < input->job_count && rc == 0; i++) {
        shared->tier_of[i] = ID_NONE;
        if (job_is_shared(input, i)) {
            rc = shape_open(shared->grid, &input->jobs[i], &shared->shapes[i]);
        }
    }
    return rc;
}

static int add_tier(struct shared *shared, const struct plan_input *input, const uint32_t *members,
                    uint32_t count) {
    const struct demand_jobs jobs = {input->jobs, shared->shapes, members, count};
    int rc = tier_open(shared->grid, &jobs, &shared->tiers[shared->tier_count]);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        shared->tier_of[members[i]] = shared->tier_count;
    }
    shared->tier_count += rc == 0;
    return rc;
}

// Reserved jobs in order of names, then the rest.
static int open_tiers(struct shared *shared, const struct plan_input *input) {
    uint32_t *others = calloc(input->job_count + 1, sizeof others[0]);
    uint32_t count = 0;
    int rc = others == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < input->job_count && rc == 0; i++) {
        if (!job_is_shared(input, i)) {
            continue;
        }
        if (input->jobs[i].job->reserved_bps > 0) {
            rc = add_tier(shared, input, &i, 1);
        } else {
            others[count++] = i;
        }
    }
    if (rc == 0 && count > 0) {
        rc = add_tier(shared, input, others, count);
    }
    free(others);
    return rc;
}

static int lay_tiers(struct shared *shared) {
    uint64_t *rates = nominal_rates(shared->fabric);
    int rc = rates == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < shared->tier_count && rc == 0; i++) {
        rc = tier_lay(&shared->tiers[i], rates);
    }
    free(rates);
    return rc;
}

static int learn_jobs(struct shared *shared, const struct plan_input *input) {
    int rc = shared->grid == NULL ? grid_open(shared->fabric, &shared->grid) : 0;
    rc = rc != 0 ? rc : open_shapes(shared, input);
    rc = rc != 0 ? rc : open_tiers(shared, input);
    rc = rc != 0 ? rc : lay_tiers(shared);
    if (rc != 0) {
        shared_forget(shared);
        return rc;
    }
    shared->jobs_known = true;
    return 0;
}

// ---- beliefs

static int find_live_rates(struct shared *shared, const struct plan_input *input) {
    uint32_t links = fabric_link_count(shared->fabric);
    if (shared->live_bps == NULL) {
        shared->live_bps = calloc(links + 1, sizeof shared->live_bps[0]);
    }
    for (uint32_t i = 0; shared->live_bps != NULL && i < links; i++) {
        shared->live_bps[i] = link_live_rate_bps(shared->fabric, input->beliefs, (link_id){i});
    }
    return shared->live_bps != NULL ? 0 : -ENOMEM;
}

static int follow_beliefs(struct shared *shared, const struct plan_input *input) {
    int rc = find_live_rates(shared, input);
    uint32_t links = fabric_link_count(shared->fabric);
    uint64_t *rates = malloc((links + 1) * sizeof rates[0]);
    if (rc != 0 || rates == NULL) {
        free(rates);
        return -ENOMEM;
    }
    memcpy(rates, shared->live_bps, links * sizeof rates[0]);
    for (uint32_t i = 0; i < shared->tier_count && rc == 0; i++) {
        rc = tier_follow(&shared->tiers[i], rates);
    }
    free(rates);
    shared->beliefs_known = rc == 0;
    return rc;
}

int shared_update(struct shared *shared, const struct plan_input *input) {
    int rc = shared->jobs_known ? 0 : learn_jobs(shared, input);
    return rc != 0 || shared->beliefs_known ? rc : follow_beliefs(shared, input);
}

// ---- views

static void trim_views(struct shared *shared) {
    uint64_t flows = 0;
    for (unsigned i = 0; i < VIEWS_MAX; i++) {
        for (uint32_t j = 0; j < shared->views[i].list_count; j++) {
            flows += shared->views[i].lists[j].list.count;
        }
    }
    if (flows > VIEW_FLOWS_MAX) {
        close_views(shared);
    }
}

static struct view *find_view(struct shared *shared, uint32_t tier, uint32_t leaf) {
    for (unsigned i = 0; i < VIEWS_MAX; i++) {
        struct view *view = &shared->views[i];
        if (view->tier == tier && leaf - view->group.first_leaf < view->group.leaf_count) {
            return view;
        }
    }
    return NULL;
}

int shared_view(struct shared *shared, const struct view_input *input, uint32_t leaf,
                struct view **out) {
    struct view *view = find_view(shared, input->tier_index, leaf);
    if (view == NULL) {
        struct dense_group group = dense_group_of(shared->grid, leaf);
        struct view opened;
        trim_views(shared);
        int rc = view_open(input, &group, &opened);
        if (rc != 0) {
            return rc;
        }
        view = &shared->views[shared->next_view++ % VIEWS_MAX];
        view_fini(view);
        *view = opened;
    }
    int rc = view_follow(view, input);
    if (rc == 0) {
        *out = view;
    }
    return rc;
}

// ---- reservations

int shared_reserved(struct shared *shared, const struct plan_input *input, shared_reserved_fn *each,
                    void *context) {
    int rc = shared_update(shared, input);
    if (rc != 0) {
        return rc;
    }
    double *taken = calloc(fabric_link_count(shared->fabric) + 1, sizeof taken[0]);
    if (taken == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < input->job_count && rc == 0; i++) {
        if (shared->tier_of[i] != ID_NONE && shared->tiers[shared->tier_of[i]].reserved_bps > 0) {
            rc = tier_add_reserved(&shared->tiers[shared->tier_of[i]], taken);
            if (rc == 0) {
                each(context, i, taken);
            }
        }
    }
    free(taken);
    return rc;
}
