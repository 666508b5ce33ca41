// SPDX-License-Identifier: Apache-2.0
#include "selftest_bench.h"

#include <errno.h>
#include <string.h>

#include "mlx5_reason.h"

// ---- matchers and rules

static struct mlx5dv_dr_matcher *make_matcher(struct selftest_bench *bench,
                                              const struct probe_plan *plan, uint16_t priority) {
    union bench_match mask;
    bench_mask(plan, &mask);
    mlx5_reason_preset();
    return mlx5dv_dr_matcher_create(bench->tables[plan->table], priority, bench_criteria(plan),
                                    &mask.head);
}

static struct mlx5dv_dr_rule *make_rule(struct mlx5dv_dr_matcher *matcher,
                                        const struct probe_plan *plan,
                                        struct mlx5dv_dr_action **actions, size_t count) {
    union bench_match value;
    bench_value(plan, &value);
    mlx5_reason_preset();
    return mlx5dv_dr_rule_create(matcher, &value.head, count, actions);
}

// The plan's actions. 0, BENCH_UNTRIED or, when the one that it is about was refused, -errno.
static int take_all(struct selftest_bench *bench, const struct probe_plan *plan,
                    struct mlx5dv_dr_action *actions[PROBE_ACTIONS_MAX], size_t *count) {
    if (bench->domain == NULL || bench->tables[plan->table] == NULL) {
        return BENCH_UNTRIED;
    }
    static const uint8_t to_uplink[PROBE_ACTIONS_MAX] = {ACTION_UPLINK};
    const uint8_t *kinds = plan->actions[0] != ACTION_NONE ? plan->actions : to_uplink;
    size_t taken = 0;
    for (; taken < PROBE_ACTIONS_MAX && kinds[taken] != ACTION_NONE; taken++) {
        actions[taken] = bench_take(bench, (enum bench_action)kinds[taken]);
        if (actions[taken] == NULL) {
            bool subject = plan->subject == SUBJECT_ACTION && taken == 0;
            return subject ? bench->stock[kinds[taken]].code : BENCH_UNTRIED;
        }
    }
    *count = taken;
    return 0;
}

// Rules of one matcher, at a priority: `rules` times the same.
static int try_rules(struct selftest_bench *bench, const struct probe_plan *plan, uint16_t priority,
                     uint32_t rules) {
    struct mlx5dv_dr_action *actions[PROBE_ACTIONS_MAX];
    struct mlx5dv_dr_rule *made[2] = {NULL, NULL};
    size_t count = 0;
    int rc = take_all(bench, plan, actions, &count);
    if (rc != 0) {
        return rc;
    }
    struct mlx5dv_dr_matcher *matcher = make_matcher(bench, plan, priority);
    if (matcher == NULL) {
        return plan->subject == SUBJECT_MATCH ? mlx5_reason_code() : BENCH_UNTRIED;
    }
    for (uint32_t i = 0; i < rules && rc == 0; i++) {
        made[i] = make_rule(matcher, plan, actions, count);
        rc = made[i] != NULL ? 0 : mlx5_reason_code();
    }
    for (uint32_t i = 0; i < rules; i++) {
        if (made[i] != NULL) {
            mlx5dv_dr_rule_destroy(made[i]);
        }
    }
    mlx5dv_dr_matcher_destroy(matcher);
    return rc;
}

int bench_rule(struct selftest_bench *bench, const struct probe_plan *plan) {
    return try_rules(bench, plan, 0, 1);
}

int bench_same_rule_twice(struct selftest_bench *bench, const struct probe_plan *plan) {
    return try_rules(bench, plan, 0, 2);
}

int bench_two_priorities(struct selftest_bench *bench, const struct probe_plan *plan) {
    if (bench->tables[plan->table] == NULL) {
        return BENCH_UNTRIED;
    }
    struct mlx5dv_dr_matcher *first = make_matcher(bench, plan, 0);
    if (first == NULL) {
        return BENCH_UNTRIED;
    }
    int rc = try_rules(bench, plan, 1, 1);
    mlx5dv_dr_matcher_destroy(first);
    return rc;
}

int bench_large_match(struct selftest_bench *bench, const struct probe_plan *plan) {
    if (bench->tables[plan->table] == NULL) {
        return BENCH_UNTRIED;
    }
    union bench_match mask;
    bench_mask(plan, &mask);
    mask.head.match_sz = MATCH_SIZE_TOO_LARGE;
    mlx5_reason_preset();
    struct mlx5dv_dr_matcher *matcher =
        mlx5dv_dr_matcher_create(bench->tables[plan->table], 0, bench_criteria(plan), &mask.head);
    int rc = matcher != NULL ? 0 : mlx5_reason_code();
    if (matcher != NULL) {
        mlx5dv_dr_matcher_destroy(matcher);
    }
    return rc;
}

// ---- what stands for all probes

int bench_open(struct selftest_bench *bench, const struct probe_plan *plan) {
    (void)plan;
    return bench->context != NULL ? 0 : -ENODEV;
}

int bench_domain(struct selftest_bench *bench, const struct probe_plan *plan) {
    (void)plan;
    mlx5_reason_preset();
    bench->domain = mlx5dv_dr_domain_create(bench->context, MLX5DV_DR_DOMAIN_TYPE_FDB);
    return bench->domain != NULL ? 0 : mlx5_reason_code();
}

int bench_make_table(struct selftest_bench *bench, const struct probe_plan *plan) {
    static const uint32_t levels[TABLE_COUNT] = {1, 2, 0};
    if (bench->domain == NULL) {
        return BENCH_UNTRIED;
    }
    mlx5_reason_preset();
    bench->tables[plan->table] = mlx5dv_dr_table_create(bench->domain, levels[plan->table]);
    return bench->tables[plan->table] != NULL ? 0 : mlx5_reason_code();
}

int bench_read_counters(struct selftest_bench *bench, const struct probe_plan *plan) {
    (void)plan;
    if (bench_take(bench, ACTION_COUNT_BULK) == NULL) {
        return BENCH_UNTRIED;
    }
    uint8_t in[PRM_QUERY_COUNTER_IN] = {0};
    uint8_t out[PRM_COUNTER_DATA + PRM_COUNTER_BULK_UNIT * PRM_COUNTER_SIZE] = {0};
    prm_set(in, PRM_OPCODE, PRM_QUERY_FLOW_COUNTER);
    prm_set(in, PRM_QUERY_COUNTER_COUNT, PRM_COUNTER_BULK_UNIT);
    prm_set(in, PRM_QUERY_COUNTER_ID, bench->counter_bulk_id);
    mlx5_reason_preset();
    int rc = mlx5dv_devx_obj_query(bench->counter_bulk, in, sizeof(in), out, sizeof(out));
    return rc == 0 ? 0 : mlx5_reason_code();
}

static int sync_domain(struct selftest_bench *bench, uint32_t how) {
    if (bench->domain == NULL) {
        return BENCH_UNTRIED;
    }
    mlx5_reason_preset();
    return mlx5dv_dr_domain_sync(bench->domain, how) == 0 ? 0 : mlx5_reason_code();
}

int bench_sync_software(struct selftest_bench *bench, const struct probe_plan *plan) {
    (void)plan;
    return sync_domain(bench, MLX5DV_DR_DOMAIN_SYNC_FLAGS_SW);
}

int bench_sync_hardware(struct selftest_bench *bench, const struct probe_plan *plan) {
    (void)plan;
    return sync_domain(bench, MLX5DV_DR_DOMAIN_SYNC_FLAGS_HW);
}

void bench_init(struct selftest_bench *bench, struct ibv_context *context) {
    memset(bench, 0, sizeof(*bench));
    bench->context = context;
}

// Actions made later may hold earlier ones, and all hold tables: in reverse.
int bench_fini(struct selftest_bench *bench) {
    bool all = true;
    for (int kind = ACTION_KINDS - 1; kind > ACTION_NONE; kind--) {
        struct mlx5dv_dr_action *action = bench->stock[kind].action;
        all = (action == NULL || mlx5dv_dr_action_destroy(action) == 0) && all;
    }
    struct mlx5dv_devx_obj *counters[] = {bench->counter, bench->counter_bulk};
    for (uint32_t i = 0; i < 2; i++) {
        all = (counters[i] == NULL || mlx5dv_devx_obj_destroy(counters[i]) == 0) && all;
    }
    for (int i = 0; i < TABLE_COUNT; i++) {
        struct mlx5dv_dr_table *table = bench->tables[i];
        all = (table == NULL || mlx5dv_dr_table_destroy(table) == 0) && all;
    }
    all = (bench->domain == NULL || mlx5dv_dr_domain_destroy(bench->domain) == 0) && all;
    return all ? 0 : -EBUSY;
}
