// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// The part of srv6.bpf.c that counts CNPs: maps and functions, for that file alone.
#ifndef NICDRV_SRV6_CNPS_H
#define NICDRV_SRV6_CNPS_H

#define BTH_CNP 0x81
#define CNP_UDP_BYTES (8 + BTH_BYTES + 16 + 4) // 16 reserved, ICRC
#define CNP_PACKET_BYTES (60 + CNP_UDP_BYTES)  // IPv4 with all its options

struct {
    __uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
    __uint(max_entries, SRV6_CNPS);
    __type(key, struct srv6_cnp_key);
    __type(value, struct srv6_cnp);
} cnps SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, SRV6_CNP_RING_BYTES);
} cnp_hints SEC(".maps");

static __always_inline int cnp_from_ipv4(struct __sk_buff *skb, __u32 *offset,
                                         struct srv6_address *source) {
    struct iphdr ip;
    if (bpf_skb_load_bytes(skb, *offset, &ip, sizeof ip) || ip.protocol != IPPROTO_UDP ||
        (ip.frag_off & bpf_htons(IPV4_FRAGMENT)) || ip.ihl < 5) {
        return -1;
    }
    source->half[0] = 0;
    source->half[1] = bpf_cpu_to_be64(0xffff00000000ULL | bpf_ntohl(ip.saddr));
    *offset += ip.ihl * 4;
    return 0;
}

static __always_inline int cnp_from_ipv6(struct __sk_buff *skb, __u32 *offset,
                                         struct srv6_address *source) {
    struct ipv6hdr ip;
    if (bpf_skb_load_bytes(skb, *offset, &ip, sizeof ip) || ip.nexthdr != IPPROTO_UDP) {
        return -1;
    }
    __builtin_memcpy(source, &ip.saddr, sizeof *source);
    *offset += sizeof ip;
    return 0;
}

static __always_inline void count_cnp(const struct srv6_cnp_key *key) {
    __u64 now = bpf_ktime_get_ns();
    struct srv6_cnp *cnp = bpf_map_lookup_elem(&cnps, key);
    if (!cnp) {
        struct srv6_cnp first = {.count = 1, .hinted_at_ns = now};
        bpf_map_update_elem(&cnps, key, &first, BPF_ANY);
    } else {
        cnp->count++;
        if (now - cnp->hinted_at_ns < SRV6_CNP_HINT_NS) {
            return;
        }
        cnp->hinted_at_ns = now;
    }
    bpf_ringbuf_output(&cnp_hints, (void *)key, sizeof *key, 0); // a full ring has hints enough
}

// Counts the packet, whose IP header is at the offset, when it is a CNP. Their size is known, so
// that data costs no look at its headers.
static __always_inline void note_cnp(struct __sk_buff *skb, __u32 offset, int is_v4) {
    struct srv6_cnp_key key = {};
    struct {
        struct udphdr udp;
        __be32 bth[2];
    } head;
    if (skb->len > offset + CNP_PACKET_BYTES ||
        (is_v4 ? cnp_from_ipv4(skb, &offset, &key.source)
               : cnp_from_ipv6(skb, &offset, &key.source)) ||
        bpf_skb_load_bytes(skb, offset, &head, sizeof head) ||
        head.udp.dest != bpf_htons(ROCE_PORT) || head.udp.len != bpf_htons(CNP_UDP_BYTES) ||
        bpf_ntohl(head.bth[0]) >> 24 != BTH_CNP) {
        return;
    }
    key.qp = bpf_ntohl(head.bth[1]) & 0xffffff;
    count_cnp(&key);
}

#endif
