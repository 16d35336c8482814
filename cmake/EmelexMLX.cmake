# The prebuilt MLX of the Python wheel, as target emelex::mlx. Nothing of Python is used at run time.
#
# It is found by its own CMake package: in MLX_DIR, or else in .venv, which scripts/setup makes. EMELEX_MLX_ROOT, the
# wheel's folder with include/ and lib/, is taken as it stands instead: for mlx-cuda-13, whose CMake package wants the
# whole CUDA toolkit although only the wheel's own dependencies are needed.
set(EMELEX_MLX_VERSION 0.32.4)
set(EMELEX_MLX_ROOT "" CACHE PATH "Folder of an MLX wheel (.../site-packages/mlx), instead of MLX's CMake package")

add_library(emelex_mlx INTERFACE)
add_library(emelex::mlx ALIAS emelex_mlx)

if(EMELEX_MLX_ROOT)
  add_library(mlx SHARED IMPORTED GLOBAL)
  set_target_properties(mlx PROPERTIES IMPORTED_LOCATION ${EMELEX_MLX_ROOT}/lib/libmlx${CMAKE_SHARED_LIBRARY_SUFFIX})
  set(MLX_INCLUDE_DIRS ${EMELEX_MLX_ROOT}/include)
  # The driver and CUDA's libraries may be on another machine than the compiler.
  target_link_options(emelex_mlx INTERFACE $<$<PLATFORM_ID:Linux>:-Wl,--allow-shlib-undefined>)
else()
  if(NOT MLX_DIR)
    file(GLOB emelex_mlx_candidates ${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/mlx/share/cmake/MLX)
    if(emelex_mlx_candidates)
      list(GET emelex_mlx_candidates 0 MLX_DIR)
      set(MLX_DIR ${MLX_DIR} CACHE PATH "Folder of MLXConfig.cmake" FORCE)
    endif()
  endif()
  find_package(MLX ${EMELEX_MLX_VERSION} CONFIG)
  if(NOT MLX_FOUND)
    message(FATAL_ERROR "MLX ${EMELEX_MLX_VERSION} was not found. Run scripts/setup, or set MLX_DIR to the folder of MLXConfig.cmake.")
  endif()
  get_filename_component(EMELEX_MLX_ROOT ${MLX_DIR}/../../.. ABSOLUTE) # .../site-packages/mlx
endif()

target_link_libraries(emelex_mlx INTERFACE mlx)
# System headers, so that our warnings stay ours.
target_include_directories(emelex_mlx SYSTEM INTERFACE ${MLX_INCLUDE_DIRS})
