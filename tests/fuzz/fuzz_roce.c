// SPDX-License-Identifier: Apache-2.0
// Any bytes as a RoCEv2 packet from the BTH on: what is decoded lies within the packet, and encodes
// to what decodes to the same.
//
// The first byte chooses IPv4 or IPv6 for the ICRC.
#include <assert.h>
#include <string.h>

#include "roce.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_data(const struct roce_bth *bth, const struct roce_data *data,
                       uint32_t data_bytes, size_t size) {
    static uint8_t frame[ROCE_FRAME_MAX];
    struct roce_bth bth2;
    struct roce_data data2;
    uint32_t bytes2 = 0;
    assert(data_bytes <= size);
    size_t payload = (size_t)data_bytes + data->pad;
    if (payload > ROCE_MTU_MAX || payload < ROCE_DATA_SIZE) {
        return;
    }
    size_t transport = roce_encode_write(frame, bth, data, 0, (uint32_t)payload, payload);
    const uint8_t *packet = frame + ROCE_IPV4_SIZE + ROCE_UDP_SIZE;
    assert(roce_decode_bth(packet, transport + ROCE_ICRC_SIZE, &bth2));
    assert(bth2.opcode == bth->opcode && bth2.qp == bth->qp && bth2.psn == bth->psn);
    assert(roce_decode_data(packet, transport + ROCE_ICRC_SIZE, &data2, &bytes2));
    assert(data2.run == data->run && data2.wire == data->wire && data2.pad == data->pad);
    assert(data2.sent_at_ns == data->sent_at_ns && data2.first_psn == data->first_psn);
    assert(data2.source_qp == data->source_qp && data2.flags == data->flags);
    assert(bytes2 == data_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct roce_bth bth;
    struct roce_data data;
    struct roce_report report;
    uint32_t data_bytes = 0;
    uint8_t syndrome = 0;
    bool has_report = false;
    if (size == 0) {
        return 0;
    }
    struct roce_addresses addresses = {.ipv6 = bytes[0] % 2 != 0, .source_port = 0xc001};
    bytes++;
    size--;
    if (!roce_decode_bth(bytes, size, &bth)) {
        return 0;
    }
    (void)roce_icrc_matches(bytes, size, &addresses);
    assert(bth.qp <= ROCE_QP_MAX && bth.psn <= ROCE_PSN_MASK);
    if (roce_is_request(bth.opcode) && roce_decode_data(bytes, size, &data, &data_bytes)) {
        check_data(&bth, &data, data_bytes, size);
    }
    if (bth.opcode == ROCE_ACK &&
        roce_decode_response(bytes, size, &syndrome, &report, &has_report) && has_report) {
        assert(size >= ROCE_BTH_SIZE + ROCE_AETH_SIZE + ROCE_REPORT_SIZE + ROCE_ICRC_SIZE);
    }
    return 0;
}
