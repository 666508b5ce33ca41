// SPDX-License-Identifier: Apache-2.0
#include "capacity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/fabric.h"
#include "model/rng.h"

#define ODD_TRAINS 2         // before a cable is measured
#define CHANGED_PERCENT 15   // from what is believed
#define WAIT_INTERVALS_MAX 8 // until a cable is measured again when nothing came of it
#define FAILED_MAX 8
#define BUSY_PERCENT 20
#define CLEARLY_LESS_PERCENT 70
#define TIMEOUT_LEAST_NS (50 * NS_PER_MS)
#define TIMEOUT_MOST_NS NS_PER_S
#define SLOWEST_SHARE 20 // a train is waited for as if a twentieth of the rate were left
#define PACKET_BITS 8    // of a token: which packet of the train
#define THIN_PACKET 128  // those of the other loop

// The order of trains while a cable is measured. The way there is measured densely only: no shorter
// loop could thin it out, and too little seen there blames nobody.
static const struct {
    enum capacity_loop loop;
    bool thin;
} turns[] = {{CAPACITY_PING, false},    {CAPACITY_PREFIX, false}, {CAPACITY_FORWARD, false},
             {CAPACITY_REVERSE, false}, {CAPACITY_PING, true},    {CAPACITY_FORWARD, true},
             {CAPACITY_REVERSE, true}};
#define TURN_COUNT (sizeof turns / sizeof turns[0])

int capacity_init(struct capacity *capacity, const struct fabric *fabric) {
    *capacity = (struct capacity){.fabric = fabric, .deadline_ns = NEVER_NS};
    capacity->ppm = calloc(fabric_link_count(fabric), sizeof *capacity->ppm);
    if (capacity->ppm == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        capacity->ppm[i] = CAPACITY_FULL_PPM;
    }
    return 0;
}

void capacity_fini(struct capacity *capacity) {
    free(capacity->targets);
    free(capacity->ppm);
    *capacity = (struct capacity){0};
}

void capacity_begin(struct capacity *capacity) {
    capacity->out_count = 0;
}

uint32_t capacity_link_ppm(const struct capacity *capacity, link_id link) {
    return capacity->ppm[link.i];
}

// ---- targets

static uint64_t slowest_bps(const struct fabric *fabric, const struct walk *walk) {
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < walk->link_count; i++) {
        uint64_t rate = fabric->cables[link_cable(walk->links[i]).i].rate_bps;
        least = rate < least ? rate : least;
    }
    return least;
}

static void build_walk(struct walk_finder *finder, const struct walk_request *request,
                       enum capacity_loop kind, struct capacity_walk *walk) {
    struct walk before = walk->walk;
    bool was_valid = walk->valid;
    bool found = kind == CAPACITY_PREFIX ? walk_find_prefix(finder, request, &walk->walk)
                                         : walk_find(finder, request, &walk->walk);
    walk->valid = found && fabric_walk_sids(finder->fabric, walk->walk.links, walk->walk.link_count,
                                            &walk->sids) == 0;
    bool same =
        walk->valid && was_valid && before.link_count == walk->walk.link_count &&
        memcmp(before.links, walk->walk.links, before.link_count * sizeof before.links[0]) == 0;
    if (walk->valid && !same) {
        walk->most_bps = slowest_bps(finder->fabric, &walk->walk);
        memset(walk->samples, 0, sizeof walk->samples);
    }
}

static void build_target(struct walk_finder *finder, struct capacity_target *target, port_id own,
                         const bool *avoid) {
    for (unsigned kind = 0; kind < CAPACITY_LOOPS; kind++) {
        struct walk_request request = {.port = own,
                                       .through = link_of(target->cable, kind == CAPACITY_REVERSE),
                                       .both = kind == CAPACITY_PING || kind == CAPACITY_PREFIX,
                                       .avoid = avoid,
                                       .salt = hash_pair(target->cable.i, own.i)};
        build_walk(finder, &request, (enum capacity_loop)kind, &target->walks[kind]);
    }
}

static const struct capacity_target *find_target(const struct capacity *capacity, cable_id cable,
                                                 uint32_t port) {
    for (uint32_t i = 0; i < capacity->target_count; i++) {
        if (capacity->targets[i].cable.i == cable.i && capacity->targets[i].port == port) {
            return &capacity->targets[i];
        }
    }
    return NULL;
}

static void forget_unwatched(struct capacity *capacity) {
    bool watched = false;
    for (uint32_t cable = 0; cable < capacity->fabric->cable_count; cable++) {
        watched = false;
        for (uint32_t i = 0; i < capacity->target_count && !watched; i++) {
            watched = capacity->targets[i].cable.i == cable;
        }
        for (unsigned reverse = 0; reverse < 2 && !watched; reverse++) {
            capacity->ppm[link_of((cable_id){cable}, reverse != 0).i] = CAPACITY_FULL_PPM;
        }
    }
}

int capacity_set_targets(struct capacity *capacity, const cable_id *cables, const uint32_t *ports,
                         const port_id *own_ports, uint32_t count, const bool *avoid,
                         uint64_t now_ns, const struct capacity_policy *policy) {
    struct walk_finder finder;
    struct capacity_target *targets = calloc((size_t)count + 1, sizeof *targets);
    int rc = targets == NULL ? -ENOMEM : walk_finder_init(&finder, capacity->fabric);
    if (rc != 0) {
        free(targets);
        return rc;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct capacity_target *before = find_target(capacity, cables[i], ports[i]);
        targets[i] = before != NULL
                         ? *before
                         : (struct capacity_target){.cable = cables[i],
                                                    .port = ports[i],
                                                    .next_at_ns = now_ns + policy->interval_ns *
                                                                               (i + 1) / count};
        build_target(&finder, &targets[i], own_ports[ports[i]], avoid);
    }
    walk_finder_fini(&finder);
    free(capacity->targets);
    capacity->targets = targets;
    capacity->target_count = count;
    capacity->salt = count > 0 ? own_ports[ports[0]].i : 0;
    capacity->train.under_way = false; // its target may be another now
    capacity->deadline_ns = now_ns;
    forget_unwatched(capacity);
    return 0;
}

void capacity_follow_policy(struct capacity *capacity, uint64_t now_ns,
                            const struct capacity_policy *policy) {
    for (uint32_t i = 0; i < capacity->target_count; i++) {
        capacity->targets[i].next_at_ns =
            now_ns + policy->interval_ns * (i + 1) / capacity->target_count;
    }
    capacity->train.under_way = false;
    capacity->deadline_ns = now_ns;
}

// ---- out

static uint64_t timeout_ns(const struct capacity_walk *walk, const struct capacity_policy *policy) {
    uint64_t bits = UINT64_C(8) * policy->packets * (policy->packet_bytes + CAPACITY_FRAME_BYTES);
    uint64_t long_ns = walk->most_bps == 0
                           ? TIMEOUT_MOST_NS
                           : bits * NS_PER_S / walk->most_bps * SLOWEST_SHARE + TIMEOUT_LEAST_NS;
    return long_ns < TIMEOUT_MOST_NS ? long_ns : TIMEOUT_MOST_NS;
}

static void add_probe(struct capacity *capacity, const struct capacity_target *target,
                      const struct capacity_walk *walk, uint32_t packet,
                      const struct capacity_policy *policy) {
    capacity->out[capacity->out_count++] =
        (struct engine_probe){.token = CAPACITY_TOKEN | capacity->train.id << PACKET_BITS | packet,
                              .port = target->port,
                              .traffic_class = policy->traffic_class,
                              .packet_bytes = (uint16_t)policy->packet_bytes,
                              .sids = walk->sids};
}

static void send_train(struct capacity *capacity, uint32_t index, enum capacity_loop loop,
                       bool thin, uint64_t now_ns, const struct capacity_policy *policy) {
    struct capacity_target *target = &capacity->targets[index];
    struct capacity_walk *walk = &target->walks[loop];
    uint64_t id = capacity->train.id + 1;
    capacity->train = (struct capacity_train){.under_way = true,
                                              .id = id,
                                              .due_at_ns = now_ns + timeout_ns(walk, policy),
                                              .target = index,
                                              .loop = loop,
                                              .thin = thin,
                                              .count = policy->packets};
    for (uint32_t i = 0; i < policy->packets; i++) {
        add_probe(capacity, target, walk, i, policy);
        if (thin) {
            add_probe(capacity, target, &target->walks[CAPACITY_PREFIX], THIN_PACKET | i, policy);
        }
    }
    capacity->trains_sent++;
}

void capacity_returned(struct capacity *capacity, const struct engine_probe_result *result) {
    struct capacity_train *train = &capacity->train;
    uint64_t packet = result->token & ((1U << PACKET_BITS) - 1);
    if (!train->under_way || packet >= train->count ||
        result->token != (CAPACITY_TOKEN | train->id << PACKET_BITS | packet)) {
        return; // late, or one that only made room
    }
    train->back += train->packets[packet].back ? 0 : 1;
    train->packets[packet] =
        (struct train_packet){true, result->sent_at_ns, result->received_at_ns};
    if (train->back == train->count) {
        capacity->deadline_ns = 0;
    }
}

// ---- what it says

// The least: what comes between, trains of other hosts too, only ever spreads a train out.
static uint64_t least_ps(const struct train_samples *samples) {
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < samples->count && i < CAPACITY_SAMPLES; i++) {
        least = samples->gap_ps[i] < least ? samples->gap_ps[i] : least;
    }
    return samples->count == 0 ? 0 : least;
}

static uint64_t loop_rate_bps(const struct capacity_walk *walk,
                              const struct capacity_policy *policy) {
    return train_rate_bps(least_ps(&walk->samples[0]), least_ps(&walk->samples[1]),
                          policy->packet_bytes + CAPACITY_FRAME_BYTES);
}

static uint64_t more(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint64_t percent_of(uint64_t value, unsigned percent) {
    return value / 100 * percent;
}

static bool set_link(struct capacity *capacity, link_id link, uint64_t rate_bps) {
    uint64_t nominal = fabric_link_rate_bps(capacity->fabric, link);
    uint32_t ppm = CAPACITY_FULL_PPM;
    if (nominal > 0 && rate_bps < percent_of(nominal, CAPACITY_SLOW_PERCENT)) {
        uint64_t steps = (rate_bps * 2 * CAPACITY_FULL_PPM / nominal / CAPACITY_STEP_PPM + 1) / 2;
        ppm = (uint32_t)(steps == 0 ? 1 : steps) * CAPACITY_STEP_PPM;
    }
    bool changed = capacity->ppm[link.i] != ppm;
    capacity->ppm[link.i] = ppm;
    return changed;
}

// How much more the thin train is spread out than the dense one, by the spacing at which the loop's
// slowest link would send: what came between. Beyond this the arithmetic of a single queue is no
// longer to be trusted, as several may be busy.
static bool is_busy(const struct capacity_walk *walk, const struct capacity_policy *policy) {
    uint64_t dense_ps = least_ps(&walk->samples[0]), thin_ps = least_ps(&walk->samples[1]);
    uint64_t bytes = policy->packet_bytes + CAPACITY_FRAME_BYTES;
    uint64_t nominal_ps = train_least_gap_ps(walk->most_bps, (uint32_t)bytes);
    uint64_t most_ps =
        more(percent_of(nominal_ps, BUSY_PERCENT), percent_of(dense_ps, BUSY_PERCENT / 2));
    return walk->valid && thin_ps > dense_ps + most_ps;
}

static bool wait(struct capacity_target *target, uint64_t now_ns,
                 const struct capacity_policy *policy) {
    uint64_t doubled = target->wait_ns == 0 ? policy->interval_ns : 2 * target->wait_ns;
    uint64_t most = WAIT_INTERVALS_MAX * policy->interval_ns;
    target->wait_ns = doubled < most ? doubled : most;
    target->not_before_ns = now_ns + target->wait_ns;
    return false;
}

struct directions {
    uint64_t rate_bps[2]; // of the loops that cross the cable one way only; 0: there is none
    bool slow[2];
};

// Which of the two makes PING slow. Neither: it cannot be said yet.
static struct directions tell_apart(const struct capacity_target *target,
                                    const struct capacity_policy *policy) {
    const enum capacity_loop loops[] = {CAPACITY_FORWARD, CAPACITY_REVERSE};
    struct directions out = {{0, 0}, {false, false}};
    for (unsigned i = 0; i < 2; i++) {
        const struct capacity_walk *walk = &target->walks[loops[i]];
        out.rate_bps[i] = walk->valid ? loop_rate_bps(walk, policy) : 0;
        out.slow[i] =
            out.rate_bps[i] < percent_of(walk->most_bps, CAPACITY_SLOW_PERCENT) || !walk->valid;
    }
    for (unsigned i = 0; i < 2 && !out.slow[1 - i]; i++) {
        out.slow[i] |= out.rate_bps[i] < percent_of(out.rate_bps[1 - i], CLEARLY_LESS_PERCENT);
    }
    return out;
}

// A loop is as fast as its slowest link, so a link is at least as fast as each of its loops.
static bool set_cable(struct capacity *capacity, const struct capacity_target *target,
                      uint64_t ping_bps, const struct directions *directions) {
    bool changed = false;
    bool both = directions->slow[0] && directions->slow[1];
    for (unsigned i = 0; i < 2; i++) {
        uint64_t rate_bps = UINT64_MAX;
        if (directions->slow[i]) {
            rate_bps = both ? more(ping_bps, directions->rate_bps[i]) : ping_bps;
        }
        changed |= set_link(capacity, link_of(target->cable, i != 0), rate_bps);
    }
    return changed;
}

static bool agree(uint64_t a, uint64_t b) {
    return a >= percent_of(b, 100 - CHANGED_PERCENT) && a <= percent_of(b, 100 + CHANGED_PERCENT);
}

static void measure(struct capacity_target *target) {
    target->measuring = true;
    target->turn = 0;
    target->failed = 0;
    for (unsigned i = 0; i < CAPACITY_LOOPS; i++) {
        memset(target->walks[i].samples, 0, sizeof target->walks[i].samples);
    }
}

static bool conclude(struct capacity *capacity, struct capacity_target *target, uint64_t now_ns,
                     const struct capacity_policy *policy) {
    const struct capacity_walk *walks = target->walks;
    uint64_t ping = loop_rate_bps(&walks[CAPACITY_PING], policy);
    uint64_t prefix = loop_rate_bps(&walks[CAPACITY_PREFIX], policy);
    bool slow = ping < percent_of(walks[CAPACITY_PING].most_bps, CAPACITY_SLOW_PERCENT);
    bool way_is_better = percent_of(prefix, CAPACITY_SLOW_PERCENT) > ping;
    struct directions directions = tell_apart(target, policy);
    target->measuring = false;
    target->odd_trains = 0;
    if (slow &&
        (is_busy(&walks[CAPACITY_PING], policy) || !(directions.slow[0] || directions.slow[1]))) {
        return wait(target, now_ns, policy); // what is believed stays
    }
    bool finding = slow && way_is_better;
    if (finding && !agree(ping, target->found_bps)) { // twice the same, or it was chance
        target->found_bps = ping;
        measure(target);
        return false;
    }
    target->found_bps = 0;
    target->believed_bps = slow ? ping : 0;
    if (!finding) {
        directions = (struct directions){{0, 0}, {false, false}};
    }
    if (!set_cable(capacity, target, ping, &directions)) {
        return wait(target, now_ns, policy);
    }
    target->wait_ns = 0;
    target->not_before_ns = now_ns;
    return true;
}

static bool looks_slow(const struct capacity_walk *walk, const struct capacity_policy *policy) {
    return loop_rate_bps(walk, policy) < percent_of(walk->most_bps, CAPACITY_SLOW_PERCENT);
}

// The loops over one direction get thin trains only when dense ones do not tell them apart.
static bool turn_applies(const struct capacity_target *target, uint32_t turn,
                         const struct capacity_policy *policy) {
    const struct capacity_walk *walks = target->walks;
    bool one_way = turns[turn].loop == CAPACITY_FORWARD || turns[turn].loop == CAPACITY_REVERSE;
    if (!walks[turns[turn].loop].valid || (turns[turn].thin && !walks[CAPACITY_PREFIX].valid)) {
        return false;
    }
    return !turns[turn].thin || !one_way ||
           (looks_slow(&walks[CAPACITY_FORWARD], policy) &&
            looks_slow(&walks[CAPACITY_REVERSE], policy));
}

static bool is_measured(const struct capacity_target *target,
                        const struct capacity_policy *policy) {
    for (uint32_t i = 0; i < TURN_COUNT; i++) {
        const struct capacity_walk *walk = &target->walks[turns[i].loop];
        if (turn_applies(target, i, policy) &&
            walk->samples[turns[i].thin].count < CAPACITY_SAMPLES) {
            return false;
        }
    }
    return true;
}

// Whether a dense train over PING fits what is believed of the cable.
static bool fits(const struct capacity_target *target, uint64_t rate_bps, uint64_t sent_bps) {
    uint64_t most = target->walks[CAPACITY_PING].most_bps;
    most = sent_bps < most ? sent_bps : most;
    if (target->believed_bps == 0) {
        return rate_bps >= percent_of(most, CAPACITY_SLOW_PERCENT);
    }
    return agree(rate_bps, target->believed_bps);
}

static void watch(struct capacity_target *target, uint64_t gap_ps, uint64_t sent_gap_ps,
                  uint64_t now_ns, const struct capacity_policy *policy) {
    uint32_t bytes = policy->packet_bytes + CAPACITY_FRAME_BYTES;
    target->odd_trains =
        fits(target, train_rate_bps(gap_ps, 0, bytes), train_rate_bps(sent_gap_ps, 0, bytes))
            ? 0
            : target->odd_trains + 1;
    if (target->odd_trains >= ODD_TRAINS && now_ns >= target->not_before_ns) {
        measure(target);
    } else if (target->odd_trains > 0) { // the second look comes soon
        target->next_at_ns = now_ns + policy->interval_ns / CAPACITY_HASTE;
    }
}

static bool finish_train(struct capacity *capacity, uint64_t now_ns,
                         const struct capacity_policy *policy) {
    struct capacity_train *train = &capacity->train;
    struct capacity_target *target = &capacity->targets[train->target];
    uint64_t gap_ps = train_gap_ps(train->packets, train->count);
    train->under_way = false;
    if (gap_ps == 0) {
        capacity->trains_failed++;
        target->measuring = target->measuring && ++target->failed < FAILED_MAX;
        return false;
    }
    target->failed = 0;
    if (!target->measuring) {
        watch(target, gap_ps, train_sent_gap_ps(train->packets, train->count), now_ns, policy);
        return false;
    }
    struct train_samples *samples = &target->walks[train->loop].samples[train->thin];
    samples->gap_ps[samples->count++ % CAPACITY_SAMPLES] = gap_ps;
    return is_measured(target, policy) && conclude(capacity, target, now_ns, policy);
}

// ---- time

static void send_next(struct capacity *capacity, uint32_t index, uint64_t now_ns,
                      const struct capacity_policy *policy) {
    struct capacity_target *target = &capacity->targets[index];
    uint64_t pause_ns =
        target->measuring ? policy->interval_ns / CAPACITY_HASTE : policy->interval_ns;
    // Hosts that measure the same cable must not keep step.
    uint64_t drawn = hash_pair(capacity->salt, capacity->train.id);
    target->next_at_ns = now_ns + pause_ns / 2 + drawn % (pause_ns + 1);
    uint32_t turn = 0;
    if (target->measuring) {
        do {
            turn = target->turn++ % TURN_COUNT;
        } while (!turn_applies(target, turn, policy));
    }
    if (turn_applies(target, turn, policy)) {
        send_train(capacity, index, turns[turn].loop, turns[turn].thin, now_ns, policy);
    }
}

bool capacity_tick(struct capacity *capacity, uint64_t now_ns,
                   const struct capacity_policy *policy) {
    bool changed = false;
    if (policy->interval_ns == 0 || now_ns < capacity->deadline_ns) {
        return false;
    }
    if (capacity->train.under_way &&
        (now_ns >= capacity->train.due_at_ns || capacity->train.back == capacity->train.count)) {
        changed = finish_train(capacity, now_ns, policy);
    }
    uint64_t next_ns = NEVER_NS;
    uint32_t first = 0;
    for (uint32_t i = 0; i < capacity->target_count; i++) {
        if (capacity->targets[i].next_at_ns < next_ns) {
            next_ns = capacity->targets[i].next_at_ns;
            first = i;
        }
    }
    if (!capacity->train.under_way && next_ns <= now_ns) {
        send_next(capacity, first, now_ns, policy);
    }
    capacity->deadline_ns = capacity->train.under_way ? capacity->train.due_at_ns : next_ns;
    if (!capacity->train.under_way && capacity->deadline_ns <= now_ns) {
        capacity->deadline_ns = now_ns + NS_PER_MS;
    }
    return changed;
}
