// SPDX-License-Identifier: Apache-2.0
// Random sets of rules through the driver mlx5, the real library and an emulated card:
//   - after every single change of the card's rules, a packet that has a rule before and after
//   takes
//     the path of one of them, and one that gets a rule takes no path but the new one;
//   - in the end it takes the path that the rules say;
//   - an apply that fails leaves the card as it was;
//   - counters say what was sent since the rule took the path.
// SEED= draws other rules.
#include "mlx5_bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/rng.h"

#define DESTINATIONS 5 // the last two are IPv4
#define SPORTS 6
#define ENCAPS 60 // numbered from 1
#define PATHS 3   // of one rule
#define STEPS 60
#define NONE 0

static const uint16_t sports[SPORTS] = {0xc000, 0xc001, 0xc03f, 0xc040, 0xc041, 7};

static uint64_t seed;
static struct rng rng;

static uint32_t below(uint32_t bound) {
    return (uint32_t)rng_below(&rng, bound);
}

static struct rule_match match_of(unsigned d) {
    return d < DESTINATIONS - 2 ? match_to((uint8_t)(d + 1), RULE_KEY_DEFAULT, 0)
                                : match_to_ipv4((uint8_t)(d + 1));
}

static struct card_flow flow_of(unsigned d, unsigned s) {
    struct card_flow flow = flow_to(1, sports[s]);
    memcpy(flow.destination, match_of(d).destination, sizeof flow.destination);
    return flow;
}

// ---- sets

static void draw_rule(struct rule_set *set, struct rule_match match) {
    struct rule rule = {.match = match, .path_count = 1};
    uint32_t first = below(ENCAPS);
    if (below(2) == 0) {
        rule.select = RULE_BUCKET_SPORT;
        rule.path_count = (uint8_t)(1 + below(PATHS));
        for (uint32_t b = 0; b < RULE_BUCKETS; b++) {
            rule.bucket[b] = (uint8_t)below(rule.path_count);
        }
    }
    for (uint32_t p = 0; p < rule.path_count; p++) {
        struct encap encap = encap_over((uint8_t)(1 + (first + p) % ENCAPS));
        encap.sids.count = (uint8_t)(1 + (first + p) % 3);
        assert_int_equal(rule_set_intern(set, &encap, &rule.encap[p]), 0);
    }
    assert_int_equal(rule_set_add(set, &rule), 0);
}

static const struct rule *find_rule(const struct rule_set *set, const struct rule_match *match) {
    uint32_t r = rule_set_find(set, match);
    return r == RULE_NONE ? NULL : &set->rules[r];
}

static void keep_rule(struct rule_set *set, const struct rule_set *from, const struct rule *old) {
    struct rule rule = *old;
    for (uint32_t p = 0; p < old->path_count; p++) {
        assert_int_equal(rule_set_intern(set, &from->encaps[old->encap[p]], &rule.encap[p]), 0);
    }
    assert_int_equal(rule_set_add(set, &rule), 0);
}

// Each rule stays, is drawn anew, or goes.
static void draw_set(const struct rule_set *from, struct rule_set *set) {
    rule_set_clear(set);
    set->local_sid_count = 0;
    for (unsigned d = 0; d < DESTINATIONS; d++) {
        for (unsigned s = 0; s <= SPORTS; s++) {
            struct rule_match match = match_of(d);
            if (s < SPORTS) {
                match.key_kind = RULE_KEY_SPORT;
                match.key = sports[s];
            }
            const struct rule *old = find_rule(from, &match);
            uint32_t fate = below(6);
            if (old != NULL && fate < 3) {
                keep_rule(set, from, old);
            } else if (fate < (s == SPORTS ? 5 : 4)) {
                draw_rule(set, match);
            }
        }
    }
    for (uint8_t i = 0; i < 3; i++) {
        if (below(2) == 0) {
            set->local_sids[set->local_sid_count++].bytes[0] = (uint8_t)(0xf8 + i);
        }
    }
    seal(set);
}

// The number of the encap that the rules give the packet.
static int wanted_path(const struct rule_set *set, const struct card_flow *flow) {
    struct rule_packet packet = {.qp = flow->qp, .sport = flow->sport};
    memcpy(packet.destination, flow->destination, sizeof packet.destination);
    uint32_t rule = rule_set_lookup(set, &packet);
    if (rule == RULE_NONE) {
        return NONE;
    }
    uint32_t path = rule_select_path(&set->rules[rule], &packet, 0);
    return set->encaps[set->rules[rule].encap[path]].sids.sids[0].bytes[5];
}

static int taken_path(struct card_flow flow) {
    int path = path_of(flow);
    assert_int_not_equal(path, PATH_PLAIN);
    return path < 0 ? NONE : path;
}

static void assert_steers(const struct rule_set *set) {
    for (unsigned d = 0; d < DESTINATIONS; d++) {
        for (unsigned s = 0; s < SPORTS; s++) {
            struct card_flow flow = flow_of(d, s);
            assert_int_equal(taken_path(flow), wanted_path(set, &flow));
        }
    }
}

// ---- between two changes

struct watch {
    const struct rule_set *before, *after;
    unsigned changes, wrong;
    char first[160];
};

static void look(void *context) {
    struct watch *watch = context;
    watch->changes++;
    for (unsigned d = 0; d < DESTINATIONS; d++) {
        for (unsigned s = 0; s < SPORTS; s++) {
            struct card_flow flow = flow_of(d, s);
            struct card_frame frame;
            const uint8_t *out;
            size_t size;
            card_frame_build(&flow, &frame);
            size_t plain = frame.size;
            struct softcx_result result = card_bed_send(&frame, 1, &out, &size);
            int path = result.verdict == VERDICT_VPORT && size > plain ? out[14 + 24 + 5] : NONE;
            int old = wanted_path(watch->before, &flow), new = wanted_path(watch->after, &flow);
            bool lost = result.verdict == VERDICT_VPORT && size == plain;
            if (new != NONE && (lost || (path != old && path != new))) {
                if (watch->wrong++ == 0) {
                    snprintf(
                        watch->first, sizeof watch->first,
                        "change %u: destination %u port 0x%x takes path %d%s, was %d, will be %d",
                        watch->changes, d, sports[s], path, lost ? " (plain)" : "", old, new);
                }
            }
        }
    }
}

static void apply_watched(struct bench *bench) {
    struct rule_set before;
    rule_set_init(&before);
    assert_int_equal(rule_set_copy(&bench->nic->applied, &before), 0);
    struct watch watch = {.before = &before, .after = &bench->wanted};
    card_bed_watch(look, &watch);
    int rc = nic_apply(bench->nic, &bench->wanted, &bench->error);
    card_bed_watch(NULL, NULL);
    if (watch.wrong != 0) {
        fail_msg("%u of %u changes: %s", watch.wrong, watch.changes, watch.first);
    }
    assert_true(rule_set_equal(&bench->nic->applied, rc == 0 ? &bench->wanted : &before));
    assert_steers(&bench->nic->applied);
    rule_set_fini(&before);
}

static void no_packet_goes_astray_while_rules_change(void **state) {
    struct bench *bench = *state;
    for (unsigned step = 0; step < STEPS; step++) {
        draw_set(&bench->nic->applied, &bench->wanted);
        apply_watched(bench);
        assert_true(rule_set_equal(&bench->nic->applied, &bench->wanted));
    }
}

static void an_apply_that_fails_harms_no_packet(void **state) {
    struct bench *bench = *state;
    unsigned failed = 0;
    for (unsigned step = 0; step < STEPS; step++) {
        char fault[64];
        snprintf(fault, sizeof fault, "reformat after=%u", below(30));
        fakecx_bed_fault(fault);
        draw_set(&bench->nic->applied, &bench->wanted);
        apply_watched(bench);
        failed += !rule_set_equal(&bench->nic->applied, &bench->wanted);
        if (below(3) == 0) { // so that the next has less to make
            fakecx_bed_fault(NULL);
            apply_watched(bench);
            assert_true(rule_set_equal(&bench->nic->applied, &bench->wanted));
        }
    }
    fakecx_bed_fault(NULL);
    print_message("%u of %u applies failed\n", failed, STEPS);
    assert_true(failed > 0);
}

// ---- counters

struct expectation { // of the set that is applied, by the number of a path
    uint32_t *first;
    uint64_t *packets;
};

static struct expectation expect_next(const struct rule_set *before, const struct expectation *old,
                                      const struct rule_set *after) {
    struct expectation next;
    assert_int_equal(rule_path_numbers(after, &next.first), 0);
    next.packets = calloc(next.first[after->rule_count] + 1U, sizeof *next.packets);
    assert_non_null(next.packets);
    for (uint32_t r = 0; r < after->rule_count; r++) {
        uint32_t origin[RULE_PATHS_MAX];
        uint32_t was = rule_set_find(before, &after->rules[r].match);
        rule_path_origins(before, was, after, r, origin);
        for (uint32_t p = 0; p < after->rules[r].path_count; p++) {
            if (origin[p] != RULE_NONE) {
                next.packets[next.first[r] + p] = old->packets[old->first[was] + origin[p]];
            }
        }
    }
    return next;
}

static void send_some(const struct rule_set *set, const struct expectation *expected) {
    for (unsigned i = 0; i < 40; i++) {
        struct card_flow flow = flow_of(below(DESTINATIONS), below(SPORTS));
        struct rule_packet packet = {.qp = flow.qp, .sport = flow.sport};
        memcpy(packet.destination, flow.destination, sizeof packet.destination);
        uint32_t rule = rule_set_lookup(set, &packet);
        taken_path(flow);
        if (rule != RULE_NONE) {
            uint32_t path = rule_select_path(&set->rules[rule], &packet, 0);
            expected->packets[expected->first[rule] + path]++;
        }
    }
}

struct comparison {
    const struct rule_set *set;
    const struct expectation *expected;
    unsigned seen, wrong;
};

static void compare(void *context, const struct nic_counter *counter) {
    struct comparison *all = context;
    uint32_t rule = rule_set_find(all->set, &counter->match);
    assert_int_not_equal(rule, RULE_NONE);
    all->seen++;
    all->wrong +=
        counter->packets != all->expected->packets[all->expected->first[rule] + counter->path];
}

static void counters_say_what_was_sent(void **state) {
    struct bench *bench = *state;
    struct rule_set before;
    rule_set_init(&before);
    seal(&before);
    struct expectation none = {NULL, NULL}, expected = expect_next(&before, &none, &before);
    for (unsigned step = 0; step < STEPS; step++) {
        draw_set(&bench->nic->applied, &bench->wanted);
        struct expectation next = expect_next(&bench->nic->applied, &expected, &bench->wanted);
        bench_apply(bench);
        free(expected.first);
        free(expected.packets);
        expected = next;
        send_some(&bench->wanted, &expected);
        struct comparison all = {.set = &bench->wanted, .expected = &expected};
        assert_int_equal(bench->nic->driver->counters(bench->nic, compare, &all), 0);
        assert_int_equal(all.seen, expected.first[bench->wanted.rule_count]);
        assert_int_equal(all.wrong, 0);
    }
    free(expected.first);
    free(expected.packets);
    rule_set_fini(&before);
}

static int seeded_setup(void **state) {
    rng_init(&rng, seed);
    return bench_setup(state);
}

#define IN_BED(test) cmocka_unit_test_setup_teardown(test, seeded_setup, bench_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_BED(no_packet_goes_astray_while_rules_change),
        IN_BED(an_apply_that_fails_harms_no_packet),
        IN_BED(counters_say_what_was_sent),
    };
    const char *text = getenv("SEED");
    seed = text != NULL ? strtoull(text, NULL, 0) : 1;
    printf("SEED=%llu\n", (unsigned long long)seed);
    fakecx_bed_begin();
    card_bed_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
