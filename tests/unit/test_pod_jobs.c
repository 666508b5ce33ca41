// SPDX-License-Identifier: Apache-2.0
// Jobs out of what the pods of all hosts say.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "fabric_fixture.h"
#include "model/rng.h"
#include "pod_jobs.h"

#define CLAIMS_MAX 64

static struct fabric *fabric;
static struct pod_rank ranks[CLAIMS_MAX];
static struct pod_claim claims[CLAIMS_MAX];
static uint32_t claim_count;
static struct pod_job *jobs;
static uint32_t job_count;

static int set_up(void **state) {
    (void)state;
    fabric = fixture_leaf_spine(2, 2, 4, 1, 1);
    claim_count = 0;
    jobs = NULL;
    job_count = 0;
    memset(ranks, 0, sizeof(ranks));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    pod_jobs_free(jobs, job_count);
    fabric_close(fabric);
    return 0;
}

// Rank `rank` of 4 of ml/llama, of run "a" and created at 100, until the test changes it.
static struct pod_rank *claim(uint32_t host, uint32_t rank) {
    struct pod_rank *out = &ranks[claim_count];
    port_id port = {fabric->nodes[host].first_port};
    char name[NAME_SIZE + 4];
    *out = (struct pod_rank){.job = "ml/llama",
                             .run = "a",
                             .created_s = 100,
                             .rank = rank,
                             .rank_count = 4,
                             .collective = COLLECTIVE_ALLTOALL,
                             .bytes = 1 << 20};
    fabric_format_port(fabric, port, name);
    memcpy(out->port, name, NAME_SIZE);
    claims[claim_count++] = (struct pod_claim){out, {host}, port, true};
    return out;
}

static const struct pod_job *derive(void) {
    struct pod_claim scratch[CLAIMS_MAX];
    memcpy(scratch, claims, sizeof(scratch));
    pod_jobs_free(jobs, job_count);
    assert_int_equal(pod_jobs_derive(scratch, claim_count, fabric, &jobs, &job_count), 0);
    return jobs;
}

static void assert_ranks(const struct pod_job *pods, const char *expected) {
    char text[512] = "";
    const struct job *job = &pods->record.job;
    for (uint32_t i = 0; i < job->rank_count; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof(text) - length, "%s%s", i > 0 ? " " : "", job->ranks[i]);
    }
    assert_string_equal(text, expected);
}

static void ranks_of_all_hosts_make_a_job(void **state) {
    (void)state;
    claim(5, 0);
    claim(1, 3);
    claim(2, 1);
    claim(0, 2);
    const struct pod_job *job = derive();
    assert_int_equal(job_count, 1);
    assert_string_equal(job->record.job.name, "ml/llama");
    assert_ranks(job, "h5 h2 h0 h1");
    assert_int_equal(job->present, 4);
    assert_int_equal(job->wanted, 4);
    assert_int_equal(job->record.job.collectives[0].bytes, 1 << 20);
    assert_string_equal(job->trouble, "");
    assert_true(job->planned);
}

static void a_job_is_planned_among_the_ranks_that_are_there(void **state) {
    (void)state;
    claim(5, 3);
    claim(1, 1);
    const struct pod_job *job = derive();
    assert_ranks(job, "h1 h5");
    assert_int_equal(job->present, 2);
    assert_true(job->planned);
    assert_string_equal(job->trouble, "");
}

static void of_two_runs_the_one_that_began_last_counts(void **state) {
    (void)state;
    claim(0, 0);
    claim(1, 1)->created_s = 900; // a pod of the old run that was replaced does not make it new
    struct pod_rank *other = claim(2, 0);
    other->created_s = 200;
    memcpy(other->run, "0", 2);
    const struct pod_job *job = derive();
    assert_ranks(job, "h2");
    assert_string_equal(job->run, "0");
    assert_int_equal(job->record.job.generation, 200);
    assert_non_null(strstr(job->trouble, "2 runs"));
}

static void of_two_pods_of_a_rank_the_later_has_it_and_both_hosts_are_named(void **state) {
    (void)state;
    claim(0, 0);
    claim(1, 1);
    claim(2, 1)->created_s = 101;
    const struct pod_job *job = derive();
    assert_ranks(job, "h0 h2");
    assert_int_equal(job->present, 2);
    assert_non_null(strstr(job->trouble, "rank 1 runs on h2, by the later pod, and on h1"));
}

static void of_pods_that_began_at_once_the_first_host_has_the_rank(void **state) {
    (void)state;
    claim(2, 1);
    claim(1, 1);
    claim(0, 0);
    assert_ranks(derive(), "h0 h1");
}

static void who_says_otherwise_than_most_hosts_is_left_out(void **state) {
    (void)state;
    claim(0, 0);
    claim(1, 1);
    claim(2, 2)->bytes = 1;
    claim(3, 3)->bytes = 1;
    claim(4, 3);
    const struct pod_job *job = derive();
    assert_ranks(job, "h0 h1 h4");
    assert_non_null(strstr(job->trouble, "rank 2 on h2 is left out"));
    assert_int_equal(job->record.job.collectives[0].bytes, 1 << 20);
}

static void a_host_has_one_voice_however_many_ranks_it_claims(void **state) {
    (void)state;
    claim(0, 0);
    claim(1, 1);
    for (uint32_t rank = 4; rank < 10; rank++) {
        struct pod_rank *lie = claim(2, rank);
        lie->rank_count = 10;
    }
    const struct pod_job *job = derive();
    assert_ranks(job, "h0 h1");
    assert_int_equal(job->wanted, 4);
}

static void ranks_on_one_port_are_one_rank_of_their_size_together(void **state) {
    (void)state;
    claim(1, 0);
    claim(1, 1);
    claim(0, 2);
    claim(0, 3);
    const struct pod_job *job = derive();
    assert_ranks(job, "h1 h0");
    assert_int_equal(job->present, 4);
    assert_int_equal(job->record.job.collectives[0].bytes, 2 << 20);
    for (uint32_t i = 0; i < claim_count; i++) {
        ranks[i].collective = COLLECTIVE_RING; // which enters and leaves the host once
    }
    assert_int_equal(derive()->record.job.collectives[0].bytes, 1 << 20);
}

static void a_job_lives_as_long_as_one_of_its_agents(void **state) {
    (void)state;
    claim(0, 0);
    claim(1, 1);
    claims[0].live = false;
    assert_ranks(derive(), "h0 h1"); // the NIC of h0 goes on
    claims[0].live = claims[1].live = false;
    derive();
    assert_int_equal(job_count, 0);
}

static void a_run_without_live_agents_does_not_hide_one_that_has_some(void **state) {
    (void)state;
    claim(0, 0);
    struct pod_rank *dead = claim(1, 0);
    dead->created_s = 500;
    memcpy(dead->run, "z", 2);
    claims[1].live = false;
    const struct pod_job *job = derive();
    assert_ranks(job, "h0");
    assert_string_equal(job->trouble, "");
}

static void sizes_beyond_all_bounds_are_not_planned(void **state) {
    (void)state;
    claim(0, 0)->bytes = JOB_BYTES_MAX;
    claim(0, 1)->bytes = JOB_BYTES_MAX;
    claim(1, 2)->bytes = JOB_BYTES_MAX;
    const struct pod_job *job = derive();
    assert_false(job->planned);
    assert_non_null(strstr(job->trouble, "it is not planned"));
}

static void jobs_are_sorted_by_name(void **state) {
    (void)state;
    memcpy(claim(0, 0)->job, "ml/z", 5);
    memcpy(claim(0, 0)->job, "a/z", 4);
    derive();
    assert_int_equal(job_count, 2);
    assert_string_equal(jobs[0].record.job.name, "a/z");
    assert_string_equal(jobs[1].record.job.name, "ml/z");
}

// ---- whatever comes, in whatever order, gives the same

// A host says one thing of a rank of a run on a port, or its record's key would be another's.
static bool is_said_already(uint32_t index) {
    for (uint32_t i = 0; i < index; i++) {
        if (claims[i].host.i == claims[index].host.i && ranks[i].rank == ranks[index].rank &&
            strcmp(ranks[i].job, ranks[index].job) == 0 &&
            strcmp(ranks[i].run, ranks[index].run) == 0) {
            return true;
        }
    }
    return false;
}

static void random_claims(struct rng *rng) {
    static const char *const names[] = {"ml/a", "ml/b"}, *const runs[] = {"", "x", "y"};
    claim_count = 0;
    uint32_t wanted = 1 + (uint32_t)rng_below(rng, CLAIMS_MAX);
    while (claim_count < wanted) {
        uint32_t host = (uint32_t)rng_below(rng, fabric->host_count);
        struct pod_rank *rank = claim(host, (uint32_t)rng_below(rng, 6));
        const char *name = names[rng_below(rng, 2)], *run = runs[rng_below(rng, 3)];
        memcpy(rank->job, name, strlen(name) + 1);
        memcpy(rank->run, run, strlen(run) + 1);
        rank->created_s = rng_below(rng, 4);
        rank->rank_count = rng_below(rng, 4) == 0 ? 0 : 6;
        rank->bytes = 1 + rng_below(rng, 2);
        claims[claim_count - 1].live = rng_below(rng, 4) != 0;
        claim_count -= is_said_already(claim_count - 1);
    }
}

static void shuffle(struct rng *rng) {
    for (uint32_t i = claim_count; i > 1; i--) {
        uint32_t other = (uint32_t)rng_below(rng, i);
        struct pod_claim held = claims[i - 1];
        claims[i - 1] = claims[other];
        claims[other] = held;
    }
}

static void assert_same(const struct pod_job *a, const struct pod_job *b) {
    const struct job *x = &a->record.job, *y = &b->record.job;
    assert_string_equal(x->name, y->name);
    assert_string_equal(a->run, b->run);
    assert_string_equal(a->trouble, b->trouble);
    assert_int_equal(a->present, b->present);
    assert_int_equal(a->wanted, b->wanted);
    assert_int_equal(x->generation, y->generation);
    assert_int_equal(x->rank_count, y->rank_count);
    assert_memory_equal(x->ranks, y->ranks, x->rank_count * sizeof(*x->ranks));
    assert_int_equal(x->collectives[0].bytes, y->collectives[0].bytes);
}

static void the_order_of_claims_does_not_matter(void **state) {
    (void)state;
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20261122;
    printf("SEED=%llu\n", (unsigned long long)seed);
    struct rng rng;
    rng_init(&rng, seed);
    for (unsigned round = 0; round < 500; round++) {
        random_claims(&rng);
        derive();
        struct pod_job *first = jobs;
        uint32_t count = job_count;
        jobs = NULL;
        job_count = 0;
        shuffle(&rng);
        derive();
        assert_int_equal(job_count, count);
        for (uint32_t i = 0; i < count; i++) {
            assert_same(&first[i], &jobs[i]);
        }
        pod_jobs_free(first, count);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(ranks_of_all_hosts_make_a_job),
        TEST(a_job_is_planned_among_the_ranks_that_are_there),
        TEST(of_two_runs_the_one_that_began_last_counts),
        TEST(of_two_pods_of_a_rank_the_later_has_it_and_both_hosts_are_named),
        TEST(of_pods_that_began_at_once_the_first_host_has_the_rank),
        TEST(who_says_otherwise_than_most_hosts_is_left_out),
        TEST(a_host_has_one_voice_however_many_ranks_it_claims),
        TEST(ranks_on_one_port_are_one_rank_of_their_size_together),
        TEST(a_job_lives_as_long_as_one_of_its_agents),
        TEST(a_run_without_live_agents_does_not_hide_one_that_has_some),
        TEST(sizes_beyond_all_bounds_are_not_planned),
        TEST(jobs_are_sorted_by_name),
        TEST(the_order_of_claims_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
