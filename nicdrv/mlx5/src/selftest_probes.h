// SPDX-License-Identifier: Apache-2.0
// What is tried, in this order, and what is expected of it: the one place where the expectations
// are. Where they come from: what the library's own checks say, seen on an emulated device with
// rdma-core 44, 46, 56 and 64, and the vendor's documents where only firmware decides. Pure.
#ifndef SELFTEST_PROBES_H
#define SELFTEST_PROBES_H

#include "nicdrv_mlx5/selftest.h"
#include "selftest_bench.h"
#include "selftest_device.h"

enum probe_expectation {
    EXPECT_ACCEPT,
    EXPECT_REFUSE,
    EXPECT_CX5_REFUSES, // and the later ones accept
    EXPECT_NOTHING,
};

struct selftest_probe {
    const char *name, *what, *reason;
    const char *capability; // as selftest_row
    enum selftest_need need;
    enum probe_expectation expected;
    // Versions of rdma-core for which the expectation holds: before `since` the library refuses,
    // after `until` nothing is expected. 0: all.
    uint16_t since, until;
    bool absent;            // the library has no call for it
    bench_attempt *attempt; // NULL: bench_rule
    struct probe_plan plan;
};

extern const struct selftest_probe selftest_probes[];
extern const uint32_t selftest_probe_count;

enum selftest_expectation selftest_expected(const struct selftest_probe *probe,
                                            const struct selftest_kind *kind);

#endif
