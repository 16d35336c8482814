#include "engine/choose_backend.h"

#include <mlx/device.h>

#include <cstdlib>
#include <string>

#include "base/strings.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/mlx/mlx_backend.h"

namespace emelex {
namespace {

KernelBackend wanted_kernels(const LoadOptions& options) {
  if (options.kernels != KernelBackend::automatic) return options.kernels;
  const char* wanted = std::getenv("EMELEX_KERNELS");
  const std::string name = wanted == nullptr ? "" : wanted;
  if (name.empty()) return KernelBackend::automatic;
  if (name == "fast") return KernelBackend::fast;
  if (name == "float") return KernelBackend::float32;
  if (name == "mlx") return KernelBackend::mlx;
  if (name == "cuda") return KernelBackend::cuda;
  throw Error(ErrorCode::invalid_argument,
              str_cat("[engine] expected EMELEX_KERNELS to be fast, float, mlx or cuda, got ", quote_bytes(name)));
}

}  // namespace

BackendChoice choose_backend(const LoadOptions& options) {
  BackendChoice choice{options.device, wanted_kernels(options), false};
  const bool mlx_has_gpu = mx::is_available(mx::Device(mx::Device::gpu));
  const bool any = choice.kernels == KernelBackend::automatic;
  // The driver is asked only where it may be used.
  const bool may_be_cuda = choice.kernels == KernelBackend::cuda || (any && choice.device != Device::cpu);
  const std::string obstacle = may_be_cuda ? cuda::cuda_obstacle() : "";
  const bool has_cuda = may_be_cuda && obstacle.empty();
  if (choice.kernels == KernelBackend::cuda && !has_cuda) throw Error(ErrorCode::unsupported, obstacle);
  if (choice.device == Device::automatic) {
    const bool gpu = choice.kernels == KernelBackend::cuda || (any && (has_cuda || mlx_has_gpu));
    choice.device = gpu ? Device::gpu : Device::cpu;
  }
  const bool gpu = choice.device == Device::gpu;
  if (any) {
    choice.kernels = !gpu ? KernelBackend::fast : has_cuda ? KernelBackend::cuda : KernelBackend::mlx;
    choice.may_fall_back =
        choice.kernels == KernelBackend::cuda && (mlx_has_gpu || options.device == Device::automatic);
  }
  if (gpu && choice.kernels != KernelBackend::mlx && choice.kernels != KernelBackend::cuda) {
    throw Error(ErrorCode::invalid_argument,
                "[engine] expected the cuda or mlx kernels on a GPU; the others are for CPUs");
  }
  if (!gpu && choice.kernels == KernelBackend::cuda) {
    throw Error(ErrorCode::invalid_argument, "[engine] expected a GPU for the cuda kernels, got --device cpu");
  }
  if (gpu && choice.kernels == KernelBackend::mlx && !mlx_has_gpu) {
    throw Error(ErrorCode::unsupported,
                any ? str_cat("[engine] no GPU can be used here: MLX has none, and ", obstacle)
                    : "[engine] MLX has no GPU here; use --device cpu, or build against MLX for CUDA or Metal");
  }
  return choice;
}

BackendChoice without_cuda(const BackendChoice& choice) {
  if (mx::is_available(mx::Device(mx::Device::gpu))) return {choice.device, KernelBackend::mlx, false};
  return {Device::cpu, KernelBackend::fast, false};
}

std::unique_ptr<Backend> make_backend(const BackendChoice& choice, int threads) {
  if (choice.kernels == KernelBackend::cuda) return cuda::make_cuda_backend();
  if (choice.kernels != KernelBackend::mlx)
    return cpu::make_cpu_backend(threads, choice.kernels == KernelBackend::fast);
  return mlx_backend::make_mlx_backend(choice.device == Device::gpu ? mx::Device::gpu : mx::Device::cpu);
}

}  // namespace emelex
