// SPDX-License-Identifier: Apache-2.0
// The prober's verdicts on single links. Private to the prober.
#ifndef AGENT_CORE_PROBER_JUDGE_H
#define AGENT_CORE_PROBER_JUDGE_H

#include "prober.h"

struct judgement {
    struct prober *prober;
    uint64_t now_ns;
    const struct probe_policy *policy;
    struct engine_stats *stats;
    prober_verdict_fn *verdict;
    void *context;
};

static inline bool probed_link_is_bad(const struct probed_link *link) {
    return link->state == PROBE_DOWN || link->state == PROBE_HELD;
}

// The one place where a link's state changes.
void judge_set_state(const struct judgement *judgement, link_id id, enum probe_state to);
// A probe sent at `sent_at_ns` crossed the link and came back, or was lost.
void judge_good(const struct judgement *judgement, link_id id, uint64_t sent_at_ns);
void judge_lost(const struct judgement *judgement, link_id id, uint64_t sent_at_ns);
// A loop that contains a link already known to be down is lost for that reason; its other links
// stay unblamed.
bool judge_loss_is_explained(const struct prober *prober, const struct loop *loop);
// Down when enough probes in a row were lost over it and the rest of the way was seen to work since
// the first loss.
void judge_target(const struct judgement *judgement, const struct probe_target *target);

#endif
