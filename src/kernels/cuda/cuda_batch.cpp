#include "kernels/cuda/cuda_batch.h"

#include "kernels/cuda/source/layouts.h"

namespace emelex::cuda {

DevicePointer CudaBatch::tables_of(int group) const { return tables + static_cast<size_t>(group) * sizeof(StepHeader); }

std::unique_ptr<CudaBatch> prepare_batch(CudaContext& context, StepPtr step, const KvMemory& memory) {
  auto batch = std::make_unique<CudaBatch>(std::move(step));
  context.tables.write(batch->step(), memory);
  batch->memory = &memory;
  batch->tables = context.tables.pointer();
  batch->splits = context.tables.splits();
  batch->rotations.resize(context.ropes.size());
  return batch;
}

}  // namespace emelex::cuda
