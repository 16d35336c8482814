#include "engine/choose_route.h"

#include <mlx/device.h>

#include <cstdlib>
#include <string>

#include "base/strings.h"
#include "kernels/cpu/cpu_route.h"
#include "kernels/cuda/cuda_route.h"
#include "kernels/mlx/mlx_route.h"

namespace emelex {
namespace {

KernelRoute wanted_kernels(const LoadOptions& options) {
  if (options.kernels != KernelRoute::automatic) return options.kernels;
  const char* wanted = std::getenv("EMELEX_KERNELS");
  const std::string name = wanted == nullptr ? "" : wanted;
  if (name.empty()) return KernelRoute::automatic;
  if (name == "fast") return KernelRoute::fast;
  if (name == "float") return KernelRoute::float32;
  if (name == "mlx") return KernelRoute::mlx;
  if (name == "cuda") return KernelRoute::cuda;
  throw Error(ErrorCode::invalid_argument,
              str_cat("[engine] expected EMELEX_KERNELS to be fast, float, mlx or cuda, got ", quote_bytes(name)));
}

}  // namespace

RouteChoice choose_route(const LoadOptions& options) {
  RouteChoice choice{options.device, wanted_kernels(options), false};
  const bool mlx_has_gpu = mx::is_available(mx::Device(mx::Device::gpu));
  const bool any = choice.kernels == KernelRoute::automatic;
  // The driver is asked only where it may be used.
  const bool may_be_cuda = choice.kernels == KernelRoute::cuda || (any && choice.device != Device::cpu);
  const std::string obstacle = may_be_cuda ? cuda::cuda_obstacle() : "";
  const bool has_cuda = may_be_cuda && obstacle.empty();
  if (choice.kernels == KernelRoute::cuda && !has_cuda) throw Error(ErrorCode::unsupported, obstacle);
  if (choice.device == Device::automatic) {
    const bool gpu = choice.kernels == KernelRoute::cuda || (any && (has_cuda || mlx_has_gpu));
    choice.device = gpu ? Device::gpu : Device::cpu;
  }
  const bool gpu = choice.device == Device::gpu;
  if (any) {
    choice.kernels = !gpu ? KernelRoute::fast : has_cuda ? KernelRoute::cuda : KernelRoute::mlx;
    choice.may_fall_back = choice.kernels == KernelRoute::cuda && (mlx_has_gpu || options.device == Device::automatic);
  }
  if (gpu && choice.kernels != KernelRoute::mlx && choice.kernels != KernelRoute::cuda) {
    throw Error(ErrorCode::invalid_argument,
                "[engine] expected the cuda or mlx kernels on a GPU; the others are for CPUs");
  }
  if (!gpu && choice.kernels == KernelRoute::cuda) {
    throw Error(ErrorCode::invalid_argument, "[engine] expected a GPU for the cuda kernels, got --device cpu");
  }
  if (gpu && choice.kernels == KernelRoute::mlx && !mlx_has_gpu) {
    throw Error(ErrorCode::unsupported,
                any ? str_cat("[engine] no GPU can be used here: MLX has none, and ", obstacle)
                    : "[engine] MLX has no GPU here; use --device cpu, or build against MLX for CUDA or Metal");
  }
  return choice;
}

RouteChoice without_cuda(const RouteChoice& choice) {
  if (mx::is_available(mx::Device(mx::Device::gpu))) return {choice.device, KernelRoute::mlx, false};
  return {Device::cpu, KernelRoute::fast, false};
}

std::unique_ptr<Route> make_route(const RouteChoice& choice, int threads) {
  if (choice.kernels == KernelRoute::cuda) return cuda::make_cuda_route();
  if (choice.kernels != KernelRoute::mlx) return cpu::make_cpu_route(threads, choice.kernels == KernelRoute::fast);
  return mlx_route::make_mlx_route(choice.device == Device::gpu ? mx::Device::gpu : mx::Device::cpu);
}

}  // namespace emelex
