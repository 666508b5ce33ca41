// SPDX-License-Identifier: Apache-2.0
// Random runs of gossip cores through loss, duplication, reordering, partitions in one or both
// directions, crashes, restarts, leaves and pauses; two seconds after all is healed, every view
// must be as the reference says. SEED=n reruns one run; RUNS=n changes their number.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gossip_model.h"
#include "gossip_net.h"

#define RUNS 150
#define STEPS 60

static struct gossip_net net;
static struct gossip_model model;
static struct rng rng;

static uint32_t any_host(void) {
    return (uint32_t)rng_below(&rng, net.count);
}

static uint32_t running(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < net.count; i++) {
        count += net.hosts[i].core != NULL && !net.hosts[i].paused;
    }
    return count;
}

static void write_something(void) {
    uint32_t host = any_host();
    uint32_t key = (uint32_t)rng_below(&rng, MODEL_KEYS);
    if (net.hosts[host].core == NULL) {
        return;
    }
    if (rng_below(&rng, 4) == 0) {
        model_delete(&model, &net, host, key);
    } else {
        model_put(&model, &net, host, key);
    }
}

static void kill_or_start(void) {
    uint32_t host = any_host();
    if (net.hosts[host].core == NULL) {
        model_restarted(&model, host);
        net_start(&net, host);
    } else if (running() > 2 && rng_below(&rng, 4) == 0) {
        net_leave(&net, host);
    } else if (running() > 2) {
        net_kill(&net, host);
    }
}

static void cut_something(void) {
    uint32_t a = any_host();
    uint32_t b = any_host();
    switch (rng_below(&rng, 4)) {
    case 0:
        net_split(&net, (uint32_t)rng_below(&rng, net.count));
        break;
    case 1:
        net.cut[a][b] = true; // one way
        break;
    case 2:
        for (uint32_t i = 0; i < net.count; i++) { // deaf or dumb
            *(rng_below(&rng, 2) == 0 ? &net.cut[a][i] : &net.cut[i][a]) = true;
        }
        break;
    default:
        memset(net.cut, 0, sizeof net.cut);
    }
}

static void disturb(void) {
    uint64_t what = rng_below(&rng, 20);
    if (what < 12) {
        write_something();
    } else if (what < 14) {
        kill_or_start();
    } else if (what < 16) {
        cut_something();
    } else if (what < 17) {
        net.loss_ppm = (uint32_t)rng_below(&rng, 300000);
        net.duplicate_ppm = (uint32_t)rng_below(&rng, 300000);
    } else if (what < 18) {
        uint32_t host = any_host();
        net_pause(&net, host, !net.hosts[host].paused);
    } else {
        net_run(&net, rng_below(&rng, 1500 * NS_PER_MS));
    }
    net_run(&net, rng_below(&rng, 20 * NS_PER_MS));
}

static void heal(void) {
    if (net.hosts[0].core == NULL) { // a host that met nobody yet needs a seed that lives
        model_restarted(&model, 0);
        net_start(&net, 0);
        net_run(&net, 500 * NS_PER_MS);
    }
    net_heal(&net);
    for (uint32_t i = 0; i < net.count; i++) {
        net_pause(&net, i, false);
    }
}

struct verdict {
    char text[160];
};
static bool agrees(const struct gossip_net *n, const void *context) {
    return model_agrees(&model, n, ((struct verdict *)(uintptr_t)context)->text);
}

static uint64_t number_from(const char *name, uint64_t fallback) {
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : fallback;
}

static uint64_t run(uint64_t seed) {
    struct verdict verdict = {""};
    rng_init(&rng, seed);
    net_init(&net, 3 + (uint32_t)rng_below(&rng, 12), seed);
    model_init(&model);
    for (uint32_t i = 0; i < net.count; i++) {
        net_start(&net, i);
    }
    for (int step = 0; step < STEPS; step++) {
        disturb();
    }
    heal();
    uint64_t healed_at = net.now_ns;
    bool agreed = net_run_until(&net, 2 * NS_PER_S, agrees, &verdict);
    uint64_t took = net.now_ns - healed_at;
    if (agreed) { // and it stays so
        net_run(&net, 3 * NS_PER_S);
        agreed = agrees(&net, &verdict);
    }
    if (!agreed) {
        print_error("SEED=%llu (%u hosts): %s\n", (unsigned long long)seed, net.count,
                    verdict.text);
    }
    net_fini(&net);
    assert_true(agreed);
    return took;
}

static void all_views_are_as_the_reference_says_two_seconds_after_healing(void **state) {
    (void)state;
    uint64_t first = number_from("SEED", 1);
    uint64_t runs = getenv("SEED") != NULL ? 1 : number_from("RUNS", RUNS);
    uint64_t worst = 0;
    for (uint64_t i = 0; i < runs; i++) {
        uint64_t took = run(first + i);
        worst = took > worst ? took : worst;
    }
    print_message("seeds %llu to %llu; slowest to agree: %.0f ms\n", (unsigned long long)first,
                  (unsigned long long)(first + runs - 1), (double)worst / 1e6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_views_are_as_the_reference_says_two_seconds_after_healing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
