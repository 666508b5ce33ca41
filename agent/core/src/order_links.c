// SPDX-License-Identifier: Apache-2.0
// From orders to links: whatever is not in force is passed over by its own words, so that a belief
// costs as much as there are active orders, not as there are links.
#include "state.h"

static bool is_end(const struct engine *engine, link_id link, node_id node) {
    return fabric_link_from(engine->fabric, link).i == node.i ||
           fabric_link_to(engine->fabric, link).i == node.i;
}

// Calls for each link that the name of an order may mean; order_covers knows which it does.
static void each_meant(struct engine *engine, const char *name, order_link_fn *each) {
    const struct fabric *fabric = engine->fabric;
    link_id link;
    cable_id first;
    uint32_t count;
    node_id node;
    if (fabric_find_link(fabric, name, &link)) {
        each(engine, link);
    } else if (fabric_find_cables(fabric, name, &first, &count)) {
        for (uint32_t i = 0; i < 2 * count; i++) {
            each(engine, (link_id){2 * first.i + i});
        }
    } else if (fabric_find_node(fabric, name, &node)) {
        for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
            if (is_end(engine, (link_id){i}, node)) {
                each(engine, (link_id){i});
            }
        }
    }
}

void order_links(struct engine *engine, enum drain_kind kind, order_link_fn *each) {
    for (uint32_t i = 0; i < engine->order_count; i++) {
        const struct order_record *record = &engine->orders[i];
        bool same_class = (record->order.kind == DRAIN_CAPACITY) == (kind == DRAIN_CAPACITY);
        if (record->order.active && same_class &&
            order_in_force(engine, record->name, kind) == record) {
            each_meant(engine, record->name, each);
        }
    }
}
