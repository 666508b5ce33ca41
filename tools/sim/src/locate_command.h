// SPDX-License-Identifier: Apache-2.0
// srv6-sim locate: how many probes it takes to find which link is broken. An exit code of tool.h.
#ifndef SIM_LOCATE_COMMAND_H
#define SIM_LOCATE_COMMAND_H

int locate_command(int argc, char **argv);

#endif
