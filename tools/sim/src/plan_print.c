// SPDX-License-Identifier: Apache-2.0
#include "plan_print.h"

#include <inttypes.h>

#include "tool/tool.h"

void plan_print_begin(struct plan_printer *printer) {
    if (!printer->json) {
        if (!printer->summary) {
            printf("%-15s %12s %7s  %s\n", "FLOW", "BYTES", "SHARE", "PATH");
        }
        return;
    }
    struct json_writer *writer = &printer->writer;
    writer_open(writer, '{');
    writer_put_text(writer, "algorithm", printer->algorithm);
    writer_put_text(writer, "fabric", printer->input->fabric->name);
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
    writer_put_real(writer, "share", part_share(flow, part));
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
    writer_put_text(writer, "src", src);
    writer_put_text(writer, "dst", dst);
    writer_put_u64(writer, "bytes", flow->bytes);
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
        if (printer->summary) {
            continue;
        }
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

// Without traffic between switches every plan is as good as can be.
static double ratio(const struct plan_score *score) {
    return score->lower_bound_s > 0 ? score->max_link_load_s / score->lower_bound_s : 1;
}

static void json_score(struct plan_printer *printer, const struct plan_score *score) {
    struct json_writer *writer = &printer->writer;
    writer_put_real(writer, "max_link_load", score->max_link_load_s);
    if (score->max_link.i != ID_NONE) {
        char name[LINK_NAME_SIZE];
        fabric_format_link(printer->input->fabric, score->max_link, name);
        writer_put_text(writer, "max_link", name);
    }
    writer_put_real(writer, "lower_bound", score->lower_bound_s);
    writer_put_text(writer, "bound_kind", score->bound_kind);
    writer_put_real(writer, "nic_bound", score->nic_bound_s);
    writer_put_real(writer, "ratio", ratio(score));
}

static void json_change(struct json_writer *writer, const struct plan_summary *summary) {
    if (summary->changed) {
        writer_put_u64(writer, "moved_bytes", summary->churn.moved_bytes);
        if (!summary->alone) {
            writer_put_u64(writer, "least_moved_bytes", summary->least_moved_bytes);
        }
        writer_put_u64(writer, "moved_flows", summary->churn.moved_flows);
    }
    if (summary->stale_count > 0) {
        writer_put_u64(writer, "stale_hosts", summary->stale_count);
    }
    if (summary->replan_ns > 0) {
        writer_put_u64(writer, "replan_ns", summary->replan_ns);
    }
}

static void json_problems(struct json_writer *writer, const struct problems *problems) {
    writer_key(writer, "problems");
    writer_open(writer, '[');
    for (uint32_t i = 0; i < problems->count; i++) {
        writer_text(writer, problems->texts[i]);
    }
    writer_close(writer, ']');
}

static void json_end(struct plan_printer *printer, const struct plan_summary *summary) {
    struct json_writer *writer = &printer->writer;
    writer_close(writer, ']');
    writer_put_u64(writer, "splits", summary->score.split_count);
    writer_put_u64(writer, "ethereal_splits", summary->ethereal_splits);
    writer_put_u64(writer, "unreachable", printer->unreachable_count);
    writer_put_u64(writer, "lost_bytes", summary->lost_bytes);
    json_score(printer, &summary->score);
    json_change(writer, summary);
    writer_put_u64(writer, "elapsed_ns", summary->elapsed_ns);
    writer_put_u64(writer, "memory_bytes", summary->memory_bytes);
    json_problems(writer, summary->problems);
    writer_close(writer, '}');
    putchar('\n');
}

static void print_seconds(const char *what, double seconds) {
    char text[24];
    tool_format_duration((uint64_t)(seconds * 1e9 + 0.5), text);
    printf("%-22s %s", what, text);
}

static void table_score(const struct fabric *fabric, const struct plan_summary *summary) {
    const struct plan_score *score = &summary->score;
    if (summary->alone) {
        puts("loads and bounds are those of these flows alone; without --host, of all");
    }
    print_seconds("most loaded link", score->max_link_load_s);
    if (score->max_link.i != ID_NONE) {
        char name[LINK_NAME_SIZE];
        fabric_format_link(fabric, score->max_link, name);
        printf("  (%s, %.3f of the bound)", name, ratio(score));
    }
    putchar('\n');
    print_seconds("lower bound", score->lower_bound_s);
    printf("  (%s", score->bound_kind);
    if (summary->program.column_count > 0) {
        printf(": %u variables, %u unlike each other", summary->program.column_count,
               summary->program.column_class_count);
    }
    puts(")");
    print_seconds("bound by host links", score->nic_bound_s);
    putchar('\n');
}

static void table_change(const struct plan_summary *summary) {
    if (summary->changed) {
        char moved[24], all[24];
        tool_format_bytes(summary->churn.moved_bytes, moved);
        tool_format_bytes(summary->churn.bytes, all);
        printf("%-22s %s of %s; %u of %u flows\n", "moved by the failure", moved, all,
               summary->churn.moved_flows, summary->churn.flows);
    }
    if (summary->changed && !summary->alone) {
        char least[24];
        tool_format_bytes(summary->least_moved_bytes, least);
        printf("%-22s at least %s, to reach the bound\n", "any plan moves", least);
    }
    if (summary->stale_count > 0) {
        printf("%-22s %u of %u do not know of the failure\n", "stale hosts", summary->stale_count,
               summary->host_count);
    }
    if (summary->lost_bytes > 0) {
        char lost[24];
        tool_format_bytes(summary->lost_bytes, lost);
        printf("%-22s %s sent over dead links\n", "lost", lost);
    }
}

static void table_end(const struct plan_printer *printer, const struct plan_summary *summary) {
    printf("%s%s on %s: %" PRIu64 " flows, %" PRIu64 " splits, %" PRIu64 " unreachable\n",
           printer->summary ? "" : "\n", printer->algorithm, printer->input->fabric->name,
           printer->flow_count, summary->score.split_count, printer->unreachable_count);
    table_score(printer->input->fabric, summary);
    printf("%-22s %" PRIu64 " (published Ethereal: %" PRIu64 ")\n", "splits",
           summary->score.split_count, summary->ethereal_splits);
    table_change(summary);
    print_seconds("planned in", (double)summary->elapsed_ns / 1e9);
    printf("  (%u hosts, one after the other)\n", summary->host_count);
    if (summary->replan_ns > 0) {
        print_seconds("planned again in", (double)summary->replan_ns / 1e9);
        puts("  (after the failure)");
    }
    char memory[24];
    tool_format_bytes(summary->memory_bytes, memory);
    printf("%-22s %s\n", "memory", memory);
}

void plan_print_end(struct plan_printer *printer, const struct plan_summary *summary) {
    if (printer->json) {
        json_end(printer, summary);
    } else {
        table_end(printer, summary);
    }
}
