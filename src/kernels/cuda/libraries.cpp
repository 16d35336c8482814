#include "kernels/cuda/libraries.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/strings.h"

namespace emelex::cuda {
namespace {

namespace fs = std::filesystem;

constexpr int kVersions[] = {13, 12};

// Where a library may be that the loader does not search.
std::vector<fs::path> folders(const std::string& name) {
  std::vector<fs::path> found;
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const char* root = std::getenv(variable)) found.push_back(fs::path(root) / "lib64");
  }
  found.emplace_back("/usr/local/cuda/lib64");
  // Beside MLX's library in Python's site-packages: mlx/lib/libmlx.so, nvidia/cu13/lib/libnvrtc.so.13.
  Dl_info info{};
  void* mlx = dlsym(RTLD_DEFAULT, "_ZN3mlx4core4evalESt6vectorINS0_5arrayESaIS2_EE");
  if (mlx != nullptr && dladdr(mlx, &info) != 0 && info.dli_fname != nullptr) {
    const fs::path packages = fs::path(info.dli_fname).parent_path().parent_path().parent_path();
    found.push_back(packages / "nvidia/cu13/lib");
    found.push_back(packages / str_cat("nvidia/", name, "/lib"));
    found.push_back(packages / str_cat("nvidia/cuda_", name, "/lib"));
  }
  return found;
}

}  // namespace

void* open_with_neighbours(const char* path) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(fs::path(path).parent_path(), error)) {
    const std::string name = entry.path().filename().string();
    for (const char* start : {"libnvrtc-builtins.so", "libcublasLt.so"}) {
      if (name.rfind(start, 0) == 0) dlopen(entry.path().c_str(), RTLD_NOW | RTLD_GLOBAL);
    }
  }
  return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

void* open_cuda_library(const char* name) {
  for (const int version : kVersions) {
    if (void* library = dlopen(str_cat("lib", name, ".so.", version).c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
  }
  for (const fs::path& folder : folders(name)) {
    for (const int version : kVersions) {
      const fs::path path = folder / str_cat("lib", name, ".so.", version);
      std::error_code error;
      if (!fs::exists(path, error)) continue;
      if (void* library = open_with_neighbours(path.c_str())) return library;
    }
  }
  return nullptr;
}

}  // namespace emelex::cuda
