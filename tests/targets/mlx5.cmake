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
foreach(test softcx softcx_packets)
  srv6_test(test_${test} LABEL unit SOURCES unit/test_${test}.c support/softcx/softcx_bed.c LIBRARIES softcx_model
    TIMEOUT 30)
endforeach()
srv6_fuzz(fuzz_softcx SOURCES fuzz/fuzz_softcx.c LIBRARIES softcx_model CORPUS fuzz/corpus/softcx)

if(RDMA)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(MLX5 REQUIRED IMPORTED_TARGET libmlx5 libibverbs)
  # The emulated device is preloaded below a sanitizer's runtime and into programs without one: it is never instrumented.
  get_target_property(fakecx_options srv6_options INTERFACE_COMPILE_OPTIONS)
  list(FILTER fakecx_options EXCLUDE REGEX "-fsanitize|-fno-omit")
  add_library(fakecx SHARED support/fakecx/attributes.c support/fakecx/caps.c support/fakecx/devx.c
    support/fakecx/faults.c support/fakecx/flows.c support/fakecx/ioctl.c support/fakecx/memory.c
    support/fakecx/objects.c support/fakecx/preload.c support/fakecx/send_queue.c support/fakecx/tree.c
    support/fakecx/write.c support/softcx/mirror.c support/softcx/mirror_link.c)
  set_target_properties(fakecx PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_definitions(fakecx PRIVATE _GNU_SOURCE)
  target_compile_options(fakecx PRIVATE ${fakecx_options})
  target_include_directories(fakecx PRIVATE support)

  add_executable(softcx_rules lab/softcx_rules.c)
  set_target_properties(softcx_rules PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(softcx_rules PRIVATE srv6_options PkgConfig::MLX5)
  add_test(NAME softcx COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/lab/softcx.sh ${CMAKE_BINARY_DIR}/tests)
  set_tests_properties(softcx PROPERTIES LABELS lab TIMEOUT 180 SKIP_RETURN_CODE 77)

  # srv6_fakecx_test(NAME ...as srv6_test...): runs as NAME on a ConnectX-6 Dx, as NAME_cx5 and NAME_cx7 on the others.
  function(srv6_fakecx_test name)
    srv6_test(${name} ${ARGN})
    add_dependencies(${name} fakecx)
    foreach(format cx6dx cx5 cx7)
      set(test ${name}_${format})
      if(format STREQUAL "cx6dx")
        set(test ${name})
      else()
        get_test_property(${name} LABELS labels)
        get_test_property(${name} TIMEOUT timeout)
        add_test(NAME ${test} COMMAND ${name})
        set_tests_properties(${test} PROPERTIES LABELS "${labels}" TIMEOUT ${timeout} SKIP_RETURN_CODE 77)
      endif()
      set_tests_properties(${test} PROPERTIES ENVIRONMENT
        "LD_PRELOAD=$<TARGET_FILE:fakecx>;FAKECX_DIR=${CMAKE_BINARY_DIR}/tests/fakecx/${test};FAKECX_FORMAT=${format}")
    endforeach()
  endfunction()

  foreach(part header layout prm)
    srv6_test(test_mlx5_${part} LABEL unit SOURCES unit/test_mlx5_${part}.c LIBRARIES mlx5_layout TIMEOUT 10)
  endforeach()
  srv6_test(prop_mlx5_layout LABEL property SOURCES property/prop_mlx5_layout.c LIBRARIES mlx5_layout nicdrv)
  target_link_options(prop_mlx5_layout PRIVATE -Wl,--wrap=calloc) # memory that runs out
  srv6_test(test_mlx5_selftest LABEL unit SOURCES unit/test_mlx5_selftest.c
    LIBRARIES nicdrv_mlx5 mlx5_layout PkgConfig::MLX5)
  srv6_test(test_mlx5_preflight LABEL unit SOURCES unit/test_mlx5_preflight.c LIBRARIES mlx5_preflight)

  foreach(part fakecx fakecx_faults fakecx_queue)
    srv6_fakecx_test(test_${part} LABEL unit SOURCES unit/test_${part}.c support/fakecx_bed.c
      LIBRARIES mlx5_layout PkgConfig::MLX5 TIMEOUT 120)
  endforeach()

  # The driver over the card, with a software eSwitch inside the test; lo: an uplink that every machine has.
  function(srv6_mlx5_driver_test name label folder netdev)
    srv6_fakecx_test(${name} LABEL ${label} SOURCES ${folder}/${name}.c support/card_bed.c support/fakecx_bed.c
      LIBRARIES nicdrv_mlx5 nicdrv mlx5_layout softcx_model PkgConfig::MLX5 TIMEOUT 120)
    target_include_directories(${name} PRIVATE unit)
    set_property(TEST ${name} ${name}_cx5 ${name}_cx7 APPEND PROPERTY ENVIRONMENT FAKECX_NETDEV=${netdev})
  endfunction()
  srv6_mlx5_driver_test(test_mlx5_driver unit unit lo)
  srv6_mlx5_driver_test(test_mlx5_faults unit unit lo)
  srv6_mlx5_driver_test(test_mlx5_next_hop unit unit up0)
  srv6_mlx5_driver_test(prop_mlx5_driver property property lo)
  # What the library had allocated for a device that failed under work is left alone (mlx5_events.h).
  set_property(TEST test_mlx5_faults test_mlx5_faults_cx5 test_mlx5_faults_cx7 APPEND PROPERTY ENVIRONMENT
    ASAN_OPTIONS=detect_leaks=0:handle_segv=0)
  # ---- end of the driver
endif()

if(TARGET srv6-agent)
  set(fakecx_file)
  if(TARGET fakecx)
    set(fakecx_file $<TARGET_FILE:fakecx>)
  endif()
  add_test(NAME test_selftest_nic
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/unit/test_selftest_nic $<TARGET_FILE:srv6-agent> ${CMAKE_CURRENT_SOURCE_DIR}
      ${fakecx_file})
  set_tests_properties(test_selftest_nic PROPERTIES LABELS unit TIMEOUT 120 SKIP_RETURN_CODE 77)
endif()

# tests/bench/nic: the driver's cost on the emulated card, next to the bare library's.
if(TARGET nicdrv_mlx5)
  add_executable(bench_nic bench/bench_nic.c bench/bench_nic_calls.c bench/bench_nic_floor.c support/fakecx_bed.c)
  set_target_properties(bench_nic PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_include_directories(bench_nic PRIVATE support)
  target_link_libraries(bench_nic PRIVATE srv6_options nicdrv_mlx5 nicdrv mlx5_layout PkgConfig::MLX5 cmocka)
  foreach(call dr_rule_create dr_rule_destroy dr_domain_sync dr_action_create_packet_reformat dr_action_destroy
      dr_action_create_flow_counter dr_action_create_modify_header devx_obj_create devx_obj_query devx_obj_destroy
      devx_general_cmd)
    target_link_options(bench_nic PRIVATE -Wl,--wrap=mlx5dv_${call})
  endforeach()
  add_dependencies(bench_nic fakecx)
endif()
