// SPDX-License-Identifier: Apache-2.0
// A slow driver behind its thread: the loop never waits, the newest set wins, and how it went comes
// as news. The driver here waits at a gate that the test opens.
#include "nic_rules.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "nic_worker.h"
#include "nicdrv/mem.h"

#define PATIENCE_MS 10000

static struct {
    atomic_int gate; // applies that may pass; negative: all
    atomic_int applies, opens, closes, removals;
    atomic_int refuse_opens, refuse_applies; // so many times
    atomic_int last_path;
    int loss; // eventfd
} driver;

static const struct nic_driver gate_driver;

static int gate_open(const struct nic_options *options, struct nic **out, struct error *error) {
    driver.opens++;
    if (driver.refuse_opens > 0) {
        driver.refuse_opens--;
        return error_set(error, -ENOENT, "%s: no holder at %s", options->device, options->holder);
    }
    int rc = nic_driver_mem.open(options, out, error);
    if (rc == 0) {
        (*out)->driver = &gate_driver;
        (*out)->watch_fd = driver.loss;
        (*out)->attachment = "gate";
    }
    return rc;
}

static void gate_close(struct nic *nic, bool remove_rules) {
    driver.closes++;
    driver.removals += remove_rules;
    nic_driver_mem.close(nic, remove_rules);
}

static void gate_capabilities(const struct nic *nic, struct nic_capabilities *out) {
    nic_driver_mem.capabilities(nic, out);
}

static int gate_apply(struct nic *nic, const struct rule_set *wanted, struct error *error) {
    driver.applies++;
    while (driver.gate == 0) {
        usleep(1000);
    }
    if (driver.gate > 0) {
        driver.gate--;
    }
    if (driver.refuse_applies > 0) {
        driver.refuse_applies--;
        return error_set(error, -ENOSPC, "%s: no room", nic->device);
    }
    driver.last_path = wanted->rule_count > 0 ? wanted->encaps[0].sids.sids[0].bytes[5] : 0;
    return nic_driver_mem.apply(nic, wanted, error);
}

static int gate_counters(struct nic *nic, nic_counter_fn *each, void *context) {
    for (uint32_t r = 0; r < nic->applied.rule_count; r++) {
        struct nic_counter counter = {nic->applied.rules[r].match, 0, 42, 4200};
        each(context, &counter);
    }
    return 0;
}

static int gate_qps(struct nic *nic, nic_qp_fn *each, void *context) {
    struct nic_qp qp = {.qp = 9};
    (void)nic;
    each(context, &qp);
    return 0;
}

static void gate_totals(struct nic *nic, uint64_t *encapsulated, uint64_t *decapsulated,
                        uint64_t *plain_roce) {
    (void)nic;
    *encapsulated = 1;
    *decapsulated = 2;
    *plain_roce = 3;
}

static int gate_review(struct nic *nic, struct error *error) {
    uint64_t count;
    if (read(driver.loss, &count, sizeof count) != sizeof count) {
        return 0;
    }
    rule_set_clear(&nic->applied);
    nic->unsettled = true;
    return error_set(error, -EIO, "%s: lost", nic->device);
}

static const struct nic_driver gate_driver = {
    .name = "gate",
    .slow = true,
    .open = gate_open,
    .close = gate_close,
    .capabilities = gate_capabilities,
    .apply = gate_apply,
    .counters = gate_counters,
    .qps = gate_qps,
    .review = gate_review,
    .totals = gate_totals,
};

// ---- the loop's side

struct bench {
    struct nic *nic;
    struct rule_set sets[4]; // over path 1 to 3; [0] is empty
    struct nic_news news;
    struct error error;
};

static int setup(void **state) {
    static struct bench bench;
    bench = (struct bench){0};
    driver.gate = -1;
    driver.applies = driver.opens = driver.closes = driver.removals = 0;
    driver.refuse_opens = driver.refuse_applies = driver.last_path = 0;
    driver.loss = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (int i = 0; i < 4; i++) {
        rule_set_init(&bench.sets[i]);
        if (i > 0) {
            add_rule(&bench.sets[i], match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, i, 0);
        }
        seal(&bench.sets[i]);
    }
    *state = &bench;
    return 0;
}

static int teardown(void **state) {
    struct bench *bench = *state;
    driver.gate = -1;
    if (bench->nic != NULL) {
        assert_int_equal(nic_worker_close(bench->nic, false, PATIENCE_MS), 0);
        assert_int_equal(driver.closes, 1);
    }
    for (int i = 0; i < 4; i++) {
        rule_set_fini(&bench->sets[i]);
    }
    close(driver.loss);
    return 0;
}

static void open_worker(struct bench *bench) {
    struct nic_options options = {.device = "eth1", .holder = "/h"};
    assert_int_equal(nic_worker_open(&gate_driver, &options, &bench->nic, &bench->error), 0);
    assert_true(nic_is_worker(bench->nic));
}

static void take(struct bench *bench) {
    struct pollfd fd = {bench->nic->watch_fd, POLLIN, 0};
    assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    assert_true(nic_worker_take(bench->nic, &bench->news));
}

static void open_and_take(struct bench *bench) {
    open_worker(bench);
    take(bench);
    assert_true(bench->news.opened && !bench->news.failed);
}

static int post(struct bench *bench, int path) {
    return nic_apply(bench->nic, &bench->sets[path], &bench->error);
}

// Reports of sets that were overtaken may come first.
static void wait_until_settled(struct bench *bench) {
    for (int i = 0; i < 100 && bench->nic->unsettled; i++) {
        take(bench);
    }
    assert_false(bench->nic->unsettled);
}

static void opening_is_news_with_what_the_nic_can_do(void **state) {
    struct bench *bench = *state;
    struct nic_capabilities capabilities;
    open_worker(bench);
    bench->nic->driver->capabilities(bench->nic, &capabilities);
    assert_false(capabilities.per_qp || capabilities.srh); // unknown yet: the least
    take(bench);
    assert_true(bench->news.opened);
    bench->nic->driver->capabilities(bench->nic, &capabilities);
    assert_true(capabilities.per_qp && capabilities.srh);
    assert_string_equal(bench->nic->attachment, "gate");
    assert_false(bench->nic->unsettled);
    assert_false(nic_worker_take(bench->nic, &bench->news));
}

static void an_apply_returns_at_once_and_ends_as_news(void **state) {
    struct bench *bench = *state;
    open_and_take(bench);
    driver.gate = 0;
    assert_int_equal(post(bench, 1), -EINPROGRESS);
    assert_int_equal(bench->nic->applied.rule_count, 0);
    assert_true(bench->nic->unsettled);
    driver.gate = -1;
    take(bench);
    assert_true(bench->news.applied && !bench->news.failed);
    assert_true(rule_set_equal(&bench->nic->applied, &bench->sets[1]));
    assert_int_equal(post(bench, 1), 0); // it is there: nobody is asked
    assert_int_equal(driver.applies, 1);
}

static void the_newest_set_wins_and_those_between_are_never_applied(void **state) {
    struct bench *bench = *state;
    open_and_take(bench);
    driver.gate = 0;
    assert_int_equal(post(bench, 1), -EINPROGRESS);
    while (driver.applies == 0) {
        usleep(1000);
    }
    assert_int_equal(post(bench, 2), -EINPROGRESS);
    assert_int_equal(post(bench, 3), -EINPROGRESS);
    driver.gate = 1;
    take(bench);
    assert_true(bench->news.applied);
    assert_true(bench->nic->unsettled); // the newest is still to come
    driver.gate = -1;
    wait_until_settled(bench);
    assert_true(rule_set_equal(&bench->nic->applied, &bench->sets[3]));
    assert_int_equal(driver.applies, 2);
    assert_int_equal(driver.last_path, 3);
}

static void going_back_to_what_is_applied_overtakes_what_is_on_its_way(void **state) {
    struct bench *bench = *state;
    open_and_take(bench);
    (void)post(bench, 1);
    wait_until_settled(bench);
    driver.gate = 0;
    assert_int_equal(post(bench, 2), -EINPROGRESS);
    while (driver.applies < 2) {
        usleep(1000);
    }
    assert_int_equal(post(bench, 1), -EINPROGRESS); // equal to `applied`, and yet news
    driver.gate = -1;
    wait_until_settled(bench);
    assert_true(rule_set_equal(&bench->nic->applied, &bench->sets[1]));
}

static void a_refused_set_is_news_with_the_reason_and_is_no_loss(void **state) {
    struct bench *bench = *state;
    open_and_take(bench);
    (void)post(bench, 1);
    wait_until_settled(bench);
    driver.refuse_applies = 1;
    assert_int_equal(post(bench, 2), -EINPROGRESS);
    take(bench);
    assert_true(bench->news.failed && !bench->news.lost && !bench->news.applied);
    assert_int_equal(bench->news.error.code, -ENOSPC);
    assert_string_equal(bench->news.error.text, "eth1: no room");
    assert_true(rule_set_equal(&bench->nic->applied, &bench->sets[1]));
    assert_int_equal(post(bench, 2), -EINPROGRESS);
    take(bench);
    assert_true(bench->news.applied);
}

static void what_is_lost_is_news_and_the_next_set_goes_in(void **state) {
    struct bench *bench = *state;
    uint64_t one = 1;
    open_and_take(bench);
    (void)post(bench, 1);
    wait_until_settled(bench);
    assert_int_equal(write(driver.loss, &one, sizeof one), sizeof one);
    take(bench);
    assert_true(bench->news.lost && bench->news.failed);
    assert_int_equal(bench->nic->applied.rule_count, 0);
    assert_int_equal(post(bench, 1), -EINPROGRESS);
    take(bench);
    assert_true(bench->news.applied);
    assert_int_equal(bench->nic->applied.rule_count, 1);
}

// The loop was busy meanwhile: a loss that was made good by a later set is none any more, one
// followed by a failure still is.
static void only_what_holds_in_the_end_is_told(void **state) {
    struct bench *bench = *state;
    uint64_t one = 1;
    open_and_take(bench);
    (void)post(bench, 1);
    wait_until_settled(bench);
    driver.refuse_applies = 1;
    assert_int_equal(write(driver.loss, &one, sizeof one), sizeof one);
    usleep(50000);
    assert_int_equal(post(bench, 2), -EINPROGRESS);
    while (driver.applies < 2) {
        usleep(1000);
    }
    usleep(50000);
    take(bench);
    assert_true(bench->news.failed && bench->news.lost);
    assert_string_equal(bench->news.error.text, "eth1: no room");
    assert_int_equal(write(driver.loss, &one, sizeof one), sizeof one);
    usleep(50000);
    assert_int_equal(post(bench, 2), -EINPROGRESS);
    while (driver.applies < 3) {
        usleep(1000);
    }
    usleep(50000);
    take(bench);
    assert_true(bench->news.applied && !bench->news.lost && !bench->news.failed);
}

static void a_nic_that_cannot_be_opened_yet_is_opened_by_a_later_set(void **state) {
    struct bench *bench = *state;
    driver.refuse_opens = 2;
    open_worker(bench);
    take(bench);
    assert_true(bench->news.failed && !bench->news.lost && !bench->news.opened);
    assert_string_equal(bench->news.error.text, "eth1: no holder at /h");
    assert_int_equal(post(bench, 1), -EINPROGRESS);
    take(bench);
    assert_true(bench->news.failed && !bench->news.opened);
    assert_int_equal(post(bench, 1), -EINPROGRESS);
    take(bench);
    assert_true(bench->news.applied && bench->news.opened);
    assert_int_equal(bench->nic->applied.rule_count, 1);
    assert_int_equal(driver.opens, 3);
}

static void keep(void *context, const struct nic_counter *counter) {
    *(struct nic_counter *)context = *counter;
}

static void keep_qp(void *context, const struct nic_qp *qp) {
    *(struct nic_qp *)context = *qp;
}

static void readings_come_a_turn_later_and_are_of_the_set_that_is_applied(void **state) {
    struct bench *bench = *state;
    struct nic_counter counter = {0};
    struct nic_qp qp = {0};
    uint64_t totals[3];
    open_and_take(bench);
    (void)post(bench, 1);
    wait_until_settled(bench);
    const struct nic_driver *loop = bench->nic->driver;
    assert_int_equal(loop->counters(bench->nic, keep, &counter), 0);
    assert_int_equal(counter.packets, 0);
    take(bench);
    assert_int_equal(loop->counters(bench->nic, keep, &counter), 0);
    assert_int_equal(counter.packets, 42);
    assert_int_equal(loop->qps(bench->nic, keep_qp, &qp), 0);
    assert_int_equal(qp.qp, 9);
    loop->totals(bench->nic, &totals[0], &totals[1], &totals[2]);
    assert_int_equal(totals[1], 2);
    take(bench); // the reading that was just asked for
    (void)post(bench, 2);
    wait_until_settled(bench);
    counter.packets = 0;
    assert_int_equal(loop->counters(bench->nic, keep, &counter), 0);
    assert_int_equal(counter.packets, 0); // those at hand were of the set before
    take(bench);
}

static void closing_applies_what_still_waits(void **state) {
    struct bench *bench = *state;
    open_and_take(bench);
    driver.gate = 0;
    (void)post(bench, 1);
    while (driver.applies == 0) {
        usleep(1000);
    }
    (void)post(bench, 2);
    driver.gate = -1;
    assert_int_equal(nic_worker_close(bench->nic, true, PATIENCE_MS), 0);
    bench->nic = NULL;
    assert_int_equal(driver.last_path, 2);
    assert_int_equal(driver.closes, 1);
    assert_int_equal(driver.removals, 1);
}

static void a_driver_that_does_not_return_does_not_keep_the_agent(void **state) {
    struct bench *bench = *state;
    open_and_take(bench);
    driver.gate = 0;
    (void)post(bench, 1);
    while (driver.applies == 0) {
        usleep(1000);
    }
    assert_int_equal(nic_worker_close(bench->nic, false, 100), -ETIMEDOUT);
    driver.gate = -1;
    for (int i = 0; i < 1000 && driver.closes == 0; i++) {
        usleep(10000);
    }
    assert_int_equal(driver.closes, 1);
    assert_int_equal(nic_worker_close(bench->nic, false, PATIENCE_MS), 0); // now it has ended
    bench->nic = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(opening_is_news_with_what_the_nic_can_do),
        TEST(an_apply_returns_at_once_and_ends_as_news),
        TEST(the_newest_set_wins_and_those_between_are_never_applied),
        TEST(going_back_to_what_is_applied_overtakes_what_is_on_its_way),
        TEST(a_refused_set_is_news_with_the_reason_and_is_no_loss),
        TEST(what_is_lost_is_news_and_the_next_set_goes_in),
        TEST(only_what_holds_in_the_end_is_told),
        TEST(a_nic_that_cannot_be_opened_yet_is_opened_by_a_later_set),
        TEST(readings_come_a_turn_later_and_are_of_the_set_that_is_applied),
        TEST(closing_applies_what_still_waits),
        TEST(a_driver_that_does_not_return_does_not_keep_the_agent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
