#include "kernels/cuda/driver.h"

#include <dlfcn.h>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex::cuda {
namespace {

// cuGraphInstantiateWithFlags, and launches that overlap inside a graph.
constexpr int kOldestDriver = 12000;
constexpr Result kOutOfMemory = 2;

[[noreturn]] void unsupported(const std::string& got) {
  throw Error(ErrorCode::unsupported,
              str_cat("[cuda] expected an NVIDIA driver for CUDA 12.0 or later, got ", got, "; use --device cpu"));
}

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) unsupported(str_cat("one without ", name));
}

Driver load() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) unsupported("none (no libcuda.so.1)");
  Driver d{};
#define EMELEX_FIND(name) find(library, #name, d.name)
  EMELEX_FIND(cuInit);
  EMELEX_FIND(cuDriverGetVersion);
  int version = 0;
  if (d.cuDriverGetVersion(&version) != 0 || version < kOldestDriver) {
    unsupported(str_cat("one for CUDA ", version / 1000, ".", version % 1000 / 10));
  }
  EMELEX_FIND(cuDeviceGetCount);
  EMELEX_FIND(cuDeviceGet);
  EMELEX_FIND(cuDeviceGetName);
  EMELEX_FIND(cuDeviceGetAttribute);
  EMELEX_FIND(cuDevicePrimaryCtxRetain);
  EMELEX_FIND(cuDevicePrimaryCtxRelease_v2);
  EMELEX_FIND(cuCtxSetCurrent);
  EMELEX_FIND(cuMemAlloc_v2);
  EMELEX_FIND(cuMemFree_v2);
  EMELEX_FIND(cuMemGetInfo_v2);
  EMELEX_FIND(cuMemHostAlloc);
  EMELEX_FIND(cuMemFreeHost);
  EMELEX_FIND(cuMemcpyHtoDAsync_v2);
  EMELEX_FIND(cuMemcpyDtoHAsync_v2);
  EMELEX_FIND(cuMemcpyDtoDAsync_v2);
  EMELEX_FIND(cuMemsetD8Async);
  EMELEX_FIND(cuStreamCreate);
  EMELEX_FIND(cuStreamDestroy_v2);
  EMELEX_FIND(cuStreamSynchronize);
  EMELEX_FIND(cuStreamBeginCapture_v2);
  EMELEX_FIND(cuStreamEndCapture);
  EMELEX_FIND(cuGraphInstantiateWithFlags);
  EMELEX_FIND(cuGraphLaunch);
  EMELEX_FIND(cuGraphExecDestroy);
  EMELEX_FIND(cuGraphDestroy);
  EMELEX_FIND(cuModuleLoadData);
  EMELEX_FIND(cuModuleUnload);
  EMELEX_FIND(cuModuleGetFunction);
  EMELEX_FIND(cuFuncSetAttribute);
  EMELEX_FIND(cuLaunchKernelEx);
  EMELEX_FIND(cuGetErrorName);
#undef EMELEX_FIND
  if (const Result result = d.cuInit(0); result != 0)
    unsupported(str_cat("one that finds no GPU (error ", result, ")"));
  return d;
}

}  // namespace

const Driver& driver() {
  static const Driver loaded = load();
  return loaded;
}

void check(Result result, const char* what) {
  if (result == 0) return;
  const char* name = nullptr;
  driver().cuGetErrorName(result, &name);
  const std::string text = name == nullptr ? str_cat("error ", result) : name;
  throw Error(result == kOutOfMemory ? ErrorCode::out_of_memory : ErrorCode::device,
              str_cat("[cuda] expected ", what, ", got ", text));
}

}  // namespace emelex::cuda
