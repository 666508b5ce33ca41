// SPDX-License-Identifier: Apache-2.0
// A core with a base behaves exactly like one that learnt the same by messages: it sends, tells and
// knows the same through writes, deaths, restarts and leaves of a fleet, from whatever state the
// base was in. SEED=n reruns one run; RUNS=n changes their number.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gossip_twins.h"

#define RUNS 40
#define STEPS 40
#define KEYS 4

static struct twins twins;
static uint32_t taken; // the member whose name x has; UINT32_MAX: none

static uint32_t below(uint32_t bound) {
    return (uint32_t)rng_below(&twins.rng, bound);
}

static void write_something(void) {
    char key[8], value[16];
    uint32_t member = below(twins.count);
    struct gossip *core = twins.fleet[member];
    snprintf(key, sizeof key, "k%u", below(KEYS));
    snprintf(value, sizeof value, "v%u", below(1000));
    bool deletes = below(4) == 0;
    if (twins.learnt != NULL && below(8) == 0) {
        twins_write(&twins, key, deletes ? NULL : value);
    } else if (core != NULL && deletes) {
        (void)gossip_delete(core, twins.now_ns, GOSSIP_TABLE_HOST, key);
        twins_flush(&twins, member);
    } else if (core != NULL) {
        (void)gossip_put(core, twins.now_ns, GOSSIP_TABLE_HOST, key, value, strlen(value) + 1);
        twins_flush(&twins, member);
    }
}

static void stop_or_start(void) {
    uint32_t member = 1 + below(twins.count - 1); // m0 teaches
    if (member == taken) {
        return;
    }
    if (twins.fleet[member] == NULL) {
        twins_start(&twins, member);
        return;
    }
    if (below(3) == 0) {
        gossip_leave(twins.fleet[member], twins.now_ns);
        twins_flush(&twins, member);
    }
    twins_kill(&twins, member);
}

static void disturb(uint32_t steps) {
    for (uint32_t i = 0; i < steps && twins.fault[0] == '\0'; i++) {
        if (below(5) == 0) {
            stop_or_start();
        } else {
            write_something();
        }
        twins_run(&twins, below(100) * NS_PER_MS);
    }
}

static void run(uint64_t seed) {
    struct rng sizes;
    rng_init(&sizes, seed);
    taken = UINT32_MAX;
    twins_init(&twins, 2 + (uint32_t)rng_below(&sizes, 39), seed);
    twins_run(&twins, NS_PER_S);
    disturb(below(STEPS));
    if (below(3) == 0) { // x is one of them that comes back, perhaps before it was missed
        taken = 1 + below(twins.count - 1);
        twins_kill(&twins, taken);
        twins_run(&twins, below(1000) * NS_PER_MS);
    }
    twins_open(&twins, taken);
    disturb(STEPS);
    twins_run(&twins, NS_PER_S);
    if (twins.fault[0] != '\0') {
        print_error("SEED=%llu (%u hosts): %s\n", (unsigned long long)seed, twins.count,
                    twins.fault);
    }
    bool failed = twins.fault[0] != '\0';
    twins_fini(&twins);
    assert_false(failed);
}

static uint64_t number_from(const char *variable, uint64_t fallback) {
    const char *text = getenv(variable);
    return text != NULL ? strtoull(text, NULL, 10) : fallback;
}

static void a_base_makes_no_difference(void **state) {
    (void)state;
    uint64_t first = number_from("SEED", 1);
    uint64_t runs = getenv("SEED") != NULL ? 1 : number_from("RUNS", RUNS);
    for (uint64_t seed = first; seed < first + runs; seed++) {
        run(seed);
    }
    print_message("seeds %llu to %llu\n", (unsigned long long)first,
                  (unsigned long long)(first + runs - 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_base_makes_no_difference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
