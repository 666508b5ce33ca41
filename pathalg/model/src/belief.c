// SPDX-License-Identifier: Apache-2.0
#include "model/belief.h"

#include <string.h>

// What the elected observers of one link say; a fold that does not depend on order.
struct tally {
    uint32_t observers, votes, blind_votes;
    uint32_t rack, vote_rack; // leaf of the last observer and of the last that votes down
    bool many_racks, many_vote_racks;
    uint32_t lowest_ppm, second_ppm;
    uint32_t lossy_votes, lossy_rack;
    bool many_lossy_racks;
    uint32_t loss_ppm, second_loss_ppm; // of the worst and the second worst that say "avoid"
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

static void accuse(const struct fabric *fabric, link_id link, struct observer_accusations *all) {
    const node_id ends[2] = {fabric_link_from(fabric, link), fabric_link_to(fabric, link)};
    for (unsigned i = 0; i < 2; i++) {
        node_id *common = &all->common[i];
        if (all->count == 0) {
            *common = ends[i];
        } else if (common->i != ends[0].i && common->i != ends[1].i) {
            common->i = ID_NONE;
        }
    }
    all->count++;
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
            accuse(input->fabric, evidence->link, &sight->down);
        }
        if (evidence->report.avoid) {
            accuse(input->fabric, evidence->link, &sight->lossy);
        }
    }
}

static bool is_blind(uint32_t reported, const struct observer_accusations *all) {
    return 2 * all->count > reported && all->common[0].i == ID_NONE && all->common[1].i == ID_NONE;
}

bool belief_is_blind(const struct observer_sight *sight) {
    return is_blind(sight->reported, &sight->down);
}

bool belief_is_blind_to_loss(const struct observer_sight *sight) {
    return is_blind(sight->reported, &sight->lossy);
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

static void tally_loss(struct tally *tally, uint32_t rack, uint32_t loss_ppm) {
    tally->many_lossy_racks |= tally->lossy_votes > 0 && rack != tally->lossy_rack;
    tally->lossy_rack = rack;
    tally->lossy_votes++;
    if (loss_ppm > tally->loss_ppm) {
        tally->second_loss_ppm = tally->loss_ppm;
        tally->loss_ppm = loss_ppm;
    } else if (loss_ppm > tally->second_loss_ppm) {
        tally->second_loss_ppm = loss_ppm;
    }
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
        if (evidence->report.avoid &&
            !belief_is_blind_to_loss(&input->sights[evidence->observer.i])) {
            tally_loss(tally, rack, evidence->report.fault_ppm);
        }
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
    bool loss_agreed = tally->many_racks ? tally->many_lossy_racks : tally->lossy_votes >= 2;
    belief->lossy = alone ? tally->lossy_votes == 1 : loss_agreed;
    belief->loss_ppm = !belief->lossy ? 0 : alone ? tally->loss_ppm : tally->second_loss_ppm;
    belief->avoided = false; // belief_avoid decides
    belief->lossy_votes = (uint16_t)tally->lossy_votes;
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
    if (belief->down || belief->drained || belief->avoided) {
        return 0;
    }
    uint64_t rate_bps = fabric_link_rate_bps(fabric, link);
    return rate_bps / CAPACITY_FULL_PPM * belief->capacity_ppm +
           rate_bps % CAPACITY_FULL_PPM * belief->capacity_ppm / CAPACITY_FULL_PPM;
}
