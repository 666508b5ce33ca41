// SPDX-License-Identifier: Apache-2.0
// The worker's side: the only one that calls the driver.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "nic_worker_state.h"

#define COUNTERS_MAX (1U << 16)
#define QPS_MAX 4096

void worker_counts_fini(struct worker_counts *counts) {
    free(counts->counters);
    free(counts->qps);
    *counts = (struct worker_counts){0};
}

void worker_ring(int fd) {
    uint64_t one = 1;
    (void)!write(fd, &one, sizeof one);
}

void worker_hush(int fd) {
    uint64_t count;
    (void)!read(fd, &count, sizeof count);
}

// The set is told anew when it is another one. Without memory the loop learns it with a later
// report.
static void tell_set(struct worker *worker, struct worker_report *report) {
    static const struct rule_set none;
    const struct rule_set *now = worker->real != NULL ? &worker->real->applied : &none;
    if (rule_set_equal(now, &worker->told)) {
        return;
    }
    struct rule_set copy;
    rule_set_init(&copy);
    if (rule_set_copy(now, &copy) == 0 && rule_set_copy(now, &worker->told) == 0) {
        rule_set_fini(&report->set);
        report->set = copy;
        report->has_set = true;
        report->counts.counter_count = 0; // they are of another set
    } else {
        rule_set_fini(&copy);
    }
}

static bool is_lost(const struct worker *worker) {
    static const struct rule_set none;
    return !rule_set_equal(worker->real != NULL ? &worker->real->applied : &none, &worker->told);
}

static void tell_nic(struct worker *worker, struct worker_report *report, bool opened) {
    struct nic *nic = worker->real;
    const char *attachment = nic != NULL && nic->attachment != NULL ? nic->attachment : "";
    struct nic_capabilities capabilities = report->capabilities;
    if (nic != NULL) {
        nic->driver->capabilities(nic, &capabilities);
    }
    report->news.opened = report->news.opened || opened ||
                          !nic_capabilities_equal(&capabilities, &report->capabilities);
    report->capabilities = capabilities;
    report->unsettled = nic == NULL || nic->unsettled;
    snprintf(report->attachment, sizeof report->attachment, "%s", attachment);
}

enum outcome { OUTCOME_NONE, OUTCOME_APPLIED, OUTCOME_FAILED };

// What came later replaces what the loop has not taken yet; only a loss stays until a set goes in.
static void tell(struct worker *worker, enum outcome outcome, bool opened,
                 const struct error *error) {
    struct worker_report *report = &worker->report;
    bool lost = outcome == OUTCOME_FAILED && is_lost(worker);
    pthread_mutex_lock(&worker->lock);
    tell_nic(worker, report, opened);
    tell_set(worker, report);
    report->number = worker->done;
    if (outcome == OUTCOME_APPLIED) {
        report->news.applied = true;
        report->news.failed = report->news.lost = false;
    } else if (outcome == OUTCOME_FAILED) {
        report->news.applied = false;
        report->news.failed = true;
        report->news.lost = report->news.lost || lost;
        report->news.error = *error;
    }
    report->fresh = true;
    pthread_mutex_unlock(&worker->lock);
    worker_ring(worker->news);
}

static int open_real(struct worker *worker, struct error *error) {
    return nic_open_with(worker->driver, &worker->options, &worker->real, error);
}

static void do_apply(struct worker *worker, const struct worker_orders *orders) {
    struct error error = {0};
    bool opened = worker->real == NULL;
    int rc = opened ? open_real(worker, &error) : 0;
    opened = opened && rc == 0;
    rc = rc != 0 ? rc : nic_apply(worker->real, &orders->wanted, &error);
    worker->done = orders->number;
    tell(worker, rc == 0 ? OUTCOME_APPLIED : OUTCOME_FAILED, opened, &error);
}

static void do_review(struct worker *worker) {
    struct error error = {0};
    if (worker->real != NULL && worker->driver->review != NULL &&
        worker->driver->review(worker->real, &error) != 0) {
        tell(worker, OUTCOME_FAILED, false, &error);
    }
}

static void add_counter(void *context, const struct nic_counter *counter) {
    struct worker_counts *counts = context;
    if (counts->counter_count < counts->counter_capacity) {
        counts->counters[counts->counter_count++] = *counter;
    }
}

static void add_qp(void *context, const struct nic_qp *qp) {
    struct worker_counts *counts = context;
    if (counts->qp_count < QPS_MAX) {
        counts->qps[counts->qp_count++] = *qp;
    }
}

static uint32_t path_count(const struct rule_set *set) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->rule_count; i++) {
        count += set->rules[i].path_count;
    }
    return count < COUNTERS_MAX ? count : COUNTERS_MAX;
}

static void do_read(struct worker *worker) {
    struct nic *nic = worker->real;
    struct worker_counts counts = {0};
    if (nic == NULL) {
        return;
    }
    counts.counter_capacity = path_count(&nic->applied);
    counts.counters = calloc((size_t)counts.counter_capacity + 1, sizeof *counts.counters);
    counts.qps = calloc(QPS_MAX, sizeof *counts.qps);
    if (counts.counters == NULL || counts.qps == NULL ||
        nic->driver->counters(nic, add_counter, &counts) != 0) {
        counts.counter_count = 0; // an old reading is better than half of one
    }
    if (counts.qps != NULL && nic->driver->qps != NULL) {
        (void)nic->driver->qps(nic, add_qp, &counts);
    }
    nic->driver->totals(nic, &counts.totals[0], &counts.totals[1], &counts.totals[2]);
    pthread_mutex_lock(&worker->lock);
    worker_counts_fini(&worker->report.counts);
    worker->report.counts = counts;
    worker->report.has_counts = true;
    worker->report.fresh = true;
    pthread_mutex_unlock(&worker->lock);
    worker_ring(worker->news);
    do_review(worker);
}

static struct worker_orders take_orders(struct worker *worker) {
    pthread_mutex_lock(&worker->lock);
    struct worker_orders orders = worker->orders;
    worker->orders = (struct worker_orders){0};
    pthread_mutex_unlock(&worker->lock);
    return orders;
}

void *worker_run(void *context) {
    struct worker *worker = context;
    struct worker_orders orders = {0};
    struct error error = {0};
    int rc = open_real(worker, &error);
    tell(worker, rc == 0 ? OUTCOME_NONE : OUTCOME_FAILED, rc == 0, &error);
    while (!orders.quit) {
        struct pollfd fds[2] = {{worker->wake, POLLIN, 0},
                                {worker->real != NULL ? worker->real->watch_fd : -1, POLLIN, 0}};
        (void)poll(fds, 2, -1);
        if (fds[1].revents != 0) {
            do_review(worker);
        }
        if (fds[0].revents == 0) {
            continue;
        }
        worker_hush(worker->wake);
        orders = take_orders(worker);
        if (orders.has_wanted) {
            do_apply(worker, &orders);
            rule_set_fini(&orders.wanted);
        }
        if (orders.read && !orders.quit) {
            do_read(worker);
        }
    }
    nic_close(worker->real, orders.remove);
    worker->real = NULL;
    return NULL;
}
