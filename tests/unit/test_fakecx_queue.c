// SPDX-License-Identifier: Apache-2.0
// The hardware behind the library's send ring: requests put into a queue by hand, as libmlx5 puts
// them, and what they do to memory and to the completion queue.
#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "fakecx/bits.h"
#include "fakecx_bed.h"

enum { SLOTS = 8, SLOT = 64, RECEIVE = 64, WRITE = 0x08, READ = 0x10, SIGNALED = 0x08 };

struct hand {
    struct ibv_context *device;
    struct ibv_pd *pd;
    struct ibv_mr *mr;
    struct ibv_cq *cq;
    struct mlx5dv_cq cq_view;
    struct mlx5dv_devx_umem *ring_umem, *record_umem;
    struct mlx5dv_devx_obj *queue;
    uint8_t *ring, *memory;
    uint32_t *record;
    uint32_t number;
    uint16_t head; // in slots
    uint32_t consumed;
};

static void create_queue(struct hand *hand) {
    uint8_t in[0x110] = {0}, out[16] = {0};
    bits_set(in, 0, 16, 0x500);
    bits_set(in, 0xc0 + 0x51, 4, 3); // 8 slots to send
    bits_set(in, 0xc0 + 0x49, 4, 2); // 4 of 16 bytes to receive
    bits_set(in, 0xc0 + 0x3e8, 24, hand->cq_view.cqn);
    bits_set(in, 0xc0 + 0x720, 32, hand->record_umem->umem_id);
    bits_set(in, 0x840, 32, hand->ring_umem->umem_id);
    hand->queue = mlx5dv_devx_obj_create(hand->device, in, sizeof(in), out, sizeof(out));
    assert_non_null(hand->queue);
    hand->number = bits_get(out, 0x48, 24);
}

static int begin(void **state) {
    struct hand *hand = calloc(1, sizeof(*hand));
    hand->device = fakecx_bed_open();
    hand->pd = ibv_alloc_pd(hand->device);
    hand->cq = ibv_create_cq(hand->device, 3, NULL, NULL, 0);
    hand->memory = aligned_alloc(4096, 4096);
    hand->ring = aligned_alloc(4096, 4096);
    hand->record = aligned_alloc(8, 8);
    memset(hand->memory, 0, 4096);
    memset(hand->ring, 0, 4096);
    memset(hand->record, 0, 8);
    hand->mr = ibv_reg_mr(hand->pd, hand->memory, 4096, IBV_ACCESS_LOCAL_WRITE);
    struct mlx5dv_obj view = {.cq = {hand->cq, &hand->cq_view}};
    assert_int_equal(mlx5dv_init_obj(&view, MLX5DV_OBJ_CQ), 0);
    hand->ring_umem = mlx5dv_devx_umem_reg(hand->device, hand->ring, 4096, 0);
    hand->record_umem = mlx5dv_devx_umem_reg(hand->device, hand->record, 8, 0);
    create_queue(hand);
    *state = hand;
    return 0;
}

static int end(void **state) {
    struct hand *hand = *state;
    fakecx_bed_fault(NULL);
    assert_int_equal(mlx5dv_devx_obj_destroy(hand->queue), 0);
    assert_int_equal(mlx5dv_devx_umem_dereg(hand->ring_umem), 0);
    assert_int_equal(mlx5dv_devx_umem_dereg(hand->record_umem), 0);
    assert_int_equal(ibv_dereg_mr(hand->mr), 0);
    assert_int_equal(ibv_destroy_cq(hand->cq), 0);
    assert_int_equal(ibv_dealloc_pd(hand->pd), 0);
    assert_int_equal(ibv_close_device(hand->device), 0);
    free(hand->memory);
    free(hand->ring);
    free(hand->record);
    free(hand);
    return 0;
}

// A request of `size` bytes from the queue's head on, around the ring's end.
static void put(struct hand *hand, const uint8_t *request, size_t size) {
    for (size_t i = 0; i < size; i++) {
        size_t at = ((size_t)hand->head * SLOT + i) % (SLOTS * SLOT);
        hand->ring[RECEIVE + at] = request[i];
    }
    hand->head = (uint16_t)(hand->head + (size + SLOT - 1) / SLOT);
}

static void head_of(struct hand *hand, uint8_t *request, uint8_t opcode, uint8_t flags,
                    size_t size) {
    bits_set(request, 0, 32, (uint32_t)hand->head << 8 | opcode);
    bits_set(request, 32, 32, hand->number << 8 | (uint32_t)size / 16);
    request[11] = flags;
}

// Through the key: from or to `local` in the memory.
static void post(struct hand *hand, uint8_t opcode, uint8_t flags, uint32_t key, size_t remote,
                 size_t local, uint32_t length) {
    uint8_t request[48] = {0};
    head_of(hand, request, opcode, flags, sizeof(request));
    bits_set64(request, 128, (uintptr_t)hand->memory + remote);
    bits_set(request, 192, 32, key);
    bits_set(request, 256, 32, length);
    bits_set(request, 288, 32, hand->mr->lkey);
    bits_set64(request, 320, (uintptr_t)hand->memory + local);
    put(hand, request, sizeof(request));
}

static void post_inline(struct hand *hand, size_t remote, const uint8_t *bytes, uint32_t length) {
    uint8_t request[128] = {0};
    size_t size = (36 + (size_t)length + 15) / 16 * 16;
    head_of(hand, request, WRITE, SIGNALED, size);
    bits_set64(request, 128, (uintptr_t)hand->memory + remote);
    bits_set(request, 192, 32, hand->mr->rkey);
    bits_set(request, 256, 32, 1U << 31 | length);
    memcpy(request + 36, bytes, length);
    put(hand, request, size);
}

static void ring_doorbell(struct hand *hand) {
    pthread_spinlock_t lock;
    pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE);
    pthread_spin_lock(&lock);
    __atomic_store_n(&hand->record[1], htobe32(hand->head), __ATOMIC_RELEASE);
    pthread_spin_unlock(&lock);
    pthread_spin_destroy(&lock);
}

// The next completion's opcode, -1 when there is none; its request in `index`.
static int completion(struct hand *hand, unsigned *index) {
    const uint8_t *cqe = (const uint8_t *)hand->cq_view.buf +
                         (hand->consumed % hand->cq_view.cqe_cnt) * hand->cq_view.cqe_size;
    unsigned owner = (hand->consumed & hand->cq_view.cqe_cnt) != 0;
    if (cqe[63] >> 4 == 15 || (cqe[63] & 1) != owner) {
        return -1;
    }
    hand->consumed++;
    hand->cq_view.dbrec[0] = htobe32(hand->consumed);
    *index = (unsigned)cqe[60] << 8 | cqe[61];
    return cqe[63] >> 4;
}

static void writes_and_reads_move_memory(void **state) {
    struct hand *hand = *state;
    unsigned index;
    memcpy(hand->memory + 100, "steering", 8);
    post(hand, WRITE, 0, hand->mr->rkey, 2000, 100, 8);
    post(hand, READ, SIGNALED, hand->mr->rkey, 2000, 300, 8);
    assert_memory_equal(hand->memory + 2000, "\0\0\0\0\0\0\0\0", 8); // not before the doorbell
    ring_doorbell(hand);
    assert_memory_equal(hand->memory + 2000, "steering\0", 9);
    assert_memory_equal(hand->memory + 300, "steering\0", 9);
    assert_int_equal(completion(hand, &index), 0); // only of the one that asked for it
    assert_int_equal(index, 1);
    assert_int_equal(completion(hand, &index), -1);
}

static void requests_and_completions_go_around_their_rings(void **state) {
    struct hand *hand = *state;
    uint8_t bytes[92];
    for (unsigned round = 0; round < 40; round++) {
        unsigned index, before = hand->head;
        memset(bytes, (int)round + 1, sizeof(bytes));
        post_inline(hand, 1000, bytes, sizeof(bytes)); // two slots, now and then across the end
        ring_doorbell(hand);
        assert_memory_equal(hand->memory + 1000, bytes, sizeof(bytes));
        assert_int_equal(hand->memory[1000 + sizeof(bytes)], 0);
        assert_int_equal(completion(hand, &index), 0);
        assert_int_equal(index, before);
        if (round % 3 == 0) { // so that requests of two slots begin at odd ones too
            post(hand, WRITE, 0, hand->mr->rkey, 0, 0, 1);
        }
    }
}

static void nothing_outside_a_region_is_touched(void **state) {
    struct hand *hand = *state;
    unsigned index;
    memset(hand->memory, 7, 64);
    post(hand, WRITE, 0, hand->mr->rkey, 4090, 0, 7); // one byte too far
    ring_doorbell(hand);
    assert_int_equal(completion(hand, &index), 13);
    assert_int_equal(hand->memory[4095], 0);
    post(hand, WRITE, 0, hand->mr->rkey, 1000, 0, 7); // the queue is broken
    ring_doorbell(hand);
    assert_int_equal(completion(hand, &index), 13);
    assert_int_equal(index, 1);
    assert_int_equal(hand->memory[1000], 0);
}

static void a_key_that_is_none_is_refused(void **state) {
    struct hand *hand = *state;
    unsigned index;
    post(hand, READ, 0, hand->mr->rkey + 0x7f00, 0, 100, 7);
    ring_doorbell(hand);
    assert_int_equal(completion(hand, &index), 13);
}

static void an_opcode_that_is_unknown_is_refused(void **state) {
    struct hand *hand = *state;
    unsigned index;
    post(hand, 0x11, 0, hand->mr->rkey, 0, 100, 8); // an atomic
    ring_doorbell(hand);
    assert_int_equal(completion(hand, &index), 13);
}

static void a_fault_makes_the_third_completion_an_error(void **state) {
    struct hand *hand = *state;
    unsigned index;
    fakecx_bed_fault("cqe after=2 times=1");
    memset(hand->memory, 7, 64);
    for (size_t i = 0; i < 3; i++) {
        post(hand, WRITE, SIGNALED, hand->mr->rkey, 1000 + i, 0, 1);
    }
    ring_doorbell(hand);
    assert_int_equal(completion(hand, &index), 0);
    assert_int_equal(completion(hand, &index), 0);
    assert_int_equal(completion(hand, &index), 13);
    assert_int_equal(index, 2);
    assert_memory_equal(hand->memory + 1000, "\7\7\0", 3);
}

static void a_full_completion_queue_is_not_overrun(void **state) {
    struct hand *hand = *state;
    unsigned index;
    assert_int_equal(hand->cq_view.cqe_cnt, 4);
    for (int i = 0; i < 6; i++) {
        post(hand, WRITE, SIGNALED, hand->mr->rkey, 0, 0, 1);
    }
    ring_doorbell(hand);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(completion(hand, &index), 0);
        assert_int_equal(index, i);
    }
    assert_int_equal(completion(hand, &index), -1);
}

// What the library would wait for: a dead device's requests fail, or nothing comes.
static void a_dead_device_fails_what_is_posted_or_is_silent(void **state) {
    struct hand *hand = *state;
    unsigned index;
    fakecx_bed_fault("fatal destroys=ok");
    post(hand, WRITE, SIGNALED, hand->mr->rkey, 1000, 0, 1);
    assert_null(ibv_alloc_pd(hand->device)); // reads the fault file
    ring_doorbell(hand);
    assert_int_equal(completion(hand, &index), 13);
    fakecx_bed_fault("fatal destroys=ok queue=silent");
    assert_null(ibv_alloc_pd(hand->device));
    post(hand, WRITE, SIGNALED, hand->mr->rkey, 1000, 0, 1);
    ring_doorbell(hand);
    assert_int_equal(completion(hand, &index), -1);
    struct ibv_async_event event;
    assert_int_equal(ibv_get_async_event(hand->device, &event), 0);
    ibv_ack_async_event(&event);
}

int main(void) {
    fakecx_bed_begin();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_and_reads_move_memory, begin, end),
        cmocka_unit_test_setup_teardown(requests_and_completions_go_around_their_rings, begin, end),
        cmocka_unit_test_setup_teardown(nothing_outside_a_region_is_touched, begin, end),
        cmocka_unit_test_setup_teardown(a_key_that_is_none_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(an_opcode_that_is_unknown_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_fault_makes_the_third_completion_an_error, begin, end),
        cmocka_unit_test_setup_teardown(a_full_completion_queue_is_not_overrun, begin, end),
        cmocka_unit_test_setup_teardown(a_dead_device_fails_what_is_posted_or_is_silent, begin,
                                        end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
