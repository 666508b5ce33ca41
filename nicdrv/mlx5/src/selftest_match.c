// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "selftest_bench.h"

#define ADDRESS_BITS 128

const uint8_t bench_documentation[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

static const struct prm_field source_ipv6 = {0x100, ADDRESS_BITS}; // of the outer header

// IPv6 addresses: the documentation's, whole.
static const struct {
    const struct prm_field *field;
    uint32_t mask, value;
} criteria[CRITERION_COUNT] = {
    [FROM_MANAGER] = {&PRM_SOURCE_PORT, 0xffff, 0},
    [FROM_FUNCTION] = {&PRM_SOURCE_PORT, 0xffff, 1},
    [FROM_WIRE] = {&PRM_SOURCE_PORT, 0xffff, 0xffff},
    [VPORT_BITS] = {&PRM_SOURCE_PORT, 0xff, 1},
    [IPV4] = {&PRM_IP_VERSION, 4, 4},
    [IPV6] = {&PRM_IP_VERSION, 6, 6},
    [IPV6_BITS] = {&PRM_IP_VERSION, 0xf, 6},
    [FROM_IPV6] = {&source_ipv6, 0, 0},
    [TO_IPV4] = {&PRM_DST_IPV4, 0xffffffff, 0xc0000201}, // 192.0.2.1 (RFC 5737)
    [TO_IPV6] = {&PRM_DST_IPV6, 0, 0},
    [UDP] = {&PRM_IP_PROTOCOL, 0xff, 17},
    [INSIDE_IPV4] = {&PRM_IP_PROTOCOL, 0xff, 4},
    [INSIDE_IPV6] = {&PRM_IP_PROTOCOL, 0xff, 41},
    [ROCE] = {&PRM_UDP_DPORT, 0xffff, 4791},
    [SPORT] = {&PRM_UDP_SPORT, 0xffff, 50000},
    [SPORT_BUCKET] = {&PRM_UDP_SPORT, 0x3f, 5},
    [QP] = {&PRM_BTH_DST_QP, 0xffffff, 17},
    [QP_BUCKET] = {&PRM_BTH_DST_QP, 0x3f, 17},
    [DSCP] = {&PRM_IP_DSCP, 0x3f, 26},
    [CE] = {&PRM_IP_ECN, 3, 3},
    [PATH] = {&PRM_REG_C_1, 0xffffffff, 1},
};

static void fill(const struct probe_plan *plan, bool mask, union bench_match *out) {
    uint8_t ones[sizeof(bench_documentation)];
    memset(ones, 0xff, sizeof(ones));
    memset(out, 0, sizeof(*out));
    out->head.match_sz = PRM_MATCH_SIZE;
    for (uint32_t i = 0; i < PROBE_CRITERIA_MAX && plan->match[i] != CRITERION_NONE; i++) {
        const struct prm_field *field = criteria[plan->match[i]].field;
        if (field->width == ADDRESS_BITS) {
            prm_set_bytes(out->head.match_buf, *field, mask ? ones : bench_documentation);
        } else {
            prm_set(out->head.match_buf, *field,
                    mask ? criteria[plan->match[i]].mask : criteria[plan->match[i]].value);
        }
    }
}

void bench_mask(const struct probe_plan *plan, union bench_match *out) {
    fill(plan, true, out);
}

void bench_value(const struct probe_plan *plan, union bench_match *out) {
    fill(plan, false, out);
}

uint8_t bench_criteria(const struct probe_plan *plan) {
    enum { PART_BITS = 512 }; // outer, misc, inner, misc 2: one bit each, in this order
    uint8_t parts = 0;
    for (uint32_t i = 0; i < PROBE_CRITERIA_MAX && plan->match[i] != CRITERION_NONE; i++) {
        parts |= (uint8_t)(1U << criteria[plan->match[i]].field->bit / PART_BITS);
    }
    return parts;
}
