// SPDX-License-Identifier: Apache-2.0
// Who may connect, and whom the carrier connects to.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gossip_zmq_bed.h"

static int set_keys(struct bed *bed, int index, const struct curve_keys *fleet,
                    struct error *error) {
    const struct host *host = &bed->hosts[index];
    return gossip_zmq_set_keys(host->carrier, bed_now(), host->secret_key, fleet, error);
}

static void a_client_without_curve_is_refused_and_counted(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, false);
    bed_connect_neighbours(bed, 1, 0);
    WAIT_UNTIL(bed, bed_stats_of(bed, 0).handshake_failed >= 1);
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "let me in", 9);
    WAIT_UNTIL(bed, bed_stats_of(bed, 0).handshake_failed >= 2); // it tries again, and fails again
    assert_int_equal(bed->hosts[0].core->received, 0);
    assert_int_equal(bed->hosts[1].core->connected, 0);
    assert_int_equal(bed->hosts[1].core->lost, 0); // never connected, so never lost
}

static void a_client_that_expects_another_server_key_does_not_connect(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, true);
    memcpy(bed->keys[0].public_key, bed->hosts[2].public_key, CURVE_KEY_TEXT_SIZE);
    bed->fleet.count = 2;
    bed_open_host(bed, 1, true);
    bed_connect_neighbours(bed, 1, 0);
    WAIT_UNTIL(bed, bed_stats_of(bed, 0).handshake_failed >= 1);
    assert_int_equal(bed->hosts[1].core->connected, 0);
    assert_int_equal(bed->hosts[1].core->lost, 0); // never connected, so never lost
}

static void a_key_that_is_not_in_the_list_is_denied_and_the_agent_stays_responsive(void **state) {
    struct bed *bed = *state;
    bed->fleet.count = 2; // host 0 knows hosts 0 and 1
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    bed->fleet.count = HOSTS_MAX;
    bed_open_host(bed, 2, true);
    bed_connect_neighbours(bed, 2, 0);
    WAIT_UNTIL(bed, bed_stats_of(bed, 0).denied_keys >= 2); // tried again after the first refusal
    char address[64];                                       // in tcp://ADDRESS:PORT
    snprintf(address, sizeof address, "//%s:", gossip_zmq_denied_address(bed->hosts[0].carrier));
    assert_non_null(strstr(bed->hosts[2].address, address));
    assert_string_equal(gossip_zmq_denied_address(bed->hosts[1].carrier), "");
    assert_int_equal(bed->hosts[2].core->connected, 0);
    assert_int_equal(bed->hosts[2].core->lost, 0); // never connected, so never lost
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "hello", 5);
    WAIT_UNTIL(bed, bed->hosts[0].core->received == 1);
    assert_memory_equal(bed->hosts[0].core->last, "hello", 5);
}

static void a_removed_key_is_denied_on_a_connection_that_already_stands(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    bed_connect_neighbours(bed, 1, 0);
    bed_connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[1].core->connected == 1 && bed->hosts[0].core->connected == 1);
    struct curve_keys without = {.keys = bed->keys, .count = 1};
    struct error error = {0};
    assert_int_equal(set_keys(bed, 0, &without, &error), 0);
    assert_int_equal(bed->hosts[0].core->lost, 1); // our side of it is closed at once
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "still me", 8);
    WAIT_UNTIL(bed, bed_stats_of(bed, 0).denied_keys == 1);
    assert_int_equal(bed->hosts[0].core->received, 0);
}

static void a_host_changes_its_key_while_old_and_new_are_allowed(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    bed_connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    struct curve_key *extra = &bed->keys[HOSTS_MAX]; // a second line for h1
    *extra = bed->keys[1];
    memcpy(extra->public_key, bed->hosts[3].public_key, sizeof extra->public_key);
    bed->keys[3] = bed->keys[2]; // h3 is not there: its pair is the new one of h1
    bed->fleet.count = HOSTS_MAX + 1;
    struct error error = {0};
    assert_int_equal(set_keys(bed, 0, &bed->fleet, &error), 0);
    assert_int_equal(bed->hosts[0].core->lost, 0); // the old key still holds
    bed_close_host(bed, 1);
    memcpy(bed->hosts[1].public_key, bed->hosts[3].public_key, CURVE_KEY_TEXT_SIZE);
    memcpy(bed->hosts[1].secret_key, bed->hosts[3].secret_key, CURVE_KEY_TEXT_SIZE);
    bed_open_host(bed, 1, true);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 2);
    bed_connect_neighbours(bed, 1, 0);
    WAIT_UNTIL(bed, bed->hosts[1].core->connected == 1);
}

static void a_bad_key_in_a_new_list_is_named_and_changes_nothing(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    struct curve_key bad[2] = {bed->keys[0], {.host = "h9", .public_key = "too short"}};
    struct curve_keys list = {.keys = bad, .count = 2};
    struct error error = {0};
    assert_int_equal(set_keys(bed, 0, &list, &error), -EINVAL);
    assert_non_null(strstr(error.text, "h9"));
    bad[1] = bed->keys[0];
    snprintf(bad[1].host, sizeof bad[1].host, "h9");
    assert_int_equal(set_keys(bed, 0, &list, &error), -EINVAL);
    assert_non_null(strstr(error.text, "the same key"));
    bed_connect_neighbours(bed, 1, 0);
    WAIT_UNTIL(bed, bed->hosts[1].core->connected == 1);
}

static void the_key_of_a_member_is_found_by_the_name_it_gave_itself(void **state) {
    struct bed *bed = *state;
    bed->keys[1].address[0] = '\0';
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "who are you", 11);
    WAIT_UNTIL(bed, bed_stats_of(bed, 0).unreachable == 1); // nothing known of this address
    struct gossip *core = bed->hosts[0].core;
    core->members[0] = (struct gossip_member){.name = "h1",
                                              .address = bed->hosts[1].address,
                                              .state = GOSSIP_ALIVE};
    core->member_count = 1;
    bed_connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, core->connected == 1);
}

static void the_key_of_a_joiner_is_the_one_that_it_spoke_with(void **state) {
    struct bed *bed = *state;
    bed->keys[1].address[0] = '\0'; // host 0 knows nothing of host 1, which knows its seed
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    bed_connect_neighbours(bed, 0, 1);
    bed_turn(bed);
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "join", 4);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "welcome", 7);
    WAIT_UNTIL(bed, bed->hosts[1].core->received == 1);
}

static void a_shared_key_serves_every_host(void **state) {
    struct bed *bed = *state;
    for (int i = 0; i < 2; i++) {
        memcpy(bed->hosts[i].public_key, bed->hosts[3].public_key, CURVE_KEY_TEXT_SIZE);
        memcpy(bed->hosts[i].secret_key, bed->hosts[3].secret_key, CURVE_KEY_TEXT_SIZE);
    }
    bed->keys[0] = (struct curve_key){.host = "*"};
    memcpy(bed->keys[0].public_key, bed->hosts[3].public_key, CURVE_KEY_TEXT_SIZE);
    bed->fleet.count = 1;
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    bed_connect_neighbours(bed, 0, 1);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1);
}

static void what_a_host_says_is_said_in_its_own_name(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "I am h0", 7);
    WAIT_UNTIL(bed, bed->hosts[0].core->received == 1);
    assert_string_equal(bed->hosts[0].core->last_sender, "h1");
}

static void what_is_said_with_the_shared_key_or_without_any_is_said_by_nobody(void **state) {
    struct bed *bed = *state;
    snprintf(bed->keys[1].host, sizeof bed->keys[1].host, "*");
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    snprintf(bed->hosts[0].core->last_sender, NAME_SIZE, "nothing yet");
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "I am h0", 7);
    WAIT_UNTIL(bed, bed->hosts[0].core->received == 1);
    assert_string_equal(bed->hosts[0].core->last_sender, "");
    bed_open_host(bed, 2, false);
    bed_open_host(bed, 3, false);
    snprintf(bed->hosts[2].core->last_sender, NAME_SIZE, "nothing yet");
    fake_say(bed->hosts[3].core, bed->hosts[2].address, "I am h0", 7);
    WAIT_UNTIL(bed, bed->hosts[2].core->received == 1);
    assert_string_equal(bed->hosts[2].core->last_sender, "");
}

// h1 gets the pair of h3 while all run; both its lines are in the list.
static void a_host_changes_its_own_key_without_being_started_anew(void **state) {
    struct bed *bed = *state;
    bed->keys[HOSTS_MAX] = bed->keys[1];
    memcpy(bed->keys[HOSTS_MAX].public_key, bed->hosts[3].public_key, CURVE_KEY_TEXT_SIZE);
    bed->keys[3] = bed->keys[2];
    bed->fleet.count = HOSTS_MAX + 1;
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    bed_connect_neighbours(bed, 0, 1);
    bed_connect_neighbours(bed, 1, 0);
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 1 && bed->hosts[1].core->connected == 1);
    memcpy(bed->hosts[1].secret_key, bed->hosts[3].secret_key, CURVE_KEY_TEXT_SIZE);
    struct error error = {0};
    uint64_t at_ns = bed_now();
    assert_int_equal(set_keys(bed, 1, &bed->fleet, &error), 0);
    WAIT_UNTIL(bed, bed->hosts[1].core->connected == 2);
    assert_int_equal(bed->hosts[1].core->lost, 0); // it let go by itself
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "new", 3);
    WAIT_UNTIL(bed, bed->hosts[0].core->received == 1);
    assert_string_equal(bed->hosts[0].core->last_sender, "h1");
    WAIT_UNTIL(bed, bed->hosts[0].core->connected == 2);
    printf("connected again after %llu ms\n",
           (unsigned long long)((bed_now() - at_ns) / NS_PER_MS));
    // Now the old line goes, and nobody notices.
    bed->keys[1] = bed->keys[HOSTS_MAX];
    bed->fleet.count = HOSTS_MAX;
    assert_int_equal(set_keys(bed, 0, &bed->fleet, &error), 0);
    assert_int_equal(set_keys(bed, 1, &bed->fleet, &error), 0);
    fake_say(bed->hosts[0].core, bed->hosts[1].address, "still", 5);
    fake_say(bed->hosts[1].core, bed->hosts[0].address, "here", 4);
    WAIT_UNTIL(bed, bed->hosts[0].core->received == 2 && bed->hosts[1].core->received == 1);
    assert_int_equal(bed->hosts[0].core->lost, 1); // the change itself
    assert_int_equal(bed->hosts[1].core->lost, 0);
}

static void a_secret_that_is_no_key_changes_nothing(void **state) {
    struct bed *bed = *state;
    bed_open_host(bed, 0, true);
    bed_open_host(bed, 1, true);
    struct error error = {0};
    int rc = gossip_zmq_set_keys(bed->hosts[0].carrier, bed_now(), "short", &bed->fleet, &error);
    assert_int_equal(rc, -EINVAL);
    bed_connect_neighbours(bed, 1, 0);
    WAIT_UNTIL(bed, bed->hosts[1].core->connected == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_client_without_curve_is_refused_and_counted),
        CASE(a_client_that_expects_another_server_key_does_not_connect),
        CASE(a_key_that_is_not_in_the_list_is_denied_and_the_agent_stays_responsive),
        CASE(a_removed_key_is_denied_on_a_connection_that_already_stands),
        CASE(a_host_changes_its_key_while_old_and_new_are_allowed),
        CASE(a_bad_key_in_a_new_list_is_named_and_changes_nothing),
        CASE(the_key_of_a_member_is_found_by_the_name_it_gave_itself),
        CASE(the_key_of_a_joiner_is_the_one_that_it_spoke_with),
        CASE(a_shared_key_serves_every_host),
        CASE(what_a_host_says_is_said_in_its_own_name),
        CASE(what_is_said_with_the_shared_key_or_without_any_is_said_by_nobody),
        CASE(a_host_changes_its_own_key_without_being_started_anew),
        CASE(a_secret_that_is_no_key_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
