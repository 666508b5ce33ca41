// SPDX-License-Identifier: Apache-2.0
// An agent that is built without Kubernetes. Its configuration does not ask for any of it.
#include <errno.h>

#include "kube.h"

int kube_open(uv_loop_t *loop, const char *api, const char *credentials, struct kube **out,
              struct error *error) {
    (void)loop;
    (void)api;
    (void)credentials;
    (void)out;
    return error_set(error, -ENOTSUP, "this agent is built without Kubernetes");
}

void kube_close(struct kube *kube) {
    (void)kube;
}

int kube_namespace(const struct kube *kube, char out[KUBE_NAMESPACE_SIZE], struct error *error) {
    (void)kube;
    (void)out;
    return error_set(error, -ENOTSUP, "this agent is built without Kubernetes");
}

int kube_watch_open(struct kube *kube, const struct kube_resource *resources, unsigned count,
                    const struct kube_handler *handler, struct kube_watch **out,
                    struct error *error) {
    (void)kube;
    (void)resources;
    (void)count;
    (void)handler;
    (void)out;
    return error_set(error, -ENOTSUP, "this agent is built without Kubernetes");
}

void kube_watch_close(struct kube_watch *watch) {
    (void)watch;
}

void kube_watch_stats(const struct kube_watch *watch, struct kube_stats *out) {
    (void)watch;
    *out = (struct kube_stats){0};
}
