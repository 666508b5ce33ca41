# SPDX-License-Identifier: Apache-2.0
# The mlx5 driver, its emulated device (support/fakecx) and software eSwitch (support/softcx).
if(RDMA)
endif()
