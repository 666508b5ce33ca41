// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <string.h>

#include "tool/json.h"
#include "tool/table.h"
#include "tool/tool.h"
#include "view.h"

#define LIST_SIZE 200 // of a line's list; what does not fit ends in "..."

static void summary(const json_t *audit, FILE *out) {
    char text[256];
    uint64_t odd = tool_json_u64(audit, "odd_count", 0);
    uint64_t split = tool_json_u64(audit, "split_count", 0);
    uint64_t hosts = tool_json_u64(audit, "hosts", 0);
    if (odd == 0 && split == 0) {
        snprintf(text, sizeof text, "%" PRIu64 " hosts: no setting differs", hosts);
    } else {
        snprintf(text, sizeof text,
                 "%" PRIu64 " hosts: %" PRIu64 " odd, %" PRIu64 " settings without a majority",
                 hosts, odd, split);
    }
    view_sentence(out, text);
}

static void silent(const json_t *audit, FILE *out) {
    const json_t *list = tool_json_array(audit, "silent");
    char names[LIST_SIZE], text[LIST_SIZE + 32];
    if (json_array_size(list) > 0) {
        tool_json_join(list, " ", names, sizeof names);
        snprintf(text, sizeof text, "say nothing of themselves: %s", names);
        view_sentence(out, text);
    }
}

static int settings(const json_t *audit, FILE *out) {
    static const struct tool_column columns[] = {{"SETTING", false},
                                                 {"VERDICT", false},
                                                 {"MOST", false},
                                                 {"HAVE IT", true},
                                                 {"UNKNOWN", true}};
    struct tool_table *table = tool_table_open(columns, 5);
    size_t index;
    const json_t *one;
    if (table == NULL) {
        return TOOL_FAILED;
    }
    json_array_foreach(tool_json_array(audit, "settings"), index, one) {
        uint64_t known = tool_json_u64(one, "known", 0);
        tool_table_cell(table, "%s", tool_json_text(one, "setting", "-"));
        tool_table_cell(table, "%s", tool_json_text(one, "verdict", "-"));
        tool_table_cell(table, "%s", tool_json_text(one, "common", "-"));
        if (known > 0) {
            tool_table_cell(table, "%" PRIu64 "/%" PRIu64, tool_json_u64(one, "common_count", 0),
                            known);
        } else {
            tool_table_cell(table, "-");
        }
        tool_table_cell(table, "%" PRIu64, tool_json_u64(one, "unknown", 0));
    }
    int rc = tool_table_print(table, out);
    tool_table_close(table);
    return rc == 0 ? TOOL_OK : TOOL_FAILED;
}

// "1500 (2), 9000 (2)"
static void values_text(const json_t *setting, char *text, size_t size) {
    const char *value;
    json_t *count;
    size_t used = 0;
    text[0] = '\0';
    json_object_foreach(json_object_get(setting, "values"), value, count) {
        used += (size_t)snprintf(text + used, size - used, "%s%s (%" PRIu64 ")",
                                 used > 0 ? ", " : "", value, (uint64_t)json_integer_value(count));
        if (used >= size) {
            strcpy(text + size - 4, "...");
            return;
        }
    }
}

static void differences(const json_t *audit, FILE *out) {
    size_t index, number;
    const json_t *one, *odd;
    json_array_foreach(tool_json_array(audit, "settings"), index, one) {
        char text[4 * LIST_SIZE], list[LIST_SIZE];
        const char *setting = tool_json_text(one, "setting", "-");
        if (strcmp(tool_json_text(one, "verdict", "-"), "split") == 0) {
            values_text(one, list, sizeof list);
            snprintf(text, sizeof text, "SPLIT %s: %s", setting, list);
            view_sentence(out, text);
        }
        json_array_foreach(tool_json_array(one, "odd"), number, odd) {
            tool_json_join(tool_json_array(odd, "ports"), " ", list, sizeof list);
            snprintf(text, sizeof text, "ODD   %s: %s is %s; %" PRIu64 " of %" PRIu64 " have %s",
                     list[0] != '\0' ? list : tool_json_text(odd, "host", "-"), setting,
                     tool_json_text(odd, "value", "-"), tool_json_u64(one, "common_count", 0),
                     tool_json_u64(one, "known", 0), tool_json_text(one, "common", "-"));
            view_sentence(out, text);
        }
    }
}

int view_audit(const json_t *result, FILE *out) {
    summary(result, out);
    int rc = settings(result, out);
    differences(result, out);
    silent(result, out);
    return rc == TOOL_OK && ferror(out) == 0 ? TOOL_OK : TOOL_FAILED;
}
