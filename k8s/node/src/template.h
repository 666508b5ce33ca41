// SPDX-License-Identifier: Apache-2.0
// Replaces ${NAME} in a text. Nothing else is special: a $ that no { follows stays.
#ifndef NODE_TEMPLATE_H
#define NODE_TEMPLATE_H

#include <stddef.h>

#include "variables.h"

// *out is owned by the caller. -EINVAL with "SOURCE:LINE: ..." for a name that nothing sets.
int template_expand(const char *source, const char *text, const struct variables *variables,
                    char **out, size_t *size, struct error *error);

#endif
