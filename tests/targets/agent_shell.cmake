# SPDX-License-Identifier: Apache-2.0
srv6_test(test_agent_probe_packet LABEL unit
  SOURCES unit/test_agent_probe_packet.c LIBRARIES agent_probe)
srv6_test(test_agent_probe_io LABEL lab
  SOURCES unit/test_agent_probe_io.c LIBRARIES agent_probe)
srv6_test(test_agent_log LABEL unit
  SOURCES unit/test_agent_log.c LIBRARIES agent_log jansson)
if(TARGET agent_config)
  srv6_test(test_agent_config LABEL unit
    SOURCES unit/test_agent_config.c LIBRARIES agent_config model_yaml)
  target_compile_definitions(test_agent_config PRIVATE
    AGENT_EXAMPLE="${PROJECT_SOURCE_DIR}/agent/shell/agent.example.yaml")
endif()
srv6_test(test_agent_control LABEL unit
  SOURCES unit/test_agent_control.c LIBRARIES agent_control)
