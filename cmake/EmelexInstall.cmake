# cmake --install: a tree that may be moved anywhere and needs neither the checkout nor Python:
#   bin/emelex
#   lib/emelex/mlx/lib/      libmlx, with mlx.metallib on macOS
#   lib/emelex/mlx_cpu.libs/ what libmlx needs itself; it looks for it at ../../mlx_cpu.libs, as in the wheel
# A CUDA build also needs NVIDIA's libraries, which its wheel depends on; they are looked for at lib/emelex/nvidia/.
include(GNUInstallDirs)
set(emelex_mlx_destination lib/emelex/mlx/lib) # private to emelex, so the same on systems with lib64

if(TARGET emelex)
  # The executable finds libmlx relative to itself.
  file(RELATIVE_PATH emelex_mlx_from_bin /${CMAKE_INSTALL_BINDIR} /${emelex_mlx_destination})
  if(APPLE)
    set_target_properties(emelex PROPERTIES INSTALL_RPATH "@loader_path/${emelex_mlx_from_bin}")
  else()
    set_target_properties(emelex PROPERTIES INSTALL_RPATH "$ORIGIN/${emelex_mlx_from_bin}")
  endif()
  install(TARGETS emelex RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

  install(DIRECTORY ${EMELEX_MLX_ROOT}/lib/ DESTINATION ${emelex_mlx_destination}
          FILES_MATCHING PATTERN "*.so*" PATTERN "*.dylib" PATTERN "*.metallib"
          PATTERN "cmake" EXCLUDE)
  file(GLOB emelex_mlx_companions ${EMELEX_MLX_ROOT}/../mlx*.libs)
  install(DIRECTORY ${emelex_mlx_companions} DESTINATION lib/emelex)
  # MLX for CUDA compiles some kernels when it first needs them, with these headers.
  foreach(headers cccl cute cutlass)
    if(EXISTS ${EMELEX_MLX_ROOT}/include/${headers})
      install(DIRECTORY ${EMELEX_MLX_ROOT}/include/${headers} DESTINATION lib/emelex/mlx/include)
    endif()
  endforeach()

  set(emelex_completions ${PROJECT_SOURCE_DIR}/apps/cli/completions)
  install(FILES ${emelex_completions}/emelex.bash RENAME emelex
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${emelex_completions}/_emelex DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${emelex_completions}/emelex.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/emelex DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
# MLX's own licence travels with its library.
file(GLOB emelex_mlx_licenses ${EMELEX_MLX_ROOT}/../mlx*-*.dist-info/licenses/LICENSE)
if(emelex_mlx_licenses)
  list(GET emelex_mlx_licenses 0 emelex_mlx_license)
  install(FILES ${emelex_mlx_license} DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME LICENSE.mlx)
endif()
