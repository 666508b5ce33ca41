// SPDX-License-Identifier: Apache-2.0
// SIGHUP: what is read anew, what is named as needing a restart, and what is left as it was.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_bed.h"
#include "model/time.h"
#include "model_yaml/fabric_file.h"

#include <cmocka.h>

static struct agent_bed *bed;
static char folder[] = "/tmp/agent-reload-XXXXXX";
static char config_path[64], fabric_path[64], log_path[64], secret_path[64], fleet_path[64];

static void write_config(const char *probe, const char *more) {
    FILE *file = fopen(config_path, "w");
    assert_non_null(file);
    fprintf(file,
            "host: h0\nfabric: fabric.yaml\nsocket: agent.sock\nlog: {file: agent.log}\n"
            "gossip: {listen: \"tcp://10.0.0.1:7946\"}\n"
            "nic: {driver: mem, ports: [{port: h0, device: mem0}]}\nprobe: {%s}\n%s",
            probe, more);
    fclose(file);
}

static void write_fabric(unsigned generation) {
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    assert_int_equal(fabric_file_write(fleet_fabric(bed->sim), memory), 0);
    fclose(memory);
    char *at = strstr(text, "generation: 1");
    assert_non_null(at);
    at[strlen("generation: ")] = (char)('0' + generation);
    FILE *file = fopen(fabric_path, "w");
    assert_non_null(file);
    fwrite(text, 1, size, file);
    fclose(file);
    free(text);
}

static void fail_aloud(void *context, const struct error *error) {
    (void)context;
    fail_msg("%s", error->text);
}

static int set_up(void **state) {
    (void)state;
    bed = agent_bed_open();
    write_fabric(1);
    write_config("interval_ms: 3", "");
    assert_int_equal(config_load(config_path, fail_aloud, NULL, &bed->agent.config), 0);
    return log_open(log_path, LOG_INFO, LOG_TEXT, &bed->agent.log, NULL);
}

static int tear_down(void **state) {
    (void)state;
    log_close(bed->agent.log);
    config_fini(&bed->agent.config);
    agent_bed_close(bed);
    unlink(config_path);
    unlink(fabric_path);
    unlink(log_path);
    unlink(secret_path);
    unlink(fleet_path);
    return 0;
}

static bool was_told(const char *text) {
    const struct events *events = bed->agent.events;
    for (uint64_t i = events_first(events); i < events_end(events); i++) {
        if (strstr(events_at(events, i)->text, text) != NULL) {
            return true;
        }
    }
    return false;
}

static void expect_told(const char *text) {
    if (!was_told(text)) {
        const struct events *events = bed->agent.events;
        for (uint64_t i = events_first(events); i < events_end(events); i++) {
            printf("told: %s\n", events_at(events, i)->text);
        }
        fail_msg("not told: %s", text);
    }
}

static void an_unchanged_file_changes_nothing(void **state) {
    (void)state;
    agent_reload(&bed->agent);
    expect_told("configuration read anew");
    assert_false(was_told("restart the agent"));
    assert_false(was_told("stays in force"));
    assert_int_equal(bed->last_config.probe_interval_ns, 3 * NS_PER_MS);
    assert_int_equal(engine_held_generation(bed->agent.engine), 1);
}

static void live_keys_apply_at_once(void **state) {
    (void)state;
    write_config("interval_ms: 7, loss_threshold: 4", "algorithm: spray\n");
    agent_reload(&bed->agent);
    assert_int_equal(bed->last_config.probe_interval_ns, 7 * NS_PER_MS);
    assert_int_equal(bed->last_config.loss_threshold, 4);
    assert_string_equal(bed->agent.config.algorithm, "spray");
    assert_int_equal(engine_configuration(bed->agent.engine)->probe_interval_ns, 7 * NS_PER_MS);
}

static void a_wrong_file_changes_nothing_and_every_error_is_told(void **state) {
    (void)state;
    write_config("interval_ms: 0, loss_threshold: none", "algorithm: magic\nwhat: 1\n");
    agent_reload(&bed->agent);
    expect_told("the old configuration stays in force");
    expect_told("what");
    expect_told("loss_threshold");
    assert_false(was_told("configuration read anew"));
    assert_int_equal(bed->step_count, 0);
    assert_int_equal(bed->agent.config.probe_interval_ns, 3 * NS_PER_MS);
}

static void a_missing_file_changes_nothing(void **state) {
    (void)state;
    unlink(config_path);
    agent_reload(&bed->agent);
    expect_told("the old configuration stays in force");
    assert_int_equal(bed->step_count, 0);
}

static void a_wrong_fabric_file_leaves_the_old_fabric_and_applies_the_rest(void **state) {
    (void)state;
    FILE *file = fopen(fabric_path, "w");
    fputs("version: 1\nname: nothing\n", file);
    fclose(file);
    write_config("interval_ms: 7", "");
    agent_reload(&bed->agent);
    expect_told("the old fabric stays in force");
    expect_told("configuration read anew");
    assert_int_equal(engine_held_generation(bed->agent.engine), 1);
    assert_int_equal(bed->last_config.probe_interval_ns, 7 * NS_PER_MS);
}

static void a_newer_fabric_file_is_held_until_all_hold_it(void **state) {
    (void)state;
    write_fabric(2);
    agent_reload(&bed->agent);
    assert_false(was_told("stays in force"));
    assert_int_equal(engine_held_generation(bed->agent.engine), 2);
    assert_int_equal(engine_fabric(bed->agent.engine)->generation, 1);
}

static void a_fabric_without_this_host_is_refused(void **state) {
    (void)state;
    FILE *file = fopen(fabric_path, "w");
    fputs("version: 1\ngeneration: 2\nname: other\nblock: fcbb:bb00::/32\n"
          "clos: {kind: leaf-spine, leaves: 2, spines: 2, hosts_per_leaf: 1, cables: 1, "
          "host_gbps: 100, fabric_gbps: 100}\n",
          file);
    fclose(file);
    snprintf(bed->agent.config.host, sizeof(bed->agent.config.host), "h7");
    agent_reload(&bed->agent);
    expect_told("the old fabric stays in force");
    assert_int_equal(engine_held_generation(bed->agent.engine), 1);
}

static void what_only_a_restart_changes_is_named(void **state) {
    (void)state;
    static const struct {
        const char *from, *to, *key;
    } changes[] = {
        {"host: h0", "host: h1", "host"},
        {"socket: agent.sock", "socket: other.sock", "socket"},
        {"file: agent.log", "file: other.log", "log.file"},
        {"file: agent.log", "format: json", "log.format"},
        {"10.0.0.1:7946", "10.0.0.1:7947", "gossip.listen"},
        {"listen:", "ping_interval_ms: 60, listen:", "gossip timers"},
        {"driver: mem", "driver: ebpf", "nic.driver"},
        {"driver: mem", "pin_dir: /sys/fs/bpf/x", "nic.pin_dir"},
        {"device: mem0", "device: mem1", "nic.ports"},
        {"driver: mem, ports: [{port: h0, device: mem0}]",
         "driver: mlx5, holder: h, ports: [{port: h0, device: mem0}]", "nic.holder"},
        {"driver: mem, ports: [{port: h0, device: mem0}]",
         "driver: mlx5, traffic_classes: [1], ports: [{port: h0, device: mem0, vport: 1}]",
         "nic.traffic_classes"},
        {"interval_ms: 3", "backend: epoll", "probe.backend"},
        {"probe:", "metrics: {listen: \"[::1]:9750\"}\nprobe:", "metrics.listen"},
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        char text[1024], sentence[128];
        write_config("interval_ms: 3", "");
        FILE *file = fopen(config_path, "r");
        text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
        fclose(file);
        char *at = strstr(text, changes[i].from);
        assert_non_null(at);
        file = fopen(config_path, "w");
        fprintf(file, "%.*s%s%s", (int)(at - text), text, changes[i].to,
                at + strlen(changes[i].from));
        fclose(file);
        snprintf(sentence, sizeof(sentence),
                 "%s changed in the file: restart the agent to apply it", changes[i].key);
        assert_false(was_told(sentence));
        agent_reload(&bed->agent);
        expect_told(sentence);
        assert_string_equal(bed->agent.config.host, "h0");
    }
}

static void the_log_is_opened_anew(void **state) {
    (void)state;
    char rotated[80];
    snprintf(rotated, sizeof(rotated), "%s.1", log_path);
    assert_int_equal(rename(log_path, rotated), 0);
    agent_reload(&bed->agent);
    assert_int_equal(access(log_path, F_OK), 0);
    unlink(rotated);
}

static void write_curve_config(void) {
    FILE *file = fopen(config_path, "w");
    fprintf(file,
            "host: h0\nfabric: fabric.yaml\n"
            "gossip: {listen: \"tcp://10.0.0.1:7946\", curve: {secret_key_file: %s, "
            "fleet_keys_file: %s}}\n"
            "nic: {driver: mem, ports: [{port: h0, device: mem0}]}\n",
            secret_path, fleet_path);
    fclose(file);
}

struct pair {
    char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE];
};

// One line of the fleet's file for each pair, all of `host`.
static void write_fleet(const char *host, const struct pair *pairs, uint32_t count) {
    FILE *file = fopen(fleet_path, "w");
    for (uint32_t i = 0; i < count; i++) {
        char sign_key[CURVE_KEY_TEXT_SIZE];
        assert_int_equal(curve_sign_key(pairs[i].secret_key, sign_key), 0);
        fprintf(file, "%s %s %s\n", host, pairs[i].public_key, sign_key);
    }
    fclose(file);
}

static void make_pairs(struct pair pairs[2]) {
    for (int i = 0; i < 2; i++) {
        assert_int_equal(curve_keypair(pairs[i].public_key, pairs[i].secret_key), 0);
    }
}

static void write_secret(const char *secret_key) {
    struct error error;
    unlink(secret_path);
    assert_int_equal(curve_secret_write(secret_path, secret_key, &error), 0);
}

static void keys_that_cannot_be_read_leave_the_old_ones(void **state) {
    (void)state;
    write_curve_config();
    agent_reload(&bed->agent);
    expect_told("gossip.curve changed in the file: restart the agent to apply it");
    assert_false(was_told("the old keys stay in force"));
    bed->agent.config.curve = true;
    agent_reload(&bed->agent);
    expect_told("No such file or directory; the old keys stay in force");
    assert_string_equal(bed->secret_key, "");
}

static void new_keys_and_a_new_secret_apply_at_once(void **state) {
    (void)state;
    struct pair pairs[2];
    const char *old = pairs[0].secret_key, *new = pairs[1].secret_key;
    make_pairs(pairs);
    bed->agent.config.curve = true;
    write_curve_config();
    write_fleet("h0", pairs, 2);
    write_secret(old);
    agent_reload(&bed->agent);
    assert_string_equal(bed->secret_key, old);
    assert_int_equal(bed->fleet_keys, 2);
    assert_int_equal(bed->agent.signing->key_count, 2); // the core's, too
    write_secret(new);
    agent_reload(&bed->agent);
    assert_string_equal(bed->secret_key, new);
    assert_false(was_told("the old keys stay in force"));
}

static void keys_that_do_not_fit_this_host_leave_the_old_ones(void **state) {
    (void)state;
    struct pair pairs[2];
    const char *own = pairs[0].secret_key;
    make_pairs(pairs);
    bed->agent.config.curve = true;
    write_curve_config();
    write_secret(own);
    write_fleet("h0", &pairs[1], 1);
    agent_reload(&bed->agent);
    expect_told("is not in the fleet's list: others would refuse it; the old keys stay in force");
    write_fleet("h1", pairs, 1);
    agent_reload(&bed->agent);
    expect_told("this host is h0, its key is that of h1; the old keys stay in force");
    assert_string_equal(bed->secret_key, "");
    write_fleet("*", pairs, 1);
    agent_reload(&bed->agent);
    assert_string_equal(bed->secret_key, own);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_unchanged_file_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(live_keys_apply_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_file_changes_nothing_and_every_error_is_told,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_file_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_wrong_fabric_file_leaves_the_old_fabric_and_applies_the_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_newer_fabric_file_is_held_until_all_hold_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_fabric_without_this_host_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_only_a_restart_changes_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_log_is_opened_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_that_cannot_be_read_leave_the_old_ones, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(new_keys_and_a_new_secret_apply_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_that_do_not_fit_this_host_leave_the_old_ones, set_up,
                                        tear_down),
    };
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    snprintf(config_path, sizeof(config_path), "%s/agent.yaml", folder);
    snprintf(fabric_path, sizeof(fabric_path), "%s/fabric.yaml", folder);
    snprintf(log_path, sizeof(log_path), "%s/agent.log", folder);
    snprintf(secret_path, sizeof(secret_path), "%s/h0.secret", folder);
    snprintf(fleet_path, sizeof(fleet_path), "%s/fleet.keys", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
