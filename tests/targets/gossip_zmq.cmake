# SPDX-License-Identifier: Apache-2.0
find_package(PkgConfig REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)

# The fake core stands in for the library `gossip`: it defines the functions that the carrier calls.
foreach(test test_gossip_zmq test_gossip_zmq_curve)
  srv6_test(${test} LABEL unit
    SOURCES unit/${test}.c unit/gossip_zmq_bed.c unit/gossip_zmq_fake_core.c
    LIBRARIES gossip_zmq model)
endforeach()
srv6_test(test_gossip_zmq_keys LABEL unit SOURCES unit/test_gossip_zmq_keys.c
  LIBRARIES gossip_zmq model PkgConfig::ZMQ)
srv6_test(test_gossip_zmq_limits LABEL unit SOURCES unit/test_gossip_zmq_limits.c LIBRARIES gossip_zmq model)
target_include_directories(test_gossip_zmq_limits PRIVATE ${PROJECT_SOURCE_DIR}/gossip/zmq/src)
foreach(test test_gossip_zmq_cores test_gossip_zmq_hostile test_gossip_zmq_island test_gossip_zmq_liars)
  srv6_test(${test} LABEL unit TIMEOUT 120
    SOURCES unit/${test}.c unit/gossip_zmq_fleet.c unit/gossip_zmq_intruder.c
    LIBRARIES gossip_zmq gossip model PkgConfig::ZMQ)
endforeach()

if(TARGET model_yaml AND TARGET pathalg)
  add_executable(bench_crowd bench/bench_crowd.c)
  set_target_properties(bench_crowd PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(bench_crowd PRIVATE srv6_options gossip_zmq gossip model model_yaml pathalg)
endif()
add_executable(bench_gossip bench/bench_gossip.c bench/bench_gossip_host.c bench/bench_gossip_floor.c)
set_target_properties(bench_gossip PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(bench_gossip PRIVATE srv6_options gossip_zmq gossip model PkgConfig::ZMQ PkgConfig::SODIUM
  PkgConfig::JANSSON)
