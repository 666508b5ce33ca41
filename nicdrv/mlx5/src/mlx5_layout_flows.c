// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "mlx5_layout_draft.h"

// Buckets that all name one path split nothing.
static bool is_split(const struct rule *rule) {
    if (rule->select != RULE_BUCKET_QP && rule->select != RULE_BUCKET_SPORT) {
        return false;
    }
    for (uint32_t b = 1; b < RULE_BUCKETS; b++) {
        if (rule->bucket[b] != rule->bucket[0]) {
            return true;
        }
    }
    return false;
}

static int check_rule(const struct rule *rule, uint32_t index, bool per_qp, struct error *error) {
    if (rule->select == RULE_SPRAY) {
        return error_set(error, -EOPNOTSUPP, "rule %u: spray: the eSwitch sends a flow one way",
                         index);
    }
    bool split = is_split(rule);
    bool by_qp = rule->match.key_kind == RULE_KEY_QP || (split && rule->select == RULE_BUCKET_QP);
    if (by_qp && !per_qp) {
        return error_set(error, -EOPNOTSUPP,
                         "rule %u: keyed by QP: this library or device matches none", index);
    }
    if (split && ((rule->match.key_kind == RULE_KEY_QP && rule->select == RULE_BUCKET_SPORT) ||
                  (rule->match.key_kind == RULE_KEY_SPORT && rule->select == RULE_BUCKET_QP))) {
        return error_set(error, -EOPNOTSUPP, "rule %u: key 0x%x with buckets of another key", index,
                         rule->match.key);
    }
    return 0;
}

int draft_check(const struct rule_set *wanted, bool per_qp, struct error *error) {
    for (uint32_t r = 0; r < wanted->rule_count; r++) {
        int rc = check_rule(&wanted->rules[r], r, per_qp, error);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static bool takes_buckets(const struct rule *rule) {
    return rule->match.key_kind == RULE_KEY_DEFAULT && is_split(rule);
}

uint32_t draft_count_flows(const struct rule_set *wanted) {
    uint32_t count = 0;
    for (uint32_t r = 0; r < wanted->rule_count; r++) {
        count += takes_buckets(&wanted->rules[r]) ? RULE_BUCKETS : 1;
    }
    return count;
}

static void put_flow(struct draft *draft, uint32_t rule_index, enum mlx5_flow_kind kind,
                     uint32_t value) {
    const struct rule *rule = &draft->wanted->rules[rule_index];
    bool buckets = rule->select == RULE_BUCKET_QP || rule->select == RULE_BUCKET_SPORT;
    struct mlx5_flow *flow = &draft->flows[draft->flow_count];
    memset(flow, 0, sizeof *flow);
    memcpy(flow->destination, rule->match.destination, sizeof flow->destination);
    flow->kind = (uint8_t)kind;
    flow->value = value;
    flow->rule = rule_index;
    flow->path = buckets ? rule->bucket[value % RULE_BUCKETS] : 0;
    draft->encaps[draft->flow_count++] = rule->encap[flow->path];
}

static void put_default(struct draft *draft, uint32_t rule_index) {
    const struct rule *rule = &draft->wanted->rules[rule_index];
    if (!takes_buckets(rule)) {
        put_flow(draft, rule_index, MLX5_FLOW_ANY, 0);
        return;
    }
    enum mlx5_flow_kind kind =
        rule->select == RULE_BUCKET_QP ? MLX5_FLOW_QP_BUCKET : MLX5_FLOW_SPORT_BUCKET;
    for (uint32_t b = 0; b < RULE_BUCKETS; b++) {
        put_flow(draft, rule_index, kind, b);
    }
}

// A set's rules are sorted by destination and there default, QPs, source ports: the default goes to
// the end of its destination.
void draft_fill_flows(struct draft *draft) {
    const struct rule *rules = draft->wanted->rules;
    uint32_t count = draft->wanted->rule_count, waiting = MLX5_NONE;
    for (uint32_t r = 0; r < count; r++) {
        if (rules[r].match.key_kind == RULE_KEY_DEFAULT) {
            waiting = r;
        } else {
            bool by_qp = rules[r].match.key_kind == RULE_KEY_QP;
            put_flow(draft, r, by_qp ? MLX5_FLOW_QP : MLX5_FLOW_SPORT, rules[r].match.key);
        }
        bool last = r + 1 == count ||
                    memcmp(rules[r].match.destination, rules[r + 1].match.destination, 16) != 0;
        if (last && waiting != MLX5_NONE) {
            put_default(draft, waiting);
            waiting = MLX5_NONE;
        }
    }
}

static int compare_flows(const struct mlx5_flow *a, const struct mlx5_flow *b) {
    int order = memcmp(a->destination, b->destination, sizeof a->destination);
    if (order != 0) {
        return order;
    }
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    return a->value < b->value ? -1 : a->value > b->value;
}

void draft_match_flows(struct draft *draft) {
    const struct mlx5_layout *now = draft->now;
    uint32_t b = 0, a = 0;
    while (b < now->flow_count || a < draft->flow_count) {
        int order = b == now->flow_count     ? 1
                    : a == draft->flow_count ? -1
                                             : compare_flows(&now->flows[b], &draft->flows[a]);
        if (order < 0) {
            draft->successor[b++] = MLX5_NONE;
        } else if (order > 0) {
            draft->origin[a++] = MLX5_NONE;
        } else {
            draft->successor[b] = a;
            draft->origin[a++] = b++;
        }
    }
}

// The first entry that is not less; flow_count when there is none.
static uint32_t lower_bound(const struct draft *draft, const struct mlx5_flow *flow) {
    uint32_t low = 0, high = draft->flow_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_flows(&draft->flows[middle], flow) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t draft_fallback(const struct draft *draft, const struct mlx5_flow *old) {
    struct mlx5_flow wider = *old;
    wider.kind++;
    wider.value = 0;
    uint32_t at = lower_bound(draft, &wider);
    if (at == draft->flow_count ||
        memcmp(draft->flows[at].destination, old->destination, sizeof old->destination) != 0) {
        return DRAFT_PLAIN;
    }
    uint8_t kind = draft->flows[at].kind;
    if (kind == MLX5_FLOW_ANY) {
        return draft->encaps[at];
    }
    // A destination's buckets stand together, all of them.
    if ((kind == MLX5_FLOW_QP_BUCKET && old->kind == MLX5_FLOW_QP) ||
        (kind == MLX5_FLOW_SPORT_BUCKET && old->kind == MLX5_FLOW_SPORT)) {
        return draft->encaps[at + old->value % RULE_BUCKETS];
    }
    return DRAFT_SEVERAL;
}
