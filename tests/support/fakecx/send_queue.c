// SPDX-License-Identifier: Apache-2.0
// The hardware behind a queue pair: RDMA WRITE and READ between memory of this process, which is
// how the library writes steering memory, and the completions that it waits for.
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "card.h"

enum {
    SLOT = 64,
    WQE_MAX = 1024,
    OPCODE_WRITE = 0x08,
    OPCODE_READ = 0x10,
    SIGNALED = 0x08,
    CQE_REQUEST = 0,
    CQE_REQUEST_ERROR = 13,
    SYNDROME_FLUSHED = 0x05,
    SYNDROME_BAD_OPERATION = 0x02,
    SYNDROME_LOCAL_PROTECTION = 0x04,
    SYNDROME_REMOTE_ACCESS = 0x13,
};

static const uint32_t INLINE = 1U << 31;

int send_queue_add(struct card *card, int context, uint32_t handle, const void *in) {
    const uint8_t *qpc = (const uint8_t *)in + 0xc0 / 8;
    struct object *ring = object_find(card, context, bits_get(in, 0x840, 32), OBJECT_UMEM);
    struct object *record = object_find(card, context, bits_get(qpc, 0x720, 32), OBJECT_UMEM);
    uint32_t cq = bits_get(qpc, 0x3e8, 24);
    if (ring == NULL || record == NULL || record->length < 8 ||
        object_find(card, context, cq, OBJECT_CQ) == NULL) {
        return -EINVAL;
    }
    uint64_t receive = 1ULL << (bits_get(qpc, 0x49, 4) + bits_get(qpc, 0x4d, 3) + 4);
    uint32_t slots = 1U << bits_get(qpc, 0x51, 4);
    struct send_queue *queue = malloc(sizeof(*queue));
    if (queue == NULL || receive + (uint64_t)slots * SLOT > ring->length) {
        free(queue);
        return -EINVAL;
    }
    *queue = (struct send_queue){.next = card->queues,
                                 .context = context,
                                 .number = handle,
                                 .ring = ring->base + receive,
                                 .slot_count = slots,
                                 .doorbell = (volatile uint32_t *)(void *)record->base,
                                 .cq = cq};
    card->queues = queue;
    uint32_t ring_handle = ring->id, record_handle = record->id;
    object_any(card, context, handle)->queue = queue;
    object_use(card, handle, ring_handle);
    object_use(card, handle, record_handle);
    object_use(card, handle, cq);
    return 0;
}

void send_queue_remove(struct card *card, struct send_queue *queue) {
    for (struct send_queue **at = &card->queues; *at != NULL; at = &(*at)->next) {
        if (*at == queue) {
            *at = queue->next;
            free(queue);
            return;
        }
    }
}

// Where a key and an address of the library's lead to, NULL when not there.
static uint8_t *reach(struct card *card, int context, uint32_t key, uint64_t address,
                      uint64_t length) {
    struct object *region = object_find(card, context, key >> 8, OBJECT_REGION);
    if (region == NULL || address < region->iova || length > region->length ||
        address - region->iova > region->length - length) {
        return NULL;
    }
    return region->base + (address - region->iova);
}

// ---- completions

static void complete(struct card *card, struct send_queue *queue, uint16_t index, uint8_t opcode,
                     uint8_t syndrome) {
    struct object *cq = object_find(card, queue->context, queue->cq, OBJECT_CQ);
    uint32_t consumed = be32toh(cq->doorbell[0]) & 0xffffff;
    if (((cq->producer - consumed) & 0xffffff) >= cq->length) {
        return; // overrun
    }
    uint8_t *cqe = cq->base + (cq->producer & (cq->length - 1)) * cq->size + (cq->size - 64);
    uint8_t owner = (cq->producer & cq->length) != 0;
    memset(cqe, 0, 63);
    uint32_t number = htobe32(queue->number);
    uint16_t counter = htobe16(index);
    cqe[55] = syndrome;
    memcpy(cqe + 56, &number, sizeof(number));
    memcpy(cqe + 60, &counter, sizeof(counter));
    __atomic_store_n(cqe + 63, (uint8_t)(opcode << 4 | owner), __ATOMIC_RELEASE);
    cq->producer++;
}

// ---- one request: control, remote address, then data inline or behind a key

static uint8_t move(struct card *card, const struct send_queue *queue, uint8_t *wqe,
                    uint32_t size) {
    uint64_t remote_address = bits_get64(wqe, 16 * 8);
    uint32_t remote_key = bits_get(wqe, 24 * 8, 32), count = bits_get(wqe, 32 * 8, 32);
    uint32_t length = count & ~INLINE;
    bool is_inline = (count & INLINE) != 0, writes = wqe[3] == OPCODE_WRITE;
    if ((!writes && wqe[3] != OPCODE_READ) || (is_inline && (!writes || 36 + length > size))) {
        return SYNDROME_BAD_OPERATION;
    }
    uint8_t *local = is_inline ? wqe + 36
                               : reach(card, queue->context, bits_get(wqe, 36 * 8, 32),
                                       bits_get64(wqe, 40 * 8), length);
    uint8_t *remote = reach(card, queue->context, remote_key, remote_address, length);
    if (local == NULL) {
        return SYNDROME_LOCAL_PROTECTION;
    }
    if (remote == NULL) {
        return SYNDROME_REMOTE_ACCESS;
    }
    memmove(writes ? remote : local, writes ? local : remote, length);
    return 0;
}

// The slots of a request in one piece; it may begin again at the ring's start.
static uint32_t gather(const struct send_queue *queue, uint8_t *wqe) {
    uint32_t at = queue->head & (queue->slot_count - 1);
    const uint8_t *first = queue->ring + (uint64_t)at * SLOT;
    uint32_t size = (bits_get(first, 32, 32) & 0x3f) * 16;
    uint32_t before_end = (queue->slot_count - at) * SLOT;
    uint32_t part = size < before_end ? size : before_end;
    memcpy(wqe, first, part);
    memcpy(wqe + part, queue->ring, size - part);
    return size;
}

static void run_one(struct card *card, struct send_queue *queue) {
    uint8_t wqe[WQE_MAX];
    uint16_t index = queue->head;
    uint32_t size = gather(queue, wqe);
    uint8_t syndrome = 0;
    if (queue->broken || card->contexts[queue->context].dead) {
        syndrome = SYNDROME_FLUSHED;
    } else if (fault_strikes(&card->faults.cqe)) {
        syndrome = SYNDROME_LOCAL_PROTECTION;
    } else {
        syndrome = size < 48 ? SYNDROME_BAD_OPERATION : move(card, queue, wqe, size);
    }
    queue->head = (uint16_t)(queue->head + (size + SLOT - 1) / SLOT + (size == 0));
    if (syndrome != 0) {
        queue->broken = true;
        complete(card, queue, index, CQE_REQUEST_ERROR, syndrome);
    } else if ((wqe[11] & SIGNALED) != 0) {
        complete(card, queue, index, CQE_REQUEST, 0);
    }
}

static bool silent(const struct card *card, const struct send_queue *queue) {
    return card->contexts[queue->context].dead && card->faults.fatal_silent;
}

void send_queues_run(struct card *card) {
    for (struct send_queue *queue = card->queues; queue != NULL; queue = queue->next) {
        uint32_t record = __atomic_load_n(&queue->doorbell[1], __ATOMIC_ACQUIRE);
        uint16_t tail = (uint16_t)be32toh(record);
        if (queue->head == tail || silent(card, queue)) {
            continue;
        }
        uint16_t left = (uint16_t)(tail - queue->head);
        while (left > 0 && left <= queue->slot_count) {
            run_one(card, queue);
            left = (uint16_t)(tail - queue->head);
        }
    }
}
