// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// The data plane of the ebpf driver: two tc programs on the port's clsact.
//
//   egress   srv6_encap  RoCEv2 (UDP 4791 in IPv4 or IPv6) that a rule matches leaves in an outer
//                        IPv6 header, H.Encaps.Red (RFC 8986 section 5.2)
//   ingress  srv6_decap  IPv4 or IPv6 in IPv6 to one of this host's uSIDs is stripped, as
//                        End.DT4/End.DT6 do, and CE goes to the inner header (RFC 6040), which
//                        the kernel's own End.DT6 does not do; CNPs, encapsulated or plain, are
//                        counted by sender and QP
//
// Everything else passes unchanged: neighbour discovery, ping, TCP, gossip, UDP to a uSID (a probe
// that came back). All verdicts are TC_ACT_UNSPEC, so that other filters see the packet too.
//
// srv6_encap writes into the packet directly, so the verifier puts a prologue before it that makes
// the head of a cloned packet writable. TCP sends clones whose headers are writable already: for
// them the prologue is a call, not a copy.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "srv6_maps.h"

#define ROCE_PORT 4791
#define BTH_BYTES 12
#define HEADERS_MAX (ETH_HLEN + 60 + 8 + BTH_BYTES) // IPv4 with all its options
#define ECN_MASK 3
#define ECN_CE 3
#define OUTER_HOP_LIMIT 64
#define IPV6_MTU_MIN 1280
#define NEXT_HEADER_IPV4 4
#define NEXT_HEADER_IPV6 41
#define NEXT_HEADER_ROUTING 43
#define ROUTING_TYPE_SRH 4
#define IPV4_FRAGMENT 0x3fff // more fragments, or an offset

#include "srv6_cnps.h" // with what is defined above

// Since Linux 6.2; older headers lack the name, older kernels answer EINVAL.
#define ROOM_DECAP_L3_IPV4 (1ULL << 7)

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, SRV6_RULES);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct srv6_address);
    __type(value, struct srv6_rule);
} destinations SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, SRV6_RULES);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct srv6_exact_key);
    __type(value, struct srv6_rule);
} exact SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SRV6_SLOTS);
    __type(key, __u32);
    __type(value, struct srv6_path);
} paths SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, SRV6_SLOTS);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u32);
    __type(value, struct srv6_srh);
} srhs SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, SRV6_SLOTS);
    __type(key, __u32);
    __type(value, struct srv6_counter);
} counters SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 2 * SRV6_SEEN);
    __type(key, __u32);
    __type(value, struct srv6_seen);
} seen SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
    __uint(max_entries, SRV6_QPS);
    __type(key, struct srv6_qp_key);
    __type(value, struct srv6_qp);
} qps SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SRV6_LOCAL_SIDS);
    __type(key, __u32);
    __type(value, struct srv6_address);
} local_sids SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct srv6_totals);
} totals SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct srv6_meta);
} meta SEC(".maps");

// Kernels before 6.2 cannot turn IPv6 into IPv4 in place.
const volatile __u8 decap_by_redirect = 0;

struct flow {
    struct srv6_address destination;
    __u32 qp;
    __u32 bytes; // from the IP header on
    __u32 hash;
    __u16 sport;
    __u8 traffic_class;
};

enum parsed { PARSED_ROCE, PARSED_OTHER, PARSED_SHORT };

static __always_inline __u32 mix(__u32 hash, __u32 word) {
    hash = (hash ^ word) * 0x9e3779b1;
    return hash ^ (hash >> 15);
}

// The start of the UDP header behind IPv4, NULL when this is not whole UDP.
static __always_inline enum parsed parse_ipv4(void *data, void *end, struct flow *flow,
                                              void **udp) {
    struct iphdr *ip = data + ETH_HLEN;
    if ((void *)(ip + 1) > end) {
        return PARSED_SHORT;
    }
    if (ip->protocol != IPPROTO_UDP || (ip->frag_off & bpf_htons(IPV4_FRAGMENT)) || ip->ihl < 5) {
        return PARSED_OTHER;
    }
    flow->destination.half[0] = 0;
    flow->destination.half[1] = bpf_cpu_to_be64(0xffff00000000ULL | bpf_ntohl(ip->daddr));
    flow->traffic_class = ip->tos;
    flow->hash = mix(ip->saddr, ip->daddr);
    *udp = (void *)ip + ip->ihl * 4;
    return PARSED_ROCE;
}

static __always_inline enum parsed parse_ipv6(void *data, void *end, struct flow *flow,
                                              void **udp) {
    struct ipv6hdr *ip = data + ETH_HLEN;
    if ((void *)(ip + 1) > end) {
        return PARSED_SHORT;
    }
    if (ip->nexthdr != IPPROTO_UDP) {
        return PARSED_OTHER;
    }
    __builtin_memcpy(&flow->destination, &ip->daddr, sizeof flow->destination);
    flow->traffic_class = (__u8)(bpf_ntohl(*(__be32 *)ip) >> 20);
    flow->hash = mix(ip->saddr.s6_addr32[3] ^ ip->saddr.s6_addr32[1],
                     ip->daddr.s6_addr32[3] ^ ip->daddr.s6_addr32[1]);
    *udp = ip + 1;
    return PARSED_ROCE;
}

static __always_inline enum parsed parse(struct __sk_buff *skb, struct flow *flow) {
    void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end, *l4;
    struct ethhdr *eth = data;
    if ((void *)(eth + 1) > end) {
        return PARSED_SHORT;
    }
    enum parsed parsed = PARSED_OTHER;
    if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
        parsed = parse_ipv6(data, end, flow, &l4);
    } else if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        parsed = parse_ipv4(data, end, flow, &l4);
    }
    if (parsed != PARSED_ROCE) {
        return parsed;
    }
    struct udphdr *udp = l4;
    if ((void *)(udp + 1) > end) {
        return PARSED_SHORT;
    }
    if (udp->dest != bpf_htons(ROCE_PORT)) {
        return PARSED_OTHER;
    }
    __be32 *bth = (void *)(udp + 1);
    if ((void *)bth + BTH_BYTES > end) {
        return PARSED_SHORT;
    }
    flow->sport = bpf_ntohs(udp->source);
    flow->qp = bpf_ntohl(bth[1]) & 0xffffff;
    flow->hash = mix(mix(flow->hash, flow->qp), flow->sport);
    flow->bytes = skb->len - ETH_HLEN;
    return PARSED_ROCE;
}

static __always_inline struct srv6_rule *find_exact(const struct flow *flow, __u32 kind,
                                                    __u32 key) {
    struct srv6_exact_key match = {.destination = flow->destination, .kind = kind, .key = key};
    return bpf_map_lookup_elem(&exact, &match);
}

static __always_inline struct srv6_rule *find_rule(const struct flow *flow) {
    struct srv6_rule *rule = bpf_map_lookup_elem(&destinations, &flow->destination), *found;
    if (!rule || !rule->exact) {
        return rule;
    }
    if ((rule->exact & SRV6_EXACT_QP) && (found = find_exact(flow, SRV6_EXACT_QP, flow->qp))) {
        return found;
    }
    if ((rule->exact & SRV6_EXACT_SPORT) &&
        (found = find_exact(flow, SRV6_EXACT_SPORT, flow->sport))) {
        return found;
    }
    return rule;
}

// The slot that the rule has for this packet; SRV6_SLOTS when it leaves plain.
static __always_inline __u32 select_slot(const struct srv6_rule *rule, const struct flow *flow) {
    __u32 path = 0;
    switch (rule->select) {
    case SRV6_SINGLE:
        break;
    case SRV6_BUCKET_QP:
        path = rule->bucket[flow->qp % SRV6_BUCKETS];
        break;
    case SRV6_BUCKET_SPORT:
        path = rule->bucket[flow->sport % SRV6_BUCKETS];
        break;
    case SRV6_SPRAY:
        path = (__u32)(((__u64)bpf_get_prandom_u32() * rule->path_count) >> 32);
        break;
    default:
        return SRV6_SLOTS;
    }
    return rule->slot[path % SRV6_BUCKETS];
}

// What a flow sent is kept by its QP when another one takes its place.
static __always_inline void keep_counts(const struct srv6_seen *at) {
    struct srv6_qp_key key = {.destination = at->destination, .qp = at->qp};
    struct srv6_qp *qp = bpf_map_lookup_elem(&qps, &key);
    if (qp) {
        qp->packets += at->packets;
        qp->bytes += at->bytes;
        qp->sport = at->sport;
        return;
    }
    struct srv6_qp first = {.packets = at->packets, .bytes = at->bytes, .sport = at->sport};
    bpf_map_update_elem(&qps, &key, &first, BPF_ANY);
}

static __always_inline int is_same_flow(const struct srv6_seen *at, const struct flow *flow) {
    return at->qp == flow->qp && at->sport == flow->sport &&
           at->destination.half[1] == flow->destination.half[1] &&
           at->destination.half[0] == flow->destination.half[0];
}

// The generation that is given here was read before the rules are, and is written two system calls
// after them: a slot of old rules is never taken for one of new rules.
static __always_inline void ask_rules(struct srv6_seen *at, const struct flow *flow,
                                      __u32 generation) {
    struct srv6_rule *rule = find_rule(flow);
    at->slot = rule ? select_slot(rule, flow) : SRV6_SLOTS;
    at->generation = rule && rule->select == SRV6_SPRAY ? 0 : generation;
}

// Counts the packet and gives the slot of its flow; SRV6_SLOTS when it leaves plain.
static __always_inline __u32 find_slot(const struct flow *flow, const struct srv6_meta *now) {
    __u32 generation = *(const volatile __u32 *)&now->generation;
    __u32 reading = *(const volatile __u32 *)&now->reading;
    __u32 place = (reading & 1) * SRV6_SEEN + flow->hash % SRV6_SEEN;
    struct srv6_seen *at = bpf_map_lookup_elem(&seen, &place);
    if (!at) {
        return SRV6_SLOTS;
    }
    if (at->reading != reading || !is_same_flow(at, flow)) {
        if (at->reading == reading) {
            keep_counts(at);
        }
        *at = (struct srv6_seen){.destination = flow->destination,
                                 .qp = flow->qp,
                                 .sport = flow->sport,
                                 .reading = reading};
    }
    at->packets++;
    at->bytes += flow->bytes;
    if (at->generation != generation) {
        ask_rules(at, flow, generation);
    }
    return at->slot;
}

// True when the device takes the packet with `more` bytes. Every IPv6 link takes 1280.
static __always_inline int fits(struct __sk_buff *skb, __u32 more) {
    __u32 length = 0;
    return skb->len + more <= IPV6_MTU_MIN + ETH_HLEN ||
           bpf_check_mtu(skb, 0, &length, (__s32)more, 0) == BPF_MTU_CHK_RET_SUCCESS;
}

// Writes the ethertype and the outer header into the room that was made for them.
static __always_inline int put_outer(struct __sk_buff *skb, const struct flow *flow,
                                     const struct srv6_path *path, __u32 slot) {
    __u32 srh_bytes = path->srh_bytes;
    struct ethhdr *eth = (void *)(long)skb->data;
    __u64 *outer = (void *)(eth + 1);
    if ((void *)(outer + 5) > (void *)(long)skb->data_end) {
        return -1;
    }
    eth->h_proto = bpf_htons(ETH_P_IPV6);
    outer[0] = bpf_cpu_to_be64(6ULL << 60 | (__u64)flow->traffic_class << 52 |
                               (__u64)(flow->hash & 0xfffff) << 32 |
                               (__u64)((flow->bytes + srh_bytes) & 0xffff) << 16 |
                               (__u64)path->next_header << 8 | OUTER_HOP_LIMIT);
    outer[1] = path->source.half[0];
    outer[2] = path->source.half[1];
    outer[3] = path->sid.half[0];
    outer[4] = path->sid.half[1];
    if (srh_bytes == 0) {
        return 0;
    }
    struct srv6_srh *srh = bpf_map_lookup_elem(&srhs, &slot);
    if (!srh || srh_bytes > SRV6_SRH_BYTES_MAX) {
        return -1;
    }
    return (int)bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(struct ipv6hdr), srh, srh_bytes, 0);
}

static __always_inline int encapsulate(struct __sk_buff *skb, const struct flow *flow, __u32 slot,
                                       struct srv6_totals *total) {
    struct srv6_path *path = bpf_map_lookup_elem(&paths, &slot);
    struct srv6_counter *counter = bpf_map_lookup_elem(&counters, &slot);
    if (!path || !counter || path->destination.half[1] != flow->destination.half[1] ||
        path->destination.half[0] != flow->destination.half[0]) {
        total->stale++;
        total->plain++;
        return TC_ACT_UNSPEC;
    }
    __u32 more = sizeof(struct ipv6hdr) + path->srh_bytes;
    if (!fits(skb, more)) {
        total->too_big++;
        total->plain++;
        return TC_ACT_UNSPEC;
    }
    if (bpf_skb_adjust_room(skb, (__s32)more, BPF_ADJ_ROOM_MAC,
                            BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 | BPF_F_ADJ_ROOM_FIXED_GSO)) {
        total->failed++;
        total->plain++;
        return TC_ACT_UNSPEC;
    }
    if (put_outer(skb, flow, path, slot)) {
        total->dropped++;
        return TC_ACT_SHOT;
    }
    counter->packets++;
    counter->bytes += flow->bytes;
    total->encapsulated++;
    return TC_ACT_UNSPEC;
}

SEC("tc")
int srv6_encap(struct __sk_buff *skb) {
    struct flow flow;
    enum parsed parsed = parse(skb, &flow);
    if (parsed == PARSED_SHORT) {
        // The headers of what this host sends are linear; those of a forwarded packet may not be.
        __u32 length = skb->len;
        if (bpf_skb_pull_data(skb, length < HEADERS_MAX ? length : HEADERS_MAX)) {
            return TC_ACT_UNSPEC;
        }
        parsed = parse(skb, &flow);
    }
    if (parsed != PARSED_ROCE) {
        return TC_ACT_UNSPEC;
    }
    __u32 zero = 0;
    struct srv6_totals *total = bpf_map_lookup_elem(&totals, &zero);
    struct srv6_meta *now = bpf_map_lookup_elem(&meta, &zero);
    if (!total || !now) {
        return TC_ACT_UNSPEC;
    }
    __u32 slot = find_slot(&flow, now);
    if (slot >= SRV6_SLOTS) {
        total->plain++;
        return TC_ACT_UNSPEC;
    }
    return encapsulate(skb, &flow, slot, total);
}

// What follows the outer header: the offset of the inner header, and its kind.
struct inner {
    __u32 offset;
    __u8 next_header;
};

// The outer header was seen; `inner` says what it is followed by.
static __always_inline int skip_srh(struct __sk_buff *skb, struct inner *inner) {
    struct {
        __u8 next_header, words, type, segments_left;
    } srh;
    if (bpf_skb_load_bytes(skb, inner->offset, &srh, sizeof srh) || srh.type != ROUTING_TYPE_SRH ||
        srh.segments_left != 0) {
        return -1;
    }
    inner->offset += ((__u32)srh.words + 1) * 8;
    inner->next_header = srh.next_header;
    return 0;
}

static __always_inline int is_ip(__u8 next_header) {
    return next_header == NEXT_HEADER_IPV4 || next_header == NEXT_HEADER_IPV6;
}

// Outer CE marks an inner header that can carry it (RFC 6040 section 4.2).
static __always_inline int mark_ce(struct __sk_buff *skb, const struct inner *inner) {
    __u8 class;
    if (bpf_skb_load_bytes(skb, inner->offset + 1, &class, sizeof class)) {
        return -1;
    }
    __u32 shift = inner->next_header == NEXT_HEADER_IPV4 ? 0 : 4;
    __u32 ecn = (__u32) class >> shift & ECN_MASK;
    if (ecn == 0 || ecn == ECN_CE) {
        return 0;
    }
    __u8 marked = (__u8)(class | ECN_CE << shift);
    if (shift != 0) {
        return (int)bpf_skb_store_bytes(skb, inner->offset + 1, &marked, 1, BPF_F_RECOMPUTE_CSUM);
    }
    __u32 checksum = inner->offset + __builtin_offsetof(struct iphdr, check);
    if (bpf_l3_csum_replace(skb, checksum, bpf_htons(class), bpf_htons(marked), 2)) {
        return -1;
    }
    return (int)bpf_skb_store_bytes(skb, inner->offset + 1, &marked, 1, 0);
}

static __always_inline int strip_to_ipv4(struct __sk_buff *skb, __s32 bytes) {
    __be16 ethertype = bpf_htons(ETH_P_IP);
    long rc = decap_by_redirect
                  ? -22
                  : bpf_skb_adjust_room(skb, -bytes, BPF_ADJ_ROOM_MAC,
                                        ROOM_DECAP_L3_IPV4 | BPF_F_ADJ_ROOM_FIXED_GSO);
    if (rc == 0) {
        bpf_skb_store_bytes(skb, ETH_ALEN * 2, &ethertype, sizeof ethertype, 0);
        return TC_ACT_UNSPEC;
    }
    // An older kernel keeps the packet's protocol; receiving it anew makes it look again.
    if (bpf_skb_adjust_room(skb, -bytes, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO) ||
        bpf_skb_store_bytes(skb, ETH_ALEN * 2, &ethertype, sizeof ethertype, 0)) {
        return TC_ACT_SHOT;
    }
    return (int)bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

// The outer header and the first byte behind it; where a NIC left them out of the linear part, they
// are pulled there.
static __always_inline struct ipv6hdr *outer_header(struct __sk_buff *skb) {
    struct ipv6hdr *ip = (void *)(long)skb->data + ETH_HLEN;
    if ((void *)(ip + 1) + 1 <= (void *)(long)skb->data_end) {
        return ip;
    }
    if (bpf_skb_pull_data(skb, ETH_HLEN + sizeof *ip + 1)) {
        return 0;
    }
    ip = (void *)(long)skb->data + ETH_HLEN;
    return (void *)(ip + 1) + 1 <= (void *)(long)skb->data_end ? ip : 0;
}

// A scan, because a host has one or two and the first is the likely one.
static __always_inline int is_local(const struct ipv6hdr *ip) {
    struct srv6_address to;
    __builtin_memcpy(&to, &ip->daddr, sizeof to);
    for (__u32 i = 0; i < SRV6_LOCAL_SIDS; i++) {
        __u32 place = i;
        struct srv6_address *sid = bpf_map_lookup_elem(&local_sids, &place);
        if (sid && sid->half[0] == to.half[0] && sid->half[1] == to.half[1]) {
            return 1;
        }
    }
    return 0;
}

SEC("tc")
int srv6_decap(struct __sk_buff *skb) {
    struct ipv6hdr *ip = skb->protocol == bpf_htons(ETH_P_IPV6) ? outer_header(skb) : 0;
    if (!ip || (!is_ip(ip->nexthdr) && ip->nexthdr != NEXT_HEADER_ROUTING) || !is_local(ip)) {
        if (ip || skb->protocol == bpf_htons(ETH_P_IP)) {
            note_cnp(skb, ETH_HLEN, !ip);
        }
        return TC_ACT_UNSPEC;
    }
    struct inner inner = {.offset = ETH_HLEN + sizeof *ip, .next_header = ip->nexthdr};
    // The class lies across the first two bytes; ECN is its low end.
    __u8 outer_ecn = ip->flow_lbl[0] >> 4 & ECN_MASK, version = *(__u8 *)(ip + 1);
    if (inner.next_header == NEXT_HEADER_ROUTING &&
        (skip_srh(skb, &inner) || !is_ip(inner.next_header) ||
         bpf_skb_load_bytes(skb, inner.offset, &version, sizeof version))) {
        return TC_ACT_UNSPEC;
    }
    __u32 zero = 0;
    struct srv6_totals *total = bpf_map_lookup_elem(&totals, &zero);
    if (!total) {
        return TC_ACT_UNSPEC;
    }
    int is_v4 = inner.next_header == NEXT_HEADER_IPV4;
    if (version >> 4 != (is_v4 ? 4 : 6) || (outer_ecn == ECN_CE && mark_ce(skb, &inner))) {
        total->failed++;
        return TC_ACT_UNSPEC;
    }
    __s32 bytes = (__s32)(inner.offset - ETH_HLEN);
    note_cnp(skb, inner.offset, is_v4);
    total->decapsulated++;
    if (is_v4) {
        return strip_to_ipv4(skb, bytes);
    }
    if (bpf_skb_adjust_room(skb, -bytes, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO)) {
        total->failed++;
    }
    return TC_ACT_UNSPEC;
}

char srv6_license[] SEC("license") = "Dual BSD/GPL";
