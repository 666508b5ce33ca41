// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "model/rng.h"
#include "sha256.h"

static void a_seed_replays_its_numbers(void **state) {
    (void)state;
    struct rng a, b, c;
    rng_init(&a, 7);
    rng_init(&b, 7);
    rng_init(&c, 8);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t value = rng_next(&a);
        assert_int_equal(value, rng_next(&b));
        differs |= value != rng_next(&c);
    }
    assert_true(differs);
}

static void the_generator_is_xoshiro256_starstar(void **state) {
    (void)state;
    // The first outputs for the state 1, 2, 3, 4, as the reference code gives them.
    struct rng rng = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {
        11520,
        0,
        1509978240,
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(rng_next(&rng), expected[i]);
    }
}

static void draws_stay_below_their_bound_and_reach_all_of_it(void **state) {
    (void)state;
    struct rng rng;
    unsigned seen[7] = {0};
    rng_init(&rng, 1);
    for (int i = 0; i < 7000; i++) {
        uint64_t draw = rng_below(&rng, 7);
        assert_in_range(draw, 0, 6);
        seen[draw]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(seen[i], 850, 1150);
    }
    assert_int_equal(rng_below(&rng, 1), 0);
}

static void hashes_are_the_same_on_every_machine(void **state) {
    (void)state;
    assert_int_equal(hash_u64(0), UINT64_C(0xe220a8397b1dcdaf)); // SplitMix64 of seed 0
    assert_int_not_equal(hash_pair(1, 2), hash_pair(2, 1));
    assert_int_not_equal(hash_bytes("ab", 2, 0), hash_bytes("ab", 2, 1));
    assert_int_not_equal(hash_bytes("ab\0", 3, 0), hash_bytes("ab", 2, 0));
    const uint8_t bytes[] = {1, 0, 0, 0, 0, 0, 0, 0};
    assert_int_equal(hash_bytes(bytes, 8, 0), hash_u64(hash_u64(8) ^ 1));
}

static void expect_sha(const char *text, size_t times, const char *expected) {
    struct sha256 sha;
    uint8_t digest[32];
    char hex[65];
    sha256_init(&sha);
    for (size_t i = 0; i < times; i++) {
        sha256_update(&sha, text, strlen(text));
    }
    sha256_final(&sha, digest);
    for (unsigned i = 0; i < 32; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    hex[64] = '\0';
    assert_string_equal(hex, expected);
}

static void sha256_gives_the_standards_digests(void **state) {
    (void)state;
    expect_sha("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect_sha("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect_sha("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    expect_sha("aaaaaaaaaa", 100000,
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_replays_its_numbers),
        cmocka_unit_test(the_generator_is_xoshiro256_starstar),
        cmocka_unit_test(draws_stay_below_their_bound_and_reach_all_of_it),
        cmocka_unit_test(hashes_are_the_same_on_every_machine),
        cmocka_unit_test(sha256_gives_the_standards_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
