# What holds for every target: the language, warnings, sanitizers.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug or RelWithDebInfo" FORCE)
endif()

# CMake's -O3 takes a compiler longer and makes nothing quicker but the kernels, which ask for it (emelex_optimize).
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")

# emelex_optimize(target level): another level for a target's release builds.
function(emelex_optimize target level)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O${level}>)
endfunction()

option(EMELEX_PRECOMPILE "Precompile the headers of the standard library, MLX and doctest" ON)
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  if(EMELEX_PRECOMPILE) # what ccache wants to be told before it keeps files that use precompiled headers
    list(PREPEND CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros)
  endif()
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  add_compile_options(-Wno-restrict) # false alarms on std::string in g++ 12 (GCC bug 105651)
endif()
option(EMELEX_WARNINGS_AS_ERRORS "Fail on any warning" ON)
if(EMELEX_WARNINGS_AS_ERRORS)
  add_compile_options(-Werror)
endif()

# Sums are written in the order in which they are meant; fusing a * b + c is left to the explicit fma calls,
# so that every instruction set gives the same bits.
add_compile_options(-ffp-contract=off)

set(EMELEX_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, for example address,undefined")
if(EMELEX_SANITIZE)
  # Checks in the place of optimization: at -O2 a compiler takes twice as long, and the tests hardly less. Reports need
  # lines and no variables.
  add_compile_options(-fsanitize=${EMELEX_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g1)
  add_link_options(-fsanitize=${EMELEX_SANITIZE})
endif()
