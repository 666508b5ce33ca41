// SPDX-License-Identifier: Apache-2.0
#include "model/belief.h"

#include <string.h>

// What the elected observers of one link say; a fold that does not depend on order.
struct tally {
    uint32_t observers, votes, blind_votes;
    uint32_t rack, vote_rack; // leaf of the last observer and of the last that votes down
    bool many_racks, many_vote_racks;
    uint32_t lowest_ppm, second_ppm;
};

// The reports on one link.
struct link_reports {
    const struct link_evidence *first;
    uint32_t count;
};

static uint32_t rack_of(const struct fabric *fabric, node_id observer) {
    const struct fabric_node *node = &fabric->nodes[observer.i];
    return node->port_count > 0 ? fabric->ports[node->first_port].leaf.i : ID_NONE;
}

bool belief_is_elected(const struct cable_observers *observers, node_id host) {
    for (uint32_t i = 0; i < observers->count; i++) {
        if (observers->hosts[i].i == host.i) {
            return true;
        }
    }
    return false;
}

// ---- sights

static void keep_common(const struct fabric *fabric, link_id link, struct observer_sight *sight) {
    const node_id ends[2] = {fabric_link_from(fabric, link), fabric_link_to(fabric, link)};
    for (unsigned i = 0; i < 2; i++) {
        node_id *common = &sight->common[i];
        if (sight->down == 0) {
            *common = ends[i];
        } else if (common->i != ends[0].i && common->i != ends[1].i) {
            common->i = ID_NONE;
        }
    }
}

static void look(const struct belief_input *input) {
    memset(input->sights, 0, input->fabric->host_count * sizeof input->sights[0]);
    for (uint32_t i = 0; i < input->evidence_count; i++) {
        const struct link_evidence *evidence = &input->evidence[i];
        if (!belief_is_elected(&input->observers[link_cable(evidence->link).i],
                               evidence->observer)) {
            continue;
        }
        struct observer_sight *sight = &input->sights[evidence->observer.i];
        sight->reported++;
        if (evidence->report.verdict == LINK_DOWN) {
            keep_common(input->fabric, evidence->link, sight);
            sight->down++;
        }
    }
}

bool belief_is_blind(const struct observer_sight *sight) {
    return 2 * sight->down > sight->reported && sight->common[0].i == ID_NONE &&
           sight->common[1].i == ID_NONE;
}

// ---- one link

static bool is_seen_up(const struct belief_input *input, const struct cable_observers *observers,
                       struct link_reports reports) {
    for (uint32_t i = 0; i < reports.count; i++) {
        const struct link_evidence *evidence = &reports.first[i];
        if (evidence->report.verdict == LINK_UP &&
            belief_is_elected(observers, evidence->observer) &&
            !belief_is_blind(&input->sights[evidence->observer.i])) {
            return true;
        }
    }
    return false;
}

static void tally_capacity(struct tally *tally, uint32_t capacity_ppm) {
    if (capacity_ppm < tally->lowest_ppm) {
        tally->second_ppm = tally->lowest_ppm;
        tally->lowest_ppm = capacity_ppm;
    } else if (capacity_ppm < tally->second_ppm) {
        tally->second_ppm = capacity_ppm;
    }
}

static void tally_observer(struct tally *tally, uint32_t rack) {
    tally->many_racks |= tally->observers > 0 && rack != tally->rack;
    tally->rack = rack;
    tally->observers++;
}

static void tally_vote(struct tally *tally, uint32_t rack) {
    tally->many_vote_racks |= tally->votes > 0 && rack != tally->vote_rack;
    tally->vote_rack = rack;
    tally->votes++;
}

static void tally_reports(const struct belief_input *input, const struct cable_observers *observers,
                          struct link_reports reports, struct tally *tally) {
    bool seen_up = is_seen_up(input, observers, reports);
    for (uint32_t i = 0; i < reports.count; i++) {
        const struct link_evidence *evidence = &reports.first[i];
        if (!belief_is_elected(observers, evidence->observer)) {
            continue;
        }
        uint32_t rack = rack_of(input->fabric, evidence->observer);
        tally_observer(tally, rack);
        tally_capacity(tally, evidence->report.capacity_ppm);
        if (evidence->report.verdict != LINK_DOWN) {
            continue;
        }
        if (seen_up && belief_is_blind(&input->sights[evidence->observer.i])) {
            tally->blind_votes++;
        } else {
            tally_vote(tally, rack);
        }
    }
}

static void belief_set(const struct cable_observers *observers, const struct tally *tally,
                       struct link_belief *belief) {
    bool alone = observers->count == 1;
    bool agreed = tally->many_racks ? tally->many_vote_racks : tally->votes >= 2;
    belief->down = alone ? tally->votes == 1 : agreed;
    // Two observers agree on the second lowest: both saw that little or less.
    belief->capacity_ppm = alone ? tally->lowest_ppm : tally->second_ppm;
    belief->down_votes = (uint16_t)tally->votes; // at most CABLE_OBSERVERS_MAX
    belief->blind_votes = (uint16_t)tally->blind_votes;
    belief->observer_count = (uint16_t)tally->observers;
}

void belief_compute(const struct belief_input *input, struct link_belief *beliefs) {
    look(input);
    uint32_t next = 0;
    for (uint32_t link = 0; link < fabric_link_count(input->fabric); link++) {
        struct link_reports reports = {NULL, 0};
        for (; next < input->evidence_count && input->evidence[next].link.i == link; next++) {
            reports.first = &input->evidence[next - reports.count];
            reports.count++;
        }
        const struct cable_observers *observers = &input->observers[link_cable((link_id){link}).i];
        struct tally tally = {.lowest_ppm = CAPACITY_FULL_PPM, .second_ppm = CAPACITY_FULL_PPM};
        tally_reports(input, observers, reports, &tally);
        belief_set(observers, &tally, &beliefs[link]);
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
