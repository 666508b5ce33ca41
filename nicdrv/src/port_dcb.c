// SPDX-License-Identifier: Apache-2.0
// DCB over netlink: one request tells all of a port.
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/dcbnl.h>
#include <linux/rtnetlink.h>

#include "port_settings.h"

#define ATTRIBUTE_TRUST 11 // DCB_ATTR_DCB_APP_TRUST_TABLE of kernels since 6.2
#define SELECTOR_PCP 24    // DCB_APP_SEL_PCP
#define ANSWER_SIZE 32768  // 64 DSCPs and more come in one message

void priorities_format(uint8_t bits, char text[PRIORITIES_TEXT_SIZE]) {
    size_t used = 0;
    for (unsigned priority = 0; priority < 8; priority++) {
        if ((bits >> priority & 1) != 0) {
            used += (size_t)snprintf(text + used, PRIORITIES_TEXT_SIZE - used, "%s%u",
                                     used > 0 ? " " : "", priority);
        }
    }
    if (used == 0) {
        snprintf(text, PRIORITIES_TEXT_SIZE, "none");
    }
}

static void format_digits(const uint8_t priority[DSCPS], char text[HOST_VALUE_SIZE]) {
    for (unsigned dscp = 0; dscp < DSCPS; dscp++) {
        text[dscp] = priority[dscp] == DSCP_NONE ? '-' : (char)('0' + (priority[dscp] & 7));
    }
    text[DSCPS] = '\0';
}

void dscp_map_format(const uint8_t priority[DSCPS], char text[HOST_VALUE_SIZE]) {
    size_t used = 0;
    for (unsigned first = 0, next; first < DSCPS && used < HOST_VALUE_SIZE; first = next) {
        for (next = first + 1; next < DSCPS && priority[next] == priority[first];) {
            next++;
        }
        if (priority[first] == DSCP_NONE) {
            continue;
        }
        char range[8];
        snprintf(range, sizeof range, next - first > 1 ? "%u-%u" : "%u", first, next - 1);
        used += (size_t)snprintf(text + used, HOST_VALUE_SIZE - used, "%s%s:%u",
                                 used > 0 ? " " : "", range, priority[first] & 7U);
    }
    if (used == 0) {
        snprintf(text, HOST_VALUE_SIZE, "none");
    } else if (used >= HOST_VALUE_SIZE) {
        format_digits(priority, text);
    }
}

// ---- the answer

// Attributes from `at` up to `end`; NULL: no more.
static const struct nlattr *attribute_at(const void *at, const void *end) {
    ptrdiff_t left = (const char *)end - (const char *)at;
    return left > 0 && left <= INT32_MAX && mnl_attr_ok(at, (int)left) ? at : NULL;
}

static const void *payload_end(const struct nlattr *attribute) {
    return (const char *)mnl_attr_get_payload(attribute) + mnl_attr_get_payload_len(attribute);
}

#define FOR_EACH(attribute, first, end)                                                            \
    for (const struct nlattr *attribute = attribute_at(first, end); attribute != NULL;             \
         attribute = attribute_at(mnl_attr_next(attribute), end))
#define FOR_EACH_NESTED(attribute, nest)                                                           \
    FOR_EACH(attribute, mnl_attr_get_payload(nest), payload_end(nest))

static void take_app(struct port_dcb *dcb, const struct nlattr *attribute) {
    struct dcb_app app;
    if (mnl_attr_get_payload_len(attribute) < sizeof app) {
        return;
    }
    memcpy(&app, mnl_attr_get_payload(attribute), sizeof app);
    if (app.selector == IEEE_8021QAZ_APP_SEL_DSCP && app.protocol < DSCPS && app.priority < 8) {
        // Where a DSCP has several, the highest is used.
        uint8_t *priority = &dcb->dscp_priority[app.protocol];
        *priority = *priority == DSCP_NONE || app.priority > *priority ? app.priority : *priority;
    }
}

static void take_trust(struct port_dcb *dcb, const struct nlattr *attribute) {
    size_t used = strlen(dcb->trust);
    unsigned selector =
        mnl_attr_get_payload_len(attribute) > 0 ? mnl_attr_get_u8(attribute) : UINT8_MAX;
    char name[16];
    snprintf(name, sizeof name,
             selector == IEEE_8021QAZ_APP_SEL_DSCP ? "dscp"
             : selector == SELECTOR_PCP            ? "pcp"
                                                   : "selector-%u",
             selector);
    if (used + strlen(name) + 2 < sizeof dcb->trust) {
        snprintf(dcb->trust + used, sizeof dcb->trust - used, "%s%s", used > 0 ? " " : "", name);
    }
}

static void take_ieee(struct port_dcb *dcb, const struct nlattr *ieee) {
    dcb->has_map = true; // without entries there is no map
    FOR_EACH_NESTED(attribute, ieee) {
        uint16_t type = mnl_attr_get_type(attribute);
        if (type == DCB_ATTR_IEEE_PFC &&
            mnl_attr_get_payload_len(attribute) >= sizeof(struct ieee_pfc)) {
            struct ieee_pfc pfc;
            memcpy(&pfc, mnl_attr_get_payload(attribute), sizeof pfc);
            dcb->has_pfc = true;
            dcb->pfc = pfc.pfc_en;
        } else if (type == DCB_ATTR_IEEE_APP_TABLE) {
            FOR_EACH_NESTED(inner, attribute) {
                take_app(dcb, inner);
            }
        } else if (type == ATTRIBUTE_TRUST) {
            FOR_EACH_NESTED(inner, attribute) {
                take_trust(dcb, inner);
            }
            dcb->has_trust = dcb->trust[0] != '\0';
        }
    }
}

bool port_dcb_parse(const void *message, size_t size, struct port_dcb *out) {
    struct port_dcb dcb = {.has_map = false};
    memset(dcb.dscp_priority, DSCP_NONE, sizeof dcb.dscp_priority);
    const struct nlmsghdr *header = message;
    if (size > INT32_MAX || !mnl_nlmsg_ok(header, (int)size) || header->nlmsg_type != RTM_GETDCB ||
        mnl_nlmsg_get_payload_len(header) < sizeof(struct dcbmsg)) {
        return false;
    }
    FOR_EACH(attribute, mnl_nlmsg_get_payload_offset(header, sizeof(struct dcbmsg)),
             mnl_nlmsg_get_payload_tail(header)) {
        if (mnl_attr_get_type(attribute) == DCB_ATTR_IEEE) {
            take_ieee(&dcb, attribute);
        }
    }
    if (!dcb.has_map) {
        return false;
    }
    *out = dcb;
    return true;
}

// ---- the question

static bool ask(struct mnl_socket *socket, const char *netdev, struct port_dcb *out) {
    char buffer[ANSWER_SIZE] __attribute__((aligned(8)));
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = RTM_GETDCB;
    header->nlmsg_flags = NLM_F_REQUEST;
    header->nlmsg_seq = (uint32_t)time(NULL);
    uint32_t number = header->nlmsg_seq;
    struct dcbmsg *dcb = mnl_nlmsg_put_extra_header(header, sizeof *dcb);
    *dcb = (struct dcbmsg){.dcb_family = AF_UNSPEC, .cmd = DCB_CMD_IEEE_GET};
    mnl_attr_put_strz(header, DCB_ATTR_IFNAME, netdev);
    if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0) {
        return false;
    }
    ssize_t size = mnl_socket_recvfrom(socket, buffer, sizeof buffer);
    header = (struct nlmsghdr *)(void *)buffer;
    return size > 0 && mnl_nlmsg_ok(header, (int)size) && header->nlmsg_seq == number &&
           port_dcb_parse(buffer, (size_t)size, out);
}

bool port_dcb_read(const char *netdev, struct port_dcb *out) {
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (socket == NULL) {
        return false;
    }
    bool known = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 && ask(socket, netdev, out);
    mnl_socket_close(socket);
    return known;
}
