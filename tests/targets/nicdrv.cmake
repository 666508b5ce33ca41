# SPDX-License-Identifier: Apache-2.0
# Tests of the NIC drivers. The lab test and the bench need root, network namespaces and BPF.
foreach(tool roce nic_hold nic_hold_clsact)
  add_executable(${tool})
  set_target_properties(${tool} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endforeach()
target_sources(roce PRIVATE bench/roce.c)
target_link_libraries(roce PRIVATE srv6_options)
target_sources(nic_hold PRIVATE lab/nic_hold.c)
target_link_libraries(nic_hold PRIVATE srv6_options nicdrv)
# The same on a kernel without tcx.
target_sources(nic_hold_clsact PRIVATE lab/nic_hold.c)
target_link_libraries(nic_hold_clsact PRIVATE srv6_options nicdrv)
if(BPF)
  target_sources(nic_hold_clsact PRIVATE lab/nic_no_tcx.c)
  target_link_options(nic_hold_clsact PRIVATE -Wl,--wrap=bpf_link_create)
endif()

add_test(NAME nic_ebpf COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/lab/nic_ebpf.sh ${CMAKE_BINARY_DIR}/tests)
set_tests_properties(nic_ebpf PROPERTIES LABELS lab TIMEOUT 180 SKIP_RETURN_CODE 77)

srv6_test(test_nic_diff LABEL unit SOURCES unit/test_nic_diff.c LIBRARIES nicdrv TIMEOUT 10)
srv6_test(test_nic_mem LABEL unit SOURCES unit/test_nic_mem.c LIBRARIES nicdrv TIMEOUT 10)
srv6_test(test_port_counters LABEL unit SOURCES unit/test_port_counters.c LIBRARIES nicdrv)
target_include_directories(test_port_counters PRIVATE ${PROJECT_SOURCE_DIR}/nicdrv/src)
srv6_test(test_port_settings LABEL unit SOURCES unit/test_port_settings.c LIBRARIES nicdrv)
target_include_directories(test_port_settings PRIVATE ${PROJECT_SOURCE_DIR}/nicdrv/src)
srv6_fuzz(fuzz_port_dcb SOURCES fuzz/fuzz_port_dcb.c LIBRARIES nicdrv CORPUS fuzz/corpus/port_dcb)
target_include_directories(fuzz_port_dcb PRIVATE ${PROJECT_SOURCE_DIR}/nicdrv/src)
