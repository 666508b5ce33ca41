// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_shell/config.h"

#define PORT_MAX 65535

bool config_listen_parse(const char *text, struct sockaddr_storage *out) {
    char address[CONFIG_LISTEN_SIZE];
    struct in_addr ipv4;
    struct in6_addr ipv6;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon[1] < '1' || colon[1] > '9') {
        return false;
    }
    char *end = NULL;
    unsigned long port = strtoul(colon + 1, &end, 10);
    size_t length = (size_t)(colon - text);
    bool bracketed = text[0] == '[' && length >= 2 && text[length - 1] == ']';
    snprintf(address, sizeof(address), "%.*s", (int)(bracketed ? length - 2 : length),
             bracketed ? text + 1 : text);
    if (*end != '\0' || port > PORT_MAX ||
        inet_pton(bracketed ? AF_INET6 : AF_INET, address, bracketed ? (void *)&ipv6 : &ipv4) !=
            1) {
        return false;
    }
    *out = (struct sockaddr_storage){.ss_family = bracketed ? AF_INET6 : AF_INET};
    if (bracketed) {
        struct sockaddr_in6 *to = (struct sockaddr_in6 *)out;
        to->sin6_addr = ipv6;
        to->sin6_port = htons((uint16_t)port);
    } else {
        struct sockaddr_in *to = (struct sockaddr_in *)out;
        to->sin_addr = ipv4;
        to->sin_port = htons((uint16_t)port);
    }
    return true;
}
