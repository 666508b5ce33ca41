// SPDX-License-Identifier: Apache-2.0
// jobs.kubernetes of the configuration file.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_shell/config.h"

#include <cmocka.h>

// Four lines, then `jobs` from the fifth on.
#define BEFORE                                                                                     \
    "host: h0\n"                                                                                   \
    "fabric: lab.yaml\n"                                                                           \
    "gossip: {listen: \"tcp://10.0.0.1:7946\"}\n"                                                  \
    "nic: {ports: [{port: h0, device: eth0}]}\n"

static char told[4096]; // all complaints, a line each

static void collect(void *context, const struct error *error) {
    (void)context;
    size_t length = strlen(told);
    snprintf(told + length, sizeof(told) - length, "%s\n", error->text);
}

static int load(const char *jobs, struct config *config) {
    char text[8192];
    int size = snprintf(text, sizeof(text), "%s%s", BEFORE, jobs);
    assert_true(size > 0 && (size_t)size < sizeof(text));
    told[0] = '\0';
    return config_parse("/etc/srv6/agent.yaml", text, (size_t)size, collect, NULL, config);
}

static void expect_refused(const char *jobs, const char *complaints) {
    struct config config;
    assert_int_equal(load(jobs, &config), -EINVAL);
    assert_string_equal(told, complaints);
}

static int no_environment(void **state) {
    (void)state;
    return unsetenv("NODE_NAME");
}

static void without_the_key_no_pods_are_watched(void **state) {
    (void)state;
    struct config config;
    setenv("NODE_NAME", "gpu-1", 1);
    assert_int_equal(load("", &config), 0);
    assert_false(config.pods.on);
    assert_string_equal(config.pods.node, "");
    config_fini(&config);
}

static void every_key_is_read(void **state) {
    (void)state;
    struct config config;
    assert_int_equal(load("jobs:\n"
                          "  kubernetes:\n"
                          "    node: gpu-17.rack-3.example.com\n"
                          "    namespaces: [ml, team-2]\n"
                          "    state_file: seen/pods.json\n",
                          &config),
                     0);
    assert_true(config.pods.on);
    assert_string_equal(config.pods.node, "gpu-17.rack-3.example.com");
    assert_int_equal(config.pods.namespace_count, 2);
    assert_string_equal(config.pods.namespaces[0], "ml");
    assert_string_equal(config.pods.namespaces[1], "team-2");
    assert_string_equal(config.pods.state_file, "/etc/srv6/seen/pods.json");
    config_fini(&config);
}

static void what_is_absent_has_defaults(void **state) {
    (void)state;
    struct config config;
    assert_int_equal(load("jobs: {kubernetes: {node: n}}\n", &config), 0);
    assert_int_equal(config.pods.namespace_count, 0);
    assert_string_equal(config.pods.state_file, "/run/srv6/pods.json"); // beside the socket
    config_fini(&config);
    assert_int_equal(load("socket: /tmp/h0/agent.sock\njobs: {kubernetes: {node: n}}\n", &config),
                     0);
    assert_string_equal(config.pods.state_file, "/tmp/h0/pods.json");
    config_fini(&config);
}

static void the_environment_names_the_node_where_the_file_does_not(void **state) {
    (void)state;
    struct config config;
    setenv("NODE_NAME", "gpu-1", 1);
    assert_int_equal(load("jobs: {kubernetes: {}}\n", &config), 0);
    assert_true(config.pods.on);
    assert_string_equal(config.pods.node, "gpu-1");
    config_fini(&config);
    assert_int_equal(load("jobs: {kubernetes: {node: gpu-2}}\n", &config), 0);
    assert_string_equal(config.pods.node, "gpu-2");
    config_fini(&config);
}

static void a_node_must_be_named(void **state) {
    (void)state;
    expect_refused("jobs:\n  kubernetes: {}\n",
                   "/etc/srv6/agent.yaml:6: jobs.kubernetes: which node is this? Set node, or "
                   "NODE_NAME in the environment\n");
    setenv("NODE_NAME", "", 1);
    expect_refused("jobs:\n  kubernetes: {}\n",
                   "/etc/srv6/agent.yaml:6: jobs.kubernetes: NODE_NAME in the environment: small "
                   "letters, digits, - and . expected\n");
    setenv("NODE_NAME", "a&fieldSelector=", 1);
    expect_refused("jobs:\n  kubernetes: {}\n",
                   "/etc/srv6/agent.yaml:6: jobs.kubernetes: NODE_NAME in the environment: small "
                   "letters, digits, - and . expected\n");
}

// The name goes into a request to the API server.
static void a_node_has_a_name_that_kubernetes_would_give(void **state) {
    (void)state;
    static const char *const wrong[] = {"Gpu", "a_b", "a/b", "a b", "-a", "a-", ".a", "a.", "ä"};
    char jobs[512], label[CONFIG_NAME_SIZE + 1];
    struct config config;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(jobs, sizeof(jobs), "jobs:\n  kubernetes:\n    node: \"%s\"\n", wrong[i]);
        expect_refused(jobs, "/etc/srv6/agent.yaml:7: jobs.kubernetes.node: small letters, digits, "
                             "- and . expected\n");
    }
    memset(label, 'a', sizeof(label));
    label[CONFIG_NAME_SIZE - 1] = '\0'; // the longest that there is
    snprintf(jobs, sizeof(jobs), "jobs:\n  kubernetes:\n    node: %s\n", label);
    assert_int_equal(load(jobs, &config), 0);
    assert_string_equal(config.pods.node, label);
    config_fini(&config);
    label[CONFIG_NAME_SIZE - 1] = 'a';
    label[CONFIG_NAME_SIZE] = '\0';
    snprintf(jobs, sizeof(jobs), "jobs:\n  kubernetes:\n    node: %s\n", label);
    expect_refused(jobs, "/etc/srv6/agent.yaml:7: jobs.kubernetes.node: "
                         "aaaaaaaaaaaaaaaaaaaaaaaa...: longer than 253 characters\n");
}

static void each_wrong_namespace_is_told_with_its_line(void **state) {
    (void)state;
    expect_refused("jobs:\n"
                   "  kubernetes:\n"
                   "    node: n\n"
                   "    namespaces:\n"
                   "    - ml\n"
                   "    - Ml\n"
                   "    - a.b\n"
                   "    - -x\n",
                   "/etc/srv6/agent.yaml:10: jobs.kubernetes.namespaces[1]: small letters, digits "
                   "and - expected\n"
                   "/etc/srv6/agent.yaml:11: jobs.kubernetes.namespaces[2]: small letters, digits "
                   "and - expected\n"
                   "/etc/srv6/agent.yaml:12: jobs.kubernetes.namespaces[3]: small letters, digits "
                   "and - expected\n");
}

static void unknown_missing_and_mistyped_keys_are_told(void **state) {
    (void)state;
    expect_refused("jobs:\n  kubernets: {node: n}\n",
                   "/etc/srv6/agent.yaml:6: jobs: unknown key kubernets\n"
                   "/etc/srv6/agent.yaml:6: jobs: key kubernetes is missing\n");
    expect_refused("jobs: {}\n", "/etc/srv6/agent.yaml:5: jobs: key kubernetes is missing\n");
    expect_refused("jobs:\n  kubernetes: yes\n",
                   "/etc/srv6/agent.yaml:6: jobs.kubernetes: a mapping (key: value) expected\n");
    expect_refused("jobs:\n  kubernetes: {node: n, namespace: ml}\n",
                   "/etc/srv6/agent.yaml:6: jobs.kubernetes: unknown key namespace\n");
    expect_refused("jobs:\n  kubernetes:\n    node: [n]\n",
                   "/etc/srv6/agent.yaml:7: jobs.kubernetes.node: a single value expected\n");
    expect_refused("jobs:\n  kubernetes:\n    node: n\n    namespaces: ml\n",
                   "/etc/srv6/agent.yaml:8: jobs.kubernetes.namespaces: a list expected\n");
    expect_refused("jobs:\n  kubernetes:\n    node: n\n    namespaces: []\n",
                   "/etc/srv6/agent.yaml:8: jobs.kubernetes.namespaces: 0 entries: at least 1 "
                   "expected\n");
    expect_refused("jobs:\n  kubernetes:\n    node: n\n    state_file: \"\"\n",
                   "/etc/srv6/agent.yaml:8: jobs.kubernetes.state_file: is empty\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_the_key_no_pods_are_watched, no_environment),
        cmocka_unit_test_setup(every_key_is_read, no_environment),
        cmocka_unit_test_setup(what_is_absent_has_defaults, no_environment),
        cmocka_unit_test_setup(the_environment_names_the_node_where_the_file_does_not,
                               no_environment),
        cmocka_unit_test_setup(a_node_must_be_named, no_environment),
        cmocka_unit_test_setup(a_node_has_a_name_that_kubernetes_would_give, no_environment),
        cmocka_unit_test_setup(each_wrong_namespace_is_told_with_its_line, no_environment),
        cmocka_unit_test_setup(unknown_missing_and_mistyped_keys_are_told, no_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
