#pragma once

#include <memory>
#include <vector>

#include "kernels/attention.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/step_tables.h"

namespace emelex::cuda {

// Tokens of a step that is computed as a graph, at most.
constexpr int kMostGraphRows = 128;

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
  int64_t spare_bytes = 0;        // that may be taken to compute faster
  DeviceMemory arrivals;          // counters of attention_single.cu, zeros between launches

  // Makes room for `count` arrivals. Not while launches are captured.
  void require_arrivals(int count) {
    const size_t bytes = static_cast<size_t>(count) * sizeof(int);
    if (bytes <= arrivals.bytes()) return;
    arrivals = DeviceMemory(device, bytes);
    device->clear(arrivals.pointer(), bytes);
  }
};

using CudaContextPtr = std::shared_ptr<CudaContext>;

constexpr unsigned groups_of(long long n, int size) { return static_cast<unsigned>((n + size - 1) / size); }

}  // namespace emelex::cuda
