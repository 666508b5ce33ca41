// SPDX-License-Identifier: Apache-2.0
// NIC drivers: make a NIC hold exactly the wanted rules. One interface, one backend per file.
//
// nic_apply takes the whole wanted set, not a delta, and is idempotent: restart, retry and
// coalescing are one code path. A driver works make-before-break: a flow is at no time without a
// rule that it has before and after. What stands in the NIC outlives the process (ebpf: pinned),
// and nic_open adopts what it finds.
//
// Ownership: nic_open returns owned; rule sets are borrowed during the call. Errors: -errno with a
// sentence (what to do). One thread per NIC.
#ifndef NICDRV_NIC_H
#define NICDRV_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include "model/error.h"
#include "model/nic_facts.h"
#include "model/rule.h"

struct nic;

typedef void nic_counter_fn(void *context, const struct nic_counter *counter);

typedef void nic_qp_fn(void *context, const struct nic_qp *qp);

struct nic_driver {
    const char *name; // "ebpf", "mem", "mlx5"
    int (*open)(const char *device, const char *pin_dir, struct nic **out, struct error *error);
    void (*close)(struct nic *nic, bool remove_rules); // false: leave the data plane forwarding
    void (*capabilities)(const struct nic *nic, struct nic_capabilities *out);
    int (*apply)(struct nic *nic, const struct rule_set *wanted,
                 struct error *error); // wanted is sealed
    int (*counters)(struct nic *nic, nic_counter_fn *each, void *context);
    int (*qps)(struct nic *nic, nic_qp_fn *each, void *context); // NULL: the driver cannot tell
    // Totals for status and metrics.
    void (*totals)(struct nic *nic, uint64_t *encapsulated, uint64_t *decapsulated,
                   uint64_t *plain_roce);
};

extern const struct nic_driver nic_driver_ebpf, nic_driver_mem;
const struct nic_driver *nic_driver_find(const char *name); // NULL when unknown

// What nic_open found in place, for adoption: the sealed set as last applied, empty when there was
// none.
struct nic {
    const struct nic_driver *driver;
    char device[32];
    struct rule_set applied; // sealed; equals what the NIC holds
    const char *attachment;  // where packets meet the driver: "tcx", "clsact"; "" when it has no
                             // such place
    bool unsettled; // the driver must see the next set even when it equals `applied`: what forwards
                    // now cannot be adopted (another layout) and is replaced by the next set
};

// Convenience around the driver's table. device is a netdev name; pin_dir a directory in a bpffs
// ("" default).
int nic_open(const char *driver, const char *device, const char *pin_dir, struct nic **out,
             struct error *error);
void nic_close(struct nic *nic, bool remove_rules); // NULL is a no-op
// Does nothing when `wanted` equals what is applied. On failure the NIC holds what it held, or,
// where a device fails half way, what `applied` then says.
int nic_apply(struct nic *nic, const struct rule_set *wanted, struct error *error);

#endif
