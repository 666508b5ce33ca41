// SPDX-License-Identifier: Apache-2.0
#include "nicdrv/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct count {
    uint64_t packets, bytes;
};

struct mem_nic {
    struct nic nic;  // first: the driver's functions get this one
    uint32_t *first; // path numbers of nic.applied
    struct count *counts;
    struct nic_qp *qps; // sorted by destination and number
    uint32_t qp_count, qp_capacity;
    uint64_t encapsulated, decapsulated, plain;
    int fail_code;
};

static struct mem_nic *mem_of(struct nic *nic) {
    return (struct mem_nic *)nic;
}

static void mem_close(struct nic *nic, bool remove_rules) {
    (void)remove_rules; // nothing outlives the process
    struct mem_nic *mem = mem_of(nic);
    rule_set_fini(&mem->nic.applied);
    free(mem->first);
    free(mem->counts);
    free(mem->qps);
    free(mem);
}

static int mem_open(const struct nic_options *options, struct nic **out, struct error *error) {
    struct mem_nic *mem = calloc(1, sizeof *mem);
    uint32_t *first = calloc(1, sizeof *first);
    if (mem == NULL || first == NULL) {
        free(mem);
        free(first);
        return error_set(error, -ENOMEM, "%s: no memory for a NIC", options->device);
    }
    mem->nic.driver = &nic_driver_mem;
    mem->nic.attachment = "";
    mem->nic.watch_fd = mem->nic.cnp_fd = -1;
    strncpy(mem->nic.device, options->device, sizeof mem->nic.device - 1);
    rule_set_init(&mem->nic.applied);
    mem->first = first;
    *out = &mem->nic;
    return 0;
}

static void mem_capabilities(const struct nic *nic, struct nic_capabilities *out) {
    (void)nic;
    *out = (struct nic_capabilities){
        .spray = true,
        .per_qp = true,
        .srh = true,
        .counters = true,
        .rules_max = RULES_MAX,
        .encap_bytes_max = 48 + 16 * (SID_LIST_MAX - 1),
    };
}

// Counters of paths that stay go on counting.
static void carry_counts(const struct mem_nic *mem, const struct rule_set *wanted,
                         const uint32_t *first, struct count *counts) {
    const struct rule_set *before_set = &mem->nic.applied;
    for (uint32_t r = 0; r < wanted->rule_count; r++) {
        uint32_t origin[RULE_PATHS_MAX];
        uint32_t before = rule_set_find(before_set, &wanted->rules[r].match);
        rule_path_origins(before_set, before, wanted, r, origin);
        for (uint32_t p = 0; p < wanted->rules[r].path_count; p++) {
            if (origin[p] != RULE_NONE) {
                counts[first[r] + p] = mem->counts[mem->first[before] + origin[p]];
            }
        }
    }
}

static int mem_apply(struct nic *nic, const struct rule_set *wanted, struct error *error) {
    struct mem_nic *mem = mem_of(nic);
    if (mem->fail_code != 0) {
        int code = mem->fail_code;
        mem->fail_code = 0;
        return error_set(error, code, "%s: refused, as the test asked", nic->device);
    }
    struct rule_set next;
    rule_set_init(&next);
    uint32_t *first = NULL;
    struct count *counts = NULL;
    if (rule_set_copy(wanted, &next) < 0 || rule_path_numbers(&next, &first) < 0 ||
        (counts = calloc((size_t)first[next.rule_count] + 1, sizeof *counts)) == NULL) {
        rule_set_fini(&next);
        free(first);
        return error_set(error, -ENOMEM, "%s: no memory for %u rules", nic->device,
                         wanted->rule_count);
    }
    carry_counts(mem, &next, first, counts);
    rule_set_fini(&mem->nic.applied);
    free(mem->first);
    free(mem->counts);
    mem->nic.applied = next;
    mem->first = first;
    mem->counts = counts;
    return 0;
}

static int mem_counters(struct nic *nic, nic_counter_fn *each, void *context) {
    struct mem_nic *mem = mem_of(nic);
    for (uint32_t r = 0; r < nic->applied.rule_count; r++) {
        const struct rule *rule = &nic->applied.rules[r];
        for (uint32_t p = 0; p < rule->path_count; p++) {
            const struct count *count = &mem->counts[mem->first[r] + p];
            struct nic_counter counter = {rule->match, p, count->packets, count->bytes};
            each(context, &counter);
        }
    }
    return 0;
}

static int compare_qps(const struct nic_qp *a, const uint8_t destination[16], uint32_t number) {
    int order = memcmp(a->destination, destination, sizeof a->destination);
    if (order != 0) {
        return order;
    }
    return a->qp < number ? -1 : a->qp > number;
}

static int grow_qps(struct mem_nic *mem) {
    if (mem->qp_count < mem->qp_capacity) {
        return 0;
    }
    uint32_t capacity = mem->qp_capacity == 0 ? 16 : mem->qp_capacity * 2;
    struct nic_qp *grown = realloc(mem->qps, capacity * sizeof *grown);
    if (grown == NULL) {
        return -ENOMEM;
    }
    mem->qps = grown;
    mem->qp_capacity = capacity;
    return 0;
}

static void count_qp(struct mem_nic *mem, const struct rule_packet *packet, uint32_t bytes) {
    uint32_t low = 0, high = mem->qp_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_qps(&mem->qps[middle], packet->destination, packet->qp) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    struct nic_qp *qp = mem->qps + low;
    if (low == mem->qp_count || compare_qps(qp, packet->destination, packet->qp) != 0) {
        if (mem->qp_count == NIC_MEM_QPS_MAX || grow_qps(mem) < 0) {
            return; // as a NIC's table: what does not fit is not reported
        }
        qp = mem->qps + low;
        memmove(qp + 1, qp, (mem->qp_count - low) * sizeof *qp);
        mem->qp_count++;
        *qp = (struct nic_qp){.qp = packet->qp};
        memcpy(qp->destination, packet->destination, sizeof qp->destination);
    }
    qp->sport = packet->sport;
    qp->packets++;
    qp->bytes += bytes;
}

static int mem_qps(struct nic *nic, nic_qp_fn *each, void *context) {
    struct mem_nic *mem = mem_of(nic);
    for (uint32_t i = 0; i < mem->qp_count; i++) {
        each(context, &mem->qps[i]);
    }
    mem->qp_count = 0;
    return 0;
}

static void mem_totals(struct nic *nic, uint64_t *encapsulated, uint64_t *decapsulated,
                       uint64_t *plain_roce) {
    const struct mem_nic *mem = mem_of(nic);
    *encapsulated = mem->encapsulated;
    *decapsulated = mem->decapsulated;
    *plain_roce = mem->plain;
}

const struct encap *nic_mem_send(struct nic *nic, const struct rule_packet *packet, uint32_t bytes,
                                 uint32_t random) {
    struct mem_nic *mem = mem_of(nic);
    count_qp(mem, packet, bytes);
    uint32_t r = rule_set_lookup(&nic->applied, packet);
    if (r == RULE_NONE) {
        mem->plain++;
        return NULL;
    }
    const struct rule *rule = &nic->applied.rules[r];
    uint32_t path = rule_select_path(rule, packet, random);
    struct count *count = &mem->counts[mem->first[r] + path];
    count->packets++;
    count->bytes += bytes;
    mem->encapsulated++;
    return &nic->applied.encaps[rule->encap[path]];
}

bool nic_mem_receive(struct nic *nic, const uint8_t destination[16]) {
    for (uint32_t i = 0; i < nic->applied.local_sid_count; i++) {
        if (memcmp(nic->applied.local_sids[i].bytes, destination, 16) == 0) {
            mem_of(nic)->decapsulated++;
            return true;
        }
    }
    return false;
}

void nic_mem_fail_next(struct nic *nic, int code) {
    mem_of(nic)->fail_code = code;
}

const struct nic_driver nic_driver_mem = {
    .name = "mem",
    .open = mem_open,
    .close = mem_close,
    .capabilities = mem_capabilities,
    .apply = mem_apply,
    .counters = mem_counters,
    .qps = mem_qps,
    .totals = mem_totals,
};
