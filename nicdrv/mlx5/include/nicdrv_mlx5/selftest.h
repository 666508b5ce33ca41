// SPDX-License-Identifier: Apache-2.0
// What a device accepts, found by trying it: `srv6-agent --selftest-nic DEV` prints each row.
//
// A row is one thing that the driver needs, could use or had to avoid, asked of the real library
// and firmware with objects of their own, which are removed again. No traffic is touched: the
// tables are reached from nowhere, but for one rule in the root table that matches a documentation
// address (RFC 3849). What the library cannot even be asked for is a row too, `absent`.
//
// Each row has an expectation for this kind of device and version of the library
// (mlx5/src/selftest_probes.c); on an emulated device all of them hold. A row that does not meet it
// is `unexpected`: on a card it is news, and to be told to those who maintain the table.
//
// Opens the device for itself and closes it; texts live as long as the program, names as long as
// the call. One thread.
#ifndef NICDRV_MLX5_SELFTEST_H
#define NICDRV_MLX5_SELFTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "model/error.h"

enum selftest_result {
    SELFTEST_ACCEPTED,
    SELFTEST_REFUSED,
    SELFTEST_UNTRIED, // something that it needs was refused
    SELFTEST_ABSENT,  // rdma-core has no call for it
};

enum selftest_expectation { SELFTEST_ACCEPT, SELFTEST_REFUSE, SELFTEST_EITHER };

enum selftest_need {
    SELFTEST_MUST,   // the driver cannot work without it
    SELFTEST_MAY,    // the driver uses it where it is accepted
    SELFTEST_UNUSED, // the driver does not rely on it
};

struct selftest_row {
    const char *name; // "encap-54"
    const char *what; // what was asked for, in words
    // What a plan may ask of the device when the row is accepted ("per_qp", as nic_capabilities);
    // NULL: the row is none of these.
    const char *capability;
    enum selftest_need need;
    enum selftest_expectation expected;
    enum selftest_result result;
    bool unexpected;
    int code;           // errno of the refusal; 0 when there was none
    const char *reason; // why such refusals happen and what to do; "" when accepted
};

struct selftest_device {
    char name[64], netdev[16], firmware[64];
    char format[16]; // of steering: "CX5", "CX6Dx", "CX7"; "CX8" or "unknown" have few expectations
    char library[32]; // version of rdma-core, "44.0"; "" when it cannot be told
};

typedef void selftest_fn(void *context, const struct selftest_row *row);

// device: a netdev or an RDMA device. `about` is filled before the first row. 0 when all rows were
// told, whatever they say; -ENODEV no such device, -EOPNOTSUPP not a ConnectX, -EACCES or -EPERM
// may not be opened, other -errno: could not be opened; -EBUSY when objects could not be removed.
int nic_selftest(const char *device, struct selftest_device *about, selftest_fn *each,
                 void *context, struct error *error);

#endif
