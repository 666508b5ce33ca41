// SPDX-License-Identifier: Apache-2.0
// Operators' orders (drain, undrain, capacity) as shared facts: of all records of a name the
// highest stamp is in force, of equal ones that which takes less away. So whoever gave an order,
// any other host can revoke it, even one that has the last stamp there is.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "state.h"

// Each change of a belief looks for the orders of every name that may mean the link.
static uint64_t name_hash(const char *name) {
    return hash_bytes(name, strlen(name), 0);
}

static struct order_record *find_order(const struct engine *engine, const char *origin,
                                       const char *name) {
    uint64_t hash = name_hash(name);
    for (uint32_t i = 0; i < engine->order_count; i++) {
        struct order_record *record = &engine->orders[i];
        if (record->name_hash == hash && strcmp(record->origin, origin) == 0 &&
            strcmp(record->name, name) == 0) {
            return record;
        }
    }
    return NULL;
}

static bool has_room(const struct engine *engine, const char *origin, const char *name) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < engine->order_count; i++) {
        count += strcmp(engine->orders[i].origin, origin) == 0;
    }
    return find_order(engine, origin, name) != NULL ||
           (count < ORDERS_OF_ORIGIN_MAX && engine->order_count < ORDERS_MAX);
}

static void store_order(struct engine *engine, const char *origin, const char *name,
                        const struct drain_order *order) {
    struct order_record *record = find_order(engine, origin, name);
    if (record == NULL) {
        if (!has_room(engine, origin, name) || strlen(name) >= LINK_NAME_SIZE) {
            engine->stats.bad_facts++;
            return;
        }
        struct order_record *orders =
            realloc(engine->orders, (engine->order_count + 1) * sizeof *orders);
        if (orders == NULL) {
            return;
        }
        engine->orders = orders;
        record = &orders[engine->order_count++];
        *record = (struct order_record){0};
        memcpy(record->name, name, strlen(name) + 1);
        record->name_hash = name_hash(name);
        memcpy(record->origin, origin, strnlen(origin, NAME_SIZE - 1));
    }
    record->order = *order;
    record->lost = false;
    engine->orders_changed = true;
}

void learn_order_record(struct engine *engine, const char *origin, const char *key,
                        const void *value, size_t size) {
    struct drain_order order;
    if (value == NULL) {
        struct order_record *record = find_order(engine, origin, key);
        if (record !=
            NULL) { // orders are revoked by an order: this one was lost with its host's memory
            record->lost = true;
            engine->orders_changed = true;
        }
    } else if (drain_order_decode(value, size, &order) != 0) {
        engine->stats.bad_facts++;
    } else {
        store_order(engine, origin, key, &order);
    }
}

static bool takes_away(const struct drain_order *order) {
    return order->active &&
           (order->kind != DRAIN_CAPACITY || order->capacity_ppm < CAPACITY_FULL_PPM);
}

// What a goes before: the higher stamp, else what takes less away, else any order that all share.
static bool goes_before(const struct order_record *a, const struct order_record *b) {
    if (a->order.stamp != b->order.stamp) {
        return a->order.stamp > b->order.stamp;
    }
    if (takes_away(&a->order) != takes_away(&b->order)) {
        return takes_away(&b->order);
    }
    return strcmp(a->origin, b->origin) > 0;
}

const struct order_record *order_in_force(const struct engine *engine, const char *name,
                                          enum drain_kind kind) {
    const struct order_record *best = NULL;
    uint64_t hash = name_hash(name);
    for (uint32_t i = 0; i < engine->order_count; i++) {
        const struct order_record *record = &engine->orders[i];
        bool same_class = (record->order.kind == DRAIN_CAPACITY) == (kind == DRAIN_CAPACITY);
        if (record->name_hash != hash || !same_class || strcmp(record->name, name) != 0) {
            continue;
        }
        if (best == NULL || goes_before(record, best)) {
            best = record;
        }
    }
    return best != NULL && best->order.active ? best : NULL;
}

bool order_covers(const struct engine *engine, link_id link, enum drain_kind kind,
                  const struct order_record **record) {
    const struct fabric *fabric = engine->fabric;
    const char *from = fabric->nodes[fabric_link_from(fabric, link).i].name;
    const char *to = fabric->nodes[fabric_link_to(fabric, link).i].name;
    const struct fabric_cable *cable = &fabric->cables[link_cable(link).i];
    char names[5][LINK_NAME_SIZE];
    fabric_format_link(fabric, link, names[0]);
    fabric_format_cable(fabric, link_cable(link), names[1]);
    unsigned count = 2;
    // All parallel cables of the pair: "leaf0-spine3" where a single one is "leaf0-spine3.1".
    if (cable->parallel_count > 1) {
        memcpy(names[2], names[1], LINK_NAME_SIZE);
        char *dot = strrchr(names[2], '.');
        if (dot != NULL) {
            *dot = '\0';
        }
        count = 3;
    }
    if (kind != DRAIN_CAPACITY) {
        memcpy(names[count], from, strlen(from) + 1);
        memcpy(names[count + 1], to, strlen(to) + 1);
        count += 2;
    }
    for (unsigned i = 0; i < count; i++) {
        *record = order_in_force(engine, names[i], kind);
        if (*record != NULL) {
            return true;
        }
    }
    return false;
}

static int check_order(const struct engine *engine, const struct engine_drain *drain,
                       struct error *error) {
    node_id node;
    link_id link;
    cable_id cable;
    uint32_t count;
    if (strlen(drain->name) >= LINK_NAME_SIZE) {
        return error_set(error, -EINVAL, "name too long");
    }
    bool is_link = fabric_find_link(engine->fabric, drain->name, &link) ||
                   fabric_find_cables(engine->fabric, drain->name, &cable, &count);
    if (drain->kind == DRAIN_NODE ? !fabric_find_node(engine->fabric, drain->name, &node)
                                  : !is_link) {
        return error_set(error, -ENOENT, "no %s %.40s in fabric %s",
                         drain->kind == DRAIN_NODE ? "node" : "link", drain->name,
                         engine->fabric->name);
    }
    if (drain->capacity_ppm > CAPACITY_FULL_PPM) {
        return error_set(error, -EINVAL, "capacity of %.40s: not between 0 and 1", drain->name);
    }
    return 0;
}

static int write_order(struct engine *engine, const char *name, const struct drain_order *order) {
    uint8_t bytes[64];
    ssize_t size = drain_order_encode(order, bytes, sizeof bytes);
    assert(size > 0);
    if (!has_room(engine, engine->config.host, name)) {
        return -ENOSPC; // the others would not take it either
    }
    int rc =
        gossip_put(engine->gossip, engine->now_ns, GOSSIP_TABLE_DRAIN, name, bytes, (size_t)size);
    if (rc == 0) {
        store_order(engine, engine->config.host, name, order);
    }
    return rc;
}

// The order with the highest stamp for a name, of either class; NULL: none.
static const struct order_record *last_order(const struct engine *engine, const char *name) {
    const struct order_record *last = NULL;
    for (uint32_t i = 0; i < engine->order_count; i++) {
        const struct order_record *record = &engine->orders[i];
        if (strcmp(record->name, name) == 0 && (last == NULL || goes_before(record, last))) {
            last = record;
        }
    }
    return last;
}

int learn_order(struct engine *engine, const struct engine_drain *drain, struct error *error) {
    int rc = check_order(engine, drain, error);
    if (rc != 0) {
        return rc;
    }
    const struct order_record *last = last_order(engine, drain->name);
    uint64_t stamp = last == NULL ? 0 : last->order.stamp;
    struct drain_order order = {.kind = drain->kind,
                                .active = drain->active,
                                .capacity_ppm = drain->capacity_ppm,
                                .stamp = stamp < UINT64_MAX ? stamp + 1 : stamp};
    if (stamp == UINT64_MAX && takes_away(&order)) {
        return error_set(error, -EOVERFLOW,
                         "%s gave an order for %.40s with the last stamp there is: it can be "
                         "revoked, but no other can follow",
                         last->origin, drain->name);
    }
    rc = write_order(engine, drain->name, &order);
    return rc != 0 ? error_set(error, rc, "cannot publish the order for %.40s: %s", drain->name,
                               code_text(rc))
                   : 0;
}

bool first_live_host(const struct engine *engine) {
    for (uint32_t i = 0; i < engine->self.i; i++) {
        if (host_is_live(&engine->hosts[i])) {
            return false;
        }
    }
    return true;
}

// An order must not end with the host where it was given: the first live host takes over those of
// the dead.
void learn_adopt_orders(struct engine *engine) {
    if (!first_live_host(engine)) {
        return;
    }
    for (uint32_t i = 0; i < engine->order_count; i++) {
        const struct order_record record = engine->orders[i];
        struct gossip_member member;
        bool gone = record.lost || !gossip_find_member(engine->gossip, record.origin, &member) ||
                    member.state == GOSSIP_DEAD || member.state == GOSSIP_LEFT;
        if (gone && strcmp(record.origin, engine->config.host) != 0 &&
            record.order.stamp < UINT64_MAX &&
            order_in_force(engine, record.name, record.order.kind) == &engine->orders[i]) {
            struct drain_order order = record.order;
            order.stamp++;
            write_order(engine, record.name, &order);
        }
    }
}
