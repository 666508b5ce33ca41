// SPDX-License-Identifier: Apache-2.0
// Maelstrom nodes whose lines the test carries, in virtual time.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maelstrom.h"
#include "model/time.h"

#include "cmocka_all.h"

#define NODES 3
#define STEP_NS (5 * NS_PER_MS)

struct bed {
    struct maelstrom *nodes[NODES];
    bool down[NODES];
    uint64_t now_ns, seed;
    struct text answers;       // lines to clients
    unsigned to[NODES][NODES]; // of the present flush interval
};

static void open_node(struct bed *bed, unsigned i) {
    bed->seed++;
    assert_int_equal(maelstrom_open((uint32_t)bed->seed, bed->seed, &bed->nodes[i]), 0);
    bed->down[i] = false;
}

static int set_up(void **state) {
    static struct bed bed;
    bed = (struct bed){.now_ns = NS_PER_S, .seed = 1};
    for (unsigned i = 0; i < NODES; i++) {
        open_node(&bed, i);
    }
    *state = &bed;
    return 0;
}

static int tear_down(void **state) {
    struct bed *bed = *state;
    for (unsigned i = 0; i < NODES; i++) {
        maelstrom_close(bed->nodes[i]);
    }
    text_fini(&bed->answers);
    return 0;
}

static void say(struct bed *bed, unsigned to, const char *body) {
    char line[1024];
    snprintf(line, sizeof(line), "{\"src\":\"c1\",\"dest\":\"n%u\",\"body\":%s}", to, body);
    maelstrom_line(bed->nodes[to], bed->now_ns, line, strlen(line));
}

static void carry(struct bed *bed, unsigned from, const char *line, size_t size) {
    struct wire_message message;
    struct error error = {0};
    assert_int_equal(wire_parse(line, size, &message, &error), 0);
    if (message.dest[0] == 'c') {
        text_add(&bed->answers, line, size);
        text_add(&bed->answers, "\n", 1);
    } else {
        unsigned to = (unsigned)(message.dest[1] - '0');
        assert_in_range(to, 0, NODES - 1);
        bed->to[from][to]++;
        if (!bed->down[to]) {
            maelstrom_line(bed->nodes[to], bed->now_ns, line, size);
        }
    }
    wire_fini(&message);
}

static void carry_all(struct bed *bed, unsigned from) {
    struct text out = *maelstrom_output(bed->nodes[from]);
    *maelstrom_output(bed->nodes[from]) = (struct text){.bytes = NULL};
    assert_false(out.failed);
    for (size_t at = 0; at < out.size;) {
        const char *end = memchr(out.bytes + at, '\n', out.size - at);
        assert_non_null(end);
        carry(bed, from, out.bytes + at, (size_t)(end - (out.bytes + at)));
        at = (size_t)(end - out.bytes) + 1;
    }
    text_fini(&out);
}

static void run(struct bed *bed, uint64_t span_ns) {
    for (uint64_t end = bed->now_ns + span_ns; bed->now_ns < end; bed->now_ns += STEP_NS) {
        for (unsigned i = 0; i < NODES; i++) {
            if (!bed->down[i]) {
                maelstrom_tick(bed->nodes[i], bed->now_ns);
                carry_all(bed, i);
            }
        }
    }
}

static void say_init(struct bed *bed, unsigned to) {
    char body[160];
    snprintf(
        body, sizeof(body),
        "{\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n%u\",\"node_ids\":[\"n0\",\"n1\",\"n2\"]}",
        to);
    say(bed, to, body);
}

static void start(struct bed *bed) {
    for (unsigned i = 0; i < NODES; i++) {
        say_init(bed, i);
    }
    run(bed, NS_PER_S);
    bed->answers.size = 0;
}

// The answers since the last look.
static const char *answers(struct bed *bed) {
    text_add(&bed->answers, "", 1);
    bed->answers.size = 0;
    return bed->answers.bytes;
}

static void expect(struct bed *bed, const char *part) {
    const char *given = answers(bed);
    if (strstr(given, part) == NULL) {
        fail_msg("no %s in %s", part, given);
    }
}

static void expect_read(struct bed *bed, unsigned node, const char *messages) {
    char part[128];
    say(bed, node, "{\"type\":\"read\",\"msg_id\":9}");
    carry_all(bed, node);
    snprintf(part, sizeof(part), "\"messages\":%s,\"in_reply_to\":9", messages);
    expect(bed, part);
}

// ---- answers

static void before_init_a_request_is_refused_for_now(void **state) {
    struct bed *bed = *state;
    say(bed, 0, "{\"type\":\"read\",\"msg_id\":4}");
    carry_all(bed, 0);
    expect(bed, "{\"src\":\"n0\",\"dest\":\"c1\",\"body\":{\"type\":\"error\",\"code\":11,");
}

static void init_is_answered_when_all_nodes_are_known(void **state) {
    struct bed *bed = *state;
    say_init(bed, 0);
    say_init(bed, 1);
    run(bed, 500 * NS_PER_MS);
    assert_string_equal(answers(bed), ""); // n2 did not start yet
    say_init(bed, 2);
    run(bed, 500 * NS_PER_MS);
    expect(bed, "\"type\":\"init_ok\",\"in_reply_to\":1");
}

static void init_is_answered_even_when_a_node_is_missing(void **state) {
    struct bed *bed = *state;
    bed->down[2] = true;
    say_init(bed, 0);
    run(bed, 2 * NS_PER_S);
    assert_string_equal(answers(bed), "");
    run(bed, STEP_NS);
    expect(bed, "init_ok");
}

static void a_wrong_init_is_malformed(void **state) {
    static const char *const bodies[] = {
        "{\"type\":\"init\",\"msg_id\":1}",
        "{\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n0\"}",
        "{\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n0\",\"node_ids\":[]}",
        "{\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n0\",\"node_ids\":[\"n1\"]}",
        "{\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n0\",\"node_ids\":[\"n0\",7]}",
        ("{\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n0\",\"node_ids\":[\"n0\","
         "\"a-name-that-is-longer-than-31-bytes\"]}"),
        "{\"type\":\"init\",\"msg_id\":1,\"node_id\":\"\\u0007\",\"node_ids\":[\"\\u0007\"]}",
    };
    struct bed *bed = *state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        say(bed, 0, bodies[i]);
        carry_all(bed, 0);
        expect(bed, "\"code\":12,");
    }
    start(bed);
    say_init(bed, 0); // a second one
    carry_all(bed, 0);
    expect(bed, "\"code\":12,");
}

static void an_unknown_request_is_not_supported(void **state) {
    struct bed *bed = *state;
    start(bed);
    say(bed, 0, "{\"type\":\"cas\",\"msg_id\":5}");
    carry_all(bed, 0);
    expect(bed, "\"code\":10,");
}

static void a_request_without_what_it_needs_is_malformed(void **state) {
    static const char *const bodies[] = {
        "{\"type\":\"broadcast\",\"msg_id\":5}",
        "{\"type\":\"topology\",\"msg_id\":5}",
        "{\"type\":\"topology\",\"msg_id\":5,\"topology\":[]}",
        "{\"type\":\"gossip\",\"msg_id\":5}",
        "{\"type\":\"gossip\",\"msg_id\":5,\"data\":\"AAAA\"}",
        "{\"type\":\"gossip\",\"msg_id\":5,\"data\":[7]}",
        "{\"type\":\"gossip\",\"msg_id\":5,\"data\":[\"not base64\"]}",
    };
    struct bed *bed = *state;
    start(bed);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        say(bed, 0, bodies[i]);
        carry_all(bed, 0);
        expect(bed, "\"code\":12,");
    }
}

static void topology_is_acknowledged(void **state) {
    struct bed *bed = *state;
    start(bed);
    say(bed, 0, "{\"type\":\"topology\",\"msg_id\":2,\"topology\":{\"n0\":[\"n1\"]}}");
    carry_all(bed, 0);
    expect(bed, "{\"type\":\"topology_ok\",\"in_reply_to\":2}");
}

static void what_is_no_request_is_logged_and_not_answered(void **state) {
    static const char *const lines[] = {
        "garbage",
        "[]",
        "{\"src\":\"c1\",\"dest\":\"n0\"}",
        "{\"src\":\"c1\",\"dest\":\"n0\",\"body\":{\"msg_id\":1}}",
        "{\"dest\":\"n0\",\"body\":{\"type\":\"read\",\"msg_id\":1}}",
        "{\"src\":\"c1\",\"dest\":\"n0\",\"body\":{\"type\":\"read\",\"msg_id\":\"1\"}}",
        "{\"src\":\"c1\",\"dest\":\"n1\",\"body\":{\"type\":\"read\",\"msg_id\":1}}",
        ("{\"src\":\"n1\",\"dest\":\"n0\",\"body\":{\"type\":\"error\",\"msg_id\":1,\"in_reply_"
         "to\":"
         "1}}"),
        "{\"src\":\"c1\",\"dest\":\"n0\",\"body\":{\"type\":\"cas\"}}",
    };
    struct bed *bed = *state;
    start(bed);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        maelstrom_log(bed->nodes[0])->size = 0;
        maelstrom_line(bed->nodes[0], bed->now_ns, lines[i], strlen(lines[i]));
        assert_int_equal(maelstrom_output(bed->nodes[0])->size, 0);
        assert_true(maelstrom_log(bed->nodes[0])->size > 0);
    }
    expect_read(bed, 0, "[]");
}

// ---- values

static void a_broadcast_is_read_at_every_node(void **state) {
    struct bed *bed = *state;
    start(bed);
    say(bed, 1, "{\"type\":\"broadcast\",\"msg_id\":2,\"message\":1000}");
    say(bed, 1, "{\"type\":\"broadcast\",\"msg_id\":3,\"message\":{\"b\":[1.5,null],\"a\":\"x\"}}");
    run(bed, 300 * NS_PER_MS);
    expect(bed, "{\"type\":\"broadcast_ok\",\"in_reply_to\":3}");
    for (unsigned i = 0; i < NODES; i++) {
        expect_read(bed, i, "[1000,{\"b\":[1.5,null],\"a\":\"x\"}]");
    }
}

static void the_same_value_twice_is_one(void **state) {
    struct bed *bed = *state;
    start(bed);
    for (unsigned i = 0; i < NODES; i++) {
        say(bed, i, "{\"type\":\"broadcast\",\"msg_id\":2,\"message\":7}");
    }
    run(bed, 300 * NS_PER_MS);
    for (unsigned i = 0; i < NODES; i++) {
        expect_read(bed, i, "[7]");
    }
}

static void a_broadcast_is_acknowledged_after_it_has_left(void **state) {
    struct bed *bed = *state;
    start(bed);
    run(bed, 40 * NS_PER_MS);
    say(bed, 0, "{\"type\":\"broadcast\",\"msg_id\":2,\"message\":7}");
    for (int i = 0; i < 40 && maelstrom_output(bed->nodes[0])->size == 0; i++) {
        maelstrom_tick(bed->nodes[0], bed->now_ns += STEP_NS);
    }
    struct text *out = maelstrom_output(bed->nodes[0]);
    text_add(out, "", 1);
    const char *gossip = strstr(out->bytes, "\"gossip\"");
    const char *acknowledged = strstr(out->bytes, "\"broadcast_ok\"");
    assert_non_null(gossip);
    assert_non_null(acknowledged);
    assert_true(gossip < acknowledged);
    assert_null(strstr(acknowledged, "\"gossip\""));
    out->size--;
}

static void a_node_sends_one_line_a_neighbour_and_flush(void **state) {
    struct bed *bed = *state;
    start(bed);
    for (int second = 0; second < 3; second++) {
        memset(bed->to, 0, sizeof(bed->to));
        for (int i = 0; i < 100; i++) {
            char body[80];
            snprintf(body, sizeof(body), "{\"type\":\"broadcast\",\"msg_id\":2,\"message\":%d}",
                     1000 * second + i);
            say(bed, (unsigned)i % NODES, body);
            run(bed, NS_PER_S / 100);
        }
        for (unsigned i = 0; i < NODES; i++) {
            for (unsigned to = 0; to < NODES; to++) {
                assert_in_range(bed->to[i][to], i == to ? 0 : 1, i == to ? 0 : 11);
            }
        }
    }
}

static void many_values_need_few_records(void **state) {
    struct bed *bed = *state;
    start(bed);
    for (int i = 0; i < 20000; i++) {
        char body[80];
        snprintf(body, sizeof(body), "{\"type\":\"broadcast\",\"message\":%d}", i);
        say(bed, 0, body);
        if (i % 1000 == 999) {
            run(bed, 100 * NS_PER_MS);
        }
    }
    run(bed, NS_PER_S);
    bed->answers.size = 0;
    say(bed, 2, "{\"type\":\"read\",\"msg_id\":9}");
    carry_all(bed, 2);
    const char *given = answers(bed);
    struct wire_message message;
    assert_int_equal(wire_parse(given, strcspn(given, "\n"), &message, NULL), 0);
    assert_int_equal(json_array_size(json_object_get(message.body, "messages")), 20000);
    wire_fini(&message);
}

static void a_value_that_is_too_large_is_refused(void **state) {
    struct bed *bed = *state;
    size_t size = 6000;
    char *line = malloc(size);
    start(bed);
    int head = snprintf(line, size,
                        "{\"src\":\"c1\",\"dest\":\"n0\",\"body\":{\"type\":\"broadcast\","
                        "\"msg_id\":2,\"message\":\"%05000d\"}}",
                        1);
    maelstrom_line(bed->nodes[0], bed->now_ns, line, (size_t)head);
    free(line);
    run(bed, 200 * NS_PER_MS);
    expect(bed, "\"code\":12,");
    expect_read(bed, 0, "[]");
}

static void values_of_a_node_that_died_stay(void **state) {
    struct bed *bed = *state;
    start(bed);
    say(bed, 1, "{\"type\":\"broadcast\",\"msg_id\":2,\"message\":7}");
    run(bed, 300 * NS_PER_MS);
    bed->answers.size = 0;
    bed->down[1] = true;
    run(bed, 20 * NS_PER_S); // dead by now
    expect_read(bed, 0, "[7]");
    expect_read(bed, 2, "[7]");
}

static void values_of_a_node_that_lost_its_memory_come_back_to_it(void **state) {
    struct bed *bed = *state;
    start(bed);
    say(bed, 1, "{\"type\":\"broadcast\",\"msg_id\":2,\"message\":7}");
    run(bed, 300 * NS_PER_MS);
    maelstrom_close(bed->nodes[1]);
    open_node(bed, 1);
    say_init(bed, 1);
    run(bed, 5 * NS_PER_S);
    bed->answers.size = 0;
    for (unsigned i = 0; i < NODES; i++) {
        expect_read(bed, i, "[7]");
    }
}

static void hundred_ms_of_latency_are_no_reason_to_suspect(void **state) {
    struct bed *bed = *state;
    start(bed);
    maelstrom_log(bed->nodes[0])->size = 0;
    bed->down[1] = bed->down[2] = true; // nothing is heard for longer than any latency
    run(bed, 2 * NS_PER_S);
    bed->down[1] = bed->down[2] = false;
    run(bed, 2 * NS_PER_S);
    assert_int_equal(maelstrom_log(bed->nodes[0])->size, 0);
}

// ---- base64

static void base64_is_that_of_rfc_4648(void **state) {
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"},
                                             {"\xff\xfe\xfb", "//77"}};
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        char *text = base64_encode(vectors[i][0], strlen(vectors[i][0]));
        uint8_t *bytes;
        size_t size;
        assert_string_equal(text, vectors[i][1]);
        assert_int_equal(base64_decode(text, strlen(text), &bytes, &size), 0);
        assert_int_equal(size, strlen(vectors[i][0]));
        assert_memory_equal(bytes, vectors[i][0], size);
        free(bytes);
        free(text);
    }
}

static void base64_refuses_what_it_would_not_have_written(void **state) {
    static const char *const texts[] = {"Z",    "Zg",   "Zg=",      "====",     "=g==", "Zg=a",
                                        "Zh==", "Zm9=", "Zm9v====", "Zg==Zg==", "Zm 9", "Zm9-"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint8_t *bytes = NULL;
        size_t size;
        assert_int_equal(base64_decode(texts[i], strlen(texts[i]), &bytes, &size), -EBADMSG);
        assert_null(bytes);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(before_init_a_request_is_refused_for_now),
        TEST(init_is_answered_when_all_nodes_are_known),
        TEST(init_is_answered_even_when_a_node_is_missing),
        TEST(a_wrong_init_is_malformed),
        TEST(an_unknown_request_is_not_supported),
        TEST(a_request_without_what_it_needs_is_malformed),
        TEST(topology_is_acknowledged),
        TEST(what_is_no_request_is_logged_and_not_answered),
        TEST(a_broadcast_is_read_at_every_node),
        TEST(the_same_value_twice_is_one),
        TEST(a_broadcast_is_acknowledged_after_it_has_left),
        TEST(a_node_sends_one_line_a_neighbour_and_flush),
        TEST(many_values_need_few_records),
        TEST(a_value_that_is_too_large_is_refused),
        TEST(values_of_a_node_that_died_stay),
        TEST(values_of_a_node_that_lost_its_memory_come_back_to_it),
        TEST(hundred_ms_of_latency_are_no_reason_to_suspect),
        cmocka_unit_test(base64_is_that_of_rfc_4648),
        cmocka_unit_test(base64_refuses_what_it_would_not_have_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
