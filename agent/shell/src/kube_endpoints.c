// SPDX-License-Identifier: Apache-2.0
#include "kube_endpoints.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECT_NAME_SIZE 254
#define ADDRESSES_MAX GOSSIP_MEMBERS_MAX

// An EndpointSlice, or the one Endpoints object.
struct slice {
    struct slice *next;
    char name[OBJECT_NAME_SIZE];
    struct seeds_list addresses;
    bool seen; // since the list began
};

struct kube_endpoints {
    struct kube_watch *watch;
    struct slice *slices;
    char port[CONFIG_LABEL_SIZE];
    kube_endpoints_fn *changed;
    void *context;
    struct error trouble;
    bool known, listed, listing;
    bool dirty; // since the list began
};

// ---- objects

static const char *text_in(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

// 0: none with that name. A Service's only port needs no name.
static uint16_t find_port(const json_t *ports, const char *name) {
    size_t i;
    const json_t *port;
    json_array_foreach(ports, i, port) {
        const char *given = text_in(port, "name");
        json_int_t number = json_integer_value(json_object_get(port, "port"));
        bool matches =
            strcmp(given, name) == 0 || (given[0] == '\0' && json_array_size(ports) == 1);
        if (matches && number > 0 && number <= UINT16_MAX) {
            return (uint16_t)number;
        }
    }
    return 0;
}

static int add_text(const char *text, uint16_t port, struct seeds_list *out) {
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    if (out->count >= ADDRESSES_MAX) {
        return 0;
    }
    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1) {
        return seeds_list_add_ip(out, (const struct sockaddr *)&ipv4, port);
    }
    return inet_pton(AF_INET6, text, &ipv6.sin6_addr) == 1
               ? seeds_list_add_ip(out, (const struct sockaddr *)&ipv6, port)
               : 0;
}

static int read_slice(const json_t *object, const char *port_name, struct seeds_list *out) {
    uint16_t port = find_port(json_object_get(object, "ports"), port_name);
    size_t i, k;
    const json_t *endpoint, *address;
    int rc = 0;
    json_array_foreach(json_object_get(object, "endpoints"), i, endpoint) {
        json_array_foreach(json_object_get(endpoint, "addresses"), k, address) {
            const char *text = json_string_value(address);
            rc = rc == 0 && text != NULL && port != 0 ? add_text(text, port, out) : rc;
        }
    }
    return rc;
}

static int read_subset(const json_t *subset, const char *key, uint16_t port,
                       struct seeds_list *out) {
    size_t i;
    const json_t *address;
    int rc = 0;
    json_array_foreach(json_object_get(subset, key), i, address) {
        rc = rc == 0 && port != 0 ? add_text(text_in(address, "ip"), port, out) : rc;
    }
    return rc;
}

int kube_endpoints_read(const json_t *object, const char *port_name, struct seeds_list *out) {
    const json_t *subset;
    size_t i;
    int rc = read_slice(object, port_name, out);
    json_array_foreach(json_object_get(object, "subsets"), i, subset) {
        uint16_t port = find_port(json_object_get(subset, "ports"), port_name);
        rc = rc != 0 ? rc : read_subset(subset, "addresses", port, out);
        rc = rc != 0 ? rc : read_subset(subset, "notReadyAddresses", port, out);
    }
    seeds_list_sort(out);
    return rc;
}

// ---- what is known

static struct slice **find(struct kube_endpoints *endpoints, const char *name) {
    struct slice **at = &endpoints->slices;
    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static void drop(struct kube_endpoints *endpoints, struct slice **at) {
    struct slice *slice = *at;
    endpoints->dirty = endpoints->dirty || slice->addresses.count > 0;
    *at = slice->next;
    seeds_list_fini(&slice->addresses);
    free(slice);
}

// While there is a list only its end is told. A Service without any address is not known yet: when
// all start at once, it has none.
static void tell(struct kube_endpoints *endpoints) {
    bool news = !endpoints->known && kube_endpoints_count(endpoints) > 0;
    if (!endpoints->listing && (endpoints->dirty || news)) {
        endpoints->dirty = false;
        endpoints->known = endpoints->known || news;
        endpoints->changed(endpoints->context, news, NULL);
    }
}

static void keep(struct kube_endpoints *endpoints, struct slice **at, const char *name,
                 struct seeds_list *addresses) {
    if (*at == NULL) {
        *at = calloc(1, sizeof(**at));
        if (*at == NULL) {
            seeds_list_fini(addresses);
            return; // the next change, or the next list, has it again
        }
        memcpy((*at)->name, name, strlen(name) + 1);
    }
    struct slice *slice = *at;
    slice->seen = true;
    if (seeds_list_equal(&slice->addresses, addresses)) {
        seeds_list_fini(addresses);
        return;
    }
    seeds_list_fini(&slice->addresses);
    slice->addresses = *addresses;
    endpoints->dirty = true;
}

static void on_object(void *context, const json_t *object, bool deleted) {
    struct kube_endpoints *endpoints = context;
    const char *name = text_in(json_object_get(object, "metadata"), "name");
    struct seeds_list addresses = {0};
    struct slice **at = find(endpoints, name);
    if (strlen(name) >= OBJECT_NAME_SIZE) {
        return;
    }
    if (deleted && *at != NULL) {
        drop(endpoints, at);
    } else if (!deleted) {
        if (kube_endpoints_read(object, endpoints->port, &addresses) != 0) {
            seeds_list_fini(&addresses);
            return;
        }
        keep(endpoints, at, name, &addresses);
    }
    tell(endpoints);
}

static void on_listing(void *context, unsigned index) {
    struct kube_endpoints *endpoints = context;
    (void)index;
    endpoints->listing = true;
    for (struct slice *slice = endpoints->slices; slice != NULL; slice = slice->next) {
        slice->seen = false;
    }
}

static void on_listed(void *context) {
    struct kube_endpoints *endpoints = context;
    for (struct slice **at = &endpoints->slices; *at != NULL;) {
        if ((*at)->seen) {
            at = &(*at)->next;
        } else {
            drop(endpoints, at);
        }
    }
    endpoints->listed = true;
    endpoints->listing = false;
    tell(endpoints);
}

static void on_trouble(void *context, const struct error *error) {
    struct kube_endpoints *endpoints = context;
    endpoints->trouble = error != NULL ? *error : (struct error){0};
    if (error != NULL) {
        endpoints->changed(endpoints->context, false, error);
    } else if (endpoints->known) {
        endpoints->changed(endpoints->context, true, NULL);
    }
}

// ---- opening and closing

int kube_endpoints_open(struct kube *kube, const struct config_endpoints *config,
                        kube_endpoints_fn *changed, void *context, struct kube_endpoints **out,
                        struct error *error) {
    char space[CONFIG_LABEL_SIZE], paths[2][KUBE_PATH_SIZE], queries[2][KUBE_PATH_SIZE];
    struct kube_endpoints *endpoints = calloc(1, sizeof(*endpoints));
    if (endpoints == NULL) {
        return error_set(error, -ENOMEM, "gossip.endpoints: no memory");
    }
    memcpy(space, config->namespace, sizeof(space));
    int rc = space[0] != '\0' ? 0 : kube_namespace(kube, space, error);
    snprintf(paths[0], KUBE_PATH_SIZE, "/apis/discovery.k8s.io/v1/namespaces/%s/endpointslices",
             space);
    snprintf(queries[0], KUBE_PATH_SIZE, "labelSelector=kubernetes.io/service-name%%3D%s",
             config->service);
    snprintf(paths[1], KUBE_PATH_SIZE, "/api/v1/namespaces/%s/endpoints", space);
    snprintf(queries[1], KUBE_PATH_SIZE, "fieldSelector=metadata.name%%3D%s", config->service);
    const struct kube_resource resources[] = {{paths[0], queries[0]}, {paths[1], queries[1]}};
    const struct kube_handler handler = {endpoints, on_listing, on_object, on_listed, on_trouble};
    memcpy(endpoints->port, config->port, sizeof(endpoints->port));
    endpoints->changed = changed;
    endpoints->context = context;
    rc = rc != 0 ? rc : kube_watch_open(kube, resources, 2, &handler, &endpoints->watch, error);
    if (rc != 0) {
        free(endpoints);
        return rc;
    }
    *out = endpoints;
    return 0;
}

void kube_endpoints_close(struct kube_endpoints *endpoints) {
    if (endpoints == NULL) {
        return;
    }
    kube_watch_close(endpoints->watch);
    while (endpoints->slices != NULL) {
        drop(endpoints, &endpoints->slices);
    }
    free(endpoints);
}

bool kube_endpoints_known(const struct kube_endpoints *endpoints) {
    return endpoints->known;
}

uint32_t kube_endpoints_count(const struct kube_endpoints *endpoints) {
    uint32_t count = 0;
    for (const struct slice *slice = endpoints->slices; slice != NULL; slice = slice->next) {
        count += slice->addresses.count;
    }
    return count;
}

int kube_endpoints_add(const struct kube_endpoints *endpoints, struct seeds_list *out) {
    int rc = 0;
    for (const struct slice *slice = endpoints->slices; rc == 0 && slice != NULL;
         slice = slice->next) {
        rc = seeds_list_join(out, &slice->addresses);
    }
    return rc;
}

const char *kube_endpoints_problem(const struct kube_endpoints *endpoints) {
    if (endpoints->known || endpoints->trouble.code != 0) {
        return endpoints->trouble.text;
    }
    return endpoints->listed ? "the Service of gossip.endpoints has no address yet"
                             : "the Service of gossip.endpoints is not looked up yet";
}
