// SPDX-License-Identifier: Apache-2.0
// The driver that calls the library itself: opening, closing, and what happens when the device is
// lost.
//
//   open --> alive --(device fatal, or it takes no more writes)--> lost: nothing is applied
//              ^                                                      |
//              +------------------- next apply ----------------------+
//
// Rules end with the process, so closing removes them whatever the caller asks: who wants the data
// plane to go on keeps the NIC open (srv6-holder).
#include "nicdrv_mlx5/mlx5.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/epoll.h>

#include "mlx5_next_hop.h"
#include "mlx5_program.h"
#include "nicdrv_mlx5/preflight.h"

struct mlx5_nic {
    struct nic nic; // first
    struct nic_eswitch_options eswitch;
    bool alive;
    struct mlx5_card card;
    struct mlx5_program program;
    struct mlx5_next_hop hop;
    struct nic_capabilities capabilities;
    struct mlx5_card_totals passed; // of devices that were lost
};

static struct mlx5_nic *mlx5_of(struct nic *nic) {
    return (struct mlx5_nic *)nic;
}

static bool gateway_is_given(const struct mlx5_nic *mlx5) {
    static const uint8_t none[6];
    return memcmp(mlx5->eswitch.gateway_mac, none, sizeof none) != 0;
}

static bool has_failed(struct mlx5_nic *mlx5) {
    return mlx5_events_failed(&mlx5->card.events);
}

// ---- up and down

static int watch(struct mlx5_nic *mlx5, int fd, struct error *error) {
    struct epoll_event readable = {.events = EPOLLIN};
    if (epoll_ctl(mlx5->nic.watch_fd, EPOLL_CTL_ADD, fd, &readable) < 0) {
        int rc = -errno;
        return error_set(error, rc, "%s: cannot watch the device: %s", mlx5->nic.device,
                         strerror(-rc));
    }
    return 0;
}

static int start_next_hop(struct mlx5_nic *mlx5, struct error *error) {
    if (gateway_is_given(mlx5)) {
        return 0;
    }
    int rc = mlx5_next_hop_open(&mlx5->hop, mlx5->nic.device, error);
    return rc < 0 ? rc : watch(mlx5, mlx5->hop.watch, error);
}

static void take_down(struct mlx5_nic *mlx5) {
    mlx5_next_hop_close(&mlx5->hop);
    mlx5_events_begin(&mlx5->card.events);
    mlx5_program_fini(&mlx5->program);
    mlx5_card_close(&mlx5->card);
    mlx5->alive = false;
}

static int bring_up(struct mlx5_nic *mlx5, struct error *error) {
    struct nic_options options = {.device = mlx5->nic.device, .eswitch = mlx5->eswitch};
    mlx5->hop = (struct mlx5_next_hop){-1, -1};
    int rc = mlx5_card_open(&mlx5->card, &options, error);
    if (rc < 0) {
        return rc;
    }
    rc = mlx5_program_init(&mlx5->program, &mlx5->card);
    rc = rc < 0 ? error_set(error, rc, "%s: no memory", mlx5->nic.device) : 0;
    rc = rc < 0 ? rc : watch(mlx5, mlx5->card.events.failed_fd, error);
    rc = rc < 0 ? rc : start_next_hop(mlx5, error);
    if (rc < 0) {
        take_down(mlx5);
        return rc;
    }
    mlx5_card_capabilities(&mlx5->card, &mlx5->capabilities);
    mlx5->alive = true;
    return 0;
}

static struct mlx5_card_totals add_totals(const struct mlx5_card_totals *a,
                                          const struct mlx5_card_totals *b) {
    return (struct mlx5_card_totals){a->encapsulated + b->encapsulated,
                                     a->decapsulated + b->decapsulated, a->plain + b->plain};
}

// Nothing of what the device held can be changed any more, or be relied on.
static int lose(struct mlx5_nic *mlx5, struct error *error) {
    struct mlx5_card_totals last = mlx5_card_read_totals(&mlx5->card);
    mlx5->passed = add_totals(&mlx5->passed, &last);
    take_down(mlx5);
    rule_set_clear(&mlx5->nic.applied);
    mlx5->nic.unsettled = true;
    return error_set(error, -EIO,
                     "%s: the device failed: its rules are lost and RoCE leaves plain; the next "
                     "apply opens it anew",
                     mlx5->nic.device);
}

static void free_nic(struct mlx5_nic *mlx5) {
    if (mlx5->nic.watch_fd >= 0) {
        close(mlx5->nic.watch_fd);
    }
    rule_set_fini(&mlx5->nic.applied);
    free(mlx5);
}

static int mlx5_open(const struct nic_options *options, struct nic **out, struct error *error) {
    int rc = mlx5_preflight(options, NULL, NULL, error);
    if (rc < 0) {
        return rc;
    }
    struct mlx5_nic *mlx5 = calloc(1, sizeof *mlx5);
    if (mlx5 == NULL) {
        return error_set(error, -ENOMEM, "%s: no memory for a NIC", options->device);
    }
    mlx5->nic.driver = &nic_driver_mlx5_direct;
    mlx5->nic.attachment = "eswitch";
    strncpy(mlx5->nic.device, options->device, sizeof mlx5->nic.device - 1);
    mlx5->eswitch = options->eswitch;
    rule_set_init(&mlx5->nic.applied);
    mlx5->nic.cnp_fd = -1;
    mlx5->nic.watch_fd = epoll_create1(EPOLL_CLOEXEC);
    rc = mlx5->nic.watch_fd < 0 ? error_set(error, -errno, "%s: cannot watch the device: %s",
                                            options->device, strerror(errno))
                                : bring_up(mlx5, error);
    if (rc < 0) {
        free_nic(mlx5);
        return rc;
    }
    *out = &mlx5->nic;
    return 0;
}

static void mlx5_close(struct nic *nic, bool remove_rules) {
    struct mlx5_nic *mlx5 = mlx5_of(nic);
    (void)remove_rules;
    if (mlx5->alive) {
        take_down(mlx5);
    }
    free_nic(mlx5);
}

// ---- rules

static int find_leaf(struct mlx5_nic *mlx5, const struct rule_set *set, uint64_t wait_ns,
                     struct mlx5_ethernet *leaf, struct error *error) {
    *leaf = mlx5->program.held.ethernet;
    memcpy(leaf->source, mlx5->card.device.mac, sizeof leaf->source);
    if (gateway_is_given(mlx5)) {
        memcpy(leaf->destination, mlx5->eswitch.gateway_mac, sizeof leaf->destination);
        return 0;
    }
    if (set->encap_count == 0) {
        return 0;
    }
    struct mlx5_next_hop_query query = {mlx5->nic.device, set->encaps[0].sids.sids[0], wait_ns};
    return mlx5_next_hop_find(&mlx5->hop, &query, leaf->destination, error);
}

// Makes the NIC hold the set, or finds that it is lost.
static int program(struct mlx5_nic *mlx5, const struct rule_set *wanted,
                   const struct mlx5_ethernet *leaf, struct error *error) {
    struct error why = {0};
    mlx5_events_begin(&mlx5->card.events);
    int rc = mlx5_program_apply(&mlx5->program, &mlx5->nic.applied, wanted, leaf, &why);
    bool lost = mlx5_steer_sync(&mlx5->card.steer) < 0;
    if (!lost) {
        mlx5_reformats_evict(&mlx5->card.reformats, MLX5_REFORMATS_UNUSED_MAX);
    }
    mlx5_events_end(&mlx5->card.events);
    if (lost) {
        return lose(mlx5, error);
    }
    return rc < 0 ? error_set(error, rc, "%s", why.text) : 0;
}

static int mlx5_apply(struct nic *nic, const struct rule_set *wanted, struct error *error) {
    struct mlx5_nic *mlx5 = mlx5_of(nic);
    struct mlx5_ethernet leaf;
    struct rule_set next;
    int rc = mlx5->alive ? 0 : bring_up(mlx5, error);
    if (rc == 0 && has_failed(mlx5)) {
        rc = lose(mlx5, error);
    }
    rc = rc < 0 ? rc : find_leaf(mlx5, wanted, MLX5_NEXT_HOP_WAIT_NS, &leaf, error);
    if (rc < 0) {
        return rc;
    }
    rule_set_init(&next);
    if (rule_set_copy(wanted, &next) < 0) {
        return error_set(error, -ENOMEM, "%s: no memory for %u rules", nic->device,
                         wanted->rule_count);
    }
    rc = program(mlx5, wanted, &leaf, error);
    if (rc < 0) {
        rule_set_fini(&next);
        return rc;
    }
    rule_set_fini(&nic->applied);
    nic->applied = next;
    nic->unsettled = false;
    return 0;
}

// The leaf may have another MAC address now; while the kernel does not know it, the old one stands.
static int review_leaf(struct mlx5_nic *mlx5, struct error *error) {
    struct mlx5_ethernet leaf;
    if (mlx5->hop.watch < 0 || !mlx5_next_hop_drain(&mlx5->hop) ||
        mlx5->nic.applied.encap_count == 0 ||
        find_leaf(mlx5, &mlx5->nic.applied, 0, &leaf, NULL) < 0 ||
        memcmp(&leaf, &mlx5->program.held.ethernet, sizeof leaf) == 0) {
        return 0;
    }
    int rc = program(mlx5, &mlx5->nic.applied, &leaf, error);
    mlx5->nic.unsettled = mlx5->nic.unsettled || rc < 0;
    return rc;
}

static int mlx5_review(struct nic *nic, struct error *error) {
    struct mlx5_nic *mlx5 = mlx5_of(nic);
    if (!mlx5->alive) {
        return 0;
    }
    return has_failed(mlx5) ? lose(mlx5, error) : review_leaf(mlx5, error);
}

// ---- what it tells

static void mlx5_capabilities(const struct nic *nic, struct nic_capabilities *out) {
    *out = ((const struct mlx5_nic *)nic)->capabilities;
}

static int mlx5_counters(struct nic *nic, nic_counter_fn *each, void *context) {
    struct mlx5_nic *mlx5 = mlx5_of(nic);
    if (!mlx5->capabilities.counters) {
        return -EOPNOTSUPP;
    }
    return !mlx5->alive
               ? 0
               : mlx5_tally_report(&mlx5->program.tally, &nic->applied, &mlx5->program.held,
                                   &mlx5->card.counters, each, context);
}

static void mlx5_totals(struct nic *nic, uint64_t *encapsulated, uint64_t *decapsulated,
                        uint64_t *plain_roce) {
    struct mlx5_nic *mlx5 = mlx5_of(nic);
    struct mlx5_card_totals totals = {0};
    if (mlx5->alive) {
        totals = mlx5_card_read_totals(&mlx5->card);
    }
    totals = add_totals(&totals, &mlx5->passed);
    *encapsulated = totals.encapsulated;
    *decapsulated = totals.decapsulated;
    *plain_roce = totals.plain;
}

const struct nic_driver nic_driver_mlx5_direct = {
    .name = "mlx5",
    .slow = true,
    .open = mlx5_open,
    .close = mlx5_close,
    .capabilities = mlx5_capabilities,
    .apply = mlx5_apply,
    .counters = mlx5_counters,
    .qps = NULL, // the eSwitch sees no queue pairs
    .review = mlx5_review,
    .totals = mlx5_totals,
};
