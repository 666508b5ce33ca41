// SPDX-License-Identifier: Apache-2.0
// What a host needs before its port can take part: the port's own uSID address on `lo` (returning
// probes are UDP to it) and seg6_enabled on the device (a returning probe may carry a segment
// routing header).
//
// It adds what is missing and may be added, and never takes anything away: another agent or the
// next life of this one relies on it. Errors: -errno with a sentence that says what to do.
#ifndef AGENT_SHELL_PORT_SETUP_H
#define AGENT_SHELL_PORT_SETUP_H

#include "agent_shell/probe_socket.h"
#include "model/error.h"

// -ENODEV for an unknown device, -EPERM without CAP_NET_ADMIN where the address is missing.
int port_setup_address(const struct probe_port *port, struct error *error);
// -ENOTSUP: the kernel has no IPv6 SR; -EACCES: it is off and may not be switched on.
int port_setup_seg6(const struct probe_port *port, struct error *error);

#endif
