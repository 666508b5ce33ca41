// SPDX-License-Identifier: Apache-2.0
// Which QPs sent, learnt from packets: taken from the data plane's table of flows, and from the
// table of those that lost their place in it. Both are per CPU, and a QP may use several source
// ports, so one QP may be found many times; it is reported once.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include <bpf/bpf.h>

#include "ebpf.h"

#define AT_ONCE 256

struct taken {
    struct nic_qp *qps;
    size_t count, room;
};

static int add(struct taken *taken, const struct srv6_address *destination, uint32_t number,
               uint32_t sport, uint64_t packets, uint64_t bytes) {
    if (taken->count == taken->room) {
        size_t room = taken->room == 0 ? AT_ONCE : 2 * taken->room;
        struct nic_qp *more = realloc(taken->qps, room * sizeof *more);
        if (more == NULL) {
            return -ENOMEM;
        }
        taken->qps = more;
        taken->room = room;
    }
    struct nic_qp *qp = &taken->qps[taken->count++];
    *qp =
        (struct nic_qp){.qp = number, .sport = (uint16_t)sport, .packets = packets, .bytes = bytes};
    memcpy(qp->destination, destination, sizeof qp->destination);
    return 0;
}

// Sends the data plane to the other bank; `*left` is the reading that ends.
static int next_reading(const struct ebpf_maps *maps, uint32_t *left) {
    struct srv6_meta meta;
    uint32_t zero = 0;
    int rc = bpf_map_lookup_elem(maps->meta, &zero, &meta);
    if (rc == 0) {
        *left = meta.reading;
        meta.reading += meta.reading == UINT32_MAX ? 3 : 1; // not 0, and the other bank
        rc = bpf_map_update_elem(maps->meta, &zero, &meta, BPF_ANY);
    }
    return rc;
}

static int take_seen(const struct ebpf_maps *maps, uint32_t reading, struct taken *taken) {
    struct srv6_seen *each = calloc((size_t)maps->cpus, sizeof *each);
    uint32_t bank = (reading & 1) * SRV6_SEEN;
    int rc = each == NULL ? -ENOMEM : 0;
    for (uint32_t place = bank; rc == 0 && place < bank + SRV6_SEEN; place++) {
        rc = bpf_map_lookup_elem(maps->seen, &place, each);
        for (int cpu = 0; rc == 0 && cpu < maps->cpus; cpu++) {
            const struct srv6_seen *at = &each[cpu];
            if (at->reading == reading && at->packets > 0) {
                rc = add(taken, &at->destination, at->qp, at->sport, at->packets, at->bytes);
            }
        }
    }
    free(each);
    return rc;
}

int ebpf_take_entries(int map, int cpus, size_t key_size, size_t value_size, ebpf_entry_fn *each,
                      void *context) {
    size_t per_key = (size_t)cpus * value_size;
    uint8_t *keys = calloc(AT_ONCE, key_size), *values = calloc(AT_ONCE, per_key);
    int rc = keys == NULL || values == NULL ? -ENOMEM : 0;
    uint32_t batch = 0;
    void *from = NULL;
    while (rc == 0) {
        uint32_t count = AT_ONCE;
        rc = bpf_map_lookup_and_delete_batch(map, from, &batch, keys, values, &count, NULL);
        for (size_t i = 0; (rc == 0 || rc == -ENOENT) && i < count * (size_t)cpus; i++) {
            int told = each(context, keys + i / (size_t)cpus * key_size, values + i * value_size);
            rc = told < 0 ? told : rc;
        }
        from = &batch;
    }
    free(keys);
    free(values);
    return rc == -ENOENT ? 0 : rc; // the end of the map
}

static int add_kept(void *context, const void *key, const void *value) {
    const struct srv6_qp_key *at = key;
    const struct srv6_qp *sent = value;
    return sent->packets == 0
               ? 0
               : add(context, &at->destination, at->qp, sent->sport, sent->packets, sent->bytes);
}

static int compare(const void *left, const void *right) {
    const struct nic_qp *a = left, *b = right;
    int order = memcmp(a->destination, b->destination, sizeof a->destination);
    return order != 0 ? order : (a->qp > b->qp) - (a->qp < b->qp);
}

static void report_merged(struct taken *taken, nic_qp_fn *report, void *context) {
    for (size_t i = 0; i < taken->count;) {
        struct nic_qp qp = taken->qps[i++];
        for (; i < taken->count && compare(&qp, &taken->qps[i]) == 0; i++) {
            qp.packets += taken->qps[i].packets;
            qp.bytes += taken->qps[i].bytes;
        }
        report(context, &qp);
    }
}

int ebpf_take_qps(const struct ebpf_maps *maps, nic_qp_fn *report, void *context) {
    struct taken taken = {0};
    uint32_t reading;
    int rc = next_reading(maps, &reading);
    if (rc == 0) {
        rc = take_seen(maps, reading, &taken);
    }
    if (rc == 0) {
        rc = ebpf_take_entries(maps->qps, maps->cpus, sizeof(struct srv6_qp_key),
                               sizeof(struct srv6_qp), add_kept, &taken);
    }
    if (taken.count > 0) {
        qsort(taken.qps, taken.count, sizeof *taken.qps, compare);
        report_merged(&taken, report, context);
    }
    free(taken.qps);
    return rc;
}
