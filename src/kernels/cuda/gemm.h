#pragma once

#include "kernels/cuda/device.h"

namespace emelex::cuda {

// Float16 products of many rows by cuBLAS, which is found at run time; where it is not, available() is false.
class Gemm {
 public:
  explicit Gemm(DevicePtr device);
  ~Gemm();
  Gemm(const Gemm&) = delete;
  Gemm& operator=(const Gemm&) = delete;

  bool available();
  // out [tokens, rows] = x [tokens, columns] times weights [rows, columns] transposed; float16, sums and out float32.
  // Rows of x and of weights are `stride` values apart.
  void multiply(DevicePointer weights, DevicePointer x, DevicePointer out, int tokens, int rows, int stride);

 private:
  void open();

  DevicePtr device_;
  bool tried_ = false;
  void* handle_ = nullptr;
  DeviceMemory workspace_;  // so that it allocates nothing while launches are captured
};

}  // namespace emelex::cuda
