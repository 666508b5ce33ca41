// SPDX-License-Identifier: Apache-2.0
// What fleet.keys and host.secret have in common: a guarded file of words.
#ifndef GOSSIP_ZMQ_KEY_FILE_H
#define GOSSIP_ZMQ_KEY_FILE_H

#include <stdio.h>
#include <sys/types.h>

#include "model/error.h"

#define KEY_LINE_SIZE 512 // host, two keys, address and a comment

// Opens a key file and refuses one whose mode has a bit of `forbidden`.
int key_file_open(const char *path, mode_t forbidden, const char *why, FILE **out,
                  struct error *error);
// Takes the next word off the line; NULL at its end or at a comment. A key may contain '#' but not
// begin with it: the first of five Z85 letters for 32 bits never gets that far in the alphabet.
char *key_file_word(char **line);

#endif
