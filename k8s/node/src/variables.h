// SPDX-License-Identifier: Apache-2.0
// What ${NAME} in a template stands for. In this order: the line of this node in the file `nodes`,
// its line for all nodes (*), the environment, and what follows from those:
//
//   HOST          NODE_NAME
//   HOST_ADDRESS  HOST_IP, in brackets when it is an IPv6 address
//
//   # nodes: one node a line
//   gpu-17.example.com  HOST=h17 DEVICE=ens1np0
//   *                   DEVICE=eth1
//
// Names are of capital letters, digits and _. Pure but for the environment, which comes in by a
// function. Values are copied.
#ifndef NODE_VARIABLES_H
#define NODE_VARIABLES_H

#include <stdbool.h>

#include "model/error.h"

#define VARIABLES_MAX 64
#define VARIABLE_NAME_SIZE 32
#define VARIABLE_VALUE_SIZE 256

struct variable {
    char name[VARIABLE_NAME_SIZE], value[VARIABLE_VALUE_SIZE];
    int line;      // where it was set in `nodes`
    bool specific; // by the node's own line
};

struct variables {
    struct variable list[VARIABLES_MAX];
    unsigned count;
    const char *(*environment)(const char *name); // getenv; borrowed
};

// Reads the lines of `text` that concern `node`. -EINVAL with "nodes:LINE: ..."; what stands in
// other nodes' lines is checked as well.
int variables_read(struct variables *variables, const char *text, const char *node,
                   struct error *error);
// NULL: nothing sets it. The result lives as long as `variables` or until the next call.
const char *variables_find(const struct variables *variables, const char *name,
                           char scratch[VARIABLE_VALUE_SIZE]);

#endif
