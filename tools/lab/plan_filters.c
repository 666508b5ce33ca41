// SPDX-License-Identifier: Apache-2.0
// Rates and counters of the devices of a node.
#include "plan.h"

#include <inttypes.h>

#define QUEUE_MS 50 // a burst of a congestion window fits; delay stays bounded
#define QUEUE_BYTES_MAX                                                                            \
    (256ULL << 20)     // of the rates of real fabrics, which veth cannot reach anyway
#define PROBE_SHARE 10 // probes are sure of 1/10 of the rate and may borrow the rest
#define FRAME_SIZE (LAB_MTU + LAB_FRAME_HEADER_SIZE)

// HTB: a class for probes that is served first and a class for data; both may take the whole rate.
// The burst is a frame or a millisecond, whichever is more: a frame keeps probes from waiting
// behind a train of data, a millisecond lets coarse timers still reach the rate.
static void print_shaper(const char *device, uint64_t rate_bps, FILE *file) {
    uint64_t burst = rate_bps / 8000;
    burst = burst > FRAME_SIZE ? burst : FRAME_SIZE;
    uint64_t queue = rate_bps / 8 * QUEUE_MS / 1000;
    queue = queue > QUEUE_BYTES_MAX ? QUEUE_BYTES_MAX : queue;
    queue = queue > 2 * FRAME_SIZE ? queue : 2 * FRAME_SIZE;
    uint64_t probe_bps = rate_bps / PROBE_SHARE;
    fprintf(file, "qdisc add dev %s root handle 1: htb default 20\n", device);
    fprintf(file,
            "class add dev %s parent 1: classid 1:1 htb rate %" PRIu64 "bit ceil %" PRIu64
            "bit burst %" PRIu64 "b cburst %" PRIu64 "b quantum %d\n",
            device, rate_bps, rate_bps, burst, burst, FRAME_SIZE);
    fprintf(file,
            "class add dev %s parent 1:1 classid 1:10 htb rate %" PRIu64 "bit ceil %" PRIu64
            "bit burst %" PRIu64 "b cburst %" PRIu64 "b prio 0 quantum %d\n",
            device, probe_bps, rate_bps, burst, burst, FRAME_SIZE);
    fprintf(file,
            "class add dev %s parent 1:1 classid 1:20 htb rate %" PRIu64 "bit ceil %" PRIu64
            "bit burst %" PRIu64 "b cburst %" PRIu64 "b prio 1 quantum %d\n",
            device, rate_bps - probe_bps, rate_bps, burst, burst, FRAME_SIZE);
    for (unsigned class = 10; class <= 20; class += 10) {
        fprintf(file, "qdisc add dev %s parent 1:%u handle %u: bfifo limit %" PRIu64 "\n", device,
                class, class, queue);
    }
    fprintf(file,
            "filter add dev %s parent 1: protocol ipv6 prio 1 u32 match ip6 priority 0x%x 0xfc "
            "flowid 1:10\n",
            device, LAB_PROBE_CLASS);
}

void plan_shaping(const struct lab *lab, node_id node, FILE *file) {
    const struct fabric_node *self = &lab->fabric->nodes[node.i];
    for (uint32_t i = 0; i < self->adjacency_count; i++) {
        link_id link = lab->fabric->adjacencies[self->first_adjacency + i].link;
        char device[IFNAMSIZ];
        lab_device(lab, link, device);
        print_shaper(device, lab_rate_bps(lab, link), file);
    }
}

static void print_counter(const struct lab *lab, link_id link, const char *hook, const char *device,
                          FILE *file) {
    fprintf(file,
            "  counter link_%" PRIu32 " {\n  }\n"
            "  chain link_%" PRIu32 " {\n"
            "    type filter hook %s device \"%s\" priority -400\n"
            "    policy %s\n"
            "    ip6 nexthdr { 4, 41, 43 } counter name link_%" PRIu32 "\n  }\n",
            link.i, link.i, hook, device, lab_link_is_dead(lab, link) ? "drop" : "accept", link.i);
}

// Encapsulated packets are counted where the switch receives them. What a leaf sends to a host is
// counted as it leaves the leaf: the host's own decapsulation runs before any hook of nft.
void plan_counters(const struct lab *lab, node_id node, FILE *file) {
    const struct fabric_node *self = &lab->fabric->nodes[node.i];
    if (self->kind == NODE_HOST) {
        return;
    }
    fprintf(file, "table netdev srv6_lab {\n");
    for (uint32_t i = 0; i < self->adjacency_count; i++) {
        link_id link = lab->fabric->adjacencies[self->first_adjacency + i].link;
        char device[IFNAMSIZ];
        lab_device(lab, link, device);
        print_counter(lab, link_opposite(link), "ingress", device, file);
        if (lab_is_host_link(lab, link)) {
            print_counter(lab, link, "egress", device, file);
        }
    }
    fprintf(file, "}\n");
}
