// SPDX-License-Identifier: Apache-2.0
// One member of the fleet writes facts that are well formed and make no sense, through its real
// gossip core. The others must neither crash nor grow without end, what it says of links must not
// count more than one voice does, and their traffic among themselves must go on. SEED= reruns one
// run.
#include <errno.h>
#include <malloc.h>
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

#define ROUNDS 25
#define FACTS_A_ROUND 40
#define SETTLE_NS (150 * NS_PER_MS)
#define QPS 3

static const struct fleet_shape lab_8 = {.clos_kind = "leaf-spine",
                                         .leaves = 4,
                                         .spines = 4,
                                         .hosts_per_leaf = 2,
                                         .cables = 1,
                                         .probe_interval_ns = 3 * NS_PER_MS,
                                         .seed = 1};

struct hostile {
    struct fleet *sim;
    uint32_t host;
    struct rng rng;
    uint8_t bytes[GOSSIP_VALUE_MAX];
    char key[GOSSIP_KEY_MAX + 1];
};

static struct hostile hostile;

static uint64_t base_seed(void) {
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20261121;
    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static uint64_t below(uint64_t limit) {
    return rng_below(&hostile.rng, limit);
}

static uint64_t odd_number(void) {
    static const uint64_t numbers[] = {
        0, 1, 2, UINT32_MAX, (uint64_t)INT64_MAX, UINT64_MAX, UINT64_MAX - 1, CAPACITY_FULL_PPM};
    return below(3) == 0 ? below(UINT64_MAX) : numbers[below(8)];
}

static uint32_t odd_ppm(void) {
    static const uint32_t shares[] = {0, 1, CAPACITY_FULL_PPM / 2, CAPACITY_FULL_PPM};
    return shares[below(4)];
}

// The name of a link or cable of the fabric, or of none.
static const char *odd_link(char name[LINK_NAME_SIZE]) {
    static const char *const strange[] = {
        "leaf9>spine9",  "", ">", "leaf0>leaf1", "h0>leaf0", "leaf0-spine0.7", "x",
        "leaf0>spine0.0"};
    const struct fabric *fabric = fleet_fabric(hostile.sim);
    if (below(8) == 0) {
        snprintf(name, LINK_NAME_SIZE, "%s", strange[below(8)]);
        return name;
    }
    link_id link = {(uint32_t)below(fabric_link_count(fabric))};
    if (below(4) == 0) {
        fabric_format_cable(fabric, link_cable(link), name);
    } else {
        fabric_format_link(fabric, link, name);
    }
    return name;
}

static const char *odd_port(char name[NAME_SIZE]) {
    static const char *const strange[] = {"h99", "leaf0", "h0.1", "?"};
    if (below(4) == 0) {
        snprintf(name, NAME_SIZE, "%s", strange[below(4)]);
    } else {
        snprintf(name, NAME_SIZE, "h%u", (unsigned)below(fleet_count(hostile.sim)));
    }
    return name;
}

// ---- facts: each fills key and bytes, and returns the size of the value

static ssize_t odd_report(void) {
    struct link_report report = {.verdict = below(3) == 0 ? LINK_UP : LINK_DOWN,
                                 .capacity_ppm = odd_ppm(),
                                 .loss_ppm = odd_ppm(),
                                 .delay_ns = odd_number(),
                                 .ecn_ppm = odd_ppm(),
                                 .probe_count = odd_number()};
    char name[LINK_NAME_SIZE];
    snprintf(hostile.key, sizeof(hostile.key), "%s", odd_link(name));
    return link_report_encode(&report, hostile.bytes, sizeof(hostile.bytes));
}

static ssize_t odd_member(void) {
    struct member_facts facts = {.fabric_generation = below(2) ? 1 : odd_number(),
                                 .held_generation = below(2) ? 1 : odd_number(),
                                 .plan_version = (uint32_t)odd_number(),
                                 .protocol_version = (uint32_t)odd_number(),
                                 .decap_ready = below(2) != 0,
                                 .nic_driver = "\x1b[2J",
                                 .build = "%s%n"};
    memset(facts.fabric_digest, (int)below(256), sizeof(facts.fabric_digest));
    hostile.key[0] = '\0';
    return member_facts_encode(&facts, hostile.bytes, sizeof(hostile.bytes));
}

static ssize_t odd_binding(void) {
    struct rank_binding binding = {.job = "demo",
                                   .job_generation = odd_number(),
                                   .rank = (uint32_t)odd_number()};
    if (below(3) == 0) {
        snprintf(binding.job, sizeof(binding.job), "x%u", (unsigned)below(9));
    }
    odd_port(binding.port);
    snprintf(hostile.key, sizeof(hostile.key), "%.40s/%.40s", binding.job, binding.port);
    return rank_binding_encode(&binding, hostile.bytes, sizeof(hostile.bytes));
}

static ssize_t odd_order(void) {
    static const char *const nodes[] = {"spine0", "leaf1", "h3", "spine9", ""};
    struct drain_order order = {.kind = (enum drain_kind)below(3),
                                .active = below(4) != 0,
                                .capacity_ppm = odd_ppm(),
                                .stamp = odd_number()};
    char name[LINK_NAME_SIZE];
    snprintf(hostile.key, sizeof(hostile.key), "%s",
             order.kind == DRAIN_NODE ? nodes[below(5)] : odd_link(name));
    return drain_order_encode(&order, hostile.bytes, sizeof(hostile.bytes));
}

static ssize_t odd_job(void) {
    static const char *const algorithms[] = {"", "ethereal", "ecmp", "spray", "magic", "%n"};
    static char ranks[4][NAME_SIZE];
    static struct job_pair pairs[3];
    struct job job;
    job_init(&job);
    snprintf(job.name, sizeof(job.name), "x%u", (unsigned)below(9));
    snprintf(job.algorithm, sizeof(job.algorithm), "%s", algorithms[below(6)]);
    if (below(4) == 0) {
        snprintf(job.name, sizeof(job.name), "demo");
    }
    job.generation = odd_number();
    job.removed = below(4) == 0;
    job.all_ranks = job.removed || below(2) == 0;
    for (job.rank_count = 0; !job.all_ranks && job.rank_count < 4; job.rank_count++) {
        odd_port(ranks[job.rank_count]);
    }
    job.ranks = job.all_ranks ? NULL : ranks;
    job.collective_count = job.removed ? 0 : 1;
    job.collectives[0] = (struct collective){.type = (enum collective_type)below(4),
                                             .bytes = odd_number(),
                                             .seed = odd_number()};
    for (unsigned i = 0; i < 3; i++) {
        pairs[i] = (struct job_pair){(uint32_t)odd_number(), (uint32_t)below(4)};
    }
    if (job.collectives[0].type == COLLECTIVE_PAIRS) {
        job.collectives[0].pairs = pairs;
        job.collectives[0].pair_count = 3;
    }
    snprintf(hostile.key, sizeof(hostile.key), "%s", below(9) == 0 ? "other" : job.name);
    return job_encode(&job, hostile.bytes, sizeof(hostile.bytes)); // borrowed arrays: no job_fini
}

static ssize_t odd_bytes(void) {
    size_t size = below(64);
    for (size_t i = 0; i < size; i++) {
        hostile.bytes[i] = (uint8_t)below(256);
    }
    snprintf(hostile.key, sizeof(hostile.key), "k%u", (unsigned)below(50));
    return (ssize_t)size;
}

enum { REPORTS = 1, ORDERS = 2, JOBS = 4 };

static void write_fact(unsigned kinds) {
    struct gossip *core = engine_gossip(fleet_engine(hostile.sim, hostile.host));
    uint64_t now_ns = fleet_now_ns(hostile.sim);
    enum gossip_table table = GOSSIP_TABLE_LINK;
    ssize_t size = -1;
    switch (below(8)) {
    case 0:
        table = GOSSIP_TABLE_MEMBER;
        size = odd_member();
        break;
    case 1:
        table = GOSSIP_TABLE_RANK;
        size = odd_binding();
        break;
    case 2:
        table = (enum gossip_table)below(GOSSIP_TABLE_COUNT);
        size = odd_bytes();
        break;
    case 3:
    case 4:
        table = (kinds & ORDERS) != 0 ? GOSSIP_TABLE_DRAIN : GOSSIP_TABLE_LINK;
        size = (kinds & ORDERS) != 0 ? odd_order() : odd_report();
        break;
    case 5:
        table = (kinds & JOBS) != 0 ? GOSSIP_TABLE_JOB : GOSSIP_TABLE_LINK;
        size = (kinds & JOBS) != 0 ? odd_job() : odd_report();
        break;
    default:
        size = odd_report();
        break;
    }
    if (below(10) == 0) {
        (void)gossip_delete(core, now_ns, table, hostile.key);
    } else if (size >= 0) {
        (void)gossip_put(core, now_ns, table, hostile.key, hostile.bytes, (size_t)size);
    }
}

static void write_facts(unsigned kinds, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        write_fact(kinds);
        if (i % 8 == 7) {
            fleet_run(hostile.sim, NS_PER_MS);
        }
    }
}

// ---- what must hold

static bool crosses_leaves(const struct fabric *fabric, uint32_t src, uint32_t dst) {
    return fabric->ports[fabric->nodes[src].first_port].leaf.i !=
           fabric->ports[fabric->nodes[dst].first_port].leaf.i;
}

static void assert_traffic(bool plain_allowed, const char *when, unsigned round) {
    const struct fabric *fabric = fleet_fabric(hostile.sim);
    static const char *const ends[] = {"delivered", "lost on a cut", "astray", "sent plain"};
    for (uint32_t src = 0; src < fleet_count(hostile.sim); src++) {
        for (uint32_t dst = 0; dst < fleet_count(hostile.sim); dst++) {
            bool own = src == hostile.host || dst == hostile.host;
            for (uint32_t qp = 0; !own && qp < QPS && crosses_leaves(fabric, src, dst); qp++) {
                enum delivery end = fleet_send(hostile.sim, src, dst, qp, false, NULL);
                if (end != DELIVERED && !(end == SENT_PLAIN && plain_allowed)) {
                    fail_msg("%s, round %u: h%u>h%u/%u is %s", when, round, src, dst, qp,
                             ends[end]);
                }
            }
        }
    }
}

// Somebody else than the hostile member says that the link is down.
static bool has_honest_witness(uint32_t host, link_id link) {
    uint32_t count = 0;
    const struct link_evidence *evidence =
        engine_evidence(fleet_engine(hostile.sim, host), link, &count);
    bool honest = false;
    for (uint32_t i = 0; i < count; i++) {
        honest = honest || (evidence[i].observer.i != hostile.host &&
                            evidence[i].report.verdict == LINK_DOWN);
    }
    return honest;
}

// `cut` is down for all. Another link may only be where an honest member was wrong as well: around
// a fresh cut a loop may die on its way back.
static void assert_beliefs(link_id cut, unsigned round) {
    const struct fabric *fabric = fleet_fabric(hostile.sim);
    for (uint32_t host = 0; host < fleet_count(hostile.sim); host++) {
        for (uint32_t i = 0; host != hostile.host && i < fabric_link_count(fabric); i++) {
            struct engine_link link;
            engine_link_at(fleet_engine(hostile.sim, host), (link_id){i}, &link);
            bool founded = i == cut.i
                               ? link.belief.down
                               : !link.belief.down ||
                                     (cut.i != ID_NONE && has_honest_witness(host, (link_id){i}));
            if (!founded || link.belief.capacity_ppm == 0) {
                char name[LINK_NAME_SIZE];
                fabric_format_link(fabric, (link_id){i}, name);
                fail_msg("round %u: h%u believes %s %s with %u ppm (%u of %u votes)", round, host,
                         name, link.belief.down ? "down" : "up", link.belief.capacity_ppm,
                         link.belief.down_votes, link.belief.observer_count);
            }
        }
    }
}

static void submit_demo(void) {
    struct job job;
    struct error error = {0};
    job_init(&job);
    memcpy(job.name, "demo", 5);
    job.all_ranks = true;
    job.collective_count = 1;
    job.collectives[0] = (struct collective){.type = COLLECTIVE_ALLTOALL, .bytes = 64 << 20};
    uint32_t owner = hostile.host == 0 ? 1 : 0;
    if (fleet_submit(hostile.sim, owner, &job, &error) != 0) {
        fail_msg("%s", error.text);
    }
    job_fini(&job);
    fleet_run(hostile.sim, 300 * NS_PER_MS);
}

static void open_fleet(uint64_t seed) {
    hostile.sim = fleet_fixture_open(&lab_8);
    rng_init(&hostile.rng, seed);
    hostile.host = (uint32_t)below(fleet_count(hostile.sim));
    fleet_run(hostile.sim, 2 * NS_PER_S);
    submit_demo();
    assert_traffic(false, "before", 0);
}

static link_id some_uplink(void) {
    link_id link;
    char name[LINK_NAME_SIZE];
    snprintf(name, sizeof(name), "leaf%u>spine%u", (unsigned)below(4), (unsigned)below(4));
    assert_true(fabric_find_link(fleet_fabric(hostile.sim), name, &link));
    return link;
}

static void what_one_member_reports_takes_no_link_from_the_others(void **state) {
    (void)state;
    open_fleet(base_seed());
    for (unsigned round = 0; round < ROUNDS; round++) {
        write_facts(REPORTS, FACTS_A_ROUND);
        fleet_run(hostile.sim, SETTLE_NS);
        assert_beliefs((link_id){ID_NONE}, round);
        assert_traffic(false, "reports", round);
    }
    fleet_close(hostile.sim);
}

static void a_real_cut_is_still_seen_among_false_reports(void **state) {
    (void)state;
    uint64_t seed = base_seed();
    for (unsigned run = 0; run < 3; run++) {
        open_fleet(seed + run);
        write_facts(REPORTS, FACTS_A_ROUND);
        link_id cut = some_uplink();
        fleet_cut(hostile.sim, cut, true);
        fleet_run(hostile.sim, SETTLE_NS);
        for (unsigned round = 0; round < 4; round++) {
            write_facts(REPORTS, FACTS_A_ROUND);
            fleet_run(hostile.sim, SETTLE_NS);
            assert_beliefs(cut, round);
            assert_traffic(false, "reports and a cut", round);
        }
        fleet_close(hostile.sim);
    }
}

static void orders_and_jobs_without_sense_lose_no_packet(void **state) {
    (void)state;
    uint64_t seed = base_seed();
    for (unsigned run = 0; run < 3; run++) {
        open_fleet(seed + run);
        link_id cut = some_uplink();
        for (unsigned round = 0; round < ROUNDS / 2; round++) {
            write_facts(REPORTS | ORDERS | JOBS, FACTS_A_ROUND);
            fleet_cut(hostile.sim, cut, round % 4 == 2);
            fleet_run(hostile.sim, SETTLE_NS);
            assert_traffic(true, "everything", round);
        }
        fleet_close(hostile.sim);
    }
}

// A job among the others that no hostile job has the name of.
static void jobs_without_sense_do_not_stop_the_others_jobs(void **state) {
    (void)state;
    open_fleet(base_seed());
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 10; i++) {
            ssize_t size = odd_job();
            if (size >= 0 && strcmp(hostile.key, "demo") != 0) {
                (void)gossip_put(engine_gossip(fleet_engine(hostile.sim, hostile.host)),
                                 fleet_now_ns(hostile.sim), GOSSIP_TABLE_JOB, hostile.key,
                                 hostile.bytes, (size_t)size);
            }
        }
        link_id cut = some_uplink();
        fleet_cut(hostile.sim, cut, true);
        fleet_run(hostile.sim, SETTLE_NS);
        assert_traffic(false, "jobs", round);
        fleet_cut(hostile.sim, cut, false);
        fleet_run(hostile.sim, SETTLE_NS);
    }
    fleet_close(hostile.sim);
}

static void put_job(const struct job *job) {
    ssize_t size = job_encode(job, hostile.bytes, sizeof(hostile.bytes));
    assert_true(size > 0);
    (void)gossip_put(engine_gossip(fleet_engine(hostile.sim, hostile.host)),
                     fleet_now_ns(hostile.sim), GOSSIP_TABLE_JOB, job->name, hostile.bytes,
                     (size_t)size);
    fleet_run(hostile.sim, 20 * NS_PER_MS);
}

// Another program version may know algorithms that this one does not.
static void a_job_of_an_unknown_algorithm_is_left_out_and_no_other(void **state) {
    (void)state;
    hostile.sim = fleet_fixture_open(&lab_8);
    hostile.host = 7;
    fleet_run(hostile.sim, 2 * NS_PER_S);
    struct job job = {.generation = 1, .all_ranks = true, .collective_count = 1};
    job.collectives[0] = (struct collective){.type = COLLECTIVE_RING, .bytes = 1 << 20};
    snprintf(job.name, sizeof(job.name), "bad");
    snprintf(job.algorithm, sizeof(job.algorithm), "magic");
    put_job(&job);
    submit_demo();
    assert_traffic(false, "after a job of an unknown algorithm", 0);
    assert_int_equal(fleet_notes(hostile.sim, 3, "unknown_algorithm"), 1);
    fleet_close(hostile.sim);
}

static void jobs_may_go_while_there_is_one_of_an_unknown_algorithm(void **state) {
    (void)state;
    hostile.sim = fleet_fixture_open(&lab_8);
    hostile.host = 7;
    fleet_run(hostile.sim, 2 * NS_PER_S);
    struct job job = {.generation = 1, .all_ranks = true, .collective_count = 1};
    job.collectives[0] = (struct collective){.type = COLLECTIVE_RING, .bytes = 1 << 20};
    for (unsigned i = 0; i < 5; i++) {
        snprintf(job.name, sizeof(job.name), "b%u", i);
        put_job(&job);
    }
    fleet_run(hostile.sim, 200 * NS_PER_MS);
    snprintf(job.name, sizeof(job.name), "a");
    snprintf(job.algorithm, sizeof(job.algorithm), "magic");
    put_job(&job);
    job.algorithm[0] = '\0';
    job.generation = 2;
    job.removed = true;
    job.collective_count = 0;
    for (unsigned i = 0; i < 5; i++) {
        snprintf(job.name, sizeof(job.name), "b%u", i);
        put_job(&job);
        for (uint32_t host = 0; host < 7; host++) {
            struct engine *engine = fleet_engine(hostile.sim, host);
            for (uint32_t f = 0; f < engine_plan(engine)->flow_count; f++) {
                assert_true(engine_plan(engine)->flows[f].job < engine_job_count(engine));
                (void)engine_plain_reason(engine, f);
            }
        }
    }
    fleet_close(hostile.sim);
}

static void nobody_outbids_the_last_generation_there_is(void **state) {
    (void)state;
    hostile.sim = fleet_fixture_open(&lab_8);
    hostile.host = 7;
    fleet_run(hostile.sim, 2 * NS_PER_S);
    struct job job = {.generation = UINT64_MAX, .all_ranks = true, .collective_count = 1};
    job.collectives[0] = (struct collective){.type = COLLECTIVE_RING, .bytes = 1 << 20};
    snprintf(job.name, sizeof(job.name), "demo");
    put_job(&job);
    fleet_run(hostile.sim, 200 * NS_PER_MS);
    fleet_stop(hostile.sim, hostile.host); // its successor has no higher generation to write
    fleet_run(hostile.sim, 2 * NS_PER_S);
    assert_int_equal(fleet_notes(hostile.sim, 0, "job_succeeded"), 0);
    struct error error = {0};
    assert_int_equal(fleet_submit(hostile.sim, 0, &job, &error), -EOVERFLOW);
    struct engine_event removal = {.kind = ENGINE_JOB_REMOVE, .name = "demo"};
    assert_int_equal(fleet_event(hostile.sim, 0, &removal, &error), -EOVERFLOW);
    assert_string_equal(error.text, "job demo: h7 wrote it with the last generation there is: "
                                    "give the new one another name");
    fleet_close(hostile.sim);
}

static void memory_does_not_grow_with_the_number_of_facts_that_are_written(void **state) {
    (void)state;
    open_fleet(base_seed());
    size_t used[4];
    for (unsigned flood = 0; flood < 4; flood++) {
        write_facts(REPORTS | ORDERS | JOBS, 2000);
        fleet_run(hostile.sim, NS_PER_S);
        used[flood] = mallinfo2().uordblks; // 0 under a sanitizer's allocator
    }
    printf("heap after each of four floods: %zu %zu %zu %zu bytes\n", used[0], used[1], used[2],
           used[3]);
    assert_true(used[3] <= used[1] + used[1] / 10 + (1 << 20));
    fleet_close(hostile.sim);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_member_reports_takes_no_link_from_the_others),
        cmocka_unit_test(a_real_cut_is_still_seen_among_false_reports),
        cmocka_unit_test(orders_and_jobs_without_sense_lose_no_packet),
        cmocka_unit_test(jobs_without_sense_do_not_stop_the_others_jobs),
        cmocka_unit_test(a_job_of_an_unknown_algorithm_is_left_out_and_no_other),
        cmocka_unit_test(jobs_may_go_while_there_is_one_of_an_unknown_algorithm),
        cmocka_unit_test(nobody_outbids_the_last_generation_there_is),
        cmocka_unit_test(memory_does_not_grow_with_the_number_of_facts_that_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
