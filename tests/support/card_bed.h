// SPDX-License-Identifier: Apache-2.0
// A software eSwitch inside the test, on a thread: libfakecx.so tells it what the library accepted,
// and the test sends frames through it. Between two changes of the rules, a watcher may look too.
//
// Frames: Ethernet, IPv4 or IPv6, UDP, a BTH.
#ifndef CARD_BED_H
#define CARD_BED_H

#include "softcx_model.h"

#define CARD_FRAME_ROOM 256

typedef void card_watch_fn(void *context);

// Before the library is used. Ends with the process.
void card_bed_start(void);
// Called after each change, on the card's thread, while the changer waits; NULL: nobody.
void card_bed_watch(card_watch_fn *watch, void *context);
// Rules added and removed since the last call of this function.
void card_bed_take_changes(unsigned *added, unsigned *removed);
unsigned card_bed_rule_count(void);
// The card hears of a closed device a moment later: asserts that it soon has no rule.
void card_bed_expect_empty(void);

struct card_frame {
    uint8_t room[CARD_FRAME_ROOM + 256]; // the frame begins at CARD_FRAME_ROOM
    size_t size;
};

struct card_flow {
    uint8_t destination[16]; // as rule_match
    uint8_t traffic_class;
    uint16_t sport, dport;
    uint32_t qp;
};

void card_frame_build(const struct card_flow *flow, struct card_frame *out);
// What the card does to it. *frame and *size: what comes out, in `frame->room`.
struct softcx_result card_bed_send(struct card_frame *frame, uint16_t source, const uint8_t **out,
                                   size_t *size);

#endif
