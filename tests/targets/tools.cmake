# SPDX-License-Identifier: Apache-2.0
find_package(Threads REQUIRED)
srv6_test(test_table LABEL unit SOURCES unit/test_table.c LIBRARIES tool)
srv6_test(test_control LABEL unit SOURCES unit/test_control.c LIBRARIES control_client Threads::Threads)
srv6_test(test_ctl_options LABEL unit SOURCES unit/test_ctl_options.c LIBRARIES ctl_core)
srv6_test(test_ctl_view LABEL unit SOURCES unit/test_ctl_view.c LIBRARIES ctl_core)
srv6_test(test_ctl_import LABEL unit SOURCES unit/test_ctl_import.c LIBRARIES ctl_core)
srv6_test(test_top LABEL unit SOURCES unit/test_top.c LIBRARIES top_core)
srv6_test(test_drill LABEL unit SOURCES unit/test_drill.c LIBRARIES drill_core)

# Scripts that drive the built programs.
foreach(script tools_cli top_tmux)
  add_test(NAME ${script} COMMAND ${CMAKE_CURRENT_LIST_DIR}/../lab/${script}.sh ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  set_tests_properties(${script} PROPERTIES LABELS lab TIMEOUT 120 SKIP_RETURN_CODE 77)
endforeach()
