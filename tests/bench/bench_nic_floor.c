// SPDX-License-Identifier: Apache-2.0
// What no driver can beat: the library's own rule_create and rule_destroy on an eSwitch with the
// driver's tables and matches, and no bookkeeping. The actions are made beforehand.
#include "bench_nic.h"

#include <stdlib.h>

#include "fakecx_bed.h"

#define ENCAP_BYTES 54

static void insert_flows(struct fakecx_switch *from, uint32_t flows, struct floor_result *out) {
    struct mlx5dv_dr_rule **rules = calloc(flows, sizeof *rules);
    if (rules == NULL) {
        die("no memory for %u rules", flows);
    }
    uint64_t began = wall_ns();
    for (uint32_t f = 0; f < flows; f++) {
        rules[f] = fakecx_switch_flow(from, f);
        if (rules[f] == NULL) {
            die("floor: rule %u was refused", f);
        }
    }
    mlx5dv_dr_domain_sync(from->domain, MLX5DV_DR_DOMAIN_SYNC_FLAGS_SW);
    samples_add(out->insert_rate, flows / ((double)(wall_ns() - began) / 1e9));
    for (uint32_t f = 0; f < flows; f++) {
        mlx5dv_dr_rule_destroy(rules[f]);
    }
    free(rules);
}

static void move_paths(struct fakecx_switch *from, uint32_t moves, uint32_t rules_a_move,
                       struct floor_result *out) {
    struct mlx5dv_dr_action *encaps[2] = {fakecx_bed_encap(from->domain, ENCAP_BYTES),
                                          fakecx_bed_encap(from->domain, ENCAP_BYTES)};
    struct mlx5dv_dr_rule *old[8], *new[8];
    for (uint32_t r = 0; r < rules_a_move; r++) {
        old[r] = fakecx_switch_path(from, encaps[0]);
    }
    for (uint32_t m = 0; m < moves; m++) {
        uint64_t began = wall_ns();
        for (uint32_t r = 0; r < rules_a_move; r++) {
            new[r] = fakecx_switch_path(from, encaps[(m + 1) % 2]);
        }
        for (uint32_t r = 0; r < rules_a_move; r++) {
            mlx5dv_dr_rule_destroy(old[r]);
            old[r] = new[r];
        }
        mlx5dv_dr_domain_sync(from->domain, MLX5DV_DR_DOMAIN_SYNC_FLAGS_SW);
        samples_add(out->move_us, (double)(wall_ns() - began) / 1e3);
    }
    for (uint32_t r = 0; r < rules_a_move; r++) {
        mlx5dv_dr_rule_destroy(old[r]);
    }
    mlx5dv_dr_action_destroy(encaps[0]);
    mlx5dv_dr_action_destroy(encaps[1]);
}

void floor_run(uint32_t flows, uint32_t moves, uint32_t rules_a_move, struct floor_result *out) {
    struct fakecx_switch floor;
    fakecx_switch_make(&floor);
    insert_flows(&floor, flows, out);
    move_paths(&floor, moves, rules_a_move, out);
    fakecx_switch_remove(&floor);
}
