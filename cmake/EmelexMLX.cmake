# The prebuilt MLX of the Python wheel, found by its own CMake package. Nothing of Python is used at run time.
# Looked for in MLX_DIR, then in .venv, which scripts/setup makes.
if(NOT MLX_DIR)
  file(GLOB emelex_mlx_candidates
       ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/mlx/share/cmake/MLX)
  if(emelex_mlx_candidates)
    list(GET emelex_mlx_candidates 0 MLX_DIR)
    set(MLX_DIR ${MLX_DIR} CACHE PATH "Folder of MLXConfig.cmake" FORCE)
  endif()
endif()

set(EMELEX_MLX_VERSION 0.32.4)
find_package(MLX ${EMELEX_MLX_VERSION} CONFIG)
if(NOT MLX_FOUND)
  message(FATAL_ERROR "MLX ${EMELEX_MLX_VERSION} was not found. Run scripts/setup, or set MLX_DIR to the folder of MLXConfig.cmake.")
endif()

add_library(emelex_mlx INTERFACE)
add_library(emelex::mlx ALIAS emelex_mlx)
target_link_libraries(emelex_mlx INTERFACE mlx)
# System headers, so that our warnings stay ours.
target_include_directories(emelex_mlx SYSTEM INTERFACE ${MLX_INCLUDE_DIRS})
get_filename_component(EMELEX_MLX_ROOT ${MLX_DIR}/../../.. ABSOLUTE) # .../site-packages/mlx
