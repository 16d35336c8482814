#pragma once

#include <memory>
#include <vector>

#include "kernels/attention.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/step_tables.h"

namespace emelex::cuda {

// A Rope with its frequencies on the GPU.
struct DeviceRope {
  Rope rope;
  DeviceMemory frequencies;
  DeviceMemory long_frequencies;
};

// What the operations of one model share. They run in order on the thread that owns the model.
struct CudaContext {
  explicit CudaContext(DevicePtr device_) : device(std::move(device_)), tables(device), gemm(device) {}

  DevicePtr device;
  StepTables tables;
  Gemm gemm;
  std::vector<DeviceRope> ropes;  // the distinct ones of the model's layers
};

using CudaContextPtr = std::shared_ptr<CudaContext>;

constexpr unsigned groups_of(long long n, int size) { return static_cast<unsigned>((n + size - 1) / size); }

}  // namespace emelex::cuda
