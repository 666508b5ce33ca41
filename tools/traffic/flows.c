// SPDX-License-Identifier: Apache-2.0
#include "flows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

void flow_list_close(struct flow_list *list) {
    free(list->flows);
    *list = (struct flow_list){0};
}

static void port_address(const struct fabric_port *port, bool ipv6, uint8_t address[16]) {
    memset(address, 0, 16);
    if (ipv6) {
        memcpy(address, port->ipv6, 16);
    } else {
        memcpy(address, port->ipv4, 4);
    }
}

void flow_name_end(const struct fabric *fabric, bool ipv6, const uint8_t address[16],
                   char text[FLOW_NAME_SIZE / 2]) {
    for (uint32_t i = 0; fabric != NULL && i < fabric->port_count; i++) {
        uint8_t candidate[16];
        port_address(&fabric->ports[i], ipv6, candidate);
        if (memcmp(candidate, address, ipv6 ? 16 : 4) == 0) {
            char name[NAME_SIZE + 4];
            fabric_format_port(fabric, (port_id){i}, name);
            memcpy(text, name, sizeof name);
            return;
        }
    }
    inet_ntop(ipv6 ? AF_INET6 : AF_INET, address, text, FLOW_NAME_SIZE / 2);
}

static void name_flow(const struct fabric *fabric, struct flow *flow) {
    char from[FLOW_NAME_SIZE / 2], to[FLOW_NAME_SIZE / 2];
    flow_name_end(fabric, flow->ipv6, flow->source, from);
    flow_name_end(fabric, flow->ipv6, flow->destination, to);
    snprintf(flow->name, sizeof flow->name, "%.48s>%.48s", from, to);
}

// ---- from a job

struct collection {
    const struct traffic_options *options;
    const struct fabric *fabric;
    struct flow_list *list;
    uint32_t capacity;
    int rc;
};

static struct flow *add_flow(struct collection *collection) {
    struct flow_list *list = collection->list;
    if (list->count == collection->capacity) {
        uint32_t capacity = collection->capacity * 2 + 16;
        struct flow *grown = realloc(list->flows, capacity * sizeof *grown);
        if (grown == NULL) {
            collection->rc = -ENOMEM;
            return NULL;
        }
        list->flows = grown;
        collection->capacity = capacity;
    }
    struct flow *flow = &list->flows[list->count++];
    *flow = (struct flow){.ipv6 = collection->options->ipv6};
    return flow;
}

static uint32_t qp_for_peer(const struct traffic_options *options, port_id peer) {
    return options->qp_base + peer.i * options->qps;
}

// Answers come back to the sender's QP: two ports of a host must not use one for the same peer.
static uint32_t source_qp_for_peer(const struct collection *collection,
                                   const struct demand *demand) {
    const struct fabric *fabric = collection->fabric;
    uint32_t port = fabric->ports[demand->src.i].index;
    return qp_for_peer(collection->options, (port_id){port * fabric->port_count + demand->dst.i});
}

// Collectives that use the same pair share its flow, as NCCL's channels share a connection.
static void collect_demand(void *context, const struct demand *demand) {
    struct collection *collection = context;
    const struct fabric *fabric = collection->fabric;
    struct flow wanted = {.ipv6 = collection->options->ipv6,
                          .first_qp = qp_for_peer(collection->options, demand->src),
                          .first_source_qp = source_qp_for_peer(collection, demand)};
    uint64_t bytes = (uint64_t)((double)demand->bytes * collection->options->scale);
    if (bytes == 0) {
        return;
    }
    port_address(&fabric->ports[demand->src.i], wanted.ipv6, wanted.source);
    port_address(&fabric->ports[demand->dst.i], wanted.ipv6, wanted.destination);
    for (uint32_t i = 0; i < collection->list->count; i++) {
        struct flow *flow = &collection->list->flows[i];
        if (memcmp(flow->source, wanted.source, 16) == 0 &&
            memcmp(flow->destination, wanted.destination, 16) == 0) {
            flow->bytes += bytes;
            return;
        }
    }
    struct flow *flow = add_flow(collection);
    if (flow != NULL) {
        *flow = wanted;
        flow->bytes = bytes;
        name_flow(fabric, flow);
    }
}

// The rank maps of the job's permutations and rings, one per collective (NULL for other types).
static int compute_permutations(const struct job *job, const struct fabric *fabric,
                                const port_id *ranks, uint32_t rank_count,
                                uint32_t *permutations[JOB_COLLECTIVES_MAX]) {
    for (uint32_t i = 0; i < job->collective_count; i++) {
        if (!collective_has_map(job->collectives[i].type)) {
            continue;
        }
        permutations[i] = malloc((rank_count + 1) * sizeof *permutations[i]);
        if (permutations[i] == NULL) {
            return -ENOMEM;
        }
        int rc = job_permutation(job, i, fabric, ranks, rank_count, permutations[i]);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int collect_job(struct collection *collection, const struct job *job, node_id host) {
    const struct fabric *fabric = collection->fabric;
    uint32_t rank_count = job_rank_count(job, fabric);
    uint32_t *permutations[JOB_COLLECTIVES_MAX] = {0};
    port_id *ranks = malloc((rank_count + 1) * sizeof *ranks);
    if (ranks == NULL) {
        return -ENOMEM;
    }
    job_resolve(job, fabric, ranks);
    int rc = compute_permutations(job, fabric, ranks, rank_count, permutations);
    for (uint32_t i = 0; rc == 0 && i < rank_count; i++) {
        if (ranks[i].i != ID_NONE && fabric->ports[ranks[i].i].host.i == host.i) {
            job_demands(job, fabric, ranks, rank_count, i, (const uint32_t *const *)permutations,
                        collect_demand, collection);
        }
    }
    for (uint32_t i = 0; i < JOB_COLLECTIVES_MAX; i++) {
        free(permutations[i]);
    }
    free(ranks);
    return rc != 0 ? rc : collection->rc;
}

static int open_job(struct collection *collection, const struct job *job, struct error *error) {
    node_id host;
    if (!fabric_find_node(collection->fabric, collection->options->host, &host) ||
        collection->fabric->nodes[host.i].kind != NODE_HOST) {
        return error_set(error, -EINVAL, "no such host in the fabric: %s",
                         collection->options->host);
    }
    int rc = collect_job(collection, job, host);
    return rc == 0 ? 0 : error_set(error, rc, "cannot lay out the job: %s", strerror(-rc));
}

// ---- from --to

static bool parse_address(const char *text, struct flow *flow) {
    if (inet_pton(AF_INET, text, flow->destination) == 1) {
        flow->ipv6 = false;
        return true;
    }
    flow->ipv6 = inet_pton(AF_INET6, text, flow->destination) == 1;
    return flow->ipv6;
}

static int find_source(const struct traffic_options *options, const struct fabric *fabric,
                       struct flow *flow, struct error *error) {
    port_id port;
    const char *name = options->from != NULL ? options->from : options->host;
    if (name != NULL && fabric != NULL && fabric_find_port(fabric, name, &port)) {
        port_address(&fabric->ports[port.i], flow->ipv6, flow->source);
        return 0;
    }
    if (options->from != NULL) {
        if (inet_pton(flow->ipv6 ? AF_INET6 : AF_INET, options->from, flow->source) == 1) {
            return 0;
        }
        return error_set(error, -EINVAL, "--from is no address of that family: %s", options->from);
    }
    int rc = net_source_for(flow->ipv6, flow->destination, flow->source);
    return rc == 0 ? 0 : error_set(error, rc, "no way there: %s", strerror(-rc));
}

static int open_to(struct collection *collection, const char *to, unsigned index,
                   struct error *error) {
    const struct traffic_options *options = collection->options;
    struct flow *flow = add_flow(collection);
    if (flow == NULL) {
        return error_set(error, -ENOMEM, "out of memory");
    }
    port_id port;
    flow->bytes = options->bytes;
    flow->first_qp = options->qp_base;
    flow->first_source_qp = options->qp_base + index * options->qps;
    if (collection->fabric != NULL && fabric_find_port(collection->fabric, to, &port)) {
        port_address(&collection->fabric->ports[port.i], flow->ipv6, flow->destination);
        flow->first_source_qp = qp_for_peer(options, port);
    } else if (!parse_address(to, flow)) {
        return error_set(error, -EINVAL, "neither an address nor a port of the fabric: %s", to);
    }
    int rc = find_source(options, collection->fabric, flow, error);
    if (rc != 0) {
        return rc;
    }
    const char *from = options->from != NULL ? options->from : options->host;
    if (collection->fabric != NULL && from != NULL &&
        fabric_find_port(collection->fabric, from, &port)) {
        flow->first_qp = qp_for_peer(options, port);
    }
    name_flow(collection->fabric, flow);
    return 0;
}

// ---- rates

static int share_rates(const struct traffic_options *options, struct flow_list *list,
                       struct error *error) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        total += list->flows[i].bytes;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        struct flow *flow = &list->flows[i];
        double share = total == 0 ? 1.0 / list->count : (double)flow->bytes / (double)total;
        // In proportion to the bytes, so that the flows of a step end together.
        flow->rate_bps = options->rate_bps != 0
                             ? options->rate_bps
                             : (uint64_t)((double)options->rate_total_bps * share);
        if (options->duration_ns != 0) {
            flow->bytes = (uint64_t)((double)flow->rate_bps / 8e9 * (double)options->duration_ns);
        }
        uint32_t highest =
            flow->first_qp > flow->first_source_qp ? flow->first_qp : flow->first_source_qp;
        if (flow->bytes == 0 || flow->rate_bps == 0) {
            return error_set(error, -EINVAL, "%s: nothing to send, or no rate", flow->name);
        }
        if (highest + options->qps > ROCE_QP_MAX) {
            return error_set(error, -EINVAL, "%s: QP numbers have 24 bits", flow->name);
        }
    }
    return 0;
}

int flow_list_open(const struct traffic_options *options, const struct fabric *fabric,
                   const struct job *job, struct flow_list *list, struct error *error) {
    struct flow_list built = {0};
    struct collection collection = {.options = options, .fabric = fabric, .list = &built};
    int rc = 0;
    if (job != NULL) {
        rc = open_job(&collection, job, error);
    }
    for (unsigned i = 0; rc == 0 && i < options->to_count; i++) {
        rc = open_to(&collection, options->to[i], i, error);
    }
    if (rc == 0) {
        rc = share_rates(options, &built, error);
    }
    if (rc == 0 && (uint64_t)built.count * options->qps > TRAFFIC_QPS_MAX) {
        rc = error_set(error, -EINVAL, "more than %d queue pairs: %u flows of %u", TRAFFIC_QPS_MAX,
                       built.count, options->qps);
    }
    if (rc != 0) {
        flow_list_close(&built);
        return rc;
    }
    *list = built;
    return 0;
}
