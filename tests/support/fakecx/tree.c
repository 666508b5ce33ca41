// SPDX-License-Identifier: Apache-2.0
// The device in sysfs, as far as libibverbs, this project's preflight and its counters read it.
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "card.h"

#define PCI "devices/pci0000:00/0000:08:00.0"
#define IBDEV PCI "/infiniband/mlx5_0"

struct tree {
    char path[PATH_MAX];
    size_t root; // length of dir/sys/
};

__attribute__((noreturn)) static void refuse(const struct tree *tree) {
    fprintf(stderr, "fakecx: cannot make %s: %s\n", tree->path, strerror(errno));
    _exit(2);
}

static void at(struct tree *tree, const char *name) {
    snprintf(tree->path + tree->root, sizeof(tree->path) - tree->root, "%s", name);
}

// The directories that lead to tree->path.
static void make_parents(struct tree *tree) {
    for (char *slash = tree->path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (mkdir(tree->path, 0755) < 0 && errno != EEXIST) {
            refuse(tree);
        }
        *slash = '/';
    }
}

// A process that has the same directory may be reading: files are replaced, never emptied.
__attribute__((format(printf, 3, 4))) static void put(struct tree *tree, const char *name,
                                                      const char *format, ...) {
    char new[PATH_MAX];
    at(tree, name);
    make_parents(tree);
    int length = snprintf(new, sizeof(new), "%s.%d", tree->path, (int)getpid());
    FILE *file = length >= (int)sizeof(new) ? NULL : fopen(new, "we");
    if (file == NULL) {
        refuse(tree);
    }
    va_list arguments;
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    fputc('\n', file);
    if (fclose(file) != 0 || rename(new, tree->path) < 0) {
        refuse(tree);
    }
}

static void link_to(struct tree *tree, const char *name, const char *target) {
    at(tree, name);
    make_parents(tree);
    if (symlink(target, tree->path) < 0 && errno != EEXIST) {
        refuse(tree);
    }
}

static void make_port(struct tree *tree) {
    static const char *const counters[] = {"np_cnp_sent",
                                           "np_ecn_marked_roce_packets",
                                           "rp_cnp_handled",
                                           "rp_cnp_ignored",
                                           "out_of_sequence",
                                           "packet_seq_err",
                                           "local_ack_timeout_err",
                                           "implied_nak_seq_err",
                                           "duplicate_request",
                                           "rnr_nak_retry_err",
                                           "req_transport_retries_exceeded",
                                           "roce_adp_retrans",
                                           "roce_adp_retrans_to",
                                           "roce_slow_restart",
                                           "rx_icrc_encapsulated"};
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        char name[128];
        snprintf(name, sizeof(name), IBDEV "/hw_counters/%s", counters[i]);
        put(tree, name, "0");
    }
    put(tree, IBDEV "/ports/1/state", "4: ACTIVE");
    put(tree, IBDEV "/ports/1/link_layer", "Ethernet");
    put(tree, IBDEV "/ports/1/gids/0", "fe80:0000:0000:0000:0200:00ff:fe00:0001");
    put(tree, IBDEV "/ports/1/gid_attrs/types/0", "RoCE v2");
}

static void make_device(struct tree *tree, enum card_format format) {
    static const unsigned part[] = {
        [CARD_CX5] = 0x1017, [CARD_CX6DX] = 0x101d, [CARD_CX7] = 0x1021};
    static const char *const firmware[] = {
        [CARD_CX5] = "16.38.1002", [CARD_CX6DX] = "22.38.1002", [CARD_CX7] = "28.38.1002"};
    put(tree, PCI "/vendor", "0x15b3");
    put(tree, PCI "/device", "0x%04x", part[format]);
    put(tree, PCI "/numa_node", "-1");
    put(tree, PCI "/modalias", "pci:v000015B3d%08Xsv000015B3sd00000001bc02sc00i00", part[format]);
    put(tree, IBDEV "/node_type", "1: CA");
    put(tree, IBDEV "/node_guid", "0200:00ff:fe00:0001");
    put(tree, IBDEV "/sys_image_guid", "0200:00ff:fe00:0001");
    put(tree, IBDEV "/fw_ver", "%s", firmware[format]);
    put(tree, IBDEV "/hca_type", "MT%u", part[format]);
    link_to(tree, IBDEV "/device", "../../../0000:08:00.0");
    link_to(tree, "class/infiniband/mlx5_0", "../../" IBDEV);
    link_to(tree, "bus/pci/devices/0000:08:00.0", "../../../" PCI);
}

void tree_make(const struct card *card, const char *netdev) {
    struct tree tree;
    int length = snprintf(tree.path, sizeof(tree.path), "%s/sys/", card->dir);
    tree.root = (size_t)length;
    make_device(&tree, card->format);
    make_port(&tree);
    put(&tree, "class/infiniband_verbs/abi_version", "6");
    put(&tree, PCI "/infiniband_verbs/uverbs0/ibdev", "mlx5_0");
    put(&tree, PCI "/infiniband_verbs/uverbs0/abi_version", "1");
    put(&tree, PCI "/infiniband_verbs/uverbs0/dev", "%u:%u", major(card->null_device),
        minor(card->null_device));
    link_to(&tree, "class/infiniband_verbs/uverbs0", "../../" PCI "/infiniband_verbs/uverbs0");
    if (netdev != NULL && netdev[0] != '\0' && strchr(netdev, '/') == NULL) {
        char name[128], target[256];
        snprintf(name, sizeof(name), PCI "/net/%s/device", netdev);
        link_to(&tree, name, "../../../0000:08:00.0");
        snprintf(name, sizeof(name), "class/net/%s", netdev);
        snprintf(target, sizeof(target), "../../" PCI "/net/%s", netdev);
        link_to(&tree, name, target);
    }
}
