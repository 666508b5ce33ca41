// SPDX-License-Identifier: Apache-2.0
// NIC drivers: make a NIC hold exactly the wanted rules. One interface, one backend per file.
//
// nic_apply takes the whole wanted set, not a delta, and is idempotent: restart, retry and
// coalescing are one code path. A driver works make-before-break: a flow is at no time without a
// rule that it has before and after. What stands in the NIC outlives the process (ebpf: pinned;
// mlx5: held by srv6-holder), and nic_open adopts what it finds.
//
// Ownership: nic_open returns owned and copies its options; rule sets are borrowed during the call.
// Errors: -errno with a sentence (what to do). One thread per NIC.
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

typedef void nic_cnp_fn(void *context, const struct nic_cnp *cnp);

#define NIC_CLASSES_MAX 8
#define NIC_HOLDER_DEFAULT "/run/srv6/holder.sock"

// What only an eSwitch needs to be told (mlx5); zero elsewhere.
struct nic_eswitch_options {
    uint16_t vport;         // of the function (VF, SF) whose packets are steered; 0: the only one
    uint8_t vport_mac[6];   // where decapsulated packets go; zero: asked of the device
    uint8_t gateway_mac[6]; // of the leaf; zero: from the kernel's route and neighbour
    uint8_t traffic_classes[NIC_CLASSES_MAX]; // whole bytes, DSCP and ECN, of packets to steer
    uint32_t class_count;                     // 0: 0x00, 0x02, 0x6a (RoCE), 0xc0 (CNP)
};

struct nic_options {
    const char *device;  // netdev; with an eSwitch its uplink
    const char *pin_dir; // ebpf: directory in a bpffs; "": the default
    const char *holder;  // mlx5: socket of srv6-holder; "": NIC_HOLDER_DEFAULT
    struct nic_eswitch_options eswitch;
};

struct nic_driver {
    const char *name; // "ebpf", "mem", "mlx5"
    bool slow;        // apply may take longer than a loop may wait: call it from a worker
    int (*open)(const struct nic_options *options, struct nic **out, struct error *error);
    void (*close)(struct nic *nic, bool remove_rules); // false: leave the data plane forwarding
    void (*capabilities)(const struct nic *nic, struct nic_capabilities *out);
    int (*apply)(struct nic *nic, const struct rule_set *wanted,
                 struct error *error); // wanted is sealed
    int (*counters)(struct nic *nic, nic_counter_fn *each, void *context);
    int (*qps)(struct nic *nic, nic_qp_fn *each, void *context); // NULL: the driver cannot tell
    // CNPs that came since the last call, by who sent them and our QP, some more than once. NULL,
    // as are the hints: the driver does not see them.
    int (*cnps)(struct nic *nic, nic_cnp_fn *each, void *context);
    // Called when cnp_fd is readable: who has just sent CNPs, without a count. A QP's are told of
    // about once in a millisecond.
    void (*cnp_hints)(struct nic *nic, nic_cnp_fn *each, void *context);
    // Called when watch_fd is readable, and after counters, qps and totals, which may meet the news
    // first: 0 when all that was applied stands, else -errno with what was lost; `applied` then
    // says what is left. NULL: nothing is ever lost behind our back. Only a slow driver has it.
    int (*review)(struct nic *nic, struct error *error);
    // Totals for status and metrics.
    void (*totals)(struct nic *nic, uint64_t *encapsulated, uint64_t *decapsulated,
                   uint64_t *plain_roce);
};

extern const struct nic_driver nic_driver_ebpf, nic_driver_mem;
// The eSwitch, by way of srv6-holder (nicdrv/holder.h). The driver that calls the library itself is
// nic_driver_mlx5_direct in nicdrv_mlx5/mlx5.h: what it makes dies with its process.
extern const struct nic_driver nic_driver_mlx5;
const struct nic_driver *nic_driver_find(const char *name); // NULL when unknown

// What nic_open found in place, for adoption: the sealed set as last applied, empty when there was
// none.
struct nic {
    const struct nic_driver *driver;
    char device[32];
    struct rule_set applied; // sealed; equals what the NIC holds
    const char *attachment;  // where packets meet the driver: "tcx", "clsact"; "" when it has no
                             // such place
    int watch_fd;   // readable when review must be called; -1: never. May change with apply and
                    // review
    int cnp_fd;     // readable when cnp_hints has something to tell; -1: never
    bool unsettled; // the driver must see the next set even when it equals `applied`: what forwards
                    // now cannot be adopted (another layout) and is replaced by the next set
};

// Convenience around the driver's table. NULL texts in the options mean "".
int nic_open_with(const struct nic_driver *driver, const struct nic_options *options,
                  struct nic **out, struct error *error);
int nic_open(const char *driver, const struct nic_options *options, struct nic **out,
             struct error *error);
void nic_close(struct nic *nic, bool remove_rules); // NULL is a no-op
// Does nothing when `wanted` equals what is applied. On failure the NIC holds what it held, or,
// where a device fails half way, what `applied` then says.
int nic_apply(struct nic *nic, const struct rule_set *wanted, struct error *error);

#endif
