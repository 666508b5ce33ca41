// SPDX-License-Identifier: Apache-2.0
// srv6-sim figure: the paper's figures, as tables, JSON and plots.
#ifndef SIM_FIGURE_COMMAND_H
#define SIM_FIGURE_COMMAND_H

int figure_command(int argc, char **argv); // argv[0] is "figure"; returns an exit code

#endif
