# SPDX-License-Identifier: Apache-2.0
# Real RoCEv2 between virtual machines, steered by real agents, for each NIC driver. They skip (77) with the reason where
# machines cannot be had. Both cores are busy with emulating: one after the other, and not beside the agents of other tests.
foreach(driver ebpf mlx5)
  add_test(NAME roce_${driver}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/roce/roce_steering.sh ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${CMAKE_SOURCE_DIR} ${driver})
  set_tests_properties(roce_${driver} PROPERTIES LABELS roce TIMEOUT 600 SKIP_RETURN_CODE 77 RESOURCE_LOCK agents)
endforeach()
if(RDMA)
  add_executable(nic_facts roce/nic_facts.c)
  set_target_properties(nic_facts PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(nic_facts PRIVATE srv6_options nicdrv mlx5_preflight)
endif()
