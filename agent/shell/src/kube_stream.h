// SPDX-License-Identifier: Apache-2.0
// Takes answers of the Kubernetes API apart as they come, so that no more than one object is in
// memory at a time:
//
//   a list    {"kind":"PodList","metadata":{...},"items":[ {...}, {...} ]}
//             each element of items; the rest of the document is kept for the end
//   lines     {"type":"ADDED","object":{...}}\n       a watch
//             each line
//
// Only braces, brackets and strings are looked at; whether it is JSON the parser says to whom the
// objects go. Pure. kube_stream_init fills the caller's storage, kube_stream_fini frees what it
// came to hold.
#ifndef AGENT_SHELL_KUBE_STREAM_H
#define AGENT_SHELL_KUBE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/error.h"

#define KUBE_OBJECT_MAX 4194304 // bytes; etcd keeps none above 1.5 MiB
#define KUBE_REST_MAX 65536     // of a list without its items

enum kube_stream_kind { KUBE_STREAM_LIST, KUBE_STREAM_LINES };

struct kube_text {
    char *bytes;
    size_t size, capacity;
};

struct kube_stream {
    enum kube_stream_kind kind;
    struct kube_text object, rest;
    unsigned depth;      // of open braces and brackets
    bool string, escape; // inside a string; behind a backslash
    bool items;          // inside of the array
    bool ended;          // the document is whole
    int failed;          // what kube_stream_feed returned; it takes no more
};

// An object's text, borrowed for the call. What is not 0 ends the feeding and is returned by it.
typedef int kube_stream_fn(void *context, const char *text, size_t size, struct error *error);

void kube_stream_init(struct kube_stream *stream, enum kube_stream_kind kind);
void kube_stream_fini(struct kube_stream *stream);
// -EBADMSG for what cannot be an answer, -EMSGSIZE beyond the limits, -ENOMEM.
int kube_stream_feed(struct kube_stream *stream, const char *bytes, size_t size,
                     kube_stream_fn *object, void *context, struct error *error);
// After the last byte: -EBADMSG for a list, or a line, that is not whole. A list's rest is in
// stream->rest.
int kube_stream_end(struct kube_stream *stream, struct error *error);

#endif
