// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fabric_fixture.h"

static link_id link_named(const struct fabric *fabric, const char *name) {
    link_id link = {ID_NONE};
    if (!fabric_find_link(fabric, name, &link)) {
        fail_msg("no link %s", name);
    }
    return link;
}

static node_id node_named(const struct fabric *fabric, const char *name) {
    node_id node = {ID_NONE};
    assert_true(fabric_find_node(fabric, name, &node));
    return node;
}

static void hosts_are_numbered_leaf_by_leaf(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(4, 4, 2, 1, 1);
    assert_int_equal(fabric->node_count, 16);
    assert_int_equal(fabric->host_count, 8);
    assert_int_equal(fabric->cable_count, 8 + 16);
    link_named(fabric, "h0>leaf0");
    link_named(fabric, "h1>leaf0");
    link_named(fabric, "h7>leaf3");
    node_id node;
    assert_false(fabric_find_node(fabric, "h8", &node));
    fabric_close(fabric);
}

static void usids_begin_with_the_switches(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(4, 4, 2, 1, 1);
    assert_int_equal(fabric->nodes[node_named(fabric, "leaf0").i].usid, 1);
    assert_int_equal(fabric->nodes[node_named(fabric, "spine3").i].usid, 8);
    assert_int_equal(fabric->nodes[node_named(fabric, "h0").i].usid, 9);
    port_id port;
    assert_true(fabric_find_port_by_usid(fabric, 16, &port));
    assert_int_equal(port.i, 7);
    assert_false(fabric_find_port_by_usid(fabric, 8, &port));
    assert_false(fabric_find_port_by_usid(fabric, 17, &port));
    fabric_close(fabric);
}

static void addresses_follow_the_ports(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(4, 4, 2, 1, 1);
    const uint8_t ipv4[] = {10, 64, 0, 14},
                  ipv6[] = {0xfd, 0x64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 2};
    assert_memory_equal(fabric->ports[3].ipv4, ipv4, 4);
    assert_memory_equal(fabric->ports[3].ipv6, ipv6, 16);
    assert_int_equal(fabric->ports[3].gateway_ipv4[3], 13);
    assert_int_equal(fabric->ports[3].gateway_ipv6[15], 1);
    fabric_close(fabric);
}

static void ports_of_a_host_go_to_the_leaves_of_its_group(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(4, 2, 3, 1, 2);
    assert_int_equal(fabric->host_count, 6);
    assert_int_equal(fabric->port_count, 12);
    link_named(fabric, "h0>leaf0");
    link_named(fabric, "h0>leaf1");
    link_named(fabric, "h3>leaf3");
    port_id port;
    char text[NAME_SIZE + 4];
    assert_true(fabric_find_port(fabric, "h3.1", &port));
    assert_int_equal(port.i, 7);
    fabric_format_port(fabric, port, text);
    assert_string_equal(text, "h3.1");
    assert_true(fabric_find_port(fabric, "h3", &port));
    assert_int_equal(port.i, 6);
    assert_false(fabric_find_port(fabric, "h3.2", &port));
    assert_false(fabric_find_port(fabric, "h3.01", &port));
    assert_false(fabric_find_port(fabric, "h3.", &port));
    assert_false(fabric_find_port(fabric, "leaf0", &port));
    fabric_close(fabric);
}

static void aggs_have_cores_of_their_plane(void **state) {
    (void)state;
    struct fabric *fabric = fixture_three_tier(2, 2, 2, 4, 1, 1);
    link_id link;
    link_named(fabric, "agg0>core1");
    link_named(fabric, "agg3>core2"); // agg 1 of pod 1
    assert_false(fabric_find_link(fabric, "agg0>core2", &link));
    assert_false(fabric_find_link(fabric, "leaf0>agg2", &link));
    assert_int_equal(fabric->nodes[node_named(fabric, "agg3").i].pod, 1);
    fabric_close(fabric);
}

static void rails_go_to_the_leaves_of_the_group(void **state) {
    (void)state;
    struct fabric_clos_desc clos = {.kind = "rail-optimized",
                                    .rails = 3,
                                    .groups = 2,
                                    .hosts_per_group = 2,
                                    .spines = 2,
                                    .host_bps = 1,
                                    .fabric_bps = 1};
    struct fabric *fabric = fixture_clos(&clos);
    assert_int_equal(fabric->host_count, 4);
    assert_int_equal(fabric->port_count, 12);
    assert_int_equal(fabric->plane_count, 1);
    link_named(fabric, "h1>leaf2");
    link_named(fabric, "h2>leaf3"); // rail 0 of group 1
    link_named(fabric, "h3>leaf5");
    link_named(fabric, "leaf5>spine1");
    port_id port;
    assert_true(fabric_find_port(fabric, "h2.1", &port));
    assert_string_equal(fabric->nodes[fabric->ports[port.i].leaf.i].name, "leaf4");
    fabric_close(fabric);
}

static void planes_share_no_switch(void **state) {
    (void)state;
    struct fabric_clos_desc clos = {.kind = "dual-plane",
                                    .leaves = 2,
                                    .spines = 3,
                                    .hosts_per_leaf = 2,
                                    .cables = 2,
                                    .host_bps = 1,
                                    .fabric_bps = 1};
    struct fabric *fabric = fixture_clos(&clos);
    link_id link;
    assert_int_equal(fabric->host_count, 4);
    assert_int_equal(fabric->port_count, 8);
    assert_int_equal(fabric->cable_count, 8 + 2 * 2 * 3 * 2);
    assert_int_equal(fabric->plane_count, 2);
    link_named(fabric, "h3>leaf1");
    link_named(fabric, "h3>leaf3");
    link_named(fabric, "leaf1>spine2.1");
    link_named(fabric, "leaf2>spine3.0");
    assert_false(fabric_find_link(fabric, "leaf1>spine3.0", &link));
    assert_int_equal(fabric->nodes[node_named(fabric, "leaf1").i].plane, 0);
    assert_int_equal(fabric->nodes[node_named(fabric, "leaf2").i].plane, 1);
    assert_int_equal(fabric->nodes[node_named(fabric, "spine5").i].plane, 1);
    assert_int_equal(fabric_link_plane(fabric, link_named(fabric, "h0>leaf2")), 1);
    assert_int_equal(fabric_port_plane(fabric, (port_id){2}), 0); // h1.0
    assert_int_equal(fabric_port_plane(fabric, (port_id){3}), 1);
    fabric_close(fabric);
}

static void cables_are_found_by_their_names(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(2, 2, 1, 3, 1);
    cable_id first;
    uint32_t count;
    char text[LINK_NAME_SIZE];
    assert_true(fabric_find_cables(fabric, "leaf1-spine0", &first, &count));
    assert_int_equal(count, 3);
    assert_true(fabric_find_cables(fabric, "spine0-leaf1.2", &first, &count));
    assert_int_equal(count, 1);
    fabric_format_cable(fabric, first, text);
    assert_string_equal(text, "leaf1-spine0.2");
    assert_false(fabric_find_cables(fabric, "leaf1-spine0.3", &first, &count));
    assert_false(fabric_find_cables(fabric, "leaf0-leaf1", &first, &count));
    link_id link;
    assert_false(fabric_find_link(fabric, "leaf0>spine1", &link)); // which of the three?
    link = link_named(fabric, "spine1>leaf0.0");
    assert_true(link_is_reverse(link));
    fabric_format_link(fabric, link, text);
    assert_string_equal(text, "spine1>leaf0.0");
    fabric_close(fabric);
}

static void adjacencies_are_sorted_and_give_the_uas(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(2, 2, 1, 2, 1);
    node_id leaf = node_named(fabric, "leaf0"), spine = node_named(fabric, "spine1");
    uint32_t count;
    const struct fabric_adjacency *found = fabric_find_adjacency(fabric, leaf, spine, &count);
    assert_non_null(found);
    assert_int_equal(count, 2);
    // h0, spine0.0, spine0.1, spine1.0
    assert_int_equal(fabric->cables[link_cable(found->link).i].usid_adjacency[0], 0xe003);
    assert_null(fabric_find_adjacency(fabric, leaf, node_named(fabric, "h1"), &count));
    link_id up = link_named(fabric, "h0>leaf0");
    assert_int_equal(fabric->cables[link_cable(up).i].usid_adjacency[0], 0);
    assert_false(fabric_link_is_internal(fabric, up));
    assert_true(fabric_link_is_internal(fabric, found->link));
    fabric_close(fabric);
}

static void expect_sids(const struct fabric *fabric, const char *const *names, unsigned count,
                        unsigned sid_count, const char *first, const char *second) {
    link_id links[16];
    struct sid_list sids;
    char text[SID_TEXT_SIZE];
    for (unsigned i = 0; i < count; i++) {
        links[i] = link_named(fabric, names[i]);
    }
    assert_int_equal(fabric_walk_sids(fabric, links, count, &sids), 0);
    assert_int_equal(sids.count, sid_count);
    sid_format(&sids.sids[0], text);
    assert_string_equal(text, first);
    if (sid_count > 1) {
        sid_format(&sids.sids[1], text);
        assert_string_equal(text, second);
    }
}

static void a_loop_over_single_cables_fits_one_carrier(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(4, 4, 2, 1, 1);
    const char *const loop[] = {"h0>leaf0", "leaf0>spine3", "spine3>leaf0", "leaf0>h0"};
    const char *const far[] = {"h0>leaf0", "leaf0>spine3", "spine3>leaf2", "leaf2>h5"};
    expect_sids(fabric, loop, 4, 1, "fcbb:bb00:1:8:1:9::", NULL);
    expect_sids(fabric, far, 4, 1, "fcbb:bb00:1:8:3:e::", NULL);
    fabric_close(fabric);
}

static void parallel_cables_on_three_tiers_need_a_second_carrier(void **state) {
    (void)state;
    struct fabric *fabric = fixture_three_tier(2, 2, 2, 2, 1, 2);
    const char *const walk[] = {"h0>leaf0",     "leaf0>agg0.1", "agg0>core0.0",
                                "core0>agg2.1", "agg2>leaf2.0", "leaf2>h2"};
    // leaf0 uA | agg0 uA | core0 uA || agg2 uA | h2
    expect_sids(fabric, walk, 6, 2, "fcbb:bb00:1:e002:5:e004:9:e003", "fcbb:bb00:7:e000:d::");
    fabric_close(fabric);
}

static void broken_walks_are_refused(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(2, 2, 2, 1, 1);
    struct sid_list sids = {.count = 9};
    link_id up = link_named(fabric, "h0>leaf0"), down = link_named(fabric, "leaf1>h2");
    link_id hairpin = link_named(fabric, "leaf0>h1"), back = link_named(fabric, "h1>leaf0");
    const link_id torn[] = {up, down}, unfinished[] = {up, link_named(fabric, "leaf0>spine0")};
    const link_id through_host[] = {up, hairpin, back, hairpin}, outside[] = {up, {99999}};
    assert_int_equal(fabric_walk_sids(fabric, torn, 2, &sids), -EINVAL);
    assert_int_equal(fabric_walk_sids(fabric, unfinished, 2, &sids), -EINVAL);
    assert_int_equal(fabric_walk_sids(fabric, through_host, 4, &sids), -EINVAL);
    assert_int_equal(fabric_walk_sids(fabric, outside, 2, &sids), -EINVAL);
    assert_int_equal(fabric_walk_sids(fabric, torn, 1, &sids), -EINVAL);
    assert_int_equal(sids.count, 9);
    const link_id local[] = {up, hairpin};
    assert_int_equal(fabric_walk_sids(fabric, local, 2, &sids), 0);
    fabric_close(fabric);
}

static void a_walk_of_thirty_usids_fits_and_one_more_does_not(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(2, 2, 2, 1, 1);
    link_id links[40], up = link_named(fabric, "leaf0>spine0");
    links[0] = link_named(fabric, "h0>leaf0");
    for (unsigned i = 0; i < 30; i++) {
        links[1 + i] = i % 2 == 0 ? up : link_opposite(up);
    }
    struct sid_list sids;
    links[29] = link_named(fabric, "leaf0>h0"); // leaf0, 28 hops, h0
    assert_int_equal(fabric_walk_sids(fabric, links, 30, &sids), 0);
    assert_int_equal(sids.count, SID_LIST_MAX);
    links[29] = up;
    links[30] = link_opposite(up);
    links[31] = link_named(fabric, "leaf0>h0");
    assert_int_equal(fabric_walk_sids(fabric, links, 32, &sids), -ENOSPC);
    fabric_close(fabric);
}

// A listed fabric of 8 leaves, a spine and `hosts` hosts.
static struct fabric *open_listed(uint32_t hosts, struct collected *errors) {
    static char names[60000][NAME_SIZE];
    static struct fabric_node_desc nodes[60000];
    static struct fabric_link_desc links[60000];
    uint32_t count = 0, link_count = 0;
    for (uint32_t i = 0; i < hosts + 9; i++) {
        bool leaf = i < 8, spine = i == 8;
        snprintf(names[i], NAME_SIZE, "%s%u", leaf ? "leaf" : (spine ? "spine" : "h"), i);
        nodes[count++] =
            (struct fabric_node_desc){.name = names[i],
                                      .kind = leaf ? NODE_LEAF : (spine ? NODE_SPINE : NODE_HOST)};
        if (!spine) {
            uint32_t to = leaf ? 8 : (uint32_t)((uint64_t)(i - 9) * 8 / hosts);
            links[link_count++] = (struct fabric_link_desc){.a = names[i],
                                                            .b = names[to],
                                                            .cables = 1,
                                                            .rate_bps = 1000};
        }
    }
    struct fabric_desc desc = {.source = "f",
                               .version = 1,
                               .generation = 1,
                               .name = "listed",
                               .block = "fcbb:bb00::/32",
                               .nodes = nodes,
                               .node_count = count,
                               .links = links,
                               .link_count = link_count,
                               .line_block = 3};
    return fabric_open(&desc, collect, errors);
}

static void a_listed_fabric_too_holds_57343_nodes(void **state) {
    (void)state;
    struct collected errors = {0};
    struct fabric *fabric = open_listed(57334, &errors);
    assert_int_equal(errors.count, 0);
    assert_non_null(fabric);
    assert_int_equal(fabric->ports[57333].usid, USID_NODE_MAX);
    fabric_close(fabric);
    assert_null(open_listed(57335, &errors));
    assert_int_equal(errors.count, 1);
    assert_string_equal(errors.text[0],
                        "f:3: block fcbb:bb00::/32: 57344 node uSIDs needed, a block has 57343");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_numbered_leaf_by_leaf),
        cmocka_unit_test(usids_begin_with_the_switches),
        cmocka_unit_test(addresses_follow_the_ports),
        cmocka_unit_test(ports_of_a_host_go_to_the_leaves_of_its_group),
        cmocka_unit_test(aggs_have_cores_of_their_plane),
        cmocka_unit_test(rails_go_to_the_leaves_of_the_group),
        cmocka_unit_test(planes_share_no_switch),
        cmocka_unit_test(cables_are_found_by_their_names),
        cmocka_unit_test(adjacencies_are_sorted_and_give_the_uas),
        cmocka_unit_test(a_loop_over_single_cables_fits_one_carrier),
        cmocka_unit_test(parallel_cables_on_three_tiers_need_a_second_carrier),
        cmocka_unit_test(broken_walks_are_refused),
        cmocka_unit_test(a_listed_fabric_too_holds_57343_nodes),
        cmocka_unit_test(a_walk_of_thirty_usids_fits_and_one_more_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
