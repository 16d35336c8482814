#include "kernels/cuda/step_graphs.h"

#include <algorithm>

#include "kernels/cuda/cuda_array.h"
#include "kernels/cuda/cuda_batch.h"

namespace emelex::cuda {
namespace {

int power_of_two(int n) {
  int power = 1;
  while (power < n) power *= 2;
  return power;
}

}  // namespace

bool StepGraphs::takes(const Step& step) {
  if (step.size() > kMostGraphRows || step.outputs.size() != step.tokens.size()) return false;
  for (size_t i = 0; i < step.sequences.size(); ++i) {
    if (step.sequences[i].count != 1 || step.outputs[i] != static_cast<int32_t>(i)) return false;
  }
  return step.sequences.size() == step.tokens.size();
}

StepGraphs::Logits StepGraphs::run(const StepPtr& step, const KvMemory& memory, const Forward& forward) {
  const int rows = power_of_two(step->size());
  const StepPtr padded = rows == step->size() ? step : pad_step(*step, rows, memory.pools.size());
  const auto batch = prepare_batch(*context_, padded, memory);
  batch->is_graph = true;
  batch->splits = power_of_two(batch->splits);
  if (generation_ != context_->tables.generation()) {
    clear();
    generation_ = context_->tables.generation();
  }
  // What a graph cannot have, kernels that are compiled at their first use and values that are copied, is done by the
  // first step of its kind.
  Graph& graph = graphs_[{rows, batch->splits}];
  if (graph.exec == nullptr) {
    if (!graph.tried) {
      graph.tried = true;
      const auto logits = forward(*batch);
      return {of(logits).data(), of(logits).columns()};
    }
    capture(*batch, forward, graph);
  }
  check(driver().cuGraphLaunch(graph.exec, context_->device->stream()), "a launched step");
  return graph.result;
}

void StepGraphs::capture(const Batch& batch, const Forward& forward, Graph& to) {
  const Driver& d = driver();
  const StreamHandle stream = context_->device->stream();
  GraphHandle graph = nullptr;
  check(d.cuStreamBeginCapture_v2(stream, kCaptureRelaxed), "a step's launches to be captured");
  try {
    const auto logits = forward(batch);
    to.result = {of(logits).data(), of(logits).columns()};
  } catch (...) {
    if (d.cuStreamEndCapture(stream, &graph) == 0 && graph != nullptr) d.cuGraphDestroy(graph);
    throw;
  }
  check(d.cuStreamEndCapture(stream, &graph), "a captured step");
  const Result result = d.cuGraphInstantiateWithFlags(&to.exec, graph, 0);
  d.cuGraphDestroy(graph);
  check(result, "a graph of a step");
}

void StepGraphs::clear() {
  for (const auto& [key, graph] : graphs_) {
    if (graph.exec != nullptr) driver().cuGraphExecDestroy(graph.exec);
  }
  graphs_.clear();
}

}  // namespace emelex::cuda
