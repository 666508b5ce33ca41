// SPDX-License-Identifier: Apache-2.0
#include "history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/time.h"

#define MINUTE_S 60
#define GIVES_WAY_S 60
#define PPM 1000000

_Static_assert(HISTORY_SERIES_MAX < UINT8_MAX, "a slot is a byte");
_Static_assert(sizeof(struct history_sample) == 16, "as the header says");

int history_init(struct history *history, uint32_t link_count, uint32_t series_max) {
    *history = (struct history){.link_count = link_count, .series_max = series_max};
    if (series_max > HISTORY_SERIES_MAX) {
        history->series_max = HISTORY_SERIES_MAX;
    }
    history->slot = calloc((size_t)link_count + 1, sizeof *history->slot);
    return history->slot != NULL ? 0 : -ENOMEM;
}

void history_fini(struct history *history) {
    for (uint32_t i = 0; i < history->series_count; i++) {
        free(history->series[i]);
    }
    free(history->slot);
    *history = (struct history){.slot = NULL};
}

uint64_t history_size(const struct history *history) {
    return history->series_count * sizeof(struct history_series) + history->link_count;
}

const struct history_series *history_find(const struct history *history, link_id link) {
    uint8_t slot = link.i < history->link_count ? history->slot[link.i] : 0;
    return slot != 0 ? history->series[slot - 1] : NULL;
}

// ---- places

// The series of which nothing was said for longest; NULL: something was of all.
static struct history_series *find_idle(const struct history *history, uint64_t now_s,
                                        uint32_t *place) {
    struct history_series *idle = NULL;
    for (uint32_t i = 0; i < history->series_count; i++) {
        struct history_series *series = history->series[i];
        if (series->last_s + GIVES_WAY_S <= now_s &&
            (idle == NULL || series->last_s < idle->last_s)) {
            idle = series;
            *place = i;
        }
    }
    return idle;
}

static struct history_series *take_place(struct history *history, link_id link, uint64_t now_s) {
    uint32_t place = history->series_count;
    struct history_series *series = NULL;
    if (history->series_count < history->series_max) {
        series = calloc(1, sizeof *series);
    } else if ((series = find_idle(history, now_s, &place)) != NULL) {
        history->slot[series->link.i] = 0;
        memset(series, 0, sizeof *series);
    }
    if (series == NULL) {
        history->omitted++;
        return NULL;
    }
    series->link = link;
    series->from_s = series->last_s = now_s;
    history->series[place] = series;
    history->series_count += place == history->series_count;
    history->slot[link.i] = (uint8_t)(place + 1);
    return series;
}

static struct history_series *series_of(struct history *history, uint64_t now_ns, link_id link) {
    if (link.i >= history->link_count || history->series_max == 0) {
        return NULL;
    }
    uint8_t slot = history->slot[link.i];
    return slot != 0 ? history->series[slot - 1] : take_place(history, link, now_ns / NS_PER_S);
}

// ---- samples

static uint32_t clamp_u32(uint64_t value) {
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static void set_probes(struct history_sample *sample, uint64_t sent, uint64_t lost) {
    lost = lost < sent ? lost : sent;
    while (sent > UINT16_MAX) {
        sent = (sent + 1) / 2;
        lost = (lost + 1) / 2; // one that was lost stays visible
    }
    sample->sent = (uint16_t)sent;
    sample->lost = (uint16_t)lost;
    sample->known |= sent > 0 ? HISTORY_PROBES : 0;
}

struct sums {
    uint64_t rate, rates, rtt, rtts, marked, marks, sent, lost;
};

static void add_sample(struct sums *sums, const struct history_sample *one) {
    if ((one->known & HISTORY_RATE) != 0) {
        sums->rate += one->rate_kbps;
        sums->rates++;
    }
    if ((one->known & HISTORY_RTT) != 0) {
        sums->rtt += one->rtt_ns;
        sums->rtts++;
    }
    if ((one->known & HISTORY_MARKED) != 0) {
        sums->marked += one->marked;
        sums->marks++;
    }
    sums->sent += one->sent;
    sums->lost += one->lost;
}

static struct history_sample mean_of(const struct sums *sums) {
    struct history_sample out = {.known = 0};
    set_probes(&out, sums->sent, sums->lost);
    out.rate_kbps = sums->rates > 0 ? (uint32_t)(sums->rate / sums->rates) : 0;
    out.rtt_ns = sums->rtts > 0 ? (uint32_t)(sums->rtt / sums->rtts) : 0;
    out.marked = sums->marks > 0 ? (uint16_t)(sums->marked / sums->marks) : 0;
    out.known |=
        (uint16_t)((sums->rates > 0 ? HISTORY_RATE : 0) | (sums->rtts > 0 ? HISTORY_RTT : 0) |
                   (sums->marks > 0 ? HISTORY_MARKED : 0));
    return out;
}

struct history_sample history_fold(const struct history_sample *samples, uint32_t count) {
    struct sums sums = {0};
    for (uint32_t i = 0; i < count; i++) {
        add_sample(&sums, &samples[i]);
    }
    return mean_of(&sums);
}

static void end_minute(struct history_series *series, uint64_t minute) {
    struct history_sample samples[MINUTE_S];
    uint64_t begin_s = minute * MINUTE_S;
    for (uint64_t i = 0; i < MINUTE_S; i++) {
        uint64_t at_s = begin_s + i;
        samples[i] = at_s >= series->from_s ? series->seconds[at_s % HISTORY_SECONDS]
                                            : (struct history_sample){.known = 0};
    }
    series->minutes[minute % HISTORY_MINUTES] = history_fold(samples, MINUTE_S);
}

// Up to the second `now_s`: seconds and minutes that passed without a word become gaps.
static void advance(struct history_series *series, uint64_t now_s) {
    if (now_s - series->last_s >= (uint64_t)HISTORY_MINUTES * MINUTE_S) {
        memset(series->seconds, 0, sizeof series->seconds);
        memset(series->minutes, 0, sizeof series->minutes);
        series->from_s = series->last_s = now_s;
        return;
    }
    while (series->last_s < now_s) {
        series->last_s++;
        if (series->last_s % MINUTE_S == 0) {
            end_minute(series, series->last_s / MINUTE_S - 1);
            series->minutes[series->last_s / MINUTE_S % HISTORY_MINUTES] =
                (struct history_sample){.known = 0};
        }
        series->seconds[series->last_s % HISTORY_SECONDS] = (struct history_sample){.known = 0};
    }
}

void history_count(struct history *history, uint64_t now_ns, link_id link, uint64_t bytes) {
    struct history_series *series = series_of(history, now_ns, link);
    if (series == NULL) {
        return;
    }
    if (series->bytes_since_ns == 0) {
        series->bytes_since_ns = now_ns > NS_PER_S ? now_ns - NS_PER_S : 0;
    }
    series->used = true;
    series->bytes += bytes;
}

static void set_rate(struct history_series *series, uint64_t now_ns,
                     struct history_sample *sample) {
    if (series->used && now_ns > series->bytes_since_ns) {
        double kbits = (double)series->bytes * 8 / 1000;
        double seconds = (double)(now_ns - series->bytes_since_ns) / (double)NS_PER_S;
        double rate = kbits / seconds + 0.5;
        sample->rate_kbps = rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX;
        sample->known |= HISTORY_RATE;
    }
    series->used = false;
    series->bytes = 0;
    series->bytes_since_ns = now_ns;
}

void history_put(struct history *history, uint64_t now_ns, link_id link,
                 const struct history_reading *reading) {
    struct history_series *series = series_of(history, now_ns, link);
    uint64_t now_s = now_ns / NS_PER_S;
    struct history_sample sample = {.known = 0};
    if (series == NULL || now_s < series->last_s) {
        return;
    }
    if (reading->sent >= series->sent && reading->lost >= series->lost) {
        set_probes(&sample, reading->sent - series->sent, reading->lost - series->lost);
    } // else they began anew
    series->sent = reading->sent;
    series->lost = reading->lost;
    if (reading->rtt_ns > 0 && (sample.known & HISTORY_PROBES) != 0) {
        sample.rtt_ns = clamp_u32(reading->rtt_ns);
        sample.known |= HISTORY_RTT;
    }
    if (reading->marks_known) {
        uint64_t ppm = reading->marked_ppm < PPM ? reading->marked_ppm : PPM;
        sample.marked = (uint16_t)(ppm * UINT16_MAX / PPM);
        sample.known |= HISTORY_MARKED;
    }
    set_rate(series, now_ns, &sample);
    advance(series, now_s);
    struct history_sample *place = &series->seconds[now_s % HISTORY_SECONDS];
    struct history_sample both[] = {*place, sample};
    *place = history_fold(both, 2);
}

// ---- looking back

static struct history_sample fold_seconds(const struct history_series *series, uint64_t begin_s,
                                          uint64_t end_s) {
    struct sums sums = {0};
    uint64_t oldest = series->last_s >= HISTORY_SECONDS ? series->last_s - HISTORY_SECONDS + 1 : 0;
    oldest = oldest > series->from_s ? oldest : series->from_s;
    begin_s = begin_s > oldest ? begin_s : oldest;
    for (uint64_t at_s = begin_s; at_s < end_s && at_s <= series->last_s; at_s++) {
        add_sample(&sums, &series->seconds[at_s % HISTORY_SECONDS]);
    }
    return mean_of(&sums);
}

static struct history_sample fold_minutes(const struct history_series *series, uint64_t first,
                                          uint64_t end) {
    struct sums sums = {0};
    uint64_t newest = series->last_s / MINUTE_S; // not ended yet
    uint64_t oldest = newest >= HISTORY_MINUTES ? newest - HISTORY_MINUTES + 1 : 0;
    oldest = oldest > series->from_s / MINUTE_S ? oldest : series->from_s / MINUTE_S;
    first = first > oldest ? first : oldest;
    for (uint64_t at = first; at < end && at < newest; at++) {
        add_sample(&sums, &series->minutes[at % HISTORY_MINUTES]);
    }
    return mean_of(&sums);
}

struct history_sample history_at(const struct history_series *series, uint64_t now_ns,
                                 uint64_t ago_s, uint64_t step_s) {
    uint64_t now_s = now_ns / NS_PER_S;
    uint64_t begin_s = now_s > ago_s ? now_s - ago_s : 0;
    if (ago_s <= HISTORY_SECONDS) {
        return fold_seconds(series, begin_s, begin_s + step_s);
    }
    uint64_t first = begin_s / MINUTE_S;
    uint64_t minutes = (step_s + MINUTE_S - 1) / MINUTE_S;
    return fold_minutes(series, first,
                        first + (minutes < HISTORY_MINUTES ? minutes : HISTORY_MINUTES));
}
