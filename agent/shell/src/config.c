// SPDX-License-Identifier: Apache-2.0
#include "agent_shell/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_file.h"
#include "model/complaints.h"
#include "model/time.h"
#include "model_yaml/yaml_check.h"
#include "pathalg/algorithm.h"

void config_complain_at(const struct reading *reading, const char *path, const char *problem) {
    complaints_add(reading->complaints, yaml_text_line(reading->yaml, path), "%s: %s", path,
                   problem);
}

void config_set_numbers(const struct reading *reading, const struct number *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct number *number = &numbers[i];
        uint32_t value = number->given != NULL ? *number->given : number->fallback;
        if (number->given != NULL && (value < number->least || value > number->most)) {
            complaints_add(reading->complaints, yaml_text_line(reading->yaml, number->path),
                           "%s: %u is not within %u to %u", number->path, value, number->least,
                           number->most);
        }
        *number->to = value * number->unit;
    }
}

static void set_text(char *to, size_t size, const char *text, const char *fallback) {
    snprintf(to, size, "%.*s", (int)size - 1, text != NULL ? text : fallback);
}

// Relative paths count from where the configuration file is: the daemon's working directory is
// nobody's choice.
static void set_path(const struct reading *reading, char *to, const char *key, const char *path) {
    const char *slash = strrchr(reading->config->source, '/');
    int directory = slash == NULL ? 0 : (int)(slash - reading->config->source + 1);
    bool absolute = path == NULL || path[0] == '/';
    int length = snprintf(to, CONFIG_PATH_SIZE, "%.*s%s", absolute ? 0 : directory,
                          reading->config->source, path != NULL ? path : "");
    if (length >= CONFIG_PATH_SIZE) {
        config_complain_at(reading, key, "the path is too long");
    }
}

static void check_address(const struct reading *reading, const char *path, const char *address) {
    struct sockaddr_storage parsed;
    if (!config_address_parse(address, &parsed)) {
        complaints_add(reading->complaints, yaml_text_line(reading->yaml, path),
                       "%s: %s is not an address such as tcp://10.0.0.1:7946 or "
                       "tcp://[fd00::1]:7946",
                       path, address);
    }
}

// Addresses are compared as texts.
static void set_address(char to[GOSSIP_ADDRESS_SIZE], const char *text) {
    struct sockaddr_storage parsed;
    if (config_address_parse(text, &parsed)) {
        config_address_format(&parsed, to);
    }
}

static void check_seed(const struct reading *reading, const char *path, const char *seed) {
    struct sockaddr_storage parsed;
    char name[CONFIG_NAME_SIZE];
    uint16_t port;
    if (!config_address_parse(seed, &parsed) && !config_name_parse(seed, name, &port)) {
        complaints_add(reading->complaints, yaml_text_line(reading->yaml, path),
                       "%s: %.80s is neither an address such as tcp://10.0.0.1:7946 or "
                       "tcp://[fd00::1]:7946 nor a name such as tcp://agents.example:7946",
                       path, seed);
    }
}

static void read_seeds(const struct reading *reading, const struct gossip_yaml *gossip) {
    struct config *config = reading->config;
    config->seeds = calloc((size_t)gossip->seeds_count + 1, sizeof(*config->seeds));
    if (config->seeds == NULL) {
        complaints_no_memory(reading->complaints);
        return;
    }
    for (uint32_t i = 0; i < gossip->seeds_count; i++) {
        char path[32];
        snprintf(path, sizeof(path), "gossip.seeds[%u]", i);
        check_seed(reading, path, gossip->seeds[i]);
        set_text(config->seeds[i], sizeof(config->seeds[i]), gossip->seeds[i], "");
    }
    config->seed_count = gossip->seeds_count;
}

static void set_label(const struct reading *reading, char to[CONFIG_LABEL_SIZE], const char *key,
                      const char *text, const char *fallback) {
    if (text != NULL && !config_label_is_valid(text)) {
        config_complain_at(reading, key, "small letters, digits and - expected");
    }
    set_text(to, CONFIG_LABEL_SIZE, text, fallback);
}

static void read_endpoints(const struct reading *reading, const struct endpoints_yaml *endpoints) {
    struct config_endpoints *out = &reading->config->endpoints;
    if (endpoints == NULL) {
        return;
    }
    set_label(reading, out->namespace, "gossip.endpoints.namespace", endpoints->namespace, "");
    set_label(reading, out->service, "gossip.endpoints.service", endpoints->service, "");
    set_label(reading, out->port, "gossip.endpoints.port", endpoints->port, "gossip");
    if (!SRV6_KUBERNETES) {
        config_complain_at(reading, "gossip.endpoints", "this agent is built without Kubernetes");
    }
}

static void read_kubernetes(const struct reading *reading) {
    const struct kubernetes_yaml *kubernetes = reading->file->kubernetes;
    struct config_kubernetes *out = &reading->config->kubernetes;
    if (kubernetes == NULL) {
        return;
    }
    set_text(out->api, sizeof(out->api), kubernetes->api, "");
    if (kubernetes->api != NULL && strncmp(kubernetes->api, "https://", 8) != 0) {
        config_complain_at(reading, "kubernetes.api", "https://ADDRESS:PORT expected");
    }
    if (kubernetes->credentials != NULL) {
        set_path(reading, out->credentials, "kubernetes.credentials", kubernetes->credentials);
    }
}

static void read_gossip(const struct reading *reading) {
    const struct gossip_yaml *gossip = reading->file->gossip;
    struct config *config = reading->config;
    const struct number numbers[] = {
        {"gossip.ping_interval_ms", gossip->ping_interval_ms, 0, 1, MINUTE_MS,
         &config->ping_interval_ns, NS_PER_MS},
        {"gossip.ping_timeout_ms", gossip->ping_timeout_ms, 0, 1, MINUTE_MS,
         &config->ping_timeout_ns, NS_PER_MS},
        {"gossip.dead_after_ms", gossip->dead_after_ms, 0, 1, HOUR_MS, &config->dead_after_ns,
         NS_PER_MS},
    };
    check_address(reading, "gossip.listen", gossip->listen);
    set_text(config->listen, sizeof(config->listen), gossip->listen, "");
    if (gossip->advertise != NULL) {
        check_address(reading, "gossip.advertise", gossip->advertise);
    } else if (strstr(gossip->listen, "//0.0.0.0:") != NULL ||
               strstr(gossip->listen, "//[::]:") != NULL) {
        config_complain_at(reading, "gossip.listen",
                           "others cannot reach this address: name one in gossip.advertise");
    }
    set_address(config->advertise, gossip->advertise != NULL ? gossip->advertise : config->listen);
    read_seeds(reading, gossip);
    read_endpoints(reading, gossip->endpoints);
    config_set_numbers(reading, numbers, sizeof(numbers) / sizeof(numbers[0]));
    config->curve = gossip->curve != NULL;
    if (config->curve) {
        set_path(reading, config->secret_key_file, "gossip.curve.secret_key_file",
                 gossip->curve->secret_key_file);
        set_path(reading, config->fleet_keys_file, "gossip.curve.fleet_keys_file",
                 gossip->curve->fleet_keys_file);
    }
}

static void check_port(const struct reading *reading, uint32_t index) {
    const struct config_port *ports = reading->config->ports;
    char path[32];
    snprintf(path, sizeof(path), "nic.ports[%u]", index);
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(ports[i].port, ports[index].port) == 0) {
            config_complain_at(reading, path, "the port is listed twice");
        }
        if (strcmp(ports[i].device, ports[index].device) == 0) {
            config_complain_at(reading, path, "the device is listed twice");
        }
    }
}

// aa:bb:cc:dd:ee:ff of one station.
static bool parse_mac(const char *text, uint8_t mac[6]) {
    for (unsigned i = 0; i < 6; i++) {
        char digits[3] = {text[0], text[0] != '\0' ? text[1] : '\0', '\0'}, *end;
        unsigned long byte = strtoul(digits, &end, 16);
        if (!isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1]) ||
            text[2] != (i < 5 ? ':' : '\0')) {
            return false;
        }
        mac[i] = (uint8_t)byte;
        text += 3;
    }
    return (mac[0] & 1) == 0 && memcmp(mac, (uint8_t[6]){0}, 6) != 0;
}

static void read_mac(const struct reading *reading, const char *key, const char *text,
                     uint8_t mac[6]) {
    if (text != NULL && !parse_mac(text, mac)) {
        complaints_add(reading->complaints, yaml_text_line(reading->yaml, key),
                       "%s: %s is not a MAC address such as 02:00:00:00:00:01", key, text);
    }
}

static void read_classes(const struct reading *reading, const struct nic_yaml *nic,
                         struct nic_eswitch_options *out) {
    for (uint32_t i = 0; i < nic->traffic_classes_count; i++) {
        bool twice = false;
        for (uint32_t k = 0; k < i; k++) {
            twice = twice || nic->traffic_classes[k] == nic->traffic_classes[i];
        }
        if (twice || nic->traffic_classes[i] > UINT8_MAX) {
            config_complain_at(reading, "nic.traffic_classes",
                               twice ? "a class is listed twice"
                                     : "a class is a byte, DSCP and ECN: at most 255");
        }
        out->traffic_classes[i] = (uint8_t)nic->traffic_classes[i];
    }
    out->class_count = nic->traffic_classes_count;
}

static void read_eswitch(const struct reading *reading, const struct nic_yaml *nic,
                         uint32_t index) {
    const struct port_yaml *port = &nic->ports[index];
    struct nic_eswitch_options *eswitch = &reading->config->ports[index].eswitch;
    char key[48];
    uint64_t vport = 0;
    snprintf(key, sizeof(key), "nic.ports[%u].vport", index);
    const struct number number = {key, port->vport, 0, 1, UINT16_MAX - 1, &vport, 1};
    config_set_numbers(reading, &number, 1);
    eswitch->vport = (uint16_t)vport;
    snprintf(key, sizeof(key), "nic.ports[%u].mac", index);
    read_mac(reading, key, port->mac, eswitch->vport_mac);
    snprintf(key, sizeof(key), "nic.ports[%u].gateway_mac", index);
    read_mac(reading, key, port->gateway_mac, eswitch->gateway_mac);
    bool told = port->vport != NULL || port->mac != NULL || port->gateway_mac != NULL;
    if (told && strcmp(reading->config->nic_driver, "mlx5") != 0) {
        snprintf(key, sizeof(key), "nic.ports[%u]", index);
        config_complain_at(reading, key, "vport, mac and gateway_mac are for driver mlx5 only");
    }
}

static void read_port(const struct reading *reading, const struct nic_yaml *nic, uint32_t index) {
    struct config_port *port = &reading->config->ports[index];
    char path[32];
    snprintf(path, sizeof(path), "nic.ports[%u]", index);
    port->line = yaml_text_line(reading->yaml, path);
    set_text(port->port, sizeof(port->port), nic->ports[index].port, "");
    set_text(port->device, sizeof(port->device), nic->ports[index].device, "");
    check_port(reading, index);
    read_eswitch(reading, nic, index);
}

// What the holder's socket and the packets of its functions need.
static void read_mlx5(const struct reading *reading, const struct nic_yaml *nic) {
    struct config *config = reading->config;
    struct nic_eswitch_options classes = {0};
    bool mlx5 = strcmp(config->nic_driver, "mlx5") == 0;
    if (!mlx5 && (nic->holder != NULL || nic->traffic_classes_count > 0)) {
        config_complain_at(reading, nic->holder != NULL ? "nic.holder" : "nic.traffic_classes",
                           "for driver mlx5 only");
    }
    set_path(reading, config->holder, "nic.holder",
             nic->holder != NULL ? nic->holder : NIC_HOLDER_DEFAULT);
    if (strlen(config->holder) >= CONFIG_SOCKET_SIZE) {
        config_complain_at(reading, "nic.holder", "too long for a socket");
    }
    read_classes(reading, nic, &classes);
    for (uint32_t i = 0; i < nic->ports_count; i++) {
        struct nic_eswitch_options *eswitch = &config->ports[i].eswitch;
        memcpy(eswitch->traffic_classes, classes.traffic_classes, NIC_CLASSES_MAX);
        eswitch->class_count = classes.class_count;
    }
}

static void read_nic(const struct reading *reading) {
    static const char *const names[] = {"ebpf", "mem", "mlx5"};
    const struct nic_yaml *nic = reading->file->nic;
    struct config *config = reading->config;
    set_text(config->nic_driver, sizeof(config->nic_driver),
             names[nic->driver != NULL ? *nic->driver : DRIVER_EBPF], "");
    set_path(reading, config->pin_dir, "nic.pin_dir", nic->pin_dir);
    config->remove_on_exit = nic->on_exit != NULL && *nic->on_exit == ON_EXIT_REMOVE;
    config->ports_line = yaml_text_line(reading->yaml, "nic.ports");
    config->port_count = nic->ports_count;
    for (uint32_t i = 0; i < nic->ports_count; i++) {
        read_port(reading, nic, i);
    }
    read_mlx5(reading, nic);
}

static void read_metrics(const struct reading *reading) {
    const struct metrics_yaml *metrics = reading->file->metrics;
    struct sockaddr_storage address;
    struct config *config = reading->config;
    set_text(config->metrics_listen, sizeof(config->metrics_listen),
             metrics != NULL ? metrics->listen : NULL, "");
    if (metrics != NULL && !config_listen_parse(metrics->listen, &address)) {
        complaints_add(reading->complaints, yaml_text_line(reading->yaml, "metrics.listen"),
                       "metrics.listen: %s is not an address such as 127.0.0.1:9750 or [::]:9750",
                       metrics->listen);
    }
}

// Beside the control socket, unless said.
static void read_state_file(const struct reading *reading, const char *path) {
    char beside[CONFIG_PATH_SIZE];
    const char *slash = strrchr(reading->config->socket, '/');
    int folder = slash != NULL ? (int)(slash - reading->config->socket + 1) : 0;
    snprintf(beside, sizeof(beside), "%.*spods.json", folder, reading->config->socket);
    set_path(reading, reading->config->pods.state_file, "jobs.kubernetes.state_file",
             path != NULL ? path : beside);
}

static void read_pods(const struct reading *reading) {
    const struct pods_yaml *pods =
        reading->file->jobs != NULL ? reading->file->jobs->kubernetes : NULL;
    config_read_pods(pods, reading->yaml, reading->complaints, &reading->config->pods);
    read_state_file(reading, pods != NULL ? pods->state_file : NULL);
}

static void read_log(const struct reading *reading) {
    static const struct log_yaml absent;
    const struct log_yaml *log = reading->file->log != NULL ? reading->file->log : &absent;
    reading->config->log_level = log->level != NULL ? *log->level : LOG_INFO;
    reading->config->log_format = log->format != NULL ? *log->format : LOG_TEXT;
    set_path(reading, reading->config->log_file, "log.file", log->file);
}

static void read_host(const struct reading *reading) {
    struct config *config = reading->config;
    char name[NAME_SIZE] = "";
    if (reading->file->host == NULL && gethostname(name, sizeof(name) - 1) != 0) {
        complaints_add(reading->complaints, 0,
                       "host: the host's name is too long to be one in a fabric file: set host");
    }
    set_text(config->host, sizeof(config->host), reading->file->host, name);
    config->host_line = yaml_text_line(reading->yaml, "host");
}

static void read_config(const struct reading *reading) {
    struct config *config = reading->config;
    const struct algorithm *algorithm =
        algorithm_find(reading->file->algorithm != NULL ? reading->file->algorithm : "");
    read_host(reading);
    set_path(reading, config->fabric, "fabric", reading->file->fabric);
    set_text(config->socket, sizeof(config->socket), reading->file->socket, CONFIG_SOCKET_DEFAULT);
    read_log(reading);
    read_gossip(reading);
    read_kubernetes(reading);
    read_nic(reading);
    config_read_probes(reading);
    read_pods(reading);
    read_metrics(reading);
    if (algorithm == NULL) {
        complaints_add(reading->complaints, yaml_text_line(reading->yaml, "algorithm"),
                       "algorithm: unknown %s: one of %s expected", reading->file->algorithm,
                       algorithm_names());
    } else {
        set_text(config->algorithm, sizeof(config->algorithm), reading->file->algorithm, "");
    }
}

static void ignore_complaint(void *context, const struct error *error) {
    (void)context;
    (void)error;
}

static void read_text(const char *text, size_t size, struct complaints *complaints,
                      struct config *config) {
    void *file = NULL;
    struct yaml_text *yaml = yaml_text_open(config->source, text, size, complaints);
    uint64_t before = complaints->total;
    if (yaml != NULL) {
        yaml_text_check(yaml, &config_schema, complaints);
        if (complaints->total == before &&
            yaml_text_load(yaml, &config_schema, complaints, &file) == 0) {
            struct reading reading = {yaml, file, complaints, config};
            read_config(&reading);
            cyaml_free(yaml_cyaml_config(), &config_schema, file, 0);
        }
    }
    yaml_text_close(yaml);
}

static void blank_line(char *text, size_t size, uint32_t line) {
    char *at = text, *end = text + size;
    for (uint32_t i = 1; i < line && at < end; i++) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        at = newline != NULL ? newline + 1 : end;
    }
    for (; at < end && *at != '\n'; at++) {
        *at = ' ';
    }
}

// libcyaml gives values only of a file without errors of form. So that such errors do not hide
// those of meaning, the file is read once more with the lines in question left blank.
static void read_rest(const char *text, size_t size, struct complaints *complaints,
                      struct config *config) {
    char *rest = malloc(size);
    if (rest == NULL) {
        complaints_no_memory(complaints);
        return;
    }
    memcpy(rest, text, size);
    for (uint32_t i = 0; i < complaints->count; i++) {
        blank_line(rest, size, complaints->list[i].line);
    }
    struct complaints more;
    complaints_init(&more, config->source);
    read_text(rest, size, &more, config);
    // A blank line can make new errors of form: then nothing more is known, and they are not told.
    for (uint32_t i = 0; config->fabric[0] != '\0' && i < more.count; i++) {
        complaints_take(complaints, &more.list[i].error);
    }
    complaints_flush(&more, ignore_complaint, NULL);
    free(rest);
}

int config_parse(const char *path, const char *text, size_t size, fabric_complain_fn *complain,
                 void *context, struct config *out) {
    struct complaints complaints;
    struct config config = {0};
    snprintf(config.source, sizeof(config.source), "%s", path);
    complaints_init(&complaints, path);
    read_text(text, size, &complaints, &config);
    if (complaints.total > 0 && config.fabric[0] == '\0' && size > 0) {
        read_rest(text, size, &complaints, &config);
    }
    if (complaints_flush(&complaints, complain, context)) {
        memcpy(out->fabric, config.fabric, sizeof(out->fabric));
        config_fini(&config);
        return -EINVAL;
    }
    *out = config;
    return 0;
}

int config_load(const char *path, fabric_complain_fn *complain, void *context, struct config *out) {
    char *text;
    size_t size;
    int rc = yaml_file_read(path, complain, context, &text, &size);
    if (rc == 0) {
        rc = config_parse(path, text, size, complain, context, out);
        free(text);
    }
    return rc;
}

bool config_has_seeds(const struct config *config) {
    return config->seed_count > 0 || config->endpoints.service[0] != '\0';
}

void config_fini(struct config *config) {
    free(config->seeds);
    config->seeds = NULL;
    config->seed_count = 0;
    free(config->pods.namespaces);
    config->pods.namespaces = NULL;
    config->pods.namespace_count = 0;
}
