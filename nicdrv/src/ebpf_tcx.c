// SPDX-License-Identifier: Apache-2.0
// tcx (Linux 6.6): a program attached by a link, without a qdisc. The link is pinned in the pin
// directory, above the layouts, because it outlives them: replacing its program is one step.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <bpf/bpf.h>

#include "ebpf.h"

// Headers older than 6.6 lack the names.
#define TCX_INGRESS ((enum bpf_attach_type)46)
#define TCX_EGRESS ((enum bpf_attach_type)47)

static enum bpf_attach_type type_of(enum ebpf_hook hook) {
    return hook == EBPF_EGRESS ? TCX_EGRESS : TCX_INGRESS;
}

static void link_path(const struct ebpf_pins *pins, enum ebpf_hook hook, char path[EBPF_PATH_MAX]) {
    snprintf(path, EBPF_PATH_MAX, "%s/%s", pins->directory,
             hook == EBPF_EGRESS ? "link_egress" : "link_ingress");
}

// Descriptor of the pinned link when it sits at this port, with its program's id; -ENOENT.
static int open_link(const struct ebpf_pins *pins, int ifindex, enum ebpf_hook hook,
                     uint32_t *program_id) {
    char path[EBPF_PATH_MAX];
    struct bpf_link_info info = {0};
    uint32_t size = sizeof info;
    link_path(pins, hook, path);
    int link = bpf_obj_get(path);
    if (link < 0) {
        return -ENOENT;
    }
    // The info of a tcx link begins as that of an XDP link, with the ifindex; 0 when the port is
    // gone.
    if (bpf_obj_get_info_by_fd(link, &info, &size) < 0 || info.xdp.ifindex != (uint32_t)ifindex) {
        close(link);
        return -ENOENT;
    }
    *program_id = info.prog_id;
    return link;
}

bool ebpf_tcx_available(int program) {
    // A kernel that knows the attach type looks for the device first.
    return bpf_link_create(program, INT_MAX, TCX_EGRESS, NULL) == -ENODEV;
}

static int make_link(const struct ebpf_pins *pins, int ifindex, enum ebpf_hook hook, int program) {
    char path[EBPF_PATH_MAX];
    link_path(pins, hook, path);
    int link = bpf_link_create(program, ifindex, type_of(hook), NULL);
    if (link < 0) {
        return link;
    }
    unlink(path); // of a port that is gone
    int rc = bpf_obj_pin(link, path);
    close(link); // unpinned, it is detached by this
    return rc;
}

int ebpf_tcx_attach(const struct ebpf_pins *pins, int ifindex, enum ebpf_hook hook, int program,
                    const char *device, struct error *error) {
    uint32_t program_id;
    int link = open_link(pins, ifindex, hook, &program_id), rc;
    if (link >= 0) {
        rc = bpf_link_update(link, program, NULL);
        close(link);
    } else {
        rc = make_link(pins, ifindex, hook, program);
    }
    return rc < 0 ? error_set(error, rc, "%s: cannot attach the %s program by tcx: %s", device,
                              hook == EBPF_EGRESS ? "egress" : "ingress", strerror(-rc))
                  : 0;
}

uint32_t ebpf_tcx_attached(const struct ebpf_pins *pins, int ifindex, enum ebpf_hook hook) {
    uint32_t program_id = 0;
    int link = open_link(pins, ifindex, hook, &program_id);
    if (link < 0) {
        return 0;
    }
    close(link);
    return program_id;
}

void ebpf_tcx_detach(const struct ebpf_pins *pins, enum ebpf_hook hook) {
    char path[EBPF_PATH_MAX];
    link_path(pins, hook, path);
    int link = bpf_obj_get(path);
    if (link >= 0) {
        bpf_link_detach(link); // at once, though others may hold the link open
        close(link);
    }
    unlink(path);
}
