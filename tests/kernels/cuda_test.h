#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <vector>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/device.h"
#include "kernels/kernel_test.h"
#include "quant/quantize.h"

// What tests on a GPU have in common. Without one they are skipped, with the reason.

namespace emelex::test {

inline bool has_gpu() {
  const std::string obstacle = cuda::cuda_obstacle();
  if (!obstacle.empty()) MESSAGE("skipped: " << obstacle);
  return obstacle.empty();
}

// A matrix of random values as a type stores them, and those values.
struct Stored {
  std::vector<std::byte> bytes;
  std::vector<float> values;
  Tensor tensor;

  Stored(TensorType type, int rows, int columns, uint32_t seed, float spread = 0.1F) {
    Random random(seed);
    const auto n = static_cast<size_t>(rows) * static_cast<size_t>(columns);
    bytes = quantize(type, random.normals(n, spread));
    values.resize(n);
    dequantize(type, bytes, values);
    tensor.name = "weights";
    tensor.type = type;
    tensor.shape = {rows, columns};
    tensor.data = bytes;
  }
};

inline std::vector<float> downloaded(cuda::Device& device, cuda::DevicePointer from, size_t n) {
  std::vector<float> values(n);
  device.download(values.data(), from, n * sizeof(float));
  device.wait();
  return values;
}

}  // namespace emelex::test
