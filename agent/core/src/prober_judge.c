// SPDX-License-Identifier: Apache-2.0
// What an answer or a loss says of the links of its loop. The state graph is drawn in prober.h.
#include "prober_judge.h"

// The one place where a link's state changes.
void judge_set_state(const struct judgement *judgement, link_id id, enum probe_state to) {
    struct probed_link *link = &judgement->prober->links[id.i];
    enum probe_state from = link->state;
    if (from == to) {
        return;
    }
    const struct probe_policy *policy = judgement->policy;
    if (to == PROBE_DOWN && from != PROBE_HELD) {
        bool forgiven = link->stable_since_ns != 0 &&
                        judgement->now_ns - link->stable_since_ns > FLAPS_FORGIVEN_AFTER_NS;
        uint64_t doubled = 2 * link->hold_ns;
        link->hold_ns = link->hold_ns == 0 || forgiven ? policy->up_hold_ns : doubled;
        link->hold_ns =
            link->hold_ns < policy->up_hold_max_ns ? link->hold_ns : policy->up_hold_max_ns;
    }
    if (to == PROBE_HELD) {
        link->held_until_ns = judgement->now_ns + link->hold_ns;
    }
    if (to == PROBE_GOOD && from == PROBE_HELD) {
        link->stable_since_ns = judgement->now_ns;
    }
    link->state = to;
    link->changed_at_ns = judgement->now_ns;
    judgement->verdict(judgement->context, id, from, to);
}

void judge_good(const struct judgement *judgement, link_id id, uint64_t sent_at_ns) {
    struct probed_link *link = &judgement->prober->links[id.i];
    if (sent_at_ns <= link->last_good_sent_at_ns) {
        return;
    }
    link->last_good_sent_at_ns = sent_at_ns;
    if (link->first_loss_sent_at_ns <= sent_at_ns) {
        link->loss_run = 0;
    }
    if (!link->monitored) {
        return;
    }
    switch (link->state) {
    case PROBE_NONE:
    case PROBE_SUSPECT:
        if (link->loss_run == 0) {
            judge_set_state(judgement, id, PROBE_GOOD);
        }
        break;
    case PROBE_DOWN:
        judge_set_state(judgement, id, PROBE_HELD);
        break;
    case PROBE_HELD:
        if (judgement->now_ns >= link->held_until_ns) {
            judge_set_state(judgement, id, PROBE_GOOD);
        }
        break;
    case PROBE_GOOD:
        break;
    }
}

// A loop that contains a link already known to be down is lost for that reason; its other links
// stay unblamed.
bool judge_loss_is_explained(const struct prober *prober, const struct loop *loop) {
    for (unsigned i = 0; i < loop->walk.link_count; i++) {
        if (probed_link_is_bad(&prober->links[loop->walk.links[i].i])) {
            return true;
        }
    }
    return false;
}

void judge_lost(const struct judgement *judgement, link_id id, uint64_t sent_at_ns) {
    struct probed_link *link = &judgement->prober->links[id.i];
    if (link->last_good_sent_at_ns >= sent_at_ns) {
        return; // a later probe crossed the link: exonerated
    }
    link->lost++;
    if (link->loss_run++ == 0) {
        link->first_loss_sent_at_ns = sent_at_ns;
    }
    if (!link->monitored) {
        return;
    }
    if (link->state == PROBE_HELD) {
        judge_set_state(judgement, id, PROBE_DOWN);
    } else if (link->state == PROBE_GOOD || link->state == PROBE_NONE) {
        judge_set_state(judgement, id, PROBE_SUSPECT);
    }
}

// Down when enough probes in a row were lost over it and the rest of the way was seen to work since
// the first loss.
void judge_target(const struct judgement *judgement, const struct probe_target *target) {
    const struct loop *prefix = &target->loops[LOOP_PREFIX];
    for (unsigned reverse = 0; reverse < 2; reverse++) {
        link_id id = link_of(target->cable, reverse != 0);
        struct probed_link *link = &judgement->prober->links[id.i];
        if (link->state == PROBE_SUSPECT && link->loss_run >= judgement->policy->loss_threshold &&
            prefix->valid && prefix->last_good_sent_at_ns >= link->first_loss_sent_at_ns) {
            judge_set_state(judgement, id, PROBE_DOWN);
        }
    }
}
