// SPDX-License-Identifier: Apache-2.0
// Which loop next: repeats of a loss, then what divides the suspects best, a little background in
// between, and now and then a look at what is known to be broken.
#include <math.h>

#include "locate_internal.h"

#define HYPOTHESES_MAX 24
#define LOOPS_OF_A_SUSPECT_MAX 64
#define TYPICAL_LINKS 6
#define NO_LOOP UINT32_MAX
#define NO_SUSPECT UINT32_MAX
// Of "no fault at all", in nats, against a suspect without evidence: so high that a suspect which
// is ahead of all others is probed on until it is named, not the others until they are out.
#define NONE_SCORE 14.0
// While the scores move slowly the choice is kept for this share of the probes since the loss.
#define KEEP_SHARE 8

struct hypothesis {
    uint32_t suspect;
    double weight, loss, entropy; // posterior; of a probe over it, and that loss's entropy
};

struct hypotheses {
    struct hypothesis each[HYPOTHESES_MAX];
    uint32_t count;
    double none;                    // weight of no fault
    double none_loss, none_entropy; // also of a fault that the loop does not cross
};

static double entropy(double p) {
    return p <= 0 || p >= 1 ? 0 : -p * log(p) - (1 - p) * log1p(-p);
}

// Keeps the strongest suspects, in falling order.
static void keep_strongest(struct locate *locate, struct hypotheses *hypotheses, uint32_t index) {
    double strength =
        locate_strength(&locate->suspects[index], locate_is_switch(locate, index), NULL);
    uint32_t place = hypotheses->count;
    while (place > 0 && hypotheses->each[place - 1].weight < strength) {
        place--;
    }
    if (strength <= 0 || place == HYPOTHESES_MAX) {
        return;
    }
    hypotheses->count += hypotheses->count < HYPOTHESES_MAX;
    for (uint32_t i = hypotheses->count - 1; i > place; i--) {
        hypotheses->each[i] = hypotheses->each[i - 1];
    }
    hypotheses->each[place] = (struct hypothesis){.suspect = index, .weight = strength};
}

// Posterior weight of a suspect over all its rates, and the loss that is to be expected over it.
static void weigh(const struct locate *locate, struct hypothesis *hypothesis, double top,
                  double background) {
    const struct locate_suspect *suspect = &locate->suspects[hypothesis->suspect];
    bool one = locate_is_switch(locate, hypothesis->suspect) && !suspect->spread;
    double weight = 0, loss = 0;
    for (uint32_t i = 0; i < (one ? 1 : LOCATE_RATES); i++) {
        double w = exp(suspect->score[i] - top);
        weight += w;
        loss += w * locate_rates[i];
    }
    hypothesis->weight = weight;
    hypothesis->loss = loss / weight + background;
    hypothesis->loss = hypothesis->loss < 1 ? hypothesis->loss : 1;
    hypothesis->entropy = entropy(hypothesis->loss);
}

static void form_hypotheses(struct locate *locate, struct hypotheses *hypotheses) {
    *hypotheses = (struct hypotheses){0};
    for (uint32_t i = 0; i < locate->live_count; i++) {
        keep_strongest(locate, hypotheses, locate->live[i]);
    }
    double top = hypotheses->count > 0 ? hypotheses->each[0].weight : 0;
    double background = TYPICAL_LINKS * locate->background;
    double sum = hypotheses->none = exp(NONE_SCORE - top);
    for (uint32_t i = 0; i < hypotheses->count; i++) {
        weigh(locate, &hypotheses->each[i], top, background);
        sum += hypotheses->each[i].weight;
    }
    for (uint32_t i = 0; i < hypotheses->count; i++) {
        hypotheses->each[i].weight /= sum;
    }
    hypotheses->none /= sum;
    hypotheses->none_loss = background;
    hypotheses->none_entropy = entropy(background);
}

// Mutual information of the probe's outcome and which hypothesis is true, in nats.
static double information(const struct locate *locate, const struct hypotheses *hypotheses,
                          uint32_t loop) {
    const uint32_t *crossed = locate_crossed(locate, loop);
    double mass = 0, loss = 0, conditional = 0, company = 0;
    for (uint32_t i = 0; i < locate->loops[loop].count; i++) {
        const struct locate_suspect *suspect = &locate->suspects[crossed[i]];
        uint32_t mark = suspect->mark;
        company += locate_is_switch(locate, crossed[i]) ? 0 : suspect->score[0];
        if (mark > 0) {
            const struct hypothesis *hypothesis = &hypotheses->each[mark - 1];
            mass += hypothesis->weight;
            loss += hypothesis->weight * hypothesis->loss;
            conditional += hypothesis->weight * hypothesis->entropy;
        }
    }
    loss += (1 - mass) * hypotheses->none_loss;
    conditional += (1 - mass) * hypotheses->none_entropy;
    // When all is said, probes over the strongest still tell "down" from "lossy", and a switch from
    // its cables: those that cross little else under suspicion come first.
    return entropy(loss) - conditional + 1e-9 * loss - 1e-13 * company;
}

// The best of the loops over one suspect, from a random one on where there are many.
static void look_at(const struct locate *locate, const struct hypotheses *hypotheses,
                    uint32_t suspect, struct rng *rng, double *best, uint32_t *best_loop) {
    const uint32_t *loops = &locate->loops_of[locate->first_loop[suspect]];
    uint32_t count = locate->first_loop[suspect + 1] - locate->first_loop[suspect];
    uint32_t start = count > 0 ? (uint32_t)rng_below(rng, count) : 0;
    uint32_t tries = count < LOOPS_OF_A_SUSPECT_MAX ? count : LOOPS_OF_A_SUSPECT_MAX;
    for (uint32_t i = 0; i < tries; i++) {
        uint32_t loop = loops[(start + i) % count];
        if (locate->loops[loop].blocked > 0) {
            continue;
        }
        double value = information(locate, hypotheses, loop);
        if (value > *best) {
            *best = value;
            *best_loop = loop;
        }
    }
}

static bool is_link(const struct locate *locate, uint32_t index) {
    return locate_name(locate, index).place == LOCATE_LINK;
}

// The strongest suspect that never answered since, if that is a link: what is behind a dead switch
// or NIC never answers either.
static uint32_t dead_link(const struct locate *locate, const struct hypotheses *hypotheses) {
    for (uint32_t i = 0; i < hypotheses->count; i++) {
        uint32_t index = hypotheses->each[i].suspect;
        if (!locate_has_answered(locate, index)) {
            bool sure = locate->suspects[index].run >= LOCATE_DOWN_RUN;
            return sure && is_link(locate, index) ? index : NO_SUSPECT;
        }
    }
    return NO_SUSPECT;
}

// One of the shortest loops over the one and not over the other.
static uint32_t loop_without(const struct locate *locate, uint32_t suspect, uint32_t other,
                             struct rng *rng) {
    const uint32_t *loops = &locate->loops_of[locate->first_loop[suspect]];
    uint32_t count = locate->first_loop[suspect + 1] - locate->first_loop[suspect];
    uint32_t start = (uint32_t)rng_below(rng, count), best = NO_LOOP;
    uint32_t tries = count < LOOPS_OF_A_SUSPECT_MAX ? count : LOOPS_OF_A_SUSPECT_MAX;
    for (uint32_t i = 0; i < tries; i++) {
        uint32_t loop = loops[(start + i) % count];
        if (locate->loops[loop].blocked == 0 && !locate_crosses(locate, loop, other) &&
            (best == NO_LOOP || locate->loops[loop].count < locate->loops[best].count)) {
            best = loop;
        }
    }
    return best;
}

// What loses all is told from each of its rivals by loops over it and not over them: to one who
// believes in a single fault, the second direction of a cut cable is settled by a single loss.
static uint32_t tell_apart(const struct locate *locate, const struct hypotheses *hypotheses,
                           struct rng *rng) {
    uint32_t dead = dead_link(locate, hypotheses), loop = NO_LOOP;
    if (dead == NO_SUSPECT) {
        return NO_LOOP;
    }
    double bar = locate_strength(&locate->suspects[dead], false, NULL) - LOCATE_HARD_MARGIN;
    for (uint32_t i = 0; i < hypotheses->count && loop == NO_LOOP; i++) {
        uint32_t rival = hypotheses->each[i].suspect;
        if (rival != dead && !locate_is_switch(locate, rival) &&
            (!locate_has_answered(locate, rival) ||
             locate_strength(&locate->suspects[rival], false, NULL) > bar) &&
            locate_told_apart(locate, dead, rival) < LOCATE_HARD_MARGIN) {
            loop = loop_without(locate, dead, rival, rng);
        }
    }
    return loop;
}

static uint32_t most_informative(struct locate *locate, const struct hypotheses *hypotheses,
                                 struct rng *rng) {
    double best = 0;
    uint32_t loop = NO_LOOP;
    for (uint32_t i = 0; i < hypotheses->count; i++) {
        locate->suspects[hypotheses->each[i].suspect].mark = (uint8_t)(i + 1);
    }
    for (uint32_t i = 0; i < hypotheses->count; i++) {
        look_at(locate, hypotheses, hypotheses->each[i].suspect, rng, &best, &loop);
    }
    for (uint32_t i = 0; i < hypotheses->count; i++) {
        locate->suspects[hypotheses->each[i].suspect].mark = 0;
    }
    return loop;
}

static bool plan(struct locate *locate, struct rng *rng) {
    struct hypotheses hypotheses;
    form_hypotheses(locate, &hypotheses);
    if (hypotheses.count == 0) {
        return false;
    }
    uint32_t loop = tell_apart(locate, &hypotheses, rng);
    loop = loop == NO_LOOP ? most_informative(locate, &hypotheses, rng) : loop;
    if (loop == NO_LOOP) {
        return false;
    }
    locate->planned = true;
    locate->planned_loop = loop;
    locate->planned_left = 1 + locate->probes_since_loss / KEEP_SHARE;
    return true;
}

static bool worth_a_probe(const struct locate *locate) {
    for (uint32_t i = 0; i < locate->live_count; i++) {
        uint32_t index = locate->live[i];
        if (locate_strength(&locate->suspects[index], locate_is_switch(locate, index), NULL) >
            LOCATE_OPEN) {
            return true;
        }
    }
    return false;
}

static bool divide(struct locate *locate, struct rng *rng, uint32_t *loop) {
    if (!locate->planned || locate->planned_left == 0 ||
        locate->loops[locate->planned_loop].blocked > 0) {
        locate->planned = false;
        if (!worth_a_probe(locate) || !plan(locate, rng)) {
            return false;
        }
    }
    locate->planned_left--;
    *loop = locate->planned_loop;
    return true;
}

// A loop over exactly one known fault, of each in turn.
static bool recheck(struct locate *locate, struct rng *rng, uint32_t *loop) {
    for (uint32_t i = 0; i < locate->suspect_count; i++) {
        uint32_t index = locate->recheck_cursor++ % locate->suspect_count;
        uint32_t first = locate->first_loop[index], end = locate->first_loop[index + 1];
        if (locate->suspects[index].fault == LOCATE_WELL || first == end) {
            continue;
        }
        uint32_t start = (uint32_t)rng_below(rng, end - first);
        for (uint32_t k = 0; k < end - first; k++) {
            *loop = locate->loops_of[first + (start + k) % (end - first)];
            if (locate->loops[*loop].blocked == 1) {
                return true;
            }
        }
    }
    return false;
}

static bool background(struct locate *locate, struct rng *rng, uint32_t *loop) {
    if (!locate->started && locate->background_count > 0) {
        locate->started = true;
        locate->cursor = (uint32_t)rng_below(rng, locate->background_count);
    }
    for (uint32_t i = 0; i < locate->background_count; i++) {
        *loop = locate->background_loops[locate->cursor];
        locate->cursor = (locate->cursor + 1) % locate->background_count;
        if (locate->loops[*loop].blocked == 0) {
            return true;
        }
    }
    return false;
}

static bool choose_one(struct locate *locate, struct rng *rng, uint32_t *loop) {
    locate->choices++;
    if (locate->repeats_left > 0) {
        locate->repeats_left--;
        *loop = locate->repeat_loop;
        if (locate->loops[*loop].blocked == 0) {
            return true;
        }
        locate->repeats_left = 0;
    }
    if (locate->fault_count > 0 && locate->choices % LOCATE_RECHECK_EVERY == 0 &&
        recheck(locate, rng, loop)) {
        return true;
    }
    if (locate->live_count > 0 && locate->choices % LOCATE_BACKGROUND_EVERY != 0 &&
        divide(locate, rng, loop)) {
        return true;
    }
    return background(locate, rng, loop) || recheck(locate, rng, loop);
}

uint32_t locate_choose(struct locate *locate, struct rng *rng, uint32_t budget, uint32_t *loops) {
    uint32_t count = 0;
    while (count < budget && choose_one(locate, rng, &loops[count])) {
        count++;
    }
    return count;
}

bool locate_is_calm(const struct locate *locate) {
    return locate->live_count == 0 && locate->repeats_left == 0;
}

bool locate_has_repeats(const struct locate *locate) {
    return locate->repeats_left > 0;
}
