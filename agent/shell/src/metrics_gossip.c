// SPDX-License-Identifier: Apache-2.0
// Members, and the messages between them.
#include "agent.h"

#define COUNT(cases) (sizeof(cases) / sizeof((cases)[0]))

static void tell_members(const struct gossip *gossip, struct metric_text *text) {
    static const struct metric_family peers = {"srv6_gossip_peers", METRIC_GAUGE, NULL,
                                               "Other members by the state they are in here."};
    static const struct metric_family joined = {"srv6_gossip_joined", METRIC_GAUGE, NULL,
                                                "1: a member answered, or there are no seeds."};
    static const struct metric_family protocol = {"srv6_gossip_protocol_version", METRIC_GAUGE,
                                                  NULL, "Version that is spoken now."};
    struct metric_case states[] = {{"alive", 0}, {"suspect", 0}, {"dead", 0}, {"left", 0}};
    for (uint32_t i = 0; i < gossip_member_count(gossip); i++) {
        struct gossip_member member;
        if (gossip_member_at(gossip, i, &member) && !member.self) {
            states[member.state].count++;
        }
    }
    metrics_cases(text, &peers, "state", states, COUNT(states));
    metrics_single(text, &joined, gossip_joined(gossip));
    metrics_single(text, &protocol, gossip_protocol_version(gossip));
}

static void tell_messages(const struct gossip_stats *core, struct metric_text *text) {
    static const struct metric_family messages = {"srv6_gossip_messages", METRIC_COUNTER, NULL,
                                                  "Messages of the gossip core."};
    static const struct metric_family bytes = {"srv6_gossip_bytes", METRIC_COUNTER, "bytes",
                                               "Bytes of the gossip core's messages."};
    static const struct metric_family records = {
        "srv6_gossip_records", METRIC_COUNTER, NULL,
        "Records received: new ones, known ones, and such that were overtaken."};
    static const struct metric_family repairs = {
        "srv6_gossip_repairs", METRIC_COUNTER, NULL,
        "Anti-entropy: digests and snapshots sent, repairs received."};
    const struct metric_case message_cases[] = {{"sent", core->messages_sent},
                                                {"received", core->messages_received}};
    const struct metric_case byte_cases[] = {{"sent", core->bytes_sent},
                                             {"received", core->bytes_received}};
    const struct metric_case record_cases[] = {{"applied", core->records_applied},
                                               {"duplicate", core->records_duplicate},
                                               {"stale", core->records_stale}};
    const struct metric_case repair_cases[] = {{"digest_sent", core->digests_sent},
                                               {"snapshot_sent", core->snapshots_sent},
                                               {"repair_received", core->repairs_received}};
    metrics_cases(text, &messages, "direction", message_cases, COUNT(message_cases));
    metrics_cases(text, &bytes, "direction", byte_cases, COUNT(byte_cases));
    metrics_cases(text, &records, "outcome", record_cases, COUNT(record_cases));
    metrics_cases(text, &repairs, "kind", repair_cases, COUNT(repair_cases));
}

static void tell_dropped(const struct gossip_stats *core, const struct gossip_zmq_stats *carrier,
                         struct metric_text *text) {
    static const struct metric_family dropped = {"srv6_gossip_dropped", METRIC_COUNTER, NULL,
                                                 "What was received and dropped, by reason."};
    static const struct metric_family unsent = {"srv6_gossip_unsent", METRIC_COUNTER, NULL,
                                                "Messages that could not be sent, by reason."};
    const struct metric_case in[] = {
        {"malformed", core->dropped_malformed + carrier->malformed},
        {"version", core->dropped_version},
        {"quota", core->dropped_quota},
        {"foreign", core->dropped_foreign},
        {"forged", core->dropped_forged},
        {"unknown_key", core->dropped_unknown_key},
        {"denied_key", carrier->denied_keys},
        {"rate", carrier->dropped_rate},
    };
    const struct metric_case out[] = {{"would_block", carrier->would_block},
                                      {"unreachable", carrier->unreachable},
                                      {"oversized", carrier->oversized}};
    metrics_cases(text, &dropped, "reason", in, COUNT(in));
    metrics_cases(text, &unsent, "reason", out, COUNT(out));
}

static void tell_connections(const struct gossip_stats *core,
                             const struct gossip_zmq_stats *carrier, struct metric_text *text) {
    static const struct metric_family connections = {"srv6_gossip_connections", METRIC_GAUGE, NULL,
                                                     "Connections to peers and from them, now."};
    static const struct metric_family handshakes = {
        "srv6_gossip_handshakes_failed", METRIC_COUNTER, NULL,
        "Handshakes that failed: wrong key, no key, too slow."};
    static const struct metric_family refutations = {
        "srv6_gossip_refutations", METRIC_COUNTER, NULL,
        "Times that this host had to refute that it is dead."};
    const struct metric_case now[] = {{"outbound", carrier->connections},
                                      {"inbound", carrier->inbound}};
    metrics_cases(text, &connections, "direction", now, COUNT(now));
    metrics_single(text, &handshakes, carrier->handshake_failed);
    metrics_single(text, &refutations, core->refutations);
}

void metrics_of_gossip(const struct agent *agent, struct metric_text *text) {
    struct gossip_stats core;
    struct gossip_zmq_stats carrier;
    gossip_stats(engine_gossip(agent->engine), &core);
    gossip_zmq_stats(agent->carrier, &carrier);
    tell_members(engine_gossip(agent->engine), text);
    tell_messages(&core, text);
    tell_dropped(&core, &carrier, text);
    tell_connections(&core, &carrier, text);
}
