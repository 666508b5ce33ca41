// SPDX-License-Identifier: Apache-2.0
// Scores of suspects: what answers and losses say for and against each.
#include <string.h>

#include "locate_internal.h"

// A switch is to blame when it takes so many single suspects to explain what it lost: half of its
// cables to other switches, within these bounds.
#define SPREAD_MIN 3
#define SPREAD_MAX 6
#define SPREAD_LOSSES 64 // the latest

// The first stands for "all": an answer must weigh more than a loss, or what loses half would count
// as down.
const double locate_rates[LOCATE_RATES] = {0.999999, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001};

double locate_strength(const struct locate_suspect *suspect, bool is_switch, uint32_t *rate) {
    uint32_t best = 0;
    // A switch that loses a little of everything is believed only when its losses are spread.
    uint32_t rates = is_switch && !suspect->spread ? 1 : LOCATE_RATES;
    for (uint32_t i = 1; i < rates; i++) {
        best = suspect->score[i] > suspect->score[best] ? i : best;
    }
    if (rate != NULL) {
        *rate = best;
    }
    return suspect->score[best];
}

void locate_begin_suspicion(struct locate *locate, uint32_t index) {
    struct locate_suspect *suspect = &locate->suspects[index];
    if (suspect->live) {
        return;
    }
    suspect->live = true;
    suspect->live_slot = locate->live_count;
    locate->live[locate->live_count++] = index;
    suspect->sent_before = suspect->sent;
    suspect->lost_before = suspect->lost;
    suspect->since = locate->loss_count;
    suspect->spread = false;
    suspect->primed = 0;
}

static void end_suspicion(struct locate *locate, uint32_t index) {
    locate_forget_hints_of(locate, index);
    struct locate_suspect *suspect = &locate->suspects[index];
    uint32_t last = locate->live[--locate->live_count];
    locate->live[suspect->live_slot] = last;
    locate->suspects[last].live_slot = suspect->live_slot;
    suspect->live = false;
    suspect->run = 0;
}

void locate_drop(struct locate *locate, uint32_t index) {
    struct locate_suspect *suspect = &locate->suspects[index];
    memset(suspect->score, 0, sizeof suspect->score);
    if (suspect->live) {
        end_suspicion(locate, index);
    }
}

void locate_add(struct locate *locate, uint32_t index, const double *amounts, double sign) {
    struct locate_suspect *suspect = &locate->suspects[index];
    bool any = false;
    for (uint32_t i = 0; i < LOCATE_RATES; i++) {
        double score = suspect->score[i] + sign * amounts[i];
        suspect->score[i] = score > 0 ? score : 0;
        any = any || score > 0;
    }
    if (!any && suspect->live) {
        end_suspicion(locate, index);
    }
}

void locate_count_answer(struct locate *locate, uint32_t loop) {
    const uint32_t *crossed = locate_crossed(locate, loop);
    for (uint32_t i = 0; i < locate->loops[loop].count; i++) {
        struct locate_suspect *suspect = &locate->suspects[crossed[i]];
        suspect->sent++;
        suspect->run = 0;
        if (suspect->live) {
            locate_add(locate, crossed[i], locate->cost, -1);
        }
    }
}

// Whether a loop crosses a suspect that is marked as guilty in its own right.
static bool crosses_marked(const struct locate *locate, uint32_t loop) {
    const uint32_t *crossed = locate_crossed(locate, loop);
    for (uint32_t i = 0; i < locate->loops[loop].count; i++) {
        if (locate->suspects[crossed[i]].mark > 0) {
            return true;
        }
    }
    return false;
}

double locate_score_without(const struct locate *locate, uint32_t index, uint32_t other) {
    const struct locate_suspect *suspect = &locate->suspects[index];
    uint32_t rate;
    (void)locate_strength(suspect, locate_is_switch(locate, index), &rate);
    uint64_t remembered = locate->loss_count < LOCATE_LOSSES ? locate->loss_count : LOCATE_LOSSES;
    uint64_t answers =
        suspect->sent - suspect->sent_before - (suspect->lost - suspect->lost_before);
    double score = -(double)answers * locate->cost[rate];
    uint64_t first = locate->loss_count - remembered;
    for (uint64_t n = first > suspect->since ? first : suspect->since; n < locate->loss_count;
         n++) {
        const struct locate_loss *loss = &locate->losses[n % LOCATE_LOSSES];
        if (loss->counted && locate_crosses(locate, loss->loop, index) &&
            !locate_crosses(locate, loss->loop, other) && !crosses_marked(locate, loss->loop)) {
            score += locate->gain[locate->loops[loss->loop].link_count][rate];
        }
    }
    return score;
}

// Whether some loop that may be probed, but for one, crosses a suspect and not another.
static bool another_loop(const struct locate *locate, uint32_t index, uint32_t other,
                         uint32_t loop) {
    for (uint32_t i = locate->first_loop[index]; i < locate->first_loop[index + 1]; i++) {
        uint32_t candidate = locate->loops_of[i];
        if (candidate != loop && locate->loops[candidate].blocked == 0 &&
            !locate_crosses(locate, candidate, other)) {
            return true;
        }
    }
    return false;
}

double locate_told_apart(const struct locate *locate, uint32_t index, uint32_t other) {
    double score = locate_score_without(locate, index, other);
    uint64_t remembered = locate->loss_count < LOCATE_LOSSES ? locate->loss_count : LOCATE_LOSSES;
    uint32_t only = UINT32_MAX;
    for (uint64_t n = locate->loss_count - remembered; n < locate->loss_count && score > 0; n++) {
        const struct locate_loss *loss = &locate->losses[n % LOCATE_LOSSES];
        if (n < locate->suspects[index].since || !loss->counted ||
            !locate_crosses(locate, loss->loop, index) ||
            locate_crosses(locate, loss->loop, other)) {
            continue;
        }
        if (only != UINT32_MAX && only != loss->loop) {
            return score;
        }
        only = loss->loop;
    }
    bool more = only != UINT32_MAX && another_loop(locate, index, other, only);
    return more && score > LOCATE_MARGIN ? LOCATE_MARGIN : score;
}

// The suspect, no switch, that explains most of the open losses; what is likely for other reasons
// as well comes first, or a host that probed over two cut links would be taken for a third.
static uint32_t most_likely(struct locate *locate, const uint64_t *numbers, const bool *open,
                            uint32_t count) {
    uint32_t best = 0;
    double most = -1;
    for (uint32_t pass = 0; pass < 2; pass++) { // count; then look, and wipe
        for (uint32_t i = 0; i < count; i++) {
            uint32_t loop = locate->losses[numbers[i] % LOCATE_LOSSES].loop;
            const uint32_t *crossed = locate_crossed(locate, loop);
            for (uint32_t k = 0; k < locate->loops[loop].count; k++) {
                struct locate_suspect *suspect = &locate->suspects[crossed[k]];
                double value = suspect->tally * locate_strength(suspect, false, NULL);
                if (pass == 1 && value > most && !suspect->refuted &&
                    !locate_is_switch(locate, crossed[k])) {
                    most = value;
                    best = crossed[k];
                }
                suspect->tally = pass == 0 ? (uint16_t)(suspect->tally + open[i]) : 0;
            }
        }
    }
    return best;
}

// How many suspects that are no switches it takes to explain nine in ten of the switch's losses,
// taking the likeliest first; `enough` is enough.
static uint32_t explanations(struct locate *locate, const uint64_t *numbers, uint32_t count,
                             uint32_t enough) {
    bool open[SPREAD_LOSSES];
    uint32_t left = count, picked = 0;
    for (uint32_t i = 0; i < count; i++) {
        open[i] = true;
    }
    while (left > count / 10 && picked < enough) {
        uint32_t best = most_likely(locate, numbers, open, count);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t loop = locate->losses[numbers[i] % LOCATE_LOSSES].loop;
            if (open[i] && locate_crosses(locate, loop, best)) {
                open[i] = false;
                left--;
            }
        }
        picked++;
    }
    return picked;
}

// A cut cable is two suspects; all that enters a switch of two cables is two, too.
static uint32_t spread_needed(const struct locate *locate, uint32_t index) {
    const struct fabric *fabric = locate->fabric;
    const struct fabric_node *node = &fabric->nodes[index - locate->link_count];
    uint32_t cables = 0;
    for (uint32_t i = 0; i < node->adjacency_count; i++) {
        link_id link = fabric->adjacencies[node->first_adjacency + i].link;
        cables += fabric_link_is_internal(fabric, link);
    }
    if (cables < SPREAD_MIN) {
        return cables > 1 ? cables : SPREAD_MIN;
    }
    uint32_t half = cables / 2 > SPREAD_MIN ? cables / 2 : SPREAD_MIN;
    return half < SPREAD_MAX ? half : SPREAD_MAX;
}

// The latest losses of a suspicion, by number.
static uint32_t losses_over(const struct locate *locate, uint32_t index, uint64_t *numbers) {
    uint64_t first = locate->suspects[index].since;
    uint64_t remembered = locate->loss_count < LOCATE_LOSSES ? locate->loss_count : LOCATE_LOSSES;
    uint32_t count = 0;
    for (uint64_t n = locate->loss_count; n > locate->loss_count - remembered && n > first; n--) {
        const struct locate_loss *loss = &locate->losses[(n - 1) % LOCATE_LOSSES];
        if (count < SPREAD_LOSSES && loss->counted && locate_crosses(locate, loss->loop, index)) {
            numbers[count++] = n - 1;
        }
    }
    return count;
}

// The first loss that neither of two suspects explains; `count`: none.
static uint32_t unexplained(const struct locate *locate, const uint64_t *numbers, uint32_t count,
                            uint32_t one, uint32_t other) {
    uint32_t i = 0;
    while (i < count) {
        uint32_t loop = locate->losses[numbers[i] % LOCATE_LOSSES].loop;
        if (!locate_crosses(locate, loop, one) && !locate_crosses(locate, loop, other)) {
            break;
        }
        i++;
    }
    return i;
}

static double best_score(const struct locate_suspect *suspect) {
    double best = 0;
    for (uint32_t i = 0; i < LOCATE_RATES; i++) {
        best = suspect->score[i] > best ? suspect->score[i] : best;
    }
    return best;
}

// All losses that one host sees cross its own NIC. That explains nothing once the NIC answered so
// often that the suspect in question is far ahead of it.
static void mark_refuted(struct locate *locate, uint32_t index, const uint64_t *numbers,
                         uint32_t count) {
    double bar = best_score(&locate->suspects[index]) - LOCATE_MARGIN;
    for (uint32_t i = 0; i < locate->live_count; i++) {
        uint32_t other = locate->live[i];
        struct locate_suspect *suspect = &locate->suspects[other];
        suspect->refuted = other != index && best_score(suspect) < bar &&
                           unexplained(locate, numbers, count, other, other) == count;
    }
}

static void wipe_refuted(struct locate *locate) {
    for (uint32_t i = 0; i < locate->live_count; i++) {
        locate->suspects[locate->live[i]].refuted = false;
    }
}

static bool pair_explains(const struct locate *locate, uint32_t index, const uint64_t *numbers,
                          uint32_t count) {
    uint32_t first_loop = locate->losses[numbers[0] % LOCATE_LOSSES].loop;
    for (uint32_t i = 0; i < locate->loops[first_loop].count; i++) {
        uint32_t one = locate_crossed(locate, first_loop)[i];
        if (one == index || locate_is_switch(locate, one) || locate->suspects[one].refuted) {
            continue;
        }
        uint32_t next = unexplained(locate, numbers, count, one, one);
        if (next == count) {
            return true;
        }
        uint32_t loop = locate->losses[numbers[next] % LOCATE_LOSSES].loop;
        for (uint32_t k = 0; k < locate->loops[loop].count; k++) {
            uint32_t other = locate_crossed(locate, loop)[k];
            if (other != index && !locate_is_switch(locate, other) &&
                !locate->suspects[other].refuted &&
                unexplained(locate, numbers, count, one, other) == count) {
                return true;
            }
        }
    }
    return false;
}

bool locate_pair_explains(struct locate *locate, uint32_t index) {
    uint64_t numbers[SPREAD_LOSSES];
    uint32_t count = losses_over(locate, index, numbers);
    if (count == 0) {
        return true;
    }
    mark_refuted(locate, index, numbers, count);
    bool explains = pair_explains(locate, index, numbers, count);
    wipe_refuted(locate);
    return explains;
}

// The better explanation of all losses: both of two, each guilty in its own right, than the rival
// alone, and than the rival beside the first of them.
static bool pair_beats(const struct locate *locate, uint32_t first, uint32_t second,
                       uint32_t rival) {
    double ahead = best_score(&locate->suspects[first]) - best_score(&locate->suspects[rival]);
    if (ahead + best_score(&locate->suspects[second]) < LOCATE_MARGIN) {
        return false; // the rest cannot be more
    }
    double rest = locate_score_without(locate, second, first);
    return ahead + rest >= LOCATE_MARGIN &&
           rest - locate_score_without(locate, rival, first) >= LOCATE_MARGIN;
}

static bool beaten_with(const struct locate *locate, uint32_t rival, uint32_t one,
                        const uint64_t *numbers, uint32_t count) {
    uint32_t next = unexplained(locate, numbers, count, one, one);
    if (one == rival || locate_is_switch(locate, one) || next == count) {
        return false;
    }
    uint32_t loop = locate->losses[numbers[next] % LOCATE_LOSSES].loop;
    for (uint32_t k = 0; k < locate->loops[loop].count; k++) {
        uint32_t other = locate_crossed(locate, loop)[k];
        if (other != rival && !locate_is_switch(locate, other) &&
            pair_beats(locate, other, one, rival) &&
            unexplained(locate, numbers, count, one, other) == count) {
            return true;
        }
    }
    return false;
}

bool locate_pair_beats(const struct locate *locate, uint32_t rival, uint32_t index) {
    uint64_t numbers[SPREAD_LOSSES];
    uint32_t count = losses_over(locate, rival, numbers);
    if (count == 0 || index != UINT32_MAX) {
        return count > 0 && beaten_with(locate, rival, index, numbers, count);
    }
    for (uint32_t n = 0; n < count; n++) { // the second may be on any
        uint32_t loop = locate->losses[numbers[n] % LOCATE_LOSSES].loop;
        bool known = false;
        for (uint32_t before = 0; before < n && !known; before++) {
            known = locate->losses[numbers[before] % LOCATE_LOSSES].loop == loop;
        }
        for (uint32_t i = 0; !known && i < locate->loops[loop].count; i++) {
            if (beaten_with(locate, rival, locate_crossed(locate, loop)[i], numbers, count)) {
                return true;
            }
        }
    }
    return false;
}

// Whether it takes many suspects to explain the switch's losses, and the switch explains them all.
static bool is_spread(struct locate *locate, uint32_t index) {
    uint64_t numbers[SPREAD_LOSSES];
    uint32_t count = losses_over(locate, index, numbers);
    uint32_t enough = spread_needed(locate, index);
    if (count < enough) {
        return false;
    }
    mark_refuted(locate, index, numbers, count);
    bool spread = (enough < SPREAD_MIN || !pair_explains(locate, index, numbers, count)) &&
                  explanations(locate, numbers, count, enough) >= enough;
    wipe_refuted(locate);
    return spread;
}

void locate_count_loss(struct locate *locate, const struct locate_result *result) {
    const struct locate_loop *loop = &locate->loops[result->loop];
    const uint32_t *crossed = locate_crossed(locate, result->loop);
    for (uint32_t i = 0; i < loop->count; i++) {
        struct locate_suspect *suspect = &locate->suspects[crossed[i]];
        locate_begin_suspicion(locate, crossed[i]);
        suspect->sent++;
        suspect->lost++;
        suspect->run++;
        locate_add(locate, crossed[i], locate->gain[loop->link_count], 1);
    }
    locate->losses[locate->loss_count++ % LOCATE_LOSSES] =
        (struct locate_loss){result->loop, result->sent_at_ns, true};
    for (uint32_t i = 0; i < loop->count; i++) {
        if (locate_is_switch(locate, crossed[i])) {
            locate->suspects[crossed[i]].spread = is_spread(locate, crossed[i]);
        }
    }
}

void locate_take_back(struct locate *locate, uint64_t number, uint32_t except) {
    struct locate_loss *loss = &locate->losses[number % LOCATE_LOSSES];
    const struct locate_loop *loop = &locate->loops[loss->loop];
    const uint32_t *crossed = locate_crossed(locate, loss->loop);
    loss->counted = false;
    for (uint32_t i = 0; i < loop->count; i++) {
        struct locate_suspect *suspect = &locate->suspects[crossed[i]];
        if (crossed[i] == except) {
            continue;
        }
        if (suspect->live && suspect->since <= number) {
            locate_add(locate, crossed[i], locate->gain[loop->link_count], -1);
        }
        suspect->sent--;
        suspect->lost--;
        suspect->run = 0;
    }
}
