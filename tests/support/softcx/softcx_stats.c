// SPDX-License-Identifier: Apache-2.0
#include "softcx_stats.h"

#include <inttypes.h>

struct listing {
    FILE *out;
    bool any;
};

static void write_count(FILE *out, const char *name, const struct softcx_count *count) {
    fprintf(out, "\"%s\": {\"packets\": %" PRIu64 ", \"bytes\": %" PRIu64 "}, ", name,
            count->packets, count->bytes);
}

static void write_port(FILE *out, const struct port *port) {
    if (port->vport == SOFTCX_UPLINK) {
        fprintf(out, "{\"port\": \"uplink\", ");
    } else {
        fprintf(out, "{\"port\": \"vport %u\", ", port->vport);
    }
    fprintf(out, "\"netdev\": \"%s\", \"representor\": \"%s\", \"mtu\": %" PRIu32 ", ",
            port->netdev, port->representor, port->mtu);
    write_count(out, "in", &port->in);
    write_count(out, "out", &port->out);
    write_count(out, "to_representor", &port->to_representor);
    write_count(out, "from_representor", &port->from_representor);
    fprintf(out,
            "\"drops\": {\"mtu\": %" PRIu64 ", \"queue\": %" PRIu64 ", \"down\": %" PRIu64
            ", \"no_representor\": %" PRIu64 ", \"lost\": %" PRIu64 "}}",
            port->drop_mtu, port->drop_queue, port->drop_down, port->drop_no_representor,
            port->lost);
}

static void write_rule(void *context, const struct softcx_rule_view *rule) {
    static const char *const kinds[ACTION_KINDS] = {
        [ACTION_COUNTER] = "counter", [ACTION_MODIFY] = "modify",
        [ACTION_ENCAP] = "encap",     [ACTION_DECAP] = "decap",
        [ACTION_VPORT] = "vport",     [ACTION_TABLE] = "table",
        [ACTION_DROP] = "drop",       [ACTION_DEFAULT_MISS] = "default_miss",
    };
    struct listing *listing = context;
    fprintf(listing->out,
            "%s\n  {\"id\": %" PRIu64 ", \"level\": %" PRIu32 ", \"table\": %" PRIu64
            ", \"matcher\": %" PRIu64 ", \"priority\": %u, \"packets\": %" PRIu64
            ", \"bytes\": %" PRIu64 ", \"shadowed\": %s, \"actions\": [",
            listing->any ? "," : "", rule->id, rule->level, rule->table, rule->matcher,
            rule->priority, rule->count.packets, rule->count.bytes,
            rule->shadowed ? "true" : "false");
    for (uint8_t i = 0; i < rule->action_count; i++) {
        fprintf(listing->out, "%s\"%s\"", i > 0 ? ", " : "", kinds[rule->actions[i]]);
    }
    fprintf(listing->out, "]}");
    listing->any = true;
}

static void write_counter(void *context, uint32_t id, const struct softcx_count *count) {
    struct listing *listing = context;
    if (count->packets > 0) {
        fprintf(listing->out,
                "%s\n  {\"id\": %" PRIu32 ", \"packets\": %" PRIu64 ", \"bytes\": %" PRIu64 "}",
                listing->any ? "," : "", id, count->packets, count->bytes);
        listing->any = true;
    }
}

static void write_drops(FILE *out, const struct datapath *path) {
    static const char *const names[DROP_REASONS] = {
        [DROP_RULE] = "rule",           [DROP_NO_TUNNEL] = "no_tunnel", [DROP_NOT_IP] = "not_ip",
        [DROP_SEGMENTED] = "segmented", [DROP_TOO_LARGE] = "too_large", [DROP_LOOP] = "loop",
    };
    fprintf(out, " \"drops\": {");
    for (size_t i = 0; i < DROP_REASONS; i++) {
        fprintf(out, "\"%s\": %" PRIu64 ", ", names[i], path->drops[i]);
    }
    fprintf(out, "\"no_port\": %" PRIu64 "},\n", path->drop_no_port);
}

void stats_write(const struct datapath *path, FILE *out) {
    struct listing rules = {.out = out}, counters = {.out = out};
    fprintf(out, "{\"ports\": [");
    for (uint32_t i = 0; i < path->port_count; i++) {
        fprintf(out, "%s\n  ", i > 0 ? "," : "");
        write_port(out, &path->ports[i]);
    }
    fprintf(out, "],\n \"steered\": %" PRIu64 ", \"slow_path\": %" PRIu64 ",\n", path->steered,
            path->slow_path);
    write_drops(out, path);
    fprintf(out, " \"programmed\": %s, \"objects\": %" PRIu32 ",\n \"rules\": [",
            path->programmed ? "true" : "false", softcx_object_count(path->card));
    softcx_each_rule(path->card, write_rule, &rules);
    fprintf(out, "],\n \"counters\": [");
    softcx_each_counter(path->card, write_counter, &counters);
    fprintf(out, "]}\n");
}
