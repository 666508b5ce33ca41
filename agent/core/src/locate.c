// SPDX-License-Identifier: Apache-2.0
#include "locate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "locate_internal.h"

#define PPM 1e6

bool locate_crosses(const struct locate *locate, uint32_t loop, uint32_t suspect) {
    const uint32_t *crossed = locate_crossed(locate, loop);
    for (uint32_t i = 0; i < locate->loops[loop].count; i++) {
        if (crossed[i] == suspect) {
            return true;
        }
    }
    return false;
}

struct locate_suspect_name locate_name(const struct locate *locate, uint32_t suspect) {
    const struct fabric *fabric = locate->fabric;
    if (locate_is_switch(locate, suspect)) {
        node_id node = {suspect - locate->link_count};
        bool leaf = fabric->nodes[node.i].kind == NODE_LEAF;
        return (struct locate_suspect_name){.place = leaf ? LOCATE_LEAF : LOCATE_SPINE,
                                            .link = {ID_NONE},
                                            .node = node};
    }
    link_id link = {suspect};
    bool internal = fabric_link_is_internal(fabric, link);
    return (struct locate_suspect_name){.place = internal ? LOCATE_LINK : LOCATE_HOST,
                                        .link = link,
                                        .node = {ID_NONE}};
}

// ---- opening

static uint32_t suspect_of_link(const struct fabric *fabric, link_id link) {
    return fabric_link_is_internal(fabric, link) ? link.i : link_of(link_cable(link), false).i;
}

static bool is_loop(const struct fabric *fabric, const struct walk *walk) {
    if (walk->link_count < 2 || walk->link_count > WALK_LINKS_MAX) {
        return false;
    }
    for (unsigned i = 0; i < walk->link_count; i++) {
        bool ends = i == 0 || i + 1 == walk->link_count;
        if (walk->links[i].i >= fabric_link_count(fabric) ||
            fabric_link_is_internal(fabric, walk->links[i]) == ends ||
            (i > 0 && fabric_link_from(fabric, walk->links[i]).i !=
                          fabric_link_to(fabric, walk->links[i - 1]).i)) {
            return false;
        }
    }
    return walk->links[0].i == link_opposite(walk->links[walk->link_count - 1]).i;
}

static int check(const struct fabric *fabric, const struct locate_loop_spec *loops,
                 uint32_t count) {
    uint32_t round = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_loop(fabric, &loops[i].walk) ||
            (loops[i].round != LOCATE_ON_DEMAND && loops[i].round < round)) {
            return -EINVAL;
        }
        round = loops[i].round != LOCATE_ON_DEMAND ? loops[i].round : round;
    }
    return 0;
}

static void add_crossed(struct locate *locate, struct locate_loop *loop, uint32_t suspect) {
    uint32_t *crossed = &locate->loop_suspects[loop->first];
    for (uint32_t i = 0; i < loop->count; i++) {
        if (crossed[i] == suspect) {
            return;
        }
    }
    crossed[loop->count++] = suspect;
}

static uint32_t find_class(struct locate *locate, uint32_t leaf, uint32_t link_count) {
    uint32_t i = 0;
    while (i < locate->class_count &&
           (locate->classes[i].leaf != leaf || locate->classes[i].link_count != link_count)) {
        i++;
    }
    if (i == locate->class_count) {
        locate->classes[locate->class_count++] =
            (struct locate_class){.leaf = leaf, .link_count = link_count};
    }
    return i;
}

static bool goes_to_and_fro(const struct walk *walk) {
    for (unsigned i = 1; i + 1 < walk->link_count; i++) {
        for (unsigned k = i + 1; k + 1 < walk->link_count; k++) {
            if (walk->links[k].i == link_opposite(walk->links[i]).i) {
                return true;
            }
        }
    }
    return false;
}

static void set_loop(struct locate *locate, uint32_t index, const struct locate_loop_spec *spec,
                     uint32_t first) {
    const struct fabric *fabric = locate->fabric;
    const struct walk *walk = &spec->walk;
    struct locate_loop *loop = &locate->loops[index];
    *loop = (struct locate_loop){.first = first,
                                 .prober = walk->links[0].i,
                                 .link_count = walk->link_count,
                                 .on_demand = spec->round == LOCATE_ON_DEMAND,
                                 .hairpin = goes_to_and_fro(walk)};
    for (unsigned i = 0; i < walk->link_count; i++) {
        add_crossed(locate, loop, suspect_of_link(fabric, walk->links[i]));
        if (i > 0) {
            add_crossed(locate, loop,
                        locate->link_count + fabric_link_from(fabric, walk->links[i]).i);
        }
    }
    loop->peers = find_class(locate, fabric_link_to(fabric, walk->links[0]).i, walk->link_count);
    if (spec->round != LOCATE_ON_DEMAND) {
        locate->background_loops[locate->background_count++] = index;
    }
}

static void index_loops(struct locate *locate) {
    for (uint32_t loop = 0; loop < locate->loop_count; loop++) {
        for (uint32_t i = 0; i < locate->loops[loop].count; i++) {
            locate->first_loop[locate_crossed(locate, loop)[i] + 1]++;
        }
    }
    for (uint32_t i = 0; i < locate->suspect_count; i++) {
        locate->first_loop[i + 1] += locate->first_loop[i];
    }
    // Each is filled from its end; `run` counts what is filled.
    for (uint32_t loop = locate->loop_count; loop > 0; loop--) {
        for (uint32_t i = 0; i < locate->loops[loop - 1].count; i++) {
            uint32_t suspect = locate_crossed(locate, loop - 1)[i];
            locate
                ->loops_of[locate->first_loop[suspect + 1] - 1 - locate->suspects[suspect].run++] =
                loop - 1;
        }
    }
    for (uint32_t i = 0; i < locate->suspect_count; i++) {
        locate->suspects[i].run = 0;
    }
}

static void set_gains(struct locate *locate) {
    for (unsigned rate = 0; rate < LOCATE_RATES; rate++) {
        locate->cost[rate] = -log1p(-locate_rates[rate]);
        for (unsigned links = 1; links <= WALK_LINKS_MAX; links++) {
            double chance = links * locate->background;
            double guilty = locate_rates[rate] + chance;
            locate->gain[links][rate] = log((guilty < 1 ? guilty : 1) / chance);
        }
    }
}

static int allocate(struct locate *locate, uint32_t crossings) {
    locate->loops = calloc(locate->loop_count + 1, sizeof *locate->loops);
    locate->classes = calloc(locate->loop_count + 1, sizeof *locate->classes);
    locate->background_loops = calloc(locate->loop_count + 1, sizeof(uint32_t));
    locate->loop_suspects = calloc(crossings + 1, sizeof(uint32_t));
    locate->loops_of = calloc(crossings + 1, sizeof(uint32_t));
    locate->first_loop = calloc(locate->suspect_count + 1, sizeof(uint32_t));
    locate->suspects = calloc(locate->suspect_count, sizeof *locate->suspects);
    locate->live = calloc(locate->suspect_count, sizeof(uint32_t));
    locate->delays = calloc(locate->link_count, sizeof *locate->delays);
    bool have = locate->loops != NULL && locate->classes != NULL &&
                locate->background_loops != NULL && locate->loop_suspects != NULL &&
                locate->loops_of != NULL && locate->first_loop != NULL &&
                locate->suspects != NULL && locate->live != NULL && locate->delays != NULL;
    return have ? 0 : -ENOMEM;
}

int locate_open(struct locate **out, const struct fabric *fabric,
                const struct locate_loop_spec *loops, uint32_t count, uint32_t background_ppm) {
    int rc = background_ppm == 0 ? -EINVAL : check(fabric, loops, count);
    struct locate *locate = rc == 0 ? calloc(1, sizeof *locate) : NULL;
    if (locate == NULL) {
        return rc != 0 ? rc : -ENOMEM;
    }
    locate->fabric = fabric;
    locate->background = background_ppm / PPM;
    locate->link_count = fabric_link_count(fabric);
    locate->suspect_count = locate->link_count + fabric->node_count;
    locate->loop_count = count;
    uint32_t crossings = 0;
    for (uint32_t i = 0; i < count; i++) {
        crossings += 2U * loops[i].walk.link_count;
    }
    rc = allocate(locate, crossings);
    if (rc != 0) {
        locate_close(locate);
        return rc;
    }
    for (uint32_t i = 0, first = 0; i < count; i++) {
        set_loop(locate, i, &loops[i], first);
        first += locate->loops[i].count;
    }
    index_loops(locate);
    set_gains(locate);
    *out = locate;
    return 0;
}

void locate_close(struct locate *locate) {
    if (locate == NULL) {
        return;
    }
    free(locate->loops);
    free(locate->classes);
    free(locate->background_loops);
    free(locate->loop_suspects);
    free(locate->loops_of);
    free(locate->first_loop);
    free(locate->suspects);
    free(locate->live);
    free(locate->delays);
    free(locate);
}

void locate_inherit(struct locate *locate, const struct locate *before) {
    for (uint32_t i = 0; i < locate->suspect_count; i++) {
        struct locate_suspect *suspect = &locate->suspects[i];
        const struct locate_suspect *old = &before->suspects[i];
        if (old->fault == LOCATE_WELL || locate->first_loop[i] == locate->first_loop[i + 1]) {
            continue; // without loops nobody would find it well again
        }
        *suspect = *old;
        locate_block(locate, i, true);
    }
    memcpy(locate->delays, before->delays, locate->link_count * sizeof *locate->delays);
}

// ---- results

static void discard(struct locate *locate, uint32_t prober, uint64_t since_ns) {
    uint64_t remembered = locate->loss_count < LOCATE_LOSSES ? locate->loss_count : LOCATE_LOSSES;
    for (uint64_t n = locate->loss_count - remembered; n < locate->loss_count; n++) {
        const struct locate_loss *loss = &locate->losses[n % LOCATE_LOSSES];
        if (loss->counted && loss->sent_at_ns >= since_ns &&
            locate->loops[loss->loop].prober == prober) {
            locate_take_back(locate, n, UINT32_MAX);
        }
    }
    if (locate->loops[locate->repeat_loop].prober == prober) {
        locate->repeats_left = 0;
    }
    locate->planned = false;
}

void locate_discard(struct locate *locate, port_id port, uint64_t since_ns) {
    discard(locate, link_of(locate->fabric->ports[port.i].cable, false).i, since_ns);
}

// A loss that others have prepared for needs no repeats: by the time it is known many more may be
// under way, and each would ask for its own.
static bool is_expected(const struct locate *locate, const struct locate_result *result) {
    const struct locate_loop *loop = &locate->loops[result->loop];
    const uint32_t *crossed = locate_crossed(locate, result->loop);
    for (uint32_t i = 0; i < loop->count; i++) {
        if (!locate_is_switch(locate, crossed[i]) && crossed[i] != loop->prober &&
            locate->suspects[crossed[i]].live) {
            return true;
        }
    }
    return locate->repeats_left > 0;
}

static void count_loss(struct locate *locate, const struct locate_result *result) {
    bool expected = is_expected(locate, result);
    locate_count_loss(locate, result);
    locate->probes_since_loss = 0;
    locate->planned = false;
    if (!expected) {
        locate->repeats_left = LOCATE_REPEATS;
        locate->repeat_loop = result->loop;
    }
}

void locate_result(struct locate *locate, const struct locate_result *result) {
    const struct locate_loop *loop = &locate->loops[result->loop];
    if (result->sent_at_ns > result->due_at_ns + LOCATE_LATE_NS) {
        discard(locate, loop->prober, result->due_at_ns);
        return;
    }
    if (loop->blocked > 0) {
        locate_judge_fault(locate, result->loop, result->lost);
        return;
    }
    if (result->lost) {
        count_loss(locate, result);
    } else {
        locate->probes_since_loss++;
        locate_count_answer(locate, result->loop);
        locate_count_delay(locate, result->loop, result->delay_ns);
    }
    if (locate->live_count > 0) {
        locate_judge(locate);
    }
}

bool locate_take(struct locate *locate, struct locate_verdict *verdict) {
    if (locate->verdict_count == 0) {
        return false;
    }
    *verdict = locate->verdicts[locate->verdict_first];
    locate->verdict_first = (locate->verdict_first + 1) % LOCATE_VERDICTS;
    locate->verdict_count--;
    return true;
}

const char *locate_fault_name(enum locate_fault fault) {
    static const char *const names[] = {"well", "down", "lossy", "slow"};
    return names[fault];
}

const char *locate_place_name(enum locate_place place) {
    static const char *const names[] = {"link", "host/NIC", "leaf", "spine", "unknown"};
    return names[place];
}
