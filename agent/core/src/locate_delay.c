// SPDX-License-Identifier: Apache-2.0
// Slow links: delays against the leaf's own median, by directed link.
#include <stdlib.h>
#include <string.h>

#include "locate_internal.h"

#define CLASS_EVERY 16 // samples between two looks at the median of a class
#define SLOW_NS 2000
#define SLOW_DEVIATIONS 6
#define NORMAL_DEVIATION_PERMILLE 1483 // of the median absolute deviation, for a normal law
#define DEVIATION_MIN_NS 100           // timestamps are no better
#define LEAST_SHARE 10                 // of a window: one that got through by luck does not count
#define PEERS_MAX 256
#define PEERS_MIN 3
#define CONFIDENT_PPM 999000

static int compare(const void *a, const void *b) {
    const int32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

// Sorts them.
static int32_t median_of(int32_t *values, uint32_t count) {
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

// A slow link delays all that crosses it; a link that is not may share half of its loops with one
// that is. And a host or a switch that is busy delays many, but never for long all: some find it
// idle, and their delays, the least ones, are those of a link that is well.
static void sum_up(struct locate_delay *delay) {
    qsort(delay->samples, LOCATE_WINDOW, sizeof delay->samples[0], compare);
    delay->usual = delay->samples[LOCATE_WINDOW / 4];
    delay->least = delay->samples[LOCATE_WINDOW / LEAST_SHARE];
    delay->count = 0;
    delay->full = true;
}

static int32_t class_excess(struct locate_class *class, uint64_t delay_ns) {
    int32_t delay = delay_ns > INT32_MAX ? INT32_MAX : (int32_t)delay_ns;
    class->samples[class->count++ % LOCATE_CLASS_WINDOW] = delay;
    if (class->count % CLASS_EVERY == 0 && class->count >= LOCATE_CLASS_WINDOW) {
        int32_t sorted[LOCATE_CLASS_WINDOW];
        memcpy(sorted, class->samples, sizeof sorted);
        class->median = median_of(sorted, LOCATE_CLASS_WINDOW);
    }
    return delay - class->median;
}

// The last medians of the other links of either end.
static uint32_t medians_around(const struct locate *locate, uint32_t link, int32_t *medians) {
    const struct fabric *fabric = locate->fabric;
    const node_id ends[] = {fabric_link_from(fabric, (link_id){link}),
                            fabric_link_to(fabric, (link_id){link})};
    uint32_t count = 0;
    for (unsigned end = 0; end < 2; end++) {
        const struct fabric_node *node = &fabric->nodes[ends[end].i];
        for (uint32_t i = 0; i < node->adjacency_count && count < PEERS_MAX - 1; i++) {
            link_id out = fabric->adjacencies[node->first_adjacency + i].link;
            for (unsigned direction = 0; direction < 2; direction++) {
                uint32_t peer = direction == 0 ? out.i : link_opposite(out).i;
                if (peer != link && locate->delays[peer].full) {
                    medians[count++] = locate->delays[peer].usual;
                }
            }
        }
    }
    return count;
}

static bool is_slow(const struct locate *locate, uint32_t link) {
    int32_t medians[PEERS_MAX];
    uint32_t count = medians_around(locate, link, medians);
    if (count < PEERS_MIN) {
        return false;
    }
    int32_t usual = median_of(medians, count);
    for (uint32_t i = 0; i < count; i++) {
        medians[i] = abs(medians[i] - usual);
    }
    int64_t deviation = (int64_t)median_of(medians, count) * NORMAL_DEVIATION_PERMILLE / 1000;
    deviation = deviation > DEVIATION_MIN_NS ? deviation : DEVIATION_MIN_NS;
    // What is slow already stays so while most is: what adds to the delay may come and go.
    const struct locate_delay *delay = &locate->delays[link];
    int64_t excess = (int64_t)(delay->slow ? delay->usual : delay->least) - usual;
    return excess > SLOW_NS && excess > SLOW_DEVIATIONS * deviation;
}

// Whether another link that looks slow shares more than half of this one's loops.
static bool is_shared(const struct locate *locate, uint32_t link, uint32_t other) {
    uint32_t count = 0, shared = 0;
    for (uint32_t i = locate->first_loop[link]; i < locate->first_loop[link + 1]; i++) {
        uint32_t loop = locate->loops_of[i];
        if (!locate->loops[loop].hairpin && !locate->loops[loop].on_demand) {
            count++;
            shared += locate_crosses(locate, loop, other);
        }
    }
    return other != link && 2 * shared > count;
}

static void list_shared(const struct locate *locate, uint32_t link,
                        struct locate_verdict *verdict) {
    verdict->tied[verdict->tied_count++] = locate_name(locate, link);
    for (uint32_t other = 0; other < locate->link_count; other++) {
        if (locate->delays[other].slow_run > 0 && is_shared(locate, link, other) &&
            verdict->tied_count < LOCATE_TIED_MAX) {
            verdict->tied[verdict->tied_count++] = locate_name(locate, other);
        }
    }
    if (verdict->tied_count == 1) {
        verdict->tied_count = 0;
    } else {
        verdict->what.place = LOCATE_UNKNOWN;
    }
}

static void tell_slow(struct locate *locate, uint32_t link, bool slow) {
    struct locate_delay *delay = &locate->delays[link];
    delay->slow = slow;
    struct locate_verdict verdict = {
        .fault = slow ? LOCATE_SLOW : LOCATE_WELL,
        .was = slow ? LOCATE_WELL : LOCATE_SLOW,
        .what = locate_name(locate, link),
        .sent = LOCATE_SLOW_WINDOWS,
        .excess_ns = delay->usual > 0 ? (uint64_t)delay->usual : 0,
        .confidence_ppm = CONFIDENT_PPM,
    };
    if (slow) {
        list_shared(locate, link, &verdict);
    }
    locate_tell(locate, &verdict);
}

static void close_window(struct locate *locate, uint32_t link) {
    struct locate_delay *delay = &locate->delays[link];
    sum_up(delay);
    bool slow = is_slow(locate, link);
    delay->slow_run = slow ? delay->slow_run + 1 : 0;
    delay->fine_run = slow ? 0 : delay->fine_run + 1;
    if (!delay->slow && delay->slow_run >= LOCATE_SLOW_WINDOWS) {
        tell_slow(locate, link, true);
    } else if (delay->slow && delay->fine_run >= LOCATE_SLOW_WINDOWS) {
        tell_slow(locate, link, false);
    }
}

void locate_count_delay(struct locate *locate, uint32_t loop_index, uint64_t delay_ns) {
    const struct locate_loop *loop = &locate->loops[loop_index];
    // A loop that goes to and fro over a cable does not say in which direction it was slow.
    // What is probed for its losses would fill the leaf's median with one loop.
    bool asked = loop_index == locate->planned_loop || loop_index == locate->repeat_loop;
    if (delay_ns == 0 || loop->hairpin || asked) {
        return;
    }
    struct locate_class *class = &locate->classes[loop->peers];
    int32_t excess = class_excess(class, delay_ns);
    if (class->count < LOCATE_CLASS_WINDOW) {
        return;
    }
    const uint32_t *crossed = locate_crossed(locate, loop_index);
    for (uint32_t i = 0; i < loop->count; i++) {
        if (locate_is_switch(locate, crossed[i]) || crossed[i] == loop->prober) {
            continue;
        }
        struct locate_delay *delay = &locate->delays[crossed[i]];
        delay->samples[delay->count++] = excess;
        if (delay->count == LOCATE_WINDOW) {
            close_window(locate, crossed[i]);
        }
    }
}
