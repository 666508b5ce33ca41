# SPDX-License-Identifier: Apache-2.0
foreach(test belief fabric rng rule usid)
  srv6_test(test_${test} LABEL unit SOURCES unit/test_${test}.c LIBRARIES model)
endforeach()
get_target_property(model_folder model SOURCE_DIR)
target_include_directories(test_rng PRIVATE ${model_folder}/src) # sha256.h is not public
foreach(test fabric_file job_file yaml_check)
  srv6_test(test_${test} LABEL unit SOURCES unit/test_${test}.c LIBRARIES model_yaml)
  target_compile_definitions(test_${test} PRIVATE TESTS_DIR="${CMAKE_CURRENT_SOURCE_DIR}")
endforeach()
srv6_test(prop_model LABEL property SOURCES property/prop_model.c LIBRARIES model_yaml)
foreach(fuzz fabric_file job_file sid)
  srv6_fuzz(fuzz_${fuzz} SOURCES fuzz/fuzz_${fuzz}.c LIBRARIES model_yaml CORPUS fuzz/corpus/${fuzz})
endforeach()
