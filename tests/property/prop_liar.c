// SPDX-License-Identifier: Apache-2.0
// What one member that lies can do to the others, and what it cannot (agent/README.md): its lies
// are well formed and go through its real gossip core, and the fabric is well unless a test says
// otherwise. SEED= reruns one run.
#include <errno.h>
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
#include "pathalg/candidates.h"

#define FLOWS_MAX 1024

static const struct fleet_shape lab_8 = {.clos_kind = "leaf-spine",
                                         .leaves = 4,
                                         .spines = 4,
                                         .hosts_per_leaf = 2,
                                         .cables = 1,
                                         .probe_interval_ns = 3 * NS_PER_MS,
                                         .seed = 1};
static const struct fleet_shape small_racks = {.clos_kind = "leaf-spine",
                                               .leaves = 5,
                                               .spines = 2,
                                               .hosts_per_leaf = 1,
                                               .cables = 2,
                                               .probe_interval_ns = 3 * NS_PER_MS,
                                               .seed = 2};
static const struct fleet_shape three_tiers = {.clos_kind = "three-tier",
                                               .pods = 2,
                                               .leaves_per_pod = 2,
                                               .aggs_per_pod = 2,
                                               .cores = 4,
                                               .hosts_per_leaf = 2,
                                               .cables = 1,
                                               .probe_interval_ns = 3 * NS_PER_MS,
                                               .seed = 3};

struct known_flow {
    uint32_t host, flow, part;
    struct path path;
};

struct scene {
    struct fleet *fleet;
    uint32_t liar;
    struct rng rng;
    uint32_t flow_count;
    struct known_flow flows[FLOWS_MAX];
    uint8_t bytes[4096];
};

static struct scene scene;

static uint64_t base_seed(void) {
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20261121;
    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static uint64_t below(uint64_t limit) {
    return rng_below(&scene.rng, limit);
}

static struct job all_to_all(const char *name) {
    struct job job;
    job_init(&job);
    snprintf(job.name, sizeof(job.name), "%s", name);
    job.all_ranks = true;
    job.collective_count = 1;
    job.collectives[0] = (struct collective){.type = COLLECTIVE_ALLTOALL, .bytes = 64 << 20};
    return job;
}

static void open_scene(const struct fleet_shape *shape, uint64_t seed) {
    scene.fleet = fleet_fixture_open(shape);
    rng_init(&scene.rng, seed);
    scene.liar = (uint32_t)below(fleet_count(scene.fleet));
    fleet_run(scene.fleet, 4 * NS_PER_S); // until all have settled
    const struct job job = all_to_all("demo");
    struct error error = {0};
    if (fleet_submit(scene.fleet, scene.liar == 0, &job, &error) != 0) {
        fail_msg("%s", error.text);
    }
    fleet_run(scene.fleet, 300 * NS_PER_MS);
}

// ---- lies

static void lie(uint32_t host, enum gossip_table table, const char *key, ssize_t size) {
    assert_true(size >= 0);
    (void)gossip_put(engine_gossip(fleet_engine(scene.fleet, host)), fleet_now_ns(scene.fleet),
                     table, key, scene.bytes, (size_t)size);
}

static void lie_about_link(uint32_t host, link_id link, enum link_verdict verdict,
                           uint32_t capacity_ppm) {
    struct link_report report = {.verdict = verdict,
                                 .capacity_ppm = capacity_ppm,
                                 .delay_ns = below(NS_PER_S),
                                 .ecn_ppm = (uint32_t)below(CAPACITY_FULL_PPM),
                                 .probe_count = below(UINT64_MAX)};
    if (below(2) == 0) { // lossy or suspected, too
        report.avoid = below(2) == 0;
        report.fault = report.avoid ? LINK_FAULT_LOSSY : LINK_FAULT_SUSPECT;
        report.fault_ppm = (uint32_t)below(1000000);
        report.tested = (uint32_t)below(100000);
        report.missed = (uint32_t)below(report.tested + 1U);
    }
    char name[LINK_NAME_SIZE];
    fabric_format_link(fleet_fabric(scene.fleet), link, name);
    lie(host, GOSSIP_TABLE_LINK, name, link_report_encode(&report, scene.bytes, 4096));
}

static link_id some_link(void) {
    const struct fabric *fabric = fleet_fabric(scene.fleet);
    link_id link;
    do {
        link.i = (uint32_t)below(fabric_link_count(fabric));
    } while (!fabric_link_is_internal(fabric, link));
    return link;
}

// Plan versions below the own one are left out: the lowest among live members is that of all.
static void lie_about_itself(void) {
    struct member_facts facts = {.fabric_generation = below(3),
                                 .held_generation = below(3),
                                 .plan_version = below(2) != 0 ? 0 : 2 + (uint32_t)below(9),
                                 .protocol_version = (uint32_t)below(9),
                                 .decap_ready = below(2) != 0,
                                 .nic_driver = "none",
                                 .build = "0.0"};
    memset(facts.fabric_digest, (int)below(256), sizeof(facts.fabric_digest));
    lie(scene.liar, GOSSIP_TABLE_MEMBER, "", member_facts_encode(&facts, scene.bytes, 4096));
}

static void lie_about_ranks(void) {
    struct rank_binding binding = {.job = "demo", .job_generation = below(4), .rank = 1};
    snprintf(binding.port, sizeof(binding.port), "h%u", (unsigned)below(fleet_count(scene.fleet)));
    char key[GOSSIP_KEY_MAX + 1];
    snprintf(key, sizeof(key), "demo/%s", binding.port);
    lie(scene.liar, GOSSIP_TABLE_RANK, key, rank_binding_encode(&binding, scene.bytes, 4096));
}

static void lie_at_random(void) {
    static const uint32_t shares[] = {0, 1, CAPACITY_FULL_PPM / 3, CAPACITY_FULL_PPM};
    switch (below(6)) {
    case 0:
        lie_about_itself();
        break;
    case 1:
        lie_about_ranks();
        break;
    default:
        lie_about_link(scene.liar, some_link(), below(4) == 0 ? LINK_UP : LINK_DOWN,
                       shares[below(4)]);
        break;
    }
}

// ---- flows

static bool concerns_liar(const struct plan_flow *flow) {
    const struct fabric_port *ports = fleet_fabric(scene.fleet)->ports;
    return ports[flow->src.i].host.i == scene.liar || ports[flow->dst.i].host.i == scene.liar;
}

// Calls for every part of every flow that the liar has no end of.
static void each_part(void (*visit)(uint32_t host, uint32_t flow, uint32_t part,
                                    const struct engine_part *in_use)) {
    for (uint32_t host = 0; host < fleet_count(scene.fleet); host++) {
        const struct engine *engine = fleet_engine(scene.fleet, host);
        const struct plan *plan = engine_plan(engine);
        for (uint32_t f = 0; host != scene.liar && f < plan->flow_count; f++) {
            bool foreign = !plan->flows[f].local && !concerns_liar(&plan->flows[f]);
            for (uint32_t p = 0; foreign && p < plan->flows[f].part_count; p++) {
                struct engine_part part;
                engine_part_at(engine, f, p, &part);
                visit(host, f, p, &part);
            }
        }
    }
}

static void remember(uint32_t host, uint32_t flow, uint32_t part,
                     const struct engine_part *in_use) {
    assert_true(scene.flow_count < FLOWS_MAX);
    assert_non_null(in_use->path);
    scene.flows[scene.flow_count++] = (struct known_flow){host, flow, part, *in_use->path};
}

static void compare(uint32_t host, uint32_t flow, uint32_t part, const struct engine_part *in_use) {
    const struct known_flow *known = &scene.flows[scene.flow_count++];
    if (known->host != host || known->flow != flow || known->part != part || in_use->path == NULL ||
        !path_equal(&known->path, in_use->path)) {
        fail_msg("h%u is the liar; flow %u of h%u, part %u, left its path", scene.liar, flow, host,
                 part);
    }
}

static void remember_paths(void) {
    scene.flow_count = 0;
    each_part(remember);
    assert_true(scene.flow_count > 0);
}

static void assert_same_paths(void) {
    uint32_t count = scene.flow_count;
    scene.flow_count = 0;
    each_part(compare);
    assert_int_equal(scene.flow_count, count);
}

static struct engine_link link_at(uint32_t host, link_id link) {
    struct engine_link out;
    engine_link_at(fleet_engine(scene.fleet, host), link, &out);
    return out;
}

static bool believes_loss(uint32_t host) {
    bool any = false;
    for (uint32_t i = 0; i < fabric_link_count(fleet_fabric(scene.fleet)); i++) {
        any = any || link_at(host, (link_id){i}).belief.lossy;
    }
    return any;
}

static uint32_t count_down(uint32_t host) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < fabric_link_count(fleet_fabric(scene.fleet)); i++) {
        count += link_at(host, (link_id){i}).belief.down;
    }
    return count;
}

static void assert_delivered(void) {
    for (uint32_t src = 0; src < fleet_count(scene.fleet); src++) {
        for (uint32_t dst = 0; dst < fleet_count(scene.fleet); dst++) {
            const struct fabric *fabric = fleet_fabric(scene.fleet);
            bool local = fabric->ports[fabric->nodes[src].first_port].leaf.i ==
                         fabric->ports[fabric->nodes[dst].first_port].leaf.i;
            if (src != dst && !local && src != scene.liar && dst != scene.liar) {
                assert_int_equal(fleet_send(scene.fleet, src, dst, 7, false, NULL), DELIVERED);
            }
        }
    }
}

// ---- reports

static void lies_move_no_flow_that_the_liar_has_no_end_of(void **state) {
    (void)state;
    static const struct fleet_shape *const shapes[] = {&lab_8, &small_racks, &three_tiers};
    uint64_t seed = base_seed();
    for (unsigned run = 0; run < 6; run++) {
        open_scene(shapes[run % 3], seed + run);
        remember_paths();
        for (unsigned i = 0; i < 400; i++) {
            lie_at_random();
            fleet_run(scene.fleet, below(4) * NS_PER_MS);
            assert_same_paths();
        }
        for (uint32_t host = 0; host < fleet_count(scene.fleet); host++) {
            assert_true(host == scene.liar || count_down(host) == 0);
            assert_true(host == scene.liar || !believes_loss(host));
        }
        fleet_close(scene.fleet);
    }
}

static void one_that_calls_every_link_down_moves_nothing(void **state) {
    (void)state;
    open_scene(&lab_8, base_seed());
    remember_paths();
    const struct fabric *fabric = fleet_fabric(scene.fleet);
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        if (fabric_link_is_internal(fabric, (link_id){i})) {
            lie_about_link(scene.liar, (link_id){i}, LINK_DOWN, 0);
        }
    }
    fleet_run(scene.fleet, NS_PER_S);
    assert_same_paths();
    // One honest mistake does not suffice beside it: the liar is blind, and others see.
    uint32_t other = (scene.liar + 2) % 8; // of another leaf
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        if (link_at(other, (link_id){i}).monitored) {
            lie_about_link(other, (link_id){i}, LINK_DOWN, CAPACITY_FULL_PPM);
            fleet_run(scene.fleet, 50 * NS_PER_MS);
            for (uint32_t host = 0; host < 8; host++) {
                struct engine_link link = link_at(host, (link_id){i});
                bool blamed = link.belief.blind_votes > 0 || link.belief.down_votes < 2;
                assert_true(host == scene.liar || host == other || blamed);
                assert_false(host != scene.liar && host != other && link.belief.down);
            }
            break;
        }
    }
    fleet_close(scene.fleet);
}

static void a_cut_is_believed_among_lies(void **state) {
    (void)state;
    uint64_t seed = base_seed();
    for (unsigned run = 0; run < 4; run++) {
        open_scene(run % 2 == 0 ? &lab_8 : &three_tiers, seed + run);
        for (unsigned i = 0; i < 100; i++) {
            lie_at_random();
        }
        link_id cut = some_link();
        fleet_cut(scene.fleet, cut, true);
        fleet_cut(scene.fleet, link_opposite(cut), true);
        fleet_run(scene.fleet, 100 * NS_PER_MS);
        for (unsigned i = 0; i < 100; i++) {
            lie_at_random();
            fleet_run(scene.fleet, NS_PER_MS);
            for (uint32_t host = 0; host < fleet_count(scene.fleet); host++) {
                assert_true(host == scene.liar || (link_at(host, cut).belief.down &&
                                                   link_at(host, link_opposite(cut)).belief.down));
            }
            assert_delivered();
        }
        fleet_close(scene.fleet);
    }
}

// Two observers suffice, and one of the two toggles: each agent damps it.
static void an_observer_that_does_not_damp_is_damped_by_all(void **state) {
    (void)state;
    open_scene(&small_racks, base_seed());
    link_id link;
    assert_true(fabric_find_link(fleet_fabric(scene.fleet), "leaf0>spine0.0", &link));
    uint32_t liars[2], count = 0, witness = 0; // of the three elected
    for (uint32_t host = 0; host < fleet_count(scene.fleet); host++) {
        bool elected = link_at(host, link).monitored;
        if (elected && count < 2) {
            liars[count++] = host;
        } else if (!elected) {
            witness = host;
        }
    }
    assert_int_equal(count, 2);
    lie_about_link(liars[0], link, LINK_DOWN, CAPACITY_FULL_PPM);
    fleet_run(scene.fleet, 50 * NS_PER_MS);
    char name[LINK_NAME_SIZE];
    fabric_format_link(fleet_fabric(scene.fleet), link, name);
    for (unsigned i = 0; i < 600; i++) { // 10 Hz for a minute
        lie_about_link(liars[1], link, LINK_DOWN, CAPACITY_FULL_PPM);
        fleet_run(scene.fleet, 50 * NS_PER_MS);
        assert_true(link_at(witness, link).belief.down);
        if (i % 2 == 0) {
            lie_about_link(liars[1], link, LINK_UP, CAPACITY_FULL_PPM);
        } else {
            (void)gossip_delete(engine_gossip(fleet_engine(scene.fleet, liars[1])),
                                fleet_now_ns(scene.fleet), GOSSIP_TABLE_LINK, name);
        }
        fleet_run(scene.fleet, 50 * NS_PER_MS);
    }
    assert_int_equal(fleet_notes(scene.fleet, witness, "belief_up"), 0);
    fleet_run(scene.fleet, 2 * NS_PER_S); // withdrawn for good
    assert_false(link_at(witness, link).belief.down);
    // Slower than the hold time, which doubles.
    for (unsigned i = 0; i < 24; i++) {
        lie_about_link(liars[1], link, LINK_DOWN, CAPACITY_FULL_PPM);
        fleet_run(scene.fleet, 1250 * NS_PER_MS);
        lie_about_link(liars[1], link, LINK_UP, CAPACITY_FULL_PPM);
        fleet_run(scene.fleet, 1250 * NS_PER_MS);
    }
    printf("up for all within a minute of flaps of 0.4 Hz: %u\n",
           fleet_notes(scene.fleet, witness, "belief_up") - 1);
    assert_in_range(fleet_notes(scene.fleet, witness, "belief_up"), 2, 8);
    fleet_close(scene.fleet);
}

// ---- the safety valve

// Hosts from 2 on say the same of all links up, as far as they are elected: half of what they
// report on, so that they are not blind.
static void most_are_at_fault(enum link_verdict verdict) {
    for (uint32_t host = 2; host < fleet_count(scene.fleet); host++) {
        for (uint32_t i = 0; i < fabric_link_count(fleet_fabric(scene.fleet)); i++) {
            if (!link_is_reverse((link_id){i}) && link_at(host, (link_id){i}).monitored) {
                lie_about_link(host, (link_id){i}, verdict, CAPACITY_FULL_PPM);
            }
        }
        fleet_run(scene.fleet, NS_PER_MS);
    }
    fleet_run(scene.fleet, 50 * NS_PER_MS);
}

static void the_valve_holds_what_would_go_down_at_once_until_it_is_taken_back(void **state) {
    (void)state;
    open_scene(&lab_8, base_seed());
    scene.liar = ID_NONE;
    most_are_at_fault(LINK_DOWN);
    uint32_t quarter = fabric_link_count(fleet_fabric(scene.fleet)) / 4;
    for (uint32_t host = 0; host < 2; host++) {
        printf("h%u: %u down, %u held up\n", host, count_down(host),
               engine_valve_held(fleet_engine(scene.fleet, host)));
        assert_int_equal(fleet_notes(scene.fleet, host, "safety_valve"), 1);
        assert_true(engine_valve_held(fleet_engine(scene.fleet, host)) > 0);
        assert_true(count_down(host) <= 2 * quarter);
        struct error why = {0};
        assert_false(engine_healthy(fleet_engine(scene.fleet, host), &why));
    }
    uint32_t down = count_down(0);
    // An own observation moves own flows all the same.
    link_id own = {ID_NONE};
    for (uint32_t i = 0; own.i == ID_NONE; i++) {
        own.i = link_at(0, (link_id){i}).monitored && link_at(0, (link_id){i}).held_by_valve
                    ? i
                    : ID_NONE;
    }
    fleet_cut(scene.fleet, own, true);
    fleet_run(scene.fleet, 200 * NS_PER_MS);
    assert_int_equal(link_at(0, own).own, PROBE_DOWN);
    assert_int_equal(count_down(0), down);
    fleet_cut(scene.fleet, own, false);
    fleet_run(scene.fleet, 2 * NS_PER_S);
    most_are_at_fault(LINK_UP);
    fleet_run(scene.fleet, 3 * NS_PER_S);
    for (uint32_t host = 0; host < 2; host++) {
        assert_int_equal(fleet_notes(scene.fleet, host, "safety_valve_open"), 1);
        assert_int_equal(engine_valve_held(fleet_engine(scene.fleet, host)), 0);
        assert_int_equal(count_down(host), 0);
    }
    fleet_close(scene.fleet);
}

static void the_valve_gives_in_when_the_evidence_stands(void **state) {
    (void)state;
    open_scene(&lab_8, base_seed());
    scene.liar = ID_NONE;
    most_are_at_fault(LINK_DOWN);
    fleet_run(scene.fleet, 9900 * NS_PER_MS);
    assert_true(engine_valve_held(fleet_engine(scene.fleet, 0)) > 0);
    fleet_run(scene.fleet, 200 * NS_PER_MS);
    assert_int_equal(engine_valve_held(fleet_engine(scene.fleet, 0)), 0);
    fleet_run(scene.fleet, 3 * NS_PER_S);
    assert_int_equal(fleet_notes(scene.fleet, 0, "safety_valve"), 1); // and stays open
    for (uint32_t i = 0; i < fabric_link_count(fleet_fabric(scene.fleet)); i++) {
        assert_int_equal(link_at(0, (link_id){i}).belief.down,
                         link_at(1, (link_id){i}).belief.down);
    }
    assert_true(count_down(0) > 8);
    fleet_close(scene.fleet);
}

static void a_dead_spine_or_leaf_and_a_cut_do_not_shut_the_valve(void **state) {
    (void)state;
    static const char *const dead[] = {"spine1", "leaf2"};
    static const char *const cut[] = {"leaf0>spine2", "leaf0>spine2"};
    for (unsigned run = 0; run < 2; run++) {
        open_scene(&lab_8, base_seed());
        const struct fabric *fabric = fleet_fabric(scene.fleet);
        node_id node;
        link_id also;
        assert_true(fabric_find_node(fabric, dead[run], &node));
        assert_true(fabric_find_link(fabric, cut[run], &also));
        for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
            bool of_node = fabric_link_from(fabric, (link_id){i}).i == node.i ||
                           fabric_link_to(fabric, (link_id){i}).i == node.i;
            fleet_cut(scene.fleet, (link_id){i},
                      of_node || link_cable((link_id){i}).i == link_cable(also).i);
        }
        fleet_run(scene.fleet, 150 * NS_PER_MS);
        for (uint32_t host = 0; host < 4; host++) {
            assert_int_equal(fleet_notes(scene.fleet, host, "safety_valve"), 0);
            assert_true(link_at(host, also).belief.down);
        }
        fleet_close(scene.fleet);
    }
}

// ---- orders and jobs: whoever operates a host is obeyed, within bounds, and can be overruled

static int order(uint32_t host, enum drain_kind kind, const char *name, bool active,
                 uint32_t capacity_ppm) {
    const struct engine_event event = {
        .kind = ENGINE_DRAIN,
        .drain = {.name = name, .kind = kind, .active = active, .capacity_ppm = capacity_ppm}};
    int rc = fleet_event(scene.fleet, host, &event, NULL);
    fleet_run(scene.fleet, 100 * NS_PER_MS);
    return rc;
}

static void what_a_liar_orders_any_other_host_revokes(void **state) {
    (void)state;
    uint64_t seed = base_seed();
    for (unsigned run = 0; run < 4; run++) {
        open_scene(&lab_8, seed + run);
        remember_paths();
        uint32_t other = scene.liar == 0 ? 1 : 0; // whose name goes before or after the liar's
        struct drain_order last = {.kind = DRAIN_NODE, .active = true, .stamp = UINT64_MAX};
        lie(scene.liar, GOSSIP_TABLE_DRAIN, "spine1", drain_order_encode(&last, scene.bytes, 4096));
        last.kind = DRAIN_CAPACITY;
        lie(scene.liar, GOSSIP_TABLE_DRAIN, "leaf0-spine2",
            drain_order_encode(&last, scene.bytes, 4096));
        fleet_run(scene.fleet, 100 * NS_PER_MS);
        link_id drained, slow;
        assert_true(fabric_find_link(fleet_fabric(scene.fleet), "leaf0>spine1", &drained));
        assert_true(fabric_find_link(fleet_fabric(scene.fleet), "leaf0>spine2", &slow));
        assert_true(link_at(other, drained).belief.drained);
        assert_int_equal(link_at(other, slow).belief.capacity_ppm, 0);
        assert_int_equal(order(other, DRAIN_NODE, "spine1", false, 0), 0);
        assert_int_equal(order(other, DRAIN_CAPACITY, "leaf0-spine2", true, CAPACITY_FULL_PPM), 0);
        assert_same_paths();
        assert_int_equal(order(other, DRAIN_NODE, "spine1", true, 0), -EOVERFLOW);
        assert_int_equal(order(other, DRAIN_CAPACITY, "leaf0-spine2", true, 5), -EOVERFLOW);
        assert_same_paths();
        fleet_close(scene.fleet);
    }
}

static void one_member_fills_no_table(void **state) {
    (void)state;
    open_scene(&lab_8, base_seed());
    struct job job = all_to_all("x");
    char rank[1][NAME_SIZE];
    snprintf(rank[0], NAME_SIZE, "h%u", scene.liar);
    job.all_ranks = false;
    job.ranks = rank;
    job.rank_count = 1;
    job.generation = 1;
    for (unsigned i = 0; i < 1100; i++) {
        snprintf(job.name, sizeof(job.name), "x%u", i);
        lie(scene.liar, GOSSIP_TABLE_JOB, job.name, job_encode(&job, scene.bytes, 4096));
        struct drain_order nothing = {.kind = DRAIN_LINK, .stamp = 1};
        lie(scene.liar, GOSSIP_TABLE_DRAIN, job.name,
            drain_order_encode(&nothing, scene.bytes, 4096));
        if (i % 20 == 0) {
            fleet_run(scene.fleet, 2 * NS_PER_MS);
        }
    }
    fleet_run(scene.fleet, NS_PER_S);
    uint32_t other = (scene.liar + 3) % 8;
    assert_int_equal(engine_job_count(fleet_engine(scene.fleet, other)), 1 + 256);
    assert_int_equal(engine_order_count(fleet_engine(scene.fleet, other)), 1024);
    const struct job next = all_to_all("next");
    assert_int_equal(fleet_submit(scene.fleet, other, &next, NULL), 0);
    assert_int_equal(order(other, DRAIN_NODE, "spine1", true, 0), 0);
    fleet_run(scene.fleet, 200 * NS_PER_MS);
    for (uint32_t host = 0; host < 8; host++) {
        assert_true(host == scene.liar ||
                    engine_job_count(fleet_engine(scene.fleet, host)) == 2 + 256);
        assert_true(host == scene.liar ||
                    engine_order_count(fleet_engine(scene.fleet, host)) == 1025);
    }
    fleet_close(scene.fleet);
}

static void who_takes_a_job_from_a_live_owner_is_named(void **state) {
    (void)state;
    open_scene(&lab_8, base_seed());
    uint32_t owner = scene.liar == 0, other = (scene.liar + 3) % 8;
    other = other == owner ? (other + 1) % 8 : other;
    struct job job = all_to_all("demo");
    job.generation = 9;
    lie(scene.liar, GOSSIP_TABLE_JOB, "demo", job_encode(&job, scene.bytes, 4096));
    fleet_run(scene.fleet, 100 * NS_PER_MS);
    assert_int_equal(fleet_notes(scene.fleet, other, "job_taken"), 1);
    struct engine_job view;
    engine_job_at(fleet_engine(scene.fleet, other), 0, &view);
    char name[NAME_SIZE];
    snprintf(name, sizeof(name), "h%u", scene.liar);
    assert_string_equal(view.owner, name);
    const struct job again = all_to_all("demo"); // and it is taken back
    assert_int_equal(fleet_submit(scene.fleet, owner, &again, NULL), 0);
    fleet_run(scene.fleet, 100 * NS_PER_MS);
    engine_job_at(fleet_engine(scene.fleet, other), 0, &view);
    snprintf(name, sizeof(name), "h%u", owner);
    assert_string_equal(view.owner, name);
    fleet_close(scene.fleet);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lies_move_no_flow_that_the_liar_has_no_end_of),
        cmocka_unit_test(one_that_calls_every_link_down_moves_nothing),
        cmocka_unit_test(a_cut_is_believed_among_lies),
        cmocka_unit_test(an_observer_that_does_not_damp_is_damped_by_all),
        cmocka_unit_test(the_valve_holds_what_would_go_down_at_once_until_it_is_taken_back),
        cmocka_unit_test(the_valve_gives_in_when_the_evidence_stands),
        cmocka_unit_test(a_dead_spine_or_leaf_and_a_cut_do_not_shut_the_valve),
        cmocka_unit_test(what_a_liar_orders_any_other_host_revokes),
        cmocka_unit_test(one_member_fills_no_table),
        cmocka_unit_test(who_takes_a_job_from_a_live_owner_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
