# emelex_add_library(name SOURCES … DEPENDS …): the library of one folder of src/, as emelex::name.
# A folder sees only the folders it depends on, so linking enforces who may know whom.
function(emelex_add_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(emelex_${name} STATIC ${ARG_SOURCES})
  add_library(emelex::${name} ALIAS emelex_${name})
  target_include_directories(emelex_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(emelex_${name} PUBLIC ${ARG_DEPENDS})
endfunction()

# emelex_add_test(name SOURCES … DEPENDS …): one test program, its cases written with doctest.
function(emelex_add_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/doctest_main.cpp)
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(test_${name} PRIVATE ${ARG_DEPENDS})
  add_test(NAME ${name} COMMAND test_${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()
