// SPDX-License-Identifier: Apache-2.0
// From a configuration file to an agent that is ready to run, or to one sentence that says why not
// and what to do.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "agent_shell/clock.h"
#include "agent_shell/port_setup.h"
#include "model_yaml/fabric_file.h"
#include "tool/tool.h"

#define TOOL "srv6-agent"
#define FILES_WANTED 65536 // a connection for each neighbour and each client, and what libzmq needs

static int exit_code_of(int rc) {
    return rc == -EPERM || rc == -EACCES ? TOOL_PERMISSION : TOOL_FAILED;
}

static void print_complaint(void *context, const struct error *error) {
    (void)context;
    fprintf(stderr, TOOL ": %s\n", error->text);
}

// Both files are checked even when the first has errors in it that leave the path readable.
static int load_files(const char *path, struct config *config, struct fabric **fabric) {
    int rc = config_load(path, print_complaint, NULL, config);
    if (rc != 0) {
        if (config->fabric[0] != '\0' &&
            fabric_file_load(config->fabric, print_complaint, NULL, fabric) == 0) {
            fabric_close(*fabric);
            *fabric = NULL;
        }
        return rc;
    }
    rc = fabric_file_load(config->fabric, print_complaint, NULL, fabric);
    if (rc == 0) {
        rc = config_check_fabric(config, *fabric, print_complaint, NULL);
    }
    if (rc != 0) {
        fabric_close(*fabric);
        *fabric = NULL;
        config_fini(config);
    }
    return rc;
}

int agent_check(const char *config_path) {
    struct config config = {0};
    struct fabric *fabric = NULL;
    struct agent_keys keys = {0};
    struct error error;
    int rc = load_files(config_path, &config, &fabric);
    if (rc != 0) {
        return exit_code_of(rc);
    }
    rc = agent_keys_load(&config, &keys, &error);
    if (rc != 0) {
        print_complaint(NULL, &error);
    } else {
        printf("%s: valid; host %s of fabric %s generation %llu, %u hosts, %u links\n", config_path,
               config.host, fabric->name, (unsigned long long)fabric->generation,
               fabric->host_count, fabric_link_count(fabric));
    }
    agent_keys_fini(&keys);
    fabric_close(fabric);
    config_fini(&config);
    return rc == 0 ? TOOL_OK : exit_code_of(rc);
}

// As far as it may be raised; what then does not suffice says so itself.
static void raise_limit(__rlimit_resource_t resource, rlim_t wanted) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur >= wanted) {
        return;
    }
    struct rlimit raised = {wanted, limit.rlim_max > wanted ? limit.rlim_max : wanted};
    if (setrlimit(resource, &raised) != 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(resource, &limit);
    }
}

// ---- ports

static int find_ports(struct agent *agent, const struct fabric *fabric, struct error *error) {
    node_id host;
    if (!fabric_find_node(fabric, agent->config.host, &host)) {
        return error_set(error, -EINVAL, "host %s is not in the fabric", agent->config.host);
    }
    const struct fabric_node *node = &fabric->nodes[host.i];
    for (uint32_t i = 0; i < node->port_count; i++) {
        port_id port = {node->first_port + i};
        const char *device = config_device(&agent->config, fabric, port);
        if (if_nametoindex(device) == 0) {
            return error_set(error, -ENODEV,
                             "no network device %s (nic.ports): name the one of port %u", device,
                             i);
        }
        snprintf(agent->ports[i].device, sizeof(agent->ports[i].device), "%s", device);
        agent->ports[i].address = sid_of(fabric->block, fabric->ports[port.i].usid);
    }
    agent->port_count = node->port_count;
    return 0;
}

static void set_up_ports(struct agent *agent) {
    for (uint32_t i = 0; i < agent->port_count; i++) {
        struct error error;
        if (port_setup_address(&agent->ports[i], &error) != 0) {
            agent_tell(agent, LOG_WARNING, "port_setup", agent->ports[i].device, "%s", error.text);
        }
        if (port_setup_seg6(&agent->ports[i], &error) != 0) {
            agent_tell(agent, LOG_WARNING, "port_setup", agent->ports[i].device, "%s", error.text);
        }
    }
}

int agent_open_probes(struct agent *agent, struct error *error) {
    struct probe_io_config config = {agent->config.backend, agent->nonce, agent->ports,
                                     agent->port_count};
    struct epoll_event event = {.events = EPOLLIN};
    struct probe_io *probe = NULL;
    set_up_ports(agent);
    int rc = probe_io_open(&config, &probe, error);
    if (rc != 0) {
        return rc;
    }
    if (epoll_ctl(agent->probe_fd, EPOLL_CTL_ADD, probe_io_fd(probe), &event) != 0) {
        rc = error_set(error, -errno, "probes: %s", strerror(errno));
        probe_io_close(probe);
        return rc;
    }
    agent->probe = probe;
    const char *reason = probe_io_reason(probe);
    agent_tell(agent, LOG_INFO, "probe_backend", agent->config.host,
               "probes go through %s%s%s%s%.80s", probe_io_backend(probe),
               probe_io_variant(probe)[0] != '\0' ? " " : "", probe_io_variant(probe),
               reason[0] != '\0' ? "; " : "", reason);
    return 0;
}

// ---- engine and gossip

#define HISTORY_LINKS 64 // 5.2 MB at most

static void least_capabilities(const struct agent *agent, struct nic_capabilities *out) {
    for (uint32_t i = 0; i < agent->port_count; i++) {
        struct nic_capabilities one;
        agent->nics[i]->driver->capabilities(agent->nics[i], &one);
        if (i == 0) {
            *out = one;
            continue;
        }
        out->spray = out->spray && one.spray;
        out->per_qp = out->per_qp && one.per_qp;
        out->srh = out->srh && one.srh;
        out->counters = out->counters && one.counters;
        out->spares = out->spares || one.spares;
        out->rules_max = one.rules_max < out->rules_max ? one.rules_max : out->rules_max;
        out->encap_bytes_max =
            one.encap_bytes_max < out->encap_bytes_max ? one.encap_bytes_max : out->encap_bytes_max;
    }
}

void agent_engine_config(const struct agent *agent, const struct fabric *fabric,
                         struct engine_config *out) {
    const struct config *config = &agent->config;
    node_id host;
    *out = (struct engine_config){
        .probe_interval_ns = config->probe_interval_ns,
        .probe_timeout_ns = config->probe_timeout_ns,
        .loss_threshold = config->loss_threshold,
        .up_hold_ns = config->up_hold_ns,
        .up_hold_max_ns = config->up_hold_max_ns,
        .ecn = config->ecn,
        .capacity = config->capacity,
        .history_links = HISTORY_LINKS,
        .diagnosis = config->diagnosis,
        .expects_pods = config->pods.on,
        .gossip = {.ping_interval_ns = config->ping_interval_ns,
                   .ping_timeout_ns = config->ping_timeout_ns,
                   .dead_after_ns = config->dead_after_ns},
    };
    snprintf(out->host, sizeof(out->host), "%s", config->host);
    snprintf(out->algorithm, sizeof(out->algorithm), "%s", config->algorithm);
    snprintf(out->nic_driver, sizeof(out->nic_driver), "%s", config->nic_driver);
    snprintf(out->gossip.name, sizeof(out->gossip.name), "%s", config->host);
    snprintf(out->gossip.address, sizeof(out->gossip.address), "%s", config->advertise);
    if (fabric_find_node(fabric, config->host, &host)) {
        node_id leaf = fabric->ports[fabric->nodes[host.i].first_port].leaf;
        snprintf(out->gossip.rack, sizeof(out->gossip.rack), "%s", fabric->nodes[leaf.i].name);
    }
    for (uint32_t i = 0; i < agent->port_count; i++) {
        out->adopted = out->adopted || agent->nics[i]->applied.rule_count > 0;
    }
    least_capabilities(agent, &out->nic);
}

static int draw(void *bytes, size_t size, struct error *error) {
    return getrandom(bytes, size, 0) == (ssize_t)size
               ? 0
               : error_set(error, -EIO, "the kernel gives no random numbers");
}

// Takes the fabric on success.
static int open_engine(struct agent *agent, struct fabric *fabric, struct error *error) {
    struct engine_config config;
    const char *seeds[CONFIG_SEEDS_MAX]; // those that are addresses; seeds.c looks up the rest
    uint64_t random[2];
    int rc = draw(random, sizeof(random), error);
    if (rc != 0) {
        return rc;
    }
    agent_engine_config(agent, fabric, &config);
    for (uint32_t i = 0; i < agent->config.seed_count; i++) {
        struct sockaddr_storage address;
        if (config_address_parse(agent->config.seeds[i], &address)) {
            seeds[config.gossip.seed_count++] = agent->config.seeds[i];
        }
    }
    config.gossip.seeds = seeds;
    config.gossip.seeds_awaited = config.gossip.seed_count < agent->config.seed_count ||
                                  agent->config.endpoints.service[0] != '\0';
    config.gossip.nonce = (uint32_t)random[0];
    config.gossip.seed = random[1];
    config.gossip.signing = agent->signing;
    config.seed = random[0] ^ random[1];
    return engine_open(&config, fabric, clock_now_ns(), &agent->engine, error);
}

static int open_carrier(struct agent *agent, const struct agent_keys *keys, struct error *error) {
    struct gossip_zmq_config config = {.curve = agent->config.curve, .fleet = &keys->fleet};
    memcpy(config.public_key, keys->public_key, sizeof(config.public_key));
    memcpy(config.secret_key, keys->secret_key, sizeof(config.secret_key));
    snprintf(config.listen, sizeof(config.listen), "%s", agent->config.listen);
    int rc = gossip_zmq_open(&config, engine_gossip(agent->engine), &agent->carrier, error);
    explicit_bzero(&config, sizeof(config));
    return rc;
}

// Takes the fabric, success or not.
static int open_gossip(struct agent *agent, struct fabric *fabric, struct error *error) {
    struct agent_keys keys;
    int rc = agent_keys_load(&agent->config, &keys, error);
    if (rc != 0) {
        fabric_close(fabric);
        return rc;
    }
    agent->signing = keys.signing;
    keys.signing = NULL;
    rc = open_engine(agent, fabric, error);
    if (rc != 0) {
        fabric_close(fabric);
    }
    rc = rc != 0 ? rc : open_carrier(agent, &keys, error);
    agent_keys_fini(&keys);
    return rc;
}

// ---- all of it

static int open_basics(struct agent *agent, struct error *error) {
    agent->started_at_ns = clock_now_ns();
    agent_metrics_init(&agent->metrics);
    agent->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    agent->probe_fd = epoll_create1(EPOLL_CLOEXEC);
    agent->events = events_open(clock_wall_ns());
    if (agent->timer_fd < 0 || agent->probe_fd < 0 || agent->events == NULL) {
        return error_set(error, -ENOMEM, "no descriptors or memory to start with");
    }
    raise_limit(RLIMIT_NOFILE, FILES_WANTED);
    raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
    int rc = draw(&agent->nonce, sizeof(agent->nonce), error);
    return rc != 0 ? rc
                   : log_open(agent->config.log_file, agent->config.log_level,
                              agent->config.log_format, &agent->log, error);
}

int agent_open(struct agent *agent, const char *config_path) {
    struct fabric *fabric = NULL;
    struct error error = {0};
    *agent = (struct agent){.timer_fd = -1, .probe_fd = -1};
    int rc = load_files(config_path, &agent->config, &fabric);
    if (rc != 0) {
        return exit_code_of(rc);
    }
    rc = open_basics(agent, &error);
    rc = rc != 0 ? rc : find_ports(agent, fabric, &error);
    rc = rc != 0 ? rc : agent_open_nics(agent, &error);
    rc = rc != 0 ? rc : agent_open_probes(agent, &error);
    if (rc != 0) {
        fabric_close(fabric);
    } else {
        rc = open_gossip(agent, fabric, &error);
    }
    if (rc != 0) {
        print_complaint(NULL, &error);
        agent_close(agent);
    }
    return rc == 0 ? TOOL_OK : exit_code_of(rc);
}

void agent_close(struct agent *agent) {
    bool remove = agent->stopping && agent->config.remove_on_exit;
    gossip_zmq_close(agent->carrier);
    engine_close(agent->engine);
    curve_signing_close(agent->signing);
    probe_io_close(agent->probe);
    for (uint32_t i = 0; i < agent->port_count; i++) {
        nic_close(agent->nics[i], remove);
    }
    agent_rdma_fini(&agent->rdma);
    agent_metrics_fini(&agent->metrics);
    events_close(agent->events);
    log_close(agent->log);
    config_fini(&agent->config);
    if (agent->timer_fd >= 0) {
        close(agent->timer_fd);
    }
    if (agent->probe_fd >= 0) {
        close(agent->probe_fd);
    }
}
