// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_shell/config.h"
#include "model/time.h"
#include "model_yaml/fabric_file.h"

#include <cmocka.h>

#define MINIMAL                                                                                    \
    "fabric: lab.yaml\n"                                                                           \
    "gossip: {listen: \"tcp://10.0.0.1:7946\"}\n"                                                  \
    "nic: {ports: [{port: h0, device: eth0}]}\n"

static char path[64];
static char told[8192]; // all complaints, a line each

static void collect(void *context, const struct error *error) {
    (void)context;
    size_t length = strlen(told);
    snprintf(told + length, sizeof(told) - length, "%s\n", error->text);
}

static int load(const char *text, struct config *config) {
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    told[0] = '\0';
    return config_load(path, collect, NULL, config);
}

static void expect_told(uint32_t line, const char *what) {
    char wanted[256];
    snprintf(wanted, sizeof(wanted), "%s:%u: %s", path, line, what);
    if (strstr(told, wanted) == NULL) {
        fail_msg("missing \"%s\" in:\n%s", wanted, told);
    }
}

static unsigned count_told(void) {
    unsigned count = 0;
    for (const char *at = told; *at != '\0'; at++) {
        count += *at == '\n' ? 1 : 0;
    }
    return count;
}

static void a_minimal_file_gets_all_defaults(void **state) {
    (void)state;
    struct config config;
    char host[64] = "";
    gethostname(host, sizeof(host));
    assert_int_equal(load(MINIMAL, &config), 0);
    assert_string_equal(config.host, host);
    assert_string_equal(config.fabric, "/tmp/lab.yaml"); // beside the configuration
    assert_string_equal(config.socket, "/run/srv6/agent.sock");
    assert_string_equal(config.advertise, "tcp://10.0.0.1:7946");
    assert_int_equal(config.seed_count, 0);
    assert_false(config.curve);
    assert_int_equal(config.log_level, LOG_INFO);
    assert_int_equal(config.log_format, LOG_TEXT);
    assert_string_equal(config.log_file, "");
    assert_string_equal(config.nic_driver, "ebpf");
    assert_string_equal(config.pin_dir, "");
    assert_string_equal(config.holder, "/run/srv6/holder.sock");
    assert_int_equal(config.ports[0].eswitch.vport, 0);
    assert_int_equal(config.ports[0].eswitch.class_count, 0);
    assert_false(config.remove_on_exit);
    assert_int_equal(config.probe_interval_ns, 10 * NS_PER_MS);
    assert_int_equal(config.probe_timeout_ns, 4 * NS_PER_MS);
    assert_int_equal(config.loss_threshold, 2);
    assert_int_equal(config.up_hold_ns, NS_PER_S);
    assert_int_equal(config.up_hold_max_ns, 60 * NS_PER_S);
    assert_int_equal(config.backend, PROBE_BACKEND_AUTO);
    assert_int_equal(config.ecn.interval_ns, 3 * NS_PER_MS);
    assert_int_equal(config.ecn.idle_interval_ns, 100 * NS_PER_MS);
    assert_int_equal(config.ecn.traffic_class, 0x6a);
    assert_int_equal(config.ecn.threshold_percent, 50);
    assert_int_equal(config.ecn.probes, 6);
    assert_int_equal(config.ecn.quiet_ns, 5 * NS_PER_S);
    assert_int_equal(config.ecn.quiet_max_ns, 300 * NS_PER_S);
    assert_int_equal(config.diagnosis.probes_per_second, 100);
    assert_int_equal(config.diagnosis.traffic_class, 0x6a);
    assert_int_equal(config.diagnosis.avoid_ppm, 1000);
    assert_int_equal(config.ping_interval_ns, 0);
    assert_string_equal(config.algorithm, ""); // the default of the plan version
    config_fini(&config);
}

static void every_key_is_read(void **state) {
    (void)state;
    struct config config;
    assert_int_equal(load("host: h7\nfabric: /etc/f.yaml\nsocket: /tmp/s\n"
                          "log: {level: debug, file: a.log, format: json}\n"
                          "gossip:\n  listen: \"tcp://0.0.0.0:7946\"\n"
                          "  advertise: \"tcp://[fd00::1]:7947\"\n"
                          "  seeds: [\"tcp://10.0.0.2:1\", \"tcp://[fd00::2]:65535\"]\n"
                          "  curve: {secret_key_file: k/s, fleet_keys_file: /k/f}\n"
                          "  ping_interval_ms: 20\n  ping_timeout_ms: 60\n  dead_after_ms: 100\n"
                          "nic: {driver: mem, pin_dir: /sys/fs/bpf/x, on_exit: remove, ports: "
                          "[{port: h7.0, device: a}, {port: h7.1, device: b}]}\n"
                          "probe: {interval_ms: 3, timeout_ms: 2, loss_threshold: 5, up_hold_ms: "
                          "50, up_hold_max_ms: 70, backend: epoll}\n"
                          "ecn: {interval_ms: 0, idle_interval_ms: 0, traffic_class: 0x69, "
                          "threshold_percent: 100, "
                          "probes: 16, quiet_ms: 7, quiet_max_ms: 8}\n"
                          "diagnosis: {probes_per_second: 7, traffic_class: 8, avoid_ppm: 9}\n"
                          "algorithm: spray\n",
                          &config),
                     0);
    assert_string_equal(config.host, "h7");
    assert_string_equal(config.fabric, "/etc/f.yaml");
    assert_string_equal(config.socket, "/tmp/s");
    assert_int_equal(config.log_level, LOG_DEBUG);
    assert_int_equal(config.log_format, LOG_JSON);
    assert_string_equal(config.log_file, "/tmp/a.log");
    assert_string_equal(config.listen, "tcp://0.0.0.0:7946");
    assert_string_equal(config.advertise, "tcp://[fd00::1]:7947");
    assert_int_equal(config.seed_count, 2);
    assert_string_equal(config.seeds[1], "tcp://[fd00::2]:65535");
    assert_true(config.curve);
    assert_string_equal(config.secret_key_file, "/tmp/k/s");
    assert_string_equal(config.fleet_keys_file, "/k/f");
    assert_int_equal(config.ping_interval_ns, 20 * NS_PER_MS);
    assert_int_equal(config.ping_timeout_ns, 60 * NS_PER_MS);
    assert_int_equal(config.dead_after_ns, 100 * NS_PER_MS);
    assert_string_equal(config.nic_driver, "mem");
    assert_string_equal(config.pin_dir, "/sys/fs/bpf/x");
    assert_true(config.remove_on_exit);
    assert_int_equal(config.port_count, 2);
    assert_string_equal(config.ports[1].port, "h7.1");
    assert_string_equal(config.ports[1].device, "b");
    assert_int_equal(config.probe_interval_ns, 3 * NS_PER_MS);
    assert_int_equal(config.probe_timeout_ns, 2 * NS_PER_MS);
    assert_int_equal(config.loss_threshold, 5);
    assert_int_equal(config.up_hold_ns, 50 * NS_PER_MS);
    assert_int_equal(config.up_hold_max_ns, 70 * NS_PER_MS);
    assert_int_equal(config.backend, PROBE_BACKEND_EPOLL);
    assert_int_equal(config.ecn.interval_ns, 0);
    assert_int_equal(config.ecn.idle_interval_ns, 0);
    assert_int_equal(config.ecn.traffic_class, 0x69);
    assert_int_equal(config.ecn.threshold_percent, 100);
    assert_int_equal(config.ecn.probes, 16);
    assert_int_equal(config.ecn.quiet_ns, 7 * NS_PER_MS);
    assert_int_equal(config.ecn.quiet_max_ns, 8 * NS_PER_MS);
    assert_int_equal(config.diagnosis.probes_per_second, 7);
    assert_int_equal(config.diagnosis.traffic_class, 8);
    assert_int_equal(config.diagnosis.avoid_ppm, 9);
    assert_string_equal(config.algorithm, "spray");
    config_fini(&config);
}

static void what_an_eswitch_needs_is_read(void **state) {
    (void)state;
    static const uint8_t mac[6] = {0x02, 0, 0, 0xab, 0xCD, 0xff}, gateway[6] = {0, 1, 2, 3, 4, 5};
    struct config config;
    assert_int_equal(
        load("fabric: lab.yaml\n"
             "gossip: {listen: \"tcp://10.0.0.1:7946\"}\n"
             "nic:\n"
             "  driver: mlx5\n"
             "  holder: run/h\n"
             "  traffic_classes: [0x6a, 192, 0, 255]\n"
             "  ports:\n"
             "    - {port: h0.0, device: a, vport: 65534, mac: \"02:00:00:ab:CD:ff\"}\n"
             "    - {port: h0.1, device: b, gateway_mac: \"00:01:02:03:04:05\"}\n",
             &config),
        0);
    assert_string_equal(config.nic_driver, "mlx5");
    assert_string_equal(config.holder, "/tmp/run/h");
    assert_int_equal(config.ports[0].eswitch.vport, 65534);
    assert_memory_equal(config.ports[0].eswitch.vport_mac, mac, 6);
    assert_int_equal(config.ports[1].eswitch.vport, 0);
    assert_memory_equal(config.ports[1].eswitch.gateway_mac, gateway, 6);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(config.ports[i].eswitch.class_count, 4);
        assert_memory_equal(config.ports[i].eswitch.traffic_classes, "\x6a\xc0\x00\xff", 4);
    }
    config_fini(&config);
}

static void what_no_eswitch_can_have_is_told(void **state) {
    (void)state;
    struct config config;
    assert_int_equal(load("fabric: lab.yaml\n"
                          "gossip: {listen: \"tcp://10.0.0.1:7946\"}\n"
                          "nic:\n"
                          "  driver: mlx5\n"
                          "  traffic_classes: [106, 256, 106]\n"
                          "  ports:\n"
                          "    - {port: h0.0, device: a, vport: 65535}\n"
                          "    - {port: h0.1, device: b, mac: \"01:00:00:00:00:01\"}\n"
                          "    - {port: h0.2, device: c, mac: \"00:00:00:00:00:00\"}\n"
                          "    - {port: h0.3, device: d, gateway_mac: \"02:00:00:00:00:0g\"}\n"
                          "    - {port: h0.4, device: e, gateway_mac: \"02:00:00:00:00\"}\n"
                          "    - {port: h0.5, device: f, gateway_mac: \"2:0:0:0:0:1:2:3:4\"}\n",
                          &config),
                     -EINVAL);
    expect_told(5, "nic.traffic_classes: a class is a byte");
    expect_told(5, "nic.traffic_classes: a class is listed twice");
    expect_told(7, "nic.ports[0].vport: 65535 is not within 1 to 65534");
    expect_told(8, "nic.ports[1].mac: 01:00:00:00:00:01 is not a MAC address"); // of a group
    expect_told(9, "nic.ports[2].mac");
    expect_told(10, "nic.ports[3].gateway_mac");
    expect_told(11, "nic.ports[4].gateway_mac");
    expect_told(12, "nic.ports[5].gateway_mac");
    assert_int_equal(count_told(), 8);
}

static void what_only_an_eswitch_needs_is_refused_for_other_drivers(void **state) {
    (void)state;
    struct config config;
    assert_int_equal(load("fabric: lab.yaml\n"
                          "gossip: {listen: \"tcp://10.0.0.1:7946\"}\n"
                          "nic:\n"
                          "  holder: /run/h\n"
                          "  ports:\n"
                          "    - {port: h0, device: a, vport: 1}\n",
                          &config),
                     -EINVAL);
    expect_told(4, "nic.holder: for driver mlx5 only");
    expect_told(6, "nic.ports[0]: vport, mac and gateway_mac are for driver mlx5 only");
    assert_int_equal(
        load("fabric: lab.yaml\n"
             "gossip: {listen: \"tcp://10.0.0.1:7946\"}\n"
             "nic: {driver: mem, traffic_classes: [0], ports: [{port: h0, device: a}]}\n",
             &config),
        -EINVAL);
    expect_told(3, "nic.traffic_classes: for driver mlx5 only");
}

static void seeds_are_addresses_or_names(void **state) {
    (void)state;
    char name[CONFIG_NAME_SIZE], text[CONFIG_SEED_SIZE + 8];
    uint16_t port = 0;
    static const struct {
        const char *text, *name;
        uint16_t port;
    } good[] = {
        {"tcp://a:1", "a", 1},
        {"tcp://srv6-agent.srv6-system.svc:7946", "srv6-agent.srv6-system.svc", 7946},
        {"tcp://absolute.example.:65535", "absolute.example.", 65535},
        {"tcp://_x-1.7z:80", "_x-1.7z", 80},
        {"tcp://1st.10:x.3a:7", NULL, 0}, // a colon inside
        {"tcp://10.0.0.256:7", NULL, 0},  // a wrong address is no name
        {"tcp://10:7", NULL, 0},
        {"tcp://a..b:7", NULL, 0},
        {"tcp://.a:7", NULL, 0},
        {"tcp://:7", NULL, 0},
        {"tcp://.:7", NULL, 0},
        {"tcp://a b:7", NULL, 0},
        {"tcp://[fd00::1]:7", NULL, 0},
        {"tcp://[fd00::1:7", NULL, 0},
        {"tcp://a:0", NULL, 0},
        {"tcp://a:65536", NULL, 0},
        {"tcp://a:7x", NULL, 0},
        {"tcp://a", NULL, 0},
        {"udp://a:7", NULL, 0},
        {"a:7", NULL, 0},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        bool valid = config_name_parse(good[i].text, name, &port);
        if (valid != (good[i].name != NULL)) {
            fail_msg("%s is taken for %s", good[i].text, valid ? "a name" : "no name");
        }
        if (valid) {
            assert_string_equal(name, good[i].name);
            assert_int_equal(port, good[i].port);
        }
    }
    // Labels of up to 63 characters, names of up to 253.
    memset(name, 'a', sizeof(name));
    for (unsigned i = 63; i < 254; i += 64) {
        name[i] = '.';
    }
    snprintf(text, sizeof(text), "tcp://%.253s:65535", name);
    assert_true(config_name_parse(text, name, &port));
    assert_int_equal(strlen(name), 253);
    assert_true(strlen(text) < CONFIG_SEED_SIZE);
    name[63] = 'a';
    snprintf(text, sizeof(text), "tcp://%.200s:1", name);
    assert_false(config_name_parse(text, name, &port));
    snprintf(text, sizeof(text), "tcp://%.253sa:1", name);
    assert_false(config_name_parse(text, name, &port));
}

static void a_service_of_a_cluster_is_named(void **state) {
    (void)state;
    struct config config;
    assert_int_equal(load(MINIMAL, &config), 0);
    assert_false(config_has_seeds(&config));
    config_fini(&config);
    if (!SRV6_KUBERNETES) {
        assert_int_equal(load("fabric: lab.yaml\n"
                              "gossip: {listen: \"tcp://10.0.0.1:7946\", endpoints: {service: a}}\n"
                              "nic: {ports: [{port: h0, device: eth0}]}\n",
                              &config),
                         -EINVAL);
        expect_told(2, "gossip.endpoints: this agent is built without Kubernetes");
        return;
    }
    assert_int_equal(
        load("fabric: lab.yaml\n"
             "gossip: {listen: \"tcp://10.0.0.1:7946\", endpoints: {service: agents}}\n"
             "nic: {ports: [{port: h0, device: eth0}]}\n",
             &config),
        0);
    assert_true(config_has_seeds(&config));
    assert_string_equal(config.endpoints.namespace, ""); // the account's
    assert_string_equal(config.endpoints.service, "agents");
    assert_string_equal(config.endpoints.port, "gossip");
    assert_string_equal(config.kubernetes.api, "");
    assert_string_equal(config.kubernetes.credentials, "");
    config_fini(&config);
    assert_int_equal(load("fabric: lab.yaml\n"
                          "gossip: {listen: \"tcp://10.0.0.1:7946\", endpoints: {service: a-1, "
                          "namespace: n, port: p}}\n"
                          "nic: {ports: [{port: h0, device: eth0}]}\n"
                          "kubernetes: {api: \"https://[fd00::1]:6443\", credentials: account}\n",
                          &config),
                     0);
    assert_string_equal(config.endpoints.namespace, "n");
    assert_string_equal(config.endpoints.port, "p");
    assert_string_equal(config.kubernetes.api, "https://[fd00::1]:6443");
    assert_string_equal(config.kubernetes.credentials, "/tmp/account");
    config_fini(&config);
    assert_int_equal(load("fabric: lab.yaml\n"
                          "gossip:\n"
                          "  listen: \"tcp://10.0.0.1:7946\"\n"
                          "  endpoints:\n"
                          "    namespace: a/b\n"
                          "    service: Agents\n"
                          "    port: -x\n"
                          "nic: {ports: [{port: h0, device: eth0}]}\n"
                          "kubernetes:\n"
                          "  api: \"http://10.0.0.1\"\n",
                          &config),
                     -EINVAL);
    expect_told(5, "gossip.endpoints.namespace: small letters, digits and - expected");
    expect_told(6, "gossip.endpoints.service: small letters, digits and - expected");
    expect_told(7, "gossip.endpoints.port: small letters, digits and - expected");
    expect_told(10, "kubernetes.api: https://ADDRESS:PORT expected");
}

static void an_address_is_written_in_one_way(void **state) {
    (void)state;
    struct config config;
    assert_int_equal(load("fabric: lab.yaml\n"
                          "gossip: {listen: \"tcp://[FD00:0:0::1]:7946\"}\n"
                          "nic: {ports: [{port: h0, device: eth0}]}\n",
                          &config),
                     0);
    assert_string_equal(config.advertise, "tcp://[fd00::1]:7946");
    assert_string_equal(config.listen, "tcp://[FD00:0:0::1]:7946");
    config_fini(&config);
}

static void every_wrong_value_is_told_in_one_pass_with_its_line(void **state) {
    (void)state;
    struct config config;
    assert_int_equal(load("fabric: lab.yaml\n"
                          "gossip:\n"
                          "  listen: \"tcp://localhost:7946\"\n"
                          "  seeds:\n"
                          "    - \"tcp://10.0.0.2:0\"\n"
                          "    - \"udp://10.0.0.2:7\"\n"
                          "    - \"tcp://10.0.0.2:65536\"\n"
                          "  ping_interval_ms: 0\n"
                          "nic:\n"
                          "  ports:\n"
                          "    - {port: h0, device: eth0}\n"
                          "    - {port: h0, device: eth0}\n"
                          "probe:\n"
                          "  interval_ms: 60001\n"
                          "  loss_threshold: 0\n"
                          "  up_hold_ms: 90000\n"
                          "algorithm: magic\n"
                          "ecn:\n"
                          "  traffic_class: 0x68\n"
                          "  probes: 1\n"
                          "  quiet_max_ms: 4999\n"
                          "  idle_interval_ms: 2\n"
                          "diagnosis:\n"
                          "  probes_per_second: 1000000\n"
                          "  traffic_class: 256\n"
                          "  avoid_ppm: 0\n",
                          &config),
                     -EINVAL);
    expect_told(3, "gossip.listen: tcp://localhost:7946 is not an address");
    expect_told(5, "gossip.seeds[0]: tcp://10.0.0.2:0 is neither an address such as");
    expect_told(6, "gossip.seeds[1]");
    expect_told(7, "gossip.seeds[2]");
    expect_told(8, "gossip.ping_interval_ms: 0 is not within 1 to 60000");
    expect_told(12, "nic.ports[1]: the port is listed twice");
    expect_told(12, "nic.ports[1]: the device is listed twice");
    expect_told(14, "probe.interval_ms: 60001 is not within 1 to 60000");
    expect_told(15, "probe.loss_threshold: 0 is not within 1 to 100");
    expect_told(17, "algorithm: unknown magic");
    expect_told(19, "ecn.traffic_class: no switch marks this class");
    expect_told(20, "ecn.probes: 1 is not within 2 to 16");
    expect_told(21, "ecn.quiet_max_ms: below quiet_ms");
    expect_told(22, "ecn.idle_interval_ms: below interval_ms");
    expect_told(24, "diagnosis.probes_per_second: 1000000 is not within 0 to ");
    expect_told(25, "diagnosis.traffic_class: 256 is not within 0 to 255");
    expect_told(26, "diagnosis.avoid_ppm: 0 is not within 1 to 1000000");
    assert_non_null(strstr(told, "up_hold_max_ms: set both"));
    assert_int_equal(count_told(), 18);
}

static void errors_of_form_do_not_hide_errors_of_meaning(void **state) {
    (void)state;
    struct config config = {0};
    assert_int_equal(load("host: h0\n"
                          "fabric: /etc/srv6/fabric.yaml\n"
                          "gossip: {listen: nonsense}\n"
                          "nic:\n"
                          "  driver: mlx9\n"
                          "  ports:\n"
                          "    - {port: h0, device: eth0}\n"
                          "fabrik: lab.yaml\n"
                          "algorithm: magic\n",
                          &config),
                     -EINVAL);
    expect_told(3, "gossip.listen: nonsense is not an address");
    expect_told(5, "nic.driver");
    expect_told(8, "document: unknown key fabrik");
    expect_told(9, "algorithm: unknown magic");
    assert_int_equal(count_told(), 4);
    assert_string_equal(config.fabric, "/etc/srv6/fabric.yaml");
}

static void addresses_to_listen_at_are_numeric_with_a_port(void **state) {
    static const char *const good[] = {"127.0.0.1:9750", "[::]:1", "[fd00::1]:65535",
                                       "0.0.0.0:9750"};
    static const char *const bad[] = {
        "",
        ":9750",
        "9750",
        "localhost:9750",
        "127.0.0.1",
        "::1:9750",
        "[::1]",
        "[::1:9750",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "[]:9750",
        "127.0.0.1:97a",
        "127.0.0.1:",
        "127.0.0.1:+1",
        "127.0.0.1: 1",
        "[1.2.3.4]:1",
        "127.0.0.1:99999999999999999999",
        "tcp://127.0.0.1:9750",
        "[fd00:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]:9750"};
    struct sockaddr_storage address;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(config_listen_parse(good[i], &address));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&address, 0x5a, sizeof(address));
        if (config_listen_parse(bad[i], &address)) {
            fail_msg("%s", bad[i]);
        }
        assert_int_equal(((const uint8_t *)&address)[0], 0x5a);
    }
}

static void unknown_missing_and_mistyped_keys_are_all_told(void **state) {
    (void)state;
    struct config config;
    assert_int_equal(load("fabrik: lab.yaml\n"
                          "gossip: {seeds: none, listn: x}\n"
                          "nic: {driver: mlx9, ports: []}\n"
                          "probe: {interval_ms: fast}\n"
                          "log: {level: loud}\n",
                          &config),
                     -EINVAL);
    const char *const words[] = {"fabrik", "fabric", "listn",       "listen", "seeds",
                                 "mlx9",   "ports",  "interval_ms", "loud"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(told, words[i]) == NULL) {
            fail_msg("%s is not mentioned in:\n%s", words[i], told);
        }
    }
    assert_true(count_told() >= 9);
}

static void a_listen_address_of_all_interfaces_needs_one_to_advertise(void **state) {
    (void)state;
    struct config config;
    assert_int_equal(load("fabric: f\ngossip: {listen: \"tcp://[::]:7946\"}\n"
                          "nic: {ports: [{port: h0, device: eth0}]}\n",
                          &config),
                     -EINVAL);
    expect_told(2, "gossip.listen: others cannot reach this address");
}

static void a_missing_file_is_an_error_with_its_name(void **state) {
    (void)state;
    struct config config;
    told[0] = '\0';
    assert_int_equal(config_load("/nonexistent.yaml", collect, NULL, &config), -ENOENT);
    assert_non_null(strstr(told, "/nonexistent.yaml"));
}

static struct fabric *two_port_fabric(void) {
    static const char text[] =
        "version: 1\ngeneration: 1\nname: t\nblock: \"fcbb:bb00::/32\"\n"
        "clos: {kind: leaf-spine, leaves: 2, spines: 2, hosts_per_leaf: 2, ports_per_host: 2, "
        "host_gbps: 1, fabric_gbps: 1}\n";
    struct fabric *fabric = NULL;
    told[0] = '\0';
    if (fabric_file_parse("t", text, sizeof(text) - 1, collect, NULL, &fabric) != 0) {
        fail_msg("%s", told);
    }
    return fabric;
}

static void the_fabric_must_have_the_host_and_every_port_a_device(void **state) {
    (void)state;
    struct config config;
    struct fabric *fabric = two_port_fabric();
    assert_int_equal(load("host: h0\n" MINIMAL, &config), 0);
    assert_int_equal(config_check_fabric(&config, fabric, collect, NULL), -EINVAL);
    expect_told(4, "nic.ports: no device for h0.1");
    snprintf(config.ports[0].port, sizeof(config.ports[0].port), "h1.0");
    told[0] = '\0';
    assert_int_equal(config_check_fabric(&config, fabric, collect, NULL), -EINVAL);
    expect_told(4, "nic.ports: h1.0: a port of another host");
    assert_int_equal(count_told(), 3);
    snprintf(config.host, sizeof(config.host), "leaf0");
    told[0] = '\0';
    assert_int_equal(config_check_fabric(&config, fabric, collect, NULL), -EINVAL);
    expect_told(1, "host: leaf0 is no host");
    config_fini(&config);
    assert_int_equal(load("host: h0\nfabric: f\ngossip: {listen: \"tcp://10.0.0.1:7946\"}\n"
                          "nic: {ports: [{port: h0.1, device: b}, {port: h0.0, device: a}]}\n",
                          &config),
                     0);
    assert_int_equal(config_check_fabric(&config, fabric, collect, NULL), 0);
    assert_string_equal(config_device(&config, fabric, (port_id){0}), "a");
    assert_string_equal(config_device(&config, fabric, (port_id){1}), "b");
    assert_null(config_device(&config, fabric, (port_id){2}));
    config_fini(&config);
    fabric_close(fabric);
}

static void the_example_file_is_valid(void **state) {
    (void)state;
    struct config config;
    told[0] = '\0';
    if (config_load(AGENT_EXAMPLE, collect, NULL, &config) != 0) {
        fail_msg("%s", told);
    }
    config_fini(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minimal_file_gets_all_defaults),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(what_an_eswitch_needs_is_read),
        cmocka_unit_test(what_no_eswitch_can_have_is_told),
        cmocka_unit_test(what_only_an_eswitch_needs_is_refused_for_other_drivers),
        cmocka_unit_test(seeds_are_addresses_or_names),
        cmocka_unit_test(a_service_of_a_cluster_is_named),
        cmocka_unit_test(an_address_is_written_in_one_way),
        cmocka_unit_test(every_wrong_value_is_told_in_one_pass_with_its_line),
        cmocka_unit_test(errors_of_form_do_not_hide_errors_of_meaning),
        cmocka_unit_test(addresses_to_listen_at_are_numeric_with_a_port),
        cmocka_unit_test(unknown_missing_and_mistyped_keys_are_all_told),
        cmocka_unit_test(a_listen_address_of_all_interfaces_needs_one_to_advertise),
        cmocka_unit_test(a_missing_file_is_an_error_with_its_name),
        cmocka_unit_test(the_fabric_must_have_the_host_and_every_port_a_device),
        cmocka_unit_test(the_example_file_is_valid),
    };
    snprintf(path, sizeof(path), "/tmp/test_agent_config.%d.yaml", getpid());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
