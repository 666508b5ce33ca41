// SPDX-License-Identifier: Apache-2.0
// Who may speak under a name: what a host does with lives of its own name that others prove or
// merely mention, and two hosts of one name until one of them is gone.
#include "gossip_forge.h"
#include "gossip_net.h"

static uint32_t own_incarnation(void) {
    struct gossip_member member;
    assert_true(gossip_find_member(core, "me", &member));
    return member.incarnation;
}

// ---- the first claim

static int init_later(void **state) {
    (void)state;
    return open_core((struct gossip_config){.last_incarnation = 41});
}

static void the_first_claim_is_above_the_last_life_that_was_kept(void **state) {
    (void)state;
    assert_int_equal(own_incarnation(), 42);
}

static void a_last_life_that_cannot_be_outbid_is_refused(void **state) {
    (void)state;
    struct gossip_config config = {.name = "a", .address = "mem://a"};
    struct gossip *out = NULL;
    struct error error;
    config.last_incarnation = INCARNATION_MAX - 1;
    assert_int_equal(gossip_open(&config, now_ns, &out, &error), -EINVAL);
    assert_null(out);
    config.last_incarnation = INCARNATION_MAX - 2;
    assert_int_equal(gossip_open(&config, now_ns, &out, &error), 0);
    gossip_close(out);
}

// ---- listening

static int init_listening(void **state) {
    (void)state;
    open_core((struct gossip_config){.nonce = 1});
    gossip_close(core); // the same, but just born
    static const char *const seeds[] = {"mem://y"};
    struct gossip_config config = {
        .name = "me", .address = "mem://me", .nonce = 1, .seeds = seeds, .seed_count = 1};
    struct error error;
    return gossip_open(&config, now_ns, &core, &error);
}

// y answers our digest: all buckets, with what it holds of our name.
static void answer_digest(uint32_t incarnation, uint64_t complete) {
    static const uint8_t all[BITMAP_BYTES];
    struct wire_have have = {.origin = "me", .life = {incarnation, 9}, .complete = complete};
    forget_message();
    mp_write_growing(&message);
    size_t open =
        wire_open_message(&message, GOSSIP_PROTOCOL_VERSION, "y", "mem://y", (struct life){1, 5});
    size_t haves = wire_open_buckets(&message, all, true);
    if (incarnation > 0) {
        wire_write_have(&message, &have);
    }
    wire_close_list(&message, haves, incarnation > 0 ? 1 : 0);
    wire_close_message(&message, open, 1);
    receive();
}

static void prove_of_me(uint32_t incarnation) {
    begin(SECTION_DATA, incarnation, 0, 0, 1);
    strcpy(part_head.origin, "me");
    add_self(1, false);
    deliver();
}

static void who_hears_of_an_earlier_life_waits_for_the_proof(void **state) {
    (void)state;
    answer_digest(7, 1);
    assert_int_equal(own_incarnation(), 0);
    prove_of_me(7);
    assert_int_equal(own_incarnation(), 8);
}

static void who_hears_of_none_claims_at_once(void **state) {
    (void)state;
    answer_digest(0, 0);
    assert_int_equal(own_incarnation(), 1);
}

static void a_proof_that_does_not_come_delays_the_claim_until_listening_is_over(void **state) {
    (void)state;
    answer_digest(INCARNATION_MAX, SEQ_MAX);
    run_ticks(200 * NS_PER_MS - 1);
    assert_int_equal(own_incarnation(), 0);
    run_ticks(1);
    assert_int_equal(own_incarnation(), 1);
}

// ---- two hosts of one name

static struct gossip_net net;

static int stop_net(void **state) {
    (void)state;
    net_fini(&net);
    return 0;
}

static bool is_told(uint32_t host) {
    struct gossip_member member;
    assert_true(gossip_find_member(net.hosts[host].core, "n5", &member));
    return member.incarnation > 0;
}

// Hosts 5 and 6 both call themselves n5; the one that fell silent is returned.
static uint32_t start_two_of_one_name(uint64_t seed, uint32_t *other) {
    net_init(&net, 7, seed);
    for (uint32_t i = 0; i < 6; i++) {
        net_start(&net, i);
    }
    net_run(&net, NS_PER_S);
    net_start_as(&net, 6, 5);
    net_run(&net, 4 * NS_PER_S);
    assert_int_not_equal(is_told(5), is_told(6));
    uint32_t silent = is_told(5) ? 6 : 5;
    *other = silent == 5 ? 6 : 5;
    return silent;
}

static bool all_reach_n5_at(uint32_t host) {
    for (uint32_t i = 0; i < 5; i++) {
        struct gossip_member member;
        if (!gossip_find_member(net.hosts[i].core, "n5", &member) || member.state != GOSSIP_ALIVE ||
            strcmp(member.address, net.hosts[host].address) != 0) {
            return false;
        }
    }
    return true;
}

static void whoever_fell_silent_speaks_again_when_the_other_is_dead(void **state) {
    (void)state;
    uint32_t other;
    uint32_t silent = start_two_of_one_name(1, &other);
    net_run(&net, 30 * NS_PER_S);
    assert_true(all_reach_n5_at(other)); // not before
    assert_false(is_told(silent));
    net_kill(&net, other);
    net_run(&net, 9 * NS_PER_S);
    assert_false(is_told(silent));
    net_run(&net, 6 * NS_PER_S);
    assert_true(is_told(silent));
    assert_true(all_reach_n5_at(silent));
}

static void whoever_fell_silent_speaks_again_when_the_other_left(void **state) {
    (void)state;
    uint32_t other;
    uint32_t silent = start_two_of_one_name(3, &other);
    net_leave(&net, other);
    net_run(&net, 9 * NS_PER_S);
    assert_false(is_told(silent));
    net_run(&net, 6 * NS_PER_S);
    assert_true(is_told(silent));
    assert_true(all_reach_n5_at(silent));
}

static void what_was_written_in_silence_is_told_then(void **state) {
    (void)state;
    uint32_t other;
    uint32_t silent = start_two_of_one_name(4, &other);
    net_put(&net, silent, "k", "v");
    net_put(&net, other, "gone", "v");
    net_run(&net, NS_PER_S);
    assert_null(net_get(&net, 0, 5, "k"));
    net_kill(&net, other);
    net_run(&net, 15 * NS_PER_S);
    assert_string_equal(net_get(&net, 0, 5, "k"), "v");
    assert_null(net_get(&net, 0, 5, "gone"));
}

#define NET(name) cmocka_unit_test_teardown(name, stop_net)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_claim_is_above_the_last_life_that_was_kept,
                                        init_later, fini),
        cmocka_unit_test(a_last_life_that_cannot_be_outbid_is_refused),
        cmocka_unit_test_setup_teardown(who_hears_of_an_earlier_life_waits_for_the_proof,
                                        init_listening, fini),
        cmocka_unit_test_setup_teardown(who_hears_of_none_claims_at_once, init_listening, fini),
        cmocka_unit_test_setup_teardown(
            a_proof_that_does_not_come_delays_the_claim_until_listening_is_over, init_listening,
            fini),
        NET(whoever_fell_silent_speaks_again_when_the_other_is_dead),
        NET(whoever_fell_silent_speaks_again_when_the_other_left),
        NET(what_was_written_in_silence_is_told_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
