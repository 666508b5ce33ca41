// SPDX-License-Identifier: Apache-2.0
// Where the agent finds the first members, and those that it lost from sight: addresses, names that
// stand for several addresses (a headless Service), and the Endpoints of a Service. They are looked
// up again and again, and the core is told what came of it (gossip_set_seeds):
//
//   nobody known              soon, then every SEEDS_ALONE_MAX_MS
//   an address is no member   every SEEDS_MISSING_MS
//   all are members           every SEEDS_RARELY_MS, for what only then turns out: a new fleet, a
//                             partition that healed
//
// each with jitter. A source that fails keeps what it said last. Own addresses are recognised: the
// one that is advertised, and where the agent listens on all of them, those of the host's
// interfaces. Of more than GOSSIP_SEEDS_MAX addresses those come first that are no members; chance
// decides the rest, anew each time.
//
// Borrows configuration, gossip and kube until close. One thread, that of the loop.
#ifndef AGENT_SHELL_SEEDS_H
#define AGENT_SHELL_SEEDS_H

#include <uv.h>

#include "agent_shell/config.h"
#include "agent_shell/log.h"
#include "gossip/gossip.h"
#include "kube.h"

#define SEEDS_SOON_MS 500
#define SEEDS_ALONE_MAX_MS 2000
#define SEEDS_MISSING_MS 15000
#define SEEDS_RARELY_MS 60000

struct seeds;

struct seeds_handler {
    void *context;
    void (*tell)(void *context, enum log_level level, const char *kind, const char *subject,
                 const char *text);
};

// `kube` may be NULL where the configuration does not ask for Endpoints.
int seeds_open(uv_loop_t *loop, const struct config *config, struct gossip *gossip,
               struct kube *kube, const struct seeds_handler *handler, struct seeds **out,
               struct error *error);
// Memory goes in the loop's next turns. NULL is a no-op.
void seeds_close(struct seeds *seeds);
// The configuration's seeds changed: all are looked up anew. -ENOMEM: the old ones stay.
int seeds_reload(struct seeds *seeds, struct error *error);
// Called now and then: whoever lost all members looks for them at once.
void seeds_look(struct seeds *seeds);
// Why nobody may have been found: the first source that never said anything; "" when there is none.
// Returns `text`. `seeds` may be NULL.
#define SEEDS_PROBLEM_SIZE (CONFIG_NAME_SIZE + sizeof(": ") + ERROR_TEXT_SIZE)
const char *seeds_problem(const struct seeds *seeds, char text[SEEDS_PROBLEM_SIZE]);

#endif
