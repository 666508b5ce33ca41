// SPDX-License-Identifier: Apache-2.0
// The header Accept: what of two formats a client would rather have.
#include <string.h>
#include <strings.h>

#include "agent_shell/http.h"

#define OWS " \t"

struct span {
    const char *at;
    size_t size;
};

static struct span trimmed(const char *at, size_t size) {
    while (size > 0 && strchr(OWS, *at) != NULL) {
        at++;
        size--;
    }
    while (size > 0 && strchr(OWS, at[size - 1]) != NULL) {
        size--;
    }
    return (struct span){at, size};
}

// The part before the next `separator` that is not within quotes; *rest goes behind it.
static struct span next_part(const char **rest, char separator) {
    const char *start = *rest, *at = start;
    bool quoted = false;
    for (; *at != '\0' && (quoted || *at != separator); at++) {
        if (quoted && *at == '\\' && at[1] != '\0') {
            at++;
        } else if (*at == '"') {
            quoted = !quoted;
        }
    }
    *rest = *at == '\0' ? at : at + 1;
    return trimmed(start, (size_t)(at - start));
}

static bool span_is(struct span span, const char *text) {
    return span.size == strlen(text) && strncasecmp(span.at, text, span.size) == 0;
}

// "0", "1", "0.5", "0.123" in thousandths (RFC 9110 section 12.4.2); -1: not such a number.
static int parse_quality(struct span span) {
    int value = 0, scale = 1000;
    if (span.size < 1 || span.size > 5 || span.at[0] < '0' || span.at[0] > '1' ||
        (span.size > 1 && span.at[1] != '.')) {
        return -1;
    }
    for (size_t i = 0; i < span.size; i++) {
        if (i == 1) {
            continue;
        }
        if (span.at[i] < '0' || span.at[i] > '9') {
            return -1;
        }
        value += (span.at[i] - '0') * scale;
        scale /= 10;
    }
    return value <= 1000 ? value : -1;
}

struct range {
    struct span type;
    int quality;  // in thousandths; -1: broken
    bool version; // the one that is served here, or none was named
};

static struct range parse_range(struct span span) {
    char text[128];
    struct range range = {{span.at, 0}, 1000, true};
    if (span.size >= sizeof(text)) {
        range.quality = -1;
        return range;
    }
    memcpy(text, span.at, span.size);
    text[span.size] = '\0';
    const char *rest = text;
    range.type = next_part(&rest, ';');
    range.type.at = span.at + (range.type.at - text); // `text` ends with this function
    while (*rest != '\0') {
        struct span parameter = next_part(&rest, ';');
        if (parameter.size >= 2 && strncasecmp(parameter.at, "q=", 2) == 0) {
            range.quality = parse_quality((struct span){parameter.at + 2, parameter.size - 2});
        } else if (parameter.size >= 8 && strncasecmp(parameter.at, "version=", 8) == 0) {
            range.version =
                span_is(parameter, "version=1.0.0") || span_is(parameter, "version=\"1.0.0\"");
        }
    }
    return range;
}

bool http_accepts_openmetrics(const char *accept) {
    int openmetrics = 0, text = -1, any = 0;
    while (*accept != '\0') {
        struct range range = parse_range(next_part(&accept, ','));
        if (range.quality < 0) {
            continue;
        }
        if (span_is(range.type, "application/openmetrics-text")) {
            bool better = range.version && range.quality > openmetrics;
            openmetrics = better ? range.quality : openmetrics;
        } else if (span_is(range.type, "text/plain")) {
            text = range.quality > text ? range.quality : text;
        } else if (span_is(range.type, "text/*") || span_is(range.type, "*/*")) {
            any = range.quality > any ? range.quality : any;
        }
    }
    return openmetrics > 0 && openmetrics >= (text >= 0 ? text : any);
}
