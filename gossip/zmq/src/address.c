// SPDX-License-Identifier: Apache-2.0
#include "address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static bool parse_port(const char *text, unsigned *port) {
    if (*text < '1' || *text > '9' || strlen(text) > 5 ||
        strspn(text, "0123456789") != strlen(text)) {
        return false;
    }
    unsigned long value = strtoul(text, NULL, 10);
    if (value > 65535) {
        return false;
    }
    *port = (unsigned)value;
    return true;
}

static bool canonical_ip(const char *text, struct tcp_address *address) {
    unsigned char bytes[16] = {0};
    static const unsigned char zero[16];
    int family = address->v6 ? AF_INET6 : AF_INET;
    if (inet_pton(family, text, bytes) != 1) {
        return false;
    }
    address->any = memcmp(bytes, zero, sizeof bytes) == 0;
    return inet_ntop(family, bytes, address->ip, sizeof address->ip) != NULL;
}

bool address_parse(const char *text, struct tcp_address *out) {
    static const char scheme[] = "tcp://";
    if (strncmp(text, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    const char *host = text + sizeof scheme - 1;
    struct tcp_address address = {.v6 = *host == '['};
    host += address.v6 ? 1 : 0;
    const char *end = strchr(host, address.v6 ? ']' : ':');
    if (end == NULL || (size_t)(end - host) >= ADDRESS_IP_SIZE) {
        return false;
    }
    char ip[ADDRESS_IP_SIZE] = {0};
    memcpy(ip, host, (size_t)(end - host));
    end += address.v6 ? 1 : 0;
    if (*end != ':' || !parse_port(end + 1, &address.port) || !canonical_ip(ip, &address)) {
        return false;
    }
    *out = address;
    return true;
}
