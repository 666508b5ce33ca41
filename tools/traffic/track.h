// SPDX-License-Identifier: Apache-2.0
// What a receiver learns from the wire sequence of a QP: lost, reordered, duplicate, silence.
//
// Every packet of a QP carries a number that its sender never uses twice. A number that is missing
// when the flow ends was lost on the wire; one that comes after a higher one was reordered; one
// that comes again was duplicated by the network. Memory is fixed: beyond TRACK_WINDOW a late
// packet is still counted as reordered, but a duplicate can no longer be told from it.
//
// Pure. Instants are arrival times in nanoseconds of one clock.
#ifndef TRAFFIC_TRACK_H
#define TRAFFIC_TRACK_H

#include <stdint.h>

#define TRACK_WINDOW 4096

struct track {
    uint64_t end; // one past the highest number seen; 0: none yet
    uint64_t distinct, reordered, duplicate;
    uint64_t seen[TRACK_WINDOW / 64]; // by number modulo TRACK_WINDOW
};

void track_packet(struct track *track, uint64_t wire);
uint64_t track_lost(const struct track *track);

struct silence {
    uint64_t first_at_ns, last_at_ns;   // 0: nothing yet
    uint64_t longest_ns, longest_at_ns; // the longest gap, and when it began
};

void silence_packet(struct silence *silence, uint64_t at_ns);
// What follows is another run of the sender: the time until then is no silence.
void silence_break(struct silence *silence);

#endif
