// SPDX-License-Identifier: Apache-2.0
// How this host is set up (model/host_facts.h): read now and then in a thread of its own, since a
// driver may ask its firmware, and told to the engine, which tells the fleet. Inside of srv6-agent
// only.
#ifndef AGENT_SHELL_SETTINGS_H
#define AGENT_SHELL_SETTINGS_H

#include <stdint.h>

struct agent;
struct settings_reader;
struct side;

struct agent_settings {
    struct settings_reader *reader;
    struct side *side; // NULL: not begun
    uint64_t read_at_ns;
};

// Starts a reading when the last one is long enough ago. Calls agent_step when it ends.
void agent_settings_look(struct agent *agent);
// Ends the readings. Before the loop's handles are closed.
void agent_settings_close(struct agent_settings *settings);

#endif
