// SPDX-License-Identifier: Apache-2.0
// What the stages of sparse_place work on: how much of each flow is on which column, how loaded
// each link is, and how much it may carry. Private to sparse*.c.
//
// A *share* is a flow's bytes on one column. Shares hang on a list for their flow and on one for
// each link that they cross; a share whose bytes have left stays there, empty.
#ifndef PATHALG_SPARSE_STATE_H
#define PATHALG_SPARSE_STATE_H

#include "sparse.h"

#define SPARSE_LINKS_MAX 4 // between switches, of one path
#define SPARSE_WORTH 256   // a part smaller than 1/256 of its flow is not worth a rule
// Limits are above the level by 1/1024, so that parts are not chased for rounding's sake.
#define SPARSE_FINE 1.0009765625

struct sparse_baseline {
    uint32_t *column; // by flow
    uint32_t flow_count;
};

// Flows as the baseline looks at them, largest first.
struct sparse_item {
    uint64_t bytes;
    uint32_t flow;
    uint32_t src_leaf, dst_leaf;
    bool far;
};
struct sparse_items {
    const struct grid *grid;
    struct sparse_item *list;
    uint32_t count;
};

struct sparse_way {
    uint32_t link_count; // 0: a route is missing
    uint32_t links[SPARSE_LINKS_MAX];
};

struct sparse_share {
    uint32_t flow, column;
    uint64_t bytes;
    uint32_t next_of_flow;           // ID_NONE at the end
    uint32_t next[SPARSE_LINKS_MAX]; // the list of the way's link of that place
};

struct sparse_state_flow {
    uint32_t src_leaf, dst_leaf;
    const struct grid_space *space;
    uint64_t left;        // bytes not placed
    uint32_t first_share; // ID_NONE: none
    uint32_t part_count;  // shares that are not empty
    bool served;          // some column lives
};

struct sparse_state {
    const struct sparse_input *input;
    struct sparse_state_flow *flows;
    struct sparse_share *shares;
    uint32_t share_count, share_capacity;
    uint32_t *first_place; // by link: share * SPARSE_LINKS_MAX + place in its way; ID_NONE: none
    double *load;          // by link: occupied and placed bytes
    double *limit;         // by link: bytes that it may carry
    double goal_s, level_s;
    uint32_t *seen; // by link: of the last search that came by
    uint32_t search, search_budget;
    int rc; // -ENOMEM once a share could not be added
};

// The links of the way between two leaves over a column; false where there is none.
bool sparse_way_between(const struct grid *grid, uint32_t src_leaf, uint32_t dst_leaf,
                        uint32_t column, struct sparse_way *way);

// ---- baseline: largest first to the least loaded column; by flow. False: no memory.
bool sparse_lpt(const struct sparse_items *items, uint32_t *columns, double *highest);
// The bytes of the most loaded link, as if all links were alike. False: no memory.
bool sparse_highest(const struct sparse_items *items, const uint32_t *columns, double *highest);

// Everything on its baseline column, whether that lives or not. -ENOMEM.
int sparse_state_init(struct sparse_state *state, const struct sparse_input *input,
                      const struct sparse_baseline *baseline);
void sparse_state_fini(struct sparse_state *state);

// The same for a flow.
bool sparse_way(const struct sparse_state *state, uint32_t flow, uint32_t column,
                struct sparse_way *way);
bool sparse_crosses(const struct sparse_way *way, uint32_t link);
// The bytes that fit on every link of the way; negative or 0: none.
double sparse_room(const struct sparse_state *state, const struct sparse_way *way);
// The first column from `first` on and round whose links all live; ID_NONE: none.
uint32_t sparse_living_column(const struct sparse_state *state, uint32_t flow, uint32_t first);
// The least number of bytes that is worth a part of the flow.
uint64_t sparse_worth(const struct sparse_state *state, uint32_t flow);
// As many of `bytes` as fit into the room.
uint64_t sparse_fitting(uint64_t bytes, double room);
// Whether a flow may have a part on the column without exceeding parts_max.
bool sparse_may_part(const struct sparse_state *state, uint32_t flow, uint32_t column);
// Moves bytes between what is left of a flow and a column. No memory: sets state->rc.
void sparse_put(struct sparse_state *state, uint32_t flow, uint32_t column, uint64_t bytes);
void sparse_take(struct sparse_state *state, uint32_t share, uint64_t bytes);
void sparse_set_limits(struct sparse_state *state, double factor);

// ---- stages
// goal_s: the largest cut, over leaves and regions, of what is placed and left, and occupied.
// level_s: what the repair may load links with.
int sparse_set_goal(struct sparse_state *state);
void sparse_displace(struct sparse_state *state);
// -ENOMEM
int sparse_place_whole(struct sparse_state *state);
int sparse_split(struct sparse_state *state);
// Makes room for up to `bytes` more on the link by moving parts of other flows to other columns,
// along a chain where these are full, too. False when nothing gave way.
bool sparse_relieve(struct sparse_state *state, uint32_t link, uint64_t bytes);
// Lowers the highest loads by moving parts, in small steps.
void sparse_smooth(struct sparse_state *state);

#endif
