// SPDX-License-Identifier: Apache-2.0
#include "run_trace.h"

#include <inttypes.h>

#define MIB 1048576.0

static double ms(uint64_t ns) {
    return (double)ns / 1e6;
}

static void key_text(struct json_writer *writer, const char *key, const char *text) {
    writer_key(writer, key);
    writer_text(writer, text);
}

static void key_u64(struct json_writer *writer, const char *key, uint64_t value) {
    writer_key(writer, key);
    writer_u64(writer, value);
}

void trace_open(struct trace *trace, const char *scenario, const struct fabric *fabric,
                uint64_t seed) {
    struct json_writer *writer = &trace->writer;
    if (!trace->json) {
        fprintf(writer->out, "%s: fabric %s, %u hosts, seed %" PRIu64 "\n\n", scenario,
                fabric->name, fabric->host_count, seed);
        return;
    }
    writer_open(writer, '{');
    key_text(writer, "scenario", scenario);
    key_text(writer, "fabric", fabric->name);
    key_u64(writer, "hosts", fabric->host_count);
    key_u64(writer, "seed", seed);
    writer_key(writer, "events");
    writer_open(writer, '[');
}

static void write_json(struct trace *trace, const struct trace_line *line) {
    struct json_writer *writer = &trace->writer;
    writer_open(writer, '{');
    key_u64(writer, "at_ns", line->at_ns);
    key_text(writer, "event", line->kind);
    key_text(writer, "subject", line->subject);
    key_text(writer, "text", line->text);
    for (unsigned i = 0; i < line->value_count; i++) {
        key_u64(writer, line->values[i].key, line->values[i].value);
    }
    writer_close(writer, '}');
}

void trace_write(struct trace *trace, const struct trace_line *line) {
    if (trace->json) {
        write_json(trace, line);
        return;
    }
    const char *between = line->subject[0] != '\0' && line->text[0] != '\0' ? ": " : "";
    fprintf(trace->writer.out, "%12.3f ms  %-9s  %s%s%s\n", ms(line->at_ns), line->kind,
            line->subject, between, line->text);
}

void trace_begin_summary(struct trace *trace) {
    if (!trace->json) {
        fprintf(trace->writer.out, "\n");
        return;
    }
    writer_close(&trace->writer, ']');
    writer_key(&trace->writer, "jobs");
    writer_open(&trace->writer, '[');
}

static void write_job_json(struct trace *trace, const struct trace_job *job) {
    struct json_writer *writer = &trace->writer;
    writer_open(writer, '{');
    key_text(writer, "job", job->name);
    key_text(writer, "algorithm", job->algorithm);
    key_u64(writer, "bytes", job->bytes);
    key_u64(writer, "left_bytes", job->left_bytes);
    key_u64(writer, "bound_ns", job->bound_ns);
    key_text(writer, "bound_kind", job->bound_kind);
    key_u64(writer, "begin_at_ns", job->begin_at_ns);
    if (job->ended) {
        key_u64(writer, "end_at_ns", job->end_at_ns);
        key_u64(writer, "duration_ns", job->end_at_ns - job->begin_at_ns);
        writer_put_real(writer, "ratio",
                        (double)(job->end_at_ns - job->begin_at_ns) /
                            (double)(job->bound_ns > 0 ? job->bound_ns : 1));
    }
    if (job->adaptive) {
        key_u64(writer, "rounds", job->rounds);
        key_u64(writer, "moves", job->moves);
        if (job->near_after != ID_NONE) {
            key_u64(writer, "near_after_rounds", job->near_after);
        }
    }
    writer_close(writer, '}');
}

void trace_write_job(struct trace *trace, const struct trace_job *job) {
    if (trace->json) {
        write_job_json(trace, job);
        return;
    }
    FILE *out = trace->writer.out;
    if (!job->begun) {
        fprintf(out, "job %s: has not begun\n", job->name);
    } else if (job->ended) {
        double took_ns = (double)(job->end_at_ns - job->begin_at_ns);
        fprintf(out, "job %s: %.3f ms, bound %.3f ms (%s), ratio %.4f\n", job->name, took_ns / 1e6,
                ms(job->bound_ns), job->bound_kind,
                job->bound_ns > 0 ? took_ns / (double)job->bound_ns : 1.0);
    } else {
        fprintf(out, "job %s: %s, %.3f of %.3f MiB left\n", job->name,
                job->removed ? "removed" : "not finished", (double)job->left_bytes / MIB,
                (double)job->bytes / MIB);
    }
    if (job->adaptive) {
        fprintf(out, "job %s: %u rounds, %u moves\n", job->name, job->rounds, job->moves);
    }
}

void trace_close(struct trace *trace, const struct trace_summary *summary) {
    struct json_writer *writer = &trace->writer;
    if (!trace->json) {
        fprintf(writer->out, "flows moved %u times (%.3f MiB), longest stall %.3f ms",
                summary->flows_moved, (double)summary->moved_bytes / MIB,
                ms(summary->longest_stall_ns));
        if (summary->stalled_at_end > 0) {
            fprintf(writer->out, ", %" PRIu64 " stalled at the end", summary->stalled_at_end);
        }
        fprintf(writer->out, "\n");
        return;
    }
    writer_close(writer, ']');
    key_u64(writer, "flows_moved", summary->flows_moved);
    key_u64(writer, "moved_bytes", summary->moved_bytes);
    key_u64(writer, "longest_stall_ns", summary->longest_stall_ns);
    key_u64(writer, "stalled_at_end", summary->stalled_at_end);
    writer_close(writer, '}');
    fputc('\n', writer->out);
}
