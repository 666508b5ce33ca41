// SPDX-License-Identifier: Apache-2.0
// Two-sided binding: a rank's host says that it takes part in a job, in its own origin. A flow is
// steered only to a rank that has said so.
#include <stdlib.h>
#include <string.h>

#include "state.h"

static struct host_view *host_by_name(struct engine *engine, const char *name) {
    node_id node;
    bool found =
        fabric_find_node(engine->fabric, name, &node) && node.i < engine->fabric->host_count;
    return found ? &engine->hosts[node.i] : NULL;
}

static struct binding *find_binding(const struct host_view *host, const char *job,
                                    const char *port) {
    for (uint32_t i = 0; i < host->binding_count; i++) {
        if (strcmp(host->bindings[i].job, job) == 0 && strcmp(host->bindings[i].port, port) == 0) {
            return &host->bindings[i];
        }
    }
    return NULL;
}

static void store_binding(struct engine *engine, struct host_view *host,
                          const struct rank_binding *binding) {
    struct binding *place = find_binding(host, binding->job, binding->port);
    if (place == NULL) {
        if (host->binding_count == BINDINGS_MAX) {
            engine->stats.bad_facts++;
            return;
        }
        if (host->binding_count == host->binding_capacity) {
            uint32_t capacity = host->binding_capacity == 0 ? 8 : 2 * host->binding_capacity;
            struct binding *bindings = realloc(host->bindings, capacity * sizeof *bindings);
            if (bindings == NULL) {
                return;
            }
            host->bindings = bindings;
            host->binding_capacity = capacity;
        }
        place = &host->bindings[host->binding_count++];
        *place = (struct binding){0};
        memcpy(place->job, binding->job, sizeof place->job);
        memcpy(place->port, binding->port, sizeof place->port);
        engine->beliefs_changed = true;
    }
    place->generation = binding->job_generation;
    place->lost_since_ns = 0;
}

bool host_has_port(const struct engine *engine, const struct host_view *host, const char *name,
                   port_id *out) {
    return fabric_find_port(engine->fabric, name, out) &&
           &engine->hosts[engine->fabric->ports[out->i].host.i] == host;
}

void jobs_learn_binding(struct engine *engine, const char *origin, const char *key,
                        const void *value, size_t size) {
    struct host_view *host = host_by_name(engine, origin);
    if (host == NULL) {
        return;
    }
    struct rank_binding binding;
    port_id port;
    if (value != NULL) {
        if (rank_binding_decode(value, size, &binding) != 0 ||
            !host_has_port(engine, host, binding.port, &port)) {
            engine->stats.bad_facts++;
        } else {
            store_binding(engine, host, &binding);
        }
        return;
    }
    const char *slash = strrchr(key, '/'); // "job/port"
    char job[JOB_NAME_SIZE] = "";
    if (slash != NULL && (size_t)(slash - key) < sizeof job) {
        memcpy(job, key, (size_t)(slash - key));
        struct binding *place = find_binding(host, job, slash + 1);
        if (place != NULL && place->lost_since_ns == 0) {
            place->lost_since_ns = engine->now_ns;
        }
    }
}

// A host that restarts says again within moments what it agreed to; until then its flows go on.
void jobs_expire_bindings(struct engine *engine) {
    for (uint32_t i = 0; i < engine->fabric->host_count; i++) {
        struct host_view *host = &engine->hosts[i];
        for (uint32_t b = 0; b < host->binding_count;) {
            uint64_t since = host->bindings[b].lost_since_ns;
            if (since != 0 && engine->now_ns - since > BINDING_GRACE_NS) {
                host->bindings[b] = host->bindings[--host->binding_count];
                engine->beliefs_changed = true;
            } else {
                b++;
            }
        }
    }
}

bool job_binds(const struct engine *engine, const struct job_view *view, port_id port) {
    const struct fabric_port *fabric_port = &engine->fabric->ports[port.i];
    if (fabric_port->host.i == engine->self.i || view->pods != NULL) {
        return true; // a rank of a pod is named by its host, and by nobody else
    }
    char name[NAME_SIZE + 4];
    fabric_format_port(engine->fabric, port, name);
    // The generation may be older: the host agreed to the rank, and learns of the change as we did.
    return find_binding(&engine->hosts[fabric_port->host.i], view->record->job.name, name) != NULL;
}

static void bind_rank(struct engine *engine, const struct job_view *view, uint32_t rank) {
    struct rank_binding binding = {.job_generation = view->record->job.generation, .rank = rank};
    char port[NAME_SIZE + 4];
    fabric_format_port(engine->fabric, view->ranks[rank], port);
    memcpy(binding.job, view->record->job.name, sizeof binding.job);
    memcpy(binding.port, port, strnlen(port, sizeof binding.port - 1));
    uint8_t bytes[256];
    char key[GOSSIP_KEY_MAX + 1];
    ssize_t size = rank_binding_encode(&binding, bytes, sizeof bytes);
    size_t job_length = strlen(binding.job), port_length = strlen(binding.port);
    if (size < 0 || job_length + 1 + port_length > GOSSIP_KEY_MAX) {
        engine->stats.bad_facts++;
        return;
    }
    memcpy(key, binding.job, job_length);
    key[job_length] = '/';
    memcpy(key + job_length + 1, binding.port, port_length + 1);
    gossip_put(engine->gossip, engine->now_ns, GOSSIP_TABLE_RANK, key, bytes, (size_t)size);
    store_binding(engine, &engine->hosts[engine->self.i], &binding);
}

static const struct job_view *view_of(const struct engine *engine, const char *name) {
    for (uint32_t i = 0; i < engine->job_count; i++) {
        if (strcmp(engine->jobs[i].record->job.name, name) == 0) {
            return &engine->jobs[i];
        }
    }
    return NULL;
}

void jobs_bind(struct engine *engine) {
    struct host_view *self = &engine->hosts[engine->self.i];
    for (uint32_t i = 0; i < self->binding_count;) {
        const struct job_view *view = view_of(engine, self->bindings[i].job);
        if (view == NULL || view->pods != NULL) {
            char key[JOB_NAME_SIZE + NAME_SIZE + 1];
            size_t job_length = strlen(self->bindings[i].job);
            memcpy(key, self->bindings[i].job, job_length);
            key[job_length] = '/';
            memcpy(key + job_length + 1, self->bindings[i].port,
                   strlen(self->bindings[i].port) + 1);
            gossip_delete(engine->gossip, engine->now_ns, GOSSIP_TABLE_RANK, key);
            self->bindings[i] = self->bindings[--self->binding_count];
        } else {
            i++;
        }
    }
    for (uint32_t i = 0; i < engine->job_count; i++) {
        const struct job_view *view = &engine->jobs[i];
        for (uint32_t rank = 0; rank < view->rank_count; rank++) {
            if (view->pods == NULL && view->ranks[rank].i != ID_NONE &&
                engine->fabric->ports[view->ranks[rank].i].host.i == engine->self.i) {
                bind_rank(engine, view, rank);
            }
        }
    }
}
