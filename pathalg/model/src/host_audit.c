// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/host_facts.h"

struct vote {
    const char *value;
    uint32_t host, ports, weight;
};

static int compare_votes(const void *left, const void *right) {
    const struct vote *a = left, *b = right;
    int order = strcmp(a->value, b->value);
    return order != 0 ? order : (a->host > b->host) - (a->host < b->host);
}

static int compare_hosts(const void *left, const void *right) {
    const struct vote *a = left, *b = right;
    return a->host != b->host ? (a->host > b->host) - (a->host < b->host)
                              : strcmp(a->value, b->value);
}

static uint32_t ports_of(const struct audit_host *host) {
    uint32_t count = host->port_count < HOST_PORTS_MAX ? host->port_count : HOST_PORTS_MAX;
    return (1U << count) - 1;
}

static uint32_t collect(const struct audit_host *hosts, uint32_t host_count,
                        enum host_setting setting, struct vote *votes, uint32_t *voters) {
    uint32_t count = 0;
    bool of_port = host_setting_is_of_port(setting);
    *voters = 0;
    for (uint32_t h = 0; h < host_count; h++) {
        uint32_t valid = ports_of(&hosts[h]);
        *voters += of_port ? (uint32_t)__builtin_popcount(valid) : 1;
        for (uint32_t i = 0; i < hosts[h].fact_count; i++) {
            const struct host_fact *fact = &hosts[h].facts[i];
            uint32_t ports = fact->ports & valid;
            if (fact->setting == setting && (of_port ? ports != 0 : fact->ports == 0)) {
                votes[count++] = (struct vote){fact->value, h, ports,
                                               of_port ? (uint32_t)__builtin_popcount(ports) : 1};
            }
        }
    }
    return count;
}

static struct audit_setting judge(struct vote *votes, uint32_t count, uint32_t voters) {
    struct audit_setting out = {.verdict = AUDIT_UNKNOWN};
    qsort(votes, count, sizeof *votes, compare_votes);
    for (uint32_t i = 0, next; i < count; i = next) {
        uint32_t weight = 0;
        for (next = i; next < count && strcmp(votes[next].value, votes[i].value) == 0; next++) {
            weight += votes[next].weight;
        }
        out.known += weight;
        out.value_count++;
        if (weight > out.common_count) {
            out.common_count = weight;
            out.common = votes[i].value;
        }
    }
    out.unknown = voters - out.known;
    if (out.value_count > 0) {
        out.verdict = out.value_count == 1               ? AUDIT_AGREED
                      : 2 * out.common_count > out.known ? AUDIT_ODD
                                                         : AUDIT_SPLIT;
    }
    return out;
}

int host_audit(const struct audit_host *hosts, uint32_t host_count,
               struct audit_setting out[HOST_SETTINGS], audit_odd_fn *odd, void *context) {
    size_t most = 1;
    for (uint32_t h = 0; h < host_count; h++) {
        most += hosts[h].fact_count;
    }
    struct vote *votes = calloc(most, sizeof *votes);
    if (votes == NULL) {
        return -ENOMEM;
    }
    for (unsigned s = 0; s < HOST_SETTINGS; s++) {
        uint32_t voters;
        uint32_t count = collect(hosts, host_count, s, votes, &voters);
        out[s] = judge(votes, count, voters);
        if (out[s].verdict != AUDIT_ODD || odd == NULL) {
            continue;
        }
        qsort(votes, count, sizeof *votes, compare_hosts);
        for (uint32_t i = 0; i < count; i++) {
            if (strcmp(votes[i].value, out[s].common) != 0) {
                odd(context, s, votes[i].host, votes[i].ports, votes[i].value);
            }
        }
    }
    free(votes);
    return 0;
}
