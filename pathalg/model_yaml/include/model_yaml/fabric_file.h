// SPDX-License-Identifier: Apache-2.0
// Fabric files (YAML) <-> struct fabric. Every error of a file is complained about in one pass, in
// order of lines ("fabric.yaml:14: leaf3: link to unknown node spine9").
//
//   version: 1                      generation: 1            name: paper-128
//   block: fcbb:bb00::/32           ipv4_base: 10.64.0.0     ipv6_base: "fd64::"      (optional)
//   clos: {kind: leaf-spine, leaves, spines, hosts_per_leaf, [cables], [ports_per_host], host_gbps,
//          fabric_gbps}
//   clos: {kind: three-tier, pods, leaves_per_pod, aggs_per_pod, cores, hosts_per_leaf, ...}
//   clos: {kind: rail-optimized, rails, groups, hosts_per_group, spines, [cables], host_gbps,
//          fabric_gbps}
//   clos: {kind: dual-plane, leaves, spines, hosts_per_leaf, [cables], host_gbps, fabric_gbps}
//   or, instead of clos:
//   nodes: [{name, kind: host|leaf|agg|spine|core, [pod], [usid]}]
//   links: [{a, b, gbps, [cables], [ipv4], [ipv6]}]
//   and optionally overrides: [{link: leaf0-spine0, capacity: 0.5}]
//
// What the kinds mean: struct fabric_clos_desc in model/fabric.h. Planes are not written down: they
// follow from what the links join. ipv4 and ipv6 of a link are the address of the host's port.
// Ownership: *out is the caller's (fabric_close) and untouched on failure.
#ifndef MODEL_YAML_FABRIC_FILE_H
#define MODEL_YAML_FABRIC_FILE_H

#include <stdio.h>

#include "model/fabric.h"

// 0; -EINVAL when something was complained about, -errno when the file could not be read.
int fabric_file_load(const char *path, fabric_complain_fn *complain, void *context,
                     struct fabric **out);
// The same for a text in memory; `name` stands in the messages.
int fabric_file_parse(const char *name, const char *text, size_t size, fabric_complain_fn *complain,
                      void *context, struct fabric **out);
// Writes the listed form, which loads to a fabric of the same digest. -EIO when the stream fails.
int fabric_file_write(const struct fabric *fabric, FILE *stream);

#endif
