# SPDX-License-Identifier: Apache-2.0
if(TARGET agent_core)
  foreach(unit buckets monitors prober walk)
    srv6_test(test_${unit} LABEL unit SOURCES unit/test_${unit}.c LIBRARIES agent_core)
    target_include_directories(test_${unit} PRIVATE ${PROJECT_SOURCE_DIR}/agent/core/src)
  endforeach()

endif()

if(TARGET sim_fleet)
  add_library(fleet_fixture STATIC support/fleet_fixture.c)
  target_include_directories(fleet_fixture PUBLIC support)
  target_link_libraries(fleet_fixture PUBLIC sim_fleet PRIVATE srv6_options)
  srv6_test(prop_planes LABEL property SOURCES property/prop_planes.c LIBRARIES fleet_fixture TIMEOUT 120)
  srv6_test(prop_flap LABEL property SOURCES property/prop_flap.c LIBRARIES fleet_fixture TIMEOUT 120)
  srv6_test(prop_liar LABEL property SOURCES property/prop_liar.c LIBRARIES fleet_fixture TIMEOUT 120)
  srv6_test(test_loads LABEL unit SOURCES unit/test_loads.c LIBRARIES fleet_fixture)
  srv6_test(prop_agents LABEL property SOURCES property/prop_agents.c LIBRARIES fleet_fixture TIMEOUT 120)
endif()
