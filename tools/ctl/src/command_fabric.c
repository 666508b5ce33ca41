// SPDX-License-Identifier: Apache-2.0
// Fabric files: checked with every error in one pass, or written out node by node.
#include "command_fabric.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "model_yaml/fabric_file.h"
#include "tool/table.h"
#include "tool/tool.h"

void fabric_complain(void *context, const struct error *error) {
    json_t *errors = context;
    if (errors != NULL) {
        json_array_append_new(errors, json_string(error->text));
    } else {
        char text[ERROR_TEXT_SIZE];
        snprintf(text, sizeof text, "%s", error->text);
        fprintf(stderr, CTL_NAME ": %s\n", tool_clean(text));
    }
}

static void digest_text(const struct fabric *fabric, char text[65]) {
    for (size_t i = 0; i < sizeof fabric->digest; i++) {
        snprintf(text + 2 * i, 3, "%02x", fabric->digest[i]);
    }
}

static int print_summary(const struct ctl *ctl, const struct fabric *fabric) {
    char digest[65];
    digest_text(fabric, digest);
    if (ctl->json) {
        return tool_print_json(
            json_pack("{s:b,s:s,s:s,s:I,s:s,s:i,s:i,s:i,s:i,s:[]}", "ok", 1, "name", fabric->name,
                      "kind", fabric->kind, "generation", (json_int_t)fabric->generation, "digest",
                      digest, "hosts", (int)fabric->host_count, "switches",
                      (int)(fabric->node_count - fabric->host_count), "ports",
                      (int)fabric->port_count, "cables", (int)fabric->cable_count, "errors"));
    }
    printf("%s: %s, generation %" PRIu64 ": %" PRIu32 " hosts (%" PRIu32 " ports), %" PRIu32
           " switches, %" PRIu32 " cables, digest %.12s\n",
           ctl->operands[0], fabric->kind, fabric->generation, fabric->host_count,
           fabric->port_count, fabric->node_count - fabric->host_count, fabric->cable_count,
           digest);
    return TOOL_OK;
}

int run_fabric_check(const struct ctl *ctl) {
    json_t *errors = ctl->json ? json_array() : NULL;
    struct fabric *fabric = NULL;
    int rc = fabric_file_load(ctl->operands[0], fabric_complain, errors, &fabric);
    if (rc != 0) {
        if (ctl->json) {
            tool_print_json(json_pack("{s:b,s:o}", "ok", 0, "errors", errors));
        }
        return rc == -EACCES ? TOOL_PERMISSION : TOOL_FAILED;
    }
    json_decref(errors);
    rc = print_summary(ctl, fabric);
    fabric_close(fabric);
    return rc;
}

static int write_failed(const char *path, int code) {
    return tool_error(CTL_NAME, code == EACCES ? TOOL_PERMISSION : TOOL_FAILED, path,
                      "cannot write: %s", strerror(code));
}

// Beside the file first, then renamed: a reader sees the old fabric or the new one, never half.
static int write_file(const struct fabric *fabric, const char *path) {
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.new-%ld", path, (long)getpid()) < 0) {
        return tool_error(CTL_NAME, TOOL_FAILED, NULL, "out of memory");
    }
    FILE *stream = fopen(temporary, "wex");
    int rc = stream != NULL ? fabric_file_write(fabric, stream) : -errno;
    if (stream != NULL && fclose(stream) != 0 && rc == 0) {
        rc = -errno;
    }
    if (rc == 0 && rename(temporary, path) != 0) {
        rc = -errno;
    }
    if (rc != 0 && stream != NULL) {
        unlink(temporary);
    }
    free(temporary);
    return rc == 0 ? TOOL_OK : write_failed(path, -rc);
}

int fabric_print(const struct ctl *ctl, const struct fabric *fabric) {
    if (ctl->out == NULL && !ctl->json) {
        int rc = fabric_file_write(fabric, stdout);
        return rc == 0 ? TOOL_OK : write_failed("standard output", -rc);
    }
    if (ctl->out != NULL) {
        int rc = write_file(fabric, ctl->out);
        return rc != TOOL_OK ? rc : print_summary(ctl, fabric);
    }
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    int rc = stream != NULL ? fabric_file_write(fabric, stream) : -ENOMEM;
    if (stream != NULL) {
        fclose(stream);
    }
    rc = rc == 0 ? tool_print_json(json_pack("{s:s}", "yaml", text)) : write_failed(NULL, -rc);
    free(text);
    return rc;
}

int run_fabric_export(const struct ctl *ctl) {
    struct fabric *fabric = NULL;
    int rc = fabric_file_load(ctl->operands[0], fabric_complain, NULL, &fabric);
    if (rc != 0) {
        return rc == -EACCES ? TOOL_PERMISSION : TOOL_FAILED;
    }
    rc = fabric_print(ctl, fabric);
    fabric_close(fabric);
    return rc;
}
