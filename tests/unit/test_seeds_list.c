// SPDX-License-Identifier: Apache-2.0
// Lists of seeds, and what Endpoints and EndpointSlices say.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kube_endpoints.h"
#include "seeds_list.h"

#include <cmocka.h>

static struct seeds_list list, known;

static int fini(void **state) {
    (void)state;
    seeds_list_fini(&list);
    seeds_list_fini(&known);
    return 0;
}

static void add(struct seeds_list *to, const char *text) {
    char copy[256];
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        assert_int_equal(seeds_list_add(to, word), 0);
    }
}

static void expect(const struct seeds_list *of, const char *text) {
    char held[1024] = "";
    for (uint32_t i = 0; i < of->count; i++) {
        snprintf(held + strlen(held), sizeof(held) - strlen(held), "%s%s", i > 0 ? " " : "",
                 of->addresses[i]);
    }
    assert_string_equal(held, text);
}

static void sorting_leaves_each_once(void **state) {
    (void)state;
    seeds_list_sort(&list);
    expect(&list, "");
    add(&list, "c a b a c c");
    seeds_list_sort(&list);
    expect(&list, "a b c");
}

static void what_is_removed_is_gone(void **state) {
    (void)state;
    add(&list, "a b c d");
    add(&known, "a d e");
    seeds_list_remove(&list, &known);
    expect(&list, "b c");
    seeds_list_remove(&list, &(struct seeds_list){0});
    expect(&list, "b c");
}

static void those_that_are_no_members_come_first(void **state) {
    (void)state;
    const char *chosen[3];
    uint32_t unknown, counts[26] = {0};
    struct rng rng;
    rng_init(&rng, 7);
    add(&list, "a b c d e f");
    add(&known, "a b e f");
    for (unsigned round = 0; round < 400; round++) {
        assert_int_equal(seeds_list_choose(&list, &known, &rng, chosen, 3, &unknown), 3);
        assert_int_equal(unknown, 2);
        bool both = (chosen[0][0] == 'c' && chosen[1][0] == 'd') ||
                    (chosen[0][0] == 'd' && chosen[1][0] == 'c');
        assert_true(both);
        counts[chosen[2][0] - 'a']++;
    }
    // Each of the others in turn, by chance: 100 each, sigma 8.7.
    for (const char *other = "abef"; *other != '\0'; other++) {
        assert_in_range(counts[*other - 'a'], 55, 145);
    }
    assert_int_equal(seeds_list_choose(&list, &list, &rng, chosen, 3, &unknown), 3);
}

static void of_too_many_strangers_each_is_tried_at_some_time(void **state) {
    (void)state;
    const char *chosen[2];
    bool tried[26] = {false};
    uint32_t unknown;
    struct rng rng;
    rng_init(&rng, 8);
    add(&list, "a b c d e f");
    for (unsigned round = 0; round < 60; round++) {
        assert_int_equal(seeds_list_choose(&list, &known, &rng, chosen, 2, &unknown), 2);
        assert_int_equal(unknown, 6);
        tried[chosen[0][0] - 'a'] = tried[chosen[1][0] - 'a'] = true;
    }
    for (unsigned i = 0; i < 6; i++) {
        assert_true(tried[i]);
    }
}

static void addresses_are_written_with_their_port(void **state) {
    (void)state;
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr local = {.sa_family = AF_UNIX};
    assert_int_equal(seeds_list_add_ip(&list, (struct sockaddr *)&ipv6, 7946), 0);
    assert_int_equal(seeds_list_add_ip(&list, (struct sockaddr *)&ipv4, 1), 0);
    assert_int_equal(seeds_list_add_ip(&list, &local, 1), 0);
    expect(&list, "tcp://[::1]:7946 tcp://127.0.0.1:1");
}

static void read_json(const char *text) {
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    seeds_list_fini(&list);
    assert_int_equal(kube_endpoints_read(json, "gossip", &list), 0);
    json_decref(json);
}

static void slices_give_the_addresses_of_the_port_with_the_name(void **state) {
    (void)state;
    read_json("{\"addressType\": \"IPv4\", \"ports\": [{\"name\": \"metrics\", \"port\": 1}, "
              "{\"name\": \"gossip\", \"port\": 2}], \"endpoints\": [{\"addresses\": "
              "[\"10.0.0.2\"], \"conditions\": {\"ready\": false}}, {\"addresses\": "
              "[\"10.0.0.1\"]}]}");
    expect(&list, "tcp://10.0.0.1:2 tcp://10.0.0.2:2");
    read_json("{\"ports\": [{\"name\": \"metrics\", \"port\": 1}], \"endpoints\": "
              "[{\"addresses\": [\"10.0.0.2\"]}]}");
    expect(&list, "");
    // The only port of a Service may be without a name.
    read_json("{\"ports\": [{\"port\": 7}], \"endpoints\": [{\"addresses\": [\"fd00:0::2\"]}]}");
    expect(&list, "tcp://[fd00::2]:7");
}

static void endpoints_give_those_that_are_not_ready_too(void **state) {
    (void)state;
    read_json("{\"subsets\": [{\"addresses\": [{\"ip\": \"10.0.0.1\"}], \"notReadyAddresses\": "
              "[{\"ip\": \"10.0.0.3\"}], \"ports\": [{\"name\": \"gossip\", \"port\": 7946}]}, "
              "{\"addresses\": [{\"ip\": \"10.0.0.2\"}], \"ports\": [{\"port\": 2}]}]}");
    expect(&list, "tcp://10.0.0.1:7946 tcp://10.0.0.2:2 tcp://10.0.0.3:7946");
}

static void what_is_no_address_or_port_is_left_out(void **state) {
    (void)state;
    read_json("{\"ports\": [{\"name\": \"gossip\", \"port\": 65536}, {\"name\": \"gossip\", "
              "\"port\": \"7\"}, {\"name\": \"gossip\"}, 5, {\"name\": \"gossip\", \"port\": "
              "65535}], \"endpoints\": [{\"addresses\": [\"a.example\", \"10.0.0\", 7, null, "
              "\"10.0.0.9\"]}, {}, 4]}");
    expect(&list, "tcp://10.0.0.9:65535");
    read_json("{\"subsets\": 5, \"endpoints\": {\"addresses\": []}}");
    expect(&list, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(sorting_leaves_each_once, fini),
        cmocka_unit_test_teardown(what_is_removed_is_gone, fini),
        cmocka_unit_test_teardown(those_that_are_no_members_come_first, fini),
        cmocka_unit_test_teardown(of_too_many_strangers_each_is_tried_at_some_time, fini),
        cmocka_unit_test_teardown(addresses_are_written_with_their_port, fini),
        cmocka_unit_test_teardown(slices_give_the_addresses_of_the_port_with_the_name, fini),
        cmocka_unit_test_teardown(endpoints_give_those_that_are_not_ready_too, fini),
        cmocka_unit_test_teardown(what_is_no_address_or_port_is_left_out, fini),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
