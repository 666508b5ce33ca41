// SPDX-License-Identifier: Apache-2.0
// What one rank has for another, by formulas of the ranks' numbers alone.
#include <assert.h>

#include "model/job.h"

uint64_t collective_weight_sum(const struct collective *collective) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < collective->weight_count; i++) {
        sum += collective->weights[i];
    }
    return sum;
}

uint64_t collective_matrix_bytes(const struct collective *collective) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < collective->matrix_ranks; i++) {
        for (uint32_t k = 0; k < collective->matrix_ranks; k++) {
            sum += i != k ? collective->matrix[(uint64_t)i * collective->matrix_ranks + k] : 0;
        }
    }
    return sum;
}

uint64_t collective_pair_bytes(const struct collective *collective, uint32_t rank_count,
                               uint64_t weight_sum, uint32_t src_rank, uint32_t dst_rank) {
    if (src_rank == dst_rank) {
        return 0;
    }
    if (collective->type == COLLECTIVE_ALLTOALL) {
        return collective->bytes / rank_count;
    }
    assert(collective->type == COLLECTIVE_ALLTOALLV);
    uint32_t ranks = collective->matrix_ranks;
    if (ranks > 0) {
        bool listed = src_rank < ranks && dst_rank < ranks;
        return listed ? collective->matrix[(uint64_t)src_rank * ranks + dst_rank] : 0;
    }
    return src_rank < collective->weight_count && dst_rank < collective->weight_count
               ? collective->bytes * collective->weights[dst_rank] / weight_sum
               : 0;
}

// ---- trees

// A number's lowest set bit is its height above the leaves, which are the odd numbers: a node of
// bit b has its children at b / 2 to either side, in order. 0 is the root, above the highest power
// of two.
static struct tree_place in_order_place(uint32_t count, uint32_t number) {
    struct tree_place place = {ID_NONE, {ID_NONE, ID_NONE}};
    uint32_t bit = number & (0U - number);
    if (number == 0) {
        for (bit = 1; bit < count; bit <<= 1) {
        }
        place.child[0] = count > 1 ? bit / 2 : ID_NONE;
        return place;
    }
    // The parent is the neighbour at distance b that has the bit 2b alone set; where the tree ends
    // before it, the other neighbour, of some greater height.
    uint32_t right = (number ^ bit) | bit << 1;
    place.parent = right < count ? right : number ^ bit;
    place.child[0] = bit > 1 ? number - bit / 2 : ID_NONE;
    // The right subtree may be cut off by the end; what is left of it hangs there directly.
    for (uint32_t step = bit / 2; step > 0 && place.child[1] == ID_NONE; step /= 2) {
        place.child[1] = number + step < count ? number + step : ID_NONE;
    }
    return place;
}

// The second tree is the first one's mirror image or, for odd counts, which the mirror would leave
// with the same leaves, shifted by one.
static uint32_t other_number(uint32_t count, uint32_t number, bool back) {
    if (number == ID_NONE) {
        return ID_NONE;
    }
    if (count % 2 == 0) {
        return count - 1 - number;
    }
    return (number + (back ? 1 : count - 1)) % count;
}

struct tree_place collective_tree_place(uint32_t rank_count, uint32_t rank, unsigned tree) {
    assert(rank < rank_count && tree < 2);
    if (tree == 0) {
        return in_order_place(rank_count, rank);
    }
    struct tree_place place = in_order_place(rank_count, other_number(rank_count, rank, false));
    place.parent = other_number(rank_count, place.parent, true);
    place.child[0] = other_number(rank_count, place.child[0], true);
    place.child[1] = other_number(rank_count, place.child[1], true);
    return place;
}
