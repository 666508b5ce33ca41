// SPDX-License-Identifier: Apache-2.0
#include "receiver.h"

#include <string.h>

void receiver_init(struct receiver *receiver, uint32_t ack_every) {
    memset(receiver, 0, sizeof *receiver);
    receiver->ack_every = ack_every;
}

// ---- finding the QP

static uint32_t hash_key(const struct roce_addresses *addresses, uint32_t qp, uint32_t run) {
    uint32_t hash = 2166136261U ^ qp * 2654435761U ^ run;
    for (size_t i = 0; i < 16; i++) {
        hash = (hash ^ addresses->source[i]) * 16777619U;
        hash = (hash ^ addresses->destination[i]) * 16777619U;
    }
    return hash ^ hash >> 15;
}

static bool is_flow(const struct receiver_flow *flow, const struct roce_addresses *addresses) {
    return flow->ipv6 == addresses->ipv6 && memcmp(flow->source, addresses->source, 16) == 0 &&
           memcmp(flow->destination, addresses->destination, 16) == 0;
}

static struct receiver_flow *find_or_add_flow(struct receiver *receiver,
                                              const struct roce_addresses *addresses) {
    for (uint32_t i = 0; i < receiver->flow_count; i++) {
        if (is_flow(&receiver->flows[i], addresses)) {
            return &receiver->flows[i];
        }
    }
    if (receiver->flow_count == RECEIVER_FLOWS_MAX) {
        return NULL;
    }
    struct receiver_flow *flow = &receiver->flows[receiver->flow_count++];
    flow->ipv6 = addresses->ipv6;
    memcpy(flow->source, addresses->source, 16);
    memcpy(flow->destination, addresses->destination, 16);
    return flow;
}

static struct receiver_qp *add_qp(struct receiver *receiver, uint32_t bucket,
                                  const struct roce_addresses *addresses, uint32_t qp,
                                  const struct roce_data *data) {
    struct receiver_flow *flow =
        receiver->qp_count < RECEIVER_QPS_MAX ? find_or_add_flow(receiver, addresses) : NULL;
    if (flow == NULL) {
        return NULL;
    }
    if (flow->run != data->run) {
        flow->run = data->run;
        silence_break(&flow->silence);
    }
    struct receiver_qp *entry = &receiver->qps[receiver->qp_count++];
    entry->flow = (uint32_t)(flow - receiver->flows);
    entry->qp = qp;
    entry->source_qp = data->source_qp;
    entry->run = data->run;
    entry->first_psn = data->first_psn;
    entry->reliable = (data->flags & ROCE_FLAG_RELIABLE) != 0;
    receiver->qp_bucket[bucket] = receiver->qp_count;
    return entry;
}

static struct receiver_qp *find_or_add_qp(struct receiver *receiver,
                                          const struct roce_addresses *addresses, uint32_t qp,
                                          const struct roce_data *data) {
    uint32_t bucket = hash_key(addresses, qp, data->run) % RECEIVER_BUCKETS;
    // At most half of the buckets are taken, so there is always an empty one to stop at.
    while (receiver->qp_bucket[bucket] != 0) {
        struct receiver_qp *entry = &receiver->qps[receiver->qp_bucket[bucket] - 1];
        if (entry->qp == qp && entry->run == data->run &&
            is_flow(&receiver->flows[entry->flow], addresses)) {
            return entry;
        }
        bucket = (bucket + 1) % RECEIVER_BUCKETS;
    }
    return add_qp(receiver, bucket, addresses, qp, data);
}

// ---- one packet

static void deliver(struct receiver_qp *qp, const struct roce_data *data, uint32_t data_bytes) {
    qp->delivered_bytes += data_bytes;
    if ((data->flags & ROCE_FLAG_END) != 0) {
        qp->ended = true;
    }
}

static void respond(struct receiver *receiver, struct receiver_qp *qp, const struct roce_bth *bth,
                    const struct roce_data *data, uint32_t data_bytes, struct answer *answer) {
    bool taken;
    answer->response = responder_packet(&qp->responder, qp->first_psn, bth->psn, bth->ack_request,
                                        receiver->ack_every, &taken);
    if (taken) {
        deliver(qp, data, data_bytes);
    }
    answer->psn = responder_psn(&qp->responder, qp->first_psn, answer->response);
    answer->has_report = qp->ended;
    answer->report = (struct roce_report){
        .run = qp->run,
        .lost = track_lost(&qp->track),
        .reordered = qp->track.reordered,
        .duplicate = qp->track.duplicate,
        .longest_silence_ns = qp->silence.longest_ns,
        .flow_longest_silence_ns = receiver->flows[qp->flow].silence.longest_ns,
    };
}

static bool is_time_for_cnp(struct receiver_flow *flow, const struct inbound *inbound) {
    if ((inbound->addresses.traffic_class & 3) != 3) {
        return false;
    }
    flow->ce_marked++;
    if (flow->cnps > 0 && inbound->at_ns < flow->cnp_at_ns + RECEIVER_CNP_INTERVAL_NS) {
        return false;
    }
    flow->cnp_at_ns = inbound->at_ns;
    flow->cnps++;
    return true;
}

// Answers go back to port 4791 with the entropy of the pair of QPs, as a NIC's do.
static void address_answer(const struct inbound *inbound, const struct receiver_qp *qp,
                           struct answer *answer) {
    answer->addresses.ipv6 = inbound->addresses.ipv6;
    memcpy(answer->addresses.source, inbound->addresses.destination, 16);
    memcpy(answer->addresses.destination, inbound->addresses.source, 16);
    answer->addresses.source_port = roce_source_port(qp->qp, qp->source_qp);
    answer->qp = qp->source_qp;
}

void receiver_packet(struct receiver *receiver, const struct inbound *inbound,
                     struct answer *answer) {
    struct roce_bth bth;
    struct roce_data data;
    uint32_t data_bytes;
    memset(answer, 0, sizeof *answer);
    if (!roce_decode_bth(inbound->packet, inbound->size, &bth)) {
        receiver->foreign++;
        return;
    }
    if (bth.opcode == ROCE_ACK || bth.opcode == ROCE_CNP) {
        receiver->responses++; // for a sender on this host, which sees them on its own socket
        return;
    }
    if (!roce_is_request(bth.opcode) ||
        !roce_decode_data(inbound->packet, inbound->size, &data, &data_bytes)) {
        receiver->foreign++;
        return;
    }
    if (!roce_icrc_matches(inbound->packet, inbound->size, &inbound->addresses)) {
        receiver->corrupt++;
        return;
    }
    struct receiver_qp *qp = find_or_add_qp(receiver, &inbound->addresses, bth.qp, &data);
    if (qp == NULL) {
        receiver->refused++;
        return;
    }
    struct receiver_flow *flow = &receiver->flows[qp->flow];
    uint64_t distinct = qp->track.distinct;
    track_packet(&qp->track, data.wire);
    silence_packet(&qp->silence, inbound->at_ns);
    silence_packet(&flow->silence, inbound->at_ns);
    qp->packets++;
    qp->bytes += inbound->ip_size;
    address_answer(inbound, qp, answer);
    answer->congested = is_time_for_cnp(flow, inbound);
    if (qp->reliable) {
        respond(receiver, qp, &bth, &data, data_bytes, answer);
    } else if (qp->track.distinct > distinct) {
        deliver(qp, &data, data_bytes);
    }
}

// ---- the report

static bool is_complete(const struct receiver_qp *qp) {
    return qp->ended && (qp->reliable || track_lost(&qp->track) == 0);
}

static json_t *describe_qp(const struct receiver_qp *qp) {
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "qp",
                     (json_int_t)qp->qp, "source_qp", (json_int_t)qp->source_qp, "received_packets",
                     (json_int_t)qp->packets, "received_bytes", (json_int_t)qp->bytes,
                     "delivered_bytes", (json_int_t)qp->delivered_bytes, "lost",
                     (json_int_t)track_lost(&qp->track), "reordered",
                     (json_int_t)qp->track.reordered, "duplicate", (json_int_t)qp->track.duplicate,
                     "naks", (json_int_t)qp->responder.naks, "longest_silence_ns",
                     (json_int_t)qp->silence.longest_ns, "longest_silence_at_ns",
                     (json_int_t)qp->silence.longest_at_ns, "complete", is_complete(qp));
}

struct sums {
    uint64_t packets, bytes, delivered_bytes, lost, reordered, duplicate, naks;
    bool complete;
};

static json_t *describe_qps(const struct receiver *receiver, uint32_t flow, struct sums *sums) {
    json_t *list = json_array();
    sums->complete = true;
    for (uint32_t i = 0; i < receiver->qp_count; i++) {
        const struct receiver_qp *qp = &receiver->qps[i];
        if (qp->flow != flow) {
            continue;
        }
        json_array_append_new(list, describe_qp(qp));
        sums->packets += qp->packets;
        sums->bytes += qp->bytes;
        sums->delivered_bytes += qp->delivered_bytes;
        sums->lost += track_lost(&qp->track);
        sums->reordered += qp->track.reordered;
        sums->duplicate += qp->track.duplicate;
        sums->naks += qp->responder.naks;
        sums->complete = sums->complete && is_complete(qp);
    }
    return list;
}

static json_t *describe_flow(const struct receiver *receiver, const struct fabric *fabric,
                             uint32_t index) {
    const struct receiver_flow *flow = &receiver->flows[index];
    char from[FLOW_NAME_SIZE / 2], to[FLOW_NAME_SIZE / 2];
    flow_name_end(fabric, flow->ipv6, flow->source, from);
    flow_name_end(fabric, flow->ipv6, flow->destination, to);
    struct sums sums = {0};
    json_t *qps = describe_qps(receiver, index, &sums);
    uint64_t lasted_ns = flow->silence.last_at_ns - flow->silence.first_at_ns;
    double rate_bps = lasted_ns == 0 ? 0 : (double)sums.bytes * 8e9 / (double)lasted_ns;
    return json_pack(
        "{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "flow",
        json_sprintf("%s>%s", from, to), "qps", qps, "received_packets", (json_int_t)sums.packets,
        "received_bytes", (json_int_t)sums.bytes, "delivered_bytes",
        (json_int_t)sums.delivered_bytes, "lost", (json_int_t)sums.lost, "reordered",
        (json_int_t)sums.reordered, "duplicate", (json_int_t)sums.duplicate, "naks",
        (json_int_t)sums.naks, "ce_marked", (json_int_t)flow->ce_marked, "cnps",
        (json_int_t)flow->cnps, "rate_bps", (json_int_t)rate_bps, "first_at_ns",
        (json_int_t)flow->silence.first_at_ns, "longest_silence_ns",
        (json_int_t)flow->silence.longest_ns, "longest_silence_at_ns",
        (json_int_t)flow->silence.longest_at_ns, "complete", sums.complete);
}

json_t *receiver_describe(const struct receiver *receiver, const struct fabric *fabric) {
    json_t *flows = json_array();
    for (uint32_t i = 0; i < receiver->flow_count; i++) {
        json_array_append_new(flows, describe_flow(receiver, fabric, i));
    }
    return json_pack("{s:o, s:I, s:I, s:I, s:I}", "flows", flows, "foreign_packets",
                     (json_int_t)receiver->foreign, "corrupt_packets",
                     (json_int_t)receiver->corrupt, "refused_packets",
                     (json_int_t)receiver->refused, "responses", (json_int_t)receiver->responses);
}
