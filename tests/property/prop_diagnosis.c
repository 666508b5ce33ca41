// SPDX-License-Identifier: Apache-2.0
// Agents of a fleet name what loses or delays packets, by their own engines and gossip, in virtual
// time: a cut direction, a cut cable, 1 % of loss one way, a slow link, a dead spine, a dead NIC,
// at random places; and a healthy fabric, in which they name nothing. All verdicts must be right,
// in place and direction. Seeded: SEED=n reruns one; TRIALS=n of each case.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "fleet_fixture.h"
#include "model/rng.h"
#include "model/time.h"

#define PPS 100
#define WARM_UP_NS (8 * NS_PER_S)
#define PATIENCE_NS (40 * NS_PER_S)
#define STEP_NS (10 * NS_PER_MS)

enum fault { CUT, LOSSY, SLOW, DEAD_SPINE, DEAD_NIC, CUT_CABLE, FAULTS };
static const char *const fault_names[] = {"cut",        "1 % loss", "slow",
                                          "dead spine", "dead NIC", "cable cut both ways"};

struct scene {
    struct fleet *fleet;
    const char *kind;             // of the note that is right
    char subject[LINK_NAME_SIZE]; // its subject
    char other[LINK_NAME_SIZE];   // or this one; "": there is none
    uint64_t began_at_ns, named_at_ns, second_at_ns;
    uint32_t named_by; // host
    uint32_t wrong;
    bool broken;
    bool any_link_of; // dead spine: its links may be named before it
};

static uint64_t seed = 1;
static unsigned trials = 6;

static bool is_verdict(const char *kind) {
    static const char *const kinds[] = {"link_dead",   "link_lossy",   "link_slow",
                                        "nic_suspect", "leaf_suspect", "spine_suspect",
                                        "loss_unknown"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i], kind) == 0) {
            return true;
        }
    }
    return false;
}

static void on_note(void *context, uint32_t host, const struct engine_note *note) {
    struct scene *scene = context;
    if (getenv("SIM_VERBOSE") != NULL) {
        printf("%.3f h%u %s %s: %s\n",
               scene->fleet == NULL ? 0.0 : (double)fleet_now_ns(scene->fleet) / 1e9, host,
               note->kind, note->subject, note->text);
    }
    if (!is_verdict(note->kind)) {
        return;
    }
    bool there = scene->broken && (strcmp(note->subject, scene->subject) == 0 ||
                                   strcmp(note->subject, scene->other) == 0);
    if (there && scene->other[0] != '\0' && strcmp(note->kind, "loss_unknown") == 0) {
        return; // one of the cable's two directions, it does not say which
    }
    bool right = there && strcmp(note->kind, scene->kind) == 0;
    if (!right) {
        printf("  wrong, %s being broken: h%u says %s of %s: %s\n",
               scene->broken ? scene->subject : "nothing", host, note->kind, note->subject,
               note->text);
        scene->wrong++;
    } else if (scene->named_at_ns == 0) {
        scene->named_at_ns = fleet_now_ns(scene->fleet);
        scene->named_by = host;
    } else if (scene->second_at_ns == 0 && host != scene->named_by) {
        scene->second_at_ns = fleet_now_ns(scene->fleet);
    }
}

static struct fleet_shape shape_of(struct scene *scene, uint64_t number) {
    return (struct fleet_shape){.clos_kind = "leaf-spine",
                                .leaves = 4,
                                .spines = 4,
                                .hosts_per_leaf = 2,
                                .cables = 1,
                                .probe_interval_ns = 10 * NS_PER_MS,
                                .diagnosis_pps = PPS,
                                .on_note = on_note,
                                .context = scene,
                                .seed = number};
}

static link_id random_link(const struct fabric *fabric, struct rng *rng) {
    link_id link;
    do {
        link.i = (uint32_t)rng_below(rng, fabric_link_count(fabric));
    } while (!fabric_link_is_internal(fabric, link));
    return link;
}

static void cut_node(struct fleet *fleet, node_id node) {
    const struct fabric *fabric = fleet_fabric(fleet);
    for (uint32_t i = 0; i < fabric->nodes[node.i].adjacency_count; i++) {
        link_id link = fabric->adjacencies[fabric->nodes[node.i].first_adjacency + i].link;
        fleet_cut(fleet, link, true);
        fleet_cut(fleet, link_opposite(link), true);
    }
}

static void cause(struct scene *scene, enum fault fault, struct rng *rng) {
    struct fleet *fleet = scene->fleet;
    const struct fabric *fabric = fleet_fabric(fleet);
    link_id link = random_link(fabric, rng);
    fabric_format_link(fabric, link, scene->subject);
    switch (fault) {
    case CUT:
        scene->kind = "link_dead";
        fleet_cut(fleet, link, true);
        break;
    case LOSSY:
        scene->kind = "link_lossy";
        fleet_lose(fleet, link, 10000);
        break;
    case SLOW:
        scene->kind = "link_slow";
        fleet_slow(fleet, link, 200 * NS_PER_US);
        break;
    case DEAD_SPINE: {
        char name[16];
        snprintf(name, sizeof name, "spine%u", (unsigned)rng_below(rng, 4));
        node_id node;
        assert_true(fabric_find_node(fabric, name, &node));
        scene->kind = "spine_suspect";
        memcpy(scene->subject, name, sizeof name);
        cut_node(fleet, node);
        break;
    }
    case DEAD_NIC: {
        node_id host = {(uint32_t)rng_below(rng, fabric->host_count)};
        scene->kind = "nic_suspect";
        memcpy(scene->subject, fabric->nodes[host.i].name, NAME_SIZE);
        cut_node(fleet, host);
        break;
    }
    case CUT_CABLE:
        scene->kind = "link_dead";
        fabric_format_link(fabric, link_opposite(link), scene->other);
        fleet_cut(fleet, link, true);
        fleet_cut(fleet, link_opposite(link), true);
        break;
    case FAULTS:
        break;
    }
    scene->broken = true;
    scene->began_at_ns = fleet_now_ns(fleet);
}

static int compare(const void *a, const void *b) {
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void report(const char *what, double *seconds, unsigned count) {
    double sum = 0;
    qsort(seconds, count, sizeof *seconds, compare);
    for (unsigned i = 0; i < count; i++) {
        sum += seconds[i];
    }
    printf("  %s after %.2f s (mean), %.2f s (p95) of %u\n", what, sum / count,
           seconds[(count * 95 + 99) / 100 - 1], count);
}

static void run_case(enum fault fault) {
    double first[1000] = {0}, second[1000] = {0};
    unsigned missed = 0, wrong = 0;
    printf("%s, seed %" PRIu64 "\n", fault_names[fault], seed);
    for (unsigned i = 0; i < trials; i++) {
        struct scene scene = {0};
        struct rng rng;
        rng_init(&rng, hash_pair(seed, (uint64_t)fault * 1000 + i));
        struct fleet_shape shape = shape_of(&scene, rng_next(&rng));
        scene.fleet = fleet_fixture_open(&shape);
        fleet_run(scene.fleet, WARM_UP_NS);
        cause(&scene, fault, &rng);
        bool one = fault == DEAD_NIC; // nobody else can see it
        for (uint64_t span = 0;
             span < PATIENCE_NS && (one ? scene.named_at_ns : scene.second_at_ns) == 0;
             span += STEP_NS) {
            fleet_run(scene.fleet, STEP_NS);
        }
        fleet_run(scene.fleet, 2 * NS_PER_S);
        if (scene.named_at_ns == 0) {
            printf("  missed: %s\n", scene.subject);
        }
        first[i] = (double)(scene.named_at_ns - scene.began_at_ns) / 1e9;
        second[i] = one ? 0 : (double)(scene.second_at_ns - scene.began_at_ns) / 1e9;
        missed += scene.named_at_ns == 0;
        wrong += scene.wrong;
        fleet_close(scene.fleet);
    }
    report("named", first, trials);
    report("named by a second host", second, trials);
    assert_int_equal(missed, 0);
    assert_int_equal(wrong, 0);
}

static void a_cut_direction_is_named(void **state) {
    (void)state;
    run_case(CUT);
}

static void one_per_cent_of_loss_is_named(void **state) {
    (void)state;
    run_case(LOSSY);
}

static void a_slow_link_is_named(void **state) {
    (void)state;
    run_case(SLOW);
}

static void a_dead_spine_is_named(void **state) {
    (void)state;
    run_case(DEAD_SPINE);
}

static void a_cable_cut_both_ways_is_no_nic(void **state) {
    (void)state;
    run_case(CUT_CABLE);
}

static void a_dead_nic_is_named(void **state) {
    (void)state;
    run_case(DEAD_NIC);
}

static void nothing_is_named_where_nothing_is_wrong(void **state) {
    struct scene scene = {.kind = ""};
    struct fleet_shape shape = shape_of(&scene, seed);
    (void)state;
    scene.fleet = fleet_fixture_open(&shape);
    fleet_run(scene.fleet, 60 * NS_PER_S);
    fleet_close(scene.fleet);
    assert_int_equal(scene.wrong, 0);
}

int main(void) {
    const char *text = getenv("SEED"), *count = getenv("TRIALS");
    seed = text != NULL ? strtoull(text, NULL, 10) : seed;
    trials = count != NULL ? (unsigned)strtoul(count, NULL, 10) : trials;
    trials = trials > 1000 ? 1000 : trials;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_direction_is_named),
        cmocka_unit_test(one_per_cent_of_loss_is_named),
        cmocka_unit_test(a_slow_link_is_named),
        cmocka_unit_test(a_dead_spine_is_named),
        cmocka_unit_test(a_dead_nic_is_named),
        cmocka_unit_test(a_cable_cut_both_ways_is_no_nic),
        cmocka_unit_test(nothing_is_named_where_nothing_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
