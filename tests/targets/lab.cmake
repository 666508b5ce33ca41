# SPDX-License-Identifier: Apache-2.0
# Tests that raise a lab: they need root and the kernel's SRv6, and skip (77) with the reason otherwise.
foreach(name fabric parallel cut traffic)
  add_test(NAME lab_${name}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/lab/lab_${name}.sh ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${CMAKE_SOURCE_DIR})
  set_tests_properties(lab_${name} PROPERTIES LABELS lab TIMEOUT 120 SKIP_RETURN_CODE 77)
endforeach()

# The whole daemon on real packets. They start what other tests start, and load two cores: one after the other.
foreach(name placement cut flap restart orders curve refusals ports ecn capacity pods audit trace)
  add_test(NAME agent_${name}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/lab/agent_${name}.sh ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${CMAKE_SOURCE_DIR})
  set_tests_properties(agent_${name} PROPERTIES LABELS lab TIMEOUT 300 SKIP_RETURN_CODE 77 RESOURCE_LOCK agents)
endforeach()

# Two kinds of faults of six, of which the seed says which: each run looks at others, within a minute. All of them, and ten
# minutes of load: agent_diagnosis.sh BIN SOURCE --cases 20 --busy 600.
add_test(NAME agent_diagnosis
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/lab/agent_diagnosis.sh ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${CMAKE_SOURCE_DIR}
    --cases 2 --busy 3)
set_tests_properties(agent_diagnosis PROPERTIES LABELS lab TIMEOUT 180 SKIP_RETURN_CODE 77 RESOURCE_LOCK agents)

srv6_test(test_traffic LABEL unit SOURCES unit/test_traffic.c LIBRARIES traffic)

# What the mlx5 driver lays before a packet, next to the kernel's own.
if(TARGET mlx5_layout)
  add_executable(mlx5_header_hex lab/mlx5_header_hex.c)
  set_target_properties(mlx5_header_hex PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(mlx5_header_hex PRIVATE srv6_options mlx5_layout)
  add_test(NAME mlx5_header COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/lab/mlx5_header.sh ${CMAKE_BINARY_DIR}/tests)
  set_tests_properties(mlx5_header PROPERTIES LABELS lab TIMEOUT 60 SKIP_RETURN_CODE 77)
endif()
