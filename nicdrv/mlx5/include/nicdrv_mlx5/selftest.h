// SPDX-License-Identifier: Apache-2.0
// What a device accepts, found by trying it: `srv6-agent --selftest-nic DEV` prints each row.
//
// A row is one thing that the driver needs, or could use, asked of the real library and firmware in
// objects of their own that match only documentation addresses (RFC 3849) and are removed again; no
// traffic is touched. `wanted` says what the driver expects of a device of this kind.
#ifndef NICDRV_MLX5_SELFTEST_H
#define NICDRV_MLX5_SELFTEST_H

#include <stdbool.h>

#include "model/error.h"

enum selftest_need { SELFTEST_MUST, SELFTEST_MAY, SELFTEST_MUST_REFUSE };

struct selftest_row {
    const char *name; // "encap-l2-to-l3-54"
    const char *what; // a sentence
    enum selftest_need need;
    bool accepted;
    int code;           // errno of the refusal; 0 when accepted
    const char *reason; // why such refusals happen and what to change; "" when accepted
};

struct selftest_device {
    char name[64], netdev[16], firmware[64], format[16]; // format: "CX5", "CX6Dx", "CX7"
    char library[32];                                    // version of rdma-core
};

typedef void selftest_fn(void *context, const struct selftest_row *row);

// device: a netdev or an RDMA device. 0 when every row that must be accepted was, and none that
// must be refused; -EOPNOTSUPP otherwise; other -errno: the device could not be opened.
int nic_selftest(const char *device, struct selftest_device *about, selftest_fn *each,
                 void *context, struct error *error);

#endif
