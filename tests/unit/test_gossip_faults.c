// SPDX-License-Identifier: Apache-2.0
// What goes wrong: partitions, duplicates, late healers, forged and broken messages.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "gossip_net.h"
#include "model/mp.h"
#include "wire.h"

static struct gossip_net net;
static uint32_t alarms[NET_HOSTS_MAX], deaths, healthy_suspects;

static void note(void *context, uint32_t host, const struct gossip_change *change) {
    (void)context;
    alarms[host] += change->kind == GOSSIP_ALARM_DUPLICATE;
    healthy_suspects += change->kind == GOSSIP_MEMBER_STATE && change->state == GOSSIP_SUSPECT &&
                        host != 5 && strcmp(change->origin, "n5") != 0;
    deaths += change->kind == GOSSIP_MEMBER_STATE && change->state == GOSSIP_DEAD;
}

static void start_all(uint32_t hosts, uint64_t seed) {
    net_init(&net, hosts, seed);
    memset(alarms, 0, sizeof alarms);
    deaths = healthy_suspects = 0;
    net.changed = note;
    for (uint32_t i = 0; i < hosts; i++) {
        net_start(&net, i);
    }
    net_run(&net, 2 * NS_PER_S);
}

static int fini(void **state) {
    (void)state;
    net_fini(&net);
    return 0;
}

static bool all_alive(const struct gossip_net *n, const void *context) {
    (void)context;
    for (uint32_t i = 0; i < n->count; i++) {
        for (uint32_t j = 0; j < n->count && n->hosts[i].core != NULL; j++) {
            if (n->hosts[j].core != NULL && net_state(n, i, j) != GOSSIP_ALIVE) {
                return false;
            }
        }
    }
    return true;
}

static bool all_see_dead(const struct gossip_net *n, const void *context) {
    uint32_t dead = *(const uint32_t *)context;
    for (uint32_t i = 0; i < n->count; i++) {
        if (n->hosts[i].core != NULL && net_state(n, i, dead) != GOSSIP_DEAD) {
            return false;
        }
    }
    return true;
}

static void the_last_of_64_hosts_gets_a_record_in_at_most_7_hops(void **state) {
    (void)state;
    start_all(64, 11);
    net_run(&net, 2 * NS_PER_S);
    assert_true(all_alive(&net, NULL));
    net.delay_min_ns = net.delay_max_ns = 100 * NS_PER_US; // arrival in the order of hops
    for (uint32_t i = 0; i < 64; i++) {
        net.hosts[i].hops_max = 0;
    }
    uint64_t before = net.delivered;
    net_put(&net, 17, "k", "v");
    net_run(&net, 2 * NS_PER_MS);
    uint64_t messages = net.delivered - before;
    uint64_t hops = 0;
    for (uint32_t i = 0; i < 64; i++) {
        assert_non_null(net_get(&net, i, 17, "k"));
        hops = net.hosts[i].hops_max > hops ? net.hosts[i].hops_max : hops;
    }
    print_message("%llu hops, %.1f messages a host\n", (unsigned long long)hops + 1,
                  (double)messages / 64);
    assert_true(hops + 1 <= 7);
}

static void a_dead_host_among_64_is_known_to_all_within_500_ms(void **state) {
    (void)state;
    start_all(64, 12);
    net_run(&net, 5 * NS_PER_S); // of a fleet that starts, nobody is accused so soon
    uint32_t dead = 40;
    net_kill(&net, dead);
    assert_true(net_run_until(&net, 500 * NS_PER_MS, all_see_dead, &dead));
    net_run(&net, NS_PER_S);
    assert_int_equal(deaths, 63); // and nobody else died
}

static void of_two_hosts_one_suffices_to_find_the_other_dead(void **state) {
    (void)state;
    start_all(2, 13);
    uint32_t dead = 1;
    net_kill(&net, dead);
    assert_true(net_run_until(&net, 500 * NS_PER_MS, all_see_dead, &dead));
}

static void six_of_eight_hosts_may_die_at_once(void **state) {
    (void)state;
    start_all(8, 14);
    for (uint32_t i = 2; i < 8; i++) {
        net_kill(&net, i);
    }
    net_run(&net, 1500 * NS_PER_MS);
    for (uint32_t i = 2; i < 8; i++) {
        assert_int_equal(net_state(&net, 0, i), GOSSIP_DEAD);
        assert_int_equal(net_state(&net, 1, i), GOSSIP_DEAD);
    }
    assert_int_equal(net_state(&net, 0, 1), GOSSIP_ALIVE);
}

static void a_deaf_host_kills_nobody_in_the_eyes_of_others(void **state) {
    (void)state;
    start_all(8, 15);
    for (uint32_t i = 0; i < 8; i++) {
        net.cut[i][5] = true; // it speaks but hears nothing
    }
    net_run(&net, 5 * NS_PER_S);
    for (uint32_t i = 0; i < 8; i++) {
        for (uint32_t j = 0; j < 8 && i != 5; j++) { // itself may be seen dead: it is of no use
            if (j == 5) {
                continue;
            }
            assert_int_equal(net_state(&net, i, j), GOSSIP_ALIVE);
        }
    }
    assert_int_equal(healthy_suspects, 0); // one voice is no quorum
    net_heal(&net);
    assert_true(net_run_until(&net, 2 * NS_PER_S, all_alive, NULL));
}

static void who_loses_all_neighbours_at_once_holds_its_tongue_first(void **state) {
    (void)state;
    start_all(8, 22);
    for (uint32_t i = 0; i < 8; i++) {
        net.cut[i][5] = true;
    }
    net_run(&net, 700 * NS_PER_MS);
    struct gossip_stats stats;
    gossip_stats(net.hosts[5].core, &stats);
    assert_true(stats.suspicions_withheld > 0);
    for (uint32_t i = 0; i < 8; i++) {
        size_t size;
        assert_null(gossip_find(net.hosts[i].core, "n5", GOSSIP_TABLE_CORE, "suspect/n1", &size));
    }
    net_run(&net, 500 * NS_PER_MS); // then it believes its ears
    size_t size;
    assert_non_null(gossip_find(net.hosts[5].core, "n5", GOSSIP_TABLE_CORE, "suspect/n1", &size));
}

static void a_pause_of_300_ms_is_no_death(void **state) {
    (void)state;
    start_all(8, 16);
    for (uint32_t host = 2; host < 6; host++) {
        net_pause(&net, host, true);
        net_run(&net, 300 * NS_PER_MS);
        net_pause(&net, host, false);
        net_run(&net, 700 * NS_PER_MS);
        assert_true(all_alive(&net, NULL));
    }
    assert_int_equal(deaths, 0);
}

static void halves_that_were_apart_beyond_quarantine_meet_again_within_two_seconds(void **state) {
    (void)state;
    start_all(6, 17);
    net_split(&net, 3);
    net_run(&net, 10 * NS_PER_S);
    assert_int_equal(net_state(&net, 0, 5), GOSSIP_DEAD);
    assert_int_equal(net_state(&net, 5, 0), GOSSIP_DEAD);
    net_put(&net, 1, "left", "1");
    net_put(&net, 4, "right", "2");
    net_run(&net, 650 * NS_PER_S); // long enough for quarantine on both sides
    assert_false(net_knows(&net, 0, 5));
    net_heal(&net);
    assert_true(net_run_until(&net, 2 * NS_PER_S, all_alive, NULL));
    net_run(&net, 50 * NS_PER_MS);
    for (uint32_t i = 0; i < 6; i++) {
        assert_non_null(net_get(&net, i, 1, "left"));
        assert_non_null(net_get(&net, i, 4, "right"));
    }
}

static void a_late_healer_cannot_resurrect_who_was_quarantined(void **state) {
    (void)state;
    start_all(6, 18);
    net_put(&net, 4, "k", "v");
    net_run(&net, NS_PER_S);
    net_pause(&net, 5, true); // holds 4 as alive all the time
    uint32_t dead = 4;
    net_kill(&net, dead);
    net_run(&net, 610 * NS_PER_S);
    assert_false(net_knows(&net, 0, dead));
    net_pause(&net, 5, false);
    net_run(&net, 5 * NS_PER_S);
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(net.hosts[i].core == NULL || !net_knows(&net, i, dead));
        assert_true(net.hosts[i].core == NULL || net_get(&net, i, dead, "k") == NULL);
    }
    assert_int_equal(net_state(&net, 5, dead), GOSSIP_DEAD);
}

static void a_host_that_lost_its_memory_is_not_what_others_remember_of_it(void **state) {
    (void)state;
    start_all(5, 19);
    net_put(&net, 3, "ghost", "1");
    net_run(&net, NS_PER_MS * 20);
    net_kill(&net, 3);
    net_start(&net, 3); // before anybody noticed
    net_run(&net, NS_PER_S);
    struct gossip_member member;
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(gossip_find_member(net.hosts[i].core, "n3", &member));
        assert_int_equal(member.incarnation, 2);
        assert_int_equal(member.state, GOSSIP_ALIVE);
        assert_null(net_get(&net, i, 3, "ghost"));
    }
}

static void two_hosts_of_one_name_alarm_all_once_and_one_falls_silent(void **state) {
    (void)state;
    net_init(&net, 9, 20);
    memset(alarms, 0, sizeof alarms);
    net.changed = note;
    for (uint32_t i = 0; i < 8; i++) {
        net_start(&net, i);
    }
    net_run(&net, 2 * NS_PER_S);
    net_start_as(&net, 8, 5); // n5 again, at another address
    net_run(&net, 3 * NS_PER_S);
    uint64_t settled = net.delivered;
    net_run(&net, NS_PER_S);
    print_message("%llu messages in the second after\n",
                  (unsigned long long)(net.delivered - settled));
    assert_true(net.delivered - settled < 9 * 8 * 25); // pings, no storm
    for (uint32_t i = 0; i < 9; i++) {
        assert_int_equal(alarms[i], 1);
    }
    struct gossip_member member;
    assert_true(gossip_find_member(net.hosts[0].core, "n5", &member));
    assert_true(member.incarnation <= 8);
    assert_int_equal(member.state, GOSSIP_ALIVE);
}

// A perturbation that only tests can make: parts lose their floor on the wire.
static bool forget_floor(void *context, struct net_message *message) {
    struct wire_envelope envelope;
    (void)context;
    if (wire_check(message->bytes, message->size, &envelope) != 0) {
        return true;
    }
    for (uint32_t i = 0; i < envelope.section_count; i++) {
        struct wire_section section;
        wire_next_section(&envelope.sections, &section);
        bool parts = section.kind == SECTION_PUSH || section.kind == SECTION_DATA;
        for (uint32_t k = 0; k < section.count && parts; k++) {
            struct wire_part part;
            wire_next_part(&section.items, &part);
            // Behind the name come incarnation, nonce, floor, from, ... as 1 to 5 byte numbers;
            // a floor of one byte can be overwritten in place.
            uint8_t *at = message->bytes + (part.records.at - message->bytes);
            struct mp_reader back;
            for (uint8_t *byte = at - 60 > message->bytes ? at - 60 : message->bytes; byte < at;
                 byte++) {
                mp_read_init(&back, byte, (size_t)(at - byte));
                struct mp_text name = mp_read_str(&back, 1, NAME_SIZE - 1);
                uint64_t incarnation = mp_read_uint(&back, UINT32_MAX);
                uint64_t nonce = mp_read_uint(&back, UINT32_MAX);
                if (!back.bad && name.size == strlen(part.origin) &&
                    memcmp(name.bytes, part.origin, name.size) == 0 &&
                    incarnation == part.life.incarnation && nonce == part.life.nonce &&
                    part.floor <= 0x7f) {
                    byte[back.at - byte] = 0;
                }
            }
        }
    }
    return true;
}

// Returns whether a host that was away while tombstones were collected still holds the deleted key.
static bool deleted_key_survives_collection(bool perturbed) {
    start_all(5, 21);
    net_put(&net, 1, "k", "v");
    net_put(&net, 1, "other", "v");
    net_run(&net, NS_PER_S);
    net_pause(&net, 4, true);
    net_delete(&net, 1, "k");
    net_run(&net, 601 * NS_PER_S);
    net_put(&net, 1, "later", "w");
    net_run(&net, 5 * NS_PER_S);
    net.tamper = perturbed ? forget_floor : NULL;
    // What waited in its socket is lost: only repair can tell it.
    for (uint32_t i = 0; i < net.hosts[4].waiting_count; i++) {
        net.hosts[4].waiting[i].size = 0;
    }
    net_pause(&net, 4, false);
    net_run(&net, 3 * NS_PER_S);
    assert_true(perturbed || net_get(&net, 4, 1, "later") != NULL);
    return net_get(&net, 4, 1, "k") != NULL;
}

static void a_deleted_key_does_not_survive_the_collection_of_its_tombstone(void **state) {
    (void)state;
    assert_false(deleted_key_survives_collection(false));
}

static void who_hides_a_floor_is_not_believed(void **state) {
    (void)state;
    struct gossip_stats stats;
    assert_true(deleted_key_survives_collection(true));
    gossip_stats(net.hosts[4].core, &stats);
    assert_true(stats.dropped_forged > 0);
    assert_null(net_get(&net, 4, 1, "later")); // an old state of n1, but one that was
    net.tamper = NULL;
    net_run(&net, 3 * NS_PER_S);
    assert_null(net_get(&net, 4, 1, "k"));
    assert_non_null(net_get(&net, 4, 1, "later"));
}

// ---- long absences

static uint64_t bytes_sent(void) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < net.count; i++) {
        struct gossip_stats stats;
        gossip_stats(net.hosts[i].core, &stats);
        bytes += stats.bytes_sent;
    }
    return bytes;
}

static uint32_t sleeper_sees_old;

static void note_what_the_sleeper_sees(void *context, uint32_t host,
                                       const struct gossip_change *change) {
    (void)context;
    // Every host writes numbers that only grow: a smaller one than before is a stale replay.
    static unsigned long newest[NET_HOSTS_MAX];
    if (host == UINT32_MAX) {
        memset(newest, 0, sizeof newest);
    } else if (host == 5 && change->kind == GOSSIP_RECORD && change->value != NULL) {
        unsigned long origin = strtoul(change->origin + 1, NULL, 10);
        unsigned long value = strtoul(change->value, NULL, 10);
        sleeper_sees_old += value < newest[origin];
        newest[origin] = value;
    }
}

static void write_everywhere(uint32_t from, uint32_t to, unsigned number) {
    char value[16];
    snprintf(value, sizeof value, "%u", number);
    for (uint32_t i = from; i < to; i++) {
        if (!net.hosts[i].paused) {
            net_put(&net, i, "n", value);
        }
    }
}

static bool all_hold_number(const struct gossip_net *n, const void *context) {
    const unsigned *number = context; // [origin]
    for (uint32_t i = 0; i < n->count; i++) {
        for (uint32_t j = 0; j < n->count; j++) {
            const char *value = net_get(n, i, j, "n");
            if (value == NULL || strtoul(value, NULL, 10) != number[j] ||
                net_state(n, i, j) != GOSSIP_ALIVE) {
                return false;
            }
        }
    }
    return true;
}

static void
who_was_stopped_for_30_seconds_catches_up_within_one_without_a_stale_replay(void **state) {
    (void)state;
    unsigned numbers[16];
    start_all(16, 23);
    write_everywhere(0, 16, 1);
    net_run(&net, NS_PER_S);
    sleeper_sees_old = 0;
    note_what_the_sleeper_sees(NULL, UINT32_MAX, NULL);
    net.changed = note_what_the_sleeper_sees;
    net_pause(&net, 5, true);
    uint64_t before = bytes_sent();
    for (unsigned number = 2; number < 302; number++) { // ten writes a second of each host
        write_everywhere(0, 16, number);
        net_run(&net, 100 * NS_PER_MS);
    }
    uint64_t during = bytes_sent() - before;
    for (uint32_t i = 0; i < 16; i++) {
        numbers[i] = i == 5 ? 1 : 301;
    }
    net_pause(&net, 5, false);
    uint64_t woken = net.now_ns;
    before = bytes_sent();
    assert_true(net_run_until(&net, NS_PER_S, all_hold_number, numbers));
    print_message("%.1f kB/s a host meanwhile; caught up after %.0f ms and %.1f kB\n",
                  (double)during / 30 / 16 / 1e3, (double)(net.now_ns - woken) / 1e6,
                  (double)(bytes_sent() - before) / 1e3);
    assert_true(bytes_sent() - before < 2000000); // states, not histories
    assert_int_equal(sleeper_sees_old, 0);
}

static void halves_that_both_wrote_for_five_minutes_agree_two_seconds_after(void **state) {
    (void)state;
    unsigned numbers[8];
    start_all(8, 24);
    net_split(&net, 4);
    for (unsigned number = 1; number <= 150; number++) {
        write_everywhere(0, 4, number);
        write_everywhere(4, 8, 1000 + number);
        net_run(&net, 2 * NS_PER_S);
    }
    assert_int_equal(net_state(&net, 0, 7), GOSSIP_DEAD);
    for (uint32_t i = 0; i < 8; i++) {
        numbers[i] = i < 4 ? 150 : 1150;
    }
    net_heal(&net);
    uint64_t healed = net.now_ns;
    assert_true(net_run_until(&net, 2 * NS_PER_S, all_hold_number, numbers));
    print_message("agreed after %.0f ms\n", (double)(net.now_ns - healed) / 1e6);
}

static void halves_that_one_direction_parted_for_a_minute_agree_two_seconds_after(void **state) {
    (void)state;
    unsigned numbers[8];
    start_all(8, 25);
    for (uint32_t a = 0; a < 4; a++) {
        for (uint32_t b = 4; b < 8; b++) {
            net.cut[a][b] = true; // the upper half hears nothing of the lower one
        }
    }
    for (unsigned number = 1; number <= 60; number++) {
        write_everywhere(0, 4, number);
        write_everywhere(4, 8, 1000 + number);
        net_run(&net, NS_PER_S);
    }
    for (uint32_t i = 0; i < 8; i++) {
        numbers[i] = i < 4 ? 60 : 1060;
    }
    net_heal(&net);
    uint64_t healed = net.now_ns;
    assert_true(net_run_until(&net, 2 * NS_PER_S, all_hold_number, numbers));
    print_message("agreed after %.0f ms\n", (double)(net.now_ns - healed) / 1e6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_last_of_64_hosts_gets_a_record_in_at_most_7_hops, fini),
        cmocka_unit_test_teardown(a_dead_host_among_64_is_known_to_all_within_500_ms, fini),
        cmocka_unit_test_teardown(of_two_hosts_one_suffices_to_find_the_other_dead, fini),
        cmocka_unit_test_teardown(six_of_eight_hosts_may_die_at_once, fini),
        cmocka_unit_test_teardown(a_deaf_host_kills_nobody_in_the_eyes_of_others, fini),
        cmocka_unit_test_teardown(who_loses_all_neighbours_at_once_holds_its_tongue_first, fini),
        cmocka_unit_test_teardown(a_pause_of_300_ms_is_no_death, fini),
        cmocka_unit_test_teardown(
            halves_that_were_apart_beyond_quarantine_meet_again_within_two_seconds, fini),
        cmocka_unit_test_teardown(a_late_healer_cannot_resurrect_who_was_quarantined, fini),
        cmocka_unit_test_teardown(a_host_that_lost_its_memory_is_not_what_others_remember_of_it,
                                  fini),
        cmocka_unit_test_teardown(two_hosts_of_one_name_alarm_all_once_and_one_falls_silent, fini),
        cmocka_unit_test_teardown(a_deleted_key_does_not_survive_the_collection_of_its_tombstone,
                                  fini),
        cmocka_unit_test_teardown(who_hides_a_floor_is_not_believed, fini),
        cmocka_unit_test_teardown(
            who_was_stopped_for_30_seconds_catches_up_within_one_without_a_stale_replay, fini),
        cmocka_unit_test_teardown(halves_that_both_wrote_for_five_minutes_agree_two_seconds_after,
                                  fini),
        cmocka_unit_test_teardown(
            halves_that_one_direction_parted_for_a_minute_agree_two_seconds_after, fini),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
