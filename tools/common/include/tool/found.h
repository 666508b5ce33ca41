// SPDX-License-Identifier: Apache-2.0
// What an agent's localization found on a link, in a word or two.
#ifndef TOOL_FOUND_H
#define TOOL_FOUND_H

#include <jansson.h>

#define TOOL_FOUND_SIZE 64

// Of an element of the `links` that an agent answers: "lossy 1.2%", "slow +18.0us", "spine lossy
// 100.0%", "suspect"; "-" when it is nothing.
void tool_format_found(const json_t *link, char text[TOOL_FOUND_SIZE]);

#endif
