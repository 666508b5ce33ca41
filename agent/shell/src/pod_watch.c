// SPDX-License-Identifier: Apache-2.0
#include "pod_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pods.h"

#define GATHER_MS 30
#define QUERY_SIZE (CONFIG_NAME_SIZE + 32)

struct pod_watch {
    struct agent *agent;
    struct pod_set *set;
    struct kube_watch *watch;
    bool listed; // once: before it, what is there is not all
    uv_timer_t timer;
    struct pod_rank *ranks; // as the engine and the file have them
    uint32_t count;
    bool unsaved;
};

// ---- the file

static void remember(struct pod_watch *watch) {
    struct agent *agent = watch->agent;
    const char *path = agent->config.pods.state_file;
    char beside[CONFIG_PATH_SIZE + 8];
    json_t *json = pod_ranks_json(watch->ranks, watch->count);
    snprintf(beside, sizeof(beside), "%s.new", path);
    bool good = json != NULL && json_dump_file(json, beside, JSON_INDENT(1)) == 0 &&
                rename(beside, path) == 0;
    if (!good && !watch->unsaved) {
        agent_tell(agent, LOG_WARNING, "pods_unsaved", agent->config.host,
                   "%.80s cannot be written (%s): the ranks of this node's pods are not remembered",
                   path, strerror(errno));
    }
    watch->unsaved = !good;
    json_decref(json);
}

static int tell_engine(struct pod_watch *watch, const struct pod_rank *ranks, uint32_t count) {
    struct agent *agent = watch->agent;
    struct engine_event event = {.kind = ENGINE_PODS, .pods = {ranks, count}};
    struct error error = {0};
    int rc = agent_step(agent, &event, &error);
    if (rc != 0) {
        agent_tell(agent, LOG_ALARM, "pods_failed", agent->config.host, "%s", error.text);
    }
    return rc;
}

static void recall(struct pod_watch *watch) {
    struct agent *agent = watch->agent;
    const char *path = agent->config.pods.state_file;
    struct error error = {0};
    json_error_t problem;
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
    if (json == NULL && json_error_code(&problem) == json_error_cannot_open_file) {
        return; // the first time
    }
    if (pod_ranks_from_json(json, &watch->ranks, &watch->count, &error) == 0 &&
        tell_engine(watch, watch->ranks, watch->count) == 0) {
        agent->pods_told.ranks = watch->count;
        agent_tell(agent, LOG_INFO, "pods_recalled", agent->config.host,
                   "%u ranks of this node's pods as they were, until the API server says",
                   watch->count);
    } else {
        agent_tell(agent, LOG_WARNING, "pods_forgotten", agent->config.host,
                   "%.80s is not used: %.60s", path, json == NULL ? problem.text : error.text);
    }
    json_decref(json);
}

// ---- from the pods to the engine

static bool same_ranks(const struct pod_watch *watch, const struct pod_rank *ranks,
                       uint32_t count) {
    return count == watch->count &&
           (count == 0 || memcmp(ranks, watch->ranks, count * sizeof(*ranks)) == 0);
}

static void on_timer(uv_timer_t *timer) {
    struct pod_watch *watch = timer->data;
    struct engine *engine = watch->agent->engine;
    char ports[ENGINE_PORTS_MAX][NAME_SIZE] = {{0}};
    uint32_t port_count = engine_own_port_count(engine), count = 0;
    struct pod_rank *ranks = NULL;
    for (uint32_t i = 0; i < port_count; i++) {
        char name[NAME_SIZE + 4];
        fabric_format_port(engine_fabric(engine), engine_own_port(engine, i), name);
        memcpy(ports[i], name, strnlen(name, NAME_SIZE - 1));
    }
    if (pod_set_ranks(watch->set, (const char(*)[NAME_SIZE])ports, port_count, &ranks, &count) !=
        0) {
        uv_timer_start(timer, on_timer, 1000, 0); // no memory
        return;
    }
    // The same again tells an engine that waits for its pods that it has them.
    bool news = !same_ranks(watch, ranks, count);
    (void)tell_engine(watch, ranks, count);
    free(watch->ranks);
    watch->ranks = ranks;
    watch->count = count;
    watch->agent->pods_told.ranks = count;
    watch->agent->pods_told.refused = pod_set_refused(watch->set);
    if (news || watch->unsaved) {
        remember(watch);
    }
}

static void gather(struct pod_watch *watch) {
    if (watch->listed && !uv_is_active((uv_handle_t *)&watch->timer)) {
        uv_timer_start(&watch->timer, on_timer, GATHER_MS, 0);
    }
}

void pod_watch_look(struct pod_watch *watch) {
    if (watch != NULL) {
        gather(watch);
    }
}

static void on_refused(void *context, const char *pod, const struct error *error) {
    struct pod_watch *watch = context;
    agent_tell(watch->agent, LOG_WARNING, "pod_refused", pod, "%s", error->text);
}

static void on_listing(void *context, unsigned index) {
    struct pod_watch *watch = context;
    (void)index;
    pod_set_begin(watch->set);
}

static void on_object(void *context, const json_t *object, bool deleted) {
    struct pod_watch *watch = context;
    pod_set_take(watch->set, object, deleted);
    gather(watch);
}

static void on_listed(void *context) {
    struct pod_watch *watch = context;
    pod_set_end(watch->set);
    watch->listed = watch->agent->pods_told.synced = true;
    gather(watch);
}

static void on_trouble(void *context, const struct error *error) {
    struct pod_watch *watch = context;
    watch->agent->pods_told.synced = error == NULL;
    if (error == NULL) {
        agent_tell(watch->agent, LOG_INFO, "pods_known", watch->agent->config.host,
                   "the API server tells this node's pods again");
    } else {
        agent_tell(watch->agent, LOG_WARNING, "pods_unknown", watch->agent->config.host,
                   "jobs stay as they are, the API server does not tell this node's pods: %.90s",
                   error->text);
    }
}

// ---- life

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

void pod_watch_close(struct pod_watch *watch) {
    if (watch == NULL) {
        return;
    }
    kube_watch_close(watch->watch);
    pod_set_close(watch->set);
    free(watch->ranks);
    uv_close((uv_handle_t *)&watch->timer, on_closed);
}

int pod_watch_open(struct agent *agent, struct pod_watch **out, struct error *error) {
    const struct config_pods *config = &agent->config.pods;
    struct pod_watch *watch = calloc(1, sizeof(*watch));
    char query[QUERY_SIZE];
    snprintf(query, sizeof(query), "fieldSelector=spec.nodeName%%3D%s", config->node);
    const struct kube_resource pods = {"/api/v1/pods", query};
    if (watch == NULL) {
        return error_set(error, -ENOMEM, "no memory to watch pods");
    }
    watch->agent = agent;
    watch->timer.data = watch;
    uv_timer_init(&agent->loop, &watch->timer);
    watch->set = pod_set_open((const char(*)[CONFIG_LABEL_SIZE])config->namespaces,
                              config->namespace_count, on_refused, watch);
    const struct kube_handler handler = {watch, on_listing, on_object, on_listed, on_trouble};
    int rc = watch->set == NULL
                 ? error_set(error, -ENOMEM, "no memory to watch pods")
                 : kube_watch_open(agent->kube, &pods, 1, &handler, &watch->watch, error);
    if (rc != 0) {
        pod_watch_close(watch);
        return rc;
    }
    recall(watch);
    *out = watch;
    return 0;
}
