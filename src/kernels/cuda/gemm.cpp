#include "kernels/cuda/gemm.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "base/strings.h"
#include "emelex/error.h"
#include "kernels/cuda/libraries.h"

namespace emelex::cuda {
namespace {

// Of cublas_api.h and library_types.h.
constexpr int kTransposed = 1;
constexpr int kAsIs = 0;
constexpr int kFloat32 = 0;
constexpr int kFloat16 = 2;
constexpr int kComputeFloat32 = 68;
constexpr int kDefaultAlgorithm = -1;
constexpr size_t kWorkspaceBytes = size_t{32} << 20;

struct Cublas {
  int (*cublasCreate_v2)(void** handle);
  int (*cublasDestroy_v2)(void* handle);
  int (*cublasSetStream_v2)(void* handle, StreamHandle stream);
  int (*cublasSetWorkspace_v2)(void* handle, void* workspace, size_t bytes);
  int (*cublasGemmEx)(void* handle, int transpose_a, int transpose_b, int m, int n, int k, const void* alpha,
                      const void* a, int a_type, int lda, const void* b, int b_type, int ldb, const void* beta, void* c,
                      int c_type, int ldc, int compute_type, int algorithm);
};

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

const Cublas* load() {
  static Cublas c{};
  void* library = open_cuda_library("cublas");
  if (library == nullptr) return nullptr;
  const bool whole =
      find(library, "cublasCreate_v2", c.cublasCreate_v2) && find(library, "cublasDestroy_v2", c.cublasDestroy_v2) &&
      find(library, "cublasSetStream_v2", c.cublasSetStream_v2) &&
      find(library, "cublasSetWorkspace_v2", c.cublasSetWorkspace_v2) && find(library, "cublasGemmEx", c.cublasGemmEx);
  return whole ? &c : nullptr;
}

const Cublas* cublas() {
  static const Cublas* loaded = load();
  return loaded;
}

void check_cublas(int status, const char* what) {
  if (status != 0) throw Error(ErrorCode::device, str_cat("[cuda] expected ", what, ", got cuBLAS status ", status));
}

void* address(DevicePointer pointer) {
  return reinterpret_cast<void*>(static_cast<uintptr_t>(pointer));  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace

Gemm::Gemm(DevicePtr device) : device_(std::move(device)) {}

Gemm::~Gemm() {
  if (handle_ != nullptr) cublas()->cublasDestroy_v2(handle_);
}

void Gemm::open() {
  tried_ = true;
  if (cublas() == nullptr) return;
  check_cublas(cublas()->cublasCreate_v2(&handle_), "cuBLAS to start");
  check_cublas(cublas()->cublasSetStream_v2(handle_, device_->stream()), "cuBLAS on a stream");
  workspace_ = DeviceMemory(device_, kWorkspaceBytes);
  check_cublas(cublas()->cublasSetWorkspace_v2(handle_, address(workspace_.pointer()), kWorkspaceBytes),
               "cuBLAS to take memory");
}

bool Gemm::available() {
  if (!tried_) open();
  return handle_ != nullptr;
}

void Gemm::multiply(DevicePointer weights, DevicePointer x, DevicePointer out, int tokens, int rows, int stride) {
  const float one = 1;
  const float zero = 0;
  // In its columns first order: out is [rows, tokens].
  check_cublas(cublas()->cublasGemmEx(handle_, kTransposed, kAsIs, rows, tokens, stride, &one, address(weights),
                                      kFloat16, stride, address(x), kFloat16, stride, &zero, address(out), kFloat32,
                                      rows, kComputeFloat32, kDefaultAlgorithm),
               "a product by cuBLAS");
}

}  // namespace emelex::cuda
