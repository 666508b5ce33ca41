// SPDX-License-Identifier: Apache-2.0
// The rules in each NIC, what it did by them, and what its port counts by itself.
#include <stdio.h>

#include "agent.h"

struct port_names {
    char port[ENGINE_PORTS_MAX][NAME_SIZE + 4];
};

static void name_ports(const struct agent *agent, struct port_names *out) {
    for (uint32_t i = 0; i < agent->port_count; i++) {
        fabric_format_port(engine_fabric(agent->engine), engine_own_port(agent->engine, i),
                           out->port[i]);
    }
}

// ---- rules

static void tell_info(const struct agent *agent, const struct port_names *names,
                      struct metric_text *text) {
    static const struct metric_family family = {
        "srv6_nic", METRIC_INFO, NULL,
        "Ports of this host, their devices and how they are driven."};
    metric_family(text, &family);
    for (uint32_t i = 0; i < agent->port_count; i++) {
        const char *attachment = agent->nics[i]->attachment;
        struct metric_label labels[] = {{"port", names->port[i]},
                                        {"device", agent->ports[i].device},
                                        {"driver", agent->config.nic_driver},
                                        {"attachment", attachment != NULL ? attachment : ""}};
        metric_value(text, labels, 4, 1);
    }
}

enum rule_figure { RULES_PROGRAMMED, RULES_WANTED, RULES_ENCAPS, RULES_READY, RULE_FIGURES };

static uint64_t rule_figure(const struct agent *agent, uint32_t port, enum rule_figure figure) {
    const struct rule_set *applied = &agent->nics[port]->applied;
    switch (figure) {
    case RULES_PROGRAMMED:
        return applied->rule_count;
    case RULES_WANTED:
        return engine_rules(agent->engine, port)->rule_count;
    case RULES_ENCAPS:
        return applied->encap_count;
    case RULES_READY:
        return agent->nic_good >> port & 1;
    case RULE_FIGURES:
        break;
    }
    return 0;
}

static void tell_rules(const struct agent *agent, const struct port_names *names,
                       struct metric_text *text) {
    static const struct metric_family families[RULE_FIGURES] = {
        {"srv6_rules_programmed", METRIC_GAUGE, NULL, "Rules that the NIC holds."},
        {"srv6_rules_wanted", METRIC_GAUGE, NULL, "Rules that the NIC should hold."},
        {"srv6_encapsulations_programmed", METRIC_GAUGE, NULL,
         "Encapsulations (SID lists) that the NIC holds."},
        {"srv6_nic_ready", METRIC_GAUGE, NULL, "1: the NIC took the last rules it was given."},
    };
    for (enum rule_figure figure = 0; figure < RULE_FIGURES; figure++) {
        metric_family(text, &families[figure]);
        for (uint32_t i = 0; i < agent->port_count; i++) {
            struct metric_label labels[] = {{"port", names->port[i]}};
            metric_value(text, labels, 1, rule_figure(agent, i, figure));
        }
    }
}

static void tell_updates(const struct agent *agent, struct metric_text *text) {
    static const struct metric_family updates = {"srv6_nic_updates", METRIC_COUNTER, NULL,
                                                 "Sets of rules given to NICs."};
    static const struct metric_family failures = {"srv6_nic_failures", METRIC_COUNTER, NULL,
                                                  "Sets of rules that a NIC did not take."};
    static const struct metric_family program = {
        "srv6_rule_program_seconds", METRIC_HISTOGRAM, "seconds",
        "Time that a NIC took for a set of rules; not of a driver behind srv6-holder."};
    struct engine_stats stats;
    engine_stats(agent->engine, &stats);
    metrics_single(text, &updates, stats.nic_updates);
    metrics_single(text, &failures, stats.nic_failures);
    metric_family(text, &program);
    metric_durations(text, NULL, 0, &agent->metrics.program);
}

static void tell_totals(const struct agent *agent, const struct port_names *names,
                        struct metric_text *text) {
    static const struct metric_family families[3] = {
        {"srv6_nic_encapsulated_packets", METRIC_COUNTER, NULL, "RoCE packets sent with SIDs."},
        {"srv6_nic_decapsulated_packets", METRIC_COUNTER, NULL,
         "Packets received for this host's SID."},
        {"srv6_nic_plain_packets", METRIC_COUNTER, NULL, "RoCE packets sent without SIDs."},
    };
    uint64_t totals[ENGINE_PORTS_MAX][3] = {0};
    for (uint32_t i = 0; i < agent->port_count; i++) {
        struct nic *nic = agent->nics[i];
        nic->driver->totals(nic, &totals[i][0], &totals[i][1], &totals[i][2]);
    }
    for (unsigned f = 0; f < 3; f++) {
        metric_family(text, &families[f]);
        for (uint32_t i = 0; i < agent->port_count; i++) {
            struct metric_label labels[] = {{"port", names->port[i]}};
            metric_value(text, labels, 1, totals[i][f]);
        }
    }
}

// ---- what ports count by themselves

static const struct metric_family port_families[PORT_COUNTERS] = {
    [PORT_CNP_SENT] = {"srv6_port_cnp_sent", METRIC_COUNTER, NULL,
                       "Congestion notifications sent, as receiver of marked packets."},
    [PORT_CNP_HANDLED] = {"srv6_port_cnp_handled", METRIC_COUNTER, NULL,
                          "Congestion notifications obeyed, as sender."},
    [PORT_CNP_IGNORED] = {"srv6_port_cnp_ignored", METRIC_COUNTER, NULL,
                          "Congestion notifications that were not obeyed."},
    [PORT_ECN_MARKED] = {"srv6_port_ecn_marked_packets", METRIC_COUNTER, NULL,
                         "RoCE packets that came with a congestion mark."},
    [PORT_OUT_OF_SEQUENCE] = {"srv6_port_out_of_sequence_packets", METRIC_COUNTER, NULL,
                              "RoCE packets that came out of order."},
    [PORT_SEQUENCE_ERRORS] = {"srv6_port_sequence_naks", METRIC_COUNTER, NULL,
                              "NAKs received for a packet out of sequence."},
    [PORT_IMPLIED_NAKS] = {"srv6_port_implied_naks", METRIC_COUNTER, NULL,
                           "Losses that the requester concluded from a later answer."},
    [PORT_ACK_TIMEOUTS] = {"srv6_port_ack_timeouts", METRIC_COUNTER, NULL,
                           "Requests that no acknowledgement came for in time."},
    [PORT_DUPLICATES] = {"srv6_port_duplicate_requests", METRIC_COUNTER, NULL,
                         "Requests that came again."},
    [PORT_RNR_NAKS] = {"srv6_port_rnr_naks", METRIC_COUNTER, NULL,
                       "NAKs received because the receiver was not ready."},
    [PORT_RETRIES_EXCEEDED] = {"srv6_port_retries_exceeded", METRIC_COUNTER, NULL,
                               "Queue pairs given up after too many retries."},
    [PORT_ADAPTIVE_RETRANSMITS] = {"srv6_port_adaptive_retransmissions", METRIC_COUNTER, NULL,
                                   "Adaptive retransmissions of RoCE."},
    [PORT_SLOW_RESTARTS] = {"srv6_port_slow_restarts", METRIC_COUNTER, NULL,
                            "Slow restarts of RoCE."},
    [PORT_ICRC_ERRORS] = {"srv6_port_icrc_errors", METRIC_COUNTER, NULL,
                          "RoCE packets with a wrong checksum."},
    [PORT_DISCARDS] = {"srv6_port_discarded_packets", METRIC_COUNTER, NULL,
                       "Packets discarded at the port for want of room."},
    [PORT_LINK_DOWNS] = {"srv6_port_link_downs", METRIC_COUNTER, NULL,
                         "Times that the port lost its link."},
};

static const struct metric_family priority_families[PORT_PRIORITY_COUNTERS] = {
    [PORT_RX_PAUSES] = {"srv6_port_pauses_received", METRIC_COUNTER, NULL,
                        "PFC pause frames received."},
    [PORT_TX_PAUSES] = {"srv6_port_pauses_sent", METRIC_COUNTER, NULL, "PFC pause frames sent."},
    [PORT_RX_PAUSE_NS] = {"srv6_port_paused_by_peer_seconds", METRIC_COUNTER, "seconds",
                          "Time that this port might not send."},
    [PORT_TX_PAUSE_NS] = {"srv6_port_pausing_peer_seconds", METRIC_COUNTER, "seconds",
                          "Time that this port kept its peer from sending."},
    [PORT_BUFFER_DISCARDS] = {"srv6_port_buffer_discarded_packets", METRIC_COUNTER, NULL,
                              "Packets discarded for want of room in the priority's buffer."},
};

static void tell_counters(const struct agent *agent, const struct port_names *names,
                          struct metric_text *text) {
    for (unsigned c = 0; c < PORT_COUNTERS; c++) {
        metric_family(text, &port_families[c]);
        for (uint32_t i = 0; i < agent->port_count; i++) {
            uint64_t value = agent->rdma.facts.ports[i].values[c];
            struct metric_label labels[] = {{"port", names->port[i]}};
            if (value != PORT_COUNTER_ABSENT) {
                metric_value(text, labels, 1, value);
            }
        }
    }
}

static void tell_priority(const struct port_values *port, const char *name, unsigned counter,
                          struct metric_text *text) {
    bool is_time = counter == PORT_RX_PAUSE_NS || counter == PORT_TX_PAUSE_NS;
    for (unsigned p = 0; p < PORT_PRIORITIES; p++) {
        const char priority[2] = {(char)('0' + p), '\0'};
        struct metric_label labels[] = {{"port", name}, {"priority", priority}};
        uint64_t value = port->priority[p][counter];
        if (value != PORT_COUNTER_ABSENT && is_time) {
            metric_seconds(text, labels, 2, value);
        } else if (value != PORT_COUNTER_ABSENT) {
            metric_value(text, labels, 2, value);
        }
    }
}

static void tell_priorities(const struct agent *agent, const struct port_names *names,
                            struct metric_text *text) {
    for (unsigned c = 0; c < PORT_PRIORITY_COUNTERS; c++) {
        metric_family(text, &priority_families[c]);
        for (uint32_t i = 0; i < agent->port_count; i++) {
            tell_priority(&agent->rdma.facts.ports[i], names->port[i], c, text);
        }
    }
}

static void tell_rdma(const struct agent *agent, const struct port_names *names,
                      struct metric_text *text) {
    static const struct metric_family qps = {"srv6_rdma_queue_pairs", METRIC_GAUGE, NULL,
                                             "Queue pairs on this machine."};
    if (agent->rdma.facts.qps == NULL) {
        return; // not read yet
    }
    metrics_single(text, &qps, agent->rdma.facts.qp_count);
    tell_counters(agent, names, text);
    tell_priorities(agent, names, text);
}

void metrics_of_nics(const struct agent *agent, struct metric_text *text) {
    struct port_names names;
    name_ports(agent, &names);
    tell_info(agent, &names, text);
    tell_rules(agent, &names, text);
    tell_updates(agent, text);
    tell_totals(agent, &names, text);
    tell_rdma(agent, &names, text);
}
