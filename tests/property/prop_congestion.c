// SPDX-License-Identifier: Apache-2.0
// Many hosts react to marks at once, and each for itself. Flows are fluids that fill queues; queues
// mark by their length; probes bring the marks back; who leaves a link empties its queue. Some
// links carry other traffic besides, which comes and goes. All of it with probes alone, and with
// CNPs for the flows whose packets are marked as well. Whatever happens:
//
//   - what one port sends to another moves at most twice in any minute;
//   - the overload of all links together is in the end no more than it was when nobody had moved;
//   - a flow moves only when a link that it crosses is hot, so that moves do not go round the
//   fabric:
//     other flows than those that were on the hot links move seldom;
//   - where marks do not depend on flows, each flow moves to where there are none, and no more;
//   - of the overload, where flows have somewhere to go, no more than half is left.
//
// The seed is printed; SEED=... reruns it.
#include "cmocka_all.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "congestion.h"
#include "fabric_fixture.h"
#include "model/rng.h"
#include "pathalg/candidates.h"

#define LEAVES 4
#define SPINES 4
#define HOSTS_PER_LEAF 6
#define HOSTS (LEAVES * HOSTS_PER_LEAF)
#define WAYS_PER_HOST 3
#define LINKS_MAX 512
#define MOVES_KEPT 64
#define TICK_NS (100 * NS_PER_US)
#define MINUTE_NS (60 * NS_PER_S)
#define ROUNDS 2
// Of what a link carries in a second: where marks begin, where all is marked, and the buffer's end.
#define QUEUE_MARKS 20e-6
#define QUEUE_ALL 80e-6
#define QUEUE_FULL 400e-6
#define CNP_NS NS_PER_MS   // between two hints of CNPs for one flow
#define PACKETS_PER_TICK 8 // of a flow: that many can be marked

static uint64_t base_seed;

static const struct ecn_policy policy = {.interval_ns = 3 * NS_PER_MS,
                                         .idle_interval_ns = 100 * NS_PER_MS,
                                         .timeout_ns = 4 * NS_PER_MS,
                                         .threshold_percent = 50,
                                         .probes = 6,
                                         .quiet_ns = 5 * NS_PER_S,
                                         .quiet_max_ns = 300 * NS_PER_S,
                                         .traffic_class = 0x6a};

struct host {
    struct congestion congestion;
    double rates[WAYS_PER_HOST]; // of ways, as parts of a link
    bool was_away[WAYS_PER_HOST];
    uint64_t moved_at_ns[WAYS_PER_HOST][MOVES_KEPT];
    unsigned move_count[WAYS_PER_HOST];
    uint64_t cnp_at_ns[WAYS_PER_HOST];
};

struct world {
    struct fabric *fabric;
    struct rng rng;
    uint64_t now_ns, began_ns;
    bool cnps;
    bool steady; // marks are as they were set
    uint32_t link_count;
    bool down[LINKS_MAX];
    double others[LINKS_MAX]; // traffic that never moves
    double load[LINKS_MAX], queue[LINKS_MAX], marks[LINKS_MAX];
    double overload_sum; // over links and time
    unsigned moves;
    struct host hosts[HOSTS];
};

static int compare_ways(const void *left, const void *right) {
    const struct congestion_way *a = left, *b = right;
    return a->dst.i < b->dst.i ? -1 : a->dst.i > b->dst.i;
}

static void open_host(struct world *world, uint32_t index) {
    struct host *host = &world->hosts[index];
    struct congestion_way *ways = calloc(WAYS_PER_HOST, sizeof *ways);
    struct path paths[SPINES];
    uint32_t leaf = index / HOSTS_PER_LEAF, first = (uint32_t)rng_below(&world->rng, SPINES);
    for (unsigned i = 0; i < WAYS_PER_HOST; i++) {
        uint32_t other = (leaf + 1 + i) % LEAVES * HOSTS_PER_LEAF +
                         (uint32_t)rng_below(&world->rng, HOSTS_PER_LEAF);
        ways[i] = (struct congestion_way){.src = {index}, .dst = {other}};
    }
    qsort(ways, WAYS_PER_HOST, sizeof *ways, compare_ways);
    for (unsigned i = 0; i < WAYS_PER_HOST; i++) {
        assert_int_equal(candidates_find(world->fabric, NULL, ways[i].src, ways[i].dst, paths,
                                         SPINES),
                         SPINES);
        ways[i].home = paths[(first + i) % SPINES];
        uint32_t step = 1 + (uint32_t)rng_below(&world->rng, SPINES - 1);
        ways[i].backup = paths[(first + i + step) % SPINES];
        host->rates[i] = (7 + (double)rng_below(&world->rng, 5)) / 100;
    }
    assert_int_equal(congestion_init(&host->congestion, world->fabric, rng_next(&world->rng)), 0);
    assert_int_equal(congestion_set_ways(&host->congestion, ways, WAYS_PER_HOST, world->down,
                                         world->now_ns),
                     0);
}

static struct world *open_world(uint64_t seed, bool cnps) {
    struct world *world = calloc(1, sizeof *world);
    world->cnps = cnps;
    world->fabric = fixture_leaf_spine(LEAVES, SPINES, HOSTS_PER_LEAF, 1, 1);
    world->link_count = fabric_link_count(world->fabric);
    assert_true(world->link_count <= LINKS_MAX);
    rng_init(&world->rng, seed);
    world->began_ns = world->now_ns = NS_PER_S;
    for (uint32_t i = 0; i < HOSTS; i++) {
        open_host(world, i);
    }
    return world;
}

static void close_world(struct world *world) {
    for (uint32_t i = 0; i < HOSTS; i++) {
        congestion_fini(&world->hosts[i].congestion);
    }
    fabric_close(world->fabric);
    free(world);
}

static const struct path *path_of(const struct congestion_way *way) {
    return way->away ? &way->backup : &way->home;
}

static void add_loads(struct world *world) {
    memcpy(world->load, world->others, sizeof world->load);
    for (uint32_t h = 0; h < HOSTS; h++) {
        const struct host *host = &world->hosts[h];
        for (unsigned w = 0; w < WAYS_PER_HOST; w++) {
            const struct path *path = path_of(&host->congestion.ways[w]);
            for (unsigned i = 1; i + 1U < path->link_count; i++) {
                world->load[path->links[i].i] += host->rates[w];
            }
        }
    }
}

static double overload(const struct world *world) {
    double sum = 0;
    for (uint32_t i = 0; i < world->link_count; i++) {
        sum += fmax(0, world->load[i] - 1);
    }
    return sum;
}

static void flow(struct world *world) {
    double span = (double)TICK_NS / (double)NS_PER_S;
    for (uint32_t i = 0; i < world->link_count; i++) {
        double queue = world->queue[i] + (world->load[i] - 1) * span;
        world->queue[i] = fmin(fmax(queue, 0), QUEUE_FULL);
        double share = (world->queue[i] - QUEUE_MARKS) / (QUEUE_ALL - QUEUE_MARKS);
        world->marks[i] = world->steady ? world->marks[i] : fmin(fmax(share, 0), 1);
    }
    world->overload_sum += overload(world) * span;
}

static bool is_marked(struct world *world, const struct walk *walk) {
    double clean = 1;
    for (unsigned i = 0; i < walk->link_count; i++) {
        clean *= 1 - world->marks[walk->links[i].i];
    }
    return (double)rng_below(&world->rng, 1000000) / 1e6 >= clean;
}

static void record_moves(struct world *world, struct host *host) {
    for (unsigned w = 0; w < WAYS_PER_HOST; w++) {
        bool away = host->congestion.ways[w].away;
        if (away == host->was_away[w]) {
            continue;
        }
        unsigned count = host->move_count[w]++;
        assert_true(count < MOVES_KEPT);
        host->moved_at_ns[w][count] = world->now_ns;
        host->was_away[w] = away;
        world->moves++;
        if (count >= 2 && world->now_ns - host->moved_at_ns[w][count - 2] < MINUTE_NS) {
            fail_msg("three moves in a minute");
        }
    }
}

// Where the flow's packets are marked its receiver says so, on the way into the host as well.
static void send_cnps(struct world *world, struct host *host) {
    for (unsigned w = 0; world->cnps && w < WAYS_PER_HOST; w++) {
        const struct path *path = path_of(&host->congestion.ways[w]);
        double clean = 1;
        for (unsigned i = 0; i < path->link_count; i++) {
            clean *= pow(1 - world->marks[path->links[i].i], PACKETS_PER_TICK);
        }
        if (world->now_ns - host->cnp_at_ns[w] >= CNP_NS &&
            (double)rng_below(&world->rng, 1000000) / 1e6 >= clean) {
            host->cnp_at_ns[w] = world->now_ns;
            congestion_hint(&host->congestion, w, world->now_ns, &policy);
        }
    }
}

static void step_host(struct world *world, struct host *host) {
    struct congestion *congestion = &host->congestion;
    congestion_begin(congestion);
    send_cnps(world, host);
    if (congestion_tick(congestion, world->now_ns, &policy)) {
        record_moves(world, host);
        add_loads(world);
    }
    for (uint32_t i = 0; i < congestion->out_count; i++) {
        uint64_t token = congestion->out[i].token;
        const struct congestion_probe *probe =
            &congestion->outstanding[token % CONGESTION_OUTSTANDING];
        const struct walk *walk = &congestion->loops[probe->loop].walks[probe->back];
        struct engine_probe_result result = {.token = token, .ce = is_marked(world, walk)};
        congestion_returned(congestion, world->now_ns, &result, &policy);
    }
}

static void run(struct world *world, uint64_t span_ns) {
    for (uint64_t end = world->now_ns + span_ns; world->now_ns < end; world->now_ns += TICK_NS) {
        flow(world);
        for (uint32_t i = 0; i < HOSTS; i++) {
            step_host(world, &world->hosts[i]);
        }
    }
}

// Other traffic such that the link has `load` while all flows are at home.
static link_id heat(struct world *world, double load) {
    link_id link;
    do {
        link.i = (uint32_t)rng_below(&world->rng, world->link_count);
    } while (!fabric_link_is_internal(world->fabric, link) || world->others[link.i] > 0 ||
             world->load[link.i] < 0.25);
    world->others[link.i] = fmax(0, load - world->load[link.i]);
    add_loads(world);
    return link;
}

static unsigned flows_on(const struct world *world, link_id link) {
    unsigned count = 0;
    for (uint32_t h = 0; h < HOSTS; h++) {
        for (unsigned w = 0; w < WAYS_PER_HOST; w++) {
            const struct path *path = path_of(&world->hosts[h].congestion.ways[w]);
            for (unsigned i = 0; i < path->link_count; i++) {
                count += path->links[i].i == link.i;
            }
        }
    }
    return count;
}

// Flows that have moved, and whose home has none of the links.
static unsigned bystanders_moved(const struct world *world, const link_id *hot, unsigned count) {
    unsigned moved = 0;
    for (uint32_t h = 0; h < HOSTS; h++) {
        for (unsigned w = 0; w < WAYS_PER_HOST; w++) {
            const struct path *home = &world->hosts[h].congestion.ways[w].home;
            bool hit = false;
            for (unsigned i = 0; i < home->link_count * count; i++) {
                hit = hit || home->links[i / count].i == hot[i % count].i;
            }
            moved += !hit && world->hosts[h].move_count[w] > 0;
        }
    }
    return moved;
}

static void steady_traffic_settles(void **state) {
    bool cnps = *state != NULL;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t seed = base_seed + round;
        struct world *world = open_world(seed, cnps);
        add_loads(world);
        run(world, NS_PER_S);
        unsigned at_first = world->moves; // chance may have put too many flows on one link
        unsigned count = 1 + round % 3;
        link_id hot[3];
        for (unsigned i = 0; i < count; i++) {
            hot[i] = heat(world, 1.05 + 0.1 * (double)rng_below(&world->rng, 3));
        }
        double before = overload(world);
        unsigned flows_before = flows_on(world, hot[0]);
        run(world, 100 * NS_PER_MS);
        unsigned first = world->moves - at_first, flows_first = flows_on(world, hot[0]);
        double soon = overload(world);
        run(world, MINUTE_NS - 100 * NS_PER_MS);
        unsigned minute = world->moves - at_first;
        world->overload_sum = 0;
        run(world, MINUTE_NS);
        unsigned second = world->moves - at_first - minute;
        unsigned bystanders = bystanders_moved(world, hot, count);
        double later = world->overload_sum / 60;
        printf("seed %" PRIu64 ": %u hot: overload %.2f, after 100 ms %.2f (%u moves, %u of %u "
               "flows left on it), 2nd minute %.3f; moves %u, then %u, of bystanders %u\n",
               seed, count, before, soon, first, flows_first, flows_before, later, minute, second,
               bystanders);
        assert_true(soon <= before + 1e-9);
        assert_true(later <= before + 1e-9);
        assert_true(later <= 0.5 * before);
        assert_true(bystanders <= HOSTS * WAYS_PER_HOST / 4);
        close_world(world);
    }
}

// Nowhere is better: nobody moves, however long it lasts.
static void an_overload_of_everything_moves_nothing(void **state) {
    struct world *world = open_world(base_seed, *state != NULL);
    add_loads(world);
    for (uint32_t i = 0; i < world->link_count; i++) {
        world->others[i] = fabric_link_is_internal(world->fabric, (link_id){i}) ? 1.2 : 0;
    }
    add_loads(world);
    run(world, 20 * NS_PER_S);
    assert_int_equal(world->moves, 0);
    close_world(world);
}

// Traffic that comes and goes as fast as hosts react, on links that change.
static void traffic_that_comes_and_goes_does_not_make_it_worse(void **state) {
    bool cnps = *state != NULL;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t seed = base_seed + 1000 + round, still_seed = seed;
        double sums[2];
        unsigned moves = 0;
        for (unsigned reacting = 0; reacting < 2; reacting++) {
            struct world *world = open_world(still_seed, cnps);
            struct rng rng; // the same traffic in both
            rng_init(&rng, seed);
            add_loads(world);
            for (uint64_t at = 0; at < 90 * NS_PER_S;) {
                uint64_t span = (1 + rng_below(&rng, 400)) * 5 * NS_PER_MS;
                memset(world->others, 0, sizeof world->others);
                for (unsigned i = 0; i < 2; i++) {
                    uint32_t link = (uint32_t)rng_below(&rng, world->link_count);
                    if (fabric_link_is_internal(world->fabric, (link_id){link})) {
                        world->others[link] = 0.4 + (double)rng_below(&rng, 60) / 100;
                    }
                }
                add_loads(world);
                if (reacting) {
                    run(world, span);
                } else {
                    world->overload_sum += overload(world) * (double)span / (double)NS_PER_S;
                }
                at += span;
            }
            sums[reacting] = world->overload_sum;
            moves = world->moves;
            close_world(world);
        }
        printf("seed %" PRIu64
               ": overload %.2f without, %.2f with reactions; %u moves of %u flows\n",
               seed, sums[0], sums[1], moves, HOSTS * WAYS_PER_HOST);
        assert_true(sums[1] <= sums[0]);
    }
}

static bool is_hot(const struct world *world, const struct path *path) {
    double marks = 0;
    for (unsigned i = 1; i + 1U < path->link_count; i++) {
        marks = fmax(marks, world->marks[path->links[i].i]);
    }
    return marks > 0;
}

// A switch marks all that crosses a link, whoever leaves it, and others mark all that goes into
// some hosts, which nobody can avoid; for longer than a minute. Flows leave for good, if at all,
// and never for a hot path. Where the ways back of probes, or the one into the own host, are hot as
// well, some cannot tell.
static void marks_that_no_move_ends_are_left_once_and_for_all(void **state) {
    struct world *world = open_world(base_seed + 2000, *state != NULL);
    unsigned stuck = 0, left = 0;
    world->steady = true;
    for (unsigned i = 0; i < 3; i++) {
        uint32_t link;
        do {
            link = (uint32_t)rng_below(&world->rng, world->link_count);
        } while (!fabric_link_is_internal(world->fabric, (link_id){link}));
        world->marks[link] = 1;
    }
    for (uint32_t i = 0; i < world->link_count; i++) {
        bool into_host = !fabric_link_is_internal(world->fabric, (link_id){i}) &&
                         fabric_link_to(world->fabric, (link_id){i}).i < HOSTS;
        world->marks[i] = into_host && i % 3 == 0 ? 1 : world->marks[i];
    }
    run(world, MINUTE_NS + 10 * NS_PER_S);
    for (uint32_t h = 0; h < HOSTS; h++) {
        for (unsigned w = 0; w < WAYS_PER_HOST; w++) {
            const struct congestion_way *way = &world->hosts[h].congestion.ways[w];
            bool home = is_hot(world, &way->home), backup = is_hot(world, &way->backup);
            bool blind = world->marks[link_opposite(way->home.links[0]).i] > 0;
            left += home && !backup && !blind && way->away;
            stuck += home && !backup && !blind && !way->away;
            assert_true(world->hosts[h].move_count[w] <= 1);
            assert_false(way->away && backup);
        }
    }
    printf("seed %" PRIu64 ": %u flows left hot links, %u could not tell\n", base_seed + 2000, left,
           stuck);
    assert_true(left >= 2 * stuck);
    close_world(world);
}

#define CASE(name)                                                                                 \
    {#name ": probes", name, NULL, NULL, NULL}, {                                                  \
#name ": probes and CNPs", name, NULL, NULL, &base_seed                                    \
    }

int main(void) {
    const char *given = getenv("SEED");
    base_seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("SEED=%" PRIu64 "\n", base_seed);
    const struct CMUnitTest tests[] = {
        CASE(steady_traffic_settles),
        CASE(an_overload_of_everything_moves_nothing),
        CASE(traffic_that_comes_and_goes_does_not_make_it_worse),
        CASE(marks_that_no_move_ends_are_left_once_and_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
