#pragma once

#include <functional>

#include "kernels/cuda/device.h"
#include "kernels/step.h"

namespace emelex::cuda {

// Tokens of a split of attention, source/attention.cu's SPLIT.
constexpr int kSplitTokens = 128;

// The block of tokens that only fill up a step (pad_step).
constexpr int32_t kNoBlock = -1;

// Where a block of the cache lies: the layers without a window, and those with one; 0 where it has none.
struct BlockAddresses {
  DevicePointer all = 0;
  DevicePointer windowed = 0;
};

// What a step's kernels read of the step, in one buffer on the GPU (StepHeader).
class StepTables {
 public:
  explicit StepTables(DevicePtr device) : device_(std::move(device)) {}

  // Writes the step's tables, unless it is the step that they hold. Work of the step before must have been given out.
  void prepare(const StepPtr& step, const std::function<BlockAddresses(int32_t)>& block);

  DevicePointer pointer() const { return memory_.pointer(); }
  // Of the step's longest sequence.
  int splits() const { return splits_; }
  int sequences() const { return step_ == nullptr ? 0 : static_cast<int>(step_->sequences.size()); }
  // Changes whenever the buffer moves.
  int generation() const { return generation_; }

 private:
  DevicePtr device_;
  StepPtr step_;
  DeviceMemory memory_;
  PinnedMemory pinned_;
  int splits_ = 1;
  int generation_ = 0;
};

// The step with as many more tokens, of sequences without a past, that it has `rows` rows. Only where each sequence has
// one token and all are outputs.
StepPtr pad_step(const Step& step, int rows);

}  // namespace emelex::cuda
