#pragma once

#include <map>
#include <utility>

#include "kernels/backend.h"
#include "kernels/cuda/cuda_context.h"

namespace emelex::cuda {

// Steps of one token a sequence, as graphs: the launches of a step, captured once for a number of rows and of splits,
// and launched again as one with other tables.
class StepGraphs {
 public:
  explicit StepGraphs(CudaContextPtr context) : context_(std::move(context)) {}
  ~StepGraphs() { clear(); }
  StepGraphs(const StepGraphs&) = delete;
  StepGraphs& operator=(const StepGraphs&) = delete;

  // Whether the step is one of those.
  static bool takes(const Step& step);

  struct Logits {
    DevicePointer data;  // float [rows, columns]
    int columns;
  };
  // Gives out the step's work. The result lasts until other work is given out.
  Logits run(const StepPtr& step, const KvMemory& memory, const Forward& forward);

 private:
  struct Graph {
    bool tried = false;  // a step of its kind has run
    GraphExecHandle exec = nullptr;
    Logits result{0, 0};
  };
  void capture(const Batch& batch, const Forward& forward, Graph& to);
  void clear();

  CudaContextPtr context_;
  int generation_ = 0;                           // of the tables that the graphs read
  std::map<std::pair<int, int>, Graph> graphs_;  // by rows and splits
};

}  // namespace emelex::cuda
