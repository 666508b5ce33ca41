// SPDX-License-Identifier: Apache-2.0
// Counts and times the driver's calls of the library: the program is linked with --wrap for each.
#include "bench_nic.h"

#include <infiniband/mlx5dv.h>

static struct calls calls; // of the one thread that drives the NIC

void calls_clear(void) {
    calls = (struct calls){0};
}

struct calls calls_take(void) {
    struct calls taken = calls;
    calls_clear();
    return taken;
}

uint64_t calls_total(const struct calls *of) {
    uint64_t total = 0;
    for (int kind = 0; kind < CALL_KINDS; kind++) {
        total += of->count[kind];
    }
    return total;
}

struct moment {
    enum call kind;
    uint64_t ns, cpu_ns;
};

static struct moment begin(enum call kind) {
    calls.count[kind]++;
    return (struct moment){.kind = kind, .cpu_ns = cpu_ns(), .ns = wall_ns()};
}

static void end(struct moment began) {
    uint64_t now = wall_ns();
    calls.ns += now - began.ns;
    calls.cpu_ns += cpu_ns() - began.cpu_ns;
    if (began.kind == CALL_RULE_CREATE || began.kind == CALL_RULE_DESTROY) {
        calls.rules_done_at_ns = now;
    }
}

// Declares and defines the wrapper of a function of the library.
#define WRAP(kind, type, name, parameters, arguments)                                              \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters {                                                                \
        struct moment began = begin(kind);                                                         \
        type result = __real_##name arguments;                                                     \
        end(began);                                                                                \
        return result;                                                                             \
    }

WRAP(CALL_RULE_CREATE, struct mlx5dv_dr_rule *, mlx5dv_dr_rule_create,
     (struct mlx5dv_dr_matcher * matcher, struct mlx5dv_flow_match_parameters *value, size_t count,
      struct mlx5dv_dr_action *actions[]),
     (matcher, value, count, actions))
WRAP(CALL_RULE_DESTROY, int, mlx5dv_dr_rule_destroy, (struct mlx5dv_dr_rule * rule), (rule))
WRAP(CALL_SYNC, int, mlx5dv_dr_domain_sync, (struct mlx5dv_dr_domain * domain, uint32_t flags),
     (domain, flags))
WRAP(CALL_REFORMAT, struct mlx5dv_dr_action *, mlx5dv_dr_action_create_packet_reformat,
     (struct mlx5dv_dr_domain * domain, uint32_t flags,
      enum mlx5dv_flow_action_packet_reformat_type type, size_t size, void *data),
     (domain, flags, type, size, data))
WRAP(CALL_OTHER, int, mlx5dv_dr_action_destroy, (struct mlx5dv_dr_action * action), (action))
WRAP(CALL_OTHER, struct mlx5dv_dr_action *, mlx5dv_dr_action_create_flow_counter,
     (struct mlx5dv_devx_obj * counter, uint32_t offset), (counter, offset))
WRAP(CALL_OTHER, struct mlx5dv_dr_action *, mlx5dv_dr_action_create_modify_header,
     (struct mlx5dv_dr_domain * domain, uint32_t flags, size_t size, __be64 actions[]),
     (domain, flags, size, actions))
WRAP(CALL_OTHER, struct mlx5dv_devx_obj *, mlx5dv_devx_obj_create,
     (struct ibv_context * context, const void *in, size_t in_size, void *out, size_t out_size),
     (context, in, in_size, out, out_size))
WRAP(CALL_OTHER, int, mlx5dv_devx_obj_query,
     (struct mlx5dv_devx_obj * object, const void *in, size_t in_size, void *out, size_t out_size),
     (object, in, in_size, out, out_size))
WRAP(CALL_OTHER, int, mlx5dv_devx_obj_destroy, (struct mlx5dv_devx_obj * object), (object))
WRAP(CALL_OTHER, int, mlx5dv_devx_general_cmd,
     (struct ibv_context * context, const void *in, size_t in_size, void *out, size_t out_size),
     (context, in, in_size, out, out_size))
