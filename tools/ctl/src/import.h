// SPDX-License-Identifier: Apache-2.0
// A list of links (from LLDP neighbours or an inventory) as a fabric.
//
//   # a, b, Gbit/s[, parallel cables]
//   h0,leaf0,400
//   leaf0,spine0,400,2
//
// Blank lines, lines that begin with '#' and a heading "a,b,..." are skipped. What a node is, its
// name says: two shell patterns tell leaves and spines, everything else is a host. Ends may stand
// in either order. A pair listed twice is an error: LLDP sees each link from both ends, and nobody
// but the user knows whether that means two cables.
#ifndef CTL_IMPORT_H
#define CTL_IMPORT_H

#include <stdio.h>

#include "model/fabric.h"

struct import_options {
    const char *source; // stands in messages
    const char *leaf_pattern, *spine_pattern;
    const char *name, *block;
};

// Returns owned (fabric_close), or NULL after complaining about everything that is wrong.
struct fabric *import_links(FILE *input, const struct import_options *options,
                            fabric_complain_fn *complain, void *context);

#endif
