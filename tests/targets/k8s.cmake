# SPDX-License-Identifier: Apache-2.0
# The manifests, the image and what goes with them, without a cluster.
function(srv6_k8s name)
  cmake_parse_arguments(K "" "TIMEOUT" "COMMAND" ${ARGN})
  add_test(NAME k8s_${name} COMMAND ${K_COMMAND})
  set_tests_properties(k8s_${name} PROPERTIES LABELS k8s TIMEOUT ${K_TIMEOUT} SKIP_RETURN_CODE 77)
endfunction()

srv6_k8s(rules COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/k8s/rules_test TIMEOUT 60)
srv6_k8s(render COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/k8s/render TIMEOUT 240)
if(TARGET srv6-node)
  srv6_k8s(node COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/k8s/node.sh ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${PROJECT_SOURCE_DIR} TIMEOUT 120)
  set_tests_properties(k8s_node PROPERTIES RESOURCE_LOCK agents)
endif()
