// SPDX-License-Identifier: Apache-2.0
// The links that this host probes, one by one; all others in sum.
#include <stdlib.h>

#include "agent.h"
#include "views_diagnosis.h"

struct own_link {
    char name[LINK_NAME_SIZE];
    struct engine_link link;
};

struct links {
    struct own_link *own; // METRICS_LINKS_MAX
    uint32_t count, omitted;
    uint64_t up, down, drained, avoided, held;
    uint64_t lossy; // for all, whether avoided or not
};

static void count_link(struct links *links, const struct engine_link *link) {
    links->lossy += link->belief.lossy;
    if (link->belief.down) {
        links->down++;
    } else if (link->belief.drained) {
        links->drained++;
    } else if (link->belief.avoided) {
        links->avoided++;
    } else if (link->held_by_valve) {
        links->held++;
    } else {
        links->up++;
    }
}

// A link that is not well pushes out one that is, so that no limit hides a fault.
static struct own_link *slot_for(struct links *links, bool well) {
    if (links->count < METRICS_LINKS_MAX) {
        return &links->own[links->count++];
    }
    links->omitted++;
    for (uint32_t i = links->count; !well && i > 0; i--) {
        if (links->own[i - 1].link.own == PROBE_GOOD) {
            return &links->own[i - 1];
        }
    }
    return NULL;
}

static void collect(const struct agent *agent, struct links *links) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        struct engine_link link;
        engine_link_at(agent->engine, (link_id){i}, &link);
        if (fabric_link_is_internal(fabric, (link_id){i})) {
            count_link(links, &link);
        }
        struct own_link *slot =
            link.own != PROBE_NONE ? slot_for(links, link.own == PROBE_GOOD) : NULL;
        if (slot != NULL) {
            slot->link = link;
            fabric_format_link(fabric, (link_id){i}, slot->name);
        }
    }
}

static void tell_states(const struct links *links, struct metric_text *text) {
    static const struct metric_family family = {
        "srv6_link_state", METRIC_GAUGE, NULL,
        "1 for the state that this host's own probes see a directed link in, of the links that it "
        "probes."};
    metric_family(text, &family);
    for (uint32_t i = 0; i < links->count; i++) {
        for (enum probe_state state = PROBE_GOOD; state <= PROBE_HELD; state++) {
            struct metric_label labels[] = {{"link", links->own[i].name},
                                            {"state", probe_state_name(state)}};
            metric_value(text, labels, 2, links->own[i].link.own == state);
        }
    }
}

static void tell_probes(const struct links *links, struct metric_text *text) {
    static const struct metric_family sent = {
        "srv6_probe_sent", METRIC_COUNTER, NULL,
        "Own probes whose loop crosses the link; a probe counts for each link of its loop."};
    static const struct metric_family lost = {
        "srv6_probe_lost", METRIC_COUNTER, NULL,
        "Those of srv6_probe_sent_total that did not return."};
    metric_family(text, &sent);
    for (uint32_t i = 0; i < links->count; i++) {
        struct metric_label labels[] = {{"link", links->own[i].name}};
        metric_value(text, labels, 1, links->own[i].link.sent);
    }
    metric_family(text, &lost);
    for (uint32_t i = 0; i < links->count; i++) {
        struct metric_label labels[] = {{"link", links->own[i].name}};
        metric_value(text, labels, 1, links->own[i].link.lost);
    }
}

static void tell_round_trips(const struct links *links, struct metric_text *text) {
    static const struct metric_family family = {
        "srv6_link_rtt_seconds", METRIC_GAUGE, "seconds",
        "Round trip of the shortest own loop over the link, smoothed."};
    metric_family(text, &family);
    for (uint32_t i = 0; i < links->count; i++) {
        struct metric_label labels[] = {{"link", links->own[i].name}};
        if (links->own[i].link.rtt_ns > 0) {
            metric_seconds(text, labels, 1, links->own[i].link.rtt_ns);
        }
    }
}

static void tell_sums(const struct links *links, struct metric_text *text) {
    static const struct metric_family family = {
        "srv6_fabric_links", METRIC_GAUGE, NULL,
        "Directed links between switches by what the fleet believes of them; held: down by the "
        "evidence, and held up by the safety valve; avoided: lossy, and out of use for that."};
    static const struct metric_family lossy = {
        "srv6_fabric_links_lossy", METRIC_GAUGE, NULL,
        "Directed links between switches that two observers found to lose too much."};
    static const struct metric_family omitted = {
        "srv6_metrics_omitted", METRIC_GAUGE, NULL,
        "Probed links that are left out here because they would be too many."};
    const struct metric_case states[] = {{"up", links->up},
                                         {"down", links->down},
                                         {"drained", links->drained},
                                         {"avoided", links->avoided},
                                         {"held", links->held}};
    metrics_cases(text, &family, "state", states, sizeof(states) / sizeof(states[0]));
    metrics_single(text, &lossy, links->lossy);
    metrics_single(text, &omitted, links->omitted);
}

static bool leaves_own_leaf(const struct agent *agent, link_id link) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    bool own = false;
    for (uint32_t i = 0; i < agent->port_count; i++) {
        port_id port = engine_own_port(agent->engine, i);
        own = own || fabric->ports[port.i].leaf.i == fabric_link_from(fabric, link).i;
    }
    return own;
}

// Paths by the link that they take out of the leaf: there are no more than the leaf has.
static void tell_cnps(const struct agent *agent, struct metric_text *text) {
    static const struct metric_family by_link = {
        "srv6_link_cnps", METRIC_COUNTER, NULL,
        "Congestion notifications for own flows whose path leaves the own leaf over the link."};
    static const struct metric_family all = {
        "srv6_cnps", METRIC_COUNTER, NULL,
        "Congestion notifications for own queue pairs by what is known of them: the path, the two "
        "ports, or the own port only."};
    const struct fabric *fabric = engine_fabric(agent->engine);
    struct engine_stats stats;
    engine_stats(agent->engine, &stats);
    const struct metric_case known[] = {{"path", stats.cnps_of_path},
                                        {"pair", stats.cnps_of_pair},
                                        {"port", stats.cnps_of_port}};
    metrics_cases(text, &all, "known", known, sizeof(known) / sizeof(known[0]));
    metric_family(text, &by_link);
    for (uint32_t i = 0, told = 0; i < fabric_link_count(fabric) && told < METRICS_LINKS_MAX; i++) {
        char name[LINK_NAME_SIZE];
        struct metric_label labels[] = {{"link", name}};
        struct engine_link link;
        if (fabric_link_is_internal(fabric, (link_id){i}) && leaves_own_leaf(agent, (link_id){i})) {
            engine_link_at(agent->engine, (link_id){i}, &link);
            fabric_format_link(fabric, (link_id){i}, name);
            metric_value(text, labels, 1, link.cnps);
            told++;
        }
    }
}

static void tell_prober(const struct agent *agent, struct metric_text *text) {
    static const struct metric_family probes = {
        "srv6_probes", METRIC_COUNTER, NULL,
        "Loop probes of this host by what became of them; void ones were not judged."};
    static const struct metric_family ecn = {
        "srv6_ecn_probes", METRIC_COUNTER, NULL,
        "Probes in the flows' own class over paths in use, and those that came back marked."};
    static const struct metric_family trains = {
        "srv6_capacity_trains", METRIC_COUNTER, NULL,
        "Trains of probes that measure what links carry, and those of which too little came back."};
    static const struct metric_family late = {
        "srv6_probe_late_windows", METRIC_COUNTER, NULL,
        "Times that the prober was not scheduled in time and discarded what it saw."};
    static const struct metric_family foreign = {
        "srv6_probe_foreign", METRIC_COUNTER, NULL,
        "Datagrams on the probes' port that are no probes of this agent."};
    static const struct metric_family rtt = {"srv6_probe_rtt_seconds", METRIC_HISTOGRAM, "seconds",
                                             "Round trips of loop probes, whatever their loop."};
    struct engine_stats stats;
    struct probe_io_stats io = {0};
    engine_stats(agent->engine, &stats);
    if (agent->probe != NULL) {
        probe_io_stats(agent->probe, &io);
    }
    const struct metric_case results[] = {{"sent", stats.probes_sent},
                                          {"returned", stats.probes_returned},
                                          {"lost", stats.probes_lost},
                                          {"void", stats.probes_void},
                                          {"unsent", io.send_failed - io.late},
                                          {"late", io.late}};
    const struct metric_case outcomes[] = {{"sent", stats.trains_sent},
                                           {"failed", stats.trains_failed}};
    const struct metric_case marks[] = {{"sent", stats.ecn_probes_sent},
                                        {"marked", stats.ecn_probes_marked}};
    metrics_cases(text, &probes, "result", results, sizeof(results) / sizeof(results[0]));
    metrics_cases(text, &trains, "result", outcomes, sizeof(outcomes) / sizeof(outcomes[0]));
    metrics_cases(text, &ecn, "result", marks, sizeof(marks) / sizeof(marks[0]));
    metrics_single(text, &late, stats.late_windows);
    metrics_single(text, &foreign, io.foreign);
    metric_family(text, &rtt);
    metric_durations(text, NULL, 0, &agent->metrics.rtt);
}

// At most DIAGNOSE_FINDINGS_MAX findings (diagnose.h in the engine's sources), each with a name.
static void tell_diagnosis(const struct agent *agent, struct metric_text *text) {
    static const struct metric_family probes = {
        "srv6_diagnosis_probes", METRIC_COUNTER, NULL,
        "Probes of the search for loss and delay, by what became of them."};
    static const struct metric_family late = {
        "srv6_diagnosis_late_windows", METRIC_COUNTER, NULL,
        "Times that what that search saw was discarded, since this host had not run."};
    static const struct metric_family moves = {
        "srv6_diagnosis_moves", METRIC_COUNTER, NULL,
        "Parts of own flows that left a link which this host found lossy."};
    static const struct metric_family findings = {
        "srv6_diagnosis_loss_ppm", METRIC_GAUGE, NULL,
        "What this host found to lose packets, and how many in a million of its probes."};
    static const struct metric_family slow = {
        "srv6_diagnosis_excess_seconds", METRIC_GAUGE, "seconds",
        "Links that this host found to be slow, and by how much more than those around them."};
    struct engine_stats stats;
    engine_stats(agent->engine, &stats);
    const struct metric_case results[] = {{"sent", stats.diagnosis_sent},
                                          {"lost", stats.diagnosis_lost}};
    metrics_cases(text, &probes, "result", results, sizeof(results) / sizeof(results[0]));
    metrics_single(text, &late, stats.diagnosis_late);
    metrics_single(text, &moves, stats.moves_by_loss);
    for (unsigned pass = 0; pass < 2; pass++) {
        metric_family(text, pass == 0 ? &findings : &slow);
        for (uint32_t i = 0; i < engine_finding_count(agent->engine); i++) {
            struct engine_finding finding;
            engine_finding_at(agent->engine, i, &finding);
            struct metric_label labels[] = {{"place", fault_place_name(finding.place)},
                                            {"subject", finding.subject}};
            if (finding.over || finding.slow != (pass == 1)) {
                continue;
            }
            if (pass == 0) {
                metric_value(text, labels, 2, finding.loss_ppm);
            } else {
                metric_seconds(text, labels, 2, finding.excess_ns);
            }
        }
    }
}

void metrics_of_links(const struct agent *agent, struct metric_text *text) {
    struct links links = {.own = calloc(METRICS_LINKS_MAX, sizeof(struct own_link))};
    if (links.own != NULL) {
        collect(agent, &links);
        tell_states(&links, text);
        tell_probes(&links, text);
        tell_round_trips(&links, text);
        tell_sums(&links, text);
    }
    free(links.own);
    tell_prober(agent, text);
    tell_cnps(agent, text);
    tell_diagnosis(agent, text);
}
