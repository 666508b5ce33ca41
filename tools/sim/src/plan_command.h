// SPDX-License-Identifier: Apache-2.0
// srv6-sim plan: the plan of every host, each computed as that host's agent would, and its score.
#ifndef SIM_PLAN_COMMAND_H
#define SIM_PLAN_COMMAND_H

int plan_command(int argc, char **argv); // argv[0] is "plan"; returns an exit code

#endif
