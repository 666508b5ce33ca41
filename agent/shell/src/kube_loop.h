// SPDX-License-Identifier: Apache-2.0
// libcurl's transfers on the agent's loop: its sockets are polled by the loop, its timer is one of
// the loop. Nothing waits, nothing has a thread (names of servers are given as numbers in a pod).
#ifndef AGENT_SHELL_KUBE_LOOP_H
#define AGENT_SHELL_KUBE_LOOP_H

#include <uv.h>

#include "curl_calls.h"
#include "model/error.h"

struct kube_loop;

// A transfer ended. It may be started again from here.
typedef void kube_done_fn(void *context, CURL *easy, CURLcode code);

int kube_loop_open(uv_loop_t *loop, struct kube_loop **out, struct error *error);
// Valid as long as the loop.
const struct curl_calls *kube_loop_calls(const struct kube_loop *loop);
// After all transfers are removed. Memory goes in the loop's next turns.
void kube_loop_close(struct kube_loop *loop);
// `context` is kept as the handle's CURLOPT_PRIVATE. -ENOMEM.
int kube_loop_add(struct kube_loop *loop, CURL *easy, kube_done_fn *done, void *context);
void kube_loop_remove(struct kube_loop *loop, CURL *easy);

#endif
