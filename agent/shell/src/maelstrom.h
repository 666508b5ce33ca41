// SPDX-License-Identifier: Apache-2.0
// One node of Maelstrom's broadcast workload (github.com/jepsen-io/maelstrom, doc/protocol.md and
// doc/workloads.md) over the gossip core that the agent runs, so that an outside judge can test it.
// Pure: lines and the time in, lines out; maelstrom_run has the loop and the clock.
//
// A broadcast value becomes part of a record of the node's own origin; a read answers the values of
// all origins that were ever known, dead ones too. A node is ready (init_ok) once it knows all
// others. Core messages wait up to MAELSTROM_FLUSH_NS for others to the same node, so a node sends
// at most one line per neighbour in that time; a broadcast is acknowledged when it has left.
//
// Figures (25 nodes, 100 ms, 100 operations a second, half of them broadcasts): 25 nodes x 8
// neighbours x 8.3 flushes = 1,670 lines a second = 17 an operation; after the acknowledgement two
// hops take at most 100 + 120 + 100 ms, three 540 ms.
#ifndef AGENT_SHELL_MAELSTROM_H
#define AGENT_SHELL_MAELSTROM_H

#include "maelstrom_wire.h"

#define MAELSTROM_LINE_MAX (16U << 20)
#define MAELSTROM_FLUSH_NS (120 * NS_PER_MS)

struct maelstrom;

// `nonce` and `seed` are those of the core. -ENOMEM.
int maelstrom_open(uint32_t nonce, uint64_t seed, struct maelstrom **out);
void maelstrom_close(struct maelstrom *node); // NULL is a no-op

void maelstrom_line(struct maelstrom *node, uint64_t now_ns, const char *line, size_t size);
void maelstrom_tick(struct maelstrom *node, uint64_t now_ns);
uint64_t maelstrom_deadline_ns(const struct maelstrom *node); // of the next tick; NEVER_NS: none

// What is to be written to standard output and standard error. The caller empties both (size = 0);
// `failed`: memory was short, the node has lost something and should end.
struct text *maelstrom_output(struct maelstrom *node);
struct text *maelstrom_log(struct maelstrom *node);

// The program: lines from in_fd until its end, answers to out_fd, the log to stderr. Returns an
// exit code.
int maelstrom_run(int in_fd, int out_fd);

#endif
