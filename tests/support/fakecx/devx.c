// SPDX-License-Identifier: Apache-2.0
// Firmware commands through DEVX. An object's number in the PRM is its handle, but for counters,
// whose numbers run on within a bulk. A refusal is an answer with a status, and EREMOTEIO.
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/mlx5_user_ioctl_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>

#include "bits.h"
#include "card.h"
#include "softcx/mirror.h"

#pragma weak mirror_counter

enum opcode {
    QUERY_HCA_CAP = 0x100,
    CREATE_QP = 0x500,
    RST2INIT_QP = 0x502,
    INIT2RTR_QP = 0x503,
    RTR2RTS_QP = 0x504,
    QUERY_ESW_FUNCTIONS = 0x740,
    QUERY_ESW_VPORT_CONTEXT = 0x752,
    QUERY_NIC_VPORT_CONTEXT = 0x754,
    CREATE_FLOW_TABLE = 0x930,
    QUERY_FLOW_TABLE = 0x932,
    CREATE_FLOW_GROUP = 0x933,
    SET_FLOW_TABLE_ENTRY = 0x936,
    ALLOC_FLOW_COUNTER = 0x939,
    QUERY_FLOW_COUNTER = 0x93b,
    ALLOC_PACKET_REFORMAT = 0x93d,
    SYNC_STEERING = 0xb00,
};

enum status { OK = 0, BAD_OP = 0x2, BAD_PARAM = 0x3, LIMIT = 0x8, BAD_IN_LEN = 0x50, BAD_OUT_LEN };

enum { HEADER_BYTES = 16, COUNTER_BYTES = 16, COUNTER_FIRST = 0x1000, BULK_UNIT = 128 };

// A command and its answer, both at least a header long.
struct command {
    const uint8_t *in;
    uint8_t *out;
    size_t in_size, out_size;
};

static bool command_of(const struct call *call, uint16_t in, uint16_t out,
                       struct command *command) {
    const struct ib_uverbs_attr *in_attr = attr_find(call, in), *out_attr = attr_find(call, out);
    if (in_attr == NULL || out_attr == NULL || in_attr->len < 8 || out_attr->len < HEADER_BYTES) {
        return false;
    }
    *command = (struct command){attr_in(call, in, 8), (uint8_t *)(uintptr_t)out_attr->data,
                                in_attr->len, out_attr->len};
    memset(command->out, 0, command->out_size);
    return true;
}

static int done(struct command *command, uint8_t status) {
    bits_set(command->out, 0, 8, status);
    return status == OK ? 0 : -EREMOTEIO;
}

// ---- objects

uint8_t firmware_reformat(struct card *card, uint32_t size) {
    if (fault_strikes(&card->faults.reformat)) {
        return (uint8_t)card->faults.reformat_status;
    }
    return size > CARD_ENCAP_MAX ? BAD_PARAM : OK;
}

static uint8_t make_reformat(struct card *card, const struct command *command,
                             struct object *object) {
    if (command->in_size < 34) {
        return BAD_IN_LEN;
    }
    uint32_t size = bits_get(command->in, 0xf6, 10);
    if (command->in_size + 2 < 34 + (size_t)size) {
        return BAD_IN_LEN;
    }
    object->size = size;
    return firmware_reformat(card, size);
}

static uint8_t make_counter(struct card *card, const struct command *command,
                            struct object *object) {
    uint32_t bulk = bits_get(command->in, 0x78, 8);
    uint32_t count = bulk == 0 ? 1 : bulk * BULK_UNIT;
    if (card->next_counter == 0) {
        card->next_counter = COUNTER_FIRST;
    }
    if (card->next_counter + count > 1U << 24) {
        return LIMIT;
    }
    object->size = count;
    object->id = card->next_counter;
    card->next_counter += (count + BULK_UNIT - 1) / BULK_UNIT * BULK_UNIT;
    return OK;
}

static uint8_t make_table(const struct command *command, struct object *object) {
    if (command->in_size < 60) {
        return BAD_IN_LEN;
    }
    bool software = bits_get(command->in, 0xc2, 1) != 0;
    for (unsigned i = 0; i < 2; i++) {
        object->roots[i] = software ? bits_get64(command->in, 0xc0 + 0xc0 + 64 * i)
                                    : 0x40000 + 0x1000ULL * object->id + 0x40 * i;
    }
    return OK;
}

static const struct {
    uint16_t opcode;
    enum object_kind kind;
} CREATES[] = {{CREATE_FLOW_TABLE, OBJECT_TABLE},        {CREATE_FLOW_GROUP, OBJECT_GROUP},
               {SET_FLOW_TABLE_ENTRY, OBJECT_ENTRY},     {ALLOC_FLOW_COUNTER, OBJECT_COUNTER},
               {ALLOC_PACKET_REFORMAT, OBJECT_REFORMAT}, {CREATE_QP, OBJECT_QUEUE}};

static enum object_kind kind_made_by(uint32_t opcode) {
    for (size_t i = 0; i < sizeof(CREATES) / sizeof(CREATES[0]); i++) {
        if (CREATES[i].opcode == opcode) {
            return CREATES[i].kind;
        }
    }
    return OBJECT_FREE;
}

static uint8_t make(struct call *call, const struct command *command, uint32_t handle) {
    struct card *card = call->card;
    struct object *object = object_any(card, call->context, handle);
    switch (bits_get(command->in, 0, 16)) {
    case ALLOC_PACKET_REFORMAT:
        return make_reformat(card, command, object);
    case ALLOC_FLOW_COUNTER:
        return command->in_size < HEADER_BYTES ? BAD_IN_LEN : make_counter(card, command, object);
    case CREATE_FLOW_TABLE:
        return make_table(command, object);
    case CREATE_QP:
        if (command->in_size < 0x110) {
            return BAD_IN_LEN;
        }
        return send_queue_add(card, call->context, handle, command->in) == 0 ? OK : BAD_PARAM;
    default:
        return OK;
    }
}

int devx_create(struct call *call) {
    struct command command;
    if (!command_of(call, MLX5_IB_ATTR_DEVX_OBJ_CREATE_CMD_IN, MLX5_IB_ATTR_DEVX_OBJ_CREATE_CMD_OUT,
                    &command)) {
        return -EINVAL;
    }
    enum object_kind kind = kind_made_by(bits_get(command.in, 0, 16));
    if (kind == OBJECT_FREE) {
        return done(&command, BAD_OP);
    }
    uint32_t handle = object_add(call->card, call->context, kind);
    if (handle == 0) {
        return -ENOMEM;
    }
    uint8_t status = make(call, &command, handle);
    if (status != OK) {
        object_remove(call->card, call->context, handle);
        return done(&command, status);
    }
    // Every kind's number is within these 32 bits, in their lower 24.
    bits_set(command.out, 0x40, 32, object_any(call->card, call->context, handle)->id);
    attr_set(call, MLX5_IB_ATTR_DEVX_OBJ_CREATE_HANDLE, handle);
    return done(&command, OK);
}

// ---- queries

// The mirror has a lock of its own, under which it calls into libmlx5 and so into this file.
static void ask_mirror(struct card *card, uint32_t first, uint32_t count, uint8_t *out) {
    pthread_mutex_unlock(&card->lock);
    for (uint32_t i = 0; i < count && mirror_counter != NULL; i++) {
        uint64_t packets = 0, bytes = 0;
        mirror_counter(first + i, &packets, &bytes);
        bits_set64(out, 8 * i * COUNTER_BYTES, packets);
        bits_set64(out, 8 * i * COUNTER_BYTES + 64, bytes);
    }
    pthread_mutex_lock(&card->lock);
}

static int query_counter(struct card *card, const struct object *object, struct command *command) {
    if (command->in_size < 32) {
        return done(command, BAD_IN_LEN);
    }
    uint32_t first = bits_get(command->in, 0xe0, 32), count = bits_get(command->in, 0xd0, 16);
    count = count == 0 ? 1 : count;
    if (first < object->id || first - object->id >= object->size) {
        return -EINVAL; // the kernel looks whose counter it is
    }
    if (count > object->size - (first - object->id)) {
        return done(command, BAD_PARAM);
    }
    if (command->out_size < HEADER_BYTES + (size_t)count * COUNTER_BYTES) {
        return done(command, BAD_OUT_LEN);
    }
    ask_mirror(card, first, count, command->out + HEADER_BYTES);
    return done(command, OK);
}

static int query_table(const struct object *object, struct command *command) {
    if (command->out_size < 64) {
        return done(command, BAD_OUT_LEN);
    }
    for (unsigned i = 0; i < 2; i++) {
        bits_set64(command->out, 0xc0 + 0xc0 + 64 * i, object->roots[i]);
    }
    return done(command, OK);
}

static int query(struct card *card, const struct object *object, struct command *command) {
    uint32_t opcode = bits_get(command->in, 0, 16);
    if (opcode == QUERY_FLOW_COUNTER && object->kind == OBJECT_COUNTER) {
        return query_counter(card, object, command);
    }
    if (opcode == QUERY_FLOW_TABLE && object->kind == OBJECT_TABLE) {
        return query_table(object, command);
    }
    return done(command, BAD_OP);
}

static const struct object *object_of(const struct call *call, uint16_t attr) {
    uint64_t handle;
    return attr_u64(call, attr, &handle) ? object_any(call->card, call->context, (uint32_t)handle)
                                         : NULL;
}

int devx_query(struct call *call) {
    struct command command;
    const struct object *object = object_of(call, MLX5_IB_ATTR_DEVX_OBJ_QUERY_HANDLE);
    if (object == NULL || !command_of(call, MLX5_IB_ATTR_DEVX_OBJ_QUERY_CMD_IN,
                                      MLX5_IB_ATTR_DEVX_OBJ_QUERY_CMD_OUT, &command)) {
        return -EINVAL;
    }
    return query(call->card, object, &command);
}

int devx_modify(struct call *call) {
    struct command command;
    const struct object *object = object_of(call, MLX5_IB_ATTR_DEVX_OBJ_MODIFY_HANDLE);
    if (object == NULL || !command_of(call, MLX5_IB_ATTR_DEVX_OBJ_MODIFY_CMD_IN,
                                      MLX5_IB_ATTR_DEVX_OBJ_MODIFY_CMD_OUT, &command)) {
        return -EINVAL;
    }
    uint32_t opcode = bits_get(command.in, 0, 16);
    bool state = opcode == RST2INIT_QP || opcode == INIT2RTR_QP || opcode == RTR2RTS_QP;
    return done(&command, state && object->kind == OBJECT_QUEUE ? OK : BAD_OP);
}

// ---- answers through a descriptor

int devx_channel(struct call *call) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return -errno;
    }
    int error = channel_add(call->card, ends);
    if (error == 0) {
        attr_set(call, MLX5_IB_ATTR_DEVX_ASYNC_CMD_FD_ALLOC_HANDLE, (uint64_t)ends[0]);
    }
    return error;
}

int devx_query_async(struct call *call) {
    uint64_t wr_id, out_size, fd;
    const struct object *object = object_of(call, MLX5_IB_ATTR_DEVX_OBJ_QUERY_ASYNC_HANDLE);
    const struct ib_uverbs_attr *in = attr_find(call, MLX5_IB_ATTR_DEVX_OBJ_QUERY_ASYNC_CMD_IN);
    if (object == NULL || in == NULL || in->len < 8 ||
        !attr_u64(call, MLX5_IB_ATTR_DEVX_OBJ_QUERY_ASYNC_WR_ID, &wr_id) ||
        !attr_u64(call, MLX5_IB_ATTR_DEVX_OBJ_QUERY_ASYNC_FD, &fd) ||
        !attr_u64(call, MLX5_IB_ATTR_DEVX_OBJ_QUERY_ASYNC_OUT_LEN, &out_size) ||
        out_size < HEADER_BYTES || out_size > UINT16_MAX) {
        return -EINVAL;
    }
    int send_fd = channel_find(call->card, (int)fd);
    uint8_t *answer = calloc(1, sizeof(wr_id) + out_size);
    if (send_fd < 0 || answer == NULL) {
        free(answer);
        return send_fd < 0 ? -EBADF : -ENOMEM;
    }
    memcpy(answer, &wr_id, sizeof(wr_id));
    struct command command = {attr_in(call, MLX5_IB_ATTR_DEVX_OBJ_QUERY_ASYNC_CMD_IN, 8),
                              answer + sizeof(wr_id), in->len, out_size};
    int error = query(call->card, object, &command);
    if (error == -EREMOTEIO || error == 0) { // a refusal is an answer too
        ssize_t sent = send(send_fd, answer, sizeof(wr_id) + out_size, MSG_DONTWAIT | MSG_NOSIGNAL);
        error = sent < 0 ? -EAGAIN : 0;
    }
    free(answer);
    return error;
}

// ---- commands without an object

static uint8_t query_vport(const struct command *command) {
    uint32_t vport = bits_get(command->in, 0x50, 16);
    if (bits_get(command->in, 0x40, 1) != 0 && vport > CARD_VPORT_MAX) {
        return BAD_PARAM;
    }
    if (command->out_size < 0x880 / 8) {
        return BAD_OUT_LEN;
    }
    bits_set64(command->out, 0x800, 0x30000 + 0x80ULL * vport);
    bits_set64(command->out, 0x840, 0x30040 + 0x80ULL * vport);
    return OK;
}

int devx_other(struct call *call) {
    struct command command;
    if (!command_of(call, MLX5_IB_ATTR_DEVX_OTHER_CMD_IN, MLX5_IB_ATTR_DEVX_OTHER_CMD_OUT,
                    &command) ||
        command.in_size < HEADER_BYTES) {
        return -EINVAL;
    }
    switch (bits_get(command.in, 0, 16)) {
    case QUERY_HCA_CAP:
        return done(&command, caps_answer(call->card, command.in, command.out, command.out_size));
    case QUERY_ESW_VPORT_CONTEXT:
        return done(&command, query_vport(&command));
    case QUERY_NIC_VPORT_CONTEXT:
        if (command.out_size < 20) {
            return done(&command, BAD_OUT_LEN);
        }
        bits_set(command.out, 0x9f, 1, 1); // RoCE is on
        return done(&command, OK);
    case QUERY_ESW_FUNCTIONS:
    case SYNC_STEERING:
        return done(&command, OK);
    default:
        return -EINVAL; // the kernel's list of harmless commands is short
    }
}
