#include "kernels/cpu/cpu_batch.h"

#include <algorithm>

#include "kernels/cpu/cpu_matrix.h"

namespace emelex::cpu {
namespace {

// Each product of the last step is told the one after it, and the last of them the first.
void link(const ProductOrder& order) {
  for (size_t i = 0; i < order.size(); ++i) order[i]->next = order[(i + 1) % order.size()];
}

void pack_due(CpuContext& context, int step) {
  auto& all = context.packables;
  all.erase(std::remove_if(all.begin(), all.end(), [](const auto& one) { return one.expired(); }), all.end());
  for (const auto& one : all) one.lock()->pack_before(step);
}

}  // namespace

std::unique_ptr<const CpuBatch> prepare_batch(CpuContext& context, StepPtr step, const KvMemory& memory) {
  auto batch = std::make_unique<CpuBatch>(std::move(step));
  batch->memory = &memory;
  if (batch->tokens() <= kFewTokens) {
    if (context.order) link(*context.order);
    batch->few_token_step = ++context.few_token_steps;
    batch->order = std::make_shared<ProductOrder>();
    context.order = batch->order;
    pack_due(context, batch->few_token_step);
  }
  for (const AttentionKind& kind : context.attentions) {
    const PoolLayer& stored = memory.layers.at(static_cast<size_t>(kind.layer));
    batch->plans.push_back(plan_attention(batch->step(), kind.config, memory, static_cast<size_t>(stored.group)));
  }
  return batch;
}

}  // namespace emelex::cpu
