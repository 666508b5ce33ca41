// SPDX-License-Identifier: Apache-2.0
// Keys: a new pair for one host, the public line of a secret, and a look at the fleet's file.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "gossip_zmq/keys.h"
#include "key_files.h"
#include "tool/table.h"
#include "tool/tool.h"

int run_keys_generate(const struct ctl *ctl) {
    struct key_paths paths;
    int rc = key_paths_of(ctl, &paths);
    if (rc != TOOL_OK) {
        return rc;
    }
    if (mkdir(ctl->out, 0700) != 0 && errno != EEXIST) {
        return tool_error(CTL_NAME, errno == EACCES ? TOOL_PERMISSION : TOOL_FAILED, ctl->out, "%s",
                          strerror(errno));
    }
    return key_make_pair(ctl, paths.secret, paths.fleet, ctl->address);
}

int run_keys_line(const struct ctl *ctl) {
    struct key_paths paths;
    struct curve_key key = {0};
    struct error error;
    char secret_key[CURVE_KEY_TEXT_SIZE];
    int rc = key_paths_of(ctl, &paths);
    if (rc != TOOL_OK) {
        return rc;
    }
    rc = curve_secret_load(ctl->operands[0], secret_key, key.public_key, &error);
    if (rc != 0) {
        return key_error(rc, &error);
    }
    rc = curve_sign_key(secret_key, key.sign_key);
    explicit_bzero(secret_key, sizeof secret_key);
    if (rc != 0) {
        return tool_error(CTL_NAME, TOOL_FAILED, ctl->operands[0], "%s", strerror(-rc));
    }
    if (ctl->address != NULL) {
        snprintf(key.address, sizeof key.address, "%s", ctl->address);
    }
    return key_print_line(ctl, &key);
}

static int print_keys(const struct ctl *ctl, const struct curve_keys *keys) {
    static const struct tool_column columns[] = {{"HOST", false},
                                                 {"CURVE KEY", false},
                                                 {"SIGNING KEY", false},
                                                 {"ADDRESS", false}};
    json_t *list = json_array();
    struct tool_table *table = tool_table_open(columns, 4);
    for (uint32_t i = 0; table != NULL && i < keys->count; i++) {
        const struct curve_key *key = &keys->keys[i];
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s}", "host", key->host, "public_key",
                                              key->public_key, "sign_key", key->sign_key, "address",
                                              key->address));
        tool_table_cell(table, "%s", key->host);
        tool_table_cell(table, "%s", key->public_key);
        tool_table_cell(table, "%s", key->sign_key);
        tool_table_cell(table, "%s", key->address[0] != '\0' ? key->address : "-");
    }
    int rc = TOOL_FAILED;
    if (ctl->json) {
        rc = tool_print_json(json_pack("{s:o}", "keys", list));
    } else {
        rc = table != NULL && tool_table_print(table, stdout) == 0 ? TOOL_OK : TOOL_FAILED;
        json_decref(list);
    }
    tool_table_close(table);
    return rc;
}

int run_keys_list(const struct ctl *ctl) {
    struct curve_keys keys = {0};
    struct error error;
    int rc = curve_keys_load(ctl->operands[0], &keys, &error);
    if (rc != 0) {
        return key_error(rc, &error);
    }
    rc = print_keys(ctl, &keys);
    curve_keys_fini(&keys);
    return rc;
}
