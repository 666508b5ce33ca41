# SPDX-License-Identifier: Apache-2.0
if(TARGET agent_core)
  foreach(unit buckets monitors prober walk)
    srv6_test(test_${unit} LABEL unit SOURCES unit/test_${unit}.c LIBRARIES agent_core)
    target_include_directories(test_${unit} PRIVATE ${PROJECT_SOURCE_DIR}/agent/core/src)
  endforeach()

  add_library(agents_sim STATIC support/agents_sim.c)
  target_include_directories(agents_sim PUBLIC support)
  target_link_libraries(agents_sim PUBLIC agent_core PRIVATE srv6_options)
  srv6_test(prop_agents LABEL property SOURCES property/prop_agents.c LIBRARIES agents_sim TIMEOUT 120)
endif()
