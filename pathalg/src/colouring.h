// SPDX-License-Identifier: Apache-2.0
// Equitable edge colouring of a bipartite multigraph: with k colours, no vertex has more than
// ceil(degree / k) edges of one colour, nor fewer than floor(degree / k). With leaves as vertices,
// flows of one size as edges and columns as colours it is the best placement of whole flows
// (Koenig 1916; equitable: de Werra 1971; in networks: a Clos is rearrangeable).
//
// Each vertex is cut into pieces of at most k edges, in the order in which the edges come, and the
// pieces are coloured properly, edge by edge, along alternating chains. So the order matters where
// edges weigh differently: with the heaviest first, the weights of two colours at a vertex differ
// by no more than the heaviest edge (the lightest of a piece outweighs the heaviest of the next).
#ifndef PATHALG_COLOURING_H
#define PATHALG_COLOURING_H

#include <stdint.h>

struct edge {
    uint32_t left, right; // vertices, from 0 on each side
};

// colour[edge] becomes 0 to colours - 1. The same edges in the same order get the same colours.
// 1 <= colours <= 65536. -ENOMEM; colour is untouched then.
int colour_edges(const struct edge *edges, uint32_t edge_count, uint32_t left_count,
                 uint32_t right_count, uint32_t colours, uint16_t *colour);

#endif
