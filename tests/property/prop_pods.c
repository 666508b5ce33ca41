// SPDX-License-Identifier: Apache-2.0
// Jobs of pods in whole fleets: pods come, go, move and are found twice, agents die and return, and
// one member lies. When it has been quiet for a while, all agents have the same jobs, those that
// follow from what hosts said last; honest ranks are steered to whatever the liar says of itself.
// SEED= reruns one run.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "fleet_fixture.h"
#include "model/rng.h"
#include "model/time.h"

#define HOSTS 8
#define JOBS 2
#define RANKS 5
#define OF_HOST 6
#define ROUNDS 25
#define QUIET_NS (6 * NS_PER_S) // news, then the grace of what was lost
#define GONE_NS (40 * NS_PER_S) // until a job without live agents has ended

static const struct fleet_shape shape = {.clos_kind = "leaf-spine",
                                         .leaves = 4,
                                         .spines = 2,
                                         .hosts_per_leaf = 2,
                                         .cables = 1,
                                         .probe_interval_ns = 100 * NS_PER_MS,
                                         .seed = 1};

// What a host's pods say, and what it said last.
struct node {
    struct pod_rank pods[OF_HOST];
    uint32_t count;
    struct pod_rank said[OF_HOST];
    uint32_t said_count;
    bool runs;
};

static struct node nodes[HOSTS];
static struct fleet *fleet;
static struct rng rng;
static uint64_t cluster_s; // the API server's clock
static unsigned runs[JOBS];

static uint64_t base_seed(void) {
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20261121;
    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static uint32_t below(uint32_t bound) {
    return (uint32_t)rng_below(&rng, bound);
}

// ---- the cluster

static void publish(uint32_t host) {
    struct node *node = &nodes[host];
    struct engine_event event = {.kind = ENGINE_PODS, .pods = {node->pods, node->count}};
    struct error error = {0};
    if (!node->runs) {
        return;
    }
    if (fleet_event(fleet, host, &event, &error) != 0) {
        fail_msg("h%u: %s", host, error.text);
    }
    memcpy(node->said, node->pods, sizeof(node->said));
    node->said_count = node->count;
}

static void add_pod(uint32_t host, uint32_t job, uint32_t rank) {
    struct node *node = &nodes[host];
    for (uint32_t i = 0; i < node->count; i++) {
        const struct pod_rank *pod = &node->pods[i];
        if (pod->job[3] == (char)('a' + job) && pod->rank == rank) {
            return; // the agent itself tells the newest of a rank only
        }
    }
    if (node->count == OF_HOST) {
        return;
    }
    struct pod_rank *pod = &node->pods[node->count++];
    *pod = (struct pod_rank){.created_s = cluster_s,
                             .rank = rank,
                             .rank_count = RANKS,
                             .collective = job == 0 ? COLLECTIVE_ALLTOALL : COLLECTIVE_RING,
                             .bytes = 1 << 20};
    snprintf(pod->job, sizeof(pod->job), "ml/%c", (char)('a' + job));
    snprintf(pod->run, sizeof(pod->run), "run-%u", runs[job]);
    snprintf(pod->port, sizeof(pod->port), "h%u", host);
}

static void drop_pod(uint32_t host) {
    struct node *node = &nodes[host];
    if (node->count > 0) {
        node->pods[below(node->count)] = node->pods[node->count - 1];
        node->count--;
    }
}

static void move_pod(uint32_t from, uint32_t to) {
    struct node *node = &nodes[from];
    if (node->count > 0 && from != to) {
        struct pod_rank pod = node->pods[node->count - 1];
        node->count -= below(2); // or it is found on both for a while
        add_pod(to, (uint32_t)(pod.job[3] - 'a'), pod.rank);
    }
}

static void stop_or_start(uint32_t host) {
    struct error error = {0};
    struct node *node = &nodes[host];
    if (node->runs) {
        fleet_stop(fleet, host);
    } else if (fleet_start(fleet, host, &error) != 0) {
        fail_msg("h%u: %s", host, error.text);
    }
    node->runs = !node->runs;
}

static void happen(void) {
    uint32_t host = below(HOSTS), other = below(HOSTS);
    cluster_s += below(2);
    switch (below(8)) {
    case 0:
    case 1:
    case 2:
        add_pod(host, below(JOBS), below(RANKS));
        break;
    case 3:
        drop_pod(host);
        break;
    case 4:
    case 5:
        move_pod(host, other);
        publish(other);
        break;
    case 6:
        stop_or_start(host);
        break;
    case 7:
        runs[below(JOBS)]++;
        cluster_s++;
        break;
    }
    publish(host);
}

// ---- what follows from it, in the plainest way

struct expected {
    bool any;
    const char *run;
    uint32_t present, port_count;
    uint32_t host_of[RANKS]; // HOSTS: none
    uint32_t ports[HOSTS];   // hosts, in the order of ranks
    uint32_t copies;         // of ranks on a port, at most
};

static bool is_of(const struct pod_rank *pod, uint32_t job, const char *run) {
    return pod->job[3] == (char)('a' + job) && (run == NULL || strcmp(pod->run, run) == 0);
}

static bool run_lives(uint32_t job, const char *run, uint64_t *began_s) {
    bool lives = false;
    *began_s = UINT64_MAX;
    for (uint32_t h = 0; h < HOSTS; h++) {
        for (uint32_t i = 0; i < nodes[h].said_count; i++) {
            const struct pod_rank *pod = &nodes[h].said[i];
            if (is_of(pod, job, run)) {
                lives = lives || nodes[h].runs;
                *began_s = pod->created_s < *began_s ? pod->created_s : *began_s;
            }
        }
    }
    return lives;
}

static const char *newest_run(uint32_t job) {
    const char *best = NULL;
    uint64_t best_s = 0;
    for (uint32_t h = 0; h < HOSTS; h++) {
        for (uint32_t i = 0; i < nodes[h].said_count; i++) {
            const struct pod_rank *pod = &nodes[h].said[i];
            uint64_t began_s;
            bool better = is_of(pod, job, NULL) && run_lives(job, pod->run, &began_s) &&
                          (best == NULL || began_s > best_s ||
                           (began_s == best_s && strcmp(pod->run, best) > 0));
            if (better) {
                best = pod->run;
                best_s = began_s;
            }
        }
    }
    return best;
}

static void place_ranks(uint32_t job, struct expected *out) {
    for (uint32_t rank = 0; rank < RANKS; rank++) {
        uint64_t newest_s = 0;
        out->host_of[rank] = HOSTS;
        for (uint32_t h = 0; h < HOSTS; h++) {
            for (uint32_t i = 0; i < nodes[h].said_count; i++) {
                const struct pod_rank *pod = &nodes[h].said[i];
                bool later = out->host_of[rank] == HOSTS || pod->created_s > newest_s;
                if (is_of(pod, job, out->run) && pod->rank == rank && later) {
                    out->host_of[rank] = h;
                    newest_s = pod->created_s;
                }
            }
        }
        out->present += out->host_of[rank] < HOSTS;
    }
}

static struct expected expect(uint32_t job) {
    struct expected out = {.run = newest_run(job)};
    uint32_t on_port[HOSTS] = {0};
    out.any = out.run != NULL;
    if (!out.any) {
        return out;
    }
    place_ranks(job, &out);
    for (uint32_t rank = 0; rank < RANKS; rank++) {
        uint32_t host = out.host_of[rank];
        if (host < HOSTS && on_port[host]++ == 0) {
            out.ports[out.port_count++] = host;
        }
        if (host < HOSTS && on_port[host] > out.copies) {
            out.copies = on_port[host];
        }
    }
    return out;
}

static bool find_job(uint32_t host, uint32_t job, struct engine_job *out) {
    const struct engine *engine = fleet_engine(fleet, host);
    for (uint32_t i = 0; i < engine_job_count(engine); i++) {
        engine_job_at(engine, i, out);
        if (strncmp(out->job->name, "ml/", 3) == 0 && out->job->name[3] == (char)('a' + job)) {
            return true;
        }
    }
    return false;
}

static void assert_job(uint32_t host, uint32_t job, const struct expected *expected) {
    struct engine_job got;
    if (find_job(host, job, &got) != expected->any) {
        fail_msg("h%u: job %c: %s", host, 'a' + (int)job,
                 expected->any ? "it has none" : "it has one that ended");
    }
    if (!expected->any) {
        return;
    }
    assert_string_equal(got.run, expected->run);
    assert_int_equal(got.pods_present, expected->present);
    assert_int_equal(got.pods_wanted, RANKS);
    assert_int_equal(got.job->rank_count, expected->port_count);
    for (uint32_t i = 0; i < expected->port_count; i++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof(name), "h%u", expected->ports[i]);
        assert_string_equal(got.job->ranks[i], name);
    }
    uint64_t copies = job == 0 ? expected->copies : 1;
    assert_int_equal(got.job->collectives[0].bytes, copies << 20);
}

static void assert_jobs(void) {
    for (uint32_t job = 0; job < JOBS; job++) {
        struct expected expected = expect(job);
        for (uint32_t host = 0; host < HOSTS; host++) {
            if (nodes[host].runs) {
                assert_job(host, job, &expected);
            }
        }
    }
}

static int set_up(void **state) {
    (void)state;
    memset(nodes, 0, sizeof(nodes));
    memset(runs, 0, sizeof(runs));
    cluster_s = 1;
    fleet = fleet_fixture_open(&shape);
    for (uint32_t host = 0; host < HOSTS; host++) {
        nodes[host].runs = true;
    }
    fleet_run(fleet, 2 * NS_PER_S);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fleet_close(fleet);
    return 0;
}

static void all_agents_have_the_jobs_that_follow_from_what_hosts_said(void **state) {
    (void)state;
    rng_init(&rng, base_seed());
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (uint32_t events = 1 + below(12); events > 0; events--) {
            happen();
            fleet_run(fleet, below(400) * NS_PER_MS);
        }
        fleet_run(fleet, GONE_NS);
        assert_jobs();
    }
}

// ---- what the pods' traffic does

static uint32_t steered_flows(uint32_t host) {
    const struct engine *engine = fleet_engine(fleet, host);
    const struct plan *plan = engine_plan(engine);
    uint32_t count = 0;
    for (uint32_t f = 0; f < plan->flow_count; f++) {
        count += engine_plain_reason(engine, f) == NULL;
    }
    return count;
}

static void start_job_on_four_leaves(void) {
    for (uint32_t rank = 0; rank < 4; rank++) {
        add_pod(2 * rank, 0, rank);
        publish(2 * rank);
    }
    fleet_run(fleet, QUIET_NS);
    for (uint32_t rank = 0; rank < 4; rank++) {
        assert_int_equal(steered_flows(2 * rank), 3);
    }
}

static void an_agent_that_restarts_and_says_the_same_moves_no_flow(void **state) {
    (void)state;
    start_job_on_four_leaves();
    uint64_t changes[HOSTS];
    for (uint32_t host = 0; host < HOSTS; host++) {
        changes[host] = fleet_nic_changes(fleet, host);
    }
    stop_or_start(2);
    fleet_run(fleet, NS_PER_S);
    stop_or_start(2);
    publish(2);
    fleet_run(fleet, QUIET_NS);
    for (uint32_t host = 0; host < HOSTS; host++) {
        assert_int_equal(steered_flows(host), host % 2 == 0 ? 3 : 0);
        if (host != 2) {
            assert_int_equal(fleet_nic_changes(fleet, host), changes[host]);
        }
    }
}

static void flows_go_on_when_an_agent_dies_and_end_with_the_pods(void **state) {
    (void)state;
    start_job_on_four_leaves();
    stop_or_start(2);
    fleet_run(fleet, GONE_NS);
    assert_int_equal(steered_flows(0), 3); // the NIC of h2 goes on
    for (uint32_t host = 0; host < HOSTS; host += 2) {
        nodes[host].count = 0;
        publish(host);
    }
    fleet_run(fleet, GONE_NS);
    struct engine_job job;
    for (uint32_t host = 0; host < HOSTS; host++) {
        if (nodes[host].runs) {
            assert_false(find_job(host, 0, &job));
            assert_int_equal(fleet_engine(fleet, host) == NULL ? 0 : steered_flows(host), 0);
        }
    }
}

static void a_job_whose_agents_are_all_gone_ends(void **state) {
    (void)state;
    struct engine_job job;
    start_job_on_four_leaves();
    for (uint32_t host = 0; host < HOSTS; host += 2) {
        stop_or_start(host);
    }
    fleet_run(fleet, 10 * NS_PER_S);
    assert_true(find_job(1, 0, &job)); // they may be back in a moment
    fleet_run(fleet, GONE_NS);
    assert_false(find_job(1, 0, &job));
}

static void lie(uint32_t host, const struct pod_rank *rank, const char *key) {
    uint8_t bytes[512];
    ssize_t size = pod_rank_encode(rank, bytes, sizeof(bytes));
    assert_true(size > 0);
    (void)gossip_put(engine_gossip(fleet_engine(fleet, host)), fleet_now_ns(fleet),
                     GOSSIP_TABLE_RANK, key, bytes, (size_t)size);
}

// It claims a rank of others for its own port: that one rank it gets. Nothing else moves.
static void a_liar_takes_one_rank_for_its_port_and_is_named(void **state) {
    (void)state;
    start_job_on_four_leaves();
    nodes[3].pods[0] = nodes[2].pods[0];
    nodes[3].pods[0].created_s = cluster_s + 1000000;
    memcpy(nodes[3].pods[0].port, "h3", 3);
    nodes[3].count = 1;
    publish(3);
    fleet_run(fleet, QUIET_NS);
    struct engine_job job;
    for (uint32_t host = 0; host < HOSTS; host++) {
        assert_true(find_job(host, 0, &job));
        assert_non_null(strstr(job.trouble, "h3"));
        assert_int_equal(job.job->rank_count, 4);
    }
    for (uint32_t host = 0; host < HOSTS; host += 2) {
        assert_int_equal(steered_flows(host), host == 2 ? 0 : 3);
    }
}

static void lies_about_ports_of_others_and_keys_that_do_not_fit_count_for_nothing(void **state) {
    (void)state;
    start_job_on_four_leaves();
    struct pod_rank rank = nodes[2].pods[0];
    rank.created_s = cluster_s + 1000000;
    lie(7, &rank, "#0000000000000000/1/h2"); // not its port
    memcpy(rank.port, "h7", 3);
    lie(7, &rank, "#0000000000000000/1/h7"); // not the key of this rank
    fleet_run(fleet, QUIET_NS);
    struct engine_stats stats;
    engine_stats(fleet_engine(fleet, 0), &stats);
    assert_int_equal(stats.bad_facts, 2);
    for (uint32_t host = 0; host < HOSTS; host += 2) {
        assert_int_equal(steered_flows(host), 3);
    }
}

static void an_operators_job_of_the_name_hides_that_of_pods(void **state) {
    (void)state;
    start_job_on_four_leaves();
    char ports[2][NAME_SIZE] = {"h1", "h3"};
    struct job own = {.name = "ml/a", .rank_count = 2, .ranks = ports, .collective_count = 1};
    own.collectives[0] = (struct collective){.type = COLLECTIVE_RING, .bytes = 1 << 20};
    struct error error = {0};
    assert_int_equal(fleet_submit(fleet, 5, &own, &error), 0);
    fleet_run(fleet, QUIET_NS);
    assert_int_equal(steered_flows(0), 0);
    assert_int_equal(steered_flows(1), 1);
    struct engine_event event = {.kind = ENGINE_JOB_REMOVE, .name = "ml/a"};
    assert_int_equal(fleet_event(fleet, 5, &event, &error), 0);
    fleet_run(fleet, QUIET_NS);
    assert_int_equal(steered_flows(0), 3);
    fleet_run(fleet, 700 * NS_PER_S); // until the removal is forgotten too
    assert_int_equal(fleet_event(fleet, 5, &event, &error), -EINVAL);
    assert_non_null(strstr(error.text, "is made by pods"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(all_agents_have_the_jobs_that_follow_from_what_hosts_said),
        TEST(an_agent_that_restarts_and_says_the_same_moves_no_flow),
        TEST(flows_go_on_when_an_agent_dies_and_end_with_the_pods),
        TEST(a_job_whose_agents_are_all_gone_ends),
        TEST(a_liar_takes_one_rank_for_its_port_and_is_named),
        TEST(lies_about_ports_of_others_and_keys_that_do_not_fit_count_for_nothing),
        TEST(an_operators_job_of_the_name_hides_that_of_pods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
