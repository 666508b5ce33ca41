// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "import.h"

static char complaints[2048];

static void complain(void *context, const struct error *error) {
    (void)context;
    strncat(complaints, error->text, sizeof complaints - strlen(complaints) - 2);
    strcat(complaints, "\n");
}

static struct fabric *import(const char *text, const char *leaf_pattern) {
    static const char source[] = "links.csv";
    struct import_options options = {.source = source,
                                     .leaf_pattern = leaf_pattern,
                                     .spine_pattern = "spine*",
                                     .name = "x",
                                     .block = "fcbb:bb00::/32"};
    complaints[0] = '\0';
    FILE *input = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(input);
    struct fabric *fabric = import_links(input, &options, complain, NULL);
    fclose(input);
    return fabric;
}

static void a_list_of_links_becomes_a_fabric(void **state) {
    (void)state;
    struct fabric *fabric = import("# from lldp\n"
                                   "a,b,gbps,cables\n"
                                   "spine0, leaf0, 100, 2\n"
                                   "\n"
                                   "spine0,leaf1,100\r\n"
                                   "h0,leaf0,400\n"
                                   "leaf1,h1,2.5\n",
                                   "leaf*");
    assert_string_equal(complaints, "");
    assert_non_null(fabric);
    assert_int_equal(fabric->host_count, 2);
    assert_int_equal(fabric->node_count, 5);
    assert_int_equal(fabric->cable_count, 5);
    cable_id first;
    uint32_t count;
    assert_true(fabric_find_cables(fabric, "leaf0-spine0", &first, &count));
    assert_int_equal(count, 2);
    assert_int_equal(fabric->cables[first.i].rate_bps, 100000000000ULL);
    assert_true(fabric_find_cables(fabric, "h1-leaf1", &first, &count));
    assert_int_equal(fabric->cables[first.i].rate_bps, 2500000000ULL);
    fabric_close(fabric);
}

static void patterns_tell_what_a_node_is(void **state) {
    (void)state;
    struct fabric *fabric = import("tor1,spine0,100\ngpu7,tor1,100\ntor2,spine0,100\n"
                                   "gpu8,tor2,100\n",
                                   "tor[0-9]");
    assert_string_equal(complaints, "");
    node_id node;
    assert_true(fabric_find_node(fabric, "tor1", &node));
    assert_int_equal(fabric->nodes[node.i].kind, NODE_LEAF);
    assert_true(fabric_find_node(fabric, "gpu7", &node));
    assert_int_equal(fabric->nodes[node.i].kind, NODE_HOST);
    fabric_close(fabric);
}

static void every_bad_line_is_named(void **state) {
    (void)state;
    assert_null(import("h0,leaf0\n"
                       "h0,leaf0,fast\n"
                       "h0,leaf0,-1\n"
                       "h0,leaf0,1,0\n"
                       "h0,leaf0,1,1.5\n"
                       "h0,leaf0,1,65\n"
                       ",leaf0,1\n"
                       "h0,leaf0,1,1,1\n"
                       "h0,leaf0,nan\n",
                       "leaf*"));
    assert_string_equal(complaints, "links.csv:1: not a,b,gbps[,cables]: h0\n"
                                    "links.csv:2: not a rate in Gbit/s: fast\n"
                                    "links.csv:3: not a rate in Gbit/s: -1\n"
                                    "links.csv:4: not a number of cables: 0\n"
                                    "links.csv:5: not a number of cables: 1.5\n"
                                    "links.csv:6: not a number of cables: 65\n"
                                    "links.csv:7: not a node's name: \n"
                                    "links.csv:8: not a,b,gbps[,cables]: h0\n"
                                    "links.csv:9: not a rate in Gbit/s: nan\n");
}

static void a_link_seen_from_both_ends_is_an_error_of_its_line(void **state) {
    (void)state;
    assert_null(import("leaf0,spine0,100\nh0,leaf0,100\nspine0,leaf0,100\n", "leaf*"));
    assert_non_null(strstr(complaints, "links.csv:3: leaf0-spine0: listed twice"));
}

static void an_empty_list_is_an_error(void **state) {
    (void)state;
    assert_null(import("# nothing\n", "leaf*"));
    assert_non_null(strstr(complaints, "no link in it"));
}

static void what_the_fabric_refuses_is_told_with_the_line_of_the_list(void **state) {
    (void)state;
    assert_null(import("h0,leaf0,100\nleaf0,spine0,100\nh0,spine0,100\n", "leaf*"));
    assert_non_null(strstr(complaints, "links.csv:3:"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_of_links_becomes_a_fabric),
        cmocka_unit_test(patterns_tell_what_a_node_is),
        cmocka_unit_test(every_bad_line_is_named),
        cmocka_unit_test(a_link_seen_from_both_ends_is_an_error_of_its_line),
        cmocka_unit_test(an_empty_list_is_an_error),
        cmocka_unit_test(what_the_fabric_refuses_is_told_with_the_line_of_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
