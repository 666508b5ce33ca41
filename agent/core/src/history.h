// SPDX-License-Identifier: Apache-2.0
// What this host saw of a link, second by second for an hour and minute by minute for a day, and
// whether it will soon be full. Pure.
//
//   history_count  bytes of own flows over a link ---.
//   history_put    probes, round trip, marks ---------+--> the current second's sample
//                                                     v
//   seconds  [ 3600 x 16 bytes ]  --- each full minute's mean ---> minutes [ 1440 x 16 bytes ]
//
// A link takes a place when something is first said of it: 80,640 bytes, of which there are
// HISTORY_SERIES_MAX (5.2 MB). When all are taken, the one of which nothing was said for longest,
// and for a minute at least, gives way; else the newcomer is left out and counted.
//
// Seconds in which nothing was known are gaps, never zeros. A rate is that of this host's own
// flows, as its NIC counted them, and not the link's load.
#ifndef AGENT_CORE_HISTORY_H
#define AGENT_CORE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_core/engine.h"

#define HISTORY_SECONDS 3600
#define HISTORY_MINUTES 1440
#define HISTORY_SERIES_MAX 64

struct history_sample {
    uint32_t rate_kbps, rtt_ns;
    uint16_t sent, lost; // probes; of many, both in proportion
    uint16_t marked;     // share of marked probes, of UINT16_MAX
    uint16_t known;      // HISTORY_RATE | ...; 0: a gap
};
enum { HISTORY_RATE = 1, HISTORY_RTT = 2, HISTORY_MARKED = 4, HISTORY_PROBES = 8 };

struct history_series {
    link_id link;
    uint64_t from_s, last_s; // seconds of the clock in the ring: the first and the newest
    uint64_t bytes, bytes_since_ns;
    bool used; // own flows go over it, so that no byte is a rate of 0
    uint64_t sent, lost;
    uint64_t warned_at_ns; // 0: it was not going to be full
    bool filling;          // when it was last looked at:
    struct engine_forecast forecast;
    struct history_sample seconds[HISTORY_SECONDS], minutes[HISTORY_MINUTES];
};

struct history {
    uint32_t link_count;
    uint8_t *slot; // by link: place + 1; 0: none
    struct history_series *series[HISTORY_SERIES_MAX];
    uint32_t series_count, series_max;
    uint64_t omitted; // times that a link found no place
};

// At most `series_max` links have one, and HISTORY_SERIES_MAX. -ENOMEM.
int history_init(struct history *history, uint32_t link_count, uint32_t series_max);
void history_fini(struct history *history);

// Own flows go over the link, and sent so many bytes (0: none just now). Without memory or a place
// they are not counted.
void history_count(struct history *history, uint64_t now_ns, link_id link, uint64_t bytes);

// What is known of a link now, once a second: totals of probes since whenever.
struct history_reading {
    uint64_t sent, lost;
    uint64_t rtt_ns; // 0: unknown
    bool marks_known;
    uint32_t marked_ppm;
};
void history_put(struct history *history, uint64_t now_ns, link_id link,
                 const struct history_reading *reading);

const struct history_series *history_find(const struct history *history, link_id link);
// Of `count` samples in a row: means of what is known, sums of probes.
struct history_sample history_fold(const struct history_sample *samples, uint32_t count);
// The fold of `step_s` seconds that begin `ago_s` seconds before the newest; minutes where it
// reaches further back than the seconds.
struct history_sample history_at(const struct history_series *series, uint64_t now_ns,
                                 uint64_t ago_s, uint64_t step_s);
uint64_t history_size(const struct history *history); // bytes

#endif
