// SPDX-License-Identifier: Apache-2.0
#include "mlx5_header.h"

#include <assert.h>
#include <string.h>

#define ETHERNET_BYTES 14
#define IPV6_BYTES 40
#define SRH_BYTES 8
#define HOP_LIMIT 64
#define NEXT_HEADER_IPV4 4
#define NEXT_HEADER_IPV6 41
#define NEXT_HEADER_ROUTING 43
#define ROUTING_TYPE_SRH 4

static_assert(MLX5_HEADER_MAX <= 128, "what NVIDIA documents for SRv6");

static void put_ethernet(const struct mlx5_ethernet *ethernet, uint8_t *out) {
    memcpy(out, ethernet->destination, 6);
    memcpy(out + 6, ethernet->source, 6);
    out[12] = 0x86;
    out[13] = 0xdd;
}

static void put_ipv6(const struct encap *encap, uint8_t traffic_class, uint8_t next_header,
                     uint8_t *out) {
    out[0] = (uint8_t)(6 << 4 | traffic_class >> 4);
    out[1] = (uint8_t)(traffic_class << 4);
    out[6] = next_header;
    out[7] = HOP_LIMIT;
    memcpy(out + 8, encap->source, 16);
    memcpy(out + 24, encap->sids.sids[0].bytes, 16);
}

static void put_srh(const struct sid_list *sids, uint8_t next_header, uint8_t *out) {
    uint8_t listed = (uint8_t)(sids->count - 1); // the first carrier is the destination address
    out[0] = next_header;
    out[1] = (uint8_t)(2 * listed); // in units of 8 bytes, the first not counted
    out[2] = ROUTING_TYPE_SRH;
    out[3] = listed;
    out[4] = (uint8_t)(listed - 1);
    for (uint8_t i = 0; i < listed; i++) {
        memcpy(out + SRH_BYTES + i * sizeof(struct sid), sids->sids[listed - i].bytes,
               sizeof(struct sid));
    }
}

size_t mlx5_header_build(const struct mlx5_ethernet *ethernet, const struct encap *encap,
                         uint8_t traffic_class, uint8_t inner_version,
                         uint8_t out[MLX5_HEADER_MAX]) {
    assert(inner_version == 4 || inner_version == 6);
    const struct sid_list *sids = &encap->sids;
    if (sids->count == 0 || sids->count > SID_LIST_MAX) {
        return 0;
    }
    uint8_t inner = inner_version == 4 ? NEXT_HEADER_IPV4 : NEXT_HEADER_IPV6;
    memset(out, 0, MLX5_HEADER_MAX);
    put_ethernet(ethernet, out);
    put_ipv6(encap, traffic_class, sids->count > 1 ? NEXT_HEADER_ROUTING : inner,
             out + ETHERNET_BYTES);
    if (sids->count > 1) {
        put_srh(sids, inner, out + ETHERNET_BYTES + IPV6_BYTES);
    }
    return ETHERNET_BYTES + sid_list_overhead_bytes(sids);
}
