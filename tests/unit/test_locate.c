// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <errno.h>
#include <string.h>

#include "fabric_fixture.h"
#include "locate.h"
#include "locate_loops.h"
#include "model/time.h"

#define LOOPS_MAX 4096

// A fabric, its loops, and what they lose: all that cross a given link, or a given node.
struct bench {
    struct fabric *fabric;
    struct locate_loops loops;
    struct locate *locate;
    struct rng rng;
    uint32_t lost_link[2], lost_node, slow_link;
    uint32_t lost_percent; // by the node, each time that a probe comes to it; 0: all
    uint32_t probes;
    uint64_t now_ns;
};

static struct bench open_bench(void) {
    struct bench bench = {.fabric = fixture_leaf_spine(4, 4, 2, 1, 1),
                          .lost_link = {ID_NONE, ID_NONE},
                          .lost_node = ID_NONE,
                          .slow_link = ID_NONE,
                          .now_ns = NS_PER_S};
    rng_init(&bench.rng, 1);
    assert_int_equal(locate_loops_make(&bench.loops, bench.fabric, 9, (port_id){ID_NONE}), 0);
    assert_int_equal(locate_open(&bench.locate, bench.fabric, bench.loops.specs, bench.loops.count,
                                 10),
                     0);
    return bench;
}

static void close_bench(struct bench *bench) {
    locate_close(bench->locate);
    locate_loops_free(&bench->loops);
    fabric_close(bench->fabric);
}

static uint32_t link_named(const struct bench *bench, const char *name) {
    link_id link;
    assert_true(fabric_find_link(bench->fabric, name, &link));
    return link.i;
}

static uint32_t node_named(const struct bench *bench, const char *name) {
    node_id node;
    assert_true(fabric_find_node(bench->fabric, name, &node));
    return node.i;
}

static bool crosses(const struct bench *bench, uint32_t loop, uint32_t link) {
    const struct walk *walk = &bench->loops.specs[loop].walk;
    for (unsigned i = 0; i < walk->link_count; i++) {
        if (walk->links[i].i == link) {
            return true;
        }
    }
    return false;
}

static bool is_lost(struct bench *bench, uint32_t loop) {
    const struct walk *walk = &bench->loops.specs[loop].walk;
    for (unsigned i = 0; i < walk->link_count; i++) {
        if (fabric_link_to(bench->fabric, walk->links[i]).i == bench->lost_node &&
            (bench->lost_percent == 0 || rng_below(&bench->rng, 100) < bench->lost_percent)) {
            return true;
        }
    }
    return crosses(bench, loop, bench->lost_link[0]) || crosses(bench, loop, bench->lost_link[1]);
}

static void send(struct bench *bench, uint32_t loop, bool lost) {
    uint64_t delay = 10000 * bench->loops.specs[loop].walk.link_count + rng_below(&bench->rng, 500);
    delay += crosses(bench, loop, bench->slow_link) ? 5000 : 0;
    locate_result(bench->locate, &(struct locate_result){.loop = loop,
                                                         .lost = lost,
                                                         .due_at_ns = bench->now_ns,
                                                         .sent_at_ns = bench->now_ns,
                                                         .delay_ns = lost ? 0 : delay});
    bench->now_ns += NS_PER_MS;
    bench->probes++;
}

// Probes until there is a verdict, at most so many.
static bool run(struct bench *bench, uint32_t probes, struct locate_verdict *verdict) {
    for (uint32_t i = 0; i < probes; i++) {
        uint32_t loop;
        assert_int_equal(locate_choose(bench->locate, &bench->rng, 1, &loop), 1);
        send(bench, loop, is_lost(bench, loop));
        if (locate_take(bench->locate, verdict)) {
            return true;
        }
    }
    return false;
}

// ---- loops

static void a_round_crosses_every_directed_link_once(void **state) {
    (void)state;
    struct bench bench = open_bench();
    for (uint32_t round = 0; round < 9; round++) {
        for (uint32_t link = 0; link < fabric_link_count(bench.fabric); link++) {
            uint32_t count = 0;
            for (uint32_t i = 0; i < bench.loops.count; i++) {
                count += bench.loops.specs[i].round == round && crosses(&bench, i, link);
            }
            if (fabric_link_is_internal(bench.fabric, (link_id){link})) {
                assert_int_equal(count, 1);
            }
        }
    }
    close_bench(&bench);
}

static void rounds_pair_links_anew(void **state) {
    (void)state;
    struct bench bench = open_bench();
    uint32_t up = link_named(&bench, "leaf0>spine1");
    uint32_t met[64] = {0};
    for (uint32_t i = 0; i < bench.loops.count; i++) {
        for (uint32_t link = 0; link < 64 && bench.loops.specs[i].round < 9; link++) {
            met[link] += link < fabric_link_count(bench.fabric) && link != up &&
                         fabric_link_is_internal(bench.fabric, (link_id){link}) &&
                         crosses(&bench, i, up) && crosses(&bench, i, link);
        }
    }
    for (uint32_t link = 0; link < 64; link++) {
        assert_true(met[link] <= 3); // of nine rounds
    }
    close_bench(&bench);
}

static void every_host_sends_in_two_rounds(void **state) {
    (void)state;
    struct bench bench = open_bench();
    for (uint32_t port = 0; port < bench.fabric->port_count; port++) {
        uint32_t count = 0;
        link_id up = link_of(bench.fabric->ports[port].cable, false);
        for (uint32_t i = 0; i < bench.loops.count; i++) {
            count += bench.loops.specs[i].round < 2 && crosses(&bench, i, up.i);
        }
        assert_true(count >= 1);
    }
    close_bench(&bench);
}

static void loops_of_one_port_begin_there(void **state) {
    (void)state;
    struct bench bench = open_bench();
    struct locate_loops own;
    assert_int_equal(locate_loops_make(&own, bench.fabric, 9, (port_id){3}), 0);
    assert_true(own.count > 2);
    for (uint32_t i = 0; i < own.count; i++) {
        assert_int_equal(own.specs[i].walk.links[0].i,
                         link_of(bench.fabric->ports[3].cable, false).i);
    }
    locate_loops_free(&own);
    close_bench(&bench);
}

static void what_is_no_loop_is_refused(void **state) {
    (void)state;
    struct bench bench = open_bench();
    struct locate *locate = NULL;
    struct locate_loop_spec broken = bench.loops.specs[0];
    broken.walk.link_count--;
    assert_int_equal(locate_open(&locate, bench.fabric, &broken, 1, 10), -EINVAL);
    broken = bench.loops.specs[0];
    broken.walk.links[1] = broken.walk.links[2];
    assert_int_equal(locate_open(&locate, bench.fabric, &broken, 1, 10), -EINVAL);
    struct locate_loop_spec two[2] = {bench.loops.specs[0], bench.loops.specs[0]};
    two[0].round = 1;
    two[1].round = 0;
    assert_int_equal(locate_open(&locate, bench.fabric, two, 2, 10), -EINVAL);
    assert_int_equal(locate_open(&locate, bench.fabric, two, 1, 0), -EINVAL);
    assert_null(locate);
    close_bench(&bench);
}

// ---- choices

static void a_loss_is_repeated_three_times_at_once(void **state) {
    (void)state;
    for (unsigned before = 0; before < 8; before++) { // also where background would be due
        struct bench bench = open_bench();
        uint32_t loops[8];
        assert_int_equal(locate_choose(bench.locate, &bench.rng, before + 1, loops), before + 1);
        uint32_t first = loops[before];
        send(&bench, first, true);
        assert_int_equal(locate_choose(bench.locate, &bench.rng, 3, loops), 3);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(loops[i], first);
        }
        close_bench(&bench);
    }
}

static void the_background_is_the_rounds_in_order(void **state) {
    (void)state;
    struct bench bench = open_bench();
    uint32_t loops[LOOPS_MAX], count = 0;
    for (uint32_t i = 0; i < bench.loops.count; i++) {
        count += bench.loops.specs[i].round != LOCATE_ON_DEMAND;
    }
    assert_int_equal(locate_choose(bench.locate, &bench.rng, count + 1, loops), count + 1);
    assert_int_equal(loops[count], loops[0]); // all of them, and from the beginning again
    for (uint32_t i = 0; i < count; i++) {
        assert_true(bench.loops.specs[loops[i]].round != LOCATE_ON_DEMAND);
        assert_true(i == 0 || loops[i] == (loops[i - 1] + 1) % count);
    }
    close_bench(&bench);
}

static void one_probe_in_eight_goes_on_while_there_are_suspects(void **state) {
    (void)state;
    struct bench bench = open_bench();
    uint32_t loops[68], first;
    assert_int_equal(locate_choose(bench.locate, &bench.rng, 1, &first), 1);
    send(&bench, first, true);
    assert_int_equal(locate_choose(bench.locate, &bench.rng, 3, loops), 3); // the repeats
    assert_int_equal(locate_choose(bench.locate, &bench.rng, 64, loops), 64);
    uint32_t others = 0;
    for (unsigned i = 0; i < 64; i++) {
        others += loops[i] != loops[0];
    }
    assert_in_range(others, 7, 9 + 1);
    close_bench(&bench);
}

// ---- verdicts

static void a_link_that_loses_all_is_down(void **state) {
    (void)state;
    struct bench bench = open_bench();
    struct locate_verdict verdict;
    bench.lost_link[0] = link_named(&bench, "spine2>leaf1");
    assert_true(run(&bench, 200, &verdict));
    assert_int_equal(verdict.fault, LOCATE_DOWN);
    assert_int_equal(verdict.what.place, LOCATE_LINK);
    assert_int_equal(verdict.what.link.i, bench.lost_link[0]);
    assert_int_equal(verdict.sent, verdict.lost);
    assert_true(verdict.lost >= 8);
    assert_true(verdict.confidence_ppm > 999000);
    assert_false(run(&bench, 2000, &verdict)); // and nothing else is
    close_bench(&bench);
}

static void a_cut_cable_is_two_links(void **state) {
    (void)state;
    struct bench bench = open_bench();
    struct locate_verdict verdict;
    bench.lost_link[0] = link_named(&bench, "leaf1>spine2");
    bench.lost_link[1] = link_named(&bench, "spine2>leaf1");
    for (unsigned i = 0; i < 2; i++) {
        assert_true(run(&bench, 500, &verdict));
        assert_int_equal(verdict.fault, LOCATE_DOWN);
        assert_int_equal(verdict.what.place, LOCATE_LINK);
        assert_int_equal(verdict.what.link.i / 2, bench.lost_link[0] / 2);
    }
    assert_false(run(&bench, 2000, &verdict));
    close_bench(&bench);
}

static void a_dead_node_is_named(void **state) {
    (void)state;
    static const struct {
        const char *node;
        enum locate_place place;
    } nodes[] = {{"leaf2", LOCATE_LEAF}, {"spine3", LOCATE_SPINE}, {"h5", LOCATE_HOST}};
    for (unsigned i = 0; i < 3; i++) {
        struct bench bench = open_bench();
        struct locate_verdict verdict;
        bench.lost_node = node_named(&bench, nodes[i].node);
        assert_true(run(&bench, 500, &verdict));
        assert_int_equal(verdict.fault, LOCATE_DOWN);
        assert_int_equal(verdict.what.place, nodes[i].place);
        if (nodes[i].place == LOCATE_HOST) {
            assert_int_equal(fabric_link_from(bench.fabric, verdict.what.link).i, bench.lost_node);
        } else {
            assert_int_equal(verdict.what.node.i, bench.lost_node);
        }
        assert_false(run(&bench, 1000, &verdict));
        close_bench(&bench);
    }
}

// Either as such, or by its links one after the other: what all of them lose alike is lost by each.
static void a_switch_that_loses_some_is_named_or_its_links_are(void **state) {
    (void)state;
    static const char *const nodes[] = {"leaf1", "spine0"};
    for (unsigned i = 0; i < 2; i++) {
        struct bench bench = open_bench();
        struct locate_verdict verdict;
        bench.lost_node = node_named(&bench, nodes[i]);
        bench.lost_percent = 5;
        uint32_t links = 0;
        bool named = false;
        while (run(&bench, 3000, &verdict)) {
            assert_int_equal(verdict.fault, LOCATE_LOSSY);
            assert_in_range(verdict.loss_ppm, 20000, 200000);
            if (verdict.what.place == LOCATE_LINK) {
                node_id from = fabric_link_from(bench.fabric, verdict.what.link);
                node_id to = fabric_link_to(bench.fabric, verdict.what.link);
                assert_true(from.i == bench.lost_node || to.i == bench.lost_node);
                links++;
            } else {
                assert_int_equal(verdict.what.node.i, bench.lost_node);
                named = true;
            }
        }
        assert_true(named || links >= 4); // it has four each way
        close_bench(&bench);
    }
}

static void what_is_well_again_is_said_and_probed_as_before(void **state) {
    (void)state;
    struct bench bench = open_bench();
    struct locate_verdict verdict;
    uint32_t link = bench.lost_link[0] = link_named(&bench, "spine2>leaf1");
    assert_true(run(&bench, 200, &verdict));
    bench.lost_link[0] = ID_NONE;
    assert_true(run(&bench, 10 * 64 + 64, &verdict)); // ten answers, one probe in 64
    assert_int_equal(verdict.fault, LOCATE_WELL);
    assert_int_equal(verdict.what.link.i, link);
    bench.lost_link[0] = link;
    assert_true(run(&bench, 200, &verdict));
    assert_int_equal(verdict.fault, LOCATE_DOWN);
    assert_int_equal(verdict.what.link.i, link);
    close_bench(&bench);
}

static void one_lost_probe_is_no_fault(void **state) {
    (void)state;
    struct bench bench = open_bench();
    struct locate_verdict verdict;
    send(&bench, 0, true);
    assert_false(run(&bench, 5000, &verdict));
    close_bench(&bench);
}

static void what_no_loop_tells_apart_is_unknown(void **state) {
    (void)state;
    struct bench bench = open_bench();
    struct locate *locate;
    struct locate_loop_spec one = bench.loops.specs[0];
    one.round = 0;
    assert_int_equal(locate_open(&locate, bench.fabric, &one, 1, 10), 0);
    struct locate_verdict verdict;
    uint32_t losses = 0;
    while (!locate_take(locate, &verdict)) {
        assert_true(++losses < 60);
        locate_result(locate, &(struct locate_result){.loop = 0, .lost = true});
    }
    assert_int_equal(verdict.fault, LOCATE_DOWN);
    assert_int_equal(verdict.what.place, LOCATE_UNKNOWN);
    assert_int_equal(verdict.tied_count, 4 + 1 + 4); // links, the NIC, switches
    locate_close(locate);
    close_bench(&bench);
}

// ---- delays

static void a_slow_link_is_named_with_its_direction(void **state) {
    (void)state;
    struct bench bench = open_bench();
    struct locate_verdict verdict;
    bench.slow_link = link_named(&bench, "leaf3>spine0");
    assert_true(run(&bench, 4000, &verdict));
    assert_int_equal(verdict.fault, LOCATE_SLOW);
    assert_int_equal(verdict.what.place, LOCATE_LINK);
    assert_int_equal(verdict.what.link.i, bench.slow_link);
    assert_in_range(verdict.excess_ns, 4000, 6000);
    locate_explain(bench.locate, (link_id){bench.slow_link}, &verdict);
    assert_int_equal(verdict.fault, LOCATE_SLOW);
    uint32_t loop = 0; // a loss has one loop over it probed again and again: still slow
    while (!crosses(&bench, loop, bench.slow_link)) {
        loop++;
    }
    send(&bench, loop, true);
    assert_false(run(&bench, 1000, &verdict));
    bench.slow_link = ID_NONE;
    assert_true(run(&bench, 6000, &verdict));
    assert_int_equal(verdict.fault, LOCATE_WELL);
    close_bench(&bench);
}

// ---- a prober that did not run

static void a_prober_that_did_not_run_takes_its_losses_back(void **state) {
    (void)state;
    struct bench bench = open_bench();
    struct locate_verdict verdict;
    port_id port = {0};
    link_id up = link_of(bench.fabric->ports[0].cable, false);
    uint64_t began_ns = bench.now_ns;
    for (uint32_t i = 0, sent = 0; sent < 5; i = (i + 1) % bench.loops.count) {
        if (crosses(&bench, i, up.i)) {
            send(&bench, i, true);
            sent++;
        }
    }
    assert_false(locate_take(bench.locate, &verdict));
    locate_explain(bench.locate, up, &verdict);
    assert_int_equal(verdict.lost, 5);
    locate_discard(bench.locate, port, began_ns);
    locate_explain(bench.locate, up, &verdict);
    assert_int_equal(verdict.lost, 0);
    uint32_t loops[8];
    assert_int_equal(locate_choose(bench.locate, &bench.rng, 8, loops), 8);
    for (unsigned i = 0; i < 8; i++) { // nothing is under suspicion any more
        assert_true(bench.loops.specs[loops[i]].round != LOCATE_ON_DEMAND);
    }
    close_bench(&bench);
}

static void a_probe_that_was_sent_late_counts_for_nothing(void **state) {
    (void)state;
    struct bench bench = open_bench();
    struct locate_verdict verdict;
    link_id up = bench.loops.specs[0].walk.links[0];
    struct locate_result result = {.loop = 0, .lost = true, .due_at_ns = 5 * NS_PER_MS};
    result.sent_at_ns = result.due_at_ns + NS_PER_MS + 1;
    locate_result(bench.locate, &result);
    locate_explain(bench.locate, up, &verdict);
    assert_int_equal(verdict.sent, 0);
    result.sent_at_ns--;
    locate_result(bench.locate, &result);
    locate_explain(bench.locate, up, &verdict);
    assert_int_equal(verdict.lost, 1);
    result.sent_at_ns += 2; // the next is late: what was lost since it was due is taken back
    locate_result(bench.locate, &result);
    locate_explain(bench.locate, up, &verdict);
    assert_int_equal(verdict.lost, 0);
    close_bench(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_crosses_every_directed_link_once),
        cmocka_unit_test(rounds_pair_links_anew),
        cmocka_unit_test(every_host_sends_in_two_rounds),
        cmocka_unit_test(loops_of_one_port_begin_there),
        cmocka_unit_test(what_is_no_loop_is_refused),
        cmocka_unit_test(a_loss_is_repeated_three_times_at_once),
        cmocka_unit_test(the_background_is_the_rounds_in_order),
        cmocka_unit_test(one_probe_in_eight_goes_on_while_there_are_suspects),
        cmocka_unit_test(a_link_that_loses_all_is_down),
        cmocka_unit_test(a_cut_cable_is_two_links),
        cmocka_unit_test(a_dead_node_is_named),
        cmocka_unit_test(a_switch_that_loses_some_is_named_or_its_links_are),
        cmocka_unit_test(what_is_well_again_is_said_and_probed_as_before),
        cmocka_unit_test(one_lost_probe_is_no_fault),
        cmocka_unit_test(what_no_loop_tells_apart_is_unknown),
        cmocka_unit_test(a_slow_link_is_named_with_its_direction),
        cmocka_unit_test(a_prober_that_did_not_run_takes_its_losses_back),
        cmocka_unit_test(a_probe_that_was_sent_late_counts_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
