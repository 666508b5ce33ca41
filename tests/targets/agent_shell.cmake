# SPDX-License-Identifier: Apache-2.0
srv6_test(test_agent_probe_packet LABEL unit
  SOURCES unit/test_agent_probe_packet.c LIBRARIES agent_probe)
srv6_test(test_agent_probe_io LABEL lab
  SOURCES unit/test_agent_probe_io.c LIBRARIES agent_probe)
# tests/bench/probes: what the probes cost, next to a plain prober.
add_executable(bench_probes bench/bench_probes.c)
set_target_properties(bench_probes PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(bench_probes PRIVATE srv6_options agent_probe)
srv6_test(test_agent_log LABEL unit
  SOURCES unit/test_agent_log.c LIBRARIES agent_log jansson)
if(TARGET agent_config)
  srv6_test(test_agent_config LABEL unit
    SOURCES unit/test_agent_config.c LIBRARIES agent_config model_yaml)
  target_compile_definitions(test_agent_config PRIVATE SRV6_KUBERNETES=$<BOOL:${KUBERNETES}>
    AGENT_EXAMPLE="${PROJECT_SOURCE_DIR}/agent/shell/agent.example.yaml")
endif()
if(TARGET agent_config AND KUBERNETES)
  srv6_test(test_config_pods LABEL unit
    SOURCES unit/test_config_pods.c LIBRARIES agent_config model_yaml)
endif()
srv6_test(test_agent_control LABEL unit
  SOURCES unit/test_agent_control.c LIBRARIES agent_control)

srv6_test(test_library LABEL unit SOURCES unit/test_library.c LIBRARIES agent_library)
srv6_test(test_metric_text LABEL unit SOURCES unit/test_metric_text.c LIBRARIES agent_http)

if(TARGET agent_answers)
  add_library(agent_bed STATIC support/agent_bed.c)
  target_include_directories(agent_bed PUBLIC support ${PROJECT_SOURCE_DIR}/agent/shell/src)
  target_link_libraries(agent_bed PUBLIC fleet_fixture agent_answers PRIVATE srv6_options)
  add_executable(bench_metrics bench/bench_metrics.c)
  set_target_properties(bench_metrics PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(bench_metrics PRIVATE srv6_options agent_bed jansson)
  srv6_test(test_side LABEL unit SOURCES unit/test_side.c LIBRARIES agent_answers)
  target_include_directories(test_side PRIVATE ${PROJECT_SOURCE_DIR}/agent/shell/src)
  foreach(unit cnps commands job_json metrics reload seen views)
    srv6_test(test_agent_${unit} LABEL unit SOURCES unit/test_agent_${unit}.c
      LIBRARIES agent_bed model_yaml)
  endforeach()
endif()

if(TARGET agent_pods)
  srv6_test(test_pods LABEL unit SOURCES unit/test_pods.c LIBRARIES agent_pods)
  target_include_directories(test_pods PRIVATE support)
  srv6_fuzz(fuzz_agent_pod SOURCES fuzz/fuzz_agent_pod.c LIBRARIES agent_pods CORPUS fuzz/corpus/agent_pod)
endif()

srv6_fuzz(fuzz_probe_packet SOURCES fuzz/fuzz_probe_packet.c LIBRARIES agent_probe
  CORPUS fuzz/corpus/probe_packet)
if(TARGET traffic)
  srv6_fuzz(fuzz_roce SOURCES fuzz/fuzz_roce.c LIBRARIES traffic CORPUS fuzz/corpus/roce)
endif()
if(TARGET agent_config)
  srv6_fuzz(fuzz_agent_config SOURCES fuzz/fuzz_agent_config.c LIBRARIES agent_config
    CORPUS fuzz/corpus/agent_config)
endif()
if(TARGET agent_answers)
  foreach(fuzz control job)
    srv6_fuzz(fuzz_agent_${fuzz} SOURCES fuzz/fuzz_agent_${fuzz}.c LIBRARIES agent_bed
      CORPUS fuzz/corpus/agent_${fuzz})
  endforeach()
endif()

if(TARGET fleet_fixture)
  srv6_test(prop_hostile LABEL property SOURCES property/prop_hostile.c LIBRARIES fleet_fixture
    TIMEOUT 120)
endif()

add_test(NAME agent_shell_abuse
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/../lab/agent_shell_abuse.sh ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}
    ${PROJECT_SOURCE_DIR})
set_tests_properties(agent_shell_abuse PROPERTIES LABELS lab TIMEOUT 120 SKIP_RETURN_CODE 77)
add_test(NAME monitoring COMMAND ${CMAKE_CURRENT_LIST_DIR}/../k8s/monitoring ${PROJECT_SOURCE_DIR})
set_tests_properties(monitoring PROPERTIES LABELS unit TIMEOUT 60 SKIP_RETURN_CODE 77)
add_test(NAME agent_events
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/../lab/agent_events ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${PROJECT_SOURCE_DIR})
set_tests_properties(agent_events PROPERTIES LABELS lab TIMEOUT 120 SKIP_RETURN_CODE 77)
add_test(NAME agent_seeds
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/../lab/agent_seeds ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${PROJECT_SOURCE_DIR})
set_tests_properties(agent_seeds PROPERTIES LABELS lab TIMEOUT 240 SKIP_RETURN_CODE 77)
add_test(NAME agent_metrics
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/../lab/agent_metrics ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${PROJECT_SOURCE_DIR})
set_tests_properties(agent_metrics PROPERTIES LABELS lab TIMEOUT 180 SKIP_RETURN_CODE 77)

srv6_test(test_agent_maelstrom LABEL unit SOURCES unit/test_agent_maelstrom.c LIBRARIES agent_maelstrom)
target_include_directories(test_agent_maelstrom PRIVATE ${PROJECT_SOURCE_DIR}/agent/shell/src)
srv6_fuzz(fuzz_agent_maelstrom SOURCES fuzz/fuzz_agent_maelstrom.c LIBRARIES agent_maelstrom
  CORPUS fuzz/corpus/agent_maelstrom)
target_include_directories(fuzz_agent_maelstrom PRIVATE ${PROJECT_SOURCE_DIR}/agent/shell/src)
if(TARGET srv6-agent)
  add_test(NAME test_maelstrom
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/../unit/test_maelstrom $<TARGET_FILE:srv6-agent> ${CMAKE_CURRENT_LIST_DIR}/..)
  set_tests_properties(test_maelstrom PROPERTIES LABELS property TIMEOUT 120 SKIP_RETURN_CODE 77)
endif()

# The Kubernetes API.
if(TARGET agent_seeds)
  srv6_test(test_seeds_list LABEL unit SOURCES unit/test_seeds_list.c LIBRARIES agent_seeds agent_kube_stream)
  srv6_fuzz(fuzz_kube SOURCES fuzz/fuzz_kube.c LIBRARIES agent_seeds agent_kube_stream CORPUS fuzz/corpus/kube)
endif()
if(KUBERNETES)
  add_executable(kube_watcher support/kube_watcher.c)
  set_target_properties(kube_watcher PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(kube_watcher PRIVATE srv6_options agent_kube)
  add_test(NAME test_kube COMMAND ${CMAKE_CURRENT_LIST_DIR}/../unit/test_kube $<TARGET_FILE:kube_watcher>)
  set_tests_properties(test_kube PROPERTIES LABELS unit TIMEOUT 180 SKIP_RETURN_CODE 77)
endif()
