// SPDX-License-Identifier: Apache-2.0
// The objects that probes are made of: the FDB domain, a table of each level, and actions, each
// made when it is first needed and kept for the probes that follow; matchers and rules live for
// their probe only.
//
// An attempt answers 0 (accepted), -errno (refused), or BENCH_UNTRIED when something that the probe
// needs, but is not about, was refused.
#ifndef SELFTEST_BENCH_H
#define SELFTEST_BENCH_H

#include <infiniband/mlx5dv.h>
#include <stdbool.h>
#include <stdint.h>

#include "mlx5_prm.h"

#define BENCH_UNTRIED 1
#define PROBE_CRITERIA_MAX 6
#define PROBE_ACTIONS_MAX 5

enum bench_table { FLOW_TABLE, PATH_TABLE, ROOT_TABLE, TABLE_COUNT }; // levels 1, 2 and 0

enum bench_action {
    ACTION_NONE,
    ACTION_UPLINK,
    ACTION_FUNCTION, // vport 1: the first VF or SF
    ACTION_FLOW_TABLE,
    ACTION_PATH_TABLE,
    ACTION_MISS,
    ACTION_ENCAP_54,
    ACTION_ENCAP_54_AGAIN, // another of the same size
    ACTION_ENCAP_78,
    ACTION_ENCAP_94,
    ACTION_ENCAP_126,
    ACTION_ENCAP_158,
    ACTION_DECAP,
    ACTION_SET_CE,
    ACTION_SET_CLASS,
    ACTION_SET_PATH,
    ACTION_SET_DESTINATION,
    ACTION_SET_UDP_SPORT,
    ACTION_SET_HOP_LIMIT,
    ACTION_COUNT,
    ACTION_COUNT_BULK,
    ACTION_ARRAY,
    ACTION_SAMPLER,
    ACTION_KINDS
};

extern const uint8_t bench_documentation[16]; // 2001:db8::1 (RFC 3849)

// What is matched. Vport 0 is the function that manages the eSwitch: there always is one.
enum probe_criterion {
    CRITERION_NONE,
    FROM_MANAGER,
    FROM_FUNCTION, // vport 1
    FROM_WIRE,
    VPORT_BITS, // a part of the vport's number
    IPV4,
    IPV6,
    IPV6_BITS, // by a mask of all bits of the version
    FROM_IPV6,
    TO_IPV4,
    TO_IPV6,
    UDP,
    INSIDE_IPV4,
    INSIDE_IPV6,
    ROCE,
    SPORT,
    SPORT_BUCKET,
    QP,
    QP_BUCKET,
    DSCP,
    CE,
    PATH, // metadata register C1
    CRITERION_COUNT
};

// What of a probe must be refused for the probe to count as refused.
enum probe_subject {
    SUBJECT_RULE,   // the rule; matcher and actions are taken for granted
    SUBJECT_MATCH,  // the matcher, or a rule with these values; without actions: to the uplink
    SUBJECT_ACTION, // making the first action, or the rule
};

struct probe_plan {
    enum probe_subject subject;
    enum bench_table table;
    uint8_t match[PROBE_CRITERIA_MAX];  // enum probe_criterion, up to CRITERION_NONE
    uint8_t actions[PROBE_ACTIONS_MAX]; // enum bench_action, up to ACTION_NONE
};

struct bench_stock {
    struct mlx5dv_dr_action *action; // NULL: not made yet, or refused
    int code;                        // of the refusal, or BENCH_UNTRIED
};

struct selftest_bench {
    struct ibv_context *context;
    struct mlx5dv_dr_domain *domain;
    struct mlx5dv_dr_table *tables[TABLE_COUNT];
    struct mlx5dv_devx_obj *counter, *counter_bulk;
    uint32_t counter_bulk_id;
    struct bench_stock stock[ACTION_KINDS];
};

void bench_init(struct selftest_bench *bench, struct ibv_context *context);
// 0, or -EBUSY when something could not be removed (it goes with the process).
int bench_fini(struct selftest_bench *bench);

typedef int bench_attempt(struct selftest_bench *bench, const struct probe_plan *plan);
bench_attempt bench_open; // nothing is left to try
bench_attempt bench_domain;
bench_attempt bench_make_table; // the plan's
bench_attempt bench_rule;
bench_attempt bench_same_rule_twice;
bench_attempt bench_two_priorities;
bench_attempt bench_large_match;
bench_attempt bench_read_counters; // of the bulk
bench_attempt bench_sync_software;
bench_attempt bench_sync_hardware;

// ---- selftest_match.c
#define MATCH_SIZE_TOO_LARGE (PRM_MATCH_SIZE + 64)

// Match parameters as the library takes them: a size, and the bytes after it.
union bench_match {
    struct mlx5dv_flow_match_parameters head;
    uint64_t room[(sizeof(struct mlx5dv_flow_match_parameters) + MATCH_SIZE_TOO_LARGE) / 8];
};

void bench_mask(const struct probe_plan *plan, union bench_match *out);
void bench_value(const struct probe_plan *plan, union bench_match *out);
uint8_t bench_criteria(const struct probe_plan *plan); // the parts of the parameters that count

// ---- selftest_actions.c
// NULL: refused, now or before, and stock[kind].code says how.
struct mlx5dv_dr_action *bench_take(struct selftest_bench *bench, enum bench_action kind);

#endif
