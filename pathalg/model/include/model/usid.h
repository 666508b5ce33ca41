// SPDX-License-Identifier: Apache-2.0
// SRv6 micro-segments: NEXT-CSID (RFC 9800 section 4.1) in the format F3216.
//
//   one carrier = one IPv6 destination address
//   | block: 32 bits | uSID 1: 16 | uSID 2: 16 | ... | uSID 6: 16 |      unused places at the end
//   are zero
//
// A node that owns uSID 1 shifts the uSIDs left by one place and forwards by the new address. A
// list of uSIDs longer than six needs further carriers, which travel in a Segment Routing Header
// (RFC 8754), reduced (RFC 8986 section 5.2: the first carrier is the destination address and is
// not repeated in the header).
//
// Pure values; no allocation; nothing here fails except by the bounds named below.
#ifndef MODEL_USID_H
#define MODEL_USID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USID_PER_CARRIER 6
#define USID_NODE_MIN 0x0001 // uN: 57,343 in a block
#define USID_NODE_MAX 0xdfff
#define USID_ADJACENCY_MIN 0xe000 // uA: local to the node that owns it
#define USID_ADJACENCY_MAX 0xffff
// NVIDIA documents at most 128 bytes of encapsulation, Ethernet header included: 14 + 40 + 8 + 16
// (n - 1) <= 128.
#define SID_LIST_MAX 5
#define USID_LIST_MAX (SID_LIST_MAX * USID_PER_CARRIER)
#define SID_TEXT_SIZE 46 // INET6_ADDRSTRLEN

struct usid_block {
    uint8_t bytes[4];
};

struct sid {
    uint8_t bytes[16]; // network order
};

// The segments of one path in the order in which the packet visits them; sids[0] is the outer
// destination address.
struct sid_list {
    uint8_t count; // 0: no encapsulation
    struct sid sids[SID_LIST_MAX];
};

// The uSIDs of a path before packing.
struct usid_list {
    uint8_t count;
    uint16_t usids[USID_LIST_MAX];
};

// -ENOSPC when the list is full, -EINVAL for uSID 0.
int usid_list_append(struct usid_list *list, uint16_t usid);
// -EINVAL for an empty list. Six uSIDs go in a carrier; every carrier but the last is full.
int sid_list_pack(struct usid_block block, const struct usid_list *usids, struct sid_list *out);
// -EINVAL when a carrier is empty, has a gap or another block.
int sid_list_unpack(struct usid_block block, const struct sid_list *sids, struct usid_list *out);
// The address of a single uSID, block:usid::.
struct sid sid_of(struct usid_block block, uint16_t usid);
// The first uSID of a carrier; 0 when none is left.
uint16_t sid_first_usid(const struct sid *sid);
// What a uN or uA does (RFC 9800 section 4.1.1): drops the first uSID. False, and unchanged, when
// it was the last.
bool sid_shift(struct sid *sid);
// Bytes that H.Encaps.Red adds to a packet: 40 for one carrier, 48 + 16 (count - 1) for more, 0 for
// none.
size_t sid_list_overhead_bytes(const struct sid_list *sids);
bool sid_list_equal(const struct sid_list *a, const struct sid_list *b);

void sid_format(const struct sid *sid, char text[SID_TEXT_SIZE]); // RFC 5952
int sid_parse(const char *text, struct sid *out);                 // -EINVAL
// "fcbb:bb00::/32"; -EINVAL for another prefix length or host bits set.
int usid_block_parse(const char *text, struct usid_block *out);

#endif
