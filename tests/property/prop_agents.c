// SPDX-License-Identifier: Apache-2.0
// Whole fleets in virtual time: what must hold for the traffic whatever breaks. SEED= reruns one
// run.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fleet_fixture.h"
#include "model/rng.h"
#include "model/time.h"

#define QPS 4
#define STEP_NS (NS_PER_MS / 2)
#define REROUTE_LIMIT_NS (25 * NS_PER_MS)

static uint64_t base_seed(void) {
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20261121;
    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static struct fleet *open_with_job(const struct fleet_shape *options) {
    struct fleet *sim = fleet_fixture_open(options);
    fleet_run(sim, 2 * NS_PER_S);
    struct job job;
    job_init(&job);
    memcpy(job.name, "demo", 5);
    job.all_ranks = true;
    job.collective_count = 1;
    job.collectives[0] = (struct collective){.type = COLLECTIVE_ALLTOALL, .bytes = 64 << 20};
    struct error error = {0};
    if (fleet_submit(sim, 1, &job, &error) != 0) {
        fail_msg("%s", error.text);
    }
    job_fini(&job);
    fleet_run(sim, 200 * NS_PER_MS);
    return sim;
}

static const struct fleet_shape lab_8 = {.clos_kind = "leaf-spine",
                                         .leaves = 4,
                                         .spines = 4,
                                         .hosts_per_leaf = 2,
                                         .cables = 1,
                                         .probe_interval_ns = 3 * NS_PER_MS,
                                         .seed = 1};

static bool crosses_leaves(const struct fabric *fabric, uint32_t src, uint32_t dst) {
    return fabric->ports[fabric->nodes[src].first_port].leaf.i !=
           fabric->ports[fabric->nodes[dst].first_port].leaf.i;
}

struct tally {
    unsigned delivered, cut, astray, plain;
};

static struct tally send_everywhere(struct fleet *sim) {
    struct tally tally = {0};
    for (uint32_t src = 0; src < fleet_count(sim); src++) {
        for (uint32_t dst = 0; dst < fleet_count(sim); dst++) {
            for (uint32_t qp = 0; qp < QPS && crosses_leaves(fleet_fabric(sim), src, dst); qp++) {
                switch (fleet_send(sim, src, dst, 64 + qp, qp % 2 != 0, NULL)) {
                case DELIVERED:
                    tally.delivered++;
                    break;
                case LOST_ON_CUT:
                    tally.cut++;
                    break;
                case LOST_ASTRAY:
                    tally.astray++;
                    break;
                case SENT_PLAIN:
                    tally.plain++;
                    break;
                }
            }
        }
    }
    return tally;
}

static void assert_all_delivered(struct fleet *sim, const char *when) {
    struct tally tally = send_everywhere(sim);
    if (tally.cut + tally.astray + tally.plain > 0) {
        fail_msg("%s: %u delivered, %u lost on a cut, %u astray, %u plain", when, tally.delivered,
                 tally.cut, tally.astray, tally.plain);
    }
}

static link_id random_fabric_link(struct rng *rng, const struct fabric *fabric) {
    for (;;) {
        link_id link = {(uint32_t)rng_below(rng, fabric_link_count(fabric))};
        if (fabric_link_is_internal(fabric, link)) {
            return link;
        }
    }
}

// Runs until every packet arrives again; returns how long that took.
static uint64_t time_to_reroute(struct fleet *sim) {
    uint64_t start = fleet_now_ns(sim);
    while (send_everywhere(sim).cut > 0) {
        fleet_run(sim, STEP_NS);
        if (fleet_now_ns(sim) - start > NS_PER_S) {
            fail_msg("packets are still lost after a second");
        }
    }
    return fleet_now_ns(sim) - start;
}

static void assert_beliefs(struct fleet *sim, link_id cut, bool both) {
    const struct fabric *fabric = fleet_fabric(sim);
    for (uint32_t host = 0; host < fleet_count(sim); host++) {
        for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
            struct engine_link link;
            engine_link_at(fleet_engine(sim, host), (link_id){i}, &link);
            bool is_cut = i == cut.i || (both && i == link_opposite(cut).i);
            if (link.belief.down != is_cut) {
                char name[LINK_NAME_SIZE];
                fabric_format_link(fabric, (link_id){i}, name);
                fail_msg("host %u believes %s is %s (%u of %u votes)", host, name,
                         link.belief.down ? "down" : "up", link.belief.down_votes,
                         link.belief.observer_count);
            }
        }
    }
}

static void every_member_sees_every_member_and_steers_every_flow(void **state) {
    (void)state;
    struct fleet *sim = open_with_job(&lab_8);
    for (uint32_t i = 0; i < fleet_count(sim); i++) {
        struct error why = {0};
        if (!engine_healthy(fleet_engine(sim, i), &why)) {
            fail_msg("h%u: %s", i, why.text);
        }
    }
    assert_all_delivered(sim, "healthy");
    fleet_close(sim);
}

static void after_a_cut_every_flow_is_moved_in_time_and_nothing_else_is_blamed(void **state) {
    (void)state;
    uint64_t seed = base_seed(), worst = 0;
    struct rng rng;
    rng_init(&rng, seed);
    for (unsigned run = 0; run < 12; run++) {
        struct fleet_shape options = lab_8;
        options.seed = seed + run;
        struct fleet *sim = open_with_job(&options);
        fleet_run(sim, rng_below(&rng, 10 * NS_PER_MS));
        link_id link = random_fabric_link(&rng, fleet_fabric(sim));
        bool both = run % 2 == 0;
        fleet_cut(sim, link, true);
        fleet_cut(sim, link_opposite(link), both);
        uint64_t took = time_to_reroute(sim);
        worst = took > worst ? took : worst;
        if (took > REROUTE_LIMIT_NS) {
            fail_msg("run %u: rerouted after %.1f ms", run, (double)took / 1e6);
        }
        fleet_run(sim, 100 * NS_PER_MS);
        assert_beliefs(sim, link, both);
        assert_all_delivered(sim, "after the cut");
        fleet_cut(sim, link, false);
        fleet_cut(sim, link_opposite(link), false);
        for (unsigned i = 0; i < 40; i++) {
            fleet_run(sim, 100 * NS_PER_MS);
            assert_all_delivered(sim, "while healing");
        }
        struct error why = {0};
        if (!engine_healthy(fleet_engine(sim, 0), &why)) {
            fail_msg("run %u: not healthy after healing: %s", run, why.text);
        }
        fleet_close(sim);
    }
    printf("slowest reroute in virtual time: %.1f ms\n", (double)worst / 1e6);
}

static void a_dead_agent_and_its_successor_lose_no_packet(void **state) {
    (void)state;
    struct fleet *sim = open_with_job(&lab_8);
    fleet_stop(sim, 1); // the owner of the job as well
    for (unsigned i = 0; i < 30; i++) {
        fleet_run(sim, 100 * NS_PER_MS);
        assert_all_delivered(sim, "while the agent is dead");
    }
    assert_int_equal(fleet_start(sim, 1, NULL), 0);
    for (unsigned i = 0; i < 300; i++) {
        fleet_run(sim, 10 * NS_PER_MS);
        for (uint32_t dst = 0; dst < fleet_count(sim); dst++) {
            if (dst != 1) {
                enum delivery end = fleet_send(sim, 1, dst, 64, false, NULL);
                bool local = !crosses_leaves(fleet_fabric(sim), 1, dst);
                assert_int_equal(end, local ? SENT_PLAIN : DELIVERED);
            }
        }
    }
    assert_all_delivered(sim, "after the restart");
    fleet_close(sim);
}

static void an_owner_that_restarts_at_once_loses_neither_its_job_nor_its_order(void **state) {
    (void)state;
    struct fleet *sim = open_with_job(&lab_8);
    struct engine_event drain = {.kind = ENGINE_DRAIN,
                                 .drain = {.name = "spine2", .kind = DRAIN_NODE, .active = true}};
    assert_int_equal(fleet_event(sim, 1, &drain, NULL), 0);
    fleet_run(sim, 100 * NS_PER_MS);
    fleet_stop(sim, 1); // owner of job and order
    fleet_run(sim, 20 * NS_PER_MS);
    assert_int_equal(fleet_start(sim, 1, NULL), 0);
    for (unsigned i = 0; i < 500; i++) {
        fleet_run(sim, 10 * NS_PER_MS);
        assert_all_delivered(sim, "while the owner restarts");
    }
    link_id link;
    assert_true(fabric_find_link(fleet_fabric(sim), "leaf3>spine2", &link));
    for (uint32_t host = 0; host < fleet_count(sim); host++) {
        struct engine_link view;
        engine_link_at(fleet_engine(sim, host), link, &view);
        assert_true(view.belief.drained);
        assert_int_equal(engine_job_count(fleet_engine(sim, host)), 1);
    }
    fleet_close(sim);
}

static void a_paused_agent_blames_no_link(void **state) {
    (void)state;
    struct fleet *sim = open_with_job(&lab_8);
    for (unsigned i = 0; i < 10; i++) {
        fleet_pause(sim, i % 8, (5 + 10 * i) * NS_PER_MS);
        fleet_run(sim, 300 * NS_PER_MS);
    }
    for (uint32_t host = 0; host < 8; host++) {
        assert_int_equal(fleet_notes(sim, host, "link_down"), 0);
        assert_int_equal(fleet_notes(sim, host, "belief_down"), 0);
    }
    assert_all_delivered(sim, "after the pauses");
    fleet_close(sim);
}

static void a_drained_link_is_left_without_loss_and_used_again(void **state) {
    (void)state;
    struct fleet *sim = open_with_job(&lab_8);
    struct engine_event event = {.kind = ENGINE_DRAIN,
                                 .drain = {.name = "leaf0-spine1",
                                           .kind = DRAIN_LINK,
                                           .active = true}};
    assert_int_equal(fleet_event(sim, 3, &event, NULL), 0);
    link_id link;
    assert_true(fabric_find_link(fleet_fabric(sim), "leaf0>spine1", &link));
    for (unsigned i = 0; i < 20; i++) {
        fleet_run(sim, NS_PER_MS);
        assert_all_delivered(sim, "while draining");
    }
    fleet_cut(sim, link, true); // nobody may notice
    fleet_cut(sim, link_opposite(link), true);
    assert_all_delivered(sim, "drained");
    fleet_cut(sim, link, false);
    fleet_cut(sim, link_opposite(link), false);
    event.drain.active = false;
    assert_int_equal(fleet_event(sim, 5, &event, NULL), 0); // another operator, elsewhere
    fleet_run(sim, 50 * NS_PER_MS);
    fleet_cut(sim, link, true);
    assert_true(send_everywhere(sim).cut > 0); // it is in use again
    fleet_close(sim);
}

static void a_new_fabric_file_takes_effect_when_the_last_live_member_holds_it(void **state) {
    (void)state;
    struct fleet *sim = open_with_job(&lab_8);
    for (uint32_t host = 0; host < 7; host++) {
        assert_int_equal(fleet_fixture_offer(sim, &lab_8, host, 2, NULL), 0);
    }
    fleet_run(sim, NS_PER_S);
    for (uint32_t host = 0; host < 8; host++) {
        assert_int_equal(engine_fabric(fleet_engine(sim, host))->generation, 1);
    }
    assert_int_equal(engine_held_generation(fleet_engine(sim, 0)), 2);
    assert_int_equal(fleet_fixture_offer(sim, &lab_8, 7, 2, NULL), 0);
    for (unsigned i = 0; i < 100; i++) {
        fleet_run(sim, 5 * NS_PER_MS);
        assert_all_delivered(sim, "while the fabric file changes");
    }
    for (uint32_t host = 0; host < 8; host++) {
        assert_int_equal(engine_fabric(fleet_engine(sim, host))->generation, 2);
    }
    struct error error = {0};
    assert_int_not_equal(fleet_fixture_offer(sim, &lab_8, 3, 1, &error), 0);
    assert_non_null(strstr(error.text, "generation"));
    fleet_close(sim);
}

static void an_unknown_link_or_job_is_refused_by_name(void **state) {
    (void)state;
    struct fleet *sim = open_with_job(&lab_8);
    struct error error = {0};
    struct engine_event drain = {.kind = ENGINE_DRAIN,
                                 .drain = {.name = "leaf0-spine9",
                                           .kind = DRAIN_LINK,
                                           .active = true}};
    assert_int_not_equal(fleet_event(sim, 0, &drain, &error), 0);
    assert_non_null(strstr(error.text, "leaf0-spine9"));
    struct engine_event removal = {.kind = ENGINE_JOB_REMOVE, .name = "nothing"};
    assert_int_not_equal(fleet_event(sim, 0, &removal, &error), 0);
    assert_non_null(strstr(error.text, "nothing"));
    fleet_close(sim);
}

static void a_removed_job_leaves_no_rule_anywhere(void **state) {
    (void)state;
    struct fleet *sim = open_with_job(&lab_8);
    struct engine_event removal = {.kind = ENGINE_JOB_REMOVE, .name = "demo"};
    assert_int_equal(fleet_event(sim, 6, &removal, NULL), 0); // not the owner
    fleet_run(sim, 2 * NS_PER_S);
    for (uint32_t host = 0; host < 8; host++) {
        assert_int_equal(engine_rules(fleet_engine(sim, host), 0)->rule_count, 0);
        assert_int_equal(engine_job_count(fleet_engine(sim, host)), 0);
    }
    fleet_close(sim);
}

static void three_tiers_and_parallel_cables_reroute_too(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, base_seed());
    const struct fleet_shape shapes[] = {
        {.clos_kind = "three-tier",
         .pods = 2,
         .leaves_per_pod = 2,
         .aggs_per_pod = 2,
         .cores = 4,
         .hosts_per_leaf = 2,
         .cables = 1,
         .probe_interval_ns = 3 * NS_PER_MS,
         .seed = 7},
        {.clos_kind = "leaf-spine",
         .leaves = 3,
         .spines = 2,
         .hosts_per_leaf = 2,
         .cables = 2,
         .probe_interval_ns = 3 * NS_PER_MS,
         .seed = 8},
        {.clos_kind = "three-tier",
         .pods = 2,
         .leaves_per_pod = 2,
         .aggs_per_pod = 2,
         .cores = 2,
         .hosts_per_leaf = 2,
         .cables = 2,
         .probe_interval_ns = 3 * NS_PER_MS,
         .seed = 9},
    };
    for (unsigned shape = 0; shape < 3; shape++) {
        for (unsigned run = 0; run < 3; run++) {
            struct fleet *sim = open_with_job(&shapes[shape]);
            assert_all_delivered(sim, "healthy");
            link_id link = random_fabric_link(&rng, fleet_fabric(sim));
            fleet_cut(sim, link, true);
            fleet_cut(sim, link_opposite(link), run % 2 == 0);
            uint64_t took = time_to_reroute(sim);
            if (took > REROUTE_LIMIT_NS) {
                fail_msg("shape %u run %u: rerouted after %.1f ms", shape, run, (double)took / 1e6);
            }
            fleet_run(sim, 100 * NS_PER_MS);
            assert_beliefs(sim, link, run % 2 == 0);
            fleet_close(sim);
        }
    }
}

static void a_nic_without_srh_sends_what_needs_one_plain_and_says_so(void **state) {
    (void)state;
    struct fleet_shape options = {.clos_kind = "three-tier",
                                  .pods = 2,
                                  .leaves_per_pod = 2,
                                  .aggs_per_pod = 2,
                                  .cores = 2,
                                  .hosts_per_leaf = 1,
                                  .cables = 2,
                                  .probe_interval_ns = 3 * NS_PER_MS,
                                  .seed = 9,
                                  .no_srh = true};
    struct fleet *sim = open_with_job(&options);
    const struct engine *engine = fleet_engine(sim, 0);
    assert_int_equal(fleet_send(sim, 0, 1, 64, false, NULL), DELIVERED); // within the pod
    assert_int_equal(fleet_send(sim, 0, 2, 64, false, NULL), SENT_PLAIN);
    struct error why = {0};
    assert_false(engine_healthy(engine, &why));
    assert_non_null(strstr(why.text, "SIDs of this length"));
    fleet_close(sim);
}

static void set_plan_version(struct fleet *sim, uint32_t host, uint32_t version) {
    struct engine_config config = *engine_configuration(fleet_engine(sim, host));
    config.plan_version = version;
    const struct engine_event event = {.kind = ENGINE_CONFIG, .config = &config};
    assert_int_equal(fleet_event(sim, host, &event, NULL), 0);
    fleet_run(sim, 200 * NS_PER_MS);
}

// Two flows over four paths: ethereal splits each in two, shared splits nothing.
static void expect_versions(struct fleet *sim, uint32_t except, uint32_t version) {
    for (uint32_t i = 0; i < fleet_count(sim); i++) {
        const struct engine *engine = i != except ? fleet_engine(sim, i) : NULL;
        for (uint32_t f = 0; engine != NULL && f < engine_plan(engine)->flow_count; f++) {
            const struct plan_flow *flow = &engine_plan(engine)->flows[f];
            assert_int_equal(engine_plan_version(engine), version);
            assert_int_equal(flow->part_count, flow->local || version >= 2 ? 1 : 2);
        }
    }
}

static void all_plan_with_the_lowest_version_among_live_members(void **state) {
    (void)state;
    struct fleet *sim = open_with_job(&lab_8);
    expect_versions(sim, ID_NONE, PLAN_VERSION);
    set_plan_version(sim, 5, 1);
    expect_versions(sim, ID_NONE, 1);
    assert_int_equal(send_everywhere(sim).delivered, QPS * 8 * 6);
    assert_int_equal(fleet_notes(sim, 0, "plan_version"), 1);
    set_plan_version(sim, 5, 0);
    expect_versions(sim, ID_NONE, PLAN_VERSION);
    set_plan_version(sim, 5, 1);
    fleet_stop(sim, 5);
    fleet_run(sim, 2 * NS_PER_S);
    expect_versions(sim, 5, PLAN_VERSION);
    fleet_close(sim);
}

static void what_cannot_be_planned_is_said_once_and_listed(void **state) {
    (void)state;
    struct fleet *sim = open_with_job(&lab_8);
    assert_int_equal(engine_problem_count(fleet_engine(sim, 0)), 0);
    for (unsigned spine = 0; spine < 4; spine++) {
        char name[LINK_NAME_SIZE];
        snprintf(name, sizeof name, "leaf2-spine%u", spine);
        const struct engine_event drain = {
            .kind = ENGINE_DRAIN, .drain = {.name = name, .kind = DRAIN_LINK, .active = true}};
        assert_int_equal(fleet_event(sim, 7, &drain, NULL), 0);
        fleet_run(sim, 100 * NS_PER_MS);
    }
    assert_int_equal(engine_problem_count(fleet_engine(sim, 0)), 1);
    assert_string_equal(engine_problem_at(fleet_engine(sim, 0), 0),
                        "leaf2 cannot be reached: no link down to it is live");
    assert_string_equal(engine_problem_at(fleet_engine(sim, 4), 0),
                        "leaf2 cannot send: no uplink of it is live");
    assert_int_equal(fleet_notes(sim, 0, "plan_problems"), 1);
    fleet_close(sim);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_sees_every_member_and_steers_every_flow),
        cmocka_unit_test(after_a_cut_every_flow_is_moved_in_time_and_nothing_else_is_blamed),
        cmocka_unit_test(a_dead_agent_and_its_successor_lose_no_packet),
        cmocka_unit_test(an_owner_that_restarts_at_once_loses_neither_its_job_nor_its_order),
        cmocka_unit_test(a_paused_agent_blames_no_link),
        cmocka_unit_test(a_drained_link_is_left_without_loss_and_used_again),
        cmocka_unit_test(a_new_fabric_file_takes_effect_when_the_last_live_member_holds_it),
        cmocka_unit_test(an_unknown_link_or_job_is_refused_by_name),
        cmocka_unit_test(a_removed_job_leaves_no_rule_anywhere),
        cmocka_unit_test(three_tiers_and_parallel_cables_reroute_too),
        cmocka_unit_test(a_nic_without_srh_sends_what_needs_one_plain_and_says_so),
        cmocka_unit_test(all_plan_with_the_lowest_version_among_live_members),
        cmocka_unit_test(what_cannot_be_planned_is_said_once_and_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
