// SPDX-License-Identifier: Apache-2.0
#include "holder_bed.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nicdrv/holder.h"
#include "nicdrv/mem.h"

#define TRIES 500
#define PAUSE_US 10000

// ---- the driver, in the holder's process

static struct {
    int orders;
    struct holder_counts *counts;
    volatile sig_atomic_t stop;
} child;

static const struct nic_driver trial_driver;

static int trial_open(const struct nic_options *options, struct nic **out, struct error *error) {
    int rc = nic_driver_mem.open(options, out, error);
    if (rc == 0) {
        (*out)->driver = &trial_driver;
        (*out)->attachment = "trial";
        (*out)->watch_fd = child.orders;
        child.counts->opens++;
    }
    return rc;
}

static void trial_close(struct nic *nic, bool remove_rules) {
    child.counts->closes++;
    nic_driver_mem.close(nic, remove_rules);
}

static void trial_capabilities(const struct nic *nic, struct nic_capabilities *out) {
    nic_driver_mem.capabilities(nic, out);
    out->per_qp = false;
}

static int trial_apply(struct nic *nic, const struct rule_set *wanted, struct error *error) {
    child.counts->applies++;
    int rc = nic_driver_mem.apply(nic, wanted, error);
    nic->unsettled = rc == 0 ? false : nic->unsettled;
    return rc;
}

static int trial_counters(struct nic *nic, nic_counter_fn *each, void *context) {
    for (uint32_t r = 0; r < nic->applied.rule_count; r++) { // not the zeros of mem
        struct nic_counter counter = {nic->applied.rules[r].match, 0, 100 + r, 1000 + r};
        each(context, &counter);
    }
    return 0;
}

static int trial_qps(struct nic *nic, nic_qp_fn *each, void *context) {
    struct nic_qp qp = {.qp = 17, .sport = 49152, .packets = 3, .bytes = 300};
    qp.destination[15] = (uint8_t)nic->applied.rule_count;
    each(context, &qp);
    return 0;
}

static void trial_totals(struct nic *nic, uint64_t *encapsulated, uint64_t *decapsulated,
                         uint64_t *plain_roce) {
    *encapsulated = nic->applied.rule_count;
    *decapsulated = 2;
    *plain_roce = 3;
}

static int trial_review(struct nic *nic, struct error *error) {
    char order = 0;
    if (recv(child.orders, &order, 1, MSG_DONTWAIT) != 1) {
        return 0;
    }
    if (order == HOLDER_BED_FAIL) {
        nic_mem_fail_next(nic, -ENOSPC);
        return 0;
    }
    rule_set_clear(&nic->applied);
    nic->unsettled = true;
    return error_set(error, -EIO, "%s: the card is \001 gone", nic->device);
}

static const struct nic_driver trial_driver = {
    .name = "trial",
    .slow = true,
    .open = trial_open,
    .close = trial_close,
    .capabilities = trial_capabilities,
    .apply = trial_apply,
    .counters = trial_counters,
    .qps = trial_qps,
    .review = trial_review,
    .totals = trial_totals,
};

// ---- the process

static void on_stop(int number) {
    (void)number;
    child.stop = 1;
}

static _Noreturn void be_holder(const struct holder_bed *bed, int orders) {
    struct sigaction action = {.sa_handler = on_stop};
    struct error error = {0};
    sigset_t stops;
    child.orders = orders;
    child.counts = bed->counts;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigprocmask(SIG_BLOCK, &stops, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct holder_config config = {.socket = bed->socket,
                                   .driver = &trial_driver,
                                   .stop = &child.stop,
                                   .remove = true};
    int rc = holder_serve(&config, &error);
    if (rc != 0) {
        fprintf(stderr, "holder: %s\n", error.text);
    }
    _exit(rc == 0 ? 0 : 1);
}

int holder_bed_connect(const struct holder_bed *bed) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, bed->socket, strlen(bed->socket) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(fd >= 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void holder_bed_start(struct holder_bed *bed) {
    int pair[2];
    int rc = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
    assert(rc == 0);
    *bed->counts = (struct holder_counts){0};
    bed->pid = fork();
    assert(bed->pid >= 0);
    if (bed->pid == 0) {
        be_holder(bed, pair[1]);
    }
    close(pair[1]);
    bed->orders = pair[0];
    int fd = -1;
    for (int i = 0; i < TRIES && fd < 0; i++) {
        usleep(PAUSE_US);
        fd = holder_bed_connect(bed);
    }
    assert(fd >= 0);
    close(fd);
}

int holder_bed_stop(struct holder_bed *bed, int number) {
    int status = 0;
    kill(bed->pid, number);
    pid_t waited = waitpid(bed->pid, &status, 0);
    assert(waited == bed->pid);
    close(bed->orders);
    bed->pid = 0;
    return status;
}

void holder_bed_order(struct holder_bed *bed, char order) {
    ssize_t sent = send(bed->orders, &order, 1, MSG_NOSIGNAL);
    assert(sent == 1);
}

int holder_bed_attach(const struct holder_bed *bed, const char *device, struct nic **out,
                      struct error *error) {
    struct nic_options options = {.device = device, .holder = bed->socket};
    int rc = -EBUSY;
    for (int i = 0; i < TRIES && rc == -EBUSY; i++) {
        usleep(i == 0 ? 0 : PAUSE_US);
        rc = nic_open("mlx5", &options, out, error);
    }
    return rc;
}

struct holder_bed holder_bed_open(void) {
    struct holder_bed bed = {.folder = "/tmp/holder-XXXXXX"};
    char *made = mkdtemp(bed.folder);
    assert(made != NULL);
    snprintf(bed.socket, sizeof bed.socket, "%s/h.sock", bed.folder);
    bed.counts =
        mmap(NULL, sizeof *bed.counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(bed.counts != MAP_FAILED);
    holder_bed_start(&bed);
    return bed;
}

void holder_bed_close(struct holder_bed *bed) {
    char lock[112];
    if (bed->pid > 0) {
        (void)holder_bed_stop(bed, SIGTERM);
    }
    snprintf(lock, sizeof lock, "%s.lock", bed->socket);
    unlink(bed->socket);
    unlink(lock);
    rmdir(bed->folder);
    munmap(bed->counts, sizeof *bed->counts);
}
