// SPDX-License-Identifier: Apache-2.0
// srv6-lab-plan: reads a fabric file and writes what srv6-lab runs (plan.h), or prints the SIDs of
// a walk. A helper of the lab and of its tests; people use srv6-lab.
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model_yaml/fabric_file.h"
#include "plan.h"
#include "tool/tool.h"

#define TOOL "srv6-lab-plan"

static const char usage[] =
    "usage: srv6-lab-plan FABRIC (--out DIR [--prefix P] | --walk LINK,LINK,...)\n"
    "  --out DIR      write the files that srv6-lab runs into DIR\n"
    "  --prefix P     names of network namespaces begin with P (default: srv6-)\n"
    "  --walk LINKS   print the SID list that pins a walk, outer destination first:\n"
    "                 h0>leaf0,leaf0>spine3,spine3>leaf2,leaf2>h5\n";

static void complain(void *context, const struct error *error) {
    (void)context;
    fprintf(stderr, TOOL ": %s\n", error->text);
}

// ---- files

typedef int plan_writer(const struct lab *lab, node_id node, FILE *file);

static int write_up(const struct lab *lab, node_id node, FILE *file) {
    plan_devices_up(lab, node, file);
    return 0;
}

static int write_ip(const struct lab *lab, node_id node, FILE *file) {
    plan_addresses(lab, node, file);
    if (lab->fabric->nodes[node.i].kind == NODE_HOST) {
        plan_host_routes(lab, node, file);
        return 0;
    }
    plan_node_sids(lab, node, file);
    return plan_switch_routes(lab, node, file);
}

static int write_rules(const struct lab *lab, node_id node, FILE *file) {
    plan_host_rules(lab, node, file); // none for a switch: it has no ports
    return 0;
}

static int write_ua(const struct lab *lab, node_id node, FILE *file) {
    plan_adjacency_sids(lab, node, file);
    return 0;
}

static int write_tc(const struct lab *lab, node_id node, FILE *file) {
    plan_shaping(lab, node, file);
    return 0;
}

static int write_nft(const struct lab *lab, node_id node, FILE *file) {
    plan_counters(lab, node, file);
    return 0;
}

static int write_sysctl(const struct lab *lab, node_id node, FILE *file) {
    plan_sysctls(lab, node, file);
    return 0;
}

static int write_links(const struct lab *lab, node_id node, FILE *file) {
    (void)node;
    plan_links(lab, file);
    return 0;
}

static int write_mgmt(const struct lab *lab, node_id node, FILE *file) {
    (void)node;
    plan_mgmt(lab, file);
    return 0;
}

static int write_description(const struct lab *lab, node_id node, FILE *file) {
    (void)node;
    return plan_describe(lab, file);
}

struct planned_file {
    const char *name;
    plan_writer *write;
};

static const struct planned_file node_files[] = {
    {"up.batch", write_up},        {"ip.batch", write_ip}, {"rule.batch", write_rules},
    {"ua.batch", write_ua},        {"tc.batch", write_tc}, {"nft.rules", write_nft},
    {"sysctl.conf", write_sysctl},
};
static const struct planned_file lab_files[] = {
    {"links.batch", write_links},
    {"mgmt.batch", write_mgmt},
    {"lab.json", write_description},
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int make_directory(const char *path) {
    return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : -errno;
}

static int write_file(const struct lab *lab, const char *directory,
                      const struct planned_file *planned, node_id node, struct error *error) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", directory, planned->name) >= (int)sizeof path) {
        return error_set(error, -ENAMETOOLONG, "%s: too long", directory);
    }
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return error_set(error, -errno, "cannot write: %s: %s", path, strerror(errno));
    }
    int rc = planned->write(lab, node, file);
    bool broken = ferror(file) != 0;
    if (fclose(file) != 0 || broken) {
        rc = rc != 0 ? rc : -EIO;
    }
    return rc == 0 ? 0 : error_set(error, rc, "cannot write: %s: %s", path, strerror(-rc));
}

static int write_node(const struct lab *lab, node_id node, struct error *error) {
    char directory[PATH_MAX];
    int rc = snprintf(directory, sizeof directory, "%s/node/%s", lab->out,
                      lab->fabric->nodes[node.i].name) >= (int)sizeof directory
                 ? -ENAMETOOLONG
                 : make_directory(directory);
    if (rc != 0) {
        return error_set(error, rc, "cannot make: %s: %s", directory, strerror(-rc));
    }
    for (size_t i = 0; rc == 0 && i < COUNT(node_files); i++) {
        rc = write_file(lab, directory, &node_files[i], node, error);
    }
    return rc;
}

static int write_lab(const struct lab *lab, struct error *error) {
    char directory[PATH_MAX];
    snprintf(directory, sizeof directory, "%s/node", lab->out);
    int rc = make_directory(lab->out);
    if (rc == 0) {
        rc = make_directory(directory);
    }
    if (rc != 0) {
        return error_set(error, rc, "cannot make: %s: %s", lab->out, strerror(-rc));
    }
    for (uint32_t i = 0; rc == 0 && i < lab->fabric->node_count; i++) {
        rc = write_node(lab, (node_id){i}, error);
    }
    for (size_t i = 0; rc == 0 && i < COUNT(lab_files); i++) {
        rc = write_file(lab, lab->out, &lab_files[i], (node_id){ID_NONE}, error);
    }
    return rc;
}

static int plan_to(const struct fabric *fabric, const char *path, const char *prefix,
                   const char *out) {
    struct error error;
    struct lab lab;
    if (lab_init(&lab, fabric, prefix, &error) != 0) {
        return tool_error(TOOL, TOOL_FAILED, path, "%s", error.text);
    }
    lab.fabric_path = path;
    lab.out = out;
    int rc = write_lab(&lab, &error);
    lab_fini(&lab);
    return rc == 0 ? TOOL_OK : tool_error(TOOL, TOOL_FAILED, NULL, "%s", error.text);
}

// ---- walks

static int print_walk(const struct fabric *fabric, char *text) {
    link_id links[USID_LIST_MAX + 1];
    unsigned count = 0;
    char *rest = text;
    for (char *name = strtok_r(text, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        if (count == COUNT(links)) {
            return tool_error(TOOL, TOOL_FAILED, name, "a walk has at most %zu links",
                              COUNT(links));
        }
        if (!fabric_find_link(fabric, name, &links[count++])) {
            return tool_error(TOOL, TOOL_FAILED, name, "no such link");
        }
    }
    struct sid_list sids;
    int rc = fabric_walk_sids(fabric, links, count, &sids);
    if (rc != 0) {
        return tool_error(TOOL, TOOL_FAILED, NULL, "no SID list for this walk: %s",
                          rc == -ENOSPC ? "it is too long" : "its links do not join up");
    }
    for (unsigned i = 0; i < sids.count; i++) {
        char sid[SID_TEXT_SIZE];
        sid_format(&sids.sids[i], sid);
        puts(sid);
    }
    return TOOL_OK;
}

struct options {
    const char *out, *prefix;
    char *walk;
};

// Returns -1 to go on.
static int parse_options(int argc, char **argv, struct options *options) {
    static const struct option names[] = {
        {"out", required_argument, NULL, 'o'},  {"prefix", required_argument, NULL, 'p'},
        {"walk", required_argument, NULL, 'w'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},    {0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "hV", names, NULL)) != -1) {
        switch (option) {
        case 'o':
            options->out = optarg;
            break;
        case 'p':
            options->prefix = optarg;
            break;
        case 'w':
            options->walk = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return TOOL_OK;
        case 'V':
            tool_print_version(TOOL);
            return TOOL_OK;
        default:
            return TOOL_USAGE;
        }
    }
    if (optind + 1 != argc || (options->out == NULL) == (options->walk == NULL)) {
        return tool_usage_error(TOOL, usage, "one fabric and one of --out and --walk are needed");
    }
    return -1;
}

int main(int argc, char **argv) {
    struct options options = {.prefix = "srv6-"};
    int rc = parse_options(argc, argv, &options);
    if (rc >= 0) {
        return rc;
    }
    char path[PATH_MAX];
    if (realpath(argv[optind], path) == NULL) {
        return tool_error(TOOL, TOOL_FAILED, argv[optind], "cannot read: %s", strerror(errno));
    }
    struct fabric *fabric;
    if (fabric_file_load(path, complain, NULL, &fabric) != 0) {
        return TOOL_FAILED; // every error is on stderr by now
    }
    rc = options.walk != NULL ? print_walk(fabric, options.walk)
                              : plan_to(fabric, path, options.prefix, options.out);
    fabric_close(fabric);
    return rc;
}
