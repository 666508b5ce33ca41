// SPDX-License-Identifier: Apache-2.0
// Steers with mlx5dv_dr in the simplest way, so that the emulated device and the software eSwitch
// can be tested without the project's driver (and with none of its code):
//
//   root         vport 1, UDP 4791         -> flow table
//                uplink, protocol 4        -> decap table
//   flow table   vport 1, IPv4, source port -> reg_c_1 = path, path table
//   path table   vport 1, reg_c_1          -> count, L2_TO_L3, uplink
//   decap table  uplink, outer ECN CE      -> L3_TO_L2, inner CE, vport 1
//                uplink                    -> L3_TO_L2, vport 1
//
// Each line of standard input is answered with a line, "ok ..." or "error: ...":
//   flow SPORT PATH    packets of this source port take the path
//   path PATH HEX      the path's outer headers; make-before-break when it has some
//   counter PATH       ok PACKETS BYTES
//   decap HEX          the inner packets' Ethernet header
#include <endian.h>
#include <errno.h>
#include <infiniband/mlx5dv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATHS_MAX 8
#define UPLINK 0xffff

enum { CRITERIA_OUTER = 1, CRITERIA_MISC = 2, CRITERIA_MISC2 = 8 };

// Byte offsets in fte_match_param: outer at 0, misc at 64, misc2 at 192.
enum {
    AT_PROTOCOL = 16,
    AT_DSCP_ECN = 17,
    AT_VERSION = 18, // shifted left by one
    AT_UDP_SOURCE = 28,
    AT_UDP_DESTINATION = 30,
    AT_SOURCE_PORT = 64 + 6,
    AT_REG_C_1 = 192 + 40,
};

struct match {
    struct mlx5dv_flow_match_parameters *parameters;
    uint64_t room[1 + 56];
};

struct path {
    struct mlx5dv_dr_action *set_id, *encap;
    struct mlx5dv_dr_rule *rule;
};

struct steering {
    struct mlx5dv_dr_domain *domain;
    struct mlx5dv_dr_table *flow_table, *path_table, *decap_table;
    struct mlx5dv_dr_matcher *flows, *paths, *ce, *rest;
    struct mlx5dv_dr_action *to_paths, *to_uplink, *to_vport, *set_ce;
    struct mlx5dv_dr_action *count[PATHS_MAX];
    struct mlx5dv_devx_obj *counters;
    uint32_t first_counter;
    struct path path[PATHS_MAX];
};

static struct mlx5dv_flow_match_parameters *match_begin(struct match *match) {
    memset(match, 0, sizeof *match);
    match->parameters = (struct mlx5dv_flow_match_parameters *)match->room;
    match->parameters->match_sz = 448;
    return match->parameters;
}

static void put(struct match *match, size_t at, uint32_t value, size_t size) {
    uint8_t *bytes = (uint8_t *)match->parameters->match_buf + at;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> 8 * (size - 1 - i));
    }
}

static void *need(void *object, const char *what) {
    if (object == NULL) {
        fprintf(stderr, "softcx_rules: %s: %s\n", what, strerror(errno));
        exit(1);
    }
    return object;
}

static struct ibv_context *open_device(void) {
    int count = 0;
    struct ibv_device **devices = ibv_get_device_list(&count);
    need(devices != NULL && count > 0 ? devices : NULL, "no RDMA device");
    struct mlx5dv_context_attr attributes = {.flags = MLX5DV_CONTEXT_FLAGS_DEVX};
    return need(mlx5dv_open_device(devices[0], &attributes), "open");
}

static struct mlx5dv_dr_action *set_field(struct steering *s, uint32_t field, uint32_t width,
                                          uint32_t value) {
    __be64 set =
        htobe64((uint64_t)1 << 60 | (uint64_t)field << 48 | (uint64_t)(width & 31) << 32 | value);
    return need(mlx5dv_dr_action_create_modify_header(s->domain, 0, sizeof set, &set), "modify");
}

static struct mlx5dv_dr_rule *rule(struct mlx5dv_dr_matcher *matcher, struct match *value,
                                   struct mlx5dv_dr_action **actions, size_t count) {
    return mlx5dv_dr_rule_create(matcher, value->parameters, count, actions);
}

static void make_root(struct steering *s) {
    struct mlx5dv_dr_table *root = need(mlx5dv_dr_table_create(s->domain, 0), "root");
    struct mlx5dv_dr_action *to_flows =
        need(mlx5dv_dr_action_create_dest_table(s->flow_table), "jump");
    struct mlx5dv_dr_action *to_decap =
        need(mlx5dv_dr_action_create_dest_table(s->decap_table), "jump");
    struct match mask, value;
    match_begin(&mask);
    match_begin(&value);
    put(&mask, AT_SOURCE_PORT, 0xffff, 2);
    put(&value, AT_SOURCE_PORT, 1, 2);
    put(&mask, AT_PROTOCOL, 0xff, 1);
    put(&value, AT_PROTOCOL, 17, 1);
    put(&mask, AT_UDP_DESTINATION, 0xffff, 2);
    put(&value, AT_UDP_DESTINATION, 4791, 2);
    struct mlx5dv_dr_matcher *roce =
        need(mlx5dv_dr_matcher_create(root, 0, CRITERIA_OUTER | CRITERIA_MISC, mask.parameters),
             "root matcher");
    need(rule(roce, &value, &to_flows, 1), "root rule");
    match_begin(&mask);
    match_begin(&value);
    put(&mask, AT_SOURCE_PORT, 0xffff, 2);
    put(&value, AT_SOURCE_PORT, UPLINK, 2);
    put(&mask, AT_PROTOCOL, 0xff, 1);
    put(&value, AT_PROTOCOL, 4, 1);
    struct mlx5dv_dr_matcher *tunnel =
        need(mlx5dv_dr_matcher_create(root, 1, CRITERIA_OUTER | CRITERIA_MISC, mask.parameters),
             "root matcher");
    need(rule(tunnel, &value, &to_decap, 1), "root rule");
}

static void make_matchers(struct steering *s) {
    struct match mask;
    match_begin(&mask);
    put(&mask, AT_SOURCE_PORT, 0xffff, 2);
    put(&mask, AT_UDP_SOURCE, 0xffff, 2);
    put(&mask, AT_VERSION, 4 << 1, 1);
    s->flows = need(mlx5dv_dr_matcher_create(s->flow_table, 0, CRITERIA_OUTER | CRITERIA_MISC,
                                             mask.parameters),
                    "flow matcher");
    match_begin(&mask);
    put(&mask, AT_SOURCE_PORT, 0xffff, 2);
    put(&mask, AT_REG_C_1, UINT32_MAX, 4);
    s->paths = need(mlx5dv_dr_matcher_create(s->path_table, 0, CRITERIA_MISC | CRITERIA_MISC2,
                                             mask.parameters),
                    "path matcher");
    match_begin(&mask);
    put(&mask, AT_SOURCE_PORT, 0xffff, 2);
    s->rest = need(mlx5dv_dr_matcher_create(s->decap_table, 1, CRITERIA_MISC, mask.parameters),
                   "decap matcher");
    put(&mask, AT_DSCP_ECN, 3, 1);
    put(&mask, AT_VERSION, 6 << 1, 1);
    s->ce = need(mlx5dv_dr_matcher_create(s->decap_table, 0, CRITERIA_OUTER | CRITERIA_MISC,
                                          mask.parameters),
                 "CE matcher");
}

static void make_counters(struct steering *s, struct ibv_context *context) {
    uint32_t in[4] = {htobe32(0x939U << 16), 0, 0, htobe32(1)}, out[4] = {0};
    s->counters = need(mlx5dv_devx_obj_create(context, in, sizeof in, out, sizeof out), "counters");
    s->first_counter = be32toh(out[2]);
    for (uint32_t i = 0; i < PATHS_MAX; i++) {
        s->count[i] = need(mlx5dv_dr_action_create_flow_counter(s->counters, i), "counter");
    }
}

static void make(struct steering *s) {
    struct ibv_context *context = open_device();
    s->domain = need(mlx5dv_dr_domain_create(context, MLX5DV_DR_DOMAIN_TYPE_FDB), "domain");
    s->flow_table = need(mlx5dv_dr_table_create(s->domain, 1), "flow table");
    s->path_table = need(mlx5dv_dr_table_create(s->domain, 2), "path table");
    s->decap_table = need(mlx5dv_dr_table_create(s->domain, 3), "decap table");
    s->to_paths = need(mlx5dv_dr_action_create_dest_table(s->path_table), "jump");
    s->to_uplink = need(mlx5dv_dr_action_create_dest_vport(s->domain, UPLINK), "uplink");
    s->to_vport = need(mlx5dv_dr_action_create_dest_vport(s->domain, 1), "vport");
    s->set_ce = set_field(s, 0x73, 2, 3);
    for (uint32_t i = 0; i < PATHS_MAX; i++) {
        s->path[i].set_id = set_field(s, 0x52, 32, i);
    }
    make_matchers(s);
    make_counters(s, context);
    make_root(s);
}

// ---- commands ---------------------------------------------------------------------------------

static size_t from_hex(const char *hex, uint8_t *out, size_t most) {
    size_t size = 0;
    unsigned byte;
    while (size < most && sscanf(hex + 2 * size, "%2x", &byte) == 1) {
        out[size++] = (uint8_t)byte;
    }
    return size;
}

static struct mlx5dv_dr_action *reformat(struct steering *s, const char *hex, bool encap) {
    uint8_t bytes[160];
    size_t size = from_hex(hex, bytes, sizeof bytes);
    return mlx5dv_dr_action_create_packet_reformat(
        s->domain, 0,
        encap ? MLX5DV_FLOW_ACTION_PACKET_REFORMAT_TYPE_L2_TO_L3_TUNNEL
              : MLX5DV_FLOW_ACTION_PACKET_REFORMAT_TYPE_L3_TUNNEL_TO_L2,
        size, bytes);
}

static int add_flow(struct steering *s, uint32_t sport, uint32_t path) {
    struct match value;
    match_begin(&value);
    put(&value, AT_SOURCE_PORT, 1, 2);
    put(&value, AT_UDP_SOURCE, sport, 2);
    put(&value, AT_VERSION, 4 << 1, 1);
    struct mlx5dv_dr_action *actions[] = {s->path[path].set_id, s->to_paths};
    return rule(s->flows, &value, actions, 2) != NULL ? 0 : -errno;
}

static int set_path(struct steering *s, uint32_t id, const char *hex) {
    struct path *path = &s->path[id], old = *path;
    struct match value;
    match_begin(&value);
    put(&value, AT_SOURCE_PORT, 1, 2);
    put(&value, AT_REG_C_1, id, 4);
    path->encap = reformat(s, hex, true);
    struct mlx5dv_dr_action *actions[] = {s->count[id], path->encap, s->to_uplink};
    path->rule = path->encap != NULL ? rule(s->paths, &value, actions, 3) : NULL;
    if (path->rule == NULL) {
        int rc = -errno;
        if (path->encap != NULL) {
            mlx5dv_dr_action_destroy(path->encap);
        }
        *path = old;
        return rc;
    }
    int rc = old.rule != NULL ? mlx5dv_dr_rule_destroy(old.rule) : 0;
    if (rc == 0 && old.encap != NULL) {
        rc = mlx5dv_dr_action_destroy(old.encap);
    }
    return -rc;
}

static int set_decap(struct steering *s, const char *hex) {
    struct match value;
    match_begin(&value);
    put(&value, AT_SOURCE_PORT, UPLINK, 2);
    struct mlx5dv_dr_action *decap = reformat(s, hex, false);
    struct mlx5dv_dr_action *plain[] = {decap, s->to_vport};
    struct mlx5dv_dr_action *marked[] = {decap, s->set_ce, s->to_vport};
    if (decap == NULL || rule(s->rest, &value, plain, 2) == NULL) {
        return -errno;
    }
    put(&value, AT_DSCP_ECN, 3, 1);
    put(&value, AT_VERSION, 6 << 1, 1);
    return rule(s->ce, &value, marked, 3) != NULL ? 0 : -errno;
}

static int read_counter(const struct steering *s, uint32_t path) {
    uint32_t in[8] = {htobe32(0x93bU << 16)}, out[8] = {0};
    in[7] = htobe32(s->first_counter + path);
    int rc = mlx5dv_devx_obj_query(s->counters, in, sizeof in, out, sizeof out);
    if (rc == 0) {
        printf("ok %llu %llu\n", (unsigned long long)be32toh(out[4]) << 32 | be32toh(out[5]),
               (unsigned long long)be32toh(out[6]) << 32 | be32toh(out[7]));
    }
    return rc > 0 ? -rc : rc;
}

static int obey(struct steering *s, const char *line) {
    char hex[400] = "";
    unsigned number = 0, path = 0;
    int rc = -EINVAL;
    if (sscanf(line, "flow %u %u", &number, &path) == 2 && path < PATHS_MAX) {
        rc = add_flow(s, number, path);
    } else if (sscanf(line, "path %u %399s", &path, hex) == 2 && path < PATHS_MAX) {
        rc = set_path(s, path, hex);
    } else if (sscanf(line, "decap %399s", hex) == 1) {
        rc = set_decap(s, hex);
    } else if (sscanf(line, "counter %u", &path) == 1 && path < PATHS_MAX) {
        rc = read_counter(s, path);
        if (rc == 0) {
            return 0; // has answered
        }
    }
    return rc != 0 ? printf("error: %s\n", strerror(-rc)) : printf("ok\n");
}

int main(void) {
    static struct steering steering;
    char line[512];
    setvbuf(stdout, NULL, _IOLBF, 0);
    make(&steering);
    puts("ready");
    while (fgets(line, sizeof line, stdin) != NULL) {
        obey(&steering, line);
    }
    return 0;
}
