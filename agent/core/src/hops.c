// SPDX-License-Identifier: Apache-2.0
// What is known of one link of a path, without a packet sent for it: from the loops that cross it
// anyway, and from what other observers report.
//
// A loop's round trip is the sum of its links', so one loop blames them all. Of a link it says how
// much of it can at most be the link's: what the loop takes more than own loops of as many links
// usually do. The least of that over all loops that cross the link is the bound given here. Where
// each of these loops comes back over the same cable, both directions have one bound, and the hop
// says so.
#include <stdlib.h>

#include "model/time.h"
#include "state.h"

#define FRESH_NS (10 * NS_PER_S) // a loop that did not return for that long says nothing
#define SIBLINGS_MIN 3           // loops of as many links, until there is a usual round trip

static bool is_fresh(const struct engine *engine, const struct loop *loop) {
    return loop->valid && loop->rtt_ns > 0 && loop->last_good_sent_at_ns > 0 &&
           engine->now_ns - loop->last_good_sent_at_ns < FRESH_NS;
}

static bool crosses(const struct loop *loop, link_id link) {
    for (unsigned i = 0; i < loop->walk.link_count; i++) {
        if (loop->walk.links[i].i == link.i) {
            return true;
        }
    }
    return false;
}

static int compare(const void *left, const void *right) {
    const uint64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

// The median of own loops of so many links; 0: there are too few.
static uint64_t usual_rtt(const struct engine *engine, unsigned link_count, uint64_t *scratch) {
    uint32_t count = 0;
    for (uint32_t t = 0; t < engine->prober.target_count; t++) {
        for (unsigned k = 0; k < LOOP_KINDS; k++) {
            const struct loop *loop = &engine->prober.targets[t].loops[k];
            if (is_fresh(engine, loop) && loop->walk.link_count == link_count) {
                scratch[count++] = loop->rtt_ns;
            }
        }
    }
    if (count < SIBLINGS_MIN) {
        return 0;
    }
    qsort(scratch, count, sizeof *scratch, compare);
    return scratch[(count - 1) / 2]; // of two the lesser: half of the loops may be slow
}

static void add_loop(const struct engine *engine, const struct loop *loop, link_id link,
                     uint64_t *scratch, struct engine_hop *hop) {
    uint64_t age_ns = engine->now_ns - loop->last_good_sent_at_ns;
    uint64_t usual_ns = usual_rtt(engine, loop->walk.link_count, scratch);
    uint64_t excess_ns = loop->rtt_ns > usual_ns ? loop->rtt_ns - usual_ns : 0;
    hop->loop_count++;
    hop->told_apart = hop->told_apart || !crosses(loop, link_opposite(link));
    hop->age_ns = hop->loop_count == 1 || age_ns < hop->age_ns ? age_ns : hop->age_ns;
    if (usual_ns != 0 && (!hop->excess_known || excess_ns < hop->excess_ns)) {
        hop->excess_known = true;
        hop->excess_ns = excess_ns;
        hop->loop_rtt_ns = loop->rtt_ns;
        hop->usual_rtt_ns = usual_ns;
    }
}

static bool names_fault(const struct link_report *report) {
    return report->fault == LINK_FAULT_LOSSY || report->fault == LINK_FAULT_SLOW;
}

static void add_reports(const struct engine *engine, link_id link, struct engine_hop *hop) {
    const struct link_view *view = &engine->links[link.i];
    for (uint32_t i = 0; i < view->count; i++) {
        const struct link_evidence *evidence = &view->reports[i];
        uint64_t age_ns = engine->now_ns - view->accounts[i].told_at_ns;
        if (evidence->observer.i == engine->self.i ||
            engine_vote_standing(engine, link, i) != VOTE_COUNTS) {
            continue;
        }
        hop->report_age_ns =
            hop->report_count == 0 || age_ns < hop->report_age_ns ? age_ns : hop->report_age_ns;
        hop->report_count++;
        hop->report_down_count += evidence->report.verdict == LINK_DOWN;
        uint32_t loss_ppm = evidence->report.loss_ppm;
        hop->report_loss_ppm = loss_ppm > hop->report_loss_ppm ? loss_ppm : hop->report_loss_ppm;
        if (names_fault(&evidence->report) &&
            (!names_fault(&(struct link_report){.fault = hop->report_fault}) ||
             evidence->report.fault_ppm > hop->report_fault_ppm)) {
            hop->report_fault = evidence->report.fault;
            hop->report_fault_ppm = evidence->report.fault_ppm;
        }
    }
}

void engine_hop_at(const struct engine *engine, link_id link, struct engine_hop *out) {
    size_t most = (size_t)engine->prober.target_count * LOOP_KINDS + 1;
    uint64_t *scratch = calloc(most, sizeof *scratch);
    *out = (struct engine_hop){.loop_count = 0};
    for (uint32_t t = 0; scratch != NULL && t < engine->prober.target_count; t++) {
        for (unsigned k = 0; k < LOOP_KINDS; k++) {
            const struct loop *loop = &engine->prober.targets[t].loops[k];
            if (is_fresh(engine, loop) && crosses(loop, link)) {
                add_loop(engine, loop, link, scratch, out);
            }
        }
    }
    free(scratch);
    add_reports(engine, link, out);
}
