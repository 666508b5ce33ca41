// SPDX-License-Identifier: Apache-2.0
// Parts are taken column by column. For the parts of one column, two counters for each leaf and
// other column say what would move there from the leaf's link of this column, and to it. A part
// takes the column where the larger of its two counters is smallest; it looks for one from a place
// that moves on with each part, and stops where both are zero.
#include "shared_backup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct chooser {
    const struct backup_input *input;
    uint32_t *order;    // parts, column by column, near before far
    uint64_t *out, *in; // by leaf and column: bytes that would move there
    uint32_t turn;
};

static bool routes_meet(const struct grid_route *a, const struct grid_route *b) {
    for (uint32_t i = 0; i < a->link_count; i++) {
        for (uint32_t j = 0; j < b->link_count; j++) {
            if (a->links[i].i == b->links[j].i) {
                return true;
            }
        }
    }
    return false;
}

bool columns_meet(const struct grid *grid, const uint32_t leaves[2], uint32_t a, uint32_t b) {
    const struct grid_space *space = grid_between(grid, leaves[0], leaves[1]);
    return routes_meet(grid_route(space, leaves[0], a), grid_route(space, leaves[0], b)) ||
           routes_meet(grid_route(space, leaves[1], a), grid_route(space, leaves[1], b));
}

static void leaves_of(const struct backup_input *input, const struct sparse_part *part,
                      uint32_t leaves[2]) {
    const struct fabric_port *ports = input->grid->fabric->ports;
    const struct sparse_flow *flow = &input->flows[part->flow];
    leaves[0] = input->grid->leaf_index[ports[flow->src.i].leaf.i];
    leaves[1] = input->grid->leaf_index[ports[flow->dst.i].leaf.i];
}

// The place of a part's column among all columns, near ones first.
static uint32_t place_of(const struct backup_input *input, const struct sparse_part *part) {
    uint32_t leaves[2];
    leaves_of(input, part, leaves);
    bool far = grid_between(input->grid, leaves[0], leaves[1]) == &input->grid->far;
    return part->column + (far ? input->grid->near.column_count : 0);
}

static int sort_parts(struct chooser *chooser) {
    const struct backup_input *input = chooser->input;
    uint32_t places = input->grid->near.column_count + input->grid->far.column_count;
    uint32_t *first = calloc((size_t)places + 2, sizeof first[0]);
    if (first == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < input->part_count; i++) {
        first[place_of(input, &input->parts[i]) + 1]++;
    }
    for (uint32_t i = 0; i < places; i++) {
        first[i + 1] += first[i];
    }
    for (uint32_t i = 0; i < input->part_count; i++) {
        chooser->order[first[place_of(input, &input->parts[i])]++] = i;
    }
    free(first);
    return 0;
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint32_t choose(struct chooser *chooser, const struct sparse_part *part) {
    const struct backup_input *input = chooser->input;
    const struct grid *grid = input->grid;
    uint32_t leaves[2];
    leaves_of(input, part, leaves);
    uint32_t count = grid_between(grid, leaves[0], leaves[1])->column_count;
    uint64_t *out = &chooser->out[(size_t)leaves[0] * grid->column_max];
    uint64_t *in = &chooser->in[(size_t)leaves[1] * grid->column_max];
    uint32_t best = ID_NONE;
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i + 1 < count && least > 0; i++) {
        uint32_t at = (part->column + 1 + (chooser->turn + i) % (count - 1)) % count;
        uint64_t bytes = larger(out[at], in[at]);
        if (bytes < least && !columns_meet(grid, leaves, at, part->column) &&
            grid_column_lives(grid, input->rate_bps, leaves[0], leaves[1], at)) {
            least = bytes;
            best = at;
        }
    }
    if (best != ID_NONE) {
        out[best] += part->bytes;
        in[best] += part->bytes;
    }
    chooser->turn++;
    return best;
}

static void choose_all(struct chooser *chooser, uint32_t *columns) {
    const struct backup_input *input = chooser->input;
    const struct grid *grid = input->grid;
    size_t cells = (size_t)grid->leaf_count * grid->column_max;
    uint32_t place = ID_NONE;
    for (uint32_t i = 0; i < input->part_count; i++) {
        const struct sparse_part *part = &input->parts[chooser->order[i]];
        if (place_of(input, part) != place) {
            place = place_of(input, part);
            memset(chooser->out, 0, cells * sizeof chooser->out[0]);
            memset(chooser->in, 0, cells * sizeof chooser->in[0]);
        }
        columns[chooser->order[i]] = choose(chooser, part);
    }
}

int backup_choose(const struct backup_input *input, uint32_t *columns) {
    size_t cells = (size_t)input->grid->leaf_count * input->grid->column_max;
    struct chooser chooser = {
        .input = input,
        .order = calloc((size_t)input->part_count + 1, sizeof chooser.order[0]),
        .out = calloc(cells + 1, sizeof chooser.out[0]),
        .in = calloc(cells + 1, sizeof chooser.in[0]),
    };
    int rc = -ENOMEM;
    if (chooser.order != NULL && chooser.out != NULL && chooser.in != NULL) {
        rc = sort_parts(&chooser);
    }
    if (rc == 0) {
        choose_all(&chooser, columns);
    }
    free(chooser.order);
    free(chooser.out);
    free(chooser.in);
    return rc;
}
