// SPDX-License-Identifier: Apache-2.0
// The way from one layout of the eSwitch's tables to the next, change by change, on a model NIC:
// after each one, every packet that has a rule before and after meets the path of one of them; the
// last state is what the rules say; undoing in reverse is as safe. SEED= draws other rules.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "mlx5_layout.h"
#include "model/rng.h"
#include "nicdrv/diff.h"

#define DESTINATIONS 3
#define QPS 8
#define SPORTS 8
#define KEYS (1 + QPS + SPORTS)
#define ENCAPS 12 // numbered from 1; 0 is none
#define PATHS 4   // of one rule
#define FLOWS (DESTINATIONS * QPS * SPORTS)
#define IDS 4096

static uint64_t seed;
static struct rng rng;

// Some share a bucket, some do not.
static const uint32_t qps[QPS] = {0, 1, 2, 63, 64, 65, 0x1234, 0xffffff};
static const uint16_t sports[SPORTS] = {0xc000, 0xc001, 0xc002, 0xc03f, 0xc040, 0xc041, 0xfff0, 7};

static uint32_t below(uint32_t bound) {
    return (uint32_t)rng_below(&rng, bound);
}

// ---- rules

struct spec_rule {
    bool is_present;
    uint8_t select, path_count, encaps[PATHS], bucket[RULE_BUCKETS];
};

struct spec { // keys: the default, QPs, source ports
    struct spec_rule rules[DESTINATIONS][KEYS];
    uint32_t sids; // as bits
    bool per_qp;
};

static void destination_of(uint32_t d, uint8_t out[16]) {
    memset(out, 0, 16);
    if (d == 0) {
        memcpy(out, (uint8_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}, 16);
    } else {
        out[0] = 0xfd;
        out[15] = (uint8_t)d;
    }
}

static struct encap encap_of(uint32_t number) {
    struct encap encap = {.source = {[15] = 9}, .sids.count = (uint8_t)(1 + number % 3)};
    for (uint8_t i = 0; i < encap.sids.count; i++) {
        encap.sids.sids[i] =
            (struct sid){{0xfc, [4] = (uint8_t)(number >> 8), (uint8_t)number, [15] = i}};
    }
    return encap;
}

static uint32_t encap_number(const struct encap *encap) {
    return (uint32_t)encap->sids.sids[0].bytes[4] << 8 | encap->sids.sids[0].bytes[5];
}

static void draw_select(const struct spec *spec, uint32_t key, struct spec_rule *rule) {
    bool by_qp = key == 0 ? spec->per_qp && below(2) == 0 : key <= QPS;
    rule->select = below(3) == 0 ? RULE_SINGLE : by_qp ? RULE_BUCKET_QP : RULE_BUCKET_SPORT;
    rule->path_count = rule->select == RULE_SINGLE ? 1 : (uint8_t)(1 + below(PATHS));
    for (uint32_t b = 0; b < RULE_BUCKETS; b++) {
        rule->bucket[b] = rule->select == RULE_SINGLE ? 0 : (uint8_t)below(rule->path_count);
    }
}

static void draw_rule(const struct spec *spec, uint32_t key, struct spec_rule *rule) {
    rule->is_present = key == 0 || key > QPS || spec->per_qp;
    draw_select(spec, key, rule);
    for (uint32_t p = 0; p < PATHS; p++) {
        rule->encaps[p] = (uint8_t)(1 + below(ENCAPS));
    }
}

static void add_rule(const struct spec_rule *from, uint32_t d, uint32_t key, struct rule_set *set) {
    struct rule rule = {.select = from->select, .path_count = from->path_count};
    destination_of(d, rule.match.destination);
    rule.match.key_kind = key == 0 ? RULE_KEY_DEFAULT : key <= QPS ? RULE_KEY_QP : RULE_KEY_SPORT;
    rule.match.key = key == 0 ? 0 : key <= QPS ? qps[key - 1] : sports[key - 1 - QPS];
    memcpy(rule.bucket, from->bucket, sizeof rule.bucket);
    for (uint32_t p = 0; p < from->path_count; p++) {
        struct encap encap = encap_of(from->encaps[p]);
        assert_int_equal(rule_set_intern(set, &encap, &rule.encap[p]), 0);
    }
    assert_int_equal(rule_set_add(set, &rule), 0);
}

static void build_set(const struct spec *spec, struct rule_set *set) {
    rule_set_init(set);
    for (uint32_t d = 0; d < DESTINATIONS; d++) {
        for (uint32_t key = 0; key < KEYS; key++) {
            if (spec->rules[d][key].is_present) {
                add_rule(&spec->rules[d][key], d, key, set);
            }
        }
    }
    for (uint32_t s = 0; s < 4; s++) {
        if ((spec->sids >> s & 1) != 0) {
            set->local_sids[set->local_sid_count++] = (struct sid){{0xfc, (uint8_t)s}};
        }
    }
    struct error error;
    assert_int_equal(rule_set_seal(set, &error), 0);
}

// ---- steps from one set to the next

static struct spec_rule *any_rule(struct spec *spec, uint32_t *key) {
    *key = below(KEYS);
    return &spec->rules[below(DESTINATIONS)][*key];
}

static void each_encap(struct spec *spec, uint8_t from, uint8_t to, uint32_t of_100) {
    for (uint32_t d = 0; d < DESTINATIONS; d++) {
        for (uint32_t key = 0; key < KEYS; key++) {
            for (uint32_t p = 0; p < PATHS; p++) {
                uint8_t *encap = &spec->rules[d][key].encaps[p];
                *encap = *encap == from && below(100) < of_100 ? to : *encap;
            }
        }
    }
}

static void swap_encaps(struct spec *spec, uint8_t a, uint8_t b) {
    each_encap(spec, a, 0, 100);
    each_encap(spec, b, a, 100);
    each_encap(spec, 0, b, 100);
}

enum step { MOVE, MOVE_SOME, SWAP, CHANGE_RULE, ADD_RULE, DROP_RULE, SPLIT, BUCKET, SIDS, ANEW };
#define STEPS (ANEW + 1)

static void step_spec(struct spec *spec, enum step step) {
    uint8_t a = (uint8_t)(1 + below(ENCAPS)), b = (uint8_t)(1 + below(ENCAPS));
    uint32_t key;
    struct spec_rule *rule = any_rule(spec, &key);
    switch (step) {
    case MOVE:
        each_encap(spec, a, b, 100);
        break;
    case MOVE_SOME:
        each_encap(spec, a, b, 10 + below(90));
        break;
    case SWAP:
        swap_encaps(spec, a, b);
        break;
    case CHANGE_RULE:
        rule->encaps[below(PATHS)] = a;
        break;
    case ADD_RULE:
        draw_rule(spec, key, rule);
        break;
    case DROP_RULE:
        rule->is_present = false;
        break;
    case SPLIT:
        draw_select(spec, key, rule);
        break;
    case BUCKET:
        rule->bucket[below(RULE_BUCKETS)] = (uint8_t)below(rule->path_count);
        break;
    case SIDS:
        spec->sids ^= 1U << below(4);
        break;
    case ANEW:
        for (uint32_t d = 0; d < DESTINATIONS; d++) {
            for (key = 0; key < KEYS; key++) {
                draw_rule(spec, key, &spec->rules[d][key]);
                spec->rules[d][key].is_present &= below(3) != 0;
            }
        }
        break;
    }
}

// ---- a NIC

struct nic_model {
    uint32_t qp[DESTINATIONS][QPS], sport[DESTINATIONS][SPORTS]; // path ids; 0: no entry
    uint32_t qp_bucket[DESTINATIONS][RULE_BUCKETS], sport_bucket[DESTINATIONS][RULE_BUCKETS];
    uint32_t any[DESTINATIONS];
    uint32_t path[IDS]; // number of the encap; 0: no entry
    uint32_t flow_count, path_count, sids;
};

static uint32_t *find_entry(struct nic_model *nic, const struct mlx5_flow *flow) {
    uint32_t d = flow->destination[0] == 0 ? 0 : flow->destination[15];
    assert_true(d < DESTINATIONS);
    switch ((enum mlx5_flow_kind)flow->kind) {
    case MLX5_FLOW_QP:
        for (uint32_t i = 0; i < QPS; i++) {
            if (qps[i] == flow->value) {
                return &nic->qp[d][i];
            }
        }
        break;
    case MLX5_FLOW_SPORT:
        for (uint32_t i = 0; i < SPORTS; i++) {
            if (sports[i] == flow->value) {
                return &nic->sport[d][i];
            }
        }
        break;
    case MLX5_FLOW_QP_BUCKET:
        assert_true(flow->value < RULE_BUCKETS);
        return &nic->qp_bucket[d][flow->value];
    case MLX5_FLOW_SPORT_BUCKET:
        assert_true(flow->value < RULE_BUCKETS);
        return &nic->sport_bucket[d][flow->value];
    case MLX5_FLOW_ANY:
        assert_int_equal(flow->value, 0);
        return &nic->any[d];
    }
    fail_msg("kind %u, value %u", flow->kind, flow->value);
    return NULL;
}

static void set_flow(struct nic_model *nic, const struct mlx5_flow *old,
                     const struct mlx5_flow *new) {
    uint32_t *entry = find_entry(nic, old != NULL ? old : new);
    assert_int_equal(*entry, old != NULL ? old->path_id : 0);
    if (old != NULL && new != NULL) {
        assert_ptr_equal(find_entry(nic, new), entry);
    }
    assert_true(new == NULL || (new->path_id > 0 && nic->path[new->path_id] != 0));
    *entry = new != NULL ? new->path_id : 0;
    nic->flow_count += (new != NULL ? 1U : 0U) - (old != NULL ? 1U : 0U);
}

static bool is_used(const struct nic_model *nic, uint32_t id) {
    const uint32_t *all[] = {nic->qp[0], nic->sport[0], nic->qp_bucket[0], nic->sport_bucket[0],
                             nic->any};
    const uint32_t counts[] = {QPS, SPORTS, RULE_BUCKETS, RULE_BUCKETS, 1};
    for (uint32_t kind = 0; kind < MLX5_FLOW_KINDS; kind++) {
        for (uint32_t i = 0; i < DESTINATIONS * counts[kind]; i++) {
            if (all[kind][i] == id) {
                return true;
            }
        }
    }
    return false;
}

static void set_path(struct nic_model *nic, const struct mlx5_path *old,
                     const struct mlx5_path *new) {
    uint32_t id = old != NULL ? old->id : new->id;
    assert_true(id > 0 && id < IDS);
    assert_int_equal(nic->path[id], old != NULL ? encap_number(&old->encap) : 0);
    assert_true(old == NULL || new == NULL || old->id == new->id);
    assert_true(new != NULL || !is_used(nic, id));
    nic->path[id] = new != NULL ? encap_number(&new->encap) : 0;
    nic->path_count += (new != NULL ? 1U : 0U) - (old != NULL ? 1U : 0U);
}

// `old` is what stands, `new` what shall stand; either may be NULL.
static void set_sid(struct nic_model *nic, const struct sid *old, const struct sid *new) {
    assert_true((old == NULL) != (new == NULL));
    uint32_t bit = 1U << (old != NULL ? old : new)->bytes[1];
    assert_true(((nic->sids & bit) != 0) == (old != NULL));
    nic->sids ^= bit;
}

#define AT(array, index) ((index) == MLX5_NONE ? NULL : &(array)[index])

static void make_change(struct nic_model *nic, const struct mlx5_change *change,
                        const struct mlx5_layout *from, uint32_t before,
                        const struct mlx5_layout *to, uint32_t after) {
    switch ((enum mlx5_change_kind)change->kind) {
    case MLX5_SID_ADD:
    case MLX5_SID_REMOVE:
        set_sid(nic, AT(from->sids, before), AT(to->sids, after));
        break;
    case MLX5_PATH_ADD:
    case MLX5_PATH_REPLACE:
    case MLX5_PATH_REMOVE:
        set_path(nic, AT(from->paths, before), AT(to->paths, after));
        break;
    case MLX5_FLOW_ADD:
    case MLX5_FLOW_REPLACE:
    case MLX5_FLOW_REMOVE:
        set_flow(nic, AT(from->flows, before), AT(to->flows, after));
        break;
    }
}

// The encap that the flow's packets get; 0: they leave plain.
static uint32_t meet(const struct nic_model *nic, uint32_t flow) {
    uint32_t d = flow / (QPS * SPORTS), q = flow / SPORTS % QPS, s = flow % SPORTS;
    const uint32_t entries[] = {nic->qp[d][q], nic->sport[d][s], nic->qp_bucket[d][qps[q] & 63],
                                nic->sport_bucket[d][sports[s] & 63], nic->any[d]};
    for (uint32_t i = 0; i < MLX5_FLOW_KINDS; i++) {
        if (entries[i] != 0) {
            assert_int_not_equal(nic->path[entries[i]], 0);
            return nic->path[entries[i]];
        }
    }
    return 0;
}

// What the rules say of every flow, by the look-up that all drivers share.
static void expect(const struct rule_set *set, uint32_t encaps[FLOWS]) {
    for (uint32_t flow = 0; flow < FLOWS; flow++) {
        struct rule_packet packet = {.qp = qps[flow / SPORTS % QPS],
                                     .sport = sports[flow % SPORTS]};
        destination_of(flow / (QPS * SPORTS), packet.destination);
        uint32_t found = rule_set_lookup(set, &packet);
        encaps[flow] = 0;
        if (found != RULE_NONE) {
            const struct rule *rule = &set->rules[found];
            encaps[flow] =
                encap_number(&set->encaps[rule->encap[rule_select_path(rule, &packet, 0)]]);
        }
    }
}

static bool is_wanted(const struct rule_set *set, uint32_t number) {
    for (uint32_t e = 0; e < set->encap_count; e++) {
        if (encap_number(&set->encaps[e]) == number) {
            return true;
        }
    }
    return false;
}

struct trial { // the state that a sequence of steps is in
    struct spec spec;
    struct rule_set set;
    struct mlx5_layout layout;
    struct nic_model nic;
    uint32_t encaps[FLOWS];
};

// Between `a` and `b`, in this direction or back.
static void check_flows(const struct nic_model *nic, const struct trial *a, const struct trial *b) {
    for (uint32_t flow = 0; flow < FLOWS; flow++) {
        uint32_t met = meet(nic, flow), old = a->encaps[flow], new = b->encaps[flow];
        if (old == 0 || new == 0) {
            // Nothing is promised but that the path is one of the sets'.
            assert_true(met == 0 || is_wanted(&a->set, met) || is_wanted(&b->set, met));
            assert_true(old != 0 || met == new || met == 0);
        } else if (met != old && met != new) {
            fail_msg("flow %u meets %u between %u and %u", flow, met, old, new);
        }
    }
}

static void check_layout(const struct trial *trial) {
    const struct mlx5_layout *layout = &trial->layout;
    uint32_t users[IDS] = {0};
    for (uint32_t f = 0; f < layout->flow_count; f++) {
        const struct mlx5_flow *flow = &layout->flows[f];
        const struct rule *rule = &trial->set.rules[flow->rule];
        assert_memory_equal(flow->destination, rule->match.destination, 16);
        uint32_t number = encap_number(&trial->set.encaps[rule->encap[flow->path]]);
        assert_int_equal(trial->nic.path[flow->path_id], number);
        users[flow->path_id]++;
    }
    for (uint32_t p = 0; p < layout->path_count; p++) {
        assert_true(p == 0 || layout->paths[p - 1].id < layout->paths[p].id);
        assert_int_equal(layout->paths[p].users, users[layout->paths[p].id]);
        assert_true(layout->paths[p].users > 0);
    }
    assert_int_equal(trial->nic.flow_count, layout->flow_count);
    assert_int_equal(trial->nic.path_count, layout->path_count);
    assert_int_equal(trial->nic.sids, trial->spec.sids);
    for (uint32_t flow = 0; flow < FLOWS; flow++) {
        assert_int_equal(meet(&trial->nic, flow), trial->encaps[flow]);
    }
}

static void check_unchanged(const struct trial *trial) {
    struct mlx5_layout again;
    struct mlx5_changes none;
    assert_int_equal(mlx5_layout_next(&trial->layout, &trial->set, true, &again, &none, NULL), 0);
    assert_int_equal(none.count, 0);
    assert_int_equal(again.path_count, trial->layout.path_count);
    for (uint32_t p = 0; p < again.path_count; p++) {
        assert_memory_equal(&again.paths[p], &trial->layout.paths[p], sizeof again.paths[p]);
    }
    mlx5_layout_fini(&again);
    mlx5_changes_fini(&none);
}

static bool adds(const struct mlx5_change *change) {
    return change->before == MLX5_NONE;
}

// As a driver does that can hold two entries of one match, of which the older is met: everything
// new is made first, and only then the old ones go, in the order of the changes.
static void make_then_break(const struct trial *last, const struct trial *trial,
                            const struct mlx5_changes *changes) {
    struct nic_model nic = last->nic;
    for (uint32_t i = 0; i < 2 * changes->count; i++) {
        const struct mlx5_change *change = &changes->items[i % changes->count];
        if (adds(change) == (i < changes->count)) {
            make_change(&nic, change, &last->layout, change->before, &trial->layout, change->after);
            check_flows(&nic, last, trial);
        }
    }
    assert_memory_equal(&nic, &trial->nic, sizeof nic);
}

// From `last` to `trial`, which has its spec.
static void go(const struct trial *last, struct trial *trial, bool also_back,
               struct mlx5_changes *changes) {
    struct error error = {0};
    build_set(&trial->spec, &trial->set);
    expect(&trial->set, trial->encaps);
    int rc = mlx5_layout_next(&last->layout, &trial->set, trial->spec.per_qp, &trial->layout,
                              changes, &error);
    assert_int_equal(rc, 0);
    struct nic_model *nic = &trial->nic;
    *nic = last->nic;
    for (uint32_t c = 0; c < changes->count; c++) {
        const struct mlx5_change *change = &changes->items[c];
        make_change(nic, change, &last->layout, change->before, &trial->layout, change->after);
        check_flows(nic, last, trial);
    }
    check_layout(trial);
    check_unchanged(trial);
    make_then_break(last, trial, changes);
    struct nic_model back = *nic;
    for (uint32_t c = changes->count; also_back && c > 0; c--) {
        const struct mlx5_change *change = &changes->items[c - 1];
        make_change(&back, change, &trial->layout, change->after, &last->layout, change->before);
        check_flows(&back, last, trial);
    }
    assert_true(!also_back || memcmp(&back, &last->nic, sizeof back) == 0);
}

static void trial_fini(struct trial *trial) {
    rule_set_fini(&trial->set);
    mlx5_layout_fini(&trial->layout);
}

static void draw_spec(struct spec *spec, bool per_qp) {
    *spec = (struct spec){.per_qp = per_qp};
    for (uint32_t d = 0; d < DESTINATIONS; d++) {
        for (uint32_t key = 0; key < KEYS; key++) {
            draw_rule(spec, key, &spec->rules[d][key]);
            spec->rules[d][key].is_present &= below(2) == 0;
        }
    }
}

static void walk(uint32_t length, bool per_qp) {
    static struct trial trials[2]; // large
    memset(trials, 0, sizeof trials);
    trials[0].spec.per_qp = per_qp;
    for (uint32_t i = 0; i < length; i++) {
        struct trial *last = &trials[i % 2], *trial = &trials[(i + 1) % 2];
        struct mlx5_changes changes;
        trial->spec = last->spec;
        if (i == 0) {
            draw_spec(&trial->spec, per_qp);
        }
        for (uint32_t steps = i == 0 ? 0 : 1 + below(4); steps > 0; steps--) {
            step_spec(&trial->spec, (enum step)below(below(8) == 0 ? STEPS : ANEW));
        }
        go(last, trial, i % 4 == 0, &changes);
        mlx5_changes_fini(&changes);
        trial_fini(last);
    }
    trial_fini(&trials[length % 2]);
}

// Paths meet and part for as long as a fleet runs. Each meeting makes a double, and only steps that
// change flow entries may undo them.
static void path_ids_stay_few_however_long_it_goes(void **state) {
    (void)state;
    static struct trial trials[2]; // large
    static const enum step steps[] = {MOVE, MOVE,        MOVE,      MOVE_SOME,
                                      SWAP, CHANGE_RULE, DROP_RULE, ADD_RULE};
    rng_init(&rng, seed);
    memset(trials, 0, sizeof trials);
    draw_spec(&trials[0].spec, true);
    for (uint32_t i = 0; i < 6000; i++) {
        struct trial *last = &trials[i % 2], *trial = &trials[(i + 1) % 2];
        struct mlx5_changes changes;
        trial->spec = last->spec;
        step_spec(&trial->spec, steps[below(sizeof steps / sizeof steps[0])]);
        go(last, trial, false, &changes);
        for (uint32_t p = 0; p < trial->layout.path_count; p++) {
            assert_in_range(trial->layout.paths[p].id, 1, 2 * ENCAPS);
        }
        mlx5_changes_fini(&changes);
        trial_fini(last);
    }
    trial_fini(&trials[0]);
}

// ---- memory that runs out

static uint32_t allocations_left = UINT32_MAX;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size) {
    if (allocations_left == 0) {
        return NULL;
    }
    allocations_left -= allocations_left == UINT32_MAX ? 0 : 1;
    return __real_calloc(count, size);
}

// With `count` allocations and no more: whether that was enough.
static bool try_with(uint32_t count, const struct mlx5_layout *now, const struct rule_set *wanted) {
    struct mlx5_layout next, next_before;
    struct mlx5_changes changes, changes_before;
    struct error error = {0};
    memset(&next, 0xee, sizeof next);
    memset(&changes, 0xee, sizeof changes);
    memcpy(&next_before, &next, sizeof next);
    memcpy(&changes_before, &changes, sizeof changes);
    allocations_left = count;
    int rc = mlx5_layout_next(now, wanted, true, &next, &changes, &error);
    allocations_left = UINT32_MAX;
    if (rc == 0) {
        mlx5_layout_fini(&next);
        mlx5_changes_fini(&changes);
        return true;
    }
    assert_int_equal(rc, -ENOMEM);
    assert_int_equal(error.code, -ENOMEM);
    assert_non_null(strstr(error.text, "memory"));
    assert_memory_equal(&next, &next_before, sizeof next);
    assert_memory_equal(&changes, &changes_before, sizeof changes);
    return false;
}

static void without_memory_nothing_is_written(void **state) {
    (void)state;
    static struct trial trials[3]; // large
    struct mlx5_changes changes;
    rng_init(&rng, seed);
    memset(trials, 0, sizeof trials);
    for (uint32_t i = 1; i < 3; i++) {
        draw_spec(&trials[i].spec, true);
        go(&trials[i - 1], &trials[i], false, &changes);
        mlx5_changes_fini(&changes);
    }
    uint32_t needed = 0;
    while (!try_with(needed, &trials[1].layout, &trials[2].set)) {
        needed++;
    }
    assert_in_range(needed, 1, 20);
    trial_fini(&trials[1]);
    trial_fini(&trials[2]);
}

static void no_change_takes_a_packet_where_no_rule_sends_it(void **state) {
    (void)state;
    for (uint32_t round = 0; round < 300; round++) {
        rng_init(&rng, seed + round);
        walk(12, round % 3 != 0);
    }
}

int main(void) {
    const char *text = getenv("SEED");
    seed = text != NULL ? strtoull(text, NULL, 10) : 1;
    printf("SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_change_takes_a_packet_where_no_rule_sends_it),
        cmocka_unit_test(path_ids_stay_few_however_long_it_goes),
        cmocka_unit_test(without_memory_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
