# Cross-building for 64-bit Arm on Debian and Ubuntu, with its tests under qemu's user mode: scripts/setup-arm64 installs
# what this needs. Which CPU qemu shows is its own QEMU_CPU; without it, one with all extensions.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CXX_FLAGS_INIT -Wno-psabi) # notes on a change of g++ 10 that MLX's headers meet
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu) # libraries come from multiarch packages, beside this machine's own
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
