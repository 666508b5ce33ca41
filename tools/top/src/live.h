// SPDX-License-Identifier: Apache-2.0
// The live view: terminal, keys, documents and signals in one loop of poll.
#ifndef TOP_LIVE_H
#define TOP_LIVE_H

#include "options.h"

// Runs until the user quits; the tool's exit code.
int top_live(const struct top_options *options);

#endif
