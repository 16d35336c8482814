#pragma once

#include <memory>

#include "kernels/cuda/device.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/step_tables.h"
#include "kernels/step.h"

namespace emelex::cuda {

// Of a cache, for the step's tables.
class BlockMap {
 public:
  virtual ~BlockMap() = default;
  virtual BlockAddresses block(int32_t number) const = 0;
};

// What the operations of one model share. They run in order on the thread that owns the model.
struct CudaContext {
  explicit CudaContext(DevicePtr device_) : device(std::move(device_)), tables(device), gemm(device) {}

  // The step's tables on the GPU.
  DevicePointer step_tables(const StepPtr& step) {
    tables.prepare(step,
                   [this](int32_t number) { return blocks == nullptr ? BlockAddresses{} : blocks->block(number); });
    return tables.pointer();
  }

  DevicePtr device;
  StepTables tables;
  Gemm gemm;
  const BlockMap* blocks = nullptr;  // the cache's
  int splits = 0;                    // of attention while launches are captured; 0: as many as the step has
};

using CudaContextPtr = std::shared_ptr<CudaContext>;

constexpr unsigned groups_of(long long n, int size) { return static_cast<unsigned>((n + size - 1) / size); }

}  // namespace emelex::cuda
