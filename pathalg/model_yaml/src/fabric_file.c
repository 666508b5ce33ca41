// SPDX-License-Identifier: Apache-2.0
#include "model_yaml/fabric_file.h"

#include <errno.h>
#include <stdlib.h>

#include "model_yaml/yaml_check.h"

#define GBPS_MAX 1e6
#define PPM 1e6

// ---- what a file holds, as libcyaml loads it

struct clos_yaml {
    char *kind;
    uint32_t leaves, spines, hosts_per_leaf, cables;
    uint32_t pods, leaves_per_pod, aggs_per_pod, cores, ports_per_host;
    uint32_t rails, groups, hosts_per_group;
    double host_gbps, fabric_gbps;
};
struct node_yaml {
    char *name;
    enum node_kind kind;
    uint32_t pod, usid;
};
struct link_yaml {
    char *a, *b, *ipv4, *ipv6;
    uint32_t *cables;
    double gbps;
};
struct override_yaml {
    char *link;
    double capacity;
};
struct fabric_yaml {
    uint32_t version;
    uint64_t generation;
    char *name, *block, *ipv4_base, *ipv6_base;
    struct clos_yaml *clos;
    struct node_yaml *nodes;
    struct link_yaml *links;
    struct override_yaml *overrides;
    uint32_t node_count, link_count, override_count;
};

#define MUST CYAML_FLAG_DEFAULT
#define MAY CYAML_FLAG_OPTIONAL
#define TEXT_MAX 256
#define TEXT(key, flags, type, member)                                                             \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | (flags), type, member, 1, TEXT_MAX)

static const cyaml_schema_field_t clos_fields[] = {
    TEXT("kind", MUST, struct clos_yaml, kind),
    CYAML_FIELD_UINT("leaves", MAY, struct clos_yaml, leaves),
    CYAML_FIELD_UINT("spines", MAY, struct clos_yaml, spines),
    CYAML_FIELD_UINT("hosts_per_leaf", MAY, struct clos_yaml, hosts_per_leaf),
    CYAML_FIELD_UINT("cables", MAY, struct clos_yaml, cables),
    CYAML_FIELD_UINT("pods", MAY, struct clos_yaml, pods),
    CYAML_FIELD_UINT("leaves_per_pod", MAY, struct clos_yaml, leaves_per_pod),
    CYAML_FIELD_UINT("aggs_per_pod", MAY, struct clos_yaml, aggs_per_pod),
    CYAML_FIELD_UINT("cores", MAY, struct clos_yaml, cores),
    CYAML_FIELD_UINT("ports_per_host", MAY, struct clos_yaml, ports_per_host),
    CYAML_FIELD_UINT("rails", MAY, struct clos_yaml, rails),
    CYAML_FIELD_UINT("groups", MAY, struct clos_yaml, groups),
    CYAML_FIELD_UINT("hosts_per_group", MAY, struct clos_yaml, hosts_per_group),
    CYAML_FIELD_FLOAT("host_gbps", MUST, struct clos_yaml, host_gbps),
    CYAML_FIELD_FLOAT("fabric_gbps", MUST, struct clos_yaml, fabric_gbps),
    CYAML_FIELD_END,
};

static const cyaml_strval_t node_kinds[] = {
    {"host", NODE_HOST},   {"leaf", NODE_LEAF}, {"agg", NODE_AGG},
    {"spine", NODE_SPINE}, {"core", NODE_CORE},
};
static const cyaml_schema_field_t node_fields[] = {
    TEXT("name", MUST, struct node_yaml, name),
    CYAML_FIELD_ENUM("kind", CYAML_FLAG_STRICT, struct node_yaml, kind, node_kinds,
                     CYAML_ARRAY_LEN(node_kinds)),
    CYAML_FIELD_UINT("pod", MAY, struct node_yaml, pod),
    CYAML_FIELD_UINT("usid", MAY, struct node_yaml, usid),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t node_schema = {
    CYAML_VALUE_MAPPING(MUST, struct node_yaml, node_fields),
};

static const cyaml_schema_field_t link_fields[] = {
    TEXT("a", MUST, struct link_yaml, a),
    TEXT("b", MUST, struct link_yaml, b),
    CYAML_FIELD_FLOAT("gbps", MUST, struct link_yaml, gbps),
    CYAML_FIELD_UINT_PTR("cables", CYAML_FLAG_POINTER | MAY, struct link_yaml, cables),
    TEXT("ipv4", MAY, struct link_yaml, ipv4),
    TEXT("ipv6", MAY, struct link_yaml, ipv6),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t link_schema = {
    CYAML_VALUE_MAPPING(MUST, struct link_yaml, link_fields),
};

static const cyaml_schema_field_t override_fields[] = {
    TEXT("link", MUST, struct override_yaml, link),
    CYAML_FIELD_FLOAT("capacity", MUST, struct override_yaml, capacity),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t override_schema = {
    CYAML_VALUE_MAPPING(MUST, struct override_yaml, override_fields),
};

static const cyaml_schema_field_t fabric_fields[] = {
    CYAML_FIELD_UINT("version", MUST, struct fabric_yaml, version),
    CYAML_FIELD_UINT("generation", MUST, struct fabric_yaml, generation),
    TEXT("name", MUST, struct fabric_yaml, name),
    TEXT("block", MUST, struct fabric_yaml, block),
    TEXT("ipv4_base", MAY, struct fabric_yaml, ipv4_base),
    TEXT("ipv6_base", MAY, struct fabric_yaml, ipv6_base),
    CYAML_FIELD_MAPPING_PTR("clos", CYAML_FLAG_POINTER | MAY, struct fabric_yaml, clos,
                            clos_fields),
    CYAML_FIELD_SEQUENCE_COUNT("nodes", CYAML_FLAG_POINTER | MAY, struct fabric_yaml, nodes,
                               node_count, &node_schema, 0, FABRIC_NODES_MAX),
    CYAML_FIELD_SEQUENCE_COUNT("links", CYAML_FLAG_POINTER | MAY, struct fabric_yaml, links,
                               link_count, &link_schema, 0, FABRIC_CABLES_MAX),
    CYAML_FIELD_SEQUENCE_COUNT("overrides", CYAML_FLAG_POINTER | MAY, struct fabric_yaml, overrides,
                               override_count, &override_schema, 0, FABRIC_CABLES_MAX),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t fabric_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct fabric_yaml, fabric_fields),
};

// ---- from there to a description

struct reader {
    const struct yaml_text *yaml;
    const struct fabric_yaml *file;
    struct complaints *complaints;
    struct fabric_clos_desc clos;
    struct fabric_node_desc *nodes;
    struct fabric_link_desc *links;
    struct fabric_override_desc *overrides;
};

static uint32_t entry_line(const struct reader *reader, const char *list, uint32_t index) {
    char path[48];
    snprintf(path, sizeof path, "%s[%u]", list, index);
    return yaml_text_line(reader->yaml, path);
}

static uint64_t read_gbps(struct reader *reader, double gbps, uint32_t line) {
    if (!(gbps > 0 && gbps <= GBPS_MAX)) {
        complaints_add(reader->complaints, line, "gbps %g: above 0, at most %g", gbps, GBPS_MAX);
        return 1; // a rate that is not complained about again
    }
    return (uint64_t)(gbps * 1e9 + 0.5);
}

static void read_clos(struct reader *reader) {
    const struct clos_yaml *clos = reader->file->clos;
    reader->clos = (struct fabric_clos_desc){
        .kind = clos->kind,
        .leaves = clos->leaves,
        .spines = clos->spines,
        .hosts_per_leaf = clos->hosts_per_leaf,
        .cables = clos->cables,
        .pods = clos->pods,
        .leaves_per_pod = clos->leaves_per_pod,
        .aggs_per_pod = clos->aggs_per_pod,
        .cores = clos->cores,
        .rails = clos->rails,
        .groups = clos->groups,
        .hosts_per_group = clos->hosts_per_group,
        .ports_per_host = clos->ports_per_host,
        .host_bps =
            read_gbps(reader, clos->host_gbps, yaml_text_line(reader->yaml, "clos.host_gbps")),
        .fabric_bps =
            read_gbps(reader, clos->fabric_gbps, yaml_text_line(reader->yaml, "clos.fabric_gbps")),
    };
}

static void read_nodes(struct reader *reader) {
    for (uint32_t i = 0; i < reader->file->node_count; i++) {
        const struct node_yaml *node = &reader->file->nodes[i];
        reader->nodes[i] = (struct fabric_node_desc){
            .name = node->name,
            .kind = node->kind,
            .pod = node->pod,
            .usid = node->usid,
            .line = entry_line(reader, "nodes", i),
        };
    }
}

static void read_links(struct reader *reader) {
    for (uint32_t i = 0; i < reader->file->link_count; i++) {
        const struct link_yaml *link = &reader->file->links[i];
        uint32_t line = entry_line(reader, "links", i);
        reader->links[i] = (struct fabric_link_desc){
            .a = link->a,
            .b = link->b,
            .cables = link->cables != NULL ? *link->cables : 1,
            .rate_bps = read_gbps(reader, link->gbps, line),
            .ipv4 = link->ipv4,
            .ipv6 = link->ipv6,
            .line = line,
        };
    }
}

static void read_overrides(struct reader *reader) {
    for (uint32_t i = 0; i < reader->file->override_count; i++) {
        const struct override_yaml *override = &reader->file->overrides[i];
        uint32_t line = entry_line(reader, "overrides", i);
        double capacity = override->capacity;
        if (!(capacity >= 0 && capacity <= 1)) {
            complaints_add(reader->complaints, line, "%.72s: capacity %g: 0 to 1", override->link,
                           capacity);
            capacity = 1;
        }
        reader->overrides[i] = (struct fabric_override_desc){
            .link = override->link,
            .capacity_ppm = (uint32_t)(capacity * PPM + 0.5),
            .line = line,
        };
    }
}

static void take(void *context, const struct error *error) {
    complaints_take(context, error);
}

static struct fabric *open_fabric(struct reader *reader, const char *name) {
    const struct fabric_yaml *file = reader->file;
    struct fabric_desc desc = {
        .source = name,
        .version = file->version,
        .generation = file->generation,
        .name = file->name,
        .block = file->block,
        .ipv4_base = file->ipv4_base,
        .ipv6_base = file->ipv6_base,
        .clos = file->clos != NULL ? &reader->clos : NULL,
        .nodes = reader->nodes,
        .node_count = file->node_count,
        .links = reader->links,
        .link_count = file->link_count,
        .overrides = reader->overrides,
        .override_count = file->override_count,
        .line_clos = yaml_text_line(reader->yaml, "clos"),
        .line_block = yaml_text_line(reader->yaml, "block"),
        .line_version = yaml_text_line(reader->yaml, "version"),
        .line_generation = yaml_text_line(reader->yaml, "generation"),
        .line_name = yaml_text_line(reader->yaml, "name"),
        .line_ipv4_base = yaml_text_line(reader->yaml, "ipv4_base"),
        .line_ipv6_base = yaml_text_line(reader->yaml, "ipv6_base"),
    };
    return fabric_open(&desc, take, reader->complaints);
}

static struct fabric *read_file(const struct yaml_text *yaml, const struct fabric_yaml *file,
                                const char *name, struct complaints *complaints) {
    struct reader reader = {
        .yaml = yaml,
        .file = file,
        .complaints = complaints,
        .nodes = calloc((size_t)file->node_count + 1, sizeof reader.nodes[0]),
        .links = calloc((size_t)file->link_count + 1, sizeof reader.links[0]),
        .overrides = calloc((size_t)file->override_count + 1, sizeof reader.overrides[0]),
    };
    struct fabric *fabric = NULL;
    if (reader.nodes == NULL || reader.links == NULL || reader.overrides == NULL) {
        complaints_no_memory(complaints);
    } else {
        if (file->clos != NULL) {
            read_clos(&reader);
        }
        read_nodes(&reader);
        read_links(&reader);
        read_overrides(&reader);
        fabric = open_fabric(&reader, name);
    }
    free(reader.nodes);
    free(reader.links);
    free(reader.overrides);
    return fabric;
}

int fabric_file_parse(const char *name, const char *text, size_t size, fabric_complain_fn *complain,
                      void *context, struct fabric **out) {
    struct complaints complaints;
    struct fabric *fabric = NULL;
    void *file = NULL;
    complaints_init(&complaints, name);
    struct yaml_text *yaml = yaml_text_open(name, text, size, &complaints);
    if (yaml != NULL) {
        yaml_text_check(yaml, &fabric_schema, &complaints);
        if (complaints.total == 0 &&
            yaml_text_load(yaml, &fabric_schema, &complaints, &file) == 0) {
            fabric = read_file(yaml, file, name, &complaints);
            cyaml_free(yaml_cyaml_config(), &fabric_schema, file, 0);
        }
    }
    yaml_text_close(yaml);
    if (complaints_flush(&complaints, complain, context)) {
        fabric_close(fabric);
        return -EINVAL;
    }
    *out = fabric;
    return 0;
}

int fabric_file_load(const char *path, fabric_complain_fn *complain, void *context,
                     struct fabric **out) {
    char *text;
    size_t size;
    int rc = yaml_file_read(path, complain, context, &text, &size);
    if (rc == 0) {
        rc = fabric_file_parse(path, text, size, complain, context, out);
        free(text);
    }
    return rc;
}
