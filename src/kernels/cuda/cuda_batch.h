#pragma once

#include <mlx/array.h>

#include <memory>
#include <optional>
#include <vector>

#include "kernels/batch.h"
#include "kernels/cuda/cuda_context.h"
#include "kernels/kv_memory.h"

namespace emelex::cuda {

namespace mx = mlx::core;

// A step as the GPU computes it: its tables are on the GPU.
struct CudaBatch : Batch {
  using Batch::Batch;

  // The StepHeader of a group of layers, for the kernels of those. What all groups share may be read of any.
  DevicePointer tables_of(int group) const;

  const KvMemory* memory = nullptr;
  DevicePointer tables = 0;
  int splits = 1;         // of attention
  bool is_graph = false;  // computed as a graph: one token of each sequence
  // Cosines and sines of the tokens, [rows, rope.dim], for each of CudaContext::ropes. The first layer that needs them
  // computes them.
  mutable std::vector<std::optional<mx::array>> rotations;
};

inline const CudaBatch& cuda_batch(const Batch& batch) { return static_cast<const CudaBatch&>(batch); }

// Writes the step's tables. Those of the batch before are lost.
std::unique_ptr<CudaBatch> prepare_batch(CudaContext& context, StepPtr step, const KvMemory& memory);

}  // namespace emelex::cuda
