// SPDX-License-Identifier: Apache-2.0
// The parts of the ebpf driver. A path has a slot: an index into the maps `paths` and `counters`.
#ifndef NICDRV_EBPF_H
#define NICDRV_EBPF_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "nicdrv/nic.h"

#include "srv6_maps.h"

#define EBPF_DIRECTORY_MAX 192
#define EBPF_PATH_MAX 256 // a directory, a layout's directory and a name

// --- slots: which are free -----------------------------------------------------------------------
// First in, first out: a slot just given up is the last to be used again, so that a program that
// still reads it finds its old content.
struct ebpf_slots {
    uint32_t *ring; // SRV6_SLOTS places
    uint32_t head, count;
};

// --- ebpf_maps.c: rules <-> maps -----------------------------------------------------------------
struct ebpf_maps { // descriptors, borrowed from the skeleton
    int destinations, exact, paths, srhs, counters, seen, qps, cnps, local_sids, totals, meta;
    int cpus; // of per-CPU values
};

struct ebpf_rules { // a sealed set and the slots of its paths, numbered by rule_path_numbers
    struct rule_set set;
    uint32_t *first, *slots;
};

void ebpf_rules_fini(struct ebpf_rules *rules);
// Writes path p of rule r to its slot and zeroes the slot's counter.
int ebpf_put_path(const struct ebpf_maps *maps, const struct ebpf_rules *rules, uint32_t r,
                  uint32_t p);
int ebpf_put_exact(const struct ebpf_maps *maps, const struct ebpf_rules *rules, uint32_t r);
int ebpf_drop_exact(const struct ebpf_maps *maps, const struct rule_match *match);
// Makes the entry of a destination what the rules say: one step for all its packets.
int ebpf_put_destination(const struct ebpf_maps *maps, const struct ebpf_rules *rules,
                         const uint8_t destination[16]);
int ebpf_put_local_sid(const struct ebpf_maps *maps, const struct sid *sid);
int ebpf_drop_local_sid(const struct ebpf_maps *maps, const struct sid *sid);
// What the maps hold. Returns owned; -ENOMEM, -EUCLEAN when the maps contradict themselves.
int ebpf_read_rules(const struct ebpf_maps *maps, struct ebpf_rules *out, struct error *error);
int ebpf_read_counter(const struct ebpf_maps *maps, uint32_t slot, struct srv6_counter *sum);
int ebpf_read_totals(const struct ebpf_maps *maps, struct srv6_totals *sum);

// --- ebpf_qps.c ---------------------------------------------------------------------------------
// Reports each QP that sent since the last call once. -ENOMEM and the kernel's errors.
int ebpf_take_qps(const struct ebpf_maps *maps, nic_qp_fn *each, void *context);

// Takes all entries of a per-CPU hash: `each` gets a key and the value of one CPU, and returns 0 or
// -errno, which ends it. -ENOMEM and the kernel's errors.
typedef int ebpf_entry_fn(void *context, const void *key, const void *value);
int ebpf_take_entries(int map, int cpus, size_t key_size, size_t value_size, ebpf_entry_fn *each,
                      void *context);

// --- ebpf_cnps.c --------------------------------------------------------------------------------
struct ebpf_cnps {
    struct ring_buffer *ring;
    nic_cnp_fn *each; // while hints are read
    void *context;
    bool fresh; // some came since they were counted last
};

int ebpf_cnps_open(struct ebpf_cnps *cnps, int ring_map);
void ebpf_cnps_close(struct ebpf_cnps *cnps);
int ebpf_cnps_fd(const struct ebpf_cnps *cnps);
void ebpf_cnps_hints(struct ebpf_cnps *cnps, nic_cnp_fn *each, void *context);
// What came since the last call. -ENOMEM and the kernel's errors.
int ebpf_cnps_take(struct ebpf_cnps *cnps, const struct ebpf_maps *maps, nic_cnp_fn *each,
                   void *context);

// --- ebpf_update.c: from the rules that the maps hold to the wanted ones -------------------------
int ebpf_slots_init(struct ebpf_slots *slots, const struct ebpf_rules *in_use); // -ENOMEM
void ebpf_slots_fini(struct ebpf_slots *slots);
// Make-before-break. On success *held is the new set. On failure the maps may be half way and *held
// is what it was: read them again.
int ebpf_update(const struct ebpf_maps *maps, struct ebpf_slots *slots, struct ebpf_rules *held,
                const struct rule_set *wanted, const char *device, struct error *error);

// --- ebpf_pins.c: the directory in the bpffs -----------------------------------------------------
// <pin_dir>/v<layout>/<map or program>
struct ebpf_pins {
    char directory[EBPF_DIRECTORY_MAX];
    int lock; // held while the NIC is open: one process drives a NIC
};

// "" means /sys/fs/bpf/srv6/<device>. Mounts /sys/fs/bpf where it is missing.
int ebpf_pins_open(const char *device, const char *pin_dir, struct ebpf_pins *out,
                   struct error *error);
void ebpf_pins_close(struct ebpf_pins *pins);
// The path of a pin of this layout.
void ebpf_pins_path(const struct ebpf_pins *pins, const char *name, char path[EBPF_PATH_MAX]);
// Removes the pins of this layout, or of all others.
void ebpf_pins_remove(const struct ebpf_pins *pins, bool own_layout);
// Removes the directory, and parents that this leaves empty, up to the bpffs.
void ebpf_pins_remove_directory(const struct ebpf_pins *pins);
// Whether the driver made the clsact qdisc, as any layout's meta map tells.
bool ebpf_pins_made_clsact(const struct ebpf_pins *pins);

// --- ebpf_tcx.c: links at the port, Linux 6.6 and later ------------------------------------------
enum ebpf_hook { EBPF_EGRESS, EBPF_INGRESS };

bool ebpf_tcx_available(int program); // any tc program: it is tried, nothing is attached
// Puts the program in place of that of our link, in one step, or makes the link and pins it.
int ebpf_tcx_attach(const struct ebpf_pins *pins, int ifindex, enum ebpf_hook hook, int program,
                    const char *device, struct error *error);
// Id of the program of our link at this port; 0 when there is none.
uint32_t ebpf_tcx_attached(const struct ebpf_pins *pins, int ifindex, enum ebpf_hook hook);
void ebpf_tcx_detach(const struct ebpf_pins *pins, enum ebpf_hook hook);

// --- ebpf_tc.c: clsact and its filters, for older kernels ----------------------------------------

int ebpf_tc_make_hooks(int ifindex, const char *device, bool *made, struct error *error);
// Puts the program in place of ours that is there, in one step, or anew.
int ebpf_tc_attach(int ifindex, enum ebpf_hook hook, int program, const char *device,
                   struct error *error);
// Id of our program at the hook; 0 when there is none.
uint32_t ebpf_tc_attached(int ifindex, enum ebpf_hook hook);
bool ebpf_tc_program_uses(uint32_t program_id, int map);
void ebpf_tc_detach(int ifindex, enum ebpf_hook hook);
void ebpf_tc_remove_hooks_if_empty(int ifindex);

#endif
