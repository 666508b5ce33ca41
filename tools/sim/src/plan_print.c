// SPDX-License-Identifier: Apache-2.0
#include "plan_print.h"

#include <inttypes.h>

#include "tool/tool.h"

void plan_print_begin(struct plan_printer *printer) {
    if (!printer->json) {
        printf("%-15s %12s %7s  %s\n", "FLOW", "BYTES", "SHARE", "PATH");
        return;
    }
    struct json_writer *writer = &printer->writer;
    writer_open(writer, '{');
    writer_key(writer, "algorithm");
    writer_text(writer, printer->algorithm);
    writer_key(writer, "fabric");
    writer_text(writer, printer->input->fabric->name);
    writer_key(writer, "flows");
    writer_open(writer, '[');
}

// job_demands gives no flow without bytes.
static double part_share(const struct plan_flow *flow, const struct plan_part *part) {
    return (double)part->bytes / (double)flow->bytes;
}

static const char *link_end_name(const struct fabric *fabric, link_id link) {
    return fabric->nodes[fabric_link_to(fabric, link).i].name;
}

static void json_nodes(struct json_writer *writer, const struct fabric *fabric,
                       const struct path *path) {
    writer_key(writer, "nodes");
    writer_open(writer, '[');
    writer_text(writer, fabric->nodes[fabric_link_from(fabric, path->links[0]).i].name);
    for (unsigned i = 0; i < path->link_count; i++) {
        writer_text(writer, link_end_name(fabric, path->links[i]));
    }
    writer_close(writer, ']');
}

static void json_links(struct json_writer *writer, const struct fabric *fabric,
                       const struct path *path) {
    writer_key(writer, "links");
    writer_open(writer, '[');
    for (unsigned i = 0; i < path->link_count; i++) {
        char name[LINK_NAME_SIZE];
        fabric_format_cable(fabric, link_cable(path->links[i]), name);
        writer_text(writer, name);
    }
    writer_close(writer, ']');
}

static int json_sids(struct json_writer *writer, const struct fabric *fabric, bool local,
                     const struct path *path) {
    struct sid_list sids = {.count = 0};
    if (!local) {
        int rc = fabric_walk_sids(fabric, path->links, path->link_count, &sids);
        if (rc != 0) {
            return rc;
        }
    }
    writer_key(writer, "sids");
    writer_open(writer, '[');
    for (unsigned i = 0; i < sids.count; i++) {
        char text[SID_TEXT_SIZE];
        sid_format(&sids.sids[i], text);
        writer_text(writer, text);
    }
    writer_close(writer, ']');
    return 0;
}

static int json_part(struct plan_printer *printer, const struct plan_flow *flow,
                     const struct plan_part *part) {
    struct json_writer *writer = &printer->writer;
    const struct fabric *fabric = printer->input->fabric;
    writer_open(writer, '{');
    writer_key(writer, "share");
    writer_real(writer, part_share(flow, part));
    json_nodes(writer, fabric, &part->path);
    json_links(writer, fabric, &part->path);
    int rc = json_sids(writer, fabric, flow->local, &part->path);
    writer_close(writer, '}');
    return rc;
}

static int json_flow(struct plan_printer *printer, const struct plan *plan,
                     const struct plan_flow *flow) {
    struct json_writer *writer = &printer->writer;
    char src[NAME_SIZE + 4], dst[NAME_SIZE + 4];
    fabric_format_port(printer->input->fabric, flow->src, src);
    fabric_format_port(printer->input->fabric, flow->dst, dst);
    writer_open(writer, '{');
    writer_key(writer, "src");
    writer_text(writer, src);
    writer_key(writer, "dst");
    writer_text(writer, dst);
    writer_key(writer, "bytes");
    writer_u64(writer, flow->bytes);
    writer_key(writer, "paths");
    writer_open(writer, '[');
    int rc = 0;
    for (uint32_t i = 0; i < flow->part_count && rc == 0; i++) {
        rc = json_part(printer, flow, &plan->parts[flow->first_part + i]);
    }
    writer_close(writer, ']');
    writer_close(writer, '}');
    return rc;
}

static void table_flow(const struct fabric *fabric, const struct plan *plan,
                       const struct plan_flow *flow) {
    char src[NAME_SIZE + 4], dst[NAME_SIZE + 4], name[2 * NAME_SIZE + 10];
    fabric_format_port(fabric, flow->src, src);
    fabric_format_port(fabric, flow->dst, dst);
    snprintf(name, sizeof name, "%s>%s", src, dst);
    if (flow->part_count == 0) {
        printf("%-15s %12" PRIu64 " %7s  unreachable\n", name, flow->bytes, "-");
    }
    for (uint32_t i = 0; i < flow->part_count; i++) {
        const struct plan_part *part = &plan->parts[flow->first_part + i];
        printf("%-15s %12" PRIu64 " %7.4f ", i == 0 ? name : "", part->bytes,
               part_share(flow, part));
        for (unsigned j = 0; j + 1 < part->path.link_count; j++) {
            printf(" %s", link_end_name(fabric, part->path.links[j]));
        }
        putchar('\n');
    }
}

int plan_print_flows(struct plan_printer *printer, const struct plan *plan, struct error *error) {
    for (uint32_t i = 0; i < plan->flow_count; i++) {
        const struct plan_flow *flow = &plan->flows[i];
        printer->flow_count++;
        printer->unreachable_count += flow->part_count == 0;
        if (!printer->json) {
            table_flow(printer->input->fabric, plan, flow);
            continue;
        }
        int rc = json_flow(printer, plan, flow);
        if (rc != 0) {
            return error_set(error, rc, "a path of flow %u has no list of SIDs", i);
        }
    }
    return 0;
}

static void json_end(struct plan_printer *printer, const struct plan_summary *summary) {
    struct json_writer *writer = &printer->writer;
    const struct plan_score *score = &summary->score;
    writer_close(writer, ']');
    writer_key(writer, "splits");
    writer_u64(writer, score->split_count);
    writer_key(writer, "unreachable");
    writer_u64(writer, printer->unreachable_count);
    writer_key(writer, "max_link_load");
    writer_real(writer, score->max_link_load_s);
    if (score->max_link.i != ID_NONE) {
        char name[LINK_NAME_SIZE];
        fabric_format_link(printer->input->fabric, score->max_link, name);
        writer_key(writer, "max_link");
        writer_text(writer, name);
    }
    writer_key(writer, "lower_bound");
    writer_real(writer, score->lower_bound_s);
    writer_key(writer, "bound_kind");
    writer_text(writer, score->bound_kind);
    writer_key(writer, "nic_bound");
    writer_real(writer, score->nic_bound_s);
    writer_key(writer, "elapsed_ns");
    writer_u64(writer, summary->elapsed_ns);
    writer_close(writer, '}');
    putchar('\n');
}

static void print_seconds(const char *what, double seconds) {
    char text[24];
    tool_format_duration((uint64_t)(seconds * 1e9 + 0.5), text);
    printf("%-22s %s", what, text);
}

static void table_end(const struct plan_printer *printer, const struct plan_summary *summary) {
    const struct plan_score *score = &summary->score;
    printf("\n%s on %s: %" PRIu64 " flows, %" PRIu64 " splits, %" PRIu64 " unreachable\n",
           printer->algorithm, printer->input->fabric->name, printer->flow_count,
           score->split_count, printer->unreachable_count);
    print_seconds("most loaded link", score->max_link_load_s);
    if (score->max_link.i != ID_NONE) {
        char name[LINK_NAME_SIZE];
        fabric_format_link(printer->input->fabric, score->max_link, name);
        printf("  (%s, %.3f of the bound)", name, score->max_link_load_s / score->lower_bound_s);
    }
    putchar('\n');
    print_seconds("lower bound", score->lower_bound_s);
    printf("  (%s)\n", score->bound_kind);
    print_seconds("bound by host links", score->nic_bound_s);
    putchar('\n');
    print_seconds("planned in", (double)summary->elapsed_ns / 1e9);
    printf("  (%u hosts, one after the other)\n", summary->host_count);
}

void plan_print_end(struct plan_printer *printer, const struct plan_summary *summary) {
    if (printer->json) {
        json_end(printer, summary);
    } else {
        table_end(printer, summary);
    }
}
