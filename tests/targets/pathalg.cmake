# SPDX-License-Identifier: Apache-2.0
if(TARGET pathalg)
  add_library(path_fixture STATIC support/path_fixture.c)
  target_include_directories(path_fixture PUBLIC support)
  target_link_libraries(path_fixture PUBLIC pathalg PRIVATE srv6_options)

  foreach(source algorithm ecmp ethereal spray)
    srv6_test(test_${source} LABEL unit SOURCES unit/test_${source}.c LIBRARIES pathalg)
  endforeach()
  foreach(source backup candidates path plan score spread)
    srv6_test(test_${source} LABEL unit SOURCES unit/test_${source}.c LIBRARIES path_fixture)
    target_include_directories(test_${source} PRIVATE ${PROJECT_SOURCE_DIR}/pathalg/src)
  endforeach()
  srv6_test(prop_plan LABEL property SOURCES property/prop_plan.c LIBRARIES path_fixture)
endif()

if(TARGET sim)
  srv6_test(test_fail LABEL unit SOURCES unit/test_fail.c LIBRARIES sim path_fixture)
  srv6_test(test_json_writer LABEL unit SOURCES unit/test_json_writer.c LIBRARIES sim)
  add_test(NAME test_sim_plan
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/unit/test_sim_plan $<TARGET_FILE:srv6-sim> ${CMAKE_CURRENT_SOURCE_DIR})
  set_tests_properties(test_sim_plan PROPERTIES LABELS unit TIMEOUT 60 SKIP_RETURN_CODE 77)
endif()
