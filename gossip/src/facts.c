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
//   host_load     [ 1, sent_bps, flow_count, ecn_ppm, ([[job, [pace...]]...], where there are any)
//   ] pace          exponent << 11 | mantissa, bit/s: mantissa, or (2048 + mantissa) << (exponent -
//   1) host_facts    [ 1, [[setting, bits of ports, value]...] ]
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

#include "model/mp.h"

#define FORM 1

static uint32_t open_form(struct mp_reader *reader, const void *bytes, size_t size,
                          uint32_t fields) {
    mp_read_init(reader, bytes, size);
    uint32_t count = mp_read_array(reader, fields, UINT32_MAX);
    if (mp_read_uint(reader, UINT32_MAX) != FORM) {
        reader->bad = true;
    }
    return reader->bad ? 0 : count - fields;
}

static bool close_form(struct mp_reader *reader, uint32_t extra) {
    mp_skip(reader, extra);
    return !reader->bad && reader->at == reader->end;
}

static ssize_t written(const struct mp_writer *writer) {
    return writer->failed ? -EMSGSIZE : (ssize_t)writer->size;
}

static void start(struct mp_writer *writer, void *bytes, size_t size, uint32_t fields) {
    mp_write_fixed(writer, bytes, size);
    mp_write_array(writer, fields);
    mp_write_uint(writer, FORM);
}

static void write_text(struct mp_writer *writer, const char *text, size_t size) {
    mp_write_str(writer, text, strnlen(text, size));
}

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

// ---- loads

#define PACE_BITS 11
#define PACE_LEAD (UINT64_C(1) << PACE_BITS)
#define PACE_UNKNOWN UINT16_MAX
#define PACE_CODE_MAX (PACE_UNKNOWN - 1)

static uint16_t pace_code(uint64_t bps) {
    uint64_t exponent = 0;
    if (bps == HOST_PACE_NONE) {
        return PACE_UNKNOWN;
    }
    for (; bps >= 2 * PACE_LEAD; bps >>= 1) {
        exponent++;
    }
    if (bps >= PACE_LEAD) {
        exponent++;
        bps -= PACE_LEAD;
    }
    uint64_t code = exponent << PACE_BITS | bps;
    return code < PACE_CODE_MAX ? (uint16_t)code : PACE_CODE_MAX;
}

static uint64_t pace_of_code(uint16_t code) {
    uint64_t mantissa = code & (PACE_LEAD - 1);
    unsigned exponent = code >> PACE_BITS;
    if (code == PACE_UNKNOWN) {
        return HOST_PACE_NONE;
    }
    return exponent == 0 ? mantissa : (PACE_LEAD + mantissa) << (exponent - 1);
}

static bool paces_fit(const struct host_load *load) {
    uint32_t ranks = 0;
    for (uint32_t i = 0; i < load->job_count && i < HOST_PACE_JOBS_MAX; i++) {
        if (load->jobs[i].rank_count > HOST_PACES_MAX) {
            return false;
        }
        ranks += load->jobs[i].rank_count;
    }
    return load->job_count <= HOST_PACE_JOBS_MAX && ranks <= HOST_PACES_MAX;
}

ssize_t host_load_encode(const struct host_load *load, void *bytes, size_t size) {
    struct mp_writer writer;
    if (!paces_fit(load)) {
        return -EMSGSIZE;
    }
    start(&writer, bytes, size, load->job_count > 0 ? 5 : 4);
    mp_write_uint(&writer, load->sent_bps);
    mp_write_uint(&writer, load->flow_count);
    mp_write_uint(&writer, load->ecn_ppm);
    if (load->job_count > 0) {
        mp_write_array(&writer, load->job_count);
    }
    for (uint32_t i = 0; i < load->job_count; i++) {
        const struct host_job_pace *job = &load->jobs[i];
        mp_write_array(&writer, 2);
        mp_write_uint(&writer, job->job);
        mp_write_array(&writer, job->rank_count);
        for (uint32_t rank = 0; rank < job->rank_count; rank++) {
            mp_write_uint(&writer, pace_code(job->pace_bps[rank]));
        }
    }
    return written(&writer);
}

static void read_paces(struct mp_reader *reader, struct host_load *load) {
    load->job_count = mp_read_array(reader, 1, HOST_PACE_JOBS_MAX);
    for (uint32_t i = 0; i < load->job_count && !reader->bad; i++) {
        struct host_job_pace *job = &load->jobs[i];
        uint32_t extra = mp_read_array(reader, 2, UINT32_MAX);
        job->job = (uint32_t)mp_read_uint(reader, UINT32_MAX);
        job->rank_count = mp_read_array(reader, 0, HOST_PACES_MAX);
        for (uint32_t rank = 0; rank < job->rank_count && !reader->bad; rank++) {
            job->pace_bps[rank] = pace_of_code((uint16_t)mp_read_uint(reader, UINT16_MAX));
        }
        mp_skip(reader, reader->bad ? 0 : extra - 2);
    }
    reader->bad = reader->bad || !paces_fit(load);
}

int host_load_decode(const void *bytes, size_t size, struct host_load *out) {
    struct mp_reader reader;
    struct host_load load = {.job_count = 0};
    uint32_t extra = open_form(&reader, bytes, size, 4);
    load.sent_bps = mp_read_uint(&reader, INT64_MAX);
    load.flow_count = (uint32_t)mp_read_uint(&reader, UINT32_MAX);
    load.ecn_ppm = (uint32_t)mp_read_uint(&reader, 1000000);
    if (extra > 0 && !reader.bad) {
        read_paces(&reader, &load);
        extra--;
    }
    if (!close_form(&reader, extra)) {
        return -EPROTO;
    }
    *out = load;
    return 0;
}

// ---- host facts

ssize_t host_facts_encode(const struct host_facts *facts, void *bytes, size_t size) {
    struct mp_writer writer;
    start(&writer, bytes, size, 2);
    mp_write_array(&writer, facts->count);
    for (uint32_t i = 0; i < facts->count; i++) {
        const struct host_fact *fact = &facts->facts[i];
        mp_write_array(&writer, 3);
        mp_write_uint(&writer, fact->setting);
        mp_write_uint(&writer, fact->ports);
        write_text(&writer, fact->value, sizeof fact->value);
    }
    return written(&writer);
}

// A port has one value of a setting, and a value is said once.
static bool add_fact(struct host_facts *facts, enum host_setting setting, uint32_t ports,
                     const char *value) {
    if (!host_setting_is_of_port(setting)) {
        return ports == 0 && host_facts_add(facts, setting, HOST_WIDE, value);
    }
    bool added = ports != 0;
    for (uint32_t port = 0; added && port < HOST_PORTS_MAX; port++) {
        added = (ports >> port & 1) == 0 || host_facts_add(facts, setting, port, value);
    }
    return added;
}

static void read_fact(struct mp_reader *reader, struct host_facts *facts) {
    struct host_fact fact = {0};
    uint32_t extra = mp_read_array(reader, 3, UINT32_MAX);
    uint64_t setting = mp_read_uint(reader, UINT32_MAX);
    fact.ports = (uint32_t)mp_read_uint(reader, (1U << HOST_PORTS_MAX) - 1);
    mp_read_name(reader, fact.value, 1, sizeof fact.value);
    mp_skip(reader, reader->bad ? 0 : extra - 3);
    if (!reader->bad && setting < HOST_SETTINGS) {
        reader->bad = !add_fact(facts, (enum host_setting)setting, fact.ports, fact.value);
    }
}

int host_facts_decode(const void *bytes, size_t size, struct host_facts *out) {
    struct mp_reader reader;
    struct host_facts *facts = calloc(1, sizeof *facts);
    if (facts == NULL) {
        return -ENOMEM;
    }
    uint32_t extra = open_form(&reader, bytes, size, 2);
    uint32_t count = mp_read_array(&reader, 0, 4 * HOST_FACTS_MAX); // a newer release has more
    for (uint32_t i = 0; i < count && !reader.bad; i++) {
        read_fact(&reader, facts);
    }
    bool good = close_form(&reader, extra);
    if (good) {
        *out = *facts;
    }
    free(facts);
    return good ? 0 : -EPROTO;
}
