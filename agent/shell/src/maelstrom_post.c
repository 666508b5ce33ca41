// SPDX-License-Identifier: Apache-2.0
#include "maelstrom_post.h"

#include <stdlib.h>
#include <string.h>

void post_fini(struct post *post) {
    for (uint32_t i = 0; i < post->count; i++) {
        json_decref(post->boxes[i].data);
    }
    free(post->boxes);
    *post = (struct post){.boxes = NULL};
}

static struct post_box *find_box(struct post *post, const char *address) {
    for (uint32_t i = 0; i < post->count; i++) {
        if (strcmp(post->boxes[i].address, address) == 0) {
            return &post->boxes[i];
        }
    }
    if (post->count == post->capacity) {
        uint32_t capacity = post->capacity == 0 ? 32 : 2 * post->capacity;
        struct post_box *boxes = realloc(post->boxes, capacity * sizeof(*boxes));
        if (boxes == NULL) {
            return NULL;
        }
        post->boxes = boxes;
        post->capacity = capacity;
    }
    struct post_box *box = &post->boxes[post->count++];
    *box = (struct post_box){.data = NULL};
    strncpy(box->address, address, sizeof(box->address) - 1);
    return box;
}

static void send_box(struct post_box *box, const char *self, struct text *out) {
    if (box->data != NULL) {
        wire_write(out, self, box->address, NULL,
                   json_pack("{s:s, s:o}", "type", "gossip", "data", box->data));
        box->data = NULL;
        box->size = 0;
    }
}

void post_add(struct post *post, const char *self, const struct gossip_message *message,
              struct text *out) {
    struct post_box *box = find_box(post, message->address);
    char *text = base64_encode(message->bytes, message->size);
    if (box != NULL && text != NULL) {
        box->data = box->data != NULL ? box->data : json_array();
        box->size += strlen(text);
        post->failed |= json_array_append_new(box->data, json_string_nocheck(text)) != 0;
        post->waiting = true;
        if (box->size >= POST_LINE_MAX) {
            send_box(box, self, out);
        }
    } else {
        post->failed = true;
    }
    free(text);
}

void post_flush(struct post *post, const char *self, struct text *out) {
    for (uint32_t i = 0; i < post->count; i++) {
        send_box(&post->boxes[i], self, out);
    }
    post->waiting = false;
}
