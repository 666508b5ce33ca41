// SPDX-License-Identifier: Apache-2.0
// What the two sides of a NIC's worker share (nic_worker.h).
#ifndef AGENT_SHELL_NIC_WORKER_STATE_H
#define AGENT_SHELL_NIC_WORKER_STATE_H

#include <pthread.h>

#include "nic_worker.h"

#define WORKER_TEXT_SIZE 256 // of an option

// What one side leaves for the other; `lock` is around both.
struct worker_orders {
    bool has_wanted, read, quit, remove;
    uint64_t number; // of the set: counts the loop's applies
    struct rule_set wanted;
};

struct worker_counts {
    struct nic_counter *counters;
    struct nic_qp *qps;
    uint32_t counter_count, counter_capacity, qp_count;
    uint64_t totals[3];
};

struct worker_report {
    bool fresh;
    struct nic_news news;
    uint64_t number; // of the set that was dealt with last
    bool unsettled;
    bool has_set;
    struct rule_set set;
    struct nic_capabilities capabilities;
    char attachment[32];
    bool has_counts;
    struct worker_counts counts;
};

struct worker {
    struct nic nic; // first: the loop's side
    struct nic_capabilities capabilities;
    char attachment[32];
    struct worker_counts counts;
    uint64_t number;

    pthread_t thread;
    pthread_mutex_t lock;
    int wake, news; // eventfds; news is nic.watch_fd
    struct worker_orders orders;
    struct worker_report report;

    // The thread's own.
    const struct nic_driver *driver;
    struct nic_options options;
    char device[WORKER_TEXT_SIZE], pin_dir[WORKER_TEXT_SIZE], holder[WORKER_TEXT_SIZE];
    struct nic *real;     // NULL: not open
    struct rule_set told; // what the last report said is applied
    uint64_t done;
};

void worker_counts_fini(struct worker_counts *counts);
void worker_ring(int fd);
void worker_hush(int fd);
void *worker_run(void *worker); // the thread

#endif
