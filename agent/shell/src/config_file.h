// SPDX-License-Identifier: Apache-2.0
// What a configuration file holds, as libcyaml loads it; NULL where a key is absent.
#ifndef AGENT_SHELL_CONFIG_FILE_H
#define AGENT_SHELL_CONFIG_FILE_H

#include <cyaml/cyaml.h>

#include "agent_shell/config.h"
#include "model/complaints.h"
#include "model_yaml/yaml_check.h"

struct log_yaml {
    enum log_level *level;
    enum log_format *format;
    char *file;
};
struct curve_yaml {
    char *secret_key_file, *fleet_keys_file;
};
struct endpoints_yaml {
    char *namespace, *service, *port;
};
struct kubernetes_yaml {
    char *api, *credentials;
};
struct gossip_yaml {
    char *listen, *advertise;
    char **seeds;
    uint32_t seeds_count;
    struct endpoints_yaml *endpoints;
    struct curve_yaml *curve;
    uint32_t *ping_interval_ms, *ping_timeout_ms, *dead_after_ms;
};
struct port_yaml {
    char *port, *device;
    uint32_t *vport;
    char *mac, *gateway_mac;
};
enum on_exit { ON_EXIT_LEAVE, ON_EXIT_REMOVE };
enum driver { DRIVER_EBPF, DRIVER_MEM, DRIVER_MLX5 };
struct nic_yaml {
    enum driver *driver;
    char *pin_dir, *holder;
    uint32_t *traffic_classes;
    uint32_t traffic_classes_count;
    enum on_exit *on_exit;
    struct port_yaml *ports;
    uint32_t ports_count;
};
struct probe_yaml {
    uint32_t *interval_ms, *timeout_ms, *loss_threshold, *up_hold_ms, *up_hold_max_ms;
    enum probe_backend *backend;
};
struct metrics_yaml {
    char *listen;
};
struct capacity_yaml {
    uint32_t *interval_ms, *packets, *packet_bytes;
};

struct ecn_yaml {
    uint32_t *interval_ms, *idle_interval_ms, *traffic_class, *threshold_percent, *probes,
        *quiet_ms, *quiet_max_ms;
};
struct diagnosis_yaml {
    uint32_t *probes_per_second, *traffic_class, *avoid_ppm;
};
struct pods_yaml {
    char *node, *state_file;
    char **namespaces;
    uint32_t namespaces_count;
};
struct jobs_yaml {
    struct pods_yaml *kubernetes;
};
struct config_yaml {
    char *host, *fabric, *socket, *algorithm;
    struct log_yaml *log;
    struct gossip_yaml *gossip;
    struct nic_yaml *nic;
    struct probe_yaml *probe;
    struct ecn_yaml *ecn;
    struct diagnosis_yaml *diagnosis;
    struct jobs_yaml *jobs;
    struct capacity_yaml *capacity;
    struct metrics_yaml *metrics;
    struct kubernetes_yaml *kubernetes;
};

extern const cyaml_schema_value_t config_schema;

#define MINUTE_MS 60000
#define HOUR_MS 3600000

// ---- config.c, for what reads parts of the file
struct reading {
    const struct yaml_text *yaml;
    const struct config_yaml *file;
    struct complaints *complaints;
    struct config *config;
};

void config_complain_at(const struct reading *reading, const char *path, const char *problem);
struct number {
    const char *path;
    const uint32_t *given; // NULL: absent
    uint32_t fallback, least, most;
    uint64_t *to;
    uint64_t unit;
};

void config_set_numbers(const struct reading *reading, const struct number *numbers, size_t count);

// config_probes.c: probe, ecn, diagnosis, capacity.
void config_read_probes(const struct reading *reading);

// config_pods.c: all of jobs.kubernetes but its path. `pods` may be NULL.
void config_read_pods(const struct pods_yaml *pods, const struct yaml_text *yaml,
                      struct complaints *complaints, struct config_pods *out);

#endif
