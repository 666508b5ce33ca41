# SPDX-License-Identifier: Apache-2.0
# srv6-holder, the agent's driver that attaches to it, and the worker that a slow driver is given.
add_library(holder_bed STATIC support/holder_bed.c)
target_include_directories(holder_bed PUBLIC support)
target_link_libraries(holder_bed PUBLIC nicdrv PRIVATE srv6_options)

srv6_test(test_holder_wire LABEL unit SOURCES unit/test_holder_wire.c LIBRARIES nicdrv)
srv6_test(test_holder LABEL unit SOURCES unit/test_holder.c LIBRARIES holder_bed)
srv6_test(test_holder_hostile LABEL unit SOURCES unit/test_holder_hostile.c LIBRARIES holder_bed)
foreach(target test_holder_wire test_holder_hostile)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/nicdrv/src)
endforeach()

srv6_fuzz(fuzz_holder_message SOURCES fuzz/fuzz_holder_message.c LIBRARIES nicdrv
  CORPUS fuzz/corpus/holder_message)
target_include_directories(fuzz_holder_message PRIVATE ${PROJECT_SOURCE_DIR}/nicdrv/src)
if(TARGET agent_nic)
  srv6_test(test_nic_worker LABEL unit SOURCES unit/test_nic_worker.c LIBRARIES agent_nic nicdrv)
endif()

if(TARGET srv6-agent)
  add_test(NAME agent_holder
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/../lab/agent_holder.sh ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${PROJECT_SOURCE_DIR})
  set_tests_properties(agent_holder PROPERTIES LABELS lab TIMEOUT 300 SKIP_RETURN_CODE 77 RESOURCE_LOCK agents)
endif()

if(TARGET fakecx)
  srv6_test(test_holder_program LABEL unit SOURCES unit/test_holder_program.c LIBRARIES nicdrv TIMEOUT 120)
  add_dependencies(test_holder_program srv6-holder fakecx)
  set_tests_properties(test_holder_program PROPERTIES
    ENVIRONMENT "HOLDER=$<TARGET_FILE:srv6-holder>;FAKECX=$<TARGET_FILE:fakecx>")
endif()
