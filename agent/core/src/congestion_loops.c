// SPDX-License-Identifier: Apache-2.0
// The rounds over the links of paths: their probes, and what came back of them.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "congestion.h"
#include "model/rng.h"

#define RATE_UNIT 65536
#define RATE_MEMORY_NS (250 * NS_PER_MS)

// ---- which there are

struct loop_key {
    uint32_t port, way;
    uint8_t which; // 0: home, 1: backup
    const struct path *path;
};

static int compare_links(uint32_t port_a, const link_id *a, unsigned count_a, uint32_t port_b,
                         const link_id *b, unsigned count_b) {
    if (port_a != port_b) {
        return port_a < port_b ? -1 : 1;
    }
    if (count_a != count_b) {
        return count_a < count_b ? -1 : 1;
    }
    for (unsigned i = 0; i < count_a; i++) {
        if (a[i].i != b[i].i) {
            return a[i].i < b[i].i ? -1 : 1;
        }
    }
    return 0;
}

static int compare_keys(const void *left, const void *right) {
    const struct loop_key *a = left, *b = right;
    return compare_links(a->port, a->path->links + 1, a->path->link_count - 2U, b->port,
                         b->path->links + 1, b->path->link_count - 2U);
}

static const struct congestion_loop *find_loop(const struct congestion *congestion,
                                               const struct loop_key *key) {
    uint32_t low = 0, high = congestion->loop_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct congestion_loop *loop = &congestion->loops[middle];
        int order = compare_links(loop->port, loop->way, loop->way_count, key->port,
                                  key->path->links + 1, key->path->link_count - 2U);
        if (order == 0) {
            return loop;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static void add_loop(const struct congestion *congestion, const struct loop_key *key,
                     struct congestion_loop *loop) {
    const struct congestion_loop *before = find_loop(congestion, key);
    if (before != NULL) {
        *loop = *before;
        loop->trial_until_ns = 0;
        return;
    }
    *loop = (struct congestion_loop){.port = key->port,
                                     .way_count = (uint8_t)(key->path->link_count - 2)};
    memcpy(loop->way, key->path->links + 1, loop->way_count * sizeof loop->way[0]);
}

int loops_of_ways(struct congestion *congestion, struct congestion_way *ways, uint32_t count,
                  struct congestion_loop **out, uint32_t *out_count) {
    struct loop_key *keys = calloc(2 * (size_t)count + 1, sizeof *keys);
    struct congestion_loop *loops = calloc(2 * (size_t)count + 1, sizeof *loops);
    if (keys == NULL || loops == NULL) {
        free(keys);
        free(loops);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        keys[2 * i] = (struct loop_key){ways[i].port, i, 0, &ways[i].home};
        keys[2 * i + 1] = (struct loop_key){ways[i].port, i, 1, &ways[i].backup};
    }
    qsort(keys, 2 * (size_t)count, sizeof *keys, compare_keys);
    uint32_t used = 0;
    for (uint32_t i = 0; i < 2 * count; i++) {
        if (i == 0 || compare_keys(&keys[i - 1], &keys[i]) != 0) {
            add_loop(congestion, &keys[i], &loops[used++]);
        }
        ways[keys[i].way].loops[keys[i].which] = used - 1;
    }
    free(keys);
    *out = loops;
    *out_count = used;
    return 0;
}

// The second way back keeps off the first, so that no link but the path's is on both.
void loops_build(struct congestion *congestion, struct congestion_loop *loop, uint32_t index) {
    port_id own = {0};
    for (uint32_t i = 0; i < congestion->way_count; i++) {
        const struct congestion_way *way = &congestion->ways[i];
        if (way->loops[0] == index || way->loops[1] == index) {
            own = way->src;
        }
    }
    uint32_t link_count = fabric_link_count(congestion->fabric);
    memcpy(congestion->avoid, congestion->down, link_count * sizeof *congestion->avoid);
    loop->built = true;
    loop->back_count = 0;
    for (unsigned back = 0; back < CONGESTION_BACKS; back++) {
        struct walk *walk = &loop->walks[loop->back_count];
        struct walk_round round = {.port = own,
                                   .way = loop->way,
                                   .way_count = loop->way_count,
                                   .avoid = congestion->avoid,
                                   .salt = hash_pair(congestion->seed, index)};
        if (!walk_find_round(&congestion->finder, &round, walk) ||
            fabric_walk_sids(congestion->fabric, walk->links, walk->link_count,
                             &loop->sids[loop->back_count]) != 0) {
            continue;
        }
        for (unsigned i = 1 + loop->way_count; i + 1U < walk->link_count; i++) {
            congestion->avoid[walk->links[i].i] = true;
        }
        loop->back_count++;
    }
}

// ---- out

static bool reserve_out(struct congestion *congestion) {
    if (congestion->out_count < congestion->out_capacity) {
        return true;
    }
    uint32_t capacity = congestion->out_capacity == 0 ? 32 : 2 * congestion->out_capacity;
    struct engine_probe *out = realloc(congestion->out, capacity * sizeof *out);
    if (out == NULL) {
        return false;
    }
    congestion->out = out;
    congestion->out_capacity = capacity;
    return true;
}

static struct congestion_probe *slot_of(const struct congestion *congestion, uint64_t token) {
    return &congestion->outstanding[token % CONGESTION_OUTSTANDING];
}

bool loop_send(struct congestion *congestion, uint32_t index, uint64_t now_ns,
               const struct ecn_policy *policy) {
    struct congestion_loop *loop = &congestion->loops[index];
    if (!loop->built) {
        loops_build(congestion, loop, index);
    }
    if (loop->back_count == 0 || !reserve_out(congestion) ||
        congestion->next_token - congestion->head_token >= CONGESTION_OUTSTANDING) {
        return false;
    }
    uint64_t token = congestion->next_token++;
    uint8_t back = (uint8_t)(loop->turn++ % loop->back_count);
    *slot_of(congestion, token) =
        (struct congestion_probe){.token = token,
                                  .sent_at_ns = now_ns,
                                  .due_at_ns = now_ns + policy->timeout_ns,
                                  .loop = index,
                                  .back = back};
    congestion->out[congestion->out_count++] =
        (struct engine_probe){.token = token,
                              .port = loop->port,
                              .traffic_class = policy->traffic_class,
                              .sids = loop->sids[back]};
    congestion->sent++;
    return true;
}

// ---- back

static void add_sample(struct congestion_loop *loop, const struct congestion_probe *probe,
                       enum ce_outcome outcome) {
    loop->samples[loop->sample_count++ % CONGESTION_SAMPLES] =
        (struct ce_sample){probe->sent_at_ns, probe->back, (uint8_t)outcome};
}

// What is left of `amount` after `age_ns`.
static uint64_t faded(uint64_t amount, uint64_t age_ns) {
    return age_ns >= RATE_MEMORY_NS
               ? 0
               : amount - amount * (age_ns / NS_PER_US) / (RATE_MEMORY_NS / NS_PER_US);
}

static void rate_add(struct ce_rate *rate, uint64_t now_ns, bool marked) {
    rate->seen = faded(rate->seen, now_ns - rate->at_ns) + RATE_UNIT;
    rate->marked = faded(rate->marked, now_ns - rate->at_ns) + (marked ? RATE_UNIT : 0);
    rate->at_ns = now_ns;
}

static void advance_head(struct congestion *congestion) {
    while (congestion->head_token < congestion->next_token &&
           slot_of(congestion, congestion->head_token)->token == 0) {
        congestion->head_token++;
    }
}

int64_t loops_take(struct congestion *congestion, uint64_t now_ns,
                   const struct engine_probe_result *result, uint64_t *sent_at_ns) {
    struct congestion_probe *slot = slot_of(congestion, result->token);
    if (slot->token != result->token) {
        return -1;
    }
    const struct congestion_probe probe = *slot;
    struct congestion_loop *loop = &congestion->loops[probe.loop];
    slot->token = 0;
    advance_head(congestion);
    add_sample(loop, &probe, result->ce ? CE_MARKED : CE_CLEAN);
    rate_add(&loop->rates[probe.back], now_ns, result->ce);
    loop->answered_at_ns[probe.back] = now_ns;
    if (result->ce) {
        loop->marked_at_ns[probe.back] = now_ns;
        congestion->marked++;
    }
    *sent_at_ns = probe.sent_at_ns;
    return probe.loop;
}

void congestion_unsent(struct congestion *congestion, uint64_t token) {
    struct congestion_probe *slot = slot_of(congestion, token);
    if (slot->token == token) {
        slot->token = 0;
        advance_head(congestion);
    }
}

void loops_expire(struct congestion *congestion, uint64_t now_ns) {
    for (uint64_t token = congestion->head_token; token < congestion->next_token; token++) {
        struct congestion_probe *slot = slot_of(congestion, token);
        if (slot->token != 0 && slot->due_at_ns <= now_ns) {
            add_sample(&congestion->loops[slot->loop], slot, CE_LOST);
            slot->token = 0;
        }
    }
    advance_head(congestion);
}

// ---- rates

static bool crosses(const struct walk *walk, link_id link) {
    for (unsigned i = 0; i < walk->link_count; i++) {
        if (walk->links[i].i == link.i) {
            return true;
        }
    }
    return false;
}

bool congestion_link_ppm(const struct congestion *congestion, link_id link, uint64_t now_ns,
                         uint32_t *ppm) {
    bool known = false;
    uint32_t least = 0;
    for (uint32_t i = 0; i < congestion->loop_count; i++) {
        const struct congestion_loop *loop = &congestion->loops[i];
        for (unsigned back = 0; loop->built && back < loop->back_count; back++) {
            const struct ce_rate *rate = &loop->rates[back];
            uint64_t age_ns = now_ns > rate->at_ns ? now_ns - rate->at_ns : 0;
            if (rate->seen < RATE_UNIT || age_ns >= RATE_MEMORY_NS ||
                !crosses(&loop->walks[back], link)) {
                continue;
            }
            uint32_t share = (uint32_t)(rate->marked * 1000000 / rate->seen);
            least = known && least < share ? least : share;
            known = true;
        }
    }
    if (known) {
        *ppm = least;
    }
    return known;
}
