// SPDX-License-Identifier: Apache-2.0
#include "mlx5_work.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "mlx5_reason.h"

#define ETHERNET_BYTES 14
#define FLOW_TEXT_SIZE (INET6_ADDRSTRLEN + 32)

static void describe_flow(const struct mlx5_flow *flow, char text[FLOW_TEXT_SIZE]) {
    static const char *const kinds[] = {[MLX5_FLOW_QP] = ", QP",
                                        [MLX5_FLOW_SPORT] = ", port",
                                        [MLX5_FLOW_QP_BUCKET] = ", QP bucket",
                                        [MLX5_FLOW_SPORT_BUCKET] = ", port bucket"};
    char address[INET6_ADDRSTRLEN];
    if (mlx5_version_of(flow->destination) == MLX5_IPV4) {
        inet_ntop(AF_INET, &flow->destination[12], address, sizeof address);
    } else {
        inet_ntop(AF_INET6, flow->destination, address, sizeof address);
    }
    if (flow->kind == MLX5_FLOW_ANY) {
        snprintf(text, FLOW_TEXT_SIZE, "%s", address);
    } else {
        snprintf(text, FLOW_TEXT_SIZE, "%s%s %u", address, kinds[flow->kind], flow->value);
    }
}

static int flow_error(const struct mlx5_work *work, const struct mlx5_flow *flow, int rc) {
    char text[FLOW_TEXT_SIZE];
    describe_flow(flow, text);
    return error_set(work->error, rc, "%s: rule to %s: %s", work->card->device.netdev, text,
                     mlx5_reason_text(rc));
}

static int record_rule(struct mlx5_work *work, int rc, struct mlx5dv_dr_rule *made,
                       struct mlx5dv_dr_rule **out) {
    rc = rc < 0 ? rc : mlx5_journal_made(&work->journal, MLX5_DEED_RULE, made);
    if (rc == 0) {
        *out = made;
    }
    return rc;
}

// One counter for all flows that belong to the same path of the same rule.
static int need_counter(struct mlx5_work *work, const struct mlx5_flow *flow,
                        struct mlx5_counter **out) {
    if (!work->card->counts) {
        *out = NULL;
        return 0;
    }
    struct mlx5_counter **shared = &work->counters[work->tally->first[flow->rule] + flow->path];
    if (*shared != NULL) {
        mlx5_counter_share(*shared);
    } else {
        int rc = mlx5_counter_take(&work->card->counters, shared);
        if (rc < 0) {
            return rc;
        }
    }
    int rc = mlx5_journal_made(&work->journal, MLX5_DEED_COUNTER, *shared);
    if (rc == 0) {
        *out = *shared;
    }
    return rc;
}

static struct mlx5dv_dr_action *counting(const struct mlx5_counter *counter) {
    return counter == NULL ? NULL : counter->action;
}

static const struct mlx5_held_path *path_of(const struct mlx5_held *held, uint32_t id) {
    uint32_t low = 0, high = held->layout.path_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (held->layout.paths[middle].id <= id) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &held->paths[low];
}

int mlx5_work_flow(struct mlx5_work *work, uint32_t index) {
    const struct mlx5_flow *flow = &work->after->layout.flows[index];
    struct mlx5_held_flow made = {0};
    struct mlx5dv_dr_rule *rule = NULL;
    int rc = need_counter(work, flow, &made.counter);
    if (rc == 0) {
        rc = mlx5_steer_flow(&work->card->steer, flow, counting(made.counter),
                             path_of(work->after, flow->path_id)->set_id, &rule);
        rc = record_rule(work, rc, rule, &made.rule);
    }
    if (rc < 0) {
        return flow_error(work, flow, rc);
    }
    work->after->flows[index] = made;
    return 0;
}

static int path_error(const struct mlx5_work *work, const struct encap *encap, int rc) {
    char first[SID_TEXT_SIZE];
    sid_format(&encap->sids.sids[0], first);
    return error_set(work->error, rc, "%s: path over %s (%u carriers): %s",
                     work->card->device.netdev, first, encap->sids.count, mlx5_reason_text(rc));
}

static int limit_error(const struct mlx5_work *work, const struct encap *encap, size_t size) {
    char first[SID_TEXT_SIZE];
    sid_format(&encap->sids.sids[0], first);
    return error_set(
        work->error, -EOPNOTSUPP,
        "%s: path over %s: %u carriers are %zu bytes before a packet; this NIC adds at "
        "most %zu",
        work->card->device.netdev, first, encap->sids.count, size,
        work->card->header_max - ETHERNET_BYTES);
}

static int take_encap(struct mlx5_card *card, const struct mlx5_ethernet *leaf,
                      const struct encap *encap, const struct mlx5_path_key *key,
                      struct mlx5_reformat **out) {
    uint8_t bytes[MLX5_HEADER_MAX];
    size_t size = mlx5_header_build(leaf, encap, key->traffic_class,
                                    mlx5_version_number(key->version), bytes);
    return mlx5_reformat_take(&card->reformats,
                              MLX5DV_FLOW_ACTION_PACKET_REFORMAT_TYPE_L2_TO_L3_TUNNEL, bytes, size,
                              out);
}

static int make_class(struct mlx5_work *work, const struct encap *encap,
                      const struct mlx5_path_key *key, struct mlx5_held_class *out) {
    struct mlx5_card *card = work->card;
    struct mlx5_held_class made = {0};
    struct mlx5dv_dr_rule *rule = NULL;
    int rc = take_encap(card, work->leaf, encap, key, &made.reformat);
    rc = rc < 0 ? rc : mlx5_journal_made(&work->journal, MLX5_DEED_REFORMAT, made.reformat);
    if (rc == 0) {
        rc = mlx5_steer_path(&card->steer, key, counting(card->encapsulated), made.reformat->action,
                             &rule);
        rc = record_rule(work, rc, rule, &made.rule);
    }
    if (rc == 0) {
        *out = made;
    }
    return rc;
}

static int make_id(struct mlx5_work *work, uint32_t id, struct mlx5_held_path *held) {
    struct mlx5dv_dr_action *action = NULL;
    if (held->set_id != NULL) {
        return 0;
    }
    int rc = mlx5_steer_set_id(&work->card->steer, id, &action);
    rc = rc < 0 ? rc : mlx5_journal_made(&work->journal, MLX5_DEED_ACTION, action);
    if (rc == 0) {
        held->set_id = action;
    }
    return rc;
}

int mlx5_work_path(struct mlx5_work *work, uint32_t index, uint8_t versions) {
    const struct mlx5_path *path = &work->after->layout.paths[index];
    struct mlx5_held_path *held = &work->after->paths[index];
    size_t size = sid_list_overhead_bytes(&path->encap.sids);
    if (size + ETHERNET_BYTES > work->card->header_max) {
        return limit_error(work, &path->encap, size);
    }
    int rc = make_id(work, path->id, held);
    for (int version = 0; version < MLX5_VERSIONS && rc == 0; version++) {
        if ((versions & ~held->versions & 1U << version) == 0) {
            continue;
        }
        for (uint32_t c = 0; c < work->card->class_count && rc == 0; c++) {
            struct mlx5_path_key key = {path->id, (enum mlx5_version)version,
                                        work->card->classes[c]};
            rc = make_class(work, &path->encap, &key, &held->classes[version][c]);
        }
    }
    if (rc < 0) {
        return path_error(work, &path->encap, rc);
    }
    held->versions |= versions;
    return 0;
}

// Where stripped packets go: the function, from the uplink.
static int take_ethernet(struct mlx5_card *card, enum mlx5_version version,
                         struct mlx5_reformat **out) {
    uint8_t bytes[ETHERNET_BYTES];
    memcpy(&bytes[0], card->device.vport_mac, 6);
    memcpy(&bytes[6], card->device.mac, 6);
    bytes[12] = version == MLX5_IPV4 ? 0x08 : 0x86;
    bytes[13] = version == MLX5_IPV4 ? 0x00 : 0xdd;
    return mlx5_reformat_take(&card->reformats,
                              MLX5DV_FLOW_ACTION_PACKET_REFORMAT_TYPE_L3_TUNNEL_TO_L2, bytes,
                              sizeof bytes, out);
}

static int make_strips(struct mlx5_work *work, const struct sid *sid, enum mlx5_version version,
                       struct mlx5_held_sid *held) {
    struct mlx5_card *card = work->card;
    struct mlx5_reformat *ethernet = NULL;
    int rc = take_ethernet(card, version, &ethernet);
    rc = rc < 0 ? rc : mlx5_journal_made(&work->journal, MLX5_DEED_REFORMAT, ethernet);
    for (int ce = 0; ce < 2 && rc == 0; ce++) {
        struct mlx5_decap_key key = {*sid, version, ce == 1};
        struct mlx5dv_dr_rule *rule = NULL;
        held->ethernet[version] = ethernet;
        rc = mlx5_steer_decap(&card->steer, &key, counting(card->decapsulated), ethernet->action,
                              &rule);
        rc = record_rule(work, rc, rule, &held->strip[version][ce]);
    }
    return rc;
}

int mlx5_work_sid(struct mlx5_work *work, uint32_t index) {
    const struct sid *sid = &work->after->layout.sids[index];
    struct mlx5_held_sid made = {0};
    int rc = 0;
    for (int version = 0; version < MLX5_VERSIONS && rc == 0; version++) {
        rc = make_strips(work, sid, (enum mlx5_version)version, &made);
    }
    for (int version = 0; version < MLX5_VERSIONS && rc == 0; version++) {
        struct mlx5_decap_key key = {*sid, (enum mlx5_version)version, false};
        struct mlx5dv_dr_rule *rule = NULL;
        rc = mlx5_steer_root_decap(&work->card->steer, &key, &rule);
        rc = record_rule(work, rc, rule, &made.root[version]);
    }
    if (rc < 0) {
        char text[SID_TEXT_SIZE];
        sid_format(sid, text);
        return error_set(work->error, rc, "%s: own SID %s: %s", work->card->device.netdev, text,
                         mlx5_reason_text(rc));
    }
    work->after->sids[index] = made;
    return 0;
}

int mlx5_work_root(struct mlx5_work *work, enum mlx5_version version) {
    struct mlx5dv_dr_rule *rule = NULL;
    int rc = mlx5_steer_root_flow(&work->card->steer, version, &rule);
    rc = record_rule(work, rc, rule, &work->after->root[version]);
    return rc == 0 ? 0
                   : error_set(work->error, rc, "%s: RoCE of vport %u over IPv%u: %s",
                               work->card->device.netdev, work->card->device.vport,
                               mlx5_version_number(version), mlx5_reason_text(rc));
}

void mlx5_work_ahead(struct mlx5_card *card, const struct mlx5_ethernet *leaf,
                     const struct encap *encap, uint8_t versions) {
    if (sid_list_overhead_bytes(&encap->sids) + ETHERNET_BYTES > card->header_max) {
        return;
    }
    for (int version = 0; version < MLX5_VERSIONS; version++) {
        for (uint32_t c = 0; c < card->class_count && (versions & 1U << version) != 0; c++) {
            struct mlx5_path_key key = {0, (enum mlx5_version)version, card->classes[c]};
            struct mlx5_reformat *reformat;
            if (take_encap(card, leaf, encap, &key, &reformat) < 0) {
                return;
            }
            mlx5_reformat_give(&card->reformats, reformat);
        }
    }
}
