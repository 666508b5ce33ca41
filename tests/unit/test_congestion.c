// SPDX-License-Identifier: Apache-2.0
// Marked probes alone, on a fabric of 2 leaves and 4 spines: the test answers each probe and says
// which links mark. One flow from the first host to one of the other leaf, home over spine0, backup
// over spine1.
#include "cmocka_all.h"

#include <string.h>

#include "congestion.h"
#include "fabric_fixture.h"
#include "pathalg/candidates.h"

#define MS NS_PER_MS
#define US NS_PER_US
#define RTT_NS (40 * US)
#define SPINES 4
// A trial's probes, its longest draw, and steps of the clock.
#define TRIAL_NS (policy.interval_ns + 6 * 200 * US + 300 * US)

static const struct ecn_policy policy = {.interval_ns = 4 * MS,
                                         .idle_interval_ns = 4 * MS,
                                         .timeout_ns = 4 * MS,
                                         .threshold_percent = 50,
                                         .probes = 6,
                                         .quiet_ns = 2 * NS_PER_S,
                                         .quiet_max_ns = 16 * NS_PER_S,
                                         .traffic_class = 0x6a};

struct bench {
    struct fabric *fabric;
    struct congestion congestion;
    struct ecn_policy policy;
    uint64_t now_ns;
    bool *marks, *loses; // by directed link
    bool *down;
    struct path paths[SPINES];
    uint64_t moves[64]; // when
    unsigned move_count;
    uint32_t every; // of the probes over a link that marks, one in so many is marked
    uint32_t count;
};

static struct congestion_way *one_way(const struct bench *bench) {
    struct congestion_way *way = calloc(1, sizeof *way);
    *way = (struct congestion_way){.src = {0},
                                   .dst = {1},
                                   .home = bench->paths[0],
                                   .backup = bench->paths[1]};
    return way;
}

static int set_up(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    bench->fabric = fixture_leaf_spine(2, SPINES, 1, 1, 1);
    bench->now_ns = 1000 * MS;
    bench->policy = policy;
    bench->every = 1;
    uint32_t links = fabric_link_count(bench->fabric);
    bench->marks = calloc(links, sizeof *bench->marks);
    bench->loses = calloc(links, sizeof *bench->loses);
    bench->down = calloc(links, sizeof *bench->down);
    assert_int_equal(candidates_find(bench->fabric, NULL, (port_id){0}, (port_id){1}, bench->paths,
                                     SPINES),
                     SPINES);
    assert_int_equal(congestion_init(&bench->congestion, bench->fabric, 7), 0);
    assert_int_equal(congestion_set_ways(&bench->congestion, one_way(bench), 1, bench->down,
                                         bench->now_ns),
                     0);
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    congestion_fini(&bench->congestion);
    fabric_close(bench->fabric);
    free(bench->marks);
    free(bench->loses);
    free(bench->down);
    free(bench);
    return 0;
}

static void mark(struct bench *bench, const char *name, bool on) {
    link_id link;
    assert_true(fabric_find_link(bench->fabric, name, &link));
    bench->marks[link.i] = on;
}

static void lose(struct bench *bench, const char *name) {
    link_id link;
    assert_true(fabric_find_link(bench->fabric, name, &link));
    bench->loses[link.i] = true;
}

static const struct congestion_way *way_of(const struct bench *bench) {
    return &bench->congestion.ways[0];
}

static void answer(struct bench *bench, const struct engine_probe *sent) {
    const struct congestion_probe *probe =
        &bench->congestion.outstanding[sent->token % CONGESTION_OUTSTANDING];
    const struct walk *walk = &bench->congestion.loops[probe->loop].walks[probe->back];
    bool lost = false, hot = false;
    for (unsigned i = 0; i < walk->link_count; i++) {
        lost = lost || bench->loses[walk->links[i].i];
        hot = hot || bench->marks[walk->links[i].i];
    }
    if (lost) {
        return;
    }
    struct engine_probe_result result = {.token = sent->token,
                                         .sent_at_ns = bench->now_ns,
                                         .received_at_ns = bench->now_ns + RTT_NS,
                                         .ce = hot && bench->count++ % bench->every == 0};
    congestion_returned(&bench->congestion, bench->now_ns, &result, &bench->policy);
}

// Probes are answered within the step of 50 us in which they were sent.
static void run(struct bench *bench, uint64_t span_ns) {
    for (uint64_t end = bench->now_ns + span_ns; bench->now_ns < end; bench->now_ns += 50 * US) {
        congestion_begin(&bench->congestion);
        if (congestion_tick(&bench->congestion, bench->now_ns, &bench->policy)) {
            bench->moves[bench->move_count++ % 64] = bench->now_ns;
        }
        for (uint32_t i = 0; i < bench->congestion.out_count; i++) {
            struct engine_probe sent = bench->congestion.out[i];
            answer(bench, &sent);
        }
    }
}

static void probes_are_of_the_flows_class_and_go_round_the_path(void **state) {
    struct bench *bench = *state;
    congestion_begin(&bench->congestion);
    congestion_tick(&bench->congestion, bench->now_ns, &policy);
    assert_int_equal(bench->congestion.out_count, 1);
    assert_int_equal(bench->congestion.out[0].traffic_class, 0x6a);
    const struct congestion_loop *loop = &bench->congestion.loops[way_of(bench)->loops[0]];
    assert_int_equal(loop->back_count, 2);
    for (unsigned back = 0; back < 2; back++) {
        const struct walk *walk = &loop->walks[back];
        assert_int_equal(walk->link_count, 6);
        assert_int_equal(walk->links[1].i, bench->paths[0].links[1].i);
        assert_int_equal(walk->links[2].i, bench->paths[0].links[2].i);
        assert_int_not_equal(walk->links[3].i, link_opposite(walk->links[2]).i);
        assert_int_equal(loop->sids[back].count, 1);
    }
    assert_int_not_equal(loop->walks[0].links[3].i, loop->walks[1].links[3].i);
}

static void without_marks_one_probe_goes_out_in_an_interval_and_nothing_moves(void **state) {
    struct bench *bench = *state;
    run(bench, 10 * NS_PER_S);
    assert_int_equal(bench->move_count, 0);
    assert_in_range(bench->congestion.sent, 2499, 2501);
    assert_int_equal(bench->congestion.marked, 0);
}

static void while_nothing_hints_a_probe_goes_out_in_an_idle_interval(void **state) {
    struct bench *bench = *state;
    bench->policy.idle_interval_ns = 100 * MS;
    run(bench, 10 * NS_PER_S);
    assert_in_range(bench->congestion.sent, 99, 101);
    bench->policy.idle_interval_ns = 0;
    run(bench, 200 * MS);
    uint64_t sent = bench->congestion.sent;
    run(bench, 10 * NS_PER_S);
    assert_int_equal(bench->congestion.sent, sent);
    assert_true(bench->congestion.deadline_ns == NEVER_NS); // the host is not even woken
}

static void a_hot_link_is_left_within_an_idle_interval_and_a_trial(void **state) {
    struct bench *bench = *state;
    bench->policy.idle_interval_ns = 100 * MS;
    run(bench, NS_PER_S);
    uint64_t since = bench->now_ns;
    mark(bench, "spine0>leaf1", true);
    run(bench, 120 * MS);
    assert_int_equal(bench->move_count, 1);
    assert_true(bench->moves[0] - since <= bench->policy.idle_interval_ns + TRIAL_NS);
}

// A fabric that marks a little all the time: fast at first, then seldom and more seldom.
static void marks_that_lead_nowhere_do_not_keep_it_probing_fast(void **state) {
    struct bench *bench = *state;
    bench->policy.idle_interval_ns = 100 * MS;
    bench->every = 4;
    mark(bench, "leaf0>spine0", true);
    while (bench->congestion.marked == 0) {
        run(bench, MS);
    }
    uint64_t before = bench->congestion.sent;
    run(bench, 150 * MS);
    uint64_t first = bench->congestion.sent - before;
    run(bench, 60 * NS_PER_S);
    before = bench->congestion.sent;
    run(bench, 60 * NS_PER_S);
    assert_true(first >= 150 * MS / policy.interval_ns);
    assert_int_equal(bench->move_count, 0);
    // Every fourth probe begins a trial of both paths; what is between trials is nearly idle.
    assert_true(bench->congestion.sent - before < 60 * NS_PER_S / policy.interval_ns / 2);
}

static void without_an_idle_interval_home_is_probed_while_flows_are_away(void **state) {
    struct bench *bench = *state;
    mark(bench, "leaf0>spine0", true);
    run(bench, 20 * MS);
    assert_true(way_of(bench)->away);
    bench->policy.idle_interval_ns = 0;
    run(bench, 70 * NS_PER_S);
    assert_true(way_of(bench)->away);
    mark(bench, "leaf0>spine0", false);
    run(bench, way_of(bench)->quiet_ns + 100 * MS);
    assert_false(way_of(bench)->away);
    assert_int_equal(bench->move_count, 2);
}

static void a_cnp_begins_a_trial_at_once(void **state) {
    struct bench *bench = *state;
    bench->policy.idle_interval_ns = 0;
    run(bench, NS_PER_S);
    mark(bench, "spine0>leaf1", true);
    uint64_t since = bench->now_ns;
    congestion_hint(&bench->congestion, 0, bench->now_ns, &bench->policy);
    run(bench, 10 * MS);
    assert_int_equal(bench->move_count, 1);
    assert_true(bench->moves[0] - since <= TRIAL_NS);
    assert_true(way_of(bench)->away && way_of(bench)->by_cnp);
}

static void a_cnp_without_marks_on_the_path_moves_nothing(void **state) {
    struct bench *bench = *state;
    bench->policy.idle_interval_ns = 0;
    mark(bench, "leaf1>h1", true); // on the way into the host: no path of ours helps
    congestion_hint(&bench->congestion, 0, bench->now_ns, &bench->policy);
    run(bench, NS_PER_S);
    assert_int_equal(bench->move_count, 0);
    assert_int_equal(bench->congestion.marked, 0);
}

static void hint_every_ms(struct bench *bench, uint64_t span_ns) {
    for (uint64_t end = bench->now_ns + span_ns; bench->now_ns < end;) {
        congestion_hint(&bench->congestion, 0, bench->now_ns, &bench->policy);
        run(bench, MS);
    }
}

static void steady_cnps_that_no_path_helps_against_cost_fewer_and_fewer_probes(void **state) {
    struct bench *bench = *state;
    bench->policy.idle_interval_ns = 100 * MS;
    hint_every_ms(bench, NS_PER_S);
    uint64_t first = bench->congestion.sent;
    hint_every_ms(bench, 60 * NS_PER_S);
    uint64_t before = bench->congestion.sent;
    hint_every_ms(bench, 60 * NS_PER_S);
    assert_true(first > 150);
    assert_true(bench->congestion.sent - before < 60 * 20); // idle alone: 60 * 10
    assert_int_equal(bench->move_count, 0);
    // That does not keep marks of the path itself from being acted on.
    mark(bench, "leaf0>spine0", true);
    uint64_t since = bench->now_ns;
    hint_every_ms(bench, 300 * MS);
    assert_int_equal(bench->move_count, 1);
    assert_true(bench->moves[0] - since <= 120 * MS);
}

static void after_a_while_without_cnps_the_next_one_counts_at_once(void **state) {
    struct bench *bench = *state;
    bench->policy.idle_interval_ns = 0;
    hint_every_ms(bench, 60 * NS_PER_S);
    assert_true(way_of(bench)->cnp_wait_ns >= 5 * NS_PER_S);
    run(bench, 30 * NS_PER_S);
    mark(bench, "leaf0>spine0", true);
    congestion_hint(&bench->congestion, 0, bench->now_ns, &bench->policy);
    run(bench, TRIAL_NS);
    assert_int_equal(bench->move_count, 1);
}

static void cnps_of_the_port_have_paths_in_use_probed_every_interval_for_a_while(void **state) {
    struct bench *bench = *state;
    bench->policy.idle_interval_ns = 0;
    run(bench, NS_PER_S);
    congestion_hint_port(&bench->congestion, 1, bench->now_ns); // another port's
    run(bench, 100 * MS);
    assert_int_equal(bench->congestion.sent, 0);
    congestion_hint_port(&bench->congestion, 0, bench->now_ns);
    run(bench, NS_PER_S);
    assert_in_range(bench->congestion.sent, 200 * MS / policy.interval_ns,
                    200 * MS / policy.interval_ns + 1);
    mark(bench, "leaf0>spine0", true);
    congestion_hint_port(&bench->congestion, 0, bench->now_ns);
    run(bench, policy.interval_ns + TRIAL_NS);
    assert_int_equal(bench->move_count, 1);
}

static void a_hot_link_is_left_within_two_intervals_and_six_spacings(void **state) {
    struct bench *bench = *state;
    for (unsigned phase = 0; phase < 20; phase++) {
        tear_down(state);
        set_up(state);
        bench = *state;
        run(bench, 100 * MS + phase * 200 * US);
        uint64_t since = bench->now_ns;
        mark(bench, "spine0>leaf1", true);
        run(bench, 10 * MS);
        assert_int_equal(bench->move_count, 1);
        assert_true(bench->moves[0] - since <= policy.interval_ns + TRIAL_NS);
        assert_true(way_of(bench)->away);
    }
}

static void the_cause_is_on_the_path_and_has_its_rate(void **state) {
    struct bench *bench = *state;
    mark(bench, "leaf0>spine0", true);
    run(bench, 20 * MS);
    assert_true(way_of(bench)->away);
    char name[LINK_NAME_SIZE];
    fabric_format_link(bench->fabric, way_of(bench)->cause, name);
    assert_string_equal(name, "leaf0>spine0");
    assert_true(way_of(bench)->cause_ppm > 500000);
}

static void marks_on_a_way_back_move_nothing(void **state) {
    struct bench *bench = *state;
    const struct congestion_loop *loop = &bench->congestion.loops[way_of(bench)->loops[0]];
    run(bench, 10 * MS);
    bench->marks[loop->walks[0].links[3].i] = true;
    run(bench, NS_PER_S);
    assert_true(bench->congestion.marked > 10);
    assert_int_equal(bench->move_count, 0);
}

static void one_marked_probe_moves_nothing(void **state) {
    struct bench *bench = *state;
    run(bench, 100 * MS);
    mark(bench, "leaf0>spine0", true);
    while (bench->congestion.marked == 0) {
        run(bench, 50 * US);
    }
    mark(bench, "leaf0>spine0", false);
    run(bench, NS_PER_S);
    assert_int_equal(bench->move_count, 0);
    assert_int_equal(bench->congestion.trial_count, 0);
}

static void marks_below_the_threshold_move_nothing(void **state) {
    struct bench *bench = *state;
    bench->every = 3;
    mark(bench, "leaf0>spine0", true);
    run(bench, 2 * NS_PER_S);
    assert_true(bench->congestion.marked > 50);
    assert_int_equal(bench->move_count, 0);
}

// Most of the probes of these trials are marked, but not the last: others have left.
static void a_link_that_cools_down_during_the_trial_is_not_left(void **state) {
    struct bench *bench = *state;
    for (unsigned phase = 0; phase < 30; phase++) {
        tear_down(state);
        set_up(state);
        bench = *state;
        bench->congestion.seed = phase;
        run(bench, 100 * MS);
        mark(bench, "leaf0>spine0", true);
        while (bench->congestion.marked < 5) {
            run(bench, 50 * US);
        }
        mark(bench, "leaf0>spine0", false);
        run(bench, 20 * MS);
        assert_int_equal(bench->move_count, 0);
    }
}

static void a_backup_that_is_hot_too_is_not_taken(void **state) {
    struct bench *bench = *state;
    mark(bench, "leaf0>spine0", true);
    mark(bench, "spine1>leaf1", true);
    run(bench, 5 * NS_PER_S);
    assert_int_equal(bench->move_count, 0);
    // Each trial that led nowhere doubles the wait for the next.
    assert_true(way_of(bench)->wait_ns >= NS_PER_S / 2);
}

static void a_backup_that_loses_probes_is_not_taken(void **state) {
    struct bench *bench = *state;
    mark(bench, "leaf0>spine0", true);
    lose(bench, "spine1>leaf1");
    run(bench, 5 * NS_PER_S);
    assert_int_equal(bench->move_count, 0);
}

static void steady_marks_cause_one_move_and_no_other(void **state) {
    struct bench *bench = *state;
    mark(bench, "leaf0>spine0", true);
    run(bench, 200 * NS_PER_S);
    assert_int_equal(bench->move_count, 1);
}

static void it_returns_after_the_quiet_time_and_not_before(void **state) {
    struct bench *bench = *state;
    mark(bench, "leaf0>spine0", true);
    run(bench, 100 * NS_PER_S);
    mark(bench, "leaf0>spine0", false);
    uint64_t quiet = way_of(bench)->quiet_ns;
    assert_in_range(quiet, policy.quiet_ns, policy.quiet_ns * 3 / 2);
    run(bench, quiet - policy.interval_ns - MS);
    assert_int_equal(bench->move_count, 1);
    run(bench, 2 * policy.interval_ns + 2 * MS);
    assert_int_equal(bench->move_count, 2);
    assert_false(way_of(bench)->away);
}

static void it_returns_only_when_it_could_leave_again(void **state) {
    struct bench *bench = *state;
    mark(bench, "leaf0>spine0", true);
    run(bench, NS_PER_S);
    mark(bench, "leaf0>spine0", false);
    uint64_t drawn = way_of(bench)->quiet_ns - way_of(bench)->hold_ns;
    run(bench, bench->moves[0] + 60 * NS_PER_S + drawn - bench->now_ns - MS);
    assert_int_equal(bench->move_count, 1);
    run(bench, policy.interval_ns + 2 * MS);
    assert_int_equal(bench->move_count, 2);
    mark(bench, "leaf0>spine0", true);
    run(bench, 20 * MS);
    assert_int_equal(bench->move_count, 3);
    assert_true(way_of(bench)->away);
}

static void a_home_that_does_not_answer_is_not_returned_to(void **state) {
    struct bench *bench = *state;
    mark(bench, "leaf0>spine0", true);
    run(bench, NS_PER_S);
    lose(bench, "leaf0>spine0");
    run(bench, 100 * NS_PER_S);
    assert_int_equal(bench->move_count, 1);
}

// Marks each time the flow is there, none when it is not.
static void run_responsive(struct bench *bench, uint64_t span_ns) {
    for (uint64_t end = bench->now_ns + span_ns; bench->now_ns < end;) {
        mark(bench, "leaf0>spine0", !way_of(bench)->away);
        run(bench, MS);
    }
}

static void no_minute_sees_more_than_two_moves_and_stays_get_longer(void **state) {
    struct bench *bench = *state;
    run_responsive(bench, 600 * NS_PER_S);
    assert_in_range(bench->move_count, 10, 20);
    for (unsigned i = 2; i < bench->move_count; i++) {
        assert_true(bench->moves[i] - bench->moves[i - 2] >= 60 * NS_PER_S);
    }
}

static void the_third_move_of_a_minute_waits_to_its_last_millisecond(void **state) {
    struct bench *bench = *state;
    mark(bench, "leaf0>spine0", true);
    run(bench, NS_PER_S);
    mark(bench, "leaf0>spine0", false);
    mark(bench, "leaf0>spine1", true);
    run(bench, NS_PER_S);
    assert_int_equal(bench->move_count, 2);
    mark(bench, "leaf0>spine1", false);
    mark(bench, "leaf0>spine0", true);
    run(bench, bench->moves[0] + 60 * NS_PER_S - bench->now_ns);
    assert_int_equal(bench->move_count, 2);
    run(bench, 20 * MS);
    assert_int_equal(bench->move_count, 3);
}

static void quiet_time_doubles_when_it_leaves_again_and_is_bounded(void **state) {
    struct bench *bench = *state;
    uint64_t longest = 0, before = 0;
    for (unsigned i = 0; i < 8; i++) {
        struct congestion_way *way = &bench->congestion.ways[0];
        memset(way->moved_at_ns, 0, sizeof way->moved_at_ns); // not what is under test
        mark(bench, "leaf0>spine0", true);
        run(bench, 50 * MS);
        assert_true(way->away);
        assert_true(i == 0 ? way->hold_ns == policy.quiet_ns
                           : way->hold_ns == 2 * before || way->hold_ns == policy.quiet_max_ns);
        before = way->hold_ns;
        longest = before > longest ? before : longest;
        mark(bench, "leaf0>spine0", false);
        memset(way->moved_at_ns, 0, sizeof way->moved_at_ns);
        run(bench, way->quiet_ns + 20 * MS);
        assert_false(way->away);
    }
    assert_int_equal(longest, policy.quiet_max_ns);
}

static void a_hot_backup_is_left_for_a_cool_home(void **state) {
    struct bench *bench = *state;
    mark(bench, "leaf0>spine0", true);
    run(bench, 50 * MS);
    assert_true(way_of(bench)->away);
    mark(bench, "leaf0>spine0", false);
    mark(bench, "leaf0>spine1", true);
    run(bench, 20 * MS);
    assert_false(way_of(bench)->away);
    assert_int_equal(bench->move_count, 2);
}

static void a_new_plan_keeps_what_is_known_of_a_way_that_stays(void **state) {
    struct bench *bench = *state;
    mark(bench, "leaf0>spine0", true);
    run(bench, 50 * MS);
    assert_true(way_of(bench)->away);
    uint64_t moved = way_of(bench)->moved_at_ns[1];
    assert_int_equal(congestion_set_ways(&bench->congestion, one_way(bench), 1, bench->down,
                                         bench->now_ns),
                     0);
    assert_true(way_of(bench)->away);
    assert_true(moved != 0 && way_of(bench)->moved_at_ns[1] == moved);
    run(bench, 200 * MS);
    assert_int_equal(bench->move_count, 1);
}

static void sent_home_by_a_verdict_is_no_move_of_its_own(void **state) {
    struct bench *bench = *state;
    mark(bench, "leaf0>spine0", true);
    run(bench, 50 * MS);
    congestion_send_home(&bench->congestion, 0, bench->now_ns);
    assert_false(way_of(bench)->away);
    assert_int_equal(bench->congestion.moves, 1);
    run(bench, 900 * MS); // not at once back to where it was sent from
    assert_false(way_of(bench)->away);
}

static void late_and_foreign_answers_count_nowhere(void **state) {
    struct bench *bench = *state;
    congestion_begin(&bench->congestion);
    congestion_tick(&bench->congestion, bench->now_ns, &policy);
    struct engine_probe_result result = {.token = bench->congestion.out[0].token, .ce = true};
    struct engine_probe_result other = {.token = result.token + 1, .ce = true};
    congestion_returned(&bench->congestion, bench->now_ns, &other, &policy);
    assert_int_equal(bench->congestion.marked, 0);
    congestion_returned(&bench->congestion, bench->now_ns, &result, &policy);
    congestion_returned(&bench->congestion, bench->now_ns, &result, &policy); // doubled
    assert_int_equal(bench->congestion.marked, 1);
}

static void a_links_rate_is_that_of_its_cleanest_round(void **state) {
    struct bench *bench = *state;
    link_id link;
    uint32_t ppm = 0;
    assert_true(fabric_find_link(bench->fabric, "leaf0>spine0", &link));
    assert_false(congestion_link_ppm(&bench->congestion, link, bench->now_ns, &ppm));
    run(bench, 300 * MS);
    assert_true(congestion_link_ppm(&bench->congestion, link, bench->now_ns, &ppm));
    assert_int_equal(ppm, 0);
    mark(bench, "spine1>leaf1", true); // the backup's: no trial is open, so it is not probed
    run(bench, 300 * MS);
    assert_int_equal(bench->congestion.marked, 0);
    mark(bench, "leaf0>spine0", true);
    run(bench, NS_PER_S);
    assert_true(congestion_link_ppm(&bench->congestion, link, bench->now_ns, &ppm));
    assert_in_range(ppm, 900000, 1000000);
    assert_false(congestion_link_ppm(&bench->congestion, link, bench->now_ns + NS_PER_S, &ppm));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(probes_are_of_the_flows_class_and_go_round_the_path),
        CASE(without_marks_one_probe_goes_out_in_an_interval_and_nothing_moves),
        CASE(while_nothing_hints_a_probe_goes_out_in_an_idle_interval),
        CASE(a_hot_link_is_left_within_an_idle_interval_and_a_trial),
        CASE(marks_that_lead_nowhere_do_not_keep_it_probing_fast),
        CASE(without_an_idle_interval_home_is_probed_while_flows_are_away),
        CASE(a_cnp_begins_a_trial_at_once),
        CASE(a_cnp_without_marks_on_the_path_moves_nothing),
        CASE(steady_cnps_that_no_path_helps_against_cost_fewer_and_fewer_probes),
        CASE(after_a_while_without_cnps_the_next_one_counts_at_once),
        CASE(cnps_of_the_port_have_paths_in_use_probed_every_interval_for_a_while),
        CASE(a_hot_link_is_left_within_two_intervals_and_six_spacings),
        CASE(the_cause_is_on_the_path_and_has_its_rate),
        CASE(marks_on_a_way_back_move_nothing),
        CASE(one_marked_probe_moves_nothing),
        CASE(marks_below_the_threshold_move_nothing),
        CASE(a_link_that_cools_down_during_the_trial_is_not_left),
        CASE(a_backup_that_is_hot_too_is_not_taken),
        CASE(a_backup_that_loses_probes_is_not_taken),
        CASE(steady_marks_cause_one_move_and_no_other),
        CASE(it_returns_after_the_quiet_time_and_not_before),
        CASE(it_returns_only_when_it_could_leave_again),
        CASE(a_home_that_does_not_answer_is_not_returned_to),
        CASE(no_minute_sees_more_than_two_moves_and_stays_get_longer),
        CASE(the_third_move_of_a_minute_waits_to_its_last_millisecond),
        CASE(quiet_time_doubles_when_it_leaves_again_and_is_bounded),
        CASE(a_hot_backup_is_left_for_a_cool_home),
        CASE(a_new_plan_keeps_what_is_known_of_a_way_that_stays),
        CASE(sent_home_by_a_verdict_is_no_move_of_its_own),
        CASE(late_and_foreign_answers_count_nowhere),
        CASE(a_links_rate_is_that_of_its_cleanest_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
