// SPDX-License-Identifier: Apache-2.0
// Between the files of libfakecx.so: the card, the contexts (open device descriptors) and objects
// on it. One lock, held by preload.c around every call below; nothing here calls an interposed
// function while it is held. int: 0 or -errno.
#ifndef FAKECX_CARD_H
#define FAKECX_CARD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct ib_uverbs_attr;
struct ib_uverbs_ioctl_hdr;

enum card_format { CARD_CX5 = 0, CARD_CX6DX = 1, CARD_CX7 = 2 };

enum card_limit {
    CARD_CONTEXT_MAX = 64,
    CARD_PATH_SIZE = 512,
    CARD_VPORT_MAX = 16,
    CARD_ENCAP_MAX = 128,
    OBJECT_USE_MAX = 12,
};

enum object_kind {
    OBJECT_FREE,
    OBJECT_PD,
    OBJECT_REGION, // memory registered for RDMA
    OBJECT_CQ,
    OBJECT_ICM,
    OBJECT_UAR,
    OBJECT_UMEM,
    OBJECT_MATCHER, // of the root table
    OBJECT_FLOW,    // of the root table
    OBJECT_ACTION,  // header rewrite or reformat of the root table
    OBJECT_TABLE,
    OBJECT_GROUP,
    OBJECT_ENTRY,
    OBJECT_COUNTER,
    OBJECT_REFORMAT,
    OBJECT_QUEUE,
    OBJECT_KIND_COUNT,
};

// A handle is an object's index and one.
struct object {
    enum object_kind kind;
    bool left; // its context was closed: only listed
    int context;
    uint32_t id;
    uint32_t users; // objects that refer to it
    uint32_t uses[OBJECT_USE_MAX];
    uint32_t use_count;
    // Memory: `base` in this process. iova: what RDMA calls the first byte; of ICM, its address.
    // CQ: base is its ring, length its number of entries.
    uint8_t *base;
    uint64_t length, iova;
    uint32_t size; // counters of a bulk, bytes of a reformat or an entry of a CQ
    // CQ: consumer's doorbell, producer index. Table: steering roots.
    volatile uint32_t *doorbell;
    uint32_t producer;
    uint64_t roots[2];
    struct send_queue *queue;
};

struct send_queue {
    struct send_queue *next;
    int context;
    uint32_t number;
    uint8_t *ring;
    uint32_t slot_count; // of 64 bytes, a power of two
    uint16_t head;
    volatile uint32_t *doorbell; // receive, send
    uint32_t cq;                 // handle
    bool broken;
};

struct context {
    bool open;
    int fd;
    int async_fd;      // the library's end, until it has asked for it
    int async_send_fd; // ours
    bool dead;
};

// Where answers to asynchronous queries go: the library's end, and ours.
struct channel {
    bool open;
    int fd, send_fd;
};

struct fault {
    bool set;
    uint64_t after, times;
};

struct faults {
    struct stat seen; // of the file that was read; all zero: none
    struct fault reformat, cqe;
    uint32_t reformat_status;
    bool icm_set;
    uint64_t icm_limit;
    bool fatal, fatal_destroys, fatal_silent;
};

struct card {
    pthread_mutex_t lock;
    char dir[CARD_PATH_SIZE];
    enum card_format format;
    uint64_t null_device; // what stands behind the uverbs node
    struct context contexts[CARD_CONTEXT_MAX];
    int context_count;
    struct channel channels[CARD_CONTEXT_MAX];
    struct object *objects;
    uint32_t object_count, object_room;
    uint32_t first_free; // handle, chained through `id`
    uint32_t next_counter;
    struct send_queue *queues;
    struct faults faults;
    bool watched;
    bool died; // since the mirror was last told
};

// One ioctl.
struct call {
    struct card *card;
    int context;
    struct ib_uverbs_ioctl_hdr *header;
};

// ---- tree.c
// The device's sysfs below dir/sys; exits with a sentence when it cannot be made.
void tree_make(const struct card *card, const char *netdev);

// ---- objects.c
// A new handle, 0 when memory is out.
uint32_t object_add(struct card *card, int context, enum object_kind kind);
// NULL: no such object of this kind in this context.
struct object *object_find(struct card *card, int context, uint32_t handle, enum object_kind kind);
struct object *object_any(struct card *card, int context, uint32_t handle);
void object_use(struct card *card, uint32_t handle, uint32_t used);
// -EBUSY while others refer to it.
int object_remove(struct card *card, int context, uint32_t handle);
const char *object_name(enum object_kind kind);
void objects_write(const struct card *card);
unsigned objects_count(const struct card *card, const char *kind);
// Index, or -errno. async: two ends, the library's and ours.
int context_open(struct card *card, int fd, const int async[2]);
int context_find(const struct card *card, int fd);
// What it had left is removed. Returns our end of its event channel, for the caller to close.
int context_close(struct card *card, int context);
int channel_add(struct card *card, const int ends[2]);
int channel_find(const struct card *card, int fd); // our end, or -errno
int channel_close(struct card *card, int fd);      // likewise, for the caller to close

// ---- attributes.c
struct ib_uverbs_attr *attr_find(const struct call *call, uint16_t id);
// NULL: absent, or shorter.
const void *attr_in(const struct call *call, uint16_t id, size_t size);
bool attr_u64(const struct call *call, uint16_t id, uint64_t *out);
// What is longer than the caller's room is cut off, as the kernel does.
void attr_put(const struct call *call, uint16_t id, const void *value, size_t size);
void attr_set(const struct call *call, uint16_t id, uint64_t value); // a handle or descriptor

// ---- ioctl.c, memory.c, flows.c, write.c, devx.c
int ioctl_run(struct call *call);
int uar_alloc(struct call *call);
int umem_register(struct call *call);
int icm_alloc(struct call *call);
int icm_register(struct call *call);
uint64_t icm_in_use(const struct card *card);
int matcher_create(struct call *call);
int flow_create(struct call *call);
int rewrite_create(struct call *call);
int reformat_create(struct call *call);
int write_run(struct call *call);
int devx_create(struct call *call);
int devx_query(struct call *call);
int devx_query_async(struct call *call);
int devx_modify(struct call *call);
int devx_other(struct call *call);
int devx_channel(struct call *call);

// ---- devx.c, caps.c: one command; the PRM's status, 0 is well
uint8_t caps_answer(const struct card *card, const void *in, void *out, size_t out_size);
uint8_t firmware_reformat(struct card *card, uint32_t size);
// Where a capability's steering addresses begin.
uint64_t caps_icm_start(uint64_t dm_type, uint64_t *size);

// ---- send_queue.c
int send_queue_add(struct card *card, int context, uint32_t handle, const void *in);
void send_queue_remove(struct card *card, struct send_queue *queue);
void send_queues_run(struct card *card);

// ---- faults.c
void faults_refresh(struct card *card);
bool fault_strikes(struct fault *fault);

#endif
