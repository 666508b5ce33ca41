// SPDX-License-Identifier: Apache-2.0
// srv6-sim gossip: how fast an event is known to a large fleet, and what it costs.
#ifndef SIM_GOSSIP_COMMAND_H
#define SIM_GOSSIP_COMMAND_H

int gossip_command(int argc, char **argv); // argv[0] is "gossip"; returns an exit code

#endif
