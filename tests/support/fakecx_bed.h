// SPDX-License-Identifier: Apache-2.0
// For tests that run under libfakecx.so (tests/support/fakecx/fakecx.h): faults, the opened device,
// a small eSwitch. Asserts that everything succeeds.
#ifndef FAKECX_BED_H
#define FAKECX_BED_H

#include <stddef.h>
#include <stdint.h>

#include <infiniband/mlx5dv.h>

#include "fakecx/fakecx.h"

// Skips the program (exit 77) when the library is not preloaded; else no fault is set.
void fakecx_bed_begin(void);
// The fault file's content from now on; NULL: none.
void fakecx_bed_fault(const char *lines);
// What the library wrote of objects, in a static buffer.
const char *fakecx_bed_objects(void);

// Match parameters with room for them, in the layout of struct mlx5dv_flow_match_parameters.
struct fakecx_match {
    size_t size;
    uint64_t bytes[56];
};
struct mlx5dv_flow_match_parameters *fakecx_match(struct fakecx_match *match); // sets the size

struct ibv_context *fakecx_bed_open(void);
struct mlx5dv_dr_action *fakecx_bed_encap(struct mlx5dv_dr_domain *domain, size_t size);
// NULL when the firmware refuses. bulk: in units of 128 counters, 0 a single one.
struct mlx5dv_devx_obj *fakecx_bed_counter(struct ibv_context *device, uint32_t bulk, uint32_t *id);

// root (narrow) -> table 1 (vport 1, IPv6, UDP, destination, source port) -> table 2 -> uplink
struct fakecx_switch {
    struct ibv_context *device;
    struct mlx5dv_dr_domain *domain;
    struct mlx5dv_dr_table *tables[3];
    struct mlx5dv_dr_matcher *matchers[3];
    struct mlx5dv_dr_action *to_flows, *to_paths, *set_path, *uplink, *count;
    struct mlx5dv_devx_obj *counter;
    struct mlx5dv_dr_rule *root;
};

void fakecx_switch_make(struct fakecx_switch *out);
struct mlx5dv_dr_rule *fakecx_switch_flow(struct fakecx_switch *from, uint32_t number);
struct mlx5dv_dr_rule *fakecx_switch_path(struct fakecx_switch *from,
                                          struct mlx5dv_dr_action *encap);
// Every rule and encapsulation must be gone.
void fakecx_switch_remove(struct fakecx_switch *gone);

#endif
