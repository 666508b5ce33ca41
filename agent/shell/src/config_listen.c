// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_shell/config.h"

#define PORT_MAX 65535
#define LABEL_MAX 63

static const char scheme[] = "tcp://";

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

bool config_label_is_valid(const char *text) {
    size_t length = strlen(text);
    return length > 0 && length <= LABEL_MAX && text[0] != '-' && text[length - 1] != '-' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static const char *behind_scheme(const char *text) {
    size_t length = sizeof(scheme) - 1;
    return strncmp(text, scheme, length) == 0 ? text + length : NULL;
}

bool config_address_parse(const char *text, struct sockaddr_storage *out) {
    const char *address = behind_scheme(text);
    return address != NULL && config_listen_parse(address, out);
}

void config_address_format(const struct sockaddr_storage *address, char out[GOSSIP_ADDRESS_SIZE]) {
    char ip[INET6_ADDRSTRLEN];
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *of = (const struct sockaddr_in6 *)address;
        (void)inet_ntop(AF_INET6, &of->sin6_addr, ip, sizeof(ip));
        snprintf(out, GOSSIP_ADDRESS_SIZE, "%s[%s]:%u", scheme, ip, ntohs(of->sin6_port));
    } else {
        const struct sockaddr_in *of = (const struct sockaddr_in *)address;
        (void)inet_ntop(AF_INET, &of->sin_addr, ip, sizeof(ip));
        snprintf(out, GOSSIP_ADDRESS_SIZE, "%s%s:%u", scheme, ip, ntohs(of->sin_port));
    }
}

// Labels of letters, digits, hyphens and underscores; the last one is no number.
static bool is_name(const char *name, size_t length) {
    size_t label = 0, digits = 0;
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '.') {
            if (label == 0) {
                return false;
            }
            if (i + 1 < length) { // "name." is absolute
                label = digits = 0;
            }
            continue;
        }
        bool digit = name[i] >= '0' && name[i] <= '9';
        bool letter = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z');
        label++;
        digits += digit;
        if ((!digit && !letter && name[i] != '-' && name[i] != '_') || label > LABEL_MAX) {
            return false;
        }
    }
    return label > 0 && digits < label;
}

bool config_name_parse(const char *text, char name[CONFIG_NAME_SIZE], uint16_t *port) {
    const char *start = behind_scheme(text);
    const char *colon = start != NULL ? strrchr(start, ':') : NULL;
    char *end = NULL;
    if (colon == NULL || colon[1] < '1' || colon[1] > '9') {
        return false;
    }
    unsigned long number = strtoul(colon + 1, &end, 10);
    size_t length = (size_t)(colon - start);
    if (*end != '\0' || number > PORT_MAX || length >= CONFIG_NAME_SIZE ||
        !is_name(start, length)) {
        return false;
    }
    memcpy(name, start, length);
    name[length] = '\0';
    *port = (uint16_t)number;
    return true;
}
