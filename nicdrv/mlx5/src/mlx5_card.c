// SPDX-License-Identifier: Apache-2.0
#include "mlx5_card.h"

#include <errno.h>
#include <string.h>

#include "mlx5_reason.h"

#define ETHERNET_BYTES 14
#define ONE_CARRIER_BYTES 40

// Each class once: two rules of one key would stand for ever.
static void choose_classes(struct mlx5_card *card, const struct nic_eswitch_options *options) {
    static const uint8_t usual[] = {0x00, 0x02, 0x6a, 0xc0};
    const uint8_t *classes = options->class_count == 0 ? usual : options->traffic_classes;
    uint32_t count = options->class_count == 0 ? sizeof usual : options->class_count;
    card->class_count = 0;
    for (uint32_t i = 0; i < count && i < NIC_CLASSES_MAX; i++) {
        if (memchr(card->classes, classes[i], card->class_count) == NULL) {
            card->classes[card->class_count++] = classes[i];
        }
    }
}

static int take_totals(struct mlx5_card *card) {
    int rc = mlx5_counter_take(&card->counters, &card->encapsulated);
    rc = rc < 0 ? rc : mlx5_counter_take(&card->counters, &card->decapsulated);
    return rc < 0 ? rc : mlx5_counter_take(&card->counters, &card->plain);
}

static int try_out(struct mlx5_card *card, struct error *error) {
    const char *netdev = card->device.netdev;
    card->header_max = mlx5_reformats_limit(&card->reformats);
    if (card->header_max == 0) {
        return error_set(error, -EOPNOTSUPP,
                         "%s: puts no IPv6 header before packets: enable encap-mode basic (devlink "
                         "dev eswitch set DEV encap-mode basic)",
                         netdev);
    }
    card->per_qp = mlx5_steer_matches_qp(&card->steer);
    card->counts = take_totals(card) == 0;
    int rc = mlx5_steer_count_plain(&card->steer, card->counts ? card->plain->action : NULL);
    return rc == 0 ? 0
                   : error_set(error, rc, "%s: its eSwitch takes no rule: %s", netdev,
                               mlx5_reason_text(rc));
}

int mlx5_card_open(struct mlx5_card *card, const struct nic_options *options, struct error *error) {
    *card = (struct mlx5_card){0};
    choose_classes(card, &options->eswitch);
    int rc = mlx5_device_open(options, &card->device, error);
    if (rc < 0) {
        return rc;
    }
    rc = mlx5_events_start(&card->events, card->device.context, MLX5_PATIENCE_NS);
    if (rc < 0) {
        mlx5_device_close(&card->device);
        return error_set(error, rc, "%s: cannot listen to the device's events: %s", options->device,
                         strerror(-rc));
    }
    mlx5_events_begin(&card->events);
    mlx5_counters_init(&card->counters, card->device.context, &card->events);
    card->steer.events = &card->events; // also when opening fails
    rc = mlx5_steer_open(&card->device, &card->events, &card->steer, error);
    mlx5_reformats_init(&card->reformats, &card->steer);
    rc = rc < 0 ? rc : try_out(card, error);
    if (rc == 0 && mlx5_steer_sync(&card->steer) < 0) {
        rc = error_set(error, -EIO, "%s: the device failed while it was tried", options->device);
    }
    mlx5_events_end(&card->events);
    if (rc < 0) {
        mlx5_card_close(card);
    }
    return rc;
}

void mlx5_card_close(struct mlx5_card *card) {
    mlx5_events_begin(&card->events);
    if (card->steer.domain != NULL) {
        mlx5_steer_sync(&card->steer); // else the library would wait below
    }
    mlx5_steer_drop_rules(&card->steer);
    mlx5_reformats_fini(&card->reformats);
    mlx5_counters_fini(&card->counters);
    mlx5_steer_close(&card->steer);
    mlx5_events_stop(&card->events);
    mlx5_device_close(&card->device);
}

void mlx5_card_capabilities(const struct mlx5_card *card, struct nic_capabilities *out) {
    uint32_t bytes = (uint32_t)card->header_max - ETHERNET_BYTES;
    *out = (struct nic_capabilities){
        .spray = false,
        .per_qp = card->per_qp,
        .srh = bytes > ONE_CARRIER_BYTES,
        .counters = card->counts,
        .spares = true,
        .rules_max = RULES_MAX,
        .encap_bytes_max = bytes,
    };
}

struct mlx5_card_totals mlx5_card_read_totals(struct mlx5_card *card) {
    if (!card->counts) {
        return (struct mlx5_card_totals){0};
    }
    mlx5_counter_want(&card->counters, card->encapsulated);
    mlx5_counter_want(&card->counters, card->decapsulated);
    mlx5_counter_want(&card->counters, card->plain);
    mlx5_counters_read(&card->counters, false);
    return (struct mlx5_card_totals){mlx5_counter_since(card->encapsulated).packets,
                                     mlx5_counter_since(card->decapsulated).packets,
                                     mlx5_counter_since(card->plain).packets};
}
