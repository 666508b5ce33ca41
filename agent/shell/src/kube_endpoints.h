// SPDX-License-Identifier: Apache-2.0
// The addresses behind a Service, ready or not: from its EndpointSlices, or from its Endpoints
// where the cluster has no such (Kubernetes before 1.21). Those of the Service's port of the given
// name.
//
// What is known stays known while the API server is away. One thread, that of the loop.
#ifndef AGENT_SHELL_KUBE_ENDPOINTS_H
#define AGENT_SHELL_KUBE_ENDPOINTS_H

#include "agent_shell/config.h"
#include "kube.h"
#include "seeds_list.h"

struct kube_endpoints;

// The addresses changed, or were listed for the first time (`news`, as after trouble); or there is
// trouble.
typedef void kube_endpoints_fn(void *context, bool news, const struct error *trouble);

// Borrows `kube` until close. *out owned.
int kube_endpoints_open(struct kube *kube, const struct config_endpoints *config,
                        kube_endpoints_fn *changed, void *context, struct kube_endpoints **out,
                        struct error *error);
void kube_endpoints_close(struct kube_endpoints *endpoints); // NULL is a no-op
// It had an address at some time.
bool kube_endpoints_known(const struct kube_endpoints *endpoints);
uint32_t kube_endpoints_count(const struct kube_endpoints *endpoints);
int kube_endpoints_add(const struct kube_endpoints *endpoints, struct seeds_list *out); // -ENOMEM
const char *kube_endpoints_problem(const struct kube_endpoints *endpoints);             // "": none

// ---- parsing, for tests
// Adds the addresses of an EndpointSlice, or of an Endpoints object. What is not understood in it
// is left out; -ENOMEM.
int kube_endpoints_read(const json_t *object, const char *port, struct seeds_list *out);

#endif
