// SPDX-License-Identifier: Apache-2.0
// The header that the mlx5 driver gives to a reformat, as hexadecimal digits on a line:
//
//   mlx5_header_hex TO-MAC FROM-MAC SOURCE CLASS 4|6 SID...
#include <arpa/inet.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5_header.h"

static int usage(const char *wrong) {
    fprintf(stderr, "mlx5_header_hex: %s\n", wrong);
    return 2;
}

static bool read_mac(const char *text, uint8_t mac[6]) {
    struct ether_addr address;
    if (ether_aton_r(text, &address) == NULL) {
        return false;
    }
    memcpy(mac, address.ether_addr_octet, 6);
    return true;
}

int main(int argc, char **argv) {
    struct mlx5_ethernet ethernet;
    struct encap encap = {0};
    uint8_t out[MLX5_HEADER_MAX];
    if (argc < 7 || argc > 6 + SID_LIST_MAX) {
        return usage("TO-MAC FROM-MAC SOURCE CLASS 4|6 SID...");
    }
    if (!read_mac(argv[1], ethernet.destination) || !read_mac(argv[2], ethernet.source) ||
        inet_pton(AF_INET6, argv[3], encap.source) != 1) {
        return usage("a MAC or the source cannot be read");
    }
    for (int i = 6; i < argc; i++) {
        if (sid_parse(argv[i], &encap.sids.sids[encap.sids.count++]) != 0) {
            return usage(argv[i]);
        }
    }
    uint8_t traffic_class = (uint8_t)strtoul(argv[4], NULL, 0);
    uint8_t version = strcmp(argv[5], "4") == 0 ? 4 : 6;
    size_t size = mlx5_header_build(&ethernet, &encap, traffic_class, version, out);
    for (size_t i = 0; i < size; i++) {
        printf("%02x", out[i]);
    }
    printf("\n");
    return size > 0 ? 0 : 1;
}
