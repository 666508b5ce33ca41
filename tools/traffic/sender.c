// SPDX-License-Identifier: Apache-2.0
#include "sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MESSAGE_SIZE (1U << 20) // an RDMA WRITE; NCCL's network chunks are of this order

// ---- opening

static uint64_t packet_count(const struct sender_qp *qp, uint32_t mtu) {
    return (qp->bytes + mtu - 1) / mtu;
}

static void init_qp(struct sender *sender, struct sender_qp *qp, const struct flow *flow,
                    uint32_t index, uint64_t now_ns) {
    const struct traffic_options *options = sender->options;
    uint64_t even = flow->bytes / options->qps;
    qp->flow = flow;
    qp->qp = flow->first_qp + index;
    qp->source_qp = flow->first_source_qp + index;
    qp->bytes = even + (index < flow->bytes % options->qps ? 1 : 0);
    double rate_bps = (double)flow->rate_bps * (double)qp->bytes / (double)flow->bytes;
    double packet_bits = 8.0 * (double)roce_packet_bytes(flow->ipv6, options->mtu);
    uint64_t interval_ns = rate_bps > 0 ? (uint64_t)(packet_bits * 1e9 / rate_bps) : 0;
    qp->requester = (struct requester){
        .total = packet_count(qp, options->mtu),
        .window = options->window,
        .ack_every = options->ack_every,
        .reliable = options->reliable,
        .first_psn = sender->run & ROCE_PSN_MASK,
        .interval_ns = interval_ns,
        .ack_timeout_ns = options->ack_timeout_ns,
        .send_at_ns = now_ns + interval_ns * (uint64_t)(qp - sender->qps) /
                                   ((uint64_t)sender->flows->count * options->qps),
        .progress_at_ns = now_ns,
    };
}

int sender_open(struct sender *sender, const struct traffic_options *options,
                const struct flow_list *flows, uint32_t run, uint64_t now_ns) {
    *sender = (struct sender){.options = options, .flows = flows, .run = run};
    sender->qps = calloc((size_t)flows->count * options->qps + 1, sizeof *sender->qps);
    if (sender->qps == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < flows->count; i++) {
        for (uint32_t k = 0; k < options->qps; k++) {
            init_qp(sender, &sender->qps[sender->qp_count++], &flows->flows[i], k, now_ns);
        }
    }
    return 0;
}

void sender_close(struct sender *sender) {
    free(sender->qps);
    sender->qps = NULL;
}

// ---- packets

static uint64_t realtime_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint8_t opcode_of(uint64_t place, uint64_t message_packets) {
    if (message_packets == 1) {
        return ROCE_WRITE_ONLY;
    }
    if (place == 0) {
        return ROCE_WRITE_FIRST;
    }
    return place + 1 == message_packets ? ROCE_WRITE_LAST : ROCE_WRITE_MIDDLE;
}

static size_t build(struct sender *sender, struct sender_qp *qp, uint64_t index, bool ack_request,
                    uint8_t frame[ROCE_FRAME_MAX]) {
    const struct requester *requester = &qp->requester;
    uint32_t mtu = sender->options->mtu;
    uint64_t per_message = MESSAGE_SIZE / mtu;
    uint64_t message = index / per_message;
    uint64_t message_offset = message * per_message * mtu;
    uint64_t rest = qp->bytes - message_offset;
    uint32_t message_bytes = rest < MESSAGE_SIZE ? (uint32_t)rest : MESSAGE_SIZE;
    uint64_t data_bytes = qp->bytes - index * mtu;
    data_bytes = data_bytes < mtu ? data_bytes : mtu;
    size_t payload_size = data_bytes > ROCE_DATA_SIZE ? data_bytes : ROCE_DATA_SIZE;
    bool end = index + 1 == requester->total;
    struct roce_bth bth = {
        .opcode = opcode_of(index % per_message, (message_bytes + mtu - 1) / mtu),
        .ack_request = ack_request,
        .qp = qp->qp,
        .psn = (requester->first_psn + (uint32_t)index) & ROCE_PSN_MASK,
    };
    struct roce_data data = {
        .run = sender->run,
        .wire = qp->wire++,
        .sent_at_ns = realtime_ns(),
        .first_psn = requester->first_psn,
        .flags =
            (uint8_t)((end ? ROCE_FLAG_END : 0) | (requester->reliable ? ROCE_FLAG_RELIABLE : 0)),
        .source_qp = qp->source_qp,
        .pad = (uint8_t)(payload_size - data_bytes),
    };
    return roce_encode_write(frame, &bth, &data, message_offset, message_bytes, payload_size);
}

size_t sender_take(struct sender *sender, struct sender_qp *qp, uint64_t now_ns,
                   uint8_t frame[ROCE_FRAME_MAX], struct roce_addresses *addresses) {
    uint64_t index;
    bool ack_request;
    if (!requester_take(&qp->requester, now_ns, &index, &ack_request)) {
        return 0;
    }
    *addresses = (struct roce_addresses){
        .ipv6 = qp->flow->ipv6,
        .source_port = roce_source_port(qp->source_qp, qp->qp),
        .traffic_class = sender->options->traffic_class,
    };
    memcpy(addresses->source, qp->flow->source, 16);
    memcpy(addresses->destination, qp->flow->destination, 16);
    return build(sender, qp, index, ack_request, frame);
}

// ---- responses

static struct sender_qp *find_qp(struct sender *sender, uint32_t source_qp,
                                 const struct inbound *inbound) {
    for (uint32_t i = 0; i < sender->qp_count; i++) {
        struct sender_qp *qp = &sender->qps[i];
        if (qp->source_qp == source_qp && qp->flow->ipv6 == inbound->addresses.ipv6 &&
            memcmp(qp->flow->destination, inbound->addresses.source,
                   inbound->addresses.ipv6 ? 16 : 4) == 0) {
            return qp;
        }
    }
    return NULL;
}

void sender_response(struct sender *sender, const struct inbound *inbound, uint64_t now_ns) {
    struct roce_bth bth;
    struct roce_report report;
    uint8_t syndrome;
    bool has_report;
    struct sender_qp *qp = NULL;
    if (roce_decode_bth(inbound->packet, inbound->size, &bth)) {
        qp = find_qp(sender, bth.qp, inbound);
    }
    if (qp == NULL) {
        sender->strays++;
        return;
    }
    if (bth.opcode == ROCE_CNP) {
        qp->cnps++;
        return;
    }
    if (!roce_decode_response(inbound->packet, inbound->size, &syndrome, &report, &has_report)) {
        sender->strays++;
        return;
    }
    if (has_report && report.run == sender->run) {
        qp->report = report;
        qp->has_report = true;
    }
    if (syndrome == ROCE_SYNDROME_NAK_PSN) {
        requester_nak(&qp->requester, bth.psn, now_ns);
    } else {
        requester_ack(&qp->requester, bth.psn, now_ns);
    }
}

bool sender_is_complete(const struct sender *sender) {
    for (uint32_t i = 0; i < sender->qp_count; i++) {
        if (!requester_is_complete(&sender->qps[i].requester)) {
            return false;
        }
    }
    return true;
}

// ---- the report

static uint64_t acked_bytes(const struct sender_qp *qp, uint32_t mtu) {
    uint64_t bytes = qp->requester.acked * mtu;
    return bytes < qp->bytes ? bytes : qp->bytes;
}

static json_t *describe_qp(const struct sender *sender, const struct sender_qp *qp) {
    const struct requester *requester = &qp->requester;
    json_t *out =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "qp", (json_int_t)qp->qp,
                  "source_qp", (json_int_t)qp->source_qp, "sent_packets",
                  (json_int_t)requester->sent, "resent_packets", (json_int_t)requester->resent,
                  "naks", (json_int_t)requester->naks, "timeouts", (json_int_t)requester->timeouts,
                  "cnps", (json_int_t)qp->cnps, "longest_stall_ns",
                  (json_int_t)requester->longest_stall_ns, "complete",
                  requester_is_complete(requester));
    if (requester->reliable) {
        json_object_set_new(out, "delivered_bytes",
                            json_integer((json_int_t)acked_bytes(qp, sender->options->mtu)));
    }
    if (qp->has_report) {
        json_object_set_new(out, "longest_silence_ns",
                            json_integer((json_int_t)qp->report.longest_silence_ns));
    }
    return out;
}

struct sums {
    uint64_t sent, resent, naks, timeouts, cnps, delivered, lost, reordered, duplicate, silence_ns;
    bool complete, reported;
};

static void sum_qp(const struct sender *sender, const struct sender_qp *qp, struct sums *sums) {
    sums->sent += qp->requester.sent;
    sums->resent += qp->requester.resent;
    sums->naks += qp->requester.naks;
    sums->timeouts += qp->requester.timeouts;
    sums->cnps += qp->cnps;
    sums->delivered += acked_bytes(qp, sender->options->mtu);
    sums->lost += qp->report.lost;
    sums->reordered += qp->report.reordered;
    sums->duplicate += qp->report.duplicate;
    if (qp->report.flow_longest_silence_ns > sums->silence_ns) {
        sums->silence_ns = qp->report.flow_longest_silence_ns;
    }
    sums->complete = sums->complete && requester_is_complete(&qp->requester);
    sums->reported = sums->reported && qp->has_report;
}

static json_t *describe_flow(const struct sender *sender, uint32_t index) {
    const struct flow *flow = &sender->flows->flows[index];
    struct sums sums = {.complete = true, .reported = true};
    json_t *qps = json_array();
    for (uint32_t k = 0; k < sender->options->qps; k++) {
        const struct sender_qp *qp = &sender->qps[index * sender->options->qps + k];
        json_array_append_new(qps, describe_qp(sender, qp));
        sum_qp(sender, qp, &sums);
    }
    json_t *out =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "flow", flow->name, "bytes",
                  (json_int_t)flow->bytes, "rate_bps", (json_int_t)flow->rate_bps, "sent_packets",
                  (json_int_t)sums.sent, "resent_packets", (json_int_t)sums.resent, "naks",
                  (json_int_t)sums.naks, "timeouts", (json_int_t)sums.timeouts, "cnps",
                  (json_int_t)sums.cnps, "complete", sums.complete, "qps", qps);
    if (sender->options->reliable) {
        json_object_set_new(out, "delivered_bytes", json_integer((json_int_t)sums.delivered));
    }
    if (sums.reported) { // told by the receiver with its last ACKs
        json_object_set_new(out, "lost", json_integer((json_int_t)sums.lost));
        json_object_set_new(out, "reordered", json_integer((json_int_t)sums.reordered));
        json_object_set_new(out, "duplicate", json_integer((json_int_t)sums.duplicate));
        json_object_set_new(out, "longest_silence_ns", json_integer((json_int_t)sums.silence_ns));
    }
    return out;
}

json_t *sender_describe(const struct sender *sender) {
    json_t *flows = json_array();
    for (uint32_t i = 0; i < sender->flows->count; i++) {
        json_array_append_new(flows, describe_flow(sender, i));
    }
    return json_pack("{s:o, s:I, s:b}", "flows", flows, "stray_responses",
                     (json_int_t)sender->strays, "complete", sender_is_complete(sender));
}
