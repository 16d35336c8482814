#include "engine/choose_route.h"

#include <mlx/device.h>

#include <cstdlib>
#include <string>

#include "base/strings.h"
#include "kernels/cpu/cpu_route.h"
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
  throw Error(ErrorCode::invalid_argument,
              str_cat("[engine] expected EMELEX_KERNELS to be fast, float or mlx, got ", quote_bytes(name)));
}

}  // namespace

RouteChoice choose_route(const LoadOptions& options) {
  RouteChoice choice{options.device, wanted_kernels(options)};
  const bool has_gpu = mx::is_available(mx::Device(mx::Device::gpu));
  if (choice.device == Device::automatic) {
    choice.device = has_gpu && choice.kernels == KernelRoute::automatic ? Device::gpu : Device::cpu;
  }
  if (choice.kernels == KernelRoute::automatic) {
    choice.kernels = choice.device == Device::gpu ? KernelRoute::mlx : KernelRoute::fast;
  }
  if (choice.device == Device::gpu && choice.kernels != KernelRoute::mlx) {
    throw Error(ErrorCode::invalid_argument, "[engine] expected the mlx kernels on a GPU; the others are for CPUs");
  }
  if (choice.device == Device::gpu && !has_gpu) {
    throw Error(ErrorCode::unsupported,
                "[engine] MLX has no GPU here; use --device cpu, or build against MLX for CUDA or Metal");
  }
  return choice;
}

std::unique_ptr<Route> make_route(const RouteChoice& choice, int threads) {
  if (choice.kernels != KernelRoute::mlx) return cpu::make_cpu_route(threads, choice.kernels == KernelRoute::fast);
  return mlx_route::make_mlx_route(choice.device == Device::gpu ? mx::Device::gpu : mx::Device::cpu);
}

}  // namespace emelex
