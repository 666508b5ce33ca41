// SPDX-License-Identifier: Apache-2.0
// What srv6-top's command line asked for.
#ifndef TOP_OPTIONS_H
#define TOP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "control_client/control.h"
#include "state.h"

#define TOP_NAME "srv6-top"

struct top_options {
    const char *socket, *host;
    char path[CONTROL_PATH_SIZE];
    uint64_t timeout_ns, delay_ns;
    uint64_t count; // frames; 0: until the user ends it
    int view;       // index in top_views, -1: not given
    bool batch, json;
};

#endif
