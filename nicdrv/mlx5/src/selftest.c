// SPDX-License-Identifier: Apache-2.0
#include "nicdrv_mlx5/selftest.h"

#include <errno.h>
#include <string.h>

#include "mlx5_reason.h"
#include "selftest_bench.h"
#include "selftest_device.h"
#include "selftest_probes.h"

static bool is_unexpected(enum selftest_expectation expected, enum selftest_result result) {
    switch (expected) {
    case SELFTEST_ACCEPT:
        return result != SELFTEST_ACCEPTED;
    case SELFTEST_REFUSE:
        return result != SELFTEST_REFUSED && result != SELFTEST_ABSENT;
    case SELFTEST_EITHER:
        break;
    }
    return false;
}

// Failures that have nothing to do with what was asked for.
static bool is_elsewhere(int code) {
    return code == -EPERM || code == -EACCES || code == -ENOMEM || code == -EIO;
}

static const char *reason_of(const struct selftest_probe *probe, enum selftest_result result,
                             int code) {
    if (result == SELFTEST_ACCEPTED) {
        return "";
    }
    if (result == SELFTEST_UNTRIED) {
        return "something that it needs was refused: see the rows before";
    }
    return probe->reason == NULL || is_elsewhere(code) ? mlx5_reason_text(code) : probe->reason;
}

static void tell(struct selftest_bench *bench, const struct selftest_probe *probe,
                 const struct selftest_kind *kind, selftest_fn *each, void *context) {
    bench_attempt *attempt = probe->attempt != NULL ? probe->attempt : bench_rule;
    int rc = probe->absent ? -EOPNOTSUPP : attempt(bench, &probe->plan);
    struct selftest_row row = {
        .name = probe->name,
        .what = probe->what,
        .capability = probe->capability,
        .need = probe->need,
        .expected = selftest_expected(probe, kind),
        .result = rc == 0  ? SELFTEST_ACCEPTED
                  : rc < 0 ? SELFTEST_REFUSED
                           : SELFTEST_UNTRIED,
        .code = rc < 0 && !probe->absent ? -rc : 0,
    };
    if (probe->absent) {
        row.result = SELFTEST_ABSENT;
    }
    row.unexpected = is_unexpected(row.expected, row.result);
    row.reason = reason_of(probe, row.result, rc);
    each(context, &row);
}

int nic_selftest(const char *device, struct selftest_device *about, selftest_fn *each,
                 void *context, struct error *error) {
    struct selftest_bench bench;
    struct selftest_kind kind;
    struct ibv_context *verbs = NULL;
    int rc = selftest_device_open(device, &verbs, about, &kind, error);
    if (rc < 0) {
        return rc;
    }
    bench_init(&bench, verbs);
    for (uint32_t i = 0; i < selftest_probe_count; i++) {
        tell(&bench, &selftest_probes[i], &kind, each, context);
    }
    rc = bench_fini(&bench);
    ibv_close_device(verbs);
    return rc == 0 ? 0
                   : error_set(error, rc,
                               "%s: objects of the self test could not be removed; they "
                               "are gone with this process",
                               device);
}
