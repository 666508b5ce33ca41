// SPDX-License-Identifier: Apache-2.0
#include "config_file.h"

// Everything is optional and a pointer, so that a key which is absent differs from one that is 0;
// what must be there says so by MUST.
#define MUST CYAML_FLAG_POINTER
#define MAY (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define CHOICE (MAY | CYAML_FLAG_STRICT)
#define TEXT(key, flags, type, size) CYAML_FIELD_STRING_PTR(#key, flags, type, key, 1, (size)-1)
#define MAC_TEXT_SIZE 18
#define NUMBER(key, type) CYAML_FIELD_UINT_PTR(#key, MAY, type, key)
#define CHOOSE(key, type, names)                                                                   \
    CYAML_FIELD_ENUM_PTR(#key, CHOICE, type, key, names, CYAML_ARRAY_LEN(names))
#define GROUP(key, flags, fields)                                                                  \
    CYAML_FIELD_MAPPING_PTR(#key, flags, struct config_yaml, key, fields)

static const cyaml_strval_t levels[] = {{"debug", LOG_DEBUG},
                                        {"info", LOG_INFO},
                                        {"warning", LOG_WARNING},
                                        {"alarm", LOG_ALARM}};
static const cyaml_strval_t formats[] = {{"text", LOG_TEXT}, {"json", LOG_JSON}};
static const cyaml_strval_t drivers[] = {{"ebpf", DRIVER_EBPF},
                                         {"mem", DRIVER_MEM},
                                         {"mlx5", DRIVER_MLX5}};
static const cyaml_strval_t exits[] = {{"leave", ON_EXIT_LEAVE}, {"remove", ON_EXIT_REMOVE}};
static const cyaml_strval_t backends[] = {{"auto", PROBE_BACKEND_AUTO},
                                          {"io_uring", PROBE_BACKEND_IO_URING},
                                          {"epoll", PROBE_BACKEND_EPOLL}};

static const cyaml_schema_field_t log_fields[] = {
    CHOOSE(level, struct log_yaml, levels),
    CHOOSE(format, struct log_yaml, formats),
    TEXT(file, MAY, struct log_yaml, CONFIG_PATH_SIZE),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t curve_fields[] = {
    TEXT(secret_key_file, MUST, struct curve_yaml, CONFIG_PATH_SIZE),
    TEXT(fleet_keys_file, MUST, struct curve_yaml, CONFIG_PATH_SIZE),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t seed_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, CONFIG_SEED_SIZE - 1),
};
static const cyaml_schema_field_t endpoints_fields[] = {
    TEXT(namespace, MAY, struct endpoints_yaml, CONFIG_LABEL_SIZE),
    TEXT(service, MUST, struct endpoints_yaml, CONFIG_LABEL_SIZE),
    TEXT(port, MAY, struct endpoints_yaml, CONFIG_LABEL_SIZE),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t kubernetes_fields[] = {
    TEXT(api, MAY, struct kubernetes_yaml, CONFIG_PATH_SIZE),
    TEXT(credentials, MAY, struct kubernetes_yaml, CONFIG_PATH_SIZE),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t gossip_fields[] = {
    TEXT(listen, MUST, struct gossip_yaml, GOSSIP_ADDRESS_SIZE),
    TEXT(advertise, MAY, struct gossip_yaml, GOSSIP_ADDRESS_SIZE),
    CYAML_FIELD_SEQUENCE("seeds", MAY, struct gossip_yaml, seeds, &seed_schema, 0,
                         CONFIG_SEEDS_MAX),
    CYAML_FIELD_MAPPING_PTR("endpoints", MAY, struct gossip_yaml, endpoints, endpoints_fields),
    CYAML_FIELD_MAPPING_PTR("curve", MAY, struct gossip_yaml, curve, curve_fields),
    NUMBER(ping_interval_ms, struct gossip_yaml),
    NUMBER(ping_timeout_ms, struct gossip_yaml),
    NUMBER(dead_after_ms, struct gossip_yaml),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t port_fields[] = {
    TEXT(port, MUST, struct port_yaml, NAME_SIZE),
    TEXT(device, MUST, struct port_yaml, IFNAMSIZ),
    NUMBER(vport, struct port_yaml),
    TEXT(mac, MAY, struct port_yaml, MAC_TEXT_SIZE),
    TEXT(gateway_mac, MAY, struct port_yaml, MAC_TEXT_SIZE),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t port_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct port_yaml, port_fields),
};
static const cyaml_schema_value_t class_schema = {
    CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, uint32_t),
};
static const cyaml_schema_field_t nic_fields[] = {
    CHOOSE(driver, struct nic_yaml, drivers),
    TEXT(pin_dir, MAY, struct nic_yaml, CONFIG_PATH_SIZE),
    TEXT(holder, MAY, struct nic_yaml, CONFIG_PATH_SIZE),
    CYAML_FIELD_SEQUENCE("traffic_classes", MAY, struct nic_yaml, traffic_classes, &class_schema, 1,
                         NIC_CLASSES_MAX),
    CHOOSE(on_exit, struct nic_yaml, exits),
    CYAML_FIELD_SEQUENCE("ports", MUST, struct nic_yaml, ports, &port_schema, 1, HOST_PORTS_MAX),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t probe_fields[] = {
    NUMBER(interval_ms, struct probe_yaml),
    NUMBER(timeout_ms, struct probe_yaml),
    NUMBER(loss_threshold, struct probe_yaml),
    NUMBER(up_hold_ms, struct probe_yaml),
    NUMBER(up_hold_max_ms, struct probe_yaml),
    CHOOSE(backend, struct probe_yaml, backends),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t metrics_fields[] = {
    TEXT(listen, MUST, struct metrics_yaml, CONFIG_LISTEN_SIZE),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t capacity_fields[] = {
    NUMBER(interval_ms, struct capacity_yaml),
    NUMBER(packets, struct capacity_yaml),
    NUMBER(packet_bytes, struct capacity_yaml),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t ecn_fields[] = {
    NUMBER(interval_ms, struct ecn_yaml),   NUMBER(idle_interval_ms, struct ecn_yaml),
    NUMBER(traffic_class, struct ecn_yaml), NUMBER(threshold_percent, struct ecn_yaml),
    NUMBER(probes, struct ecn_yaml),        NUMBER(quiet_ms, struct ecn_yaml),
    NUMBER(quiet_max_ms, struct ecn_yaml),  CYAML_FIELD_END,
};
static const cyaml_schema_field_t diagnosis_fields[] = {
    NUMBER(probes_per_second, struct diagnosis_yaml),
    NUMBER(traffic_class, struct diagnosis_yaml),
    NUMBER(avoid_ppm, struct diagnosis_yaml),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t namespace_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, CONFIG_LABEL_SIZE - 1),
};
static const cyaml_schema_field_t pods_fields[] = {
    TEXT(node, MAY, struct pods_yaml, CONFIG_NAME_SIZE),
    TEXT(state_file, MAY, struct pods_yaml, CONFIG_PATH_SIZE),
    CYAML_FIELD_SEQUENCE("namespaces", MAY, struct pods_yaml, namespaces, &namespace_schema, 1,
                         CONFIG_NAMESPACES_MAX),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t jobs_fields[] = {
    CYAML_FIELD_MAPPING_PTR("kubernetes", MUST, struct jobs_yaml, kubernetes, pods_fields),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t config_fields[] = {
    TEXT(host, MAY, struct config_yaml, NAME_SIZE),
    TEXT(fabric, MUST, struct config_yaml, CONFIG_PATH_SIZE),
    TEXT(socket, MAY, struct config_yaml, CONFIG_SOCKET_SIZE),
    TEXT(algorithm, MAY, struct config_yaml, NAME_SIZE),
    GROUP(log, MAY, log_fields),
    GROUP(gossip, MUST, gossip_fields),
    GROUP(nic, MUST, nic_fields),
    GROUP(probe, MAY, probe_fields),
    GROUP(ecn, MAY, ecn_fields),
    GROUP(diagnosis, MAY, diagnosis_fields),
    GROUP(jobs, MAY, jobs_fields),
    GROUP(capacity, MAY, capacity_fields),
    GROUP(metrics, MAY, metrics_fields),
    GROUP(kubernetes, MAY, kubernetes_fields),
    CYAML_FIELD_END,
};

const cyaml_schema_value_t config_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_yaml, config_fields),
};
