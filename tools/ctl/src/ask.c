// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>

#include "commands.h"
#include "control_client/control.h"
#include "tool/tool.h"

int ctl_ask(const struct ctl *ctl, const char *command, json_t *arguments, json_t **result) {
    char path[CONTROL_PATH_SIZE];
    struct control_problem problem;
    int rc = control_find(ctl->socket, ctl->host, path, &problem);
    if (rc == 0) {
        rc = control_call(path, ctl->timeout_ns, command, arguments, result, &problem);
    }
    json_decref(arguments);
    return rc == 0 ? TOOL_OK : tool_error(CTL_NAME, problem.exit_code, NULL, "%s", problem.text);
}

int ctl_show(const struct ctl *ctl, const char *command, json_t *arguments, ctl_view *view) {
    json_t *result = NULL;
    int rc = ctl_ask(ctl, command, arguments, &result);
    if (rc != TOOL_OK) {
        return rc;
    }
    if (ctl->json) {
        return tool_print_json(result);
    }
    rc = view(result, stdout);
    json_decref(result);
    return rc;
}

int ctl_change(const struct ctl *ctl, const char *command, json_t *arguments, const char *format,
               ...) {
    if (ctl->force) {
        json_object_set_new(arguments, "force", json_true());
    }
    json_t *result = NULL;
    int rc = ctl_ask(ctl, command, arguments, &result);
    if (rc != TOOL_OK) {
        return rc;
    }
    if (ctl->json) {
        return tool_print_json(result);
    }
    json_decref(result);
    va_list values;
    va_start(values, format);
    char text[512];
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    view_sentence(stdout, text);
    return TOOL_OK;
}
