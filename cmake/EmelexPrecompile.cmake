# Precompiled headers. Most files are short, and a compiler spends most of its time on the headers of the standard
# library, of MLX and, in tests, of doctest. They are compiled once here, for all targets that ask for them; files must
# still include what they use, which a build with EMELEX_PRECOMPILE=OFF checks. JSON's header is not among them: what
# its functions need would be instantiated anew for every file.

set(emelex_std_headers
  <algorithm> <array> <atomic> <charconv> <chrono> <cmath> <cstddef> <cstdint> <cstring> <filesystem> <functional> <limits>
  <map> <memory> <mutex> <optional> <set> <span> <string> <string_view> <utility> <variant> <vector>)

function(emelex_add_precompiled kind)
  set(source ${PROJECT_BINARY_DIR}/headers_${kind}.cpp)
  if(NOT EXISTS ${source})
    file(WRITE ${source} "// Only for its precompiled headers.\n")
  endif()
  add_library(emelex_headers_${kind} OBJECT EXCLUDE_FROM_ALL ${source})
  target_precompile_headers(emelex_headers_${kind} PRIVATE ${ARGN})
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang) # a time stamp in it would keep ccache from finding anything
    target_compile_options(emelex_headers_${kind} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endfunction()

if(EMELEX_PRECOMPILE)
  emelex_add_precompiled(std ${emelex_std_headers})
  emelex_add_precompiled(mlx ${emelex_std_headers} <mlx/array.h> <mlx/ops.h>)
  target_link_libraries(emelex_headers_mlx PRIVATE emelex::mlx)
  emelex_add_precompiled(test ${emelex_std_headers} <doctest/doctest.h>)
  # As programs are compiled, with -fPIE; libraries are with -fPIC.
  set_target_properties(emelex_headers_test PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(emelex_headers_test PRIVATE -fPIE)
endif()

# emelex_precompile(target std|mlx|test): `std` for libraries without MLX, `mlx` for those with it, `test` for test
# programs. Never for the files of an instruction set.
function(emelex_precompile target kind)
  if(EMELEX_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM emelex_headers_${kind})
    # g++ 12 forgets that precompiled code is a system's, and then shows its false alarms on std::string.
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
      target_compile_options(${target} PRIVATE -Wno-stringop-overflow -Wno-array-bounds)
    endif()
  endif()
endfunction()
