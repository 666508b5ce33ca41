// SPDX-License-Identifier: Apache-2.0
#include "seeds.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent_shell/clock.h"
#include "kube_endpoints.h"
#include "model/rng.h"
#include "resolver.h"
#include "seeds_list.h"

// A name: what it stands for, and how that is known.
struct source {
    struct seeds *of;
    char name[CONFIG_NAME_SIZE];
    uint16_t port;
    struct resolver *resolver;
    struct seeds_list addresses; // as last resolved
    bool resolved;               // at some time
    unsigned failures;           // since
    struct error told;           // code 0: it works
};

struct seeds {
    uv_loop_t *loop;
    const struct config *config;
    struct gossip *gossip;
    struct seeds_handler handler;
    struct source *sources;
    uint32_t source_count, pending;
    struct kube_endpoints *endpoints; // NULL: not by Endpoints
    struct rng rng;
    uv_timer_t due;
    uint64_t wait_ms; // while nobody is known
    bool alone;       // when it was last looked at
};

static void tell(struct seeds *seeds, enum log_level level, const char *subject, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

static void tell(struct seeds *seeds, enum log_level level, const char *subject, const char *format,
                 ...) {
    char text[ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    seeds->handler.tell(seeds->handler.context, level, "seeds", subject, text);
}

// ---- what is known, to the core

static bool is_live(const struct gossip_member *member) {
    return member->state == GOSSIP_ALIVE || member->state == GOSSIP_SUSPECT;
}

static int live_members(const struct gossip *gossip, struct seeds_list *out) {
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < gossip_member_count(gossip); i++) {
        struct gossip_member member;
        if (gossip_member_at(gossip, i, &member) && !member.self && is_live(&member)) {
            rc = seeds_list_add(out, member.address);
        }
    }
    seeds_list_sort(out);
    return rc;
}

static bool is_alone(const struct gossip *gossip) {
    bool alone = true;
    for (uint32_t i = 0; alone && i < gossip_member_count(gossip); i++) {
        struct gossip_member member;
        alone = !gossip_member_at(gossip, i, &member) || member.self || !is_live(&member);
    }
    return alone;
}

static int add_configured(const struct seeds *seeds, struct seeds_list *out) {
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < seeds->config->seed_count; i++) {
        struct sockaddr_storage address;
        char text[GOSSIP_ADDRESS_SIZE];
        if (config_address_parse(seeds->config->seeds[i], &address)) {
            config_address_format(&address, text);
            rc = seeds_list_add(out, text);
        }
    }
    for (uint32_t i = 0; rc == 0 && i < seeds->source_count; i++) {
        rc = seeds_list_join(out, &seeds->sources[i].addresses);
    }
    return rc != 0 || seeds->endpoints == NULL ? rc : kube_endpoints_add(seeds->endpoints, out);
}

// The one that is advertised, and what else of this host listens at the gossip's port.
static int own_addresses(const struct config *config, struct seeds_list *out) {
    struct sockaddr_storage listen;
    struct ifaddrs *interfaces = NULL;
    int rc = seeds_list_add(out, config->advertise);
    if (rc != 0 || !config_address_parse(config->listen, &listen)) {
        return rc;
    }
    char text[GOSSIP_ADDRESS_SIZE];
    config_address_format(&listen, text);
    rc = seeds_list_add(out, text);
    if (!seeds_is_any(&listen) || getifaddrs(&interfaces) != 0) {
        return rc;
    }
    for (const struct ifaddrs *one = interfaces; rc == 0 && one != NULL; one = one->ifa_next) {
        rc = one->ifa_addr != NULL && one->ifa_addr->sa_family == listen.ss_family
                 ? seeds_list_add_ip(out, one->ifa_addr, seeds_port(&listen))
                 : 0;
    }
    freeifaddrs(interfaces);
    return rc;
}

static bool is_awaited(const struct seeds *seeds) {
    bool awaited = seeds->endpoints != NULL && !kube_endpoints_known(seeds->endpoints);
    for (uint32_t i = 0; i < seeds->source_count; i++) {
        awaited = awaited || !seeds->sources[i].resolved;
    }
    return awaited;
}

// How many of them are no members.
static uint32_t give(struct seeds *seeds) {
    struct seeds_list all = {0}, own = {0}, live = {0};
    const char *chosen[GOSSIP_SEEDS_MAX];
    uint32_t missing = 0;
    struct error error;
    int rc = add_configured(seeds, &all);
    rc = rc != 0 ? rc : own_addresses(seeds->config, &own);
    rc = rc != 0 ? rc : live_members(seeds->gossip, &live);
    if (rc == 0) {
        seeds_list_sort(&all);
        seeds_list_sort(&own);
        seeds_list_remove(&all, &own);
        uint32_t count =
            seeds_list_choose(&all, &live, &seeds->rng, chosen, GOSSIP_SEEDS_MAX, &missing);
        rc = gossip_set_seeds(seeds->gossip, clock_now_ns(), chosen, count, is_awaited(seeds),
                              &error);
    } else {
        rc = error_set(&error, rc, "no memory for the addresses of seeds");
    }
    if (rc != 0) {
        tell(seeds, LOG_ALARM, seeds->config->host, "%s", error.text);
    }
    seeds_list_fini(&all);
    seeds_list_fini(&own);
    seeds_list_fini(&live);
    return missing;
}

// ---- names

static void on_due(uv_timer_t *timer);

static void wait_for(struct seeds *seeds, uint64_t wait_ms) {
    wait_ms = wait_ms / 2 + rng_below(&seeds->rng, wait_ms + 1);
    (void)uv_timer_start(&seeds->due, on_due, wait_ms, 0);
}

static void schedule(struct seeds *seeds, uint32_t missing) {
    seeds->alone = is_alone(seeds->gossip);
    if (seeds->alone) {
        wait_for(seeds, seeds->wait_ms);
        uint64_t doubled = 2 * seeds->wait_ms;
        seeds->wait_ms = doubled < SEEDS_ALONE_MAX_MS ? doubled : SEEDS_ALONE_MAX_MS;
        return;
    }
    seeds->wait_ms = SEEDS_SOON_MS;
    wait_for(seeds, missing > 0 ? SEEDS_MISSING_MS : SEEDS_RARELY_MS);
}

static void take_failure(struct source *source, const struct error *error) {
    bool known = source->resolved;
    bool same = source->told.code == error->code && strcmp(source->told.text, error->text) == 0;
    source->failures++;
    if (same || (known && source->failures == 1)) { // one lookup may go wrong
        return;
    }
    source->told = *error;
    tell(source->of, LOG_WARNING, source->name, "%.100s; %s", error->text,
         known ? "what it stood for before stays in use" : "it is looked up again and again");
}

static void take_addresses(struct source *source, const struct sockaddr_storage *addresses,
                           uint32_t count) {
    struct seeds_list list = {0};
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        rc = seeds_list_add_ip(&list, (const struct sockaddr *)&addresses[i], source->port);
    }
    if (rc != 0) {
        const struct error error = {rc, "no memory for its addresses"};
        seeds_list_fini(&list);
        take_failure(source, &error);
        return;
    }
    seeds_list_sort(&list);
    bool news = !source->resolved || source->told.code != 0;
    if (news || !seeds_list_equal(&list, &source->addresses)) {
        tell(source->of, news ? LOG_INFO : LOG_DEBUG, source->name, "stands for %u address%s",
             list.count, list.count == 1 ? "" : "es");
    }
    seeds_list_fini(&source->addresses);
    source->addresses = list;
    source->resolved = true;
    source->failures = 0;
    source->told = (struct error){0};
}

static void on_answer(void *context, const struct sockaddr_storage *addresses, uint32_t count,
                      const struct error *error) {
    struct source *source = context;
    struct seeds *seeds = source->of;
    if (error != NULL) {
        take_failure(source, error);
    } else {
        take_addresses(source, addresses, count);
    }
    uint32_t missing = give(seeds);
    if (--seeds->pending == 0) {
        schedule(seeds, missing);
    }
}

static void look_up(struct seeds *seeds) {
    uv_timer_stop(&seeds->due);
    seeds->pending = seeds->source_count;
    for (uint32_t i = 0; i < seeds->source_count; i++) {
        resolver_ask(seeds->sources[i].resolver, seeds->sources[i].name, on_answer,
                     &seeds->sources[i]);
    }
}

static void on_due(uv_timer_t *timer) {
    look_up(timer->data);
}

void seeds_look(struct seeds *seeds) {
    bool alone = seeds != NULL && is_alone(seeds->gossip);
    if (seeds != NULL && alone && !seeds->alone && seeds->pending == 0 && seeds->source_count > 0) {
        seeds->wait_ms = SEEDS_SOON_MS;
        wait_for(seeds, SEEDS_SOON_MS);
    }
    if (seeds != NULL) {
        seeds->alone = alone;
    }
}

const char *seeds_problem(const struct seeds *seeds, char text[SEEDS_PROBLEM_SIZE]) {
    text[0] = '\0';
    for (uint32_t i = 0; seeds != NULL && text[0] == '\0' && i < seeds->source_count; i++) {
        const struct source *source = &seeds->sources[i];
        if (!source->resolved) {
            snprintf(text, SEEDS_PROBLEM_SIZE, "%s: %s", source->name,
                     source->told.code != 0 ? source->told.text : "not looked up yet");
        }
    }
    if (seeds != NULL && seeds->endpoints != NULL && text[0] == '\0' &&
        !kube_endpoints_known(seeds->endpoints)) {
        snprintf(text, SEEDS_PROBLEM_SIZE, "%s", kube_endpoints_problem(seeds->endpoints));
    }
    return text;
}

// ---- Endpoints

static void on_endpoints(void *context, bool news, const struct error *trouble) {
    struct seeds *seeds = context;
    const char *service = seeds->config->endpoints.service;
    if (trouble != NULL) {
        tell(seeds, LOG_WARNING, service, "endpoints: %.110s; %s", trouble->text,
             kube_endpoints_known(seeds->endpoints) ? "what was known stays in use"
                                                    : "trying again");
    } else {
        tell(seeds, news ? LOG_INFO : LOG_DEBUG, service, "endpoints: %u addresses",
             kube_endpoints_count(seeds->endpoints));
        (void)give(seeds);
    }
}

// ---- opening and closing

static void close_sources(struct source *sources, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        resolver_close(sources[i].resolver);
        seeds_list_fini(&sources[i].addresses);
    }
    free(sources);
}

static int open_sources(struct seeds *seeds, struct source **out, uint32_t *out_count,
                        struct error *error) {
    const struct config *config = seeds->config;
    struct source *sources = calloc(config->seed_count + (size_t)1, sizeof(*sources));
    uint32_t count = 0;
    int rc = sources != NULL ? 0 : error_set(error, -ENOMEM, "no memory for the names of seeds");
    for (uint32_t i = 0; rc == 0 && i < config->seed_count; i++) {
        struct source *source = &sources[count];
        if (config_name_parse(config->seeds[i], source->name, &source->port)) {
            source->of = seeds;
            rc = resolver_open(seeds->loop, &source->resolver, error);
            count += rc == 0;
        }
    }
    if (rc != 0) {
        close_sources(sources, count);
        return rc;
    }
    *out = sources;
    *out_count = count;
    return 0;
}

int seeds_reload(struct seeds *seeds, struct error *error) {
    struct source *sources;
    uint32_t count;
    int rc = open_sources(seeds, &sources, &count, error);
    if (rc != 0) {
        return rc;
    }
    close_sources(seeds->sources, seeds->source_count);
    seeds->sources = sources;
    seeds->source_count = count;
    seeds->wait_ms = SEEDS_SOON_MS;
    (void)give(seeds);
    look_up(seeds);
    return 0;
}

int seeds_open(uv_loop_t *loop, const struct config *config, struct gossip *gossip,
               struct kube *kube, const struct seeds_handler *handler, struct seeds **out,
               struct error *error) {
    uint64_t seed;
    struct seeds *seeds = calloc(1, sizeof(*seeds));
    if (seeds == NULL || uv_timer_init(loop, &seeds->due) != 0) {
        free(seeds);
        return error_set(error, -ENOMEM, "no memory for seeds");
    }
    seeds->loop = loop;
    seeds->config = config;
    seeds->gossip = gossip;
    seeds->handler = *handler;
    seeds->due.data = seeds;
    seeds->alone = true;
    int rc = getrandom(&seed, sizeof(seed), 0) == sizeof(seed)
                 ? 0
                 : error_set(error, -EIO, "the kernel gives no random numbers");
    rng_init(&seeds->rng, rc == 0 ? seed : 0);
    if (rc == 0 && kube != NULL) {
        rc = kube_endpoints_open(kube, &config->endpoints, on_endpoints, seeds, &seeds->endpoints,
                                 error);
    }
    rc = rc != 0 ? rc : seeds_reload(seeds, error);
    if (rc != 0) {
        seeds_close(seeds);
        return rc;
    }
    *out = seeds;
    return 0;
}

static void free_seeds(uv_handle_t *handle) {
    free(handle->data);
}

void seeds_close(struct seeds *seeds) {
    if (seeds == NULL) {
        return;
    }
    close_sources(seeds->sources, seeds->source_count);
    kube_endpoints_close(seeds->endpoints);
    uv_close((uv_handle_t *)&seeds->due, free_seeds);
}
