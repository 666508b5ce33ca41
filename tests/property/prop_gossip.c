// SPDX-License-Identifier: Apache-2.0
// Random runs of gossip cores through loss, delay, reordering, duplication, truncated and flipped
// bytes, partitions in one or both directions, crashes with and without a disk, restarts on other
// clocks, leaves, pauses and wrong hints of the carrier. The reference watches every event
// (gossip_model.h); two seconds after all is healed every view must be as it says, and stay so.
// In every second run tombstones, dead origins and quarantined names are kept for seconds only; in
// every tenth states are signed.
//
// SEED=n reruns one seed, RUNS=n runs that many, FIRST=n from there; FAILURES=n stops after so
// many; TRACE=1 prints the schedule.
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "gossip_model.h"
#include "gossip_net.h"

#define RUNS 200
#define ON_ITS_WAY_NS (50 * NS_PER_MS) // a write needs less to reach all
#define SIGNED_EVERY 10
// A crash is known after that, which is not part of the time that healing takes.
#define CRASH_KNOWN_NS (500 * NS_PER_MS)
#define AWAY_MAX_NS (4 * NS_PER_S) // cut off or paused, where names are forgotten soon
#define FAILURES_MAX 20

static struct gossip_net net;
static struct gossip_model model;
static struct rng rng;
static struct gossip_signing signing[NET_HOSTS_MAX];
static struct gossip_public_key keys[NET_HOSTS_MAX];
static bool forgets;
static uint64_t cut_at_ns, crash_at_ns, paused_at_ns[NET_HOSTS_MAX];

__attribute__((format(printf, 1, 2))) static void trace(const char *format, ...) {
    if (getenv("TRACE") != NULL) {
        va_list arguments;
        printf("%.6f ", (double)net.now_ns / 1e9);
        va_start(arguments, format);
        vprintf(format, arguments);
        va_end(arguments);
        printf("\n");
    }
}

static uint32_t below(uint32_t bound) {
    return (uint32_t)rng_below(&rng, bound);
}

static uint32_t any_host(void) {
    return below(net.count);
}

static bool acts(uint32_t host) {
    return net.hosts[host].core != NULL && !net.hosts[host].paused;
}

static uint32_t running(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < net.count; i++) {
        count += acts(i);
    }
    return count;
}

// ---- what may happen

static void write_something(void) {
    uint32_t host = any_host();
    uint32_t writes = below(4) == 0 ? 1 + below(12) : 1;
    for (uint32_t i = 0; i < writes && acts(host); i++) {
        uint32_t slot = below(MODEL_SLOTS);
        if (below(3) == 0) {
            trace("n%u deletes slot %u", host, slot);
            model_delete(&model, &net, host, slot);
        } else {
            trace("n%u puts slot %u", host, slot);
            model_put(&model, &net, host, slot);
        }
    }
}

static void kill_or_start(void) {
    uint32_t host = any_host();
    crash_at_ns = net.now_ns;
    if (net.hosts[host].core == NULL) {
        bool from_disk = below(2) == 0;
        trace("n%u starts %s", host, from_disk ? "from its disk" : "with nothing");
        model_start(&model, &net, host, from_disk);
    } else if (running() > 2 && below(4) == 0 && acts(host)) {
        trace("n%u leaves", host);
        model_leave(&model, &net, host);
    } else if (running() > 2) {
        trace("n%u is killed", host);
        net_kill(&net, host);
        if (below(3) == 0) { // and back before anybody noticed
            net_run(&net, rng_below(&rng, 100 * NS_PER_MS));
            bool from_disk = below(2) == 0;
            trace("n%u restarts %s", host, from_disk ? "from its disk" : "with nothing");
            model_start(&model, &net, host, from_disk);
        }
    }
}

static void cut_something(void) {
    uint32_t a = any_host();
    uint32_t b = any_host();
    switch (below(4)) {
    case 0:
        trace("split at n%u", b);
        net_split(&net, b);
        break;
    case 1:
        trace("cut n%u>n%u", a, b);
        net.cut[a][b] = true;
        break;
    case 2:
        trace("n%u is deaf, dumb or both", a);
        for (uint32_t i = 0; i < net.count; i++) {
            *(below(2) == 0 ? &net.cut[a][i] : &net.cut[i][a]) = true;
        }
        break;
    default:
        trace("no cuts");
        memset(net.cut, 0, sizeof net.cut);
        cut_at_ns = 0;
        return;
    }
    cut_at_ns = cut_at_ns == 0 ? net.now_ns : cut_at_ns;
}

static void spoil_the_network(void) {
    net.loss_ppm = below(2) == 0 ? below(300000) : 0;
    net.duplicate_ppm = below(2) == 0 ? below(300000) : 0;
    net.late_ppm = below(2) == 0 ? below(300000) : 0;
    net.late_ns = 1 + rng_below(&rng, (below(4) == 0 ? 2000 : 20) * NS_PER_MS);
    net.truncate_ppm = model.damage ? below(20000) : 0;
    net.flip_ppm = model.damage ? below(20000) : 0;
    trace("loss %u, twice %u, late %u by %.1f ms, short %u, flipped %u ppm", net.loss_ppm,
          net.duplicate_ppm, net.late_ppm, (double)net.late_ns / 1e6, net.truncate_ppm,
          net.flip_ppm);
    for (uint32_t i = below(4); i > 0; i--) {
        net.far_ns[any_host()][any_host()] = rng_below(&rng, 60 * NS_PER_MS);
    }
}

static void pause_or_resume(uint32_t host) {
    bool paused = !net.hosts[host].paused;
    if (net.hosts[host].core != NULL) {
        trace("n%u %s", host, paused ? "stops" : "goes on");
        paused_at_ns[host] = net.now_ns;
        net_pause(&net, host, paused);
    }
}

static void hint(void) {
    uint32_t host = any_host();
    uint32_t other = any_host();
    enum net_hint what = (enum net_hint)below(3);
    trace("n%u's carrier: %s n%u", host,
          what == NET_CONNECTED ? "connected to"
          : what == NET_LOST    ? "lost"
                                : "cannot queue to",
          other);
    net_hint(&net, host, other, what);
}

// Nobody may be away for as long as names are remembered.
static void end_long_absences(void) {
    for (uint32_t i = 0; i < net.count && forgets; i++) {
        if (net.hosts[i].paused && net.now_ns - paused_at_ns[i] > AWAY_MAX_NS) {
            pause_or_resume(i);
        }
    }
    if (forgets && cut_at_ns != 0 && net.now_ns - cut_at_ns > AWAY_MAX_NS) {
        trace("no cuts any more");
        memset(net.cut, 0, sizeof net.cut);
        cut_at_ns = 0;
    }
}

static void disturb(void) {
    uint32_t what = below(24);
    if (what < 12) {
        write_something();
    } else if (what < 15) {
        kill_or_start();
    } else if (what < 18) {
        cut_something();
    } else if (what < 19) {
        spoil_the_network();
    } else if (what < 21) {
        pause_or_resume(any_host());
    } else if (what < 22) {
        hint();
    } else {
        net_run(&net, rng_below(&rng, 1500 * NS_PER_MS));
    }
    net_run(&net, rng_below(&rng, 20 * NS_PER_MS));
    end_long_absences();
}

static void heal(void) {
    uint64_t known_ns = crash_at_ns + CRASH_KNOWN_NS;
    net_run(&net, known_ns > net.now_ns ? known_ns - net.now_ns : 0);
    trace("all is healed");
    if (net.hosts[0].core == NULL) { // a host that met nobody yet needs a seed that lives
        model_start(&model, &net, 0, below(2) == 0);
        net_run(&net, 500 * NS_PER_MS);
    }
    net_heal(&net);
    cut_at_ns = 0;
    for (uint32_t i = 0; i < net.count; i++) {
        net_pause(&net, i, false);
    }
    model.calm_since_ns = net.now_ns;
}

// ---- a run

struct verdict {
    char text[MODEL_TEXT];
};

static bool agrees(const struct gossip_net *n, const void *context) {
    (void)n;
    return model.violation[0] != '\0' ||
           model_agrees(&model, ((struct verdict *)(uintptr_t)context)->text);
}

static bool is_fine(struct verdict *verdict) {
    if (!model_sweep(&model)) {
        memcpy(verdict->text, model.violation, sizeof verdict->text);
        return false;
    }
    return true;
}

static bool disturb_for(uint32_t steps, struct verdict *verdict) {
    model.calm_since_ns = NEVER_NS;
    for (uint32_t step = 0; step < steps; step++) {
        disturb();
        if (!is_fine(verdict)) {
            return false;
        }
    }
    return true;
}

// Another number whenever a living host has written.
static uint64_t written(void) {
    uint64_t seqs = 0;
    for (uint32_t i = 0; i < net.count; i++) {
        struct gossip_member self;
        if (net.hosts[i].core != NULL &&
            gossip_find_member(net.hosts[i].core, net.hosts[i].name, &self)) {
            seqs += hash_pair(self.incarnation, self.max_seq);
        }
    }
    return seqs;
}

// Returns whether all agreed in time; *took says how long that took.
static bool converge(uint64_t *took, struct verdict *verdict) {
    heal();
    uint64_t healed_at = net.now_ns;
    if (!net_run_until(&net, 2 * NS_PER_S, agrees, verdict) || !is_fine(verdict)) {
        return false;
    }
    *took = net.now_ns - healed_at > *took ? net.now_ns - healed_at : *took;
    // And it stays so, exactly, but for what somebody wrote (a tombstone collected, a vote
    // withdrawn) in the last instants.
    net_run(&net, 3 * NS_PER_S - ON_ITS_WAY_NS);
    uint64_t before = written();
    net_run(&net, ON_ITS_WAY_NS);
    bool agreed = written() == before ? agrees(&net, verdict)
                                      : net_run_until(&net, ON_ITS_WAY_NS, agrees, verdict);
    return agreed && is_fine(verdict);
}

static void make_keys(uint64_t seed) {
    for (uint32_t i = 0; i < net.count; i++) {
        uint8_t entropy[crypto_sign_SEEDBYTES] = {0};
        uint64_t drawn = hash_pair(seed, i);
        memcpy(entropy, &drawn, sizeof drawn);
        crypto_sign_seed_keypair(keys[i].bytes, signing[i].secret_key, entropy);
        memset(keys[i].host, 0, sizeof keys[i].host);
        strcpy(keys[i].host, net.hosts[i].name);
        signing[i].keys = keys;
        signing[i].key_count = net.count;
    }
}

static void set_up(uint64_t seed) {
    bool is_signed = seed % SIGNED_EVERY == 0;
    rng_init(&rng, seed);
    net_init(&net, 3 + below(is_signed ? 5 : 12), seed);
    cut_at_ns = crash_at_ns = 0;
    forgets = below(2) == 0;
    if (forgets) {
        net.settings.tombstone_ns = (200 + below(1500)) * NS_PER_MS;
        net.settings.serve_dead_ns = (1000 + below(2000)) * NS_PER_MS;
        net.settings.forget_ns = 4 * AWAY_MAX_NS;
    }
    net.own_clocks = true;
    net.tells_lost = below(2) == 0;
    if (is_signed) {
        make_keys(seed);
        net.signing = signing;
    }
    model_init(&model, &net);
    model.damage = below(3) == 0;
    for (uint32_t i = 0; i < net.count; i++) {
        model_start(&model, &net, i, false);
    }
}

static void trace_views(void) {
    static const char *const states[] = {"alive", "suspect", "dead", "left"};
    struct gossip_member member;
    for (uint32_t host = 0; host < net.count; host++) {
        for (uint32_t i = 0;
             net.hosts[host].core != NULL && gossip_member_at(net.hosts[host].core, i, &member);
             i++) {
            trace("n%u holds %s: %s, (%u, %u, %llu)", host, member.name, states[member.state],
                  member.incarnation, member.nonce, (unsigned long long)member.max_seq);
        }
    }
}

static bool run(uint64_t seed, uint64_t *slowest) {
    struct verdict verdict = {""};
    set_up(seed);
    bool fine = true;
    for (uint32_t rounds = 1 + below(3), round = 0; round < rounds && fine; round++) {
        fine = disturb_for(60 / rounds, &verdict) && converge(slowest, &verdict);
    }
    if (!fine) {
        trace_views();
        print_error("SEED=%llu (%u hosts) at %.3f s: %s\n", (unsigned long long)seed, net.count,
                    (double)net.now_ns / 1e9, verdict.text);
    }
    model_fini(&model);
    net_fini(&net);
    return fine;
}

static uint64_t number_from(const char *name, uint64_t fallback) {
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : fallback;
}

static void no_run_violates_the_reference_and_all_agree_two_seconds_after_healing(void **state) {
    (void)state;
    uint64_t first = number_from("SEED", number_from("FIRST", 1));
    uint64_t runs = getenv("SEED") != NULL ? 1 : number_from("RUNS", RUNS);
    uint64_t failures_max = number_from("FAILURES", FAILURES_MAX);
    uint64_t slowest = 0;
    uint64_t failures = 0;
    for (uint64_t i = 0; i < runs && failures < failures_max; i++) {
        failures += !run(first + i, &slowest);
    }
    print_message("seeds %llu to %llu; slowest to agree: %.0f ms; %llu failed\n",
                  (unsigned long long)first, (unsigned long long)(first + runs - 1),
                  (double)slowest / 1e6, (unsigned long long)failures);
    assert_int_equal(failures, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_run_violates_the_reference_and_all_agree_two_seconds_after_healing),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
