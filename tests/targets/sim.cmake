# SPDX-License-Identifier: Apache-2.0
if(TARGET sim)
  srv6_test(test_fluid LABEL unit SOURCES unit/test_fluid.c LIBRARIES sim)
  srv6_test(prop_fluid LABEL property SOURCES property/prop_fluid.c LIBRARIES sim m)
endif()
