// SPDX-License-Identifier: Apache-2.0
// Any requests and any packets to the software eSwitch: a request is taken or refused whole, a
// packet ends somewhere, within the room that it was given.
//
// The input is a row of items: one byte says how many follow, at most 255.
//   first byte 0 to 7   a request: operation, kind, id, parent, value, count; from then on its
//   data,
//                       which is spread over the match parameters or the actions
//   else                a packet
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "softcx_wire.h"

#define IDS 16 // small, so that requests meet objects

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The data of a rule and a matcher are pairs of place and byte, so that few bytes reach all fields.
static void spread(struct softcx_request *request, const uint8_t *bytes, size_t size) {
    request->size = SOFTCX_PRM_SIZE;
    for (size_t i = 0; i + 1 < size; i += 2) {
        request->data[(size_t)bytes[i] * 2 % SOFTCX_PRM_SIZE + i / 2 % 2] = bytes[i + 1];
    }
}

static void send_request(struct softcx *card, const uint8_t *bytes, size_t size) {
    struct softcx_request request = {.op = WIRE_ADD_TABLE + bytes[0]};
    if (size < 6) {
        return;
    }
    request.kind = bytes[1];
    request.id = bytes[2] % IDS;
    request.parent = bytes[3] % IDS;
    request.value = bytes[4];
    request.count = bytes[5];
    for (size_t i = 0; i < SOFTCX_RULE_ACTIONS_MAX; i++) {
        request.actions[i] = bytes[6 + i < size ? 6 + i : 5] % IDS;
    }
    if (request.op == WIRE_ADD_ACTION) {
        request.size = (uint32_t)(size - 6);
        memcpy(request.data, bytes + 6, size - 6);
    } else {
        spread(&request, bytes + 6, size - 6);
    }
    uint32_t before = softcx_object_count(card);
    size_t whole = offsetof(struct softcx_request, data) + request.size;
    struct softcx_answer answer = softcx_handle(card, &request, whole);
    uint32_t after = softcx_object_count(card);
    assert(answer.code == 0 || before == after);
    assert(after <= before + 1 && before <= after + 1);
}

static void send_packet(struct softcx *card, const uint8_t *bytes, size_t size) {
    uint8_t *room = malloc(SOFTCX_REFORMAT_MAX + size);
    if (room == NULL) {
        return;
    }
    memcpy(room + SOFTCX_REFORMAT_MAX, bytes, size);
    struct softcx_packet packet = {.frame = room + SOFTCX_REFORMAT_MAX,
                                   .size = size,
                                   .headroom = SOFTCX_REFORMAT_MAX,
                                   .source = size > 0 ? bytes[0] % 3 : 0};
    struct softcx_result result = softcx_run(card, &packet);
    assert(result.verdict <= VERDICT_DROP && result.drop < DROP_REASONS);
    assert(packet.frame == room + packet.headroom);
    assert(packet.headroom + packet.size == SOFTCX_REFORMAT_MAX + size);
    assert(result.steered || result.verdict == VERDICT_SLOW);
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct softcx_count counts[SOFTCX_COUNTERS_MAX];
    static struct softcx *card; // one for all inputs, cleared after each
    if (card == NULL && softcx_create(counts, &card) != 0) {
        return 0;
    }
    while (size > 1) {
        size_t item = data[0] < size - 1 ? data[0] : size - 1;
        if (item > 0 && data[1] < 8) {
            send_request(card, data + 1, item);
        } else {
            send_packet(card, data + 1, item);
        }
        data += 1 + item;
        size -= 1 + item;
    }
    softcx_clear(card);
    assert(softcx_object_count(card) == 0);
    return 0;
}
