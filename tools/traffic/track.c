// SPDX-License-Identifier: Apache-2.0
#include "track.h"

#include <stdbool.h>
#include <string.h>

static bool take_bit(struct track *track, uint64_t wire) {
    uint64_t *word = &track->seen[wire % TRACK_WINDOW / 64];
    uint64_t bit = 1ULL << wire % 64;
    bool was_set = (*word & bit) != 0;
    *word |= bit;
    return was_set;
}

// Numbers enter the window as new ones: forget what stood in their places.
static void advance(struct track *track, uint64_t end) {
    if (end - track->end >= TRACK_WINDOW) {
        memset(track->seen, 0, sizeof track->seen);
    } else {
        for (uint64_t wire = track->end; wire < end; wire++) {
            track->seen[wire % TRACK_WINDOW / 64] &= ~(1ULL << wire % 64);
        }
    }
    track->end = end;
}

void track_packet(struct track *track, uint64_t wire) {
    if (wire >= track->end) {
        advance(track, wire + 1);
        take_bit(track, wire);
        track->distinct++;
        return;
    }
    if (track->end - wire <= TRACK_WINDOW && take_bit(track, wire)) {
        track->duplicate++;
        return;
    }
    track->distinct++;
    track->reordered++;
}

uint64_t track_lost(const struct track *track) {
    return track->end > track->distinct ? track->end - track->distinct : 0;
}

void silence_packet(struct silence *silence, uint64_t at_ns) {
    if (silence->first_at_ns == 0) {
        silence->first_at_ns = at_ns;
    } else if (silence->last_at_ns != 0 && at_ns > silence->last_at_ns &&
               at_ns - silence->last_at_ns > silence->longest_ns) {
        silence->longest_ns = at_ns - silence->last_at_ns;
        silence->longest_at_ns = silence->last_at_ns;
    }
    if (at_ns > silence->last_at_ns) {
        silence->last_at_ns = at_ns;
    }
}

void silence_break(struct silence *silence) {
    silence->last_at_ns = 0;
}
