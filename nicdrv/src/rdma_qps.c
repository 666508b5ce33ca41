// SPDX-License-Identifier: Apache-2.0
#include "nicdrv/rdma_qps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>

#include "rdma_watch.h"

#define DEVICES_MAX 256
#define STATE_RTS 3 // enum ib_qp_state
#define TYPE_RC 2   // enum ib_qp_type, as is what follows
#define TYPE_UC 3
#define TYPE_XRC_INITIATOR 9

struct rdma_qps {
    struct mnl_socket *socket;
    uint32_t sequence;
    uint32_t devices[DEVICES_MAX];        // indices in the kernel
    uint32_t device_count, watched_count; // watched: at the last attempt to attach
    struct rdma_watch *watch;             // NULL: addresses are not learnt
    char reason[ERROR_TEXT_SIZE];
};

struct reading {
    struct rdma_qps *qps;
    rdma_qp_fn *each;
    void *context;
    char device[sizeof((struct rdma_qp *)NULL)->device];
};

uint16_t rdma_udp_sport(uint32_t flow_label, uint32_t local_qp, uint32_t peer_qp) {
    uint32_t label = flow_label & 0xfffff;
    if (label == 0) {
        uint64_t product = (uint64_t)local_qp * peer_qp;
        product ^= product >> 20;
        product ^= product >> 40;
        label = product & 0xfffff;
    }
    return (uint16_t)(((label & 0x3fff) ^ (label >> 14)) | 0xc000);
}

// ---- netlink

static uint32_t number_of(const struct nlattr *attribute) {
    return mnl_attr_validate(attribute, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(attribute);
}

static void text_of(const struct nlattr *attribute, char *out, size_t size) {
    if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) {
        snprintf(out, size, "%s", mnl_attr_get_str(attribute));
    }
}

static int note_device(const struct nlattr *attribute, void *context) {
    struct rdma_qps *qps = context;
    if (mnl_attr_get_type(attribute) == RDMA_NLDEV_ATTR_DEV_INDEX &&
        qps->device_count < DEVICES_MAX) {
        qps->devices[qps->device_count++] = number_of(attribute);
    }
    return MNL_CB_OK;
}

static int take_device(const struct nlmsghdr *message, void *context) {
    return mnl_attr_parse(message, 0, note_device, context);
}

static void read_process(uint32_t pid, char out[16]) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%u/comm", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return; // it ended meanwhile
    }
    if (fgets(out, 16, file) != NULL) {
        out[strcspn(out, "\n")] = '\0';
    }
    fclose(file);
}

static int note_qp(const struct nlattr *attribute, void *context) {
    struct rdma_qp *qp = context;
    switch (mnl_attr_get_type(attribute)) {
    case RDMA_NLDEV_ATTR_RES_LQPN:
        qp->number = number_of(attribute);
        break;
    case RDMA_NLDEV_ATTR_RES_RQPN:
        qp->peer = number_of(attribute);
        break;
    case RDMA_NLDEV_ATTR_RES_TYPE:
        qp->type = mnl_attr_get_u8(attribute);
        break;
    case RDMA_NLDEV_ATTR_RES_STATE:
        qp->state = mnl_attr_get_u8(attribute);
        break;
    case RDMA_NLDEV_ATTR_RES_PID:
        qp->pid = number_of(attribute);
        break;
    case RDMA_NLDEV_ATTR_RES_KERN_NAME:
        text_of(attribute, qp->process, sizeof qp->process);
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static void report(const struct reading *reading, struct rdma_qp *qp) {
    bool connected = qp->type == TYPE_RC || qp->type == TYPE_UC || qp->type == TYPE_XRC_INITIATOR;
    if (!connected || qp->state != STATE_RTS) {
        return;
    }
    if (reading->qps->watch != NULL) {
        rdma_watch_find(reading->qps->watch, qp);
    }
    if (qp->pid != 0) {
        read_process(qp->pid, qp->process);
    }
    reading->each(reading->context, qp);
}

static int take_entry(const struct nlattr *entry, void *context) {
    const struct reading *reading = context;
    struct rdma_qp qp = {0};
    memcpy(qp.device, reading->device, sizeof qp.device);
    if (mnl_attr_parse_nested(entry, note_qp, &qp) > MNL_CB_STOP) {
        report(reading, &qp);
    }
    return MNL_CB_OK;
}

// The device's name comes before the list of its QPs.
static int note_list(const struct nlattr *attribute, void *context) {
    struct reading *reading = context;
    if (mnl_attr_get_type(attribute) == RDMA_NLDEV_ATTR_DEV_NAME) {
        text_of(attribute, reading->device, sizeof reading->device);
    } else if (mnl_attr_get_type(attribute) == RDMA_NLDEV_ATTR_RES_QP) {
        return mnl_attr_parse_nested(attribute, take_entry, context);
    }
    return MNL_CB_OK;
}

static int take_qps(const struct nlmsghdr *message, void *context) {
    return mnl_attr_parse(message, 0, note_list, context);
}

// Sends one dump request (of one device where `device` is not NULL) and hands each answer on.
static int dump(struct rdma_qps *qps, uint16_t command, const uint32_t *device, mnl_cb_t each,
                void *context) {
    char buffer[16384];
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = (uint16_t)RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command);
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    message->nlmsg_seq = ++qps->sequence;
    if (device != NULL) {
        mnl_attr_put_u32(message, RDMA_NLDEV_ATTR_DEV_INDEX, *device);
    }
    if (mnl_socket_sendto(qps->socket, message, message->nlmsg_len) < 0) {
        return -errno;
    }
    unsigned port = mnl_socket_get_portid(qps->socket);
    for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
        ssize_t size = mnl_socket_recvfrom(qps->socket, buffer, sizeof buffer);
        more = size < 0 ? -1 : mnl_cb_run(buffer, (size_t)size, qps->sequence, port, each, context);
        if (more < 0) {
            return -errno;
        }
    }
    return 0;
}

// ---- what is open

static void attach(struct rdma_qps *qps) {
    struct error error = {0};
    qps->watched_count = qps->device_count;
    if (rdma_watch_open(&qps->watch, &error) != 0) {
        snprintf(qps->reason, sizeof qps->reason, "%s", error.text);
    } else {
        qps->reason[0] = '\0';
    }
}

int rdma_qps_open(struct rdma_qps **out, struct error *error) {
    struct rdma_qps *qps = calloc(1, sizeof *qps);
    if (qps == NULL) {
        return error_set(error, -ENOMEM, "QPs: no memory");
    }
    snprintf(qps->reason, sizeof qps->reason, "this machine has no RDMA device");
    qps->socket = mnl_socket_open2(NETLINK_RDMA, SOCK_CLOEXEC);
    if (qps->socket == NULL || mnl_socket_bind(qps->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        int rc = errno == EPROTONOSUPPORT ? -EOPNOTSUPP : -errno;
        rdma_qps_close(qps);
        return error_set(error, rc, "QPs: no RDMA netlink (modprobe ib_core): %s", strerror(-rc));
    }
    *out = qps;
    return 0;
}

void rdma_qps_close(struct rdma_qps *qps) {
    if (qps == NULL) {
        return;
    }
    if (qps->socket != NULL) {
        mnl_socket_close(qps->socket);
    }
    rdma_watch_close(qps->watch);
    free(qps);
}

const char *rdma_qps_reason(const struct rdma_qps *qps) {
    return qps->reason;
}

int rdma_qps_read(struct rdma_qps *qps, rdma_qp_fn *each, void *context, struct error *error) {
    struct reading reading = {qps, each, context, ""};
    qps->device_count = 0;
    int rc = dump(qps, RDMA_NLDEV_CMD_GET, NULL, take_device, qps);
    if (rc == 0 && qps->watch == NULL && qps->device_count > qps->watched_count) {
        attach(qps);
    }
    for (uint32_t i = 0; rc == 0 && i < qps->device_count; i++) {
        rc = dump(qps, RDMA_NLDEV_CMD_RES_QP_GET, &qps->devices[i], take_qps, &reading);
        if (rc == -EINVAL || rc == -ENODEV) {
            rc = 0; // the device went, or its driver keeps no account of its QPs
        }
    }
    return rc == 0 ? 0 : error_set(error, rc, "QPs: RDMA netlink: %s", strerror(-rc));
}
