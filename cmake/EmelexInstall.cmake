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
    install(TARGETS emelex RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  else()
    # A program whose RUNPATH CMake itself changes at installation is linked with an empty element at its end, and the
    # loader takes that for the current folder: whoever can write there has their library run. So the program is linked
    # with its final form of the build tree, and the one of the installed tree is put in its place below. That must not
    # be longer, hence the "/." after the first path.
    set(emelex_installed_runpath "$ORIGIN/${emelex_mlx_from_bin}")
    set(emelex_built_runpath ${EMELEX_MLX_ROOT}/lib)
    string(LENGTH "${emelex_installed_runpath}" emelex_runpath_length)
    foreach(i RANGE ${emelex_runpath_length})
      string(LENGTH "${emelex_built_runpath}" emelex_built_length)
      if(emelex_built_length LESS emelex_runpath_length)
        string(APPEND emelex_built_runpath "/.")
      endif()
    endforeach()
    set_target_properties(emelex PROPERTIES BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "${emelex_built_runpath}"
                          INSTALL_RPATH_USE_LINK_PATH ON)
    install(TARGETS emelex RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    if(NOT CMAKE_SKIP_RPATH AND NOT CMAKE_SKIP_INSTALL_RPATH)
      install(CODE "file(RPATH_SET FILE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/emelex\"
                         NEW_RPATH [[${emelex_installed_runpath}]])")
    endif()
  endif()

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
