# SPDX-License-Identifier: Apache-2.0
if(TARGET sim)
  srv6_test(test_fluid LABEL unit SOURCES unit/test_fluid.c LIBRARIES sim)
  srv6_test(test_scenario LABEL unit SOURCES unit/test_scenario.c LIBRARIES sim)
  srv6_test(prop_fluid LABEL property SOURCES property/prop_fluid.c LIBRARIES sim m)

  srv6_test(prop_run_flows LABEL property SOURCES property/prop_run_flows.c LIBRARIES sim fleet_fixture m)
  srv6_fuzz(fuzz_scenario SOURCES fuzz/fuzz_scenario.c LIBRARIES sim CORPUS fuzz/corpus/scenario)

  add_test(NAME test_sim_run
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/../unit/test_sim_run $<TARGET_FILE:srv6-sim> ${CMAKE_CURRENT_LIST_DIR}/..)
  set_tests_properties(test_sim_run PROPERTIES LABELS unit TIMEOUT 120 SKIP_RETURN_CODE 77)

  add_test(NAME test_sim_locate
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/../unit/test_sim_locate $<TARGET_FILE:srv6-sim> ${CMAKE_CURRENT_LIST_DIR}/..)
  set_tests_properties(test_sim_locate PROPERTIES LABELS unit TIMEOUT 120 SKIP_RETURN_CODE 77)

  add_test(NAME test_sim_gossip
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/../unit/test_sim_gossip $<TARGET_FILE:srv6-sim>)
  set_tests_properties(test_sim_gossip PROPERTIES LABELS unit TIMEOUT 120 SKIP_RETURN_CODE 77)
  # The fleet of 10,240 hosts: about ten seconds of processor time, ten times that with sanitizers.
  add_test(NAME test_sim_gossip_large
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/../unit/test_sim_gossip $<TARGET_FILE:srv6-sim> large)
  set_tests_properties(test_sim_gossip_large PROPERTIES LABELS "property;large" TIMEOUT 400 SKIP_RETURN_CODE 77)

  # Scenarios with golden traces. Those with 128 agents need about 20 s of processor time each: `ctest -LE large` leaves
  # them out.
  set(scenarios adaptive-cut adaptive-half-link agent-killed cut-heal drain dual-plane half-link half-link-stale healthy
    one-way-three-tier partition pause rail two-jobs)
  foreach(scenario ${scenarios} large-adaptive large-cut)
    add_test(NAME scenario_${scenario}
      COMMAND ${CMAKE_CURRENT_LIST_DIR}/../scenario/run $<TARGET_FILE:srv6-sim> ${scenario})
    set_tests_properties(scenario_${scenario} PROPERTIES LABELS scenario TIMEOUT 60)
  endforeach()
  set_tests_properties(scenario_large-adaptive scenario_large-cut PROPERTIES LABELS "scenario;large" TIMEOUT 400)
endif()
