// SPDX-License-Identifier: Apache-2.0
// `srv6-agent --selftest-nic DEV`: what a NIC accepts, as a table or one JSON document on stdout.
// Inside of srv6-agent only.
#ifndef AGENT_SHELL_SELFTEST_H
#define AGENT_SHELL_SELFTEST_H

#include <stdbool.h>

// Returns the exit code of the tool: TOOL_UNHEALTHY when the device differs from what is expected
// of its kind. What was wrong has been printed.
int selftest_run(const char *device, bool json);

#endif
