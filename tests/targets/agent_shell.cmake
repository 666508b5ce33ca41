# SPDX-License-Identifier: Apache-2.0
srv6_test(test_agent_probe_packet LABEL unit
  SOURCES unit/test_agent_probe_packet.c LIBRARIES agent_probe)
srv6_test(test_agent_probe_io LABEL lab
  SOURCES unit/test_agent_probe_io.c LIBRARIES agent_probe)
