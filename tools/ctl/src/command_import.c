// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "command_fabric.h"
#include "commands.h"
#include "import.h"
#include "tool/tool.h"

int run_fabric_import(const struct ctl *ctl) {
    const char *path = ctl->operands[0];
    FILE *input = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (input == NULL) {
        return tool_error(CTL_NAME, errno == EACCES ? TOOL_PERMISSION : TOOL_FAILED, path, "%s",
                          strerror(errno));
    }
    struct import_options options = {
        .source = path,
        .leaf_pattern = ctl->leaf_pattern != NULL ? ctl->leaf_pattern : "leaf*",
        .spine_pattern = ctl->spine_pattern != NULL ? ctl->spine_pattern : "spine*",
        .name = ctl->fabric_name != NULL ? ctl->fabric_name : "imported",
        .block = ctl->block != NULL ? ctl->block : "fcbb:bb00::/32",
    };
    struct fabric *fabric = import_links(input, &options, fabric_complain, NULL);
    if (input != stdin) {
        fclose(input);
    }
    if (fabric == NULL) {
        return TOOL_FAILED;
    }
    int rc = fabric_print(ctl, fabric);
    fabric_close(fabric);
    return rc;
}
