// SPDX-License-Identifier: Apache-2.0
// The stages in order, and what they leave as parts.
#include "sparse.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sparse_state.h"

static int repair(struct sparse_state *state) {
    int rc = sparse_set_goal(state);
    if (rc == 0) {
        sparse_set_limits(state, SPARSE_FINE);
        sparse_displace(state);
        rc = sparse_place_whole(state);
    }
    return rc == 0 ? sparse_split(state) : rc;
}

// The columns of one flow, each with its bytes, in order.
static uint32_t write_parts(const struct sparse_state *state, uint32_t flow,
                            struct sparse_part *parts) {
    uint32_t count = 0;
    for (uint32_t share = state->flows[flow].first_share; share != ID_NONE;
         share = state->shares[share].next_of_flow) {
        const struct sparse_share *from = &state->shares[share];
        if (from->bytes == 0) {
            continue;
        }
        uint32_t at = count++;
        for (; at > 0 && parts[at - 1].column > from->column; at--) {
            parts[at] = parts[at - 1];
        }
        parts[at] =
            (struct sparse_part){.flow = flow, .column = from->column, .bytes = from->bytes};
    }
    return count;
}

static int write_placement(const struct sparse_state *state, const struct sparse_baseline *baseline,
                           struct sparse_placement *out) {
    uint32_t flows = state->input->flow_count;
    uint32_t *base_column = calloc((size_t)flows + 1, sizeof base_column[0]);
    struct sparse_part *parts = calloc((size_t)state->share_count + flows + 1, sizeof parts[0]);
    if (base_column == NULL || parts == NULL) {
        free(base_column);
        free(parts);
        return -ENOMEM;
    }
    memcpy(base_column, baseline->column, flows * sizeof base_column[0]);
    uint32_t count = 0;
    for (uint32_t i = 0; i < flows; i++) {
        assert(state->flows[i].left == 0);
        uint32_t written = write_parts(state, i, &parts[count]);
        if (written == 0 && state->flows[i].served) { // a flow of no bytes has a path, too
            parts[count] =
                (struct sparse_part){.flow = i,
                                     .column = sparse_living_column(state, i, base_column[i])};
            written = 1;
        }
        count += written;
    }
    *out = (struct sparse_placement){.parts = parts,
                                     .part_count = count,
                                     .base_column = base_column,
                                     .goal_s = state->goal_s};
    return 0;
}

static int place(const struct sparse_input *input, const struct sparse_baseline *baseline,
                 struct sparse_placement *out) {
    struct sparse_state state;
    int rc = sparse_state_init(&state, input, baseline);
    if (rc != 0) {
        return rc;
    }
    rc = repair(&state);
    if (rc == 0) {
        rc = write_placement(&state, baseline, out);
    }
    sparse_state_fini(&state);
    return rc;
}

int sparse_place(const struct sparse_input *input, struct sparse_placement *out) {
    if (input->baseline != NULL) {
        return place(input, input->baseline, out);
    }
    struct sparse_baseline *baseline;
    int rc = sparse_baseline_open(input->grid, input->flows, input->flow_count, &baseline);
    if (rc == 0) {
        rc = place(input, baseline, out);
        sparse_baseline_close(baseline);
    }
    return rc;
}

void sparse_placement_fini(struct sparse_placement *placement) {
    free(placement->parts);
    free(placement->base_column);
    *placement = (struct sparse_placement){0};
}
