// SPDX-License-Identifier: Apache-2.0
// Any bytes as DCB's answer over netlink: what is known of it can be written as facts.
#include <assert.h>
#include <string.h>

#include "port_settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t aligned[4096] __attribute__((aligned(8)));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct port_dcb dcb;
    char text[HOST_VALUE_SIZE];
    size = size < sizeof aligned ? size : sizeof aligned;
    memcpy(aligned, data, size);
    if (port_dcb_parse(aligned, size, &dcb)) {
        struct host_facts facts = {.count = 0};
        dscp_map_format(dcb.dscp_priority, text);
        bool added = host_facts_add(&facts, HOST_DSCP_PRIORITY, 0, text);
        assert(added);
        added = !dcb.has_trust || host_facts_add(&facts, HOST_TRUST, 0, dcb.trust);
        assert(added);
    }
    return 0;
}
