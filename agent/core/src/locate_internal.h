// SPDX-License-Identifier: Apache-2.0
// Inside of localization: what its files share. Suspects are numbered: a directed link between
// switches by its own number, a NIC by that of its host's link upwards, a switch by the number of
// links plus its own.
#ifndef AGENT_CORE_LOCATE_INTERNAL_H
#define AGENT_CORE_LOCATE_INTERNAL_H

#include "locate.h"

#define LOCATE_RATES 7
#define LOCATE_ACCEPT 18.0 // nats: a chance of 1.5e-8 that the background did it
#define LOCATE_MARGIN 9.0  // nats ahead of any other suspect
#define LOCATE_HARD_MARGIN                                                                         \
    15.0                     // of what loses all: more than one loss, which a second fault may do
#define LOCATE_PEER_MAX 18.0 // nats of a score that one other host may give
#define LOCATE_TRUST 5.0     // nats of a lead that one other host may give
#define LOCATE_OWN 4.0       // nats that must be seen here: a loss
#define LOCATE_HINT_LINKS 6  // of a loop of another host
#define LOCATE_HINTS 256     // kept, by suspect and host
#define LOCATE_GIVE_UP 400.0 // nats after which no more is spent on telling suspects apart
#define LOCATE_OPEN 1.3      // nats above which a suspect is worth a probe
#define LOCATE_DOWN_RUN 8    // losses in a row; what loses 30 % does that once in 15,000 times
#define LOCATE_CLEAR 14.0    // nats for well again
#define LOCATE_CLEAR_RUN 10  // and so many answers in a row
#define LOCATE_REPEATS 3     // after a loss, at once
#define LOCATE_LOSSES 256    // remembered
#define LOCATE_BACKGROUND_EVERY 8 // of the choices while there are suspects
#define LOCATE_RECHECK_EVERY 16   // of the choices while there are faults
#define LOCATE_LATE_NS 1000000
#define LOCATE_WINDOW 32 // delays of a link
#define LOCATE_CLASS_WINDOW 64
#define LOCATE_SLOW_WINDOWS 3
#define LOCATE_VERDICTS 64

struct locate_loop {
    uint32_t first, count; // suspects crossed, in loop_suspects
    uint32_t prober;       // the NIC's suspect number
    uint32_t peers;        // delay class
    uint32_t blocked;      // faults that it crosses
    uint8_t link_count;
    bool on_demand;
    bool hairpin; // crosses some cable in both directions
};

struct locate_suspect {
    double score[LOCATE_RATES];               // falling loss rate; 0: all
    uint64_t sent, lost;                      // ever
    uint64_t sent_before, lost_before, since; // the last: first loss of the suspicion, by number
    uint32_t run;                             // losses in a row, none of them void
    uint32_t good_run;                        // answers in a row, of a fault
    float primed;                             // nats of the score that hints gave
    uint32_t live_slot;                       // place in `live`, when under suspicion
    bool live;
    bool spread;    // of a switch: it takes many single suspects to explain its losses
    bool tied;      // the fault is one of several that no loop tells apart
    uint8_t mark;   // scratch: number of the hypothesis, from 1
    uint16_t tally; // scratch
    bool refuted;   // scratch: explains all losses in question, but answered too often
    enum locate_fault fault;
    double rate;  // of the fault
    double clear; // score of "well again"
    double lead;  // how far it was ahead when it was named
};

// What another host's losses gave to the score of a suspect.
struct locate_hint {
    uint32_t suspect, peer;
    double nats[LOCATE_RATES];
};

struct locate_loss {
    uint32_t loop;
    uint64_t sent_at_ns;
    bool counted; // false: taken back, or explained
};

// Delays of one directed link between switches.
struct locate_delay {
    int32_t samples[LOCATE_WINDOW];
    uint32_t count;
    int32_t usual; // lower quartile of the last window
    int32_t least; // lowest tenth of it
    bool full;     // at least one window
    uint32_t slow_run, fine_run;
    bool slow;
};

// Delays of all loops that leave one leaf over as many links.
struct locate_class {
    uint32_t leaf, link_count;
    int32_t samples[LOCATE_CLASS_WINDOW];
    uint32_t count; // ever
    int32_t median;
};

struct locate {
    const struct fabric *fabric;
    double background;
    uint32_t link_count, suspect_count, loop_count, background_count, class_count;
    struct locate_loop *loops;
    uint32_t *loop_suspects;
    uint32_t *background_loops;
    uint32_t *first_loop, *loops_of; // by suspect, suspect_count + 1; loops that cross it
    struct locate_suspect *suspects;
    uint32_t *live;
    uint32_t live_count, fault_count;
    struct locate_delay *delays; // by link
    struct locate_class *classes;
    double gain[WALK_LINKS_MAX + 1][LOCATE_RATES]; // of a loss over so many links
    double cost[LOCATE_RATES];                     // of an answer
    struct locate_loss losses[LOCATE_LOSSES];
    uint64_t loss_count; // ever
    struct locate_hint hints[LOCATE_HINTS];
    uint32_t hint_count;
    uint32_t repeat_loop, repeats_left;
    uint32_t planned_loop, planned_left;
    uint32_t probes_since_loss;
    bool planned, started;
    uint64_t choices;
    uint32_t cursor, recheck_cursor;
    struct locate_verdict verdicts[LOCATE_VERDICTS];
    uint32_t verdict_first, verdict_count;
};

extern const double locate_rates[LOCATE_RATES];

static inline bool locate_is_switch(const struct locate *locate, uint32_t suspect) {
    return suspect >= locate->link_count;
}
static inline const uint32_t *locate_crossed(const struct locate *locate, uint32_t loop) {
    return &locate->loop_suspects[locate->loops[loop].first];
}
// Whether a probe over the suspect was answered since the first loss of the suspicion.
static inline bool locate_has_answered(const struct locate *locate, uint32_t index) {
    const struct locate_suspect *suspect = &locate->suspects[index];
    return suspect->sent - suspect->sent_before > suspect->lost - suspect->lost_before;
}
bool locate_crosses(const struct locate *locate, uint32_t loop, uint32_t suspect);
struct locate_suspect_name locate_name(const struct locate *locate, uint32_t suspect);

// evidence: scores
// The best score among the rates that count for the suspect, and which rate that is.
double locate_strength(const struct locate_suspect *suspect, bool is_switch, uint32_t *rate);
// Whether two other suspects, no switches, would explain all that a suspect lost lately.
bool locate_pair_explains(struct locate *locate, uint32_t suspect);
// Whether all that `rival` lost lately is better explained by two others that are no switches:
// `index` and one more, or any two when that is UINT32_MAX.
bool locate_pair_beats(const struct locate *locate, uint32_t rival, uint32_t index);
// The score that a suspect has from losses which neither another one nor any that is marked
// explains.
double locate_score_without(const struct locate *locate, uint32_t index, uint32_t other);
// The same, and hardly anything as long as all of them are of one loop where there are others: a
// loss is repeated at once, and some second fault on that loop may have done it.
double locate_told_apart(const struct locate *locate, uint32_t index, uint32_t other);
void locate_begin_suspicion(struct locate *locate, uint32_t suspect);
// Adds to all scores; those that fall below zero stay there, and a suspect without any is cleared.
void locate_add(struct locate *locate, uint32_t suspect, const double *amounts, double sign);
void locate_count_answer(struct locate *locate, uint32_t loop);
void locate_count_loss(struct locate *locate, const struct locate_result *result);
// Takes back what the loss says of all but one suspect.
void locate_take_back(struct locate *locate, uint64_t number, uint32_t except);
// The most that a single other host speaks for one suspect rather than for another, in nats.
double locate_largest_favour(const struct locate *locate, uint32_t suspect, uint32_t other);
// The rate of the best score, hints left aside.
uint32_t locate_own_rate(const struct locate_suspect *suspect);
// The best score of a link together with what other hosts say of it.
double locate_pooled_strength(const struct locate *locate, uint32_t suspect);
void locate_forget_hints_of(struct locate *locate, uint32_t suspect);
void locate_drop(struct locate *locate, uint32_t suspect); // from the suspects
// All loops over the suspect say nothing of others (or do again): it is a known fault.
void locate_block(struct locate *locate, uint32_t suspect, bool block);

// verdicts
void locate_judge(struct locate *locate);
void locate_judge_fault(struct locate *locate, uint32_t loop, bool lost);
void locate_tell(struct locate *locate, const struct locate_verdict *verdict);

// delays
void locate_count_delay(struct locate *locate, uint32_t loop, uint64_t delay_ns);

#endif
