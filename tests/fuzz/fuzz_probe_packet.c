// SPDX-License-Identifier: Apache-2.0
// Any bytes as the payload of a probe that returns: refused without a trace, or what encodes to the
// same bytes (but for the reserved ones).
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "agent_shell/probe_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct probe_payload payload, before;
    uint8_t bytes[PROBE_PAYLOAD_SIZE];
    memset(&payload, 0x5a, sizeof(payload));
    before = payload;
    int rc = probe_payload_decode(data, size, &payload);
    assert(rc == 0 || rc == -EBADMSG);
    if (rc != 0) {
        assert(memcmp(&payload, &before, sizeof(payload)) == 0);
        return 0;
    }
    assert(size >= PROBE_PAYLOAD_SIZE);
    probe_payload_encode(&payload, bytes);
    assert(memcmp(bytes, data, 5) == 0);
    assert(memcmp(bytes + 6, data + 6, sizeof(bytes) - 6) == 0);
    return 0;
}
