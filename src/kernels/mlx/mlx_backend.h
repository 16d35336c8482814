#pragma once

#include <memory>

#include "kernels/backend.h"

namespace emelex::mlx_backend {

// The backend over MLX's stock operations: what a GPU runs on (Metal or CUDA). On MLX's CPU backend it is a slow
// reference, in float32 throughout. `device` must be one that MLX has. Call it on the thread that will compute.
std::unique_ptr<Backend> make_mlx_backend(mx::Device::DeviceType device);

// The same with products that read `dtype`, float16 or float32, whatever the device.
std::unique_ptr<Backend> make_mlx_backend(mx::Device::DeviceType device, mx::Dtype dtype);

}  // namespace emelex::mlx_backend
