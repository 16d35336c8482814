#pragma once

#include <memory>
#include <vector>

#include "kernels/batch.h"
#include "kernels/cpu/attend_plan.h"
#include "kernels/cpu/cpu_context.h"
#include "kernels/kv_memory.h"

namespace emelex::cpu {

// A step as the CPU computes it.
struct CpuBatch : Batch {
  using Batch::Batch;

  const KvMemory* memory = nullptr;
  std::vector<AttendPlan> plans;  // of each of CpuContext::attentions
  // Of a step of few tokens: its number, and where products note the order in which they ran.
  int few_token_step = 0;
  std::shared_ptr<ProductOrder> order;
};

inline const CpuBatch& cpu_batch(const Batch& batch) { return static_cast<const CpuBatch&>(batch); }

// Packs what is due, and plans the step's attention.
std::unique_ptr<const CpuBatch> prepare_batch(CpuContext& context, StepPtr step, const KvMemory& memory);

}  // namespace emelex::cpu
