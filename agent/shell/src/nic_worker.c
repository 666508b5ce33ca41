// SPDX-License-Identifier: Apache-2.0
// The loop's side.
#include "nic_worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include "nic_worker_state.h"

static const struct nic_driver worker_driver;

static struct worker *worker_of(struct nic *nic) {
    return (struct worker *)nic;
}

bool nic_is_worker(const struct nic *nic) {
    return nic->driver == &worker_driver;
}

static int worker_apply(struct nic *nic, const struct rule_set *wanted, struct error *error) {
    struct worker *worker = worker_of(nic);
    struct rule_set copy;
    rule_set_init(&copy);
    if (rule_set_copy(wanted, &copy) != 0) {
        return error_set(error, -ENOMEM, "%s: no memory for %u rules", nic->device,
                         wanted->rule_count);
    }
    pthread_mutex_lock(&worker->lock);
    struct rule_set before = worker->orders.wanted;
    worker->orders.wanted = copy;
    worker->orders.has_wanted = true;
    worker->orders.number = ++worker->number;
    pthread_mutex_unlock(&worker->lock);
    rule_set_fini(&before);
    nic->unsettled = true; // until the report on this very set
    worker_ring(worker->wake);
    return -EINPROGRESS;
}

static void ask_to_read(struct worker *worker) {
    pthread_mutex_lock(&worker->lock);
    worker->orders.read = true;
    pthread_mutex_unlock(&worker->lock);
    worker_ring(worker->wake);
}

// Those of the last reading; asks for the next one.
static int worker_counters(struct nic *nic, nic_counter_fn *each, void *context) {
    struct worker *worker = worker_of(nic);
    for (uint32_t i = 0; i < worker->counts.counter_count; i++) {
        each(context, &worker->counts.counters[i]);
    }
    ask_to_read(worker);
    return 0;
}

static int worker_qps(struct nic *nic, nic_qp_fn *each, void *context) {
    struct worker *worker = worker_of(nic);
    for (uint32_t i = 0; i < worker->counts.qp_count; i++) {
        each(context, &worker->counts.qps[i]);
    }
    worker->counts.qp_count = 0;
    return 0;
}

static void worker_totals(struct nic *nic, uint64_t *encapsulated, uint64_t *decapsulated,
                          uint64_t *plain_roce) {
    const struct worker *worker = worker_of(nic);
    *encapsulated = worker->counts.totals[0];
    *decapsulated = worker->counts.totals[1];
    *plain_roce = worker->counts.totals[2];
}

static void worker_capabilities(const struct nic *nic, struct nic_capabilities *out) {
    *out = ((const struct worker *)nic)->capabilities;
}

static void take_counts(struct worker *worker, struct worker_report *report) {
    if (report->has_counts) {
        worker_counts_fini(&worker->counts);
        worker->counts = report->counts;
        report->counts = (struct worker_counts){0};
        report->has_counts = false;
    } else if (report->has_set) { // those at hand are of another set
        worker->counts.counter_count = 0;
    }
}

static void take_set(struct worker *worker, struct worker_report *report) {
    if (report->has_set) {
        rule_set_fini(&worker->nic.applied);
        worker->nic.applied = report->set;
        rule_set_init(&report->set);
        report->has_set = false;
    }
}

bool nic_worker_take(struct nic *nic, struct nic_news *out) {
    struct worker *worker = worker_of(nic);
    struct worker_report *report = &worker->report;
    worker_hush(worker->news);
    pthread_mutex_lock(&worker->lock);
    bool fresh = report->fresh;
    if (fresh) {
        *out = report->news;
        report->news = (struct nic_news){0};
        report->fresh = false;
        take_counts(worker, report);
        take_set(worker, report);
        worker->capabilities = report->capabilities;
        memcpy(worker->attachment, report->attachment, sizeof worker->attachment);
        nic->unsettled = report->unsettled || report->number != worker->number;
    }
    pthread_mutex_unlock(&worker->lock);
    return fresh;
}

void nic_worker_await(const struct nic *nic, int timeout_ms) {
    struct pollfd fd = {nic->watch_fd, POLLIN, 0};
    (void)poll(&fd, 1, timeout_ms);
}

static void free_worker(struct worker *worker) {
    rule_set_fini(&worker->nic.applied);
    rule_set_fini(&worker->orders.wanted);
    rule_set_fini(&worker->report.set);
    rule_set_fini(&worker->told);
    worker_counts_fini(&worker->counts);
    worker_counts_fini(&worker->report.counts);
    pthread_mutex_destroy(&worker->lock);
    if (worker->wake >= 0) {
        close(worker->wake);
    }
    if (worker->news >= 0) {
        close(worker->news);
    }
    free(worker);
}

int nic_worker_close(struct nic *nic, bool remove_rules, int timeout_ms) {
    struct worker *worker = worker_of(nic);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&worker->lock);
    worker->orders.quit = true;
    worker->orders.remove = remove_rules;
    pthread_mutex_unlock(&worker->lock);
    worker_ring(worker->wake);
    if (pthread_timedjoin_np(worker->thread, NULL, &until) != 0) {
        return -ETIMEDOUT; // its memory stays, for the thread still uses it
    }
    free_worker(worker);
    return 0;
}

static void worker_close(struct nic *nic, bool remove_rules) {
    (void)nic_worker_close(nic, remove_rules, 24 * 3600 * 1000);
}

static const struct nic_driver worker_driver = {
    .name = "worker",
    .open = NULL, // nic_worker_open
    .close = worker_close,
    .capabilities = worker_capabilities,
    .apply = worker_apply,
    .counters = worker_counters,
    .qps = worker_qps,
    .totals = worker_totals,
};

// Signals are the loop's.
static int start_thread(struct worker *worker) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&worker->thread, NULL, worker_run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -code;
}

static void copy_options(struct worker *worker, const struct nic_options *options) {
    snprintf(worker->device, sizeof worker->device, "%s", options->device);
    snprintf(worker->pin_dir, sizeof worker->pin_dir, "%s",
             options->pin_dir != NULL ? options->pin_dir : "");
    snprintf(worker->holder, sizeof worker->holder, "%s",
             options->holder != NULL ? options->holder : "");
    worker->options = *options;
    worker->options.device = worker->device;
    worker->options.pin_dir = worker->pin_dir;
    worker->options.holder = worker->holder;
}

int nic_worker_open(const struct nic_driver *driver, const struct nic_options *options,
                    struct nic **out, struct error *error) {
    // Until the NIC is open: what every NIC can do.
    static const struct nic_capabilities least = {.rules_max = RULES_MAX, .encap_bytes_max = 40};
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        return error_set(error, -ENOMEM, "%s: no memory for a NIC", options->device);
    }
    worker->driver = driver;
    worker->nic.driver = &worker_driver;
    worker->nic.attachment = worker->attachment;
    worker->nic.unsettled = true;
    worker->nic.cnp_fd = -1;
    worker->capabilities = worker->report.capabilities = least;
    copy_options(worker, options);
    snprintf(worker->nic.device, sizeof worker->nic.device, "%.31s", options->device);
    pthread_mutex_init(&worker->lock, NULL);
    worker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker->news = worker->nic.watch_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = worker->wake < 0 || worker->news < 0 ? -errno : start_thread(worker);
    if (rc != 0) {
        free_worker(worker);
        return error_set(error, rc, "%s: no thread for the NIC: %s", options->device,
                         strerror(-rc));
    }
    *out = &worker->nic;
    return 0;
}
