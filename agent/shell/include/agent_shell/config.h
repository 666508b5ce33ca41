// SPDX-License-Identifier: Apache-2.0
// The agent's configuration file (YAML). Every key is explained in agent.example.yaml and
// srv6-agent(8).
//
// config_load reports everything that is wrong in one pass, in order of lines, and returns a
// configuration with all defaults filled in. Paths that are not absolute are relative to the
// configuration file. What needs the fabric is checked by config_check_fabric.
//
// Ownership: config_load fills the caller's storage, config_fini frees it. Units as named.
#ifndef AGENT_SHELL_CONFIG_H
#define AGENT_SHELL_CONFIG_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "agent_shell/log.h"
#include "agent_shell/probe_io.h"
#include "gossip/gossip.h"
#include "model/fabric.h"
#include "nicdrv/nic.h"

#define CONFIG_PATH_SIZE 256
#define CONFIG_SOCKET_SIZE 108 // sun_path
#define CONFIG_SEEDS_MAX GOSSIP_SEEDS_MAX
#define CONFIG_NAME_SIZE 254 // RFC 1035
#define CONFIG_SEED_SIZE (sizeof("tcp://:65535") + CONFIG_NAME_SIZE)
#define CONFIG_LABEL_SIZE 64 // RFC 1123; names of namespaces, Services and their ports
#define CONFIG_NAMESPACES_MAX 64
#define CONFIG_LISTEN_SIZE 64 // "[fd00::1]:9750"
#define CONFIG_SOCKET_DEFAULT "/run/srv6/agent.sock"
#define CONFIG_FILE_DEFAULT "/etc/srv6/agent.yaml"

struct config_port {
    char port[NAME_SIZE + 4]; // name in the fabric
    char device[IFNAMSIZ];
    struct nic_eswitch_options eswitch; // mlx5
    uint32_t line;
};

// Jobs of this node's pods (pods.h in the sources).
struct config_pods {
    bool on;
    char node[CONFIG_NAME_SIZE];
    char state_file[CONFIG_PATH_SIZE];
    char (*namespaces)[CONFIG_LABEL_SIZE]; // owned; none: all
    uint32_t namespace_count;
};

// How the API server of a Kubernetes cluster is reached; "" is what Kubernetes tells pods.
struct config_kubernetes {
    char api[CONFIG_PATH_SIZE];
    char credentials[CONFIG_PATH_SIZE]; // a folder
};

// Members by the Endpoints of a Service.
struct config_endpoints {
    char namespace[CONFIG_LABEL_SIZE]; // "": the pod's
    char service[CONFIG_LABEL_SIZE];   // "": not by Endpoints
    char port[CONFIG_LABEL_SIZE];      // its name
};

struct config {
    char source[CONFIG_PATH_SIZE]; // the file, for messages
    char host[NAME_SIZE];
    uint32_t host_line;
    char fabric[CONFIG_PATH_SIZE];
    char socket[CONFIG_SOCKET_SIZE];
    enum log_level log_level;
    enum log_format log_format;
    char log_file[CONFIG_PATH_SIZE]; // "": stderr
    char listen[GOSSIP_ADDRESS_SIZE], advertise[GOSSIP_ADDRESS_SIZE];
    char (*seeds)[CONFIG_SEED_SIZE]; // owned; addresses and names, see config_name_parse
    uint32_t seed_count;
    struct config_endpoints endpoints;
    struct config_kubernetes kubernetes;
    bool curve;
    char secret_key_file[CONFIG_PATH_SIZE], fleet_keys_file[CONFIG_PATH_SIZE];
    uint64_t ping_interval_ns, ping_timeout_ns, dead_after_ns; // 0: the core's default
    char nic_driver[16];
    char pin_dir[CONFIG_PATH_SIZE]; // "": the driver's default
    char holder[CONFIG_PATH_SIZE];  // mlx5: socket of srv6-holder
    bool remove_on_exit;
    struct config_port ports[HOST_PORTS_MAX];
    uint32_t port_count, ports_line;
    uint64_t probe_interval_ns, probe_timeout_ns, up_hold_ns, up_hold_max_ns;
    uint32_t loss_threshold;
    struct ecn_policy ecn;
    struct diagnosis_policy diagnosis;
    struct capacity_policy capacity;
    enum probe_backend backend;
    char algorithm[NAME_SIZE];
    struct config_pods pods;
    char metrics_listen[CONFIG_LISTEN_SIZE]; // "": no HTTP
};

// 0; -EINVAL after complaints; -errno when the file could not be read (also complained about).
// After -EINVAL only out->fabric is set, where the file names one, so that its errors can be told
// as well.
int config_load(const char *path, fabric_complain_fn *complain, void *context, struct config *out);
// The same for a text that is at hand; `path` is for messages and for what is relative to it.
int config_parse(const char *path, const char *text, size_t size, fabric_complain_fn *complain,
                 void *context, struct config *out);
void config_fini(struct config *config);
// The host is in the fabric, and each of its ports has a device. -EINVAL after complaints.
int config_check_fabric(const struct config *config, const struct fabric *fabric,
                        fabric_complain_fn *complain, void *context);
// "address:port", numeric, IPv6 in brackets. *out is untouched on failure.
bool config_listen_parse(const char *text, struct sockaddr_storage *out);
// The same behind "tcp://", and the one way to write it.
bool config_address_parse(const char *text, struct sockaddr_storage *out);
void config_address_format(const struct sockaddr_storage *address, char out[GOSSIP_ADDRESS_SIZE]);
// "tcp://name:port" with a name of the DNS, which no address looks like. Outputs are untouched on
// failure.
bool config_name_parse(const char *text, char name[CONFIG_NAME_SIZE], uint16_t *port);
// A label of RFC 1123 in small letters, as objects of Kubernetes are named.
bool config_label_is_valid(const char *text);
bool config_has_seeds(const struct config *config);
// The device of a port of the fabric; NULL when the file names none.
const char *config_device(const struct config *config, const struct fabric *fabric, port_id port);

#endif
