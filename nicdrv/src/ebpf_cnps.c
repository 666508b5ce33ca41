// SPDX-License-Identifier: Apache-2.0
// CNPs that the data plane saw coming: hints at once, by a ring that a loop can wait for, and
// counts when they are asked for.
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ebpf.h"

static void tell(const struct srv6_cnp_key *key, uint64_t count, nic_cnp_fn *each, void *context) {
    struct nic_cnp cnp = {.qp = key->qp, .count = count};
    memcpy(cnp.source, &key->source, sizeof cnp.source);
    each(context, &cnp);
}

static int on_hint(void *context, void *record, size_t size) {
    struct ebpf_cnps *cnps = context;
    struct srv6_cnp_key key;
    cnps->fresh = true;
    if (cnps->each != NULL && size >= sizeof key) {
        memcpy(&key, record, sizeof key);
        tell(&key, 0, cnps->each, cnps->context);
    }
    return 0;
}

int ebpf_cnps_open(struct ebpf_cnps *cnps, int ring_map) {
    *cnps = (struct ebpf_cnps){.fresh = true}; // the map may hold some of before
    cnps->ring = ring_buffer__new(ring_map, on_hint, cnps, NULL);
    return cnps->ring == NULL ? -errno : 0;
}

void ebpf_cnps_close(struct ebpf_cnps *cnps) {
    ring_buffer__free(cnps->ring);
    cnps->ring = NULL;
}

int ebpf_cnps_fd(const struct ebpf_cnps *cnps) {
    return ring_buffer__epoll_fd(cnps->ring);
}

void ebpf_cnps_hints(struct ebpf_cnps *cnps, nic_cnp_fn *each, void *context) {
    cnps->each = each;
    cnps->context = context;
    (void)ring_buffer__consume(cnps->ring);
}

struct taking {
    nic_cnp_fn *each;
    void *context;
};

// A CPU at a time: who adds up does not mind hearing of a QP more than once.
static int take(void *context, const void *key, const void *value) {
    const struct taking *taking = context;
    const struct srv6_cnp *cnp = value;
    if (cnp->count > 0) {
        tell(key, cnp->count, taking->each, taking->context);
    }
    return 0;
}

int ebpf_cnps_take(struct ebpf_cnps *cnps, const struct ebpf_maps *maps, nic_cnp_fn *each,
                   void *context) {
    struct taking taking = {each, context};
    if (!cnps->fresh) {
        return 0;
    }
    cnps->fresh = false; // an entry that is made anew hints at itself
    return ebpf_take_entries(maps->cnps, maps->cpus, sizeof(struct srv6_cnp_key),
                             sizeof(struct srv6_cnp), take, &taking);
}
