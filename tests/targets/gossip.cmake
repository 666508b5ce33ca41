# SPDX-License-Identifier: Apache-2.0
if(TARGET gossip)
  set(gossip_net ${CMAKE_CURRENT_LIST_DIR}/../support/gossip_net.c)
  srv6_test(test_gossip LABEL unit SOURCES unit/test_gossip.c ${gossip_net} LIBRARIES gossip)
endif()
