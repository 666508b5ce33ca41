// SPDX-License-Identifier: Apache-2.0
// Members with a valid key of their own that lie: about what others wrote, about who they are, and
// about when something was said. SEED= reruns the damage of one run.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gossip_zmq_intruder.h"
#include "model/rng.h"

#define HONEST 3
#define LIAR 3    // the index of the host that lies
#define KEPT 2000 // messages that are said again

static uint64_t base_seed(void) {
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20261121;
    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static void also_lie(struct fleet *fleet) {
    liar_turn(fleet->context);
}

// Three honest hosts and one that lies, but not yet.
static void start(struct fleet *fleet, struct liar *liar, const char *core_name) {
    fleet_start_all(fleet, HONEST);
    liar_open(liar, fleet, LIAR, core_name);
    fleet->also = also_lie;
    fleet->context = liar;
}

// Of all: before that it has little to say to anybody.
static bool liar_is_neighbour(struct fleet *fleet) {
    for (int i = 0; i < HONEST; i++) {
        struct gossip_member member;
        if (!gossip_find_member(fleet->hosts[i].core, fleet->hosts[LIAR].name, &member) ||
            member.state != GOSSIP_ALIVE || !member.neighbour) {
            return false;
        }
    }
    return true;
}

static void stop(struct fleet *fleet, struct liar *liar) {
    fleet->also = NULL;
    liar_close(liar);
}

static uint64_t sum_of(const struct fleet *fleet, size_t field) {
    uint64_t sum = 0;
    for (int i = 0; i < HONEST; i++) {
        struct gossip_stats stats = fleet_core_stats(fleet, i);
        uint64_t value;
        memcpy(&value, (const char *)&stats + field, sizeof value);
        sum += value;
    }
    return sum;
}
#define SUM(fleet, field) sum_of(fleet, offsetof(struct gossip_stats, field))

static void write_all(struct fleet *fleet, unsigned round) {
    char value[32];
    snprintf(value, sizeof value, "round %u", round);
    for (int i = 0; i < HONEST; i++) {
        fleet_put(fleet, i, "k", value);
    }
    WAIT_UNTIL(fleet, fleet_all_know(fleet, HONEST, "k", value));
}

static void assert_unharmed(struct fleet *fleet) {
    assert_responsive(fleet, HONEST);
    assert_true(fleet_all_joined(fleet, HONEST));
    for (int i = 0; i < HONEST; i++) {
        for (int other = 0; other < HONEST; other++) {
            struct gossip_member member;
            assert_true(
                gossip_find_member(fleet->hosts[i].core, fleet->hosts[other].name, &member));
            assert_int_equal(member.nonce / 1000, (uint32_t)other + 1); // nobody was made to outbid
        }
    }
}

// ---- flipped bits

static void flip_a_bit(struct liar *liar, int to, uint8_t *bytes, size_t size) {
    struct rng *rng = liar->lie_context;
    size_t at = rng_below(rng, size);
    uint8_t bit = (uint8_t)(1U << rng_below(rng, 8));
    bytes[at] ^= bit;
    liar_say(liar, to, bytes, size);
    bytes[at] ^= bit;
    liar_say(liar, to, bytes, size); // and then the truth, so that it stays a member
}

static void what_a_member_damages_is_neither_believed_nor_passed_on(void **state) {
    struct fleet *fleet = *state;
    struct liar liar;
    struct rng rng;
    rng_init(&rng, base_seed());
    start(fleet, &liar, NULL);
    WAIT_UNTIL(fleet, liar_is_neighbour(fleet));
    liar.lie = flip_a_bit;
    liar.lie_context = &rng;
    for (unsigned round = 0; round < 50; round++) {
        char value[32];
        snprintf(value, sizeof value, "lie %u", round);
        fleet_put(fleet, LIAR, "k", value);
        write_all(fleet, round);
    }
    WAIT_UNTIL(fleet, SUM(fleet, dropped_malformed) > 10 && SUM(fleet, dropped_forged) > 10);
    // Each has what its owner wrote, the liar included, and nothing else.
    WAIT_UNTIL(fleet, fleet_knows(fleet, 0, LIAR, "k", "lie 49"));
    for (int i = 0; i < HONEST; i++) {
        for (int origin = 0; origin < HONEST; origin++) {
            assert_true(i == origin || fleet_knows(fleet, i, origin, "k", "round 49"));
        }
    }
    assert_unharmed(fleet);
    stop(fleet, &liar);
}

// ---- said again

struct kept {
    uint8_t *bytes[KEPT];
    size_t sizes[KEPT];
    unsigned count;
};

static void keep(struct liar *liar, int to, uint8_t *bytes, size_t size) {
    struct kept *kept = liar->lie_context;
    liar_say(liar, to, bytes, size);
    if (kept->count < KEPT) {
        kept->bytes[kept->count] = malloc(size);
        memcpy(kept->bytes[kept->count], bytes, size);
        kept->sizes[kept->count++] = size;
    }
}

static void what_was_true_once_is_not_believed_again(void **state) {
    struct fleet *fleet = *state;
    struct liar liar;
    struct kept kept = {.count = 0};
    start(fleet, &liar, NULL);
    liar.lie = keep;
    liar.lie_context = &kept;
    WAIT_UNTIL(fleet, liar_is_neighbour(fleet));
    for (unsigned round = 0; round < 20; round++) {
        write_all(fleet, round);
    }
    int rc = gossip_delete(fleet->hosts[1].core, fleet_now(), GOSSIP_TABLE_HOST, "k");
    assert_int_equal(rc, 0);
    WAIT_UNTIL(fleet, !fleet_knows(fleet, 0, 1, "k", "round 19"));
    assert_true(kept.count > 50);
    liar.lie = NULL;
    for (int again = 0; again < 3; again++) {
        for (unsigned i = 0; i < kept.count; i++) {
            for (int to = 0; to < HONEST; to++) {
                liar_say(&liar, to, kept.bytes[i], kept.sizes[i]);
            }
            fleet_turn(fleet);
        }
    }
    size_t size;
    assert_null(gossip_find(fleet->hosts[0].core, "h1", GOSSIP_TABLE_HOST, "k", &size));
    assert_true(fleet_knows(fleet, 1, 0, "k", "round 19"));
    assert_unharmed(fleet);
    stop(fleet, &liar);
    for (unsigned i = 0; i < kept.count; i++) {
        free(kept.bytes[i]);
    }
}

// ---- under another's name

static void nobody_speaks_under_the_name_of_another(void **state) {
    struct fleet *fleet = *state;
    struct liar liar;
    start(fleet, &liar, "h1"); // with the CURVE key of h3
    WAIT_UNTIL(fleet, SUM(fleet, dropped_foreign) > 10);
    assert_unharmed(fleet);
    struct gossip_member member;
    assert_false(gossip_find_member(fleet->hosts[0].core, "h3", &member));
    stop(fleet, &liar);
}

// The envelope names the liar, so the carrier's check finds nothing; what it carries says that h1
// wrote it, and is signed with the liar's own key.
static void change_the_envelope(struct liar *liar, int to, uint8_t *bytes, size_t size) {
    for (size_t i = 0; i + 2 <= size; i++) {
        if (memcmp(bytes + i, "h1", 2) == 0) {
            memcpy(bytes + i, "h3", 2);
            break;
        }
    }
    liar_say(liar, to, bytes, size);
}

static void nobody_writes_in_the_name_of_another(void **state) {
    struct fleet *fleet = *state;
    struct liar liar;
    start(fleet, &liar, "h1");
    liar.lie = change_the_envelope;
    // The part names the key that signed it: not one of h1's.
    WAIT_UNTIL(fleet, (fleet_put(fleet, LIAR, "k", "forged"),
                       SUM(fleet, dropped_forged) + SUM(fleet, dropped_unknown_key) > 3));
    for (int i = 0; i < HONEST; i++) {
        assert_false(fleet_knows(fleet, i, 1, "k", "forged"));
    }
    assert_unharmed(fleet);
    stop(fleet, &liar);
}

// ---- keys change

static void a_host_whose_key_is_removed_is_heard_no_more(void **state) {
    struct fleet *fleet = *state;
    struct liar liar;
    start(fleet, &liar, NULL);
    for (int i = 0; i < HONEST; i++) {
        WAIT_UNTIL(fleet, fleet_state_of(fleet, i, LIAR) == GOSSIP_ALIVE);
    }
    fleet->keys[LIAR] = fleet->keys[HOSTS_MAX - 1]; // its line is gone
    fleet->list.count = HOSTS_MAX - 1;
    for (int i = 0; i < HONEST; i++) {
        fleet_reload(fleet, i);
    }
    WAIT_UNTIL(fleet, fleet_carrier_stats(fleet, 0).denied_keys > 0);
    WAIT_UNTIL(fleet, fleet_state_of(fleet, 0, LIAR) != GOSSIP_ALIVE);
    assert_unharmed(fleet);
    stop(fleet, &liar);
}

int main(void) {
    fleet_need_descriptors();
    const struct CMUnitTest tests[] = {
        CASE(what_a_member_damages_is_neither_believed_nor_passed_on),
        CASE(what_was_true_once_is_not_believed_again),
        CASE(nobody_speaks_under_the_name_of_another),
        CASE(nobody_writes_in_the_name_of_another),
        CASE(a_host_whose_key_is_removed_is_heard_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
