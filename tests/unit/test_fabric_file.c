// SPDX-License-Identifier: Apache-2.0
// fabric_open's checks and the file reader, tested through files, because that is where the lines
// come from.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fabric_fixture.h"
#include "model_yaml/fabric_file.h"

#define HEAD "version: 1\ngeneration: 1\nname: t\nblock: fcbb:bb00::/32\n"
#define CLOS(numbers) HEAD "clos: {" numbers ", host_gbps: 1, fabric_gbps: 1}\n"

static struct fabric *parse_good(const char *text) {
    struct fabric *fabric = NULL;
    assert_int_equal(fabric_file_parse("f", text, strlen(text), complain_aloud, NULL, &fabric), 0);
    return fabric;
}

static void expect(const char *text, const char *const *errors) {
    struct collected got = {0};
    struct fabric *fabric = (void *)&got;
    assert_int_equal(fabric_file_parse("f", text, strlen(text), collect, &got, &fabric), -EINVAL);
    assert_ptr_equal(fabric, &got); // untouched
    unsigned i = 0;
    for (; errors[i] != NULL && i < got.count; i++) {
        assert_string_equal(got.text[i], errors[i]);
    }
    if (i < got.count || errors[i] != NULL) {
        fail_msg("%u errors, then %s", got.count, i < got.count ? got.text[i] : errors[i]);
    }
}
#define EXPECT(text, ...) expect(text, (const char *const[]){__VA_ARGS__, NULL})

static void the_header_is_checked_as_a_whole(void **state) {
    (void)state;
    EXPECT("version: 2\ngeneration: 0\nname: a b\nblock: fcbb:bb00::/48\nipv4_base: 10.0.0.1\n"
           "ipv6_base: \"fd64::1\"\nclos: {kind: mesh, hosts_per_leaf: 1, host_gbps: 1, "
           "fabric_gbps: 1}\n",
           "f:1: version 2: this program reads version 1",
           "f:2: generation 0: generations count from 1",
           "f:3: name a b: letters, digits, - and _, at most 31",
           "f:4: block fcbb:bb00::/48: not a /32 prefix such as fcbb:bb00::/32",
           "f:5: ipv4_base 10.0.0.1: not the first address of a /30",
           "f:6: ipv6_base fd64::1: not the first address of a /112",
           "f:7: clos: kind mesh: unknown; known are leaf-spine, three-tier, rail-optimized, "
           "dual-plane");
}

static void the_numbers_of_a_clos_are_checked_as_a_whole(void **state) {
    (void)state;
    EXPECT(CLOS("kind: leaf-spine, leaves: 4, hosts_per_leaf: 2, pods: 2, ports_per_host: 3, "
                "cables: 65"),
           "f:5: clos: spines: at least 1 needed for leaf-spine",
           "f:5: clos: pods: does not belong to leaf-spine",
           "f:5: clos: leaves 4: no multiple of ports_per_host 3",
           "f:5: clos: cables 65: at most 64 in parallel");
    EXPECT(CLOS("kind: three-tier, pods: 1, leaves_per_pod: 1, aggs_per_pod: 2, cores: 3, "
                "hosts_per_leaf: 1"),
           "f:5: clos: cores 3: no multiple of aggs_per_pod 2");
    EXPECT(CLOS("kind: leaf-spine, leaves: 34, spines: 1, hosts_per_leaf: 1, ports_per_host: 17"),
           "f:5: clos: ports_per_host 17: at most 16");
    EXPECT(CLOS("kind: leaf-spine, leaves: 10000, spines: 1000, hosts_per_leaf: 1"),
           "f:5: clos: 10010000 cables, at most 2000000");
    EXPECT(CLOS("kind: rail-optimized, rails: 17, groups: 2, leaves: 4, hosts_per_leaf: 1, "
                "ports_per_host: 2, spines: 1"),
           "f:5: clos: leaves: does not belong to rail-optimized",
           "f:5: clos: hosts_per_group: at least 1 needed for rail-optimized",
           "f:5: clos: hosts_per_leaf: does not belong to rail-optimized",
           "f:5: clos: ports_per_host: does not belong to rail-optimized",
           "f:5: clos: rails 17: at most 16");
    EXPECT(CLOS("kind: dual-plane, leaves: 4, ports_per_host: 2, rails: 2, spines: 1"),
           "f:5: clos: rails: does not belong to dual-plane",
           "f:5: clos: hosts_per_leaf: at least 1 needed for dual-plane",
           "f:5: clos: ports_per_host: does not belong to dual-plane");
    EXPECT(CLOS("kind: rail-optimized, rails: 16, groups: 4294967295, hosts_per_group: 4294967295, "
                "spines: 4294967295"),
           "f:5: clos: 9223372109869219822 node uSIDs needed, a block has 57343");
}

static void a_block_holds_57343_nodes_and_not_one_more(void **state) {
    (void)state;
    struct fabric *fabric =
        parse_good(CLOS("kind: leaf-spine, leaves: 16, spines: 15, hosts_per_leaf: 3582"));
    assert_int_equal(fabric->ports[57311].usid, USID_NODE_MAX);
    fabric_close(fabric);
    EXPECT(CLOS("kind: leaf-spine, leaves: 16, spines: 16, hosts_per_leaf: 3582"),
           "f:5: clos: 57344 node uSIDs needed, a block has 57343");
    EXPECT(CLOS("kind: leaf-spine, leaves: 1, spines: 1, hosts_per_leaf: 8192"),
           "f: leaf0: 8193 cables, a switch has 8192 uAs");
    EXPECT(CLOS("kind: leaf-spine, leaves: 70000, spines: 1, hosts_per_leaf: 1"),
           "f:5: clos: 140001 node uSIDs needed, a block has 57343");
}

static void nodes_and_links_are_checked_as_a_whole(void **state) {
    (void)state;
    EXPECT(HEAD "nodes:\n"
                "  - {name: h0, kind: host}\n"
                "  - {name: h0, kind: host}\n"
                "  - {name: a.b, kind: leaf}\n"
                "  - {name: leaf0, kind: leaf, usid: 0xe000}\n"
                "  - {name: spine0, kind: spine, usid: 7}\n"
                "  - {name: spine1, kind: spine, usid: 7}\n"
                "links:\n"
                "  - {a: h0, b: leaf0, gbps: -1}\n"
                "  - {a: leaf0, b: spine9, gbps: 1}\n"
                "  - {a: h0, b: spine0, gbps: 1}\n"
                "  - {a: leaf0, b: spine0, gbps: 1, cables: 65}\n"
                "  - {a: leaf0, b: spine1, gbps: 1}\n"
                "  - {a: spine1, b: leaf0, gbps: 1}\n"
                "overrides:\n"
                "  - {link: leaf0-spine7, capacity: 0.5}\n"
                "  - {link: h0-leaf0, capacity: 1.5}\n",
           "f:7: h0: duplicate name", "f:8: a.b: bad name: letters, digits, - and _, at most 31",
           "f:9: leaf0: uSID 0xe000: 0x0001 to 0xdfff",
           "f:11: spine1: uSID 0x0007: already that of spine0",
           "f:13: gbps -1: above 0, at most 1e+06", "f:14: leaf0: link to unknown node spine9",
           "f:15: h0: link to spine0: a link joins host and leaf, leaf and spine or agg, agg and "
           "core",
           "f:16: leaf0-spine0: 65 cables: 1 to 64",
           "f:18: leaf0-spine1: listed twice; parallel cables are one link with cables: N",
           "f:20: override of unknown link leaf0-spine7", "f:21: h0-leaf0: capacity 1.5: 0 to 1");
}

#define TWO_LEAVES                                                                                 \
    HEAD "nodes:\n"                                                                                \
         "  - {name: h0, kind: host}\n"                                                            \
         "  - {name: h1, kind: host}\n"                                                            \
         "  - {name: leaf0, kind: leaf}\n"                                                         \
         "  - {name: leaf1, kind: leaf}\n"                                                         \
         "  - {name: spine0, kind: spine}\n"                                                       \
         "links:\n"                                                                                \
         "  - {a: h0, b: leaf0, gbps: 1, ipv4: 10.0.0.2}\n"                                        \
         "  - {a: leaf0, b: spine0, gbps: 1}\n"

static void unreachable_hosts_are_named(void **state) {
    (void)state;
    EXPECT(TWO_LEAVES "  - {a: h1, b: leaf1, gbps: 1}\n",
           "f:6: h0: no path up and down to h1 (unreachable hosts: 1)",
           "f:7: h1: no path up and down to h0 (unreachable hosts: 1)");
    EXPECT(TWO_LEAVES, "f:7: h1: no link to a leaf");
    EXPECT(CLOS("kind: leaf-spine, leaves: 2, spines: 1, hosts_per_leaf: 1") "overrides:\n  - "
                                                                             "{link: leaf0>spine0, "
                                                                             "capacity: 0}\n",
           "f:5: h0: no path up and down to h1 (unreachable hosts: 1)");
}

static void addresses_are_unique_and_well_formed(void **state) {
    (void)state;
    EXPECT(TWO_LEAVES "  - {a: h1, b: leaf1, gbps: 1, ipv4: 10.0.0.2}\n"
                      "  - {a: leaf1, b: spine0, gbps: 1}\n",
           "f:14: h1: ipv4: already that of h0");
    EXPECT(TWO_LEAVES "  - {a: h1, b: leaf1, gbps: 1, ipv4: 10.0.0.3, ipv6: \"fd::3\"}\n"
                      "  - {a: leaf1, b: spine0, gbps: 1}\n",
           "f:14: ipv4 10.0.0.3: not the second address of a /30 (the first is the leaf's)",
           "f:14: ipv6 fd::3: not address 2 of a /112 (1 is the leaf's)");
}

static void names_of_links_are_unambiguous(void **state) {
    (void)state;
    EXPECT(HEAD "nodes:\n"
                "  - {name: h0, kind: host}\n"
                "  - {name: a, kind: leaf}\n"
                "  - {name: a-b, kind: leaf}\n"
                "  - {name: c, kind: spine}\n"
                "  - {name: b-c, kind: spine}\n"
                "links:\n"
                "  - {a: h0, b: a, gbps: 1}\n"
                "  - {a: a, b: b-c, gbps: 1}\n"
                "  - {a: a-b, b: c, gbps: 1}\n",
           "f:14: a-b-c: two links have this name; rename a node");
}

static void overrides_change_what_they_name(void **state) {
    (void)state;
    struct fabric *fabric =
        parse_good(CLOS("kind: leaf-spine, leaves: 2, spines: 2, hosts_per_leaf: 1, "
                        "cables: 2") "overrides:\n  - {link: leaf0-spine0, capacity: 0.5}\n"
                                     "  - {link: leaf0-spine1.1, capacity: 0}\n"
                                     "  - {link: spine1>leaf1, capacity: 0.25}\n");
    static const struct {
        const char *link;
        uint64_t rate_bps;
    } rates[] = {{"leaf0>spine0.0", 500000000},  {"spine0>leaf0.1", 500000000},
                 {"leaf0>spine1.0", 1000000000}, {"leaf0>spine1.1", 0},
                 {"spine1>leaf1.1", 250000000},  {"leaf1>spine1.1", 1000000000}};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        link_id link;
        assert_true(fabric_find_link(fabric, rates[i].link, &link));
        assert_int_equal(fabric_link_rate_bps(fabric, link), rates[i].rate_bps);
    }
    fabric_close(fabric);
    EXPECT(
        CLOS(
            "kind: leaf-spine, leaves: 2, spines: 2, hosts_per_leaf: 1") "overrides:\n  - {link: "
                                                                         "leaf0-spine0, capacity: "
                                                                         "0.5}\n"
                                                                         "  - {link: leaf0>spine0, "
                                                                         "capacity: 0.5}\n",
        "f:8: leaf0>spine0: capacity set twice");
}

static void comments_and_order_of_keys_do_not_change_the_digest(void **state) {
    (void)state;
    struct fabric *a =
        parse_good(CLOS("kind: leaf-spine, leaves: 2, spines: 2, hosts_per_leaf: 1"));
    struct fabric *b = parse_good(
        "# the same\nname: t\nclos:\n  fabric_gbps: 1.0\n  host_gbps: 1\n  hosts_per_leaf: 1\n"
        "  spines: 2\n  leaves: 0x2\n  kind: leaf-spine\nblock: \"fcbb:bb00::/32\"\n"
        "generation: 1\nversion: 1\n");
    struct fabric *c =
        parse_good(CLOS("kind: leaf-spine, leaves: 2, spines: 3, hosts_per_leaf: 1"));
    struct fabric *d = parse_good(
        CLOS("kind: leaf-spine, leaves: 2, spines: 2, hosts_per_leaf: 1") "overrides: [{link: "
                                                                          "leaf0-spine0, capacity: "
                                                                          "0.5}]\n");
    assert_memory_equal(a->digest, b->digest, 32);
    assert_memory_not_equal(a->digest, c->digest, 32);
    assert_memory_not_equal(a->digest, d->digest, 32);
    struct fabric *e = parse_good(
        HEAD "clos: {kind: leaf-spine, leaves: 2, spines: 2, hosts_per_leaf: 1, host_gbps: 1, "
             "fabric_gbps: 2}\n");
    struct fabric *f = parse_good(
        "version: 1\ngeneration: 2\nname: t\nblock: fcbb:bb00::/32\nclos: {kind: leaf-spine, "
        "leaves: 2, spines: 2, hosts_per_leaf: 1, host_gbps: 1, fabric_gbps: 1}\n");
    assert_memory_not_equal(a->digest, e->digest, 32);
    assert_memory_not_equal(a->digest, f->digest, 32);
    fabric_close(e);
    fabric_close(f);
    fabric_close(a);
    fabric_close(b);
    fabric_close(c);
    fabric_close(d);
}

#define DUAL(overrides)                                                                            \
    CLOS("kind: dual-plane, leaves: 2, spines: 1, hosts_per_leaf: 1") "overrides:\n" overrides

static void hosts_must_reach_each_other_in_each_plane(void **state) {
    (void)state;
    fabric_close(parse_good(DUAL("  - {link: leaf2-spine1, capacity: 0.1}\n")));
    EXPECT(DUAL("  - {link: leaf2-spine1, capacity: 0}\n"),
           "f:5: h0: no path up and down to h1 (unreachable hosts: 1)",
           "f:5: h1: no path up and down to h0 (unreachable hosts: 1)");
    // One direction of plane 0: h1 still reaches h0 there.
    EXPECT(DUAL("  - {link: leaf0>spine0, capacity: 0}\n"),
           "f:5: h0: no path up and down to h1 (unreachable hosts: 1)");
    // No plane in common.
    EXPECT(HEAD "nodes:\n"
                "  - {name: h0, kind: host}\n"
                "  - {name: h1, kind: host}\n"
                "  - {name: h2, kind: host}\n"
                "  - {name: a, kind: leaf}\n"
                "  - {name: b, kind: leaf}\n"
                "links:\n"
                "  - {a: h0, b: a, gbps: 1}\n"
                "  - {a: h1, b: a, gbps: 1}\n"
                "  - {a: h1, b: b, gbps: 1}\n"
                "  - {a: h2, b: b, gbps: 1}\n",
           "f:6: h0: no path up and down to h2 (unreachable hosts: 1)",
           "f:8: h2: no path up and down to h0 (unreachable hosts: 1)");
}

// Agents compare digests; a program that computed others for the same file would part the fleet.
static void digests_stay_what_they_were(void **state) {
    (void)state;
    static const struct {
        const char *file, *digest;
    } known[] = {
        {"lab-8", "8d8545bddff247c075bdc698eda911e72ca280cb30e855a67e70314864b34036"},
        {"lab-three-tier-parallel",
         "3122f9120d542d3c17efa0da463b9db0196287446b399e9f24800d674b51ee4a"},
        {"paper-128", "3ff51db63838bee856c86f965b9ada8f4b9e75f4f7f83f16da52b21523e67e4a"},
        {"three-tier", "0d3513f7dc82b63af2c640a27860a33f726d0f193fef0931f44fae9fb443b044"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char path[512], digest[65];
        struct fabric *fabric;
        snprintf(path, sizeof path, TESTS_DIR "/fabrics/%s.yaml", known[i].file);
        assert_int_equal(fabric_file_load(path, complain_aloud, NULL, &fabric), 0);
        for (size_t k = 0; k < 32; k++) {
            snprintf(digest + 2 * k, 3, "%02x", fabric->digest[k]);
        }
        assert_string_equal(digest, known[i].digest);
        fabric_close(fabric);
    }
}

static void what_is_written_loads_to_the_same_fabric(void **state) {
    (void)state;
    static const char *const files[] = {"lab-8",      "lab-three-tier-parallel",
                                        "three-tier", "paper-128",
                                        "rail",       "dual-plane",
                                        "lab-rail",   "lab-dual-plane"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[512], *text;
        size_t size;
        struct fabric *fabric, *again;
        snprintf(path, sizeof path, TESTS_DIR "/fabrics/%s.yaml", files[i]);
        assert_int_equal(fabric_file_load(path, complain_aloud, NULL, &fabric), 0);
        fabric->cables[fabric->cable_count - 1].capacity_ppm[1] = 123456;
        FILE *stream = open_memstream(&text, &size);
        assert_int_equal(fabric_file_write(fabric, stream), 0);
        fclose(stream);
        assert_int_equal(fabric_file_parse("again", text, size, complain_aloud, NULL, &again), 0);
        assert_int_equal(again->cables[fabric->cable_count - 1].capacity_ppm[1], 123456);
        assert_string_equal(again->kind, "explicit");
        fabric->cables[fabric->cable_count - 1].capacity_ppm[1] = CAPACITY_FULL_PPM;
        assert_memory_not_equal(fabric->digest, again->digest, 32); // the override counts
        free(text);
        fabric_close(again);
        fabric_close(fabric);
    }
}

static void a_missing_file_is_one_sentence(void **state) {
    (void)state;
    struct collected got = {0};
    struct fabric *fabric;
    assert_int_equal(fabric_file_load("/nowhere/f.yaml", collect, &got, &fabric), -ENOENT);
    assert_int_equal(got.count, 1);
    assert_string_equal(got.text[0], "/nowhere/f.yaml: No such file or directory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_is_checked_as_a_whole),
        cmocka_unit_test(the_numbers_of_a_clos_are_checked_as_a_whole),
        cmocka_unit_test(a_block_holds_57343_nodes_and_not_one_more),
        cmocka_unit_test(nodes_and_links_are_checked_as_a_whole),
        cmocka_unit_test(unreachable_hosts_are_named),
        cmocka_unit_test(addresses_are_unique_and_well_formed),
        cmocka_unit_test(names_of_links_are_unambiguous),
        cmocka_unit_test(overrides_change_what_they_name),
        cmocka_unit_test(comments_and_order_of_keys_do_not_change_the_digest),
        cmocka_unit_test(hosts_must_reach_each_other_in_each_plane),
        cmocka_unit_test(digests_stay_what_they_were),
        cmocka_unit_test(what_is_written_loads_to_the_same_fabric),
        cmocka_unit_test(a_missing_file_is_one_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
