// SPDX-License-Identifier: Apache-2.0
#include "tool/found.h"

#include <stdio.h>
#include <string.h>

#include "tool/json.h"
#include "tool/table.h"
#include "tool/tool.h"

void tool_format_found(const json_t *link, char text[TOOL_FOUND_SIZE]) {
    const char *fault = tool_json_text(link, "fault", "none");
    const char *place = tool_json_text(link, "fault_place", "link");
    const char *where = strcmp(place, "link") == 0 ? "" : place, *gap = *where != '\0' ? " " : "";
    char much[24];
    if (strcmp(fault, "lossy") == 0) {
        tool_format_share((double)tool_json_u64(link, "loss_ppm", 0) / 1e6, much);
        snprintf(text, TOOL_FOUND_SIZE, "%s%slossy %s", where, gap, much);
    } else if (strcmp(fault, "slow") == 0) {
        tool_format_duration(tool_json_u64(link, "excess_ns", 0), much);
        snprintf(text, TOOL_FOUND_SIZE, "%s%sslow +%s", where, gap, much);
    } else {
        snprintf(text, TOOL_FOUND_SIZE, "%s", strcmp(fault, "none") == 0 ? "-" : fault);
    }
}
