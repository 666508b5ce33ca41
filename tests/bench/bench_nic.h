// SPDX-License-Identifier: Apache-2.0
// The mlx5 driver's cost, and the library's own under the same work. Between the files of
// bench_nic.
#ifndef BENCH_NIC_H
#define BENCH_NIC_H

#include <stddef.h>
#include <stdint.h>

// ---- bench_nic_calls.c: what the driver asks of the library, by --wrap
enum call { CALL_RULE_CREATE, CALL_RULE_DESTROY, CALL_SYNC, CALL_REFORMAT, CALL_OTHER, CALL_KINDS };

struct calls {
    uint64_t count[CALL_KINDS];
    uint64_t ns, cpu_ns;       // within the library: on the wall, of this thread
    uint64_t rules_done_at_ns; // when the last rule was made or removed
};

void calls_clear(void);
struct calls calls_take(void); // since the last clear or take
uint64_t calls_total(const struct calls *calls);

// ---- bench_nic.c
struct samples {
    double *values;
    uint32_t count, capacity;
};

uint64_t wall_ns(void);
uint64_t cpu_ns(void); // of this thread
void samples_add(struct samples *samples, double value);
double samples_quantile(struct samples *samples, double of_1); // sorts
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

// ---- bench_nic_floor.c: rules of the same form made and destroyed by nothing but the library
struct floor_result {
    struct samples *insert_rate; // rules a second
    struct samples *move_us;     // rules created, as many destroyed, and the ring drained
};

// `rules_a_move` path rules change in a move.
void floor_run(uint32_t flows, uint32_t moves, uint32_t rules_a_move, struct floor_result *out);

#endif
