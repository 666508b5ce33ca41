// SPDX-License-Identifier: Apache-2.0
// The canonical form that is hashed: what was built, number by number in little-endian order, so
// that neither comments, order of keys, nor the way it was written (generated or listed) matter.
#include <string.h>

#include "fabric_internal.h"
#include "sha256.h"

static void put_number(struct sha256 *sha, uint64_t value) {
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    sha256_update(sha, bytes, sizeof bytes);
}

static void put_text(struct sha256 *sha, const char *text) {
    size_t size = strlen(text);
    put_number(sha, size);
    sha256_update(sha, text, size);
}

static void put_node(struct sha256 *sha, const struct fabric_node *node) {
    put_text(sha, node->name);
    put_number(sha, node->kind);
    put_number(sha, node->usid);
    put_number(sha, node->pod);
}

static void put_cable(struct sha256 *sha, const struct fabric_cable *cable) {
    put_number(sha, (uint64_t)cable->a.i << 32 | cable->b.i);
    put_number(sha, cable->rate_bps);
    put_number(sha, (uint64_t)cable->capacity_ppm[0] << 32 | cable->capacity_ppm[1]);
}

static void put_port(struct sha256 *sha, const struct fabric_port *port) {
    put_number(sha, (uint64_t)port->cable.i << 32 | port->usid);
    sha256_update(sha, port->ipv4, sizeof port->ipv4);
    sha256_update(sha, port->ipv6, sizeof port->ipv6);
}

void fabric_digest_set(struct fabric *fabric) {
    struct sha256 sha;
    sha256_init(&sha);
    put_number(&sha, fabric->version);
    put_number(&sha, fabric->generation);
    put_text(&sha, fabric->name);
    sha256_update(&sha, fabric->block.bytes, sizeof fabric->block.bytes);
    put_number(&sha, fabric->node_count);
    for (uint32_t i = 0; i < fabric->node_count; i++) {
        put_node(&sha, &fabric->nodes[i]);
    }
    put_number(&sha, fabric->cable_count);
    for (uint32_t i = 0; i < fabric->cable_count; i++) {
        put_cable(&sha, &fabric->cables[i]);
    }
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        put_port(&sha, &fabric->ports[i]);
    }
    sha256_final(&sha, fabric->digest);
}
