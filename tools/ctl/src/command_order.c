// SPDX-License-Identifier: Apache-2.0
// The commands that change what agents may use: drain, undrain, capacity.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "tool/tool.h"

static int order(const struct ctl *ctl, bool active) {
    const char *kind = strncmp(ctl->command->name, "link", 4) == 0 ? "link" : "node";
    json_t *arguments =
        json_pack("{s:s,s:s,s:b}", "name", ctl->operands[0], "kind", kind, "active", active);
    return ctl_change(ctl, "drain", arguments, "%s %s: %s", kind, ctl->operands[0],
                      active ? "draining; traffic moves off it" : "in use again");
}

int run_drain(const struct ctl *ctl) {
    return order(ctl, true);
}

int run_undrain(const struct ctl *ctl) {
    return order(ctl, false);
}

// "0.5" or "50%"
static bool parse_fraction(const char *text, double *fraction) {
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    char *end;
    double value = strtod(text, &end);
    if (strcmp(end, "%") == 0) {
        value /= 100;
    } else if (*end != '\0') {
        return false;
    }
    if (!isfinite(value) || value > 1) {
        return false;
    }
    *fraction = value;
    return true;
}

int run_link_set(const struct ctl *ctl) {
    double capacity = 0;
    if (ctl->capacity == NULL) {
        return tool_usage_error(CTL_NAME, ctl_usage, "link set: --capacity is missing");
    }
    if (!parse_fraction(ctl->capacity, &capacity)) {
        return tool_usage_error(CTL_NAME, ctl_usage,
                                "--capacity: not a fraction from 0 to 1 (or 0%% to 100%%): %s",
                                ctl->capacity);
    }
    return ctl_change(ctl, "capacity",
                      json_pack("{s:s,s:f}", "link", ctl->operands[0], "capacity", capacity),
                      "link %s: capacity %g%%", ctl->operands[0], 100 * capacity);
}
