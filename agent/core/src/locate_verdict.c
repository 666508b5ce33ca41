// SPDX-License-Identifier: Apache-2.0
// From scores to verdicts, and back when a fault is over.
#include <math.h>

#include "locate_internal.h"

// What a search over all suspects and rates may find by chance, in nats: against confidence.
#define SEARCHED 9.0
#define CONFIDENCE_MAX_PPM 999999
#define DECIDE_RUN 3 // losses in a row that may be the beginning of a dead link

void locate_tell(struct locate *locate, const struct locate_verdict *verdict) {
    if (locate->verdict_count == LOCATE_VERDICTS) { // the oldest gives way
        locate->verdict_first = (locate->verdict_first + 1) % LOCATE_VERDICTS;
        locate->verdict_count--;
    }
    locate->verdicts[(locate->verdict_first + locate->verdict_count++) % LOCATE_VERDICTS] =
        *verdict;
}

// The score of a suspect without all others that are guilty whether it is guilty or not: two cut
// links may between them explain all that a NIC lost.
static double score_alone(struct locate *locate, uint32_t index) {
    for (unsigned pass = 0; pass < 2; pass++) { // marks must not count while they are made
        for (uint32_t i = 0; i < locate->live_count; i++) {
            struct locate_suspect *suspect = &locate->suspects[locate->live[i]];
            if (pass == 0) {
                suspect->tally =
                    locate->live[i] != index &&
                    locate_strength(suspect, locate_is_switch(locate, locate->live[i]), NULL) >=
                        LOCATE_MARGIN &&
                    locate_score_without(locate, locate->live[i], index) >= LOCATE_MARGIN;
            } else {
                suspect->mark = (uint8_t)suspect->tally;
                suspect->tally = 0;
            }
        }
    }
    double score = locate_score_without(locate, index, UINT32_MAX);
    for (uint32_t i = 0; i < locate->live_count; i++) {
        locate->suspects[locate->live[i]].mark = 0;
    }
    return score;
}

// Whether no loop crosses one and not the other.
static bool inseparable(const struct locate *locate, uint32_t a, uint32_t b, bool usable_only) {
    for (unsigned turn = 0; turn < 2; turn++) {
        uint32_t one = turn == 0 ? a : b, other = turn == 0 ? b : a;
        for (uint32_t i = locate->first_loop[one]; i < locate->first_loop[one + 1]; i++) {
            uint32_t loop = locate->loops_of[i];
            if ((!usable_only || locate->loops[loop].blocked == 0) &&
                !locate_crosses(locate, loop, other)) {
                return false;
            }
        }
    }
    return true;
}

// What speaks for a suspect, in nats.
static double strength_of(const struct locate *locate, uint32_t index) {
    return locate_name(locate, index).place == LOCATE_LINK
               ? locate_pooled_strength(locate, index) // of others there are no hints
               : locate_strength(&locate->suspects[index], locate_is_switch(locate, index), NULL);
}

// How far one is ahead of another, its losses that do not cross the other one put together.
static double gap_to(const struct locate *locate, uint32_t index, uint32_t other, bool hard) {
    double favour = locate_largest_favour(locate, index, other) - LOCATE_TRUST;
    double gap =
        strength_of(locate, index) - strength_of(locate, other) - (favour > 0 ? favour : 0);
    double needed = hard ? LOCATE_HARD_MARGIN : LOCATE_MARGIN;
    if (hard && locate_name(locate, index).place == LOCATE_LINK &&
        !locate_has_answered(locate, other)) { // only what the other did not lose speaks
        double apart = locate_told_apart(locate, index, other);
        return apart > 0 ? apart : gap;
    }
    double alone = gap < needed ? locate_score_without(locate, index, other) : gap;
    return alone > 0 && alone > gap ? alone : gap;
}

// The least of its gaps to all others, but for those that no loop tells from it (*tied: whether
// there are any); one that is less than enough may come instead.
static double lead_of(const struct locate *locate, uint32_t index, bool hard, double enough,
                      bool *tied) {
    double needed = hard ? LOCATE_HARD_MARGIN : LOCATE_MARGIN;
    double lead = strength_of(locate, index);
    for (uint32_t i = 0; i < locate->live_count; i++) {
        uint32_t other = locate->live[i];
        double gap = other == index ? lead : gap_to(locate, index, other, hard);
        if (gap >= lead) {
            continue;
        }
        if (hard && gap < needed && locate_has_answered(locate, other) &&
            locate_pair_beats(locate, other, index)) {
            continue; // it lost what this and one more did: a cable cut both ways
        }
        if (gap < needed && inseparable(locate, index, other, true)) {
            *tied = true;
            continue;
        }
        lead = gap;
        if (lead < enough) {
            break;
        }
    }
    return lead;
}

static uint32_t confidence_ppm(double lead) {
    double doubt = exp(-lead);
    double ppm = 1e6 * (1 - doubt);
    return ppm < 0 ? 0 : ppm > CONFIDENCE_MAX_PPM ? CONFIDENCE_MAX_PPM : (uint32_t)ppm;
}

static void list_tied(const struct locate *locate, uint32_t index, struct locate_verdict *verdict) {
    uint32_t loop = locate->loops_of[locate->first_loop[index]];
    const uint32_t *crossed = locate_crossed(locate, loop);
    for (uint32_t i = 0; i < locate->loops[loop].count; i++) {
        if (crossed[i] == index || inseparable(locate, index, crossed[i], false)) {
            if (verdict->tied_count < LOCATE_TIED_MAX) {
                verdict->tied[verdict->tied_count] = locate_name(locate, crossed[i]);
            }
            verdict->tied_count++;
        }
    }
}

static struct locate_verdict describe(const struct locate *locate, uint32_t index) {
    const struct locate_suspect *suspect = &locate->suspects[index];
    struct locate_verdict verdict = {
        .fault = suspect->fault,
        .what = locate_name(locate, index),
        .sent = (uint32_t)(suspect->sent - suspect->sent_before),
        .lost = (uint32_t)(suspect->lost - suspect->lost_before),
        .confidence_ppm = suspect->fault == LOCATE_WELL ? 0 : confidence_ppm(suspect->lead),
    };
    verdict.loss_ppm =
        verdict.sent == 0 ? 0 : (uint32_t)((uint64_t)verdict.lost * 1000000 / verdict.sent);
    if (suspect->tied) {
        list_tied(locate, index, &verdict);
        verdict.what.place = LOCATE_UNKNOWN;
    }
    return verdict;
}

void locate_block(struct locate *locate, uint32_t index, bool block) {
    for (uint32_t i = locate->first_loop[index]; i < locate->first_loop[index + 1]; i++) {
        struct locate_loop *loop = &locate->loops[locate->loops_of[i]];
        loop->blocked = block ? loop->blocked + 1 : loop->blocked - 1;
    }
    locate->fault_count = block ? locate->fault_count + 1 : locate->fault_count - 1;
}

// Takes what the fault explains from all others, and the fault itself from the suspects.
static void explain_away(struct locate *locate, uint32_t index) {
    struct locate_suspect *suspect = &locate->suspects[index];
    uint64_t remembered = locate->loss_count < LOCATE_LOSSES ? locate->loss_count : LOCATE_LOSSES;
    for (uint64_t n = locate->loss_count - remembered; n < locate->loss_count; n++) {
        const struct locate_loss *loss = &locate->losses[n % LOCATE_LOSSES];
        if (loss->counted && locate_crosses(locate, loss->loop, index)) {
            locate_take_back(locate, n, index);
        }
    }
    locate_drop(locate, index);
    suspect->run = suspect->good_run = 0;
    suspect->clear = 0;
}

// What answers are weighed against to find it well again: less than was measured on few losses.
static double rate_to_clear(const struct locate_suspect *suspect, enum locate_fault fault) {
    double sent = (double)(suspect->sent - suspect->sent_before);
    double lost = (double)(suspect->lost - suspect->lost_before);
    double least = locate_rates[LOCATE_RATES - 1];
    double rate = fault == LOCATE_DOWN ? locate_rates[0] : lost / sent / 2;
    return rate > least ? rate : least;
}

static void name_fault(struct locate *locate, uint32_t index, enum locate_fault fault,
                       double lead) {
    struct locate_suspect *suspect = &locate->suspects[index];
    double strength = locate_strength(suspect, locate_is_switch(locate, index), NULL);
    suspect->fault = fault;
    suspect->rate = rate_to_clear(suspect, fault);
    suspect->lead = lead < strength - SEARCHED ? lead : strength - SEARCHED;
    struct locate_verdict verdict = describe(locate, index);
    explain_away(locate, index);
    locate->hint_count = 0; // they may have spoken of this fault
    locate_block(locate, index, true);
    locate->planned = false;
    locate->repeats_left = 0;
    locate_tell(locate, &verdict);
}

// Enough evidence, and it is clear by now whether all is lost.
static bool is_ripe(const struct locate *locate, uint32_t index, uint32_t *rate) {
    const struct locate_suspect *suspect = &locate->suspects[index];
    bool is_switch = locate_is_switch(locate, index);
    double strength = locate_strength(suspect, is_switch, rate);
    *rate = suspect->primed > 0 ? locate_own_rate(suspect) : *rate;
    bool undecided = (*rate == 0 || suspect->run >= DECIDE_RUN) && suspect->run < LOCATE_DOWN_RUN;
    return strength >= LOCATE_OWN && strength_of(locate, index) >= LOCATE_ACCEPT && !undecided &&
           (!is_switch || suspect->spread);
}

// Whether the suspect is guilty by now; then says so.
static bool judge_one(struct locate *locate, uint32_t index) {
    struct locate_suspect *suspect = &locate->suspects[index];
    uint32_t rate;
    if (!is_ripe(locate, index, &rate)) {
        return false;
    }
    bool tied = false, is_switch = locate_is_switch(locate, index);
    double ahead = rate == 0 ? LOCATE_HARD_MARGIN : LOCATE_MARGIN;
    bool may_give_up = locate_strength(suspect, is_switch, NULL) >= LOCATE_GIVE_UP;
    double lead = lead_of(locate, index, rate == 0, may_give_up ? 0 : ahead, &tied);
    if (lead < (may_give_up ? 0 : ahead)) {
        return false; // who is ahead of it comes first
    }
    // A NIC has a loop of its own: it waits until no two links explain what it lost.
    bool is_nic = locate_name(locate, index).place == LOCATE_HOST;
    bool doubtful = is_nic && locate_pair_explains(locate, index);
    double needed = suspect->primed > 0 ? LOCATE_OWN : LOCATE_MARGIN;
    bool convicted = !doubtful && lead >= ahead && score_alone(locate, index) >= needed;
    if (!convicted && !may_give_up) {
        return false;
    }
    if (!is_switch && locate_pair_beats(locate, index, UINT32_MAX)) {
        return false; // two faults look like this third one
    }
    suspect->tied = tied || lead < LOCATE_MARGIN;
    name_fault(locate, index, rate == 0 ? LOCATE_DOWN : LOCATE_LOSSY, lead);
    return true;
}

void locate_judge(struct locate *locate) {
    for (uint32_t i = 0; i < locate->live_count;) {
        // A verdict changes who is under suspicion: from the start again.
        i = judge_one(locate, locate->live[i]) ? 0 : i + 1;
    }
}

static void judge_well(struct locate *locate, uint32_t index) {
    struct locate_suspect *suspect = &locate->suspects[index];
    enum locate_fault was = suspect->fault;
    suspect->fault = LOCATE_WELL;
    struct locate_verdict verdict = describe(locate, index);
    verdict.was = was;
    suspect->tied = false;
    locate_block(locate, index, false);
    locate_tell(locate, &verdict);
}

// The fault on a loop that crosses exactly one.
static uint32_t fault_on(const struct locate *locate, uint32_t loop) {
    const uint32_t *crossed = locate_crossed(locate, loop);
    uint32_t i = 0;
    while (locate->suspects[crossed[i]].fault == LOCATE_WELL) {
        i++;
    }
    return crossed[i];
}

void locate_judge_fault(struct locate *locate, uint32_t loop, bool lost) {
    if (locate->loops[loop].blocked != 1) {
        return;
    }
    uint32_t index = fault_on(locate, loop);
    struct locate_suspect *suspect = &locate->suspects[index];
    suspect->sent++;
    if (!lost) {
        suspect->run = 0;
        suspect->good_run++;
        suspect->clear -= log1p(-suspect->rate);
        if (suspect->clear >= LOCATE_CLEAR && suspect->good_run >= LOCATE_CLEAR_RUN) {
            judge_well(locate, index);
        }
        return;
    }
    suspect->lost++;
    suspect->run++;
    suspect->good_run = 0;
    double clear = suspect->clear - log(suspect->rate / locate->background);
    suspect->clear = clear > 0 ? clear : 0;
    if (suspect->fault == LOCATE_LOSSY && suspect->run >= LOCATE_DOWN_RUN) {
        suspect->fault = LOCATE_DOWN;
        suspect->rate = rate_to_clear(suspect, LOCATE_DOWN);
        struct locate_verdict verdict = describe(locate, index);
        locate_tell(locate, &verdict);
    }
}

void locate_explain(const struct locate *locate, link_id link, struct locate_verdict *verdict) {
    uint32_t index =
        fabric_link_is_internal(locate->fabric, link) ? link.i : link_of(link_cable(link), false).i;
    const struct locate_delay *delay = &locate->delays[index];
    *verdict = describe(locate, index);
    if (verdict->fault == LOCATE_WELL && delay->slow) {
        verdict->fault = LOCATE_SLOW;
        verdict->excess_ns = delay->usual > 0 ? (uint64_t)delay->usual : 0;
    }
}

bool locate_is_faulty(const struct locate *locate, const struct locate_suspect_name *what,
                      bool slow) {
    bool is_switch = what->link.i == ID_NONE;
    uint32_t index = is_switch ? locate->link_count + what->node.i : what->link.i;
    return slow ? !is_switch && locate->delays[index].slow
                : locate->suspects[index].fault != LOCATE_WELL;
}
