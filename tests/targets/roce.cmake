# SPDX-License-Identifier: Apache-2.0
if(RDMA)
  add_executable(nic_facts roce/nic_facts.c)
  set_target_properties(nic_facts PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(nic_facts PRIVATE srv6_options nicdrv mlx5_preflight)
endif()
