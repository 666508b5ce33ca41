# SPDX-License-Identifier: Apache-2.0
if(TARGET gossip)
  set(gossip_net support/gossip_net.c support/gossip_model.c)
  srv6_test(test_gossip LABEL unit SOURCES unit/test_gossip.c ${gossip_net} LIBRARIES gossip)
  srv6_test(test_gossip_faults LABEL unit SOURCES unit/test_gossip_faults.c ${gossip_net} LIBRARIES gossip)
  srv6_test(test_facts LABEL unit SOURCES unit/test_facts.c LIBRARIES gossip)
  srv6_test(prop_gossip LABEL property SOURCES property/prop_gossip.c ${gossip_net} LIBRARIES gossip)
  # These look at the core's own files, not at its interface.
  foreach(test test_gossip_faults)
    target_include_directories(${test} PRIVATE ${PROJECT_SOURCE_DIR}/gossip/src)
  endforeach()
  srv6_fuzz(fuzz_gossip_message SOURCES fuzz/fuzz_gossip_message.c LIBRARIES gossip CORPUS fuzz/corpus/gossip_message)
  srv6_fuzz(fuzz_gossip_facts SOURCES fuzz/fuzz_gossip_facts.c LIBRARIES gossip CORPUS fuzz/corpus/gossip_facts)
endif()
