# SPDX-License-Identifier: Apache-2.0
# The mlx5 driver, its emulated device (support/fakecx) and software eSwitch (support/softcx).
if(RDMA)
  srv6_test(test_mlx5_prm LABEL unit SOURCES unit/test_mlx5_prm.c LIBRARIES mlx5_layout TIMEOUT 10)
endif()
