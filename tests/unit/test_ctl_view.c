// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tool/tool.h"
#include "view.h"

static char shown[8192];

static const char *show(ctl_view *view, const char *document) {
    json_error_t error;
    json_t *result = json_loads(document, 0, &error);
    if (result == NULL) {
        fail_msg("%d: %s", error.position, error.text);
    }
    memset(shown, 0, sizeof shown);
    FILE *out = fmemopen(shown, sizeof shown - 1, "w");
    assert_int_equal(view(result, out), TOOL_OK);
    fclose(out);
    json_decref(result);
    return shown;
}

static void flows_show_shares_state_and_path_of_every_part(void **state) {
    (void)state;
    assert_string_equal(
        show(view_flows,
             "{\"flows\":["
             "{\"flow\":\"h0>h5\",\"bytes\":8388608,\"local\":false,\"steered\":true,\"parts\":["
             "{\"share\":0.5,\"realised_share\":0.49,\"state\":\"primary\","
             "\"nodes\":[\"h0\",\"leaf0\",\"spine3\",\"leaf2\",\"h5\"],\"cause\":null},"
             "{\"share\":0.5,\"realised_share\":null,\"state\":\"backup\","
             "\"nodes\":[\"h0\",\"leaf0\",\"spine1\",\"leaf2\",\"h5\"],"
             "\"cause\":\"leaf0>spine0\",\"ecn\":true}]},"
             "{\"flow\":\"h0>h1\",\"bytes\":1024,\"local\":true,\"parts\":[]},"
             "{\"flow\":\"h0>h7\",\"bytes\":1,\"local\":false,"
             "\"plain_reason\":\"h7 is not decap-ready\",\"parts\":[]}]}"),
        "FLOW      SIZE   PLAN   REAL  STATE    PATH\n"
        "h0>h5  8.0 MiB  50.0%  49.0%  primary  h0 leaf0 spine3 leaf2 h5\n"
        "                50.0%      -  backup   h0 leaf0 spine1 leaf2 h5 (leaf0>spine0 ECN)\n"
        "h0>h1  1.0 KiB      -      -  local    within one leaf or host\n"
        "h0>h7      1 B      -      -  plain    h7 is not decap-ready\n");
}

static void links_show_both_the_belief_and_the_own_verdict(void **state) {
    (void)state;
    assert_string_equal(
        show(view_links,
             "{\"links\":[{\"link\":\"leaf0>spine0\",\"state\":\"up\",\"own\":\"good\","
             "\"capacity\":1.0,\"rate_bps\":50000000,\"rtt_ns\":12100,\"probes_sent\":900,"
             "\"probes_lost\":1,\"down_votes\":0,\"observers\":4,\"monitored\":true,\"ecn_ppm\":"
             "830000,\"fault\":\"lossy\",\"fault_place\":\"link\",\"loss_ppm\":12000},"
             "{\"link\":\"spine0>leaf3\",\"state\":\"down\",\"own\":\"none\",\"capacity\":0.5,"
             "\"rate_bps\":50000000,\"rtt_ns\":0,\"probes_sent\":0,\"probes_lost\":0,"
             "\"down_votes\":2,\"observers\":3,\"monitored\":false,\"ecn_ppm\":null,"
             "\"fault\":\"slow\",\"fault_place\":\"spine\",\"excess_ns\":18000}]}"),
        "LINK          STATE  OWN   CAPACITY     RATE      RTT  LOST/SENT  MARKED  DOWN VOTES  "
        "FOUND\n"
        "leaf0>spine0  up     good    100.0%  50 Mbps  12.1 us      1/900   83.0%         0/4  "
        "lossy 1.2%\n"
        "spine0>leaf3  down   none     50.0%  50 Mbps        -          -       -         2/3  "
        "spine slow +18.0 us\n");
}

static void why_of_a_link_names_reason_evidence_and_orders(void **state) {
    (void)state;
    const char *text =
        show(view_link_why,
             "{\"links\":[{\"link\":\"leaf0>spine0\",\"state\":\"down\",\"reason\":\"two observers "
             "agree\",\"evidence\":[{\"observer\":\"h0\",\"rack\":\"leaf0\",\"verdict\":\"down\","
             "\"capacity_ppm\":1000000,\"loss_ppm\":20000,\"delay_ns\":12000,\"probe_count\":40,"
             "\"vote\":\"blind\"}],"
             "\"own\":{\"state\":\"down\",\"probes_sent\":40,\"probes_lost\":2,"
             "\"recent_probes_sent\":30,\"recent_probes_lost\":1,\"recent_ns\":45000000000,"
             "\"rtt_ns\":0,"
             "\"changed_ago_ns\":3000000000,\"held_for_ns\":0},"
             "\"orders\":[{\"name\":\"leaf0>spine0\",\"kind\":\"drain\",\"origin\":\"h3\"}]}]}");
    assert_non_null(strstr(text, "leaf0>spine0: down: two observers agree\n"));
    assert_non_null(strstr(text, "This host: down since 3.0 s, 1 of 30 probes of the last 45.0 s"));
    assert_non_null(strstr(text, "lost (2 of 40 ever)\n"));
    assert_non_null(strstr(text, "Order: drain leaf0>spine0, by h3\n"));
    assert_non_null(
        strstr(text, "h0        leaf0  down       100.0%  2.0%  12.0 us      40  blind\n"));
}

static void an_unhealthy_status_says_so_in_words(void **state) {
    (void)state;
    const char *text =
        show(view_status,
             "{\"host\":\"h0\",\"version\":\"0.1.0\",\"uptime_ns\":5000000000,\"healthy\":false,"
             "\"reason\":\"no probe returned\",\"joined\":true,"
             "\"fabric\":{\"name\":\"lab-8\",\"generation\":1,\"digest\":\"0123456789abcdef\","
             "\"held_generation\":2},\"members\":{\"alive\":8,\"suspect\":0,\"dead\":0,\"left\":0},"
             "\"links\":{\"total\":32,\"down\":1,\"drained\":0,\"own_down\":1},\"jobs\":1,"
             "\"flows\":{\"total\":7,\"steered\":6,\"backup\":1,\"plain\":0,\"local\":1},"
             "\"nic\":{\"driver\":\"ebpf\",\"ports\":[{\"port\":\"h0\",\"device\":\"eth0\","
             "\"rules\":12,\"encaps\":6}],\"encapsulated\":5,\"decapsulated\":6,\"plain_roce\":0},"
             "\"probe\":{\"backend\":\"epoll\",\"backend_reason\":\"io_uring: EPERM\","
             "\"interval_ns\":3000000,\"sent\":10,\"returned\":9,\"lost\":1,\"void\":0,"
             "\"late_windows\":0},\"gossip\":{\"sent\":5,\"dropped\":0},\"alarms\":[\"bad "
             "fabric\"]}");
    assert_non_null(strstr(text, "h0: UNHEALTHY: no probe returned, version 0.1.0, up 5.0 s\n"));
    assert_non_null(strstr(text, "holds 2, waiting for all members\n"));
    assert_non_null(strstr(text, "probes   epoll every 3.0 ms (io_uring: EPERM)\n"));
    assert_non_null(strstr(text, "gossip   sent 5\n"));
    assert_non_null(strstr(text, "ALARM    bad fabric\n"));
}

static void many_gossip_counters_wrap_at_80_columns(void **state) {
    (void)state;
    char document[2048] = "{\"healthy\":true,\"gossip\":{";
    for (int i = 0; i < 30; i++) {
        char item[64];
        snprintf(item, sizeof item, "%s\"counter_number_%.*s%d\":%d", i > 0 ? "," : "", i % 7,
                 "abcdefg", i, i + 1); // lengths differ, so that lines end at every column
        strcat(document, item);
    }
    strcat(document, "}}");
    const char *text = strstr(show(view_status, document), "gossip ");
    assert_non_null(text);
    assert_non_null(strstr(text, "counter_number_a29 30\n"));
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        assert_true(strcspn(line, "\n") <= 80);
    }
}

static void documents_without_anything_in_them_crash_no_view(void **state) {
    (void)state;
    static ctl_view *const views[] = {view_status, view_members, view_links,  view_link_why,
                                      view_jobs,   view_flows,   view_rules,  view_paths,
                                      view_why,    view_trace,   view_events, view_audit,
                                      view_history};
    static const char *const documents[] = {
        "{}",
        "{\"links\":[5],\"flows\":[null],\"jobs\":[[]],\"members\":[\"x\"],\"ports\":[7],"
        "\"paths\":[{}],\"events\":[1],\"parts\":[{\"hops\":[0]}],\"explanation\":[1]}",
        "{\"links\":{},\"flows\":{\"parts\":3},\"jobs\":1,\"members\":null,\"ports\":\"\"}",
        "{\"flows\":[{\"parts\":[9]}],\"ports\":[{\"rules\":[{\"paths\":[1]}]}],"
        "\"jobs\":[{\"collectives\":[2]}],\"links\":[{\"evidence\":[1],\"orders\":[1],\"own\":{}}]"
        "}",
    };
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        for (size_t j = 0; j < sizeof documents / sizeof documents[0]; j++) {
            show(views[i], documents[j]);
        }
    }
}

static void sentences_of_an_agent_cannot_move_the_cursor(void **state) {
    (void)state;
    assert_string_equal(show(view_why, "{\"explanation\":[\"a\\u001b[2Jb\"]}"), "a?[2Jb\n");
}

static void rules_paths_jobs_members_and_traces_name_what_they_hold(void **state) {
    (void)state;
    assert_non_null(
        strstr(show(view_rules,
                    "{\"ports\":[{\"port\":\"h0\",\"device\":\"eth0\",\"local_sids\":[\"f::\"],"
                    "\"rules\":[{\"destination\":\"10.0.0.1\",\"key\":\"qp 17\","
                    "\"select\":\"single\",\"paths\":[{\"sids\":[\"a::\",\"b::\"],"
                    "\"buckets\":16,\"packets\":3,\"bytes\":4096}]}]}]}"),
               "10.0.0.1     qp 17  single       16        3  4.0 KiB  a::,b::\n"));
    assert_non_null(strstr(show(view_paths, "{\"paths\":[{\"nodes\":[\"h0\",\"leaf0\"],"
                                            "\"sids\":[\"a::\"],\"live\":false,"
                                            "\"rate_bps\":1000000000}]}"),
                           "NO    1 Gbps  h0 leaf0  a::\n"));
    assert_non_null(strstr(
        show(view_jobs, "{\"jobs\":[{\"job\":\"demo\",\"generation\":2,\"owner\":\"h0\","
                        "\"orphaned\":true,\"algorithm\":\"ethereal\",\"ranks\":8,"
                        "\"bound\":8,\"own_ranks\":[0],\"collectives\":[{\"type\":"
                        "\"alltoall\",\"bytes\":67108864}]}]}"),
        "demo           2  h0 (orphaned)  ethereal       8      8    1  alltoall 64.0 MiB\n"));
    assert_non_null(strstr(show(view_jobs, "{\"jobs\":[{\"job\":\"a\",\"reserve_bps\":25000000000,"
                                           "\"collectives\":[{\"type\":\"alltoallv\","
                                           "\"matrix_bytes\":2048},{\"type\":\"tree\","
                                           "\"bytes\":1024}]}]}"),
                           "alltoallv 2.0 KiB, tree 1.0 KiB; 25 Gbps a rank reserved\n"));
    assert_non_null(strstr(
        show(view_members, "{\"members\":[{\"name\":\"h1\",\"state\":\"dead\",\"rack\":\"leaf0\","
                           "\"decap_ready\":false,\"heard_ago_ns\":2000000000,"
                           "\"fabric_generation\":1,\"fabric_digest\":\"0123456789\","
                           "\"nic_driver\":\"ebpf\",\"address\":\"tcp://a:1\"}]}"),
        "h1      dead   leaf0  2.0 s  -     NO     1/012345  ebpf      -    -  tcp://a:1\n"));
    assert_non_null(strstr(show(view_members, "{\"members\":[{\"name\":\"h1\",\"load_bps\":0,"
                                              "\"ecn_ppm\":0},{\"name\":\"h2\",\"load_bps\":"
                                              "25000000000,\"ecn_ppm\":20000,\"address\":\"a\"}]}"),
                           "25 Gbps  2.0%  a\n"));
    assert_non_null(strstr(
        show(view_trace,
             "{\"flow\":\"h0>h5\",\"parts\":[{\"share\":1,\"state\":\"primary\",\"hops\":[{"
             "\"link\":\"leaf0>spine0\",\"state\":\"up\",\"own\":\"good\","
             "\"last_minute\":{\"probes_sent\":7,\"probes_lost\":0,\"ecn_ppm\":null},"
             "\"loops\":{\"loops\":1,\"told_apart\":false,\"age_ns\":3000000,"
             "\"loop_rtt_ns\":12000,\"excess_ns\":500},\"located\":{\"fault\":\"lossy\",\"loss_"
             "ppm\":12000},\"peers\":{\"reports\":3,\"down\":1,\"fault\":\"lossy\",\"fault_loss_"
             "ppm\":20000,"
             "\"loss_ppm\":20000,\"age_ns\":2000000000}}]}]}"),
        "  leaf0>spine0  up     good  lossy 1.2%  12.0 us  <= 500 ns  both ways    3.0 ms        "
        "0/7"
        "       -         1/3  lossy 2.0%        2.0 s\n"));
}

static void an_audit_names_the_odd_and_what_is_split(void **state) {
    (void)state;
    const char *text = show(
        view_audit,
        "{\"consistent\":false,\"hosts\":8,\"odd_count\":1,\"split_count\":1,\"settings\":["
        "{\"setting\":\"mtu_bytes\",\"verdict\":\"odd\",\"common\":\"9000\",\"common_count\":7,"
        "\"known\":8,\"unknown\":0,\"odd\":[{\"host\":\"h3\",\"ports\":[\"h3.1\"],"
        "\"value\":\"1500\"}]},{\"setting\":\"pfc\",\"verdict\":\"split\",\"common\":\"3\","
        "\"common_count\":1,\"known\":2,\"unknown\":6,\"values\":{\"3\":1,\"4\":1},\"odd\":[]}],"
        "\"silent\":[\"h5\"]}");
    assert_non_null(strstr(text, "8 hosts: 1 odd, 1 settings without a majority\n"));
    assert_non_null(strstr(text, "mtu_bytes  odd      9000      7/8        0\n"));
    assert_non_null(strstr(text, "ODD   h3.1: mtu_bytes is 1500; 7 of 8 have 9000\n"));
    assert_non_null(strstr(text, "SPLIT pfc: 3 (1), 4 (1)\n"));
    assert_non_null(strstr(text, "say nothing of themselves: h5\n"));
}

static void a_history_shows_gaps_and_forecasts(void **state) {
    (void)state;
    const char *text =
        show(view_history,
             "{\"links\":[{\"link\":\"h0>leaf0\",\"step_ns\":10000000000,\"forecast\":{\"of\":"
             "\"rate\",\"share\":0.7,\"full_in_ns\":720000000000,\"earliest_ns\":540000000000,"
             "\"latest_ns\":1000000000000},\"points\":[{\"ago_ns\":20000000000,\"rate_bps\":null,"
             "\"rtt_ns\":null,\"probes_sent\":0,\"probes_lost\":0,\"ecn_ppm\":null},"
             "{\"ago_ns\":10000000000,\"rate_bps\":35000000,\"rtt_ns\":12000,\"probes_sent\":30,"
             "\"probes_lost\":1,\"ecn_ppm\":500000}]}]}");
    assert_non_null(strstr(text, "h0>leaf0, means of 10.0 s; full in about 12 min (9 to 17)\n"));
    assert_non_null(strstr(text, "20.0 s         -        -          -       -\n"));
    assert_non_null(strstr(text, "10.0 s   35 Mbps  12.0 us       1/30   50.0%\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_show_shares_state_and_path_of_every_part),
        cmocka_unit_test(links_show_both_the_belief_and_the_own_verdict),
        cmocka_unit_test(why_of_a_link_names_reason_evidence_and_orders),
        cmocka_unit_test(an_unhealthy_status_says_so_in_words),
        cmocka_unit_test(many_gossip_counters_wrap_at_80_columns),
        cmocka_unit_test(an_audit_names_the_odd_and_what_is_split),
        cmocka_unit_test(a_history_shows_gaps_and_forecasts),
        cmocka_unit_test(documents_without_anything_in_them_crash_no_view),
        cmocka_unit_test(sentences_of_an_agent_cannot_move_the_cursor),
        cmocka_unit_test(rules_paths_jobs_members_and_traces_name_what_they_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
