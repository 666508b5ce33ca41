// SPDX-License-Identifier: Apache-2.0
// Client of the Kubernetes API: what there is of one kind of object, and every change of it (list,
// then watch). Over libcurl on the agent's loop; nothing here blocks it, and an API server that
// cannot be reached costs nothing but a try now and then: whoever watches keeps what it was told
// last.
//
//   .-> waiting --due--> listing --all of it--> watching --410 Gone--> waiting (to list again)
//   |                       |                    |  `--the server ends it, as it does--> watching
//   '------- any failure ---'--------------------' (goes on from the last resourceVersion)
//
// waiting: KUBE_RETRY_FIRST_MS, doubled with each failure up to KUBE_RETRY_MAX_MS, with jitter, and
// never sooner than the server asks for (Retry-After). A list that worked begins anew.
//
// Token and CA of the service account are read for each request, since they are rotated. Objects
// are parsed one at a time (kube_stream.h), so that a long list does not need much memory.
//
// Ownership: kube_open and kube_watch_open return owned; kube_close after all its watches are
// closed. Errors: -errno with a sentence. One thread, that of the loop.
#ifndef AGENT_SHELL_KUBE_H
#define AGENT_SHELL_KUBE_H

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

#include "model/error.h"

#define KUBE_CREDENTIALS "/var/run/secrets/kubernetes.io/serviceaccount"
#define KUBE_PATH_SIZE 256
#define KUBE_ALTERNATIVES_MAX 2
#define KUBE_RETRY_FIRST_MS 500
#define KUBE_RETRY_MAX_MS 30000

struct kube;
struct kube_watch;

// `api`: "https://10.96.0.1:443"; NULL or "": what KUBERNETES_SERVICE_HOST and _PORT say, -EINVAL
// when they are not there. `credentials`: a folder with "token" and "ca.crt"; NULL or "":
// KUBE_CREDENTIALS. Files that cannot be read are a failure of each request, not of kube_open.
int kube_open(uv_loop_t *loop, const char *api, const char *credentials, struct kube **out,
              struct error *error);
// Memory goes in the loop's next turns. NULL is a no-op.
void kube_close(struct kube *kube);

// That of the service account. -errno with the file's name.
#define KUBE_NAMESPACE_SIZE 64
int kube_namespace(const struct kube *kube, char out[KUBE_NAMESPACE_SIZE], struct error *error);

// What is watched. Where the server does not know the first path (404), the next is tried.
struct kube_resource {
    const char *path;  // "/api/v1/pods"
    const char *query; // "" or a selector, encoded: "fieldSelector=spec.nodeName%3Dnode-1"
};

// Called by the loop. Objects are borrowed for the call. No handler may close its watch.
struct kube_handler {
    void *context;
    // A list of resource number `index` begins. It may break off and begin again.
    void (*listing)(void *context, unsigned index);
    // An object that exists, new or changed; or, `deleted`, one that does so no longer.
    void (*object)(void *context, const json_t *object, bool deleted);
    // Whatever was not told since `listing` does not exist any more.
    void (*listed)(void *context);
    // It does not work, and why: once, and again when the reason changes. NULL: works again.
    void (*trouble)(void *context, const struct error *error);
};

// Borrows `kube` until close; copies the resources. -EINVAL for a path that is too long, -ENOMEM.
int kube_watch_open(struct kube *kube, const struct kube_resource *resources, unsigned count,
                    const struct kube_handler *handler, struct kube_watch **out,
                    struct error *error);
// No handler is called any more. NULL is a no-op.
void kube_watch_close(struct kube_watch *watch);

struct kube_stats {
    uint64_t requests, failures; // an answer other than 200 is a failure
    uint64_t lists, objects, gone;
    bool synced; // a list was told whole, and no failure since
};
void kube_watch_stats(const struct kube_watch *watch, struct kube_stats *out);

#endif
