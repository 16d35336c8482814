# emelex_add_library(name SOURCES … DEPENDS … [HEADERS std|mlx] [OPTIMIZE level]): the library of one folder of src/, as
# emelex::name. A folder sees only the folders it depends on; scripts/lint checks it. HEADERS says which precompiled
# headers it takes. OPTIMIZE 3 is for loops over numbers, 1 for what a command does once.
function(emelex_add_library name)
  cmake_parse_arguments(ARG "" "HEADERS;OPTIMIZE" "SOURCES;DEPENDS" ${ARGN})
  add_library(emelex_${name} STATIC ${ARG_SOURCES})
  add_library(emelex::${name} ALIAS emelex_${name})
  target_include_directories(emelex_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(emelex_${name} PUBLIC ${ARG_DEPENDS})
  if(NOT ARG_HEADERS)
    set(ARG_HEADERS std)
  endif()
  emelex_precompile(emelex_${name} ${ARG_HEADERS})
  if(ARG_OPTIMIZE)
    emelex_optimize(emelex_${name} ${ARG_OPTIMIZE})
  endif()
endfunction()

# emelex_optimize_sources(name level REGEX): another level for those files of the library emelex_name in this folder.
function(emelex_optimize_sources name level regex)
  get_target_property(sources emelex_${name} SOURCES)
  list(FILTER sources INCLUDE REGEX "${regex}")
  if(NOT sources)
    message(FATAL_ERROR "no source of emelex_${name} matches ${regex}")
  endif()
  set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-O${level}>)
endfunction()

# emelex_add_test(name SOURCES … DEPENDS …): one test program, its cases written with doctest.
function(emelex_add_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  if(NOT TARGET emelex_test_main) # the same for all, and doctest's own code takes a compiler seconds
    add_library(emelex_test_main OBJECT ${PROJECT_SOURCE_DIR}/tests/doctest_main.cpp)
  endif()
  add_executable(test_${name} ${ARG_SOURCES} $<TARGET_OBJECTS:emelex_test_main>)
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(test_${name} PRIVATE ${ARG_DEPENDS})
  emelex_precompile(test_${name} test)
  add_test(NAME ${name} COMMAND test_${name})
  # Against hanging. With a sanitizer the kernels' tests take several times as long.
  set(timeout 600)
  if(EMELEX_SANITIZE)
    set(timeout 2400)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout})
endfunction()
