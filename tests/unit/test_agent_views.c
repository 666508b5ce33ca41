// SPDX-License-Identifier: Apache-2.0
// What the control socket's questions answer, from a real engine among others. A schema is a list
// of "key:types", types being letters: s text, i integer, r number with a fraction, b truth,
// o object, a list, n null.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent_bed.h"
#include "model/time.h"

#include <cmocka.h>

static struct agent_bed *bed;    // what the tests ask
static struct agent_bed *shared; // a healthy one, for those that only ask

static int open_shared(void **state) {
    (void)state;
    bed = shared = agent_bed_open();
    return 0;
}

static int close_shared(void **state) {
    (void)state;
    agent_bed_close(shared);
    return 0;
}

static int set_up(void **state) {
    (void)state;
    bed = agent_bed_open();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    agent_bed_close(bed);
    bed = shared;
    return 0;
}

static char type_letter(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return 'o';
    case JSON_ARRAY:
        return 'a';
    case JSON_STRING:
        return 's';
    case JSON_INTEGER:
        return 'i';
    case JSON_REAL:
        return 'r';
    case JSON_TRUE:
    case JSON_FALSE:
        return 'b';
    case JSON_NULL:
        return 'n';
    }
    return '?';
}

static void expect(json_t *object, const char *schema) {
    char copy[1024];
    char *save = NULL;
    assert_true(json_is_object(object));
    snprintf(copy, sizeof(copy), "%s", schema);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *types = strchr(word, ':');
        *types++ = '\0';
        json_t *value = json_object_get(object, word);
        if (value == NULL || strchr(types, type_letter(value)) == NULL) {
            char *text = json_dumps(object, JSON_ENCODE_ANY);
            fail_msg("%s: one of '%s' expected in %.600s", word, types, text);
        }
    }
}

static json_t *ask(const char *command, const char *arguments) {
    struct control_refusal refusal;
    json_t *answer = agent_bed_ask(bed, command, arguments, &refusal);
    if (answer == NULL) {
        fail_msg("%s: %s", command, refusal.text);
    }
    return answer;
}

static void expect_refusal(const char *command, const char *arguments, int exit_code,
                           const char *sentence) {
    struct control_refusal refusal;
    json_t *answer = agent_bed_ask(bed, command, arguments, &refusal);
    if (answer != NULL || refusal.exit_code != exit_code || strcmp(refusal.text, sentence) != 0) {
        fail_msg("%s %s: exit %d, \"%s\"", command, arguments, refusal.exit_code, refusal.text);
    }
}

static json_t *at(json_t *from, const char *key, size_t index) {
    json_t *one = json_array_get(json_object_get(from, key), index);
    assert_non_null(one);
    return one;
}

static const char *text_at(json_t *from, const char *key) {
    const char *text = json_string_value(json_object_get(from, key));
    assert_non_null(text);
    return text;
}

static long long number_at(json_t *from, const char *key) {
    return json_integer_value(json_object_get(from, key));
}

// The row of a list whose `key` is `text`.
static json_t *row(json_t *from, const char *list, const char *key, const char *text) {
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(from, list), i, one) {
        if (strcmp(text_at(one, key), text) == 0) {
            return one;
        }
    }
    fail_msg("no %s %s in %s", key, text, list);
    return NULL;
}

#define PART_SCHEMA                                                                                \
    "share:r realised_share:rn state:s nodes:a links:a sids:a backup_links:a packets:i bytes:i "   \
    "cause:sn ecn:b"

static void status_has_every_key_with_its_type(void **state) {
    (void)state;
    json_t *out = ask("status", NULL);
    expect(out, "host:s version:s uptime_ns:i healthy:b reason:sn joined:b fabric:o members:o "
                "links:o jobs:i flows:o plan:o nic:o probe:o gossip:o alarms:a");
    expect(json_object_get(out, "fabric"), "name:s generation:i digest:s held_generation:i");
    expect(json_object_get(out, "members"), "alive:i suspect:i dead:i left:i");
    expect(json_object_get(out, "links"), "total:i down:i drained:i own_down:i");
    expect(json_object_get(out, "flows"), "total:i steered:i backup:i plain:i local:i");
    expect(json_object_get(out, "plan"), "version:i problem_count:i problems:a");
    expect(json_object_get(out, "nic"),
           "driver:s ports:a encapsulated:i decapsulated:i plain_roce:i");
    expect(at(json_object_get(out, "nic"), "ports", 0), "port:s device:s rules:i encaps:i");
    expect(json_object_get(out, "probe"), "ecn_interval_ns:i ecn_sent:i ecn_marked:i ecn_moves:i "
                                          "backend:s backend_reason:sn interval_ns:i sent:i "
                                          "returned:i lost:i void:i late_windows:i");
    expect(json_object_get(out, "gossip"),
           "messages_sent:i sent_bytes:i records_applied:i dropped_malformed:i would_block:i "
           "dropped_forged:i dropped_unknown_key:i dropped_foreign:i dropped_version:i "
           "dropped_quota:i dropped_rate:i denied_keys:i handshake_failed:i states_verified:i "
           "protocol_version:i connected:i inbound:i curve:b");
    json_decref(out);
}

static void a_healthy_fleet_is_counted_right(void **state) {
    (void)state;
    json_t *out = ask("status", NULL);
    json_t *flows = json_object_get(out, "flows");
    assert_string_equal(text_at(out, "host"), "h0");
    assert_true(json_is_true(json_object_get(out, "healthy")));
    assert_true(json_is_null(json_object_get(out, "reason")));
    assert_int_equal(number_at(json_object_get(out, "members"), "alive"), 8);
    assert_int_equal(number_at(json_object_get(out, "links"), "total"), 32);
    assert_int_equal(number_at(json_object_get(out, "links"), "down"), 0);
    assert_int_equal(number_at(out, "jobs"), 1);
    assert_int_equal(number_at(flows, "total"), 7);
    assert_int_equal(number_at(flows, "local"), 1);
    assert_int_equal(number_at(flows, "steered"), 6);
    assert_int_equal(number_at(flows, "plain") + number_at(flows, "backup"), 0);
    assert_true(number_at(at(json_object_get(out, "nic"), "ports", 0), "rules") > 0);
    assert_int_equal(number_at(json_object_get(out, "gossip"), "connected"), 3);
    assert_int_equal(number_at(json_object_get(out, "gossip"), "denied_keys"), 5);
    assert_int_equal(number_at(json_object_get(out, "gossip"), "dropped_rate"), 7);
    assert_int_equal(number_at(json_object_get(out, "gossip"), "protocol_version"),
                     GOSSIP_PROTOCOL_VERSION);
    assert_true(json_is_false(json_object_get(json_object_get(out, "gossip"), "curve")));
    assert_int_equal(strlen(text_at(json_object_get(out, "fabric"), "digest")), 64);
    json_decref(out);
}

static void an_alarm_is_shown_once_with_its_newest_sentence(void **state) {
    (void)state;
    agent_tell(&bed->agent, LOG_ALARM, "duplicate", "h3", "first");
    agent_tell(&bed->agent, LOG_WARNING, "other", "h3", "no alarm");
    agent_tell(&bed->agent, LOG_ALARM, "duplicate", "h3", "second");
    json_t *out = ask("status", NULL);
    json_t *alarms = json_object_get(out, "alarms");
    assert_int_equal(json_array_size(alarms), 1);
    assert_string_equal(json_string_value(json_array_get(alarms, 0)), "duplicate h3: second");
    json_decref(out);
}

static void members_names_every_host_and_what_it_says_of_itself(void **state) {
    (void)state;
    agent_bed_run(bed, 2 * NS_PER_S); // until those of the job have told their loads
    json_t *out = ask("members", NULL);
    assert_int_equal(json_array_size(json_object_get(out, "members")), 8);
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(out, "members"), i, one) {
        expect(one, "name:s address:s rack:s state:s incarnation:i neighbour:b self:b "
                    "protocol_min:i protocol_max:i "
                    "fabric_generation:i fabric_digest:s held_generation:i decap_ready:b "
                    "nic_driver:s plan_version:i protocol_version:i build:s heard_ago_ns:in "
                    "load_bps:i load_flows:i ecn_ppm:i load_age_ns:i"); // all share the job
        assert_string_equal(text_at(one, "state"), "alive");
        assert_true(json_is_true(json_object_get(one, "decap_ready")));
    }
    assert_true(json_is_true(json_object_get(row(out, "members", "name", "h0"), "self")));
    assert_true(json_is_false(json_object_get(row(out, "members", "name", "h5"), "self")));
    assert_string_equal(text_at(row(out, "members", "name", "h5"), "rack"), "leaf2");
    json_decref(out);
}

static void links_lists_every_link_between_switches_and_no_other(void **state) {
    (void)state;
    json_t *out = ask("links", "{}");
    size_t i;
    json_t *one;
    assert_int_equal(json_array_size(json_object_get(out, "links")), 32);
    json_array_foreach(json_object_get(out, "links"), i, one) {
        expect(one, "link:s state:s own:s capacity:r rate_bps:i rtt_ns:i probes_sent:i "
                    "probes_lost:i down_votes:i observers:i monitored:b ecn_ppm:in cnps:i "
                    "fault:s fault_place:s loss_ppm:i excess_ns:i");
        assert_string_equal(text_at(one, "state"), "up");
        assert_true(number_at(one, "rate_bps") == 400000000000);
        assert_true(number_at(one, "observers") >= 2);
    }
    json_decref(out);
}

static void why_of_a_link_shows_the_evidence_and_who_gave_orders(void **state) {
    (void)state;
    agent_bed_cut(bed, "leaf0>spine1", true);
    agent_bed_run(bed, 300 * NS_PER_MS);
    json_t *out = ask("links", "{\"why\":\"leaf0>spine1\"}");
    expect(out, "link:s state:s reason:s evidence:a own:o orders:a diagnosis:o");
    expect(json_object_get(out, "diagnosis"), "fault:s place:s loss_ppm:i excess_ns:i probes:i "
                                              "lost:i confidence_ppm:i votes:i sentences:a");
    expect(at(out, "evidence", 0), "observer:s rack:s verdict:s vote:s capacity_ppm:i "
                                   "loss_ppm:i delay_ns:i probe_count:i");
    assert_string_equal(text_at(at(out, "evidence", 0), "vote"), "counts");
    expect(
        json_object_get(out, "own"),
        "state:s probes_sent:i probes_lost:i rtt_ns:i changed_ago_ns:in held_for_ns:i ecn_ppm:in");
    assert_string_equal(text_at(out, "state"), "down");
    assert_non_null(strstr(text_at(out, "reason"), "leaf0>spine1 is down: "));
    assert_string_equal(text_at(row(out, "evidence", "verdict", "down"), "verdict"), "down");
    json_decref(out);
    json_decref(ask("drain", "{\"name\":\"spine2\",\"kind\":\"node\",\"active\":true}"));
    out = ask("status", NULL);
    assert_int_equal(number_at(json_object_get(out, "links"), "down"), 1);
    assert_int_equal(number_at(json_object_get(out, "links"), "drained"), 8);
    json_decref(out);
    out = ask("links", "{\"why\":\"leaf3-spine2\"}");
    assert_int_equal(json_array_size(json_object_get(out, "links")), 2);
    json_t *order = at(at(out, "links", 1), "orders", 0);
    expect(order, "name:s kind:s origin:s");
    assert_string_equal(text_at(order, "name"), "spine2");
    assert_string_equal(text_at(order, "origin"), "h0");
    assert_string_equal(text_at(at(out, "links", 0), "reason"),
                        "leaf3>spine2 is drained by an operator's order");
    json_decref(out);
}

static bool is_elected(uint32_t host, link_id link) {
    struct engine_link view;
    engine_link_at(fleet_engine(bed->sim, host), link, &view);
    return view.monitored;
}

// A host says through its gossip core what its own probes do not.
static void claim_down(uint32_t host, link_id link) {
    const struct link_report report = {.verdict = LINK_DOWN, .capacity_ppm = CAPACITY_FULL_PPM};
    uint8_t bytes[128];
    char name[LINK_NAME_SIZE];
    ssize_t size = link_report_encode(&report, bytes, sizeof(bytes));
    fabric_format_link(fleet_fabric(bed->sim), link, name);
    assert_int_equal(gossip_put(engine_gossip(fleet_engine(bed->sim, host)), fleet_now_ns(bed->sim),
                                GOSSIP_TABLE_LINK, name, bytes, (size_t)size),
                     0);
    agent_bed_run(bed, 20 * NS_PER_MS);
}

static void why_of_a_link_says_which_votes_do_not_count(void **state) {
    (void)state;
    link_id link, other;
    assert_true(fabric_find_link(fleet_fabric(bed->sim), "leaf1>spine0", &link));
    uint32_t stranger = 4;
    while (is_elected(stranger, link)) {
        stranger++;
    }
    claim_down(2, link); // both of its leaf
    claim_down(3, link);
    claim_down(stranger, link);
    json_t *out = ask("links", "{\"why\":\"leaf1>spine0\"}");
    assert_string_equal(text_at(out, "state"), "up");
    assert_string_equal(text_at(row(out, "evidence", "observer", "h2"), "vote"),
                        "from one rack only");
    const char *name = fleet_fabric(bed->sim)->nodes[stranger].name;
    assert_string_equal(text_at(row(out, "evidence", "observer", name), "vote"), "not elected");
    json_decref(out);
    for (other.i = 0; other.i < fabric_link_count(fleet_fabric(bed->sim)); other.i++) {
        if (is_elected(3, other)) {
            claim_down(3, other);
        }
    }
    out = ask("links", "{\"why\":\"leaf1>spine0\"}");
    assert_string_equal(text_at(row(out, "evidence", "observer", "h3"), "vote"), "blind");
    assert_string_equal(text_at(row(out, "evidence", "observer", "h2"), "vote"), "counts");
    assert_non_null(strstr(text_at(out, "reason"), "1 say down and count, 1 say so of most"));
    json_decref(out);
}

static void why_of_a_link_says_that_the_safety_valve_holds_it(void **state) {
    (void)state;
    agent_bed_run(bed, 4 * NS_PER_S); // until it has settled
    const struct fabric *fabric = fleet_fabric(bed->sim);
    link_id link, held = {ID_NONE};
    for (uint32_t host = 2; host < fleet_count(bed->sim); host++) {
        for (link.i = 0; link.i < fabric_link_count(fabric); link.i += 2) { // all up
            if (is_elected(host, link)) {
                claim_down(host, link);
            }
        }
    }
    for (link.i = 0; held.i == ID_NONE; link.i++) {
        struct engine_link view;
        engine_link_at(bed->agent.engine, link, &view);
        held.i = view.held_by_valve ? link.i : ID_NONE;
    }
    char name[LINK_NAME_SIZE], arguments[128];
    fabric_format_link(fabric, held, name);
    snprintf(arguments, sizeof(arguments), "{\"why\":\"%s\"}", name);
    json_t *out = ask("links", arguments);
    assert_string_equal(text_at(out, "state"), "up");
    assert_non_null(strstr(text_at(out, "reason"), "; the safety valve holds it up, since"));
    json_decref(out);
}

static void jobs_counts_ranks_and_who_agreed(void **state) {
    (void)state;
    json_t *out = ask("jobs", NULL);
    json_t *job = at(out, "jobs", 0);
    expect(job, "job:s generation:i owner:s orphaned:b algorithm:s ranks:i bound:i own_ranks:i "
                "collectives:a");
    expect(at(job, "collectives", 0), "type:s bytes:i");
    assert_string_equal(text_at(job, "owner"), "h1");
    assert_int_equal(number_at(job, "ranks"), 8);
    assert_int_equal(number_at(job, "bound"), 8);
    assert_int_equal(number_at(job, "own_ranks"), 1);
    assert_int_equal(number_at(at(job, "collectives", 0), "bytes"), 64 << 20);
    json_decref(out);
}

static void flows_shows_parts_whose_shares_add_up_to_one(void **state) {
    (void)state;
    json_t *out = ask("flows", NULL), *one;
    size_t i;
    json_array_foreach(json_object_get(out, "flows"), i, one) {
        double total = 0;
        size_t k;
        json_t *part;
        expect(one, "flow:s job:s bytes:i local:b steered:b plain_reason:sn spray:b parts:a");
        json_array_foreach(json_object_get(one, "parts"), k, part) {
            expect(part, PART_SCHEMA);
            total += json_real_value(json_object_get(part, "share"));
        }
        assert_true(total > 0.999999 && total < 1.000001);
    }
    one = row(out, "flows", "flow", "h0>h5");
    assert_string_equal(text_at(one, "job"), "demo");
    assert_int_equal(number_at(one, "bytes"), (64 << 20) / 8);
    json_t *nodes = json_object_get(at(one, "parts", 0), "nodes");
    assert_int_equal(json_array_size(nodes), 5);
    assert_string_equal(json_string_value(json_array_get(nodes, 4)), "h5");
    assert_true(json_is_true(json_object_get(row(out, "flows", "flow", "h0>h1"), "local")));
    json_decref(out);
}

static void rules_shows_what_the_nic_holds(void **state) {
    (void)state;
    json_t *out = ask("rules", NULL), *port = at(out, "ports", 0), *rule;
    size_t i;
    expect(port, "port:s device:s local_sids:a rules:a");
    assert_int_equal(json_array_size(json_object_get(port, "rules")),
                     engine_rules(bed->agent.engine, 0)->rule_count);
    json_array_foreach(json_object_get(port, "rules"), i, rule) {
        expect(rule, "destination:s key:s select:s paths:a");
        expect(at(rule, "paths", 0), "sids:a buckets:i packets:i bytes:i");
    }
    json_decref(out);
}

static void paths_tells_live_from_dead(void **state) {
    (void)state;
    agent_bed_cut(bed, "leaf0>spine1", true);
    agent_bed_run(bed, 300 * NS_PER_MS);
    json_t *out = ask("paths", "{\"src\":\"h0\",\"dst\":\"h5\"}"), *one;
    size_t i;
    unsigned dead = 0;
    expect(out, "src:s dst:s paths:a");
    assert_int_equal(json_array_size(json_object_get(out, "paths")), 4);
    json_array_foreach(json_object_get(out, "paths"), i, one) {
        expect(one, "nodes:a links:a sids:a live:b rate_bps:i");
        bool over = strcmp(json_string_value(json_array_get(json_object_get(one, "nodes"), 2)),
                           "spine1") == 0;
        assert_int_equal(json_is_true(json_object_get(one, "live")), !over);
        assert_true((number_at(one, "rate_bps") == 0) == over);
        dead += over;
    }
    assert_int_equal(dead, 1);
    json_decref(out);
    expect_refusal("paths", "{\"src\":\"h0\",\"dst\":\"h0\"}", 1, "src and dst are the same port");
    expect_refusal("paths", "{\"src\":\"h0\"}", 1,
                   "dst: no host or port (none given) in this fabric");
    expect_refusal("paths", "{\"src\":\"leaf0\",\"dst\":\"h1\"}", 1,
                   "src: no host or port leaf0 in this fabric");
}

// Runs until a flow of host 0 is on its backup; returns its name.
static const char *move_a_flow(char name[64]) {
    const struct plan *plan = engine_plan(bed->agent.engine);
    agent_bed_cut(bed, "leaf0>spine1", true);
    for (unsigned i = 0; i < 200; i++) {
        agent_bed_run(bed, NS_PER_MS / 4);
        for (uint32_t f = 0; f < plan->flow_count; f++) {
            for (uint32_t p = 0; p < plan->flows[f].part_count; p++) {
                struct engine_part part;
                engine_part_at(bed->agent.engine, f, p, &part);
                if (part.choice == PART_BACKUP) {
                    char dst[NAME_SIZE + 4];
                    fabric_format_port(fleet_fabric(bed->sim), plan->flows[f].dst, dst);
                    snprintf(name, 64, "h0>%s", dst);
                    return name;
                }
            }
        }
    }
    fail_msg("no flow was moved to its backup within 50 ms");
    return NULL;
}

static void a_flow_on_its_backup_says_so_and_why(void **state) {
    (void)state;
    char flow[64], question[128];
    move_a_flow(flow);
    snprintf(question, sizeof(question), "{\"flow\":\"%s\"}", flow);
    json_t *out = ask("why", question), *sentence;
    expect(out, "flow:s explanation:a parts:a");
    json_t *part = row(out, "parts", "state", "backup");
    expect(part, PART_SCHEMA);
    assert_string_equal(text_at(part, "cause"), "leaf0>spine1");
    assert_int_equal(json_array_size(json_object_get(part, "nodes")), 5);
    assert_string_not_equal(json_string_value(json_array_get(json_object_get(part, "nodes"), 2)),
                            "spine1");
    bool told = false;
    size_t i;
    json_array_foreach(json_object_get(out, "explanation"), i, sentence) {
        told = told || strstr(json_string_value(sentence),
                              "is on its backup path because leaf0>spine1 is down for this host");
    }
    assert_true(told);
    json_decref(out);

    out = ask("trace", question);
    expect(out, "flow:s parts:a");
    expect(out, "qp_known:n plain_reason:n");
    expect(at(out, "parts", 0), "share:r state:s hops:a");
    expect(at(at(out, "parts", 0), "hops", 0),
           "from:s to:s link:s state:s own:s rtt_ns:i probes_sent:i probes_lost:i "
           "last_minute:o loops:o peers:o");
    json_array_foreach(json_object_get(out, "parts"), i, part) {
        size_t k;
        json_t *hop;
        assert_int_equal(json_array_size(json_object_get(part, "hops")), 4);
        json_array_foreach(json_object_get(part, "hops"), k, hop) {
            assert_string_not_equal(text_at(hop, "link"), "leaf0>spine1");
        }
    }
    json_decref(out);

    out = ask("flows", NULL);
    row(row(out, "flows", "flow", flow), "parts", "state", "backup");
    json_decref(out);
    out = ask("status", NULL);
    assert_true(number_at(json_object_get(out, "flows"), "backup") >= 1);
    assert_int_equal(number_at(json_object_get(out, "links"), "own_down"), 1);
    json_decref(out);
}

static void why_of_a_qp_names_its_part(void **state) {
    (void)state;
    json_t *out = ask("why", "{\"flow\":\"h0>h5/17\"}");
    json_t *sentences = json_object_get(out, "explanation");
    const char *last = json_string_value(json_array_get(sentences, json_array_size(sentences) - 1));
    assert_non_null(strstr(last, "QP 17 takes part "));
    assert_string_equal(text_at(out, "flow"), "h0>h5/17");
    json_decref(out);
}

static void flows_that_are_not_there_are_refused_with_the_reason(void **state) {
    (void)state;
    static const char *const commands[] = {"why", "trace"};
    for (size_t i = 0; i < 2; i++) {
        const char *command = commands[i];
        expect_refusal(command, NULL, 1, "a flow is named h0>h5, one of its QPs h0>h5/17");
        expect_refusal(command, "{\"flow\":7}", 1,
                       "a flow is named h0>h5, one of its QPs h0>h5/17");
        expect_refusal(command, "{\"flow\":\"h0>h5/16777216\"}", 1,
                       "h0>h5/16777216: a QP number is at most 16777215");
        expect_refusal(command, "{\"flow\":\"h0>h5/-1\"}", 1,
                       "h0>h5/-1: a QP number is at most 16777215");
        expect_refusal(command, "{\"flow\":\"h0>h5/99999999999999999999999\"}", 1,
                       "h0>h5/99999999999999999999999: a QP number is at most 16777215");
        expect_refusal(command, "{\"flow\":\"h0\"}", 1,
                       "h0: no such hosts or ports in this fabric");
        expect_refusal(command, "{\"flow\":\"h0>\"}", 1,
                       "h0>: no such hosts or ports in this fabric");
        expect_refusal(command, "{\"flow\":\"h2>h5\"}", 1,
                       "h2>h5 is sent by h2: ask that host's agent (this is h0)");
        expect_refusal(command, "{\"flow\":\"h0>h0\"}", 1, "no job makes this host send h0>h0");
    }
}

static void links_that_are_not_there_are_refused_with_how_they_are_named(void **state) {
    (void)state;
    expect_refusal("links", "{\"why\":\"leaf0>leaf1\"}", 1,
                   "no link leaf0>leaf1 in this fabric (a link is named leaf0>spine0, a cable "
                   "leaf0-spine0)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_has_every_key_with_its_type),
        cmocka_unit_test(a_healthy_fleet_is_counted_right),
        cmocka_unit_test_setup_teardown(an_alarm_is_shown_once_with_its_newest_sentence, set_up,
                                        tear_down),
        cmocka_unit_test(members_names_every_host_and_what_it_says_of_itself),
        cmocka_unit_test(links_lists_every_link_between_switches_and_no_other),
        cmocka_unit_test_setup_teardown(why_of_a_link_says_which_votes_do_not_count, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(why_of_a_link_says_that_the_safety_valve_holds_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(why_of_a_link_shows_the_evidence_and_who_gave_orders,
                                        set_up, tear_down),
        cmocka_unit_test(jobs_counts_ranks_and_who_agreed),
        cmocka_unit_test(flows_shows_parts_whose_shares_add_up_to_one),
        cmocka_unit_test(rules_shows_what_the_nic_holds),
        cmocka_unit_test_setup_teardown(paths_tells_live_from_dead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flow_on_its_backup_says_so_and_why, set_up, tear_down),
        cmocka_unit_test(why_of_a_qp_names_its_part),
        cmocka_unit_test(flows_that_are_not_there_are_refused_with_the_reason),
        cmocka_unit_test(links_that_are_not_there_are_refused_with_how_they_are_named),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
