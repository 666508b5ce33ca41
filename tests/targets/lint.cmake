# SPDX-License-Identifier: Apache-2.0
function(srv6_lint name)
  add_test(NAME lint_${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/lint/${name} ${ARGN})
  set_tests_properties(lint_${name} PROPERTIES LABELS lint TIMEOUT 120 SKIP_RETURN_CODE 77)
endfunction()

foreach(lint spdx sizes top-level format man-pages)
  srv6_lint(${lint} ${PROJECT_SOURCE_DIR})
endforeach()
srv6_lint(selftest)

set(pure_archives)
foreach(target model pathalg gossip mlx5_layout agent_core)
  if(TARGET ${target})
    list(APPEND pure_archives $<TARGET_FILE:${target}>)
  endif()
endforeach()
srv6_lint(pure ${pure_archives})
