// SPDX-License-Identifier: Apache-2.0
// What hosts say of themselves: how busy they are, how they are set up. The forms are drawn in
// facts.c.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "facts_form.h"
#include "gossip/facts.h"

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
