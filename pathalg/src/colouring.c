// SPDX-License-Identifier: Apache-2.0
// An edge takes a colour that is free at both its pieces. Where there is none, one colour a is free
// at the left piece and another, b, at the right one: the chain of edges a, b, a, ... that begins
// at the right piece never comes to the left one (it would arrive there by a), so its colours are
// swapped, and a is free at both.
#include "colouring.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define NO_EDGE UINT32_MAX
#define WORD_BITS 64U

struct colouring {
    uint32_t colours, words; // words: of a piece's mask
    uint32_t (*pieces)[2];   // by edge: of its left and of its right vertex
    uint32_t *at;            // [piece * colours + colour]: the edge of that colour, or NO_EDGE
    uint64_t *free;          // [piece * words]: a mask of the colours that the piece lacks
    uint16_t *colour;        // by edge; the caller's
};

// ---- pieces

// Counts a side's edges by vertex, then turns the counts into the number of the vertex's first
// piece. Returns the number behind the last piece.
static uint32_t number_pieces(uint32_t *first, uint32_t vertex_count, uint32_t colours,
                              uint32_t next) {
    for (uint32_t i = 0; i < vertex_count; i++) {
        uint32_t pieces = first[i] / colours + (first[i] % colours != 0);
        first[i] = next;
        next += pieces;
    }
    return next;
}

// The j-th edge of a vertex is in its piece j / colours. first, seen: by vertex, the right ones
// behind the left ones. Returns the number of pieces.
static uint32_t cut_vertices(struct colouring *colouring, const struct edge *edges,
                             uint32_t edge_count, uint32_t counts[2], uint32_t *first) {
    uint32_t *right_first = first + counts[0];
    for (uint32_t i = 0; i < edge_count; i++) {
        assert(edges[i].left < counts[0] && edges[i].right < counts[1]);
        first[edges[i].left]++;
        right_first[edges[i].right]++;
    }
    uint32_t pieces = number_pieces(first, counts[0], colouring->colours, 0);
    pieces = number_pieces(right_first, counts[1], colouring->colours, pieces);
    uint32_t *seen = first + counts[0] + counts[1];
    uint32_t *right_seen = seen + counts[0];
    for (uint32_t i = 0; i < edge_count; i++) {
        uint32_t left = edges[i].left;
        uint32_t right = edges[i].right;
        colouring->pieces[i][0] = first[left] + seen[left]++ / colouring->colours;
        colouring->pieces[i][1] = right_first[right] + right_seen[right]++ / colouring->colours;
    }
    return pieces;
}

// ---- one edge

static uint64_t *mask_of(const struct colouring *colouring, uint32_t piece) {
    return &colouring->free[(size_t)piece * colouring->words];
}

static uint32_t *edge_at(const struct colouring *colouring, uint32_t piece, uint32_t colour) {
    return &colouring->at[(size_t)piece * colouring->colours + colour];
}

static void set_free(const struct colouring *colouring, uint32_t piece, uint32_t colour, bool is) {
    uint64_t bit = UINT64_C(1) << colour % WORD_BITS;
    uint64_t *word = &mask_of(colouring, piece)[colour / WORD_BITS];
    *word = is ? *word | bit : *word & ~bit;
}

// The first colour, from `start` on and round, that both masks have; `colours` when there is none.
static uint32_t common_colour(const struct colouring *colouring, const uint64_t *a,
                              const uint64_t *b, uint32_t start) {
    uint32_t words = colouring->words;
    uint64_t above = ~UINT64_C(0) << start % WORD_BITS;
    for (uint32_t i = 0; i <= words; i++) { // the first word comes again at the end, for its rest
        uint32_t at = (start / WORD_BITS + i) % words;
        uint64_t both = a[at] & b[at];
        both &= i == 0 ? above : ~UINT64_C(0);
        if (both != 0) {
            return at * WORD_BITS + (uint32_t)__builtin_ctzll(both);
        }
    }
    return colouring->colours;
}

static void paint(const struct colouring *colouring, uint32_t edge, uint32_t colour) {
    for (unsigned side = 0; side < 2; side++) {
        uint32_t piece = colouring->pieces[edge][side];
        *edge_at(colouring, piece, colour) = edge;
        set_free(colouring, piece, colour, false);
    }
    colouring->colour[edge] = (uint16_t)colour;
}

// Swaps the colours a and b along the chain that begins at `piece` (right) with an edge of colour
// a, where b is free. Afterwards a is free there.
static void swap_chain(const struct colouring *colouring, uint32_t piece, uint32_t a, uint32_t b) {
    uint32_t edge = *edge_at(colouring, piece, a);
    *edge_at(colouring, piece, a) = NO_EDGE;
    set_free(colouring, piece, a, true);
    set_free(colouring, piece, b, false);
    for (unsigned side = 0;; side ^= 1) {
        *edge_at(colouring, piece, b) = edge;
        piece = colouring->pieces[edge][side]; // the other end
        uint32_t next = *edge_at(colouring, piece, b);
        *edge_at(colouring, piece, b) = edge;
        colouring->colour[edge] = (uint16_t)b;
        uint32_t swap = a;
        a = b;
        b = swap;
        if (next == NO_EDGE) { // the chain's end: it has lost b (as named now) and gained a
            *edge_at(colouring, piece, b) = NO_EDGE;
            set_free(colouring, piece, b, true);
            set_free(colouring, piece, a, false);
            return;
        }
        edge = next;
    }
}

// `start` differs from edge to edge, so that colours are used alike where there are few edges.
static void colour_edge(const struct colouring *colouring, uint32_t edge) {
    const uint64_t *left = mask_of(colouring, colouring->pieces[edge][0]);
    const uint64_t *right = mask_of(colouring, colouring->pieces[edge][1]);
    uint32_t start = edge % colouring->colours;
    uint32_t colour = common_colour(colouring, left, right, start);
    if (colour == colouring->colours) {
        colour = common_colour(colouring, left, left, start);
        uint32_t other = common_colour(colouring, right, right, start);
        assert(colour < colouring->colours && other < colouring->colours);
        swap_chain(colouring, colouring->pieces[edge][1], colour, other);
    }
    paint(colouring, edge, colour);
}

// ---- all edges

static bool open_masks(struct colouring *colouring, uint32_t pieces) {
    size_t places = (size_t)pieces * colouring->colours;
    colouring->at = calloc(places > 0 ? places : 1, sizeof colouring->at[0]);
    colouring->free = calloc((size_t)pieces * colouring->words + 1, sizeof colouring->free[0]);
    if (colouring->at == NULL || colouring->free == NULL) {
        return false;
    }
    for (size_t i = 0; i < places; i++) {
        colouring->at[i] = NO_EDGE;
    }
    uint32_t rest = colouring->colours % WORD_BITS;
    for (size_t i = 0; i < (size_t)pieces * colouring->words; i++) {
        bool last = i % colouring->words == colouring->words - 1;
        colouring->free[i] = ~UINT64_C(0) >> (last && rest != 0 ? WORD_BITS - rest : 0);
    }
    return true;
}

int colour_edges(const struct edge *edges, uint32_t edge_count, uint32_t left_count,
                 uint32_t right_count, uint32_t colours, uint16_t *colour) {
    assert(colours >= 1 && colours <= UINT16_MAX + 1U);
    struct colouring colouring = {
        .colours = colours,
        .words = (colours + WORD_BITS - 1) / WORD_BITS,
        .pieces = calloc((size_t)edge_count + 1, sizeof colouring.pieces[0]),
        .colour = colour,
    };
    uint32_t counts[2] = {left_count, right_count};
    uint32_t *vertices = calloc(2 * ((size_t)left_count + right_count) + 1, sizeof *vertices);
    int rc = -ENOMEM;
    if (colouring.pieces != NULL && vertices != NULL &&
        open_masks(&colouring, cut_vertices(&colouring, edges, edge_count, counts, vertices))) {
        for (uint32_t i = 0; i < edge_count; i++) {
            colour_edge(&colouring, i);
        }
        rc = 0;
    }
    free(vertices);
    free(colouring.pieces);
    free(colouring.at);
    free(colouring.free);
    return rc;
}
