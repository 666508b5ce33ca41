// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fabric_fixture.h"
#include "model/belief.h"

// 2 leaves, 2 spines, 3 hosts a leaf: h0, h1, h2 are one rack, h3, h4, h5 the other. Who is elected
// for the cable, in one bit each.
static struct link_belief believe(uint32_t elected, const struct link_evidence *evidence,
                                  uint32_t count) {
    struct fabric *fabric = fixture_leaf_spine(2, 2, 3, 1, 1);
    struct link_belief beliefs[64] = {0};
    struct cable_observers observers[32] = {0};
    struct observer_sight sights[6];
    assert_true(fabric_link_count(fabric) <= 64);
    uint32_t link = count > 0 ? evidence[0].link.i : 0;
    struct cable_observers *of_link = &observers[link / 2];
    for (uint32_t host = 0; host < 6; host++) {
        if ((elected >> host & 1) != 0) {
            of_link->hosts[of_link->count++].i = host;
        }
    }
    belief_compute(&(struct belief_input){fabric, observers, evidence, count, sights}, beliefs);
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        assert_true(i == link || (!beliefs[i].down && beliefs[i].observer_count == 0 &&
                                  beliefs[i].capacity_ppm == CAPACITY_FULL_PPM));
    }
    fabric_close(fabric);
    return beliefs[link];
}

static struct link_evidence says(uint32_t host, enum link_verdict verdict, uint32_t ppm) {
    return (struct link_evidence){.link = {14},
                                  .observer = {host},
                                  .report = {.verdict = verdict, .capacity_ppm = ppm}};
}
#define UP(host) says(host, LINK_UP, CAPACITY_FULL_PPM)
#define DOWN(host) says(host, LINK_DOWN, CAPACITY_FULL_PPM)
#define H(host) (1U << (host))
#define BELIEVE(elected, ...)                                                                      \
    believe(elected, (const struct link_evidence[]){__VA_ARGS__},                                  \
            sizeof((const struct link_evidence[]){__VA_ARGS__}) / sizeof(struct link_evidence))

static void nothing_heard_is_up_and_full(void **state) {
    (void)state;
    struct link_belief belief = believe(H(0) | H(3), NULL, 0);
    assert_false(belief.down);
    assert_int_equal(belief.capacity_ppm, CAPACITY_FULL_PPM);
}

static void a_single_observer_suffices_only_when_it_alone_is_elected(void **state) {
    (void)state;
    assert_true(BELIEVE(H(0), DOWN(0)).down);
    assert_false(BELIEVE(H(0), UP(0)).down);
    assert_false(BELIEVE(H(0) | H(1), DOWN(0)).down); // the other one has not said anything yet
    assert_false(BELIEVE(H(0) | H(1), DOWN(0), UP(1)).down);
    assert_false(BELIEVE(H(0) | H(3), UP(0), DOWN(3)).down);
}

static void two_of_one_rack_suffice_only_where_none_elsewhere_reports(void **state) {
    (void)state;
    assert_true(BELIEVE(H(0) | H(1), DOWN(0), DOWN(1)).down);
    assert_true(BELIEVE(H(0) | H(1) | H(2), DOWN(0), DOWN(1), UP(2)).down);
    assert_false(BELIEVE(H(0) | H(1) | H(3), DOWN(0), DOWN(1), UP(3)).down);
    assert_true(BELIEVE(H(0) | H(1) | H(3), DOWN(0), DOWN(1)).down);
    assert_false(BELIEVE(H(0) | H(1) | H(2) | H(3), DOWN(0), DOWN(1), DOWN(2), UP(3)).down);
}

static void two_racks_that_agree_are_believed(void **state) {
    (void)state;
    struct link_belief belief = BELIEVE(H(0) | H(1) | H(3) | H(4), DOWN(0), UP(1), DOWN(3), UP(4));
    assert_true(belief.down);
    assert_int_equal(belief.down_votes, 2);
    assert_int_equal(belief.observer_count, 4);
}

static void who_is_not_elected_has_no_vote(void **state) {
    (void)state;
    struct link_belief belief = BELIEVE(H(0) | H(3), DOWN(0), DOWN(1), DOWN(2), UP(3), DOWN(4));
    assert_false(belief.down);
    assert_int_equal(belief.down_votes, 1);
    assert_int_equal(belief.observer_count, 2);
    assert_false(BELIEVE(H(3), DOWN(0)).down);
    assert_int_equal(
        BELIEVE(H(0) | H(3), says(0, LINK_UP, 400000), says(1, LINK_UP, 0), UP(3)).capacity_ppm,
        CAPACITY_FULL_PPM);
}

static void capacity_is_what_two_agree_on(void **state) {
    (void)state;
    uint32_t all = H(0) | H(3) | H(4);
    assert_int_equal(BELIEVE(H(0), says(0, LINK_UP, 400000)).capacity_ppm, 400000);
    assert_int_equal(BELIEVE(all, says(0, LINK_UP, 400000)).capacity_ppm, CAPACITY_FULL_PPM);
    assert_int_equal(BELIEVE(all, says(0, LINK_UP, 400000), UP(3)).capacity_ppm, CAPACITY_FULL_PPM);
    assert_int_equal(
        BELIEVE(all, says(0, LINK_UP, 400000), says(3, LINK_UP, 600000), UP(4)).capacity_ppm,
        600000);
    assert_int_equal(
        BELIEVE(all, says(0, LINK_UP, 600000), says(3, LINK_UP, 400000), UP(4)).capacity_ppm,
        600000);
}

// ---- observers that are themselves at fault

// 4 leaves, 4 spines, 1 host a leaf; all four hosts are elected for every cable between switches.
struct board {
    struct fabric *fabric;
    bool down[4][16][2]; // what host, of leaf * 4 + spine, in each direction
    struct link_evidence evidence[4 * 32];
    struct cable_observers observers[64];
    struct observer_sight sights[4];
    struct link_belief beliefs[64];
};

static link_id board_link(const struct board *board, unsigned leaf, unsigned spine, bool reverse) {
    char name[LINK_NAME_SIZE];
    link_id link;
    snprintf(name, sizeof name, "leaf%u>spine%u", leaf, spine);
    assert_true(fabric_find_link(board->fabric, name, &link));
    return reverse ? link_opposite(link) : link;
}

static void say_down(struct board *board, uint32_t host, unsigned leaf, unsigned spine) {
    board->down[host][4 * leaf + spine][0] = board->down[host][4 * leaf + spine][1] = true;
}

// A cut cable, a dead spine or leaf: as all see it who are not behind it.
static void all_say_down(struct board *board, unsigned leaf, unsigned spine) {
    for (uint32_t host = 0; host < 4; host++) {
        say_down(board, host, leaf, spine);
    }
}

static void open_board(struct board *board) {
    *board = (struct board){.fabric = fixture_leaf_spine(4, 4, 1, 1, 1)};
}

static void compute(struct board *board) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < fabric_link_count(board->fabric); i++) {
        for (unsigned cable = 0; cable < 16; cable++) {
            bool forth = board_link(board, cable / 4, cable % 4, false).i == i;
            bool back = board_link(board, cable / 4, cable % 4, true).i == i;
            for (uint32_t host = 0; (forth || back) && host < 4; host++) {
                board->observers[i / 2].hosts[host].i = host;
                board->observers[i / 2].count = 4;
                bool down = board->down[host][cable][back];
                board->evidence[count++] =
                    (struct link_evidence){.link = {i},
                                           .observer = {host},
                                           .report = {.verdict = down ? LINK_DOWN : LINK_UP,
                                                      .capacity_ppm = CAPACITY_FULL_PPM,
                                                      .probe_count = 1}};
            }
        }
    }
    assert_int_equal(count, 4 * 32);
    belief_compute(&(struct belief_input){board->fabric, board->observers, board->evidence, count,
                                          board->sights},
                   board->beliefs);
}

static bool is_down(const struct board *board, unsigned leaf, unsigned spine) {
    return board->beliefs[board_link(board, leaf, spine, false).i].down;
}

static void an_observer_that_calls_most_links_down_has_no_vote_against_one_that_sees(void **state) {
    (void)state;
    struct board board;
    open_board(&board);
    for (unsigned cable = 0; cable < 9; cable++) { // of 16
        say_down(&board, 0, cable / 4, cable % 4);
    }
    say_down(&board, 1, 0, 0); // one voice beside it
    compute(&board);
    assert_true(belief_is_blind(&board.sights[0]));
    assert_false(belief_is_blind(&board.sights[1]));
    assert_false(is_down(&board, 0, 0));
    struct link_belief belief = board.beliefs[board_link(&board, 0, 0, false).i];
    assert_int_equal(belief.down_votes, 1);
    assert_int_equal(belief.blind_votes, 1);
    board.down[0][8][0] = board.down[0][8][1] = false; // half of all, no more
    compute(&board);
    assert_false(belief_is_blind(&board.sights[0]));
    assert_true(is_down(&board, 0, 0));
    fabric_close(board.fabric);
}

static void a_dead_switch_blinds_nobody(void **state) {
    (void)state;
    for (unsigned leaf = 0; leaf < 2; leaf++) {
        struct board board;
        open_board(&board);
        for (unsigned i = 0; i < 4; i++) {
            all_say_down(&board, leaf != 0 ? 2 : i, leaf != 0 ? i : 2);
        }
        compute(&board);
        for (unsigned i = 0; i < 4; i++) {
            assert_true(is_down(&board, leaf != 0 ? 2 : i, leaf != 0 ? i : 2));
        }
        assert_false(is_down(&board, 0, 0));
        fabric_close(board.fabric);
    }
}

static void what_all_call_down_is_down_however_much_it_is(void **state) {
    (void)state;
    struct board board;
    open_board(&board);
    for (unsigned leaf = 0; leaf < 4; leaf++) { // two spines and a cable of the third
        all_say_down(&board, leaf, 0);
        all_say_down(&board, leaf, 1);
    }
    all_say_down(&board, 3, 2);
    compute(&board);
    assert_true(belief_is_blind(&board.sights[0]) && belief_is_blind(&board.sights[3]));
    assert_true(is_down(&board, 0, 0) && is_down(&board, 2, 1) && is_down(&board, 3, 2));
    assert_false(is_down(&board, 2, 2));
    fabric_close(board.fabric);
}

static void drained_is_left_as_it_is(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(2, 2, 3, 1, 1);
    struct link_belief beliefs[64] = {[15] = {.drained = true, .down = true}};
    struct cable_observers observers[32] = {0};
    struct observer_sight sights[6];
    belief_compute(&(struct belief_input){fabric, observers, NULL, 0, sights}, beliefs);
    assert_true(beliefs[15].drained);
    assert_false(beliefs[15].down);
    fabric_close(fabric);
}

static void a_plan_may_use_what_is_up_times_its_capacities(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(2, 2, 3, 1, 1);
    link_id link = {14};
    struct link_belief belief = {.capacity_ppm = 500000};
    fabric->cables[7].capacity_ppm[0] = 250000;
    assert_int_equal(belief_rate_bps(fabric, &belief, link), 50000000000);
    belief.drained = true;
    assert_int_equal(belief_rate_bps(fabric, &belief, link), 0);
    belief = (struct link_belief){.capacity_ppm = 500000, .down = true};
    assert_int_equal(belief_rate_bps(fabric, &belief, link), 0);
    fabric_close(fabric);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_heard_is_up_and_full),
        cmocka_unit_test(a_single_observer_suffices_only_when_it_alone_is_elected),
        cmocka_unit_test(two_of_one_rack_suffice_only_where_none_elsewhere_reports),
        cmocka_unit_test(two_racks_that_agree_are_believed),
        cmocka_unit_test(who_is_not_elected_has_no_vote),
        cmocka_unit_test(capacity_is_what_two_agree_on),
        cmocka_unit_test(an_observer_that_calls_most_links_down_has_no_vote_against_one_that_sees),
        cmocka_unit_test(a_dead_switch_blinds_nobody),
        cmocka_unit_test(what_all_call_down_is_down_however_much_it_is),
        cmocka_unit_test(drained_is_left_as_it_is),
        cmocka_unit_test(a_plan_may_use_what_is_up_times_its_capacities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
