# SPDX-License-Identifier: Apache-2.0
# The mlx5 driver, its emulated device (support/fakecx) and software eSwitch (support/softcx).

# The software eSwitch: its executor, and the daemon that carries packets.
add_library(softcx_model STATIC support/softcx/softcx_exec.c support/softcx/softcx_key.c support/softcx/softcx_model.c
  support/softcx/softcx_modify.c support/softcx/softcx_wire.c)
target_include_directories(softcx_model PUBLIC support/softcx)
target_link_libraries(softcx_model PRIVATE srv6_options)
srv6_program(softcx SOURCES support/softcx/softcx.c support/softcx/softcx_port.c support/softcx/softcx_serve.c
  support/softcx/softcx_stats.c LIBRARIES softcx_model)
set_target_properties(softcx PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

if(RDMA)
  foreach(part header prm)
    srv6_test(test_mlx5_${part} LABEL unit SOURCES unit/test_mlx5_${part}.c LIBRARIES mlx5_layout TIMEOUT 10)
  endforeach()
  srv6_test(prop_mlx5_layout LABEL property SOURCES property/prop_mlx5_layout.c LIBRARIES mlx5_layout nicdrv)
endif()
