// SPDX-License-Identifier: Apache-2.0
// The driver mlx5 on a card that fails: a sentence says what could not be made and why, the NIC
// holds what it held, or nothing where the device itself is lost, and the next apply is whole again
// when the fault is gone.
#include "mlx5_bench.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

// Two sets that differ in every way that a set can: paths move, part, come and go; so do flows,
// versions of IP and SIDs.
static void fill_before(struct rule_set *set) {
    rule_set_clear(set);
    add_rule(set, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    add_rule(set, match_to(2, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 7, 8, 0);
    add_rule(set, match_to(2, RULE_KEY_SPORT, 0xc001), RULE_SINGLE, 9, 0);
    add_rule(set, match_to(3, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 8, 0);
    set->local_sids[set->local_sid_count++].bytes[0] = 0xfa;
    seal(set);
}

static void fill_after(struct rule_set *set) {
    rule_set_clear(set);
    add_rule(set, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 10, 0);
    add_rule(set, match_to_ipv4(1), RULE_SINGLE, 10, 0);
    add_rule(set, match_to(2, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 11, 12, 8, 0);
    add_rule(set, match_to(2, RULE_KEY_SPORT, 0xc002), RULE_SINGLE, 13, 0);
    add_rule(set, match_to(4, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 8, 0);
    set->local_sids[set->local_sid_count++].bytes[0] = 0xfb;
    seal(set);
}

static struct card_flow probe(unsigned i) {
    uint8_t destination = (uint8_t)(1 + i % 5);
    return destination == 5 ? flow_to_ipv4(1, 0xc001)
                            : flow_to(destination, (uint16_t)(0xc000 + i));
}

#define PROBES 40

static void assert_steers(const struct rule_set *set) {
    for (unsigned i = 0; i < PROBES; i++) {
        struct card_flow flow = probe(i);
        struct rule_packet packet = {.qp = flow.qp, .sport = flow.sport};
        memcpy(packet.destination, flow.destination, 16);
        uint32_t rule = rule_set_lookup(set, &packet);
        int path = path_of(flow);
        if (rule == RULE_NONE) {
            assert_true(path == PATH_SLOW || path == PATH_UNTOUCHED);
        } else {
            uint32_t chosen = rule_select_path(&set->rules[rule], &packet, 0);
            const struct encap *encap = &set->encaps[set->rules[rule].encap[chosen]];
            assert_int_equal(path, encap->sids.sids[0].bytes[5]);
        }
    }
}

struct held {
    unsigned flows, rules;
};

static struct held held_now(void) {
    return (struct held){fakecx_count("flow"), card_bed_rule_count()};
}

static void assert_holds_as_before(const struct bench *bench, const struct rule_set *before,
                                   const struct held *held) {
    struct held now = held_now();
    assert_true(rule_set_equal(&bench->nic->applied, before));
    assert_int_equal(now.flows, held->flows);
    assert_int_equal(now.rules, held->rules);
    assert_steers(before);
}

struct sets {
    struct rule_set before, after;
};

static struct sets sets_make(struct bench *bench) {
    struct sets sets;
    rule_set_init(&sets.before);
    rule_set_init(&sets.after);
    fill_before(&sets.before);
    fill_after(&sets.after);
    assert_int_equal(nic_apply(bench->nic, &sets.before, &bench->error), 0);
    assert_steers(&sets.before);
    return sets;
}

static void sets_fini(struct sets *sets) {
    rule_set_fini(&sets->before);
    rule_set_fini(&sets->after);
}

static void assert_recovers(struct bench *bench, const struct rule_set *wanted) {
    fakecx_bed_fault(NULL);
    if (nic_apply(bench->nic, wanted, &bench->error) != 0) {
        fail_msg("%s", bench->error.text);
    }
    assert_true(rule_set_equal(&bench->nic->applied, wanted));
    assert_false(bench->nic->unsettled);
    assert_steers(wanted);
}

static void assert_says(const struct bench *bench, const char *what) {
    if (strstr(bench->error.text, what) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", bench->error.text, what);
    }
}

static void set_fault(const char *kind, unsigned long after, const char *how) {
    char line[80];
    snprintf(line, sizeof line, "%s after=%lu %s", kind, after, how);
    fakecx_bed_fault(line);
}

static void reopen(struct bench *bench) {
    struct nic_options options = bench_options();
    fakecx_bed_fault(NULL);
    nic_close(bench->nic, false);
    assert_int_equal(fakecx_count(NULL), 0);
    assert_int_equal(nic_driver_mlx5_direct.open(&options, &bench->nic, &bench->error), 0);
}

// ---- firmware

static void whichever_reformat_is_refused_the_nic_holds_what_it_held(void **state) {
    struct bench *bench = *state;
    unsigned failures = 0;
    for (unsigned n = 0;; n++) {
        struct sets sets = sets_make(bench);
        struct held held = held_now();
        set_fault("reformat", n, "status=0x3");
        int rc = nic_apply(bench->nic, &sets.after, &bench->error);
        if (rc < 0) {
            failures++;
            assert_int_equal(rc, bench->error.code);
            assert_says(bench, "lo: path over ");
            assert_says(bench, "refused it as invalid");
            assert_holds_as_before(bench, &sets.before, &held);
        }
        assert_recovers(bench, &sets.after);
        sets_fini(&sets);
        reopen(bench);
        if (rc == 0) {
            break;
        }
    }
    // Four new paths, one of them for two versions of IP, in four classes.
    assert_int_equal(failures, (4 + 1) * 4);
}

static void a_refused_reserve_is_asked_for_again_when_it_is_needed(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 7, 8, 0);
    memset(bench->wanted.rules[0].bucket, 0, sizeof bench->wanted.rules[0].bucket);
    fakecx_bed_fault("reformat after=4");
    bench_apply(bench);
    assert_int_equal(path_of(flow_to(1, 0xc001)), 7);
    bench_clear(bench);
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 8, 0);
    seal(&bench->wanted);
    assert_true(nic_apply(bench->nic, &bench->wanted, &bench->error) < 0);
    assert_says(bench, "lo: path over ");
    assert_int_equal(path_of(flow_to(1, 0xc001)), 7);
    assert_recovers(bench, &bench->wanted);
}

// ---- steering memory

// The library takes steering memory by 16 MiB, which hold some 200,000 flow entries.
#define MANY_DESTINATIONS 5000

static void fill_many(struct rule_set *set) {
    struct encap encaps[] = {encap_over(20), encap_over(21)};
    rule_set_clear(set);
    for (unsigned d = 0; d < MANY_DESTINATIONS; d++) {
        struct rule rule = {.match = match_to((uint8_t)d, RULE_KEY_DEFAULT, 0),
                            .select = RULE_BUCKET_SPORT,
                            .path_count = 2};
        rule.match.destination[14] = (uint8_t)(d >> 8);
        for (uint32_t p = 0; p < 2; p++) {
            assert_int_equal(rule_set_intern(set, &encaps[p], &rule.encap[p]), 0);
        }
        for (uint32_t b = 0; b < RULE_BUCKETS; b++) {
            rule.bucket[b] = (uint8_t)(b % 2);
        }
        assert_int_equal(rule_set_add(set, &rule), 0);
    }
    seal(set);
}

// In a process of its own, without a software eSwitch, which would take minutes for so many.
static int exhaust_memory(void) {
    void *state;
    if (bench_setup(&state) < 0) {
        return 1;
    }
    struct bench *bench = state;
    struct rule_set before, many;
    rule_set_init(&before);
    rule_set_init(&many);
    fill_before(&before);
    fill_many(&many);
    assert_int_equal(nic_apply(bench->nic, &before, &bench->error), 0);
    unsigned flows = fakecx_count("flow");
    set_fault("icm", fakecx_icm_bytes(), "");
    assert_int_equal(nic_apply(bench->nic, &many, &bench->error), -ENOMEM);
    assert_says(bench, "lo: rule to fd00::");
    assert_says(bench, "no steering memory (ICM)");
    assert_true(rule_set_equal(&bench->nic->applied, &before));
    assert_int_equal(fakecx_count("flow"), flows);
    fakecx_bed_fault(NULL);
    assert_int_equal(nic_apply(bench->nic, &many, &bench->error), 0);
    rule_set_fini(&before);
    rule_set_fini(&many);
    bench_teardown(&state);
    return 0;
}

static int run_child(const char *what, unsigned number) {
    char text[16];
    int status = 0;
    snprintf(text, sizeof text, "%u", number);
    pid_t child = fork();
    if (child == 0) {
        setenv("CMOCKA_TEST_ABORT", "1", 1); // says what failed
        execl("/proc/self/exe", "test_mlx5_faults", what, text, (char *)NULL);
        _exit(1);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void without_steering_memory_the_nic_holds_what_it_held(void **state) {
    (void)state;
    int status = run_child("--icm", 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

// ---- the device

static void assert_lost(struct bench *bench, const char *device_failed) {
    assert_int_equal(bench->error.code, -EIO);
    assert_says(bench, device_failed);
    assert_int_equal(bench->nic->applied.rule_count, 0);
    assert_int_equal(bench->nic->applied.local_sid_count, 0);
    assert_true(bench->nic->unsettled);
    card_bed_expect_empty();
    assert_int_equal(path_of(flow_to(1, 0xc001)), PATH_UNTOUCHED);
}

#define FAILED "lo: the device failed: its rules are lost"

// rdma-core 44 crashes when a write fails while it enlarges a table (mlx5_events.h), and with it
// the process, as srv6-holder may. So each write fails in a process of its own.
#define WRITE_STEP 61 // of some 1,700
enum one_write { WRITE_SURVIVED = 0, WRITE_NOT_REACHED = 3 };

static int fail_one_write(unsigned after) {
    void *state;
    if (bench_setup(&state) < 0) {
        return 1;
    }
    struct bench *bench = state;
    struct sets sets = sets_make(bench);
    set_fault("cqe", after, "times=1");
    int rc = nic_apply(bench->nic, &sets.after, &bench->error);
    if (rc < 0) {
        assert_lost(bench, FAILED);
    }
    assert_recovers(bench, &sets.after);
    sets_fini(&sets);
    bench_teardown(&state);
    return rc < 0 ? WRITE_SURVIVED : WRITE_NOT_REACHED;
}

static void whichever_write_fails_the_device_is_opened_anew(void **state) {
    unsigned survived = 0, crashed = 0;
    (void)state;
    for (unsigned n = 0;; n += WRITE_STEP) {
        assert_true(n < 5000);
        int status = run_child("--cqe", n);
        if (WIFEXITED(status) && WEXITSTATUS(status) == WRITE_NOT_REACHED) {
            break;
        }
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), WRITE_SURVIVED);
            survived++;
        } else {
            assert_int_equal(WTERMSIG(status), SIGSEGV);
            crashed++;
        }
    }
    print_message("%u writes failed: survived %u, the library crashed in %u\n", survived + crashed,
                  survived, crashed);
    assert_true(survived > 4 * crashed);
}

static bool is_readable(int fd) {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, 2000) == 1;
}

static void an_idle_device_that_fails_is_noticed(void **state) {
    static const char *const kinds[] = {"fatal", "fatal destroys=ok", "fatal queue=silent"};
    struct bench *bench = *state;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct sets sets = sets_make(bench);
        assert_int_equal(bench->nic->driver->review(bench->nic, &bench->error), 0);
        fakecx_bed_fault(kinds[k]);
        assert_true(is_readable(bench->nic->watch_fd));
        assert_int_equal(bench->nic->driver->review(bench->nic, &bench->error), -EIO);
        assert_lost(bench, FAILED);
        assert_int_equal(bench->nic->driver->review(bench->nic, &bench->error), 0);
        assert_true(nic_apply(bench->nic, &sets.before, &bench->error) < 0);
        assert_int_equal(bench->nic->applied.rule_count, 0);
        assert_says(bench, "lo: ");
        assert_recovers(bench, &sets.before);
        sets_fini(&sets);
        reopen(bench);
    }
}

struct failure {
    const char *fault;
    unsigned after; // changes
};

static void fail_after(void *context) {
    struct failure *failure = context;
    if (failure->after > 0 && --failure->after == 0) {
        fakecx_bed_fault(failure->fault);
    }
}

static void a_device_that_fails_under_an_apply_frees_it(void **state) {
    static const char *const kinds[] = {"fatal", "fatal destroys=ok", "fatal queue=silent"};
    struct bench *bench = *state;
    unsigned failures = 0;
    for (unsigned n = 1; n < 200; n += 1 + n / 4) {
        struct sets sets = sets_make(bench);
        struct failure failure = {kinds[n % 3], n};
        card_bed_watch(fail_after, &failure);
        int rc = nic_apply(bench->nic, &sets.after, &bench->error);
        card_bed_watch(NULL, NULL);
        if (failure.after == 0) {
            failures++;
            assert_int_equal(rc, -EIO);
            assert_lost(bench, FAILED);
        }
        assert_recovers(bench, &sets.after);
        sets_fini(&sets);
        reopen(bench);
    }
    assert_true(failures > 5);
}

static void what_was_counted_is_not_lost_with_the_device(void **state) {
    struct bench *bench = *state;
    uint64_t encapsulated, decapsulated, plain;
    struct sets sets = sets_make(bench);
    bench->nic->driver->totals(bench->nic, &encapsulated, &decapsulated, &plain);
    uint64_t before = encapsulated;
    fakecx_bed_fault("fatal");
    assert_true(is_readable(bench->nic->watch_fd));
    assert_int_equal(bench->nic->driver->review(bench->nic, &bench->error), -EIO);
    bench->nic->driver->totals(bench->nic, &encapsulated, &decapsulated, &plain);
    assert_int_equal(encapsulated, before);
    fakecx_bed_fault(NULL);
    assert_int_equal(nic_apply(bench->nic, &sets.before, &bench->error), 0);
    send_packets(flow_to(1, 0xc001), 3);
    bench->nic->driver->totals(bench->nic, &encapsulated, &decapsulated, &plain);
    assert_int_equal(encapsulated, before + 3);
    sets_fini(&sets);
}

static void a_card_that_fails_at_once_is_not_opened(void **state) {
    (void)state;
    static const char *const faults[] = {"fatal", "icm after=0", "reformat after=0", "cqe after=0",
                                         "cqe after=5"};
    struct nic_options options = bench_options();
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct nic *nic = NULL;
        struct error error = {0};
        fakecx_bed_fault(faults[i]);
        int rc = nic_driver_mlx5_direct.open(&options, &nic, &error);
        assert_true(rc < 0);
        assert_int_equal(rc, error.code);
        assert_memory_equal(error.text, "lo: ", 4);
        assert_null(nic);
    }
    fakecx_bed_fault(NULL);
}

#define IN_BED(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        IN_BED(whichever_reformat_is_refused_the_nic_holds_what_it_held),
        IN_BED(a_refused_reserve_is_asked_for_again_when_it_is_needed),
        cmocka_unit_test(without_steering_memory_the_nic_holds_what_it_held),
        cmocka_unit_test(whichever_write_fails_the_device_is_opened_anew),
        IN_BED(an_idle_device_that_fails_is_noticed),
        IN_BED(a_device_that_fails_under_an_apply_frees_it),
        IN_BED(what_was_counted_is_not_lost_with_the_device),
        cmocka_unit_test(a_card_that_fails_at_once_is_not_opened),
    };
    fakecx_bed_begin();
    if (argc == 3 && strcmp(argv[1], "--icm") == 0) {
        unsetenv("FAKECX_CARD"); // of the parent
        return exhaust_memory();
    }
    card_bed_start();
    if (argc == 3 && strcmp(argv[1], "--cqe") == 0) {
        return fail_one_write((unsigned)strtoul(argv[2], NULL, 10));
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
