// SPDX-License-Identifier: Apache-2.0
#include "model/belief.h"

// Which observers of one link there are and what they say; a fold that does not depend on order.
struct tally {
    uint32_t observers, votes;
    uint32_t rack, vote_rack; // leaf of the first observer and of the first that votes down
    bool many_racks, many_vote_racks;
    uint32_t lowest_ppm, second_ppm;
};

static uint32_t rack_of(const struct fabric *fabric, node_id observer) {
    const struct fabric_node *node = &fabric->nodes[observer.i];
    return node->port_count > 0 ? fabric->ports[node->first_port].leaf.i : ID_NONE;
}

static void tally_add(struct tally *tally, uint32_t rack, const struct link_report *report) {
    tally->many_racks |= tally->observers > 0 && rack != tally->rack;
    tally->rack = rack;
    tally->observers++;
    if (report->verdict == LINK_DOWN) {
        tally->many_vote_racks |= tally->votes > 0 && rack != tally->vote_rack;
        tally->vote_rack = rack;
        tally->votes++;
    }
    if (report->capacity_ppm < tally->lowest_ppm) {
        tally->second_ppm = tally->lowest_ppm;
        tally->lowest_ppm = report->capacity_ppm;
    } else if (report->capacity_ppm < tally->second_ppm) {
        tally->second_ppm = report->capacity_ppm;
    }
}

static bool tally_down(const struct tally *tally) {
    if (tally->observers == 1) {
        return tally->votes == 1;
    }
    return tally->many_racks ? tally->many_vote_racks : tally->votes >= 2;
}

static uint16_t saturate(uint32_t count) {
    return count < UINT16_MAX ? (uint16_t)count : UINT16_MAX;
}

static void belief_set(const struct tally *tally, struct link_belief *belief) {
    belief->down = tally_down(tally);
    // Two observers agree on the second lowest: both saw that little or less.
    belief->capacity_ppm = tally->observers == 1 ? tally->lowest_ppm : tally->second_ppm;
    belief->down_votes = saturate(tally->votes);
    belief->observer_count = saturate(tally->observers);
}

void belief_compute(const struct fabric *fabric, const struct link_evidence *evidence,
                    uint32_t evidence_count, struct link_belief *beliefs) {
    uint32_t next = 0;
    for (uint32_t link = 0; link < fabric_link_count(fabric); link++) {
        struct tally tally = {.lowest_ppm = CAPACITY_FULL_PPM, .second_ppm = CAPACITY_FULL_PPM};
        for (; next < evidence_count && evidence[next].link.i == link; next++) {
            tally_add(&tally, rack_of(fabric, evidence[next].observer), &evidence[next].report);
        }
        belief_set(&tally, &beliefs[link]);
    }
}

uint64_t belief_rate_bps(const struct fabric *fabric, const struct link_belief *belief,
                         link_id link) {
    if (belief->down || belief->drained) {
        return 0;
    }
    uint64_t rate_bps = fabric_link_rate_bps(fabric, link);
    return rate_bps / CAPACITY_FULL_PPM * belief->capacity_ppm +
           rate_bps % CAPACITY_FULL_PPM * belief->capacity_ppm / CAPACITY_FULL_PPM;
}
