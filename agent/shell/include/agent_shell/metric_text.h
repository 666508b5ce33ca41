// SPDX-License-Identifier: Apache-2.0
// Writes metrics as Prometheus reads them: the classic text format 0.0.4, or OpenMetrics 1.0.
//
//   METRIC_CLASSIC      # HELP srv6_reroute_total Parts of own flows ...
//                       # TYPE srv6_reroute_total counter
//                       srv6_reroute_total{reason="backup"} 3
//   METRIC_OPENMETRICS  the family is srv6_reroute, units are said, and the end is "# EOF"
//
// A family is begun once; the samples that follow are of it. One without samples is left out.
// Names, helps and label names are this program's own and taken as they are. Label values may come
// from peers: they are escaped, and what is no UTF-8, or a control character, becomes '?'.
//
// Pure: no clock, no descriptor. Ownership: metric_text_open returns owned. Lack of memory is
// remembered and told by metric_text_take. One thread.
#ifndef AGENT_SHELL_METRIC_TEXT_H
#define AGENT_SHELL_METRIC_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define METRIC_BUCKETS_MAX 16
#define METRIC_LABELS_MAX 6

enum metric_format { METRIC_CLASSIC, METRIC_OPENMETRICS };
enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_INFO, METRIC_HISTOGRAM };

struct metric_family {
    const char *name; // without _total and _info
    enum metric_type type;
    const char *unit; // the name's last word ("seconds", "bytes"), NULL: it has none
    const char *help;
};

struct metric_label {
    const char *name, *value;
};

// How often durations fell up to each bound; what is beyond the last is in counts[bound_count].
struct metric_histogram {
    const uint64_t *bounds_ns; // rising; borrowed
    uint32_t bound_count;      // at most METRIC_BUCKETS_MAX
    uint64_t counts[METRIC_BUCKETS_MAX + 1];
    uint64_t sum_ns;
};
void metric_histogram_add(struct metric_histogram *histogram, uint64_t duration_ns);

struct metric_text;

struct metric_text *metric_text_open(enum metric_format format); // NULL: no memory
void metric_text_close(struct metric_text *text);                // NULL is a no-op
void metric_family(struct metric_text *text, const struct metric_family *family);
// One sample of the family; of a METRIC_INFO the value is 1. At most METRIC_LABELS_MAX labels.
void metric_value(struct metric_text *text, const struct metric_label *labels, size_t label_count,
                  uint64_t value);
void metric_seconds(struct metric_text *text, const struct metric_label *labels, size_t label_count,
                    uint64_t ns);
void metric_durations(struct metric_text *text, const struct metric_label *labels,
                      size_t label_count, const struct metric_histogram *histogram);
uint32_t metric_text_series(const struct metric_text *text); // samples written so far
// Ends the text and hands it over (owned); nothing more may be written. -ENOMEM.
int metric_text_take(struct metric_text *text, char **out, size_t *size);

#endif
