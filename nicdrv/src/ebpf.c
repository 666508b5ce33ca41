// SPDX-License-Identifier: Apache-2.0
// The driver `ebpf`: steers in the kernel's own transmit path, on any netdev: by tcx links, on
// kernels before 6.6 by filters of a clsact qdisc. Opening, adopting and closing; the maps'
// contents are the business of ebpf_maps.c and ebpf_update.c.
//
// What nic_open finds at the port, by either method, decides:
//
//   our program, and it uses our pinned maps     -> adopt: reuse the maps, replace the programs in
//                                                   one step, keep counting
//   our program with other maps (other layout)   -> leave it; the next apply fills new maps first
//                                                   and replaces it then
//   no program of ours                           -> pins are left over: remove, start new
//
// A filter found where tcx can be used is replaced by a link: the link first, which runs first,
// then the filter goes. A packet that meets both is changed once: what was encapsulated is no UDP,
// and what was stripped is not addressed to a local SID. The empty clsact stays until
// nic_close removes all: while a qdisc comes or goes, the kernel drops what the port sends.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <net/if.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ebpf.h"
#include "nicdrv/diff.h"
#include "srv6.skel.h"

#define VERIFIER_LOG_BYTES 65536

struct ebpf_nic {
    struct nic nic; // first; nic.applied borrows from held.set
    struct srv6_bpf *skeleton;
    struct ebpf_maps maps;
    struct ebpf_pins pins;
    struct ebpf_rules held;
    struct ebpf_slots slots;
    struct ebpf_cnps cnps;
    int ifindex;
    bool tcx;
};

static struct ebpf_nic *ebpf_of(struct nic *nic) {
    return (struct ebpf_nic *)nic;
}

static int silent(enum libbpf_print_level level, const char *format, va_list arguments) {
    (void)level;
    (void)format;
    (void)arguments;
    return 0; // what matters comes back as a sentence
}

// Cuts the log to the last line that says why; the verifier ends with its statistics.
static const char *last_reason(char *log) {
    const char *reason = "";
    char *rest = log;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (*line != '\0' && strncmp(line, "processed ", 10) != 0 && strncmp(line, "--", 2) != 0 &&
            strncmp(line, "verification time", 17) != 0 && strncmp(line, "stack depth", 11) != 0) {
            reason = line;
        }
    }
    return reason;
}

static int load_error(int rc, char *log, const char *device, struct error *error) {
    if (rc == -EPERM || rc == -EACCES) {
        // The verifier says EACCES too, with a log.
        const char *reason = last_reason(log);
        if (*reason == '\0') {
            return error_set(error, -EPERM,
                             "%s: may not load BPF programs: run as root or with CAP_BPF, "
                             "CAP_NET_ADMIN",
                             device);
        }
        return error_set(error, rc, "%s: the kernel refused the BPF program: %.90s", device,
                         reason);
    }
    if (rc == -ENOSYS) {
        return error_set(error, rc, "%s: the kernel has no BPF (CONFIG_BPF_SYSCALL)", device);
    }
    const char *reason = last_reason(log);
    return error_set(error, rc, "%s: the kernel refused the BPF program: %.90s", device,
                     *reason == '\0' ? strerror(-rc) : reason);
}

// Kernels before 6.2 do not know how to turn a packet from IPv6 into IPv4 in place.
static bool decaps_by_redirect(void) {
    struct utsname name;
    int major = 0, minor = 0;
    return uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
           (major < 6 || (major == 6 && minor < 2));
}

static struct ebpf_maps maps_of(const struct srv6_bpf *skeleton) {
    return (struct ebpf_maps){
        .destinations = bpf_map__fd(skeleton->maps.destinations),
        .exact = bpf_map__fd(skeleton->maps.exact),
        .paths = bpf_map__fd(skeleton->maps.paths),
        .srhs = bpf_map__fd(skeleton->maps.srhs),
        .counters = bpf_map__fd(skeleton->maps.counters),
        .seen = bpf_map__fd(skeleton->maps.seen),
        .qps = bpf_map__fd(skeleton->maps.qps),
        .cnps = bpf_map__fd(skeleton->maps.cnps),
        .local_sids = bpf_map__fd(skeleton->maps.local_sids),
        .totals = bpf_map__fd(skeleton->maps.totals),
        .meta = bpf_map__fd(skeleton->maps.meta),
        .cpus = libbpf_num_possible_cpus(),
    };
}

// Loads the programs over the maps that are pinned, and pins those that are not.
static int load(struct ebpf_nic *ebpf, struct error *error) {
    char *log = calloc(1, VERIFIER_LOG_BYTES);
    if (log == NULL) {
        return error_set(error, -ENOMEM, "%s: no memory", ebpf->nic.device);
    }
    struct bpf_object_open_opts options = {.sz = sizeof options,
                                           .kernel_log_buf = log,
                                           .kernel_log_size = VERIFIER_LOG_BYTES};
    struct srv6_bpf *skeleton = srv6_bpf__open_opts(&options);
    int rc = skeleton == NULL ? -errno : 0;
    struct bpf_map *map;
    if (rc == 0) {
        skeleton->rodata->decap_by_redirect = decaps_by_redirect();
        bpf_object__for_each_map(map, skeleton->obj) {
            char path[EBPF_PATH_MAX];
            ebpf_pins_path(&ebpf->pins, bpf_map__name(map), path);
            if (!bpf_map__is_internal(map) && map != skeleton->maps.cnp_hints && rc == 0) {
                rc = bpf_map__set_pin_path(map, path);
            }
        }
        rc = rc == 0 ? srv6_bpf__load(skeleton) : rc;
        rc = rc == 0 ? ebpf_cnps_open(&ebpf->cnps, bpf_map__fd(skeleton->maps.cnp_hints)) : rc;
    }
    if (rc < 0) {
        srv6_bpf__destroy(skeleton);
        load_error(rc, log, ebpf->nic.device, error);
    } else {
        ebpf->skeleton = skeleton;
        ebpf->maps = maps_of(skeleton);
        ebpf->nic.cnp_fd = ebpf_cnps_fd(&ebpf->cnps);
    }
    free(log);
    return rc;
}

static int pin_program(const struct ebpf_nic *ebpf, const char *name, int program) {
    char path[EBPF_PATH_MAX];
    ebpf_pins_path(&ebpf->pins, name, path);
    unlink(path);
    return bpf_obj_pin(program, path);
}

static int attach_one(const struct ebpf_nic *ebpf, enum ebpf_hook hook, int program,
                      struct error *error) {
    const char *device = ebpf->nic.device;
    if (!ebpf->tcx) {
        return ebpf_tc_attach(ebpf->ifindex, hook, program, device, error);
    }
    int rc = ebpf_tcx_attach(&ebpf->pins, ebpf->ifindex, hook, program, device, error);
    if (rc == 0) {
        ebpf_tc_detach(ebpf->ifindex, hook); // ours of before tcx
    }
    return rc;
}

// Puts our programs at the port, in place of older ones of ours without a gap, and pins them.
static int attach(struct ebpf_nic *ebpf, struct error *error) {
    int encap = bpf_program__fd(ebpf->skeleton->progs.srv6_encap);
    int decap = bpf_program__fd(ebpf->skeleton->progs.srv6_decap);
    int rc = attach_one(ebpf, EBPF_INGRESS, decap, error);
    if (rc == 0) {
        rc = attach_one(ebpf, EBPF_EGRESS, encap, error);
    }
    if (rc < 0) {
        return rc;
    }
    rc = pin_program(ebpf, "srv6_encap", encap);
    rc = rc == 0 ? pin_program(ebpf, "srv6_decap", decap) : rc;
    return rc < 0 ? error_set(error, rc, "%s: cannot pin a program below %.80s: %s",
                              ebpf->nic.device, ebpf->pins.directory, strerror(-rc))
                  : 0;
}

static uint32_t pinned_program_id(const struct ebpf_nic *ebpf, const char *name) {
    char path[EBPF_PATH_MAX];
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof info;
    ebpf_pins_path(&ebpf->pins, name, path);
    int program = bpf_obj_get(path);
    if (program < 0) {
        return 0;
    }
    int rc = bpf_obj_get_info_by_fd(program, &info, &size);
    close(program);
    return rc < 0 ? 0 : info.id;
}

// Whether what forwards at the port uses the maps pinned for this layout. The pinned program tells;
// where a process died between attaching and pinning, its maps do (that needs CAP_SYS_ADMIN).
static bool can_adopt(const struct ebpf_nic *ebpf, uint32_t attached) {
    char path[EBPF_PATH_MAX];
    ebpf_pins_path(&ebpf->pins, "destinations", path);
    int map = attached == 0 ? -1 : bpf_obj_get(path);
    if (map < 0) {
        return false;
    }
    bool adopt =
        pinned_program_id(ebpf, "srv6_encap") == attached || ebpf_tc_program_uses(attached, map);
    close(map);
    return adopt;
}

static int meta_error(const struct ebpf_nic *ebpf, int rc, struct error *error) {
    return rc < 0 ? error_set(error, rc, "%s: cannot write a BPF map: %s", ebpf->nic.device,
                              strerror(-rc))
                  : 0;
}

// Makes the data plane ask the rules anew for every QP.
static int next_generation(const struct ebpf_nic *ebpf, struct srv6_meta *meta,
                           struct error *error) {
    uint32_t zero = 0;
    meta->generation += meta->generation == UINT32_MAX ? 2 : 1; // not 0
    return meta_error(ebpf, bpf_map_update_elem(ebpf->maps.meta, &zero, meta, BPF_ANY), error);
}

// The generation goes on where it was adopted: QPs remember slots of the last one.
static int write_meta(const struct ebpf_nic *ebpf, bool made_clsact, struct error *error) {
    struct srv6_meta meta = {0};
    uint32_t zero = 0;
    int rc = bpf_map_lookup_elem(ebpf->maps.meta, &zero, &meta);
    meta.layout = SRV6_LAYOUT;
    meta.made_clsact = made_clsact;
    meta.reading += meta.reading == 0;
    return rc < 0 ? meta_error(ebpf, rc, error) : next_generation(ebpf, &meta, error);
}

static int rules_changed(const struct ebpf_nic *ebpf, struct error *error) {
    struct srv6_meta meta;
    uint32_t zero = 0;
    int rc = bpf_map_lookup_elem(ebpf->maps.meta, &zero, &meta);
    return rc < 0 ? meta_error(ebpf, rc, error) : next_generation(ebpf, &meta, error);
}

// Rules as the maps hold them, and the slots that these leave free.
static int read_state(struct ebpf_nic *ebpf, struct error *error) {
    struct ebpf_rules rules;
    struct ebpf_slots slots;
    int rc = ebpf_read_rules(&ebpf->maps, &rules, error);
    if (rc < 0) {
        return rc;
    }
    rc = ebpf_slots_init(&slots, &rules);
    if (rc < 0) {
        ebpf_rules_fini(&rules);
        return error_set(error, rc, "%s: no memory", ebpf->nic.device);
    }
    ebpf_rules_fini(&ebpf->held);
    ebpf_slots_fini(&ebpf->slots);
    ebpf->held = rules;
    ebpf->slots = slots;
    ebpf->nic.applied = rules.set;
    return 0;
}

static void remove_all(struct ebpf_nic *ebpf, bool made_clsact) {
    for (enum ebpf_hook hook = EBPF_EGRESS; hook <= EBPF_INGRESS; hook++) {
        ebpf_tcx_detach(&ebpf->pins, hook);
        ebpf_tc_detach(ebpf->ifindex, hook);
    }
    if (made_clsact) {
        ebpf_tc_remove_hooks_if_empty(ebpf->ifindex);
    }
    ebpf_pins_remove(&ebpf->pins, true);
    ebpf_pins_remove(&ebpf->pins, false);
    ebpf_pins_remove_directory(&ebpf->pins);
}

static void free_nic(struct ebpf_nic *ebpf) {
    ebpf_rules_fini(&ebpf->held);
    ebpf_slots_fini(&ebpf->slots);
    ebpf_cnps_close(&ebpf->cnps);
    srv6_bpf__destroy(ebpf->skeleton);
    ebpf_pins_close(&ebpf->pins);
    free(ebpf);
}

static uint32_t attached_program(const struct ebpf_nic *ebpf) {
    uint32_t by_link = ebpf_tcx_attached(&ebpf->pins, ebpf->ifindex, EBPF_EGRESS);
    return by_link != 0 ? by_link : ebpf_tc_attached(ebpf->ifindex, EBPF_EGRESS);
}

// The programs are loaded. tcx where the kernel has it.
static int choose_attachment(struct ebpf_nic *ebpf, bool *made_clsact, struct error *error) {
    ebpf->tcx = ebpf_tcx_available(bpf_program__fd(ebpf->skeleton->progs.srv6_encap));
    ebpf->nic.attachment = ebpf->tcx ? "tcx" : "clsact";
    return ebpf->tcx ? 0 : ebpf_tc_make_hooks(ebpf->ifindex, ebpf->nic.device, made_clsact, error);
}

// From the lock on. A failure leaves what forwards as it was, and nothing of ours where nothing
// was.
static int start(struct ebpf_nic *ebpf, struct error *error) {
    uint32_t attached = attached_program(ebpf);
    bool adopt = can_adopt(ebpf, attached), made = false;
    bool made_before = attached != 0 && ebpf_pins_made_clsact(&ebpf->pins);
    if (!adopt) {
        ebpf_pins_remove(&ebpf->pins, true);
    }
    int rc = load(ebpf, error);
    if (rc == 0) {
        rc = choose_attachment(ebpf, &made, error);
    }
    if (rc == 0) {
        rc = write_meta(ebpf, made || made_before, error);
    }
    if (rc == 0) {
        rc = read_state(ebpf, error);
    }
    ebpf->nic.unsettled = attached != 0 && !adopt;
    if (rc == 0 && !ebpf->nic.unsettled) {
        rc = attach(ebpf, error);
    }
    if (rc < 0 && attached == 0) {
        remove_all(ebpf, made);
    } else if (rc < 0 && !adopt) {
        ebpf_pins_remove(&ebpf->pins, true);
    }
    return rc;
}

static int ebpf_open(const struct nic_options *options, struct nic **out, struct error *error) {
    const char *device = options->device;
    unsigned ifindex = if_nametoindex(device);
    if (ifindex == 0) {
        return error_set(error, -ENODEV, "%s: no such network device in this network namespace",
                         device);
    }
    struct ebpf_nic *ebpf = calloc(1, sizeof *ebpf);
    if (ebpf == NULL) {
        return error_set(error, -ENOMEM, "%s: no memory", device);
    }
    libbpf_set_print(silent);
    ebpf->nic.driver = &nic_driver_ebpf;
    ebpf->ifindex = (int)ifindex;
    ebpf->pins.lock = -1;
    ebpf->nic.watch_fd = ebpf->nic.cnp_fd = -1;
    strncpy(ebpf->nic.device, device, sizeof ebpf->nic.device - 1);
    int rc = ebpf_pins_open(device, options->pin_dir, &ebpf->pins, error);
    if (rc == 0) {
        rc = start(ebpf, error);
    }
    if (rc < 0) {
        free_nic(ebpf);
        return rc;
    }
    *out = &ebpf->nic;
    return 0;
}

static void ebpf_close(struct nic *nic, bool remove_rules) {
    struct ebpf_nic *ebpf = ebpf_of(nic);
    if (remove_rules) {
        remove_all(ebpf, ebpf_pins_made_clsact(&ebpf->pins));
    }
    free_nic(ebpf);
}

static void ebpf_capabilities(const struct nic *nic, struct nic_capabilities *out) {
    (void)nic;
    *out = (struct nic_capabilities){
        .spray = true,
        .per_qp = true,
        .srh = true,
        .counters = true,
        .rules_max = SRV6_RULES,
        .encap_bytes_max = 40 + SRV6_SRH_BYTES_MAX,
    };
}

static int ebpf_apply(struct nic *nic, const struct rule_set *wanted, struct error *error) {
    struct ebpf_nic *ebpf = ebpf_of(nic);
    int rc = ebpf_update(&ebpf->maps, &ebpf->slots, &ebpf->held, wanted, nic->device, error);
    nic->applied = ebpf->held.set;
    int changed = rules_changed(ebpf, rc < 0 ? NULL : error); // also where the change went half way
    rc = rc < 0 ? rc : changed;
    if (rc < 0) {
        // Half way, perhaps. Should even reading fail, the next apply starts from what we know.
        read_state(ebpf, NULL);
        return rc;
    }
    if (nic->unsettled) {
        rc = attach(ebpf, error);
        if (rc < 0) {
            return rc;
        }
        ebpf_pins_remove(&ebpf->pins, false);
        nic->unsettled = false;
    }
    return 0;
}

static int ebpf_counters(struct nic *nic, nic_counter_fn *each, void *context) {
    struct ebpf_nic *ebpf = ebpf_of(nic);
    for (uint32_t r = 0; r < ebpf->held.set.rule_count; r++) {
        const struct rule *rule = &ebpf->held.set.rules[r];
        for (uint32_t p = 0; p < rule->path_count; p++) {
            struct srv6_counter sum;
            int rc =
                ebpf_read_counter(&ebpf->maps, ebpf->held.slots[ebpf->held.first[r] + p], &sum);
            if (rc < 0) {
                return rc;
            }
            struct nic_counter counter = {rule->match, p, sum.packets, sum.bytes};
            each(context, &counter);
        }
    }
    return 0;
}

static int ebpf_qps(struct nic *nic, nic_qp_fn *each, void *context) {
    return ebpf_take_qps(&ebpf_of(nic)->maps, each, context);
}

static int ebpf_cnps(struct nic *nic, nic_cnp_fn *each, void *context) {
    struct ebpf_nic *ebpf = ebpf_of(nic);
    return ebpf_cnps_take(&ebpf->cnps, &ebpf->maps, each, context);
}

static void ebpf_cnp_hints(struct nic *nic, nic_cnp_fn *each, void *context) {
    ebpf_cnps_hints(&ebpf_of(nic)->cnps, each, context);
}

static void ebpf_totals(struct nic *nic, uint64_t *encapsulated, uint64_t *decapsulated,
                        uint64_t *plain_roce) {
    struct srv6_totals sum = {0};
    ebpf_read_totals(&ebpf_of(nic)->maps, &sum);
    *encapsulated = sum.encapsulated;
    *decapsulated = sum.decapsulated;
    *plain_roce = sum.plain;
}

const struct nic_driver nic_driver_ebpf = {
    .name = "ebpf",
    .open = ebpf_open,
    .close = ebpf_close,
    .capabilities = ebpf_capabilities,
    .apply = ebpf_apply,
    .counters = ebpf_counters,
    .qps = ebpf_qps,
    .cnps = ebpf_cnps,
    .cnp_hints = ebpf_cnp_hints,
    .totals = ebpf_totals,
};
