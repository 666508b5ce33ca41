// SPDX-License-Identifier: Apache-2.0
#include "fakecx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "card.h"

const char *object_name(enum object_kind kind) {
    static const char *const names[OBJECT_KIND_COUNT] = {"free",  "pd",      "region",   "cq",
                                                         "icm",   "uar",     "umem",     "matcher",
                                                         "flow",  "action",  "table",    "group",
                                                         "entry", "counter", "reformat", "queue"};
    return names[kind];
}

static struct object *at(struct card *card, uint32_t handle) {
    return handle == 0 || handle > card->object_count ? NULL : &card->objects[handle - 1];
}

static uint32_t room_for_one(struct card *card) {
    if (card->first_free != 0) {
        uint32_t handle = card->first_free;
        card->first_free = card->objects[handle - 1].id;
        return handle;
    }
    if (card->object_count == card->object_room) {
        uint32_t room = card->object_room == 0 ? 256 : 2 * card->object_room;
        struct object *grown = realloc(card->objects, room * sizeof(*grown));
        if (grown == NULL) {
            return 0;
        }
        card->objects = grown;
        card->object_room = room;
    }
    return ++card->object_count;
}

uint32_t object_add(struct card *card, int context, enum object_kind kind) {
    uint32_t handle = room_for_one(card);
    if (handle != 0) {
        card->objects[handle - 1] = (struct object){.kind = kind, .context = context, .id = handle};
    }
    return handle;
}

struct object *object_any(struct card *card, int context, uint32_t handle) {
    struct object *object = at(card, handle);
    bool ours = object != NULL && object->kind != OBJECT_FREE && !object->left &&
                object->context == context;
    return ours ? object : NULL;
}

struct object *object_find(struct card *card, int context, uint32_t handle, enum object_kind kind) {
    struct object *object = object_any(card, context, handle);
    return object != NULL && object->kind == kind ? object : NULL;
}

void object_use(struct card *card, uint32_t handle, uint32_t used) {
    struct object *object = at(card, handle);
    if (object->use_count < OBJECT_USE_MAX) {
        object->uses[object->use_count++] = used;
        at(card, used)->users++;
    }
}

// What an object holds besides its entry.
static void let_go(struct card *card, struct object *object) {
    if (object->kind == OBJECT_ICM) {
        munmap(object->base, object->length);
    }
    if (object->queue != NULL) {
        send_queue_remove(card, object->queue);
        object->queue = NULL;
    }
    for (uint32_t i = 0; i < object->use_count; i++) {
        at(card, object->uses[i])->users--;
    }
    object->use_count = 0;
}

int object_remove(struct card *card, int context, uint32_t handle) {
    struct object *object = object_any(card, context, handle);
    if (object == NULL) {
        return -EINVAL;
    }
    if (object->users > 0) {
        return -EBUSY;
    }
    let_go(card, object);
    object->kind = OBJECT_FREE;
    object->id = card->first_free;
    card->first_free = handle;
    return 0;
}

// What the library itself keeps for as long as a device is open is listed only when left.
static bool listed(const struct object *object) {
    return object->kind != OBJECT_FREE && (object->left || object->kind != OBJECT_UAR);
}

void objects_write(const struct card *card) {
    char path[CARD_PATH_SIZE + 16], new[CARD_PATH_SIZE + 16];
    snprintf(path, sizeof(path), "%s/objects", card->dir);
    snprintf(new, sizeof(new), "%s/objects.new", card->dir);
    FILE *file = fopen(new, "we");
    if (file == NULL) {
        return; // the directory is gone at the end of a test
    }
    for (uint32_t i = 0; i < card->object_count; i++) {
        const struct object *object = &card->objects[i];
        if (listed(object)) {
            fprintf(file, "%s%s 0x%x", object->left ? "left " : "", object_name(object->kind),
                    object->id);
            object->size == 0 ? fputs("\n", file) : fprintf(file, " %u\n", object->size);
        }
    }
    fclose(file);
    rename(new, path);
}

unsigned objects_count(const struct card *card, const char *kind) {
    unsigned count = 0;
    for (uint32_t i = 0; i < card->object_count; i++) {
        const struct object *object = &card->objects[i];
        count += !object->left && listed(object) &&
                 (kind == NULL || strcmp(kind, object_name(object->kind)) == 0);
    }
    return count;
}

// ---- contexts

int context_open(struct card *card, int fd, const int async[2]) {
    for (int i = 0; i < CARD_CONTEXT_MAX; i++) {
        if (!card->contexts[i].open) {
            card->contexts[i] = (struct context){.open = true,
                                                 .fd = fd,
                                                 .async_fd = async[0],
                                                 .async_send_fd = async[1]};
            card->context_count++;
            return i;
        }
    }
    return -ENFILE;
}

int context_find(const struct card *card, int fd) {
    for (int i = 0; i < CARD_CONTEXT_MAX && card->context_count > 0; i++) {
        if (card->contexts[i].open && card->contexts[i].fd == fd) {
            return i;
        }
    }
    return -ENOENT;
}

int context_close(struct card *card, int context) {
    for (uint32_t i = 0; i < card->object_count; i++) {
        struct object *object = &card->objects[i];
        if (object->kind != OBJECT_FREE && object->context == context && !object->left) {
            let_go(card, object);
            object->left = true;
        }
    }
    card->contexts[context].open = false;
    card->context_count--;
    objects_write(card);
    return card->contexts[context].async_send_fd;
}

// ---- channels

int channel_add(struct card *card, const int ends[2]) {
    for (int i = 0; i < CARD_CONTEXT_MAX; i++) {
        if (!card->channels[i].open) {
            card->channels[i] = (struct channel){true, ends[0], ends[1]};
            return 0;
        }
    }
    return -ENFILE;
}

static int channel_index(const struct card *card, int fd) {
    for (int i = 0; i < CARD_CONTEXT_MAX; i++) {
        if (card->channels[i].open && card->channels[i].fd == fd) {
            return i;
        }
    }
    return -EBADF;
}

int channel_find(const struct card *card, int fd) {
    int index = channel_index(card, fd);
    return index < 0 ? index : card->channels[index].send_fd;
}

int channel_close(struct card *card, int fd) {
    int index = channel_index(card, fd);
    if (index < 0) {
        return index;
    }
    card->channels[index].open = false;
    return card->channels[index].send_fd;
}
