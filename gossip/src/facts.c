// SPDX-License-Identifier: Apache-2.0
//   member_facts  [ 1, active generation, digest, held generation, digest, plan version,
//                   protocol version, decap_ready, nic driver, build ]
//   link_report   [ 1, verdict, capacity_ppm, loss_ppm, delay_ns, ecn_ppm, probe_count,
//                   (fault, avoid, fault_ppm, excess_ns, tested, missed) ]
//   job           [ 1, name, generation, algorithm, all_ranks, [port...], [collective...], removed,
//                   (reserved bit/s of a rank, where it is not 0) ]
//   collective    [ type, bytes, seed, [[source rank, destination rank]...],
//                   (AlltoAllv only: [bytes... of the matrix, row by row], [weight...]) ]
//   rank_binding  [ 1, job, job generation, rank, port ]
//   pod_rank      [ 1, job, pod's creation, rank, port, run, rank count, algorithm, collective,
//                   bytes ]
//   drain_order   [ 1, kind, active, capacity_ppm, stamp ]
//   host_load     [ 1, sent_bps, flow_count, ecn_ppm, ([[job, [pace...]]...]) ]
//   pace          bit/s as exponent << 11 | mantissa:
//                 mantissa, or (2048 + mantissa) << (exponent - 1)
//   host_facts    [ 1, [[setting, bits of ports, value]...] ]
//
// A pod_rank begins as a rank_binding does, in whose table it is: to an agent from before it, it is
// one of a job that does not exist.
//
// Fields in parentheses came later. A record that does not need them is byte for byte as before
// them, and every version skips what it finds behind the fields that it knows. So an agent from
// before reservations plans such a job as if nothing were reserved. A collective of a type that an
// agent does not know makes the whole record undecodable to it: it counts a bad fact, goes on with
// the record of that job that it held before, or without the job, and what it sends for the job
// leaves plain; nor will it succeed to the job when its owner dies. While an upgrade is under way,
// with all planning at the lowest version, that is acceptable; job types of the new version are for
// afterwards.
#include "gossip/facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "facts_form.h"
#include "model/mp.h"

static void read_digest(struct mp_reader *reader, uint8_t digest[32]) {
    struct mp_text bytes = mp_read_bin(reader, 32);
    if (bytes.size != 32) {
        reader->bad = true;
        return;
    }
    memcpy(digest, bytes.bytes, 32);
}

// ---- member facts

ssize_t member_facts_encode(const struct member_facts *facts, void *bytes, size_t size) {
    struct mp_writer writer;
    start(&writer, bytes, size, 10);
    mp_write_uint(&writer, facts->fabric_generation);
    mp_write_bin(&writer, facts->fabric_digest, sizeof facts->fabric_digest);
    mp_write_uint(&writer, facts->held_generation);
    mp_write_bin(&writer, facts->held_digest, sizeof facts->held_digest);
    mp_write_uint(&writer, facts->plan_version);
    mp_write_uint(&writer, facts->protocol_version);
    mp_write_bool(&writer, facts->decap_ready);
    write_text(&writer, facts->nic_driver, sizeof facts->nic_driver);
    write_text(&writer, facts->build, sizeof facts->build);
    return written(&writer);
}

int member_facts_decode(const void *bytes, size_t size, struct member_facts *out) {
    struct mp_reader reader;
    struct member_facts facts = {0};
    uint32_t extra = open_form(&reader, bytes, size, 10);
    facts.fabric_generation = mp_read_uint(&reader, UINT64_MAX);
    read_digest(&reader, facts.fabric_digest);
    facts.held_generation = mp_read_uint(&reader, UINT64_MAX);
    read_digest(&reader, facts.held_digest);
    facts.plan_version = (uint32_t)mp_read_uint(&reader, UINT32_MAX);
    facts.protocol_version = (uint32_t)mp_read_uint(&reader, UINT32_MAX);
    facts.decap_ready = mp_read_bool(&reader);
    mp_read_name(&reader, facts.nic_driver, 0, sizeof facts.nic_driver);
    mp_read_name(&reader, facts.build, 0, sizeof facts.build);
    if (!close_form(&reader, extra)) {
        return -EPROTO;
    }
    *out = facts;
    return 0;
}

// ---- link reports

ssize_t link_report_encode(const struct link_report *report, void *bytes, size_t size) {
    struct mp_writer writer;
    bool has_fault = report->fault != LINK_FAULT_NONE;
    start(&writer, bytes, size, has_fault ? 13 : 7);
    mp_write_uint(&writer, report->verdict);
    mp_write_uint(&writer, report->capacity_ppm);
    mp_write_uint(&writer, report->loss_ppm);
    mp_write_uint(&writer, report->delay_ns);
    mp_write_uint(&writer, report->ecn_ppm);
    mp_write_uint(&writer, report->probe_count);
    if (has_fault) {
        mp_write_uint(&writer, report->fault);
        mp_write_bool(&writer, report->avoid);
        mp_write_uint(&writer, report->fault_ppm);
        mp_write_uint(&writer, report->excess_ns);
        mp_write_uint(&writer, report->tested);
        mp_write_uint(&writer, report->missed);
    }
    return written(&writer);
}

#define REPORT_FAULT_FIELDS 6

static void read_fault(struct mp_reader *reader, struct link_report *report) {
    report->fault = (enum link_fault)mp_read_uint(reader, LINK_FAULT_SLOW);
    report->avoid = mp_read_bool(reader);
    report->fault_ppm = (uint32_t)mp_read_uint(reader, 1000000);
    report->excess_ns = mp_read_uint(reader, UINT64_MAX);
    report->tested = (uint32_t)mp_read_uint(reader, UINT32_MAX);
    report->missed = (uint32_t)mp_read_uint(reader, report->tested);
    if (report->avoid && report->fault != LINK_FAULT_LOSSY) {
        reader->bad = true;
    }
}

int link_report_decode(const void *bytes, size_t size, struct link_report *out) {
    struct mp_reader reader;
    struct link_report report = {0};
    uint32_t extra = open_form(&reader, bytes, size, 7);
    report.verdict = (enum link_verdict)mp_read_uint(&reader, LINK_DOWN);
    report.capacity_ppm = (uint32_t)mp_read_uint(&reader, CAPACITY_FULL_PPM);
    report.loss_ppm = (uint32_t)mp_read_uint(&reader, 1000000);
    report.delay_ns = mp_read_uint(&reader, UINT64_MAX);
    report.ecn_ppm = (uint32_t)mp_read_uint(&reader, 1000000);
    report.probe_count = mp_read_uint(&reader, UINT64_MAX);
    if (extra >= REPORT_FAULT_FIELDS) {
        read_fault(&reader, &report);
        extra -= REPORT_FAULT_FIELDS;
    }
    if (!close_form(&reader, extra)) {
        return -EPROTO;
    }
    *out = report;
    return 0;
}

// ---- jobs

// Types that came with matrix and weights, in a field each.
static bool has_lists(enum collective_type type) {
    return type == COLLECTIVE_ALLTOALLV;
}

static void write_lists(struct mp_writer *writer, const struct collective *collective) {
    uint32_t entries = collective->matrix_ranks * collective->matrix_ranks;
    mp_write_array(writer, entries);
    for (uint32_t i = 0; i < entries; i++) {
        mp_write_uint(writer, collective->matrix[i]);
    }
    mp_write_array(writer, collective->weight_count);
    for (uint32_t i = 0; i < collective->weight_count; i++) {
        mp_write_uint(writer, collective->weights[i]);
    }
}

static void write_collective(struct mp_writer *writer, const struct collective *collective) {
    mp_write_array(writer, has_lists(collective->type) ? 6 : 4);
    mp_write_uint(writer, collective->type);
    mp_write_uint(writer, collective->bytes);
    mp_write_uint(writer, collective->seed);
    mp_write_array(writer, collective->pair_count);
    for (uint32_t i = 0; i < collective->pair_count; i++) {
        mp_write_array(writer, 2);
        mp_write_uint(writer, collective->pairs[i].src_rank);
        mp_write_uint(writer, collective->pairs[i].dst_rank);
    }
    if (has_lists(collective->type)) {
        write_lists(writer, collective);
    }
}

ssize_t job_encode(const struct job *job, void *bytes, size_t size) {
    struct mp_writer writer;
    start(&writer, bytes, size, job->reserved_bps > 0 ? 9 : 8);
    write_text(&writer, job->name, sizeof job->name);
    mp_write_uint(&writer, job->generation);
    write_text(&writer, job->algorithm, sizeof job->algorithm);
    mp_write_bool(&writer, job->all_ranks);
    mp_write_array(&writer, job->rank_count);
    for (uint32_t i = 0; i < job->rank_count; i++) {
        write_text(&writer, job->ranks[i], sizeof job->ranks[i]);
    }
    mp_write_array(&writer, job->collective_count);
    for (uint32_t i = 0; i < job->collective_count; i++) {
        write_collective(&writer, &job->collectives[i]);
    }
    mp_write_bool(&writer, job->removed);
    if (job->reserved_bps > 0) {
        mp_write_uint(&writer, job->reserved_bps);
    }
    return written(&writer);
}

static int read_ranks(struct mp_reader *reader, struct job *job) {
    // The reader bounds the count by the bytes that remain.
    uint32_t count = mp_read_array(reader, 0, JOB_RANKS_MAX);
    if (count > 0) {
        job->ranks = calloc(count, sizeof *job->ranks);
        if (job->ranks == NULL) {
            return -ENOMEM;
        }
        job->rank_count = count;
    }
    for (uint32_t i = 0; i < count && !reader->bad; i++) {
        mp_read_name(reader, job->ranks[i], 1, sizeof job->ranks[i]);
    }
    return 0;
}

static int read_pairs(struct mp_reader *reader, struct collective *collective) {
    uint32_t count = mp_read_array(reader, 0, JOB_PAIRS_MAX);
    if (count > 0) {
        collective->pairs = calloc(count, sizeof *collective->pairs);
        if (collective->pairs == NULL) {
            return -ENOMEM;
        }
        collective->pair_count = count;
    }
    for (uint32_t i = 0; i < count && !reader->bad; i++) {
        uint32_t extra = mp_read_array(reader, 2, UINT32_MAX);
        collective->pairs[i].src_rank = (uint32_t)mp_read_uint(reader, JOB_RANKS_MAX - 1);
        collective->pairs[i].dst_rank = (uint32_t)mp_read_uint(reader, JOB_RANKS_MAX - 1);
        mp_skip(reader, reader->bad ? 0 : extra - 2);
    }
    return 0;
}

static int read_matrix(struct mp_reader *reader, struct collective *collective) {
    uint32_t count = mp_read_array(reader, 0, JOB_MATRIX_MAX), ranks = 0;
    while (ranks * ranks < count) {
        ranks++;
    }
    if (ranks * ranks != count) {
        reader->bad = true;
    }
    if (reader->bad || count == 0) {
        return 0;
    }
    collective->matrix = calloc(count, sizeof *collective->matrix);
    if (collective->matrix == NULL) {
        return -ENOMEM;
    }
    collective->matrix_ranks = ranks;
    for (uint32_t i = 0; i < count && !reader->bad; i++) {
        collective->matrix[i] = mp_read_uint(reader, JOB_BYTES_MAX);
    }
    return 0;
}

static int read_weights(struct mp_reader *reader, struct collective *collective) {
    uint32_t count = mp_read_array(reader, 0, JOB_RANKS_MAX);
    if (count > 0) {
        collective->weights = calloc(count, sizeof *collective->weights);
        if (collective->weights == NULL) {
            return -ENOMEM;
        }
        collective->weight_count = count;
    }
    for (uint32_t i = 0; i < count && !reader->bad; i++) {
        collective->weights[i] = (uint32_t)mp_read_uint(reader, UINT32_MAX);
    }
    return 0;
}

static int read_collective(struct mp_reader *reader, struct collective *collective) {
    uint32_t extra = mp_read_array(reader, 4, UINT32_MAX) - 4;
    collective->type = (enum collective_type)mp_read_uint(reader, COLLECTIVE_TREE);
    collective->bytes = mp_read_uint(reader, UINT64_MAX);
    collective->seed = mp_read_uint(reader, UINT64_MAX);
    int error = read_pairs(reader, collective);
    if (error == 0 && !reader->bad && has_lists(collective->type)) {
        if (extra < 2) {
            reader->bad = true;
            return 0;
        }
        extra -= 2;
        error = read_matrix(reader, collective);
        error = error != 0 ? error : read_weights(reader, collective);
    }
    mp_skip(reader, reader->bad ? 0 : extra);
    return error;
}

static int read_collectives(struct mp_reader *reader, struct job *job) {
    uint32_t count = mp_read_array(reader, 0, JOB_COLLECTIVES_MAX);
    int error = 0;
    for (uint32_t i = 0; i < count && !reader->bad && error == 0; i++) {
        error = read_collective(reader, &job->collectives[job->collective_count++]);
    }
    return error;
}

int job_decode(const void *bytes, size_t size, struct job *out) {
    struct mp_reader reader;
    struct job job;
    job_init(&job);
    uint32_t extra = open_form(&reader, bytes, size, 8);
    mp_read_name(&reader, job.name, 1, sizeof job.name);
    job.generation = mp_read_uint(&reader, UINT64_MAX);
    mp_read_name(&reader, job.algorithm, 0, sizeof job.algorithm);
    job.all_ranks = mp_read_bool(&reader);
    int error = read_ranks(&reader, &job);
    if (error == 0) {
        error = read_collectives(&reader, &job);
    }
    job.removed = mp_read_bool(&reader);
    if (extra > 0) {
        job.reserved_bps = mp_read_uint(&reader, JOB_RESERVED_BPS_MAX);
        extra--;
    }
    if (error == 0 && (!close_form(&reader, extra) || job_check(&job, NULL) != 0)) {
        error = -EPROTO;
    }
    if (error != 0) {
        job_fini(&job);
        return error;
    }
    *out = job;
    return 0;
}

// ---- rank bindings

ssize_t rank_binding_encode(const struct rank_binding *binding, void *bytes, size_t size) {
    struct mp_writer writer;
    start(&writer, bytes, size, 5);
    write_text(&writer, binding->job, sizeof binding->job);
    mp_write_uint(&writer, binding->job_generation);
    mp_write_uint(&writer, binding->rank);
    write_text(&writer, binding->port, sizeof binding->port);
    return written(&writer);
}

int rank_binding_decode(const void *bytes, size_t size, struct rank_binding *out) {
    struct mp_reader reader;
    struct rank_binding binding = {.rank = 0};
    uint32_t extra = open_form(&reader, bytes, size, 5);
    mp_read_name(&reader, binding.job, 1, sizeof binding.job);
    binding.job_generation = mp_read_uint(&reader, UINT64_MAX);
    binding.rank = (uint32_t)mp_read_uint(&reader, JOB_RANKS_MAX - 1);
    mp_read_name(&reader, binding.port, 1, sizeof binding.port);
    if (!close_form(&reader, extra)) {
        return -EPROTO;
    }
    *out = binding;
    return 0;
}

// ---- ranks of pods

ssize_t pod_rank_encode(const struct pod_rank *rank, void *bytes, size_t size) {
    struct mp_writer writer;
    start(&writer, bytes, size, 10);
    write_text(&writer, rank->job, sizeof rank->job);
    mp_write_uint(&writer, rank->created_s);
    mp_write_uint(&writer, rank->rank);
    write_text(&writer, rank->port, sizeof rank->port);
    write_text(&writer, rank->run, sizeof rank->run);
    mp_write_uint(&writer, rank->rank_count);
    write_text(&writer, rank->algorithm, sizeof rank->algorithm);
    mp_write_uint(&writer, rank->collective);
    mp_write_uint(&writer, rank->bytes);
    return written(&writer);
}

bool pod_rank_is_sound(const struct pod_rank *rank) {
    bool takes_size = rank->collective == COLLECTIVE_ALLTOALL ||
                      rank->collective == COLLECTIVE_RING || rank->collective == COLLECTIVE_TREE;
    return takes_size && rank->bytes > 0 && rank->bytes <= JOB_BYTES_MAX &&
           rank->rank < JOB_RANKS_MAX && rank->rank_count <= JOB_RANKS_MAX &&
           (rank->rank_count == 0 || rank->rank < rank->rank_count);
}

int pod_rank_decode(const void *bytes, size_t size, struct pod_rank *out) {
    struct mp_reader reader;
    struct pod_rank rank = {.rank = 0};
    uint32_t extra = open_form(&reader, bytes, size, 10);
    mp_read_name(&reader, rank.job, 1, sizeof rank.job);
    rank.created_s = mp_read_uint(&reader, UINT64_MAX);
    rank.rank = (uint32_t)mp_read_uint(&reader, JOB_RANKS_MAX - 1);
    mp_read_name(&reader, rank.port, 1, sizeof rank.port);
    mp_read_name(&reader, rank.run, 0, sizeof rank.run);
    rank.rank_count = (uint32_t)mp_read_uint(&reader, JOB_RANKS_MAX);
    mp_read_name(&reader, rank.algorithm, 0, sizeof rank.algorithm);
    rank.collective = (enum collective_type)mp_read_uint(&reader, COLLECTIVE_TREE);
    rank.bytes = mp_read_uint(&reader, JOB_BYTES_MAX);
    if (!close_form(&reader, extra) || !pod_rank_is_sound(&rank)) {
        return -EPROTO;
    }
    *out = rank;
    return 0;
}

// ---- drain orders

ssize_t drain_order_encode(const struct drain_order *order, void *bytes, size_t size) {
    struct mp_writer writer;
    start(&writer, bytes, size, 5);
    mp_write_uint(&writer, order->kind);
    mp_write_bool(&writer, order->active);
    mp_write_uint(&writer, order->capacity_ppm);
    mp_write_uint(&writer, order->stamp);
    return written(&writer);
}

int drain_order_decode(const void *bytes, size_t size, struct drain_order *out) {
    struct mp_reader reader;
    struct drain_order order;
    uint32_t extra = open_form(&reader, bytes, size, 5);
    order.kind = (enum drain_kind)mp_read_uint(&reader, DRAIN_CAPACITY);
    order.active = mp_read_bool(&reader);
    order.capacity_ppm = (uint32_t)mp_read_uint(&reader, CAPACITY_FULL_PPM);
    order.stamp = mp_read_uint(&reader, UINT64_MAX);
    if (!close_form(&reader, extra)) {
        return -EPROTO;
    }
    *out = order;
    return 0;
}
