// SPDX-License-Identifier: Apache-2.0
// What hosts tell each other before there is a verdict: which links they suspect, and by how many
// losses.
#include <string.h>

#include "locate_internal.h"

uint32_t locate_suspicions(const struct locate *locate, struct locate_suspicion *out,
                           uint32_t max) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < locate->live_count; i++) {
        uint32_t index = locate->live[i];
        const struct locate_suspect *suspect = &locate->suspects[index];
        uint32_t lost = (uint32_t)(suspect->lost - suspect->lost_before);
        if (locate_name(locate, index).place != LOCATE_LINK || lost == 0) {
            continue;
        }
        uint32_t place = count < max ? count : max;
        while (place > 0 && out[place - 1].lost < lost) {
            place--;
        }
        if (place == max) {
            continue;
        }
        count += count < max;
        memmove(&out[place + 1], &out[place], (count - place - 1) * sizeof *out);
        out[place] = (struct locate_suspicion){{index},
                                               (uint32_t)(suspect->sent - suspect->sent_before),
                                               lost};
    }
    return count;
}

#define PRIME_MAX 9.0 // nats of the own score
#define WEAK_RATE 0.2 // hints are of weak loss: what loses more each host sees itself

static struct locate_hint *find_hint(struct locate *locate, uint32_t index, uint32_t peer) {
    for (uint32_t i = 0; i < locate->hint_count; i++) {
        if (locate->hints[i].suspect == index && locate->hints[i].peer == peer) {
            return &locate->hints[i];
        }
    }
    if (locate->hint_count == LOCATE_HINTS) {
        return NULL;
    }
    struct locate_hint *hint = &locate->hints[locate->hint_count++];
    *hint = (struct locate_hint){.suspect = index, .peer = peer};
    return hint;
}

// A hint makes the suspect worth probing, by no more than one loss or two of its own would.
static void prime(struct locate *locate, uint32_t index, uint32_t lost) {
    struct locate_suspect *suspect = &locate->suspects[index];
    double amounts[LOCATE_RATES] = {0}, most = 0, room = PRIME_MAX - suspect->primed;
    for (uint32_t i = 0; i < LOCATE_RATES; i++) {
        double amount = lost * locate->gain[LOCATE_HINT_LINKS][i];
        amounts[i] = locate_rates[i] > WEAK_RATE ? 0 : amount < room ? amount : room;
        most = amounts[i] > most ? amounts[i] : most;
    }
    suspect->primed += (float)most;
    locate_add(locate, index, amounts, 1);
    locate->planned = false;
}

void locate_hint(struct locate *locate, link_id link, uint32_t peer, uint32_t sent, uint32_t lost) {
    uint32_t index = link.i;
    bool dense = lost > 1 && 2 * lost > sent; // a hard fault: it is found sooner than told
    if (!fabric_link_is_internal(locate->fabric, link) || lost == 0 || lost > sent || dense ||
        locate->suspects[index].fault != LOCATE_WELL ||
        locate->first_loop[index] == locate->first_loop[index + 1]) {
        return;
    }
    locate_begin_suspicion(locate, index);
    struct locate_hint *hint = find_hint(locate, index, peer);
    if (hint == NULL) {
        return;
    }
    for (uint32_t i = 0; i < LOCATE_RATES; i++) {
        double nats = hint->nats[i] + lost * locate->gain[LOCATE_HINT_LINKS][i] -
                      (sent - lost) * locate->cost[i];
        nats = locate_rates[i] > WEAK_RATE || nats < 0 ? 0 : nats;
        hint->nats[i] = nats < LOCATE_PEER_MAX ? nats : LOCATE_PEER_MAX;
    }
    prime(locate, index, lost);
}

static double most_of(const struct locate_hint *hint) {
    double most = 0;
    for (uint32_t i = 0; i < LOCATE_RATES; i++) {
        most = hint->nats[i] > most ? hint->nats[i] : most;
    }
    return most;
}

double locate_largest_favour(const struct locate *locate, uint32_t suspect, uint32_t other) {
    double largest = 0;
    for (uint32_t i = 0; i < locate->hint_count; i++) {
        if (locate->hints[i].suspect != suspect) {
            continue;
        }
        double favour = most_of(&locate->hints[i]);
        for (uint32_t k = 0; k < locate->hint_count; k++) {
            if (locate->hints[k].suspect == other &&
                locate->hints[k].peer == locate->hints[i].peer) {
                favour -= most_of(&locate->hints[k]);
            }
        }
        largest = favour > largest ? favour : largest;
    }
    return largest;
}

uint32_t locate_own_rate(const struct locate_suspect *suspect) {
    uint32_t best = 0;
    double most = suspect->score[0];
    for (uint32_t i = 1; i < LOCATE_RATES; i++) {
        double own = suspect->score[i] - (locate_rates[i] > WEAK_RATE ? 0 : suspect->primed);
        if (own > most) {
            most = own;
            best = i;
        }
    }
    return best;
}

double locate_pooled_strength(const struct locate *locate, uint32_t suspect) {
    double pooled[LOCATE_RATES], best = 0;
    memcpy(pooled, locate->suspects[suspect].score, sizeof pooled);
    for (uint32_t i = 0; i < locate->hint_count; i++) {
        for (uint32_t r = 0; r < LOCATE_RATES && locate->hints[i].suspect == suspect; r++) {
            pooled[r] += locate->hints[i].nats[r];
        }
    }
    for (uint32_t i = 0; i < LOCATE_RATES; i++) {
        best = pooled[i] > best ? pooled[i] : best;
    }
    return best;
}

void locate_forget_hints_of(struct locate *locate, uint32_t suspect) {
    for (uint32_t i = locate->hint_count; i > 0; i--) {
        if (locate->hints[i - 1].suspect == suspect) {
            locate->hints[i - 1] = locate->hints[--locate->hint_count];
        }
    }
}
