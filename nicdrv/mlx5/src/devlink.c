// SPDX-License-Identifier: Apache-2.0
#include "devlink.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/devlink.h>
#include <linux/genetlink.h>

#define BUFFER_SIZE 8192

struct question {
    struct mnl_socket *socket;
    uint16_t family;
    char buffer[BUFFER_SIZE];
};

// ---- sysfs

static int last_of_link(const char *sysfs, const char *netdev, const char *below, char *out,
                        size_t size) {
    char path[PATH_MAX], target[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/class/net/%s/device%s", sysfs, netdev, below);
    if (length >= (int)sizeof path || realpath(path, target) == NULL) {
        return -ENODEV;
    }
    const char *name = strrchr(target, '/') + 1;
    if (strlen(name) >= size) {
        return -ENODEV;
    }
    strcpy(out, name);
    return 0;
}

int devlink_find(const char *sysfs, const char *netdev, struct devlink_handle *out) {
    struct devlink_handle found;
    int rc = last_of_link(sysfs, netdev, "", found.device, sizeof found.device);
    rc = rc != 0 ? rc : last_of_link(sysfs, netdev, "/subsystem", found.bus, sizeof found.bus);
    if (rc == 0) {
        *out = found;
    }
    return rc;
}

// ---- generic netlink

static struct nlmsghdr *start(struct question *question, uint16_t type, uint8_t command,
                              uint8_t version) {
    struct nlmsghdr *message = mnl_nlmsg_put_header(question->buffer);
    struct genlmsghdr *generic = mnl_nlmsg_put_extra_header(message, sizeof *generic);
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    message->nlmsg_seq = 1;
    generic->cmd = command;
    generic->version = version;
    return message;
}

static int ask(struct question *question, const struct nlmsghdr *message, mnl_cb_t each,
               void *context) {
    if (mnl_socket_sendto(question->socket, message, message->nlmsg_len) < 0) {
        return -errno;
    }
    unsigned port = mnl_socket_get_portid(question->socket);
    for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
        ssize_t size = mnl_socket_recvfrom(question->socket, question->buffer, BUFFER_SIZE);
        more = size < 0 ? -1 : mnl_cb_run(question->buffer, (size_t)size, 1, port, each, context);
        if (more < 0) {
            return -errno;
        }
    }
    return 0;
}

static int note_family(const struct nlattr *attribute, void *context) {
    if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID) {
        *(uint16_t *)context = mnl_attr_get_u16(attribute);
    }
    return MNL_CB_OK;
}

static int take_family(const struct nlmsghdr *message, void *context) {
    return mnl_attr_parse(message, sizeof(struct genlmsghdr), note_family, context);
}

static int begin(struct question *question) {
    uint16_t family = 0;
    question->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
    if (question->socket == NULL || mnl_socket_bind(question->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        return -errno;
    }
    struct nlmsghdr *message = start(question, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
    mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, DEVLINK_GENL_NAME);
    int rc = ask(question, message, take_family, &family);
    question->family = family;
    return rc == -ENOENT || (rc == 0 && family == 0) ? -ENODEV : rc;
}

static void end(struct question *question) {
    if (question->socket != NULL) {
        mnl_socket_close(question->socket);
    }
}

static struct nlmsghdr *about(struct question *question, const struct devlink_handle *handle,
                              uint8_t command) {
    struct nlmsghdr *message = start(question, question->family, command, DEVLINK_GENL_VERSION);
    mnl_attr_put_strz(message, DEVLINK_ATTR_BUS_NAME, handle->bus);
    mnl_attr_put_strz(message, DEVLINK_ATTR_DEV_NAME, handle->device);
    return message;
}

// ---- questions

static int note_eswitch(const struct nlattr *attribute, void *context) {
    struct devlink_eswitch *eswitch = context;
    if (mnl_attr_get_type(attribute) == DEVLINK_ATTR_ESWITCH_MODE) {
        eswitch->mode = mnl_attr_get_u16(attribute);
    } else if (mnl_attr_get_type(attribute) == DEVLINK_ATTR_ESWITCH_ENCAP_MODE) {
        eswitch->encap_mode = mnl_attr_get_u8(attribute);
    }
    return MNL_CB_OK;
}

static int take_eswitch(const struct nlmsghdr *message, void *context) {
    return mnl_attr_parse(message, sizeof(struct genlmsghdr), note_eswitch, context);
}

int devlink_eswitch_get(const struct devlink_handle *handle, struct devlink_eswitch *out) {
    struct question question = {0};
    struct devlink_eswitch found = {.encap_mode = 0xff};
    int rc = begin(&question);
    if (rc == 0) {
        rc =
            ask(&question, about(&question, handle, DEVLINK_CMD_ESWITCH_GET), take_eswitch, &found);
    }
    end(&question);
    if (rc == 0) {
        *out = found;
    }
    return rc;
}

struct text {
    char *out;
    size_t size;
    bool found;
};

static int note_value(const struct nlattr *attribute, void *context) {
    struct text *text = context;
    if (mnl_attr_get_type(attribute) == DEVLINK_ATTR_PARAM_VALUE_DATA && !text->found &&
        mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) {
        snprintf(text->out, text->size, "%s", mnl_attr_get_str(attribute));
        text->found = true;
    }
    return MNL_CB_OK;
}

static int note_values(const struct nlattr *attribute, void *context) {
    return mnl_attr_get_type(attribute) == DEVLINK_ATTR_PARAM_VALUE
               ? mnl_attr_parse_nested(attribute, note_value, context)
               : MNL_CB_OK;
}

static int note_list(const struct nlattr *attribute, void *context) {
    return mnl_attr_get_type(attribute) == DEVLINK_ATTR_PARAM_VALUES_LIST
               ? mnl_attr_parse_nested(attribute, note_values, context)
               : MNL_CB_OK;
}

static int note_param(const struct nlattr *attribute, void *context) {
    return mnl_attr_get_type(attribute) == DEVLINK_ATTR_PARAM
               ? mnl_attr_parse_nested(attribute, note_list, context)
               : MNL_CB_OK;
}

static int take_param(const struct nlmsghdr *message, void *context) {
    return mnl_attr_parse(message, sizeof(struct genlmsghdr), note_param, context);
}

int devlink_param_text(const struct devlink_handle *handle, const char *name, char *out,
                       size_t size) {
    struct question question = {0};
    struct text text = {out, size, false};
    int rc = begin(&question);
    if (rc == 0) {
        struct nlmsghdr *message = about(&question, handle, DEVLINK_CMD_PARAM_GET);
        mnl_attr_put_strz(message, DEVLINK_ATTR_PARAM_NAME, name);
        rc = ask(&question, message, take_param, &text);
    }
    end(&question);
    return rc != 0 ? rc : text.found ? 0 : -EINVAL;
}
