# SPDX-License-Identifier: Apache-2.0
# The mlx5 driver, its emulated device (support/fakecx) and software eSwitch (support/softcx).
if(RDMA)
  foreach(part header prm)
    srv6_test(test_mlx5_${part} LABEL unit SOURCES unit/test_mlx5_${part}.c LIBRARIES mlx5_layout TIMEOUT 10)
  endforeach()
endif()
