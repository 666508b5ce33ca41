// SPDX-License-Identifier: Apache-2.0
// Shared by the fabric commands.
#ifndef CTL_COMMAND_FABRIC_H
#define CTL_COMMAND_FABRIC_H

#include "model/fabric.h"
#include "options.h"

// fabric_complain_fn: `context` is a JSON array that collects the texts, or NULL: stderr.
void fabric_complain(void *context, const struct error *error);
// Writes the fabric as YAML to --out FILE (and a summary to stdout), else to stdout.
int fabric_print(const struct ctl *ctl, const struct fabric *fabric);

#endif
