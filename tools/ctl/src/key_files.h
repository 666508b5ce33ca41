// SPDX-License-Identifier: Apache-2.0
// The folder that the keys commands work in: fleet.keys, NAME.secret, NAME.secret.next (formats:
// gossip_zmq/keys.h). What fails has been printed; functions return the tool's exit code.
#ifndef CTL_KEY_FILES_H
#define CTL_KEY_FILES_H

#include "gossip_zmq/keys.h"
#include "options.h"

#define KEY_PATH_SIZE 4096
#define KEY_LINE_SIZE 256

struct key_paths {
    char fleet[KEY_PATH_SIZE], secret[KEY_PATH_SIZE], next[KEY_PATH_SIZE];
};

// Checks --out, --host and --address, and names the files.
int key_paths_of(const struct ctl *ctl, struct key_paths *out);
// -EPERM and such -> the tool's exit code; prints error.text.
int key_error(int rc, const struct error *error);
// Makes a pair, its secret into `secret_path`, its line at the end of `fleet_path`; prints it.
int key_make_pair(const struct ctl *ctl, const char *secret_path, const char *fleet_path,
                  const char *address);
// Prints the line of fleet.keys for --host with these keys.
int key_print_line(const struct ctl *ctl, const struct curve_key *key);

#endif
