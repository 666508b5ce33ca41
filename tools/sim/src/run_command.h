// SPDX-License-Identifier: Apache-2.0
#ifndef SIM_RUN_COMMAND_H
#define SIM_RUN_COMMAND_H

int run_command(int argc, char **argv); // `srv6-sim run`; returns an exit code of tool.h

#endif
