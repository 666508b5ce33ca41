// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ebpf.h"

// Handle and priority tell our filters from those of others. 0x7372 is "sr".
#define FILTER_HANDLE 0x7372
#define FILTER_PRIORITY 0x7372
#define PROGRAM_MAPS_MAX 32
#define DUMP_BUFFER 32768

static struct bpf_tc_hook hook_of(int ifindex, enum ebpf_hook hook) {
    return (struct bpf_tc_hook){
        .sz = sizeof(struct bpf_tc_hook),
        .ifindex = ifindex,
        .attach_point = hook == EBPF_EGRESS ? BPF_TC_EGRESS : BPF_TC_INGRESS,
    };
}

static struct bpf_tc_opts filter(void) {
    return (struct bpf_tc_opts){
        .sz = sizeof(struct bpf_tc_opts),
        .handle = FILTER_HANDLE,
        .priority = FILTER_PRIORITY,
    };
}

int ebpf_tc_make_hooks(int ifindex, const char *device, bool *made, struct error *error) {
    struct bpf_tc_hook hook = hook_of(ifindex, EBPF_EGRESS);
    int rc = bpf_tc_hook_create(&hook);
    if (rc == -EPERM || rc == -EACCES) {
        return error_set(error, -EPERM,
                         "%s: may not attach programs: run as root or with CAP_BPF, CAP_NET_ADMIN",
                         device);
    }
    if (rc < 0 && rc != -EEXIST) {
        return error_set(error, rc,
                         "%s: no clsact qdisc (%s): the kernel needs CONFIG_NET_SCH_INGRESS, or "
                         "another ingress qdisc is in its place",
                         device, strerror(-rc));
    }
    *made = rc == 0;
    return 0;
}

int ebpf_tc_attach(int ifindex, enum ebpf_hook hook, int program, const char *device,
                   struct error *error) {
    struct bpf_tc_hook at = hook_of(ifindex, hook);
    struct bpf_tc_opts options = filter();
    options.prog_fd = program;
    options.flags = BPF_TC_F_REPLACE;
    int rc = bpf_tc_attach(&at, &options);
    if (rc < 0) {
        return error_set(error, rc,
                         "%s: cannot attach the %s program (%s): the kernel needs "
                         "CONFIG_NET_CLS_BPF",
                         device, hook == EBPF_EGRESS ? "egress" : "ingress", strerror(-rc));
    }
    return 0;
}

uint32_t ebpf_tc_attached(int ifindex, enum ebpf_hook hook) {
    struct bpf_tc_hook at = hook_of(ifindex, hook);
    struct bpf_tc_opts options = filter();
    return bpf_tc_query(&at, &options) < 0 ? 0 : options.prog_id;
}

bool ebpf_tc_program_uses(uint32_t program_id, int map) {
    uint32_t ids[PROGRAM_MAPS_MAX];
    struct bpf_map_info map_info = {0};
    struct bpf_prog_info program_info = {.map_ids = (uintptr_t)ids, .nr_map_ids = PROGRAM_MAPS_MAX};
    uint32_t map_size = sizeof map_info, program_size = sizeof program_info;
    int program = bpf_prog_get_fd_by_id(program_id);
    if (program < 0) {
        return false;
    }
    bool uses = false;
    if (bpf_obj_get_info_by_fd(map, &map_info, &map_size) == 0 &&
        bpf_obj_get_info_by_fd(program, &program_info, &program_size) == 0) {
        for (uint32_t i = 0; i < program_info.nr_map_ids && i < PROGRAM_MAPS_MAX; i++) {
            uses = uses || ids[i] == map_info.id;
        }
    }
    close(program);
    return uses;
}

void ebpf_tc_detach(int ifindex, enum ebpf_hook hook) {
    struct bpf_tc_hook at = hook_of(ifindex, hook);
    struct bpf_tc_opts options = filter();
    bpf_tc_detach(&at, &options);
}

// Number of filters in one answer of the dump; -1 when it ended.
static int count_filters(struct nlmsghdr *message, ssize_t size) {
    int count = 0;
    for (; NLMSG_OK(message, (size_t)size); message = NLMSG_NEXT(message, size)) {
        if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
            return count > 0 ? count : -1;
        }
        count += message->nlmsg_type == RTM_NEWTFILTER;
    }
    return count;
}

// True when the hook holds a filter, and when that cannot be told.
static bool has_filters(int ifindex, uint32_t parent) {
    struct {
        struct nlmsghdr header;
        struct tcmsg tc;
    } request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = RTM_GETTFILTER,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .tc = {.tcm_family = AF_UNSPEC, .tcm_ifindex = ifindex, .tcm_parent = parent},
    };
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    char *buffer = malloc(DUMP_BUFFER);
    int found = 1;
    if (netlink >= 0 && buffer != NULL &&
        send(netlink, &request, sizeof request, 0) == (ssize_t)sizeof request) {
        ssize_t size;
        do {
            size = recv(netlink, buffer, DUMP_BUFFER, 0);
            found = size < 0 ? 1 : count_filters((struct nlmsghdr *)buffer, size);
        } while (size >= 0 && found == 0);
    }
    free(buffer);
    if (netlink >= 0) {
        close(netlink);
    }
    return found > 0;
}

void ebpf_tc_remove_hooks_if_empty(int ifindex) {
    if (has_filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)) ||
        has_filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS))) {
        return;
    }
    struct bpf_tc_hook hook = hook_of(ifindex, EBPF_EGRESS);
    hook.attach_point = BPF_TC_EGRESS | BPF_TC_INGRESS;
    bpf_tc_hook_destroy(&hook);
}
